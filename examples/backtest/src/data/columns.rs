//! Which column is which, by the names in the header.

use super::kinds::{ASKS, BIDS, BOOK_EVENTS, PRICES};
use super::{Actions, LoadError, ReadOptions, parse_timestamp};
use crate::tape::PriceKind;

/// Positions of the columns that rows of each kind have.
#[derive(Clone, Copy, Debug)]
pub(super) struct TimeColumns {
    pub(super) symbol: Option<usize>,
    pub(super) date: usize,
    /// A time of day beside the date, as some platforms export it.
    pub(super) time: Option<usize>,
}

/// The first of these that the header has is the date. Exchanges and vendors call it by the last names.
const DATES: [&str; 14] = [
    "date",
    "datetime",
    "timestamp",
    "date_time",
    "time",
    "open_time",
    "open time",
    "opentime",
    "unix",
    "gmt time",
    "transact_time",
    "transaction_time",
    "sip_timestamp",
    "ts_event",
];
const SYMBOLS: [&str; 2] = ["ticker", "symbol"];

/// The names of the columns.
pub(super) struct Header<'a> {
    fields: &'a ::csv::StringRecord,
    /// Without case, spaces around them, quotes or angle brackets.
    names: Vec<String>,
    line: u64,
    options: &'a ReadOptions,
}

impl<'a> Header<'a> {
    /// `line` is that of the header.
    pub(super) fn new(
        fields: &'a ::csv::StringRecord,
        line: u64,
        options: &'a ReadOptions,
    ) -> Result<Self, LoadError> {
        let names: Vec<String> = fields.iter().map(normal).collect();
        if fields.iter().any(|field| parse_timestamp(field.trim()).is_some()) {
            return Err(LoadError::NoHeader { line, first: shown(&fields[0]) });
        }
        for (role, name) in &options.columns {
            if !names.contains(&normal(name)) {
                let present = fields.iter().map(shown).collect();
                return Err(LoadError::NamedColumn { role: role.clone(), name: name.clone(), present });
            }
        }
        Ok(Self { fields, names, line, options })
    }

    /// What the rows are: as was said, or as the names say.
    ///
    /// # Errors
    /// [`LoadError::BookEvents`]: prices that may be those of orders.
    pub(super) fn kind(&self) -> Result<PriceKind, LoadError> {
        let has = |role: &str, names: &[&str]| {
            self.options.named(role).is_some() || names.iter().any(|name| self.find(name).is_some())
        };
        let event = BOOK_EVENTS.iter().find_map(|name| self.find(name));
        Ok(match self.options.kind {
            Some(kind) => kind,
            None if ["open", "high", "low", "close"].iter().any(|name| has(name, &[name])) => PriceKind::Bars,
            None if super::depth::has_levels(self) => PriceKind::Depth,
            None if has("bid", &BIDS) || has("ask", &ASKS) => PriceKind::Quotes,
            None if has("price", &PRICES) => match event {
                Some(at) => return Err(LoadError::BookEvents { column: shown(&self.fields[at]) }),
                None => PriceKind::Ticks,
            },
            None => PriceKind::Bars,
        })
    }

    /// The columns that rows of each kind have.
    pub(super) fn times(&self) -> Result<TimeColumns, LoadError> {
        let mut date = None;
        for name in DATES {
            // Where the date is named, only that name counts.
            if date.is_none() && (name == "date" || self.options.named("date").is_none()) {
                date = self.at(name)?;
            }
        }
        // An unnamed first column, or one called `index`, is how data frames write their time index.
        let unnamed_first =
            self.names.first().is_some_and(|name| name.is_empty() || name == "index" || name == "unnamed: 0");
        // So pandas calls it in Parquet.
        let unnamed = self.find("__index_level_0__");
        let date = match date.or(unnamed_first.then_some(0)).or(unnamed) {
            Some(at) => at,
            None => return Err(self.missing("Date")),
        };
        let symbol = self.optional("symbol", &SYMBOLS)?;
        Ok(TimeColumns { symbol, date, time: self.at("time")?.filter(|at| *at != date) })
    }

    /// The column of a role: the one that was named for it, or else the first of these names that there is.
    pub(super) fn optional(&self, role: &str, names: &[&str]) -> Result<Option<usize>, LoadError> {
        if self.options.named(role).is_some() {
            return self.at(role);
        }
        for name in names {
            let found = find_once(&self.names, self.fields, name, self.line)?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// The column of a role that must be there.
    pub(super) fn required(&self, column: &'static str, names: &[&str]) -> Result<usize, LoadError> {
        self.optional(&column.to_lowercase(), names)?.ok_or_else(|| self.missing(column))
    }

    /// What is to become of splits and dividends.
    pub(super) fn actions(&self) -> Actions {
        self.options.actions
    }

    pub(super) fn missing(&self, column: &'static str) -> LoadError {
        let near = nearest(&column.to_lowercase(), &self.names);
        LoadError::MissingColumn {
            line: self.line,
            column,
            present: self.fields.iter().map(shown).collect(),
            suggestion: near.map(|at| self.fields[at].trim().to_owned()),
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|other| other == name)
    }

    fn at(&self, wanted: &str) -> Result<Option<usize>, LoadError> {
        let wanted = self.options.named(wanted).map_or_else(|| wanted.to_owned(), normal);
        find_once(&self.names, self.fields, &wanted, self.line)
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
    use crate::data::kinds::{BarColumns, BarRow, PriceRow};

    fn find(names: &[&str]) -> Result<(TimeColumns, BarColumns), LoadError> {
        let (fields, options) = (::csv::StringRecord::from(names.to_vec()), ReadOptions::default());
        let header = Header::new(&fields, 1, &options)?;
        Ok((header.times()?, BarRow::columns(&header)?))
    }

    #[test]
    fn names_are_found_in_any_case_and_order() {
        let (times, columns) =
            find(&["volume", "CLOSE", " Low ", "High", "open", "TIMESTAMP", "Symbol", "x"]).expect("found");
        assert_eq!((columns.open, columns.close, columns.low, times.date), (4, 1, 2, 5));
        assert_eq!((times.symbol, columns.volume), (Some(6), Some(0)));
        let (times, columns) = find(&["", "Open", "High", "Low", "Close"]).expect("found");
        assert_eq!((times.date, columns.volume, times.symbol), (0, None, None));
        let times = |names: &[&str]| find(names).expect("found").0;
        let columns = times(&["<DATE>", "<TIME>", "<OPEN>", "<HIGH>", "<LOW>", "<CLOSE>"]);
        assert_eq!((columns.date, columns.time), (0, Some(1)));
        let columns = times(&["Time", "Open", "High", "Low", "Close"]);
        assert_eq!((columns.date, columns.time), (0, None));
        let columns = times(&["open_time", "open", "high", "low", "close", "close_time"]);
        assert_eq!((columns.date, columns.time), (0, None));
        let columns = times(&["unix", "date", "open", "high", "low", "close"]);
        assert_eq!(columns.date, 1, "the date in words comes first");
    }

    #[test]
    fn what_the_rows_are_follows_from_the_names() {
        let kind = |names: &[&str], columns: &str| {
            let columns =
                if columns.is_empty() { Ok(Vec::new()) } else { ReadOptions::parse_columns(columns) };
            let options = ReadOptions { columns: columns.expect("columns"), ..ReadOptions::default() };
            let fields = ::csv::StringRecord::from(names.to_vec());
            Header::new(&fields, 1, &options).expect("a header").kind().expect("a kind")
        };
        assert_eq!(kind(&["Time", "Open", "High", "Low", "Close", "Bid", "Ask"], ""), PriceKind::Bars);
        assert_eq!(kind(&["Gmt time", "Ask", "Bid", "AskVolume", "BidVolume"], ""), PriceKind::Quotes);
        assert_eq!(kind(&["timestamp", "ask_amount", "ask_price", "bid_price"], ""), PriceKind::Quotes);
        assert_eq!(kind(&["id", "price", "qty", "quote_qty", "time"], ""), PriceKind::Ticks);
        assert_eq!(kind(&["t", "p", "s"], "date=t,price=p,size=s"), PriceKind::Ticks);
        assert_eq!(kind(&["t", "b", "a"], "date=t,bid=b,ask=a"), PriceKind::Quotes);
        assert_eq!(kind(&["Date", "Price", "Close"], ""), PriceKind::Bars);
        assert_eq!(kind(&["x"], ""), PriceKind::Bars);
    }

    #[test]
    fn a_missing_column_names_the_nearest() {
        let message = find(&["Date", "Open", "High", "Low", "Colse"]).expect_err("missing").to_string();
        assert_eq!(
            message,
            "line 1: no column `Close`; the header has: Date, Open, High, Low, Colse; did you mean `Colse`? Rename it to `Close`, or name it: --columns 'close=Colse'"
        );
        let message = find(&["Date", "O", "High", "Low", "Close"]).expect_err("missing").to_string();
        assert!(message.contains("did you mean `O`"), "{message}");
        let message = find(&["Date", "Open", "High", "Low", "Price"]).expect_err("missing").to_string();
        assert!(message.ends_with("or say which one it is: --columns 'close=NAME'"), "{message}");
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
