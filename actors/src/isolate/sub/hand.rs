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
    /// The way from a topic by which it came, if it did.
    fn way(&self) -> Option<TopicWay>;
}

/// Whether what comes by a way in can be tried again.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeats {
    Never,
    /// Also where no message is: it is the framework's own, and the next life comes to it again.
    Always,
    /// It was sent to this actor alone.
    Direct,
    /// It came by this way.
    Topic(TopicWay),
}

/// A way by which an actor receives a topic: it may have both, and leave one of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct TopicWay {
    /// That of the messages.
    pub(crate) type_id: u16,
    /// Whether they come as bytes.
    pub(crate) by_wire: bool,
}

impl TopicWay {
    /// That of messages of this type.
    pub(crate) fn typed(type_id: u16) -> Self {
        Self { type_id, by_wire: false }
    }

    /// That of their bytes.
    pub(crate) fn wire(type_id: u16) -> Self {
        Self { type_id, by_wire: true }
    }
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

    fn way(&self) -> Option<TopicWay> {
        match self.sub.repeats {
            Repeats::Topic(way) => Some(way),
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
