//! Frames that the peer has not acknowledged.

use std::collections::VecDeque;

use crate::frame::{self, EncodeError, Header};

/// An empty window of a quiet link keeps no more than this, in bytes.
const KEEP_BYTES: usize = 4 << 10;

/// Frames in the order of their sequence, from the first that is not acknowledged.
#[derive(Debug, Default)]
pub(super) struct Window {
    /// The frames, from `start` on.
    bytes: Vec<u8>,
    start: usize,
    /// The length of each frame.
    lens: VecDeque<u32>,
    /// The sequence of the last frame that is acknowledged.
    acked: u64,
    /// How many frames, and bytes, from the front on have been written to the connection.
    written: usize,
    written_bytes: usize,
}

impl Window {
    /// The sequence of the last frame.
    pub(super) fn last(&self) -> u64 {
        self.acked + self.lens.len() as u64
    }

    pub(super) fn len(&self) -> usize {
        self.lens.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(super) fn is_written(&self) -> bool {
        self.written == self.lens.len()
    }

    pub(super) fn push(&mut self, header: &Header, value: &[u8]) -> Result<(), EncodeError> {
        let len = frame::encode(header, value, &mut self.bytes)?;
        self.lens.push_back(len as u32);
        Ok(())
    }

    /// Frames up to this sequence are acknowledged; how many of them had not been before.
    pub(super) fn acknowledge(&mut self, sequence: u64) -> u64 {
        let count = sequence.saturating_sub(self.acked).min(self.lens.len() as u64);
        let bytes: usize = self.lens.drain(..count as usize).map(|len| len as usize).sum();
        self.start += bytes;
        self.acked += count;
        self.written = self.written.saturating_sub(count as usize);
        self.written_bytes = self.written_bytes.saturating_sub(bytes);
        // What stays is moved at most once for as many bytes as have left.
        if self.start >= self.bytes.len() - self.start {
            self.bytes.drain(..self.start);
            self.start = 0;
        }
        count
    }

    /// Gives memory back if nothing waits.
    pub(super) fn shrink(&mut self) {
        if self.lens.is_empty() {
            self.bytes.shrink_to(KEEP_BYTES);
            self.lens.shrink_to(KEEP_BYTES / size_of::<u32>());
        }
    }

    /// Everything is to be written again; how many frames had been written before.
    pub(super) fn rewind(&mut self) -> u64 {
        self.written_bytes = 0;
        std::mem::take(&mut self.written) as u64
    }

    /// Starts again from sequence 1; how many frames it still held.
    pub(super) fn reset(&mut self) -> u64 {
        let lost = self.lens.len() as u64;
        *self = Self::default();
        lost
    }

    /// Appends frames that were not written yet, until `out` has `most` bytes or there are no more.
    pub(super) fn fill(&mut self, most: usize, out: &mut Vec<u8>) {
        let start = self.written_bytes;
        let mut room = most.saturating_sub(out.len());
        while let Some(len) = self.lens.get(self.written).map(|len| *len as usize) {
            if room == 0 {
                break;
            }
            room = room.saturating_sub(len);
            self.written += 1;
            self.written_bytes += len;
        }
        out.extend_from_slice(&self.bytes[self.start + start..self.start + self.written_bytes]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_kept_until_acknowledged_and_written_again_after_a_cut() {
        let mut window = Window::default();
        let header = |sequence| Header { sequence, ..Header::default() };
        (1..=3).for_each(|sequence| window.push(&header(sequence), &[0; 8]).expect("short enough"));
        let mut out = Vec::new();
        window.fill(73, &mut out);
        assert_eq!((out.len(), window.is_written()), (144, false), "whole frames, until there are enough");
        assert_eq!((window.acknowledge(1), window.acknowledge(1)), (1, 0));
        assert_eq!(window.rewind(), 1, "the second was written and is not acknowledged");
        window.shrink();
        out.clear();
        window.fill(1_000, &mut out);
        let sequence = |at: usize| frame::parse(&out[at..], 8, false).map(|frame| frame.header.sequence);
        assert_eq!((sequence(0), sequence(72), window.is_written()), (Ok(2), Ok(3), true));
        assert_eq!((window.last(), window.len(), window.bytes()), (3, 2, 144));
        assert_eq!((window.acknowledge(3), window.bytes()), (2, 0));
        window.push(&header(4), &[0; 8]).expect("short enough");
        assert_eq!((window.reset(), window.last()), (1, 0));
    }
}
