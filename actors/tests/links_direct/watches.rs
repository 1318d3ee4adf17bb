//! Watches over links.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use mycelium::{
    Actor, BoxError, Context, Down, Exposed, Handler, LinkAddress, MessageBus, Recipient, StopReason,
};
use mycelium_random::Random;

use crate::common::{at_once, on_every_runtime};
use crate::kit::{Order, bus, link, linked, until};
use crate::paths::Desk;
use crate::proxy::{Faults, Proxy};

/// Watches somebody, and writes down why they have ended.
pub(crate) struct Watcher(Recipient<Order>, Reasons);

#[derive(Clone, Default)]
pub(crate) struct Reasons(Arc<Mutex<Vec<StopReason>>>, Arc<AtomicBool>);
impl Reasons {
    pub(crate) fn heard(&self) -> Vec<StopReason> {
        self.0.lock().unwrap().clone()
    }
    /// Whether the watch has begun: from then on it is of whoever is there now.
    pub(crate) fn has_begun(&self) -> bool {
        self.1.load(Ordering::SeqCst)
    }
}

impl Watcher {
    pub(crate) fn of(watched: &Recipient<Order>, on: &MessageBus) -> Reasons {
        let reasons = Reasons::default();
        on.spawn(Self(watched.clone(), reasons.clone())).unwrap();
        reasons
    }
}
impl Actor for Watcher {
    type Error = BoxError;
    async fn started(&mut self, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        ctx.watch(&self.0);
        self.1.1.store(true, Ordering::SeqCst);
        Ok(())
    }
}
impl Handler<Down> for Watcher {
    async fn handle(&mut self, down: &Down, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.1.0.lock().unwrap().push(down.reason.clone());
        Ok(())
    }
}

#[test]
fn a_watch_ends_when_another_process_takes_the_place_of_the_watched_one() {
    on_every_runtime(async || {
        let market = bus("market");
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        let proxy = Proxy::new(&listener.address(), Random::new(1), Faults::default()).await;
        let first = bus("desk");
        let dialer = first.connect(LinkAddress::tcp(proxy.address.to_string())).unwrap();
        dialer.linked().await;
        Desk::default().on(&first, "desk");
        until(|| !market.stats().links.is_empty()).await;
        let orders = market.recipient::<Order>("desk/desk").unwrap();
        orders.tell(Order { n: 1 }).await.unwrap();
        let watcher = Watcher::of(&orders, &market);
        let mut ending = Box::pin(orders.ended());
        assert!(at_once(&mut ending).is_none());
        until(|| watcher.has_begun()).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(watcher.heard().is_empty() && at_once(&mut ending).is_none());

        // As if it was killed: nothing is said, and the link is held for it.
        dialer.close();
        proxy.cut();
        let second = bus("desk");
        let heard = Desk::default();
        heard.on(&second, "desk");
        second.connect(LinkAddress::tcp(listener.address())).unwrap().linked().await;
        assert_eq!(ending.await, StopReason::NoConnection);
        until(|| !watcher.heard().is_empty()).await;
        assert_eq!(watcher.heard(), [StopReason::NoConnection]);
        assert_eq!(link(&market, "desk").peer_restarts, 1);

        // The same reference reaches the next one, and a new watch is of that one.
        orders.tell(Order { n: 2 }).await.unwrap();
        until(|| *heard.0.lock().unwrap() == [2]).await;
        let again = Watcher::of(&orders, &market);
        until(|| again.has_begun()).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(again.heard().is_empty() && watcher.heard().len() == 1);
        second.shutdown().await.unwrap();
        until(|| again.heard().len() == 1).await;
    });
}

/// Neither is on its way: a node says who is there, and nothing of those who were.
#[test]
fn a_peer_does_not_say_how_its_actor_has_ended() {
    on_every_runtime(async || {
        let (market, desk) = linked().await;
        let risk = desk.spawn(Desk::default()).unwrap();
        desk.expose("risk", Exposed::new().takes::<Order>(risk.clone())).unwrap();
        let [far, near] = [&market, &desk].map(|bus| bus.recipient::<Order>("desk/risk").unwrap());
        far.tell(Order { n: 1 }).await.unwrap();
        let (there, here) = (Watcher::of(&far, &market), Watcher::of(&near, &desk));
        // Whoever watches it when it has gone hears that nobody is there.
        until(|| there.has_begun() && here.has_begun()).await;
        risk.stop();
        until(|| !there.heard().is_empty() && !here.heard().is_empty()).await;
        assert_eq!(here.heard(), [StopReason::Normal]);
        let nobody = StopReason::Failed("nobody is exposed under this name there".into());
        assert_eq!(there.heard(), [nobody]);
        market.shutdown().await.unwrap();
        desk.shutdown().await.unwrap();
    });
}
