//! The bounded store behind inboxes and lanes, and behind the queues of an isolate: plain data and
//! decisions, no synchronization. This alone says what each policy does when it is full.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};

use crate::policy::Overflow;

/// How many messages a receiver takes out of a queue at once.
pub(crate) const BATCH: usize = 32;
/// How many sleeps in a row must find a store mostly unused before it gives memory back.
const CALM_SLEEPS: u8 = 8;
/// A store this small is never shrunk.
const KEEP_ENTRIES: usize = 16;
/// First allocation of a store.
const FIRST_ENTRIES: usize = 4;
/// End of a linked list inside [`Latest`].
const NONE: u32 = u32::MAX;

/// What a full [`Backlog`] does; [`crate::Overflow`] without the message type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// Hands the value back: `Block` and `Fail`.
    Refuse,
    /// Drops the oldest for the new one.
    DropOldest,
    /// Drops the new one.
    DropNewest,
    /// Keeps the latest of each key; drops the oldest for a new key.
    Conflate,
}

impl<M> From<&Overflow<M>> for WhenFull {
    fn from(overflow: &Overflow<M>) -> Self {
        match overflow {
            Overflow::Block | Overflow::Fail => Self::Refuse,
            Overflow::DropOldest => Self::DropOldest,
            Overflow::DropNewest => Self::DropNewest,
            Overflow::Conflate(_) => Self::Conflate,
        }
    }
}

/// What became of a value that a [`Backlog`] was offered.
#[derive(Debug, PartialEq, Eq)]
pub enum Offered<T> {
    /// It waits, and nothing was dropped for it.
    Stored,
    /// Not stored: full.
    Refused(T),
    /// Stored; this older one was dropped for it.
    DroppedOldest(T),
    /// This very value was dropped.
    DroppedNewest(T),
    /// Stored; this older one of the same key was replaced.
    Conflated(T),
}

/// A bounded queue and what it does when it is full, for one thread or behind a lock.
///
/// ```
/// use mycelium_mailbox::{Backlog, Offered, WhenFull};
///
/// let mut latest = Backlog::new(WhenFull::Conflate, 2);
/// assert_eq!(latest.offer("bid 10", 1), Offered::Stored);
/// assert_eq!(latest.offer("ask 12", 2), Offered::Stored);
/// assert_eq!(latest.offer("bid 11", 1), Offered::Conflated("bid 10"));
/// assert_eq!(latest.offer("trade 11", 3), Offered::DroppedOldest("ask 12"));
/// assert_eq!((latest.pop(), latest.len()), (Some("bid 11"), 1));
/// ```
#[derive(Debug)]
pub struct Backlog<T> {
    store: Store<T>,
    capacity: u32,
    /// Entries in the receiver's batch. They count against the capacity of the policies that lose nothing
    /// old.
    in_hand: u32,
    high_water: u32,
    calm: u8,
    when_full: WhenFull,
}

#[derive(Debug)]
enum Store<T> {
    Fifo(VecDeque<T>),
    Latest(Box<Latest<T>>),
}

impl<T> Backlog<T> {
    /// An empty store that allocates nothing yet, except for `Conflate`, whose index lives on the heap.
    #[must_use]
    pub fn new(when_full: WhenFull, capacity: u32) -> Self {
        let store = match when_full {
            WhenFull::Conflate => Store::Latest(Box::new(Latest::new())),
            _ => Store::Fifo(VecDeque::new()),
        };
        Self { store, capacity, in_hand: 0, high_water: 0, calm: 0, when_full }
    }

    /// How many values wait.
    #[must_use]
    pub fn len(&self) -> usize {
        match &self.store {
            Store::Fifo(queue) => queue.len(),
            Store::Latest(latest) => latest.len(),
        }
    }

    /// Whether nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The oldest value.
    #[must_use]
    pub fn front(&self) -> Option<&T> {
        match &self.store {
            Store::Fifo(queue) => queue.front(),
            Store::Latest(latest) => latest.nodes.get(latest.oldest as usize)?.value.as_ref(),
        }
    }

    /// Whether the next value would be dropped on the spot.
    #[must_use]
    pub fn drops_next(&self) -> bool {
        self.when_full == WhenFull::DropNewest && self.is_full()
    }

    /// [`len`](Self::len), which is at most the capacity, in the capacity's type.
    #[inline]
    pub(crate) fn count(&self) -> u32 {
        u32::try_from(self.len()).unwrap_or(u32::MAX)
    }

    pub(crate) fn capacity(&self) -> u32 {
        self.capacity
    }

    /// What it does when it is full.
    #[must_use]
    pub fn when_full(&self) -> WhenFull {
        self.when_full
    }

    /// Whether as many values wait as its capacity says.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.load() >= self.capacity as usize
    }

    /// Values that wait, and those of the receiver's batch.
    pub(crate) fn load(&self) -> usize {
        self.len() + self.in_hand as usize
    }

    /// Whether [`push`](Self::push) displaces nothing, the common case; else [`offer`](Self::offer) decides.
    #[inline]
    pub(crate) fn has_place(&self) -> bool {
        match &self.store {
            Store::Fifo(queue) => queue.len() + (self.in_hand as usize) < self.capacity as usize,
            Store::Latest(_) => false,
        }
    }

    /// Takes the oldest value.
    #[inline]
    pub fn pop(&mut self) -> Option<T> {
        match &mut self.store {
            Store::Fifo(queue) => queue.pop_front(),
            Store::Latest(latest) => latest.pop_oldest(),
        }
    }

    /// Stores `value` even if that is one more than the capacity: what a full queue has to take, because its
    /// sender was let through before it was full, or which is no message. Not for [`WhenFull::Conflate`].
    #[inline(always)] // A call would copy the value twice more.
    pub fn push(&mut self, value: T) {
        if let Store::Fifo(queue) = &mut self.store {
            if queue.len() == queue.capacity() {
                grow(queue, self.capacity as usize);
            }
            queue.push_back(value);
        }
    }

    /// What [`push`](Self::push) has stored last, as long as that waits.
    #[inline]
    pub(crate) fn newest_mut(&mut self) -> Option<&mut T> {
        if let Store::Fifo(queue) = &mut self.store { queue.back_mut() } else { None }
    }

    /// Stores `value` or says what happened instead. `key` matters to `Conflate` only.
    #[inline]
    pub fn offer(&mut self, value: T, key: u64) -> Offered<T> {
        if self.has_place() {
            self.push(value);
            return Offered::Stored;
        }
        match &mut self.store {
            Store::Latest(latest) => latest.put(key, value, self.capacity as usize),
            Store::Fifo(queue) => match self.when_full {
                WhenFull::DropNewest => Offered::DroppedNewest(value),
                WhenFull::DropOldest => {
                    let dropped = queue.pop_front();
                    queue.push_back(value);
                    dropped.map_or(Offered::Stored, Offered::DroppedOldest)
                }
                WhenFull::Refuse | WhenFull::Conflate => Offered::Refused(value),
            },
        }
    }

    /// Moves the next batch, `most` messages, into the receiver's empty `hand` and says how many places that
    /// freed.
    ///
    /// The policies that replace old messages hand out one at a time, so that what waits stays replaceable.
    #[inline(always)] // Its callers are the receivers' looks behind an empty hand.
    pub(crate) fn take(&mut self, hand: &mut VecDeque<T>, most: usize) -> usize {
        debug_assert!(hand.is_empty(), "the batch before was handled");
        let freed = std::mem::take(&mut self.in_hand) as usize;
        self.high_water = self.high_water.max(self.count());
        match &mut self.store {
            Store::Latest(latest) => hand.extend(latest.pop_oldest()),
            Store::Fifo(queue) if self.when_full == WhenFull::DropOldest => hand.extend(queue.pop_front()),
            Store::Fifo(queue) => {
                let half = (self.capacity as usize / 2).max(1);
                let batch = queue.len().min(BATCH).min(half).min(most);
                if batch == queue.len() && queue.capacity() <= KEEP_ENTRIES {
                    // All of it, and memory that nobody wants back: no message is moved.
                    std::mem::swap(hand, queue);
                } else {
                    hand.extend(queue.drain(..batch));
                }
                self.in_hand = u32::try_from(batch).unwrap_or(u32::MAX);
            }
        }
        freed
    }

    /// How many messages of the receiver's batch are counted.
    pub(crate) fn in_hand(&self) -> usize {
        self.in_hand as usize
    }

    /// Counts only `left` messages of the receiver's batch from now on, and says how many places that freed.
    pub(crate) fn release(&mut self, left: usize) -> usize {
        let left = u32::try_from(left).unwrap_or(u32::MAX).min(self.in_hand);
        (std::mem::replace(&mut self.in_hand, left) - left) as usize
    }

    /// Called when the receiver goes to sleep on an empty store: gives memory back after a burst that has
    /// passed.
    #[inline(always)]
    pub(crate) fn calm_down(&mut self) {
        let held = match &self.store {
            Store::Fifo(queue) => queue.capacity(),
            Store::Latest(latest) => latest.nodes.capacity(),
        };
        let used = std::mem::take(&mut self.high_water) as usize;
        if held <= KEEP_ENTRIES || used > held / 4 {
            self.calm = 0;
            return;
        }
        self.calm += 1;
        if self.calm >= CALM_SLEEPS {
            self.calm = 0;
            self.shrink();
        }
    }

    /// Gives unused memory back at once.
    pub(crate) fn shrink(&mut self) {
        match &mut self.store {
            Store::Fifo(queue) => queue.shrink_to(KEEP_ENTRIES),
            Store::Latest(latest) if latest.len() == 0 => **latest = Latest::new(),
            Store::Latest(_) => {}
        }
    }

    /// Shows all that is stored, the oldest first.
    pub fn for_each(&self, mut each: impl FnMut(&T)) {
        match &self.store {
            Store::Fifo(queue) => queue.iter().for_each(each),
            Store::Latest(latest) => {
                let mut at = latest.oldest;
                while let Some(node) = latest.nodes.get(at as usize) {
                    node.value.iter().for_each(&mut each);
                    at = node.newer;
                }
            }
        }
    }

    /// Takes everything out, for the end; the oldest first.
    pub fn drain(&mut self) -> Vec<T> {
        let mut all = Vec::with_capacity(self.len());
        match &mut self.store {
            Store::Fifo(queue) => {
                // One by one: to make a `Vec` of it at once is far more code, for each message type.
                let mut queue = std::mem::take(queue);
                while let Some(oldest) = queue.pop_front() {
                    all.push(oldest);
                }
            }
            Store::Latest(latest) => {
                while let Some(oldest) = latest.pop_oldest() {
                    all.push(oldest);
                }
            }
        }
        all
    }
}

/// Makes room for more in a full store.
#[cold]
#[inline(never)]
fn grow<T>(queue: &mut VecDeque<T>, capacity: usize) {
    queue.reserve_exact(growth(queue.len(), capacity));
}

/// By how much a full store of `len` entries grows: doubling, never past the declared capacity unless it has
/// to.
fn growth(len: usize, capacity: usize) -> usize {
    let doubled = len.max(FIRST_ENTRIES);
    if len < capacity { doubled.min(capacity - len) } else { doubled }
}

/// The latest value per key, in the order of the latest update: a doubly linked list in a slab, and an index.
#[derive(Debug)]
struct Latest<T> {
    nodes: Vec<Node<T>>,
    index: HashMap<u64, u32>,
    oldest: u32,
    newest: u32,
    free: u32,
}

#[derive(Debug)]
struct Node<T> {
    value: Option<T>,
    key: u64,
    /// Towards the oldest.
    older: u32,
    /// Towards the newest; in a free node, the next free one.
    newer: u32,
}

impl<T> Latest<T> {
    fn new() -> Self {
        Self { nodes: Vec::new(), index: HashMap::new(), oldest: NONE, newest: NONE, free: NONE }
    }

    fn len(&self) -> usize {
        self.index.len()
    }

    fn put(&mut self, key: u64, value: T, capacity: usize) -> Offered<T> {
        let displaces = self.len() >= capacity && self.oldest != NONE;
        // Where a new key goes. It is asked for once: to hash it is most of the work.
        let place = if displaces { self.oldest } else { self.next_place() };
        let at = match self.index.entry(key) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(unknown) => {
                unknown.insert(place);
                NONE
            }
        };
        if at != NONE {
            let old = self.nodes[at as usize].value.replace(value);
            self.unlink(at);
            self.append(at);
            return old.map_or(Offered::Stored, Offered::Conflated);
        }
        if displaces {
            self.unlink(place);
            let node = &mut self.nodes[place as usize];
            self.index.remove(&std::mem::replace(&mut node.key, key));
            let old = node.value.replace(value);
            self.append(place);
            return old.map_or(Offered::Stored, Offered::DroppedOldest);
        }
        self.occupy(place, key, value, capacity);
        self.append(place);
        Offered::Stored
    }

    fn pop_oldest(&mut self) -> Option<T> {
        if self.oldest == NONE {
            return None;
        }
        let at = self.oldest;
        self.unlink(at);
        let node = &mut self.nodes[at as usize];
        let value = node.value.take();
        node.newer = self.free;
        self.index.remove(&node.key);
        self.free = at;
        value
    }

    /// The free node that is used next, or one more.
    fn next_place(&self) -> u32 {
        // The capacity of a queue is a u32 below `NONE`, and the slab never holds more nodes.
        if self.free == NONE { u32::try_from(self.nodes.len()).unwrap_or(NONE) } else { self.free }
    }

    /// Puts a new key into the [next place](Self::next_place).
    fn occupy(&mut self, place: u32, key: u64, value: T, capacity: usize) {
        let node = Node { value: Some(value), key, older: NONE, newer: NONE };
        if let Some(free) = self.nodes.get_mut(place as usize) {
            self.free = std::mem::replace(free, node).newer;
            return;
        }
        if self.nodes.len() == self.nodes.capacity() {
            self.nodes.reserve_exact(growth(self.nodes.len(), capacity));
        }
        self.nodes.push(node);
    }

    fn unlink(&mut self, at: u32) {
        let Node { older, newer, .. } = self.nodes[at as usize];
        match older {
            NONE => self.oldest = newer,
            _ => self.nodes[older as usize].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            _ => self.nodes[newer as usize].older = older,
        }
    }

    fn append(&mut self, at: u32) {
        let before = std::mem::replace(&mut self.newest, at);
        let node = &mut self.nodes[at as usize];
        node.older = before;
        node.newer = NONE;
        match before {
            NONE => self.oldest = at,
            _ => self.nodes[before as usize].newer = at,
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    /// How many entries a store has memory for.
    fn room(backlog: &Backlog<u32>) -> usize {
        match &backlog.store {
            Store::Fifo(queue) => queue.capacity(),
            Store::Latest(latest) => latest.nodes.capacity(),
        }
    }

    #[test]
    fn a_store_grows_by_doubling_and_never_past_its_capacity() {
        for when_full in [WhenFull::Refuse, WhenFull::DropOldest, WhenFull::Conflate] {
            for capacity in [1, 3, 4, 5, 40, 1_000] {
                let mut backlog = Backlog::new(when_full, capacity);
                let mut rooms = vec![room(&backlog)];
                for value in 0..capacity * 3 {
                    backlog.offer(value, u64::from(value));
                    assert!(room(&backlog) <= capacity as usize, "{when_full:?} of {capacity}");
                    rooms.push(room(&backlog));
                }
                assert_eq!(backlog.len(), capacity as usize);
                rooms.dedup();
                assert!(rooms.len() <= 12, "{when_full:?} of {capacity} has grown to {rooms:?}");
            }
        }
    }

    #[test]
    fn a_store_keeps_the_room_that_it_uses_and_gives_back_what_it_does_not() {
        let mut backlog = Backlog::new(WhenFull::Refuse, 10_000);
        let mut hand = VecDeque::new();
        let mut round = |backlog: &mut Backlog<u32>, messages: u32| {
            (0..messages).for_each(|value| backlog.push(value));
            loop {
                hand.clear();
                backlog.take(&mut hand, usize::MAX);
                if hand.is_empty() {
                    break;
                }
            }
            backlog.calm_down();
            room(backlog)
        };
        let full = round(&mut backlog, 4_000);
        assert!(full >= 4_000);
        for _ in 0..3 * CALM_SLEEPS {
            assert_eq!(round(&mut backlog, 1_500), full, "more than a quarter is used");
        }
        for _ in 1..CALM_SLEEPS {
            assert_eq!(round(&mut backlog, 20), full);
        }
        // A burst between begins the count anew.
        round(&mut backlog, 1_500);
        for _ in 1..CALM_SLEEPS {
            assert_eq!(round(&mut backlog, 20), full);
        }
        assert!(round(&mut backlog, 20) <= KEEP_ENTRIES.max(32));
    }
}
