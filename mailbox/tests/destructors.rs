//! When, where and by whom messages with a destructor are dropped.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::task::{Context, Poll, Waker};
use std::thread::{self, ThreadId};

use mycelium_mailbox::{
    Consume, Doorbell, Drained, FutureSlot, Inbox, InboxOptions, Overflow, Presence, Source, Span, Stamps,
    SubscribeOptions, Subscription,
};

mod common;
#[path = "common/heap.rs"]
mod heap;
use common::{subscribe, topic};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

/// Tells who drops it, and panics then if it is told to. The padding makes it small or large.
#[derive(Clone)]
struct Witness<const PADDING: usize> {
    number: u64,
    _end: End,
    _padding: [u8; PADDING],
}

#[derive(Clone)]
struct End {
    number: u64,
    panics: bool,
    dropped: Sender<(u64, ThreadId)>,
}

impl Drop for End {
    fn drop(&mut self) {
        let _ = self.dropped.send((self.number, thread::current().id()));
        assert!(!self.panics, "asked to panic in the destructor of {}", self.number);
    }
}

/// Where messages come from, and where they tell of their end.
struct Log {
    dropped: Sender<(u64, ThreadId)>,
    seen: Receiver<(u64, ThreadId)>,
}

impl Log {
    fn new() -> Self {
        let (dropped, seen) = channel();
        Self { dropped, seen }
    }

    fn message<const PADDING: usize>(&self, number: u64, panics: bool) -> Witness<PADDING> {
        let end = End { number, panics, dropped: self.dropped.clone() };
        Witness { number, _end: end, _padding: [0; PADDING] }
    }

    /// What was dropped since the last look, all of it on this thread.
    fn numbers_here(&self) -> Vec<u64> {
        let here = |(number, thread)| {
            assert_eq!(thread, thread::current().id(), "{number}");
            number
        };
        self.seen.try_iter().map(here).collect()
    }
}

fn pass<M: Clone + Send + Sync + 'static>(queue: &mut Subscription<M>, messages: usize) {
    for _ in 0..messages {
        assert!(queue.head().is_some());
        queue.advance();
    }
}

fn panics(run: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(run)).is_err()
}

/// Counts what it handles, and checks that all that was handled before is dropped.
struct Check;

struct Checks {
    handled: u64,
    alive: Arc<AtomicU64>,
    waits_at: u64,
}

struct Counted(Arc<AtomicU64>, Vec<u8>);

impl Counted {
    fn new(alive: &Arc<AtomicU64>, bytes: usize) -> Self {
        alive.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(alive), vec![1; bytes])
    }
}

impl Clone for Counted {
    fn clone(&self) -> Self {
        Self::new(&self.0, self.1.len())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<M: AsCounted> Consume<Checks, u64, M> for Check {
    type Result = ();
    type Output = ();

    async fn consume(checks: &mut Checks, message: &M, published: &mut u64) {
        let alive = checks.alive.load(Ordering::SeqCst);
        assert_eq!(alive, *published - checks.handled, "what was handled is gone when the next one begins");
        assert_eq!(message.counted().1.first(), Some(&1));
        if checks.handled == checks.waits_at {
            let mut waited = false;
            std::future::poll_fn(|_| {
                if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        checks.handled += 1;
    }

    fn is_handled(_: &()) -> bool {
        true
    }

    fn finish(_: ()) {}
}

trait AsCounted: Send + Sync {
    fn counted(&self) -> &Counted;
}

impl AsCounted for Counted {
    fn counted(&self) -> &Counted {
        self
    }
}

impl AsCounted for (Counted, [u64; 9]) {
    fn counted(&self) -> &Counted {
        &self.0
    }
}

fn gone_before_the_next<M: Clone + AsCounted + 'static>(overflow: Overflow<M>, new: impl Fn(Counted) -> M) {
    const MESSAGES: u64 = 500;
    let alive = Arc::new(AtomicU64::new(0));
    let topic = topic(1024);
    let mut queue = subscribe(&topic, 0, overflow);
    for _ in 0..MESSAGES {
        assert!(topic.try_publish(new(Counted::new(&alive, 8)), 0).is_ok());
    }
    let mut checks = Checks { handled: 0, alive: Arc::clone(&alive), waits_at: 77 };
    let (mut published, mut slot, mut handled) = (MESSAGES, FutureSlot::new(), 0);
    let presence = Presence::new();
    let mut cx = Context::from_waker(Waker::noop());
    while queue.head().is_some() {
        let span = Span { below: u64::MAX, most: u32::MAX, presence: &presence };
        let Drained::Parked(mut waiting) =
            queue.drain::<Check, _, _>(&mut checks, &mut published, &mut slot, &span, &mut handled, &mut cx)
        else {
            continue;
        };
        assert!(std::pin::Pin::new(&mut waiting).poll(&mut cx).is_ready());
        drop(waiting);
        queue.advance();
    }
    assert_eq!((checks.handled, alive.load(Ordering::SeqCst)), (MESSAGES, 0));
}

#[test]
fn a_handled_message_is_gone_when_the_next_handler_begins() {
    for overflow in [Overflow::Block, Overflow::DropNewest] {
        gone_before_the_next::<Counted>(overflow, |counted| counted);
    }
    for overflow in [Overflow::Block, Overflow::Fail] {
        gone_before_the_next::<(Counted, [u64; 9])>(overflow, |counted| (counted, [0; 9]));
    }
}

#[test]
fn three_thousand_messages_of_a_mebibyte_take_the_room_of_those_that_wait() {
    const BYTES: usize = 1 << 20;
    let alive = Arc::new(AtomicU64::new(0));
    let topic = topic::<Counted>(1024);
    let mut readers = [0; 2].map(|_| subscribe(&topic, 0, Overflow::Block));
    let peak = heap::peak_bytes(|| {
        for _ in 0..3_000 {
            assert!(topic.try_publish(Counted::new(&alive, BYTES), 0).is_ok());
            readers.iter_mut().for_each(|reader| pass(reader, 1));
            assert_eq!(alive.load(Ordering::SeqCst), 0);
        }
    });
    assert!(peak < 3 * BYTES as i64, "{peak} bytes");
}

#[test]
fn plain_data_stays_in_its_slot_up_to_4_kib_and_no_further() {
    fn left<const WORDS: usize>() -> i64 {
        let topic = topic::<[u64; WORDS]>(1024);
        let mut reader = subscribe(&topic, 0, Overflow::Block);
        let before = heap::live_bytes();
        for _ in 0..2_000 {
            topic.try_publish([0; WORDS], 0).unwrap();
            pass(&mut reader, 1);
        }
        heap::live_bytes() - before
    }
    assert!(left::<512>() <= 1024 * (4096 + 64));
    assert_eq!(left::<513>(), 0);
}

fn dropped_by_the_last<const PADDING: usize>() {
    let log = Log::new();
    let topic = topic::<Witness<PADDING>>(8);
    let [mut first, mut second, mut third] = [0; 3].map(|_| subscribe(&topic, 0, Overflow::Block));
    for number in 0..4 {
        assert!(topic.try_publish(log.message(number, false), 0).is_ok());
    }
    pass(&mut first, 4);
    thread::scope(|scope| _ = scope.spawn(|| pass(&mut second, 1)));
    assert!(log.numbers_here().is_empty());
    pass(&mut third, 1);
    assert_eq!(log.numbers_here(), [0]);
    pass(&mut third, 2);
    let other = thread::scope(|scope| {
        let other = scope.spawn(|| {
            pass(&mut second, 3);
            thread::current().id()
        });
        other.join().unwrap()
    });
    assert_eq!(log.seen.try_iter().collect::<Vec<_>>(), [(1, other), (2, other)]);
    pass(&mut third, 1);
    assert_eq!(log.numbers_here(), [3]);
}

#[test]
fn the_last_who_is_done_with_a_message_drops_it_on_its_own_thread() {
    dropped_by_the_last::<0>();
    dropped_by_the_last::<100>();
}

fn left_behind<const PADDING: usize>() {
    let log = Log::new();
    let topic = topic::<Witness<PADDING>>(8);
    let mut staying = subscribe(&topic, 0, Overflow::Block);
    let mut leaving = subscribe(&topic, 5, Overflow::Block);
    for number in 0..6 {
        let sender = if number == 3 { 5 } else { 0 };
        assert!(topic.try_publish(log.message(number, number % 2 == 0), sender).is_ok());
    }
    pass(&mut staying, 5);
    assert!(panics(|| pass(&mut leaving, 1)), "the first one's destructor");
    assert_eq!(log.numbers_here(), [0]);
    drop(leaving);
    assert_eq!(log.numbers_here(), [1, 2, 3, 4], "two of them panicked, and nobody noticed");
    assert_eq!(topic.stats().unread, 4);
    drop(staying);
    assert_eq!(log.numbers_here(), [5]);
    assert_eq!(topic.stats().unread, 5);
}

#[test]
fn who_leaves_drops_what_nobody_else_will_read_and_no_panic_gets_out() {
    left_behind::<0>();
    left_behind::<100>();
}

#[test]
fn a_destructor_that_panics_ends_no_publisher() {
    for overflow in [Overflow::DropOldest, Overflow::DropNewest, Overflow::conflate(|_| 1)] {
        let log = Log::new();
        let topic = topic::<Witness<0>>(2);
        assert!(topic.try_publish(log.message(99, true), 0).is_ok(), "nobody is there");
        let lane = subscribe(&topic, 0, overflow);
        for number in 0..8 {
            assert!(topic.try_publish(log.message(number, true), 0).is_ok());
        }
        let stats = topic.stats();
        let lost = stats.dropped_oldest + stats.dropped_newest + stats.conflated;
        assert_eq!((stats.published, lost + lane.unread()), (8, 8));
        drop(lane);
        let mut dropped = log.numbers_here();
        dropped.sort_unstable();
        assert_eq!(dropped, [0, 1, 2, 3, 4, 5, 6, 7, 99]);
    }
    for overflow in [Overflow::DropOldest, Overflow::DropNewest] {
        let log = Log::new();
        let options = InboxOptions { overflow, capacity: 2, owner: 0 };
        let inbox = Inbox::<Witness<0>>::new(Arc::new(Stamps::new()), Arc::new(Doorbell::new()), options);
        for number in 0..8 {
            assert!(inbox.sender().try_send(log.message(number, true)).is_ok());
        }
        drop(inbox);
        assert_eq!(log.numbers_here().len(), 8);
    }
}

/// Handles numbers; nothing is in hand when a destructor has panicked.
struct Note;

impl<const PADDING: usize> Consume<Vec<u64>, (), Witness<PADDING>> for Note {
    type Result = ();
    type Output = ();

    async fn consume(notes: &mut Vec<u64>, message: &Witness<PADDING>, _: &mut ()) {
        assert_ne!(message.number, 6, "asked to panic in the handler");
        notes.push(message.number);
    }

    fn is_handled(_: &()) -> bool {
        true
    }

    fn finish(_: ()) {}
}

fn cut_between<const PADDING: usize>(overflow: Overflow<Witness<PADDING>>) {
    let log = Log::new();
    let topic = topic::<Witness<PADDING>>(32);
    let mut queue = subscribe(&topic, 0, overflow);
    for number in 0..8 {
        assert!(topic.try_publish(log.message(number, number == 3), 0).is_ok());
    }
    let (mut notes, mut slot, mut handled, presence) = (Vec::new(), FutureSlot::new(), 0, Presence::new());
    let mut drain = |queue: &mut Subscription<_>, notes: &mut Vec<u64>| {
        let span = Span { below: u64::MAX, most: u32::MAX, presence: &presence };
        let mut cx = Context::from_waker(Waker::noop());
        assert!(queue.head().is_some());
        panics(|| drop(queue.drain::<Note, _, _>(notes, &mut (), &mut slot, &span, &mut handled, &mut cx)))
    };
    while !drain(&mut queue, &mut notes) {}
    assert!(queue.was_cut_between(), "4 was not begun");
    assert_eq!(queue.peek().map(|delivery| delivery.message.number), Some(4));
    while !drain(&mut queue, &mut notes) {}
    assert!(!queue.was_cut_between(), "6 was begun");
    assert_eq!(queue.peek().map(|delivery| delivery.message.number), Some(6));
    queue.advance();
    while queue.head().is_some() {
        assert!(!drain(&mut queue, &mut notes));
    }
    assert_eq!((notes.as_slice(), handled), ([0, 1, 2, 3, 4, 5, 7].as_slice(), 7));
    assert_eq!(log.numbers_here(), (0..8).collect::<Vec<_>>());
}

#[test]
fn a_destructor_that_panics_after_its_handler_leaves_nothing_in_hand() {
    cut_between::<0>(Overflow::Block);
    cut_between::<100>(Overflow::Block);
    cut_between::<0>(Overflow::DropNewest);
    cut_between::<100>(Overflow::Fail);
}

#[test]
fn a_destructor_of_an_own_message_that_is_skipped_ends_no_actor() {
    for drains in [true, false] {
        let (log, topic) = (Log::new(), topic::<Witness<0>>(8));
        let mut queue = subscribe(&topic, 7, Overflow::Block);
        assert!(topic.try_publish(log.message(0, false), 0).is_ok());
        assert!(topic.try_publish(log.message(1, true), 7).is_ok());
        assert!(topic.try_publish(log.message(2, false), 0).is_ok());
        queue.head();
        let (mut notes, mut unit, mut slot, mut handled) = (Vec::new(), (), FutureSlot::new(), 0);
        if drains {
            let presence = Presence::new();
            let span = Span { below: u64::MAX, most: 9, presence: &presence };
            let mut cx = Context::from_waker(Waker::noop());
            let drained =
                queue.drain::<Note, _, _>(&mut notes, &mut unit, &mut slot, &span, &mut handled, &mut cx);
            assert!(matches!(drained, Drained::Done));
        } else {
            queue.for_each(9, &mut handled, |delivery| notes.push(delivery.message.number));
        }
        assert!(!queue.was_cut_between());
        assert_eq!((notes, handled, queue.unread()), (vec![0, 2], 2, 0));
    }
}

#[test]
fn what_an_idle_subscriber_is_moved_past_is_dropped_once() {
    let log = Log::new();
    let topic = topic::<Witness<0>>(4);
    let mut own = subscribe(&topic, 7, Overflow::Block);
    let mut other = subscribe(&topic, 8, Overflow::Block);
    assert!(own.head().is_none());
    for number in 0..4 {
        assert!(topic.try_publish(log.message(number, number == 1), 7).is_ok());
        pass(&mut other, 1);
    }
    assert!(other.head().is_none());
    assert!(log.numbers_here().is_empty());
    // There is room only if the owner is moved past its own, by the publisher, whom a destructor must not
    // harm.
    assert!(topic.try_publish(log.message(4, false), 7).is_ok());
    assert_eq!(log.numbers_here(), [0, 1, 2, 3]);
    pass(&mut other, 1);
    drop(own);
    assert_eq!(log.numbers_here(), [4]);
    assert_eq!(topic.stats().unread, 0);
}

/// Readers of all kinds come and leave beside publishers; every message is dropped, and none twice.
#[test]
fn a_crowd_that_comes_and_leaves_drops_every_message_once() {
    const MESSAGES: u64 = if cfg!(miri) { 50 } else { 4_000 };
    let alive = Arc::new(AtomicU64::new(0));
    let topic = topic::<Counted>(4);
    // One that is always there, so that everything counts as published.
    let mut queue = subscribe(&topic, 0, Overflow::Block);
    thread::scope(|scope| {
        for id in 1..3 {
            let (topic, alive) = (&topic, &alive);
            scope.spawn(move || {
                for _ in 0..MESSAGES {
                    while topic.try_publish(Counted::new(alive, 1), id).is_err() {
                        thread::yield_now();
                    }
                }
            });
        }
        for id in 0..3 {
            let topic = &topic;
            scope.spawn(move || {
                while topic.stats().published < MESSAGES * 2 {
                    let capacity = Some(2 + u32::try_from(topic.stats().published % 30).unwrap());
                    let options = SubscribeOptions { capacity, id, ..SubscribeOptions::default() };
                    let mut queue = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
                    for _ in 0..40 {
                        if queue.head().is_some() {
                            assert_eq!(queue.peek().unwrap().message.1, [1]);
                            queue.advance();
                        } else {
                            thread::yield_now();
                        }
                        if topic.stats().published >= MESSAGES * 2 {
                            break;
                        }
                    }
                }
            });
        }
        while topic.stats().published < MESSAGES * 2 || queue.unread() > 0 {
            if queue.head().is_some() {
                queue.advance();
            } else {
                thread::yield_now();
            }
        }
    });
    assert_eq!(alive.load(Ordering::SeqCst), 0);
}
