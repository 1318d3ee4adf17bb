//! Some nodes, what connects them, and what happens to both.

use std::collections::BTreeMap;

use mycelium_random::Random;
use mycelium_remote::link::{Ended, Input, Link};

use crate::net::Connection;
use crate::node::{Fate, Process, TYPES};

/// A second, in nanoseconds.
const SECOND_NS: u64 = 1_000_000_000;
/// Steps of at most 100 ms within which a healed world comes to rest.
const HEAL_STEPS: usize = 4_000;

/// What happens in a world.
#[derive(Clone, Copy)]
pub(crate) struct Faults {
    pub(crate) connections: bool,
    pub(crate) restarts: bool,
    /// One message is left out by its receiver.
    pub(crate) lose_one: bool,
}

pub(crate) struct World {
    now: u64,
    random: Random,
    faults: Faults,
    processes: Vec<Process>,
    connections: BTreeMap<usize, Connection>,
    next_connection: usize,
    next_process: u64,
    /// Who dials whom.
    dials: Vec<(usize, usize)>,
    /// Received by each node from each process, by processes that are dead.
    buried: BTreeMap<(usize, u64), u64>,
    lost_by_dead: u64,
    healed: bool,
    pub(crate) cuts: u64,
    pub(crate) restarts: u64,
}

impl World {
    pub(crate) fn new(nodes: usize, mut random: Random, faults: Faults) -> Self {
        let mut dials = Vec::new();
        for one in 0..nodes {
            for other in one + 1..nodes {
                dials.push((one, other));
                if random.chance(30) {
                    dials.push((other, one));
                }
            }
        }
        let processes: Vec<Process> =
            (0..nodes).map(|node| Process::new(node as u64 + 1, node, !faults.restarts)).collect();
        Self {
            now: 0,
            random,
            faults,
            next_process: nodes as u64 + 1,
            processes,
            connections: BTreeMap::new(),
            next_connection: 0,
            dials,
            buried: BTreeMap::new(),
            lost_by_dead: 0,
            healed: false,
            cuts: 0,
            restarts: 0,
        }
    }

    pub(crate) fn step(&mut self) {
        self.now += match self.random.below(100) {
            0..70 => self.random.below(20_000_000),
            70..98 => self.random.below(100_000_000),
            _ if self.healed => 100_000_000,
            _ => self.random.below(4 * SECOND_NS),
        };
        self.dial();
        for connection in self.connections.keys().copied().collect::<Vec<_>>() {
            for side in 0..2 {
                self.read(connection, side);
            }
        }
        self.use_links();
        self.write();
        if !self.healed {
            self.disturb();
        }
        self.processes.iter().for_each(Process::check);
        let lost = self.processes.iter().flat_map(|of| of.peers.values()).map(|peer| peer.link.stats().lost);
        assert!(self.faults.restarts || lost.sum::<u64>() == 0, "lost without a death");
    }

    fn dial(&mut self) {
        for (dialer, listener) in self.dials.clone() {
            let (now, process) = (self.now, &mut self.processes[dialer]);
            let dialing = process.sessions.values().any(|session| session.dialed == Some(listener));
            let peer = process.peer(listener);
            if peer.link.is_attached() || dialing || peer.redial_at > now {
                continue;
            }
            let connection = self.next_connection;
            self.next_connection += 1;
            let sides = [dialer, listener].map(|node| (node, self.processes[node].id));
            self.connections.insert(connection, Connection::new(sides[0], sides[1]));
            let (one, other) = (self.random.next_u64(), self.random.next_u64());
            self.processes[dialer].open(now, connection, Some(listener), one);
            self.processes[listener].open(now, connection, None, other);
        }
    }

    fn read(&mut self, at: usize, side: usize) {
        loop {
            let Some(connection) = self.connections.get_mut(&at) else { return };
            let (node, id) = connection.sides[side];
            if self.processes[node].id != id {
                return;
            }
            let Some(bytes) = connection.read(self.now, side) else { break };
            let before = self.processes[node].peers.iter().map(|(node, peer)| (*node, peer.connection));
            let before: Vec<_> = before.collect();
            let fate = self.processes[node].read(self.now, at, &bytes);
            // A connection that another has taken the place of is closed.
            for (peer, old) in before {
                let new = self.processes[node].peers[&peer].connection;
                if let Some(old) = old.filter(|old| new != Some(*old)) {
                    self.close(node, old, false);
                }
            }
            if let Fate::Close { again_at_once } = fate {
                return self.close(node, at, again_at_once);
            }
        }
        let connection = &self.connections[&at];
        let node = connection.sides[side].0;
        if connection.has_ended(self.now, side) {
            return self.close(node, at, false);
        }
        let Some(session) = self.processes[node].sessions.get(&at) else { return };
        let late = session.peer.is_none() && session.handshake.tick(self.now).is_err();
        let peer = session.peer;
        let silent = peer.is_some_and(|peer| {
            let link = &mut self.processes[node].peer(peer).link;
            link.step(self.now, Input::Tick).is_err()
        });
        if late || silent {
            self.close(node, at, false);
        }
    }

    /// A process closes one of its connections.
    fn close(&mut self, node: usize, at: usize, again_at_once: bool) {
        let now = self.now;
        self.flush(node, at);
        let wait = if again_at_once { 0 } else { self.random.below(SECOND_NS) };
        let Some(session) = self.processes[node].sessions.remove(&at) else { return };
        if let Some(peer) = session.peer {
            let peer = self.processes[node].peer(peer);
            if peer.connection == Some(at) {
                peer.connection = None;
                let _ = peer.link.step(now, Input::Detach);
            }
        }
        if let Some(peer) = session.dialed.or(session.peer) {
            self.processes[node].peer(peer).redial_at = now + wait;
        }
        let told = self.healed || self.random.chance(80);
        let connection = self.connections.get_mut(&at).expect("it is open");
        let id = self.processes[node].id;
        let side = connection.sides.iter().position(|side| *side == (node, id)).expect("it is ours");
        connection.close(now, side, told);
    }

    /// What actors, topics and subscribers would do.
    fn use_links(&mut self) {
        for at in 0..self.processes.len() {
            for other in (0..self.processes.len()).filter(|other| *other != at) {
                let healed = self.healed;
                let process = &mut self.processes[at];
                for _ in 0..if healed { 0 } else { self.random.below(12) } {
                    let len = if self.random.chance(2) { 20_000 } else { self.random.index(200) };
                    let type_id = self.random.pick(&TYPES);
                    process.send(other, type_id, len);
                }
                for _ in 0..if healed { 0 } else { self.random.below(6) } {
                    process.send_direct(other, &mut self.random);
                }
                for _ in 0..if healed { 8 } else { self.random.below(4) } {
                    process.work(other, &mut self.random);
                }
                let peer = process.peer(other);
                for type_id in TYPES {
                    let change = healed || self.random.chance(5);
                    if change {
                        let wanted = healed || self.random.chance(75);
                        peer.want(self.now, type_id, wanted);
                    }
                    let held = peer.held.entry(type_id).or_default();
                    if *held > 0 && (healed || self.random.chance(20)) {
                        let count = if healed { *held } else { 1 + self.random.below(*held) };
                        *held -= count;
                        let consumed = Input::Consumed { type_id, count };
                        peer.link.step(self.now, consumed).expect("this breaks no rule");
                    }
                }
            }
        }
    }

    fn write(&mut self) {
        for node in 0..self.processes.len() {
            for at in self.processes[node].sessions.keys().copied().collect::<Vec<_>>() {
                let process = &mut self.processes[node];
                let peer =
                    process.sessions[&at].peer.filter(|peer| process.peers[peer].connection == Some(at));
                if let Some(peer) = peer {
                    let mut out = std::mem::take(&mut process.sessions.get_mut(&at).expect("open").out);
                    let link = &mut process.peer(peer).link;
                    if self.random.chance(50) {
                        link.fill(self.now, &mut out);
                    } else {
                        write_parts(link, self.now, &mut self.random, &mut out);
                    }
                    let due = link.deadline().is_some_and(|at| at > self.now);
                    assert!(due || link.is_mid_frame(), "it would be woken for ever");
                    process.sessions.get_mut(&at).expect("open").out = out;
                }
                self.flush(node, at);
            }
        }
        // Nobody reads these any more.
        let ids: Vec<u64> = self.processes.iter().map(|process| process.id).collect();
        self.connections.retain(|at, connection| {
            let open = |side: &(usize, u64)| {
                ids[side.0] == side.1 && self.processes[side.0].sessions.contains_key(at)
            };
            connection.sides.iter().any(open)
        });
    }

    fn flush(&mut self, node: usize, at: usize) {
        let faulty = self.faults.connections && !self.healed;
        let id = self.processes[node].id;
        let (Some(session), Some(connection)) =
            (self.processes[node].sessions.get_mut(&at), self.connections.get_mut(&at))
        else {
            return;
        };
        let side = connection.sides.iter().position(|side| *side == (node, id)).expect("it is ours");
        connection.write(self.now, side, &session.out, &mut self.random, faulty);
        session.out.clear();
    }

    fn disturb(&mut self) {
        if self.faults.connections && self.random.chance(8) {
            let all: Vec<usize> = self.connections.keys().copied().collect();
            if !all.is_empty() {
                let at = self.random.pick(&all);
                self.connections.get_mut(&at).expect("it is there").cut(self.now, &mut self.random);
                self.cuts += 1;
            }
        }
        if self.faults.restarts && self.random.chance(2) {
            let node = self.random.index(self.processes.len());
            self.kill(node);
        }
        if self.faults.lose_one && self.random.chance(2) {
            self.processes[0].lose_one = true;
        }
    }

    /// A process dies and another takes its place. What it has written may still arrive, and its peers learn
    /// of its end or not.
    fn kill(&mut self, node: usize) {
        self.restarts += 1;
        let power = self.random.chance(40);
        let next = Process::new(self.next_process, node, false);
        self.next_process += 1;
        let dead = std::mem::replace(&mut self.processes[node], next);
        for connection in self.connections.values_mut() {
            if let Some(side) = connection.sides.iter().position(|side| *side == (node, dead.id)) {
                connection.close(self.now, side, !power);
            }
        }
        for (from, count) in dead.got {
            *self.buried.entry((node, from)).or_default() += count;
        }
        self.lost_by_dead += dead.peers.values().map(|peer| peer.link.stats().lost).sum::<u64>();
    }

    /// No more faults: all that was sent arrives, and the links come to rest.
    pub(crate) fn heal(&mut self) {
        self.healed = true;
        for _ in 0..HEAL_STEPS {
            self.step();
            if self.is_at_rest() {
                return self.check_counts();
            }
        }
        let links = self.processes.iter().flat_map(|process| process.peers.values().map(|peer| &peer.link));
        panic!("the links do not come to rest: {:#?}", links.collect::<Vec<_>>());
    }

    fn is_at_rest(&self) -> bool {
        let others = self.processes.len() - 1;
        self.processes.iter().all(|process| {
            process.peers.len() == others
                && process.peers.values().all(|peer| {
                    let wanted = peer.link.interest().count() == TYPES.len();
                    let credit = TYPES.iter().all(|type_id| peer.link.credit(*type_id) >= 4);
                    let held = peer.held.values().sum::<u64>() + peer.told.values().sum::<u64>();
                    let held = held + (peer.questions.len() + peer.asked.len()) as u64;
                    peer.link.is_attached() && peer.link.is_drained() && wanted && credit && held == 0
                })
        })
    }

    /// What each process that lives has sent was received, but for what is counted as lost.
    fn check_counts(&mut self) {
        for process in &self.processes {
            for (node, peer) in &process.peers {
                let stats = peer.link.stats();
                let now = self.processes[*node].got.get(&process.id).copied().unwrap_or(0);
                let got = now + self.buried.get(&(*node, process.id)).copied().unwrap_or(0);
                assert!(got <= stats.sent && got >= stats.sent - stats.lost, "{got} received of {stats:?}");
                assert!(got >= stats.acknowledged, "{got} received of {stats:?}");
            }
        }
        let mut out = Vec::new();
        self.processes[0].peers.values_mut().for_each(|peer| peer.link.bye(Ended::Shutdown, &mut out));
        assert!(!out.is_empty());
    }

    pub(crate) fn received(&self) -> u64 {
        self.processes.iter().flat_map(|process| process.got.values()).sum()
    }

    /// How many questions were answered or have failed, and how many were put to a process that has died.
    pub(crate) fn answers(&self) -> (u64, u64) {
        let of = self.processes.iter().flat_map(|process| process.peers.values().map(|peer| peer.answers));
        of.fold((0, 0), |sum, of| (sum.0 + of.0, sum.1 + of.1))
    }

    pub(crate) fn resent(&self) -> u64 {
        self.links().map(|stats| stats.resent).sum()
    }

    pub(crate) fn lost(&self) -> u64 {
        self.lost_by_dead + self.links().map(|stats| stats.lost).sum::<u64>()
    }

    fn links(&self) -> impl Iterator<Item = mycelium_remote::link::LinkStats> {
        self.processes.iter().flat_map(|process| process.peers.values().map(|peer| peer.link.stats()))
    }
}

/// What a connection writes that takes a part of what it is given, and perhaps no more then: from where it
/// lies.
fn write_parts(link: &mut Link, now: u64, random: &mut Random, out: &mut Vec<u8>) {
    loop {
        link.speak(now, out);
        let stops = link.is_mid_frame() && random.chance(10);
        let bytes = link.unwritten(now);
        if stops || bytes.is_empty() {
            return;
        }
        let count = 1 + random.index(bytes.len());
        out.extend_from_slice(&bytes[..count]);
        link.wrote(now, count);
    }
}
