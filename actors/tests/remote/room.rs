//! Answers beside what has no room.

use std::time::Duration;

use mycelium::{
    Actor, BoxError, Context, Exposed, Handler, LinkAddress, LinkOptions, ReplyRecipient, Subscription,
    Subscriptions,
};

use crate::Desk;
use crate::common::on_every_runtime;
use crate::kit::{Fill, Order, Text, bus, linked, until, until_wanted};

/// Asks at its first text, and takes the others afterwards.
struct Asks {
    fills: ReplyRecipient<Fill>,
    heard: Desk,
}
impl Actor for Asks {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on_with(Subscription::<Text>::block().capacity(1));
    }
}
impl Handler<Text> for Asks {
    async fn handle(&mut self, _: &Text, _: &mut Context<Self>) -> Result<(), BoxError> {
        let number = self.heard.heard().len() as u64;
        if number == 0 {
            // What comes next is more than the link may hold.
            tokio::time::sleep(Duration::from_millis(100)).await;
            assert_eq!(self.fills.ask(Fill { n: 4 }).await, Ok(Order { n: 8 }));
        }
        self.heard.heard.lock().unwrap().push(number);
        Ok(())
    }
}

#[test]
fn an_answer_passes_what_has_no_room() {
    on_every_runtime(async || {
        let (market, other) = (bus("market"), bus("desk"));
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        let options = LinkOptions::default().held_bytes(1 << 20);
        other.connect_with(LinkAddress::tcp(listener.address()), options).unwrap().linked().await;
        let answers = Desk::default();
        let desk = market.spawn(answers.clone()).unwrap();
        market.expose("desk", Exposed::new().answers::<Fill>(desk)).unwrap();
        let heard = Desk::default();
        let fills = other.reply_recipient::<Fill>("market/desk").unwrap();
        other.spawn(Asks { fills, heard: heard.clone() }).unwrap();
        until_wanted(&market, "desk", &["Text"]).await;
        let publisher = market.publisher::<Text>().unwrap();
        for _ in 0..60 {
            publisher.publish(Text { words: "x".repeat(100_000) }).await.unwrap();
        }
        until(|| heard.heard().len() == 60).await;
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
