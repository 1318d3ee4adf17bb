//! Peers that are processes of their own: killed, started again, and stopped.

use std::io::{BufRead, BufReader, Lines};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use mycelium::{LinkAddress, LinkOptions, LinkState, Subscription};
use rustix::process::{Pid, Signal, kill_process};

use crate::common::on_every_runtime;
use crate::kit::{Tick, bus, link, socket, until, until_wanted};

const ROLE: &str = "MYCELIUM_LINK_SOCKET";

/// What the other process does: links itself with the bus at the socket and says what it receives.
#[test]
fn peer_process() {
    let Ok(path) = std::env::var(ROLE) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let desk = bus("desk");
        let mut ticks = desk.subscriber::<Tick>().unwrap();
        desk.connect(LinkAddress::unix(path)).unwrap();
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
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "processes::peer_process", "--nocapture"])
            .env(ROLE, path)
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
        kill_process(Pid::from_child(&self.child), signal).unwrap();
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
