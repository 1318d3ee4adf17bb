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

/// A difference of sums, in as many bits as it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lead {
    Narrow(i64),
    Wide(i128),
}

impl Lead {
    /// Takes a close with 128 bits, now and ever after. `left` has the close that leaves each window, and the
    /// length of the other window.
    #[cold]
    fn widen(&mut self, ticks: i64, left: [(i64, usize); 2]) -> Ordering {
        let before = match *self {
            Self::Narrow(lead) => lead.into(),
            Self::Wide(lead) => lead,
        };
        let [fast, slow] = left.map(|(left, other)| (i128::from(ticks) - i128::from(left)) * other as i128);
        let lead = before + fast - slow;
        *self = Self::Wide(lead);
        lead.cmp(&0)
    }
}

/// Watches the closes of one instrument.
///
/// It keeps `lead = slow * sum_fast - fast * sum_slow`, whose sign is that of the difference of the averages.
/// A new close `c` changes it by `slow * (c - c[-fast]) - fast * (c - c[-slow])`: two multiplications per
/// bar, exact for any window. It stays below `2 * fast * slow` times the largest close, which fits 64 bits
/// for all prices but the largest; from the first of those on it has 128, and needs fewer, because ticks take
/// 63 bits and each window fewer than 32.
#[derive(Clone, Debug)]
pub struct Crossover {
    pair: Pair,
    lead: Lead,
    /// Closes from zero up to here keep the lead within 64 bits.
    narrow_ticks_max: u64,
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
        let times = 2 * u64::from(pair.fast.max(1)) * u64::from(pair.slow.max(1));
        let narrow_ticks_max = i64::MAX as u64 / times;
        Self { pair, lead: Lead::Narrow(0), narrow_ticks_max, before: Ordering::Equal, bars: 0, closes }
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
        let now = match &mut self.lead {
            Lead::Narrow(lead) if u64::try_from(ticks).is_ok_and(|ticks| ticks <= self.narrow_ticks_max) => {
                *lead += (ticks - left_fast) * slow as i64 - (ticks - left_slow) * fast as i64;
                (*lead).cmp(&0)
            }
            lead => lead.widen(ticks, [(left_fast, slow), (left_slow, fast)]),
        };
        if self.bars < fast.max(slow) {
            return None;
        }
        let before = self.before;
        self.before = now;
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
        assert_ne!(crossover.lead, Lead::Wide(0));
    }

    #[test]
    fn closes_that_need_128_bits_are_compared_as_those_that_need_64() {
        let pair = Pair { fast: 3, slow: 7 };
        let mut state = 9_u64;
        let mut ticks = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            // Small ones first, so that the lead grows when it has a past.
            (state >> 34) as i64
        };
        let mut closes: Vec<i64> = (0..200).map(|_| ticks()).collect();
        let large: Vec<i64> = closes.iter().map(|close| (i64::MAX >> 1) - close).collect();
        closes.extend(large);
        let mut crossover = Crossover::new(pair);
        let mut signals = [0; 2];
        for (bar, close) in closes.iter().enumerate() {
            let signal = crossover.push(*close);
            assert_eq!(signal, naive(&closes, pair, bar), "bar {bar}");
            assert_eq!(matches!(crossover.lead, Lead::Wide(_)), bar >= 200, "bar {bar}");
            signals[bar / 200] += u32::from(signal.is_some());
        }
        assert!(signals.iter().all(|count| *count > 10), "{signals:?}");
    }
}
