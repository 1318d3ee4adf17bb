//! What the actors say to each other. All of it is `Copy` and at most 64 bytes, so a bus carries it without allocating.

/// One bar of the instrument, published by the feed.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Bar {
    /// Start of the bar, ns since 1970.
    pub timestamp: i64,
    /// First price.
    pub open: f64,
    /// Highest price.
    pub high: f64,
    /// Lowest price.
    pub low: f64,
    /// Last price.
    pub close: f64,
    /// Traded volume.
    pub volume: f64,
    /// Last price in ticks, exact.
    pub close_ticks: i64,
    /// Number of the bar, from 0.
    pub index: u32,
}

/// The close of a bar, published by the exchange after its fills.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Close {
    /// Start of the bar, ns since 1970.
    pub timestamp: i64,
    /// The price.
    pub price: f64,
    /// The price in ticks, exact.
    pub ticks: i64,
}

/// What an order is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum OrderKind {
    /// Close the position, whatever it is.
    Close,
    /// Buy.
    Buy,
    /// Sell short.
    Sell,
}

/// A market order, filled on the next bar.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Order {
    /// Start of the bar that it was decided on, ns since 1970.
    pub timestamp: i64,
    /// Units; 0 means all the cash.
    pub units: i64,
    /// What to do.
    pub kind: OrderKind,
}

/// What a fill did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FillKind {
    /// Opened a position.
    Open,
    /// Closed it.
    Close,
    /// The equity was used up: the position is gone and no cash is left.
    Liquidation,
}

/// An order was filled.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Fill {
    /// Start of the bar on which it was booked, ns since 1970.
    pub timestamp: i64,
    /// Change of the position.
    pub quantity: i64,
    /// Price, with the spread.
    pub price: f64,
    /// Commission in units of the currency.
    pub commission: f64,
    /// The bar that the trade is counted on.
    pub index: u32,
    /// What it did.
    pub kind: FillKind,
}

/// The feed has no more bars.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct SessionEnd {
    /// Start of the last bar, ns since 1970.
    pub timestamp: i64,
}

/// The exchange has closed what was open; the last bar is to be marked again.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C)]
pub struct Settlement {
    /// Start of the last bar, ns since 1970.
    pub timestamp: i64,
    /// Its close.
    pub price: f64,
}

use mycelium::Message;

macro_rules! message {
    ($name:ident, $id:literal, $topic:literal) => {
        impl Message for $name {
            const NAME: &'static str = stringify!($name);
            const TYPE_ID: u16 = $id;
            const TOPIC: &'static str = $topic;
        }
    };
}
message!(Bar, 101, "market");
message!(Close, 102, "market");
message!(Order, 103, "orders");
message!(Fill, 104, "fills");
message!(SessionEnd, 105, "market");
message!(Settlement, 106, "market");
