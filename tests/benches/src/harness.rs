//! Rounds, medians, the table on the screen and the raw output.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use serde_json::json;

/// Rounds of each contender unless the caller says otherwise.
pub(crate) const ROUNDS: usize = 9;

/// The most rounds that can be asked for.
pub(crate) const ROUNDS_MAX: usize = 1_000;

/// The name under which Mycelium competes: ratios are against it.
pub(crate) const OURS: &str = "mycelium";

/// One round of one contender: runs it and returns the figure.
pub(crate) type Round = Box<dyn FnMut() -> f64>;

/// One round of one contender that gives a figure for each of several cases.
pub(crate) type Stages = Box<dyn FnMut() -> Vec<f64>>;

/// All samples of a run.
#[derive(Debug)]
pub(crate) struct Report {
    rounds: usize,
    started: u64,
    samples: BTreeMap<Key, Vec<f64>>,
}

/// What a sample belongs to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    scenario: &'static str,
    case: String,
    contender: String,
    unit: &'static str,
}

impl Report {
    /// An empty report of a run with `rounds` rounds.
    pub(crate) fn new(rounds: usize) -> Self {
        let started = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs());
        Self { rounds, started, samples: BTreeMap::new() }
    }

    /// Lets the contenders take turns for the rounds of this run, then prints the case as a table.
    pub(crate) fn contest(
        &mut self,
        scenario: &'static str,
        case: &str,
        unit: &'static str,
        contenders: Vec<(&str, Round)>,
    ) {
        let one = |(name, mut run): (_, Round)| (name, Box::new(move || vec![run()]) as Stages);
        self.stages(scenario, &[case], unit, contenders.into_iter().map(one).collect());
    }

    /// The same for rounds with several cases.
    pub(crate) fn stages(
        &mut self,
        scenario: &'static str,
        cases: &[&str],
        unit: &'static str,
        mut contenders: Vec<(&str, Stages)>,
    ) {
        let names: Vec<&str> = contenders.iter().map(|(name, _)| *name).collect();
        for round in 0..=self.rounds {
            // Another one begins each round: a busy system takes the core from whoever has just got it.
            contenders.rotate_left(usize::from(round > 0));
            for (name, run) in &mut contenders {
                let figures = run();
                assert_eq!(figures.len(), cases.len(), "one figure for each case");
                // The first round warms caches, the allocator and the branch predictor, and is not counted.
                if round > 0 {
                    for (case, figure) in cases.iter().zip(figures) {
                        self.add(scenario, case, name, unit, figure);
                    }
                }
            }
        }
        cases.iter().for_each(|case| self.print(scenario, case, unit, &names));
    }

    fn print(&self, scenario: &str, case: &str, unit: &str, contenders: &[&str]) {
        println!("\n{scenario}: {case}, {unit}");
        let ours = self.median(scenario, case, OURS);
        for name in contenders {
            let samples = self.samples_of(scenario, case, name);
            let median = median(samples);
            let ratio = match ours {
                Some(ours) if *name != OURS => format!("{:>8.2}x", median / ours),
                _ => String::new(),
            };
            let best = samples.iter().copied().fold(f64::INFINITY, f64::min);
            println!("  {name:<28} {:>12} {ratio:>9}   best {}", figure(median), figure(best));
        }
    }

    /// Keeps one sample.
    pub(crate) fn add(
        &mut self,
        scenario: &'static str,
        case: &str,
        contender: &str,
        unit: &'static str,
        value: f64,
    ) {
        let key = Key { scenario, case: case.to_owned(), contender: contender.to_owned(), unit };
        self.samples.entry(key).or_default().push(value);
    }

    /// The median of a contender in a case, if it ran.
    pub(crate) fn median(&self, scenario: &str, case: &str, contender: &str) -> Option<f64> {
        let samples = self.samples_of(scenario, case, contender);
        (!samples.is_empty()).then(|| median(samples))
    }

    /// One line about the machine, from what Linux tells.
    pub(crate) fn machine(&self) -> String {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let cpuinfo = read("/proc/cpuinfo");
        let model = cpuinfo.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
        let cores = std::thread::available_parallelism().map_or(0, usize::from);
        let kernel = read("/proc/sys/kernel/osrelease");
        let load = read("/proc/loadavg");
        let load = load.split(' ').next().unwrap_or("?");
        let cpu = model.trim_start_matches([' ', '\t', ':']);
        format!("{cpu}, {cores} cores, Linux {}, load {load}, unix time {}", kernel.trim(), self.started)
    }

    /// Appends every sample to `target/bench/SCENARIO.jsonl`, writes `targets.md`, and returns the folder.
    pub(crate) fn save(&self, targets: Option<&str>) -> io::Result<PathBuf> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/bench");
        fs::create_dir_all(&folder)?;
        for (key, samples) in &self.samples {
            let path = folder.join(format!("{}.jsonl", key.scenario));
            let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
            let line = json!({
                "started": self.started,
                "machine": self.machine(),
                "scenario": key.scenario,
                "case": key.case,
                "contender": key.contender,
                "unit": key.unit,
                "median": median(samples),
                "samples": samples,
            });
            writeln!(file, "{line}")?;
        }
        if let Some(table) = targets {
            fs::write(folder.join("targets.md"), format!("{}\n\n{table}", self.machine()))?;
        }
        fs::canonicalize(folder)
    }

    fn samples_of(&self, scenario: &str, case: &str, contender: &str) -> &[f64] {
        let found = self
            .samples
            .iter()
            .find(|(key, _)| key.scenario == scenario && key.case == case && key.contender == contender);
        found.map_or(&[], |(_, samples)| samples)
    }
}

/// The middle of the samples; 0 for none.
pub(crate) fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

/// What reading the clock twice costs, in nanoseconds: taken off figures that time a single call.
pub(crate) fn clock_cost() -> f64 {
    let pairs: Vec<f64> = (0..10_001).map(|_| Instant::now().elapsed().as_nanos() as f64).collect();
    median(&pairs)
}

/// Three significant digits, whatever the size.
fn figure(value: f64) -> String {
    match value.abs() {
        small if small < 10.0 => format!("{value:.2}"),
        middle if middle < 1_000.0 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}
