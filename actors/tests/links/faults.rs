//! Whatever happens to connections: nothing is lost, doubled or out of order while both processes live.

use std::time::{Duration, Instant};

use mycelium::{LinkAddress, LinkOptions, LinkState, MessageBus, Retention, Subscriber, Subscription};
use mycelium_random::{Random, seed};

use crate::common::{WATCHDOG, at_once, on_every_runtime};
use crate::kit::{Fill, Text, Tick, builder, bus, link, until, until_wanted};
use crate::proxy::{Faults, Proxy};

/// Everything that may go wrong, often enough that a run of some thousand messages sees all of it.
const ALL: Faults =
    Faults { cut: 100, reset: 50, corrupt: 50, delay: 50, bytes: 200, swallow: 20, swallowed_max: 1 };

async fn hear(heard: &mut Subscriber<Tick>, count: u64) {
    for n in 0..count {
        assert_eq!(heard.recv().await.unwrap().n, n);
    }
}

async fn send(bus: &MessageBus, count: u64) {
    let ticks = bus.publisher::<Tick>().unwrap();
    for n in 0..count {
        ticks.publish(Tick { n }).await.unwrap();
    }
}

/// Ticks one way, fills the other, texts of all lengths, through a relay with these faults.
async fn run(seed: u64, faults: Faults, ticks: u64, fills: u64, texts: u64) {
    let (market, desk) = (bus("market"), bus("desk"));
    let listener = market.bind_tcp("127.0.0.1:0").unwrap();
    let proxy = Proxy::new(&listener.address(), Random::new(seed), faults).await;
    let dialer = desk.connect(LinkAddress::tcp(proxy.address.to_string())).unwrap();
    let mut heard = desk.subscriber::<Tick>().unwrap();
    let mut texts_heard = desk.subscriber::<Text>().unwrap();
    let mut back = market.subscriber::<Fill>().unwrap();
    dialer.linked().await;
    until_wanted(&market, "desk", &["Tick", "Text"]).await;
    until_wanted(&desk, "market", &["Fill"]).await;
    let send_fills = async {
        let publisher = desk.publisher::<Fill>().unwrap();
        for n in 0..fills {
            publisher.publish(Fill { n }).await.unwrap();
        }
    };
    let hear_fills = async {
        for n in 0..fills {
            assert_eq!(back.recv().await.unwrap().n, n);
        }
    };
    let send_texts = async {
        let publisher = market.publisher::<Text>().unwrap();
        for n in 0..texts {
            let words = format!("{n} {}", "x".repeat((n * n % 20_011) as usize));
            publisher.publish(Text { words }).await.unwrap();
        }
    };
    let hear_texts = async {
        for n in 0..texts {
            let text = texts_heard.recv().await.unwrap();
            assert!(text.words.starts_with(&format!("{n} ")) && text.words.len() as u64 > n * n % 20_011);
        }
    };
    tokio::join!(
        send(&market, ticks),
        hear(&mut heard, ticks),
        send_fills,
        hear_fills,
        send_texts,
        hear_texts
    );
    proxy.heal();
    until(|| link(&market, "desk").waiting + link(&desk, "market").waiting == 0).await;
    let (out, home) = (link(&market, "desk"), link(&desk, "market"));
    assert_eq!((out.sent, out.acknowledged, out.received), (ticks + texts, ticks + texts, fills));
    assert_eq!((home.sent, home.acknowledged, home.received), (fills, fills, ticks + texts));
    for link in [&out, &home] {
        assert_eq!((link.lost, link.unsent, link.refused, link.peer_restarts), (0, 0, 0, 0), "{link}");
    }
    println!("{} connections, {} faults, {out}", proxy.connections(), proxy.happened());
    let ends = faults.cut + faults.reset + faults.corrupt + faults.swallow > 0;
    assert!(!ends || proxy.connections() > 1 || proxy.happened() == 0);
    assert!(heard.try_recv().is_none() && back.try_recv().is_none() && texts_heard.try_recv().is_none());
}

#[test]
fn a_hundred_thousand_messages_come_once_and_in_order_whatever_happens_to_connections() {
    let messages = std::env::var("MYCELIUM_LINK_MESSAGES").ok();
    let messages = messages.map_or(100_000, |text| text.parse().expect("a number"));
    let seed = seed();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let limit = WATCHDOG * u32::try_from(10 + messages / 50_000).unwrap();
    let running = run(seed, ALL, messages, messages / 4, 100);
    runtime.block_on(async { tokio::time::timeout(limit, running).await.expect("it hangs") });
}

#[test]
fn each_kind_of_fault_alone_costs_no_message_on_any_runtime() {
    let seed = seed();
    on_every_runtime(async move || {
        let none = Faults::default();
        let rows = [
            Faults { cut: 300, ..none },
            Faults { reset: 300, ..none },
            Faults { corrupt: 300, ..none },
            Faults { delay: 100, bytes: 10_000, ..none },
            none,
        ];
        for (at, faults) in rows.into_iter().enumerate() {
            run(seed + at as u64, faults, 3_000, 500, 20).await;
        }
    });
}

#[test]
fn a_peer_that_hangs_is_found_to_be_silent_and_what_waits_comes_later() {
    on_every_runtime(async || {
        let faults = Faults { swallow: 10_000, swallowed_max: 1, ..Faults::default() };
        // The relay swallows everything behind the first piece: the handshake or what follows.
        run(1, faults, 200, 200, 2).await;
    });
}

#[test]
fn a_peer_that_stays_away_is_given_up_and_gets_what_is_published_after_it_is_back() {
    on_every_runtime(async || {
        for hold in [200, 2_000, 20_000].map(Duration::from_millis) {
            if is_given_up_while_messages_wait(hold).await {
                return;
            }
        }
        panic!("the machine is not held up each time for as long as the link is held");
    });
}

/// Whether the publisher had filled all there is before a peer that is away was given up: if it did not have
/// its turn for so long, nothing is shown.
async fn is_given_up_while_messages_wait(hold: Duration) -> bool {
    let (market, desk) = (builder("market").topic_capacity(8).build(), bus("desk"));
    let options = LinkOptions::default().hold(hold).window(512);
    let listener = market.bind_tcp_with("127.0.0.1:0", options).unwrap();
    let proxy = Proxy::new(&listener.address(), Random::new(1), Faults::default()).await;
    let dialer = desk.connect(LinkAddress::tcp(proxy.address.to_string())).unwrap();
    let mut heard = desk.subscriber::<Tick>().unwrap();
    until_wanted(&market, "desk", &["Tick"]).await;
    send(&market, 3).await;
    hear(&mut heard, 3).await;
    until(|| link(&market, "desk").waiting == 0).await;
    dialer.close();
    let since = Instant::now();
    proxy.cut();
    until(|| link(&market, "desk").state != LinkState::Linked).await;
    // Fills the window and the queue, waits, and is let go.
    let ticks = market.publisher::<Tick>().unwrap();
    let mut n = 0;
    while n < 100 && at_once(ticks.publish(Tick { n })).is_some() {
        n += 1;
        tokio::task::yield_now().await;
    }
    let is_full_in_time = since.elapsed() < hold;
    assert!(n < 100 || !is_full_in_time, "there is room for all");
    for n in n..100 {
        ticks.publish(Tick { n }).await.unwrap();
    }
    until(|| link(&market, "desk").state == LinkState::Gone).await;
    if !is_full_in_time {
        return false;
    }
    let stats = link(&market, "desk");
    assert_eq!(stats.sent, 3 + stats.waiting);
    assert!(stats.waiting > 0 && stats.unsent > 0 && stats.waiting + stats.unsent < 100, "{stats}");
    let waiting = stats.waiting;
    desk.connect(LinkAddress::tcp(proxy.address.to_string())).unwrap();
    until_wanted(&market, "desk", &["Tick"]).await;
    ticks.publish(Tick { n: 1_000 }).await.unwrap();
    // What the window had kept, and what follows.
    hear(&mut heard, waiting).await;
    assert_eq!(heard.recv().await.unwrap().n, 1_000);
    assert_eq!(link(&market, "desk").lost, 0);
    true
}

/// A bus that retains three ticks, of five, linked with one whose subscriber has had them; and the
/// connection is cut. It is given up if it is not held.
async fn retained_and_cut(hold: Duration) -> (MessageBus, MessageBus, Subscriber<Tick>, Proxy) {
    let market = builder("market").retain(Retention::<Tick>::last_n(3)).build();
    let options = LinkOptions::default().hold(hold);
    let listener = market.bind_tcp_with("127.0.0.1:0", options).unwrap();
    let proxy = Proxy::new(&listener.address(), Random::new(1), Faults::default()).await;
    send(&market, 5).await;
    let desk = bus("desk");
    let mut heard = desk.subscriber::<Tick>().unwrap();
    let dialer = desk.connect(LinkAddress::tcp(proxy.address.to_string())).unwrap();
    hear_these(&mut heard, &[2, 3, 4]).await;
    until(|| link(&market, "desk").waiting == 0).await;
    dialer.close();
    proxy.cut();
    let is_away = |state| if hold == HELD { state != LinkState::Linked } else { state == LinkState::Gone };
    until(|| is_away(link(&market, "desk").state)).await;
    (market, desk, heard, proxy)
}

const HELD: Duration = Duration::from_secs(3_600);

async fn hear_these(heard: &mut Subscriber<Tick>, these: &[u64]) {
    for n in these {
        assert_eq!(heard.recv().await.unwrap().n, *n, "of {these:?}");
    }
}

#[test]
fn what_is_retained_comes_once_to_a_subscriber_however_long_its_link_was_away() {
    on_every_runtime(async || {
        for hold in [HELD, Duration::from_millis(1)] {
            let (market, desk, mut heard, proxy) = retained_and_cut(hold).await;
            let ticks = market.publisher::<Tick>().unwrap();
            for n in [5, 6] {
                ticks.publish(Tick { n }).await.unwrap();
            }
            desk.connect(LinkAddress::tcp(proxy.address.to_string())).unwrap();
            hear_these(&mut heard, &[5, 6]).await;
            ticks.publish(Tick { n: 7 }).await.unwrap();
            hear_these(&mut heard, &[7]).await;
            // Those of another process have had nothing.
            desk.shutdown().await.unwrap();
            let desk = bus("desk");
            let mut heard = desk.subscriber::<Tick>().unwrap();
            desk.connect(LinkAddress::tcp(proxy.address.to_string())).unwrap();
            hear_these(&mut heard, &[5, 6, 7]).await;
            ticks.publish(Tick { n: 8 }).await.unwrap();
            hear_these(&mut heard, &[8]).await;
        }
    });
}

/// Whether the link has seen, in a pause of this length, that nobody wanted ticks any more: it may not have
/// had its turn.
async fn is_retained_for_a_later_one(hold: Duration, pause: Duration) -> bool {
    let (market, desk, heard, proxy) = retained_and_cut(hold).await;
    drop(heard);
    tokio::time::sleep(pause).await;
    let mut other = desk.subscriber::<Tick>().unwrap();
    // A link that is held takes them for those who have left.
    let ticks = market.publisher::<Tick>().unwrap();
    for n in [5, 6] {
        ticks.publish(Tick { n }).await.unwrap();
    }
    desk.connect(LinkAddress::tcp(proxy.address.to_string())).unwrap();
    let first = other.recv().await.unwrap().n;
    if first == 5 {
        return false;
    }
    assert_eq!(first, 4);
    hear_these(&mut other, &[5, 6]).await;
    ticks.publish(Tick { n: 7 }).await.unwrap();
    hear_these(&mut other, &[7]).await;
    true
}

#[test]
fn a_subscriber_that_comes_while_its_link_is_away_gets_what_is_retained_though_another_one_had_it() {
    on_every_runtime(async || {
        for hold in [HELD, Duration::from_millis(1)] {
            let mut pauses = [50, 500, 5_000].map(Duration::from_millis).into_iter();
            let mut next = || pauses.next().expect("the link sees it at no time");
            while !is_retained_for_a_later_one(hold, next()).await {}
        }
    });
}

#[test]
fn who_comes_when_all_others_have_left_gets_one_queue_from_its_beginning_on() {
    on_every_runtime(async || {
        let market = builder("market").retain(Retention::<Tick>::last_n(3)).build();
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        let desk = bus("desk");
        let dialer = desk.connect(LinkAddress::tcp(listener.address())).unwrap();
        dialer.linked().await;
        let ticks = market.publisher::<Tick>().unwrap();
        let (over, mut is_over) = tokio::sync::oneshot::channel();
        let publishing = tokio::spawn(async move {
            let mut n = 0;
            while is_over.try_recv().is_err() {
                ticks.publish(Tick { n }).await.unwrap();
                n += 1;
                if n % 64 == 0 {
                    tokio::task::yield_now().await;
                }
            }
        });
        for _ in 0..50 {
            let mut heard = desk.subscriber::<Tick>().unwrap();
            let first = heard.recv().await.unwrap().n;
            for n in first + 1..first + 200 {
                assert_eq!(heard.recv().await.unwrap().n, n, "the first was {first}");
            }
            drop(heard);
            // The next one comes while messages are on their way to this one.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        over.send(()).unwrap();
        publishing.await.unwrap();
        assert_eq!((link(&market, "desk").lost, link(&desk, "market").refused), (0, 0));
    });
}

#[test]
fn who_comes_at_once_when_all_others_have_left_gets_what_is_retained_and_nothing_of_theirs() {
    on_every_runtime(async || {
        let market = builder("market").retain(Retention::<Tick>::last_n(3)).build();
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        send(&market, 5).await;
        let desk = bus("desk");
        desk.connect(LinkAddress::tcp(listener.address())).unwrap();
        let mut heard = desk.subscriber::<Tick>().unwrap();
        for _ in 0..20 {
            hear_these(&mut heard, &[2, 3, 4]).await;
            drop(heard);
            heard = desk.subscriber::<Tick>().unwrap();
        }
        hear_these(&mut heard, &[2, 3, 4]).await;
    });
}

#[test]
fn what_comes_for_subscribers_who_have_left_is_published_to_nobody_and_counted() {
    // On one thread nobody leaves or comes while a message takes its place.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let market = builder("market").retain(Retention::<Tick>::last_n(3)).build();
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        let desk = bus("desk");
        desk.connect(LinkAddress::tcp(listener.address())).unwrap();
        let narrow = Subscription::<Tick>::block().capacity(1);
        let mut heard = desk.subscriber_with(narrow).unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        send(&market, 100).await;
        hear_these(&mut heard, &[0, 1]).await;
        drop(heard);
        let mut heard = desk.subscriber_with(narrow).unwrap();
        hear_these(&mut heard, &[97, 98, 99]).await;
        let stats = link(&desk, "market");
        assert_eq!((stats.held, stats.refused), (0, 0));
        assert!(stats.outdated > 90 && stats.received <= stats.outdated + 8, "{stats}");
    });
}

#[test]
fn a_bus_that_pauses_is_sent_nothing_and_gets_what_is_retained_once_when_it_goes_on() {
    on_every_runtime(async || {
        let market = builder("market").retain(Retention::<Tick>::last_n(3)).build();
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        send(&market, 5).await;
        let desk = bus("desk");
        let mut heard = desk.subscriber::<Tick>().unwrap();
        desk.connect(LinkAddress::tcp(listener.address())).unwrap();
        hear_these(&mut heard, &[2, 3, 4]).await;
        for n in [6, 8] {
            desk.pause_ingress();
            until(|| link(&market, "desk").wants.is_empty()).await;
            let (ticks, before) = (market.publisher::<Tick>().unwrap(), link(&market, "desk").sent);
            for n in [n - 1, n] {
                ticks.publish(Tick { n }).await.unwrap();
            }
            assert_eq!(link(&market, "desk").sent, before);
            desk.resume_ingress();
            hear_these(&mut heard, &[n - 1, n]).await;
        }
        market.publisher::<Tick>().unwrap().publish(Tick { n: 9 }).await.unwrap();
        hear_these(&mut heard, &[9]).await;
    });
}
