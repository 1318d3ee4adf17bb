//! Answers of actors of this bus on their way to the peer that has asked.
//!
//! An actor's answer wakes no task: the waker takes the answer, writes it, and gives it to the link, on the
//! thread of whoever answers. So over a link that sends at once (`driver/direct.rs`) it is in the other
//! process's ring before the actor goes on, however long other tasks of the thread take.
//!
//! The times of questions are the link's: its task has one alarm for all of them.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context as TaskContext, Poll, Wake, Waker};

use mycelium_mailbox::discard;
use mycelium_remote::link::{Failure, Question};
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle, unconstrained};

use super::peer::Peer;
use crate::StopReason;
use crate::live::aside;
use crate::recipient::BoxFuture;
use crate::rt::Instant;
use crate::wire::WireValue;

/// How many questions may be kept that are answered, beside as many as were not when that was looked at last
/// (questions).
const ANSWERED_MAX: usize = 64;

/// An answer as bytes, or why there is none.
pub(super) type AnswerBytes = BoxFuture<'static, Result<WireValue, Failure>>;

/// A question of a peer that is not answered.
pub(super) struct PendingAnswer {
    stage: Mutex<Stage>,
    peer: Arc<Peer>,
    question: Question,
    runtime: Handle,
}

enum Stage {
    /// Its actor does not have it yet.
    Asked,
    Waits(AnswerBytes),
    /// Somebody polls it, and meanwhile it was woken, or its time has ended.
    Polled {
        woken: bool,
        late: bool,
    },
    /// It was answered, or nobody waits for that any more.
    Over,
}

impl PendingAnswer {
    /// One that has come, and has until `due`.
    pub(super) fn new(
        peer: Arc<Peer>,
        question: Question,
        due: Option<Instant>,
        runtime: Handle,
    ) -> Arc<Self> {
        let pending = Arc::new(Self { stage: Mutex::new(Stage::Asked), peer, question, runtime });
        if let Some(due) = due {
            pending.peer.answer_until(due, Arc::downgrade(&pending));
        }
        pending
    }

    /// Its actor has it: waits for this answer, unless its time is over.
    ///
    /// It is polled by the thread that wakes it, in the midst of whatever that does: so it is to wait for the
    /// answer alone. The runtime may wake it while it holds what a further wait would need.
    pub(super) fn begin(self: &Arc<Self>, answer: AnswerBytes) {
        let mut stage = self.stage();
        if !matches!(*stage, Stage::Asked) {
            drop(stage);
            discard(answer);
            return;
        }
        *stage = Stage::Waits(answer);
        drop(stage);
        self.poll();
    }

    /// The same for an answer that waits for other things too: a task does.
    pub(super) fn begin_task(self: &Arc<Self>, answer: AnswerBytes) {
        struct Ends(JoinHandle<Result<WireValue, Failure>>);
        impl Drop for Ends {
            fn drop(&mut self) {
                self.0.abort();
            }
        }
        let mut task = Ends(self.runtime.spawn(answer));
        self.begin(Box::pin(async move {
            let failure = |error: JoinError| match error.is_panic() {
                true => Failure::Panicked,
                false => Failure::Stopped,
            };
            (&mut task.0).await.unwrap_or_else(|error| Err(failure(error)))
        }));
    }

    /// Nobody will answer it: what its peer is to be told, unless it was told already that it is late.
    pub(super) fn give_up(&self) -> Option<Question> {
        let mut stage = self.stage();
        matches!(*stage, Stage::Asked).then(|| {
            *stage = Stage::Over;
            self.question
        })
    }

    /// Whether nobody waits for its answer any more.
    pub(super) fn is_over(&self) -> bool {
        matches!(*self.stage(), Stage::Over)
    }

    fn stage(&self) -> MutexGuard<'_, Stage> {
        // Each change leaves it whole.
        self.stage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll(self: &Arc<Self>) {
        let Some(mut answer) = self.take() else { return };
        let waker = Waker::from(Arc::clone(self));
        let mut cx = TaskContext::from_waker(&waker);
        // It is nobody's code, and no part of what the task does in whose poll this is.
        let poll = || aside(|| pin!(unconstrained(answer.as_mut())).poll(&mut cx));
        let polled = StopReason::catch(poll);
        match polled.unwrap_or(Poll::Ready(Err(Failure::Panicked))) {
            Poll::Ready(given) => {
                *self.stage() = Stage::Over;
                self.peer.answer(self.question, given);
                discard(answer);
            }
            Poll::Pending => self.put_back(answer),
        }
    }

    /// Whoever has it polls it. `None`: somebody does, who is told, or it is over.
    fn take(&self) -> Option<AnswerBytes> {
        let mut stage = self.stage();
        let polled = Stage::Polled { woken: false, late: false };
        *stage = match std::mem::replace(&mut *stage, polled) {
            Stage::Waits(answer) => return Some(answer),
            Stage::Polled { late, .. } => Stage::Polled { woken: true, late },
            // Nobody has its waker before it is begun.
            before @ (Stage::Asked | Stage::Over) => before,
        };
        None
    }

    fn put_back(self: &Arc<Self>, answer: AnswerBytes) {
        let mut stage = self.stage();
        let (woken, late) = match *stage {
            Stage::Polled { woken, late } => (woken, late),
            _ => (false, true),
        };
        if late {
            *stage = Stage::Over;
            drop(stage);
            self.peer.answer(self.question, Err(Failure::Late));
            discard(answer);
            return;
        }
        *stage = Stage::Waits(answer);
        drop(stage);
        if woken {
            // One that wakes itself is not to keep this thread.
            let pending = Arc::clone(self);
            self.runtime.spawn(async move { pending.poll() });
        }
    }

    /// Its time is over. Whether its actor does not have it yet.
    fn expire(&self) -> bool {
        let mut stage = self.stage();
        if let Stage::Polled { late, .. } = &mut *stage {
            *late = true;
            return false;
        }
        let before = std::mem::replace(&mut *stage, Stage::Over);
        drop(stage);
        match before {
            Stage::Waits(answer) => {
                self.peer.answer(self.question, Err(Failure::Late));
                discard(answer);
                false
            }
            Stage::Asked => {
                self.peer.answer(self.question, Err(Failure::Late));
                true
            }
            Stage::Polled { .. } | Stage::Over => false,
        }
    }
}

impl Wake for PendingAnswer {
    fn wake(self: Arc<Self>) {
        self.poll();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.poll();
    }
}

/// The times of questions that are not answered, and of some that are.
#[derive(Default)]
pub(super) struct AskTimes {
    heap: BinaryHeap<Reverse<AskTime>>,
    /// How many there were when those that are answered were let go of last.
    kept: usize,
}

struct AskTime {
    due: Instant,
    pending: Weak<PendingAnswer>,
}

impl PartialEq for AskTime {
    fn eq(&self, other: &Self) -> bool {
        self.due == other.due
    }
}

impl Eq for AskTime {}

impl PartialOrd for AskTime {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for AskTime {
    fn cmp(&self, other: &Self) -> Ordering {
        self.due.cmp(&other.due)
    }
}

impl AskTimes {
    pub(super) fn push(&mut self, due: Instant, pending: Weak<PendingAnswer>) {
        if self.heap.len() >= 2 * self.kept + ANSWERED_MAX {
            self.heap.retain(|Reverse(time)| time.pending.strong_count() > 0);
            self.kept = self.heap.len();
        }
        self.heap.push(Reverse(AskTime { due, pending }));
    }

    /// When the first one that may not be answered is due.
    pub(super) fn next(&mut self) -> Option<Instant> {
        while let Some(Reverse(first)) = self.heap.peek() {
            if first.pending.strong_count() > 0 {
                return Some(first.due);
            }
            self.heap.pop();
        }
        None
    }

    pub(super) fn into_all(self) -> Vec<Weak<PendingAnswer>> {
        self.heap.into_iter().map(|Reverse(time)| time.pending).collect()
    }

    /// Those that are due.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Weak<PendingAnswer>> {
        let mut due = Vec::new();
        while self.next().is_some_and(|at| at <= now)
            && let Some(Reverse(time)) = self.heap.pop()
        {
            due.push(time.pending);
        }
        due
    }
}

/// Tells those that they are late. Whether the actor of one of them does not have it yet.
pub(super) fn expire(due: &[Weak<PendingAnswer>]) -> bool {
    due.iter().filter_map(Weak::upgrade).fold(false, |any, pending| pending.expire() | any)
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::sync::mpsc;
    use std::time::Duration;

    use mycelium_mailbox::{ReplySender, reply};
    use mycelium_remote::link::MailboxState;

    use super::*;
    use crate::ActorId;
    use crate::link::driver::to_and_fro::{ToAndFro, one};
    use crate::link::expose::Exposed;
    use crate::link::expose::tests::Stub;
    use crate::link::hub::Hub;
    use crate::live::{Current, enter, sender_on};

    fn an_answer() -> WireValue {
        WireValue::new(one(), &[0; 8])
    }

    /// A link over which questions with these limits were put to such an actor.
    fn asked(
        limits: &[Option<u64>],
        answer: impl Fn() -> AnswerBytes + Send + Sync + 'static,
    ) -> (ToAndFro, Vec<bool>) {
        asked_of(Stub::that_answers(one().type_id, answer), limits)
    }

    fn asked_of(actor: Stub, limits: &[Option<u64>]) -> (ToAndFro, Vec<bool>) {
        let mut link = ToAndFro::new();
        let hub = Hub::of(&link.bus).unwrap();
        hub.expose("desk", Exposed::default().with(actor), None).unwrap();
        let mailbox = link.other.open("desk").unwrap();
        link.write();
        (0..3).for_each(|_| drop(link.exchange()));
        assert!(matches!(link.other.mailbox(mailbox), MailboxState::Open(_)));
        for limit in limits {
            link.other.ask(mailbox, *limit, &one(), &[0; 8]).unwrap();
        }
        link.write();
        let heard = link.exchange();
        (link, heard)
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_sent_where_it_is_given_and_is_late_when_its_time_is_over() {
        let kept: Arc<Mutex<Vec<ReplySender<WireValue>>>> = Arc::default();
        let keep = Arc::clone(&kept);
        let (mut link, heard) = asked(&[None, Some(1_000_000_000), Some(2_000_000_000)], move || {
            let (sender, answer) = reply();
            keep.lock().unwrap().push(sender);
            Box::pin(async { answer.await.ok_or(Failure::Stopped) })
        });
        assert_eq!(heard, []);
        let mut asked = std::mem::take(&mut *kept.lock().unwrap());
        let before = link.woken.wakes();
        asked.remove(1).give(an_answer()).unwrap();
        assert_eq!((link.woken.wakes(), link.hear()), (before, vec![true]), "the task was not woken for it");
        tokio::time::advance(Duration::from_millis(1_999)).await;
        assert_eq!(link.exchange(), []);
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!(link.exchange(), [false]);
        assert_eq!(asked.iter().map(ReplySender::is_in_vain).collect::<Vec<_>>(), [false, true]);
        assert!(asked.pop().unwrap().give(an_answer()).is_err());
        asked.remove(0).give(an_answer()).unwrap();
        assert_eq!(link.exchange(), [true]);
    }

    #[tokio::test(start_paused = true)]
    async fn questions_that_wait_for_room_are_let_go_of_when_their_time_is_over() {
        let limits = [Some(2_000_000_000), Some(1_000_000_000), None, Some(1_000_000_000)];
        let (mut link, heard) = asked_of(Stub::that_is_full(one().type_id), &limits);
        let held = |link: &ToAndFro| {
            let stats = link.stats();
            (stats.held, stats.refused)
        };
        assert_eq!((heard, held(&link)), (vec![], (4, 0)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((link.exchange(), held(&link)), (vec![false, false], (2, 2)));
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!((link.exchange(), held(&link)), (vec![false], (1, 3)), "the one that was tried");
    }

    #[tokio::test]
    async fn an_answer_that_wakes_itself_is_waited_for_by_a_task_and_one_that_panics_is_none() {
        let (mut link, heard) = asked(&[None], || {
            let mut polls = 0;
            Box::pin(poll_fn(move |cx| {
                polls += 1;
                if polls == 3 {
                    return Poll::Ready(Ok(an_answer()));
                }
                cx.waker().wake_by_ref();
                Poll::Pending
            }))
        });
        assert_eq!(heard, [], "it was polled once");
        while link.exchange().is_empty() {
            tokio::task::yield_now().await;
        }
        let (_, heard) = asked(&[None], || Box::pin(async { panic!("a rule of the test") }));
        assert_eq!(heard, [false]);
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_whose_time_ends_while_it_is_polled_is_none() {
        let seen: Arc<Mutex<Option<Waker>>> = Arc::default();
        let ((polls, polled), (goes, go)) = (mpsc::channel(), mpsc::channel::<()>());
        let (see, go) = (Arc::clone(&seen), Arc::new(Mutex::new(go)));
        let (mut link, _) = asked(&[Some(1_000_000_000)], move || {
            let (see, polls, go, mut is_first) = (Arc::clone(&see), polls.clone(), Arc::clone(&go), true);
            Box::pin(poll_fn(move |cx| {
                *see.lock().unwrap() = Some(cx.waker().clone());
                if !std::mem::take(&mut is_first) {
                    polls.send(()).unwrap();
                    go.lock().unwrap().recv().unwrap();
                }
                Poll::Pending
            }))
        });
        let waker = seen.lock().unwrap().take().unwrap();
        let wakes = std::thread::spawn(move || waker.wake());
        polled.recv().unwrap();
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(link.exchange(), [], "somebody polls it");
        goes.send(()).unwrap();
        wakes.join().unwrap();
        assert_eq!(link.exchange(), [false]);
    }

    #[tokio::test]
    async fn an_answer_is_nobodys_code_in_whose_code_ever_it_is_given() {
        let senders: Arc<Mutex<Vec<u64>>> = Arc::default();
        let waker: Arc<Mutex<Option<Waker>>> = Arc::default();
        let (see, keep) = (Arc::clone(&senders), Arc::clone(&waker));
        let (mut link, heard) = asked(&[None], move || {
            let (see, keep) = (Arc::clone(&see), Arc::clone(&keep));
            Box::pin(poll_fn(move |cx| {
                *keep.lock().unwrap() = Some(cx.waker().clone());
                let mut senders = see.lock().unwrap();
                senders.push(sender_on(70));
                if senders.len() == 2 { Poll::Ready(Ok(an_answer())) } else { Poll::Pending }
            }))
        });
        assert_eq!(heard, []);
        let waker = waker.lock().unwrap().take().unwrap();
        enter(Current::new(70, ActorId(7), &link.bus), || {
            waker.wake();
            assert_eq!(sender_on(70), 7);
        });
        assert_eq!((senders.lock().unwrap().clone(), link.hear()), (vec![0, 0], vec![true]));
    }

    #[tokio::test(start_paused = true)]
    async fn questions_that_have_a_time_end_with_the_task_of_their_link() {
        let kept: Arc<Mutex<Vec<ReplySender<WireValue>>>> = Arc::default();
        let keep = Arc::clone(&kept);
        let (link, _) = asked(&[Some(3_600_000_000_000), Some(1_000_000_000)], move || {
            let (sender, answer) = reply();
            keep.lock().unwrap().push(sender);
            Box::pin(async { answer.await.ok_or(Failure::Stopped) })
        });
        let in_vain = || kept.lock().unwrap().iter().map(ReplySender::is_in_vain).collect::<Vec<_>>();
        assert_eq!(in_vain(), [false, false]);
        drop(link.task);
        assert_eq!(in_vain(), [true, true]);
    }

    #[test]
    fn the_times_of_questions_that_are_answered_are_let_go_of() {
        let (mut times, now) = (AskTimes::default(), Instant::now());
        (0..10_000).for_each(|_| times.push(now, Weak::new()));
        assert!(times.heap.len() <= ANSWERED_MAX, "{}", times.heap.len());
        assert_eq!(times.next(), None);
    }
}
