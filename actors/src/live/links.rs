//! What connects a bus to others: its links, of which it knows no more than that.

use std::any::Any;
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};

use super::spinning::SpinningLinks;
use crate::{ActorId, LinkLoss, LinkStats};

/// The links of a bus.
pub(crate) trait Bridge: Any + Send + Sync {
    /// Whose messages those are that come over links, and whose the queues from which others are sent.
    fn id(&self) -> ActorId;
    fn stats(&self) -> Vec<LinkStats>;
    /// Wants messages from peers, or none for now.
    fn admit(&self, admit: bool);
    /// Ready when all has come that peers had sent before they knew that none is wanted for now. One that
    /// hangs does not answer.
    fn settle(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
    /// Takes no messages from peers any more, and no new peers.
    fn close(&self);
    /// Sends what was published before, and ends each link whose peer has acknowledged it; ready when all
    /// have ended.
    fn drain(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>>;
    /// Ends those that are left: what their peers have not acknowledged. Ready after a moment.
    fn end(&self) -> Pin<Box<dyn Future<Output = Vec<LinkLoss>> + Send + '_>>;
    /// Drains, and has everything end within the deadline of a shutdown; waits for nobody.
    fn abandon(&self);
}

/// What buses are called.
#[derive(Clone, Default)]
pub(crate) struct NodeNames {
    /// This one, by its peers.
    pub(crate) own: Option<Arc<str>>,
    /// Names that stand for buses in paths of actors, such as those of services, each with the true one.
    pub(crate) homes: Arc<BTreeMap<Arc<str>, Arc<str>>>,
    /// Those of them that are services of a topology.
    pub(crate) services: Arc<BTreeSet<Arc<str>>>,
}

/// The place of a bus's links.
#[derive(Default)]
pub(crate) struct Links {
    bridge: OnceLock<Arc<dyn Bridge>>,
    /// Those at which receivers look.
    pub(crate) spinning: Arc<SpinningLinks>,
}

impl Links {
    /// Its links, if it has ever had any.
    pub(crate) fn get(&self) -> Option<&dyn Bridge> {
        self.bridge.get().map(|bridge| &**bridge)
    }

    /// Wants messages from peers, or none for now.
    pub(crate) fn admit(&self, admit: bool) {
        self.get().into_iter().for_each(|links| links.admit(admit));
    }

    /// Its links, of the one type that makes them.
    pub(crate) fn get_or_init<B: Bridge>(&self, make: impl FnOnce() -> Arc<B>) -> Arc<B> {
        let bridge = Arc::clone(self.bridge.get_or_init(|| make() as Arc<dyn Bridge>));
        let bridge: Arc<dyn Any + Send + Sync> = bridge;
        match bridge.downcast() {
            Ok(bridge) => bridge,
            Err(_) => unreachable!("there is one type of links"),
        }
    }
}
