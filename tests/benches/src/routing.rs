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

/// What is written by hand instead of [`Routes`].
#[derive(Default)]
struct ByHand {
    sum: Sum,
    peak: Peak,
}

impl ByHand {
    fn route(&mut self, message: &Small) -> Result<(), BoxError> {
        self.sum.hear(message)?;
        self.peak.hear(message)
    }
}

/// One message to two handlers.
///
/// The first two look at the actors after each message, as a program does whose actors live longer than one
/// loop, so that their state is in memory. The third does not: the compiler then keeps two numbers in
/// registers, which it cannot where a handler may publish.
pub(crate) fn against_direct_calls(report: &mut Report) {
    let contenders: Vec<(&str, Round)> = vec![
        (OURS, Box::new(routed)),
        ("direct calls", Box::new(direct)),
        ("direct calls, in registers", Box::new(in_registers)),
    ];
    report.contest("routing", "two handlers", "ns per message", contenders);
}

fn routed() -> f64 {
    let mut routes = Routes::new(Sum::default(), Peak::default());
    let begin = Instant::now();
    for number in 0..MESSAGES {
        black_box(&mut routes).route(black_box(&Small::new(number))).expect("no handler fails");
    }
    let elapsed = begin.elapsed();
    assert_eq!((routes.sum().0, routes.peak().0), expected());
    elapsed.as_nanos() as f64 / MESSAGES as f64
}

fn direct() -> f64 {
    let mut actors = ByHand::default();
    let begin = Instant::now();
    for number in 0..MESSAGES {
        black_box(&mut actors).route(black_box(&Small::new(number))).expect("no handler fails");
    }
    let elapsed = begin.elapsed();
    assert_eq!((actors.sum.0, actors.peak.0), expected());
    elapsed.as_nanos() as f64 / MESSAGES as f64
}

fn in_registers() -> f64 {
    let mut actors = ByHand::default();
    let begin = Instant::now();
    for number in 0..MESSAGES {
        actors.route(black_box(&Small::new(number))).expect("no handler fails");
    }
    let elapsed = begin.elapsed();
    assert_eq!((actors.sum.0, actors.peak.0), expected());
    elapsed.as_nanos() as f64 / MESSAGES as f64
}

fn expected() -> (u64, u64) {
    (MESSAGES * (MESSAGES - 1) / 2, MESSAGES - 1)
}
