//! Rows of a book: bids and asks of several levels, and trades.

use mycelium::sweep::SpillWriter;

use super::columns::Header;
use super::kinds::{Loaded, PriceRow, check_price};
use super::rows::{Fault, Fields, Place};
use super::{LoadError, ReadOptions, RowError};
use crate::depth::{DEPTH_LEVELS_MAX, Depth, Level};
use crate::messages::Timestamp;
use crate::tape::PriceKind;

/// Places of price and size.
type LevelColumns = (usize, usize);

#[derive(Clone, Copy, Debug)]
pub(super) struct DepthColumns {
    /// Of the bids and of the asks, the best first.
    levels: [[Option<LevelColumns>; DEPTH_LEVELS_MAX]; 2],
    trade: Option<LevelColumns>,
}

const SIDES: [&str; 2] = ["bid", "ask"];
const BID_SIZES: [&str; DEPTH_LEVELS_MAX] = [
    "Bid_Size_1",
    "Bid_Size_2",
    "Bid_Size_3",
    "Bid_Size_4",
    "Bid_Size_5",
    "Bid_Size_6",
    "Bid_Size_7",
    "Bid_Size_8",
    "Bid_Size_9",
    "Bid_Size_10",
];
const ASK_SIZES: [&str; DEPTH_LEVELS_MAX] = [
    "Ask_Size_1",
    "Ask_Size_2",
    "Ask_Size_3",
    "Ask_Size_4",
    "Ask_Size_5",
    "Ask_Size_6",
    "Ask_Size_7",
    "Ask_Size_8",
    "Ask_Size_9",
    "Ask_Size_10",
];
const TRADE_PRICES: [&str; 1] = ["trade_price"];
const TRADE_SIZES: [&str; 3] = ["trade_size", "trade_amount", "trade_qty"];

/// What the price of a level is called: by most, by Tardis, by Databento. Levels count from 0.
fn price_names(side: &str, level: usize) -> [String; 4] {
    let number = level + 1;
    [
        format!("{side}_price_{number}"),
        format!("{side}price{number}"),
        format!("{side}s[{level}].price"),
        format!("{side}_px_{level:02}"),
    ]
}

fn size_names(side: &str, level: usize) -> [String; 6] {
    let number = level + 1;
    [
        format!("{side}_size_{number}"),
        format!("{side}size{number}"),
        format!("{side}_qty_{number}"),
        format!("{side}_amount_{number}"),
        format!("{side}s[{level}].amount"),
        format!("{side}_sz_{level:02}"),
    ]
}

fn optional(header: &Header<'_>, names: &[String]) -> Result<Option<usize>, LoadError> {
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    header.optional("", &names)
}

/// Whether the header has levels. A first level alone that is called as quotes are is one of quotes.
pub(super) fn has_levels(header: &Header<'_>) -> bool {
    let [own @ .., _] = price_names("bid", 0);
    own.iter().chain(&price_names("bid", 1)).any(|name| header.find(name).is_some())
}

impl DepthColumns {
    fn side(&self, side: usize) -> impl Iterator<Item = LevelColumns> {
        self.levels[side].into_iter().flatten()
    }

    /// The best price of a side.
    fn best(&self, side: usize) -> usize {
        self.levels[side][0].map_or(0, |(price, _)| price)
    }
}

impl PriceRow for Depth {
    const KIND: PriceKind = PriceKind::Depth;
    const MAY_SHARE_TIME: bool = true;
    type Columns = DepthColumns;

    fn columns(header: &Header<'_>) -> Result<DepthColumns, LoadError> {
        let mut levels = [[None; DEPTH_LEVELS_MAX]; 2];
        for (side, levels) in SIDES.into_iter().zip(&mut levels) {
            for (level, columns) in levels.iter_mut().enumerate() {
                let price = optional(header, &price_names(side, level))?;
                let size = optional(header, &size_names(side, level))?;
                *columns = match (price, size) {
                    (Some(price), Some(size)) => Some((price, size)),
                    (None, _) if level == 0 && side == "bid" => return Err(header.missing("Bid_Price_1")),
                    (None, _) if level == 0 => return Err(header.missing("Ask_Price_1")),
                    // A book without sizes has nothing to take.
                    (Some(_), None) if side == "bid" => return Err(header.missing(BID_SIZES[level])),
                    (Some(_), None) => return Err(header.missing(ASK_SIZES[level])),
                    (None, _) => break,
                };
            }
        }
        let trade = match header.optional("trade_price", &TRADE_PRICES)? {
            Some(price) => Some((price, header.required("Trade_Size", &TRADE_SIZES)?)),
            None => None,
        };
        Ok(DepthColumns { levels, trade })
    }

    fn used(columns: &DepthColumns) -> Vec<usize> {
        let all = columns.side(0).chain(columns.side(1)).chain(columns.trade);
        all.flat_map(|(price, size)| [price, size]).collect()
    }

    fn read(fields: &impl Fields, columns: &DepthColumns, timestamp: Timestamp) -> Result<Self, Fault> {
        let mut book = Self::new(timestamp, &[], &[]);
        if let Some((price, size)) = columns.trade {
            let units = amount(fields, size)?;
            if units != 0.0 {
                book = book.with_trade(sound_price(fields, price)?, units);
            }
        }
        for (side, name) in SIDES.into_iter().enumerate() {
            let mut before: Option<f64> = None;
            for (price, size) in columns.side(side) {
                let units = amount(fields, size)?;
                if units == 0.0 {
                    continue;
                }
                let (at, price) = (price, sound_price(fields, price)?);
                if let Some(before) =
                    before.filter(|before| if side == 0 { price >= *before } else { price <= *before })
                {
                    let order = if side == 0 { "below" } else { "above" };
                    let text = format!(
                        "the {name} {price} is not {order} the {name} {before} of the level before it"
                    );
                    return Err((at, RowError::Book(text)));
                }
                before = Some(price);
                book.push(side == 0, Level { price, size: units });
            }
        }
        Ok(book)
    }

    fn check(&self, columns: &DepthColumns) -> Result<(), Fault> {
        if self.is_empty() && self.trade().is_some() {
            return Ok(());
        }
        for (side, levels) in [self.bids(), self.asks()].into_iter().enumerate() {
            if levels.is_empty() {
                let text =
                    format!("the book has no {}, and nobody could value a position by it", SIDES[side]);
                return Err((columns.best(side), RowError::Book(text)));
            }
        }
        let (bid, ask) = (self.bid().price, self.ask().price);
        if bid >= ask {
            let text =
                format!("the best bid {bid} is not below the best ask {ask}, as in the book of one exchange");
            return Err((columns.best(0), RowError::Book(text)));
        }
        Ok(())
    }

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn finish(
        symbol: String,
        mut rows: SpillWriter<Self>,
        lines: &[u64],
        columns: &DepthColumns,
        place: Place<'_>,
        _options: &ReadOptions,
    ) -> Result<Loaded, LoadError> {
        let mut latest = Self::default();
        for (at, row) in rows.as_mut_slice().iter_mut().enumerate() {
            if row.is_empty() {
                // A trade alone leaves the book as it was.
                *row = row.with_levels_of(&latest);
            }
            if row.is_empty() {
                let text = "a trade comes before the first book: remove the rows above that".to_owned();
                let column = columns.trade.map_or(0, |(price, _)| price);
                return Err(place(lines[at], column, RowError::Book(text)));
            }
            row.index = at as u32;
            latest = *row;
        }
        Ok(Loaded::Depth(symbol, rows.finish()?))
    }
}

/// A size: zero where there is none.
fn amount(fields: &impl Fields, at: usize) -> Result<f64, Fault> {
    match fields.amount(Some(at))? {
        size if size.is_finite() && size >= 0.0 => Ok(size),
        size => Err((at, RowError::BadVolume(size.to_string()))),
    }
}

fn sound_price(fields: &impl Fields, at: usize) -> Result<f64, Fault> {
    let price = fields.number(at)?;
    check_price(at, price).map(|()| price)
}
