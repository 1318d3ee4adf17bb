//! Mycelium and its peers, measured side by side in one process and one run.
//!
//! ```text
//! cargo xtask bench                 # everything
//! cargo xtask bench fanout ask      # scenarios whose name holds one of the words
//! cargo xtask bench --rounds 3 ask  # fewer rounds (the default is 9)
//! ```
//!
//! Rounds are interleaved (A B C A B C ...), so that a noisy minute of the machine falls on all contenders
//! alike; the table shows medians and their ratio to Mycelium. Every sample is kept in
//! `target/bench/SCENARIO.jsonl`.
#![forbid(unsafe_code)]

mod alone;
mod ask;
mod carrier;
mod codec;
mod count;
mod crash;
mod crowd;
mod grid;
mod harness;
mod heard;
mod links;
mod load;
mod ours;
mod peers;
mod pool;
mod routing;
mod supervised;
mod targets;
mod to_and_fro;
mod wire;

use std::process::ExitCode;

use harness::Report;

/// A scenario's name and how to run it.
type Scenario = (&'static str, fn(&mut Report));

const SCENARIOS: &[Scenario] = &[
    ("throughput", carrier::throughput),
    ("publish", carrier::publish_call),
    ("many-to-one", carrier::many_to_one),
    ("fanout", carrier::fan_out),
    ("ask", ask::round_trip),
    ("pool", pool::pools),
    ("thread", pool::own_threads),
    ("crowd", crowd::spawn_and_stop),
    ("memory", crowd::memory),
    ("crash", crash::crash_to_next),
    ("family", crash::crash_among_many),
    ("tree", crash::large_tree),
    ("backoff", crash::publish_to_waiting),
    ("isolate", alone::isolates),
    ("routing", routing::against_direct_calls),
    ("codec", codec::against_rkyv),
    ("wire", wire::against_types),
    ("links", links::against_bare_sockets),
    ("backtest", grid::against_plain_loop),
];

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if let [flag, contender] = args.as_slice()
        && flag == crowd::MEMORY_FLAG
    {
        return crowd::print_memory(contender);
    }
    if args == [alone::MEMORY_FLAG] {
        return alone::print_memory();
    }
    if let [flag, what, times] = args.as_slice()
        && flag == count::FLAG
    {
        return count::run(what, times);
    }
    let mut words = Vec::new();
    let mut rounds = harness::ROUNDS;
    let mut rest = args.into_iter();
    while let Some(arg) = rest.next() {
        match arg.as_str() {
            "--rounds" => match rest.next().and_then(|number| number.parse().ok()) {
                Some(number @ 1..=harness::ROUNDS_MAX) => rounds = number,
                _ => return usage("--rounds takes a number from 1 to 1000"),
            },
            flag if flag.starts_with('-') => return usage(&format!("`{flag}` is no flag")),
            _ => words.push(arg),
        }
    }
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word.as_str()));
    let chosen: Vec<&Scenario> = SCENARIOS.iter().filter(|(name, _)| wanted(name)).collect();
    if chosen.is_empty() {
        return usage(&format!("no scenario holds {}", words.join(" or ")));
    }
    let mut report = Report::new(rounds);
    println!("{}\n{rounds} rounds, interleaved; medians", report.machine());
    for (_, run) in chosen {
        run(&mut report);
    }
    let table = targets::table(&report);
    if let Some(table) = &table {
        println!("\n{table}");
    }
    match report.save(table.as_deref()) {
        Ok(folder) => {
            println!("\nRaw output: {}", folder.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: the raw output cannot be written: {error}");
            ExitCode::FAILURE
        }
    }
}

fn usage(problem: &str) -> ExitCode {
    let names: Vec<&str> = SCENARIOS.iter().map(|(name, _)| *name).collect();
    eprintln!(
        "error: {problem}\nusage: cargo xtask bench [--rounds N] [WORD...]\nscenarios: {}",
        names.join(", ")
    );
    ExitCode::from(2)
}
