//! Promises of one bus, with the other half of it behind each transport.

use std::sync::Arc;
use std::time::Duration;

use mycelium::{
    Actor, AskError, BoxError, Context, Exposed, Handler, LinkOptions, RemoteError, Responder, Subscription,
    Subscriptions, Supervisor,
};

use tokio::sync::Notify;

use crate::common::Heard;
use crate::kit::{Fill, Order, Text, Tick, bus, find, link, until, until_wanted};
use crate::{Both, Transport, linked};

pub(crate) async fn each_policy_of_a_subscriber_keeps_of_what_comes_what_it_says<T: Transport>() {
    let by_key = Subscription::conflate(|tick: &Tick| tick.n % 3);
    let rows: [(Subscription<Tick>, &[u64]); 3] = [
        (Subscription::drop_oldest().capacity(4), &[96, 97, 98, 99]),
        (Subscription::drop_newest().capacity(4), &[0, 1, 2, 3]),
        (by_key.capacity(4), &[97, 98, 99]),
    ];
    for (subscription, kept) in rows {
        let (market, desk, _kept) = linked::<T>().await;
        let mut heard = desk.subscriber_with(subscription).unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        let ticks = market.publisher::<Tick>().unwrap();
        for n in 0..100 {
            ticks.publish(Tick { n }).await.unwrap();
        }
        until(|| link(&desk, "market").received == 100 && link(&desk, "market").held == 0).await;
        let got: Vec<u64> = std::iter::from_fn(|| heard.try_recv().map(|tick| tick.n)).collect();
        assert_eq!(got, kept);
        let topic = desk.topics().into_iter().find(|topic| topic.message == "Tick").unwrap();
        let lost = topic.dropped_oldest + topic.dropped_newest + topic.conflated;
        assert_eq!((topic.published, lost), (100, 100 - kept.len() as u64), "{topic:?}");
    }
}

/// Answers fills with orders, but for those that it never answers and those that it fails over, at once or
/// when it is let go.
#[derive(Default)]
struct Moody(Arc<Notify>);
impl Moody {
    const NEVER: Fill = Fill { n: 1 };
    const FATAL: Fill = Fill { n: 2 };
    const HELD: Fill = Fill { n: 3 };
}
impl Actor for Moody {
    type Error = BoxError;
}
impl Responder<Fill> for Moody {
    type Reply = Order;
    async fn answer(&mut self, fill: &Fill, _: &mut Context<Self>) -> Order {
        if *fill == Self::NEVER {
            std::future::pending::<()>().await;
        }
        if *fill == Self::HELD {
            self.0.notified().await;
        }
        assert!(![Self::FATAL, Self::HELD].contains(fill), "a question of the test");
        Order { n: fill.n }
    }
}

pub(crate) async fn an_ask_ends_with_its_answer_its_limit_or_its_actor<T: Transport>() {
    let (market, desk, _kept) = linked::<T>().await;
    for name in ["waits", "fails"] {
        let actor = desk.spawn(Moody::default()).unwrap();
        desk.expose(name, Exposed::new().answers::<Fill>(actor)).unwrap();
    }
    let waits = market.reply_recipient::<Fill>("desk/waits").unwrap();
    let fails = market.reply_recipient::<Fill>("desk/fails").unwrap();
    let limit = Duration::from_millis(20);
    for recipient in [&waits, &fails] {
        assert_eq!(recipient.ask(Fill { n: 7 }).await, Ok(Order { n: 7 }));
    }
    assert!(matches!(waits.ask_within(Moody::NEVER, limit).await, Err(AskError::Timeout(_))));
    // The one behind it has its own limit, and was not handled.
    assert!(matches!(waits.ask_within(Fill { n: 7 }, limit).await, Err(AskError::Timeout(_))));
    let (one, other) = tokio::join!(fails.ask(Moody::FATAL), fails.ask(Fill { n: 7 }));
    for ended in [one, other] {
        let error = ended.unwrap_err();
        assert!(matches!(error, AskError::Stopped(_) | AskError::Remote(_, RemoteError::NoActor)), "{error}");
    }
    fails.ended().await;
    let error = fails.ask(Fill { n: 7 }).await.unwrap_err();
    assert!(matches!(error, AskError::Remote(_, RemoteError::NoActor)), "{error}");
}

pub(crate) async fn questions_that_wait_for_an_actor_that_fails_were_put_to_nobody<T: Transport>() {
    let (market, desk) = (bus("market"), bus("desk"));
    // A question uses up the credit until it has ended, so others wait where they were asked.
    let _kept = T::link(&market, &desk, LinkOptions::default().credit(1)).await;
    until(|| find(&market, "desk").is_some()).await;
    let go = Arc::<Notify>::default();
    let actor = desk.spawn(Moody(Arc::clone(&go))).unwrap();
    desk.expose("fails", Exposed::new().answers::<Fill>(actor)).unwrap();
    let fails = market.reply_recipient::<Fill>("desk/fails").unwrap();
    assert_eq!(fails.ask(Fill { n: 7 }).await, Ok(Order { n: 7 }));
    let held = tokio::spawn({
        let fails = fails.clone();
        async move { fails.ask(Moody::HELD).await }
    });
    until(|| link(&desk, "market").received == 2).await;
    // In this order: both wait in their queue before the actor fails.
    let (one, other, ()) =
        tokio::join!(fails.ask(Fill { n: 7 }), fails.ask(Fill { n: 7 }), async { go.notify_one() });
    let error = held.await.unwrap().unwrap_err();
    assert!(matches!(error, AskError::Stopped(_)), "{error}");
    let mut nobodys = 0;
    for ended in [one, other] {
        match ended.unwrap_err() {
            AskError::Remote(_, RemoteError::NoActor) => nobodys += 1,
            // The end of the one in hand gave its credit back before the end of the actor was known here.
            AskError::Stopped(_) => {}
            error => panic!("{error}"),
        }
    }
    let unsent = || link(&market, "desk").unsent;
    until(|| unsent() + link(&desk, "market").received == 4).await;
    assert!(unsent() <= nobodys, "{} of {nobodys}", unsent());
}

pub(crate) async fn many_publishers_on_many_topics_are_each_received_in_order<T: Transport>() {
    const PUBLISHERS: u64 = 8;
    const EACH: u64 = 100;
    let (market, desk, _kept) = linked::<T>().await;
    let heard = Heard::default();
    desk.spawn(Both(heard.clone())).unwrap();
    until_wanted(&market, "desk", &["Tick", "Fill"]).await;
    let publishing: Vec<_> = (0..PUBLISHERS)
        .map(|from| {
            let (ticks, fills) = (market.publisher::<Tick>().unwrap(), market.publisher::<Fill>().unwrap());
            tokio::spawn(async move {
                for n in from * EACH..(from + 1) * EACH {
                    match n % 3 {
                        0 => ticks.publish(Tick { n }).await.unwrap(),
                        _ => fills.publish(Fill { n }).await.unwrap(),
                    }
                }
            })
        })
        .collect();
    for publisher in publishing {
        publisher.await.unwrap();
    }
    until(|| heard.words().len() as u64 == PUBLISHERS * EACH).await;
    let all: Vec<u64> = heard.words().iter().map(|word| word.parse().unwrap()).collect();
    for from in 0..PUBLISHERS {
        let of_one: Vec<u64> = all.iter().copied().filter(|n| n / EACH == from).collect();
        assert_eq!(of_one, (from * EACH..(from + 1) * EACH).collect::<Vec<_>>());
    }
}

pub(crate) async fn a_drain_handles_all_that_has_come_and_is_sent_nothing_more<T: Transport>() {
    let (market, desk, _kept) = linked::<T>().await;
    let heard = Heard::default();
    let child = heard.clone();
    let tree = Supervisor::builder("floor").actor("both", move || Both(child.clone()));
    let tree = tree.start(&desk).await.unwrap();
    until_wanted(&market, "desk", &["Tick", "Fill"]).await;
    let ticks = market.publisher::<Tick>().unwrap();
    for n in 0..200 {
        ticks.publish(Tick { n }).await.unwrap();
    }
    until(|| link(&market, "desk").acknowledged == 200).await;
    // The watchdog of the test is shorter than this.
    tree.drain(Duration::from_secs(3_600)).await.unwrap();
    assert_eq!(heard.words(), (0..200).map(|n| n.to_string()).collect::<Vec<_>>());
    until(|| link(&market, "desk").wants.is_empty()).await;
    for n in 200..210 {
        ticks.publish(Tick { n }).await.unwrap();
    }
    desk.shutdown().await.unwrap();
    let stats = link(&market, "desk");
    assert_eq!((stats.sent, stats.waiting, stats.lost), (200, 0, 0), "{stats}");
    assert_eq!(heard.words().len(), 200);
}

/// Writes down texts.
struct Reader(Heard);
impl Actor for Reader {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Text>();
    }
}
impl Handler<Text> for Reader {
    async fn handle(&mut self, text: &Text, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(text.words.clone());
        Ok(())
    }
}

pub(crate) async fn a_bus_that_pauses_is_sent_nothing_until_it_goes_on<T: Transport>() {
    let (market, desk) = (bus("market"), bus("desk"));
    let _kept = T::link(&market, &desk, LinkOptions::default()).await;
    let heard = Heard::default();
    desk.spawn(Reader(heard.clone())).unwrap();
    let texts = market.publisher::<Text>().unwrap();
    let say = async |words: &str| texts.publish(Text { words: words.into() }).await.unwrap();
    for round in 0..3 {
        until_wanted(&market, "desk", &["Text"]).await;
        say(&format!("{round} before")).await;
        until(|| heard.words().len() == 2 * round + 1).await;
        desk.pause_ingress();
        until(|| link(&market, "desk").wants.is_empty()).await;
        say("meanwhile").await;
        desk.resume_ingress();
        until_wanted(&market, "desk", &["Text"]).await;
        say(&format!("{round} behind")).await;
        until(|| heard.words().len() == 2 * round + 2).await;
    }
    let expected = (0..3).flat_map(|round| [format!("{round} before"), format!("{round} behind")]);
    assert_eq!(heard.words(), expected.collect::<Vec<_>>());
    assert_eq!(link(&market, "desk").sent, 6);
}
