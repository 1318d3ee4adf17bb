//! Values that are published together.
#![forbid(unsafe_code)]

use mycelium::frame::Header;
use mycelium::wire::{Contract, ValueError, WireError};
use mycelium::{MessageBus, Subscription, WirePublishError};

const TABLE: &str = "mycelium contract 1\nschema many 1\n\
    message Tick 1 1 ticks\nfield number 1 u64\n\
    message Odd 2 1 odds\nfield number 1 u32\nfield flag 1 bool\nfield last 1 u16\nfield more 1 u32\n";

fn bus() -> MessageBus {
    MessageBus::builder().contract(Contract::parse(TABLE).unwrap()).build()
}

fn header(type_id: u16, root_len: u32) -> Header {
    Header { type_id, version: 1, root_len, ..Header::default() }
}

fn ticks(numbers: impl Iterator<Item = u64>) -> Vec<u8> {
    numbers.flat_map(u64::to_le_bytes).collect()
}

#[tokio::test(flavor = "current_thread")]
async fn values_that_are_published_together_arrive_as_if_each_were_alone() {
    let bus = bus();
    let how = || Subscription::block().capacity(100_000);
    let (mut one, mut other) =
        (bus.subscribe_wire_with("ticks", how()).unwrap(), bus.subscribe_wire_with("ticks", how()).unwrap());
    // More than one piece of memory holds.
    let bytes = ticks(0..20_000);
    bus.try_publish_wire_many(&header(1, 8), &bytes, 8).unwrap();
    bus.try_publish_wire(&header(1, 8), &20_000_u64.to_le_bytes()).unwrap();
    for reader in [&mut one, &mut other] {
        let (mut next, mut stamp) = (0_u64, None);
        reader.drain(usize::MAX, |tick| {
            assert_eq!(tick.bytes, next.to_le_bytes());
            assert!(tick.bytes.as_ptr().addr().is_multiple_of(8), "as every value starts");
            assert!(Some(tick.stamp) >= stamp, "in the order of the bus");
            assert!(tick.header.publish_ns > 0 && tick.header.root_len == 8);
            (next, stamp) = (next + 1, Some(tick.stamp));
        });
        assert_eq!(next, 20_001);
    }
    let kept = {
        bus.try_publish_wire_many(&header(1, 8), &bytes[..80], 8).unwrap();
        let mut kept = None;
        one.drain(99, |tick| kept = Some(tick.to_message()));
        kept.unwrap()
    };
    assert_eq!(kept.bytes(), 9_u64.to_le_bytes(), "a message outlives those beside it");
}

#[tokio::test(flavor = "current_thread")]
async fn values_whose_length_is_no_multiple_of_8_start_at_one_all_the_same() {
    let bus = bus();
    let mut odds = bus.subscribe_wire("odds").unwrap();
    let of = |flag: u8| [1, 0, 0, 0, flag, 0, 2, 0, 3, 0, 0, 0];
    let bytes = [of(0), of(1), of(0)].concat();
    bus.try_publish_wire_many(&header(2, 12), &bytes, 12).unwrap();
    let mut seen = Vec::new();
    odds.drain(99, |odd| {
        assert!(odd.bytes.as_ptr().addr().is_multiple_of(8));
        seen.push(odd.bytes[4]);
    });
    assert_eq!(seen, [0, 1, 0]);
}

#[tokio::test(flavor = "current_thread")]
async fn the_first_value_that_is_refused_is_named_with_how_many_were_published() {
    let bus = bus();
    let mut reader = bus.subscribe_wire_with("ticks", Subscription::block().capacity(4)).unwrap();
    let bytes = ticks(0..10);
    let refused = bus.try_publish_wire_many(&header(1, 8), &bytes, 8);
    assert_eq!(refused, Err((4, WirePublishError::Full { message: "Tick", whose: None })));
    assert_eq!(reader.drain(99, |_| ()), 4);
    bus.try_publish_wire_many(&header(1, 8), &bytes[32..64], 8).unwrap();
    assert_eq!(reader.drain(99, |_| ()), 4);

    let mut odds = bus.subscribe_wire("odds").unwrap();
    let mut bytes = [[1, 0, 0, 0, 0, 0, 2, 0, 3, 0, 0, 0]; 3].concat();
    bytes[12 + 4] = 2; // no bool
    let refused = bus.try_publish_wire_many(&header(2, 12), &bytes, 12).unwrap_err();
    assert_eq!(refused.0, 1);
    assert!(matches!(refused.1, WirePublishError::Value(ValueError::Wire(WireError::Invalid { .. }))));
    let refused = bus.try_publish_wire_many(&header(2, 12), &bytes[..5], 12).unwrap_err();
    assert!(matches!(refused.1, WirePublishError::Value(ValueError::Wire(WireError::Truncated { .. }))));
    assert_eq!(odds.drain(99, |_| ()), 1);
    let refused = bus.try_publish_wire_many(&header(9, 8), &bytes, 8).unwrap_err();
    assert_eq!(refused, (0, WirePublishError::UnknownType { type_id: 9 }));
    bus.try_publish_wire_many(&header(1, 8), &[], 8).unwrap();
}
