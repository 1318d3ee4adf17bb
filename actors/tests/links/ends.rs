//! Buses that end in order while others send to them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mycelium::tree::{AutoShutdown, Builder, Child, EXIT_UNDRAINED, Restart};
use mycelium::{
    Actor, BoxError, Context, Handler, LinkAddress, LinkState, MessageBus, RunEnd, Subscriptions, Supervisor,
};
use mycelium_random::Random;
use tokio::task::JoinHandle;

use crate::common::on_every_runtime;
use crate::kit::{Tick, bus, link, linked, until, until_wanted};
use crate::proxy::{Faults, Proxy};

/// How often a bus ends in the middle of a flood.
const ENDS: u64 = 20;
/// The watchdog of the test is shorter.
const LIMIT: Duration = Duration::from_secs(3_600);

/// Counts ticks, and stops after so many.
struct Limited(u64, Arc<AtomicU64>);
impl Actor for Limited {
    type Error = BoxError;

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        topics.on::<Tick>();
    }
}
impl Handler<Tick> for Limited {
    async fn handle(&mut self, _: &Tick, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        if self.1.fetch_add(1, Ordering::SeqCst) == self.0 {
            ctx.stop();
        }
        Ok(())
    }
}

/// A tree that ends by itself after so many ticks.
fn limited(ticks: u64, heard: &Arc<AtomicU64>) -> Builder {
    let heard = Arc::clone(heard);
    let child = Child::actor("limited", move || Limited(ticks, Arc::clone(&heard)));
    let root = Supervisor::builder("root").auto_shutdown(AutoShutdown::AllSignificant);
    root.child(child.restart(Restart::Transient).significant(true))
}

/// Publishes until its bus has ended.
fn flood(bus: &MessageBus) -> JoinHandle<()> {
    let ticks = bus.publisher::<Tick>().unwrap();
    tokio::spawn(async move {
        for n in 0.. {
            if ticks.publish(Tick { n }).await.is_err() {
                break;
            }
            tokio::task::yield_now().await;
        }
    })
}

/// The market has nothing that nobody has acknowledged, and ends in order.
async fn ends_in_order(market: MessageBus, flood: JoinHandle<()>, end: u64) {
    let stats = link(&market, "desk");
    market.shutdown_within(LIMIT).await.unwrap_or_else(|error| panic!("end {end}: {error}; {stats}"));
    let stats = link(&market, "desk");
    assert_eq!((stats.sent, stats.lost, stats.waiting), (stats.acknowledged, 0, 0), "end {end}: {stats}");
    flood.await.unwrap();
}

#[test]
fn a_program_that_ends_by_itself_names_what_its_peers_have_not_acknowledged() {
    on_every_runtime(async || {
        let (market, desk) = (bus("market"), bus("desk"));
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        let proxy = Proxy::new(&listener.address(), Random::new(1), Faults::default()).await;
        let ticks = market.subscriber::<Tick>().unwrap();
        desk.connect(LinkAddress::tcp(proxy.address.to_string())).unwrap();
        until_wanted(&desk, "market", &["Tick"]).await;
        proxy.cut();
        drop(proxy);
        until(|| link(&desk, "market").state != LinkState::Linked).await;
        let publisher = desk.publisher::<Tick>().unwrap();
        for n in 0..3 {
            publisher.publish(Tick { n }).await.unwrap();
        }
        let job = Child::future("job", || async { Ok(()) }).restart(Restart::Transient).significant(true);
        let root = Supervisor::builder("root").auto_shutdown(AutoShutdown::AllSignificant).child(job);
        let end = root.run_until_signal(&desk, LIMIT).await.unwrap();
        let RunEnd::Unfinished(error) = &end else { panic!("{end}") };
        let links: Vec<_> = error.links.iter().map(|of| (&*of.peer, of.unacknowledged)).collect();
        assert_eq!((end.code(), links), (EXIT_UNDRAINED, vec![("market", 3)]), "{end}");
        market.shutdown_within(LIMIT).await.unwrap();
        drop(ticks);
    });
}

#[test]
fn what_is_on_its_way_to_a_bus_that_drains_is_acknowledged_and_its_sender_ends_in_order() {
    on_every_runtime(async || {
        for end in 0..ENDS {
            let ((market, desk), heard) = (linked().await, Arc::default());
            let tree = limited(u64::MAX, &heard).start(&desk).await.unwrap();
            until_wanted(&market, "desk", &["Tick"]).await;
            let flood = flood(&market);
            until(|| heard.load(Ordering::SeqCst) > 100 * end).await;
            tree.drain(LIMIT).await.unwrap();
            desk.shutdown_within(LIMIT).await.unwrap();
            ends_in_order(market, flood, end).await;
        }
    });
}

#[test]
fn what_is_on_its_way_to_a_program_that_ends_by_itself_is_acknowledged() {
    on_every_runtime(async || {
        for end in 0..ENDS {
            let ((market, desk), heard) = (linked().await, Arc::default());
            let running = {
                let (desk, tree) = (desk.clone(), limited(100 * end, &heard));
                tokio::spawn(async move { tree.run_until_signal(&desk, LIMIT).await })
            };
            until_wanted(&market, "desk", &["Tick"]).await;
            let flood = flood(&market);
            assert_eq!(running.await.unwrap().unwrap(), RunEnd::Finished);
            ends_in_order(market, flood, end).await;
        }
    });
}
