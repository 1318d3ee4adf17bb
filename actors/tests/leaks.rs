//! What ends leaves nothing behind: no task, no actor, no message, no bus.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use common::{Tick, on_both_runtimes};
use mycelium::tree::{Child, Redelivery};
use mycelium::{
    Actor, BoxError, Context, Handler, Message, MessageBus, Publisher, Service, ServiceContext, StopReason,
    Subscription, Subscriptions, Supervisor, TopicStats, WeakBus,
};
use mycelium_random::{Random, seeds};
use tokio::runtime::{Builder, Runtime};

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

/// Counts those that were made or cloned, and those that were dropped.
#[derive(Debug)]
struct Counted(u64, Arc<[AtomicU64; 2]>);
impl Counted {
    fn new(number: u64, counts: &Arc<[AtomicU64; 2]>) -> Self {
        counts[0].fetch_add(1, Ordering::SeqCst);
        Self(number, Arc::clone(counts))
    }
}
impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::new(self.0, &self.1)
    }
}
impl Drop for Counted {
    fn drop(&mut self) {
        self.1[1].fetch_add(1, Ordering::SeqCst);
    }
}
impl Message for Counted {
    const NAME: &'static str = "Counted";
    const TYPE_ID: u16 = 77;
    const TOPIC: &'static str = "counted";
}

/// What some of the messages do to the actor that has them in hand.
#[derive(Clone, Copy)]
enum Fault {
    None,
    Yields,
    Sleeps,
    Fails,
    Panics,
    Stops,
}
struct Hears(Subscription<Counted>, Fault);
impl Actor for Hears {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(self.0);
    }
}
impl Handler<Counted> for Hears {
    async fn handle(&mut self, counted: &Counted, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if !counted.0.is_multiple_of(31) {
            return Ok(());
        }
        match self.1 {
            Fault::None => {}
            Fault::Yields => tokio::task::yield_now().await,
            Fault::Sleeps => ctx.sleep(Duration::from_millis(2)).await,
            Fault::Fails => return Err("told to".into()),
            Fault::Panics => panic!("told to"),
            Fault::Stops => ctx.stop(),
        }
        Ok(())
    }
}

fn any_subscription(random: &mut Random) -> Subscription<Counted> {
    let by_policy = match random.below(6) {
        0..3 => Subscription::block(),
        3 => Subscription::drop_oldest(),
        4 => Subscription::drop_newest(),
        _ => Subscription::conflate(|counted: &Counted| counted.0 % 5),
    };
    by_policy.capacity(random.pick(&[1, 2, 8, 64, 1_000]))
}

/// Spawns somebody who hears, in a tree or not: waiting for a restart when the runtime goes, or at work.
fn spawn_hearer(bus: &MessageBus, runtime: &Runtime, random: &mut Random) {
    let how = any_subscription(random);
    let faults = [Fault::None, Fault::Yields, Fault::Sleeps, Fault::Fails, Fault::Panics, Fault::Stops];
    let fault = random.pick(&faults);
    let _entered = runtime.enter();
    if random.chance(50) {
        bus.spawn(Hears(how, fault)).unwrap();
        return;
    }
    let attempts = 1 + random.below(3) as u32;
    let child = Child::actor("hears", move || Hears(how, fault)).redelivery(Redelivery::Retry { attempts });
    let backoff = common::backoff(random.pick(&[0, 1_000]));
    let root = Supervisor::builder("root").intensity(1_000_000, common::PERIOD).backoff(backoff).child(child);
    // It outlives its handle.
    drop(runtime.block_on(root.start(bus)).unwrap());
}

fn sum(topic: &TopicStats) -> u64 {
    let dropped = topic.dropped_oldest + topic.dropped_newest + topic.conflated + topic.dropped_unsubscribed;
    topic.delivered + topic.waiting + dropped + topic.dead_letters
}

/// Where there are two, one leaves before the other: what is published between the two is one's alone.
fn a_runtime_goes(random: &mut Random, hearers: u64) {
    let (bus, counts) = (MessageBus::new(), Arc::<[AtomicU64; 2]>::default());
    let runtime = match random.below(3) as usize {
        0 => Builder::new_current_thread().enable_all().build().unwrap(),
        workers => Builder::new_multi_thread().worker_threads(workers).enable_all().build().unwrap(),
    };
    (0..hearers).for_each(|_| spawn_hearer(&bus, &runtime, random));
    let (stops, blocks, taken) = (AtomicBool::new(false), random.chance(50), AtomicU64::new(0));
    let (threads, wait) = (1 + random.below(3), Duration::from_micros(random.below(3_000)));
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let (publisher, counts) = (bus.publisher::<Counted>().unwrap(), &counts);
            let (stops, taken) = (&stops, &taken);
            scope.spawn(move || {
                for number in (thread..).step_by(threads as usize) {
                    if stops.load(Ordering::SeqCst) {
                        break;
                    }
                    let counted = Counted::new(number, counts);
                    let published = match blocks {
                        true => publisher.publish_blocking(counted),
                        false => publisher.try_publish(counted),
                    };
                    taken.fetch_add(u64::from(published.is_ok()), Ordering::SeqCst);
                    if number % 16 == 0 {
                        std::thread::yield_now();
                    }
                }
            });
        }
        runtime.block_on(async { tokio::time::sleep(wait).await });
        drop(runtime);
        stops.store(true, Ordering::SeqCst);
    });
    let topic = bus.topics().into_iter().find(|topic| topic.message == "Counted").unwrap();
    assert_eq!(topic.published + topic.unheard, taken.into_inner(), "{topic:?}");
    assert_eq!((topic.waiting, bus.alive()), (0, 0), "{topic:?}");
    let (least, most) = (topic.published, topic.published * hearers);
    assert!((least..=most).contains(&sum(&topic)), "{topic:?}");
    drop(bus);
    let [made, dropped] = [0, 1].map(|at| counts[at].load(Ordering::SeqCst));
    assert_eq!(made, dropped);
}

#[test]
fn a_runtime_that_goes_while_threads_publish_leaves_counters_that_add_up_and_no_message() {
    for seed in seeds(60) {
        let mut random = Random::new(seed);
        for hearers in [1, 2] {
            a_runtime_goes(&mut random, hearers);
        }
    }
}
