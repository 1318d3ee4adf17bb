//! A link that spins, driven for a moment by the receiver that waits for what comes.
//!
//! The task of a link that spins finds a message where it is, and publishes it; its receiver handles it
//! when the runtime has polled that one's task. So a receiver that would go to sleep looks itself, with the
//! lock of the driver, and what comes meanwhile is taken from the connection, published and handled in one
//! poll of its task.
//!
//! One receiver looks for one link: the first that waits, for as long as what comes is for it too. It runs on
//! the thread on which the link's task was polled last, as in a runtime of one thread: on another one it
//! would keep that one busy too, and the task finds the message as soon. The task goes on being polled, and
//! nothing depends on a receiver that says it would look again and does not. Where one has looked since the
//! task was polled last, and there was nothing else to do, the task leaves the link to it, but for each
//! sixteenth turn. A look takes what has come, and no more, if a turn behind it would find nothing to do;
//! each sixteenth one is a whole turn, so that somebody sees the time, and the end of a connection. Where
//! messages come in a stream, the task reads them too, many at once: a receiver that takes them one by one,
//! as fast as they come, would have the writer wait for the ring's cache lines each time. All wakers that the
//! link leaves behind are those of the task, whoever drives it.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context as TaskContext, Poll, Waker};

use mycelium_mailbox::{Doorbell, this_thread};
use tokio::task::unconstrained;

use super::Driver;
use super::direct::SharedDriver;
use crate::StopReason;
use crate::live::{SpinningLink, aside, published_before};
use crate::rt;

/// How often in a row the task leaves the link to a receiver (polls).
const RESTS_MAX: u32 = 15;
/// How often in a row the task finds that no receiver has looked, before another one may, or one that has
/// looked in vain may again (polls).
const ALONE_MAX: usize = 2;
/// How many looks of receivers there are to one whole turn of the link.
const LOOKS_PER_TURN: u32 = 16;
/// As many messages, read at once, are part of a stream (messages).
pub(super) const STREAM: u64 = 4;
const NOBODY: usize = 0;

/// What receivers and the task of a link tell each other. All of it is advice: whatever is read, somebody
/// drives the link. So nothing is ordered by it.
pub(super) struct LinkReceivers {
    /// That of the link's task.
    bell: Arc<Doorbell>,
    /// On which it was polled last.
    thread: AtomicU64,
    /// The one that looks.
    looks: AtomicUsize,
    /// The last one that has looked, and what came was for others.
    looked_in_vain: AtomicUsize,
    /// Since the task was polled last, one has looked, and left nothing to do.
    have_looked: AtomicBool,
    /// How often in a row none had.
    alone: AtomicUsize,
    /// Messages come in a stream.
    stream: AtomicBool,
}

impl LinkReceivers {
    pub(super) fn new(bell: Arc<Doorbell>) -> Self {
        Self {
            bell,
            thread: AtomicU64::new(0),
            looks: AtomicUsize::new(NOBODY),
            looked_in_vain: AtomicUsize::new(NOBODY),
            have_looked: AtomicBool::new(false),
            alone: AtomicUsize::new(0),
            stream: AtomicBool::new(false),
        }
    }

    /// The task's, once for each poll: whether one has looked since the poll before.
    pub(super) fn have_looked(&self) -> bool {
        let thread = this_thread().get();
        if self.thread.load(Ordering::Relaxed) != thread {
            self.thread.store(thread, Ordering::Relaxed);
        }
        if self.have_looked.swap(false, Ordering::Relaxed) {
            self.alone.store(0, Ordering::Relaxed);
            return true;
        }
        let of_somebody = |place: &AtomicUsize| place.load(Ordering::Relaxed) != NOBODY;
        if (of_somebody(&self.looks) || of_somebody(&self.looked_in_vain))
            && self.alone.fetch_add(1, Ordering::Relaxed) >= ALONE_MAX
        {
            self.looks.store(NOBODY, Ordering::Relaxed);
            self.looked_in_vain.store(NOBODY, Ordering::Relaxed);
            self.alone.store(0, Ordering::Relaxed);
        }
        false
    }

    /// The task's, where one has: whether there is nothing that the task has to do. `rests` is the task's,
    /// for this alone.
    pub(super) fn do_all(&self, rests: &mut u32) -> bool {
        let all = *rests < RESTS_MAX && self.bell.is_asleep();
        *rests = if all { *rests + 1 } else { 0 };
        all
    }

    /// Whoever has driven the link has read so many messages.
    pub(super) fn note_read(&self, messages: u64) {
        if messages > 0 {
            self.stream.store(messages >= STREAM, Ordering::Relaxed);
        }
    }

    /// Whether it is this one that looks.
    fn is_turn_of(&self, receiver: usize) -> bool {
        if self.thread.load(Ordering::Relaxed) != this_thread().get() {
            return false;
        }
        match self.looks.load(Ordering::Relaxed) {
            NOBODY if self.looked_in_vain.load(Ordering::Relaxed) == receiver => false,
            NOBODY => {
                let taken =
                    self.looks.compare_exchange(NOBODY, receiver, Ordering::Relaxed, Ordering::Relaxed);
                taken.is_ok()
            }
            looks => looks == receiver,
        }
    }

    /// What came was for others than this one.
    fn was_in_vain(&self, receiver: usize) {
        self.looked_in_vain.store(receiver, Ordering::Relaxed);
        self.looks.store(NOBODY, Ordering::Relaxed);
    }
}

/// What a look has come to.
struct Look {
    /// So many messages have come.
    took: u64,
    /// The link is to be looked at again.
    again: bool,
}

impl SpinningLink for SharedDriver {
    fn look(&self, receiver: usize, is_served: &dyn Fn() -> bool) -> bool {
        if !self.receivers.is_turn_of(receiver) {
            return false;
        }
        // As long as it is one, to look would be for nothing.
        if self.receivers.stream.load(Ordering::Relaxed) {
            return false;
        }
        // The task, or a publisher, drives it for a moment.
        let Some(mut place) = self.try_lock() else { return true };
        let Some(driver) = &mut *place else { return false };
        let Some(task) = driver.ring.as_ref().map(|ring| ring.task.clone()) else { return false };
        // What a message runs while it is read or published is none of the receiver's code.
        let look = || published_before(0, || aside(|| driver.look(&task)));
        let looked = StopReason::catch(look);
        let Ok(Look { took, again }) = looked else {
            // As where the task panics: the link ends with it.
            let driver = place.take();
            drop(place);
            drop(driver);
            task.wake();
            return false;
        };
        drop(place);
        self.receivers.note_read(took);
        if took > 0 && !is_served() {
            self.receivers.was_in_vain(receiver);
            return false;
        }
        self.receivers.have_looked.store(again, Ordering::Relaxed);
        again
    }
}

impl Driver {
    /// Takes what comes in the next moment.
    fn look(&mut self, task: &Waker) -> Look {
        let before = self.taken;
        let mut cx = TaskContext::from_waker(task);
        // The receiver's task is not to pay for the link's timer and socket.
        let looking = unconstrained(poll_fn(|_| Poll::Ready(self.look_on(&mut cx))));
        let again = pin!(looking).poll(&mut TaskContext::from_waker(Waker::noop())) == Poll::Ready(true);
        Look { took: self.taken - before, again }
    }

    /// Whether it is to be looked at again.
    fn look_on(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let spins = |driver: &Self| {
            // Where it reads no more for now, whoever makes room wakes the task.
            let line = driver.line.as_ref().filter(|_| !driver.rested);
            line.is_some_and(|line| line.socket.look().is_some())
        };
        if !spins(self) {
            return false;
        }
        self.looks = self.looks.wrapping_add(1);
        // Now and then at the clock too: the task may find the lock taken again and again.
        let all = !self.rests || !self.peer.bell.is_asleep() || self.looks.is_multiple_of(LOOKS_PER_TURN);
        if all {
            self.is_lent = true;
            if Pin::new(&mut *self).poll(cx).is_ready() {
                // The task ends.
                cx.waker().wake_by_ref();
                return false;
            }
        }
        if self.rests && self.spin() {
            self.receive_directly(cx);
        }
        spins(self)
    }

    /// Takes what has come, if there is nothing else to do.
    fn receive_directly(&mut self, cx: &mut TaskContext<'_>) {
        self.rests = false;
        if self.is_idle() {
            self.news.words = false;
            match self.read_once(cx) {
                Ok(()) => {
                    self.hear_news();
                    // A word may let queues go on, or ask for other ones.
                    self.rests = !self.news.words && self.has_all_done();
                }
                Err(loss) => self.lose(&loss),
            }
            self.count();
        }
        if !self.rests {
            // All else is for the task.
            rt::poll_later(cx);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::direct::DriverTask;
    use super::super::direct::tests::Bursting;
    use super::super::scripted::Scripted;
    use super::super::tests::attached;
    use super::super::to_and_fro::{CountsWakes, ToAndFro};
    use super::*;
    use crate::MessageBus;
    use crate::link::hub::Hub;

    #[test]
    fn one_receiver_looks_for_as_long_as_what_comes_is_for_it() {
        let receivers = LinkReceivers::new(Arc::default());
        assert!(!receivers.is_turn_of(1), "the task was polled on no thread");
        assert!(!receivers.have_looked());
        assert!(receivers.is_turn_of(1) && receivers.is_turn_of(1) && !receivers.is_turn_of(2));
        receivers.was_in_vain(1);
        assert!(!receivers.is_turn_of(1) && receivers.is_turn_of(2) && !receivers.is_turn_of(1));
        let elsewhere = std::thread::scope(|scope| scope.spawn(|| receivers.is_turn_of(2)).join());
        assert!(matches!(elsewhere, Ok(false)), "another thread than that of the task");
    }

    #[test]
    fn a_receiver_that_looks_no_more_makes_room_for_any_other() {
        let receivers = LinkReceivers::new(Arc::default());
        receivers.have_looked();
        assert!(receivers.is_turn_of(1));
        receivers.have_looked.store(true, Ordering::Relaxed);
        for _ in 0..=ALONE_MAX {
            assert!(!receivers.is_turn_of(2));
            receivers.have_looked();
        }
        receivers.have_looked();
        assert!(receivers.is_turn_of(2));
    }

    #[test]
    fn the_only_receiver_looks_again_after_it_has_looked_in_vain() {
        let receivers = LinkReceivers::new(Arc::default());
        receivers.have_looked();
        for _ in 0..3 {
            assert!(receivers.is_turn_of(1));
            receivers.was_in_vain(1);
            for _ in 0..=ALONE_MAX {
                assert!(!receivers.is_turn_of(1), "others have their turn first");
                receivers.have_looked();
            }
        }
        assert!(receivers.is_turn_of(1));
    }

    #[test]
    fn the_task_leaves_the_link_to_a_receiver_but_for_each_sixteenth_turn_and_where_its_bell_was_rung() {
        let bell = Arc::new(Doorbell::new());
        let (receivers, mut rests) = (LinkReceivers::new(Arc::clone(&bell)), 0);
        assert!(!receivers.do_all(&mut rests), "the bell is not set");
        assert!(bell.prepare(Waker::noop()));
        for _ in 0..2 {
            assert!((0..RESTS_MAX).all(|_| receivers.do_all(&mut rests)));
            assert!(!receivers.do_all(&mut rests));
        }
        bell.ring();
        assert!(!receivers.do_all(&mut rests));
    }

    #[tokio::test]
    async fn a_panic_under_the_look_of_a_receiver_ends_the_link_and_not_the_receiver() {
        let bus = MessageBus::builder().node("tool/market").build();
        let hub = Hub::of(&bus).unwrap();
        let mut driver = attached(&bus.core, &hub, |_| Box::new(Scripted(Bursting::default())));
        let woken = Arc::new(CountsWakes::default());
        let task_waker = Waker::from(Arc::clone(&woken));
        let ring = super::super::Ring { direct: task_waker.clone(), task: task_waker.clone() };
        driver.ring = Some(ring);
        let mut task = DriverTask::new(driver);
        task.shared.receivers.have_looked();
        // There is an acknowledgement to be written.
        assert!(!task.shared.look(1, &|| false));
        assert!(woken.wakes() > 0, "the task is to find its end");
        let mut cx = TaskContext::from_waker(&task_waker);
        assert!(Pin::new(&mut task).poll(&mut cx).is_ready());
        assert!(!task.shared.look(1, &|| false), "nobody drives it any more");
    }

    /// Whether the link has nothing to do for its task.
    fn rests(link: &ToAndFro) -> bool {
        link.task.shared.try_lock().unwrap().as_ref().unwrap().rests
    }

    #[tokio::test(start_paused = true)]
    async fn messages_are_taken_one_by_one_without_a_turn_of_the_link_and_a_word_has_one() {
        let mut link = ToAndFro::new();
        link.task.shared.receivers.have_looked();
        link.say();
        assert!(link.task.shared.look(1, &|| true));
        assert_eq!((link.heard(), rests(&link)), (1, false), "its acknowledgement has a time");
        link.exchange();
        for _ in 0..8 {
            link.say();
            assert!(link.task.shared.look(1, &|| true));
            assert_eq!((link.heard(), rests(&link)), (1, true));
        }
        link.ping();
        assert!(link.task.shared.look(1, &|| true));
        assert!(!rests(&link), "it is to be answered");
        assert!(link.task.shared.look(1, &|| true));
        assert!(rests(&link), "the next look is a whole turn");
    }
}
