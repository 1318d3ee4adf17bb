//! Receiving bytes, for code that is no actor.

use std::task::{Context as TaskContext, Poll};

use crate::isolate::IsolateEars;
use crate::live::LiveEars;
use crate::{WireDelivery, WireMessage};

/// The messages of some topics as bytes: see [`MessageBus::subscribe_wire`](crate::MessageBus::subscribe_wire). Dropping it
/// unsubscribes. It is the same type live and in an isolate.
pub struct WireSubscriber {
    backend: Backend,
}

enum Backend {
    Live(LiveEars),
    Isolate(IsolateEars),
}

/// A wait for the next message, which an isolate takes for rest.
struct Receiving<'a>(&'a mut WireSubscriber);

impl Drop for Receiving<'_> {
    fn drop(&mut self) {
        match &mut self.0.backend {
            Backend::Live(ears) => ears.forget_wait(),
            Backend::Isolate(ears) => ears.forget_wait(),
        }
    }
}

impl WireSubscriber {
    pub(crate) fn live(ears: LiveEars) -> Self {
        Self { backend: Backend::Live(ears) }
    }

    pub(crate) fn in_isolate(ears: IsolateEars) -> Self {
        Self { backend: Backend::Isolate(ears) }
    }

    /// The next message, in the order of the bus across all its topics; `None` when the bus has closed and nothing waits any more.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, no message is lost.
    pub async fn recv(&mut self) -> Option<WireMessage> {
        let receiving = Receiving(self);
        std::future::poll_fn(|cx| receiving.0.poll_recv(cx)).await
    }

    /// Polls for the next message; see [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<WireMessage>> {
        match &mut self.backend {
            Backend::Live(ears) => ears.poll_recv(cx),
            Backend::Isolate(ears) => ears.poll_recv(cx),
        }
    }

    /// The next message if one waits.
    pub fn try_recv(&mut self) -> Option<WireMessage> {
        match &mut self.backend {
            Backend::Live(ears) => ears.try_recv(),
            Backend::Isolate(ears) => ears.try_recv(),
        }
    }

    /// Shows `look` the messages that wait, at most `most` of them, where they lie: nothing is copied or allocated for each if this is
    /// the only one who listens to their topics in bytes. How many it has shown.
    ///
    /// # Panics
    /// When `look` does: the message that it has then is shown again.
    pub fn drain(&mut self, most: usize, mut look: impl FnMut(WireDelivery<'_>)) -> usize {
        match &mut self.backend {
            Backend::Live(ears) => ears.drain(most, &mut look),
            Backend::Isolate(ears) => ears.drain(most, &mut look),
        }
    }
}
