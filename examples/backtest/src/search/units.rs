//! What is drawn and shuffled of trades: those that were open at one time are one.

use crate::messages::{Charge, Timestamp};
use crate::strategy::Trade;

/// A stretch of time with trades, and what it has brought.
struct Unit {
    from: Timestamp,
    to: Timestamp,
    net: f64,
}

/// The return of each unit of trades, in the sequence of their entries: profits less charges over the equity
/// that the units before have left. Trades that were open at one time, in one asset or in several, are one
/// unit. The returns compound to the end of the run, if nothing was open there.
#[must_use]
pub fn trade_units(trades: &[Trade], charges: &[Charge], cash: f64) -> Vec<f64> {
    let mut trades: Vec<&Trade> = trades.iter().collect();
    trades.sort_by_key(|trade| (trade.entry_time, trade.exit_time));
    let mut units: Vec<Unit> = Vec::new();
    for trade in trades {
        match units.last_mut() {
            // One that begins when the last one ends is behind it.
            Some(unit) if trade.entry_time < unit.to || trade.entry_time == unit.from => {
                unit.to = unit.to.max(trade.exit_time);
                unit.net += trade.profit;
            }
            _ => units.push(Unit { from: trade.entry_time, to: trade.exit_time, net: trade.profit }),
        }
    }
    for charge in charges {
        let behind = units.partition_point(|unit| unit.from <= charge.timestamp);
        if let Some(unit) = units.get_mut(behind.saturating_sub(1)) {
            unit.net -= charge.amount;
        }
    }
    let mut equity = cash;
    let share = |unit: &Unit| {
        let before = equity;
        equity += unit.net;
        if before > 0.0 { unit.net / before } else { 0.0 }
    };
    units.iter().map(share).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::messages::ChargeKind;
    use crate::search::{compound, shuffled_trades};

    fn trade(asset: u16, from: i64, to: i64, profit: f64) -> Trade {
        Trade {
            number: 1,
            asset,
            size: 1.0,
            entry_bar: 0,
            exit_bar: 0,
            entry_time: Timestamp::from_nanos(from),
            exit_time: Timestamp::from_nanos(to),
            entry_price: 1.0,
            exit_price: 1.0,
            commission: 0.0,
            profit,
            return_pct: 0.0,
            bars: 0,
            mae_pct: 0.0,
            mfe_pct: 0.0,
            tag: "",
        }
    }

    #[test]
    fn what_overlaps_is_one_and_what_touches_is_two() {
        let charge = |at: i64, amount: f64| Charge {
            timestamp: Timestamp::from_nanos(at),
            index: 0,
            asset: 0,
            kind: ChargeKind::Funding,
            amount,
            cash: 0.0,
        };
        // Two legs, out of order; one behind them at the time of the exit; two within one bar.
        let trades = [
            trade(1, 10, 30, -40.0),
            trade(0, 10, 20, 50.0),
            trade(0, 30, 40, 100.0),
            trade(0, 50, 50, 5.0),
            trade(1, 50, 50, -6.0),
        ];
        let charges = [charge(15, 1.0), charge(45, 2.0)];
        let units = trade_units(&trades, &charges, 100.0);
        assert_eq!(units, [9.0 / 100.0, 98.0 / 109.0, -1.0 / 207.0]);
        assert!((compound(units.iter().copied()).return_pct - 106.0).abs() < 1e-9);
        assert!((shuffled_trades(&units, 1, 1).return_pct - 106.0).abs() < 1e-9);
        assert!(trade_units(&[], &charges, 100.0).is_empty());
        // Nothing is earned on nothing.
        let ruined = trade_units(&[trade(0, 1, 2, -100.0), trade(0, 3, 4, 50.0)], &[], 100.0);
        assert_eq!(ruined, [-1.0, 0.0]);
    }
}
