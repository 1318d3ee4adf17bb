//! What an actor gets of one topic as bytes.

use std::task::Context as TaskContext;

use mycelium_mailbox::{FutureSlot, Source, Span, Started};

use super::WireQueue;
use crate::live::envelope::call;
use crate::live::source::{ActorSource, SourceDrained, Way};
use crate::wire::WireMessage;
use crate::{Actor, Context, Handler, StopReason};

/// One topic of an actor that handles [`WireMessage`].
pub(crate) struct WireSource {
    queue: Box<dyn WireQueue>,
    /// The one in front, once it was encoded.
    front: Option<WireMessage>,
    kept: bool,
}

impl WireSource {
    pub(crate) fn new(queue: Box<dyn WireQueue>) -> Self {
        Self { queue, front: None, kept: false }
    }

    /// The message in front. A message that cannot be encoded, or whose author's code panics then, is a dead
    /// letter: this actor has done nothing wrong, and the next one is to have its turn.
    fn load(&mut self) {
        while self.front.is_none() {
            let queue = &mut self.queue;
            let peeked = StopReason::catch(|| Some(queue.peek(u64::MAX)?.map(|front| front.to_message())));
            match peeked {
                Ok(None) => return,
                Ok(Some(Ok(message))) => self.front = Some(message),
                Ok(Some(Err(error))) => self.queue.discard_unwritten(&error),
                Err(panicked) => self.queue.discard_unwritten(&panicked),
            }
        }
    }
}

impl Source for WireSource {
    #[inline]
    fn head(&mut self) -> Option<u64> {
        self.queue.head()
    }

    fn commit(&mut self) {
        self.queue.commit();
    }

    fn arm_as(&mut self, tag: Option<u32>) -> bool {
        self.queue.arm_as(tag)
    }
}

impl<A: Actor + Handler<WireMessage>> ActorSource<A> for WireSource {
    fn drain<'a>(
        &'a mut self,
        actor: &'a mut A,
        ctx: &'a mut Context<A>,
        slot: &'a mut FutureSlot,
        _: &Span<'_>,
        cx: &mut TaskContext<'_>,
    ) -> Started<'a, SourceDrained> {
        // One at a time, as long as the caller's look at the other sources holds.
        self.load();
        let Some(message) = &self.front else { return Started::Ready(Ok(())) };
        call(actor, message, ctx, slot, cx)
    }

    fn settle(&mut self) -> u32 {
        if self.front.take().is_some() {
            self.queue.advance();
            self.queue.settle();
        }
        1
    }

    fn keep(&mut self) -> bool {
        self.kept = self.front.is_some();
        self.kept
    }

    fn take_kept(&mut self) -> bool {
        std::mem::take(&mut self.kept)
    }

    fn discard(&mut self) -> Option<&'static str> {
        // Where the destructor of the one before has panicked, nobody has begun to handle the one in front.
        self.front.take()?;
        self.queue.discard();
        Some(self.queue.kind().name)
    }

    fn abandon(&mut self) -> Option<(&'static str, u64)> {
        // Messages that wait go with the queue.
        None
    }

    fn leave(self: Box<Self>) -> Option<(&'static str, u64)> {
        let name = self.queue.kind().name;
        let unread = self.queue.leave();
        (unread > 0).then_some((name, unread))
    }

    fn topic(&self) -> Option<Way> {
        Some(Way::wire(self.queue.kind().type_id))
    }

    fn front_name(&self) -> Option<&'static str> {
        Some(self.queue.kind().name)
    }

    fn topic_name(&self) -> Option<&'static str> {
        Some(self.queue.kind().topic)
    }
}
