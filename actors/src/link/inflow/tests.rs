//! What becomes of messages of a peer that have no room, and of those that nobody wants any more.

use std::sync::atomic::Ordering;
use std::task::Waker;

use mycelium_remote::frame::{self, Flags};

use super::*;
use crate::link::expose::WayBack;
use crate::link::expose::tests::Stub;
use crate::link::interest::WantedType;
use crate::wire::Contract;
use crate::{MessageBus, Subscription, WireSubscriber};

const RAWS: &str = "mycelium contract 1\nschema raw 1\nmessage Raw 40 1 raws\nfield n 1 u64\n";

fn raw() -> Header {
    Header { type_id: 40, version: 1, root_len: 8, ..Header::default() }
}

#[test]
fn what_comes_in_a_pause_is_late_as_long_as_it_lasts_and_what_came_before_is_not() {
    let bus = MessageBus::builder().contract(Contract::parse(RAWS).unwrap()).build();
    let _full = bus.subscribe_wire_with(["raws"], Subscription::block().capacity(1)).unwrap();
    let mut inflow = Inflow::new(Arc::clone(&bus.core), 1, 1 << 20);
    let header = Header { type_id: 40, version: 1, root_len: 8, ..Header::default() };
    let come = |inflow: &mut Inflow, count| (0..count).filter(|_| inflow.take(&header, &[0; 8])).count();
    assert_eq!(come(&mut inflow, 3), 1, "one has room");
    assert!(!inflow.publish(&mut TaskContext::from_waker(Waker::noop()), || false, || false, |_| ()));
    inflow.pause(true);
    come(&mut inflow, 3);
    assert_eq!((inflow.held(), inflow.late()), (5, 3));
    inflow.pause(false);
    assert_eq!(inflow.late(), 0);
    inflow.pause(true);
    come(&mut inflow, 1);
    assert_eq!((inflow.held(), inflow.late()), (6, 1), "each pause counts its own");
    assert_eq!((inflow.forget(40), inflow.held(), inflow.late()), (6, 0, 0));
}

/// A bus, a topic of it with a subscriber that has room for one message, and what it wants of the peer.
fn wanted() -> (MessageBus, Inflow, impl Fn() -> WireSubscriber) {
    let bus = MessageBus::builder().contract(Contract::parse(RAWS).unwrap()).build();
    let inflow = Inflow::new(Arc::clone(&bus.core), 1, 1 << 20);
    let topics = bus.clone();
    let narrow = move || topics.subscribe_wire_with(["raws"], Subscription::block().capacity(1)).unwrap();
    (bus, inflow, narrow)
}

/// Looks who wants it now, as the hub does.
fn look(bus: &MessageBus, inflow: &mut Inflow) {
    let round = Some(bus.core.topics.times_emptied(raw().type_id));
    inflow
        .set_channels(&Arc::new(vec![WantedType { type_id: raw().type_id, channel: 0, round }]), Vec::new());
}

#[tokio::test]
async fn what_was_meant_for_those_who_have_left_reaches_nobody_who_comes_before_the_next_look() {
    let (bus, mut inflow, narrow) = wanted();
    let first = narrow();
    look(&bus, &mut inflow);
    assert!(inflow.take(&raw(), &1_u64.to_le_bytes()));
    assert!(!inflow.take(&raw(), &2_u64.to_le_bytes()), "it waits for room");
    drop(first);
    let mut second = narrow();
    let mut cx = TaskContext::from_waker(Waker::noop());
    let mut gone = 0;
    assert!(inflow.publish(&mut cx, || false, || false, |_| gone += 1));
    assert!(inflow.take(&raw(), &3_u64.to_le_bytes()));
    assert_eq!((gone, inflow.held(), inflow.outdated(), inflow.refused()), (1, 0, 2, 0));
    look(&bus, &mut inflow);
    assert!(inflow.take(&raw(), &4_u64.to_le_bytes()));
    let got = second.recv().await.unwrap();
    assert_eq!((got.bytes(), inflow.outdated()), (&4_u64.to_le_bytes()[..], 2));
}

/// A frame in which these numbers share a run.
fn row(numbers: std::ops::Range<u64>) -> Vec<u8> {
    let mut entries = Vec::new();
    for number in numbers {
        let head = [8, 0, u32::from(raw().type_id) | u32::from(raw().version) << 16, raw().root_len];
        head.iter().for_each(|word: &u32| entries.extend(word.to_le_bytes()));
        entries.extend(number.to_le_bytes());
    }
    let mut frame = Vec::new();
    frame::encode(&Header { flags: Flags::RUN, ..Header::default() }, &entries, &mut frame).unwrap();
    frame
}

#[tokio::test]
async fn a_row_that_was_meant_for_those_who_have_left_is_passed_over_as_a_whole() {
    let (bus, mut inflow, narrow) = wanted();
    let first = narrow();
    look(&bus, &mut inflow);
    let take_row = |inflow: &mut Inflow, numbers| {
        let frame = row(numbers);
        let mut run = frame::parse(&frame, 1 << 20, false).unwrap().run().unwrap();
        (inflow.take_row(&mut run), run.next_type())
    };
    drop(first);
    let mut second = narrow();
    assert_eq!(take_row(&mut inflow, 0..100), ((100, 0), None));
    assert_eq!((inflow.outdated(), inflow.held(), inflow.refused()), (100, 0, 0));
    look(&bus, &mut inflow);
    assert_eq!(take_row(&mut inflow, 100..103), ((1, 2), None), "one has room");
    assert_eq!(second.recv().await.unwrap().bytes(), 100_u64.to_le_bytes());
    assert_eq!((inflow.outdated(), inflow.held()), (100, 2));
}

#[tokio::test]
async fn questions_wait_as_soon_as_enough_was_answered_and_not_at_the_next_turn() {
    let bus = MessageBus::new();
    let mut inflow = Inflow::new(Arc::clone(&bus.core), 1, 1 << 20);
    let header = Header { type_id: 40, version: 1, root_len: 8, ..Header::default() };
    let mut cx = TaskContext::from_waker(Waker::noop());
    let actor = Arc::new(Stub::default());
    inflow.questions_wait = true;
    for _ in 0..5 {
        let way_back = WayBack::Here(mycelium_mailbox::reply().0);
        let door: Arc<dyn Door> = Arc::clone(&actor) as _;
        let mail = DirectMail { place: 0, door, way_back: Some(way_back) };
        assert!(inflow.take_mail(&header, &[0; 8], mail, &mut cx).is_none());
    }
    inflow.questions_wait = false;
    let answered = || actor.entered.load(Ordering::Relaxed);
    assert!(inflow.publish(&mut cx, || false, || answered() == 2, |_| ()));
    assert_eq!((answered(), inflow.held(), inflow.questions_wait), (2, 3, true));
}
