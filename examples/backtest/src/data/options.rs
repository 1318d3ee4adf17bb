//! How a file of prices is to be read where it is not as it should be.

use std::fmt;

use super::{Actions, LoadError};
use crate::limits::MEMORY_BYTES_MAX;
use crate::tape::PriceKind;

/// Which symbol, and what to make of files that are written in another way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// The symbol to read, if the file has several.
    pub symbol: Option<String>,
    /// What the rows are; the names of the columns tell it, unless it is said.
    pub kind: Option<PriceKind>,
    /// How dates are written, as `strptime` has it: `%d.%m.%Y %H:%M`. A time column is read behind the date,
    /// with a space between them. Without an offset it is UTC.
    pub date_format: Option<String>,
    /// Whether `1.234,50` is 1234.5.
    pub decimal_comma: bool,
    /// Whether rows may come in any sequence: they are put in order of time.
    pub sort: bool,
    /// Whether rows that cannot be used are left out, and counted, rather than refused with the file.
    pub drop_bad_rows: bool,
    /// Names of columns in the file, for what they are: `("close", "Last")`. Each role is one of [`ROLES`].
    pub columns: Vec<(String, String)>,
    /// What becomes of splits and dividends, where a file of bars tells of them.
    pub actions: Actions,
    /// Most bytes of rows that are kept in memory: more of them are in a file without a name, in the folder
    /// of `TMPDIR` or else in `/var/tmp`. `None` is [`MEMORY_BYTES_MAX`].
    pub memory_bytes_max: Option<usize>,
}

/// What a column may be.
pub const ROLES: [&str; 19] = [
    "symbol",
    "date",
    "time",
    "open",
    "high",
    "low",
    "close",
    "volume",
    "bid",
    "ask",
    "bid_size",
    "ask_size",
    "price",
    "size",
    "trade_price",
    "trade_size",
    "dividends",
    "split_ratio",
    "adj_close",
];

/// Rows that were left out.
#[derive(Debug, Default)]
pub struct DroppedRows {
    /// How many.
    pub count: usize,
    /// What was wrong with the first of them.
    pub first: Option<LoadError>,
}

impl ReadOptions {
    /// Reads what the columns are: `close=Last,date=Day`.
    ///
    /// # Errors
    /// What is no such list.
    pub fn parse_columns(text: &str) -> Result<Vec<(String, String)>, String> {
        let mut columns: Vec<(String, String)> = Vec::new();
        for part in text.split(',') {
            let (role, name) = part
                .split_once('=')
                .map(|(role, name)| (role.trim().to_lowercase(), name.trim().to_owned()))
                .ok_or_else(|| format!("`{part}` is no column; write `close=Last,date=Day`"))?;
            if !ROLES.contains(&role.as_str()) || name.is_empty() {
                return Err(format!(
                    "`{part}` is no column; before the `=` stands one of: {}",
                    ROLES.join(", ")
                ));
            }
            if columns.iter().any(|(other, _)| *other == role) {
                return Err(format!("`{role}` is named twice"));
            }
            columns.push((role, name));
        }
        Ok(columns)
    }

    pub(super) fn memory(&self) -> usize {
        self.memory_bytes_max.unwrap_or(MEMORY_BYTES_MAX)
    }

    /// The name that the file has for a column.
    pub(super) fn named(&self, role: &str) -> Option<&str> {
        self.columns.iter().find(|(known, _)| known == role).map(|(_, name)| name.as_str())
    }
}

impl DroppedRows {
    pub(super) fn add(&mut self, error: LoadError) {
        self.count += 1;
        self.first.get_or_insert(error);
    }
}

impl fmt::Display for DroppedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.first {
            None => f.write_str("no row was left out"),
            Some(first) => write!(f, "{} rows were left out; the first: {first}", self.count),
        }
    }
}
