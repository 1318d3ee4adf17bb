//! `mycelium bench`.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use mycelium::frame::Header;
use serde_json::{Value, json};

use super::latency::Times;
use super::publish::{Writer, are_there, choose, is_wanted};
use super::{AttachArgs, Attached, Ends, lost, no_topic, seconds};
use crate::outcome::{self, Outcome, complain, say};

/// Most pings, and most messages.
const COUNT_MAX: i64 = 100_000_000;
/// Most times of pings that are kept: those of later ones are left out of the percentiles.
const TIMES_MAX: usize = 1_000_000;
/// Most pings on their way at the same time, as a link takes them.
const PIPELINE_MAX: i64 = 64;
/// The longest that one measurement may last.
const TIME_MAX: Duration = Duration::from_secs(3_600);
/// So many messages are published between two looks at the clock.
const LOOK_EVERY: u64 = 256;

/// Measure how much a running node takes: pings, and messages of a topic at full rate.
///
/// Many pings are on their way at the same time, so this is the rate of both link tasks and of the connection
/// between them; `mycelium latency` sends one at a time. With a topic and a value, that value is published to
/// the node again and again as fast as it takes it: its subscribers get every one of them, as real messages.
/// The rate counts until the node has acknowledged the last one. A node works on meanwhile, and a slow
/// subscriber there is what is measured then.
///
/// Each of both measurements ends after --count or after --seconds, whichever comes first.
///
/// Exit code 0 when both are done, or after Ctrl-C, 1 when the link is lost or nobody there subscribes to the
/// message, 2 when there is no link, or the value is none of the contract.
#[derive(Debug, clap::Args)]
pub(crate) struct BenchArgs {
    /// The topic; pings alone without it.
    #[arg(requires = "value")]
    topic: Option<String>,
    /// The value that is published to the topic, such as '{"price": 1.5}'.
    #[arg(long, value_name = "VALUE", requires = "topic")]
    value: Option<String>,
    /// Which message, where the topic carries several.
    #[arg(long, value_name = "NAME", requires = "topic")]
    message: Option<String>,
    #[command(flatten)]
    attach: AttachArgs,
    /// How many pings, and how many messages.
    #[arg(long, value_name = "N", default_value = "100000", value_parser = clap::value_parser!(i64).range(1..=COUNT_MAX))]
    count: i64,
    /// How long each measurement lasts at most, in seconds up to 3600.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = limited)]
    seconds: Duration,
    /// How many pings are on their way at the same time.
    #[arg(long, value_name = "N", default_value = "32", value_parser = clap::value_parser!(i64).range(1..=PIPELINE_MAX))]
    pipeline: i64,
    /// Print one JSON object; times in nanoseconds, unless their names say seconds.
    #[arg(long)]
    json: bool,
}

fn limited(text: &str) -> Result<Duration, String> {
    let time = seconds(text)?;
    if time > TIME_MAX {
        return Err(format!("give at most {} seconds", TIME_MAX.as_secs()));
    }
    Ok(time)
}

/// So many in so much time.
struct Rate {
    count: u64,
    took: Duration,
}

impl Rate {
    fn per_second(&self) -> u64 {
        let nanos = self.took.as_nanos().max(1);
        u64::try_from(u128::from(self.count) * 1_000_000_000 / nanos).unwrap_or(u64::MAX)
    }
}

/// Why a measurement has no figures.
enum NoFigures {
    Lost,
    /// It was said why.
    Said,
}

pub(crate) fn run(args: &BenchArgs) -> outcome::Result {
    let named = args.topic.as_deref().zip(args.value.as_deref());
    let contracts = if named.is_some() { args.attach.contracts()? } else { Vec::new() };
    if let Some((topic, _)) = named
        && contracts.iter().flat_map(|contract| &contract.messages).all(|message| message.topic != topic)
    {
        return Err(no_topic(&contracts, topic).into());
    }
    let writer = named.map(|(topic, value)| {
        let what = format!("on the topic `{topic}`");
        let writer = choose(&contracts, args.message.as_deref(), &what, |message| message.topic == topic)?;
        // A mistake in the value is one, whether or not the node is there.
        let (header, bytes) = writer.write(value)?;
        Ok::<_, Box<dyn std::error::Error>>((writer, header, bytes))
    });
    let written = writer.transpose()?;
    super::run(async |mut ends| {
        let attached = Arc::new(args.attach.attach(&contracts, &mut ends).await?);
        let mut figures = json!({ "node": *attached.node });
        match pings(args, &attached, &mut ends).await {
            Some((rate, times)) => tell_pings(args, &attached.node, &rate, &times, &mut figures)?,
            None => return lost(&attached),
        }
        if let Some((writer, header, bytes)) = &written
            && !ends.is_asked()
        {
            match messages(args, writer, (header, bytes), &attached, &mut ends).await? {
                Ok(rate) => tell_messages(args, writer, bytes.len(), &attached.node, &rate, &mut figures)?,
                Err(NoFigures::Lost) => return lost(&attached),
                Err(NoFigures::Said) => return Ok(Outcome::No),
            }
        }
        if args.json {
            say(figures)?;
        }
        if let Some(attached) = Arc::into_inner(attached) {
            attached.end().await?;
        }
        Ok(Outcome::Fine)
    })
}

/// Keeps as many pings on their way as there may be; `None`: the link is lost.
async fn pings(args: &BenchArgs, attached: &Arc<Attached>, ends: &mut Ends) -> Option<(Rate, Times)> {
    let left = Arc::new(AtomicI64::new(args.count));
    let each_keeps = TIMES_MAX / usize::try_from(args.pipeline).unwrap_or(1).max(1);
    let began = Instant::now();
    let until = began + args.seconds;
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..args.pipeline {
        let (left, attached, mut ends) = (Arc::clone(&left), Arc::clone(attached), ends.clone());
        asking.spawn(async move {
            let (mut count, mut trips) = (0_u64, Vec::new());
            while left.fetch_sub(1, Ordering::Relaxed) > 0 && Instant::now() < until && !ends.is_asked() {
                let trip = tokio::select! {
                    biased;
                    trip = attached.dialer.round_trip() => trip?,
                    () = ends.asked() => break,
                };
                count += 1;
                if trips.len() < each_keeps {
                    trips.push(u64::try_from(trip.as_nanos()).unwrap_or(u64::MAX));
                }
            }
            Some((count, trips))
        });
    }
    let (mut count, mut all) = (0, Vec::new());
    while let Some(asked) = asking.join_next().await {
        let (more, trips) = asked.ok()??;
        count += more;
        all.extend(trips);
    }
    let rate = Rate { count, took: began.elapsed() };
    Some((rate, Times::of(all).unwrap_or_else(Times::none)))
}

fn tell_pings(
    args: &BenchArgs,
    node: &str,
    rate: &Rate,
    times: &Times,
    figures: &mut Value,
) -> std::io::Result<()> {
    let (seconds, per_second) = (rate.took.as_secs_f64(), rate.per_second());
    if args.json {
        let mut pings = json!({
            "count": rate.count, "pipelined": args.pipeline, "seconds": seconds, "per_second": per_second,
        });
        times.put_in(&mut pings);
        figures["pings"] = pings;
        return Ok(());
    }
    say(format_args!(
        "{node}: {} pings, {} at a time, in {seconds:.3} s: {per_second} per second; each there and back",
        rate.count, args.pipeline
    ))?;
    times.say()
}

/// Publishes the value as fast as the node takes it, until it has acknowledged the last one.
async fn messages(
    args: &BenchArgs,
    writer: &Writer<'_>,
    (header, bytes): (&Header, &[u8]),
    attached: &Attached,
    ends: &mut Ends,
) -> Result<Result<Rate, NoFigures>, Box<dyn std::error::Error>> {
    let name = &*writer.message.name;
    if !is_wanted(name, attached, args.attach.node.within()).await? {
        return Ok(Err(NoFigures::Said));
    }
    let most = u64::try_from(args.count).unwrap_or_default();
    let began = Instant::now();
    let mut waits_until = Box::pin(tokio::time::sleep(args.seconds));
    let mut sent = 0;
    while sent < most {
        if sent % LOOK_EVERY == 0 && (began.elapsed() >= args.seconds || ends.is_asked()) {
            break;
        }
        tokio::select! {
            biased;
            published = attached.bus.publish_wire(header, bytes) => published?,
            // It waits for room at the node.
            () = &mut waits_until => break,
            () = ends.asked() => break,
        }
        sent += 1;
    }
    if !attached.is_linked() {
        return Ok(Err(NoFigures::Lost));
    }
    let within = args.attach.node.within();
    let cause = match tokio::time::timeout(within, are_there(name, sent, attached, ends)).await {
        Ok(Ok(())) => return Ok(Ok(Rate { count: sent, took: began.elapsed() })),
        Ok(Err(cause)) => cause,
        Err(_) => format!(
            "`{}` has not acknowledged all of {sent} within {within:?}: a subscriber there does not keep up",
            attached.node
        ),
    };
    complain(format_args!("error: {cause}"));
    Ok(Err(NoFigures::Said))
}

fn tell_messages(
    args: &BenchArgs,
    writer: &Writer<'_>,
    len: usize,
    node: &str,
    rate: &Rate,
    figures: &mut Value,
) -> std::io::Result<()> {
    let (name, seconds, per_second) = (&*writer.message.name, rate.took.as_secs_f64(), rate.per_second());
    let bytes_per_second = per_second.saturating_mul(len as u64);
    if args.json {
        figures["messages"] = json!({
            "message": name, "count": rate.count, "value_bytes": len, "seconds": seconds,
            "per_second": per_second, "bytes_per_second": bytes_per_second,
        });
        return Ok(());
    }
    let (whole, tenth) = (bytes_per_second / 1_000_000, bytes_per_second % 1_000_000 / 100_000);
    say(format_args!(
        "{node}: {} `{name}` of {len} bytes in {seconds:.3} s: {per_second} per second, {whole}.{tenth} MB/s of values",
        rate.count
    ))
}
