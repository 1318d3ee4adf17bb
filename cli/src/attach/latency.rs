//! `mycelium latency`.

use std::time::Duration;

use serde_json::{Value, json};

use super::{NodeArgs, lost, run_on, seconds};
use crate::outcome::{self, Outcome, say};

/// So many of the first round trips are left out: they pay for what is used for the first time.
const WARM_UP: usize = 20;
/// Most round trips.
const COUNT_MAX: i64 = 10_000_000;

/// Measure how long a word takes to a running node and back.
///
/// A round trip goes through the link tasks of both sides and the connection between them, and through no
/// queue of messages. The node works on meanwhile: what its threads do makes it longer. It counts what this
/// machine adds too, such as the wake-up of this command; twenty round trips before are left out.
///
/// Exit code 0 after --count or Ctrl-C, 1 when the link is lost, 2 when there is none.
#[derive(Debug, clap::Args)]
pub(crate) struct LatencyArgs {
    #[command(flatten)]
    node: NodeArgs,
    /// How many round trips.
    #[arg(long, value_name = "N", default_value = "1000", value_parser = clap::value_parser!(i64).range(1..=COUNT_MAX))]
    count: i64,
    /// How long to wait between two, in seconds; without it the next one begins at once.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    interval: Option<Duration>,
    /// Print one JSON object, in nanoseconds.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &LatencyArgs) -> outcome::Result {
    // One thread has both the link and this: none has to wake the other.
    run_on(&mut tokio::runtime::Builder::new_current_thread(), async |mut ends| {
        let attached = args.node.attach(&[], &mut ends).await?;
        let wanted = usize::try_from(args.count).unwrap_or_default();
        let mut trips: Vec<u64> = Vec::new();
        for number in 0..WARM_UP + wanted {
            let trip = tokio::select! {
                biased;
                trip = attached.dialer.round_trip() => trip,
                () = ends.asked() => break,
            };
            let Some(trip) = trip else { return lost(&attached) };
            if number >= WARM_UP {
                trips.push(u64::try_from(trip.as_nanos()).unwrap_or(u64::MAX));
            }
            if let Some(interval) = args.interval {
                tokio::select! {
                    () = tokio::time::sleep(interval) => {}
                    () = ends.asked() => break,
                }
            }
        }
        tell(&attached.node, trips, args.json)?;
        attached.end().await?;
        Ok(Outcome::Fine)
    })
}

/// What is told of times that were measured.
pub(super) struct Times {
    pub(super) count: usize,
    mean: u64,
    /// Their names, each with its time.
    rows: [(&'static str, u64); 6],
}

impl Times {
    /// In nanoseconds; `None`: there are none.
    pub(super) fn of(mut times: Vec<u64>) -> Option<Self> {
        times.sort_unstable();
        let (least, most) = (*times.first()?, *times.last()?);
        // The smallest value that so many of a thousand do not exceed.
        let at = |of_1000: usize| times[(times.len() * of_1000).div_ceil(1_000).clamp(1, times.len()) - 1];
        let mean = times.iter().map(|time| u128::from(*time)).sum::<u128>() / times.len() as u128;
        let rows = [
            ("min", least),
            ("p50", at(500)),
            ("p90", at(900)),
            ("p99", at(990)),
            ("p99.9", at(999)),
            ("max", most),
        ];
        Some(Self { count: times.len(), mean: u64::try_from(mean).unwrap_or(u64::MAX), rows })
    }

    /// That nothing was measured.
    pub(super) fn none() -> Self {
        Self { count: 0, mean: 0, rows: ["min", "p50", "p90", "p99", "p99.9", "max"].map(|name| (name, 0)) }
    }

    /// Adds them to an object.
    pub(super) fn put_in(&self, object: &mut Value) {
        object["mean_ns"] = self.mean.into();
        for (name, time) in self.rows {
            object[format!("{}_ns", name.replace('.', ""))] = time.into();
        }
    }

    pub(super) fn say(&self) -> std::io::Result<()> {
        let us = |ns: u64| format!("{}.{} us", ns / 1_000, ns % 1_000 / 100);
        let mut rows = [("mean", self.mean)].into_iter().chain(self.rows);
        rows.try_for_each(|(name, ns)| say(format_args!("  {name:<6} {:>14}", us(ns))))
    }
}

fn tell(node: &str, trips: Vec<u64>, json: bool) -> std::io::Result<()> {
    let times = Times::of(trips);
    if !json && times.is_none() {
        return say(format_args!("{node}: no round trip was measured"));
    }
    let times = times.unwrap_or_else(Times::none);
    if json {
        let mut object = json!({ "node": node, "round_trips": times.count });
        times.put_in(&mut object);
        return say(object);
    }
    say(format_args!("{node}: {} round trips", times.count))?;
    times.say()
}
