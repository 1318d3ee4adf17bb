//! Draining a subscription through handlers: what is passed, what stays in front, and what a handler that
//! waits keeps.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mycelium_mailbox::{
    Consume, Doorbell, Drained, FutureSlot, Overflow, Presence, Source, Span, Stamps, Stop, SubscribeOptions,
    Subscription, Topic, pick,
};

type Text = (u64, String);

/// Notes what it handles; waits once at 10, fails at 20, panics at 30, is nudged by itself at 40.
struct Note;

impl Consume<Vec<u64>, Arc<Presence>, Text> for Note {
    type Result = Result<(), u64>;
    type Output = Result<(), String>;

    async fn consume(notes: &mut Vec<u64>, message: &Text, presence: &mut Arc<Presence>) -> Result<(), u64> {
        let number = message.0;
        if number == 10 {
            let mut waited = false;
            std::future::poll_fn(|_| {
                if std::mem::replace(&mut waited, true) { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        }
        if number == 20 {
            return Err(number);
        }
        assert_ne!(number, 30, "asked to panic");
        assert_eq!(message.1, number.to_string(), "the message is whole after a wait too");
        notes.push(number);
        if number == 40 {
            presence.nudge();
        }
        Ok(())
    }

    fn is_handled(result: &Result<(), u64>) -> bool {
        result.is_ok()
    }

    fn finish(result: Result<(), u64>) -> Result<(), String> {
        result.map_err(|number| number.to_string())
    }
}

/// A subscription, what handles its messages, and how many were handled.
struct Reader {
    queue: Subscription<Text>,
    presence: Arc<Presence>,
    notes: Vec<u64>,
    called: Arc<Presence>,
    slot: FutureSlot,
    handled: u64,
}

impl Reader {
    fn new(queue: Subscription<Text>) -> Self {
        let presence = Arc::new(Presence::new());
        let called = Arc::clone(&presence);
        Self { queue, presence, notes: Vec::new(), called, slot: FutureSlot::new(), handled: 0 }
    }

    /// A reader with these messages before it.
    fn of(numbers: &[u64], overflow: Overflow<Text>) -> (Topic<Text>, Self) {
        let topic = Topic::new(Arc::new(Stamps::new()), 4);
        let options = SubscribeOptions { overflow, ..SubscribeOptions::default() };
        let mut queue = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
        for &number in numbers {
            topic.try_publish((number, number.to_string()), 0).unwrap();
        }
        assert_eq!(queue.head().is_some(), !numbers.is_empty());
        (topic, Self::new(queue))
    }

    /// Handles what is before `below`, at most so many messages.
    fn drain(&mut self, below: u64, most: u32) -> Drained<'_, Result<(), String>> {
        let Self { queue, presence, notes, called, slot, handled } = self;
        let span = Span { below, most, presence };
        let mut cx = Context::from_waker(Waker::noop());
        queue.drain::<Note, _, _>(notes, called, slot, &span, handled, &mut cx)
    }

    fn drain_all(&mut self) -> Drained<'_, Result<(), String>> {
        self.drain(u64::MAX, u32::MAX)
    }

    /// Handles all there is, or panics with a handler: whether one did.
    fn panics(&mut self) -> bool {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(self.drain_all()))).is_err()
    }

    fn front(&mut self) -> Option<u64> {
        self.queue.head()?;
        self.queue.peek().map(|delivery| delivery.message.0)
    }
}

#[test]
fn a_handler_that_waits_keeps_its_message_and_frees_those_before() {
    for overflow in [Overflow::Block, Overflow::DropNewest] {
        let (topic, mut reader) = Reader::of(&[1, 10, 2, 3], overflow);
        let Drained::Parked(mut waiting) = reader.drain_all() else { panic!("it should wait") };
        // The one before it has left: there is room for one more, and no more.
        topic.try_publish((4, String::from("4")), 0).unwrap();
        let refused = topic.try_publish((5, String::from("5")), 0).is_err();
        let dropped = topic.stats().dropped_newest;
        assert_eq!(u64::from(refused) + dropped, 1, "the message that is handled still takes its place");
        let mut cx = Context::from_waker(Waker::noop());
        assert!(matches!(Pin::new(&mut waiting).poll(&mut cx), Poll::Ready(Ok(()))));
        drop(waiting);
        assert_eq!((reader.handled, reader.notes.as_slice()), (1, [1, 10].as_slice()));
        assert_eq!(reader.front(), Some(10));
        reader.queue.advance();
        assert_eq!(reader.front(), Some(2));
    }
}

#[test]
fn a_failed_message_stays_in_front() {
    let (_topic, mut reader) = Reader::of(&[1, 20, 2], Overflow::Block);
    assert!(matches!(reader.drain_all(), Drained::Failed(Err(text)) if text == "20"));
    assert_eq!((reader.handled, reader.front()), (1, Some(20)));
}

#[test]
fn a_panic_leaves_its_message_in_front_and_the_slot_usable() {
    let (_topic, mut reader) = Reader::of(&[1, 30, 2], Overflow::Block);
    assert!(reader.panics());
    assert_eq!((reader.handled, reader.front()), (1, Some(30)));
    reader.queue.advance();
    assert!(matches!(reader.drain_all(), Drained::Done));
    assert_eq!((reader.handled, reader.notes.as_slice()), (2, [1, 2].as_slice()));
}

#[test]
fn the_span_and_a_nudge_end_a_drain() {
    let (_topic, mut reader) = Reader::of(&[1, 40, 3, 4], Overflow::Block);
    assert!(matches!(reader.drain(0, 9), Drained::Done));
    drop(reader.drain(u64::MAX, 1));
    assert_eq!((reader.handled, reader.front()), (1, Some(40)));
    drop(reader.drain_all());
    assert_eq!((reader.handled, reader.front()), (2, Some(3)));
    reader.presence.settle();
    reader.presence.ask(Stop::Life, &Doorbell::new());
    drop(reader.drain_all());
    assert_eq!(
        (reader.handled, reader.front()),
        (3, Some(4)),
        "what is asked is seen after the next message"
    );
}

#[test]
fn two_subscriptions_of_one_receiver_to_one_topic_are_both_read_in_order() {
    let (topic, Reader { queue: first, .. }) = Reader::of(&[], Overflow::Block);
    let second = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
    for number in [1, 2] {
        topic.try_publish((number, number.to_string()), 0).unwrap();
    }
    let mut sources = [first, second];
    let mut seen = [Vec::new(), Vec::new()];
    for _ in 0..2 {
        let picked = pick(&mut sources).unwrap();
        while let Some(delivery) = sources[picked.index].peek().filter(|next| next.stamp < picked.below) {
            seen[picked.index].push(delivery.message.0);
            sources[picked.index].advance();
        }
    }
    assert_eq!(seen, [vec![1, 2], vec![1, 2]]);
    assert_eq!(pick(&mut sources), None);
}

/// Rounds through a ring in which runs are longer than one message and end at its end, at the next commit, at
/// the receiver's own messages and at panics.
#[test]
fn runs_end_anywhere_and_lose_nothing() {
    const OWN: u64 = 7;
    const ROUND: u64 = 29;
    let topic = Topic::<Text>::new(Arc::new(Stamps::new()), 64);
    let options = SubscribeOptions { id: OWN, ..SubscribeOptions::default() };
    let mut reader = Reader::new(topic.subscribe(Arc::new(Doorbell::new()), options).unwrap());
    let (mut expected, mut next) = (Vec::new(), 0_u64);
    for round in 0..40 {
        for _ in 0..ROUND {
            next += 1;
            let own = next % 5 == round % 5;
            let panics = next % 17 == 0;
            let number = if panics { 30 } else { 1_000 + next };
            topic.try_publish((number, number.to_string()), if own { OWN } else { 0 }).unwrap();
            if !own && !panics {
                expected.push(number);
            }
        }
        while reader.front().is_some() {
            if reader.panics() {
                assert_eq!(reader.front(), Some(30), "round {round}");
                reader.queue.advance();
            }
        }
        assert_eq!(reader.queue.unread(), 0, "round {round}");
    }
    assert_eq!(reader.notes, expected);
    assert_eq!(reader.handled, expected.len() as u64);
}

/// Shows what is visible to a closure, and what a loop of `peek` and `advance` sees of the same messages.
fn shown_and_looped<M: Clone + Send + Sync + PartialEq + std::fmt::Debug + 'static>(
    make: fn(u64) -> M,
    lossy: bool,
) {
    let of = || SubscribeOptions {
        overflow: if lossy { Overflow::DropOldest } else { Overflow::Block },
        capacity: Some(48),
        id: 7,
        ..SubscribeOptions::default()
    };
    let topic = Topic::new(Arc::new(Stamps::new()), 64);
    let [mut shown, mut looped] = [0; 2].map(|_| topic.subscribe(Arc::new(Doorbell::new()), of()).unwrap());
    let (mut number, mut handled, mut all) = (0, 0, 0);
    for round in 0..200_u64 {
        for _ in 0..round % 23 {
            // Some are its own, which it does not hear; some do not fit.
            let _ = topic.try_publish(make(number), if number % 5 == 0 { 7 } else { number % 3 });
            number += 1;
        }
        let most = u32::try_from(round % 11).unwrap();
        let (mut one, mut other) = (Vec::new(), Vec::new());
        let before = handled;
        while handled - before < u64::from(most) && shown.head().is_some() {
            let left = most - u32::try_from(handled - before).unwrap();
            shown.for_each(left, &mut handled, |next| {
                one.push((next.message.clone(), next.stamp, next.sender));
            });
        }
        while other.len() < most as usize && looped.head().is_some() {
            let next = looped.peek().unwrap();
            other.push((next.message.clone(), next.stamp, next.sender));
            looped.advance();
        }
        assert_eq!(one, other, "round {round}");
        assert_eq!(handled - before, one.len() as u64);
        all += one.len();
        shown.commit();
        looped.commit();
        if round % 7 == 0 {
            // Nothing is visible: nothing is shown.
            while looped.head().is_some() {
                looped.advance();
                all += 1;
            }
            while shown.head().is_some() {
                shown.for_each(u32::MAX, &mut handled, |_| ());
            }
            shown.for_each(u32::MAX, &mut handled, |_| panic!("there is none"));
            assert_eq!(handled, all as u64);
        }
    }
    assert!(all > 500, "{all}");
}

#[test]
fn what_is_shown_is_what_a_loop_sees() {
    for lossy in [false, true] {
        shown_and_looped(|number| number, lossy);
        shown_and_looped(|number| (number, number.to_string()), lossy);
        shown_and_looped(|number| [number; 80], lossy);
    }
}

#[test]
fn a_look_that_panics_leaves_its_message_in_front() {
    for overflow in [Overflow::Block, Overflow::DropNewest] {
        let (_topic, mut reader) = Reader::of(&[1, 2, 3], overflow);
        let Reader { queue, handled, .. } = &mut reader;
        let look = || queue.for_each(9, handled, |next| assert_ne!(next.message.0, 2));
        assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(look)).is_err());
        assert_eq!((reader.handled, reader.front()), (1, Some(2)));
    }
}
