//! Connections that come and go leave no descriptor and no task behind. A binary of its own: others open
//! descriptors meanwhile.

#![forbid(unsafe_code)]

#[path = "common/mod.rs"]
mod common;
#[path = "links/kit.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod kit;
#[path = "links/proxy.rs"]
#[allow(dead_code, reason = "a part of it is used")]
mod proxy;

use mycelium::LinkAddress;
use mycelium_random::Random;
use tokio::runtime::Handle;

use kit::{Tick, bus, find, link, until, until_wanted};
use proxy::{Faults, Proxy};

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_thousand_connects_and_disconnects_leave_nothing_behind() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let tasks = || Handle::current().metrics().num_alive_tasks();
        let (market, desk) = (bus("market"), bus("desk"));
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        let proxy = Proxy::new(&listener.address(), Random::new(1), Faults::default()).await;
        let dialer = desk.connect(LinkAddress::tcp(proxy.address.to_string())).unwrap();
        let mut ticks = desk.subscriber::<Tick>().unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        let before = (descriptors(), tasks());
        let publisher = market.publisher::<Tick>().unwrap();
        for n in 0..1_000 {
            publisher.publish(Tick { n }).await.unwrap();
            assert_eq!(ticks.recv().await.unwrap().n, n);
            proxy.cut();
            until(|| link(&desk, "market").connections == n + 2).await;
            dialer.linked().await;
        }
        // Fewer than before, if a task of the first greeting had not ended when they were counted.
        until(|| descriptors() <= before.0 && tasks() <= before.1).await;

        // And buses that come, are linked, and are shut down.
        for n in 0..100 {
            let other = bus("other");
            let dialer = other.connect(LinkAddress::tcp(listener.address())).unwrap();
            dialer.linked().await;
            until(|| find(&market, "other").is_some_and(|link| link.connections >= 1)).await;
            other.shutdown().await.unwrap();
            drop(other);
            let gone = |link: mycelium::LinkStats| link.state == mycelium::LinkState::Gone;
            until(|| find(&market, "other").is_none_or(gone) || n == 0).await;
        }
        desk.shutdown().await.unwrap();
        market.shutdown().await.unwrap();
        drop((proxy, market, desk, ticks, publisher));
        until(|| tasks() == 0).await;
    });
}
