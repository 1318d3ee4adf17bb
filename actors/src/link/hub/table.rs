//! The links of one bus by the names of their peers, its tasks and sockets, and connections that are greeted.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;

use super::lock;
use crate::LinkState;
use crate::link::endpoint::ListeningSocket;
use crate::link::peer::Peer;
use crate::rt::AbortHandle;

/// How many connections of strangers are greeted at the same time. Another one takes the place of the oldest
/// of them.
const HANDSHAKES_MAX: usize = 64;

#[derive(Default)]
pub(super) struct LinkTable {
    pub(super) links: BTreeMap<Arc<str>, LinkEntry>,
    /// Listeners, dialers, and the keeper of what is wanted.
    pub(super) tasks: Vec<AbortHandle>,
    /// Sockets that are listened at.
    pub(super) listening: Vec<Arc<ListeningSocket>>,
}

pub(super) struct LinkEntry {
    pub(super) peer: Arc<Peer>,
    /// `None`: it is about to begin.
    pub(super) task: Option<AbortHandle>,
}

impl LinkEntry {
    pub(super) fn abort(&self) {
        self.task.iter().for_each(AbortHandle::abort);
    }
}

/// Connections that are being greeted.
pub(in crate::link) struct Handshakes {
    pub(super) runtime: Handle,
    pub(super) running: Mutex<VecDeque<AbortHandle>>,
}

impl Handshakes {
    /// Greets one more, in place of the oldest one if there are many.
    pub(in crate::link) fn spawn(&self, greeting: impl Future<Output = ()> + Send + 'static) {
        // First: a runtime that has ended drops it here.
        let greeting = self.runtime.spawn(greeting).abort_handle();
        let mut running = lock(&self.running);
        running.retain(|task| !task.is_finished());
        if running.len() >= HANDSHAKES_MAX
            && let Some(oldest) = running.pop_front()
        {
            oldest.abort();
        }
        running.push_back(greeting);
    }

    pub(super) fn end(&self) {
        lock(&self.running).drain(..).for_each(|task| task.abort());
    }
}

impl LinkTable {
    /// Forgets a peer that has never had a connection, or else one that is gone and for which nothing waits,
    /// if there is one.
    pub(super) fn make_room(&mut self) -> bool {
        let stranger = |entry: &&LinkEntry| !entry.peer.was_attached();
        let gone = |entry: &&LinkEntry| {
            let stats = entry.peer.stats();
            stats.state == LinkState::Gone && stats.waiting + stats.held == 0
        };
        let links = || self.links.values();
        let Some(entry) = links().find(stranger).or_else(|| links().find(gone)) else { return false };
        let name = entry.peer.name();
        self.forget(&name);
        true
    }

    /// Forgets tools that have gone: each time one looks in, it has another name.
    pub(super) fn forget_tools(&mut self) {
        let past = self.links.values().filter(|entry| entry.peer.is_past()).map(|entry| entry.peer.name());
        past.collect::<Vec<_>>().iter().for_each(|name| self.forget(name));
    }

    pub(super) fn forget(&mut self, name: &str) {
        if let Some(entry) = self.links.remove(name) {
            entry.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use crate::link::hub::Hub;
    use crate::{LinkOptions, MessageBus};

    #[test]
    fn a_runtime_that_ends_while_a_peer_is_greeted_drops_its_link_and_nobody_hangs() {
        let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let (ended, (done, is_done)) = (runtime().unwrap(), mpsc::channel());
        let bus = ended.block_on(async { MessageBus::builder().node("tool/desk").build() });
        let hub = ended.block_on(async { Hub::of(&bus) }).unwrap();
        drop(ended);
        std::thread::spawn(move || {
            let other = runtime().unwrap();
            let _entered = other.enter();
            let peer = hub.peer("market", &LinkOptions::default().into());
            done.send(peer.is_ok_and(|peer| peer.is_closed())).unwrap();
        });
        // A hang is the failure.
        assert_eq!(is_done.recv_timeout(Duration::from_secs(60)), Ok(true));
    }
}
