//! Which column is which, by the names in the header.

use super::{LoadError, ReadOptions, parse_timestamp};

/// Positions of the columns that are used.
#[derive(Clone, Copy, Debug)]
pub(super) struct Columns {
    pub(super) symbol: Option<usize>,
    pub(super) date: usize,
    /// A time of day beside the date, as some platforms export it.
    pub(super) time: Option<usize>,
    pub(super) open: usize,
    pub(super) high: usize,
    pub(super) low: usize,
    pub(super) close: usize,
    pub(super) volume: Option<usize>,
}

/// The first of these that the header has is the date. Exchanges of coins call it by the last names.
const DATES: [&str; 9] =
    ["date", "datetime", "timestamp", "date_time", "time", "open_time", "open time", "opentime", "unix"];
const SYMBOLS: [&str; 2] = ["ticker", "symbol"];

impl Columns {
    /// Finds the columns in the header. Names are compared without case, spaces around them, quotes or angle
    /// brackets. `line` is that of the header.
    pub(super) fn find(
        header: &::csv::StringRecord,
        line: u64,
        options: &ReadOptions,
    ) -> Result<Self, LoadError> {
        let names: Vec<String> = header.iter().map(normal).collect();
        if header.iter().any(|field| parse_timestamp(field.trim()).is_some()) {
            return Err(LoadError::NoHeader { line, first: shown(&header[0]) });
        }
        for (role, name) in &options.columns {
            if !names.contains(&normal(name)) {
                let present = header.iter().map(shown).collect();
                return Err(LoadError::NamedColumn { role: role.clone(), name: name.clone(), present });
            }
        }
        let at = |wanted: &str| {
            let wanted = options.named(wanted).map_or_else(|| wanted.to_owned(), normal);
            find_once(&names, header, &wanted, line)
        };
        let required = |column: &'static str| {
            at(&column.to_lowercase())?.ok_or_else(|| LoadError::MissingColumn {
                line,
                column,
                present: header.iter().map(shown).collect(),
                suggestion: nearest(&column.to_lowercase(), &names).map(|at| header[at].trim().to_owned()),
            })
        };
        let mut date = None;
        for name in DATES {
            // Where the date is named, only that name counts.
            if date.is_none() && (name == "date" || options.named("date").is_none()) {
                date = at(name)?;
            }
        }
        // An unnamed first column, or one called `index`, is how data frames write their time index.
        let unnamed_first =
            names.first().is_some_and(|name| name.is_empty() || name == "index" || name == "unnamed: 0");
        // So pandas calls it in Parquet.
        let unnamed = names.iter().position(|name| name == "__index_level_0__");
        let date = match date.or(unnamed_first.then_some(0)).or(unnamed) {
            Some(at) => at,
            None => required("Date")?,
        };
        let mut symbol = None;
        for name in SYMBOLS {
            if symbol.is_none() {
                symbol = at(name)?;
            }
        }
        if options.named("symbol").is_some() {
            symbol = at("symbol")?;
        }
        Ok(Self {
            symbol,
            date,
            time: at("time")?.filter(|at| *at != date),
            open: required("Open")?,
            high: required("High")?,
            low: required("Low")?,
            close: required("Close")?,
            volume: at("volume")?,
        })
    }
}

fn normal(name: &str) -> String {
    name.trim().trim_matches(['<', '>', '"', '\'']).trim().to_lowercase()
}

fn shown(name: &str) -> String {
    if name.trim().is_empty() { "(unnamed)".to_owned() } else { name.trim().to_owned() }
}

fn find_once(
    names: &[String],
    header: &::csv::StringRecord,
    wanted: &str,
    line: u64,
) -> Result<Option<usize>, LoadError> {
    let mut found = names.iter().enumerate().filter(|(_, name)| *name == wanted).map(|(at, _)| at);
    let first = found.next();
    match found.next() {
        Some(second) => Err(LoadError::DuplicateColumn { line, column: header[second].trim().to_owned() }),
        None => Ok(first),
    }
}

/// How much of a name is compared.
const LENGTH_MAX: usize = 64;

/// The name that most likely was meant: an abbreviation, the word inside a longer name, or a slip of at most
/// two letters.
fn nearest(wanted: &str, names: &[String]) -> Option<usize> {
    let initial = &wanted[..1];
    let score = |name: &String| {
        if name == initial || name.contains(wanted) {
            return 1;
        }
        // A name without a letter in common is no slip of the pen.
        let name: String = name.chars().take(LENGTH_MAX).collect();
        strsim::osa_distance(wanted, &name)
    };
    let (at, distance) =
        names.iter().enumerate().map(|(at, name)| (at, score(name))).min_by_key(|(_, score)| *score)?;
    (distance <= 2).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(names: &[&str]) -> Result<Columns, LoadError> {
        Columns::find(&::csv::StringRecord::from(names.to_vec()), 1, &ReadOptions::default())
    }

    #[test]
    fn names_are_found_in_any_case_and_order() {
        let columns =
            find(&["volume", "CLOSE", " Low ", "High", "open", "TIMESTAMP", "Symbol", "x"]).expect("found");
        assert_eq!((columns.open, columns.close, columns.low, columns.date), (4, 1, 2, 5));
        assert_eq!((columns.symbol, columns.volume), (Some(6), Some(0)));
        let columns = find(&["", "Open", "High", "Low", "Close"]).expect("found");
        assert_eq!((columns.date, columns.volume, columns.symbol), (0, None, None));
        let columns = find(&["<DATE>", "<TIME>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>"]).expect("found");
        assert_eq!((columns.date, columns.time), (0, Some(1)));
        let columns = find(&["Time", "Open", "High", "Low", "Close"]).expect("found");
        assert_eq!((columns.date, columns.time), (0, None));
        let columns = find(&["open_time", "open", "high", "low", "close", "close_time"]).expect("found");
        assert_eq!((columns.date, columns.time), (0, None));
        let columns = find(&["unix", "date", "open", "high", "low", "close"]).expect("found");
        assert_eq!(columns.date, 1, "the date in words comes first");
    }

    #[test]
    fn a_missing_column_names_the_nearest() {
        let message = find(&["Date", "Open", "High", "Low", "Colse"]).expect_err("missing").to_string();
        assert_eq!(
            message,
            "line 1: no column `Close`; the header has: Date, Open, High, Low, Colse; did you mean `Colse`? Rename it to `Close`"
        );
        let message = find(&["Date", "O", "High", "Low", "Close"]).expect_err("missing").to_string();
        assert!(message.contains("did you mean `O`"), "{message}");
        let message = find(&["Date", "Open", "High", "Low", "Price"]).expect_err("missing").to_string();
        assert!(message.ends_with("add a column of that name"), "{message}");
        let message = find(&["Day", "Open", "High", "Low", "Close"]).expect_err("missing").to_string();
        assert!(message.contains("no column `Date`"), "{message}");
    }

    #[test]
    fn a_column_named_twice_is_refused() {
        let message =
            find(&["Date", "Open", "High", "Low", "Close", "close"]).expect_err("twice").to_string();
        assert!(message.contains("`close` appears twice"), "{message}");
    }
}
