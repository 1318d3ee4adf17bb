//! Nodes, the faults between them, and the promises that hold whatever those are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mycelium_random::Random;

use super::net::{Damage, Net};
use super::node::{Listeners, PeerOutbox, Process, WorldRoom};
use crate::link::LinkOptions;
use crate::rt::{self, Instant};
use crate::{LinkState, LinkStats, Subscription};

/// Longer than a world lasts.
const FOR_EVER: Duration = Duration::from_secs(1_000_000);
/// How long a healed world may take to come to rest, in virtual time.
const REST_MAX: Duration = Duration::from_secs(300);
/// Longer than a peer may be silent, and than one that was slow may be until it is linked again.
const SILENCE: Duration = Duration::from_secs(15);
const LONG_SILENCE: Duration = Duration::from_secs(300);
/// How long a node that is slow takes for the next thing at most, and for how long it is waited for
/// (milliseconds; time).
const PACE_MAX_MS: u64 = 12_000;
const PATIENCE: Duration = Duration::from_secs(600);
/// How long a message takes at most, where nothing is in its way and everybody is awake: it may wait for an
/// acknowledgement or for credit, and for no heartbeat.
const AWAKE: Duration = Duration::from_millis(50);
/// How long a world is looked at while nothing happens in it, and how often a link may move something for
/// each second of it: a heartbeat of either side, written and read, in pieces.
const IDLE: Duration = Duration::from_secs(20);
const IDLE_MOVES: u64 = 10;

/// What may go wrong in a world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WorldKind {
    /// Connections alone.
    Connections,
    /// Some nodes are so slow that all that is done with them takes seconds.
    Paces,
    /// Nodes take in nothing from outside for a while.
    Pauses,
    /// Peers are away for so long that they are given up.
    Absences,
    /// Processes are killed, and others take their place.
    Deaths,
}

/// What has happened in worlds, so that a test can say that all of it was tried.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct WorldTally {
    pub(super) heard: u64,
    pub(super) connections: u64,
    pub(super) cuts: u64,
    pub(super) resent: u64,
    pub(super) dropped: u64,
    pub(super) answered: u64,
    pub(super) failed: u64,
    pub(super) deaths: u64,
    pub(super) lost: u64,
    pub(super) unsent: u64,
    /// What was sent to nodes that have not heard it.
    pub(super) missed: u64,
    pub(super) glimpsed: u64,
    pub(super) outdated: u64,
    pub(super) pauses: u64,
    /// What was heard, by whom, in which order.
    pub(super) trace: u64,
}

impl WorldTally {
    pub(super) fn add(&mut self, other: &Self) {
        self.heard += other.heard;
        self.connections += other.connections;
        self.cuts += other.cuts;
        self.resent += other.resent;
        self.dropped += other.dropped;
        self.answered += other.answered;
        self.failed += other.failed;
        self.deaths += other.deaths;
        self.lost += other.lost;
        self.unsent += other.unsent;
        self.missed += other.missed;
        self.glimpsed += other.glimpsed;
        self.outdated += other.outdated;
        self.pauses += other.pauses;
        self.trace = self.trace.rotate_left(5) ^ other.trace;
    }
}

/// What a dead process leaves to be looked at: what it has heard, what it has sent, and how much had come to
/// it that it had not handled, at most.
struct Grave {
    id: u64,
    node: usize,
    heard: BTreeMap<u64, Vec<u64>>,
    owed: BTreeMap<usize, Vec<u64>>,
    unhandled: u64,
}

pub(super) struct World {
    kind: WorldKind,
    random: Random,
    net: Arc<Net>,
    listeners: Listeners,
    room: WorldRoom,
    nodes: Vec<Process>,
    dials: Vec<Vec<usize>>,
    graves: Vec<Grave>,
    /// The last glimpse that each process has published.
    glimpses: BTreeMap<u64, u64>,
    next_id: u64,
    tally: WorldTally,
}

impl WorldKind {
    /// Whether peers may miss something of others that live.
    fn has_gaps(self) -> bool {
        matches!(self, Self::Absences | Self::Pauses)
    }
}

fn room(kind: WorldKind, random: &mut Random) -> WorldRoom {
    let credit = random.pick(&[1, 4, 32, 1_024]);
    let hold = match kind {
        WorldKind::Absences => Duration::from_millis(random.pick(&[0, 50, 500, 4_000])),
        WorldKind::Paces => PATIENCE,
        _ => FOR_EVER,
    };
    let lossy = random.chance(50);
    let capacity = random.pick(&[1, 3, 16]);
    let texts = if lossy { Subscription::drop_oldest() } else { Subscription::drop_newest() };
    let subscriber =
        if random.chance(50) { Subscription::drop_oldest() } else { Subscription::drop_newest() };
    let options = LinkOptions::default()
        .hold(hold)
        .credit(credit)
        .window(random.pick(&[200, 4_096, 1 << 20]))
        .held_bytes(random.pick(&[64, 4_096, 64 << 20]))
        .topic("texts", texts.capacity(capacity));
    WorldRoom {
        topic: random.pick(&[4, 64, 1_024]),
        gate: random.pick(&[1, 4, 64]),
        inbox: random.pick(&[1, 4, 64]),
        subscriber: subscriber.capacity(random.pick(&[1, 4, 64])),
        options,
    }
}

impl World {
    pub(super) fn new(seed: u64, kind: WorldKind) -> Self {
        let mut random = Random::new(seed);
        let nodes = 3 + random.index(4);
        let room = room(kind, &mut random);
        let net = Net::new(Random::new(random.next_u64()), Damage { bits: random.chance(30) });
        let mut dials = vec![Vec::new(); nodes];
        for one in 0..nodes {
            for other in one + 1..nodes {
                let (dialer, listener) = if random.chance(50) { (one, other) } else { (other, one) };
                dials[dialer].push(listener);
                if random.chance(30) {
                    dials[listener].push(dialer);
                }
            }
        }
        let listeners = Listeners::default();
        listeners.lock().unwrap().resize(nodes, None);
        let mut world = Self {
            kind,
            random,
            net,
            listeners,
            room,
            nodes: Vec::new(),
            dials,
            graves: Vec::new(),
            glimpses: BTreeMap::new(),
            next_id: 1,
            tally: WorldTally::default(),
        };
        (0..nodes).for_each(|node| {
            let process = world.start(node);
            world.nodes.push(process);
        });
        world
    }

    fn start(&mut self, node: usize) -> Process {
        let seed = self.random.next_u64();
        let process = Process::start(self.next_id, node, self.dials.len(), &self.room, seed);
        self.next_id += 1;
        process.go_online(&self.net, &self.listeners, &self.dials[node], &self.room.options);
        process
    }

    pub(super) async fn run(mut self, steps: usize) -> WorldTally {
        self.until_all("be linked", |node, nodes| node.wanting().len() == nodes - 1).await;
        if self.kind == WorldKind::Paces {
            for _ in 0..2 {
                let pace = Duration::from_millis(1 + self.random.below(PACE_MAX_MS));
                self.net.slow_down(self.random.index(self.nodes.len()), pace);
            }
        }
        for _ in 0..steps {
            self.use_links();
            self.disturb();
            let time = match self.random.below(100) {
                0..60 => self.random.below(10),
                60..97 => self.random.below(100),
                _ if self.kind == WorldKind::Paces => self.random.below(10 * PACE_MAX_MS),
                _ => self.random.below(7_000),
            };
            rt::sleep(Duration::from_millis(time)).await;
            self.check();
        }
        self.net.heal();
        self.nodes.iter_mut().for_each(|node| node.pause(false));
        self.nodes.iter().for_each(Process::be_quick);
        // Until connections of which one side has heard nothing more are found to be silent.
        rt::sleep(if self.kind == WorldKind::Paces { LONG_SILENCE } else { SILENCE }).await;
        self.come_to_rest().await;
        self.check();
        self.check_counts();
        self.stay_awake().await;
        self.be_idle().await;
        self.account()
    }

    async fn until_all(&self, what: &str, so: impl Fn(&Process, usize) -> bool) {
        let since = Instant::now();
        let nodes = self.nodes.len();
        while !self.nodes.iter().all(|node| so(node, nodes)) {
            assert!(since.elapsed() < REST_MAX, "they do not come to {what}: {}", self.state());
            rt::sleep(Duration::from_millis(1)).await;
        }
    }

    fn state(&self) -> String {
        let links = self.nodes.iter().flat_map(|node| {
            node.links().into_values().map(move |link| format!("\n{} to {link}", node.node))
        });
        links.collect()
    }

    /// What actors and publishers would do.
    fn use_links(&mut self) {
        let nodes = self.nodes.len();
        for at in 0..nodes {
            let Self { nodes: all, random, glimpses, tally, kind, .. } = self;
            let process = &mut all[at];
            for _ in 0..random.below(6) {
                let other = (at + 1 + random.index(nodes - 1)) % nodes;
                match random.below(100) {
                    0..45 => _ = process.publish(random.chance(50)),
                    45..65 => _ = process.tell(other),
                    65..75 if *kind != WorldKind::Absences => process.ask(other),
                    75..90 => process.publish_text(random.pick(&[3, 3, 40, 40, 2_000])),
                    _ => process.read_texts(1 + random.below(6)),
                }
            }
            for _ in 0..random.below(5) {
                match random.below(10) {
                    0..4 if process.publish_glimpse() => {
                        glimpses.insert(process.id, process.last_glimpse);
                    }
                    0..4 => {}
                    4..6 => process.be_visited(random, glimpses, !kind.has_gaps()),
                    6..8 => process.be_left(random),
                    _ => tally.glimpsed += process.read_glimpses(1 + random.below(6), glimpses),
                }
            }
        }
    }

    fn disturb(&mut self) {
        let nodes = self.nodes.len();
        if self.random.chance(10) {
            self.net.cut_one();
        }
        let time = |random: &mut Random| match random.below(10) {
            0..7 => Duration::from_millis(random.below(1_000)),
            _ => Duration::from_millis(random.below(12_000)),
        };
        if self.random.chance(5) {
            let (from, to) = (self.random.index(nodes), self.random.index(nodes));
            self.net.hold(from, to, time(&mut self.random));
        }
        if self.random.chance(2) {
            // A partition: some do not hear the others, nor these them.
            let (some, time) = (self.random.next_u64(), time(&mut self.random));
            let is_there = |node: usize| some >> node & 1 == 1;
            for from in 0..nodes {
                (0..nodes)
                    .filter(|to| is_there(*to) != is_there(from))
                    .for_each(|to| self.net.hold(from, to, time));
            }
        }
        if self.kind == WorldKind::Pauses && self.random.chance(15) {
            let node = self.random.index(nodes);
            let paused = !self.nodes[node].is_paused;
            self.nodes[node].pause(paused);
            self.tally.pauses += u64::from(paused);
        }
        if self.kind == WorldKind::Deaths && self.random.chance(3) {
            let node = self.random.index(nodes);
            self.kill(node);
        }
    }

    fn kill(&mut self, node: usize) {
        self.listeners.lock().unwrap()[node] = None;
        self.net.kill(node, self.random.chance(40));
        let next = self.start(node);
        let dead = std::mem::replace(&mut self.nodes[node], next);
        self.tally.deaths += 1;
        self.graves.push(Grave {
            id: dead.id,
            node,
            heard: dead.heard.lock().unwrap().clone(),
            owed: dead.to.iter().map(|(to, outgoing)| (*to, outgoing.owed.clone())).collect(),
            unhandled: dead.unhandled(),
        });
        dead.die();
    }

    /// The promise of every moment: a node hears of a process what that one has sent to it, in its order,
    /// once, and without a gap unless it is given up.
    fn check(&self) {
        for process in &self.nodes {
            // It hears itself too.
            for (from, heard) in process.heard.lock().unwrap().iter().filter(|(from, _)| **from != process.id)
            {
                self.check_heard(process.node, *from, heard);
            }
            for (node, link) in process.links() {
                assert_eq!(link.sent, link.acknowledged + link.lost + link.waiting, "{link}");
                assert_eq!((link.refused, link.too_long), (0, 0), "{link}");
                if self.kind != WorldKind::Deaths {
                    assert_eq!((link.lost, link.peer_restarts), (0, 0), "{} to {node}: {link}", process.node);
                }
            }
        }
    }

    fn check_heard(&self, node: usize, from: u64, heard: &[u64]) {
        let owed = self.owed(from, node);
        let Some(first) = heard.first() else { return };
        let find = |n: &u64| {
            owed.binary_search(n).unwrap_or_else(|_| panic!("{node} hears {n:#x}, which nobody sent it"))
        };
        let begins = find(first);
        if self.kind.has_gaps() {
            assert!(heard.is_sorted_by(|one, next| one < next), "{node} of {from}: {heard:x?}");
            heard.iter().for_each(|n| _ = find(n));
            return;
        }
        let due = owed.get(begins..begins + heard.len()).unwrap_or_default();
        assert_eq!(heard, due, "{node} hears something else of process {from}");
        if self.kind != WorldKind::Deaths {
            assert_eq!(begins, 0, "{node} has missed the first ones of process {from}");
        }
    }

    /// What a process, alive or dead, has sent to a node.
    fn owed(&self, process: u64, node: usize) -> &[u64] {
        let lives = self.nodes.iter().find(|other| other.id == process).map(|other| &other.to[&node].owed);
        let dead = || Some(&self.graves.iter().find(|grave| grave.id == process)?.owed[&node]);
        lives.or_else(dead).expect("it was started")
    }

    /// Everybody who lives has heard the last word of everybody who lives, and all is acknowledged.
    async fn come_to_rest(&mut self) {
        let since = Instant::now();
        for node in &mut self.nodes {
            node.be_visited(&mut self.random, &self.glimpses, false);
        }
        let others = self.nodes.len() - 1;
        let is_linked =
            |node: &Process| node.wanting().len() == others && node.glimpsed_by() == others && node.is_open();
        while !self.nodes.iter().all(is_linked) {
            self.read_all(since).await;
        }
        // A glimpse that is published for subscribers who have left is for none of those who came since.
        for at in 0..self.nodes.len() {
            while !self.is_known(at, since).await {
                self.read_all(since).await;
            }
        }
        for at in 0..self.nodes.len() {
            // There may be no room yet.
            while !self.nodes[at].publish(true) {
                self.read_all(since).await;
            }
            while !self.nodes[at].publish_glimpse() {
                self.read_all(since).await;
            }
            self.glimpses.insert(self.nodes[at].id, self.nodes[at].last_glimpse);
        }
        while !self.is_at_rest() {
            self.read_all(since).await;
        }
    }

    /// Everybody reads until all others know what this node wants, or a connection is lost, which is `false`.
    async fn is_known(&mut self, node: usize, since: Instant) -> bool {
        let known = self.nodes[node].is_known();
        tokio::pin!(known);
        loop {
            tokio::select! {
                biased;
                known = &mut known => return known,
                () = self.read_all(since) => {}
            }
        }
    }

    /// Everybody reads what there is, while all come to rest.
    async fn read_all(&mut self, since: Instant) {
        assert!(since.elapsed() < REST_MAX, "they do not come to rest: {}", self.state());
        for node in &mut self.nodes {
            node.read_texts(u64::MAX);
            self.tally.glimpsed += node.read_glimpses(u64::MAX, &self.glimpses);
        }
        rt::sleep(Duration::from_millis(1)).await;
    }

    fn is_at_rest(&self) -> bool {
        let last = self.nodes.iter().map(|node| (node.id, node.last_glimpse)).collect();
        self.has_heard_last()
            && self.nodes.iter().all(|node| node.has_glimpsed(&last))
            && self.nodes.iter().all(|node| {
                let idle = |(_, link): (&usize, &LinkStats)| {
                    link.state == LinkState::Linked && link.waiting + link.held == 0
                };
                node.links().iter().all(idle)
                    && node.queued() == 0
                    && node.to.values().all(|to| outstanding(to) == 0)
            })
    }

    /// Whether everybody who lives has heard the last word of everybody who lives.
    fn has_heard_last(&self) -> bool {
        self.nodes.iter().all(|node| {
            let heard = node.heard.lock().unwrap();
            self.nodes.iter().filter(|other| other.node != node.node).all(|other| {
                let last = |all: &[u64]| all.last().copied();
                heard.get(&other.id).and_then(|heard| last(heard)) == last(&other.to[&node.node].owed)
            })
        })
    }

    fn check_counts(&self) {
        for process in &self.nodes {
            let links = process.links();
            links.iter().for_each(|(node, link)| self.check_link(process, *node, link));
            if self.kind != WorldKind::Deaths {
                self.check_texts(process, &links);
            }
            if !self.kind.has_gaps() && self.kind != WorldKind::Deaths {
                self.check_glimpses(process);
            }
        }
    }

    /// Nothing has waited in vain but glimpses, for those who have left.
    fn check_glimpses(&self, process: &Process) {
        let from = |peer: &Process| {
            let links = peer.links();
            peer.to[&process.node].glimpses - links[&process.node].unsent
        };
        let sent: u64 = self.nodes.iter().filter(|peer| peer.id != process.id).map(from).sum();
        assert_eq!(process.glimpses_received(), sent, "{}", self.state());
    }

    /// Each text has come to a queue of each peer that wanted it and of the subscriber here, and so has each
    /// from a peer to that of the subscriber: it was sent, read or dropped, and counted.
    fn check_texts(&self, process: &Process, links: &BTreeMap<usize, LinkStats>) {
        let (mut sent, mut entered, mut received) = (0, 0, 0);
        for (node, link) in links {
            let (to, peer) = (&process.to[node], &self.nodes[*node]);
            let asks = answered(to) + answered(&peer.to[&process.node]);
            sent += link.sent + link.unsent - asks;
            entered += to.owed.len() as u64 + to.texts + to.glimpses;
            received += link.received - asks - process.heard_of(peer.id);
        }
        let texts = entered + process.texts_published + received - process.glimpses_received();
        assert_eq!(sent + process.texts_read + process.texts_dropped(), texts, "{}", self.state());
    }

    fn check_link(&self, process: &Process, node: usize, link: &LinkStats) {
        let (to, peer) = (&process.to[&node], &self.nodes[node]);
        let heard = peer.heard_of(process.id);
        let missing = to.owed.len() as u64 - heard;
        match self.kind {
            WorldKind::Connections | WorldKind::Paces => {
                assert_eq!((missing, failed(to)), (0, 0), "each is heard and answered: {link}");
            }
            WorldKind::Absences | WorldKind::Pauses => {
                assert!(missing <= link.unsent, "{missing} are missing: {link}");
            }
            WorldKind::Deaths => {
                let dead = self.graves.iter().filter(|grave| grave.node == node);
                let counted =
                    |grave: &Grave| grave.heard.get(&process.id).map_or(0, Vec::len) as u64 + grave.unhandled;
                let counted = dead.map(counted).sum::<u64>() + link.lost + link.unsent;
                assert!(missing <= counted, "{missing} are missing, {counted} are accounted for: {link}");
            }
        }
        if self.kind != WorldKind::Deaths {
            assert_eq!(peer.links()[&process.node].received, link.sent, "{link}");
        }
    }

    /// A message is heard at once where nothing is in its way: nobody waits for a heartbeat to be woken.
    async fn stay_awake(&mut self) {
        rt::sleep(Duration::from_secs(2)).await;
        for at in 0..self.nodes.len() {
            let other = (at + 1) % self.nodes.len();
            assert!(self.nodes[at].publish(false) && self.nodes[at].tell(other), "there is room");
            self.nodes[at].ask(other);
            rt::sleep(AWAKE).await;
            assert!(self.has_heard_last(), "somebody sleeps: {}", self.state());
            assert_eq!(outstanding(&self.nodes[at].to[&other]), 0, "an answer sleeps: {}", self.state());
        }
    }

    /// Nothing moves but heartbeats.
    async fn be_idle(&mut self) {
        rt::sleep(Duration::from_secs(2)).await;
        let before = self.net.moved();
        rt::sleep(IDLE).await;
        let (moved, nodes) = (self.net.moved() - before, self.nodes.len() as u64);
        let most = nodes * (nodes - 1) / 2 * IDLE_MOVES * IDLE.as_secs();
        assert!(moved <= most, "{moved} reads and writes of an idle world");
    }

    fn account(mut self) -> WorldTally {
        let mut trace = 0_u64;
        let mut note = |number: u64| trace = (trace ^ number).wrapping_mul(0x0100_0000_01b3).rotate_left(17);
        for process in &self.nodes {
            for link in process.links().values() {
                self.tally.connections += link.connections;
                self.tally.resent += link.resent;
                self.tally.lost += link.lost;
                self.tally.unsent += link.unsent;
                self.tally.outdated += link.outdated;
                [link.connections, link.resent, link.sent, link.duplicates].into_iter().for_each(&mut note);
            }
            for heard in process.heard.lock().unwrap().values() {
                self.tally.heard += heard.len() as u64;
                heard.iter().copied().for_each(&mut note);
            }
            for (node, to) in &process.to {
                self.tally.missed += to.owed.len() as u64 - self.nodes[*node].heard_of(process.id);
                self.tally.answered += answered(to);
                self.tally.failed += failed(to);
            }
            self.tally.dropped += process.texts_dropped();
        }
        self.tally.cuts = self.net.cuts();
        self.tally.trace = trace;
        self.tally
    }
}

fn put(to: &PeerOutbox) -> u64 {
    to.asked.put.load(Ordering::SeqCst)
}

fn answered(to: &PeerOutbox) -> u64 {
    to.asked.answered.load(Ordering::SeqCst)
}

fn failed(to: &PeerOutbox) -> u64 {
    to.asked.failed.load(Ordering::SeqCst)
}

/// Questions that have not come to an end.
fn outstanding(to: &PeerOutbox) -> u64 {
    put(to) - answered(to) - failed(to)
}
