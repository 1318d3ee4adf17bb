//! What could be bought for at which time: money pays for nothing that began before it was there.

use super::Engine;
use super::account::Listing;
use super::passing::{Kind, Passing};

/// The least that could be bought for from some time on, up to now, as far back as the next bar may begin.
#[derive(Clone, Debug, Default)]
pub(super) struct PowerSince {
    /// Times in ns and amounts: both ascend.
    least: Vec<(i64, f64)>,
}

impl PowerSince {
    /// No bar that is to come began before now.
    pub(super) fn restart(&mut self) {
        self.least.clear();
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
}

impl Engine {
    /// What can be bought for, with all assets as they were valued last; where a model says what positions
    /// need, the equity that nothing binds.
    pub(super) fn free_power(&self) -> f64 {
        let (mut equity, mut bound) = (self.cash, 0.0);
        for listing in self.listings.iter().filter(|listing| listing.holdings.lots != 0) {
            equity += listing.profit(listing.mark);
            bound += listing.value(listing.mark);
        }
        let Some(leverage) = self.constants.leverage else { return self.free_by_model(equity) };
        (equity * leverage - bound).max(0.0)
    }

    /// Whether money of one asset may pay for another.
    pub(super) fn has_several(&self) -> bool {
        self.listings.len() > 1
    }

    /// Notes what can be bought for from this time on.
    pub(super) fn note_power(&mut self, from_ns: i64) {
        if self.has_several() {
            let free = self.free_power();
            for Listing { power, .. } in &mut self.listings {
                power.note(from_ns, free);
            }
        }
        self.unnoted = false;
    }

    /// What can be bought for now and could not at some time since the bar began that is to be passed.
    pub(super) fn late_money(&self, asset: usize, passing: &Passing) -> f64 {
        if !self.has_several() || passing.kind != Kind::Bar {
            return 0.0;
        }
        let least = self.listings[asset].power.least_since(passing.timestamp.as_nanos());
        least.map_or(0.0, |least| (self.free_power() - least).max(0.0))
    }
}
