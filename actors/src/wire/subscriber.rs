//! WireReceiving bytes, for code that is no actor.

use std::task::{Context as TaskContext, Poll};

use mycelium_remote::frame::Header;

use super::WireArray;
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

/// Copies one root after the other.
pub(crate) fn into_slots<'a>(
    of: &'a WireArray,
    out: &'a mut [u8],
) -> impl FnMut(&Header, &[u8]) -> bool + 'a {
    let mut slots = out.chunks_exact_mut(of.stride);
    move |header, bytes| {
        let Some((root, slot)) = of.root(header, bytes).zip(slots.next()) else { return false };
        slot.copy_from_slice(root);
        true
    }
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
        self.drain_while(most, |delivery| {
            look(delivery);
            true
        })
    }

    /// The same up to the first message that `look` does not take, by `false`: that one is the next one
    /// still, and counts as waiting. How many it has taken.
    ///
    /// # Panics
    /// When `look` does: the message that it has then is shown again.
    pub fn drain_while(&mut self, most: usize, mut look: impl FnMut(WireDelivery<'_>) -> bool) -> usize {
        match &mut self.backend {
            WireBackend::Live(ears) => ears.drain(most, &mut look),
            WireBackend::Isolate(ears) => ears.drain(most, &mut look),
        }
    }

    /// Copies the roots of messages that wait to `out`, one directly behind the other, as many as fit: how
    /// many. Values that lie one behind the other in memory, as those that were published together do, are
    /// copied in one go. It ends with the first message that is none of these, which stays the next one.
    ///
    /// # Panics
    /// When the stride is 0.
    pub fn read_array(&mut self, of: &WireArray, out: &mut [u8]) -> usize {
        assert!(of.stride > 0, "a message of an array has bytes");
        match &mut self.backend {
            WireBackend::Live(ears) => ears.read_array(of, out),
            WireBackend::Isolate(ears) => {
                let most = out.len() / of.stride;
                ears.take_while(most, &mut into_slots(of, out))
            }
        }
    }

    /// How many messages wait, at most.
    #[must_use]
    pub fn unread(&self) -> usize {
        match &self.backend {
            WireBackend::Live(ears) => ears.unread(),
            WireBackend::Isolate(ears) => ears.unread(),
        }
    }
}
