//! Code that is not async: threads of one's own that publish and tell.

use std::time::Duration;

use crate::common::{Flush, Heard, Log, Tick, on_both_runtimes};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, MessageBus, PublishError, Subscription, Supervisor, TellError,
};

/// Handles one number after the other, and lets others run in between.
struct Slow(Heard);
impl Actor for Slow {
    type Error = BoxError;
}
impl Handler<u32> for Slow {
    async fn handle(&mut self, number: &u32, _: &mut Context<Self>) -> Result<(), BoxError> {
        tokio::time::sleep(Duration::from_micros(10)).await;
        self.0.add(number.to_string());
        Ok(())
    }
}

#[test]
fn a_thread_that_tells_and_publishes_waits_for_room_and_loses_nothing() {
    on_both_runtimes(|| async {
        let (bus, heard) = (MessageBus::builder().inbox_capacity(2).build(), Heard::default());
        let slow = bus.spawn(Slow(heard.clone())).unwrap();
        let mut ticks = bus.subscriber_with::<Tick>(Subscription::block().capacity(2)).unwrap();
        let publisher = bus.publisher::<Tick>().unwrap();
        let teller = slow.clone();
        let telling = std::thread::spawn(move || {
            (0..50).for_each(|number| teller.tell_blocking(number).unwrap());
        });
        let publishing = std::thread::spawn(move || {
            (0..50).for_each(|number| publisher.publish_blocking(Tick(number)).unwrap());
            publisher
        });
        for number in 0..50 {
            assert_eq!(ticks.recv().await.as_deref(), Some(&Tick(number)));
        }
        heard.wait_for("49").await;
        assert_eq!(heard.words(), (0..50).map(|number| number.to_string()).collect::<Vec<_>>());
        telling.join().unwrap();
        let publisher = publishing.join().unwrap();
        bus.shutdown().await.unwrap();
        assert_eq!(publisher.publish_blocking(Tick(1)), Err(PublishError::Closed(Tick(1))));
        assert!(matches!(slow.tell_blocking(1), Err(TellError::Stopped(back, _)) if back == 1));
    });
}

/// tokio's budget of a task is for awaits: it never is refilled while the task's code blocks.
#[test]
fn a_task_that_publishes_and_tells_without_an_await_uses_up_no_budget() {
    on_both_runtimes(|| async {
        let (bus, heard) = (MessageBus::builder().inbox_capacity(20_000).build(), Heard::default());
        let slow = bus.spawn(Slow(heard)).unwrap();
        let mut latest = bus.subscriber_with::<Tick>(Subscription::drop_oldest().capacity(1)).unwrap();
        let publisher = bus.publisher::<Tick>().unwrap();
        for number in 0..10_000 {
            publisher.publish_blocking(Tick(u64::from(number))).unwrap();
            slow.tell_blocking(number).unwrap();
        }
        assert_eq!(latest.recv().await.as_deref(), Some(&Tick(9_999)));
        slow.kill();
        slow.ended().await;
    });
}

#[test]
fn a_thread_that_waits_for_room_has_an_error_when_the_actor_ends() {
    on_both_runtimes(|| async {
        let bus = MessageBus::builder().inbox_capacity(1).build();
        let stuck = bus.spawn(Stuck).unwrap();
        let teller = stuck.clone();
        let telling = std::thread::spawn(move || {
            loop {
                if let Err(error) = teller.tell_blocking(()) {
                    return error;
                }
            }
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
        stuck.kill();
        stuck.ended().await;
        assert!(matches!(telling.join().unwrap(), TellError::Stopped((), Some(_))));
    });
}

struct Stuck;
impl Actor for Stuck {
    type Error = BoxError;
}
impl Handler<()> for Stuck {
    async fn handle(&mut self, _: &(), _: &mut Context<Self>) -> Result<(), BoxError> {
        std::future::pending().await
    }
}

#[test]
fn an_actor_of_an_isolate_is_told_without_waiting() {
    let mut isolate = Isolate::new(1);
    let stuck = isolate.spawn(Stuck).unwrap();
    let refused = (0..1_000_000).find_map(|_| stuck.tell_blocking(()).err());
    assert!(matches!(refused, Some(TellError::Full((), _))), "its thread is this one");
}

#[test]
fn an_actor_of_a_tree_is_found_by_its_path_live_and_in_an_isolate() {
    let tree = || {
        let desk = Supervisor::builder("desk").actor("log", Log::default);
        Supervisor::builder("root").supervisor(desk)
    };
    on_both_runtimes(|| async {
        let bus = MessageBus::new();
        let named = bus.spawn_named("log", Log::default()).unwrap();
        let running = tree().start(&bus).await.unwrap();
        let log = bus.lookup::<Log>("root/desk/log").unwrap();
        assert_eq!(log.id(), running.lookup::<Log>("root/desk/log").unwrap().id());
        assert_eq!(bus.lookup::<Log>("log").unwrap().id(), named.id());
        assert_eq!(log.ask(Flush).await.unwrap(), [""; 0]);
        assert!(bus.lookup::<Slow>("root/desk/log").is_none(), "another type");
        assert!(bus.lookup::<Log>("root/desk").is_none() && bus.lookup::<Log>("desk/log").is_none());
        running.shutdown().await.unwrap();
        assert!(bus.lookup::<Log>("root/desk/log").is_none_or(|log| !log.is_alive()));
    });
    let mut isolate = Isolate::new(1);
    let named = isolate.spawn_named("log", Log::default()).unwrap();
    let running = isolate.supervise(&tree()).unwrap();
    let log = isolate.lookup::<Log>("root/desk/log").unwrap();
    assert_eq!(log.id(), running.lookup::<Log>("root/desk/log").unwrap().id());
    assert_eq!(isolate.lookup::<Log>("log").unwrap().id(), named.id());
    assert!(isolate.lookup::<Slow>("root/desk/log").is_none());
}
