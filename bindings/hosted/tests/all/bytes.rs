//! Publishing and reading bytes.

use std::time::Duration;

use mycelium::frame::Header;
use mycelium::{Subscription, WirePublishError};
use mycelium_hosted::{Error, ErrorKind, RECORD_HEADER_LEN, Runtime, records};

use crate::common::{TABLE, WATCHDOG, builder, price, runtime, tick};

#[test]
fn what_is_published_is_read_one_by_one_in_arrays_and_in_records() {
    let runtime = runtime();
    let block = Subscription::block();
    let (mut singly, mut array) =
        (runtime.reader("ticks", block).unwrap(), runtime.reader("ticks", block).unwrap());
    let mut all = runtime.reader("*", block).unwrap();
    for at in 0..1000 {
        runtime.publish(7, &tick(at)).unwrap();
    }
    let mut news = *b"\x8c\xff\xff\xff\xff\xff\xff\xff";
    assert_eq!(runtime.publish(9, &news).unwrap_err().kind(), ErrorKind::Value);
    news = *b"hello\xff\xff\xff";
    runtime.publish(9, &news).unwrap();

    let mut seen = Vec::new();
    while seen.len() < 1000 {
        assert!(singly.wait(Some(WATCHDOG)).unwrap());
        singly.drain(7, |delivery| seen.push(price(delivery.bytes))).unwrap();
    }
    assert!(seen.into_iter().eq(0..1000));

    // Not a multiple of the size: what is left over stays free.
    let mut out = [0; 8 * 300 + 5];
    let mut seen = Vec::new();
    while seen.len() < 1000 {
        let count = array.read_array(7, &mut out).unwrap();
        assert!(count <= 300);
        seen.extend(out.chunks_exact(8).take(count).map(price));
    }
    assert!(seen.into_iter().eq(0..1000));
    assert_eq!(array.read_array(7, &mut out), Ok(0));

    let mut out = vec![0; 3 * (RECORD_HEADER_LEN + 8)];
    let (mut count, mut last) = (0, None);
    while count < 1001 {
        let taken = all.read_records(&mut out, usize::MAX).unwrap();
        assert!((1..=3).contains(&taken));
        for record in records(&out, taken) {
            assert!(
                Some(record.stamp) >= last && record.sender == 0 && record.published_ns > 0,
                "{record:?} {last:?}"
            );
            last = Some(record.stamp);
            match record.type_id {
                7 => assert_eq!((price(record.bytes), record.version, record.root_len), (count, 1, 8)),
                _ => assert_eq!((record.type_id, record.bytes), (9, &news[..])),
            }
            count += 1;
        }
    }
    assert_eq!(all.read_records(&mut out, 5), Ok(0));
    runtime.publish(7, &tick(1)).unwrap();
    assert_eq!(
        all.read_records(&mut out[..47], 5),
        Err(Error::Buffer { needed: 48, got: 47 }),
        "it is not lost"
    );
    assert_eq!(all.read_records(&mut out, 5), Ok(1));
}

#[test]
fn a_batch_takes_newer_versions_and_stops_at_what_it_cannot_take_without_losing_it() {
    let runtime = runtime();
    let mut all = runtime.reader(["ticks", "grown"], Subscription::block()).unwrap();
    let grown = |version: u16, fields: &[i64]| {
        let bytes: Vec<u8> = fields.iter().flat_map(|field| field.to_le_bytes()).collect();
        let root_len = u32::try_from(bytes.len()).unwrap();
        runtime.publish_as(&Header { type_id: 8, version, root_len, ..Header::default() }, &bytes).unwrap();
    };
    grown(2, &[1, 2]);
    grown(3, &[3, 4, 5]);
    grown(1, &[6]);
    grown(2, &[7, 8]);
    runtime.publish(7, &tick(9)).unwrap();
    let mut out = [0; 16 * 8];
    assert_eq!(all.read_array(8, &mut out), Ok(2));
    assert!(out[..32].chunks(8).map(price).eq(1..=4));
    assert_eq!(all.read_array(9, &mut out), Err(Error::NotFixed { message: "News" }));
    let refused = Error::NotInBatch { message: "Grown", len: 8, stride: 16 };
    assert_eq!(all.read_array(8, &mut out), Err(refused.clone()));
    assert_eq!(all.read_array(8, &mut out), Err(refused));
    let mut old = Vec::new();
    assert_eq!(all.drain(1, |delivery| old.push((delivery.header.version, delivery.bytes.to_vec()))), Ok(1));
    assert_eq!(old, [(1, tick(6).to_vec())]);
    assert_eq!(all.read_array(8, &mut out), Ok(1));
    assert_eq!(all.read_array(8, &mut out).unwrap_err().kind(), ErrorKind::Buffer);
    assert_eq!(all.read_array(7, &mut out), Ok(1));
    assert_eq!(all.read_array(7, &mut out[..7]).unwrap_err().kind(), ErrorKind::Buffer);
    assert_eq!(all.read_array(70, &mut out), Err(Error::UnknownType { type_id: 70 }));
}

#[test]
fn a_publish_waits_for_room_and_a_try_says_that_there_is_none() {
    let runtime = runtime();
    let mut slow = runtime.reader("ticks", Subscription::block().capacity(2)).unwrap();
    let mut published = 0;
    let full = loop {
        match runtime.try_publish(7, &tick(published)) {
            Ok(()) => published += 1,
            Err(error) => break error,
        }
    };
    assert!(full.is_full());
    assert_eq!(
        (full.kind(), &full),
        (ErrorKind::Full, &Error::Publish(WirePublishError::Full { message: "Tick", whose: None }))
    );
    let other = runtime.clone();
    let values = (published..5_000).map(tick).collect::<Vec<_>>().concat();
    let publisher = std::thread::spawn(move || other.publish_many(7, &values, 8));
    let mut seen = Vec::new();
    while seen.len() < 5_000 {
        assert!(slow.wait(Some(WATCHDOG)).unwrap());
        slow.drain(3, |delivery| seen.push(price(delivery.bytes))).unwrap();
    }
    assert!(seen.into_iter().eq(0..5_000));
    assert_eq!(publisher.join().unwrap(), Ok(usize::try_from(5_000 - published).unwrap()));
    // A publish that waits while the runtime closes ends.
    let other = runtime.clone();
    let publisher =
        std::thread::spawn(move || (0..).map(|n| other.publish(7, &tick(n))).find_map(Result::err));
    crate::common::until("full", || {
        runtime.stats().unwrap().queues.iter().any(|queue| queue.waiting >= queue.capacity)
    });
    runtime.close(WATCHDOG).unwrap();
    assert_eq!(publisher.join().unwrap().unwrap().kind(), ErrorKind::Closed);
}

#[test]
fn of_several_the_first_that_is_wrong_is_told_with_how_many_came_before() {
    let runtime = runtime();
    let three = [&tick(1)[..], &tick(2), &[1, 2, 3]].concat();
    let some = runtime.publish_many(7, &three, 8).unwrap_err();
    assert_eq!((some.published, some.error.kind()), (2, ErrorKind::Value));
    let none = runtime.publish_many(7, &three, 3).unwrap_err();
    assert_eq!((none.published, none.error.kind()), (0, ErrorKind::Value));
    assert_eq!(runtime.publish_many(7, &[], 8), Ok(0));
    assert_eq!(runtime.publish_many(7, &[], 0), Ok(0));
    assert_eq!(runtime.publish_many(7, &three, 0).unwrap_err().published, 0);
    let none = runtime.publish_many(99, &tick(1), 8).unwrap_err();
    assert_eq!((none.published, none.error), (0, Error::UnknownType { type_id: 99 }));
}

#[test]
fn a_wait_ends_with_a_message_with_its_limit_or_with_the_runtime() {
    let runtime = runtime();
    let mut ticks = runtime.reader("ticks", Subscription::block()).unwrap();
    assert_eq!(ticks.wait(Some(Duration::from_millis(5))), Ok(false));
    assert_eq!(ticks.wait(Some(Duration::ZERO)), Ok(false));
    let other = runtime.clone();
    let publisher = std::thread::spawn(move || other.publish(7, &tick(1)));
    assert_eq!(ticks.wait(None), Ok(true));
    publisher.join().unwrap().unwrap();
    assert_eq!(ticks.wait(Some(Duration::MAX)), Ok(true), "it is still there");
    let waits = std::thread::spawn(move || {
        let first = ticks.drain(10, |_| ());
        (first, ticks.wait(None), ticks.drain(10, |_| ()))
    });
    runtime.close(WATCHDOG).unwrap();
    let (first, ended, after) = waits.join().unwrap();
    assert_eq!(
        (first, ended.unwrap_err().kind(), after.unwrap_err().kind()),
        (Ok(1), ErrorKind::Closed, ErrorKind::Closed)
    );
}

#[test]
fn a_closed_runtime_says_so_to_whoever_uses_it_and_readers_read_to_the_end() {
    let runtime = runtime();
    let mut ticks = runtime.reader("ticks", Subscription::block()).unwrap();
    for at in 0..10 {
        runtime.publish(7, &tick(at)).unwrap();
    }
    runtime.close(WATCHDOG).unwrap();
    assert!(runtime.is_closed());
    runtime.close(WATCHDOG).unwrap();
    let closed = ErrorKind::Closed;
    assert_eq!(runtime.publish(7, &tick(1)).unwrap_err().kind(), closed);
    // A topic that nobody has used before.
    assert_eq!(runtime.try_publish(9, b"hello\xff\xff\xff").unwrap_err().kind(), closed);
    assert_eq!(runtime.reader("news", Subscription::block()).unwrap_err().kind(), closed);
    assert_eq!(runtime.subscribe("news", Subscription::block(), |_| Ok(())).unwrap_err().kind(), closed);
    assert_eq!(runtime.address("root/a").unwrap_err().kind(), closed);
    assert_eq!(runtime.stats().unwrap_err().kind(), closed);
    let mut out = [0; 80];
    assert_eq!(ticks.read_array(7, &mut out[..24]), Ok(3));
    assert_eq!(ticks.wait(None), Ok(true));
    assert_eq!(ticks.drain(100, |_| ()), Ok(7));
    assert_eq!(ticks.read_array(7, &mut out).unwrap_err().kind(), closed);
    assert_eq!(ticks.read_records(&mut out, 1).unwrap_err().kind(), closed);
}

#[test]
fn a_contract_is_read_from_its_table_or_its_yaml_and_digests_are_compared() {
    let yaml = include_str!("../../../../contracts.yaml");
    let runtime = Runtime::builder().contract_text(yaml, "contracts.yaml").unwrap().start().unwrap();
    let contract = mycelium_contract::Contract::parse(yaml, "contracts.yaml").unwrap();
    let digests = mycelium_contract::Digests::of(&contract);
    let schema = digests.schema(&contract);
    runtime.known().check_schema(schema).unwrap();
    let wrong = runtime.known().check_schema(1).unwrap_err();
    assert_eq!(wrong, Error::Digest { what: "the schema".into(), runtime: schema, program: 1 });
    assert!(wrong.to_string().contains("mycelium gen"), "{wrong}");
    for message in &contract.messages {
        let known = runtime.known().get(message.type_id).unwrap();
        assert_eq!(
            (known.name, known.topic, known.version),
            (&*message.name, &*message.topic, message.version)
        );
        let digest = digests.message(message, message.version);
        runtime.known().check_message(message.type_id, digest).unwrap();
        assert_eq!(
            runtime.known().check_message(message.type_id, !digest).unwrap_err().kind(),
            ErrorKind::Digest
        );
    }
    assert_eq!(runtime.known().check_message(9, 0), Err(Error::UnknownType { type_id: 9 }));
    for (text, word) in [
        ("", "schema"),
        ("messages: 3", "messages"),
        ("mycelium contract 1\nmessage", "test:"),
        ("{", "test"),
    ] {
        let error = builder().contract_text(text, "test").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Contract);
        assert!(error.to_string().contains(word), "{text:?}: {error}");
    }
    // Two contracts at once.
    let both = builder().contract_text(yaml, "contracts.yaml").unwrap().start().unwrap();
    assert_eq!(both.known().all().len(), contract.messages.len() + TABLE.matches("\nmessage").count());
}

#[test]
fn a_publisher_of_one_message_publishes_as_the_runtime_does_and_waits_for_room() {
    let runtime = runtime();
    assert_eq!(runtime.publisher(77).unwrap_err(), Error::UnknownType { type_id: 77 });
    let ticks = runtime.publisher(7).unwrap();
    let mut reader = runtime.reader("ticks", Subscription::block().capacity(2)).unwrap();
    assert_eq!(ticks.publish(&[0; 7]).unwrap_err().kind(), ErrorKind::Value);
    for at in 0..2 {
        ticks.publish(&tick(at)).unwrap();
    }
    assert_eq!(ticks.try_publish(&tick(2)).unwrap_err().kind(), ErrorKind::Full);
    std::thread::scope(|scope| {
        let more = ticks.clone();
        scope.spawn(move || {
            more.publish_waiting(&tick(2)).unwrap();
            (3..1_000).try_for_each(|at| more.publish(&tick(at))).unwrap();
        });
        let mut seen = Vec::new();
        while seen.len() < 1_000 {
            assert!(reader.wait(Some(WATCHDOG)).unwrap());
            reader.drain(9, |delivery| seen.push(price(delivery.bytes))).unwrap();
        }
        assert!(seen.into_iter().eq(0..1_000));
    });
    runtime.close(WATCHDOG).unwrap();
    assert_eq!(ticks.publish(&tick(0)).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(ticks.publish_waiting(&tick(0)).unwrap_err().kind(), ErrorKind::Closed);
    assert_eq!(runtime.publisher(7).unwrap_err().kind(), ErrorKind::Closed);
}
