//! `routing_config!` against the same two handlers called by hand.

use std::hint::black_box;
use std::time::Instant;

use mycelium::{Actor, BoxError, Context, Handler};

use crate::harness::{OURS, Report, Round};
use crate::load::{Load, Small};

/// Messages per round.
const MESSAGES: u64 = 10_000_000;

/// Adds up what it hears.
#[derive(Default)]
struct Sum(u64);

/// Keeps the largest that it hears.
#[derive(Default)]
struct Peak(u64);

impl Sum {
    fn hear(&mut self, message: &Small) -> Result<(), BoxError> {
        self.0 = self.0.wrapping_add(message.number());
        Ok(())
    }
}

impl Peak {
    fn hear(&mut self, message: &Small) -> Result<(), BoxError> {
        self.0 = self.0.max(message.number());
        Ok(())
    }
}

impl Actor for Sum {
    type Error = BoxError;
}

impl Actor for Peak {
    type Error = BoxError;
}

impl Handler<Small> for Sum {
    async fn handle(&mut self, message: &Small, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(message)
    }
}

impl Handler<Small> for Peak {
    async fn handle(&mut self, message: &Small, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.hear(message)
    }
}

mycelium::routing_config! {
    /// Both handlers hear every message.
    struct Routes {
        Small => [sum: Sum, peak: Peak],
    }
}

/// One message to two handlers.
pub(crate) fn against_direct_calls(report: &mut Report) {
    let contenders: Vec<(&str, Round)> = vec![(OURS, Box::new(routed)), ("direct calls", Box::new(direct))];
    report.contest("routing", "two handlers", "ns per message", contenders);
}

fn routed() -> f64 {
    let mut routes = Routes::new(Sum::default(), Peak::default());
    let begin = Instant::now();
    for number in 0..MESSAGES {
        routes.route(black_box(&Small::new(number))).expect("no handler fails");
    }
    let elapsed = begin.elapsed();
    assert_eq!((routes.sum().0, routes.peak().0), expected());
    elapsed.as_nanos() as f64 / MESSAGES as f64
}

fn direct() -> f64 {
    let (mut sum, mut peak) = (Sum::default(), Peak::default());
    let begin = Instant::now();
    for number in 0..MESSAGES {
        let message = Small::new(number);
        let heard = sum.hear(black_box(&message)).and_then(|()| peak.hear(black_box(&message)));
        heard.expect("no handler fails");
    }
    let elapsed = begin.elapsed();
    assert_eq!((sum.0, peak.0), expected());
    elapsed.as_nanos() as f64 / MESSAGES as f64
}

fn expected() -> (u64, u64) {
    (MESSAGES * (MESSAGES - 1) / 2, MESSAGES - 1)
}
