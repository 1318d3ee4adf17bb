//! What a subscriber has received and not passed: a guard that holds the message where it lies.

mod common;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::costly::Costly;
use common::{Heard, Tick, on_both_runtimes, on_every_runtime};
use mycelium::{
    BoxError, Isolate, Message, MessageBus, PublishError, Received, Service, ServiceContext, StopReason,
    Subscription,
};

fn policies<M>() -> [Subscription<M>; 2] {
    [Subscription::block().capacity(2), Subscription::fail().capacity(2)]
}

#[test]
fn what_is_received_keeps_its_place_until_its_guard_is_dropped_and_is_never_cloned() {
    on_every_runtime(|| async {
        for how in policies() {
            let (bus, clones) = (MessageBus::new(), Arc::new(AtomicUsize::new(0)));
            let mut letters = bus.subscriber_with::<Costly>(how).unwrap();
            let publisher = bus.publisher().unwrap();
            let letter = |number| Costly(number, Arc::clone(&clones));
            publisher.publish(letter(0)).await.unwrap();
            publisher.publish(letter(1)).await.unwrap();
            let first = letters.recv().await.unwrap();
            assert_eq!((first.0, first.delivery().message.0, first.delivery().sender), (0, 0, None));
            let refused = publisher.try_publish(letter(2)).unwrap_err();
            assert!(matches!(refused, PublishError::Full(..)), "its place is not free: {refused:?}");
            drop((refused, first));
            publisher.try_publish(letter(2)).unwrap();
            let stamps = [0, 1].map(|_| letters.try_recv().unwrap().delivery().stamp);
            assert!(stamps[0] <= stamps[1] && letters.try_recv().is_none());
            assert_eq!(
                (clones.load(Ordering::SeqCst), Arc::strong_count(&clones)),
                (0, 1),
                "all are dropped"
            );
            let topic = bus.topics().remove(0);
            assert_eq!((topic.published, topic.delivered, topic.waiting), (3, 3, 0));
        }
    });
}

#[test]
fn what_nobody_else_has_is_taken_without_a_clone() {
    on_both_runtimes(|| async {
        let (bus, clones) = (MessageBus::new(), Arc::new(AtomicUsize::new(0)));
        let mut one = bus.subscriber::<Costly>().unwrap();
        let publisher = bus.publisher().unwrap();
        publisher.publish(Costly(1, Arc::clone(&clones))).await.unwrap();
        let taken: Costly = one.recv().await.unwrap().into_owned();
        assert_eq!((taken.0, clones.load(Ordering::SeqCst)), (1, 0));
        let mut other = bus.subscriber::<Costly>().unwrap();
        publisher.publish(Costly(2, Arc::clone(&clones))).await.unwrap();
        let taken = [one.recv().await.unwrap().into_owned(), other.recv().await.unwrap().into_owned()];
        assert_eq!(
            (taken.map(|costly| costly.0), clones.load(Ordering::SeqCst)),
            ([2, 2], 1),
            "one is a clone"
        );
        assert_eq!(bus.topics()[0].delivered, 3);
    });
}

type Hook = Arc<Mutex<Option<Box<dyn FnOnce() + Send>>>>;

/// Runs its hook when it is cloned, and panics when it is dropped, which its clone does not.
struct Loaded(Option<Hook>);
impl Clone for Loaded {
    fn clone(&self) -> Self {
        let hook = self.0.as_ref().and_then(|hook| hook.lock().unwrap().take());
        hook.into_iter().for_each(|hook| hook());
        Self(None)
    }
}
impl fmt::Debug for Loaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Loaded")
    }
}
impl Drop for Loaded {
    fn drop(&mut self) {
        assert!(self.0.is_none(), "asked to panic in a destructor");
    }
}
impl Message for Loaded {
    const NAME: &'static str = "Loaded";
    const TYPE_ID: u16 = 77;
    const TOPIC: &'static str = "loaded";
}

#[test]
fn a_message_that_was_cloned_is_counted_whatever_its_destructor_does() {
    on_both_runtimes(|| async {
        let (bus, hook) = (MessageBus::new(), Hook::default());
        let (mut one, mut other) = (bus.subscriber::<Loaded>().unwrap(), bus.subscriber::<Loaded>().unwrap());
        let publisher = bus.publisher().unwrap();
        publisher.publish(Loaded(Some(Arc::clone(&hook)))).await.unwrap();
        // While the one clones it, the other is done with it: so the one drops it.
        *hook.lock().unwrap() = Some(Box::new(move || drop(other.try_recv())));
        let taken = catch_unwind(AssertUnwindSafe(|| one.try_recv().unwrap().into_owned().0.is_none()));
        assert!(taken.is_err());
        let topic = bus.topics().remove(0);
        assert_eq!((topic.published, topic.delivered, topic.waiting), (1, 2, 0));
    });
}

#[test]
fn after_a_panic_what_was_received_is_the_next_one() {
    on_both_runtimes(|| async {
        for how in policies() {
            let bus = MessageBus::new();
            let mut ticks = bus.subscriber_with::<Tick>(how).unwrap();
            let publisher = bus.publisher().unwrap();
            publisher.publish(Tick(1)).await.unwrap();
            publisher.publish(Tick(2)).await.unwrap();
            let fails = || {
                let tick = ticks.try_recv().unwrap();
                panic!("with {} in hand", tick.0)
            };
            assert!(catch_unwind(AssertUnwindSafe(fails)).is_err());
            assert_eq!(bus.topics()[0].delivered, 0);
            // A receiver passes what it drops while a panic unwinds, or it would see it for ever.
            struct AtTheEnd<'a>(&'a mut mycelium::Subscriber<Tick>, &'a mut u64);
            impl Drop for AtTheEnd<'_> {
                fn drop(&mut self) {
                    while let Some(tick) = self.0.try_recv() {
                        *self.1 = *self.1 * 10 + tick.0;
                    }
                }
            }
            let mut seen = 0;
            let unwinds = || {
                let _end = AtTheEnd(&mut ticks, &mut seen);
                panic!("for the sake of it")
            };
            assert!(catch_unwind(AssertUnwindSafe(unwinds)).is_err());
            assert_eq!((seen, bus.topics()[0].delivered), (12, 2));
            publisher.publish(Tick(3)).await.unwrap();
            std::mem::forget(ticks.recv().await);
            assert_eq!(ticks.recv().await.unwrap().0, 3, "a forgotten guard has passed nothing");
        }
    });
}

/// Publishes to its own full subscription while it holds a message of it.
struct Holder(Heard);
impl Service for Holder {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut ticks = ctx.subscribe(Subscription::<Tick>::block().capacity(1).echo())?;
        ctx.publish(Tick(1)).await?;
        let held = ticks.recv().await.ok_or("closed")?;
        let refused = ctx.publish(Tick(held.0 + 1)).await.is_err();
        self.0.add(format!("{refused}"));
        drop(held);
        ctx.publish(Tick(3)).await?;
        self.0.add(format!("{}", ticks.recv().await.ok_or("closed")?.0));
        Ok(())
    }
}

#[test]
fn a_service_that_holds_what_it_waits_behind_has_an_error_and_no_deadlock() {
    on_every_runtime(|| async {
        let (bus, heard) = (MessageBus::new(), Heard::default());
        let holder = bus.spawn_service(Holder(heard.clone())).unwrap();
        assert_eq!(holder.ended().await, StopReason::Normal);
        assert_eq!(heard.words(), ["true", "3"]);
    });
}

/// Holds a message across a wait, during which its queue drops others; then fails with one in hand, and reads
/// on.
struct Reader(Heard);
impl Service for Reader {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut ticks = ctx.subscribe(Subscription::<Tick>::drop_oldest().capacity(2))?;
        let held = ticks.recv().await.ok_or("closed")?;
        ctx.sleep(std::time::Duration::from_secs(9)).await;
        self.0.add(format!("held {}", held.0));
        let kept: Tick = held.into_owned();
        let fails = || {
            let tick = ticks.try_recv().unwrap();
            self.0.add(format!("fails at {}", tick.0));
            panic!("in hand")
        };
        assert!(catch_unwind(AssertUnwindSafe(fails)).is_err());
        while let Some(tick) = ticks.try_recv() {
            let delivery = tick.delivery();
            self.0.add(format!("{} {} {}", kept.0, tick.0, delivery.sender.is_some()));
        }
        Ok(())
    }
}

/// Publishes a tick each second.
struct Clockwork;
impl Service for Clockwork {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        for number in 1..=5 {
            ctx.sleep(std::time::Duration::from_secs(1)).await;
            ctx.publish(Tick(number)).await?;
        }
        Ok(())
    }
}

#[test]
fn in_an_isolate_what_is_received_has_left_its_queue_and_is_the_next_one_after_a_panic() {
    let (mut isolate, heard) = (Isolate::new(1), Heard::default());
    isolate.spawn_service(Reader(heard.clone())).unwrap();
    isolate.spawn_service(Clockwork).unwrap();
    isolate.run().unwrap();
    assert_eq!(heard.words(), ["held 1", "fails at 4", "1 4 true", "1 5 true"]);
}

#[test]
fn a_guard_may_be_sent_and_shared() {
    fn travels<T: Send + Sync>() {}
    travels::<Received<'_, Tick>>();
}

#[test]
fn a_topic_reaches_65_536_subscribers_at_once_and_the_error_of_one_more_says_so() {
    const MOST: usize = 65_536;
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let mut all: Vec<_> = (0..MOST).map(|_| bus.subscriber::<Tick>().unwrap()).collect();
        let refused = bus.subscriber::<Tick>().err().map(|error| error.to_string()).unwrap();
        assert!(refused.contains("the topic of Tick has 65536 subscribers"), "{refused}");
        bus.publisher().unwrap().publish(Tick(7)).await.unwrap();
        let reached = all.iter_mut().filter_map(|one| one.try_recv().map(|tick| tick.0)).sum::<u64>();
        assert_eq!(reached, 7 * MOST as u64);
        all.pop();
        all.push(bus.subscriber::<Tick>().unwrap());
    });
}
