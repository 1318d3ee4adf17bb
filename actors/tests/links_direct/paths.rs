//! Actors by their paths: the same in every mode of a topology, and on one bus.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use mycelium::wire::{Layout, Messages, Visitor, Wire};
use mycelium::{
    Actor, AskError, BoxError, Context, Exposed, Handler, LinkAddress, Message, MessageBus, Query,
    RemoteError, Responder, StopReason, TellError,
};

use crate::common::{at_once, on_every_runtime};
use crate::kit::{Contract, Fill, Order, bus, find, link, until, until_wanted};
use crate::watches::{Reasons, Watcher};

impl Query for Fill {
    type Reply = Order;
}

/// Answers a fill with an order of twice its number, and writes down orders.
#[derive(Clone, Default)]
pub(crate) struct Desk(pub(crate) Arc<Mutex<Vec<u64>>>);
impl Actor for Desk {
    type Error = BoxError;
}
impl Handler<Order> for Desk {
    async fn handle(&mut self, order: &Order, _: &mut Context<Self>) -> Result<(), BoxError> {
        self.0.lock().unwrap().push(order.n);
        Ok(())
    }
}
impl Responder<Fill> for Desk {
    type Reply = Order;
    async fn answer(&mut self, fill: &Fill, _: &mut Context<Self>) -> Order {
        Order { n: 2 * fill.n }
    }
}
impl Desk {
    pub(crate) fn on(&self, bus: &MessageBus, name: &str) -> mycelium::ActorRef<Self> {
        let desk = bus.spawn(self.clone()).unwrap();
        let exposed = Exposed::new().takes::<Order>(desk.clone()).answers::<Fill>(desk.clone());
        bus.expose(name, exposed).unwrap();
        desk
    }
}

#[test]
fn an_actor_of_the_same_bus_is_watched_by_its_path() {
    on_every_runtime(async || {
        let market = bus("market");
        let orders = market.recipient::<Order>("market/desk").unwrap();
        assert!(!orders.is_alive());
        let nobody = |reason: &StopReason| reason.to_string().contains("nobody is exposed under this name");
        assert!(nobody(&orders.ended().await));
        let early = Watcher::of(&orders, &market);
        until(|| !early.heard().is_empty()).await;
        assert!(nobody(&early.heard()[0]), "{:?}", early.heard());

        let first = Desk::default().on(&market, "desk");
        assert!(orders.is_alive());
        // One that is made later knows as much.
        let again = market.recipient::<Order>("market/desk").unwrap();
        let watchers = [Watcher::of(&orders, &market), Watcher::of(&again, &market)];
        let mut ending = Box::pin(orders.ended());
        assert!(at_once(&mut ending).is_none());
        // Whoever watches it when it has gone hears that nobody is there.
        until(|| watchers.iter().all(Reasons::has_begun)).await;
        orders.tell(Order { n: 1 }).await.unwrap();
        first.kill();
        assert_eq!(ending.await, StopReason::Killed);
        for watcher in &watchers {
            until(|| !watcher.heard().is_empty()).await;
            assert_eq!(watcher.heard(), [StopReason::Killed]);
        }
        assert!(!orders.is_alive());
        // The next one is reached by the same reference.
        let second = Desk::default();
        second.on(&market, "desk");
        orders.tell(Order { n: 2 }).await.unwrap();
        until(|| *second.0.lock().unwrap() == [2]).await;
        assert!(orders.is_alive());
    });
}

/// A topology of two nodes, removed at the end.
pub(crate) struct TopologyFile(PathBuf);
impl TopologyFile {
    pub(crate) fn new(mode: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let directory = std::env::temp_dir().join(format!("mycelium-p-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&directory).unwrap();
        let text = format!(
            "socket_dir = \"run\"\n[deployment]\nmode = \"{mode}\"\n[[nodes]]\nname = \"risk-node\"\nservices = [\"risk\"]\n\
             [[nodes]]\nname = \"desk-node\"\nservices = [\"desk\"]\n"
        );
        std::fs::write(directory.join("topology.toml"), text).unwrap();
        Self(directory)
    }
    pub(crate) fn path(&self) -> PathBuf {
        self.0.join("topology.toml")
    }
    fn bus(&self, name: &str) -> MessageBus {
        MessageBus::from_topology(self.path(), name, Contract).unwrap()
    }
}
impl Drop for TopologyFile {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// What a program does that knows nothing of the mode.
async fn program(risk: &MessageBus, desk: &MessageBus) {
    let limits = Desk::default();
    let limits_ref = limits.on(risk, "limits");
    // By its node and by its service, from another node and from its own.
    for (at, path) in
        [(desk, "risk-node/limits"), (desk, "risk/limits"), (risk, "risk-node/limits"), (risk, "risk/limits")]
    {
        let orders = at.recipient::<Order>(path).unwrap();
        let fills = at.reply_recipient::<Fill>(path).unwrap();
        let mut told = orders.tell(Order { n: 1 }).await;
        // Until the two are linked.
        while let Err(TellError::Remote(order, _, RemoteError::NotLinked | RemoteError::NoActor)) = told {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            told = orders.tell(order).await;
        }
        told.unwrap();
        assert_eq!(fills.ask(Fill { n: 4 }).await, Ok(Order { n: 8 }), "{path}");
        assert!(orders.is_alive());
    }
    let orders = desk.recipient::<Order>("risk/limits").unwrap();
    let watcher = Watcher::of(&orders, desk);
    limits_ref.kill();
    until(|| watcher.heard().len() == 1).await;
    let fills = desk.reply_recipient::<Fill>("risk/limits").unwrap();
    let gone = fills.ask(Fill { n: 1 }).await.unwrap_err();
    assert!(matches!(gone, AskError::Remote(_, RemoteError::NoActor)));
    assert_eq!(limits.0.lock().unwrap().len(), 4);
}

#[test]
fn a_program_reaches_actors_by_node_and_by_service_in_every_mode() {
    on_every_runtime(async || {
        let file = TopologyFile::new("monolith");
        let one = file.bus("risk");
        program(&one, &one).await;
        for mode in ["bundled", "distributed"] {
            let file = TopologyFile::new(mode);
            let (risk, desk) = (file.bus("risk"), file.bus("desk"));
            program(&risk, &desk).await;
            desk.shutdown().await.unwrap();
            risk.shutdown().await.unwrap();
        }
    });
}

/// The order of another contract.
#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct OtherOrder {
    n: u32,
}
impl Message for OtherOrder {
    const NAME: &'static str = "Order";
    const TYPE_ID: u16 = 11;
    const TOPIC: &'static str = "orders";
}
impl Wire for OtherOrder {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 1_000 }];
}
struct OtherContract;
impl Messages for OtherContract {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        visitor.typed::<OtherOrder>();
        visitor.typed::<Fill>();
    }
}

struct Takes;
impl Actor for Takes {
    type Error = BoxError;
}
impl Handler<OtherOrder> for Takes {
    async fn handle(&mut self, _: &OtherOrder, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}
impl Handler<Fill> for Takes {
    async fn handle(&mut self, _: &Fill, _: &mut Context<Self>) -> Result<(), BoxError> {
        Ok(())
    }
}

#[test]
fn a_message_that_is_disabled_on_a_link_is_refused_to_whoever_tells_it() {
    on_every_runtime(async || {
        let market = bus("market");
        let desk = MessageBus::builder().node("desk").contract(OtherContract).build();
        let listener = market.bind_tcp("127.0.0.1:0").unwrap();
        desk.connect(LinkAddress::tcp(listener.address())).unwrap().linked().await;
        let takes = desk.spawn(Takes).unwrap();
        desk.expose("desk", Exposed::new().takes::<OtherOrder>(takes.clone()).takes::<Fill>(takes)).unwrap();
        let fills = market.recipient::<Fill>("desk/desk").unwrap();
        until(|| find(&market, "desk").is_some() && fills.is_alive()).await;
        fills.tell(Fill { n: 1 }).await.unwrap();
        let orders = market.recipient::<Order>("desk/desk").unwrap();
        let refused = orders.tell(Order { n: 1 }).await.unwrap_err();
        assert!(matches!(refused, TellError::Remote(Order { n: 1 }, _, RemoteError::NotTaken)), "{refused}");
        until(|| link(&market, "desk").acknowledged == 1).await;
        assert_eq!((link(&market, "desk").sent, link(&market, "desk").unsent), (1, 0));
    });
}

#[test]
fn paths_that_are_made_while_others_change_are_told_and_asked() {
    on_every_runtime(async || {
        let (market, desk) = crate::kit::linked().await;
        let heard = Desk::default();
        let actor = heard.on(&desk, "desk");
        let _ticks = desk.subscriber::<crate::kit::Tick>().unwrap();
        until_wanted(&market, "desk", &["Tick"]).await;
        // Each change has the task of the link look at all there is.
        let changes = tokio::spawn({
            let market = market.clone();
            async move {
                for _ in 0.. {
                    drop(market.subscriber::<Fill>());
                    tokio::task::yield_now().await;
                }
            }
        });
        const NAMES: usize = 300;
        for n in 0..NAMES {
            let name = format!("desk-{n}");
            let exposed = Exposed::new().takes::<Order>(actor.clone());
            desk.expose(&name, exposed).unwrap();
            let orders = market.recipient::<Order>(&format!("desk/{name}")).unwrap();
            orders.tell(Order { n: n as u64 }).await.unwrap();
        }
        changes.abort();
        until(|| heard.0.lock().unwrap().len() == NAMES).await;
    });
}
