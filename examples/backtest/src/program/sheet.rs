//! The rows of a search: their digest, their file, and how parts of them are put together.
//!
//! A file is CSV. Lines with `#` above the header say what was searched, so that parts of different searches
//! are not taken for one. Numbers are written so that they read back the same, switches as `true` and
//! `false`, which pandas and polars read as such. The digest is that of the rows in the sequence of their
//! index: it is the same for one process and for parts that were merged.

use std::fmt;
use std::fmt::Write as _;

use crate::results::{COLUMNS, Digest};

/// What the first line of a file says.
const MARK: &str = "# backtest sweep 1";

/// Rows of a search, and what was searched.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Sheet {
    /// What was searched: program, data, terms, ranges, objective. Equal for parts of one search.
    pub about: Vec<(String, String)>,
    /// Names of the parameters.
    pub parameters: Vec<String>,
    /// Places of those parameters that are switches, ascending: 1 is `true`, and 0 is `false`. A file without
    /// rows does not tell.
    pub switches: Vec<usize>,
    /// Names of the figures that were chosen beside [`COLUMNS`], of
    /// [`Figures::TABLE`](crate::performance::Figures::TABLE).
    pub chosen: Vec<String>,
    /// How many points the search has in all.
    pub points: usize,
    /// The rows, in ascending order of their index once they were [`sort`](Sheet::sort)ed.
    pub rows: Vec<SheetRow>,
}

/// One run of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct SheetRow {
    /// Number of the point, from 0.
    pub index: usize,
    /// The values of the parameters.
    pub point: Vec<f64>,
    /// The figures of [`COLUMNS`].
    pub figures: [f64; COLUMNS.len()],
    /// The figures that were chosen beside them.
    pub chosen: Vec<f64>,
    /// What the objective says; the more the better.
    pub score: f64,
}

/// A file is not the rows of a search, or not of this one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum SheetError {
    /// It is something else.
    NotASweep,
    /// A line cannot be read.
    Line {
        /// Its number, from 1.
        line: usize,
    },
    /// It ends within a line.
    Cut {
        /// The number of the line.
        line: usize,
    },
    /// It was searched in another way.
    Other {
        /// The term, e.g. `data`.
        key: String,
        /// As this file has it.
        this: String,
        /// As the others have it.
        other: String,
    },
    /// Two files have different results for one point: the code or the data has changed between them.
    Contradiction {
        /// Number of the point.
        index: usize,
    },
}

impl Sheet {
    /// The index of the best row: the highest score, and of equals the first.
    #[must_use]
    pub fn best(&self) -> Option<usize> {
        let better = super::objective::better;
        let choose = |best: usize, at: usize| {
            if better(self.rows[at].score, self.rows[best].score) { at } else { best }
        };
        (0..self.rows.len()).reduce(choose)
    }

    /// Whether there are several rows and none has a score: the first one is then the best by its place
    /// alone.
    #[must_use]
    pub fn is_unscored(&self) -> bool {
        self.rows.len() > 1 && self.rows.iter().all(|row| row.score.is_nan())
    }

    /// Whether there was a trade in any row.
    pub(super) fn traded(&self) -> bool {
        let column = COLUMNS.iter().position(|name| *name == "n_trades").unwrap_or(0);
        self.rows.iter().any(|row| row.figures[column] > 0.0)
    }

    /// The best rows, best first; of equals the first.
    #[must_use]
    pub fn ranked(&self, count: usize) -> Vec<&SheetRow> {
        let mut rows: Vec<&SheetRow> = self.rows.iter().collect();
        // NaN is below everything.
        let key = |row: &SheetRow| if row.score.is_nan() { f64::NEG_INFINITY } else { row.score };
        rows.sort_by(|a, b| key(b).total_cmp(&key(a)).then(a.index.cmp(&b.index)));
        rows.truncate(count);
        rows
    }

    /// Puts the rows into the sequence of their index.
    pub fn sort(&mut self) {
        self.rows.sort_by_key(|row| row.index);
    }

    /// A digest of the rows and all their bits.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut digest = Digest::new();
        for row in &self.rows {
            digest.add(&(row.index as u64).to_le_bytes());
            let numbers = row.point.iter().chain(&row.figures).chain(&row.chosen);
            numbers.for_each(|number| digest.add_number(*number));
            digest.add_number(row.score);
        }
        digest.value()
    }

    /// What stands above the rows of a file.
    #[must_use]
    pub fn head(&self) -> String {
        let mut text = format!("{MARK}\n");
        for (key, value) in &self.about {
            // A name from a file could hold a line break.
            let _ = writeln!(text, "# {key}: {}", value.replace(['\n', '\r'], " "));
        }
        let _ = writeln!(text, "# points: {}", self.points);
        text.push_str("index,");
        for name in &self.parameters {
            let _ = write!(text, "{name},");
        }
        for name in COLUMNS.into_iter().chain(self.chosen.iter().map(String::as_str)) {
            let _ = write!(text, "{name},");
        }
        text.push_str("score\n");
        text
    }

    /// The whole file.
    #[must_use]
    pub fn text(&self) -> String {
        self.rows.iter().fold(self.head(), |mut text, row| {
            text.push_str(&row.line(&self.switches));
            text
        })
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`SheetError::NotASweep`], [`SheetError::Line`], and [`SheetError::Cut`] unless `may_be_cut`: then a
    /// last line that has no end is left out, as a process that was killed leaves it.
    pub fn parse(text: &str, may_be_cut: bool) -> Result<Self, SheetError> {
        let mut lines = text.split_inclusive('\n').enumerate().map(|(at, line)| (at + 1, line)).peekable();
        if lines.next().is_none_or(|(_, line)| line.trim_end() != MARK) {
            return Err(SheetError::NotASweep);
        }
        let mut sheet = Self::default();
        while let Some((line, text)) = lines.next_if(|(_, line)| line.starts_with('#')) {
            // The value may be empty, with the blank before it.
            let (key, value) = text[1..]
                .trim_start()
                .trim_end_matches(['\r', '\n'])
                .split_once(": ")
                .ok_or(SheetError::Line { line })?;
            match key {
                "points" => sheet.points = value.parse().map_err(|_| SheetError::Line { line })?,
                _ => sheet.about.push((key.to_owned(), value.to_owned())),
            }
        }
        let header = lines.next().map_or("", |(_, line)| line);
        let always = format!("{},", COLUMNS.join(","));
        let names = header.strip_prefix("index,").and_then(|rest| rest.strip_suffix("score\n"));
        let (before, behind) =
            names.and_then(|names| names.split_once(&always)).ok_or(SheetError::NotASweep)?;
        let listed = |names: &str| names.split_terminator(',').map(str::to_owned).collect();
        (sheet.parameters, sheet.chosen) = (listed(before), listed(behind));
        for (line, text) in lines {
            match (text.ends_with('\n'), may_be_cut) {
                (false, true) => break,
                (false, false) => return Err(SheetError::Cut { line }),
                _ => {}
            }
            let row = SheetRow::parse(text.trim_end(), sheet.parameters.len(), sheet.chosen.len());
            let (row, switches) = row.ok_or(SheetError::Line { line })?;
            sheet.takes_for_switches(&switches);
            sheet.rows.push(row);
        }
        Ok(sheet)
    }

    /// Whether `other` is of the same search.
    ///
    /// # Errors
    /// [`SheetError::Other`] with the first difference.
    pub fn check_same(&self, other: &Self) -> Result<(), SheetError> {
        let terms = |sheet: &Self| {
            let mut terms = sheet.about.clone();
            terms.push(("points".to_owned(), sheet.points.to_string()));
            terms.push(("parameters".to_owned(), sheet.parameters.join(" ")));
            terms.push(("figures".to_owned(), sheet.chosen.join(" ")));
            terms
        };
        let (mine, theirs) = (terms(self), terms(other));
        for at in 0..mine.len().max(theirs.len()) {
            let of = |terms: &[(String, String)]| terms.get(at).cloned().unwrap_or_default();
            let (this, that) = (of(&mine), of(&theirs));
            if this != that {
                let key = if this.0.is_empty() { that.0 } else { this.0 };
                return Err(SheetError::Other { key, this: that.1, other: this.1 });
            }
        }
        Ok(())
    }

    /// The value of a parameter as JSON: a switch is `true` or `false`, and all else a number.
    #[must_use]
    pub fn json(&self, parameter: usize, value: f64) -> serde_json::Value {
        if self.switches.contains(&parameter) { (value != 0.0).into() } else { value.into() }
    }

    /// Parameters at these places are switches.
    fn takes_for_switches(&mut self, places: &[usize]) {
        for place in places {
            if let Err(at) = self.switches.binary_search(place) {
                self.switches.insert(at, *place);
            }
        }
    }

    /// Takes the rows of another part of the same search.
    ///
    /// # Errors
    /// [`SheetError::Other`], and [`SheetError::Contradiction`] if both have a point with different results.
    pub fn merge(&mut self, other: Self) -> Result<(), SheetError> {
        self.check_same(&other)?;
        self.takes_for_switches(&other.switches);
        self.rows.extend(other.rows);
        self.sort();
        // Compared bit by bit: NaN is equal to itself here.
        let line = |row: &SheetRow| row.line(&[]);
        for pair in self.rows.windows(2) {
            if pair[0].index == pair[1].index && line(&pair[0]) != line(&pair[1]) {
                return Err(SheetError::Contradiction { index: pair[0].index });
            }
        }
        self.rows.dedup_by_key(|row| row.index);
        Ok(())
    }
}

impl SheetRow {
    /// The line of a file. A value that is no number is an empty field, and the parameters at the places of
    /// `switches` are `true` or `false`.
    #[must_use]
    pub fn line(&self, switches: &[usize]) -> String {
        let mut line = self.index.to_string();
        for (at, value) in self.point.iter().enumerate() {
            let _ = match switches.contains(&at) {
                true => write!(line, ",{}", *value != 0.0),
                false => write!(line, ",{value}"),
            };
        }
        for number in self.figures.iter().chain(&self.chosen).chain([&self.score]) {
            line.push(',');
            if !number.is_nan() {
                let _ = write!(line, "{number}");
            }
        }
        line.push('\n');
        line
    }

    /// The row, and which of its parameters are switches.
    fn parse(line: &str, parameters: usize, chosen: usize) -> Option<(Self, Vec<usize>)> {
        let mut fields = line.split(',');
        let index = fields.next()?.parse().ok()?;
        let mut switches = Vec::new();
        let number = |(at, field): (usize, &str)| match field {
            "" => Some(f64::NAN),
            "true" | "false" if at < parameters => {
                switches.push(at);
                Some(f64::from(u8::from(field == "true")))
            }
            field => field.parse().ok(),
        };
        let numbers: Vec<f64> = fields.enumerate().map(number).collect::<Option<_>>()?;
        let (point, rest) = numbers.split_at_checked(parameters)?;
        let (figures, rest) = rest.split_at_checked(COLUMNS.len())?;
        let (chosen, score) = rest.split_at_checked(chosen)?;
        let [score] = score else { return None };
        let (point, chosen) = (point.to_vec(), chosen.to_vec());
        Some((Self { index, point, figures: figures.try_into().ok()?, chosen, score: *score }, switches))
    }
}

impl fmt::Display for SheetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotASweep => {
                write!(f, "these are no rows of a sweep: the first line must be `{MARK}`; give results*.csv")
            }
            Self::Line { line } => write!(f, "line {line} cannot be read; run that part again"),
            Self::Cut { line } => write!(f, "it ends within line {line}; run that part again"),
            Self::Other { key, this, other } => write!(
                f,
                "it is of another search: `{key}` is `{this}` here and `{other}` in what came before"
            ),
            Self::Contradiction { index } => write!(
                f,
                "it has another result for point {index} than what came before: the program or the data has \
                 changed in between; run all parts again"
            ),
        }
    }
}

impl std::error::Error for SheetError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn sheet(indices: &[usize]) -> Sheet {
        let row = |index: &usize| SheetRow {
            index: *index,
            point: vec![*index as f64, 0.1],
            figures: [1.0 / 3.0, f64::NAN, 7.0, -1e-300, 0.1, f64::INFINITY, 1e300, 100.0],
            chosen: vec![*index as f64 / 7.0, f64::NAN],
            score: if *index == 3 { f64::NAN } else { (*index as f64 * 7.0) % 5.0 },
        };
        Sheet {
            about: vec![
                ("program".to_owned(), "X".to_owned()),
                ("data".to_owned(), "a\nb".replace('\n', " ")),
            ],
            parameters: vec!["fast".to_owned(), "share".to_owned()],
            switches: Vec::new(),
            chosen: vec!["sortino".to_owned(), "calmar".to_owned()],
            points: 9,
            rows: indices.iter().map(row).collect(),
        }
    }

    #[test]
    fn a_file_reads_back_with_every_bit() {
        let whole = sheet(&[0, 1, 2, 3]);
        let read = Sheet::parse(&whole.text(), false).expect("it reads");
        assert_eq!((read.digest(), read.text()), (whole.digest(), whole.text()));
        assert_eq!(read.check_same(&whole), Ok(()));
        let none = Sheet { parameters: Vec::new(), rows: Vec::new(), ..sheet(&[]) };
        assert_eq!(Sheet::parse(&none.text(), false), Ok(none));
        // Without figures that were chosen, a file is what it was before there were any.
        let mut usual = Sheet { chosen: Vec::new(), ..sheet(&[0, 3]) };
        usual.rows.iter_mut().for_each(|row| row.chosen.clear());
        let header = "index,fast,share,equity_final,return_pct,n_trades,max_drawdown_pct,\
                      sharpe_simple_daily252,sharpe_daily252,cagr_pct,exposure_pct,score\n";
        assert!(usual.text().contains(header), "{}", usual.text());
        assert_eq!(Sheet::parse(&usual.text(), false).map(|read| read.text()), Ok(usual.text()));
    }

    #[test]
    fn a_switch_is_true_or_false_and_reads_back_as_one() {
        let mut whole = sheet(&[0, 1, 2]);
        whole.switches = vec![1];
        for row in &mut whole.rows {
            row.point[1] = f64::from(u8::from(row.index == 1));
        }
        let text = whole.text();
        assert!(text.contains("\n0,0,false,0.3333333333333333,"), "{text}");
        assert!(text.contains("\n1,1,true,0.3333333333333333,"), "{text}");
        let read = Sheet::parse(&text, false).expect("it reads");
        assert_eq!((read.digest(), read.text(), &read.switches), (whole.digest(), text, &whole.switches));
        assert_eq!([read.json(1, 1.0), read.json(0, 1.0)], [serde_json::json!(true), serde_json::json!(1.0)]);
        // A part without rows does not know of it, and a figure is none.
        let mut merged = Sheet { rows: Vec::new(), switches: Vec::new(), ..whole.clone() };
        merged.merge(read).expect("of one search");
        assert_eq!(merged.text(), whole.text());
        let wrong = whole.text().replace("0.3333333333333333", "true");
        assert!(matches!(Sheet::parse(&wrong, false), Err(SheetError::Line { line: 6 })));
    }

    #[test]
    fn parts_in_any_sequence_make_the_same_whole() {
        let whole = sheet(&[0, 1, 2, 3, 4, 5]);
        let mut merged = sheet(&[4, 1]);
        merged.merge(sheet(&[5, 2])).expect("of one search");
        merged.merge(sheet(&[0, 3, 1])).expect("a row twice is no harm");
        assert_eq!(merged.digest(), whole.digest());
        assert_ne!(merged.digest(), sheet(&[0, 1, 2, 3, 4]).digest());
        let order: Vec<usize> = merged.ranked(9).iter().map(|row| row.index).collect();
        assert_eq!(order, [2, 4, 1, 0, 5, 3]);
        assert_eq!(merged.best(), Some(2));
    }

    #[test]
    fn other_searches_and_contradictions_are_refused() {
        let mut merged = sheet(&[0]);
        let mut other = sheet(&[1]);
        other.about[1].1 = "MSFT".to_owned();
        let error = merged.clone().merge(other).expect_err("another search").to_string();
        assert!(error.contains("`data` is `MSFT` here and `a b`"), "{error}");
        let mut other = sheet(&[1]);
        other.chosen.swap(0, 1);
        let error = merged.clone().merge(other).expect_err("other figures").to_string();
        assert!(error.contains("`figures` is `calmar sortino` here and `sortino calmar`"), "{error}");
        let mut other = sheet(&[0]);
        other.rows[0].figures[2] = 8.0;
        assert_eq!(merged.merge(other), Err(SheetError::Contradiction { index: 0 }));
    }

    #[test]
    fn damage_is_an_error_and_no_panic() {
        let text = sheet(&[0, 1]).text();
        for at in 0..text.len() {
            let cut = &text[..at];
            let strict = Sheet::parse(cut, false);
            let lax = Sheet::parse(cut, true);
            assert!(strict.is_err() || cut.ends_with('\n') || at == text.len(), "{at}: {strict:?}");
            assert!(lax.is_err() || lax.is_ok_and(|sheet| sheet.rows.len() < 2));
        }
        assert_eq!(Sheet::parse("Date,Open\n", true), Err(SheetError::NotASweep));
        let wrong = text.replace("0.3333333333333333", "x");
        assert!(matches!(Sheet::parse(&wrong, false), Err(SheetError::Line { line: 6 })));
    }
}
