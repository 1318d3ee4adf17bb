//! How much memory bytes take that wait.

#[path = "../../mailbox/tests/common/heap.rs"]
mod heap;

use mycelium::frame::Header;
use mycelium::wire::Contract;
use mycelium::{MessageBus, Subscription, WireMessage, WirePublishError};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

const TABLE: &str = "mycelium contract 1\nschema memory 1\nmessage Gauge 9 1 gauges\nfield value 1 i64\n";
const CAPACITY: usize = 512;
/// A value of 8 bytes with its header, and what may be lost beside it while others try (bytes).
const EACH_MAX: usize = 2 * 96;
/// A piece, and what else a publish may leave behind (bytes).
const BESIDE_MAX: usize = 2 * 8 * 1_024;

/// By how much memory has grown when each message that waits was published after `between` others that were
/// refused or dropped: publishes and reads through a queue with this policy, on this thread.
fn growth(how: Subscription<WireMessage>, between: usize) -> i64 {
    let header = Header { type_id: 9, version: 1, root_len: 8, ..Header::default() };
    let builder = MessageBus::builder().contract(Contract::parse(TABLE).unwrap());
    let bus = builder.topic_capacity(CAPACITY).build();
    let mut gauges = bus.subscribe_wire_with("gauges", how.capacity(CAPACITY)).unwrap();
    let publish = |number: u64| match bus.try_publish_wire(&header, &number.to_le_bytes()) {
        Ok(()) => true,
        Err(WirePublishError::Full { .. }) => false,
        Err(other) => panic!("{other}"),
    };
    // Its memory is there from here on.
    (0..CAPACITY as u64).for_each(|number| assert!(publish(number)));
    assert_eq!(gauges.drain(CAPACITY, |_| ()), CAPACITY);
    let before = heap::live_bytes();
    (0..CAPACITY as u64).for_each(|number| _ = publish(number));
    for round in 0..2 * CAPACITY as u64 {
        (0..between).for_each(|_| _ = publish(u64::MAX));
        assert_eq!(gauges.drain(1, |_| ()), 1);
        assert!(publish(round));
    }
    let grown = heap::live_bytes() - before;
    assert_eq!(gauges.drain(usize::MAX, |_| ()), CAPACITY);
    grown
}

#[test]
fn what_waits_takes_the_memory_of_its_capacity_whoever_tries_and_whatever_the_policy() {
    let policies = [
        ("block", Subscription::block()),
        ("fail", Subscription::fail()),
        ("drop newest", Subscription::drop_newest()),
    ];
    let max = i64::try_from(CAPACITY * EACH_MAX + BESIDE_MAX).unwrap();
    for (policy, how) in policies {
        for between in [0, 1, 7, 200] {
            let grown = growth(how, between);
            assert!(grown <= max, "{policy}, {between} between: {grown} bytes, of which {max} are allowed");
        }
    }
}
