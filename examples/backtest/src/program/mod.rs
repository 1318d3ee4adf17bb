//! A strategy of one's own as a program: `run`, `sweep`, `optimise`, `walk-forward`, `monte-carlo`, `report`
//! and `merge` on the command line.
//!
//! [`main!`](crate::main) names what makes the strategy, with its parameters, their types and the values that
//! stand unless others are given:
//!
//! ```no_run
//! use backtest::prelude::*;
//!
//! struct Above { average: Sma, share: f64 }
//!
//! impl Above {
//!     fn new(window: usize, share: f64) -> Self {
//!         Self { average: Sma::new(window), share }
//!     }
//! }
//!
//! impl Strategy for Above {
//!     fn next(&mut self, ctx: &mut StrategyContext<'_>) {
//!         let Some(average) = self.average.push(ctx.price()) else { return };
//!         if ctx.price() > average && ctx.is_flat() {
//!             ctx.buy(Size::Equity(self.share));
//!         } else if ctx.price() < average {
//!             ctx.close();
//!         }
//!     }
//! }
//!
//! backtest::main!(Above::new(window: usize = 50, share: f64 = 0.9));
//! ```
//!
//! ```text
//! above run --data prices.csv
//! above sweep --data prices.csv --window 10..=200:5 --share 0.5,0.9 --objective sharpe --out out
//! ```

mod args;
mod build;
mod condition;
mod explore;
mod monte;
mod objective;
mod optimise;
mod parameter;
mod report;
mod run;
mod sheet;
mod space;
mod sweep;
mod tiers;
mod trade;
mod traded;
mod walk;

use std::ffi::OsString;
use std::process::ExitCode;

pub use self::condition::Condition;
pub use self::parameter::{Axis, Parameter, ParameterKind, ParameterValue};
pub use self::sheet::{Sheet, SheetError, SheetRow};
pub use self::space::{Points, SpaceError};

use crate::commands::CommandError;
use crate::instance::{InstanceError, Outcome};
use crate::source::Bootstrap;
use crate::strategy::{Backtest, Report, Strategy, StrategyContext};

/// What makes a strategy of the values of its parameters.
type Maker<S> = Box<dyn Fn(&[f64]) -> S + Send + Sync>;

/// Which points are allowed.
type Allowed = Box<dyn Fn(&[f64]) -> bool + Send + Sync>;

/// What a run is worth; the more the better.
type Worth = Box<dyn Fn(&Report) -> f64 + Send + Sync>;

/// A strategy with its parameters. [`program!`](crate::program!) makes one.
pub struct Program<S> {
    name: &'static str,
    parameters: Vec<Parameter>,
    make: Maker<S>,
    constraint: Option<(&'static str, Allowed)>,
    objective: Option<Worth>,
}

impl<S: Strategy> Program<S> {
    /// A program of this name. `make` gets one value for each parameter.
    #[must_use]
    pub fn new(
        name: &'static str,
        parameters: Vec<Parameter>,
        make: impl Fn(&[f64]) -> S + Send + Sync + 'static,
    ) -> Self {
        Self { name, parameters, make: Box::new(make), constraint: None, objective: None }
    }

    /// Points for which `allowed` is false are not tried. `text` says it in words.
    #[must_use]
    pub fn constraint(
        mut self,
        text: &'static str,
        allowed: impl Fn(&[f64]) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.constraint = Some((text, Box::new(allowed)));
        self
    }

    /// What searches maximise unless `--objective` names something else. A value that is no number is the
    /// worst.
    #[must_use]
    pub fn objective(mut self, worth: impl Fn(&Report) -> f64 + Send + Sync + 'static) -> Self {
        self.objective = Some(Box::new(worth));
        self
    }

    /// Does what the command line of the process says, and tells with which code to end: 2 after an error.
    #[must_use]
    pub fn main(&self) -> ExitCode {
        let command = match args::command(self) {
            Ok(command) => command,
            Err(error) => return failed(&error),
        };
        // Help and mistakes of the command line end the process here, as clap prints them.
        let matches = command.get_matches();
        match execute(self, &matches).and_then(|text| crate::commands::print(&text)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => failed(&error),
        }
    }

    /// Does what these arguments say, the first of which is the name of the program. Returns what `main`
    /// prints.
    ///
    /// # Errors
    /// [`CommandError`]: the arguments, the prices, the terms, a run that failed, or a file that could not be
    /// written.
    pub fn execute<I, T>(&self, arguments: I) -> Result<String, CommandError>
    where
        I: IntoIterator<Item = T>,
        T: Into<OsString> + Clone,
    {
        let matches = args::command(self)?.try_get_matches_from(arguments).map_err(CommandError::Usage)?;
        execute(self, &matches)
    }
}

fn failed(error: &CommandError) -> ExitCode {
    eprintln!("error: {error}");
    ExitCode::from(2)
}

fn execute(program: &dyn Tunable, matches: &clap::ArgMatches) -> Result<String, CommandError> {
    match matches.subcommand() {
        Some(("run", matches)) => run::execute(program, matches),
        Some(("sweep", matches)) => sweep::execute(program, matches),
        Some(("optimise", matches)) => optimise::execute(program, matches),
        Some(("walk-forward", matches)) => walk::execute(program, matches),
        Some(("monte-carlo", matches)) => monte::execute(program, matches),
        Some(("report", matches)) => report::execute(program, matches),
        Some(("merge", matches)) => sweep::merge(matches),
        _ => Ok(String::new()),
    }
}

/// A program without the type of its strategy, so that the commands are compiled once.
trait Tunable: Sync {
    fn name(&self) -> &'static str;
    fn parameters(&self) -> &[Parameter];
    /// The constraint in words.
    fn constraint_text(&self) -> Option<&'static str>;
    fn allows(&self, point: &[f64]) -> bool;
    /// The program's own objective.
    fn worth(&self) -> Option<&(dyn Fn(&Report) -> f64 + Send + Sync)>;
    /// Runs and keeps the figures alone.
    fn outcome(&self, backtest: &Backtest, point: &[f64]) -> Result<Outcome, InstanceError>;
    /// Runs and keeps everything.
    fn report(&self, backtest: &Backtest, point: &[f64]) -> Result<Report, InstanceError>;
    /// As `report`, with nothing traded before the moment of the number `from`. Orders are not kept: those of
    /// the moments before would be among them.
    fn report_from(&self, backtest: &Backtest, from: usize, point: &[f64]) -> Result<Report, InstanceError>;
    /// Runs on other bars than those of the backtest.
    fn outcome_on(
        &self,
        backtest: &Backtest,
        source: Bootstrap,
        point: &[f64],
    ) -> Result<Outcome, InstanceError>;
}

impl<S: Strategy> Tunable for Program<S> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    fn constraint_text(&self) -> Option<&'static str> {
        self.constraint.as_ref().map(|(text, _)| *text)
    }

    fn allows(&self, point: &[f64]) -> bool {
        self.constraint.as_ref().is_none_or(|(_, allowed)| allowed(point))
    }

    fn worth(&self) -> Option<&(dyn Fn(&Report) -> f64 + Send + Sync)> {
        self.objective.as_deref()
    }

    fn outcome(&self, backtest: &Backtest, point: &[f64]) -> Result<Outcome, InstanceError> {
        backtest.outcome((self.make)(point))
    }

    fn report(&self, backtest: &Backtest, point: &[f64]) -> Result<Report, InstanceError> {
        backtest.run((self.make)(point))
    }

    fn report_from(&self, backtest: &Backtest, from: usize, point: &[f64]) -> Result<Report, InstanceError> {
        let events = backtest.rows(0..from).iter().sum::<usize>() as u32;
        let mut report = backtest.run(FromEvent { strategy: (self.make)(point), from: events })?;
        report.orders.clear();
        Ok(report)
    }

    fn outcome_on(
        &self,
        backtest: &Backtest,
        source: Bootstrap,
        point: &[f64],
    ) -> Result<Outcome, InstanceError> {
        backtest.outcome_on(source, (self.make)(point))
    }
}

/// A strategy that sees all events and trades from one on: what it sends before is cancelled at the moment at
/// which it was sent, and so is never filled.
struct FromEvent<S> {
    strategy: S,
    /// The first event in which an order may be filled: the first of its moment.
    from: u32,
}

impl<S: Strategy> Strategy for FromEvent<S> {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        self.strategy.next(ctx);
        if ctx.event_number() + 1 < self.from {
            ctx.cancel_all();
        }
    }
}

/// The values of a point, one after the other, as the types of their parameters. For [`program!`].
#[doc(hidden)]
pub fn take<T: ParameterValue>(values: &mut std::slice::Iter<'_, f64>) -> T {
    T::from_number(values.next().copied().unwrap_or_default())
}

/// A [`Program`](crate::program::Program) of a strategy: `program!(Mine)` of one that is `Default`, or
/// `program!(SmaCross::new(fast: usize = 10, slow: usize = 30))`, with the parameters of the function that
/// makes it. Types are `usize`, `u8` to `u64`, `i32`, `i64`, `f64` and `bool`.
///
/// `where fast < slow` behind it says which points are to be tried, and `objective |report| ..` what a search
/// maximises:
///
/// ```
/// use backtest::prelude::*;
/// # struct Never(usize, usize);
/// # impl Never { fn new(a: usize, b: usize) -> Self { Self(a, b) } }
/// # impl Strategy for Never { fn next(&mut self, _: &mut StrategyContext<'_>) {} }
/// let program = backtest::program!(
///     Never::new(fast: usize = 10, slow: usize = 30) where fast < slow,
///     objective |report| report.statistics.return_pct / report.trades.len() as f64
/// );
/// # let error = program.execute(["never", "run", "--data", "none.csv", "--fast", "50"]).unwrap_err();
/// # assert!(error.to_string().contains("fast < slow"), "{error}");
/// ```
#[macro_export]
macro_rules! program {
    (@constrained $program:ident ($($name:ident : $type:ty),*)) => {
        $program
    };
    (@constrained $program:ident ($($name:ident : $type:ty),*) $constraint:expr) => {
        $program.constraint(stringify!($constraint), |point: &[f64]| {
            #[allow(unused_mut, unused_variables)]
            let mut values = point.iter();
            $(#[allow(unused_variables)]
            let $name: $type = $crate::program::take(&mut values);)*
            $constraint
        })
    };
    (
        $first:ident $(:: $rest:ident)* ($($name:ident : $type:ty = $default:expr),* $(,)?)
        $(where $constraint:expr)? $(, objective $objective:expr)? $(,)?
    ) => {{
        let program = $crate::program::Program::new(
            stringify!($first),
            vec![$($crate::program::Parameter::new::<$type>(stringify!($name), $default)),*],
            |point: &[f64]| {
                #[allow(unused_mut, unused_variables)]
                let mut values = point.iter();
                $(let $name: $type = $crate::program::take(&mut values);)*
                $first $(:: $rest)* ($($name),*)
            },
        );
        let program = $crate::program!(@constrained program ($($name: $type),*) $($constraint)?);
        $(let program = program.objective($objective);)?
        program
    }};
    ($strategy:ty $(, objective $objective:expr)? $(,)?) => {{
        let program = $crate::program::Program::new(
            stringify!($strategy),
            Vec::new(),
            |_: &[f64]| <$strategy as Default>::default(),
        );
        $(let program = program.objective($objective);)?
        program
    }};
}

/// The `main` of a strategy's own program: the command line `run`, `sweep`, `walk-forward`, `monte-carlo`,
/// `report` and `merge`. It takes what [`program!`](crate::program!) takes.
///
/// ```no_run
/// # use backtest::prelude::*;
/// # #[derive(Default)]
/// # struct Mine;
/// # impl Strategy for Mine { fn next(&mut self, _: &mut StrategyContext<'_>) {} }
/// backtest::main!(Mine);
/// ```
#[macro_export]
macro_rules! main {
    ($($program:tt)*) => {
        fn main() -> std::process::ExitCode {
            $crate::program!($($program)*).main()
        }
    };
}
