//! In an isolate too, every message that a topic took is somewhere, and the counters of the topic add up
//! whenever a run has returned. Live buses: `accounts.rs`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{PERIOD, Tick, Tock, at_once, backoff};
use mycelium::tree::{Child, Redelivery, Shutdown};
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, Isolate, Message, OnFailure, Service, ServiceContext,
    Subscription, Supervisor, Timestamp, TopicStats, Tree,
};
use mycelium_random::{Random, seeds};

/// What a message does to an actor, by its number.
const FAIL: u64 = 1_000;
const PANIC: u64 = 2_000;
const PARK: u64 = 3_000;
const PARK_AND_FAIL: u64 = 4_000;
const PARK_AND_PANIC: u64 = 5_000;
/// The actor takes no more of this topic.
const LEAVE: u64 = 6_000;
/// It publishes to the same topic.
const REPLY: u64 = 7_000;
const STOP: u64 = 8_000;
const KILL: u64 = 9_000;
/// Its key panics, where a subscription conflates.
const KEYLESS: u64 = 10_000;

const ANY: [u64; 5] = [PARK, LEAVE, REPLY, STOP, KILL];
const FATAL: [u64; 4] = [FAIL, PANIC, PARK_AND_FAIL, PARK_AND_PANIC];

const CHILDREN: [&str; 3] = ["a", "b", "c"];
/// More than are published in one case (messages).
const ROOM: usize = 8_192;

/// Who hears what, and how many copies of each topic's messages must be accounted for.
#[derive(Default)]
struct World {
    present: BTreeSet<(u64, u16)>,
    expected: [u64; 2],
}

impl World {
    fn publishes(&mut self, topic: u16, but: Option<u64>) {
        let hear = self.present.iter().filter(|(who, what)| *what == topic && Some(*who) != but);
        self.expected[usize::from(topic) - 1] += hear.count() as u64;
    }
}

#[derive(Clone)]
struct Worker {
    id: u64,
    ticks: (Subscription<Tick>, bool),
    tocks: (Subscription<Tock>, bool),
    world: Arc<Mutex<World>>,
}

impl Worker {
    async fn obey<M: Message>(
        &self,
        number: u64,
        echo: bool,
        again: M,
        ctx: &mut Context<Self>,
    ) -> Result<(), BoxError>
    where
        Self: Handler<M>,
    {
        if matches!(number, PARK | PARK_AND_FAIL | PARK_AND_PANIC) {
            ctx.sleep(Duration::from_millis(3)).await;
        }
        // A child comes back.
        if FATAL.contains(&number) && self.id >= CHILDREN.len() as u64 {
            self.world.lock().unwrap().present.retain(|(who, _)| *who != self.id);
        }
        assert!(!matches!(number, PANIC | PARK_AND_PANIC), "told to");
        match number {
            FAIL | PARK_AND_FAIL => return Err("told to".into()),
            LEAVE => {
                ctx.unsubscribe::<M>();
                self.world.lock().unwrap().present.remove(&(self.id, M::TYPE_ID));
            }
            REPLY => {
                self.world.lock().unwrap().publishes(M::TYPE_ID, (!echo).then_some(self.id));
                ctx.try_publish(again)?;
            }
            STOP => {
                // A child comes back, and its subscriptions stay.
                if self.id >= CHILDREN.len() as u64 {
                    self.world.lock().unwrap().present.retain(|(who, _)| *who != self.id);
                }
                ctx.stop();
            }
            KILL => {
                self.world.lock().unwrap().present.retain(|(who, _)| *who != self.id);
                ctx.actor_ref().kill();
            }
            _ => {}
        }
        Ok(())
    }
}

impl Actor for Worker {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.subscribe(self.ticks.0)?;
        ctx.subscribe(self.tocks.0)?;
        self.world.lock().unwrap().present.extend([(self.id, Tick::TYPE_ID), (self.id, Tock::TYPE_ID)]);
        Ok(())
    }
}
impl Handler<Tick> for Worker {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.obey(tick.0, self.ticks.1, Tick(1), ctx).await
    }
}
impl Handler<Tock> for Worker {
    async fn handle(&mut self, tock: &Tock, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.obey(tock.0, self.tocks.1, Tock(1), ctx).await
    }
}

/// Reads and publishes slowly, and leaves with what waits then.
struct Reader {
    id: u64,
    ticks: (Subscription<Tick>, bool),
    reads: u64,
    world: Arc<Mutex<World>>,
}

impl Service for Reader {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let mut ticks = ctx.subscribe(self.ticks.0)?;
        self.world.lock().unwrap().present.insert((self.id, Tick::TYPE_ID));
        for read in 0..self.reads {
            ticks.recv().await;
            ctx.sleep(Duration::from_millis(1)).await;
            if read % 2 == 0 {
                self.world.lock().unwrap().publishes(Tick::TYPE_ID, (!self.ticks.1).then_some(self.id));
                ctx.try_publish(Tick(read))?;
            }
        }
        self.world.lock().unwrap().present.remove(&(self.id, Tick::TYPE_ID));
        Ok(())
    }
}

fn by_policy<M>(random: &mut Random, key: fn(&M) -> u64) -> (Subscription<M>, bool) {
    let subscription = match random.below(5) {
        0 | 1 => Subscription::block().capacity(ROOM),
        2 => Subscription::drop_oldest().capacity(1 + random.index(10)),
        3 => Subscription::drop_newest().capacity(1 + random.index(10)),
        _ => Subscription::conflate(key).capacity(1 + random.index(4)),
    };
    if random.chance(30) { (subscription.echo(), true) } else { (subscription, false) }
}

fn key(number: u64) -> u64 {
    assert_ne!(number, KEYLESS, "told to");
    number % 7
}

struct Case {
    isolate: Isolate,
    tree: Tree,
    world: Arc<Mutex<World>>,
    running: [bool; 3],
    loose: Vec<(u64, ActorRef<Worker>)>,
    /// Whether the run goes on when one of these fails.
    goes_on: bool,
    ids: u64,
}

fn worker(random: &mut Random, id: u64, world: &Arc<Mutex<World>>) -> Worker {
    let ticks = by_policy(random, |tick: &Tick| key(tick.0));
    Worker { id, ticks, tocks: by_policy(random, |tock: &Tock| key(tock.0)), world: Arc::clone(world) }
}

impl Case {
    fn new(random: &mut Random) -> Self {
        let world = Arc::default();
        let root = Supervisor::builder("root").intensity(1_000_000, PERIOD).backoff(backoff(5));
        let root = CHILDREN.iter().zip(0..).fold(root, |root, (id, number)| {
            let (worker, attempts) = (worker(random, number, &world), 1 + random.below(3) as u32);
            let child = Child::actor(*id, move || worker.clone()).shutdown(Shutdown::BrutalKill);
            root.child(if attempts > 1 { child.redelivery(Redelivery::Retry { attempts }) } else { child })
        });
        let mut isolate = Isolate::new(random.next_u64());
        let goes_on = random.chance(50);
        if goes_on {
            isolate.on_failure(OnFailure::GoOn);
        }
        let tree = isolate.supervise(&root).unwrap();
        Self { isolate, tree, world, running: [true; 3], loose: Vec::new(), goes_on, ids: 3 }
    }

    fn step(&mut self, random: &mut Random) {
        self.ids += 1;
        match random.below(10) {
            0..5 => {
                let fatal = self.loose.is_empty() || self.goes_on;
                self.burst(random, fatal);
            }
            5 => {
                let loose = worker(random, self.ids, &self.world);
                self.loose.push((self.ids, self.isolate.spawn(loose).unwrap()));
                self.run(0);
            }
            6 => {
                let ticks = by_policy(random, |tick: &Tick| tick.0 % 5);
                let (reads, world) = (random.below(8), Arc::clone(&self.world));
                self.isolate.spawn_service(Reader { id: self.ids, ticks, reads, world }).unwrap();
                self.run(0);
            }
            7 => {
                self.loose.iter().for_each(|(_, loose)| loose.kill());
                self.see_who_ended();
            }
            8 => {
                let child = random.index(3);
                let path = format!("root/{}", CHILDREN[child]);
                if self.running[child] {
                    at_once(self.tree.terminate_child(&path)).unwrap().unwrap();
                    self.world.lock().unwrap().present.retain(|(who, _)| *who != child as u64);
                } else {
                    at_once(self.tree.restart_child(&path)).unwrap().unwrap();
                }
                self.running[child] = !self.running[child];
            }
            _ => {}
        }
        self.check();
        self.run(random.below(4));
        self.check();
    }

    fn burst(&mut self, random: &mut Random, fatal: bool) {
        for _ in 0..random.below(40) {
            let number = match random.below(20) {
                0 if fatal => random.pick(&FATAL),
                0 | 1 => random.pick(&ANY),
                2 if self.loose.is_empty() && random.chance(20) => KEYLESS,
                _ => random.below(FAIL),
            };
            let topic = 1 + u16::from(random.chance(50));
            self.world.lock().unwrap().publishes(topic, None);
            match topic {
                1 => self.isolate.publish(Tick(number)).unwrap(),
                _ => self.isolate.publish(Tock(number)).unwrap(),
            }
        }
    }

    fn run(&mut self, ms: u64) {
        // An actor on its own may fail: then the isolate stays as it is.
        let _ = self.isolate.run_for(Duration::from_millis(ms));
        self.see_who_ended();
    }

    fn see_who_ended(&mut self) {
        let (isolate, world) = (&mut self.isolate, &self.world);
        self.loose.retain(|(id, loose)| {
            let ended = isolate.end_reason(loose).is_some();
            if ended {
                world.lock().unwrap().present.retain(|(who, _)| who != id);
            }
            !ended
        });
    }

    fn check(&self) {
        let sums = ["Tick", "Tock"].map(|name| sum(&topic(&self.isolate, name)));
        assert_eq!(sums, self.world.lock().unwrap().expected, "{:#?}", self.isolate.topics());
    }
}

fn topic(isolate: &Isolate, name: &str) -> TopicStats {
    isolate.topics().into_iter().find(|topic| topic.message == name).unwrap_or_default()
}

/// What became of the copies of all messages, one for each subscriber.
fn sum(topic: &TopicStats) -> u64 {
    let dropped = topic.dropped_oldest + topic.dropped_newest + topic.conflated + topic.dropped_unsubscribed;
    topic.delivered + topic.waiting + dropped + topic.dead_letters
}

#[test]
fn the_counters_of_an_isolate_add_up_whatever_its_subscribers_do() {
    for seed in seeds(60) {
        let mut random = Random::new(seed);
        let mut case = Case::new(&mut random);
        for _ in 0..40 {
            case.step(&mut random);
        }
        if random.chance(50) {
            // It may end the run for good.
            case.burst(&mut random, true);
            case.run(20);
            case.check();
        }
        let _ = case.isolate.shutdown();
        case.check();
    }
}

#[test]
fn what_waits_behind_an_actor_of_an_isolate_is_not_delivered() {
    let mut isolate = Isolate::new(1);
    let worker = Worker {
        id: 0,
        ticks: (Subscription::block(), false),
        tocks: (Subscription::drop_oldest().capacity(2), false),
        world: Arc::default(),
    };
    isolate.spawn(worker).unwrap();
    isolate.run().unwrap();
    isolate.publish(Tick(PARK)).unwrap();
    for number in 0..5 {
        isolate.publish(Tick(number)).unwrap();
        isolate.publish(Tock(number)).unwrap();
    }
    assert_eq!((topic(&isolate, "Tick").waiting, topic(&isolate, "Tock").waiting), (6, 5));
    isolate.run_until(Timestamp::ZERO).unwrap();
    let (ticks, tocks) = (topic(&isolate, "Tick"), topic(&isolate, "Tock"));
    assert_eq!((ticks.delivered, ticks.waiting), (0, 6), "the one whose handler waits among them");
    assert_eq!((tocks.delivered, tocks.waiting, tocks.dropped_oldest), (0, 2, 3));
    isolate.run().unwrap();
    let (ticks, tocks) = (topic(&isolate, "Tick"), topic(&isolate, "Tock"));
    assert_eq!((ticks.delivered, ticks.waiting), (6, 0));
    assert_eq!((tocks.delivered, tocks.waiting, tocks.dropped_oldest), (2, 0, 3));
}

#[test]
fn what_an_actor_had_in_hand_when_it_failed_or_was_killed_is_a_dead_letter_of_the_run() {
    let worker = Worker {
        id: 0,
        ticks: (Subscription::block(), false),
        tocks: (Subscription::block(), false),
        world: Arc::default(),
    };
    // Told to fail, or killed while its handler waits, on its own or under a supervisor.
    for (number, supervised) in [(FAIL, false), (PANIC, false), (PARK, false), (FAIL, true), (PARK, true)] {
        let mut isolate = Isolate::new(1);
        let worker = worker.clone();
        let actor = if supervised {
            let root = Supervisor::builder("root").intensity(9, PERIOD);
            let root = root.actor("worker", move || worker.clone());
            isolate.supervise(&root).unwrap().lookup::<Worker>("root/worker").unwrap()
        } else {
            isolate.spawn(worker).unwrap()
        };
        isolate.run().unwrap();
        isolate.publish(Tick(number)).unwrap();
        let _ = isolate.run_until(Timestamp::ZERO);
        if number == PARK {
            assert_eq!(isolate.stats().dead_letters, 0);
            actor.kill();
        }
        assert_eq!(topic(&isolate, "Tick").dead_letters, 1, "{number} {supervised}");
        assert_eq!(isolate.stats().dead_letters, 1, "{number} {supervised}");
    }
}
