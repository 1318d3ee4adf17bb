//! Links that spin: a receiver that waits looks for messages itself, and nothing depends on it.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

#[path = "common/mod.rs"]
mod common;
#[path = "links/kit.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod kit;

use std::future::{Future, poll_fn};
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::Poll;
use std::thread;
use std::time::Duration;

use mycelium::{
    Actor, BoxError, Context, Exposed, Handler, LinkAddress, LinkOptions, LinkState, MessageBus, Query,
    ReplyRecipient, Responder, Subscriptions, Supervisor,
};
use tokio::runtime::{Builder, Runtime};
use tokio::task::yield_now;

use common::{WATCHDOG, on_every_runtime};
use kit::{Fill, Order, SocketPath, Tick, bus, link, socket, until, until_wanted};

/// For longer than a test takes.
const ALWAYS: Duration = Duration::from_secs(3_600);
/// Few: threads that spin and have no core to themselves wait for each other's time slices.
const TRIPS: u64 = 500;

fn spinning(spin: Duration) -> LinkOptions {
    LinkOptions::default().spin(spin)
}

/// Two buses of this runtime whose link spins.
async fn linked(spin: Duration) -> (MessageBus, MessageBus, SocketPath) {
    let (market, desk, path) = (bus("market"), bus("desk"), socket());
    market.bind_shm_with(&path, spinning(spin)).unwrap();
    desk.connect_with(LinkAddress::shm(&*path), spinning(spin)).unwrap().linked().await;
    (market, desk, path)
}

fn runtimes() -> [Runtime; 2] {
    let one = Builder::new_current_thread().enable_all().build().unwrap();
    [one, Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()]
}

/// The only thread polls nothing but the receiver between the publish and the message: nobody else has read
/// it.
#[test]
fn a_receiver_that_waits_takes_what_comes_without_the_task_of_the_link() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let dials = async || linked(ALWAYS).await;
    // The connection spins as the listener says, which does not know who connects.
    let listens = async || {
        let (market, desk, path) = (bus("market"), bus("desk"), socket());
        let quiet = LinkOptions::default();
        desk.bind_shm_with(&path, spinning(ALWAYS).peer("market", quiet)).unwrap();
        market.connect_with(LinkAddress::shm(&*path), spinning(ALWAYS)).unwrap().linked().await;
        (market, desk, path)
    };
    runtime.block_on(comes_at_once(dials));
    runtime.block_on(comes_at_once(listens));
}

async fn comes_at_once(linked: impl AsyncFnOnce() -> (MessageBus, MessageBus, SocketPath)) {
    let (market, desk, _path) = linked().await;
    let mut ticks = desk.subscriber::<Tick>().unwrap();
    until_wanted(&market, "desk", &["Tick"]).await;
    let publisher = market.publisher::<Tick>().unwrap();
    let (mut at_once, rounds) = (0, 200);
    for n in 0..rounds {
        // Both links have nothing left to do.
        for _ in 0..100 {
            yield_now().await;
        }
        let mut published = false;
        let tick = poll_fn(|cx| {
            if !std::mem::replace(&mut published, true) {
                publisher.try_publish(Tick { n }).unwrap();
                let polled = ticks.poll_recv(cx).map(|tick| tick.unwrap().n);
                at_once += u32::from(polled.is_ready());
                return polled;
            }
            ticks.poll_recv(cx).map(|tick| tick.unwrap().n)
        })
        .await;
        assert_eq!(tick, n);
    }
    // The turn in which a link looks at its clock may come between.
    assert!(u64::from(at_once) > rounds / 2, "{at_once} of {rounds} came at once");
    assert_eq!(link(&desk, "market").received, rounds);
}

/// Sends back what comes, and counts it.
struct Echo(Arc<AtomicU64>);

impl Actor for Echo {
    type Error = BoxError;
    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}

impl Handler<Tick> for Echo {
    async fn handle(&mut self, tick: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        assert_eq!(self.0.fetch_add(1, Ordering::SeqCst), tick.n);
        ctx.publish(Fill { n: tick.n }).await?;
        Ok(())
    }
}

/// Has an actor on another thread send back each tick.
fn to_and_fro(here: &Runtime, there: Runtime, spin: Duration, path: &Path) {
    let (bound, is_bound) = std::sync::mpsc::channel();
    let ended = Arc::new(AtomicBool::new(false));
    let echo = thread::spawn({
        let (path, ended) = (path.to_path_buf(), Arc::clone(&ended));
        move || {
            there.block_on(async {
                let desk = bus("desk");
                let handled = Arc::new(AtomicU64::new(0));
                desk.spawn(Echo(Arc::clone(&handled))).unwrap();
                desk.bind_shm_with(&path, spinning(spin)).unwrap();
                bound.send(()).unwrap();
                until(|| ended.load(Ordering::SeqCst)).await;
                assert_eq!(handled.load(Ordering::SeqCst), TRIPS);
                desk.shutdown().await.unwrap();
            });
        }
    });
    is_bound.recv().unwrap();
    here.block_on(async {
        let market = bus("market");
        let mut fills = market.subscriber::<Fill>().unwrap();
        market.connect_with(LinkAddress::shm(path), spinning(spin)).unwrap().linked().await;
        until_wanted(&market, "desk", &["Tick"]).await;
        let publisher = market.publisher::<Tick>().unwrap();
        let trips = async {
            for n in 0..TRIPS {
                publisher.publish(Tick { n }).await.unwrap();
                assert_eq!(fills.recv().await.unwrap().n, n);
            }
        };
        tokio::time::timeout(WATCHDOG, trips).await.expect("the test hangs");
        until(|| link(&market, "desk").received == TRIPS).await;
        assert_eq!((link(&market, "desk").sent, link(&market, "desk").duplicates), (TRIPS, 0));
        ended.store(true, Ordering::SeqCst);
        market.shutdown().await.unwrap();
    });
    echo.join().unwrap();
}

#[test]
fn messages_go_to_and_fro_once_and_in_order_whoever_looks() {
    for (here, there) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        for spin in [Duration::from_micros(20), ALWAYS] {
            let there = runtimes().into_iter().nth(there).unwrap();
            to_and_fro(&runtimes()[here], there, spin, &socket());
        }
    }
}

impl Query for Order {
    type Reply = Fill;
}

/// Answers each question with its number.
struct Clerk;

impl Actor for Clerk {
    type Error = BoxError;
}

impl Responder<Order> for Clerk {
    type Reply = Fill;
    async fn answer(&mut self, order: &Order, _: &mut Context<Self>) -> Fill {
        Fill { n: order.n }
    }
}

/// Has an actor on another thread answer what is asked meanwhile.
fn with_a_clerk(there: Runtime, here: &Runtime, asks: impl AsyncFnOnce(ReplyRecipient<Order, Fill>)) {
    let (path, (bound, is_bound)) = (socket(), std::sync::mpsc::channel());
    let ended = Arc::new(AtomicBool::new(false));
    let clerk = thread::spawn({
        let (path, ended) = (path.to_path_buf(), Arc::clone(&ended));
        move || {
            there.block_on(async {
                let desk = bus("desk");
                desk.expose("clerk", Exposed::new().answers::<Order>(desk.spawn(Clerk).unwrap())).unwrap();
                desk.bind_shm_with(&path, spinning(ALWAYS)).unwrap();
                bound.send(()).unwrap();
                until(|| ended.load(Ordering::SeqCst)).await;
                desk.shutdown().await.unwrap();
            });
        }
    });
    is_bound.recv().unwrap();
    here.block_on(async {
        let market = bus("market");
        market.connect_with(LinkAddress::shm(&*path), spinning(ALWAYS)).unwrap().linked().await;
        let orders = market.reply_recipient::<Order>("desk/clerk").unwrap();
        tokio::time::timeout(WATCHDOG, asks(orders)).await.expect("the test hangs");
        ended.store(true, Ordering::SeqCst);
        market.shutdown().await.unwrap();
    });
    clerk.join().unwrap();
}

/// The only thread polls nothing but the asker from the question to the answer: nobody else has read it.
#[test]
fn an_asker_that_waits_takes_the_answer_without_the_task_of_the_link() {
    let [here, _] = runtimes();
    with_a_clerk(runtimes().into_iter().next().unwrap(), &here, async |orders| {
        let (mut at_once, rounds) = (0, 200);
        for n in 0..rounds {
            // The link has nothing left to do, and its task was polled on this thread last.
            for _ in 0..100 {
                yield_now().await;
            }
            let mut asked = pin!(tokio::task::unconstrained(orders.ask(Order { n })));
            let mut is_later = false;
            let answer = poll_fn(|cx| {
                let is_first = !std::mem::replace(&mut is_later, true);
                for _ in 0..if is_first { 1_000 } else { 1 } {
                    if let Poll::Ready(answer) = asked.as_mut().poll(cx) {
                        at_once += u64::from(is_first);
                        return Poll::Ready(answer);
                    }
                    // The other thread may have no core of its own.
                    thread::sleep(Duration::from_micros(10));
                }
                Poll::Pending
            });
            assert_eq!(answer.await.unwrap().n, n);
        }
        assert!(at_once > rounds / 2, "{at_once} of {rounds} answers came at once");
    });
}

#[test]
fn each_asker_gets_its_answer_whoever_looks() {
    for (here, there) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let there = runtimes().into_iter().nth(there).unwrap();
        with_a_clerk(there, &runtimes()[here], async |orders| {
            let askers = (0..3).map(|asker| {
                let orders = orders.clone();
                tokio::spawn(async move {
                    for n in (asker..TRIPS).step_by(3) {
                        let answer = match n % 2 {
                            0 => orders.ask(Order { n }).await,
                            _ => orders.ask_within(Order { n }, ALWAYS).await,
                        };
                        assert_eq!(answer.unwrap().n, n);
                    }
                })
            });
            for asker in askers.collect::<Vec<_>>() {
                asker.await.unwrap();
            }
        });
    }
}

/// Answers when its time has come.
struct Ponders;

impl Actor for Ponders {
    type Error = BoxError;
}

impl Responder<Order> for Ponders {
    type Reply = Fill;
    async fn answer(&mut self, order: &Order, _: &mut Context<Self>) -> Fill {
        tokio::time::sleep(Duration::from_millis(order.n % 3)).await;
        Fill { n: order.n }
    }
}

/// Whoever relays waits as an asker does, and looks, wherever its waker is woken.
#[test]
fn a_question_is_relayed_from_one_link_that_spins_to_another() {
    on_every_runtime(async || {
        let (market, desk, _path) = linked(ALWAYS).await;
        let (store, path) = (bus("store"), socket());
        store.bind_shm_with(&path, spinning(ALWAYS)).unwrap();
        desk.connect_with(LinkAddress::shm(&*path), spinning(ALWAYS)).unwrap().linked().await;
        let actor = store.spawn(Ponders).unwrap();
        store.expose("clerk", Exposed::new().answers::<Order>(actor)).unwrap();
        let beyond = desk.reply_recipient::<Order>("store/clerk").unwrap();
        desk.expose("clerk", Exposed::new().answers::<Order>(beyond)).unwrap();
        let orders = market.reply_recipient::<Order>("desk/clerk").unwrap();
        for n in 0..100 {
            assert_eq!(orders.ask(Order { n }).await.unwrap().n, n);
        }
        for (bus, peer) in [(&market, "desk"), (&desk, "market"), (&desk, "store"), (&store, "desk")] {
            assert_eq!(link(bus, peer).connections, 1, "{peer}");
        }
    });
}

/// A number of messages of several topics, each with a receiver of its own, and one with two.
#[test]
fn each_receiver_gets_what_is_for_it_whichever_looks() {
    on_every_runtime(async || {
        let (market, desk, _path) = linked(ALWAYS).await;
        let (mut ticks, mut others) =
            (desk.subscriber::<Tick>().unwrap(), desk.subscriber::<Tick>().unwrap());
        let (mut fills, mut orders) =
            (desk.subscriber::<Fill>().unwrap(), desk.subscriber::<Order>().unwrap());
        until_wanted(&market, "desk", &["Tick", "Fill", "Order"]).await;
        let publish = async {
            let publisher = market.publisher::<Tick>().unwrap();
            let (fills, orders) = (market.publisher::<Fill>().unwrap(), market.publisher::<Order>().unwrap());
            for n in 0..TRIPS {
                publisher.publish(Tick { n }).await.unwrap();
                yield_now().await;
                if n % 3 == 0 {
                    fills.publish(Fill { n }).await.unwrap();
                }
                if n % 5 == 0 {
                    yield_now().await;
                    orders.publish(Order { n }).await.unwrap();
                }
            }
        };
        let hear_ticks = async {
            for n in 0..TRIPS {
                assert_eq!(ticks.recv().await.unwrap().n, n);
            }
        };
        let hear_others = async {
            for n in 0..TRIPS {
                assert_eq!(others.recv().await.unwrap().n, n);
            }
        };
        let hear_fills = async {
            for n in (0..TRIPS).step_by(3) {
                assert_eq!(fills.recv().await.unwrap().n, n);
            }
        };
        let hear_orders = async {
            for n in (0..TRIPS).step_by(5) {
                assert_eq!(orders.recv().await.unwrap().n, n);
            }
        };
        tokio::join!(publish, hear_ticks, hear_others, hear_fills, hear_orders);
    });
}

#[test]
fn a_receiver_that_waits_and_is_polled_no_more_holds_up_nobody_and_no_heartbeat() {
    on_every_runtime(async || {
        let (market, desk, _path) = linked(ALWAYS).await;
        let (mut ticks, mut fills) = (desk.subscriber::<Tick>().unwrap(), desk.subscriber::<Fill>().unwrap());
        until_wanted(&market, "desk", &["Tick", "Fill"]).await;
        let publisher = market.publisher::<Fill>().unwrap();
        let mut kept = pin!(ticks.recv());
        for n in 0..200 {
            // It looks once, each time, and then nobody polls it.
            let waits = poll_fn(|cx| Poll::Ready(kept.as_mut().poll(cx).is_pending())).await;
            assert!(waits);
            publisher.publish(Fill { n }).await.unwrap();
            assert_eq!(fills.recv().await.unwrap().n, n);
        }
        // It stays for longer than the peer waits to hear something, unless the machine holds both up.
        let mut stays = false;
        for _ in 0..5 {
            let before = link(&desk, "market").connections;
            tokio::time::sleep(Duration::from_secs(4)).await;
            let link = link(&desk, "market");
            stays = (link.state, link.connections) == (LinkState::Linked, before);
            if stays {
                break;
            }
        }
        assert!(stays, "{:?}", link(&desk, "market"));
        market.publisher::<Tick>().unwrap().publish(Tick { n: 7 }).await.unwrap();
        assert_eq!(kept.await.unwrap().n, 7);
    });
}

/// Whoever answers at once keeps others waiting for a few messages, not for as long as they come.
#[test]
fn others_of_the_thread_have_their_turn_while_messages_come_one_by_one() {
    let path = socket();
    let (bound, is_bound) = std::sync::mpsc::channel();
    let echo = thread::spawn({
        let path = path.to_path_buf();
        move || {
            runtimes()[0].block_on(async {
                let desk = bus("desk");
                let mut ticks = desk.subscriber::<Tick>().unwrap();
                let fills = desk.publisher::<Fill>().unwrap();
                desk.bind_shm_with(&path, spinning(ALWAYS)).unwrap();
                bound.send(()).unwrap();
                let turns = Arc::new(AtomicU64::new(0));
                let others = tokio::spawn({
                    let turns = Arc::clone(&turns);
                    async move {
                        loop {
                            turns.fetch_add(1, Ordering::SeqCst);
                            yield_now().await;
                        }
                    }
                });
                for n in 0..TRIPS {
                    assert_eq!(ticks.recv().await.unwrap().n, n);
                    fills.publish(Fill { n }).await.unwrap();
                }
                others.abort();
                let turns = turns.load(Ordering::SeqCst);
                assert!(turns >= TRIPS / 32, "{turns} turns in {TRIPS} messages");
                desk.shutdown().await.unwrap();
            });
        }
    });
    is_bound.recv().unwrap();
    runtimes()[0].block_on(async {
        let market = bus("market");
        let mut fills = market.subscriber::<Fill>().unwrap();
        market.connect_with(LinkAddress::shm(&*path), spinning(ALWAYS)).unwrap().linked().await;
        until_wanted(&market, "desk", &["Tick"]).await;
        let publisher = market.publisher::<Tick>().unwrap();
        for n in 0..TRIPS {
            publisher.publish(Tick { n }).await.unwrap();
            assert_eq!(fills.recv().await.unwrap().n, n);
        }
        market.shutdown().await.unwrap();
    });
    echo.join().unwrap();
}

/// An actor that looks is asleep for everybody else: a drain and a shutdown wait for no end of it.
#[test]
fn a_drain_ends_while_actors_look() {
    on_every_runtime(async || {
        let (market, desk, _path) = linked(ALWAYS).await;
        let handled = Arc::new(AtomicU64::new(0));
        let counts = Arc::clone(&handled);
        let tree = Supervisor::builder("floor").actor("echo", move || Echo(Arc::clone(&counts)));
        let tree = tree.start(&desk).await.unwrap();
        let _fills = market.subscriber::<Fill>().unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        let publisher = market.publisher::<Tick>().unwrap();
        for n in 0..50 {
            publisher.publish(Tick { n }).await.unwrap();
            until(|| handled.load(Ordering::SeqCst) == n + 1).await;
        }
        // The watchdog of the test is shorter than this.
        tree.drain(Duration::from_secs(3_600)).await.unwrap();
        desk.shutdown().await.unwrap();
        market.shutdown().await.unwrap();
    });
}

/// For how long this thread has run.
fn on_the_processor() -> Duration {
    let times = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    Duration::from_nanos(times.split_whitespace().next().unwrap().parse().unwrap())
}

/// Behind its time, the link sleeps, and whoever has looked at it too.
#[test]
fn nobody_looks_for_longer_than_the_link_spins() {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (market, desk, _path) = linked(Duration::from_micros(200)).await;
        let handled = Arc::new(AtomicU64::new(0));
        desk.spawn(Echo(Arc::clone(&handled))).unwrap();
        let mut fills = market.subscriber::<Fill>().unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        let publisher = market.publisher::<Tick>().unwrap();
        // One by one, and then a stream.
        for n in 0..100 {
            publisher.publish(Tick { n }).await.unwrap();
            assert_eq!(fills.recv().await.unwrap().n, n);
        }
        for n in 100..1_000 {
            // At once, so that the last ones are read together too.
            publisher.try_publish(Tick { n }).unwrap();
        }
        let waiting = tokio::spawn(async move {
            for n in 100..1_000 {
                assert_eq!(fills.recv().await.unwrap().n, n);
            }
            _ = fills.recv().await;
        });
        until(|| handled.load(Ordering::SeqCst) == 1_000).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        let before = on_the_processor();
        tokio::time::sleep(Duration::from_secs(2)).await;
        // There are heartbeats. A link that spins keeps its thread busy all the time.
        let busy = on_the_processor() - before;
        assert!(busy < Duration::from_millis(500), "the thread was busy for {busy:?} of two seconds");
        waiting.abort();
    });
}

#[test]
fn the_end_of_a_peer_is_seen_by_a_receiver_that_looks_for_it() {
    on_every_runtime(async || {
        let (market, desk, _path) = linked(ALWAYS).await;
        let mut ticks = desk.subscriber::<Tick>().unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        market.publisher::<Tick>().unwrap().publish(Tick { n: 1 }).await.unwrap();
        assert_eq!(ticks.recv().await.unwrap().n, 1);
        let waits = tokio::spawn(async move { ticks.recv().await.map(|tick| tick.n) });
        yield_now().await;
        market.shutdown().await.unwrap();
        until(|| link(&desk, "market").state == LinkState::Gone).await;
        assert!(!waits.is_finished(), "another peer may come");
        desk.shutdown().await.unwrap();
        assert_eq!(waits.await.unwrap(), None);
    });
}

/// A clock that is stopped jumps to what is waited for once nobody has anything to do.
#[test]
fn a_stopped_clock_goes_on_while_links_spin() {
    let (done, is_done) = std::sync::mpsc::channel();
    let running = thread::spawn(move || {
        let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let (market, desk, _path) = linked(Duration::from_micros(20)).await;
            let mut ticks = desk.subscriber::<Tick>().unwrap();
            until_wanted(&market, "desk", &["Tick"]).await;
            let publisher = market.publisher::<Tick>().unwrap();
            for n in 0..20 {
                publisher.publish(Tick { n }).await.unwrap();
                assert_eq!(ticks.recv().await.unwrap().n, n);
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            assert_eq!(link(&desk, "market").state, LinkState::Linked);
        });
        let _ = done.send(());
    });
    let waited = is_done.recv_timeout(WATCHDOG);
    assert_ne!(waited, Err(std::sync::mpsc::RecvTimeoutError::Timeout), "the clock stands still");
    running.join().unwrap();
}
