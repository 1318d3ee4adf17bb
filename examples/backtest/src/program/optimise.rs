//! `optimise`: generation by generation, looks where the best points so far are.
//!
//! The cross-entropy method (Rubinstein, 1999; de Boer, Kroese, Mannor and Rubinstein, "A Tutorial on the
//! Cross-Entropy Method", 2005), with a normal distribution for each parameter over the places of its values.
//! The first generation is drawn from all points alike. Each later one is drawn from the distributions, which
//! have moved by [`SMOOTHING`] towards mean and deviation of the best points so far, a quarter of a
//! generation. A point is run once; what the distributions find no more is drawn from all points again.
//! Draws follow from the seed and from the rows alone, so that the result is the same for any number of
//! threads.

use std::collections::{HashMap, HashSet};

use clap::ArgMatches;

use super::args::{OptimiseFlags, axes, flags};
use super::explore::{explore, joined, warning};
use super::sheet::SheetRow;
use super::space::Points;
use super::sweep::{Searched, empty, results};
use super::{Axis, Tunable};
use crate::chance::Random;
use crate::commands::{CommandError, make_folder};
use crate::config::ConfigError;
use crate::report::Effort;
use crate::search::normal_quantile;

/// How far a distribution moves towards the best points, as a share.
const SMOOTHING: f64 = 0.7;

/// The least deviation, in places: neighbours are always in reach.
const DEVIATION_MIN: f64 = 0.5;

/// Draws for each point wanted, of which most may be forbidden or have been run.
const DRAWS_MAX: usize = 100;

/// Most generations whose remarks are shown, beside the last one.
const REMARKS_MAX: usize = 3;

pub(super) fn execute(program: &dyn Tunable, matches: &ArgMatches) -> Result<String, CommandError> {
    let flags: OptimiseFlags = flags(matches)?;
    if flags.explore.search.samples.is_some() {
        let reason = "is for `sweep`; here --runs says how many points are tried".to_owned();
        return Err(ConfigError { flag: "--samples", reason }.into());
    }
    let search = flags.figures.chosen_by(flags.explore.search.search(program, matches)?, program)?;
    let mut cloud = Cloud::over(program, &axes(program, matches)?)?;
    let traded = flags.explore.market.open()?;
    make_folder(&flags.output.out)?;
    let mut sheet = empty(program, &search, &traded);
    let (runs, generation) = (flags.runs as usize, flags.generation as usize);
    let (threads, seed) = (flags.explore.search.threads, flags.explore.search.seed);
    let method = format!("cross-entropy, {runs} runs in generations of {generation}, seed {seed}");
    sheet.about.push(("method".to_owned(), method));
    let (mut random, mut tried) = (Random::new(seed), HashSet::new());
    let (mut remarks, mut took): (Vec<String>, Option<Effort>) = (Vec::new(), None);
    while tried.len() < runs {
        let wanted = generation.min(runs - tried.len());
        let points = cloud.draw(&search.points, wanted, &mut tried, &mut random);
        if points.is_empty() {
            break;
        }
        let finished = explore(program, &search, &traded.backtest, &points, threads, 0, |_| {})?;
        remarks.extend(warning(program, &search, &finished, points.len()));
        sheet.rows.extend(finished.rows.into_iter().map(|(_, (row, _))| row));
        took = Some(after(took, finished.effort));
        if finished.interrupted {
            break;
        }
        // Those without a score are last in the ranking, and no best ones.
        let mut best = sheet.ranked((generation / 4).max(2));
        best.retain(|row| !row.score.is_nan());
        cloud.approach(&best);
    }
    sheet.sort();
    let missing = in_short(remarks);
    let Some(best) = sheet.best() else {
        return Err(CommandError::NothingFinished(missing.unwrap_or_default()));
    };
    if sheet.is_unscored() {
        let why = search.objective.unscored(traded.backtest.bars(), sheet.traded());
        return Err(CommandError::NoScore(format!("finds nothing in {} runs: {why}", sheet.rows.len())));
    }
    if let Some(took) = &mut took {
        took.digest = sheet.digest();
    }
    let left_out = (tried.len() - sheet.rows.len(), missing);
    let mut text = results(&sheet, &flags.output, "", &left_out, took.as_ref())?;
    let searched = Searched {
        program,
        search: &search,
        traded: &traded,
        sheet: &sheet,
        sums: &[],
        blocks: 0,
        warning: left_out.1.as_deref(),
        output: &flags.output,
    };
    text.push_str(&searched.page(best)?);
    Ok(text)
}

/// The remarks of the first generations and that of the last one, which says whether it was interrupted.
fn in_short(mut remarks: Vec<String>) -> Option<String> {
    let last = remarks.pop();
    let more = remarks.len().saturating_sub(REMARKS_MAX);
    remarks.truncate(REMARKS_MAX);
    let more = (more != 0).then(|| format!("So it was in {more} more generations."));
    joined(remarks.into_iter().map(Some).chain([more, last]))
}

/// The effort of all generations so far.
fn after(before: Option<Effort>, now: Effort) -> Effort {
    let Some(before) = before else { return now };
    Effort {
        instances: before.instances + now.instances,
        elapsed_s: before.elapsed_s + now.elapsed_s,
        cpu_s: before.cpu_s + now.cpu_s,
        events: before.events + now.events,
        memory_peak_bytes: before.memory_peak_bytes.max(now.memory_peak_bytes),
        ..now
    }
}

/// Where the next points are drawn: a normal distribution of places for each parameter.
struct Cloud {
    /// The place of each value, by its bits, for each parameter.
    places: Vec<HashMap<u64, usize>>,
    /// Mean and deviation of each.
    shapes: Option<Vec<(f64, f64)>>,
}

impl Cloud {
    /// Everywhere.
    fn over(program: &dyn Tunable, axes: &[Axis]) -> Result<Self, CommandError> {
        let mut places = Vec::new();
        for (axis, parameter) in axes.iter().zip(program.parameters()) {
            // A stretch has made no points before this.
            let Axis::Values(list) = axis else { continue };
            let mut own = HashMap::with_capacity(list.len());
            for (at, value) in list.iter().enumerate() {
                if own.insert(key(*value), at).is_some() {
                    let reason = format!("names {} twice", parameter.show(*value));
                    return Err(ConfigError { flag: parameter.flag, reason }.into());
                }
            }
            places.push(own);
        }
        Ok(Self { places, shapes: None })
    }

    fn place(&self, parameter: usize, value: f64) -> usize {
        self.places[parameter].get(&key(value)).copied().unwrap_or(0)
    }

    /// Up to `wanted` points that were not tried before.
    fn draw(
        &self,
        points: &Points,
        wanted: usize,
        tried: &mut HashSet<usize>,
        random: &mut Random,
    ) -> Vec<usize> {
        let mut fresh = Vec::new();
        if let Some(shapes) = &self.shapes {
            for _ in 0..wanted * DRAWS_MAX {
                if fresh.len() == wanted {
                    break;
                }
                let places: Vec<usize> = self
                    .places
                    .iter()
                    .zip(shapes)
                    .map(|(list, shape)| near(*shape, list.len(), random))
                    .collect();
                fresh.extend(self.find(points, &places).filter(|index| tried.insert(*index)));
            }
        }
        for _ in 0..wanted * DRAWS_MAX {
            if fresh.len() == wanted {
                break;
            }
            fresh.extend(Some(random.below(points.count())).filter(|index| tried.insert(*index)));
        }
        fresh
    }

    /// The number of the point at these places, if it is allowed. Points ascend by their places.
    fn find(&self, points: &Points, places: &[usize]) -> Option<usize> {
        let is_before = |index: usize| {
            let own = points.get(index).iter().enumerate().map(|(at, value)| self.place(at, *value));
            own.cmp(places.iter().copied())
        };
        let (mut low, mut high) = (0, points.count());
        while low < high {
            let middle = low + (high - low) / 2;
            match is_before(middle) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// Moves towards the best points.
    fn approach(&mut self, best: &[&SheetRow]) {
        if best.is_empty() {
            return;
        }
        let count = best.len() as f64;
        let all =
            |list: &HashMap<u64, usize>| ((list.len() - 1) as f64 / 2.0, list.len() as f64 / 12_f64.sqrt());
        let before = self.shapes.take().unwrap_or_else(|| self.places.iter().map(all).collect());
        let moved = before.iter().enumerate().map(|(at, (mean, deviation))| {
            let places = best.iter().map(|row| self.place(at, row.point[at]) as f64);
            let center = places.clone().sum::<f64>() / count;
            let spread =
                (places.map(|place| (place - center) * (place - center)).sum::<f64>() / count).sqrt();
            let mixed = |new: f64, old: f64| SMOOTHING * new + (1.0 - SMOOTHING) * old;
            (mixed(center, *mean), mixed(spread, *deviation).max(DEVIATION_MIN))
        });
        self.shapes = Some(moved.collect());
    }
}

/// The bits of a value. Zero has one sign.
fn key(value: f64) -> u64 {
    (value + 0.0).to_bits()
}

/// A place below `count`, drawn from a normal distribution; the nearest one, if many draws are beyond.
fn near((mean, deviation): (f64, f64), count: usize, random: &mut Random) -> usize {
    let last = (count - 1) as f64;
    let mut place = mean;
    for _ in 0..DRAWS_MAX {
        place = (mean + deviation * normal_quantile(random.share())).round();
        if (0.0..=last).contains(&place) {
            break;
        }
    }
    place.clamp(0.0, last) as usize
}
