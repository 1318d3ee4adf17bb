//! Crossings of two moving averages, decided on integers.

use std::cmp::Ordering;

use crate::config::Pair;

/// The fast average went from strictly below to strictly above the slow one, or the other way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// From below to above.
    Up,
    /// From above to below.
    Down,
}

/// Watches the closes of one instrument.
///
/// It keeps `lead = slow * sum_fast - fast * sum_slow`, whose sign is that of the difference of the averages.
/// A new close `c` changes it by `slow * (c - c[-fast]) - fast * (c - c[-slow])`: two multiplications per
/// bar, exact for any window. No overflow: ticks take 63 bits and each window fewer than 32, so the lead
/// stays below 2^127.
#[derive(Clone, Debug)]
pub struct Crossover {
    pair: Pair,
    lead: i128,
    before: Ordering,
    bars: usize,
    /// The latest closes; a close lies at its bar number modulo the length. Longer than either window, a
    /// power of two, and zero where no close has been yet, which is what the sums start from.
    closes: Box<[i64]>,
}

impl Crossover {
    /// Starts with empty windows. Both must be within the range of [`Pair::check`].
    #[must_use]
    pub fn new(pair: Pair) -> Self {
        let length = (pair.fast.max(pair.slow) as usize + 1).next_power_of_two();
        let closes = vec![0; length].into_boxed_slice();
        Self { pair, lead: 0, before: Ordering::Equal, bars: 0, closes }
    }

    /// Takes the next close, in ticks. The first signal can come on bar `max(fast, slow)`, counted from 0.
    #[inline]
    pub fn push(&mut self, ticks: i64) -> Option<Signal> {
        let mask = self.closes.len() - 1;
        let bar = self.bars;
        let (fast, slow) = (self.pair.fast as usize, self.pair.slow as usize);
        let left_fast = self.closes[bar.wrapping_sub(fast) & mask];
        let left_slow = self.closes[bar.wrapping_sub(slow) & mask];
        self.closes[bar & mask] = ticks;
        self.bars = bar + 1;
        self.lead +=
            i128::from(ticks - left_fast) * slow as i128 - i128::from(ticks - left_slow) * fast as i128;
        if self.bars < fast.max(slow) {
            return None;
        }
        let before = self.before;
        self.before = self.lead.cmp(&0);
        match (before, self.before) {
            (Ordering::Less, Ordering::Greater) => Some(Signal::Up),
            (Ordering::Greater, Ordering::Less) => Some(Signal::Down),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, word by word: averages as exact fractions over the windows.
    fn naive(closes: &[i64], pair: Pair, bar: usize) -> Option<Signal> {
        let (fast, slow) = (pair.fast as usize, pair.slow as usize);
        let sum = |end: usize, window: usize| {
            closes[end + 1 - window..=end].iter().map(|c| i128::from(*c)).sum::<i128>()
        };
        let order = |end: usize| (sum(end, fast) * slow as i128).cmp(&(sum(end, slow) * fast as i128));
        if bar < fast.max(slow) {
            return None;
        }
        match (order(bar - 1), order(bar)) {
            (Ordering::Less, Ordering::Greater) => Some(Signal::Up),
            (Ordering::Greater, Ordering::Less) => Some(Signal::Down),
            _ => None,
        }
    }

    #[test]
    fn agrees_with_the_definition_on_random_walks_full_of_ties() {
        // A step of at most 1 tick on a short window makes ties frequent.
        let seed: u64 = 0x5eed_0001;
        println!("seed {seed:#x}");
        let mut state = seed;
        let mut random = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        let mut signals = 0;
        for _ in 0..200 {
            let pair = Pair { fast: (random() % 12 + 1) as u32, slow: (random() % 12 + 1) as u32 };
            let mut price = 100;
            let closes: Vec<i64> = (0..300)
                .map(|_| {
                    price += (random() % 3) as i64 - 1;
                    price
                })
                .collect();
            let mut crossover = Crossover::new(pair);
            for (bar, close) in closes.iter().enumerate() {
                let signal = crossover.push(*close);
                assert_eq!(signal, naive(&closes, pair, bar), "{pair:?} bar {bar}");
                signals += u32::from(signal.is_some());
            }
        }
        assert!(signals > 1_000, "the test must see signals: {signals}");
    }

    #[test]
    fn the_largest_ticks_and_windows_do_not_overflow() {
        let pair = Pair { fast: 1, slow: crate::limits::WINDOW_BARS_MAX };
        let mut crossover = Crossover::new(pair);
        for bar in 0..pair.slow + 10 {
            crossover.push(if bar % 2 == 0 { i64::MAX } else { 1 });
        }
        assert_ne!(crossover.lead, 0);
    }
}
