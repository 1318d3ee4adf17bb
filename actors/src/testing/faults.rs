//! Failures at chosen messages.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::short_type_name;
use crate::{Actor, Call, CallOutcome, Probe};

/// Panics in an actor at a chosen message, to see what its supervisor, its successors and others make of it.
/// It is the probe of a bus or an isolate ([`BusBuilder::probe`](crate::BusBuilder::probe),
/// [`Isolate::probe`](crate::Isolate::probe)).
///
/// The panic comes in place of the handler, with the message in hand, and is treated like one of the handler.
///
/// ```
/// use std::sync::Arc;
/// use mycelium::testing::Faults;
/// use mycelium::{Actor, BoxError, Context, Handler, Isolate, OnFailure};
///
/// #[derive(Default)]
/// struct Sum(u64);
/// impl Actor for Sum { type Error = BoxError; }
/// impl Handler<u64> for Sum {
///     async fn handle(&mut self, number: &u64, _: &mut Context<Self>) -> Result<(), BoxError> {
///         self.0 += number;
///         Ok(())
///     }
/// }
/// # fn main() -> Result<(), BoxError> {
/// let faults = Arc::new(Faults::new().panic_at::<Sum, u64>(2));
/// let mut isolate = Isolate::new(1);
/// isolate.probe(faults.clone());
/// isolate.on_failure(OnFailure::GoOn);
/// let sum = isolate.spawn(Sum::default())?;
/// isolate.tell(&sum, 7)?;
/// isolate.tell(&sum, 8)?;
/// isolate.run()?;
/// assert!(isolate.end_reason(&sum).is_some());
/// assert_eq!(faults.injected(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct Faults {
    plans: Mutex<Vec<FaultPlan>>,
    inner: Option<Arc<dyn Probe>>,
}

/// One failure that is to come, or has come.
struct FaultPlan {
    actor: &'static str,
    message: &'static str,
    /// At which call, from 1.
    at: u64,
    seen: u64,
}

impl Faults {
    /// No failures.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Panics when an actor of type `A` is handed its `nth` message or query of type `M`, counted from 1 over
    /// all actors of that type and their restarts; a message that is tried again counts again. 0 is never.
    /// Types are told apart by their names.
    ///
    /// ```
    /// # use mycelium::{Isolate, OnFailure, actor, testing::Faults};
    /// # use std::sync::Arc;
    /// # struct Sum(u64);
    /// # struct Total;
    /// # #[actor] impl Sum {
    /// #     #[on(direct)] fn add(&mut self, by: &u64) { self.0 += by; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// let faults = Arc::new(Faults::new().panic_at::<Sum, u64>(2));
    /// let mut isolate = Isolate::new(42);
    /// isolate.on_failure(OnFailure::GoOn);
    /// isolate.probe(faults.clone());
    /// let sum = isolate.spawn(Sum(0))?;
    /// for number in [7_u64, 8] {
    ///     isolate.tell(&sum, number)?; // the second one panics
    /// }
    /// isolate.run()?;
    /// assert_eq!(faults.injected(), 1);
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    #[must_use]
    pub fn panic_at<A: Actor, M>(self, nth: u64) -> Self {
        let plan = FaultPlan { actor: A::name(), message: short_type_name::<M>(), at: nth, seen: 0 };
        self.lock().push(plan);
        self
    }

    /// Shows all calls to another probe too.
    #[must_use]
    pub fn and(mut self, probe: Arc<dyn Probe>) -> Self {
        self.inner = Some(probe);
        self
    }

    /// How many of the failures have come: a test that means to see one looks here.
    #[must_use]
    pub fn injected(&self) -> usize {
        self.lock().iter().filter(|plan| plan.at > 0 && plan.seen >= plan.at).count()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<FaultPlan>> {
        self.plans.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Probe for Faults {
    fn begins(&self, call: &Call) {
        if let Some(inner) = &self.inner {
            inner.begins(call);
        }
        let mut due = None;
        for plan in
            self.lock().iter_mut().filter(|plan| plan.actor == call.actor && plan.message == call.message)
        {
            plan.seen += 1;
            if plan.seen == plan.at {
                due = Some(plan.at);
            }
        }
        // Here, where nothing is locked.
        if let Some(at) = due {
            // The host will not say it of a call that has not begun.
            self.ended(call, &CallOutcome::Panicked);
            panic!("injected at message {at} of type {} of {}", call.message, call.actor);
        }
    }

    fn ended(&self, call: &Call, outcome: &CallOutcome<'_>) {
        if let Some(inner) = &self.inner {
            inner.ended(call, outcome);
        }
    }
}

impl std::fmt::Debug for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Faults").field("injected", &self.injected()).finish_non_exhaustive()
    }
}
