//! What the links of one bus have in common.

mod paths;
mod table;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Poll;
use std::time::Duration;

use mycelium_mailbox::caught;
use mycelium_mailbox::wire::Offer;
use mycelium_remote::link::{Hello, Reason, Reject, TOOL_PREFIX};
use tokio::runtime::Handle;
use tokio::sync::Notify;

use self::paths::{AskedFor, Exposures};
use self::table::{Handshakes, LinkEntry, LinkTable};
use super::driver::{Driver, DriverTask};
use super::endpoint::{ListeningSocket, Reached, SocketDial, keep_dialing, listen};
use super::greet::LINGER;
use super::interest::{Interest, channels};
use super::lookup::HostLookup;
use super::peer::Peer;
use super::secret::Secret;
use super::sockets::{OpenSocket, check_dial, check_runtime};
use super::{Dialer, LinkAddress, LinkError, LinkListener, LinkOptions, TARGET};
use crate::error::KILL_GRACE;
use crate::live::{Bridge, BusCore, Topics, within_grace};
use crate::rt::{self, AbortHandle, Instant};
use crate::{ActorId, LinkLoss, LinkStats, MessageBus, SHUTDOWN_DEADLINE, SpawnError};

/// How many links a bus has at most. Beyond that, one whose peer is [gone](crate::LinkState::Gone) makes room
/// for another, or a peer is refused (links).
pub const LINKS_MAX: usize = 1_024;

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
    /// Peers are asked for no messages of topics, and what comes all the same waits.
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
    /// Which bus each service is on, and which one does what another would do elsewhere.
    homes: Arc<BTreeMap<Arc<str>, Arc<str>>>,
    /// Those of the topology, if there is one.
    services: Arc<BTreeSet<Arc<str>>>,
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
    /// How often somebody has, and how often somebody had when it was looked at last.
    changes: AtomicU64,
    looked_at: AtomicU64,
    looking: Mutex<()>,
    pub(super) handshakes: Handshakes,
    /// Actors of this bus that peers may write to, by their names.
    exposed: Mutex<Exposures>,
    /// Actors of other buses that somebody here has asked for, by their nodes and names. This lock is taken
    /// before that of `table`, and before that of `exposed`.
    mailboxes: Mutex<BTreeMap<Arc<str>, AskedFor>>,
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
        let name = core.node_names.own.clone().ok_or(LinkError::NoName)?;
        let known = core.wire.table().known().iter().filter(|known| known.enabled().is_ok());
        let offers: Box<[_]> = known.map(|known| (known.kind.type_id, known.offer)).collect();
        // A tool may want nothing but to know that somebody is there.
        if offers.is_empty() && !name.starts_with(TOOL_PREFIX) {
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
                homes: Arc::clone(&core.node_names.homes),
                services: Arc::clone(&core.node_names.services),
                offers,
                longest,
                secret: Secret::default(),
                base: Instant::now(),
                table: Mutex::default(),
                orders: Mutex::new(orders),
                version: AtomicU64::new(1),
                changed: Notify::new(),
                changes: AtomicU64::new(1),
                looked_at: AtomicU64::new(0),
                looking: Mutex::default(),
                handshakes,
                exposed: Mutex::default(),
                mailboxes: Mutex::default(),
            })
        });
        if made {
            let weak = Arc::downgrade(&hub);
            core.topics.note_changes(Arc::new(move || {
                weak.upgrade().into_iter().for_each(|hub| hub.note_change());
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
        options.security.check(address, &self.name)?;
        let entered = rt::enter(&self.runtime);
        check_runtime()?;
        let (listening, address) = OpenSocket::bind(address, &options)?;
        drop(entered);
        let listening = Arc::new(ListeningSocket::new(listening));
        let (listens, at) = (Arc::clone(&listening), Arc::clone(&address));
        let task = self.spawn(listen(Arc::clone(self), listens, at, Arc::new(options)));
        let mut table = lock(&self.table);
        table.listening.retain(|listening| !listening.is_closed());
        table.listening.push(Arc::clone(&listening));
        drop(table);
        if self.orders().1.phase > Phase::Open {
            listening.close();
        }
        Ok(LinkListener::new(address, listening, task))
    }

    pub(super) fn dial(
        self: &Arc<Self>,
        address: LinkAddress,
        options: LinkOptions,
    ) -> Result<Dialer, LinkError> {
        check(&options)?;
        check_dial(&address, options.may_leave())?;
        options.security.check(&address, &self.name)?;
        let entered = rt::enter(&self.runtime);
        check_runtime()?;
        drop(entered);
        let seen = Arc::new(Reached::default());
        let options = Arc::new(options);
        let way = SocketDial {
            address: address.clone(),
            options: Arc::clone(&options),
            lookup: HostLookup::default(),
        };
        let dialing = keep_dialing(Arc::clone(self), address.clone(), options, Arc::clone(&seen), way);
        Ok(Dialer::new(address, self.spawn(dialing), seen))
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) -> AbortHandle {
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
        // A connection that was accepted spins as its endpoint says, which did not know the name.
        let spins = |options: &LinkOptions| !options.spin.is_zero();
        let of_endpoint = spins(options);
        let mut options = LinkOptions::of(options, name);
        let of_tool;
        if peer.is_tool() {
            table.forget_tools();
            of_tool = Arc::new(options.of_tool());
            options = &of_tool;
        }
        let driver = Driver::new(Arc::clone(self), Arc::clone(&core), Arc::clone(&peer), Arc::clone(options));
        let driver = DriverTask::new(driver);
        if of_endpoint || spins(options) {
            core.links.spinning.add(driver.spinning());
        }
        table.links.insert(peer.name(), LinkEntry { peer: Arc::clone(&peer), task: None });
        // A runtime that has ended drops the driver here, which looks at the table.
        drop(table);
        let task = self.runtime.spawn(driver).abort_handle();
        match lock(&self.table).links.get_mut(name).filter(|entry| Arc::ptr_eq(&entry.peer, &peer)) {
            Some(entry) => entry.task = Some(task),
            None => task.abort(),
        }
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

    pub(super) fn peers(&self) -> Vec<Arc<Peer>> {
        lock(&self.table).links.values().map(|entry| Arc::clone(&entry.peer)).collect()
    }

    pub(super) fn runtime(&self) -> &Handle {
        &self.runtime
    }

    /// How long an ask waits that does not say it.
    pub(super) fn ask_limit(&self) -> Option<Duration> {
        self.core.upgrade()?.lookout.ask_limit
    }

    /// Whether this is the link to its peer, or the last one was.
    pub(super) fn is_current(&self, peer: &Arc<Peer>) -> bool {
        let table = lock(&self.table);
        table.links.get(&peer.name()).is_none_or(|entry| Arc::ptr_eq(&entry.peer, peer))
    }

    /// Whether a message of this type may travel.
    pub(super) fn knows(&self, type_id: u16) -> bool {
        self.offers.binary_search_by_key(&type_id, |(type_id, _)| *type_id).is_ok()
    }

    /// Whether somebody has subscribed or left since this was looked at last.
    pub(super) fn is_behind(&self) -> bool {
        self.changes.load(Ordering::SeqCst) != self.looked_at.load(Ordering::SeqCst)
    }

    /// The same, or it was looked at since the orders had changed as often as this.
    pub(super) fn has_news(&self, seen: u64) -> bool {
        self.is_behind() || self.version() != seen
    }

    /// What this bus wants may have changed.
    fn note_change(&self) {
        self.changes.fetch_add(1, Ordering::SeqCst);
        self.changed.notify_one();
    }

    /// Looks what this bus wants now, if that may have changed.
    pub(super) fn look(&self) {
        let Some(core) = self.core.upgrade() else { return };
        // One after the other: an earlier look has no later word.
        let _one = lock(&self.looking);
        let changes = self.changes.load(Ordering::SeqCst);
        if self.is_behind() {
            self.look_at(&core.topics);
            self.looked_at.store(changes, Ordering::SeqCst);
        }
    }

    fn look_at(&self, topics: &Topics) {
        let wants = |type_id: u16| {
            let retains = topics.retains(type_id);
            // First: those who come when all have left are seen to be others, now or at the next look. A
            // topic that retains wants messages itself, and never leaves.
            let round = (!retains).then(|| topics.times_emptied(type_id));
            let receivers = topics.receivers(type_id, self.id.get());
            (retains || !receivers.is_empty()).then_some((type_id, round, receivers))
        };
        let mut wanted: Vec<_> = self.offers.iter().filter_map(|(type_id, _)| wants(*type_id)).collect();
        self.tie_exposed(&mut wanted, topics);
        let wanted = channels(&wanted);
        if *self.orders().1.wanted != wanted {
            self.order(|orders| orders.wanted = Arc::new(wanted));
        } else if !lock(&self.exposed).is_empty() {
            // One of those who are exposed may receive other topics than before.
            self.order(|_| ());
        }
    }
}

fn check(options: &LinkOptions) -> Result<(), LinkError> {
    if options.conflates() {
        return Err(LinkError::Conflates);
    }
    options.secured_peer().map_or(Ok(()), |peer| Err(LinkError::SecuredPeer { peer }))
}

/// Has peers know what is subscribed to here.
async fn keep_interest(hub: Arc<Hub>) {
    while hub.core.strong_count() > 0 {
        hub.look();
        hub.changed.notified().await;
    }
}

/// Whether the shutdown of this bus names it: what has come late is none that it had to handle.
fn is_named(loss: &LinkLoss) -> bool {
    let counts = loss.unacknowledged + loss.unpublished > 0;
    if !counts {
        caught(|| tracing::info!(target: TARGET, "{loss}"));
    }
    counts
}

impl Bridge for Hub {
    fn id(&self) -> ActorId {
        self.id
    }

    fn stats(&self) -> Vec<LinkStats> {
        let peers = self.peers();
        peers.iter().filter(|peer| peer.was_attached() && !peer.is_past()).map(|peer| peer.stats()).collect()
    }

    fn admit(&self, admit: bool) {
        self.order(|orders| orders.paused = !admit);
    }

    fn settle(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        Box::pin(async move {
            let peers = self.peers();
            let settled = |peer: &'_ Arc<Peer>| {
                let peer = Arc::clone(peer);
                Box::pin(async move { peer.settled().await })
            };
            // One that hangs keeps no other waiting.
            let mut all: Vec<_> = peers.iter().filter(|peer| !peer.is_tool()).map(settled).collect();
            std::future::poll_fn(|cx| {
                all.retain_mut(|settled| settled.as_mut().poll(cx).is_pending());
                if all.is_empty() { Poll::Ready(()) } else { Poll::Pending }
            })
            .await;
        })
    }

    fn close(&self) {
        self.order(|orders| orders.phase = orders.phase.max(Phase::Closing));
    }

    fn drain(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.order(|orders| orders.phase = orders.phase.max(Phase::Draining));
        Box::pin(async move {
            let (tools, peers): (Vec<_>, Vec<_>) = self.peers().into_iter().partition(|peer| peer.is_tool());
            for peer in peers {
                peer.ended().await;
            }
            // They get what there is, if they read.
            let told = async {
                for tool in tools {
                    tool.ended().await;
                }
            };
            rt::timeout(LINGER, told).await.ok();
        })
    }

    fn end(&self) -> Pin<Box<dyn Future<Output = Vec<LinkLoss>> + Send + '_>> {
        self.order(|orders| orders.phase = Phase::Ended);
        self.handshakes.end();
        let mut table = lock(&self.table);
        // Before anybody hears that this bus is down: their addresses are free by then.
        table.listening.drain(..).for_each(|listening| listening.close());
        std::mem::take(&mut table.tasks).iter().for_each(AbortHandle::abort);
        drop(table);
        Box::pin(async move {
            let peers = self.peers();
            // Each says what it leaves behind when it ends, which is at its next turn.
            let ended = async {
                for peer in &peers {
                    peer.ended().await;
                }
            };
            // Its task does no more than that: it takes long only on a machine that is held up.
            within_grace(KILL_GRACE, ended).await;
            lock(&self.table).links.values().for_each(LinkEntry::abort);
            let losses = peers.iter().filter_map(|peer| peer.loss());
            losses.filter(is_named).collect()
        })
    }

    fn abandon(&self) {
        let _drained = self.drain();
        let Some(last) = self.me.upgrade() else { return };
        self.runtime.spawn(async move {
            rt::timeout(SHUTDOWN_DEADLINE, last.drain()).await.ok();
            last.end().await;
        });
    }
}
