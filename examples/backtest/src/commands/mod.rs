//! What the commands do, apart from the numbers.

mod monte_carlo;
mod run;
mod sweep;

pub(crate) use self::monte_carlo::{draw, print_risk};
pub(crate) use self::sweep::effort;

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use mycelium::sweep::SweepError;

use crate::args::{Cli, Command, DataArgs, StrategyArgs, own_names};
use crate::config::{ConfigError, FillAt, Rule, Terms};
use crate::data::{AssetPrices, CorporateActions, DroppedRows, LoadError, Series, load_prices, load_with};
use crate::instance::InstanceError;

/// Why a command ended without a result.
#[derive(Debug)]
#[non_exhaustive]
pub enum CommandError {
    /// A flag is out of range.
    Config(ConfigError),
    /// The prices could not be read.
    Load {
        /// The file.
        file: String,
        /// What is wrong with it.
        error: LoadError,
    },
    /// An instance failed.
    Instance(InstanceError),
    /// The runs could not be started.
    Sweep(SweepError),
    /// A result could not be written.
    Write {
        /// Where to.
        to: String,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// There is too little data for what was asked.
    TooFewBars {
        /// Bars in the file.
        bars: usize,
        /// Bars needed.
        needed: usize,
    },
    /// Not one run came to its end.
    NothingFinished(String),
    /// No point of a search has a score: there is no best one.
    NoScore(String),
    /// The command line of a program cannot be read, or asks for help.
    Usage(clap::Error),
    /// A file that was given does not fit.
    Unusable {
        /// The file.
        file: String,
        /// Why, and what to do.
        reason: String,
    },
}

/// What becomes of dividends where nobody pays them.
const UNPAID: &str = "its dividends are not paid, as the four actors know of none: have them in the prices with \
     --prices adjusted, or take a program with `backtest::main!`";

/// Does what the command line says.
///
/// # Errors
/// See [`CommandError`].
pub fn execute(cli: &Cli) -> Result<(), CommandError> {
    match &cli.command {
        Command::Run(args) => run::execute(args),
        Command::Sweep(args) => sweep::execute(args),
        Command::MonteCarlo(args) => monte_carlo::execute(args),
        Command::WalkForward(args) => of_averages("walk-forward", args),
        Command::Report(args) => of_averages("report", args),
    }
}

/// A command of [`program`](crate::program), for the strategy that is built in.
fn of_averages(command: &str, args: &StrategyArgs) -> Result<(), CommandError> {
    let words = ["backtest", command].map(OsString::from);
    print(&crate::averages::program().execute(words.iter().chain(&args.flags))?)
}

/// The prices of one asset, for commands that trade one.
pub(crate) fn read(args: &DataArgs, command: &str) -> Result<Series, CommandError> {
    let assets = args.assets()?;
    let [(file, symbol)] = &assets[..] else {
        let reason = format!(
            "and --symbol name {} assets, and the four actors of `{command}` trade bars of one; `{command}` of a \
             program with `backtest::main!`, such as `cargo run -p strategies --bin pairs -- {command}`, takes several",
            assets.len()
        );
        return Err(ConfigError { flag: "--data", reason }.into());
    };
    match load_with(file, &args.options(file, *symbol)?) {
        Err(LoadError::OtherKind(kind)) => Err(CommandError::Unusable {
            file: file.display().to_string(),
            reason: format!(
                "it holds {kind}, and the four actors of `{command}` trade bars; `{command}` of a program with \
                 `backtest::main!`, such as `cargo run -p strategies --bin sma-cross -- {command}`, takes {kind}"
            ),
        }),
        loaded => {
            let mut series = told(file, loaded)?;
            if !series.actions.dividends.is_empty() {
                series.actions.dividends = Arc::default();
                series.actions.remark = Some(UNPAID);
            }
            tell_actions(&series.symbol, &series.actions);
            Ok(series)
        }
    }
}

/// The prices of each asset that was named, and the names by which flags may be given for it.
pub(crate) fn read_all(args: &DataArgs) -> Result<Vec<(AssetPrices, Vec<String>)>, CommandError> {
    let load = |(file, symbol): (&Path, Option<&str>)| {
        let loaded = load_prices(file, &args.options(file, symbol)?);
        let asset = told(file, loaded)?;
        tell_actions(&asset.symbol, &asset.actions);
        let names = own_names(file, Some(&asset.symbol));
        Ok((asset, names))
    };
    args.assets()?.into_iter().map(load).collect()
}

/// Says on stderr what was made of splits and dividends.
fn tell_actions(symbol: &str, actions: &CorporateActions) {
    if !actions.is_empty() {
        eprintln!("note: {symbol}: {actions}");
    }
}

/// What was read. Says on stderr what was left out.
fn told<T>(file: &Path, loaded: Result<(T, DroppedRows), LoadError>) -> Result<T, CommandError> {
    let shown = file.display();
    let (prices, dropped) = loaded.map_err(|error| CommandError::Load { file: shown.to_string(), error })?;
    if dropped.count != 0 {
        eprintln!("note: {shown}: {dropped}");
    }
    Ok(prices)
}

/// Writes a file whole or not at all: beside its place first, then moved there.
pub(crate) fn write(
    path: &Path,
    write: impl FnOnce(&mut (dyn std::io::Write + Send)) -> std::io::Result<()>,
) -> Result<(), CommandError> {
    let beside = path.with_extension("part");
    let attempt = || -> std::io::Result<()> {
        let mut out = std::io::BufWriter::new(std::fs::File::create(&beside)?);
        write(&mut out)?;
        std::io::Write::flush(&mut out)?;
        std::fs::rename(&beside, path)
    };
    attempt().map_err(|error| CommandError::Write { to: path.display().to_string(), error })
}

/// Prints to stdout. A reader that has seen enough (`| head`) is no error.
pub(crate) fn print(text: &str) -> Result<(), CommandError> {
    match std::io::Write::write_all(&mut std::io::stdout().lock(), text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(CommandError::Write { to: "stdout".to_owned(), error })
        }
        _ => Ok(()),
    }
}

pub(crate) fn make_folder(path: &Path) -> Result<(), CommandError> {
    std::fs::create_dir_all(path)
        .map_err(|error| CommandError::Write { to: path.display().to_string(), error })
}

/// The terms in words, and what was made of the prices, for headings.
fn describe(series: &Series, terms: &Terms) -> String {
    let terms = terms_in_words(terms);
    if series.actions.is_empty() { terms } else { format!("{terms}; {}", series.actions) }
}

fn terms_in_words(terms: &Terms) -> String {
    let rule = match terms.rule {
        Rule::Long => "long only".to_owned(),
        Rule::Flip => "long and short".to_owned(),
        Rule::Fixed => format!("long only, {} units", terms.units),
    };
    let fill = match terms.fill {
        FillAt::NextOpen => "filled at the next open",
        FillAt::OnClose => "filled at the close",
    };
    let share = |name: &str, share: f64| {
        if share == 0.0 {
            format!("no {name}")
        } else {
            // Rounded where the multiplication leaves digits that nobody wrote.
            format!("{name} {} %", (share * 1e8).round() / 1e6)
        }
    };
    format!(
        "{rule}, {fill}, cash {}, {}, {}",
        terms.cash,
        share("commission", terms.commission),
        share("spread", terms.spread)
    )
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{error}"),
            // The error of an unreadable file names it already.
            Self::Load { error: error @ LoadError::Open { .. }, .. } => write!(f, "{error}"),
            Self::Load { file, error } => write!(f, "{file}: {error}"),
            Self::Instance(error) => write!(f, "{error}"),
            Self::Sweep(error) => write!(f, "{error}"),
            Self::Write { to, error } => {
                write!(f, "cannot write {to}: {error}; choose another folder with --out")
            }
            Self::TooFewBars { bars, needed } => {
                write!(f, "the data has {bars} bars, and at least {needed} are needed; take a longer history")
            }
            Self::Usage(error) => write!(f, "{error}"),
            Self::Unusable { file, reason } => write!(f, "{file}: {reason}"),
            Self::NoScore(why) => write!(f, "--objective {why}"),
            Self::NothingFinished(why) => write!(f, "no run came to its end: {why}"),
        }
    }
}

impl std::error::Error for CommandError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Config(error) => Some(error),
            Self::Load { error, .. } => Some(error),
            Self::Instance(error) => Some(error),
            Self::Sweep(error) => Some(error),
            Self::Write { error, .. } => Some(error),
            _ => None,
        }
    }
}

impl From<ConfigError> for CommandError {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<InstanceError> for CommandError {
    fn from(error: InstanceError) -> Self {
        Self::Instance(error)
    }
}

impl From<SweepError> for CommandError {
    fn from(error: SweepError) -> Self {
        Self::Sweep(error)
    }
}
