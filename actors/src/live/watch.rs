//! What a live actor or service tells its supervisor besides its end: that it is ready, and that it makes
//! progress.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context as TaskContext, Poll, Waker};

use mycelium_mailbox::caught;

use crate::StopReason;
use crate::life::MARKER;
use crate::sync::{AtomicBool, AtomicU64, Mutex, MutexGuard, Ordering};

/// Says once per life that a child is ready.
#[derive(Default)]
pub(crate) struct Readiness(Mutex<Option<Box<dyn FnOnce() + Send>>>);

impl Readiness {
    /// A new life begins: `tell` is called when it is ready.
    pub(crate) fn aim(&self, tell: impl FnOnce() + Send + 'static) {
        *lock(&self.0) = Some(Box::new(tell));
    }

    /// The child is ready. Only the first call of a life counts.
    pub(crate) fn tell(&self) {
        let tell = lock(&self.0).take();
        if let Some(tell) = tell {
            tell();
        }
    }
}

/// What a supervisor sees of one actor whose health it probes, and how it ends a handler that waits for ever.
///
/// An actor has one only if its supervisor asked for it, or while its `started` waits: others pay one load
/// per slice.
#[derive(Default)]
pub(crate) struct Watch {
    /// Whether handlers are followed too, not only `started`.
    probed: AtomicBool,
    /// How many slices of messages have been handled. Written by the actor alone.
    beats: AtomicU64,
    hand: Mutex<WatchedHand>,
    /// Ends code that keeps its thread.
    interrupt: Mutex<Option<Interrupt>>,
}

/// See [`Context::interrupted_by`](crate::Context::interrupted_by).
pub(crate) type Interrupt = Box<dyn Fn(&str) + Send + Sync>;

#[derive(Default)]
struct WatchedHand {
    held: Option<CurrentMessage>,
    /// That of the actor's task, while a handler waits.
    waker: Option<Waker>,
    /// Why what is in hand is to be given up.
    abort: Option<Box<str>>,
}

/// What an actor is handling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CurrentMessage {
    /// The name of the message, or of the hook.
    pub(crate) message: &'static str,
    /// The topic it came from; `None` if it was sent directly.
    pub(crate) topic: Option<&'static str>,
    /// Whether its handler waits for something; one that does not keeps a thread.
    pub(crate) waits: bool,
}

impl fmt::Display for CurrentMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { message, topic, waits } = self;
        write!(f, "{message}")?;
        topic.map_or(Ok(()), |topic| write!(f, " from topic {topic}"))?;
        f.write_str(if *waits { ", whose handler waits" } else { ", whose handler keeps its thread" })
    }
}

/// What a probe reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pulse {
    /// Differs from an earlier one if there was progress.
    pub(crate) beats: u64,
    /// Nothing is to be done: no progress is expected.
    pub(crate) rests: bool,
    pub(crate) hand: Option<CurrentMessage>,
}

impl Watch {
    /// Follows handlers from the next slice on.
    pub(crate) fn probe(&self) {
        self.probed.store(true, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn is_probed(&self) -> bool {
        self.probed.load(Ordering::Relaxed)
    }

    /// Has handlers of this life be ended by this: what was to do so before.
    pub(crate) fn interrupted_by(&self, interrupt: Option<Interrupt>) -> Option<Interrupt> {
        std::mem::replace(&mut *lock(&self.interrupt), interrupt)
    }

    /// What a probe sees; `rests` is the actor's own word. An actor that waits at a gate until others have
    /// finished rests too.
    pub(crate) fn pulse(&self, rests: bool) -> Pulse {
        let hand = lock(&self.hand).held;
        let at_gate = hand.is_some_and(|held| held.topic.is_none() && held.message == MARKER);
        Pulse { beats: self.beats.load(Ordering::Relaxed), rests: rests || at_gate, hand }
    }

    /// Ends what is in hand, with this reason, where it waits. Code that never waits is interrupted, if it
    /// has said how. `seen`:
    /// nothing is ended if there was progress since a pulse with these beats, because what is in hand now has
    /// done no wrong.
    pub(crate) fn abort(&self, reason: &str, seen: Option<u64>) {
        let mut hand = lock(&self.hand);
        // Everything before this one was counted before it took the lock.
        let same = seen.is_none_or(|beats| beats == self.beats.load(Ordering::Relaxed));
        if hand.held.is_some() && same {
            hand.abort = Some(reason.into());
            let waker = hand.waker.take();
            // Under the lock: it means what is in hand, and nothing that comes after. A panic is not the
            // supervisor's.
            lock(&self.interrupt).iter().for_each(|interrupt| caught(|| interrupt(reason)));
            drop(hand);
            waker.into_iter().for_each(Waker::wake);
        }
    }

    /// Runs `work`, which handles `message`, visibly. `Err` says why it was given up half-way.
    ///
    /// # Cancel safety
    /// Dropped, nothing is in hand any more.
    pub(crate) fn follow<F: Future + Unpin>(
        &self,
        message: &'static str,
        topic: Option<&'static str>,
        work: F,
    ) -> FollowedWork<'_, F> {
        let held = CurrentMessage { message, topic, waits: false };
        FollowedWork { work, following: Following::new(self, held) }
    }
}

/// See [`Watch::follow`]. A type of its own: an `async fn` would keep room for `work` twice, in the task of
/// each actor.
pub(crate) struct FollowedWork<'a, F> {
    /// Dropped first: it is in hand until it is gone.
    work: F,
    following: Following<'a>,
}

impl<F: Future + Unpin> Future for FollowedWork<'_, F> {
    type Output = Result<F::Output, StopReason>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        if let Poll::Ready(output) = Pin::new(&mut self.work).poll(cx) {
            return Poll::Ready(Ok(output));
        }
        let mut hand = lock(&self.following.0.hand);
        if let Some(reason) = hand.abort.take() {
            return Poll::Ready(Err(StopReason::Failed(reason.into())));
        }
        if let Some(held) = &mut hand.held {
            held.waits = true;
        }
        if !hand.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
            hand.waker = Some(cx.waker().clone());
        }
        Poll::Pending
    }
}

/// Something is in hand, until this is dropped.
struct Following<'a>(&'a Watch);

impl<'a> Following<'a> {
    fn new(watch: &'a Watch, held: CurrentMessage) -> Self {
        *lock(&watch.hand) = WatchedHand { held: Some(held), ..WatchedHand::default() };
        Self(watch)
    }
}

impl Drop for Following<'_> {
    fn drop(&mut self) {
        let left = std::mem::take(&mut *lock(&self.0.hand));
        // A waker may run code of others when it is dropped: not under the lock.
        drop(left);
        let beats = self.0.beats.load(Ordering::Relaxed);
        self.0.beats.store(beats.wrapping_add(1), Ordering::Relaxed);
    }
}

/// Nothing half-changed is left by a panic: each change is one assignment.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[tokio::test]
    async fn what_is_in_hand_is_seen_and_can_be_given_up() {
        let watch = Arc::new(Watch::default());
        assert_eq!(watch.pulse(true), Pulse { beats: 0, rests: true, hand: None });
        watch.abort("nothing is in hand: it means nothing", None);
        let other = Arc::clone(&watch);
        let stuck = tokio::spawn(async move {
            other.follow("Fill", Some("fills"), Box::pin(std::future::pending::<()>())).await
        });
        while watch.pulse(false).hand.is_none_or(|hand| !hand.waits) {
            tokio::task::yield_now().await;
        }
        let hand = watch.pulse(false).hand.unwrap();
        assert_eq!(hand.to_string(), "Fill from topic fills, whose handler waits");
        watch.abort("stuck, it was said of the one before", Some(7));
        watch.abort("stuck", Some(0));
        let given_up = stuck.await.unwrap();
        assert!(matches!(given_up, Err(StopReason::Failed(reason)) if &*reason == "stuck"));
        assert_eq!(watch.pulse(false), Pulse { beats: 1, rests: false, hand: None });
    }

    #[test]
    fn a_child_is_ready_once_per_life() {
        let (readiness, told) = (Readiness::default(), Arc::new(AtomicU64::new(0)));
        readiness.tell();
        for _ in 0..2 {
            let count = Arc::clone(&told);
            readiness.aim(move || {
                count.fetch_add(1, Ordering::Relaxed);
            });
            readiness.tell();
            readiness.tell();
        }
        assert_eq!(told.load(Ordering::Relaxed), 2);
    }
}
