//! Links through shared memory that come and go leave no mapping, descriptor or task behind. A binary of its
//! own: others map and open meanwhile.

#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

#[path = "links/kit.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod kit;

use mycelium::{LinkAddress, LinkOptions, LinkState};
use tokio::runtime::Handle;

use kit::{Tick, bus, find, socket, until, until_wanted};

/// Mappings of segments.
fn mappings() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("memfd:")).count()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_thousand_connects_through_shared_memory_leave_nothing_behind() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let tasks = || Handle::current().metrics().num_alive_tasks();
        let (path, market) = (socket(), bus("market"));
        market.bind_shm(&path).unwrap();
        let ticks = market.publisher::<Tick>().unwrap();
        let before = (mappings(), descriptors(), tasks());
        assert_eq!(before.0, 0);
        for n in 0..1_000 {
            let desk = bus("desk");
            let options = LinkOptions::default().ring(1);
            desk.connect_with(LinkAddress::shm(&*path), options).unwrap().linked().await;
            // Of some, a message goes through the rings; others come and go.
            if n % 10 == 0 {
                let mut heard = desk.subscriber::<Tick>().unwrap();
                until_wanted(&market, "desk", &["Tick"]).await;
                ticks.publish(Tick { n }).await.unwrap();
                assert_eq!(heard.recv().await.unwrap().n, n);
                assert!(mappings() > 0, "the rings are mapped");
            }
            desk.shutdown().await.unwrap();
            drop(desk);
            until(|| find(&market, "desk").is_none_or(|link| link.state == LinkState::Gone)).await;
        }
        // The one link of the market stays, without a connection.
        until(|| mappings() == 0 && descriptors() <= before.1 && tasks() <= before.2 + 1).await;
        market.shutdown().await.unwrap();
        drop((market, ticks));
        until(|| tasks() == 0 && mappings() == 0).await;
    });
}
