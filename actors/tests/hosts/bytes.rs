//! Bytes into and out of topics: they meet what is published as messages, in one order, under the same rules.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use mycelium::frame::Header;
use mycelium::pool::Pool;
use mycelium::tree::{Child, Redelivery};
use mycelium::{
    Actor, BoxError, Context, Handler, SpawnError, Subscriptions, Supervisor, WireMessage, WireSubscriber,
};

use crate::common::wire::{Counted, Price, Text, bytes, header, show};
use crate::common::{Heard, PERIOD};
use crate::host::Host;

/// Writes down prices as they are, and all that it hears as bytes. `fails` is how often it fails over the
/// text "fail", once it may.
#[derive(Clone)]
struct Tap {
    topics: &'static str,
    heard: Heard,
    fails: Arc<AtomicU64>,
    may_fail: Arc<AtomicBool>,
}

impl Tap {
    fn new(topics: &'static str, heard: &Heard) -> Self {
        let may_fail = Arc::new(AtomicBool::new(true));
        Self { topics, heard: heard.clone(), fails: Arc::default(), may_fail }
    }
}

impl Actor for Tap {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Price>().on_wire(self.topics);
    }
}

impl Handler<Price> for Tap {
    async fn handle(&mut self, price: &Price, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.add(format!("typed {}", price.at));
        Ok(())
    }
}

impl Handler<WireMessage> for Tap {
    async fn handle(&mut self, message: &WireMessage, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        let words = show(message);
        self.heard.add(&*words);
        let left = self.fails.load(Ordering::SeqCst);
        if words == "fail" && left > 0 {
            while !self.may_fail.load(Ordering::SeqCst) {
                ctx.sleep(Duration::from_millis(1)).await;
            }
            self.fails.store(left - 1, Ordering::SeqCst);
            return Err("told to fail".into());
        }
        if words == "stop listening" {
            // One that is not there keeps no other.
            ctx.unsubscribe_wire(["no.such.topic", "*"]);
        }
        Ok(())
    }
}

fn text(words: &str) -> Text {
    Text { words: words.to_owned() }
}

fn all(queue: &mut WireSubscriber) -> Vec<WireMessage> {
    std::iter::from_fn(|| queue.try_recv()).collect()
}

fn bytes_and_messages_have_one_order_and_rising_stamps<H: Host>() {
    let mut host = H::with_contract();
    let heard = Heard::default();
    host.spawn(Tap::new("news", &heard)).unwrap();
    let mut outside = host.subscribe_wire("*").unwrap();
    host.settle();
    let mut expected = Vec::new();
    for n in 0..40 {
        let words = format!("a text of more than eight bytes, {n}");
        if n % 2 == 0 {
            host.publish(Price { at: n }).unwrap();
            host.publish_wire(&header::<Text>(), &bytes(&text(&words))).unwrap();
        } else {
            host.publish_wire(&header::<Price>(), &bytes(&Price { at: n })).unwrap();
            host.publish(text(&words)).unwrap();
        }
        expected.extend([format!("typed {n}"), words]);
    }
    host.until(|| heard.words().len() == expected.len());
    assert_eq!(heard.words(), expected);
    let seen = all(&mut outside);
    let words: Vec<_> = seen.iter().map(show).collect();
    let as_bytes: Vec<_> = expected.iter().map(|word| word.replace("typed", "price")).collect();
    assert_eq!(words, as_bytes);
    assert!(seen.windows(2).all(|pair| pair[0].stamp() < pair[1].stamp()));
    assert!(seen.iter().all(|message| message.bytes().as_ptr().addr().is_multiple_of(8)));
}

fn refused_bytes_are_named_and_reach_nobody<H: Host>() {
    let mut host = H::with_contract();
    let heard = Heard::default();
    host.spawn(Tap::new("*", &heard)).unwrap();
    let mut outside = host.subscribe_wire("*").unwrap();
    host.settle();
    let (good, price) = (header::<Price>(), bytes(&Price { at: 1 }));
    for (header, value, part) in [
        (Header { type_id: 8, ..good }, &price[..], "no message with type id 8"),
        (good, &price[..5], "5 bytes are too few"),
        (good, &bytes(&Price { at: -1 })[..], "Price.at is -1, must be at least 0"),
        (header::<Text>(), &[0xfe; 8][..], "the bytes are no such value"),
    ] {
        let error = host.publish_wire(&header, value).unwrap_err();
        assert!(error.to_string().contains(part), "{error} lacks {part:?}");
    }
    host.settle();
    assert!(heard.words().is_empty() && outside.try_recv().is_none());
    let unknown = SpawnError::UnknownTopic { topic: "nowhere".to_owned() };
    assert_eq!(host.spawn(Tap::new("nowhere", &heard)).err(), Some(unknown.clone()));
    assert_eq!(host.subscribe_wire("nowhere").err(), Some(unknown));
}

/// Live that holds for those that are not far behind; here nobody is.
fn a_message_is_encoded_once_whoever_listens_and_not_at_all_if_nobody_does<H: Host>() {
    let mut host = H::with_contract();
    let encoded = Arc::new(AtomicU64::new(0));
    host.publish(Counted(0, Arc::clone(&encoded))).unwrap();
    host.settle();
    assert_eq!(encoded.load(Ordering::SeqCst), 0);
    let heard = Heard::default();
    for _ in 0..3 {
        host.spawn(Tap::new("market.*", &heard)).unwrap();
    }
    let mut outside = host.subscribe_wire("*").unwrap();
    host.settle();
    for n in 1..=5 {
        host.publish(Counted(n, Arc::clone(&encoded))).unwrap();
    }
    host.until(|| heard.words().len() == 15);
    assert_eq!(all(&mut outside).len(), 5);
    assert_eq!(encoded.load(Ordering::SeqCst), 5);
}

fn bytes_leave_with_the_time_of_their_publish<H: Host>() {
    let mut host = H::with_contract();
    let mut outside = host.subscribe_wire("market.*").unwrap();
    let mut times = Vec::new();
    for at in 0..5 {
        let before = host.now();
        host.publish(Price { at }).unwrap();
        times.push((before, host.now()));
        host.advance(Duration::from_millis(3));
    }
    let seen: Vec<_> = all(&mut outside).iter().map(WireMessage::published).collect();
    assert_eq!(seen.len(), times.len());
    let is_exact = H::OFFERS.exact_time;
    for (at, (before, after)) in seen.iter().zip(&times) {
        assert!(before <= at && at <= after, "{at:?} is not between {before:?} and {after:?}");
        assert!(!is_exact || at == before);
    }
}

fn an_actor_that_hears_bytes_may_stop_listening<H: Host>() {
    let mut host = H::with_contract();
    let heard = Heard::default();
    host.spawn(Tap::new("*", &heard)).unwrap();
    host.settle();
    host.publish(text("first")).unwrap();
    host.publish(text("stop listening")).unwrap();
    host.until(|| heard.words().len() == 2);
    host.settle();
    host.publish(text("unheard")).unwrap();
    host.publish(Price { at: 9 }).unwrap();
    host.until(|| heard.words().len() == 3);
    assert_eq!(heard.words(), ["first", "stop listening", "typed 9"]);
}

fn bytes_in_hand_at_a_failure_are_retried_and_those_behind_them_survive<H: Host>() {
    let mut host = H::with_contract();
    let heard = Heard::default();
    let tap = Tap::new("*", &heard);
    tap.fails.store(2, Ordering::SeqCst);
    let child = Child::actor("tap", move || tap.clone()).redelivery(Redelivery::Retry { attempts: 3 });
    let tree = host.supervise(Supervisor::builder("root").intensity(20, PERIOD).child(child)).unwrap();
    host.settle();
    for words in ["fail", "after"] {
        host.publish_wire(&header::<Text>(), &bytes(&text(words))).unwrap();
    }
    host.until(|| heard.words().len() == 4);
    assert_eq!(heard.words(), ["fail", "fail", "fail", "after"]);
    assert_eq!(host.letters().retried, 2);
    assert_eq!(host.shut_tree(&tree), [""; 0]);
}

fn bytes_that_wait_at_an_end_are_dead_letters<H: Host>() {
    let mut host = H::with_contract();
    let heard = Heard::default();
    let tap = Tap::new("news", &heard);
    tap.fails.store(1, Ordering::SeqCst);
    let may_fail = Arc::clone(&tap.may_fail);
    may_fail.store(false, Ordering::SeqCst);
    let doomed = host.spawn(tap).unwrap();
    host.settle();
    for words in ["fail", "second", "third"] {
        host.publish_wire(&header::<Text>(), &bytes(&text(words))).unwrap();
    }
    may_fail.store(true, Ordering::SeqCst);
    host.ended(&doomed);
    host.settle();
    assert_eq!((heard.words(), host.letters().dead), (vec!["fail".to_owned()], 3));
    let letters = host.dead_letters();
    assert!(letters.recent.iter().all(|letter| (letter.message, letter.topic) == ("Text", Some("news"))));
}

/// Writes down the bytes of texts, and by whom.
#[derive(Clone)]
struct Reader(Heard);

impl Actor for Reader {
    type Error = BoxError;
}

impl Handler<WireMessage> for Reader {
    async fn handle(&mut self, message: &WireMessage, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(format!("{} {}", ctx.id(), show(message)));
        Ok(())
    }
}

fn a_pool_hears_topics_as_bytes_each_message_once_and_by_key<H: Host>() {
    let mut host = H::with_contract();
    let (heard, reader) = (Heard::default(), Heard::default());
    let read = reader.clone();
    let pool = Pool::new(move || Reader(read.clone())).workers(3).on_wire("news");
    let pool = pool.key_if(|message: &WireMessage| show(message).bytes().next().map(u64::from));
    let tree = Supervisor::builder("root").supervisor(pool.supervisor("pool"));
    let tree = host.supervise(tree).unwrap();
    let pool = tree.lookup_pool::<Reader>("root/pool").unwrap();
    for number in 0..30 {
        // One without a letter in front has no key.
        for key in ["", "a", "b", "c", "d"] {
            let words = format!("{key}{number:>2}").trim().to_owned();
            host.publish_wire(&header::<Text>(), &bytes(&text(&words))).unwrap();
            heard.add(words);
        }
    }
    host.wait(pool.flush()).unwrap();
    let lines = reader.words();
    let said = |key: &str| -> Vec<(String, String)> {
        let pairs = lines.iter().map(|line| line.split_once(' ').unwrap());
        let mine = pairs.filter(|(_, words)| words.starts_with(key));
        mine.map(|(who, words)| (who.to_owned(), words.to_owned())).collect()
    };
    for key in ["a", "b", "c", "d"] {
        let said = said(key);
        assert!(said.iter().all(|(who, _)| *who == said[0].0), "one worker for a key: {said:?}");
        let words: Vec<_> = said.into_iter().map(|(_, words)| words).collect();
        let order: Vec<_> = heard.words().into_iter().filter(|words| words.starts_with(key)).collect();
        assert_eq!(words, order);
    }
    assert_eq!(lines.len(), 150);
    // Nobody may have it: the dead letter has the name of the message.
    for worker in 1..=3 {
        host.wait(tree.terminate_child(&format!("root/pool/worker-{worker}"))).unwrap();
    }
    host.publish_wire(&header::<Text>(), &bytes(&text("late"))).unwrap();
    while host.letters().dead == 0 {
        host.advance(Duration::from_millis(1));
    }
    let letter = host.dead_letters().recent.pop().unwrap();
    assert_eq!((letter.message, letter.topic), ("Text", Some("news")));
}

conformance!(a_pool_hears_topics_as_bytes_each_message_once_and_by_key);
conformance!(bytes_and_messages_have_one_order_and_rising_stamps);
conformance!(refused_bytes_are_named_and_reach_nobody);
conformance!(a_message_is_encoded_once_whoever_listens_and_not_at_all_if_nobody_does);
conformance!(bytes_leave_with_the_time_of_their_publish);
conformance!(an_actor_that_hears_bytes_may_stop_listening);
conformance!(bytes_in_hand_at_a_failure_are_retried_and_those_behind_them_survive);
conformance!(bytes_that_wait_at_an_end_are_dead_letters);
