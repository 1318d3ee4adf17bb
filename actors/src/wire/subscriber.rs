//! WireReceiving bytes, for code that is no actor.

use std::task::{Context as TaskContext, Poll};

use crate::isolate::IsolateEars;
use crate::live::LiveEars;
use crate::{WireDelivery, WireMessage};

/// The messages of some topics as bytes: see
/// [`MessageBus::subscribe_wire`](crate::MessageBus::subscribe_wire). Dropping it unsubscribes. It is the
/// same type live and in an isolate.
pub struct WireSubscriber {
    backend: WireBackend,
}

enum WireBackend {
    Live(LiveEars),
    Isolate(IsolateEars),
}

/// A wait for the next message, which an isolate takes for rest.
struct WireReceiving<'a>(&'a mut WireSubscriber);

impl Drop for WireReceiving<'_> {
    fn drop(&mut self) {
        match &mut self.0.backend {
            WireBackend::Live(ears) => ears.forget_wait(),
            WireBackend::Isolate(ears) => ears.forget_wait(),
        }
    }
}

impl WireSubscriber {
    pub(crate) fn live(ears: LiveEars) -> Self {
        Self { backend: WireBackend::Live(ears) }
    }

    pub(crate) fn in_isolate(ears: IsolateEars) -> Self {
        Self { backend: WireBackend::Isolate(ears) }
    }

    /// The next message, in the order of the bus across all its topics; `None` when the bus has closed and
    /// nothing waits any more.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, no message is lost.
    pub async fn recv(&mut self) -> Option<WireMessage> {
        let receiving = WireReceiving(self);
        std::future::poll_fn(|cx| receiving.0.poll_recv(cx)).await
    }

    /// Polls for the next message; see [`recv`](Self::recv).
    pub fn poll_recv(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<WireMessage>> {
        match &mut self.backend {
            WireBackend::Live(ears) => ears.poll_recv(cx),
            WireBackend::Isolate(ears) => ears.poll_recv(cx),
        }
    }

    /// The next message if one waits.
    pub fn try_recv(&mut self) -> Option<WireMessage> {
        match &mut self.backend {
            WireBackend::Live(ears) => ears.try_recv(),
            WireBackend::Isolate(ears) => ears.try_recv(),
        }
    }

    /// Shows `look` the messages that wait, at most `most` of them, where they lie: nothing is copied or
    /// allocated for each if this is the only one who listens to their topics in bytes. How many it has
    /// shown.
    ///
    /// # Panics
    /// When `look` does: the message that it has then is shown again.
    pub fn drain(&mut self, most: usize, mut look: impl FnMut(WireDelivery<'_>)) -> usize {
        match &mut self.backend {
            WireBackend::Live(ears) => ears.drain(most, &mut look),
            WireBackend::Isolate(ears) => ears.drain(most, &mut look),
        }
    }
}
