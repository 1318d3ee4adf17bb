//! Every message that a topic took is somewhere: handled, waiting, dropped by a policy, left behind, or a
//! dead letter. At rest the counters of a topic add up, whatever its subscribers do.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::tree::{Builder, Child, ChildStatus, Redelivery, Shutdown};
use mycelium::{Actor, BoxError, Context, Handler, Responder, Subscription, Supervisor, TopicStats};
use mycelium_random::{Random, seeds};

use crate::common::{Flush, PERIOD, Tick, backoff};
use crate::host::Host;

/// What a message does to an actor, by its number.
const FAIL: u64 = 1_000;
const PANIC: u64 = 2_000;
const PARK: u64 = 3_000;
const PARK_AND_FAIL: u64 = 4_000;
/// The actor takes no more of this topic in this life.
const LEAVE: u64 = 5_000;

const CHILDREN: [&str; 3] = ["a", "b", "c"];
/// More than are published in one case, so that nobody is ever refused (messages).
const ROOM: usize = 4_096;

#[derive(Clone)]
struct Worker {
    id: &'static str,
    ticks: Subscription<Tick>,
    /// Who is subscribed.
    present: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl Actor for Worker {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.subscribe(self.ticks)?;
        self.present.lock().unwrap().insert(self.id);
        Ok(())
    }
}
impl Handler<Tick> for Worker {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if matches!(tick.0, PARK | PARK_AND_FAIL) {
            ctx.sleep(Duration::from_millis(3)).await;
        }
        match tick.0 {
            PANIC => panic!("told to"),
            FAIL | PARK_AND_FAIL => return Err("told to".into()),
            LEAVE => {
                ctx.unsubscribe::<Tick>();
                self.present.lock().unwrap().remove(self.id);
            }
            _ => {}
        }
        Ok(())
    }
}
impl Responder<Flush> for Worker {
    type Reply = ();
    async fn answer(&mut self, _: &Flush, _: &mut Context<Self>) {}
}

/// What became of the copies of all messages, one for each subscriber.
fn sum(topic: &TopicStats) -> u64 {
    let dropped = topic.dropped_oldest + topic.dropped_newest + topic.conflated + topic.dropped_unsubscribed;
    topic.delivered + topic.waiting + dropped + topic.dead_letters
}

fn by_policy(random: &mut Random) -> Subscription<Tick> {
    match random.below(5) {
        0 | 1 => Subscription::block().capacity(ROOM),
        2 => Subscription::drop_oldest().capacity(1 + random.index(10)),
        3 => Subscription::drop_newest().capacity(1 + random.index(10)),
        _ => Subscription::conflate(|tick: &Tick| tick.0 % 7).capacity(1 + random.index(4)),
    }
}

fn tree(random: &mut Random, present: &Arc<Mutex<BTreeSet<&'static str>>>) -> Builder {
    let root = Supervisor::builder("root").intensity(1_000_000, PERIOD).backoff(backoff(2));
    CHILDREN.iter().fold(root, |root, id| {
        let worker = Worker { id, ticks: by_policy(random), present: Arc::clone(present) };
        let attempts = 1 + random.below(3) as u32;
        let child = Child::actor(*id, move || worker.clone()).shutdown(Shutdown::BrutalKill);
        root.child(if attempts > 1 { child.redelivery(Redelivery::Retry { attempts }) } else { child })
    })
}

/// The counters, which add up to that at rest. Beside this thread, an actor that sleeps may go on in the
/// middle of a look, which is then none at rest.
fn look_at_rest<H: Host>(host: &mut H, expected: u64) -> TopicStats {
    let mut topic = host.topic::<Tick>();
    for _ in 0..100 {
        if H::OFFERS.exact_time || sum(&topic) == expected {
            break;
        }
        host.advance(Duration::from_millis(1));
        topic = host.topic::<Tick>();
    }
    topic
}

conformance!(at_rest_the_counters_of_a_topic_add_up_whatever_its_subscribers_do);
fn at_rest_the_counters_of_a_topic_add_up_whatever_its_subscribers_do<H: Host>() {
    for seed in seeds(10) {
        let (mut host, mut random) = (H::new(), Random::new(seed));
        let present = Arc::<Mutex<BTreeSet<&'static str>>>::default();
        let tree = host.supervise(tree(&mut random, &present)).unwrap();
        let mut expected = 0;
        let mut running = CHILDREN.map(|_| true);
        for _ in 0..100 {
            host.settle();
            if expected > 0 {
                let topic = look_at_rest(&mut host, expected);
                assert_eq!(sum(&topic), expected, "{topic:?}");
            }
            match random.below(20) {
                0 | 1 => host.advance(Duration::from_millis(1 + random.below(4))),
                2 => {
                    let child = random.index(CHILDREN.len());
                    let path = format!("root/{}", CHILDREN[child]);
                    if running[child] {
                        host.terminate_child(&tree, &path).unwrap();
                        present.lock().unwrap().remove(CHILDREN[child]);
                    } else {
                        host.restart_child(&tree, &path).unwrap();
                    }
                    running[child] ^= true;
                }
                kind => {
                    let all = [FAIL, PANIC, PARK, PARK_AND_FAIL, LEAVE];
                    let mut number = if kind < 6 { random.pick(&all) } else { random.below(FAIL) };
                    let at_rest = || host.topic::<Tick>().waiting == 0 && tree.pending_restarts().is_empty();
                    if number == LEAVE && !H::OFFERS.exact_time && !at_rest() {
                        // Beside this thread, it might be handled while this one counts who is there.
                        number = 0;
                    }
                    expected += present.lock().unwrap().len() as u64;
                    host.publish(Tick(number)).unwrap();
                }
            }
        }
        host.shutdown();
        let topic = host.topic::<Tick>();
        assert_eq!((sum(&topic), topic.waiting), (expected, 0), "{topic:?}");
    }
}

conformance!(what_an_actor_has_handled_is_counted_while_it_waits_in_its_backoff);
fn what_an_actor_has_handled_is_counted_while_it_waits_in_its_backoff<H: Host>() {
    for ticks in [Subscription::block(), Subscription::drop_oldest(), Subscription::drop_newest()] {
        let mut host = H::new();
        let worker = Worker { id: "worker", ticks, present: Arc::default() };
        let root = Supervisor::builder("root").intensity(9, PERIOD).backoff(backoff(30_000));
        let tree = host.supervise(root.actor("worker", move || worker.clone())).unwrap();
        for number in 1..=100 {
            host.try_publish(Tick(if number == 40 { PANIC } else { number })).unwrap();
        }
        host.settle();
        assert!(matches!(host.status(&tree, "root/worker"), Some(ChildStatus::Waiting { .. })));
        let TopicStats { published, delivered, waiting, dead_letters, .. } = host.topic::<Tick>();
        assert_eq!((published, delivered, dead_letters, waiting), (100, 39, 1, 60), "{ticks:?}");
        host.shutdown();
    }
}

conformance!(who_leaves_a_topic_leaves_no_gap_in_its_counters);
fn who_leaves_a_topic_leaves_no_gap_in_its_counters<H: Host>() {
    for ticks in [Subscription::block(), Subscription::drop_oldest()] {
        let mut host = H::new();
        let worker = host.spawn(Worker { id: "worker", ticks, present: Arc::default() }).unwrap();
        host.ask(&worker, Flush).unwrap();
        for number in [1, 2, PARK, 3, LEAVE, 4, 5] {
            host.publish(Tick(number)).unwrap();
        }
        host.ask(&worker, Flush).unwrap();
        host.settle();
        let TopicStats { published, delivered, waiting, dropped_unsubscribed, .. } = host.topic::<Tick>();
        assert_eq!((published, delivered, waiting, dropped_unsubscribed), (7, 5, 0, 2), "{ticks:?}");
    }
}
