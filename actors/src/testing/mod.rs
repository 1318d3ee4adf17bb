//! Tools for tests of actors: a record of what was published or told, answers by rote, failures at a chosen
//! message, and a guard that fails a test in which messages were lost.
//!
//! The same types work with an [`Isolate`](crate::Isolate), where nothing happens until the test runs it, and
//! with a live [`MessageBus`](crate::MessageBus), where the test awaits. `docs/testing.md` walks through
//! them.

mod answers;
mod faults;
mod guard;
mod recorder;

pub use answers::Answers;
pub use faults::Faults;
pub use guard::{Guarded, Ledger, Loss, Losses};
pub use recorder::{RECORDED_MAX, RECORDER_WAIT, Recorder};

/// The page that walks through this module: its examples are tests.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/testing.md")]
struct Page;
