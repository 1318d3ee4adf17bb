//! What the links of one bus have in common.

use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use mycelium_mailbox::wire::Offer;
use mycelium_remote::link::{Hello, Reason, Reject};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::driver::Driver;
use super::endpoint::{Reached, keep_dialing, listen};
use super::interest::{Interest, channels};
use super::peer::Peer;
use super::secret::Secret;
use super::sockets::{OpenSocket, check_dial};
use super::{Dialer, LinkAddress, LinkError, LinkListener, LinkOptions};
use crate::live::{Bridge, BusCore};
use crate::rt::{self, AbortHandle, Instant};
use crate::{ActorId, LinkLoss, LinkState, LinkStats, MessageBus, SHUTDOWN_DEADLINE, SpawnError};

/// How many links a bus has at most. Beyond that, one whose peer is [gone](LinkState::Gone) makes room for
/// another, or a peer is refused (links).
pub const LINKS_MAX: usize = 1_024;

/// How many connections of strangers are greeted at the same time. Another one takes the place of the oldest
/// of them.
const HANDSHAKES_MAX: usize = 64;

/// How many peers that have never had a connection are remembered (links).
const STRANGERS_MAX: usize = 64;

/// How far the end of a bus has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Phase {
    Open,
    /// Messages of peers are not taken any more.
    Closing,
    /// Nobody publishes any more: each link ends when its peer has everything.
    Draining,
    Ended,
}

/// What the tasks of links look at when it has changed.
#[derive(Clone)]
pub(super) struct Orders {
    pub(super) phase: Phase,
    /// Messages of peers wait.
    pub(super) paused: bool,
    /// What is wanted from all peers.
    pub(super) wanted: Arc<Interest>,
}

pub(super) struct Hub {
    me: Weak<Self>,
    core: Weak<BusCore>,
    runtime: Handle,
    id: ActorId,
    name: Arc<str>,
    pub(super) offers: Box<[(u16, Offer<'static>)]>,
    longest: usize,
    pub(super) secret: Secret,
    base: Instant,
    table: Mutex<LinkTable>,
    orders: Mutex<Orders>,
    /// How often the orders have changed.
    version: AtomicU64,
    /// Somebody has subscribed or left.
    changed: Notify,
    pub(super) handshakes: Handshakes,
}

#[derive(Default)]
struct LinkTable {
    links: BTreeMap<Arc<str>, LinkEntry>,
    /// Listeners, dialers, and the keeper of what is wanted.
    tasks: Vec<AbortHandle>,
}

struct LinkEntry {
    peer: Arc<Peer>,
    task: AbortHandle,
}

/// Connections that are being greeted.
pub(super) struct Handshakes {
    runtime: Handle,
    running: Mutex<VecDeque<AbortHandle>>,
}

impl Handshakes {
    /// Greets one more, in place of the oldest one if there are many.
    pub(super) fn spawn(&self, greeting: impl Future<Output = ()> + Send + 'static) {
        let mut running = lock(&self.running);
        running.retain(|task| !task.is_finished());
        if running.len() >= HANDSHAKES_MAX
            && let Some(oldest) = running.pop_front()
        {
            oldest.abort();
        }
        running.push_back(self.runtime.spawn(greeting).abort_handle());
    }

    fn end(&self) {
        lock(&self.running).drain(..).for_each(|task| task.abort());
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Each change leaves what is inside whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Hub {
    /// That of this bus.
    pub(super) fn of(bus: &MessageBus) -> Result<Arc<Self>, LinkError> {
        let core = &bus.core;
        let runtime = core.runtime().map_err(|error| match error {
            SpawnError::Closed => LinkError::Closed,
            _ => LinkError::NoRuntime,
        })?;
        let name = core.node.clone().ok_or(LinkError::NoName)?;
        let known = core.wire.table().known().iter().filter(|known| known.enabled().is_ok());
        let offers: Box<[_]> = known.map(|known| (known.kind.type_id, known.offer)).collect();
        if offers.is_empty() {
            return Err(LinkError::NoContract);
        }
        let longest = core.wire.table().longest();
        let hello = Hello { name: &name, nonce: 1, value_len_max: 0, offers: &offers };
        hello.encode(&mut Vec::new()).map_err(LinkError::Hello)?;
        let mut made = false;
        let hub = core.links.get_or_init(|| {
            made = true;
            let handshakes = Handshakes { runtime: runtime.clone(), running: Mutex::default() };
            let orders =
                Orders { phase: Phase::Open, paused: core.topics.is_paused(), wanted: Arc::default() };
            Arc::new_cyclic(|me| Self {
                me: Weak::clone(me),
                core: Arc::downgrade(core),
                runtime,
                id: core.next_id(),
                name,
                offers,
                longest,
                secret: Secret::default(),
                base: Instant::now(),
                table: Mutex::default(),
                orders: Mutex::new(orders),
                version: AtomicU64::new(1),
                changed: Notify::new(),
                handshakes,
            })
        });
        if made {
            let weak = Arc::downgrade(&hub);
            core.topics.note_changes(Arc::new(move || {
                weak.upgrade().into_iter().for_each(|hub| hub.changed.notify_one());
            }));
            hub.spawn(keep_interest(Arc::clone(&hub)));
        }
        Ok(hub)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// The longest value that is read, in bytes.
    pub(super) fn longest(&self) -> usize {
        self.longest
    }

    /// The time as the machines of links have it, in nanoseconds.
    pub(super) fn now(&self) -> u64 {
        u64::try_from(self.base.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// The moment of such a time.
    pub(super) fn moment(&self, at: u64) -> Instant {
        crate::clock::later(self.base, std::time::Duration::from_nanos(at))
    }

    pub(super) fn bind(
        self: &Arc<Self>,
        address: &LinkAddress,
        options: LinkOptions,
    ) -> Result<LinkListener, LinkError> {
        check(&options)?;
        let entered = rt::enter(&self.runtime);
        let (listening, address) = OpenSocket::bind(address, options.plaintext)?;
        drop(entered);
        let task = self.spawn(listen(Arc::clone(self), listening, Arc::new(options)));
        Ok(LinkListener::new(address, task))
    }

    pub(super) fn dial(
        self: &Arc<Self>,
        address: LinkAddress,
        options: LinkOptions,
    ) -> Result<Dialer, LinkError> {
        check(&options)?;
        check_dial(&address, options.plaintext)?;
        let seen = Arc::new(Reached::default());
        let dialing = keep_dialing(Arc::clone(self), address.clone(), Arc::new(options), Arc::clone(&seen));
        Ok(Dialer::new(address, self.spawn(dialing), seen))
    }

    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
        let task = self.runtime.spawn(task).abort_handle();
        let mut table = lock(&self.table);
        table.tasks.retain(|task| !task.is_finished());
        table.tasks.push(task.clone());
        drop(table);
        if self.orders().1.phase > Phase::Open {
            task.abort();
        }
        task
    }

    /// The link to the bus of this name, made if there is none.
    pub(super) fn peer(
        self: &Arc<Self>,
        name: &str,
        options: &Arc<LinkOptions>,
    ) -> Result<Arc<Peer>, Reject> {
        let refused = |reason, text: &str| Err(Reject { reason, text: text.to_owned() });
        if name == &*self.name {
            return refused(
                Reason::OwnName,
                "this bus has the same name: give each bus a name of its own, with `builder().node(..)`",
            );
        }
        let phase = self.orders().1.phase;
        let Some(core) = self.core.upgrade().filter(|_| phase < Phase::Ended) else {
            return refused(Reason::Closing, "this bus shuts down");
        };
        let mut table = lock(&self.table);
        if let Some(entry) = table.links.get(name).filter(|entry| !entry.peer.is_closed()) {
            return Ok(Arc::clone(&entry.peer));
        }
        if phase > Phase::Open {
            return refused(Reason::Closing, "this bus shuts down");
        }
        if table.links.len() >= LINKS_MAX && !table.links.contains_key(name) && !table.make_room() {
            return refused(Reason::TooMany, "this bus has as many links as it takes");
        }
        let peer = Arc::new(Peer::new(name));
        let driver = Driver::new(Arc::clone(self), core, Arc::clone(&peer), Arc::clone(options));
        let task = self.runtime.spawn(driver).abort_handle();
        table.links.insert(peer.name(), LinkEntry { peer: Arc::clone(&peer), task });
        Ok(peer)
    }

    /// A handshake with this peer has failed. One that has never had a connection is forgotten if there are
    /// many of them; not at once, because the peer may have read that it was accepted.
    pub(super) fn release(&self, peer: &Arc<Peer>) {
        let mut table = lock(&self.table);
        let strangers = table.links.values().filter(|entry| !entry.peer.was_attached()).count();
        if strangers <= STRANGERS_MAX || peer.was_attached() {
            return;
        }
        let name = peer.name();
        if table.links.get(&name).is_some_and(|entry| Arc::ptr_eq(&entry.peer, peer)) {
            table.forget(&name);
        }
    }

    /// The orders, and how often they had changed.
    pub(super) fn orders(&self) -> (u64, Orders) {
        let orders = lock(&self.orders);
        (self.version(), orders.clone())
    }

    pub(super) fn version(&self) -> u64 {
        self.version.load(Ordering::SeqCst)
    }

    fn order(&self, change: impl FnOnce(&mut Orders)) {
        let mut orders = lock(&self.orders);
        change(&mut orders);
        self.version.fetch_add(1, Ordering::SeqCst);
        drop(orders);
        self.peers().iter().for_each(|peer| peer.bell.ring());
    }

    fn peers(&self) -> Vec<Arc<Peer>> {
        lock(&self.table).links.values().map(|entry| Arc::clone(&entry.peer)).collect()
    }

    /// Looks what this bus wants now.
    fn look(&self, core: &BusCore) {
        let topics = &core.topics;
        let wants = |type_id: u16| {
            let receivers = topics.receivers(type_id, self.id.get());
            (topics.retains(type_id) || !receivers.is_empty()).then_some((type_id, receivers))
        };
        let wanted =
            channels(&self.offers.iter().filter_map(|(type_id, _)| wants(*type_id)).collect::<Vec<_>>());
        if *self.orders().1.wanted != wanted {
            self.order(|orders| orders.wanted = Arc::new(wanted));
        }
    }
}

impl LinkTable {
    /// Forgets a peer that has never had a connection, or else one that is gone and for which nothing waits,
    /// if there is one.
    fn make_room(&mut self) -> bool {
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

    fn forget(&mut self, name: &str) {
        if let Some(entry) = self.links.remove(name) {
            entry.task.abort();
        }
    }
}

fn check(options: &LinkOptions) -> Result<(), LinkError> {
    if options.conflates() { Err(LinkError::Conflates) } else { Ok(()) }
}

/// Has peers know what is subscribed to here.
async fn keep_interest(hub: Arc<Hub>) {
    while let Some(core) = hub.core.upgrade() {
        hub.look(&core);
        drop(core);
        hub.changed.notified().await;
    }
}

impl Bridge for Hub {
    fn id(&self) -> ActorId {
        self.id
    }

    fn stats(&self) -> Vec<LinkStats> {
        let peers = self.peers();
        peers.iter().filter(|peer| peer.was_attached()).map(|peer| peer.stats()).collect()
    }

    fn admit(&self, admit: bool) {
        self.order(|orders| orders.paused = !admit);
    }

    fn close(&self) {
        self.order(|orders| orders.phase = orders.phase.max(Phase::Closing));
    }

    fn drain(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.order(|orders| orders.phase = orders.phase.max(Phase::Draining));
        Box::pin(async move {
            for peer in self.peers() {
                peer.ended().await;
            }
        })
    }

    fn end(&self) -> Vec<LinkLoss> {
        self.order(|orders| orders.phase = Phase::Ended);
        self.handshakes.end();
        let mut table = lock(&self.table);
        let tasks = std::mem::take(&mut table.tasks);
        tasks.iter().chain(table.links.values().map(|entry| &entry.task)).for_each(AbortHandle::abort);
        table.links.values().filter_map(|entry| entry.peer.loss()).collect()
    }

    fn abandon(&self) {
        let _drained = self.drain();
        let Some(last) = self.me.upgrade() else { return };
        self.runtime.spawn(async move {
            rt::timeout(SHUTDOWN_DEADLINE, last.drain()).await.ok();
            last.end();
        });
    }
}
