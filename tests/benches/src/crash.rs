//! What supervision costs: from a panic in a handler to the next message handled by the restarted actor,
//! alone and among very many siblings; a large tree from its start to its end; and a publish to a child that
//! waits to be restarted.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use backtest::usage;

use crate::harness::{OURS, Report, Round, Stages, median};
use crate::load::{FLAVOURS, Flavour};
use crate::peers::{kameo, ractor};
use crate::supervised;

/// Crashes per round.
const CRASHES: usize = 2_000;

/// Siblings of the child that crashes in a large family: with it they are ten thousand.
const SIBLINGS: usize = 9_999;

/// Workers of the large tree.
const WORKERS: usize = 100_000;

/// Bursts per round that are published to a child.
const BURSTS: usize = 20;

/// Remembers when the actor crashed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stage(Arc<Mutex<Option<Instant>>>);

impl Stage {
    /// Notes the time and panics.
    pub(crate) fn crash(&self) -> ! {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
        std::panic::resume_unwind(Box::new("crash on purpose"))
    }

    /// Microseconds from the last crash to `handled`.
    pub(crate) fn since_crash(&self, handled: Instant) -> f64 {
        let crashed = self.0.lock().unwrap_or_else(PoisonError::into_inner).expect("the actor has crashed");
        handled.duration_since(crashed).as_secs_f64() * 1e6
    }
}

/// Panics go past the panic hook (`resume_unwind`), so that no contender is charged for printing.
pub(crate) fn crash_to_next(report: &mut Report) {
    for flavour in FLAVOURS {
        let contenders: Vec<(&str, Round)> = vec![
            (OURS, rounds(flavour, || Box::pin(supervised::crashes(CRASHES, 0)))),
            ("kameo supervise", rounds(flavour, || Box::pin(kameo::crashes(CRASHES)))),
            ("ractor supervisor", rounds(flavour, || Box::pin(ractor::crashes(CRASHES, 0)))),
        ];
        report.contest("crash", flavour.name(), "us from crash to next message, p50", contenders);
    }
}

/// The same for one child of ten thousand. kameo is not asked: it leaks each child that has ended.
pub(crate) fn crash_among_many(report: &mut Report) {
    for flavour in FLAVOURS {
        let contenders: Vec<(&str, Round)> = vec![
            (OURS, rounds(flavour, || Box::pin(supervised::crashes(CRASHES, SIBLINGS)))),
            ("ractor supervisor", rounds(flavour, || Box::pin(ractor::crashes(CRASHES, SIBLINGS)))),
        ];
        let case = format!("one of 10,000 children, {}", flavour.name());
        report.contest("family", &case, "us from crash to next message, p50", contenders);
    }
}

/// A stretch of time: by the clock, and what this process has computed meanwhile. On a busy machine the
/// second says more.
#[derive(Debug)]
pub(crate) struct Lap(Instant, f64);

impl Lap {
    /// It begins.
    pub(crate) fn begin() -> Self {
        Self(Instant::now(), usage::cpu_seconds())
    }

    /// Seconds by the clock and of computing.
    pub(crate) fn end(self) -> (f64, f64) {
        (self.0.elapsed().as_secs_f64(), usage::cpu_seconds() - self.1)
    }
}

/// ractor's supervisor starts its children one after the other too, but stops all at once and in no order.
pub(crate) fn large_tree(report: &mut Report) {
    for flavour in FLAVOURS {
        let contenders: Vec<(&str, Stages)> = vec![
            (OURS, stages(flavour, || Box::pin(supervised::start_and_stop(WORKERS)))),
            ("ractor, linked", stages(flavour, || Box::pin(ractor::start_and_stop(WORKERS)))),
        ];
        let cases = ["start", "stop", "CPU to start", "CPU to stop"];
        let cases = cases.map(|what| format!("{what} 100,000 workers, {}", flavour.name()));
        report.stages("tree", &cases.each_ref().map(String::as_str), "s", contenders);
    }
}

/// The publisher's call while its only subscriber waits to be restarted, and while it is busy with a message.
pub(crate) fn publish_to_waiting(report: &mut Report) {
    for flavour in FLAVOURS {
        let contenders: Vec<(&str, Round)> = vec![
            (OURS, rounds(flavour, || Box::pin(supervised::publishes(BURSTS, true)))),
            ("to a busy child", rounds(flavour, || Box::pin(supervised::publishes(BURSTS, false)))),
        ];
        let case = format!("publish to a child in backoff, {}", flavour.name());
        report.contest("backoff", &case, "ns per publish, bursts of 512, p50", contenders);
    }
}

type Samples = Pin<Box<dyn Future<Output = Vec<f64>> + Send>>;

fn rounds(flavour: Flavour, samples: fn() -> Samples) -> Round {
    Box::new(move || median(&flavour.run(samples())))
}

fn stages(flavour: Flavour, figures: fn() -> Samples) -> Stages {
    Box::new(move || flavour.run(figures()))
}
