//! A link that sleeps, driven for a moment by the thread that has published for it.
//!
//! Where a connection takes bytes without a system call, the way from a publisher to the peer is as long as
//! it takes the task of the link to be woken. So the waker that such a link leaves at its bell first sends
//! what has come, answers too, on the thread that rings: it encodes, and writes into the ring. No lock of a
//! queue is held where a bell is rung. Then it wakes the task as ever, which does all else, and takes what
//! comes behind in rows: a burst finds the bell awake. Where messages go to and fro, the first one behind one
//! that has come is alone as a rule: if it leaves nothing to do, the bell is set again, and the task sleeps
//! on.
//!
//! The holder of the driver's lock drives it, so messages leave in the order of their stamps, whoever
//! sends them. No thread waits for that lock: one that rings and finds it taken wakes the task alone, and the
//! task is woken by the one that sends, once the lock is free. Until then the link does nothing else: a
//! publisher's thread that is kept from running in the midst of it holds up its heartbeats too.
//!
//! The same lock is taken by a receiver that waits for a message of a link that spins (`awaited.rs`).

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::task::{Context as TaskContext, Poll, Wake, Waker};

use super::awaited::{LinkReceivers, STREAM};
use super::{Driver, Ring};
use crate::StopReason;
use crate::link::hub::Phase;
use crate::live::{SpinningLink, outside, published_before};
use crate::rt;

/// How many messages are sent by a thread that rings, at most: those that have come meanwhile are others' too
/// (messages).
const MESSAGES_MAX: usize = 8;

/// The task of a link.
pub(in crate::link) struct DriverTask {
    pub(super) shared: Arc<SharedDriver>,
    /// What the bell of the link wakes, and the waker of the task that it has.
    ring: Option<(Waker, Waker)>,
    /// How often in a row it has left the link to a receiver.
    rests: u32,
}

pub(super) struct SharedDriver {
    /// `None`: the task has ended.
    driver: Mutex<Option<Driver>>,
    pub(super) receivers: LinkReceivers,
}

impl SharedDriver {
    fn new(driver: Driver) -> Self {
        let receivers = LinkReceivers::new(Arc::clone(&driver.peer.bell));
        Self { driver: Mutex::new(Some(driver)), receivers }
    }

    /// `None`: somebody drives it, or nobody will any more.
    pub(super) fn try_lock(&self) -> Option<MutexGuard<'_, Option<Driver>>> {
        // Nor where it is poisoned: its task has panicked with it, and drops it in a moment.
        self.driver.try_lock().ok()
    }

    /// Sends what waits, if nobody drives it. Whether the task has nothing to do.
    fn send(&self, task: &Waker) -> bool {
        let Some(mut place) = self.try_lock() else { return false };
        let Some(driver) = &mut *place else { return false };
        // What a message runs while it is encoded or dropped is none of the publisher's code.
        let mut cx = TaskContext::from_waker(task);
        let send = || published_before(0, || driver.send_directly(&mut cx));
        let sent = StopReason::catch(|| outside(send));
        sent.unwrap_or_else(|_| {
            // As where the task panics: the link ends with it.
            let driver = place.take();
            drop(place);
            drop(driver);
            false
        })
    }
}

/// What the bell of a link wakes.
struct DirectRing {
    driver: Weak<SharedDriver>,
    task: Waker,
}

impl Wake for DirectRing {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.driver.upgrade().is_some_and(|driver| driver.send(&self.task)) {
            self.task.wake_by_ref();
        }
    }
}

impl DriverTask {
    pub(in crate::link) fn new(driver: Driver) -> Self {
        Self { shared: Arc::new(SharedDriver::new(driver)), ring: None, rests: 0 }
    }

    /// The link as receivers see it, if it spins.
    pub(in crate::link) fn spinning(&self) -> Weak<dyn SpinningLink> {
        let shared: Arc<dyn SpinningLink> = Arc::clone(&self.shared) as _;
        Arc::downgrade(&shared)
    }
}

impl Future for DriverTask {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<()> {
        let Self { shared, ring, rests } = self.get_mut();
        let is_lent = shared.receivers.have_looked();
        if is_lent && shared.receivers.do_all(rests) {
            // As a link that spins is.
            rt::poll_later(cx);
            return Poll::Pending;
        }
        let known = ring.take().filter(|(_, task)| task.will_wake(cx.waker()));
        let (ring, _) = ring.insert(known.unwrap_or_else(|| {
            let task = cx.waker().clone();
            let direct = DirectRing { driver: Arc::downgrade(shared), task: task.clone() };
            (Arc::new(direct).into(), task)
        }));
        let Some(mut place) = shared.try_lock() else {
            // Whoever sends now wakes this once the lock is free, and a receiver that looks does not.
            rt::poll_later(cx);
            return Poll::Pending;
        };
        let Some(driver) = &mut *place else { return Poll::Ready(()) };
        if driver.ring.as_ref().is_none_or(|before| !before.direct.will_wake(ring)) {
            driver.ring = Some(Ring { direct: ring.clone(), task: cx.waker().clone() });
        }
        driver.is_lent = is_lent;
        let before = driver.taken;
        let polled = Pin::new(&mut *driver).poll(cx);
        shared.receivers.note_read(driver.taken - before);
        polled
    }
}

impl Drop for DriverTask {
    fn drop(&mut self) {
        let place = self.shared.driver.lock();
        let driver = place.unwrap_or_else(std::sync::PoisonError::into_inner).take();
        // Where the lock is free.
        drop(driver);
    }
}

impl Driver {
    /// What the bell wakes while this sleeps; `None`: the task.
    pub(super) fn direct_ring(&self) -> Option<&Waker> {
        let is_direct = self.line.as_ref().is_some_and(|line| line.socket.is_direct());
        self.ring.as_ref().filter(|_| is_direct).map(|ring| &ring.direct)
    }

    /// Sends what waits, if there is nothing else to do. Whether it sleeps again, and the task has nothing to
    /// do.
    fn send_directly(&mut self, cx: &mut TaskContext<'_>) -> bool {
        let line = self.line.as_ref().filter(|line| !line.full && !line.ends && line.socket.is_direct());
        if line.is_none() || !self.is_undisturbed() {
            return false;
        }
        self.moved = false;
        // The task, which is woken for whatever else there is, finds the room that this has made.
        let mut more = self.answer_questions();
        let (sent, waits) = self.outflow.send(&mut self.link, MESSAGES_MAX);
        more |= waits;
        if sent || self.moved {
            // Before the peer can know of it.
            self.count();
            // What a connection that is lost says is for the task, which finds that too.
            more |= self.write(cx).unwrap_or(true);
        }
        // Where nothing has come since the last time it is a burst, which the task takes in rows, and where
        // much has it is awake.
        let came = self.taken - std::mem::replace(&mut self.taken_before, self.taken);
        let is_reply = (1..STREAM).contains(&came);
        self.rests = is_reply && !more && self.has_all_done() && !self.sleep(cx);
        self.rests
    }

    /// Whether a turn would find nothing to do now, after a direct send or receipt: nothing waits, and the
    /// alarm is set.
    pub(super) fn has_all_done(&self) -> bool {
        let Some(line) = &self.line else { return false };
        let is_open = !line.full && !line.ends && !self.rested && !self.opening && self.broken.is_none();
        let nothing_waits = self.inflow.held() == 0
            && self.answers.is_empty()
            && !self.mailboxes.any_wait()
            && !self.outflow.is_held();
        let in_time = |at| self.set_for.is_some_and(|set_for| set_for <= at);
        is_open
            && nothing_waits
            && self.link.deadline().is_some_and(|at| in_time(self.hub.moment(at)))
            && self.peer.answers_until().is_none_or(in_time)
            && self.link.is_quiet()
    }

    /// Whether nothing but messages can have to be moved.
    pub(super) fn is_idle(&self) -> bool {
        self.is_undisturbed() && !self.peer.has_work()
    }

    /// Whether nothing but messages and answers can have to be moved.
    fn is_undisturbed(&self) -> bool {
        let is_open = self.phase == Phase::Open && self.seen == self.hub.version() && !self.hub.is_behind();
        is_open && !self.peer.is_asked()
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::super::scripted::{Script, Scripted};
    use super::super::tests::attached;
    use super::super::to_and_fro::ToAndFro;
    use super::*;
    use crate::MessageBus;
    use crate::link::hub::Hub;

    /// Spins, panics when it is written to, and counts how often it was asked whether it is direct.
    #[derive(Default)]
    pub(in super::super) struct Bursting(Arc<AtomicU32>);

    impl Script for Bursting {
        fn write(&mut self, _: &[u8]) -> io::Result<()> {
            panic!("a connection of the test")
        }

        fn look(&self) -> Option<bool> {
            Some(false)
        }

        fn is_direct(&self) -> bool {
            self.0.fetch_add(1, Ordering::SeqCst);
            true
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_sent_without_the_task_of_the_link_and_a_burst_wakes_it() {
        let mut link = ToAndFro::new();
        for round in 1..=3 {
            link.say();
            link.exchange();
            assert_eq!(link.heard(), 1);
            let before = link.woken.wakes();
            link.publish();
            assert_eq!(link.woken.wakes(), before, "nothing is left to do");
            link.hear();
            assert_eq!(link.other.stats().received, 2 * round - 1);
            link.publish();
            assert_eq!(link.woken.wakes(), before + 1, "the next ones are sent in rows");
            link.exchange();
            assert_eq!((link.heard(), link.other.stats().received), (2, 2 * round));
        }
    }

    #[tokio::test]
    async fn a_driver_whose_task_has_panicked_is_driven_by_nobody() {
        let bus = MessageBus::builder().node("tool/market").build();
        let (hub, asked) = (Hub::of(&bus).unwrap(), Arc::new(AtomicU32::new(0)));
        let driver = attached(&bus.core, &hub, |_| Box::new(Scripted(Bursting(Arc::clone(&asked)))));
        let mut task = DriverTask::new(driver);
        task.shared.send(Waker::noop());
        let before = asked.load(Ordering::SeqCst);
        assert!(before > 0, "a driver is looked at where nobody drives it");
        // There is an acknowledgement to be written.
        let mut cx = TaskContext::from_waker(Waker::noop());
        let polled = catch_unwind(AssertUnwindSafe(|| Pin::new(&mut task).poll(&mut cx)));
        assert!(polled.is_err());
        task.shared.send(Waker::noop());
        assert!(Pin::new(&mut task).poll(&mut cx).is_pending());
        assert_eq!(asked.load(Ordering::SeqCst), before, "it was driven on");
    }
}
