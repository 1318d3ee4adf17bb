//! From a panic in a handler to the next message handled by the restarted actor.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use crate::harness::{OURS, Report, Round, median};
use crate::load::{FLAVOURS, Flavour};
use crate::peers::{kameo, ractor};
use crate::supervised;

/// Crashes per round.
const CRASHES: usize = 2_000;

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
            (OURS, rounds(flavour, |n| Box::pin(supervised::crashes(n)))),
            ("kameo supervise", rounds(flavour, |n| Box::pin(kameo::crashes(n)))),
            ("ractor supervisor", rounds(flavour, |n| Box::pin(ractor::crashes(n)))),
        ];
        report.contest("crash", flavour.name(), "us from crash to next message, p50", contenders);
    }
}

type Crashes = std::pin::Pin<Box<dyn Future<Output = Vec<f64>> + Send>>;

fn rounds(flavour: Flavour, crashes: fn(usize) -> Crashes) -> Round {
    Box::new(move || median(&flavour.run(crashes(CRASHES))))
}
