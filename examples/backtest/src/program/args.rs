//! The command line of a program: flags of its own parameters beside those that all have.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::condition::Condition;
use super::monte::Method;
use super::objective::{Objective, parse_figures};
use super::space::Points;
use super::trade::TradeArgs;
use super::{Axis, Parameter, ParameterKind, Tunable};
use crate::args::DataArgs;
use crate::commands::CommandError;
use crate::config::ConfigError;
use crate::limits::{PATHS_MAX, POINTS_MAX, SHARDS_MAX};
use crate::performance::FigureRow;
use crate::results::COLUMNS;

/// What is traded and on which terms: the flags of all commands.
#[derive(Clone, Debug, Args)]
pub(super) struct MarketFlags {
    #[command(flatten)]
    pub(super) data: DataArgs,
    #[command(flatten)]
    pub(super) trade: TradeArgs,
}

/// What is searched on which market: the flags of all commands that search.
#[derive(Clone, Debug, Args)]
pub(super) struct ExploreFlags {
    #[command(flatten)]
    pub(super) market: MarketFlags,
    #[command(flatten)]
    pub(super) search: SearchFlags,
}

/// Flags of `run`.
#[derive(Clone, Debug, Args)]
pub(super) struct RunFlags {
    #[command(flatten)]
    pub(super) market: MarketFlags,
    /// Also write trades.parquet, orders.parquet and equity.parquet
    #[arg(long, requires = "out")]
    pub(super) parquet: bool,
    /// Also write trades.arrow, orders.arrow and equity.arrow, which polars and pandas map into memory
    #[arg(long, requires = "out")]
    pub(super) arrow: bool,
    /// Folder for report.html, report.json, trades.csv, orders.csv and equity.csv; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Print one JSON object instead of the table
    #[arg(long)]
    pub(super) json: bool,
}

/// What is searched, and for what.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Search")]
pub(super) struct SearchFlags {
    /// Points that are to be tried: comparisons joined by `and`, such as `fast < slow`
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,
    /// Draw so many points at random instead of trying all
    #[arg(long, value_name = "N")]
    pub(super) samples: Option<usize>,
    /// Seed of random numbers: the same seed gives the same ones
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// The figure to maximise, with `-` before it to minimise; the program's own, or else `sharpe`
    #[arg(long, value_name = "FIGURE", allow_hyphen_values = true)]
    objective: Option<String>,
    /// Threads; all cores unless given
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
}

/// What each row of a search tells beside its usual figures.
#[derive(Clone, Debug, Args)]
pub(super) struct FigureFlags {
    /// Further figures of each row, such as `sortino,calmar,win_rate_pct`. Keeps all of each run while it is
    /// looked at, so that a search takes longer
    #[arg(long, value_name = "NAMES")]
    figures: Option<String>,
}

impl FigureFlags {
    /// The search with the figures that were chosen.
    pub(super) fn chosen_by(&self, search: Search, program: &dyn Tunable) -> Result<Search, CommandError> {
        let Some(text) = &self.figures else { return Ok(search) };
        let chosen = parse_figures(text, program).map_err(|reason| refused("figures", reason))?;
        Ok(Search { chosen, ..search })
    }
}

/// Flags of `sweep`.
#[derive(Clone, Debug, Args)]
pub(super) struct SweepFlags {
    #[command(flatten)]
    pub(super) explore: ExploreFlags,
    #[command(flatten)]
    pub(super) figures: FigureFlags,
    /// Run part I of N alone: `merge` makes one of the parts
    #[arg(long, value_name = "I/N")]
    pub(super) shard: Option<Shard>,
    /// Also cross-validate over so many blocks of days, an even number up to 16: the probability that the
    /// best is luck. Keeps all runs, so that a sweep takes longer and begins anew; not of a part
    #[arg(long, value_name = "BLOCKS", default_value_t = 0, conflicts_with = "shard")]
    pub(super) overfitting: usize,
    /// Begin anew, even if the folder holds a part of this sweep or all of it
    #[arg(long)]
    pub(super) fresh: bool,
    #[command(flatten)]
    pub(super) output: SheetFlags,
}

/// Where the rows of a search go.
#[derive(Clone, Debug, Args)]
pub(super) struct SheetFlags {
    /// Folder for the results; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(super) out: PathBuf,
    /// Rows to print, best first
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(super) top: usize,
    /// Also write results.parquet
    #[arg(long)]
    pub(super) parquet: bool,
    /// Also write results.arrow
    #[arg(long)]
    pub(super) arrow: bool,
    /// Print one JSON object instead of the table; progress still goes to stderr
    #[arg(long)]
    pub(super) json: bool,
}

/// Flags of `optimise`.
#[derive(Clone, Debug, Args)]
pub(super) struct OptimiseFlags {
    #[command(flatten)]
    pub(super) explore: ExploreFlags,
    #[command(flatten)]
    pub(super) figures: FigureFlags,
    /// At most so many points are run
    #[arg(long, value_name = "N", default_value_t = 320, value_parser = clap::value_parser!(u32).range(1..=POINTS_MAX as i64))]
    pub(super) runs: u32,
    /// So many points are run at once, before it is looked where the best ones are
    #[arg(long, value_name = "N", default_value_t = 32, value_parser = clap::value_parser!(u32).range(4..=10_000))]
    pub(super) generation: u32,
    #[command(flatten)]
    pub(super) output: SheetFlags,
}

/// Flags of `merge`.
#[derive(Clone, Debug, Args)]
pub(super) struct MergeFlags {
    /// The files that `sweep --shard I/N` has written
    #[arg(required = true, value_name = "FILE")]
    pub(super) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) output: SheetFlags,
}

/// One of several parts of a search: every N-th point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Shard {
    /// From 1.
    pub(super) number: usize,
    pub(super) of: usize,
}

impl Shard {
    pub(super) fn holds(self, index: usize) -> bool {
        index % self.of == self.number - 1
    }

    /// A sentence, where it holds none.
    pub(super) fn without_points(self, points: usize) -> String {
        let Self { number, of } = self;
        format!(
            "part {number}/{of} holds none of the {points} points: its file has no rows, and can be merged."
        )
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
        match parts {
            Some((number, of)) if (1..=of).contains(&number) && of <= SHARDS_MAX => Ok(Self { number, of }),
            _ => {
                Err(format!("`{text}` is no part; write `1/4` to `4/4` for four parts, at most {SHARDS_MAX}"))
            }
        }
    }
}

/// Flags of `walk-forward`.
#[derive(Clone, Debug, Args)]
pub(super) struct WalkFlags {
    #[command(flatten)]
    pub(super) explore: ExploreFlags,
    /// Bars on which the values are chosen
    #[arg(long, value_name = "BARS", default_value_t = 504)]
    pub(super) train: usize,
    /// Bars behind them that are traded with these values, before they are chosen anew
    #[arg(long, value_name = "BARS", default_value_t = 126)]
    pub(super) test: usize,
    /// Choose on all bars before the test, rather than on the last ones
    #[arg(long)]
    pub(super) anchored: bool,
    /// Folder for report.html, walk-forward.json, equity.csv and trades.csv; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Print one JSON object instead of the table; progress still goes to stderr
    #[arg(long)]
    pub(super) json: bool,
}

/// Flags of `report`.
#[derive(Clone, Debug, Args)]
pub(super) struct ReportFlags {
    #[command(flatten)]
    pub(super) explore: ExploreFlags,
    #[command(flatten)]
    pub(super) figures: FigureFlags,
    /// Blocks of days for the probability of overfitting, if there are several points; 0 for none
    #[arg(long, value_name = "BLOCKS", default_value_t = 10)]
    pub(super) overfitting: usize,
    /// Also walk forward: bars on which the values are chosen
    #[arg(long, value_name = "BARS", requires = "test")]
    pub(super) train: Option<usize>,
    /// Bars behind them that are traded with these values
    #[arg(long, value_name = "BARS", requires = "train")]
    pub(super) test: Option<usize>,
    /// Choose on all bars before the test, rather than on the last ones
    #[arg(long)]
    pub(super) anchored: bool,
    /// The page; its folder is made if it is not there
    #[arg(long, value_name = "FILE", default_value = "report.html")]
    pub(super) out: PathBuf,
}

/// Flags of `monte-carlo`.
#[derive(Clone, Debug, Args)]
pub(super) struct MonteFlags {
    #[command(flatten)]
    pub(super) market: MarketFlags,
    /// What is made anew in each path
    #[arg(long, value_enum, default_value = "prices")]
    pub(super) method: Method,
    /// How many paths
    #[arg(long, value_name = "N", default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(2..=i64::from(PATHS_MAX)))]
    pub(super) paths: u32,
    /// Length of the blocks of consecutive bars that are kept together, with `prices` and `returns`
    #[arg(long, value_name = "BARS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) block: u32,
    /// How far a parameter is moved, as a share of its value, with `parameters`
    #[arg(long, value_name = "X", default_value_t = 0.2)]
    pub(super) perturb: f64,
    /// Seed: the same seed gives the same paths
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(super) seed: u64,
    /// Threads; all cores unless given
    #[arg(long, value_name = "N")]
    pub(super) threads: Option<usize>,
    /// Folder for monte-carlo.json and paths.csv; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub(super) out: Option<PathBuf>,
    /// Print one JSON object instead of the table; progress still goes to stderr
    #[arg(long)]
    pub(super) json: bool,
}

/// The commands of a program.
pub(super) fn command(program: &dyn Tunable) -> Result<Command, CommandError> {
    let name = program.name();
    let run = command_of::<RunFlags>("run", "Run once, print the figures");
    let sweep = command_of::<SweepFlags>("sweep", "Run for many values, on all cores; write results.csv");
    let optimise =
        command_of::<OptimiseFlags>("optimise", "Look generation by generation where the best points are");
    let merge = command_of::<MergeFlags>("merge", "Make one of the parts of a sweep");
    let walk = command_of::<WalkFlags>("walk-forward", "Choose values on the past and trade what follows");
    let monte = command_of::<MonteFlags>("monte-carlo", "Resample prices, returns, trades or parameters");
    let report = command_of::<ReportFlags>("report", "Write everything on one page");
    check_names(program, &[&run, &sweep, &optimise, &walk, &monte, &report])?;
    let ranges = "values: `14`, `5..=30`, `5..=30:5` or `5,10,20`";
    let (run, monte) = (own_flags(run, program, "a value"), own_flags(monte, program, "a value"));
    let (report, optimise) = (own_flags(report, program, ranges), own_flags(optimise, program, ranges));
    let (sweep, walk) = (own_flags(sweep, program, ranges), own_flags(walk, program, ranges));
    Ok(Command::new(name)
        .about("Backtests this strategy over a file of prices")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .max_term_width(110)
        .subcommands([run, sweep, optimise, walk, monte, report, merge]))
}

/// A command with its flags, whose documentation would take the place of what it does if it came later.
fn command_of<F: Args>(name: &'static str, about: &'static str) -> Command {
    F::augment_args(Command::new(name)).about(about)
}

fn own_flags(command: Command, program: &dyn Tunable, what: &str) -> Command {
    program.parameters().iter().fold(command, |command, parameter| {
        let help = format!("{what}; {} unless given", parameter.show(parameter.default));
        command.arg(
            Arg::new(parameter.name)
                .long(parameter.flag)
                .value_name("VALUE")
                .allow_hyphen_values(true)
                .help(help)
                .help_heading("Parameters of the strategy"),
        )
    })
}

/// Refuses parameters that have the name of a flag or of a column.
fn check_names(program: &dyn Tunable, commands: &[&Command]) -> Result<(), CommandError> {
    let mut taken: Vec<&str> = vec!["help", "version", "index", "score"];
    taken.extend(COLUMNS);
    for command in commands {
        taken.extend(command.get_arguments().filter_map(Arg::get_long));
        taken.extend(command.get_arguments().map(|arg| arg.get_id().as_str()));
    }
    for parameter in program.parameters() {
        if taken.contains(&parameter.flag) || taken.contains(&parameter.name) {
            let reason =
                "is a parameter of the strategy and has this name already; call it otherwise".to_owned();
            return Err(ConfigError { flag: parameter.flag, reason }.into());
        }
        taken.push(parameter.name);
    }
    Ok(())
}

/// The flags of a command.
pub(super) fn flags<F: FromArgMatches>(matches: &ArgMatches) -> Result<F, CommandError> {
    F::from_arg_matches(matches).map_err(CommandError::Usage)
}

/// The axes that the flags of the program's parameters ask for.
pub(super) fn axes(program: &dyn Tunable, matches: &ArgMatches) -> Result<Vec<Axis>, CommandError> {
    let axis = |parameter: &Parameter| match matches.get_one::<String>(parameter.name) {
        None => Ok(Axis::Values(vec![parameter.default])),
        Some(text) => Axis::parse(parameter, text).map_err(|reason| refused(parameter.flag, reason)),
    };
    program.parameters().iter().map(axis).collect()
}

/// The one value of each parameter.
pub(super) fn point(program: &dyn Tunable, matches: &ArgMatches) -> Result<Vec<f64>, CommandError> {
    let mut point = Vec::new();
    for (axis, parameter) in axes(program, matches)?.into_iter().zip(program.parameters()) {
        match axis {
            Axis::Values(values) if values.len() == 1 => point.push(values[0]),
            _ => {
                let reason = "takes one value here; `sweep` takes ranges".to_owned();
                return Err(refused(parameter.flag, reason));
            }
        }
    }
    if !program.allows(&point) {
        let wanted = program.constraint_text().unwrap_or_default();
        return Err(refused("", format!("`{wanted}` is wanted, and here is {}", show(program, &point))));
    }
    Ok(point)
}

/// The moved point with each value in the range of its kind. Switches stay as they were.
pub(super) fn within(program: &dyn Tunable, point: &[f64], moved: &[f64]) -> Vec<f64> {
    let held = |((parameter, value), moved): ((&Parameter, &f64), &f64)| match parameter.kind {
        ParameterKind::Whole(low, high) => moved.clamp(low, high),
        ParameterKind::Switch => *value,
        ParameterKind::Number => *moved,
    };
    program.parameters().iter().zip(point).zip(moved).map(held).collect()
}

/// A point in words: `fast 10, slow 30`.
pub(super) fn show(program: &dyn Tunable, point: &[f64]) -> String {
    let parts = program.parameters().iter().zip(point);
    let parts: Vec<String> =
        parts.map(|(parameter, value)| format!("{} {}", parameter.name, parameter.show(*value))).collect();
    parts.join(", ")
}

fn refused(flag: &'static str, reason: String) -> CommandError {
    ConfigError { flag, reason }.into()
}

/// What a search tries and what it maximises.
pub(super) struct Search {
    pub(super) points: Points,
    pub(super) objective: Objective,
    /// Figures of each row beside the usual ones.
    pub(super) chosen: Vec<FigureRow>,
    /// The ranges in words: equal for equal points.
    pub(super) space: String,
    /// A sentence, if fewer samples were found than were asked for.
    pub(super) short: Option<String>,
}

impl SearchFlags {
    pub(super) fn search(&self, program: &dyn Tunable, matches: &ArgMatches) -> Result<Search, CommandError> {
        let axes = axes(program, matches)?;
        let names: Vec<&str> = program.parameters().iter().map(|parameter| parameter.name).collect();
        let condition = match &self.condition {
            Some(text) => Some(Condition::parse(text, &names).map_err(|reason| refused("where", reason))?),
            None => None,
        };
        let objective = Objective::parse(self.objective.as_deref(), program)
            .map_err(|reason| refused("objective", reason))?;
        let allowed =
            |point: &[f64]| program.allows(point) && condition.as_ref().is_none_or(|c| c.holds(point));
        let points = match self.samples {
            Some(count) => Points::samples(&axes, count, self.seed, allowed),
            None => Points::grid(program.parameters(), &axes, allowed),
        };
        let points = points
            .map_err(|error| CommandError::Config(ConfigError { flag: "", reason: error.to_string() }))?;
        let short = self.samples.filter(|wanted| *wanted > points.count()).map(|wanted| {
            format!("{} of {wanted} samples were found, as the conditions forbid nearly all.", points.count())
        });
        let mut space: Vec<String> = program
            .parameters()
            .iter()
            .map(|parameter| {
                let text = matches.get_one::<String>(parameter.name);
                format!(
                    "{}={}",
                    parameter.name,
                    text.cloned().unwrap_or_else(|| parameter.show(parameter.default))
                )
            })
            .collect();
        space.extend(program.constraint_text().map(|text| format!("where {text}")));
        space.extend(condition.map(|condition| format!("where {}", condition.text())));
        space.extend(self.samples.map(|count| format!("{count} samples of seed {}", self.seed)));
        Ok(Search { points, objective, chosen: Vec::new(), space: space.join("; "), short })
    }
}
