//! Answers beside what has no room.

use std::sync::Arc;
use std::time::Duration;

use mycelium::{
    Actor, BoxError, Context, Dialer, Handler, LinkAddress, LinkOptions, MessageBus, Publisher, Subscription,
    Subscriptions,
};

use crate::Desk;
use crate::common::on_every_runtime;
use crate::kit::{Fill, Order, Text, bus, link, linked, until, until_wanted};

/// How often it waits for answers.
const ROUNDS: usize = 100;

/// What an actor waits for while it handles its first text.
#[derive(Clone, Copy, Debug)]
enum Wait {
    Answers,
    /// At a path that nobody here has used before.
    FirstTell,
    FirstAsk,
    RoundTrip,
}

/// Waits for the peer at its first text, and takes the others afterwards.
struct Waits {
    wait: Wait,
    bus: MessageBus,
    texts: Publisher<Text>,
    dialer: Arc<Dialer>,
    heard: Desk,
}
impl Actor for Waits {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Text>::block().capacity(1));
    }
}
impl Handler<Text> for Waits {
    async fn handle(&mut self, _: &Text, _: &mut Context<Self>) -> Result<(), BoxError> {
        let number = self.heard.heard().len() as u64;
        if number == 0 {
            // The next message is more than the link may hold.
            tokio::time::sleep(Duration::from_millis(100)).await;
            match self.wait {
                Wait::FirstTell => self.bus.recipient("market/desk")?.tell(Order { n: 4 }).await?,
                Wait::RoundTrip => assert!(self.dialer.round_trip().await.is_some()),
                Wait::FirstAsk => self.ask().await?,
                Wait::Answers => {
                    // So many that each of them cannot have waited for a heartbeat.
                    for _ in 1..ROUNDS {
                        self.ask().await?;
                        // The link has something to read again, and rests; it owes the peer no word.
                        self.texts.publish(Text { words: "more".into() }).await?;
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            }
        }
        self.heard.heard.lock().unwrap().push(number);
        Ok(())
    }
}

impl Waits {
    async fn ask(&self) -> Result<(), BoxError> {
        let answer = self.bus.reply_recipient::<Fill>("market/desk")?.ask(Fill { n: 4 }).await?;
        assert_eq!(answer, Order { n: 8 });
        Ok(())
    }
}

fn passes_what_has_no_room(wait: Wait) {
    on_every_runtime(async move || {
        let (market, other) = (bus("market"), bus("desk"));
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        let options = LinkOptions::default().held_bytes(1 << 20);
        let dialer = other.connect_with(LinkAddress::tcp(listener.address()), options).unwrap();
        dialer.linked().await;
        Desk::default().on(&market);
        if let Wait::Answers = wait {
            let fills = other.reply_recipient::<Fill>("market/desk").unwrap();
            assert_eq!(fills.ask(Fill { n: 1 }).await, Ok(Order { n: 2 }));
        }
        let (heard, dialer) = (Desk::default(), Arc::new(dialer));
        let texts = market.publisher::<Text>().unwrap();
        let bus = other.clone();
        other.spawn(Waits { wait, bus, texts: texts.clone(), dialer, heard: heard.clone() }).unwrap();
        until_wanted(&market, "desk", &["Text"]).await;
        for _ in 0..60 {
            texts.publish(Text { words: "x".repeat(100_000) }).await.unwrap();
        }
        let more = if let Wait::Answers = wait { ROUNDS - 1 } else { 0 };
        until(|| heard.heard().len() == 60 + more).await;
    });
}

#[test]
fn an_answer_passes_what_has_no_room() {
    passes_what_has_no_room(Wait::Answers);
}

#[test]
fn the_first_use_of_a_path_and_a_round_trip_pass_what_has_no_room() {
    for wait in [Wait::FirstTell, Wait::FirstAsk, Wait::RoundTrip] {
        passes_what_has_no_room(wait);
    }
}

#[test]
fn a_question_that_nobody_waits_for_any_more_makes_no_room_for_what_has_none() {
    on_every_runtime(async || {
        let (market, other) = (bus("market"), bus("desk"));
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        let options = LinkOptions::default().held_bytes(1 << 20);
        other.connect_with(LinkAddress::tcp(listener.address()), options).unwrap().linked().await;
        Desk::default().on(&market);
        let mut texts = other.subscriber_with(Subscription::<Text>::block().capacity(1)).unwrap();
        let fills = other.reply_recipient::<Fill>("market/desk").unwrap();
        // It is never answered.
        let asked = tokio::time::timeout(Duration::from_millis(50), fills.ask(Fill { n: u64::MAX })).await;
        assert!(asked.is_err());
        until_wanted(&market, "desk", &["Text"]).await;
        let publisher = market.publisher::<Text>().unwrap();
        for _ in 0..60 {
            publisher.publish(Text { words: "x".repeat(100_000) }).await.unwrap();
        }
        until(|| link(&other, "market").held >= 11).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert_eq!(link(&other, "market").held, 11, "11 of 100 kB are more than 1 MiB");
        for _ in 0..60 {
            texts.recv().await.unwrap();
        }
    });
}

#[test]
fn answers_come_through_a_topic_that_takes_all_the_room_there_is() {
    on_every_runtime(async || {
        let (market, other) = linked().await;
        let desk = Desk::default();
        desk.on(&other);
        let fills = market.reply_recipient::<Fill>("desk/desk").unwrap();
        // The answering side is the one that floods: its values and frames divide the window.
        let mut texts = market.subscriber_with(Subscription::<Text>::block().capacity(8)).unwrap();
        until_wanted(&other, "market", &["Text"]).await;
        let publisher = other.publisher::<Text>().unwrap();
        let flood = async {
            loop {
                publisher.publish(Text { words: "x".repeat(4_000) }).await.unwrap();
            }
        };
        let hear = async { while texts.recv().await.is_some() {} };
        let ask = async {
            for n in 0..100 {
                assert_eq!(fills.ask(Fill { n }).await, Ok(Order { n: 2 * n }));
            }
        };
        tokio::select! {
            () = flood => {}
            () = hear => {}
            () = ask => {}
        }
    });
}
