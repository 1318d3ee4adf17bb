//! What ends leaves nothing behind: no task, no actor, no message, no bus.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Tick, on_both_runtimes};
use mycelium::{
    Actor, BoxError, Context, Handler, MessageBus, Publisher, Service, ServiceContext, StopReason,
    Subscriptions, WeakBus,
};

/// Holds a witness, subscribes, sets a timer and knows its bus.
struct Guest {
    _witness: Arc<()>,
    _bus: WeakBus,
}
impl Actor for Guest {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.schedule_after(Duration::from_secs(3600), Tick(0));
        Ok(())
    }
}
impl Handler<Tick> for Guest {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        assert!(tick.0 < 100, "told to panic");
        if tick.0 == 99 {
            return Err("told to fail".into());
        }
        Ok(())
    }
}
struct Loop {
    _witness: Arc<()>,
}
impl Service for Loop {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut ticks = ctx.subscribe::<Tick>(mycelium::Subscription::drop_oldest())?;
        loop {
            tokio::select! {
                _ = ticks.recv() => {}
                () = ctx.stopped() => return Ok(()),
            }
        }
    }
}

fn guests(bus: &MessageBus, witness: &Arc<()>) -> Vec<mycelium::ActorRef<Guest>> {
    (0..20)
        .map(|_| bus.spawn(Guest { _witness: Arc::clone(witness), _bus: bus.downgrade() }).unwrap())
        .collect()
}

/// Waits until no task and only the caller's witness are alive.
async fn settled(witness: &Arc<()>) {
    let metrics = tokio::runtime::Handle::current().metrics();
    while metrics.num_alive_tasks() > 0 || Arc::strong_count(witness) > 1 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn all_ways_to_end() {
    let witness = Arc::new(());
    for round in 0..5 {
        let bus = MessageBus::new();
        let weak = bus.downgrade();
        let all = guests(&bus, &witness);
        let service = bus.spawn_service(Loop { _witness: Arc::clone(&witness) }).unwrap();
        let ticks: Publisher<Tick> = bus.publisher().unwrap();
        let subscriber = bus.subscriber_with::<Tick>(mycelium::Subscription::drop_newest()).unwrap();
        ticks.publish(Tick(1)).await.unwrap();
        match round {
            0 => bus.shutdown().await.unwrap(),
            // All end by an error or a panic, with messages waiting.
            1 => ticks.publish(Tick(99)).await.unwrap(),
            2 => ticks.publish(Tick(100)).await.unwrap(),
            3 => all.iter().for_each(mycelium::ActorRef::kill),
            // The last handle goes: the bus ends its actors.
            _ => {}
        }
        drop(bus);
        assert!(weak.upgrade().is_none());
        for guest in &all {
            let reason = guest.ended().await;
            let expected = match round {
                // A stop may come before the message that would have ended it.
                1 => matches!(reason, StopReason::Failed(_) | StopReason::Shutdown),
                2 => matches!(reason, StopReason::Panicked(_) | StopReason::Shutdown),
                3 => matches!(reason, StopReason::Killed | StopReason::Shutdown),
                _ => matches!(reason, StopReason::Shutdown),
            };
            assert!(expected, "round {round}: {reason}");
        }
        service.ended().await;
        // The publisher and the subscriber outlive the bus and keep nothing of it but their topic.
        settled(&witness).await;
        drop((ticks, subscriber));
    }
}

#[test]
fn every_way_to_end_leaves_no_task_and_no_actor() {
    on_both_runtimes(all_ways_to_end);
}

#[test]
fn a_runtime_that_goes_down_takes_its_actors_with_it() {
    let witness = Arc::new(());
    let bus = MessageBus::new();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let all = runtime.block_on(async { guests(&bus, &witness) });
    assert_eq!(bus.alive(), 20);
    drop(runtime);
    assert_eq!(Arc::strong_count(&witness), 1);
    assert_eq!(bus.alive(), 0);
    assert!(all.iter().all(|guest| !guest.is_alive()));
}
