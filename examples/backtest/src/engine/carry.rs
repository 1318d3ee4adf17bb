//! What positions pay for the time, interest on credit, fees on what was sold short and funding, and the
//! dividends that they are paid.

use std::sync::Arc;

use super::account::Listing;
use super::fault::{CostKind, sound};
use super::terms::{Loan, Rate};
use super::{Engine, Event};
use crate::data::NS_PER_DAY;
use crate::messages::{Charge, ChargeKind, Timestamp};

/// Days of a year for rates per year.
const DAYS_PER_YEAR: f64 = 365.0;

/// How far the time has come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Carry {
    wanted: bool,
    known_ns: i64,
    /// Up to when interest was charged.
    paid_ns: i64,
}

impl Carry {
    pub(super) fn new(wanted: bool) -> Self {
        Self { wanted, known_ns: i64::MIN, paid_ns: i64::MIN }
    }

    /// Whether positions may pay or be paid at all.
    #[inline]
    pub(super) fn is_wanted(&self) -> bool {
        self.wanted
    }

    /// When the latest event became known.
    pub(super) fn known_ns(&self) -> i64 {
        self.known_ns
    }

    /// Takes the time at which an event became known.
    #[inline]
    pub(super) fn see(&mut self, known_ns: i64) {
        self.known_ns = known_ns;
    }

    /// Passes over the time up to here: nothing was held.
    #[inline]
    pub(super) fn pass_over(&mut self, until_ns: i64) {
        self.paid_ns = self.paid_ns.max(until_ns);
    }

    /// Whether some position will pay.
    pub(super) fn needs(&self, listings: &[Listing]) -> bool {
        self.wanted && listings.iter().any(|listing| listing.holdings.lots != 0)
    }
}

/// Nights of UTC after the one time and up to the other.
fn nights(before_ns: i64, until_ns: i64) -> i64 {
    if before_ns == i64::MIN {
        return 0;
    }
    until_ns.div_euclid(NS_PER_DAY) - before_ns.div_euclid(NS_PER_DAY)
}

impl Engine {
    /// Charges an asset's position, and the account for its credit, for the time up to here. Fills of an
    /// event come after it, so a position pays from the begin of the event of its entry to that of its exit.
    pub(super) fn charge_until(&mut self, asset: usize, until_ns: i64) {
        if !self.carry.wanted {
            return;
        }
        let account_before_ns = self.carry.paid_ns;
        self.carry.pass_over(until_ns);
        let paid_ns = &mut self.listings[asset].paid_ns;
        let before_ns = std::mem::replace(paid_ns, until_ns.max(*paid_ns));
        if !self.carry.needs(&self.listings) {
            return;
        }
        let now = Timestamp::from_nanos(until_ns);
        let account_nights = nights(account_before_ns, until_ns);
        if account_nights > 0 {
            let from = Timestamp::from_nanos(account_before_ns);
            self.charge_interest(from, now, account_nights as f64 / DAYS_PER_YEAR);
        }
        let value = self.signed_value(asset);
        if value == 0.0 || before_ns == i64::MIN || until_ns <= before_ns {
            return;
        }
        let years = nights(before_ns, until_ns) as f64 / DAYS_PER_YEAR;
        let short = (-value).max(0.0);
        let from = Timestamp::from_nanos(before_ns);
        let loan = Loan { asset: Some(asset as u16), value: short, from, until: now };
        let borrowed = short * self.lent_at(&self.constants.borrow, &loan) * years;
        self.charge(now, asset, ChargeKind::Borrow, borrowed);
        if let Some(funding) = &self.market.funding {
            let rate = funding.rate(asset as u16, from, now);
            let rate = self.funding(asset, rate);
            self.charge(now, asset, ChargeKind::Funding, value * rate);
        }
    }

    /// Pays the dividends up to this time, and of this time, to those who hold the asset now.
    pub(super) fn pay_dividends(&mut self, asset: usize, until_ns: i64) {
        let Listing { terms, holdings, dividends_ns, .. } = &mut self.listings[asset];
        let before_ns = std::mem::replace(dividends_ns, until_ns.max(*dividends_ns));
        if holdings.lots == 0 || terms.dividends.is_empty() || until_ns <= before_ns {
            return;
        }
        let (units, dividends) = (terms.units(holdings.lots), Arc::clone(&terms.dividends));
        let from = dividends.partition_point(|(time_ns, _)| *time_ns <= before_ns);
        for (time_ns, amount) in dividends[from..].iter().take_while(|(time_ns, _)| *time_ns <= until_ns) {
            let time = Timestamp::from_nanos(*time_ns);
            self.charge(time, asset, ChargeKind::Dividend, -units * amount);
        }
    }

    fn charge_interest(&mut self, from: Timestamp, now: Timestamp, years: f64) {
        // The debt of buying for more than the account has: the cost of what is held long beyond the equity
        // that is not bound otherwise.
        let long: f64 = (0..self.listings.len()).map(|asset| self.signed_value(asset).max(0.0)).sum();
        let marked = |listing: &Listing| {
            listing.terms.units(listing.holdings.lots) * listing.mark - listing.holdings.cost
        };
        let equity = self.cash + self.listings.iter().map(marked).sum::<f64>();
        let lent = (long - equity).max(0.0);
        let loan = Loan { asset: None, value: lent, from, until: now };
        let rate = self.lent_at(&self.constants.interest, &loan);
        self.charge(now, 0, ChargeKind::Interest, lent * rate * years);
    }

    /// The rate per year of a loan; a model is asked of what is lent and over a night.
    fn lent_at(&self, rate: &Rate, loan: &Loan) -> f64 {
        match rate {
            Rate::Always(rate) => *rate,
            Rate::Own(model)
                if loan.value > 0.0 && nights(loan.from.as_nanos(), loan.until.as_nanos()) > 0 =>
            {
                let asset = usize::from(loan.asset.unwrap_or(0));
                sound(&self.fault, CostKind::Lending, asset, (loan.value, 1.0), model.per_year(loan))
            }
            Rate::Own(_) => 0.0,
        }
    }

    fn signed_value(&self, asset: usize) -> f64 {
        let listing = &self.listings[asset];
        listing.terms.units(listing.holdings.lots) * listing.mark
    }

    pub(super) fn charge(&mut self, timestamp: Timestamp, asset: usize, kind: ChargeKind, amount: f64) {
        if amount == 0.0 || !amount.is_finite() {
            return;
        }
        self.cash -= amount;
        let (index, cash) = (self.number, self.cash);
        let charge = Charge { timestamp, index, asset: asset as u16, kind, amount, cash };
        self.events.push(Event::Charged(charge));
    }
}
