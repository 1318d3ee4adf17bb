//! What a strategy sees, and what it can do.

use std::fmt::Write as _;

use super::desk::Desk;
use super::ticket::{Size, Ticket};
use crate::depth::Depth;
use crate::messages::{Bar, OrderUpdate, Quote, Tick, Timestamp};

/// The number of an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u32);

impl OrderId {
    /// The order that carries out the stop loss of this one, once this one has opened a trade.
    #[must_use]
    pub fn stop_loss(self) -> Self {
        Self(self.0 + 1)
    }

    /// The order that carries out the take profit of this one.
    #[must_use]
    pub fn take_profit(self) -> Self {
        Self(self.0 + 2)
    }
}

/// An order that works at the exchange, as far as the strategy can know.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OpenOrder {
    /// Its number.
    pub id: OrderId,
    /// Number of its asset: its place among those of the backtest.
    pub asset: u16,
    /// What was asked for: of a protective order, the ticket of the order that it protects.
    pub ticket: Ticket,
    /// Whether it is a buy. That of a protective order is the opposite of its ticket's.
    pub buy: bool,
    /// Whether a part of it has been filled that opened a trade or added to one.
    pub(super) opened: bool,
}

/// The bars so far, the account as of now, and the ways to trade.
///
/// With several assets it is that of one: what a strategy is called with is that of the first, and
/// [`asset`](StrategyContext::asset) gives that of another: `ctx.asset("B").buy(10)`. Cash, equity and the
/// list of orders are those of the whole account.
///
/// Everything here is as it was at the close of the latest bar, after all that was filled in that bar. An
/// order that is sent is filled on later bars.
pub struct StrategyContext<'a> {
    pub(super) desk: &'a mut Desk,
    pub(super) asset: u16,
}

impl StrategyContext<'_> {
    /// The same account, with the prices and the position of this asset.
    ///
    /// # Panics
    /// If the backtest has no asset of this name: as an index beyond the end, a mistake of the strategy.
    /// The run ends with an error that lists the names.
    #[must_use]
    pub fn asset(&mut self, symbol: &str) -> StrategyContext<'_> {
        let Some(asset) = self.desk.asset(symbol) else {
            panic!("there is no asset `{symbol}`; there are {:?}", self.desk.symbols());
        };
        StrategyContext { desk: self.desk, asset }
    }

    /// The same account, with the prices and the position of the asset of this number: its place among
    /// [`assets`](StrategyContext::assets).
    ///
    /// # Panics
    /// If the backtest has fewer assets: a strategy for two needs two. The run ends with an error that lists
    /// the names.
    #[must_use]
    pub fn asset_at(&mut self, number: usize) -> StrategyContext<'_> {
        let names = self.assets();
        assert!(
            number < names.len(),
            "there is no asset number {number}, counted from 0; there are {names:?}"
        );
        StrategyContext { desk: self.desk, asset: number as u16 }
    }

    /// The names of all assets, in the sequence in which the backtest was given them.
    #[must_use]
    pub fn assets(&self) -> &[String] {
        self.desk.symbols()
    }

    /// The name of the asset; empty if it was not named.
    #[must_use]
    pub fn symbol(&self) -> &str {
        self.desk.symbols().get(usize::from(self.asset)).map_or("", String::as_str)
    }

    #[inline]
    fn at(&self) -> usize {
        usize::from(self.asset)
    }

    /// The bar that has just closed, or the latest of this asset if it is another's turn. Of quotes, ticks
    /// and books, a bar of one price.
    #[inline]
    #[must_use]
    pub fn bar(&self) -> &Bar {
        self.desk.past.bar(self.at())
    }

    /// The latest quote, if quotes are what this asset has.
    #[must_use]
    pub fn quote(&self) -> Option<&Quote> {
        self.quotes().last()
    }

    /// The quotes so far, the latest last; empty of an asset without.
    #[must_use]
    pub fn quotes(&self) -> &[Quote] {
        self.desk.past.quotes(self.at())
    }

    /// The ticks so far, the latest last; empty of an asset without.
    #[must_use]
    pub fn ticks(&self) -> &[Tick] {
        self.desk.past.ticks(self.at())
    }

    /// The latest snapshot of the book, if depth is what this asset has.
    #[must_use]
    pub fn depth(&self) -> Option<&Depth> {
        self.depths().last()
    }

    /// The snapshots so far, the latest last; empty of an asset without.
    #[must_use]
    pub fn depths(&self) -> &[Depth] {
        self.desk.past.books(self.at())
    }

    /// Its close; of a quote or a book the middle of bid and ask.
    #[inline]
    #[must_use]
    pub fn price(&self) -> f64 {
        self.bar().close
    }

    /// When it began.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.bar().timestamp
    }

    /// The bars so far, the latest last. A source that is no history in memory keeps the last
    /// [`LOOKBACK_BARS`](crate::limits::LOOKBACK_BARS) at least.
    #[must_use]
    pub fn bars(&self) -> &[Bar] {
        self.desk.past.bars(self.at())
    }

    /// Units held; negative when short, zero when flat.
    #[inline]
    #[must_use]
    pub fn position(&self) -> f64 {
        self.desk.held[self.at()].units()
    }

    /// Lots held; negative when short, zero when flat: [`position`](StrategyContext::position) over the units
    /// of one.
    #[inline]
    #[must_use]
    pub fn lots(&self) -> i64 {
        self.desk.held[self.at()].lots
    }

    /// Whether nothing is held.
    #[inline]
    #[must_use]
    pub fn is_flat(&self) -> bool {
        self.desk.held[self.at()].lots == 0
    }

    /// Mean entry price of the position; zero when flat.
    #[must_use]
    pub fn entry_price(&self) -> f64 {
        if self.is_flat() { 0.0 } else { self.desk.held[self.at()].cost / self.position() }
    }

    /// What the account is worth, at the latest close.
    #[must_use]
    pub fn equity(&self) -> f64 {
        self.desk.equity
    }

    /// Realised cash: commissions and closed trades. The value of an open position is not in it.
    #[must_use]
    pub fn cash(&self) -> f64 {
        self.desk.cash
    }

    /// The orders of the account that wait to be filled, those of other assets included.
    #[must_use]
    pub fn orders(&self) -> &[OpenOrder] {
        &self.desk.open
    }

    /// What has become of orders since the last call: filled, rejected and why, expired.
    #[must_use]
    pub fn updates(&self) -> &[OrderUpdate] {
        &self.desk.updates
    }

    /// The number of the latest event of the account, over all assets.
    pub(crate) fn event_number(&self) -> u32 {
        self.desk.past.number()
    }

    /// Sends an order to buy, `ctx.buy(10)`, `ctx.buy(Size::All)` or a [`Ticket`]. It can be filled from the
    /// next bar on.
    pub fn buy(&mut self, ticket: impl Into<Ticket>) -> OrderId {
        self.desk.send(self.asset, ticket.into(), 1.0)
    }

    /// Sends an order to sell: it closes what is held, and then sells short.
    pub fn sell(&mut self, ticket: impl Into<Ticket>) -> OrderId {
        self.desk.send(self.asset, ticket.into(), -1.0)
    }

    /// Closes the position at the market, and cancels what is left of orders that have entered it in part.
    /// `None` when flat.
    pub fn close(&mut self) -> Option<OrderId> {
        let units = self.position();
        if units == 0.0 {
            return None;
        }
        self.desk.cancel_entries(self.asset);
        let ticket = Ticket::new(units.abs()).reduce_only();
        Some(self.desk.send(self.asset, ticket, -units.signum()))
    }

    /// Buys or sells at the market what is missing to a position: units or lots, or a share of the equity or
    /// an amount of money at the price of the fill. Negative is short; zero is flat.
    pub fn target(&mut self, size: impl Into<Size>) -> OrderId {
        let size = size.into();
        let value = self.position() * self.price();
        // As it looks now; the fill will tell.
        let buy = match size {
            Size::Units(units) => units > self.position(),
            Size::Lots(lots) => lots > self.lots(),
            Size::Value(wanted) => wanted > value,
            Size::All => self.equity() > value,
            Size::Cash(share) | Size::Equity(share) => share * self.equity() > value,
        };
        self.desk.send_order(self.asset, Ticket::new(size).as_target(), 1.0, buy)
    }

    /// Sends orders of which one cancels the others as soon as it is filled. `true` buys.
    pub fn one_cancels_other<const N: usize>(&mut self, orders: [(bool, Ticket); N]) -> [OrderId; N] {
        // Far more than can work at once have their places.
        let mut place = 0_u16;
        orders.map(|(buy, ticket)| {
            place = place.saturating_add(1);
            self.desk.send(self.asset, ticket.in_group(place), if buy { 1.0 } else { -1.0 })
        })
    }

    /// Cancels an order. One that has ended is passed over.
    pub fn cancel(&mut self, order: OrderId) {
        self.desk.cancel(order);
    }

    /// Cancels all orders that wait, protective ones included.
    pub fn cancel_all(&mut self) {
        while let Some(order) = self.desk.open.last() {
            let id = order.id;
            self.desk.cancel(id);
        }
    }

    /// Puts a remark into the results.
    pub fn note(&mut self, text: impl std::fmt::Display) {
        let mut line = String::new();
        let _ = write!(line, "{}: {text}", crate::data::format_timestamp(self.time()));
        self.desk.note(line);
    }
}
