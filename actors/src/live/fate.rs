//! The seam at which supervision hangs: what becomes of an actor whose life ended.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use super::watch::Readiness;
use crate::subscription::OnceEach;
use crate::{Actor, StopReason};

/// What happens after the end of a life.
pub(crate) enum Directive<A> {
    /// The actor ends for good.
    Stop,
    /// The same, because its supervisor does: an actor that was asked to stop was shut down.
    ShutDown,
    /// This new value takes its place, under the same reference, id, inbox and subscriptions.
    Restart(A),
}

/// Decides after each failure and each stop of one actor. It owns what a restart needs: the factory and its
/// waiting.
///
/// The actor's old value is gone when it is asked, and its mailbox waits meanwhile. A shutdown or a kill ends
/// the waiting, and with it the actor for good.
pub(crate) trait Fate<A: Actor>: Send {
    /// The actor's `started` has returned `Ok`.
    fn started(&mut self) {}

    /// Where the actor says by itself that it is ready; `None` if that is not waited for.
    fn readiness(&self) -> Option<Arc<Readiness>> {
        None
    }

    /// The number of the tree that the actor is in, if it is in one.
    fn tree(&self) -> Option<u64> {
        None
    }

    /// Its path in that tree.
    fn path(&self) -> Option<Arc<str>> {
        None
    }

    /// What its pool receives for it and others.
    fn once_each(&self) -> Option<Arc<OnceEach>> {
        None
    }

    /// Whether its progress is looked at.
    fn is_probed(&self) -> bool {
        false
    }

    /// How often the handler of one message is tried, in as many lives, until that message is a dead letter;
    /// at least 1.
    fn attempts_max(&self) -> u32 {
        1
    }

    /// Polled from the end until ready; the waker is that of the actor's task.
    fn poll_verdict(&mut self, reason: &StopReason, cx: &mut TaskContext<'_>) -> Poll<Directive<A>>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BoxError, Context, Handler, MessageBus, Responder};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Counts what it handles and fails at 3.
    struct Fragile {
        life: u32,
        handled: Vec<u32>,
    }
    impl Actor for Fragile {
        type Error = BoxError;
    }
    impl Handler<u32> for Fragile {
        async fn handle(&mut self, number: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
            assert_ne!(*number, 3, "three is too much");
            self.handled.push(*number);
            Ok(())
        }
    }
    struct Report;
    impl Responder<Report> for Fragile {
        type Reply = (u32, Vec<u32>);
        async fn answer(&mut self, _: &Report, _: &mut Context<Self>) -> (u32, Vec<u32>) {
            (self.life, self.handled.clone())
        }
    }

    /// Restarts a few times, each time at the second poll.
    struct Lives {
        left: u32,
        asked: Arc<AtomicU32>,
    }
    impl Fate<Fragile> for Lives {
        fn poll_verdict(
            &mut self,
            reason: &StopReason,
            cx: &mut TaskContext<'_>,
        ) -> Poll<Directive<Fragile>> {
            assert!(reason.is_abnormal());
            if self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            if self.left == 0 {
                return Poll::Ready(Directive::Stop);
            }
            self.left -= 1;
            Poll::Ready(Directive::Restart(Fragile { life: 10 - self.left, handled: Vec::new() }))
        }
    }

    #[tokio::test]
    async fn a_restarted_actor_keeps_its_reference_and_its_mailbox() {
        let bus = MessageBus::new();
        let asked = Arc::new(AtomicU32::new(0));
        let fate = Lives { left: 1, asked: Arc::clone(&asked) };
        let fragile = Fragile { life: 0, handled: Vec::new() };
        let fragile = bus.core.spawn(fragile, None, Some(Box::new(fate))).unwrap();
        for number in [1, 2, 3, 4, 5] {
            fragile.tell(number).await.unwrap();
        }
        assert_eq!(fragile.ask(Report).await.unwrap(), (10, vec![4, 5]));
        assert_eq!(bus.dead_letters().in_hand, 1);
        fragile.tell(3).await.unwrap();
        assert!(matches!(fragile.ended().await, StopReason::Panicked(_)));
        assert_eq!(asked.load(Ordering::Relaxed), 4);
    }

    #[tokio::test]
    async fn a_stop_ends_the_wait_for_a_verdict() {
        struct Never;
        impl Fate<Fragile> for Never {
            fn poll_verdict(&mut self, _: &StopReason, _: &mut TaskContext<'_>) -> Poll<Directive<Fragile>> {
                Poll::Pending
            }
        }
        let bus = MessageBus::new();
        let fragile = Fragile { life: 0, handled: Vec::new() };
        let fragile = bus.core.spawn(fragile, None, Some(Box::new(Never))).unwrap();
        fragile.tell(3).await.unwrap();
        tokio::task::yield_now().await;
        bus.shutdown().await.unwrap();
        assert!(!fragile.is_alive());
    }

    /// A supervisor stops a group and begins its next lives, and the bus is shut down in between.
    #[tokio::test]
    async fn a_shutdown_outlasts_the_stop_that_a_restart_takes_back() {
        struct Again;
        impl Fate<Fragile> for Again {
            fn poll_verdict(&mut self, _: &StopReason, _: &mut TaskContext<'_>) -> Poll<Directive<Fragile>> {
                Poll::Ready(Directive::Restart(Fragile { life: 1, handled: Vec::new() }))
            }
        }
        let bus = MessageBus::new();
        let fragile = Fragile { life: 0, handled: Vec::new() };
        let fragile = bus.core.spawn(fragile, None, Some(Box::new(Again))).unwrap();
        let member = fragile.member().unwrap();
        member.stop(mycelium_mailbox::Stop::Pause);
        let (ended, ()) = tokio::join!(bus.shutdown(), async { member.resume(true) });
        ended.unwrap();
        assert_eq!(fragile.ended().await, StopReason::Shutdown);
    }
}
