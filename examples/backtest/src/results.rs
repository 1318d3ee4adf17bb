//! The results of many runs: order, digest, table.

use std::io::{self, Write};

use crate::args::Rank;
use crate::config::Pair;
use crate::ledger::Statistics;

/// Names of the statistics, in the order of the columns.
pub const COLUMNS: [&str; 8] = [
    "equity_final",
    "return_pct",
    "n_trades",
    "max_drawdown_pct",
    "sharpe_simple_daily252",
    "sharpe_daily252",
    "cagr_pct",
    "exposure_pct",
];

/// One pair with its statistics.
pub type Row = (Pair, Statistics);

/// The statistics in the order of [`COLUMNS`].
#[must_use]
pub fn figures(statistics: &Statistics) -> [f64; COLUMNS.len()] {
    [
        statistics.equity_final,
        statistics.return_pct,
        f64::from(statistics.n_trades),
        statistics.max_drawdown_pct,
        statistics.sharpe_simple_daily252,
        statistics.sharpe_daily252,
        statistics.cagr_pct,
        statistics.exposure_pct,
    ]
}

impl Rank {
    /// Whether `a` is strictly better than `b`. A figure that is not defined is worse than everything.
    #[must_use]
    pub fn better(self) -> fn(&Statistics, &Statistics) -> bool {
        fn above(a: f64, b: f64) -> bool {
            a > b || (b.is_nan() && !a.is_nan())
        }
        match self {
            Self::Return => |a, b| above(a.return_pct, b.return_pct),
            Self::Sharpe => |a, b| above(a.sharpe_simple_daily252, b.sharpe_simple_daily252),
            Self::Drawdown => |a, b| above(a.max_drawdown_pct, b.max_drawdown_pct),
        }
    }
}

/// The best rows, best first; among equals the one with the smaller windows.
#[must_use]
pub fn best(rows: &[Row], rank: Rank, count: usize) -> Vec<Row> {
    let better = rank.better();
    let mut sorted = rows.to_vec();
    sorted.sort_by(|(pair_a, a), (pair_b, b)| match (better(a, b), better(b, a)) {
        (true, _) => std::cmp::Ordering::Less,
        (_, true) => std::cmp::Ordering::Greater,
        _ => pair_a.cmp(pair_b),
    });
    sorted.truncate(count);
    sorted
}

/// A digest of rows and all their bits. Equal for equal results, in whatever order the instances ran.
///
/// FNV-1a over the rows in the order given, which is that of the parameters.
#[must_use]
pub fn digest(rows: &[Row]) -> u64 {
    let mut digest = Digest::new();
    for (pair, statistics) in rows {
        digest.add(&pair.fast.to_le_bytes());
        digest.add(&pair.slow.to_le_bytes());
        for figure in figures(statistics) {
            digest.add(&figure.to_bits().to_le_bytes());
        }
    }
    digest.value()
}

/// FNV-1a.
pub(crate) struct Digest(u64);

impl Digest {
    pub(crate) fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    pub(crate) fn add(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }

    /// Adds a number with all its bits. There are many that are no number; they count as one.
    pub(crate) fn add_number(&mut self, number: f64) {
        let number = if number.is_nan() { f64::NAN } else { number };
        self.add(&number.to_bits().to_le_bytes());
    }

    pub(crate) fn value(&self) -> u64 {
        self.0
    }
}

/// Writes `fast,slow` and the statistics, one row per pair. Numbers are written so that they read back the
/// same; what is not defined is an empty field.
///
/// # Errors
/// Those of the writer.
pub fn write_csv(rows: &[Row], mut out: impl Write) -> io::Result<()> {
    writeln!(out, "fast,slow,{}", COLUMNS.join(","))?;
    for (pair, statistics) in rows {
        write!(out, "{},{}", pair.fast, pair.slow)?;
        for figure in figures(statistics) {
            if figure.is_nan() {
                write!(out, ",")?;
            } else {
                write!(out, ",{figure}")?;
            }
        }
        writeln!(out)?;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(fast: u32, return_pct: f64) -> Row {
        let statistics = Statistics {
            equity_final: 1.0,
            return_pct,
            n_trades: 2,
            max_drawdown_pct: -1.5,
            sharpe_simple_daily252: f64::NAN,
            sharpe_daily252: 0.1,
            cagr_pct: 1e-7,
            exposure_pct: 100.0,
        };
        (Pair { fast, slow: 9 }, statistics)
    }

    #[test]
    fn the_best_come_first_and_nan_last() {
        let rows = [row(1, 5.0), row(2, f64::NAN), row(3, 7.0), row(4, 5.0)];
        let order: Vec<u32> = best(&rows, Rank::Return, 10).iter().map(|(pair, _)| pair.fast).collect();
        assert_eq!(order, [3, 1, 4, 2]);
        assert_eq!(best(&rows, Rank::Return, 1).len(), 1);
    }

    #[test]
    fn the_digest_sees_every_bit() {
        let rows = [row(1, 5.0), row(2, 6.0)];
        assert_eq!(digest(&rows), digest(&rows.clone()));
        assert_ne!(digest(&rows), digest(&[row(1, 5.0), row(2, 6.0_f64.next_up())]));
        assert_ne!(digest(&rows), digest(&rows[..1]));
    }

    #[test]
    fn the_table_reads_back_the_same() {
        let mut text = Vec::new();
        write_csv(&[row(3, 1.0 / 3.0)], &mut text).expect("memory takes it");
        let text = String::from_utf8(text).expect("text");
        let line = text.lines().nth(1).expect("a row");
        assert_eq!(line, "3,9,1,0.3333333333333333,2,-1.5,,0.1,0.0000001,100");
    }
}
