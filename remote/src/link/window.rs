//! Frames that the peer has not acknowledged.

use std::collections::VecDeque;

/// An empty window gives back what it has grown to beyond this, in bytes.
const KEEP_BYTES: usize = 4 << 10;

/// Frames in the order of their sequence, from the first that is not acknowledged.
#[derive(Debug, Default)]
pub(super) struct Window {
    bytes: VecDeque<u8>,
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
        self.bytes.len()
    }

    pub(super) fn is_written(&self) -> bool {
        self.written == self.lens.len()
    }

    pub(super) fn push(&mut self, frame: &[u8]) {
        self.bytes.extend(frame);
        self.lens.push_back(frame.len() as u32);
    }

    /// Frames up to this sequence are acknowledged; how many of them had not been before.
    pub(super) fn acknowledge(&mut self, sequence: u64) -> u64 {
        let count = sequence.saturating_sub(self.acked).min(self.lens.len() as u64);
        let bytes: usize = self.lens.drain(..count as usize).map(|len| len as usize).sum();
        self.bytes.drain(..bytes);
        self.acked += count;
        self.written = self.written.saturating_sub(count as usize);
        self.written_bytes = self.written_bytes.saturating_sub(bytes);
        if self.lens.is_empty() {
            self.bytes.shrink_to(KEEP_BYTES);
            self.lens.shrink_to(KEEP_BYTES / size_of::<u32>());
        }
        count
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
        let (front, back) = self.bytes.as_slices();
        let from = |slice: &'_ [u8], before: usize| {
            let cut = |at: usize| at.saturating_sub(before).min(slice.len());
            cut(start)..cut(self.written_bytes)
        };
        out.extend_from_slice(&front[from(front, 0)]);
        out.extend_from_slice(&back[from(back, front.len())]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_kept_until_acknowledged_and_written_again_after_a_cut() {
        let mut window = Window::default();
        for frame in [[1_u8; 8], [2; 8], [3; 8]] {
            window.push(&frame);
        }
        let mut out = Vec::new();
        window.fill(9, &mut out);
        assert_eq!((out.len(), window.is_written()), (16, false), "whole frames, until there are enough");
        assert_eq!((window.acknowledge(1), window.acknowledge(1)), (1, 0));
        assert_eq!(window.rewind(), 1, "the second was written and is not acknowledged");
        out.clear();
        window.fill(100, &mut out);
        assert_eq!((&out[..8], &out[8..], window.is_written()), (&[2; 8][..], &[3; 8][..], true));
        assert_eq!((window.last(), window.len(), window.bytes()), (3, 2, 16));
        assert_eq!((window.reset(), window.last()), (2, 0));
    }
}
