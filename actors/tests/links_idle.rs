//! Links that nothing goes over cost little memory, and wake nobody but for heartbeats. A binary of its own:
//! others allocate meanwhile.

#[path = "../../mailbox/tests/common/heap.rs"]
mod heap;
#[path = "links/kit.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod kit;

use std::time::{Duration, Instant};

use mycelium::{LinkAddress, LinkState};
use tokio::runtime::Handle;

use kit::{Tick, bus, socket, until};

#[global_allocator]
static HEAP: heap::Counting = heap::Counting;

const LINKS: u64 = 1_000;
/// What a link may take at both of its ends, with the other bus itself (bytes).
const EACH_MAX: i64 = 64 << 10;

#[test]
fn a_thousand_idle_links_are_small_and_wake_for_heartbeats_alone() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (node, path) = (bus("node"), socket());
        node.bind_unix(&path).unwrap();
        let _wanted = node.subscriber::<Tick>().unwrap();
        let before = heap::live_bytes_of_all();
        let mut others = Vec::new();
        for number in 0..LINKS {
            let other = bus(&format!("other-{number}"));
            // A word each, so that every buffer has been used.
            other.connect(LinkAddress::unix(&*path)).unwrap().linked().await;
            until(|| other.stats().links.iter().any(|link| link.wants.contains(&"Tick"))).await;
            other.publisher::<Tick>().unwrap().publish(Tick { n: number }).await.unwrap();
            others.push(other);
        }
        let links = || node.stats().links;
        until(|| links().iter().map(|link| link.received).sum::<u64>() == LINKS).await;
        until(|| others.iter().all(|other| other.stats().links[0].waiting == 0)).await;
        let each = (heap::live_bytes_of_all() - before) / LINKS as i64;
        println!("{each} bytes for each link, its other end and the bus there");
        assert!(each < EACH_MAX, "{each} bytes for each link");

        let metrics = Handle::current().metrics();
        let (woken, since) = (metrics.worker_park_count(0), Instant::now());
        tokio::time::sleep(Duration::from_secs(4)).await;
        let (woken, seconds) = (metrics.worker_park_count(0) - woken, since.elapsed().as_secs() + 1);
        // Each end sends a heartbeat a second and hears one, and may wake for either.
        let most = 2 * LINKS * 3 * seconds;
        println!("woken {woken} times in {seconds} seconds, of {most}");
        assert!(woken <= most, "woken {woken} times in {seconds} seconds");
        assert!(links().iter().all(|link| link.state == LinkState::Linked && link.connections == 1));
    });
}
