//! A seat, whoever sits there.

use std::any::Any;
use std::rc::Rc;
use std::task::{Poll, Waker};

use mycelium_mailbox::Stop;

use crate::isolate::Waiting;
use crate::isolate::monitors::TellStep;
use crate::isolate::sub::TopicWay;
use crate::isolate::tree::SeatedChild;
use crate::life::WatchKind;
use crate::{Monitor, StopReason};

/// What the run loop knows of a seat.
pub(crate) trait AnySeat: 'static {
    /// Polls whatever this seat has parked, then delivers what waited behind it.
    fn resume(&self);
    /// Its number.
    fn number(&self) -> u32;
    fn name(&self) -> &'static str;
    /// Tells it that its batch of messages has ended. Only actors that want to know open one.
    fn end_batch(&self) {}
    /// What a handler of its waits for, if one waits, or its loop. A service that waits for more to do is at
    /// rest.
    fn waiting(&self) -> Option<Waiting>;
    /// Whether a handler of it waits.
    fn is_handling(&self) -> bool {
        false
    }
    /// Whether it is a service's.
    fn is_service(&self) -> bool {
        false
    }
    /// Whether a handler of it waits, or messages do.
    fn has_work(&self) -> bool {
        false
    }
    /// Ends it: nothing more is delivered. Its `stopping` runs unless its own code panicked.
    fn end(&self, reason: StopReason);
    /// Ends it so once no handler runs or waits.
    fn ask_stop(&self, stop: Stop);
    /// A service asks when it is to stop, and ends by its own hand from now on: whether it is to now.
    fn asks_for_stop(&self) -> bool {
        false
    }
    /// Ready when the service that sits there was told to stop.
    fn poll_stopped(&self, waker: &Waker) -> Poll<()> {
        let _ = waker;
        Poll::Pending
    }
    /// Ends it for this reason once no handler runs or waits: one that it depends on has ended so.
    fn ask_end(&self, _reason: StopReason) {}
    /// Drops its code where it waits.
    fn kill(&self);
    /// Whether nothing of it runs any more, not even its last words.
    fn is_over(&self) -> bool {
        self.end_reason().is_some()
    }
    /// Tells `monitor` when it is over, at once if it is. Services are watched by nobody.
    fn be_watched(&self, _monitor: Monitor, _tell: TellStep, _kind: WatchKind) {}
    fn be_unwatched(&self, _monitor: Monitor) {}
    /// Whether a call of `waker` resumes it: then its own code is polled, and not a task within it.
    fn is_woken_by(&self, waker: &Waker) -> bool;
    /// Wakes `waker` when it ends.
    fn watch(&self, waker: &Waker);
    fn end_reason(&self) -> Option<StopReason>;
    fn has_ended(&self) -> bool;
    /// Which of its lives this is.
    fn life(&self) -> u32 {
        0
    }
    /// Whether that life of it is over.
    fn has_outlived(&self, life: u32) -> bool {
        self.has_ended() || self.life() != life
    }
    /// It receives no more by this way.
    fn left(&self, way: TopicWay) {
        let _ = way;
    }
    /// What its supervisor can do with it, if it has one.
    fn as_child(&self) -> Option<&dyn SeatedChild> {
        None
    }
    /// Nothing of it runs any more: drops the value that nobody can have.
    fn has_gone(&self) {}
    /// Drops the actor and all that waits for it.
    fn clear(&self);
    fn into_any(self: Rc<Self>) -> Rc<dyn Any>;
}
