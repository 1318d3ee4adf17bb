//! The extreme of the last values.

use std::collections::VecDeque;

/// Those of the last values that may still become the extreme, in order.
#[derive(Clone, Debug)]
pub(super) struct Extreme {
    window: usize,
    seen: usize,
    candidates: VecDeque<(usize, f64)>,
}

impl Extreme {
    pub(super) fn new(window: usize) -> Self {
        Self { window: window.max(1), seen: 0, candidates: VecDeque::new() }
    }

    #[inline]
    pub(super) fn push(&mut self, value: f64, beats: impl Fn(f64, f64) -> bool) -> Option<f64> {
        while self.candidates.back().is_some_and(|(_, last)| !beats(*last, value)) {
            self.candidates.pop_back();
        }
        self.candidates.push_back((self.seen, value));
        self.seen += 1;
        if self.candidates.front().is_some_and(|(at, _)| self.seen - at > self.window) {
            self.candidates.pop_front();
        }
        if self.seen < self.window { None } else { self.candidates.front().map(|(_, value)| *value) }
    }

    /// How many values ago the extreme was; of equals the latest.
    pub(super) fn age(&self) -> usize {
        self.candidates.front().map_or(0, |(at, _)| self.seen - 1 - at)
    }
}
