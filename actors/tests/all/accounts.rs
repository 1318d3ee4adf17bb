//! The counters of live topics add up with publishers, subscribers and stops that meet at any moment. One at
//! a time, on any host: `hosts/accounts.rs`.

use std::sync::Arc;
use std::time::Duration;

use crate::common::{Flush, PERIOD, Tick, Tock, backoff, on_both_runtimes};
use mycelium::tree::{Child, Redelivery, Shutdown};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, MessageBus, Responder, Subscriber, Subscription, Supervisor,
    TopicStats, Tree,
};
use mycelium_random::{Random, seeds};
use tokio::sync::Semaphore;

/// What a message does to an actor, by its number.
const FAIL: u64 = 1_000;
const PANIC: u64 = 2_000;
/// The handler waits until the gate opens.
const PARK: u64 = 3_000;
/// It waits until then, and fails.
const PARK_AND_FAIL: u64 = 4_000;
/// The actor takes no more of this topic.
const LEAVE: u64 = 5_000;

/// Children of the tree.
const CHILDREN: [&str; 3] = ["a", "b", "c"];
/// More than are published in one case, so that nobody ever waits for room (messages).
const ROOM: usize = 8_192;

/// Receives ticks and tocks, each in its way.
struct Worker {
    ticks: Subscription<Tick>,
    tocks: Subscription<Tock>,
    gate: Arc<Semaphore>,
}

impl Worker {
    async fn obey(&self, number: u64) -> Result<bool, BoxError> {
        if matches!(number, PARK | PARK_AND_FAIL) {
            self.gate.acquire().await?.forget();
        }
        assert_ne!(number, PANIC, "told to");
        if matches!(number, FAIL | PARK_AND_FAIL) {
            return Err("told to".into());
        }
        Ok(number == LEAVE)
    }
}

impl Actor for Worker {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.subscribe(self.ticks)?;
        ctx.subscribe(self.tocks)?;
        Ok(())
    }
}
impl Handler<Tick> for Worker {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if self.obey(tick.0).await? {
            ctx.unsubscribe::<Tick>();
        }
        Ok(())
    }
}
impl Handler<Tock> for Worker {
    async fn handle(&mut self, tock: &Tock, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if self.obey(tock.0).await? {
            ctx.unsubscribe::<Tock>();
        }
        Ok(())
    }
}

fn topic(topics: &[TopicStats], name: &str) -> TopicStats {
    topics.iter().find(|topic| topic.message == name).copied().unwrap_or_default()
}

/// What became of the copies of all messages, one for each subscriber.
fn sum(topic: &TopicStats) -> u64 {
    let dropped = topic.dropped_oldest + topic.dropped_newest + topic.conflated + topic.dropped_unsubscribed;
    topic.delivered + topic.waiting + dropped + topic.dead_letters
}

impl Responder<Flush> for Worker {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {}
}

fn by_policy<M>(random: &mut Random, key: fn(&M) -> u64) -> Subscription<M> {
    match random.below(5) {
        0 | 1 => Subscription::block().capacity(ROOM),
        2 => Subscription::drop_oldest().capacity(1 + random.index(40)),
        3 => Subscription::drop_newest().capacity(1 + random.index(40)),
        _ => Subscription::conflate(key).capacity(1 + random.index(4)),
    }
}

/// A tree of three workers, and what makes it.
fn supervisor(random: &mut Random, gate: &Arc<Semaphore>) -> mycelium::tree::Builder {
    let root = Supervisor::builder("root").intensity(1_000_000, PERIOD).backoff(backoff(5));
    CHILDREN.iter().fold(root, |root, id| {
        let ticks = by_policy(random, |tick: &Tick| tick.0 % 7);
        let tocks = by_policy(random, |tock: &Tock| tock.0 % 7);
        let (gate, attempts) = (Arc::clone(gate), 1 + random.below(3) as u32);
        let child = Child::actor(*id, move || Worker { ticks, tocks, gate: Arc::clone(&gate) });
        let child = child.shutdown(Shutdown::BrutalKill);
        root.child(if attempts > 1 { child.redelivery(Redelivery::Retry { attempts }) } else { child })
    })
}

/// A number that mostly does nothing.
fn number(random: &mut Random) -> u64 {
    if random.chance(94) { random.below(FAIL) } else { random.pick(&[FAIL, PANIC, PARK, PARK_AND_FAIL]) }
}

/// A live bus with all kinds of subscribers, and how many copies of messages each topic must have accounted
/// for.
struct Live {
    bus: MessageBus,
    tree: Tree,
    gate: Arc<Semaphore>,
    running: [bool; 3],
    loose: Vec<ActorRef<Worker>>,
    ticks: Vec<Subscriber<Tick>>,
    tocks: Vec<Subscriber<Tock>>,
    expected: (u64, u64),
}

impl Live {
    async fn new(random: &mut Random) -> Self {
        let (bus, gate) = (MessageBus::new(), Arc::new(Semaphore::new(0)));
        let tree = supervisor(random, &gate).start(&bus).await.unwrap();
        let (loose, ticks, tocks) = Default::default();
        Self { bus, tree, gate, running: [true; 3], loose, ticks, tocks, expected: (0, 0) }
    }

    /// How many hear ticks, and how many tocks.
    fn present(&self) -> (u64, u64) {
        let workers = self.running.iter().filter(|running| **running).count() + self.loose.len();
        ((workers + self.ticks.len()) as u64, (workers + self.tocks.len()) as u64)
    }

    async fn step(&mut self, random: &mut Random) {
        match random.below(12) {
            0..5 => self.burst(random).await,
            5 => {
                let worker = Worker {
                    ticks: Subscription::block().capacity(ROOM),
                    tocks: Subscription::block().capacity(ROOM),
                    gate: Arc::clone(&self.gate),
                };
                let worker = self.bus.spawn(worker).unwrap();
                // It has subscribed when it answers.
                worker.ask(Flush).await.unwrap();
                self.loose.push(worker);
            }
            6 => {
                self.ticks
                    .push(self.bus.subscriber_with(by_policy(random, |tick: &Tick| tick.0 % 5)).unwrap());
                self.tocks
                    .push(self.bus.subscriber_with(by_policy(random, |tock: &Tock| tock.0 % 5)).unwrap());
            }
            7 => {
                for _ in 0..random.below(150) {
                    self.ticks.iter_mut().for_each(|ticks| _ = ticks.try_recv());
                }
                for _ in 0..random.below(150) {
                    self.tocks.iter_mut().for_each(|tocks| _ = tocks.try_recv());
                }
            }
            8 if random.chance(50) => drop(self.ticks.pop()),
            8 => drop(self.tocks.pop()),
            9 => {
                if let Some(worker) = self.loose.pop() {
                    worker.kill();
                    worker.ended().await;
                }
            }
            10 => {
                let child = random.index(3);
                let path = format!("root/{}", CHILDREN[child]);
                let running = &mut self.running[child];
                let done = if *running {
                    self.tree.terminate_child(&path).await
                } else {
                    self.tree.restart_child(&path).await
                };
                done.unwrap();
                *running = !*running;
            }
            _ => self.gate.add_permits(random.index(20)),
        }
    }

    async fn burst(&mut self, random: &mut Random) {
        let numbers: Vec<u64> = (0..random.below(60)).map(|_| number(random)).collect();
        let fatal = |number: &u64| matches!(*number, FAIL | PANIC | PARK_AND_FAIL);
        match numbers.iter().position(fatal) {
            // The rest would come to some who have ended by then, or not, on another thread.
            Some(first) if !self.loose.is_empty() => self.fatal_burst(random, &numbers[..=first]).await,
            _ => self.publish(random, &numbers).await,
        }
    }

    /// Whoever is not supervised ends with it: that is waited for, so that it is known who hears what comes
    /// next.
    async fn fatal_burst(&mut self, random: &mut Random, numbers: &[u64]) {
        self.gate.add_permits(ROOM);
        self.publish(random, numbers).await;
        for worker in self.loose.drain(..) {
            worker.ended().await;
        }
        self.gate.forget_permits(ROOM * 2);
    }

    async fn publish(&mut self, random: &mut Random, numbers: &[u64]) {
        let (present, ticks, tocks) =
            (self.present(), self.bus.publisher::<Tick>().unwrap(), self.bus.publisher::<Tock>().unwrap());
        if random.chance(50) {
            self.expected.0 += present.0 * numbers.len() as u64;
            for number in numbers {
                ticks.try_publish(Tick(*number)).unwrap();
            }
        } else {
            self.expected.1 += present.1 * numbers.len() as u64;
            for number in numbers {
                tocks.try_publish(Tock(*number)).unwrap();
            }
        }
    }

    /// Waits until nothing happens, and then until the counters add up: where they do not, the watchdog ends
    /// the test.
    async fn settle(&self) {
        let (mut before, mut still, mut looks) = (self.bus.topics(), 0, 0);
        while still < 3 || self.sums() != self.expected {
            tokio::time::sleep(Duration::from_micros(500)).await;
            let now = self.bus.topics();
            still = if now == before { still + 1 } else { 0 };
            before = now;
            looks += 1;
            if looks % 4_000 == 0 {
                println!("expected {:?}: {before:#?}", self.expected);
            }
        }
    }

    fn sums(&self) -> (u64, u64) {
        let topics = self.bus.topics();
        (sum(&topic(&topics, "Tick")), sum(&topic(&topics, "Tock")))
    }
}

#[test]
fn at_rest_the_counters_of_a_topic_add_up_whatever_its_subscribers_do() {
    for seed in seeds(12) {
        on_both_runtimes(|| async {
            let mut random = Random::new(seed);
            let mut live = Live::new(&mut random).await;
            for _ in 0..40 {
                live.step(&mut random).await;
                live.settle().await;
            }
            live.gate.add_permits(ROOM);
            live.settle().await;
            live.tree.shutdown().await.unwrap();
            live.settle().await;
            live.bus.shutdown().await.unwrap();
            live.ticks.clear();
            live.tocks.clear();
            live.settle().await;
            let waiting = live.bus.topics().iter().map(|topic| topic.waiting).sum::<u64>();
            assert_eq!(waiting, 0, "everybody has left");
        });
    }
}
