//! Actors that are told, asked and watched across links.

#![forbid(unsafe_code)]

#[path = "remote/away.rs"]
mod away;
mod common;
#[path = "links/kit.rs"]
#[allow(dead_code, reason = "what the tests of topics need")]
mod kit;
#[path = "remote/last_words.rs"]
mod last_words;
#[path = "links/proxy.rs"]
#[allow(dead_code, reason = "what the tests of topics need")]
mod proxy;
#[path = "remote/room.rs"]
mod room;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::frame::Header;
use mycelium::wire::Contract;
use mycelium::{
    Actor, AskError, BoxError, Context, Down, Exposed, Handler, LinkAddress, LinkError, LinkOptions,
    MessageBus, Query, RemoteError, Responder, StopReason, Subscription, Subscriptions, TellError,
};
use mycelium_random::{Random, seed};

use crate::common::on_every_runtime;
use crate::kit::{Fill, Order, Text, Tick, builder, bus, link, linked, socket, until, until_wanted};
use crate::proxy::{Faults, Proxy};

impl Query for Fill {
    type Reply = Order;
}

/// Writes down what comes, in order, and answers a fill with an order of twice its number.
#[derive(Clone, Default)]
struct Desk {
    heard: Arc<Mutex<Vec<u64>>>,
    /// How long it takes for each order, in microseconds.
    takes_us: Arc<AtomicU64>,
}

impl Actor for Desk {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Desk {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.heard.lock().unwrap().push(tick.n);
        Ok(())
    }
}
impl Handler<Order> for Desk {
    async fn handle(&mut self, order: &Order, _: &mut Context<Self>) -> Result<(), BoxError> {
        let time = self.takes_us.load(Ordering::SeqCst);
        if time > 0 {
            tokio::time::sleep(Duration::from_micros(time)).await;
        }
        if order.n == u64::MAX {
            return Err("no such order".into());
        }
        self.heard.lock().unwrap().push(order.n);
        Ok(())
    }
}
impl Responder<Fill> for Desk {
    type Reply = Order;
    async fn answer(&mut self, fill: &Fill, _: &mut Context<Self>) -> Order {
        if fill.n == u64::MAX {
            std::future::pending::<()>().await;
        }
        assert!(fill.n != u64::MAX - 1, "a question that nobody can answer");
        self.heard.lock().unwrap().push(fill.n);
        Order { n: 2 * fill.n }
    }
}

impl Desk {
    fn heard(&self) -> Vec<u64> {
        self.heard.lock().unwrap().clone()
    }

    /// Spawns it, and has it found as `desk`.
    fn on(&self, bus: &MessageBus) -> mycelium::ActorRef<Self> {
        let desk = bus.spawn(self.clone()).unwrap();
        let exposed = Exposed::new().takes::<Order>(desk.clone()).answers::<Fill>(desk.clone());
        bus.expose("desk", exposed).unwrap();
        desk
    }
}

async fn tells_and_asks(from: &MessageBus, desk: &Desk) {
    let orders = from.recipient::<Order>("desk/desk").unwrap();
    let fills = from.reply_recipient::<Fill>("desk/desk").unwrap();
    for n in 0..300 {
        orders.tell(Order { n: 2 * n }).await.unwrap();
        assert_eq!(fills.ask(Fill { n: 2 * n + 1 }).await, Ok(Order { n: 4 * n + 2 }));
    }
    assert_eq!(desk.heard(), (0..600).collect::<Vec<_>>());
    assert_eq!((format!("{orders:?}"), orders.is_alive()), ("desk/desk".to_owned(), true));
    assert_eq!(fills.ask_within(Fill { n: 4 }, Duration::from_secs(60)).await, Ok(Order { n: 8 }));
}

#[test]
fn an_actor_is_told_and_asked_across_a_link_of_either_kind_in_order() {
    on_every_runtime(async || {
        let desk = Desk::default();
        let (market, other) = linked().await;
        desk.on(&other);
        tells_and_asks(&market, &desk).await;

        let (path, desk) = (socket(), Desk::default());
        let (market, other) = (bus("market"), bus("desk"));
        market.bind_unix(&path).unwrap();
        other.connect(LinkAddress::unix(&path)).unwrap().linked().await;
        desk.on(&other);
        until(|| market.stats().links.len() == 1).await;
        tells_and_asks(&market, &desk).await;
    });
}

/// Never done with its first order.
struct Stuck;
impl Actor for Stuck {
    type Error = BoxError;
}
impl Handler<Order> for Stuck {
    async fn handle(&mut self, _: &Order, _: &mut Context<Self>) -> Result<(), BoxError> {
        std::future::pending().await
    }
}

#[test]
fn a_full_actor_keeps_whoever_tells_it_waiting_and_nobody_else() {
    on_every_runtime(async || {
        let (market, other) = (bus("market"), builder("desk").inbox_capacity(4).build());
        let options = LinkOptions::default().credit(8);
        let listener = other.bind_tcp_with("127.0.0.1:0", options).unwrap();
        market.connect(LinkAddress::tcp(listener.address())).unwrap().linked().await;
        // Nothing but told: with a topic in common they would wait for each other, for the sake of order.
        let (slow, quick) = (other.spawn(Stuck).unwrap(), Desk::default());
        other.expose("desk", Exposed::new().takes::<Order>(slow)).unwrap();
        let quick_ref = other.spawn(quick.clone()).unwrap();
        other.expose("quick", Exposed::new().takes::<Order>(quick_ref)).unwrap();
        let to_slow = market.recipient::<Order>("desk/desk").unwrap();
        let mut told = 0;
        let refused = loop {
            let tell = to_slow.tell(Order { n: told });
            if tokio::time::timeout(Duration::from_millis(300), tell).await.is_err() {
                // It is full, or what passes it on has had no turn meanwhile.
                let refused = to_slow.try_tell(Order { n: 0 });
                if refused.is_err() {
                    break refused;
                }
            }
            told += 1;
            // The inbox, the message in hand, the credit, and the queue of the link.
            assert!(told <= 4 + 1 + 8 + 1_024 + 32, "nobody has held it up");
        };
        assert!(told >= 8, "{told}");
        assert!(
            matches!(&refused, Err(TellError::Full(Order { n: 0 }, Some(who))) if **who == to_slow.identity())
        );
        let to_quick = market.recipient::<Order>("desk/quick").unwrap();
        for n in 0..2_000 {
            to_quick.tell(Order { n }).await.unwrap();
        }
        until(|| quick.heard().len() == 2_000).await;
        until_wanted(&market, "desk", &["Tick"]).await;
        market.publisher::<Tick>().unwrap().publish(Tick { n: 7_000 }).await.unwrap();
        until(|| quick.heard().len() == 2_001).await;
    });
}

#[test]
fn every_message_that_was_told_arrives_though_its_actor_is_slow() {
    on_every_runtime(async || {
        let (market, other) = (bus("market"), builder("desk").inbox_capacity(2).build());
        let listener = other.bind_tcp_with("127.0.0.1:0", LinkOptions::default().credit(4)).unwrap();
        market.connect(LinkAddress::tcp(listener.address())).unwrap().linked().await;
        let desk = Desk::default();
        desk.takes_us.store(1, Ordering::SeqCst);
        desk.on(&other);
        let orders = market.recipient::<Order>("desk/desk").unwrap();
        for n in 0..150 {
            orders.tell(Order { n }).await.unwrap();
        }
        until(|| desk.heard().len() == 150).await;
        assert_eq!(desk.heard(), (0..150).collect::<Vec<_>>());
    });
}

#[test]
fn what_one_sender_publishes_tells_and_asks_reaches_an_actor_in_order() {
    on_every_runtime(async || {
        let (market, other) = linked().await;
        let desk = Desk::default();
        desk.on(&other);
        until_wanted(&market, "desk", &["Tick"]).await;
        let (ticks, orders) =
            (market.publisher::<Tick>().unwrap(), market.recipient::<Order>("desk/desk").unwrap());
        let fills = market.reply_recipient::<Fill>("desk/desk").unwrap();
        // From then on the bus there knows that one actor gets both.
        assert_eq!(fills.ask(Fill { n: 0 }).await, Ok(Order { n: 0 }));
        let mut random = Random::new(seed());
        for n in 1..3_000 {
            match random.below(20) {
                0 => _ = fills.ask(Fill { n }).await.unwrap(),
                1..10 => orders.tell(Order { n }).await.unwrap(),
                _ => ticks.publish(Tick { n }).await.unwrap(),
            }
        }
        until(|| desk.heard().len() == 3_000).await;
        let passed = desk.heard().windows(2).filter(|two| two[0] > two[1]).count();
        assert_eq!(passed, 0, "messages that were passed by later ones");
    });
}

#[test]
fn errors_say_why_an_actor_of_another_bus_is_not_reached() {
    on_every_runtime(async || {
        let market = bus("market");
        for path in ["desk", "/desk", "desk/"] {
            let error = market.recipient::<Order>(path).unwrap_err();
            assert!(
                matches!(error, LinkError::Path { .. }) && error.to_string().contains("a slash"),
                "{error}"
            );
        }
        let long = format!("desk/{}", "a".repeat(256));
        assert!(matches!(market.recipient::<Order>(&long), Err(LinkError::Mailbox { .. })));
        assert!(matches!(MessageBus::new().recipient::<Order>("a/b"), Err(LinkError::NoName)));

        let orders = market.recipient::<Order>("desk/desk").unwrap();
        let error = orders.tell(Order { n: 1 }).await.unwrap_err();
        assert!(matches!(error, TellError::Remote(Order { n: 1 }, _, RemoteError::NotLinked)), "{error}");
        let text = "Order was not sent: desk/desk cannot be told: there is no link";
        assert!(error.to_string().starts_with(text), "{error}");
        let fills = market.reply_recipient::<Fill>("desk/desk").unwrap();
        assert!(matches!(fills.ask(Fill { n: 1 }).await, Err(AskError::Remote(_, RemoteError::NotLinked))));

        let other = bus("desk");
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        other.connect(LinkAddress::tcp(listener.address())).unwrap().linked().await;
        until(|| market.stats().links.len() == 1).await;
        let error = orders.tell(Order { n: 1 }).await.unwrap_err();
        assert!(matches!(error, TellError::Remote(_, _, RemoteError::NoActor)), "{error}");

        let desk = Desk::default();
        let desk_ref = other.spawn(desk.clone()).unwrap();
        other.expose("desk", Exposed::new().takes::<Order>(desk_ref.clone())).unwrap();
        until(|| orders.is_alive()).await;
        orders.tell(Order { n: 1 }).await.unwrap();
        assert!(matches!(fills.ask(Fill { n: 1 }).await, Err(AskError::Remote(_, RemoteError::NotTaken))));
        // The last one of a name counts, also for those who have asked before.
        let exposed = Exposed::new().takes::<Text>(Writer.spawn(&other)).answers::<Fill>(desk_ref.clone());
        other.expose("desk", exposed).unwrap();
        let mut answer = fills.ask(Fill { n: 4 }).await;
        while matches!(answer, Err(AskError::Remote(_, RemoteError::NotTaken))) {
            answer = fills.ask(Fill { n: 4 }).await;
        }
        assert_eq!(answer, Ok(Order { n: 8 }));
        let texts = market.recipient::<Text>("desk/desk").unwrap();
        let error = texts.tell(Text { words: "x".repeat(17 << 20) }).await.unwrap_err();
        assert!(matches!(error, TellError::Remote(_, _, RemoteError::TooLong)), "{error}");
        texts.tell(Text { words: "x".repeat(1 << 20) }).await.unwrap();

        let limit = Duration::from_millis(50);
        assert!(matches!(fills.ask_within(Fill { n: u64::MAX }, limit).await, Err(AskError::Timeout(_))));
        desk_ref.kill();
        let error = fills.ask(Fill { n: 1 }).await.unwrap_err();
        assert!(
            matches!(error, AskError::Stopped(_) | AskError::Remote(_, RemoteError::NotTaken)),
            "{error}"
        );
    });
}

/// Takes texts.
struct Writer;
impl Writer {
    fn spawn(self, bus: &MessageBus) -> mycelium::ActorRef<Self> {
        bus.spawn(self).unwrap()
    }
}
impl Actor for Writer {
    type Error = BoxError;
}
impl Handler<Text> for Writer {
    async fn handle(&mut self, _: &Text, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn an_actor_that_fails_ends_its_questions_and_is_nobody_any_more() {
    on_every_runtime(async || {
        for fatal in [u64::MAX - 1, 0] {
            let (market, other) = linked().await;
            let desk = Desk::default();
            desk.on(&other);
            let fills = market.reply_recipient::<Fill>("desk/desk").unwrap();
            let orders = market.recipient::<Order>("desk/desk").unwrap();
            assert_eq!(fills.ask(Fill { n: 1 }).await, Ok(Order { n: 2 }));
            if fatal == 0 {
                orders.tell(Order { n: u64::MAX }).await.unwrap();
                let error = fills.ask(Fill { n: 1 }).await.unwrap_err();
                assert!(
                    matches!(error, AskError::Stopped(_) | AskError::Remote(_, RemoteError::NoActor)),
                    "{error}"
                );
            } else {
                assert!(matches!(fills.ask(Fill { n: fatal }).await, Err(AskError::Stopped(_))));
            }
            until(|| !orders.is_alive()).await;
            let error = orders.tell(Order { n: 1 }).await.unwrap_err();
            assert!(matches!(error, TellError::Remote(_, _, RemoteError::NoActor)), "{error}");
        }
    });
}

#[test]
fn questions_and_what_is_told_survive_whatever_happens_to_connections() {
    let seed = seed();
    on_every_runtime(async move || {
        let faults = Faults { cut: 200, reset: 100, delay: 50, bytes: 100, ..Faults::default() };
        let (market, other) = (bus("market"), bus("desk"));
        // Longer than the test takes on any machine.
        let options = LinkOptions::default().hold(Duration::from_secs(3_600));
        let listener = other.bind_tcp_with("127.0.0.1:0", options.clone()).unwrap();
        let proxy = Proxy::new(&listener.address(), Random::new(seed), faults).await;
        let address = LinkAddress::tcp(proxy.address.to_string());
        market.connect_with(address, options).unwrap().linked().await;
        let desk = Desk::default();
        desk.on(&other);
        let orders = market.recipient::<Order>("desk/desk").unwrap();
        let ask = async |from: u64| {
            let fills = market.reply_recipient::<Fill>("desk/desk").unwrap();
            for n in from..from + 100 {
                assert_eq!(fills.ask(Fill { n }).await, Ok(Order { n: 2 * n }));
            }
        };
        let tell = async {
            for n in 0..1_000 {
                orders.tell(Order { n }).await.unwrap();
            }
        };
        tokio::join!(ask(10_000), ask(20_000), ask(30_000), tell);
        until(|| desk.heard().len() == 1_300).await;
        proxy.heal();
        let heard = desk.heard();
        let told: Vec<u64> = heard.iter().copied().filter(|n| *n < 10_000).collect();
        assert_eq!(told, (0..1_000).collect::<Vec<_>>(), "each once, and in order");
        let mut asked: Vec<u64> = heard.into_iter().filter(|n| *n >= 10_000).collect();
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked.len(), 300, "each once");
        println!("{} connections, {} faults", proxy.connections(), proxy.happened());
    });
}

/// Watches the desk at the other bus, and writes down why it has ended.
struct Watcher(mycelium::Recipient<Order>, Arc<Mutex<Vec<StopReason>>>);
impl Actor for Watcher {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.watch(&self.0);
        Ok(())
    }
}
impl Handler<Down> for Watcher {
    async fn handle(&mut self, down: &Down, _: &mut Context<Self>) -> Result<(), BoxError> {
        assert_eq!(down.actor.to_string(), "desk/desk");
        self.1.lock().unwrap().push(down.reason.clone());
        Ok(())
    }
}

#[test]
fn a_watch_over_a_link_ends_with_the_link_and_a_question_too() {
    on_every_runtime(async || {
        let (market, other) = (bus("market"), bus("desk"));
        let listener = other.bind_tcp("127.0.0.1:0").unwrap();
        let proxy = Proxy::new(&listener.address(), Random::new(1), Faults::default()).await;
        let options = LinkOptions::default().hold(Duration::from_millis(300));
        let dialer = market.connect_with(LinkAddress::tcp(proxy.address.to_string()), options).unwrap();
        dialer.linked().await;
        let desk = Desk::default();
        desk.on(&other);
        let orders = market.recipient::<Order>("desk/desk").unwrap();
        orders.tell(Order { n: 1 }).await.unwrap();
        let reasons = Arc::default();
        market.spawn(Watcher(orders.clone(), Arc::clone(&reasons))).unwrap();
        let fills = market.reply_recipient::<Fill>("desk/desk").unwrap();
        assert_eq!(fills.ask(Fill { n: 2 }).await, Ok(Order { n: 4 }));
        let hangs = tokio::spawn({
            let fills = fills.clone();
            async move { fills.ask(Fill { n: u64::MAX }).await }
        });
        until(|| link(&market, "desk").waiting == 0).await;
        dialer.close();
        proxy.cut();
        assert!(matches!(hangs.await.unwrap(), Err(AskError::Remote(_, RemoteError::Lost))));
        assert_eq!(orders.ended().await, StopReason::NoConnection);
        until(|| !reasons.lock().unwrap().is_empty()).await;
        assert_eq!(*reasons.lock().unwrap(), [StopReason::NoConnection]);
        let error = orders.tell(Order { n: 1 }).await.unwrap_err();
        assert!(matches!(error, TellError::Remote(_, _, RemoteError::NotLinked)), "{error}");
    });
}

#[test]
fn a_bus_that_is_started_anew_is_told_and_asked_through_the_same_reference() {
    on_every_runtime(async || {
        let (market, other) = (bus("market"), bus("desk"));
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        other.connect(LinkAddress::tcp(listener.address())).unwrap().linked().await;
        let desk = Desk::default();
        desk.on(&other);
        let fills = market.reply_recipient::<Fill>("desk/desk").unwrap();
        until(|| market.stats().links.len() == 1).await;
        assert_eq!(fills.ask(Fill { n: 2 }).await, Ok(Order { n: 4 }));
        other.shutdown().await.unwrap();
        until(|| !fills.is_alive()).await;
        assert!(fills.ask(Fill { n: 2 }).await.is_err());
        let (other, desk) = (bus("desk"), Desk::default());
        other.connect(LinkAddress::tcp(listener.address())).unwrap().linked().await;
        desk.on(&other);
        let mut answer = fills.ask(Fill { n: 3 }).await;
        while let Err(AskError::Remote(_, RemoteError::NotLinked | RemoteError::NoActor)) = answer {
            tokio::time::sleep(Duration::from_millis(1)).await;
            answer = fills.ask(Fill { n: 3 }).await;
        }
        assert_eq!(answer, Ok(Order { n: 6 }));
    });
}

#[test]
fn what_was_told_before_a_shutdown_is_delivered() {
    on_every_runtime(async || {
        let (market, other) = linked().await;
        let desk = Desk::default();
        desk.on(&other);
        let orders = market.recipient::<Order>("desk/desk").unwrap();
        for n in 0..500 {
            orders.tell(Order { n }).await.unwrap();
        }
        market.shutdown().await.unwrap();
        until(|| desk.heard().len() == 500).await;
    });
}

/// A message in bytes, with everything that a publisher can say of it.
fn traced(n: u64) -> Header {
    let (trace_id, span_id) = ([n as u8; 16], [n as u8 + 1; 8]);
    Header {
        type_id: 40,
        version: 1,
        root_len: 8,
        publish_ns: 1_000 + n as i64,
        trace_id,
        span_id,
        ..Header::default()
    }
}

#[test]
fn publish_time_trace_and_span_travel_across_links_of_both_kinds() {
    on_every_runtime(async || {
        for unix in [true, false] {
            let table = "mycelium contract 1\nschema raw 1\nmessage Raw 40 1 raws\nfield n 1 u64\n";
            let bus = |name| {
                let raw = Contract::parse(table).unwrap();
                MessageBus::builder()
                    .node(name)
                    .contract(kit::Contract)
                    .contract(raw)
                    .topic_capacity(8)
                    .build()
            };
            let (market, other, path) = (bus("market"), bus("desk"), socket());
            let at = if unix {
                market.bind_unix(&path).unwrap();
                LinkAddress::unix(&path)
            } else {
                LinkAddress::tcp(market.bind_tcp("127.0.0.1:0").unwrap().address())
            };
            let wide = Subscription::block().capacity(64);
            let mut heard = other.subscribe_wire_with(["ticks", "raws"], wide).unwrap();
            let mut here = market.subscribe_wire_with(["ticks"], wide).unwrap();
            // It is full soon, so that messages wait for room on their way into the topic.
            let mut slow = other.subscriber_with::<Tick>(Subscription::block().capacity(4)).unwrap();
            other.connect(at).unwrap().linked().await;
            until_wanted(&market, "desk", &["Tick", "Raw"]).await;
            let ticks = market.publisher::<Tick>().unwrap();
            for n in 0..20 {
                ticks.publish(Tick { n }).await.unwrap();
                market.publish_wire(&traced(n), &n.to_le_bytes()).await.unwrap();
            }
            until(|| link(&other, "market").held > 10).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            let drain = async {
                for n in 0..20 {
                    assert_eq!(slow.recv().await.unwrap().n, n);
                }
            };
            let check = async {
                let (mut of_ticks, mut of_raws) = (Vec::new(), 0);
                for _ in 0..40 {
                    let message = heard.recv().await.unwrap();
                    let sequence = message.header().sequence;
                    if message.name() == "Tick" {
                        of_ticks.push(message.published());
                    } else {
                        assert_eq!(*message.header(), Header { sequence, ..traced(of_raws) });
                        of_raws += 1;
                    }
                }
                for published in of_ticks {
                    assert_eq!(here.recv().await.unwrap().published(), published);
                }
            };
            tokio::join!(drain, check);
        }
    });
}

/// Asks the desk at the other bus for each tick.
struct Asker(mycelium::ReplyRecipient<Fill>, Arc<Mutex<Vec<AskError>>>);
impl Actor for Asker {
    type Error = BoxError;
}
impl Handler<Tick> for Asker {
    async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        let error = self.0.ask(Fill { n: u64::MAX }).await.unwrap_err();
        self.1.lock().unwrap().push(error);
        Ok(())
    }
}

#[test]
fn a_shutdown_does_not_wait_for_answers_of_other_buses() {
    on_every_runtime(async || {
        let (market, other) = linked().await;
        Desk::default().on(&other);
        let fills = market.reply_recipient::<Fill>("desk/desk").unwrap();
        assert_eq!(fills.ask(Fill { n: 1 }).await, Ok(Order { n: 2 }));
        let heard = Arc::default();
        let asker = market.spawn(Asker(fills, Arc::clone(&heard))).unwrap();
        (0..3).for_each(|n| asker.try_tell(Tick { n }).unwrap());
        until(|| link(&market, "desk").sent == 2).await;
        market.shutdown().await.unwrap();
        let lost = heard.lock().unwrap()[0].clone();
        assert!(
            matches!(lost, AskError::Remote(_, RemoteError::Lost)) && lost.may_have_been_handled(),
            "{lost:?}"
        );
    });
}

#[test]
fn the_path_of_an_actor_of_the_same_bus_leads_to_it() {
    on_every_runtime(async || {
        let market = bus("market");
        let orders = market.recipient::<Order>("market/desk").unwrap();
        let error = orders.tell(Order { n: 1 }).await.unwrap_err();
        assert!(matches!(error, TellError::Remote(_, _, RemoteError::NoActor)), "{error}");
        let desk = Desk::default();
        desk.on(&market);
        orders.tell(Order { n: 1 }).await.unwrap();
        let fills = market.reply_recipient::<Fill>("market/desk").unwrap();
        assert_eq!(fills.ask(Fill { n: 2 }).await, Ok(Order { n: 4 }));
        assert_eq!(desk.heard(), [1, 2]);
        let texts = market.recipient::<Text>("market/desk").unwrap();
        let error = texts.try_tell(Text { words: String::new() }).unwrap_err();
        assert!(matches!(error, TellError::Remote(_, _, RemoteError::NotTaken)), "{error}");
    });
}
