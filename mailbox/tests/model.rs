//! Random use of the queues against plain models of them.
//!
//! A failure prints the smallest case found and the seed; proptest keeps the seed in
//! `model.proptest-regressions` and replays it first.

use std::collections::VecDeque;
use std::sync::Arc;

use mycelium_mailbox::{
    Blocker, Doorbell, Inbox, InboxOptions, Obstacle, Overflow, Source, Stamps, SubscribeOptions,
    Subscription, Topic, TryPublishError, pick,
};
use proptest::prelude::*;

#[path = "common/any.rs"]
mod any;
use any::Any;

/// What the values in a queue are: a number, a key for `Conflate`, and a witness that tells when they are
/// dropped.
trait Value: Clone + Send + Sync + 'static {
    fn new(number: u64, key: u64, witness: &Arc<()>) -> Self;
    fn number(&self) -> u64;
    fn key(&self) -> u64;
}

#[derive(Clone)]
struct Inline(u64, u64, #[allow(dead_code, reason = "counted by its Arc")] Arc<()>);

#[derive(Clone)]
struct Boxed(Inline, #[allow(dead_code, reason = "makes it large")] [u64; 8]);

impl Value for Inline {
    fn new(number: u64, key: u64, witness: &Arc<()>) -> Self {
        Self(number, key, Arc::clone(witness))
    }
    fn number(&self) -> u64 {
        self.0
    }
    fn key(&self) -> u64 {
        self.1
    }
}

impl Value for Boxed {
    fn new(number: u64, key: u64, witness: &Arc<()>) -> Self {
        Self(Inline::new(number, key, witness), [0; 8])
    }
    fn number(&self) -> u64 {
        self.0.0
    }
    fn key(&self) -> u64 {
        self.0.1
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Policy {
    Block,
    DropOldest,
    DropNewest,
    Fail,
    Conflate,
    /// `Block`, with a queue of its own.
    Apart,
}

impl Policy {
    fn overflow<V: Value>(self) -> Overflow<V> {
        match self {
            Self::Block | Self::Apart => Overflow::Block,
            Self::DropOldest => Overflow::DropOldest,
            Self::DropNewest => Overflow::DropNewest,
            Self::Fail => Overflow::Fail,
            Self::Conflate => Overflow::conflate(V::key),
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Subscribe { policy: Policy, capacity: u32, id: u64, echo: bool },
    Leave(usize),
    Publish { sender: u64, key: u64 },
    Drain(usize, usize),
}

fn policy() -> impl Strategy<Value = Policy> {
    prop_oneof![
        3 => Just(Policy::Block),
        1 => Just(Policy::DropOldest),
        1 => Just(Policy::DropNewest),
        1 => Just(Policy::Fail),
        1 => Just(Policy::Conflate),
        1 => Just(Policy::Apart),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        1 => (policy(), 1_u32..12, 0_u64..4, any::<bool>())
            .prop_map(|(policy, capacity, id, echo)| Step::Subscribe { policy, capacity, id, echo }),
        1 => any::<usize>().prop_map(Step::Leave),
        12 => (0_u64..4, 0_u64..6).prop_map(|(sender, key)| Step::Publish { sender, key }),
        6 => (any::<usize>(), 0_usize..50).prop_map(|(at, most)| Step::Drain(at, most)),
    ]
}

/// One message in a model.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Item {
    number: u64,
    key: u64,
    sender: u64,
}

/// The model of one subscriber: what it still has to get.
#[derive(Debug)]
struct Seat {
    policy: Policy,
    capacity: usize,
    id: u64,
    echo: bool,
    pending: VecDeque<Item>,
    /// Whether its last look found nothing.
    idle: bool,
}

impl Seat {
    fn skips(&self, sender: u64) -> bool {
        sender != 0 && sender == self.id && !self.echo
    }

    /// A ring subscriber keeps the place of its own messages until it gets past them.
    fn skip_own(&mut self) {
        while self.pending.front().is_some_and(|item| self.skips(item.sender)) {
            self.pending.pop_front();
        }
    }

    fn unread(&self) -> u64 {
        self.pending.iter().filter(|item| !self.skips(item.sender)).count() as u64
    }

    fn put(&mut self, item: Item, lost: &mut Lost) {
        let full = self.pending.len() >= self.capacity;
        match self.policy {
            Policy::DropNewest if full => {
                lost.newest += 1;
                return;
            }
            Policy::DropOldest if full => {
                lost.oldest += 1;
                self.pending.pop_front();
            }
            Policy::Conflate => match self.pending.iter().position(|old| old.key == item.key) {
                Some(at) => {
                    lost.conflated += 1;
                    self.pending.remove(at);
                }
                None if full => {
                    lost.oldest += 1;
                    self.pending.pop_front();
                }
                None => {}
            },
            _ => {}
        }
        self.pending.push_back(item);
    }
}

#[derive(Debug, Default, PartialEq)]
struct Lost {
    oldest: u64,
    newest: u64,
    conflated: u64,
    unread: u64,
    rejected: u64,
    published: u64,
}

/// The gates with the least room, if that is none.
fn full_gates(seats: &[Seat]) -> Vec<u64> {
    let gates = || seats.iter().filter(|seat| seat.policy == Policy::Block);
    let room = |seat: &Seat| seat.capacity as i64 - seat.pending.len() as i64;
    let least = gates().map(room).min().filter(|&least| least <= 0);
    gates().filter(|gate| Some(room(gate)) == least).map(|gate| gate.id).collect()
}

/// Whom a publish must fail for: a gate with the least room, else a full `Fail` lane, else a full lane under
/// `Block`. Nobody: none.
fn blockers(seats: &mut [Seat], sender: u64) -> Vec<Blocker> {
    if !full_gates(seats).is_empty() {
        // A subscriber that has read everything holds nobody back with what it published itself.
        let full = |seat: &&mut Seat| seat.pending.len() >= seat.capacity;
        let idle = |seat: &&mut Seat| seat.policy == Policy::Block && seat.idle;
        seats.iter_mut().filter(full).filter(idle).for_each(Seat::skip_own);
    }
    let named = |obstacle| move |subscriber| Blocker { subscriber, obstacle };
    let gates = full_gates(seats);
    if !gates.is_empty() {
        return gates.into_iter().map(named(Obstacle::Ring)).collect();
    }
    let full = |seat: &&Seat| !seat.skips(sender) && seat.pending.len() >= seat.capacity;
    let lanes = |policy, obstacle| {
        let full = seats.iter().filter(|seat| seat.policy == policy).filter(full).map(|lane| lane.id);
        full.map(named(obstacle)).collect::<Vec<_>>()
    };
    let fail = lanes(Policy::Fail, Obstacle::FailLane);
    if fail.is_empty() { lanes(Policy::Apart, Obstacle::Lane) } else { fail }
}

fn publish<V: Value>(topic: &Topic<V>, seats: &mut [Seat], item: Item, lost: &mut Lost, witness: &Arc<()>) {
    // One that is alone in its row is published as alone, where that is done at all.
    let mut row = vec![V::new(item.number, item.key, witness)];
    let in_row = item.number.is_multiple_of(2) && topic.try_publish_row(&mut row, item.sender) == 1;
    let result = row.pop().map_or(Ok(()), |value| topic.try_publish(value, item.sender));
    assert!(!in_row || seats.iter().all(|seat| seat.policy == Policy::Block) && !seats.is_empty());
    match blockers(seats, item.sender) {
        expected if !expected.is_empty() => match result {
            Err(TryPublishError::Full { message, by }) => {
                assert_eq!(message.number(), item.number);
                assert!(expected.contains(&by), "expected one of {expected:?}, was {by:?}");
                lost.rejected += 1;
            }
            other => panic!("expected {expected:?}, was {:?}", other.is_ok()),
        },
        _ => {
            assert!(result.is_ok(), "refused: {:?}", result.err().map(|error| error.to_string()));
            lost.published += u64::from(!seats.is_empty());
            for seat in seats {
                if seat.policy == Policy::Block || !seat.skips(item.sender) {
                    seat.put(item, lost);
                }
            }
        }
    }
}

fn drain<V: Value>(subscription: &mut Subscription<V>, seat: &mut Seat, most: usize) {
    for _ in 0..most {
        seat.skip_own();
        let expected = seat.pending.pop_front();
        seat.idle = expected.is_none();
        assert_eq!(subscription.head().is_some(), expected.is_some());
        let got = subscription.peek().map(|delivery| (delivery.message.number(), delivery.sender));
        assert_eq!(got, expected.map(|item| (item.number, item.sender)));
        subscription.advance();
    }
    subscription.commit();
}

fn topic_agrees<V: Value>(steps: &[Step]) {
    /// Less than most ask for, so that the ring is replaced by larger ones.
    const RING: u32 = 2;
    let witness = Arc::new(());
    let topic = Topic::<V>::new(Arc::new(Stamps::new()), RING);
    let (mut subscriptions, mut seats) = (Vec::new(), Vec::<Seat>::new());
    let mut lost = Lost::default();
    for (number, step) in steps.iter().enumerate() {
        let number = number as u64;
        match *step {
            Step::Subscribe { policy, capacity, id, echo } => {
                let options = SubscribeOptions {
                    overflow: policy.overflow(),
                    capacity: Some(capacity),
                    id,
                    echo,
                    apart: policy == Policy::Apart,
                    ..SubscribeOptions::default()
                };
                subscriptions.push(topic.subscribe(Arc::new(Doorbell::new()), options).unwrap());
                let (capacity, pending) = (capacity as usize, VecDeque::new());
                seats.push(Seat { policy, capacity, id, echo, pending, idle: true });
            }
            Step::Leave(at) if !seats.is_empty() => {
                let at = at % seats.len();
                drop(subscriptions.remove(at));
                lost.unread += seats.remove(at).unread();
            }
            Step::Publish { sender, key } => {
                publish(&topic, &mut seats, Item { number, key, sender }, &mut lost, &witness);
            }
            Step::Drain(at, most) if !seats.is_empty() => {
                let at = at % seats.len();
                drain(&mut subscriptions[at], &mut seats[at], most);
            }
            Step::Leave(_) | Step::Drain(..) => {}
        }
    }
    let stats = topic.stats();
    let counted = Lost {
        oldest: stats.dropped_oldest,
        newest: stats.dropped_newest,
        conflated: stats.conflated,
        unread: stats.unread,
        rejected: stats.rejected,
        published: stats.published,
    };
    assert_eq!(counted, lost);
    drop(subscriptions);
    assert_eq!(Arc::strong_count(&witness), 1, "values are left after the last subscriber");
}

#[derive(Clone, Debug)]
enum InboxStep {
    Send { key: u64 },
    Take(usize),
}

fn inbox_step() -> impl Strategy<Value = InboxStep> {
    prop_oneof![
        3 => (0_u64..6).prop_map(|key| InboxStep::Send { key }),
        1 => (0_usize..80).prop_map(InboxStep::Take),
    ]
}

fn inbox_agrees(policy: Policy, capacity: u32, steps: &[InboxStep]) {
    let options = InboxOptions { overflow: policy.overflow::<Inline>(), capacity, owner: 0 };
    let mut inbox = Inbox::new(Arc::new(Stamps::new()), Arc::new(Doorbell::new()), options);
    let sender = inbox.sender();
    let witness = Arc::new(());
    let (slots, pending) = (capacity as usize, VecDeque::new());
    let mut seat = Seat { policy, capacity: slots, id: 0, echo: false, pending, idle: true };
    let mut lost = Lost::default();
    for (number, step) in steps.iter().enumerate() {
        match *step {
            InboxStep::Send { key } => {
                let item = Item { number: number as u64, key, sender: 0 };
                let refuses = matches!(policy, Policy::Block | Policy::Fail | Policy::Apart);
                let expected = !refuses || seat.pending.len() < seat.capacity;
                let result = sender.try_send(Inline::new(item.number, key, &witness));
                assert_eq!(result.is_ok(), expected, "{seat:?}");
                if expected {
                    seat.put(item, &mut lost);
                } else {
                    lost.rejected += 1;
                }
            }
            InboxStep::Take(most) => {
                for _ in 0..most {
                    let expected = seat.pending.pop_front();
                    assert_eq!(inbox.head().is_some(), expected.is_some());
                    assert_eq!(inbox.take().map(|value| value.number()), expected.map(|item| item.number));
                }
                inbox.commit();
                assert_eq!(inbox.len(), seat.pending.len());
            }
        }
    }
    let stats = inbox.stats();
    assert_eq!(
        (stats.dropped_oldest, stats.dropped_newest, stats.conflated, stats.rejected),
        (lost.oldest, lost.newest, lost.conflated, lost.rejected)
    );
    drop(inbox);
    assert_eq!(Arc::strong_count(&witness), 1);
}

/// Sends to a source (topics first, then inboxes), or reads up to so many messages.
#[derive(Clone, Debug)]
enum MergeStep {
    Send(usize),
    Read(usize),
}

/// Where everything sent is visible at once, the merge must read in exactly the order of sending.
fn merge_agrees(topics: usize, lanes: usize, inboxes: usize, steps: &[MergeStep]) {
    let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
    let published: Vec<Topic<u64>> =
        (0..topics + lanes).map(|_| Topic::new(Arc::clone(&stamps), 1024)).collect();
    let subscribe = |(at, topic): (usize, &Topic<u64>)| {
        let overflow = if at < topics { Overflow::Block } else { Overflow::DropOldest };
        let options = SubscribeOptions { overflow, ..SubscribeOptions::default() };
        Any::Topic(topic.subscribe(Arc::clone(&bell), options).unwrap())
    };
    let mut sources: Vec<Any<u64>> = published.iter().enumerate().map(subscribe).collect();
    let mut senders = Vec::new();
    for _ in 0..inboxes {
        let inbox = Inbox::new(Arc::clone(&stamps), Arc::clone(&bell), InboxOptions::default());
        senders.push(inbox.sender());
        sources.push(Any::Inbox(inbox));
    }
    let (mut sent, mut next) = (0, 0);
    for step in steps {
        match *step {
            MergeStep::Send(to) => {
                let to = to % sources.len();
                match to.checked_sub(published.len()) {
                    Some(inbox) => senders[inbox].try_send(sent).unwrap(),
                    None => published[to].try_publish(sent, 0).unwrap(),
                }
                sent += 1;
            }
            MergeStep::Read(most) => {
                let until = sent.min(next + most as u64);
                while next < until {
                    let picked = pick(&mut sources).expect("messages are left");
                    let source = &mut sources[picked.index];
                    while let Some((number, stamp)) = source.front().filter(|_| next < until) {
                        if stamp >= picked.below {
                            break;
                        }
                        assert_eq!(number, next);
                        next += 1;
                        source.advance();
                    }
                }
            }
        }
    }
}

const CASES: u32 = if cfg!(miri) { 4 } else { 400 };

proptest! {
    #![proptest_config(ProptestConfig { cases: CASES, ..ProptestConfig::default() })]

    #[test]
    fn a_topic_does_what_its_model_does(steps in proptest::collection::vec(step(), 0..200)) {
        topic_agrees::<Inline>(&steps);
        topic_agrees::<Boxed>(&steps);
    }

    #[test]
    fn an_inbox_does_what_its_model_does(
        policy in policy(),
        capacity in 1_u32..100,
        steps in proptest::collection::vec(inbox_step(), 0..300),
    ) {
        inbox_agrees(policy, capacity, &steps);
    }

    #[test]
    fn the_merge_reads_in_the_order_of_sending(
        topics in 1_usize..5,
        lanes in 0_usize..3,
        inboxes in 0_usize..70,
        steps in proptest::collection::vec(
            prop_oneof![3 => any::<usize>().prop_map(MergeStep::Send), 1 => (0_usize..60).prop_map(MergeStep::Read)],
            0..200,
        ),
    ) {
        merge_agrees(topics, lanes, inboxes, &steps);
    }
}
