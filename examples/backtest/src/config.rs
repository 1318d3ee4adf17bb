//! What one run trades, and on which terms.

use std::fmt;

use crate::limits::{CASH_MAX, WINDOW_BARS_MAX};

/// Windows of the two moving averages, in bars.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// Window of the fast average.
    pub fast: u32,
    /// Window of the slow average.
    pub slow: u32,
}

/// What the strategy does at a crossing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Rule {
    /// Up and flat: buy with all cash. Down and long: close.
    Long,
    /// Up: close, then buy with all cash. Down: close, then sell short with all cash.
    Flip,
    /// Like `long`, with a fixed number of units.
    Fixed,
}

/// Where an order is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum FillAt {
    /// At the open of the bar after the signal.
    NextOpen,
    /// At the close of the signal's bar, booked while the next bar is processed.
    OnClose,
}

/// Everything about a run but its windows and its data.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// What to do at a crossing.
    pub rule: Rule,
    /// Units per trade for [`Rule::Fixed`]; not used by the other rules.
    pub units: i64,
    /// Initial cash.
    pub cash: f64,
    /// Commission as a share of the traded value, charged at entry and at exit.
    pub commission: f64,
    /// Spread as a share of the price, paid at entry.
    pub spread: f64,
    /// Where orders are filled.
    pub fill: FillAt,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            rule: Rule::Long,
            units: 0,
            cash: 10_000.0,
            commission: 0.0,
            spread: 0.0,
            fill: FillAt::NextOpen,
        }
    }
}

/// A parameter lies outside of its range.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfigError {
    /// The flag, e.g. `--cash`.
    pub flag: &'static str,
    /// What is wrong and what is allowed.
    pub reason: String,
}

impl Terms {
    /// Checks every range.
    ///
    /// # Errors
    /// The first flag that is out of range.
    pub fn check(&self) -> Result<(), ConfigError> {
        let refuse = |flag, reason: String| Err(ConfigError { flag, reason });
        if !(self.cash > 0.0 && self.cash <= CASH_MAX) {
            return refuse("--cash", format!("is {}, must be above 0 and at most {CASH_MAX:e}", self.cash));
        }
        if !(0.0..0.1).contains(&self.commission) {
            return refuse(
                "--commission",
                format!("is {}, must be a share from 0 to below 0.1; 0.2 % is 0.002", self.commission),
            );
        }
        if !(0.0..0.5).contains(&self.spread) {
            return refuse(
                "--spread",
                format!("is {}, must be a share from 0 to below 0.5; 5 bp is 0.0005", self.spread),
            );
        }
        if self.rule == Rule::Fixed && self.units < 1 {
            return refuse("--units", format!("is {}, must be at least 1 with --strategy fixed", self.units));
        }
        // Beyond 2^53 a number of units has no exact `f64`.
        if self.units > 1 << 53 {
            return refuse("--units", format!("is {}, must be at most {}", self.units, 1_i64 << 53));
        }
        Ok(())
    }
}

impl Pair {
    /// Checks that both windows are from 1 to [`WINDOW_BARS_MAX`] bars.
    ///
    /// # Errors
    /// The flag that is out of range.
    pub fn check(self) -> Result<(), ConfigError> {
        for (flag, window) in [("--fast", self.fast), ("--slow", self.slow)] {
            if !(1..=WINDOW_BARS_MAX).contains(&window) {
                let reason = format!("is {window}, must be from 1 to {WINDOW_BARS_MAX} bars");
                return Err(ConfigError { flag, reason });
            }
        }
        Ok(())
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Parameters of a user's strategy come without their dashes.
        match self.flag {
            "" => f.write_str(&self.reason),
            flag if flag.starts_with("--") => write!(f, "{flag} {}", self.reason),
            flag => write!(f, "--{flag} {}", self.reason),
        }
    }
}

impl std::error::Error for ConfigError {}
