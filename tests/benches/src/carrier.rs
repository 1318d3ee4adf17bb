//! Scenarios that carry messages from publishers to actors: throughput, the publish call, many to one,
//! fan-out.

use std::future::Future;
use std::time::Instant;

use crate::harness::{OURS, Report, Round, clock_cost, median};
use crate::load::{Counter, FLAVOURS, Flavour, Large, Load, Small};
use crate::ours;
use crate::peers::{channels, kameo, ractor};

/// Messages per round, for every contender alike.
const MESSAGES: u64 = 400_000;
/// Publishes per round of a fan-out: each reaches up to sixteen subscribers.
const FAN_OUT_MESSAGES: u64 = 50_000;
/// Timed calls per round.
const CALLS: u64 = 20_000;
/// Calls timed together while the subscriber is busy: one clock pair for all of them.
const CALLS_AT_ONCE: u64 = 16;

/// A way to carry messages from tasks to receivers. Everyone gets everything, in order, nothing lost.
pub(crate) trait Carrier<M: Load>: Sized + Send + 'static {
    /// The sending side, one per publisher.
    type Sender: Send + 'static;

    /// Starts one receiver for each counter; it handles what arrives with [`Counter::see`].
    fn start(counters: Vec<Counter>) -> impl Future<Output = Self> + Send;

    /// A sender for one more publisher.
    fn sender(&self) -> Self::Sender;

    /// Publishes to all receivers, waiting for room.
    fn send(sender: &mut Self::Sender, message: M) -> impl Future<Output = ()> + Send;

    /// Ends the receivers.
    fn stop(self) -> impl Future<Output = ()> + Send;
}

/// One publisher to one actor.
pub(crate) fn throughput(report: &mut Report) {
    for flavour in FLAVOURS {
        let mut contenders = single::<Small>(flavour, 1);
        contenders
            .push(("tokio broadcast", flow::<channels::Broadcast<Small>, Small>(flavour, 1, 1, MESSAGES)));
        if flavour == Flavour::Multi {
            contenders
                .push(("crossbeam, OS threads", Box::new(|| channels::crossbeam_threads::<Small>(MESSAGES))));
        }
        report.contest(
            "throughput",
            &format!("1 to 1, 64 B, {}", flavour.name()),
            "ns per message",
            contenders,
        );
    }
}

/// Sixteen publishers to one actor.
pub(crate) fn many_to_one(report: &mut Report) {
    for flavour in FLAVOURS {
        let case = format!("16 to 1, 64 B, {}", flavour.name());
        report.contest("many-to-one", &case, "ns per message", single::<Small>(flavour, 16));
    }
}

/// One publisher to 1, 4 and 16 actors: the publisher's own share first, then the whole delivery.
pub(crate) fn fan_out(report: &mut Report) {
    for flavour in FLAVOURS {
        for subscribers in [1, 4, 16] {
            fan_out_call(report, flavour, subscribers);
        }
        for subscribers in [1, 4, 16] {
            fan_out_case::<Small>(report, flavour, subscribers);
        }
        for subscribers in [1, 4, 16] {
            fan_out_case::<Large>(report, flavour, subscribers);
        }
    }
}

/// The time a publisher spends in one call, with the subscriber asleep and with the subscriber working.
pub(crate) fn publish_call(report: &mut Report) {
    for flavour in FLAVOURS {
        for idle in [true, false] {
            let state = if idle { "idle" } else { "busy" };
            let case = format!("subscriber {state}, 64 B, {}", flavour.name());
            let contenders: Vec<(&str, Round)> = vec![
                (OURS, call::<ours::Topic<Small>>(flavour, 1, idle)),
                ("mycelium tell", call::<ours::Tell<Small>>(flavour, 1, idle)),
                ("tokio mpsc(1024)", call::<channels::Mpsc<Small>>(flavour, 1, idle)),
                ("tokio unbounded", call::<channels::Unbounded<Small>>(flavour, 1, idle)),
                ("flume(1024)", call::<channels::Flume<Small>>(flavour, 1, idle)),
                ("kameo tell(1024)", call::<kameo::Tell<Small>>(flavour, 1, idle)),
                ("ractor cast", call::<ractor::Cast<Small>>(flavour, 1, idle)),
            ];
            report.contest("publish", &case, "ns per call, p50", contenders);
        }
    }
}

/// What a publisher spends in its call, whatever its subscribers do with the message later or meanwhile.
fn fan_out_call(report: &mut Report, flavour: Flavour, subscribers: usize) {
    let case = format!("publisher's call, 1 to {subscribers}, 64 B, {}", flavour.name());
    let contenders: Vec<(&str, Round)> = vec![
        (OURS, call::<ours::Topic<Small>>(flavour, subscribers, false)),
        ("tokio broadcast", call::<channels::Broadcast<Small>>(flavour, subscribers, false)),
        ("tokio broadcast of Arc", call::<channels::BroadcastArc<Small>>(flavour, subscribers, false)),
        ("tokio mpsc(1024), loop", call::<channels::Mpsc<Small>>(flavour, subscribers, false)),
        ("kameo tell(1024), loop", call::<kameo::Tell<Small>>(flavour, subscribers, false)),
        ("ractor cast, loop", call::<ractor::Cast<Small>>(flavour, subscribers, false)),
    ];
    report.contest("fanout", &case, "ns per call, p50", contenders);
}

fn fan_out_case<M: Load>(report: &mut Report, flavour: Flavour, subscribers: usize) {
    let case = format!("1 to {subscribers}, {}, {}", M::SIZE, flavour.name());
    let number = FAN_OUT_MESSAGES;
    let contenders: Vec<(&str, Round)> = vec![
        (OURS, flow::<ours::Topic<M>, M>(flavour, 1, subscribers, number)),
        ("tokio broadcast", flow::<channels::Broadcast<M>, M>(flavour, 1, subscribers, number)),
        ("tokio broadcast of Arc", flow::<channels::BroadcastArc<M>, M>(flavour, 1, subscribers, number)),
        ("tokio mpsc(1024), loop", flow::<channels::Mpsc<M>, M>(flavour, 1, subscribers, number)),
        ("kameo tell(1024), loop", flow::<kameo::Tell<M>, M>(flavour, 1, subscribers, number)),
        ("ractor cast, loop", flow::<ractor::Cast<M>, M>(flavour, 1, subscribers, number)),
    ];
    report.contest("fanout", &case, "ns per publish", contenders);
}

/// The contenders that have one receiver.
fn single<M: Load>(flavour: Flavour, publishers: usize) -> Vec<(&'static str, Round)> {
    vec![
        (OURS, flow::<ours::Topic<M>, M>(flavour, publishers, 1, MESSAGES)),
        ("mycelium tell", flow::<ours::Tell<M>, M>(flavour, publishers, 1, MESSAGES)),
        ("tokio mpsc(1024)", flow::<channels::Mpsc<M>, M>(flavour, publishers, 1, MESSAGES)),
        ("tokio unbounded", flow::<channels::Unbounded<M>, M>(flavour, publishers, 1, MESSAGES)),
        ("flume(1024)", flow::<channels::Flume<M>, M>(flavour, publishers, 1, MESSAGES)),
        ("async-channel(1024)", flow::<channels::AsyncChannel<M>, M>(flavour, publishers, 1, MESSAGES)),
        ("kameo tell(1024)", flow::<kameo::Tell<M>, M>(flavour, publishers, 1, MESSAGES)),
        ("ractor cast", flow::<ractor::Cast<M>, M>(flavour, publishers, 1, MESSAGES)),
    ]
}

fn flow<C: Carrier<M>, M: Load>(
    flavour: Flavour,
    publishers: usize,
    subscribers: usize,
    messages: u64,
) -> Round {
    Box::new(move || flavour.run(flow_once::<C, M>(publishers, subscribers, messages)))
}

/// Nanoseconds per publish, from the first publish to the last message handled by the last receiver.
pub(crate) async fn flow_once<C: Carrier<M>, M: Load>(
    publishers: usize,
    subscribers: usize,
    messages: u64,
) -> f64 {
    let share = messages / publishers as u64;
    let total = share * publishers as u64;
    let (counters, watches): (Vec<_>, Vec<_>) = (0..subscribers).map(|_| Counter::new(total)).unzip();
    let carrier = C::start(counters).await;
    let senders: Vec<C::Sender> = (0..publishers).map(|_| carrier.sender()).collect();
    let begin = Instant::now();
    let publish = |mut sender: C::Sender| async move {
        for number in 0..share {
            C::send(&mut sender, M::new(number)).await;
        }
    };
    let tasks: Vec<_> = senders.into_iter().map(|sender| tokio::spawn(publish(sender))).collect();
    for task in tasks {
        task.await.expect("the publisher does not panic");
    }
    let expected = (share * (share - 1) / 2) * publishers as u64;
    for watch in watches {
        assert_eq!(watch.done.await, Ok(expected), "every message arrives, unchanged");
    }
    let elapsed = begin.elapsed();
    carrier.stop().await;
    elapsed.as_nanos() as f64 / total as f64
}

fn call<C: Carrier<Small>>(flavour: Flavour, subscribers: usize, idle: bool) -> Round {
    let clock = clock_cost();
    Box::new(move || flavour.run(call_once::<C>(subscribers, idle, clock)))
}

/// The median of a call, in nanoseconds, less what the clock costs.
async fn call_once<C: Carrier<Small>>(subscribers: usize, idle: bool, clock: f64) -> f64 {
    let at_once = if idle { 1 } else { CALLS_AT_ONCE };
    let rounds = if idle { CALLS / 4 } else { CALLS / at_once };
    let (counters, watches): (Vec<_>, Vec<_>) =
        (0..subscribers).map(|_| Counter::new(rounds * at_once)).unzip();
    let carrier = C::start(counters).await;
    let mut sender = carrier.sender();
    let mut samples = Vec::with_capacity(usize::try_from(rounds).unwrap_or_default());
    let mut sent = 0;
    for round in 0..rounds {
        let begin = Instant::now();
        for number in 0..at_once {
            C::send(&mut sender, Small::new(sent + number)).await;
        }
        samples.push((begin.elapsed().as_nanos() as f64 - clock) / at_once as f64);
        sent += at_once;
        // Idle: everything is handled, and a few more turns let the receiver fall asleep. Busy: the backlog
        // stays short of the capacity of 1,024, so that no call waits for room.
        if idle || round % 16 == 15 {
            while watches.iter().any(|watch| watch.progress.handled() < sent) {
                tokio::task::yield_now().await;
            }
        }
        for _ in 0..if idle { 4 } else { 0 } {
            tokio::task::yield_now().await;
        }
    }
    for watch in watches {
        assert_eq!(watch.done.await, Ok(sent * (sent - 1) / 2), "every message arrives, unchanged");
    }
    drop(sender);
    carrier.stop().await;
    median(&samples)
}
