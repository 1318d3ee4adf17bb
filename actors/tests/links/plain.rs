//! Two buses in one process, over each transport: order, both ways, interest, shutdown.

use std::time::Duration;

use mycelium::{
    Actor, BoxError, Context, Handler, LinkAddress, LinkOptions, LinkState, MessageBus, PublishError,
    Subscription, Subscriptions, Supervisor,
};

use crate::common::on_every_runtime;
use crate::kit::{
    Contract, Fill, Order, Text, Tick, builder, bus, find, link, linked, socket, until, until_wanted,
};

/// Messages of each test.
const MESSAGES: u64 = 20_000;

async fn over(address: LinkAddress, market: &MessageBus, desk: &MessageBus) {
    let dialer = desk.connect(address).unwrap();
    let mut ticks = desk.subscriber::<Tick>().unwrap();
    let mut fills = market.subscriber::<Fill>().unwrap();
    assert_eq!(&*dialer.linked().await, "market");
    until_wanted(market, "desk", &["Tick"]).await;
    until_wanted(desk, "market", &["Fill"]).await;
    let (send_ticks, send_fills) = (market.publisher::<Tick>().unwrap(), desk.publisher::<Fill>().unwrap());
    let there = async {
        for n in 0..MESSAGES {
            send_ticks.publish(Tick { n }).await.unwrap();
        }
    };
    let back = async {
        for n in 0..MESSAGES {
            send_fills.publish(Fill { n }).await.unwrap();
        }
    };
    let here = async {
        for n in 0..MESSAGES {
            assert_eq!(ticks.recv().await.as_deref(), Some(&Tick { n }));
        }
    };
    let home = async {
        for n in 0..MESSAGES {
            assert_eq!(fills.recv().await.as_deref(), Some(&Fill { n }));
        }
    };
    tokio::join!(there, back, here, home);
    for (bus, peer) in [(market, "desk"), (desk, "market")] {
        // Counted once what has come together is in its topics.
        until(|| link(bus, peer).waiting == 0 && link(bus, peer).received >= MESSAGES).await;
        let stats = link(bus, peer);
        assert_eq!((stats.sent, stats.acknowledged, stats.received), (MESSAGES, MESSAGES, MESSAGES));
        assert_eq!((stats.lost, stats.refused, stats.unsent, stats.state), (0, 0, 0, LinkState::Linked));
    }
    desk.shutdown().await.unwrap();
    until(|| link(market, "desk").state == LinkState::Gone).await;
    assert_eq!(link(market, "desk").fault.as_deref(), Some("the peer shuts down"));
    market.shutdown().await.unwrap();
}

#[test]
fn a_unix_link_carries_both_ways_in_order_and_once() {
    on_every_runtime(async || {
        let (market, desk, path) = (bus("market"), bus("desk"), socket());
        market.bind_unix(&path).unwrap();
        over(LinkAddress::unix(&path), &market, &desk).await;
        // Its file is removed.
        until(|| !path.exists()).await;
    });
}

#[test]
fn a_tcp_link_carries_both_ways_in_order_and_once() {
    on_every_runtime(async || {
        let (market, desk) = (bus("market"), bus("desk"));
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        over(LinkAddress::tcp(listener.address()), &market, &desk).await;
    });
}

#[test]
fn the_order_of_starting_is_irrelevant() {
    on_every_runtime(async || {
        let (market, desk, path) = (bus("market"), bus("desk"), socket());
        let dialer = desk.connect(LinkAddress::unix(&path)).unwrap();
        let mut ticks = desk.subscriber::<Tick>().unwrap();
        tokio::time::sleep(Duration::from_millis(50)).await;
        market.bind_unix(&path).unwrap();
        dialer.linked().await;
        until_wanted(&market, "desk", &["Tick"]).await;
        market.publisher::<Tick>().unwrap().publish(Tick { n: 1 }).await.unwrap();
        assert_eq!(ticks.recv().await.as_deref(), Some(&Tick { n: 1 }));
    });
}

#[test]
fn only_what_somebody_there_wants_travels_and_interest_follows_subscribers() {
    on_every_runtime(async || {
        let (market, desk) = linked().await;
        let (ticks, fills) = (market.publisher::<Tick>().unwrap(), market.publisher::<Fill>().unwrap());
        let mut heard = desk.subscriber::<Tick>().unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        for n in 0..10 {
            ticks.publish(Tick { n }).await.unwrap();
            fills.publish(Fill { n }).await.unwrap();
        }
        for n in 0..10 {
            assert_eq!(heard.recv().await.as_deref(), Some(&Tick { n }));
        }
        until(|| link(&market, "desk").acknowledged == 10).await;
        assert_eq!(link(&market, "desk").sent, 10, "nobody wants fills");
        let second = desk.subscriber::<Tick>().unwrap();
        drop(heard);
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert_eq!(link(&market, "desk").wants, ["Tick"], "one is left");
        drop(second);
        until(|| link(&market, "desk").wants.is_empty()).await;
        ticks.publish(Tick { n: 10 }).await.unwrap();
        let mut fills_heard = desk.subscriber::<Fill>().unwrap();
        until_wanted(&market, "desk", &["Fill"]).await;
        fills.publish(Fill { n: 10 }).await.unwrap();
        assert_eq!(fills_heard.recv().await.as_deref(), Some(&Fill { n: 10 }));
        assert_eq!(link(&market, "desk").sent, 11);
    });
}

#[test]
fn nothing_comes_back_over_a_link_and_nothing_goes_out_over_another() {
    on_every_runtime(async || {
        // a - b - c, and all three want ticks.
        let [a, b, c] = ["a", "b", "c"].map(bus);
        let at = |bus: &MessageBus| LinkAddress::tcp(bus.bind_tcp("127.0.0.1:0").unwrap().address());
        let (at_a, at_c) = (at(&a), at(&c));
        b.connect(at_a).unwrap();
        b.connect(at_c).unwrap();
        let mut heard = [&a, &b, &c].map(|bus| bus.subscriber::<Tick>().unwrap());
        for (bus, peer) in [(&a, "b"), (&b, "a"), (&b, "c"), (&c, "b")] {
            until_wanted(bus, peer, &["Tick"]).await;
        }
        let ticks = [&a, &b, &c].map(|bus| bus.publisher::<Tick>().unwrap());
        for n in 0..100 {
            for (from, ticks) in ticks.iter().enumerate() {
                ticks.publish(Tick { n: 1_000 * from as u64 + n }).await.unwrap();
            }
        }
        // b hears all, a and c hear themselves and b.
        for (at, expected) in [(0, 200), (1, 300), (2, 200)] {
            let mut seen = Vec::new();
            for _ in 0..expected {
                seen.push(heard[at].recv().await.unwrap().n);
            }
            for from in 0..3 {
                let of: Vec<u64> = seen.iter().copied().filter(|n| n / 1_000 == from).collect();
                assert!(of.is_sorted());
                assert_eq!(of.len(), if at.abs_diff(from as usize) > 1 { 0 } else { 100 });
            }
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
        assert!(heard.iter_mut().all(|heard| heard.try_recv().is_none()));
    });
}

/// Receives two types, and writes down what it has received.
#[derive(Default)]
struct Both(crate::common::Heard);
impl Actor for Both {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>().on::<Order>();
    }
}
impl Handler<Tick> for Both {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(tick.n.to_string());
        Ok(())
    }
}
impl Handler<Order> for Both {
    async fn handle(&mut self, order: &Order, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.add(order.n.to_string());
        Ok(())
    }
}

#[test]
fn what_one_sender_publishes_on_two_topics_reaches_one_receiver_in_order() {
    on_every_runtime(async || {
        let (market, desk) = linked().await;
        let heard = crate::common::Heard::default();
        desk.spawn(Both(heard.clone())).unwrap();
        until_wanted(&market, "desk", &["Tick", "Order"]).await;
        let (ticks, orders) = (market.publisher::<Tick>().unwrap(), market.publisher::<Order>().unwrap());
        for n in 0..5_000 {
            if n % 3 == 0 {
                orders.publish(Order { n }).await.unwrap();
            } else {
                ticks.publish(Tick { n }).await.unwrap();
            }
        }
        until(|| heard.words().len() == 5_000).await;
        let expected: Vec<String> = (0..5_000).map(|n| n.to_string()).collect();
        assert_eq!(heard.words(), expected);
    });
}

#[test]
fn a_shutdown_waits_until_what_was_published_is_acknowledged() {
    on_every_runtime(async || {
        let (market, desk) = linked().await;
        let mut ticks = desk.subscriber_with(Subscription::<Tick>::block().capacity(100_000)).unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        let publisher = market.publisher::<Tick>().unwrap();
        let mut sent = 0;
        while publisher.try_publish(Tick { n: sent }).is_ok() {
            sent += 1;
        }
        assert!(sent > 0);
        market.shutdown().await.unwrap();
        assert!(matches!(publisher.try_publish(Tick { n: 0 }), Err(PublishError::Closed(_))));
        for n in 0..sent {
            assert_eq!(ticks.recv().await.as_deref(), Some(&Tick { n }));
        }
        until(|| find(&desk, "market").is_some_and(|link| link.state == LinkState::Gone)).await;
        assert_eq!(link(&desk, "market").received, sent);
    });
}

#[test]
fn a_shutdown_names_what_a_peer_that_is_away_has_not_acknowledged() {
    on_every_runtime(async || {
        let (market, desk) = linked().await;
        // Nobody reads, so that no credit comes back.
        let small = Subscription::<Tick>::block().capacity(1);
        let _ticks = desk.subscriber_with(small).unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        let publisher = market.publisher::<Tick>().unwrap();
        let mut sent = 0;
        loop {
            match publisher.try_publish(Tick { n: sent }) {
                Ok(()) => sent += 1,
                Err(_) if link(&market, "desk").acknowledged == 1_024 => break,
                Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            }
        }
        let error = market.shutdown_within(Duration::from_millis(100)).await.unwrap_err();
        let [loss] = &error.links[..] else { panic!("{error}") };
        assert_eq!((&*loss.peer, loss.unacknowledged, loss.unpublished), ("desk", sent - 1_024, 0));
        assert!(error.to_string().contains("link desk: "), "{error}");
        // And the other side: all of these are there, one of them published.
        let error = desk.shutdown_within(Duration::from_millis(100)).await.unwrap_err();
        assert_eq!((&*error.links[0].peer, error.links[0].unpublished), ("market", 1_023));
    });
}

#[test]
fn a_shutdown_that_waits_for_nobody_names_what_no_link_has_taken_yet() {
    on_every_runtime(async || {
        let (market, desk) = linked().await;
        let _ticks = desk.subscriber::<Tick>().unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        let publisher = market.publisher::<Tick>().unwrap();
        // On one thread, the task of the link has no turn between.
        for n in 0..100 {
            publisher.try_publish(Tick { n }).unwrap();
        }
        let error = market.shutdown_within(Duration::ZERO).await.err();
        let unacknowledged = error.map_or(0, |error| error.links[0].unacknowledged);
        assert_eq!(unacknowledged + link(&market, "desk").acknowledged, 100);
    });
}

#[test]
fn two_buses_that_shut_down_together_do_not_wait_for_what_neither_takes() {
    on_every_runtime(async || {
        for capacity in [1, 100_000] {
            let (market, desk) = linked().await;
            let never_read = || Subscription::block().capacity(capacity);
            let _ticks = desk.subscriber_with::<Tick>(never_read()).unwrap();
            let _fills = market.subscriber_with::<Fill>(Subscription::block().capacity(capacity)).unwrap();
            until_wanted(&market, "desk", &["Tick"]).await;
            until_wanted(&desk, "market", &["Fill"]).await;
            let (ticks, fills) = (market.publisher::<Tick>().unwrap(), desk.publisher::<Fill>().unwrap());
            while ticks.try_publish(Tick { n: 0 }).is_ok() | fills.try_publish(Fill { n: 0 }).is_ok() {}
            // The watchdog of the test is shorter than this.
            let limit = Duration::from_secs(3_600);
            _ = tokio::join!(market.shutdown_within(limit), desk.shutdown_within(limit));
            for (bus, peer) in [(&market, "desk"), (&desk, "market")] {
                let stats = link(bus, peer);
                assert_eq!(stats.sent, stats.acknowledged + stats.waiting + stats.lost, "{stats}");
            }
        }
    });
}

struct Counts(tokio::sync::mpsc::UnboundedSender<u64>);
impl Actor for Counts {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Counts {
    async fn handle(&mut self, tick: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
        tokio::time::sleep(Duration::from_micros(50)).await;
        self.0.send(tick.n)?;
        Ok(())
    }
}

#[test]
fn a_drain_of_a_bus_whose_peer_goes_on_publishing_ends_and_misses_nothing_that_it_could_handle() {
    on_every_runtime(async || {
        let (market, desk) = linked().await;
        let (count, mut counted) = tokio::sync::mpsc::unbounded_channel();
        let tree = Supervisor::builder("root").actor("counts", move || Counts(count.clone()));
        let tree = tree.start(&desk).await.unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        let ticks = market.publisher::<Tick>().unwrap();
        let publishing = tokio::spawn(async move {
            for n in 0.. {
                if ticks.publish(Tick { n }).await.is_err() {
                    break;
                }
                if n % 64 == 0 {
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
            }
        });
        while counted.recv().await.is_some_and(|n| n < 500) {}
        // What a program does that is told to stop.
        tree.drain(Duration::from_secs(3_600)).await.unwrap();
        desk.shutdown_within(Duration::from_secs(3_600)).await.unwrap();
        until(|| link(&market, "desk").state == LinkState::Gone).await;
        let stats = link(&market, "desk");
        assert_eq!(stats.fault.as_deref(), Some("the peer shuts down"), "{stats}");
        market.shutdown().await.ok();
        publishing.await.unwrap();
    });
}

#[test]
fn errors_say_what_to_do() {
    on_every_runtime(async || {
        let nameless = MessageBus::builder().contract(Contract).build();
        let without = MessageBus::builder().node("a").build();
        let badly = builder("no spaces").build();
        let good = bus("good");
        let directory = std::env::temp_dir();
        let long = directory.join("x".repeat(200)).join("bus");
        let options = LinkOptions::default().queue(Subscription::conflate(|_| 0));
        let rows = [
            (nameless.bind_tcp("127.0.0.1:0").unwrap_err().to_string(), "builder().node("),
            (without.bind_tcp("127.0.0.1:0").unwrap_err().to_string(), "builder().contract("),
            (badly.bind_tcp("127.0.0.1:0").unwrap_err().to_string(), "builder().node("),
            (good.bind_tcp("0.0.0.0:0").unwrap_err().to_string(), "`LinkOptions::plaintext`"),
            (good.bind_tcp("nowhere").unwrap_err().to_string(), "127.0.0.1:7000"),
            (good.connect(LinkAddress::tcp("nowhere")).unwrap_err().to_string(), "127.0.0.1:7000"),
            (
                good.connect(LinkAddress::tcp("10.0.0.1:7000")).unwrap_err().to_string(),
                "`LinkOptions::plaintext`",
            ),
            (good.bind_unix(&long).unwrap_err().to_string(), "choose a shorter directory"),
            (good.bind_tcp_with("127.0.0.1:0", options).unwrap_err().to_string(), "drop_oldest()"),
        ];
        for (text, remedy) in rows {
            assert!(text.contains(remedy), "{text}");
        }
        good.shutdown().await.unwrap();
        assert!(matches!(good.bind_tcp("127.0.0.1:0"), Err(mycelium::LinkError::Closed)));
    });
}

#[test]
fn a_bus_is_not_linked_with_its_own_name() {
    on_every_runtime(async || {
        let (one, two) = (bus("same"), bus("same"));
        let listener = one.bind_tcp("127.0.0.1:0").unwrap();
        let dialer = two.connect(LinkAddress::tcp(listener.address())).unwrap();
        let late = tokio::time::timeout(Duration::from_millis(100), dialer.linked()).await;
        assert!(late.is_err() && one.stats().links.is_empty() && two.stats().links.is_empty());
    });
}

#[test]
fn a_bus_that_shuts_down_while_others_send_to_it_says_so() {
    on_every_runtime(async || {
        let market = bus("market");
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        let publisher = market.publisher::<Text>().unwrap();
        for n in 0..20_u64 {
            let desk = bus("desk");
            desk.connect(LinkAddress::tcp(listener.address())).unwrap();
            let _texts = desk.subscriber::<Text>().unwrap();
            until(|| find(&market, "desk").is_some_and(|link| link.connections == n + 1)).await;
            until_wanted(&market, "desk", &["Text"]).await;
            // Much is on its way when the other side ends.
            while publisher.try_publish(Text { words: "x".repeat(10_000) }).is_ok() {}
            desk.shutdown().await.ok();
            until(|| link(&market, "desk").state != LinkState::Linked).await;
            assert_eq!(link(&market, "desk").state, LinkState::Gone, "{:?}", link(&market, "desk").fault);
            assert_eq!(link(&market, "desk").fault.as_deref(), Some("the peer shuts down"));
        }
    });
}

#[test]
fn a_shutdown_does_not_wait_for_peers_that_are_gone_and_names_what_was_for_them() {
    on_every_runtime(async || {
        let (market, desk) = linked().await;
        let _texts = desk.subscriber::<Text>().unwrap();
        until_wanted(&market, "desk", &["Text"]).await;
        let publisher = market.publisher::<Text>().unwrap();
        while publisher.try_publish(Text { words: "x".repeat(10_000) }).is_ok() {}
        desk.shutdown().await.ok();
        until(|| link(&market, "desk").state == LinkState::Gone).await;
        let waiting = link(&market, "desk").waiting;
        // The watchdog of the test is shorter than this.
        match market.shutdown_within(Duration::from_secs(3_600)).await {
            Ok(()) => assert_eq!(waiting, 0),
            Err(error) => assert_eq!(error.links[0].unacknowledged, waiting),
        }
    });
}

#[test]
fn the_second_process_with_a_name_is_told_that_it_is_taken() {
    on_every_runtime(async || {
        let market = bus("market");
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        let (one, two) = (bus("desk"), bus("desk"));
        one.connect(LinkAddress::tcp(listener.address())).unwrap();
        until(|| find(&market, "desk").is_some_and(|link| link.state == LinkState::Linked)).await;
        let dialer = two.connect(LinkAddress::tcp(listener.address())).unwrap();
        until(|| dialer.fault().is_some_and(|fault| fault.contains("give each node a name of its own")))
            .await;
        assert_eq!(link(&market, "desk").connections, 1);
        // The first one ends, and the second one is linked.
        one.shutdown().await.unwrap();
        assert_eq!(&*dialer.linked().await, "market");
        assert_eq!(dialer.fault(), None);
    });
}

#[test]
fn a_runtime_without_io_or_time_is_an_error_that_says_what_to_do() {
    let bare = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let timed = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let with_io = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
    for runtime in [bare, timed, with_io] {
        runtime.block_on(async {
            for error in [
                bus("desk").connect(LinkAddress::tcp("127.0.0.1:1")).map(drop).unwrap_err(),
                bus("desk").connect(LinkAddress::unix("/tmp/bus")).map(drop).unwrap_err(),
            ] {
                assert!(error.to_string().contains("enable_all"), "{error}");
            }
        });
    }
}
