//! What tests of the topic count.

use std::cell::Cell;

#[cfg(not(loom))]
#[path = "../../tests/common/heap.rs"]
mod heap;

#[cfg(not(loom))]
#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
    /// What this thread had allocated when its section began.
    static BEGUN_AT: Cell<u64> = const { Cell::new(0) };
    static ALLOCATED_INSIDE: Cell<u64> = const { Cell::new(0) };
    static SECTIONS: Cell<u64> = const { Cell::new(0) };
}

/// A seat's place is looked at, or changes.
pub(super) fn count_step() {
    STEPS.set(STEPS.get() + 1);
}

/// How often this thread has looked at the place of a seat, or has changed it.
#[cfg(not(loom))]
pub(super) fn steps() -> u64 {
    STEPS.get()
}

/// The critical section of a topic begins.
pub(super) fn section_begins() {
    SECTIONS.set(SECTIONS.get() + 1);
    BEGUN_AT.set(allocations());
}

/// It ends.
pub(super) fn section_ends() {
    ALLOCATED_INSIDE.set(ALLOCATED_INSIDE.get() + allocations() - BEGUN_AT.get());
}

#[cfg(not(loom))]
fn allocations() -> u64 {
    heap::made_by_this_thread()
}

/// Not counted in models.
#[cfg(loom)]
fn allocations() -> u64 {
    0
}

/// How often this thread has allocated inside the critical sections of topics while `run` ran.
#[cfg(not(loom))]
fn allocated_inside(run: impl FnOnce()) -> u64 {
    let before = ALLOCATED_INSIDE.get();
    run();
    ALLOCATED_INSIDE.get() - before
}

/// How often this thread has had the locks of topics while `run` ran.
#[cfg(not(loom))]
fn sections(run: impl FnOnce()) -> u64 {
    let before = SECTIONS.get();
    run();
    SECTIONS.get() - before
}

#[cfg(not(loom))]
mod critical_section {
    use std::sync::{Arc, Weak};

    use super::{allocated_inside, sections};
    use crate::{Doorbell, Overflow, Retain, Source, Stamps, SubscribeOptions, Subscription, Topic};

    /// More than `Few` has room for in place.
    const MANY: usize = 9;
    const ROUNDS: u64 = 100;

    /// Has a destructor, and its clones allocate nothing.
    type Shared = Arc<u64>;

    fn topic<M: Clone + Send + Sync + 'static>() -> Topic<M> {
        Topic::new(Arc::new(Stamps::new()), 64)
    }

    fn subscribe<M: Clone + Send + Sync + 'static>(
        topic: &Topic<M>,
        overflow: Overflow<M>,
        id: u64,
    ) -> Subscription<M> {
        let options = SubscribeOptions { overflow, capacity: Some(8), id, ..SubscribeOptions::default() };
        topic.subscribe(Arc::new(Doorbell::new()), options).unwrap()
    }

    fn read<M: Clone + Send + Sync + 'static>(queue: &mut Subscription<M>) -> usize {
        std::iter::from_fn(|| queue.head().map(|_| queue.advance())).count()
    }

    #[test]
    fn a_reader_takes_the_lock_for_messages_and_for_places_that_it_frees_and_for_nothing_else() {
        // Of those who drop the oldest, one message is taken at a time, and none in hand takes a place.
        for (overflow, locks) in [(Overflow::DropOldest, [1, 0]), (Overflow::DropNewest, [1, 1])] {
            let topic = topic::<u64>();
            let mut queue = subscribe(&topic, overflow, 0);
            for number in 0..3 {
                topic.try_publish(number, 0).unwrap();
                assert_eq!(sections(|| assert!(queue.head().is_some())), locks[0]);
                assert_eq!(sections(|| queue.advance()), 0);
                assert_eq!(sections(|| queue.commit()), locks[1]);
                assert_eq!(sections(|| assert!(queue.head().is_none())), 0, "nothing waits");
            }
        }
    }

    #[test]
    fn an_allocation_inside_is_seen() {
        let topic = topic::<Shared>();
        assert!(
            allocated_inside(|| drop(subscribe(&topic, Overflow::Block, 0))) > 0,
            "lists of subscribers grow"
        );
    }

    #[test]
    fn a_publish_that_displaces_many_messages_allocates_nothing_inside() {
        let ways = [|| Overflow::DropOldest, || Overflow::conflate(|number: &Shared| **number % 3)];
        for (way, with_gate) in ways.into_iter().flat_map(|way| [(way, false), (way, true)]) {
            let topic = topic::<Shared>();
            let mut gate = with_gate.then(|| subscribe(&topic, Overflow::Block, 0));
            let lanes: Vec<_> = (0..MANY).map(|_| subscribe(&topic, way(), 0)).collect();
            let mut publish = |number| {
                topic.try_publish(Arc::new(number), 0).unwrap();
                gate.iter_mut().for_each(|gate| assert_eq!(read(gate), 1));
            };
            // The lanes are full then, and have all the room they need.
            (0..16).for_each(&mut publish);
            let displaced = |topic: &Topic<Shared>| {
                let stats = topic.stats();
                stats.dropped_oldest + stats.conflated
            };
            let before = displaced(&topic);
            assert_eq!(allocated_inside(|| (0..ROUNDS).for_each(&mut publish)), 0, "gate: {with_gate}");
            assert_eq!(displaced(&topic) - before, ROUNDS * MANY as u64);
            drop(lanes);
        }
    }

    #[test]
    fn a_publish_that_is_retained_allocates_nothing_inside() {
        let key = Arc::new(|number: &Shared| **number % 3);
        for retain in [Retain::Last(3), Retain::LastPerKey { key, keys_max: 2 }] {
            let topic = Topic::<Shared>::retaining(Arc::new(Stamps::new()), 64, retain);
            let mut gate = subscribe(&topic, Overflow::Block, 0);
            let mut publish = |number| {
                topic.try_publish(Arc::new(number), 0).unwrap();
                assert_eq!(read(&mut gate), 1);
            };
            (0..16).for_each(&mut publish);
            assert_eq!(allocated_inside(|| (0..ROUNDS).for_each(&mut publish)), 0);
        }
    }

    #[test]
    fn lanes_that_come_between_two_publishes_find_room_for_what_they_displace() {
        let topic = topic::<Shared>();
        let mut lanes = Vec::new();
        let tokens: Vec<Weak<u64>> = (0..300_u64)
            .map(|number| {
                lanes.push(subscribe(&topic, Overflow::DropOldest, 0));
                let message = Arc::new(number);
                let token = Arc::downgrade(&message);
                topic.try_publish(message, 0).unwrap();
                token
            })
            .collect();
        let held = tokens.iter().filter(|token| token.strong_count() > 0).count();
        assert_eq!(held, 8, "each lane holds its last eight, and what they displaced is gone");
    }

    type Hook = Box<dyn FnOnce() + Send + Sync>;

    /// Runs its hook when the last copy is dropped.
    #[derive(Clone)]
    struct Hooked(#[allow(dead_code, reason = "dropped")] Arc<OnDrop>);

    struct OnDrop(Option<Hook>);

    impl Drop for OnDrop {
        fn drop(&mut self) {
            self.0.take().into_iter().for_each(|hook| hook());
        }
    }

    fn hooked(hook: Option<Hook>) -> Hooked {
        Hooked(Arc::new(OnDrop(hook)))
    }

    #[test]
    fn who_leaves_allocates_nothing_inside_whatever_is_published_meanwhile() {
        for more in 0..=7_u64 {
            let topic = topic::<Hooked>();
            let queue = subscribe(&topic, Overflow::Block, 0);
            let inner = topic.clone();
            let publish_more: Hook = Box::new(move || {
                (0..more).for_each(|_| assert!(inner.try_publish(hooked(None), 0).is_ok()));
            });
            assert!(topic.try_publish(hooked(Some(publish_more)), 0).is_ok());
            // The first one is dropped before the critical section, and so more come.
            assert_eq!(allocated_inside(|| drop(queue)), 0, "{more} more");
            let stats = topic.stats();
            assert_eq!((stats.published, stats.unread), (more + 1, more + 1));
        }
    }

    #[test]
    fn who_leaves_lets_older_rings_go_and_allocates_nothing_inside() {
        let topic = topic::<Shared>();
        let small = subscribe(&topic, Overflow::Block, 0);
        let others: Vec<_> = [128, 256, 512, 1024, 2048, 4096]
            .map(|capacity| {
                let options = SubscribeOptions { capacity: Some(capacity), ..SubscribeOptions::default() };
                topic.subscribe(Arc::new(Doorbell::new()), options).unwrap()
            })
            .into();
        topic.try_publish(Arc::new(1), 0).unwrap();
        assert_eq!(allocated_inside(|| drop((small, others))), 0);
        assert_eq!(topic.stats().unread, 7);
    }

    #[test]
    fn an_idle_subscriber_is_moved_past_its_own_messages_without_an_allocation_inside() {
        const OWN: u64 = 7;
        // The second is moved past more than at once.
        for capacity in [8, 700] {
            let topic = topic::<Shared>();
            let subscribe = |id| {
                let options =
                    SubscribeOptions { id, capacity: Some(capacity), ..SubscribeOptions::default() };
                topic.subscribe(Arc::new(Doorbell::new()), options).unwrap()
            };
            let (mut own, mut other) = (subscribe(OWN), subscribe(0));
            let message = Arc::new(1);
            let mut publish = |_| {
                topic.try_publish(Arc::clone(&message), OWN).unwrap();
                assert_eq!(read(&mut other), 1);
                // Those that it was not moved past wait for it, to be dropped.
                assert!(Arc::strong_count(&message) <= capacity as usize + 1);
            };
            publish(0);
            assert_eq!(read(&mut own), 0);
            assert_eq!(allocated_inside(|| (0..3_000).for_each(&mut publish)), 0, "capacity {capacity}");
            drop(own);
            assert_eq!(Arc::strong_count(&message), 1);
        }
    }
}
