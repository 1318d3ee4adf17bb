//! Two buses that both listen and both dial each other.

use std::ops::Range;
use std::time::Duration;

use mycelium::{LinkAddress, LinkState, MessageBus, Subscriber};

use crate::common::on_every_runtime;
use crate::kit::{Fill, Tick, bus, link, socket, until, until_wanted};

/// Publishes these ticks at one bus and fills at the other; each comes once, and in order.
async fn both_ways(
    (market, fills): (&MessageBus, &mut Subscriber<Fill>),
    (desk, ticks): (&MessageBus, &mut Subscriber<Tick>),
    these: Range<u64>,
) {
    let (of_ticks, of_fills) = (market.publisher::<Tick>().unwrap(), desk.publisher::<Fill>().unwrap());
    let send = async {
        for n in these.clone() {
            of_ticks.publish(Tick { n }).await.unwrap();
            of_fills.publish(Fill { n }).await.unwrap();
        }
    };
    let hear = async {
        for n in these.clone() {
            assert_eq!(ticks.recv().await.unwrap().n, n);
            assert_eq!(fills.recv().await.unwrap().n, n);
        }
    };
    tokio::join!(send, hear);
    assert!(ticks.try_recv().is_none() && fills.try_recv().is_none());
}

/// Until the connection that is in use now stays in use.
async fn until_settled(bus: &MessageBus, peer: &str) {
    let mut before = 0;
    loop {
        let now = link(bus, peer);
        if now.state == LinkState::Linked && now.connections == before {
            return;
        }
        before = now.connections;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn dial_each_other(market: MessageBus, desk: MessageBus, of_market: LinkAddress, of_desk: LinkAddress) {
    let dialers = (market.connect(of_desk).unwrap(), desk.connect(of_market).unwrap());
    let (mut ticks, mut fills) = (desk.subscriber::<Tick>().unwrap(), market.subscriber::<Fill>().unwrap());
    until_wanted(&market, "desk", &["Tick"]).await;
    until_wanted(&desk, "market", &["Fill"]).await;
    both_ways((&market, &mut fills), (&desk, &mut ticks), 0..300).await;
    until_settled(&market, "desk").await;
    until_settled(&desk, "market").await;
    both_ways((&market, &mut fills), (&desk, &mut ticks), 300..600).await;
    assert_eq!((&*dialers.0.linked().await, &*dialers.1.linked().await), ("desk", "market"));
    for bus in [&market, &desk] {
        until(|| bus.stats().links.iter().map(|link| link.received).sum::<u64>() == 600).await;
        let stats = bus.stats();
        let [link] = &stats.links[..] else { panic!("one link: {stats:?}") };
        assert_eq!((link.sent, link.received, link.lost, link.peer_restarts), (600, 600, 0, 0), "{link}");
    }
    // Each counts them for itself.
    until(|| link(&market, "desk").connections == link(&desk, "market").connections).await;
    tokio::try_join!(market.shutdown(), desk.shutdown()).unwrap();
}

#[test]
fn two_buses_that_dial_each_other_have_one_link_and_nothing_comes_twice() {
    on_every_runtime(async || {
        for _ in 0..5 {
            let (market, desk) = (bus("market"), bus("desk"));
            let listeners = [&market, &desk].map(|bus| bus.bind_tcp("127.0.0.1:0").unwrap());
            let [of_market, of_desk] = listeners.map(|listener| LinkAddress::tcp(listener.address()));
            dial_each_other(market, desk, of_market, of_desk).await;

            let (market, desk, paths) = (bus("market"), bus("desk"), [socket(), socket()]);
            market.bind_unix(&paths[0]).unwrap();
            desk.bind_unix(&paths[1]).unwrap();
            let [of_market, of_desk] = paths.each_ref().map(|path| LinkAddress::unix(&**path));
            dial_each_other(market, desk, of_market, of_desk).await;

            let (market, desk, paths) = (bus("market"), bus("desk"), [socket(), socket()]);
            market.bind_shm(&paths[0]).unwrap();
            desk.bind_shm(&paths[1]).unwrap();
            let [of_market, of_desk] = paths.each_ref().map(|path| LinkAddress::shm(&**path));
            dial_each_other(market, desk, of_market, of_desk).await;
        }
    });
}
