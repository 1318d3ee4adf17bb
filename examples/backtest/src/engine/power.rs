//! What the account had at which time: money pays for nothing that began before it was there, and no order is
//! sized by an equity that came later.

use super::Engine;
use super::account::Listing;
use super::passing::{Kind, Passing};

/// Most equities that are kept of the time of one bar. Of more, each second one goes, and comes.
const EQUITIES_MAX: usize = 1 << 16;

/// What the account has now and had not when an event began.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Late {
    /// What can be bought for.
    pub(super) power: f64,
    /// By how much the equity has grown; below zero if it has shrunk.
    pub(super) equity: f64,
}

/// The account from some time on, up to now, as far back as the next bar may begin.
#[derive(Clone, Debug, Default)]
pub(super) struct PowerSince {
    /// The least that could be bought for. Times in ns and amounts: both ascend.
    least: Vec<(i64, f64)>,
    /// Times in ns, which ascend, and the equity from then on.
    equities: Vec<(i64, f64)>,
    /// Changes of the equity since the latest one that was kept, and how many of them make the next one.
    unkept: u32,
    stride: u32,
}

impl PowerSince {
    /// No bar that is to come began before now.
    pub(super) fn restart(&mut self) {
        self.least.clear();
        self.equities.clear();
        (self.unkept, self.stride) = (0, 1);
    }

    /// From this time on, so much can be bought for.
    fn note(&mut self, mut from_ns: i64, free: f64) {
        while let Some(&(earlier_ns, least)) = self.least.last() {
            if least < free {
                // A bar on a bus is heard of when it is over, and is taken for known when it has begun.
                from_ns = from_ns.max(earlier_ns);
                break;
            }
            from_ns = earlier_ns;
            self.least.pop();
        }
        self.least.push((from_ns, free));
    }

    /// The least from this time on: what stood then counts, and what stood before does not.
    fn least_since(&self, start_ns: i64) -> Option<f64> {
        let stands = self.least.iter().rev().find(|(from_ns, _)| *from_ns <= start_ns);
        stands.or(self.least.first()).map(|(_, free)| *free)
    }

    /// From this time on, the equity is so much.
    fn note_equity(&mut self, from_ns: i64, equity: f64) {
        if let Some((latest_ns, latest)) = self.equities.last_mut() {
            if *latest == equity {
                return;
            }
            if from_ns <= *latest_ns {
                *latest = equity;
                return;
            }
        }
        self.unkept += 1;
        if self.unkept < self.stride {
            // What stands for its time is older, so that none is seen early.
            return;
        }
        self.unkept = 0;
        if self.equities.len() == EQUITIES_MAX {
            let mut stays = false;
            self.equities.retain(|_| {
                stays = !stays;
                stays
            });
            self.stride = self.stride.max(1).saturating_mul(2);
        }
        self.equities.push((from_ns, equity));
    }

    /// The equity at this time, or the first one that is known.
    fn equity_at(&self, start_ns: i64) -> Option<f64> {
        let behind = self.equities.partition_point(|(from_ns, _)| *from_ns <= start_ns);
        self.equities.get(behind.saturating_sub(1)).map(|(_, equity)| *equity)
    }
}

impl Engine {
    /// The equity and the value of all positions, with all assets as they were valued last.
    fn equity_and_bound(&self) -> (f64, f64) {
        let (mut equity, mut bound) = (self.cash, 0.0);
        for listing in self.listings.iter().filter(|listing| listing.holdings.lots != 0) {
            equity += listing.profit(listing.mark);
            bound += listing.value(listing.mark);
        }
        (equity, bound)
    }

    /// What can be bought for, with all assets as they were valued last; where a model says what positions
    /// need, the equity that nothing binds.
    pub(super) fn free_power(&self) -> f64 {
        self.free_of(self.equity_and_bound())
    }

    fn free_of(&self, (equity, bound): (f64, f64)) -> f64 {
        let Some(leverage) = self.constants.leverage else { return self.free_by_model(equity) };
        (equity * leverage - bound).max(0.0)
    }

    /// Whether money of one asset may pay for another.
    pub(super) fn has_several(&self) -> bool {
        self.listings.len() > 1
    }

    /// Notes what can be bought for from this time on, and the equity.
    pub(super) fn note_power(&mut self, from_ns: i64) {
        if self.has_several() {
            let (equity, bound) = self.equity_and_bound();
            let free = self.free_of((equity, bound));
            for Listing { power, .. } in &mut self.listings {
                power.note(from_ns, free);
                power.note_equity(from_ns, equity);
            }
        }
        self.unnoted = false;
    }

    /// What the account has now and had not since the bar began that is to be passed.
    pub(super) fn late_money(&self, asset: usize, passing: &Passing) -> Late {
        if !self.has_several() || passing.kind != Kind::Bar {
            return Late::default();
        }
        let (start_ns, power) = (passing.timestamp.as_nanos(), &self.listings[asset].power);
        let (equity, bound) = self.equity_and_bound();
        let free = self.free_of((equity, bound));
        Late {
            power: power.least_since(start_ns).map_or(0.0, |least| (free - least).max(0.0)),
            equity: power.equity_at(start_ns).map_or(0.0, |then| equity - then),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_of_very_many_events_keeps_some_equities_and_none_is_seen_early() {
        let mut since = PowerSince::default();
        assert_eq!(since.equity_at(5), None);
        let count = 5 * EQUITIES_MAX as i64;
        for time_ns in 10..count {
            since.note_equity(time_ns, time_ns as f64);
            assert!(since.equities.len() <= EQUITIES_MAX);
        }
        assert_eq!((since.equity_at(5), since.equity_at(10)), (Some(10.0), Some(10.0)));
        for time_ns in [11, 1_000, 77_777, count - 1, count] {
            let equity = since.equity_at(time_ns).expect("noted");
            assert!(equity <= time_ns as f64 && equity >= time_ns as f64 - 16.0, "{equity} at {time_ns}");
        }
    }
}
