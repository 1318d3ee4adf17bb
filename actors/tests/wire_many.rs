//! Values that are published together.
#![forbid(unsafe_code)]

use mycelium::frame::Header;
use mycelium::wire::{Contract, ValueError, WireError};
use mycelium::{MessageBus, Subscription, WireArray, WirePublishError, WireRow};

const TABLE: &str = "mycelium contract 1\nschema many 1\n\
    message Tick 1 1 ticks\nfield number 1 u64\n\
    message Odd 2 1 odds\nfield number 1 u32\nfield flag 1 bool\nfield last 1 u16\nfield more 1 u32\n\
    message Even 3 1 evens\nfield number 1 u64\nfield flag 1 bool\n";

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

#[tokio::test(flavor = "current_thread")]
async fn a_copy_is_published_from_the_front_as_far_as_it_goes_and_the_rest_stays_whole() {
    let bus = bus();
    let mut evens = bus.subscribe_wire_with("evens", Subscription::block().capacity(3)).unwrap();
    let even = |number: u64, flag: u8| [number.to_le_bytes(), [flag, 0, 0, 0, 0, 0, 0, 0]].concat();
    let all: Vec<u8> = (0..6).flat_map(|number| even(number, u8::from(number == 4) * 7)).collect();
    let mut row = WireRow::new(&header(3, 16), &all, 16).unwrap();
    row.edit().unwrap()[8] = 1;
    let full = bus.try_publish_wire_row(&mut row).unwrap_err();
    assert!(matches!(full, WirePublishError::Full { .. }) && row.edit().is_none(), "{full}");
    assert_eq!(row.rest(), &all[48..]);
    let mut read = Vec::new();
    evens.drain(2, |even| read.push((even.bytes[0], even.bytes[8])));
    // The fourth has room; the one behind it is none.
    let wrong = bus.try_publish_wire_row(&mut row).unwrap_err();
    assert!(matches!(wrong, WirePublishError::Value(ValueError::Wire(WireError::Invalid { .. }))), "{wrong}");
    assert_eq!(row.rest(), &all[64..], "it is the first that was not published");
    evens.drain(9, |even| read.push((even.bytes[0], even.bytes[8])));
    assert_eq!(read, [(0, 1), (1, 0), (2, 0), (3, 0)]);
}

#[tokio::test(flavor = "current_thread")]
async fn arrays_are_read_whole_in_order_and_end_before_what_is_none_of_theirs() {
    let bus = bus();
    let how = || Subscription::block().capacity(1_000);
    let ticks_of = |topics: &[&str]| bus.subscribe_wire_with(topics, how()).unwrap();
    let mut readers = [ticks_of(&["ticks"]), ticks_of(&["ticks", "odds"])];
    // Together, one by one, and together again, with another message in between.
    bus.try_publish_wire_many(&header(1, 8), &ticks(0..300), 8).unwrap();
    for number in 300..400 {
        bus.try_publish_wire(&header(1, 8), &ticks(number..=number)).unwrap();
    }
    bus.try_publish_wire(&header(2, 12), &[1, 0, 0, 0, 1, 0, 2, 0, 3, 0, 0, 0]).unwrap();
    bus.try_publish_wire_many(&header(1, 8), &ticks(400..500), 8).unwrap();
    let array = WireArray { type_id: 1, version: 1, stride: 8, newer: false };
    for (at, reader) in readers.iter_mut().enumerate() {
        assert_eq!(reader.unread(), 500 + at);
        let (mut read, mut out) = (Vec::new(), [0; 8 * 77 + 3]);
        while read.len() < 8 * 500 {
            let count = reader.read_array(&array, &mut out);
            read.extend_from_slice(&out[..8 * count]);
            if count == 0 {
                assert_eq!((at, read.len()), (1, 8 * 400), "it ends where another message is");
                assert_eq!(reader.try_recv().unwrap().name(), "Odd");
            }
        }
        assert_eq!(read, ticks(0..500));
        assert_eq!((reader.read_array(&array, &mut out), reader.unread()), (0, 0));
    }
    let stats = bus.stats();
    let counted = stats.topics.iter().find(|topic| topic.message == "Tick").unwrap();
    assert_eq!((counted.published, counted.delivered, counted.waiting), (500, 1_000, 0));
}
