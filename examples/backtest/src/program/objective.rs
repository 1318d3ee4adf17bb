//! What a search maximises: a figure by its name, or what the program says.

use super::Tunable;
use crate::instance::InstanceError;
use crate::ledger::Statistics;
use crate::messages::Bar;
use crate::performance::{FigureRow, Figures, count_days};
use crate::results::{COLUMNS, figures};
use crate::strategy::{Backtest, Report};

/// What is maximised, and how it is found.
#[derive(Clone, Debug)]
pub(super) struct Objective {
    /// As it was written.
    pub(super) name: String,
    kind: ObjectiveKind,
    /// -1 to minimise.
    sign: f64,
}

#[derive(Clone, Debug)]
enum ObjectiveKind {
    /// One of [`COLUMNS`]: found without keeping trades and equity.
    Statistic(usize),
    /// One of [`Figures`](crate::performance::Figures).
    Figure(FigureRow),
    /// The program's own.
    Own,
}

/// One run of a search.
#[derive(Clone, Debug)]
pub(super) struct Scored {
    pub(super) statistics: Statistics,
    pub(super) score: f64,
    pub(super) events: u64,
}

impl Objective {
    /// Reads the name of a figure, with `-` before it to minimise; without one, the program's own objective,
    /// or else the Sharpe ratio.
    ///
    /// # Errors
    /// The names that there are.
    pub(super) fn parse(text: Option<&str>, program: &dyn Tunable) -> Result<Self, String> {
        let own = program.worth().is_some();
        let text = match text {
            Some(text) => text,
            None if own => "own",
            None => "sharpe",
        };
        let (sign, name) = match text.strip_prefix('-') {
            Some(name) => (-1.0, name),
            None => (1.0, text),
        };
        let kind = match COLUMNS.iter().position(|column| *column == name) {
            Some(at) => ObjectiveKind::Statistic(at),
            None if name == "own" && own => ObjectiveKind::Own,
            None => match Figures::TABLE.iter().find(|row| row.name == name) {
                Some(row) => ObjectiveKind::Figure(*row),
                None => {
                    let names: std::collections::BTreeSet<&str> =
                        COLUMNS.into_iter().chain(Figures::names()).collect();
                    let names: Vec<&str> = names.into_iter().collect();
                    return Err(format!("is `{name}`, and must be one of: {}", names.join(", ")));
                }
            },
        };
        Ok(Self { name: text.to_owned(), kind, sign })
    }

    /// Runs a point and says what it is worth.
    pub(super) fn score(
        &self,
        program: &dyn Tunable,
        backtest: &Backtest,
        point: &[f64],
    ) -> Result<Scored, InstanceError> {
        if let ObjectiveKind::Statistic(at) = self.kind {
            let outcome = program.outcome(backtest, point)?;
            let (statistics, events) = (outcome.statistics, outcome.events);
            return Ok(Scored { statistics, score: self.sign * figures(&statistics)[at], events });
        }
        let report = program.report(backtest, point)?;
        Ok(Scored { statistics: report.statistics, score: self.of(program, &report), events: report.events })
    }

    /// Why no point has a score on these bars, and what to take instead. `traded` says whether there were
    /// trades.
    pub(super) fn unscored(&self, bars: &[Bar], traded: bool) -> String {
        let name = &self.name;
        let why = match (&self.kind, count_days(bars)) {
            (ObjectiveKind::Own, _) => "the program's own objective is no number for any of them".to_owned(),
            _ if !traded => "nothing was traded".to_owned(),
            // A deviation needs two returns, and a return needs two days.
            (_, 1) => "these prices are of 1 day, and figures by returns of days need 3".to_owned(),
            (_, days @ 0..3) => {
                format!("these prices are of {days} days, and figures by returns of days need 3")
            }
            _ => "it is not defined for any of the runs".to_owned(),
        };
        format!("no point has a `{name}`: {why}; take --objective return_pct")
    }

    /// What a run that was kept is worth.
    pub(super) fn of(&self, program: &dyn Tunable, report: &Report) -> f64 {
        let score = match &self.kind {
            ObjectiveKind::Statistic(at) => figures(&report.statistics)[*at],
            ObjectiveKind::Figure(row) => report.figures.as_ref().map_or(f64::NAN, row.get),
            ObjectiveKind::Own => program.worth().map_or(f64::NAN, |worth| worth(report)),
        };
        self.sign * score
    }
}

/// Whether `a` is a better score than `b`. A value that is no number is worse than everything.
pub(super) fn better(a: f64, b: f64) -> bool {
    a > b || (b.is_nan() && !a.is_nan())
}
