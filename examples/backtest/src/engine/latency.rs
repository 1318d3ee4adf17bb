//! How long the news takes.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use crate::chance::Random;
use crate::messages::Timestamp;

/// How long the news of an event takes from the exchange to a strategy. News of one asset comes in the
/// sequence of its events: one that would overtake another comes with it.
pub trait FeedLatency: Send + Sync {
    /// Of an event of this asset that was over at this time. It must be the same whenever it is asked.
    fn delay(&self, asset: u16, over: Timestamp) -> Duration;
}

impl FeedLatency for Duration {
    fn delay(&self, _asset: u16, _over: Timestamp) -> Duration {
        *self
    }
}

impl<F: Fn(u16, Timestamp) -> Duration + Send + Sync> FeedLatency for F {
    fn delay(&self, asset: u16, over: Timestamp) -> Duration {
        self(asset, over)
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

impl FeedLatency for Jitter {
    fn delay(&self, asset: u16, over: Timestamp) -> Duration {
        let mut random = Random::of_path(self.seed ^ u64::from(asset) << 48, over.as_nanos().cast_unsigned());
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
