//! How long news and orders take.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::chance::Random;
use crate::messages::Timestamp;

/// How long the news of an event takes from the exchange to a strategy, or an order from there to the
/// exchange.
///
/// News of one asset comes in the sequence of its events: one that would overtake another comes with it. An
/// order may overtake another one; a cancellation that would overtake its order comes with it, and the order
/// is not filled.
///
/// ```
/// use std::time::Duration;
/// use backtest::messages::Timestamp;
/// use backtest::strategy::Backtest;
/// // The second asset is traded far away.
/// let far = |asset: u16, _: Timestamp| Duration::from_millis(if asset == 1 { 80 } else { 2 });
/// let backtest = Backtest::new(Vec::new()).feed_latency(far).latency(far);
/// # let _ = backtest;
/// ```
pub trait Latency: Send + Sync {
    /// Of the news of an event of this asset that was over at this time, or of an order on it that was
    /// decided then. It must be the same whenever it is asked.
    fn delay(&self, asset: u16, at: Timestamp) -> Duration;

    /// The delay, if it is always the same.
    fn constant(&self) -> Option<Duration> {
        None
    }
}

impl Latency for Duration {
    fn delay(&self, _asset: u16, _at: Timestamp) -> Duration {
        *self
    }

    fn constant(&self) -> Option<Duration> {
        Some(*self)
    }
}

impl<F: Fn(u16, Timestamp) -> Duration + Send + Sync> Latency for F {
    fn delay(&self, asset: u16, at: Timestamp) -> Duration {
        self(asset, at)
    }
}

/// Delays between two bounds, each as likely as the others. They follow from the seed, the asset and the
/// time.
///
/// `"2ms"` and `"1ms..5ms"` are such delays in text, with seed 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Jitter {
    /// The shortest.
    pub least: Duration,
    /// The longest.
    pub most: Duration,
    /// Another one draws other delays.
    pub seed: u64,
}

impl Latency for Jitter {
    fn delay(&self, asset: u16, at: Timestamp) -> Duration {
        let mut random = Random::of_path(self.seed ^ u64::from(asset) << 48, at.as_nanos().cast_unsigned());
        self.least + self.most.saturating_sub(self.least).mul_f64(random.share())
    }
}

/// Reads `250us`, `5ms`, `1.5s`, `2m`.
///
/// # Errors
/// What is no time, or one below zero.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, String> {
    let read = text.trim().parse::<jiff::SignedDuration>().ok();
    let read = read.or_else(|| (text.trim() == "0").then_some(jiff::SignedDuration::ZERO));
    let duration = read.and_then(|duration| Duration::try_from(duration).ok());
    duration.ok_or_else(|| format!("`{text}` is no time from zero; write `250us`, `5ms` or `1s`"))
}

impl FromStr for Jitter {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (least, most) = text.split_once("..").unwrap_or((text, text));
        let (least, most) = (parse_duration(least)?, parse_duration(most)?);
        if most < least {
            return Err(format!("`{text}` ends before it begins; write `1ms..5ms`"));
        }
        Ok(Self { least, most, seed: 1 })
    }
}

impl fmt::Display for Jitter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.least)?;
        if self.most > self.least { write!(f, "..{:?}", self.most) } else { Ok(()) }
    }
}
