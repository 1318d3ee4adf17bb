//! Isolates: what one costs to create and to keep, and what an event costs inside.

use std::process::ExitCode;
use std::time::Instant;

use mycelium::{ActorRef, Isolate, Service};

use crate::crowd::resident_bytes;
use crate::harness::{OURS, Report, Round};
use crate::to_and_fro::{Clockwork, Left, Ping, Right, Source, Sum};

/// Isolates alive at once.
const ISOLATES: usize = 10_000;
/// Events per round.
const EVENTS: u64 = 1_000_000;

/// Makes this program print the bytes per isolate and end.
pub(crate) const MEMORY_FLAG: &str = "--memory-of-isolates";

/// Creation, memory and event cost. There is no peer to be measured against: the targets are absolute.
pub(crate) fn isolates(report: &mut Report) {
    let contenders: Vec<(&str, Round)> =
        vec![(OURS, Box::new(|| creation(true))), ("mycelium, no actors", Box::new(|| creation(false)))];
    report.contest("isolate", "create with two actors", "us per isolate", contenders);
    let contenders: Vec<(&str, Round)> = vec![(OURS, Box::new(memory_in_fresh_process))];
    report.contest("isolate", "10,000 alive, two actors each, each has run", "bytes per isolate", contenders);
    let contenders: Vec<(&str, Round)> = vec![
        (OURS, Box::new(|| stream_cost(EVENTS, Source(EVENTS), 1))),
        ("mycelium, to four", Box::new(|| stream_cost(EVENTS, Source(EVENTS), 4))),
        ("mycelium, one in each moment", Box::new(|| stream_cost(EVENTS, Clockwork(EVENTS), 1))),
    ];
    report.contest("isolate", "publish to handled, 64 B, a stream", "ns per event", contenders);
    let contenders: Vec<(&str, Round)> = vec![(OURS, Box::new(|| chain_cost(EVENTS)))];
    report.contest("isolate", "publish to handled, 64 B, each causes the next", "ns per event", contenders);
}

/// What the child process of the memory case does: keeps the isolates alive and prints what each added.
pub(crate) fn print_memory() -> ExitCode {
    let before = resident_bytes();
    let mut alive = Vec::with_capacity(ISOLATES);
    for seed in 0..ISOLATES {
        let (mut isolate, actors) = with_actors(seed as u64);
        isolate.publish(Ping([10; 8])).expect("there is room");
        isolate.run().expect("the run ends");
        alive.push((isolate, actors));
    }
    println!("{}", (resident_bytes() - before) / ISOLATES as f64);
    drop(alive);
    ExitCode::SUCCESS
}

fn memory_in_fresh_process() -> f64 {
    crate::crowd::figure_of_child(&[MEMORY_FLAG])
}

fn with_actors(seed: u64) -> (Isolate, (ActorRef<Left>, ActorRef<Right>)) {
    let mut isolate = Isolate::new(seed);
    let left = isolate.spawn(Left::default()).expect("the actor starts");
    let right = isolate.spawn(Right::default()).expect("the actor starts");
    (isolate, (left, right))
}

fn creation(actors: bool) -> f64 {
    let mut alive = Vec::with_capacity(ISOLATES);
    let mut bare = Vec::with_capacity(ISOLATES);
    let begin = Instant::now();
    for seed in 0..ISOLATES as u64 {
        if actors {
            alive.push(with_actors(seed));
        } else {
            bare.push(Isolate::new(seed));
        }
    }
    begin.elapsed().as_secs_f64() * 1e6 / ISOLATES as f64
}

/// A service publishes so many events to actors. Per publish, however many hear it.
pub(crate) fn stream_cost(events: u64, source: impl Service, actors: usize) -> f64 {
    let mut isolate = Isolate::new(1);
    isolate.limit_events(u64::MAX);
    let sums: Vec<_> =
        (0..actors).map(|_| isolate.spawn(Sum::default()).expect("the actor starts")).collect();
    isolate.spawn_service(source).expect("the service starts");
    let begin = Instant::now();
    isolate.run().expect("the run ends");
    let elapsed = begin.elapsed();
    for sum in sums {
        let sum = isolate.take(&sum).expect("the actor is idle").0;
        assert_eq!(sum, events * (events - 1) / 2, "every event is handled");
    }
    elapsed.as_nanos() as f64 / events as f64
}

/// Two actors send a number to and fro: no event can begin before the one that causes it has ended.
pub(crate) fn chain_cost(events: u64) -> f64 {
    let (mut isolate, (left, right)) = with_actors(1);
    isolate.limit_events(u64::MAX);
    isolate.publish(Ping([events / 2; 8])).expect("there is room");
    let begin = Instant::now();
    isolate.run().expect("the run ends");
    let elapsed = begin.elapsed();
    let left = isolate.take(&left).expect("the actor is idle").0;
    let right = isolate.take(&right).expect("the actor is idle").0;
    assert_eq!((left, right), (events / 2 + 1, events / 2 + 1), "every event is handled");
    elapsed.as_nanos() as f64 / (left + right) as f64
}
