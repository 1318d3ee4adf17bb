//! Connections in virtual time: late, in pieces, held back, cut at any byte, damaged and half open.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context as TaskContext, Poll, Waker};
use std::time::Duration;

use mycelium_random::Random;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::link::sockets::Socket;
use crate::rt::{self, Instant, Sleep};

/// The longest delay of a piece that is late (milliseconds).
const DELAY_MAX_MS: u64 = 200;
/// How much a direction keeps before its writer has to wait (bytes).
const PIPE_BYTES: usize = 8 << 10;
/// How often sockets may be polled at one instant before the world is said to spin (polls).
const POLLS_MAX: u32 = 300_000;

/// What may go wrong with connections.
#[derive(Clone, Copy, Debug)]
pub(super) struct Damage {
    /// Bits are flipped.
    pub(super) bits: bool,
}

/// All connections of a world.
pub(super) struct Net(Mutex<NetState>);

struct NetState {
    random: Random,
    damage: Damage,
    healed: bool,
    connections: BTreeMap<u64, Connection>,
    next: u64,
    /// Until when nothing arrives in a direction, by the nodes that write and read.
    held: BTreeMap<(usize, usize), Instant>,
    /// How long it takes a node that is slow to do the next thing.
    slow: BTreeMap<usize, Duration>,
    began: Instant,
    /// How often sockets were polled at this instant.
    polls: u32,
    polls_at: Instant,
    /// How many reads and writes have moved something.
    moved: u64,
    cuts: u64,
}

/// One direction, kept by the side that reads.
#[derive(Default)]
struct Pipe {
    pieces: VecDeque<(Instant, Vec<u8>)>,
    /// How much of the first piece is read.
    read: usize,
    queued: usize,
    last_at: Option<Instant>,
    /// When the reader learns that the connection has ended.
    ends_at: Option<Instant>,
    /// The bytes that are written go nowhere.
    black: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

struct Connection {
    nodes: [usize; 2],
    pipes: [Pipe; 2],
    /// The sides whose process has died.
    dead: [bool; 2],
    /// The sides whose socket was dropped.
    closed: [bool; 2],
}

impl Pipe {
    /// When there is something to read next.
    fn due(&self) -> Option<Instant> {
        self.pieces.front().map(|(at, _)| *at).or(self.ends_at)
    }

    /// Nothing is left of the first piece, or there is none.
    fn drop_empty(&mut self) {
        while self.pieces.front().is_some_and(|(_, piece)| piece.len() <= self.read) {
            self.pieces.pop_front();
            self.read = 0;
        }
        let all: usize = self.pieces.iter().map(|(_, piece)| piece.len()).sum();
        self.queued = all - self.read.min(all);
    }

    fn end(&mut self, at: Instant) {
        let at = self.last_at.map_or(at, |last| last.max(at));
        self.ends_at = Some(self.ends_at.map_or(at, |before| before.min(at)));
        self.wake();
    }

    fn wake(&mut self) {
        self.reader.take().into_iter().chain(self.writer.take()).for_each(Waker::wake);
    }
}

impl Net {
    pub(super) fn new(random: Random, damage: Damage) -> Arc<Self> {
        Arc::new(Self(Mutex::new(NetState {
            random,
            damage,
            healed: false,
            connections: BTreeMap::new(),
            next: 0,
            held: BTreeMap::new(),
            slow: BTreeMap::new(),
            began: Instant::now(),
            polls: 0,
            polls_at: Instant::now(),
            moved: 0,
            cuts: 0,
        })))
    }

    fn state(&self) -> MutexGuard<'_, NetState> {
        self.0.lock().unwrap()
    }

    /// A connection between two nodes: the side that has dialed, and the other.
    pub(super) fn connect(self: &Arc<Self>, dialer: usize, listener: usize) -> [SimSocket; 2] {
        let mut state = self.state();
        let at = state.next;
        state.next += 1;
        let connection = Connection {
            nodes: [dialer, listener],
            pipes: Default::default(),
            dead: [false; 2],
            closed: [false; 2],
        };
        state.connections.insert(at, connection);
        [0, 1].map(|side| SimSocket {
            net: Arc::clone(self),
            at,
            side,
            alarm: Box::pin(rt::sleep(Duration::ZERO)),
        })
    }

    /// Until when a dialer hears nothing from a listener.
    pub(super) fn held(&self, one: usize, other: usize) -> Option<Instant> {
        let state = self.state();
        state.held_until((one, other)).max(state.held_until((other, one)))
    }

    /// Nothing arrives in this direction for so long.
    pub(super) fn hold(&self, from: usize, to: usize, time: Duration) {
        let mut state = self.state();
        let until = Instant::now() + time;
        let before = state.held.entry((from, to)).or_insert(until);
        *before = (*before).max(until);
    }

    /// From now on this node reads and writes only so often, as one does that has hardly a processor.
    pub(super) fn slow_down(&self, node: usize, pace: Duration) {
        self.state().slow.insert(node, pace);
    }

    /// Cuts a connection somewhere in what is on its way: each side learns so at once, late or never.
    pub(super) fn cut_one(&self) {
        let mut state = self.state();
        let all: Vec<u64> = state.connections.keys().copied().collect();
        if all.is_empty() {
            return;
        }
        let at = state.random.pick(&all);
        state.cuts += 1;
        let NetState { random, connections, .. } = &mut *state;
        let Some(connection) = connections.get_mut(&at) else { return };
        for pipe in &mut connection.pipes {
            pipe.black = true;
            let keep = random.index(pipe.pieces.len() + 1);
            pipe.pieces.truncate(keep);
            if let Some((_, piece)) = pipe.pieces.back_mut() {
                // Of the first one a part may be read.
                let keep = random.index(piece.len() + 1).max(if keep == 1 { pipe.read } else { 0 });
                piece.truncate(keep);
            }
            pipe.drop_empty();
            if random.chance(70) {
                let late = if random.chance(50) { 0 } else { random.below(DELAY_MAX_MS) };
                pipe.end(Instant::now() + Duration::from_millis(late));
            }
        }
    }

    /// The process of a node has died: its peers read what it has written, and its end, or nothing of that
    /// end if its machine has died too.
    pub(super) fn kill(&self, node: usize, with_machine: bool) {
        let mut state = self.state();
        for connection in state.connections.values_mut() {
            for side in 0..2 {
                if connection.nodes[side] == node && !connection.dead[side] {
                    connection.dead[side] = true;
                    connection.pipes[side] = Pipe { black: true, ..Pipe::default() };
                    connection.pipes[side].end(Instant::now());
                    let other = &mut connection.pipes[1 - side];
                    other.black = true;
                    if !with_machine {
                        other.end(Instant::now());
                    }
                }
            }
        }
    }

    /// No more faults.
    pub(super) fn heal(&self) {
        let mut state = self.state();
        state.healed = true;
        state.held.clear();
        state.slow.clear();
        state.connections.values_mut().flat_map(|connection| &mut connection.pipes).for_each(Pipe::wake);
    }

    /// How many reads and writes have moved something.
    pub(super) fn moved(&self) -> u64 {
        self.state().moved
    }

    pub(super) fn cuts(&self) -> u64 {
        self.state().cuts
    }
}

impl NetState {
    fn held_until(&self, direction: (usize, usize)) -> Option<Instant> {
        self.held.get(&direction).copied().filter(|until| *until > Instant::now())
    }

    /// When what one of these nodes has written is read by the other, if not before `at`.
    fn turn_of(&self, nodes: [usize; 2], at: Instant) -> Instant {
        let turn = |pace: &Duration| {
            let (since, pace) = ((at - self.began).as_nanos(), pace.as_nanos());
            self.began + Duration::from_nanos(((since / pace + 1) * pace) as u64)
        };
        nodes.iter().filter_map(|node| self.slow.get(node)).map(turn).max().unwrap_or(at)
    }

    /// A socket is polled.
    fn note_poll(&mut self, now: Instant) {
        if self.polls_at != now {
            (self.polls, self.polls_at) = (0, now);
        }
        self.polls += 1;
        assert!(self.polls < POLLS_MAX, "sockets are polled without end while no time passes");
    }

    fn read(
        &mut self,
        at: u64,
        side: usize,
        now: Instant,
        space: &mut ReadBuf<'_>,
    ) -> Result<(), Option<Instant>> {
        self.note_poll(now);
        let connection = self.connections.get(&at).expect("it is open");
        let nodes = connection.nodes;
        let held = self.held_until((nodes[1 - side], nodes[side]));
        let connection = self.connections.get_mut(&at).expect("it is open");
        let pipe = &mut connection.pipes[side];
        // A process that has died hears nothing more of anybody.
        let held = held.filter(|_| !connection.dead[side]);
        let due = pipe.due().map(|due| held.map_or(due, |held| held.max(due)));
        if due.is_none_or(|due| due > now) {
            return Err(due);
        }
        let Some((_, piece)) = pipe.pieces.front() else { return Ok(()) };
        let rest = &piece[pipe.read..];
        let count = rest.len().min(space.remaining());
        space.put_slice(&rest[..count]);
        pipe.read += count;
        pipe.drop_empty();
        pipe.writer.take().into_iter().for_each(Waker::wake);
        self.moved += 1;
        Ok(())
    }

    /// How much is taken; `None`: nothing now.
    fn write(&mut self, at: u64, side: usize, now: Instant, bytes: &[u8]) -> io::Result<Option<usize>> {
        self.note_poll(now);
        let turn = self.turn_of(self.connections[&at].nodes, now);
        let Self { random, damage, healed, connections, moved, .. } = self;
        let connection = connections.get_mut(&at).expect("it is open");
        if connection.pipes[side].ends_at.is_some_and(|at| at <= now) {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let pipe = &mut connection.pipes[1 - side];
        let room = PIPE_BYTES - pipe.queued;
        if room == 0 {
            return Ok(None);
        }
        let faulty = !*healed;
        let mut count = bytes.len().min(room);
        if faulty && random.chance(20) {
            count = 1 + random.index(count);
        }
        *moved += 1;
        pipe.queued += count;
        if pipe.black {
            return Ok(Some(count));
        }
        let mut bytes = bytes[..count].to_vec();
        if faulty && damage.bits && random.chance(1) {
            let at = random.index(count);
            bytes[at] ^= 1 << random.below(8);
        }
        let most = match faulty {
            true if random.chance(5) => 1,
            true => 1 + random.index(2 * count),
            false => count,
        };
        for piece in bytes.chunks(most.max(count / 50 + 1)) {
            let late = if faulty && random.chance(20) { random.below(DELAY_MAX_MS) } else { 0 };
            let due = turn + Duration::from_millis(late);
            let due = pipe.last_at.map_or(due, |last| last.max(due));
            pipe.last_at = Some(due);
            pipe.pieces.push_back((due, piece.to_vec()));
        }
        pipe.reader.take().into_iter().for_each(Waker::wake);
        Ok(Some(count))
    }
}

/// One side of a connection.
pub(super) struct SimSocket {
    net: Arc<Net>,
    at: u64,
    side: usize,
    alarm: Pin<Box<Sleep>>,
}

impl Socket for SimSocket {
    /// A third of the connections.
    fn spins(&self) -> bool {
        self.at.is_multiple_of(3)
    }

    /// Half of them.
    fn is_direct(&self) -> bool {
        self.at.is_multiple_of(2)
    }
}

impl AsyncRead for SimSocket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut TaskContext<'_>,
        space: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            let due = {
                let mut state = self.net.state();
                match state.read(self.at, self.side, Instant::now(), space) {
                    Ok(()) => return Poll::Ready(Ok(())),
                    Err(due) => {
                        let connection = state.connections.get_mut(&self.at).expect("it is open");
                        connection.pipes[self.side].reader = Some(cx.waker().clone());
                        due
                    }
                }
            };
            let Some(due) = due else { return Poll::Pending };
            self.alarm.as_mut().reset(due);
            if self.alarm.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl AsyncWrite for SimSocket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut state = self.net.state();
        match state.write(self.at, self.side, Instant::now(), bytes) {
            Ok(Some(count)) => Poll::Ready(Ok(count)),
            Ok(None) => {
                let connection = state.connections.get_mut(&self.at).expect("it is open");
                connection.pipes[1 - self.side].writer = Some(cx.waker().clone());
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        let mut state = self.net.state();
        let connection = state.connections.get_mut(&self.at).expect("it is open");
        let pipe = &mut connection.pipes[1 - self.side];
        if !pipe.black {
            pipe.end(Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

impl Drop for SimSocket {
    fn drop(&mut self) {
        let mut state = self.net.state();
        let told = state.healed || state.random.chance(80);
        let Some(connection) = state.connections.get_mut(&self.at) else { return };
        connection.closed[self.side] = true;
        connection.pipes[self.side].black = true;
        let pipe = &mut connection.pipes[1 - self.side];
        if !pipe.black && told {
            pipe.end(Instant::now());
        }
        pipe.black = true;
        connection.pipes.iter_mut().for_each(Pipe::wake);
        if connection.closed == [true; 2] {
            state.connections.remove(&self.at);
        }
    }
}
