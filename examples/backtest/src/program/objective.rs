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
    /// The figures that were chosen.
    pub(super) chosen: Vec<f64>,
    pub(super) events: u64,
}

/// Reads the names of figures, with commas between them. None is a column that each row has already, as those
/// of the program's parameters are.
///
/// # Errors
/// The names that there are.
pub(super) fn parse_figures(text: &str, program: &dyn Tunable) -> Result<Vec<FigureRow>, String> {
    let is_parameter = |name: &str| program.parameters().iter().any(|parameter| parameter.name == name);
    let mut rows: Vec<FigureRow> = Vec::new();
    for name in text.split(',').map(str::trim) {
        if COLUMNS.contains(&name) {
            return Err(format!("names `{name}`, which each row has"));
        }
        if is_parameter(name) {
            return Err(format!(
                "names `{name}`, which is a parameter of the strategy: call the parameter otherwise"
            ));
        }
        if rows.iter().any(|row| row.name == name) {
            return Err(format!("names `{name}` twice"));
        }
        let Some(row) = Figures::TABLE.iter().find(|row| row.name == name) else {
            let names: Vec<&str> =
                Figures::names().filter(|name| !COLUMNS.contains(name) && !is_parameter(name)).collect();
            return Err(format!("has `{name}`, and may have: {}", names.join(", ")));
        };
        rows.push(*row);
    }
    Ok(rows)
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

    /// Runs a point and says what it is worth, with the figures that were chosen.
    pub(super) fn score(
        &self,
        program: &dyn Tunable,
        backtest: &Backtest,
        point: &[f64],
        chosen: &[FigureRow],
    ) -> Result<Scored, InstanceError> {
        if let (ObjectiveKind::Statistic(at), []) = (&self.kind, chosen) {
            let outcome = program.outcome(backtest, point)?;
            let (statistics, events) = (outcome.statistics, outcome.events);
            let score = self.sign * figures(&statistics)[*at];
            return Ok(Scored { statistics, score, chosen: Vec::new(), events });
        }
        Ok(self.scored(program, &program.report(backtest, point)?, chosen))
    }

    /// What a run that was kept is worth, with the figures that were chosen.
    pub(super) fn scored(&self, program: &dyn Tunable, report: &Report, chosen: &[FigureRow]) -> Scored {
        let figure = |row: &FigureRow| report.figures.as_ref().map_or(f64::NAN, row.get);
        Scored {
            statistics: report.statistics,
            score: self.of(program, report),
            chosen: chosen.iter().map(figure).collect(),
            events: report.events,
        }
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

    /// The score of a run that was kept.
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
