//! What a command trades: the prices that it was given, and a backtest of them on its terms.

use super::args::MarketFlags;
use crate::commands::{CommandError, read_all};
use crate::config::ConfigError;
use crate::data::{AssetPrices, format_timestamp};
use crate::instance::InstanceError;
use crate::results::Digest;
use crate::strategy::Backtest;
use crate::tape::MarketData;

/// The assets of a command.
pub(super) struct Traded {
    pub(super) assets: Vec<AssetPrices>,
    pub(super) backtest: Backtest,
    /// The terms in words: equal for equal terms.
    pub(super) terms: String,
}

impl MarketFlags {
    /// Reads the prices.
    pub(super) fn open(&self) -> Result<Traded, CommandError> {
        let (assets, own): (Vec<AssetPrices>, Vec<Vec<String>>) = read_all(&self.data)?.into_iter().unzip();
        let mut names = self.data.names();
        // A file of one symbol is called by that as well.
        names.extend(
            assets.iter().map(|asset| asset.symbol.clone()).filter(|name| !self.data.names().contains(name)),
        );
        let costs = self.trade.costs(&names, &own)?;
        let backtest = self.trade.backtest(&assets, &costs);
        // Here, and not once for each point of a search.
        backtest.check().map_err(refused)?;
        let terms = self.trade.describe(&assets, &costs);
        Ok(Traded { assets, backtest, terms })
    }
}

/// Terms that have a flag of their name.
const FLAGS: [&str; 8] =
    ["cash", "lot", "leverage", "spread", "participation", "maintenance", "interest", "borrow"];

/// Terms that nobody can trade on, by the flag that has said them.
fn refused(error: InstanceError) -> CommandError {
    match error {
        InstanceError::Market(error) if FLAGS.contains(&error.term) => {
            ConfigError { flag: error.term, reason: error.reason }.into()
        }
        error => error.into(),
    }
}

impl Traded {
    /// The only asset, if there is one alone.
    pub(super) fn only(&self) -> Option<&AssetPrices> {
        if let [asset] = &self.assets[..] { Some(asset) } else { None }
    }

    /// The names: `IBM`, `IBM and MSFT`, `FB, IBM and MSFT`.
    pub(super) fn symbols(&self) -> String {
        let names: Vec<&str> = self.assets.iter().map(|asset| asset.symbol.as_str()).collect();
        match &names[..] {
            [rest @ .., last] if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
            _ => names.join(""),
        }
    }

    /// Of each asset the symbol, how many rows, and when.
    pub(super) fn stretches(&self, between: &str) -> String {
        let all: Vec<String> = self.assets.iter().map(stretch).collect();
        all.join(between)
    }

    /// The same with digests: equal for equal prices alone.
    pub(super) fn fingerprint(&self) -> String {
        let one = |asset: &AssetPrices| format!("{}, digest {:016x}", stretch(asset), digest(asset));
        let all: Vec<String> = self.assets.iter().map(one).collect();
        all.join("; ")
    }
}

fn stretch(asset: &AssetPrices) -> String {
    let (prices, symbol) = (&asset.prices, &asset.symbol);
    let at = |at: usize| prices.get(at).map(|data| format_timestamp(data.timestamp())).unwrap_or_default();
    let (count, last) = (prices.len(), prices.len().saturating_sub(1));
    let text = format!("{symbol}: {count} {} from {} to {}", prices.kind(), at(0), at(last));
    if asset.actions.is_empty() { text } else { format!("{text}; {}", asset.actions) }
}

fn digest(asset: &AssetPrices) -> u64 {
    let (mut digest, prices) = (Digest::new(), &asset.prices);
    for (time_ns, amount) in asset.actions.dividends.iter() {
        digest.add(&time_ns.to_le_bytes());
        digest.add_number(*amount);
    }
    for data in (0..prices.len()).filter_map(|at| prices.get(at)) {
        digest.add(&data.timestamp().as_nanos().to_le_bytes());
        let numbers = match data {
            MarketData::Bar(bar) => &[bar.open, bar.high, bar.low, bar.close, bar.volume][..],
            MarketData::Quote(quote) => &[quote.bid, quote.ask, quote.bid_size, quote.ask_size],
            MarketData::Tick(tick) => &[tick.price, tick.size],
            MarketData::Depth(book) => {
                // How many levels there are on either side tells bids from asks.
                digest.add(&[book.bids().len() as u8, book.asks().len() as u8]);
                let levels = book.bids().iter().chain(book.asks()).copied().chain(book.trade());
                levels.for_each(|level| [level.price, level.size].iter().for_each(|x| digest.add_number(*x)));
                &[]
            }
        };
        numbers.iter().for_each(|number| digest.add_number(*number));
    }
    digest.value()
}
