//! Where the messages of a lane end.

use std::rc::Rc;

use mycelium_mailbox::Lent;

use super::{Lane, LaneWay, ToAll};
use crate::isolate::retained::PublishedAt;

/// What a lane knows of a receiver, whatever its messages are.
pub(crate) trait LaneReceiving {
    /// The seat this belongs to.
    fn seat(&self) -> u32;
    /// Whether it is to get what this seat sends.
    fn hears(&self, sender: u32) -> bool;
    /// Whether its own queue has reached its capacity.
    fn is_full(&self) -> bool;
    /// How many more that queue takes before.
    fn room(&self) -> usize;
    /// How many messages it keeps that nobody has begun to handle.
    fn waiting(&self) -> usize;
    /// Whether what waits at its end is a dead letter: a service may leave its queue unread.
    fn is_actor(&self) -> bool;
    /// Drops what waits, and counts it as left behind.
    fn close(&self);
}

/// Whoever hands its messages on to another receiver, and is as that one is.
pub(crate) trait HandsOn {
    fn to(&self) -> &dyn LaneReceiving;
}

impl<T: HandsOn> LaneReceiving for T {
    fn seat(&self) -> u32 {
        self.to().seat()
    }

    fn hears(&self, sender: u32) -> bool {
        self.to().hears(sender)
    }

    fn is_full(&self) -> bool {
        self.to().is_full()
    }

    fn room(&self) -> usize {
        self.to().room()
    }

    fn waiting(&self) -> usize {
        self.to().waiting()
    }

    fn is_actor(&self) -> bool {
        self.to().is_actor()
    }

    fn close(&self) {
        self.to().close();
    }
}

/// Where a lane's messages end: an actor's subscription or a service's subscriber.
pub(crate) trait Receive<M>: LaneReceiving {
    /// A way that knows this as the one receiver of `lane`: one call through a pointer less for each message,
    /// and fewer pointers that one event must follow before the next can begin.
    fn alone(&self, lane: Rc<Lane<M>>) -> Box<dyn LaneWay>
    where
        M: 'static,
    {
        Box::new(ToAll(lane))
    }
    /// Handles the message, or keeps it while the actor waits. `false`: it was dropped, and that is counted,
    /// or is not for this.
    fn deliver(&self, sender: u32, message: Lent<'_, M>) -> bool;
    /// It has left since the message was published. `true`: it does not get it, and has counted it, if it was
    /// for this.
    fn misses(&self, sender: u32) -> bool {
        let _ = sender;
        false
    }
    /// Takes a retained message: see
    /// [`Subscription::with_retained`](crate::Subscription::with_retained). It counts for no capacity.
    fn give(&self, published: PublishedAt, message: Lent<'_, M>);
    /// Notes that it is about to be delivered, where it may have to be tried again.
    fn hold(&self, message: Lent<'_, M>) {
        let _ = message;
    }
}
