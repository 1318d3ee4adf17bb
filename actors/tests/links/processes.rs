//! Peers that are processes of their own: killed, started again, and stopped.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use mycelium::{
    Actor, BoxError, Context, Exposed, Handler, LinkAddress, LinkOptions, LinkState, Recipient, Service,
    ServiceContext, Subscription, WireMessage,
};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};

use crate::common::on_every_runtime;
use crate::kit::{Fill, Order, Tick, bus, link, socket, until, until_wanted};

const ROLE: &str = "MYCELIUM_LINK_SOCKET";
/// Set: the socket is one for links through shared memory.
const SHM: &str = "MYCELIUM_LINK_SHM";
/// Set: the process wants one message, and then nothing more; it publishes fills without end, and takes
/// orders.
const LEAVES: &str = "MYCELIUM_LINK_LEAVES";

/// Says what it is told.
struct Gate;
impl Actor for Gate {
    type Error = BoxError;
}
impl Handler<Order> for Gate {
    async fn handle(&mut self, order: &Order, _: &mut Context<Self>) -> Result<(), BoxError> {
        println!("got {}", order.n);
        Ok(())
    }
}

/// What the other process does: links itself with the bus at the socket and says what it receives.
#[test]
fn peer_process() {
    let Ok(path) = std::env::var(ROLE) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let desk = bus("desk");
        let mut ticks = desk.subscriber::<Tick>().unwrap();
        let address =
            if std::env::var(SHM).is_ok() { LinkAddress::shm(path) } else { LinkAddress::unix(path) };
        desk.connect(address).unwrap();
        if std::env::var(LEAVES).is_ok() {
            desk.expose("gate", Exposed::new().takes::<Order>(desk.spawn(Gate).unwrap())).unwrap();
            ticks.recv().await;
            drop(ticks);
            let fills = desk.publisher::<Fill>().unwrap();
            while fills.publish(Fill { n: 0 }).await.is_ok() {
                tokio::task::yield_now().await;
            }
            return;
        }
        while let Some(tick) = ticks.recv().await {
            println!("got {}", tick.n);
        }
    });
}

struct Peer {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Peer {
    fn start(path: &Path) -> Self {
        Self::start_with(path, &[])
    }

    fn start_with(path: &Path, variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "processes::peer_process", "--nocapture"])
            .env(ROLE, path)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines }
    }

    /// What it receives up to `last`, while others go on.
    async fn heard_up_to(mut self, last: u64) -> (Self, Vec<u64>) {
        let hearing = tokio::task::spawn_blocking(move || {
            let heard = self.heard(Some(last));
            (self, heard)
        });
        hearing.await.unwrap()
    }

    /// What it receives, until it has received `last` or has ended.
    fn heard(&mut self, last: Option<u64>) -> Vec<u64> {
        let mut heard = Vec::new();
        while last.is_none() || heard.last() != last.as_ref() {
            let Some(Ok(line)) = self.lines.next() else { break };
            heard.extend(line.split_once("got ").map(|(_, n)| n.parse::<u64>().unwrap()));
        }
        heard
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, signal).unwrap();
        if signal == Signal::STOP {
            // All its threads have stopped then.
            waitpid(Some(pid), WaitOptions::UNTRACED).unwrap();
        }
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = (self.child.kill(), self.child.wait());
    }
}

#[test]
fn what_a_killed_process_has_lost_is_counted_and_the_next_one_goes_on() {
    on_every_runtime(async || {
        let (market, path) = (bus("market"), socket());
        market.bind_unix(&path).unwrap();
        let mut first = Peer::start(&path);
        until_wanted(&market, "desk", &["Tick"]).await;
        let ticks = market.publisher::<Tick>().unwrap();
        let mut published = 0;
        for n in 0..2_000 {
            ticks.publish(Tick { n }).await.unwrap();
            published += 1;
            if n == 1_000 {
                first.signal(Signal::KILL);
                first.child.wait().unwrap();
            }
        }
        let heard = first.heard(None);
        assert!(heard.iter().enumerate().all(|(at, n)| at as u64 == *n), "in order and once");

        let second = Peer::start(&path);
        until(|| link(&market, "desk").peer_restarts == 1).await;
        until(|| link(&market, "desk").state == LinkState::Linked).await;
        until_wanted(&market, "desk", &["Tick"]).await;
        for n in 10_000..10_100 {
            ticks.publish(Tick { n }).await.unwrap();
            published += 1;
        }
        let (_second, after) = second.heard_up_to(10_099).await;
        assert_eq!(after, (10_000..10_100).collect::<Vec<u64>>());
        until(|| link(&market, "desk").waiting == 0).await;
        let stats = link(&market, "desk");
        // Each was acknowledged by one of the two, lost with the first, or never left.
        assert_eq!(stats.acknowledged + stats.lost + stats.unsent, published, "{stats}");
        assert!(stats.lost + stats.unsent > 0 && heard.len() as u64 <= stats.acknowledged + stats.lost);
    });
}

#[test]
fn a_stopped_process_slows_no_publisher_of_a_lossy_link_and_each_message_is_sent_or_counted() {
    on_every_runtime(async || {
        let (market, path) = (bus("market"), socket());
        let queue = Subscription::drop_oldest().capacity(32);
        let options = LinkOptions::default().queue(queue).hold(Duration::from_secs(60));
        market.bind_unix_with(&path, options).unwrap();
        let peer = Peer::start(&path);
        until_wanted(&market, "desk", &["Tick"]).await;
        peer.signal(Signal::STOP);
        let ticks = market.publisher::<Tick>().unwrap();
        for n in 0..20_000 {
            ticks.try_publish(Tick { n }).unwrap();
            if n % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
        peer.signal(Signal::CONT);
        let (_peer, heard) = peer.heard_up_to(19_999).await;
        assert!(heard.is_sorted_by(|one, next| one < next));
        until(|| link(&market, "desk").waiting == 0).await;
        let topic = market.topics().into_iter().find(|topic| topic.message == "Tick").unwrap();
        let stats = link(&market, "desk");
        assert_eq!((stats.sent, stats.lost), (heard.len() as u64, 0), "{stats}");
        assert_eq!(stats.sent + topic.dropped_oldest, 20_000);
        assert!(topic.dropped_oldest > 0);
    });
}

async fn stopped_for_long(over_shm: bool, queue: Subscription<WireMessage>) {
    let (market, path) = (bus("market"), socket());
    let options = LinkOptions::default().queue(queue.capacity(32)).hold(Duration::from_secs(600));
    if over_shm {
        market.bind_shm_with(&path, options.ring(64 << 10)).unwrap();
    } else {
        market.bind_unix_with(&path, options).unwrap();
    }
    let peer = Peer::start_with(&path, if over_shm { &[(SHM, "")] } else { &[] });
    until_wanted(&market, "desk", &["Tick"]).await;
    let ticks = market.publisher::<Tick>().unwrap();
    peer.signal(Signal::STOP);
    let mut published = 0;
    // Until it has heard no word of its peer for too long: the connection is given up, and made anew later.
    while link(&market, "desk").state == LinkState::Linked || published < 20_000 {
        for _ in 0..20 {
            // The publisher never waits, and is never told to.
            ticks.try_publish(Tick { n: published }).unwrap();
            published += 1;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(link(&market, "desk").acknowledged, 0, "nobody has read anything");
    peer.signal(Signal::CONT);
    // All that the queue has kept is on its way, and has come: there is room for one more.
    let queued = || market.topics().iter().map(|topic| topic.waiting).sum::<u64>();
    until(|| queued() == 0 && link(&market, "desk").waiting == 0).await;
    ticks.try_publish(Tick { n: published }).unwrap();
    let (_peer, heard) = peer.heard_up_to(published).await;
    assert!(heard.is_sorted_by(|one, next| one < next), "in order and once");
    until(|| link(&market, "desk").waiting == 0).await;
    let topic = market.topics().into_iter().find(|topic| topic.message == "Tick").unwrap();
    let (stats, dropped) = (link(&market, "desk"), topic.dropped_oldest + topic.dropped_newest);
    assert_eq!((stats.sent, stats.lost, stats.unsent), (heard.len() as u64, 0, 0), "{stats}");
    assert_eq!(stats.sent + dropped, published + 1, "{stats}");
    assert!(dropped > 0 && stats.connections > 1, "{stats}");
}

#[test]
fn a_process_that_is_stopped_for_long_slows_no_publisher_of_a_lossy_link_and_each_drop_is_counted() {
    on_every_runtime(async || {
        tokio::join!(
            stopped_for_long(false, Subscription::drop_oldest()),
            stopped_for_long(false, Subscription::drop_newest()),
            stopped_for_long(true, Subscription::drop_oldest()),
            stopped_for_long(true, Subscription::drop_newest()),
        );
    });
}

/// Says something a while after it was told to stop.
struct LastWords(Recipient<Order>);
impl Service for LastWords {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.stopped().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        Ok(self.0.tell(Order { n: 1 }).await?)
    }
}

#[test]
fn last_words_wait_for_a_peer_that_is_stopped_for_longer_than_one_that_ends_as_well_is_waited_for() {
    on_every_runtime(async || {
        let (market, path) = (bus("market"), socket());
        market.bind_unix(&path).unwrap();
        let peer = Peer::start_with(&path, &[(LEAVES, "")]);
        until_wanted(&market, "desk", &["Tick"]).await;
        let fills = market.subscriber_with::<Fill>(Subscription::drop_oldest()).unwrap();
        let gate = market.recipient::<Order>("desk/gate").unwrap();
        gate.tell(Order { n: 0 }).await.unwrap();
        market.publisher::<Tick>().unwrap().publish(Tick { n: 0 }).await.unwrap();
        until(|| link(&market, "desk").wants.is_empty()).await;
        market.spawn_service(LastWords(gate)).unwrap();
        // So that it passes over what comes when it has begun to end.
        let stops = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            peer.signal(Signal::STOP);
            tokio::time::sleep(Duration::from_millis(1_900)).await;
            peer.signal(Signal::CONT);
        };
        let limit = Duration::from_secs(3_600);
        let (ended, ()) = tokio::join!(market.shutdown_within(limit), stops);
        drop(fills);
        ended.unwrap();
        let (_peer, heard) = peer.heard_up_to(1).await;
        assert_eq!(heard, [0, 1]);
    });
}
