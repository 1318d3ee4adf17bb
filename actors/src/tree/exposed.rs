//! Children that other buses find.

use std::sync::Arc;

use super::child::Child;
use super::launch::ActorLaunch;
use crate::{Actor, ActorRef, Exposed};

impl Child {
    /// An actor that linked buses find under its id, from its start on: [`MessageBus::expose`] for a child.
    /// `doors` says what it may be told and asked. With the id of a service of the topology, it is whom
    /// [`MessageBus::publisher_to`] means.
    ///
    /// Restarts need nothing: the reference outlives them, and a new actor of the same child takes the place
    /// of the former one. Where another actor that lives is exposed under the same name, or a message is in
    /// no contract of the bus, the child does not start. In an isolate, and on a bus without a name, nobody
    /// could find it, and it is a child as any other.
    ///
    /// ```
    /// # use mycelium::wire::{Layout, Messages, Visitor, Wire};
    /// use mycelium::tree::{Child, Restart};
    /// use mycelium::{BoxError, Exposed, MessageBus, Supervisor};
    /// # #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    /// # struct Order { lots: i64 }
    /// # impl mycelium::Message for Order {
    /// #     const NAME: &'static str = "Order";
    /// #     const TYPE_ID: u16 = 7;
    /// #     const TOPIC: &'static str = "orders";
    /// # }
    /// # impl Wire for Order {
    /// #     const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Order::ROOT_LEN, digest: 0 }];
    /// # }
    /// # struct CONTRACT;
    /// # impl Messages for CONTRACT {
    /// #     fn each<V: Visitor>(&self, visitor: &mut V) { visitor.typed::<Order>(); }
    /// # }
    ///
    /// struct Desk;
    /// #[mycelium::actor]
    /// impl Desk {
    ///     #[on(direct)]
    ///     fn order(&mut self, _order: &Order) {}
    /// }
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let desk = Child::exposed("desk", || Desk, |desk| Exposed::new().takes::<Order>(desk));
    /// let bus = MessageBus::builder().node("floor").contract(CONTRACT).build();
    /// let tree = Supervisor::builder("root").child(desk.restart(Restart::Permanent)).start(&bus).await?;
    /// // On a linked bus as well:
    /// bus.recipient::<Order>("floor/desk")?.tell(Order { lots: 3 }).await?;
    /// # tree.shutdown().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// [`MessageBus::expose`]: crate::MessageBus::expose
    /// [`MessageBus::publisher_to`]: crate::MessageBus::publisher_to
    pub fn exposed<A: Actor>(
        id: impl Into<Arc<str>>,
        make: impl Fn() -> A + Send + Sync + 'static,
        doors: impl Fn(&ActorRef<A>) -> Exposed + Send + Sync + 'static,
    ) -> Self {
        Self::launched(
            id,
            ActorLaunch::new(make).announced(Box::new(move |bus, tree, path, actor| {
                bus.expose_child(tree, path, doors(actor)).map_err(|error| error.to_string())
            })),
        )
    }
}
