//! What the framework itself puts into an actor's inbox, between the messages: it takes its turn as they do.
//!
//! A marker takes no room of the inbox, is seen by no probe and is no dead letter. Those who put markers in
//! bound how many there are: an actor has one stop at a time, and a pool few resizes and one flush
//! (`pool/roster.rs`).

use std::sync::Arc;

use crate::sync::SetOnce;
use crate::{Actor, Context};

/// The name of a marker, where a message would have its own.
pub(crate) const MARKER: &str = "a marker";

/// One of them.
pub(crate) enum Marker {
    /// The actor ends here: [`ActorRef::stop_gracefully`](crate::ActorRef::stop_gracefully).
    Stop,
    /// Every message before it is handled, or is nobody's any more, when this is dropped.
    Fence(#[expect(dead_code, reason = "its drop is all that it does")] Fence),
    /// The actor goes on when these are passed.
    Gate(Arc<[Passed]>),
}

impl Marker {
    /// Its turn has come.
    pub(crate) async fn take_effect<A: Actor>(&self, ctx: &mut Context<A>) {
        match self {
            Self::Stop => ctx.stop_at_marker(),
            // It passes when it is dropped, right after this.
            Self::Fence(_) => {}
            Self::Gate(fences) => {
                for fence in &**fences {
                    fence.passed().await;
                }
            }
        }
    }
}

/// Is passed when it is dropped.
pub(crate) struct Fence(Arc<SetOnce<()>>);

/// Who waits for a [`Fence`].
#[derive(Clone)]
pub(crate) struct Passed(Arc<SetOnce<()>>);

impl Fence {
    pub(crate) fn new() -> (Self, Passed) {
        let passed = Arc::new(SetOnce::new());
        (Self(Arc::clone(&passed)), Passed(passed))
    }
}

impl Passed {
    pub(crate) async fn passed(&self) {
        self.0.wait().await;
    }

    pub(crate) fn is_passed(&self) -> bool {
        self.0.initialized()
    }

    /// Nobody will come to the fence any more.
    fn pass(&self) {
        self.0.set(());
    }
}

/// The fences in one inbox that are not passed, as far as one knows. When this is dropped, all of them are:
/// an actor that could not be killed never comes to them.
#[derive(Default)]
pub(crate) struct PutFences(Vec<Passed>);

impl PutFences {
    pub(crate) fn add(&mut self, fence: &Passed) {
        self.0.retain(|other| !other.is_passed());
        self.0.push(fence.clone());
    }
}

impl Drop for PutFences {
    fn drop(&mut self) {
        self.0.iter().for_each(Passed::pass);
    }
}

impl Drop for Fence {
    fn drop(&mut self) {
        self.0.set(());
    }
}
