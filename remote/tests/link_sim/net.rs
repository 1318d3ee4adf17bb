//! Connections that are late, in pieces, cut, corrupt and half open.

use std::collections::VecDeque;

use mycelium_random::Random;

/// The longest delay of a piece, in nanoseconds.
const DELAY_MAX_NS: u64 = 200_000_000;

/// One direction of a connection.
#[derive(Default)]
struct Pipe {
    pieces: VecDeque<(u64, Vec<u8>)>,
    last_at: u64,
    /// When the reader learns that it has ended.
    ends_at: Option<u64>,
    /// What is written is gone, and nobody is told.
    black: bool,
}

/// A connection between two processes, the first of which has dialed.
pub(crate) struct Connection {
    /// Node and process at each side.
    pub(crate) sides: [(usize, u64); 2],
    /// By the side that reads.
    pipes: [Pipe; 2],
}

impl Connection {
    pub(crate) fn new(dialer: (usize, u64), listener: (usize, u64)) -> Self {
        Self { sides: [dialer, listener], pipes: [Pipe::default(), Pipe::default()] }
    }

    pub(crate) fn write(&mut self, now: u64, side: usize, bytes: &[u8], random: &mut Random, faulty: bool) {
        let pipe = &mut self.pipes[1 - side];
        if pipe.black || pipe.ends_at.is_some() || bytes.is_empty() {
            return;
        }
        let mut bytes = bytes.to_vec();
        if faulty && random.chance(1) {
            let at = random.index(bytes.len());
            bytes[at] ^= 1 << random.below(8);
        }
        let most = if faulty && random.chance(10) { 1 } else { 1 + random.index(2 * bytes.len()) };
        // Not more than some pieces, or a large frame takes the test's time.
        for piece in bytes.chunks(most.max(bytes.len() / 200 + 1)) {
            let delay =
                if faulty && random.chance(20) { random.below(DELAY_MAX_NS) } else { random.below(100_000) };
            pipe.last_at = pipe.last_at.max(now + delay);
            pipe.pieces.push_back((pipe.last_at, piece.to_vec()));
        }
    }

    /// What has come by now.
    pub(crate) fn read(&mut self, now: u64, side: usize) -> Option<Vec<u8>> {
        let pipe = &mut self.pipes[side];
        pipe.pieces.front().filter(|(at, _)| *at <= now)?;
        pipe.pieces.pop_front().map(|(_, piece)| piece)
    }

    /// Whether the side learns now that there comes no more.
    pub(crate) fn has_ended(&self, now: u64, side: usize) -> bool {
        let pipe = &self.pipes[side];
        pipe.ends_at.is_some_and(|at| at <= now) && pipe.pieces.is_empty()
    }

    /// The side closes it: the other learns so after what was written, or never.
    pub(crate) fn close(&mut self, now: u64, side: usize, told: bool) {
        let pipe = &mut self.pipes[1 - side];
        if told {
            pipe.ends_at.get_or_insert(now.max(pipe.last_at));
        } else {
            pipe.black = true;
        }
        self.pipes[side].black = true;
    }

    /// Cuts it somewhere in what is on its way; each side learns so at once, late or never.
    pub(crate) fn cut(&mut self, now: u64, random: &mut Random) {
        for pipe in &mut self.pipes {
            pipe.black = true;
            let keep = random.index(pipe.pieces.len() + 1);
            pipe.pieces.truncate(keep);
            if let Some((_, piece)) = pipe.pieces.back_mut() {
                let keep = random.index(piece.len() + 1);
                piece.truncate(keep);
            }
            if random.chance(70) {
                let delay = if random.chance(50) { 0 } else { random.below(DELAY_MAX_NS) };
                pipe.ends_at = Some(now.max(pipe.last_at) + delay);
            }
        }
    }
}
