//! Many subscribers of one topic in an isolate: to come and to leave costs each the same, and the order is
//! kept.

#[path = "../../mailbox/tests/common/heap.rs"]
mod heap;

mod common;

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use common::wire::{Mine, Price};
use heap::made_by_this_thread;
use mycelium::{
    Actor, ActorRef, BoxError, Context, Handler, Isolate, Message, OnFailure, Service, ServiceContext,
    Subscription, Subscriptions, Supervisor, WireMessage,
};
use mycelium_random::{Random, seeds};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

#[derive(Clone, Copy, Debug)]
enum Way {
    Typed,
    Bytes,
    Service,
    Outside,
}

struct Typed;
impl Actor for Typed {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Price>();
    }
}
impl Handler<Price> for Typed {
    async fn handle(&mut self, _: &Price, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}

struct Bytes;
impl Actor for Bytes {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_wire(Price::TOPIC);
    }
}
impl Handler<WireMessage> for Bytes {
    async fn handle(&mut self, _: &WireMessage, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}

/// Has so many subscribers, which leave in the order in which they came.
struct Subscribes(u64);
impl Service for Subscribes {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let subscribers: Result<VecDeque<_>, _> =
            (0..self.0).map(|_| ctx.subscribe(Subscription::<Price>::block())).collect();
        ctx.publish(Price { at: 1 }).await?;
        subscribers?.into_iter().for_each(drop);
        Ok(())
    }
}

/// Makes a crowd, hands it a message and ends it.
fn crowd(way: Way, subscribers: u64) {
    let mut isolate = Isolate::new(1);
    isolate.contract(Mine);
    let mut outside = VecDeque::new();
    for _ in 0..subscribers {
        match way {
            Way::Typed => drop(isolate.spawn(Typed).unwrap()),
            Way::Bytes => drop(isolate.spawn(Bytes).unwrap()),
            Way::Service => {}
            Way::Outside => outside.push_back(isolate.subscribe_wire(Price::TOPIC).unwrap()),
        }
    }
    if let Way::Service = way {
        isolate.spawn_service(Subscribes(subscribers)).unwrap();
    }
    isolate.run().unwrap();
    isolate.publish(Price { at: 1 }).unwrap();
    isolate.run().unwrap();
    outside.into_iter().for_each(drop);
    isolate.shutdown().unwrap();
}

#[test]
fn coming_and_leaving_allocates_the_same_in_a_crowd_of_any_size() {
    for way in [Way::Typed, Way::Bytes, Way::Service, Way::Outside] {
        let each = |subscribers| {
            let before = made_by_this_thread();
            crowd(way, subscribers);
            (made_by_this_thread() - before) / subscribers
        };
        crowd(way, 64);
        let (few, many) = (each(64), each(2_048));
        assert!(many <= 2 * few, "{way:?}: {many} allocations for one of 2,048, {few} for one of 64");
    }
}

/// Looks its neighbour up when it starts.
struct Neighbour(u64);
impl Actor for Neighbour {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let last = format!("root/{}", self.0.saturating_sub(1));
        let there = ctx.lookup::<Self>(&last).ok_or("it has started before")?;
        assert!(there.is_alive());
        let next = format!("root/{}", self.0 + 1);
        assert!(ctx.lookup::<Self>(&next).is_none(), "it has not started");
        Ok(())
    }
}

#[test]
fn children_find_each_other_at_the_same_cost_in_a_family_of_any_size() {
    let each = |children: u64| {
        let mut root = Supervisor::builder("root");
        for number in 0..children {
            root = root.actor(number.to_string(), move || Neighbour(number));
        }
        let mut isolate = Isolate::new(1);
        let before = made_by_this_thread();
        let tree = isolate.supervise(&root).unwrap();
        let made = (made_by_this_thread() - before) / children;
        assert!(tree.lookup::<Neighbour>(&format!("root/{}", children - 1)).is_some());
        made
    };
    each(64);
    let (few, many) = (each(64), each(2_048));
    assert!(many <= few, "{many} allocations for one of 2,048, {few} for one of 64");
}

#[test]
fn sixty_five_thousand_come_and_leave_in_each_way() {
    for way in [Way::Typed, Way::Bytes, Way::Service, Way::Outside] {
        crowd(way, 65_536);
    }
}

/// What the actor `by` does while it handles this.
#[derive(Clone, Debug)]
struct Deed {
    number: u64,
    by: usize,
    acts: Vec<Act>,
}
impl Message for Deed {
    const NAME: &'static str = "Deed";
    const TYPE_ID: u16 = 50;
    const TOPIC: &'static str = "deeds";
}

#[derive(Clone, Debug)]
enum Act {
    Leave,
    Come,
    Say(Deed),
    Kill(usize),
    Panic,
}

/// Told to an actor: it subscribes.
#[derive(Clone, Debug)]
struct Come;

type Heard = Arc<Mutex<Vec<(usize, u64)>>>;

struct Doer {
    me: usize,
    all: Arc<Mutex<Vec<ActorRef<Doer>>>>,
    heard: Heard,
}

impl Actor for Doer {
    type Error = BoxError;
}

impl Handler<Come> for Doer {
    async fn handle(&mut self, _: &Come, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(ctx.subscribe(Subscription::<Deed>::block())?)
    }
}

impl Handler<Deed> for Doer {
    async fn handle(&mut self, deed: &Deed, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.lock().unwrap().push((self.me, deed.number));
        for act in deed.acts.iter().filter(|_| deed.by == self.me) {
            match act {
                Act::Leave => ctx.unsubscribe::<Deed>(),
                Act::Come => ctx.subscribe(Subscription::<Deed>::block())?,
                Act::Say(deed) => ctx.publish(deed.clone()).await?,
                Act::Kill(other) => {
                    let other = self.all.lock().unwrap()[*other].clone();
                    other.kill();
                }
                Act::Panic => panic!("as it was told"),
            }
        }
        Ok(())
    }
}

/// What is to happen, in order, and who hears what then.
#[derive(Default)]
struct Model {
    /// The receivers in the order in which they came, with how many deeds had been published before.
    list: Vec<(usize, u64)>,
    gone: Vec<usize>,
    published: u64,
    events: VecDeque<Event>,
    heard: Vec<(usize, u64)>,
    /// How often one has panicked over a deed, which is a dead letter then.
    failed: u64,
}

enum Event {
    Come(usize),
    Deed { at: u64, sender: Option<usize>, deed: Deed },
}

impl Model {
    fn publish(&mut self, sender: Option<usize>, deed: &Deed) {
        if !self.list.is_empty() {
            self.events.push_back(Event::Deed { at: self.published, sender, deed: deed.clone() });
            self.published += 1;
        }
    }

    fn come(&mut self, who: usize) {
        if !self.gone.contains(&who) && self.list.iter().all(|(other, _)| *other != who) {
            self.list.push((who, self.published));
        }
    }

    fn leave(&mut self, who: usize) {
        self.list.retain(|(other, _)| *other != who);
    }

    fn run(&mut self) {
        while let Some(event) = self.events.pop_front() {
            match event {
                Event::Come(who) => self.come(who),
                Event::Deed { at, sender, deed } => {
                    for (who, since) in self.list.clone() {
                        if since <= at && sender != Some(who) && !self.gone.contains(&who) {
                            self.heard.push((who, deed.number));
                            if deed.by == who {
                                self.act(who, &deed.acts);
                            }
                        }
                    }
                }
            }
        }
    }

    fn act(&mut self, who: usize, acts: &[Act]) {
        for act in acts {
            match act {
                Act::Leave => self.leave(who),
                Act::Come => self.come(who),
                Act::Say(deed) => self.publish(Some(who), deed),
                Act::Kill(other) => self.end(*other),
                Act::Panic => {
                    self.failed += 1;
                    self.end(who);
                }
            }
        }
    }

    fn end(&mut self, who: usize) {
        self.gone.push(who);
        self.leave(who);
    }
}

const DOERS: usize = 40;

fn deed(random: &mut Random, depth: usize) -> Deed {
    let by = random.index(DOERS);
    let act = |random: &mut Random| match random.below(40) {
        0 => Act::Kill((by + 1 + random.index(DOERS - 1)) % DOERS),
        1 => Act::Panic,
        2..14 => Act::Leave,
        14..27 => Act::Come,
        _ if depth > 0 => Act::Say(deed(random, depth - 1)),
        _ => Act::Leave,
    };
    let mut acts: Vec<_> = (0..random.below(5)).map(|_| act(random)).collect();
    if let Some(at) = acts.iter().position(|act| matches!(act, Act::Panic)) {
        acts.truncate(at + 1);
    }
    Deed { number: random.next_u64(), by, acts }
}

#[test]
fn whoever_comes_leaves_or_fails_while_a_message_goes_round_the_order_is_that_in_which_they_came() {
    for seed in seeds(60) {
        let (mut random, mut isolate, mut model) = (Random::new(seed), Isolate::new(seed), Model::default());
        isolate.on_failure(OnFailure::GoOn);
        let (all, heard) = (Arc::default(), Heard::default());
        for me in 0..DOERS {
            let doer = Doer { me, all: Arc::clone(&all), heard: Arc::clone(&heard) };
            let doer = isolate.spawn(doer).unwrap();
            all.lock().unwrap().push(doer);
        }
        isolate.run().unwrap();
        for _ in 0..30 {
            for _ in 0..random.below(20) {
                if random.chance(60) {
                    let who = random.index(DOERS);
                    let to = all.lock().unwrap()[who].clone();
                    if isolate.tell(&to, Come).is_ok() {
                        model.events.push_back(Event::Come(who));
                    }
                } else {
                    let deed = deed(&mut random, 2);
                    model.publish(None, &deed);
                    isolate.publish(deed).unwrap();
                }
            }
            isolate.run().unwrap();
            model.run();
            assert_eq!(*heard.lock().unwrap(), model.heard, "seed {seed}");
        }
        let topics = isolate.topics();
        for topic in topics.iter().filter(|topic| topic.message == Deed::NAME) {
            assert_eq!((topic.published, topic.waiting), (model.published, 0), "seed {seed}");
            let handled = model.heard.len() as u64 - model.failed;
            assert_eq!(topic.delivered, handled, "seed {seed}: {topic:?}");
        }
    }
}
