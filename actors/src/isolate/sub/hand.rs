//! The message in the hand of a supervised actor, where its child says that it is tried again.

use std::rc::Rc;

use mycelium_mailbox::{Lent, Play, Shared};

use super::{Handled, Sub};
use crate::Actor;
use crate::isolate::seat::Bundle;

/// A message that a handler has, or that the next life handles first.
pub(crate) trait HandedMessage {
    /// Handles it once more.
    fn play_again(self: Rc<Self>);
    /// The topic that it came by, if it did.
    fn topic(&self) -> Option<u16>;
}

/// Whether what comes by a way in can be tried again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    Never,
    /// Also where no message is: it is the framework's own, and the next life comes to it again.
    Always,
    /// It was sent to this actor alone.
    Direct,
    /// It came by this topic.
    Topic(u16),
}

struct HeldMessage<A: Actor, M, P> {
    sub: Rc<Sub<A, M, P>>,
    message: Shared<M>,
}

impl<A, M, P> HandedMessage for HeldMessage<A, M, P>
where
    A: Actor,
    M: 'static,
    P: Play<Bundle<A>, M, Output = Handled<A>> + 'static,
{
    fn play_again(self: Rc<Self>) {
        let seat = &self.sub.seat;
        seat.take_in_hand(Rc::clone(&self) as Rc<dyn HandedMessage>);
        self.sub.play(self.message.lend());
        seat.lay_down();
    }

    fn topic(&self) -> Option<u16> {
        match self.sub.repeats {
            Repeats::Topic(topic) => Some(topic),
            _ => None,
        }
    }
}

impl<A, M, P> Sub<A, M, P>
where
    A: Actor,
    M: 'static,
    P: Play<Bundle<A>, M, Output = Handled<A>> + 'static,
{
    /// Notes what its actor handles next, if it may have to be tried again.
    pub(super) fn put_in_hand(&self, message: Lent<'_, M>) {
        if self.repeats != Repeats::Never
            && self.seat.takes_in_hand(self.repeats == Repeats::Always)
            && let Some(sub) = self.me.upgrade()
        {
            self.seat.take_in_hand(Rc::new(HeldMessage { sub, message: message.share() }));
        }
    }
}
