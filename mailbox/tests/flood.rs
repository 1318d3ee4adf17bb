//! Ten million messages to a receiver that is stuck: memory stays within the declared capacity, every drop is
//! counted.
//!
//! A build without optimizations sends one million.

use std::sync::Arc;

use mycelium_mailbox::{
    Doorbell, Inbox, InboxOptions, Overflow, Source, Stamps, SubscribeOptions, Topic, TryPublishError,
    TrySendError,
};

#[path = "common/heap.rs"]
mod heap;
use heap::peak_bytes;

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

const FLOOD: u64 = if cfg!(debug_assertions) { 1_000_000 } else { 10_000_000 };
const CAPACITY: u32 = 4096;
/// A message with its stamp and its sender.
const ENTRY_BYTES: i64 = 64 + 16;
/// What `Conflate` keeps besides: key and links per entry, and an index that doubles.
const INDEX_BYTES: i64 = 24 + 3 * 17;

type Message = [u64; 8];

fn assert_within(peak: i64, per_entry: i64, policy: &str) {
    let declared = i64::from(CAPACITY) * per_entry;
    let most = declared + declared / 10;
    assert!(peak <= most, "{policy}: {peak} bytes for a declared capacity of {declared}");
    assert!(peak >= i64::from(CAPACITY) * 64, "{policy}: {peak} bytes cannot have held the capacity");
}

/// Floods a topic whose one subscriber has taken one message and hangs in its handler.
fn flood_topic(overflow: &Overflow<Message>, per_entry: i64) {
    let name = overflow.name();
    let topic = Topic::<Message>::new(Arc::new(Stamps::new()), CAPACITY);
    let mut refused = 0;
    let mut kept = None;
    let peak = peak_bytes(|| {
        let options = SubscribeOptions {
            overflow: overflow.clone(),
            capacity: Some(CAPACITY),
            ..SubscribeOptions::default()
        };
        let mut subscription = topic.subscribe(Arc::new(Doorbell::new()), options).unwrap();
        for number in 0..FLOOD {
            match topic.try_publish([number; 8], 0) {
                Ok(()) => {}
                Err(TryPublishError::Full { .. }) => refused += 1,
                Err(error) => panic!("{error}"),
            }
            if number == 0 {
                assert!(subscription.head().is_some());
            }
        }
        kept = Some(subscription);
    });
    assert_within(peak, per_entry, name);

    let stats = topic.stats();
    assert_eq!(stats.rejected, refused, "{name}");
    assert_eq!(stats.published + stats.rejected, FLOOD, "{name}");
    let mut subscription = kept.unwrap();
    let mut received = 0;
    let mut last = None;
    while subscription.head().is_some() {
        let number = subscription.peek().unwrap().message[0];
        assert!(last < Some(number), "{name}");
        last = Some(number);
        received += 1;
        subscription.advance();
    }
    let dropped = stats.dropped_oldest + stats.dropped_newest + stats.conflated + stats.rejected;
    assert_eq!(received + dropped, FLOOD, "{name}: {stats:?}");
    // With the policies that replace old messages the one in hand comes on top of the capacity.
    assert!((u64::from(CAPACITY)..=u64::from(CAPACITY) + 1).contains(&received), "{name}: {received}");
}

#[test]
fn flooded_topic_block() {
    flood_topic(&Overflow::Block, ENTRY_BYTES);
}

#[test]
fn flooded_topic_drop_oldest() {
    flood_topic(&Overflow::DropOldest, ENTRY_BYTES);
}

#[test]
fn flooded_topic_drop_newest() {
    flood_topic(&Overflow::DropNewest, ENTRY_BYTES);
}

#[test]
fn flooded_topic_fail() {
    flood_topic(&Overflow::Fail, ENTRY_BYTES);
}

#[test]
fn flooded_topic_conflate_with_more_keys_than_capacity() {
    let keys = u64::from(CAPACITY) * 2;
    flood_topic(&Overflow::conflate(move |message: &Message| message[0] % keys), ENTRY_BYTES + INDEX_BYTES);
}

/// Floods an inbox whose receiver has taken a batch and hangs in its first message.
fn flood_inbox(overflow: &Overflow<Message>, per_entry: i64) {
    let name = overflow.name();
    let mut refused = 0;
    let mut kept = None;
    let peak = peak_bytes(|| {
        let options = InboxOptions { overflow: overflow.clone(), capacity: CAPACITY, owner: 0 };
        let mut inbox = Inbox::new(Arc::new(Stamps::new()), Arc::new(Doorbell::new()), options);
        let sender = inbox.sender();
        for number in 0..FLOOD {
            match sender.try_send([number; 8]) {
                Ok(()) => {}
                Err(TrySendError::Full(_)) => refused += 1,
                Err(error) => panic!("{error}"),
            }
            if number == 100 {
                assert!(inbox.head().is_some());
            }
        }
        kept = Some(inbox);
    });
    assert_within(peak, per_entry, name);

    let mut inbox = kept.unwrap();
    let stats = inbox.stats();
    assert_eq!(stats.rejected, refused, "{name}");
    let mut received = 0;
    while inbox.head().is_some() {
        inbox.advance();
        received += 1;
    }
    let dropped = stats.dropped_oldest + stats.dropped_newest + stats.conflated + stats.rejected;
    assert_eq!(received + dropped, FLOOD, "{name}: {stats:?}");
    assert!((u64::from(CAPACITY)..=u64::from(CAPACITY) + 1).contains(&received), "{name}: {received}");
}

#[test]
fn flooded_inbox_block() {
    flood_inbox(&Overflow::Block, ENTRY_BYTES);
}

#[test]
fn flooded_inbox_drop_oldest() {
    flood_inbox(&Overflow::DropOldest, ENTRY_BYTES);
}

#[test]
fn flooded_inbox_drop_newest() {
    flood_inbox(&Overflow::DropNewest, ENTRY_BYTES);
}

#[test]
fn flooded_inbox_fail() {
    flood_inbox(&Overflow::Fail, ENTRY_BYTES);
}

#[test]
fn flooded_inbox_conflate_with_more_keys_than_capacity() {
    let keys = u64::from(CAPACITY) * 2;
    flood_inbox(&Overflow::conflate(move |message: &Message| message[0] % keys), ENTRY_BYTES + INDEX_BYTES);
}
