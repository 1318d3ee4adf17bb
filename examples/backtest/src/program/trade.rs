//! The flags of the terms on which a strategy trades, for all assets or for one.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::tiers::TierFile;
use crate::config::ConfigError;
use crate::data::AssetPrices;
use crate::engine::{
    Calendar, FillAt, Intrabar, Jitter, MarginTiers, Queueing, Ready, Session, Share, parse_duration,
};
use crate::named::Named;
use crate::strategy::Backtest;

/// On which terms a strategy trades.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Terms")]
pub(super) struct TradeArgs {
    /// Initial cash
    #[arg(long, value_name = "X", default_value_t = 10_000.0, allow_negative_numbers = true)]
    pub(super) cash: f64,
    /// Commission as a share of the traded value, at entry and at exit (0.002 is 0.2 %; none unless given).
    /// Of one file or symbol: `NAME:0.002`
    #[arg(long, value_name = "[NAME:]X")]
    commission: Vec<String>,
    /// Spread as a share of the price, paid at entry; none unless given
    #[arg(long, value_name = "[NAME:]X")]
    spread: Vec<String>,
    /// Slippage of market orders and stops, as a share of the price; none unless given
    #[arg(long, value_name = "[NAME:]X")]
    slippage: Vec<String>,
    /// Units in the least that can be traded; 1 unless given
    #[arg(long, value_name = "[NAME:]X")]
    lot: Vec<String>,
    /// How many times its money the account can buy
    #[arg(long, value_name = "X", default_value_t = 1.0, allow_negative_numbers = true)]
    leverage: f64,
    /// Share of the value of all positions that is to be kept: below it at a close all are closed, with costs
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_negative_numbers = true)]
    maintenance: f64,
    /// File with the shares that positions need by their size, instead of `--leverage` and `--maintenance`:
    /// tables `[[tier]]` with `from`, `initial`, `maintenance`, and `asset` where they are of one
    #[arg(long, value_name = "FILE", conflicts_with_all = ["leverage", "maintenance"])]
    margin_tiers: Option<String>,
    /// Interest a year on what positions cost beyond the money of the account: 0.05 is 5 %
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_negative_numbers = true)]
    interest: f64,
    /// Fee a year on the value of what was sold short
    #[arg(long, value_name = "X", default_value_t = 0.0, allow_negative_numbers = true)]
    borrow: f64,
    /// Where orders at the market are filled: `on-close` is the close on which they were decided
    #[arg(long, value_enum, default_value = "next-open", value_name = "WHEN")]
    fill: FillAt,
    /// The path of the price that is assumed within a bar
    #[arg(long, value_enum, default_value = "pessimistic", value_name = "PATH")]
    intrabar: Intrabar,
    /// Most of the volume of a bar or of the size of a quote that orders are filled with: 0.1 is a tenth.
    /// The rest waits; all that is asked for unless given
    #[arg(long, value_name = "[NAME:]X")]
    participation: Vec<String>,
    /// How long the news of an event takes to the strategy: `5ms`, or `1ms..5ms` at random
    #[arg(long, value_name = "TIME")]
    pub(super) feed_latency: Option<Jitter>,
    /// How long an order takes from the strategy to the exchange: `5ms`
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    latency: Option<Duration>,
    /// How an order moves forward in its queue on a book when others cancel
    #[arg(long, value_enum, default_value = "pessimistic", value_name = "MODEL")]
    queue: Queueing,
    /// Trading hours, outside of which nothing is filled: '09:30-16:00 America/New_York'; UTC without a zone
    #[arg(long, value_name = "[NAME:]HOURS")]
    session: Vec<String>,
    /// File with the trading hours of a venue and its days off, instead of `--session`: lines of `hours
    /// 09:30-16:00 America/New_York`, `days mon-fri`, `2024-12-25 closed`
    #[arg(long, value_name = "[NAME:]FILE")]
    calendar: Vec<String>,
    /// When a strategy on several assets is called for the first time
    #[arg(long, value_enum, default_value = "all")]
    ready: Ready,
}

/// What trading an asset costs, and when and in what it is traded.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct AssetCosts {
    commission: f64,
    spread: f64,
    slippage: f64,
    lot: f64,
    participation: f64,
    session: Session,
}

/// What the flags that may name an asset, or read a file, have said.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Costs {
    /// Of assets that none are named for.
    all: AssetCosts,
    /// Of each asset.
    own: Vec<AssetCosts>,
    /// Margin by size, and its steps in words.
    margin: Option<(MarginTiers, String)>,
}

impl TradeArgs {
    /// What the flags say of each asset. `names` are all that may stand before a value, `own` those of each.
    pub(super) fn costs(&self, names: &[String], own: &[Vec<String>]) -> Result<Costs, ConfigError> {
        let number = |text: &str| text.parse::<f64>().map_err(|_| format!("is `{text}`, must be a number"));
        let share = |text: &str| match number(text)? {
            share if (0.0..0.5).contains(&share) => Ok(share),
            share => Err(format!("is {share}, must be a share from 0 to below 0.5; 0.2 % is 0.002")),
        };
        let hours = |text: &str| text.parse::<Session>().map_err(|error| format!("is wrong: {error}"));
        let commission = Named::read("--commission", &self.commission, names, share)?;
        let spread = Named::read("--spread", &self.spread, names, number)?;
        let slippage = Named::read("--slippage", &self.slippage, names, share)?;
        let lot = Named::read("--lot", &self.lot, names, number)?;
        let participation = Named::read("--participation", &self.participation, names, number)?;
        let session = Named::read("--session", &self.session, names, hours)?;
        let days = |text: &str| {
            let read = Calendar::read(text.as_ref()).map(Session::from);
            read.map_err(|error| format!("is `{text}`, which is no calendar: {error}"))
        };
        let calendar = Named::read("--calendar", &self.calendar, names, days)?;
        for own in own {
            if session.of(own).is_some() && calendar.of(own).is_some() {
                let of = own.first().map_or("", String::as_str);
                let reason = format!(
                    "and --session are both given for `{of}`; the calendar has the hours: leave one out"
                );
                return Err(ConfigError { flag: "--calendar", reason });
            }
        }
        let of = |own: &[String]| AssetCosts {
            commission: commission.of(own).copied().unwrap_or(0.0),
            spread: spread.of(own).copied().unwrap_or(0.0),
            slippage: slippage.of(own).copied().unwrap_or(0.0),
            lot: lot.of(own).copied().unwrap_or(1.0),
            participation: participation.of(own).copied().unwrap_or(f64::INFINITY),
            session: session.of(own).or(calendar.of(own)).cloned().unwrap_or_default(),
        };
        let margin = self.margin_tiers.as_deref().map(|file| TierFile::read(file, names)).transpose();
        let margin = margin.map_err(|reason| ConfigError { flag: "--margin-tiers", reason })?;
        Ok(Costs {
            all: of(&[]),
            own: own.iter().map(|own| of(own)).collect(),
            margin: margin.map(|file| (file.model(own), file.describe())),
        })
    }

    /// A backtest of these prices on these terms.
    pub(super) fn backtest(&self, assets: &[AssetPrices], costs: &Costs) -> Backtest {
        let Costs { all, own, margin } = costs;
        let prices = assets.iter().map(|asset| (asset.symbol.clone(), asset.prices.clone()));
        let mut backtest = Backtest::of(prices);
        for (asset, costs) in assets.iter().zip(own) {
            if !asset.actions.dividends.is_empty() {
                backtest = backtest.dividends(&asset.symbol, Arc::clone(&asset.actions.dividends));
            }
            if costs != all {
                let costs = costs.clone();
                backtest = backtest.terms(&asset.symbol, move |terms| {
                    terms.commission = Arc::new(Share(costs.commission));
                    terms.slippage = Arc::new(Share(costs.slippage));
                    (terms.spread, terms.lot) = (Arc::new(costs.spread), costs.lot);
                    terms.participation = Arc::new(costs.participation);
                    terms.session = costs.session.clone();
                });
            }
        }
        if let Some(latency) = self.feed_latency {
            backtest = backtest.feed_latency(latency);
        }
        backtest = match margin {
            Some((tiers, _)) => backtest.margin(tiers.clone()),
            None => backtest.leverage(self.leverage).maintenance(self.maintenance),
        };
        backtest
            .latency(self.latency.unwrap_or_default())
            .cash(self.cash)
            .commission(Share(all.commission))
            .spread(all.spread)
            .slippage(Share(all.slippage))
            .lot(all.lot)
            .participation(all.participation)
            .interest(self.interest, self.borrow)
            .fill_at(self.fill)
            .intrabar(self.intrabar)
            .queue(self.queue)
            .ready_when(self.ready)
            .session(all.session.clone())
    }

    /// The terms in words: equal for equal terms.
    pub(super) fn describe(&self, assets: &[AssetPrices], costs: &Costs) -> String {
        let Costs { all, own, margin } = costs;
        // Those that are named for an asset stand behind that for all.
        let with_named = |value: &dyn Fn(&AssetCosts) -> String| {
            let others = assets.iter().zip(own).filter(|(_, costs)| value(costs) != value(all));
            let named: Vec<String> =
                others.map(|(asset, costs)| format!("{} {}", asset.symbol, value(costs))).collect();
            let all = value(all);
            if named.is_empty() { all } else { format!("{all} ({})", named.join(", ")) }
        };
        let mut terms = format!(
            "cash {}, commission {}, spread {}, slippage {}, lot {}, ",
            self.cash,
            with_named(&|costs| costs.commission.to_string()),
            with_named(&|costs| costs.spread.to_string()),
            with_named(&|costs| costs.slippage.to_string()),
            with_named(&|costs| costs.lot.to_string()),
        );
        match margin {
            Some((_, steps)) => terms.push_str(&format!("margin {steps}")),
            None => terms.push_str(&format!("leverage {}", self.leverage)),
        }
        for (name, value) in
            [("maintenance", self.maintenance), ("interest", self.interest), ("borrow", self.borrow)]
        {
            if value != 0.0 {
                terms.push_str(&format!(", {name} {value}"));
            }
        }
        if self.fill == FillAt::OnClose {
            terms.push_str(", filled on the close");
        }
        match self.intrabar {
            Intrabar::Pessimistic => {}
            Intrabar::NextBar => terms.push_str(", protective orders from the next bar on"),
            Intrabar::Optimistic => terms.push_str(", limits before stops within a bar"),
        }
        if !self.participation.is_empty() {
            let participation = with_named(&|costs| costs.participation.to_string());
            terms.push_str(&format!(", participation {participation}"));
        }
        if let Some(latency) = &self.feed_latency {
            terms.push_str(&format!(", feed latency {latency}"));
        }
        if let Some(latency) = self.latency {
            terms.push_str(&format!(", latency {latency:?}"));
        }
        if self.queue != Queueing::Pessimistic {
            terms.push_str(", proportional queue");
        }
        if self.ready == Ready::Any {
            terms.push_str(", ready with any asset");
        }
        if !self.session.is_empty() || !self.calendar.is_empty() {
            terms.push_str(&format!(", session {}", with_named(&|costs| costs.session.to_string())));
        }
        terms
    }
}
