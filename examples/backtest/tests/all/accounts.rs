//! Random strategies on several assets: the account is whole at each event, and what is not traded changes
//! nothing.

use std::sync::Arc;
use std::time::Duration;

use backtest::engine::{AtEnd, FundingEvery, Share};
use backtest::messages::{Bar, Quote, Timestamp};
use backtest::strategy::{Backtest, Report, Size, StrategyContext, Ticket};
use backtest::tape::Prices;
use mycelium_random::{Random, cases, seeds};

const CASES: u64 = 300;
const CASH: f64 = 10_000.0;
pub(crate) const NAMES: [&str; 3] = ["A", "B", "C"];

/// Bars of so many hours, with gaps.
pub(crate) fn bars(random: &mut Random, hours: i64) -> Vec<Bar> {
    let (mut ticks, mut hour) = (10_000_i64, random.below(30) as i64 * hours);
    let count = random.below(80) + 3;
    let bar = |index: u64| {
        let mut step = |range: u64| random.below(2 * range + 1) as i64 - range as i64;
        let open = (ticks + step(200)).max(50);
        let close = (open + step(200)).max(50);
        let (high, low) = (open.max(close) + step(100).max(0), open.min(close) + step(100).min(0));
        ticks = close;
        let timestamp = Timestamp::from_nanos(hour * 3_600_000_000_000);
        hour += hours * (1 + i64::from(random.below(10) == 0) * 3);
        let price = |ticks: i64| ticks.max(25) as f64 / 100.0;
        let (open, high, low, close) = (price(open), price(high), price(low), price(close));
        Bar {
            timestamp,
            open,
            high,
            low,
            close,
            volume: 500.0,
            close_ticks: 1,
            index: index as u32,
            asset: 0,
        }
    };
    (0..count).map(bar).collect()
}

pub(crate) fn quotes(random: &mut Random) -> Vec<Quote> {
    let (mut ticks, mut minute) = (10_000_i64, 0);
    let count = random.below(300) + 3;
    let quote = |index: u64| {
        ticks = (ticks + random.below(41) as i64 - 20).max(100);
        minute += random.below(40) as i64;
        let timestamp = Timestamp::from_nanos(minute * 60_000_000_000);
        let (bid, ask) = (ticks as f64 / 100.0, (ticks + 1 + random.below(5) as i64) as f64 / 100.0);
        Quote { timestamp, bid, ask, bid_size: 50.0, ask_size: 30.0, index: index as u32, asset: 0 }
    };
    (0..count).map(quote).collect()
}

/// Orders of any kind and size, on any asset. Draws from its own chance, so that it does the same again.
pub(crate) fn act(ctx: &mut StrategyContext<'_>, random: &mut Random, names: &[&str]) {
    if random.below(3) != 0 {
        return;
    }
    let name = names[random.index(names.len())];
    let mut ctx = ctx.asset(name);
    let price = ctx.price();
    let size = match random.below(4) {
        0 => Size::Units(random.below(60) as f64 + 1.0),
        1 => Size::Value(random.below(5_000) as f64 + 200.0),
        2 => Size::Cash(random.below(100) as f64 / 100.0 + 0.01),
        _ => Size::Equity(random.below(100) as f64 / 100.0 + 0.01),
    };
    let buy = random.below(2) == 0;
    let side = if buy { 1.0 } else { -1.0 };
    let ticket = match random.below(5) {
        0 => Ticket::new(size).limit(price * (1.0 - 0.01 * side)),
        1 => Ticket::new(size).stop(price * (1.0 + 0.01 * side)),
        2 => {
            Ticket::new(size).stop_loss(price * (1.0 - 0.03 * side)).take_profit(price * (1.0 + 0.03 * side))
        }
        3 => Ticket::new(size).immediate_or_cancel(),
        _ => Ticket::new(size),
    };
    match random.below(8) {
        0 => _ = ctx.close(),
        1 => ctx.cancel_all(),
        2 => _ = ctx.target(Size::Equity(0.3 * side)),
        _ if buy => _ = ctx.buy(ticket),
        _ => _ = ctx.sell(ticket),
    }
}

pub(crate) fn terms(backtest: Backtest, seed: u64) -> Backtest {
    let random = &mut Random::new(seed ^ 0x7e57);
    let backtest = backtest
        .cash(CASH)
        .commission(Share(random.pick(&[0.0, 0.001])))
        .spread(random.pick(&[0.0, 0.001]))
        .leverage(random.pick(&[1.0, 3.0]))
        .maintenance(random.pick(&[0.0, 0.2]))
        .participation(random.pick(&[f64::INFINITY, 0.1]))
        .interest(random.pick(&[0.0, 0.1]), random.pick(&[0.0, 0.2]))
        .latency(random.pick(&[Duration::ZERO, Duration::from_secs(60), Duration::from_secs(100_000)]))
        .at_end(random.pick(&[AtEnd::Close, AtEnd::Keep]));
    if random.below(3) == 0 { backtest.funding(FundingEvery { hours: 8, rate: 0.0005 }) } else { backtest }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6 * CASH
}

/// Trades [`NAMES`] at random: cash and positions are the equity at each event, and profits and charges what
/// has become of the money.
pub(crate) fn whole(backtest: &Backtest, seed: u64) -> Report {
    let mut chance = Random::new(seed ^ 0xac7);
    let report = backtest
        .run(move |ctx: &mut StrategyContext<'_>| {
            let mut equity = ctx.cash();
            for name in NAMES {
                let asset = ctx.asset(name);
                equity += asset.position() * (asset.price() - asset.entry_price());
            }
            assert!(near(equity, ctx.equity()), "seed {seed}: {equity} is not {}", ctx.equity());
            act(ctx, &mut chance, &NAMES);
        })
        .unwrap_or_else(|error| panic!("seed {seed}: {error}"));
    let profits: f64 = report.trades.iter().map(|trade| trade.profit).sum();
    let paid: f64 = report.charges.iter().map(|charge| charge.amount).sum();
    let end = report.statistics.equity_final;
    if report.open_trades.is_empty() {
        assert!(near(CASH + profits - paid, end), "seed {seed}: {profits} {paid} {end}");
    }
    report
}

#[test]
fn the_account_over_all_assets_is_whole_at_each_event() {
    let (mut trades, mut charges, mut parts) = (0, 0, 0);
    for seed in seeds(CASES) {
        let random = &mut Random::new(seed);
        let assets: [Prices; 3] = [bars(random, 1).into(), bars(random, 24).into(), quotes(random).into()];
        let backtest = terms(Backtest::of(NAMES.into_iter().zip(assets)), seed);
        let report = whole(&backtest, seed);
        trades += report.trades.len();
        charges += report.charges.len();
        parts += report.trades.windows(2).filter(|pair| pair[0].number == pair[1].number).count();
    }
    let few = cases(CASES) < CASES;
    assert!(few || trades > 400 && charges > 100 && parts > 50, "{trades} {charges} {parts}");
}

#[test]
fn an_asset_that_is_not_traded_changes_nothing() {
    for seed in seeds(CASES) {
        let random = &mut Random::new(seed);
        let (traded, other) = (bars(random, 24), bars(random, 24));
        // It is there from the beginning, so that the strategy is called as often.
        let other: Vec<Bar> = other
            .iter()
            .cycle()
            .zip(&traded)
            .map(|(bar, of)| Bar { timestamp: of.timestamp, ..*bar })
            .collect();
        let run = |backtest: Backtest| -> Report {
            let mut chance = Random::new(seed ^ 0xac7);
            let strategy = move |ctx: &mut StrategyContext<'_>| act(ctx, &mut chance, &["A"]);
            terms(backtest, seed).run(strategy).expect("it runs")
        };
        let alone = run(Backtest::of([("A", traded.clone())]));
        for assets in [[("A", &traded), ("B", &other)], [("B", &other), ("A", &traded)]] {
            let both = run(Backtest::of(assets.map(|(name, bars)| (name, bars.clone()))));
            assert_eq!(both.equity, alone.equity, "seed {seed}");
            assert_eq!(both.trades.len(), alone.trades.len(), "seed {seed}");
            for (a, b) in both.trades.iter().zip(&alone.trades) {
                let of = |trade: &backtest::strategy::Trade| {
                    (trade.entry_bar, trade.exit_bar, trade.profit, trade.mae_pct)
                };
                assert_eq!(of(a), of(b), "seed {seed}");
            }
        }
    }
}

/// Orders at the market alone, of any size.
fn act_at_the_market(ctx: &mut StrategyContext<'_>, random: &mut Random) {
    for _ in 0..random.below(4) {
        let mut ctx = ctx.asset(["A", "B"][random.index(2)]);
        let share = random.below(100) as f64 / 100.0 + 0.01;
        match random.below(6) {
            0 | 1 => _ = ctx.close(),
            2 => _ = ctx.target(Size::Equity(share - 0.5)),
            3 => _ = ctx.buy(Size::All),
            4 => _ = ctx.buy(Ticket::new(Size::Cash(share)).immediate_or_cancel()),
            _ => _ = ctx.sell(Size::Value(share * 5_000.0)),
        }
    }
}

#[test]
fn what_opens_fill_does_not_hang_on_which_asset_was_named_first() {
    let mut trades = 0;
    for seed in seeds(CASES) {
        let random = &mut Random::new(seed);
        let (a, b) = (bars(random, 24), bars(random, 24));
        let at_once = |(bar, of): (&Bar, &Bar)| Bar { timestamp: of.timestamp, ..*bar };
        let b: Vec<Bar> = b.iter().cycle().zip(&a).map(at_once).collect();
        let run = |assets: [(&str, &Vec<Bar>); 2]| -> Report {
            let mut chance = Random::new(seed ^ 0xac7);
            let strategy = move |ctx: &mut StrategyContext<'_>| act_at_the_market(ctx, &mut chance);
            let assets = assets.map(|(name, bars)| (name, bars.clone()));
            terms(Backtest::of(assets), seed).run(strategy).expect("it runs")
        };
        let (one, other) = (run([("A", &a), ("B", &b)]), run([("B", &b), ("A", &a)]));
        for (at, (one, other)) in one.equity.iter().zip(&other.equity).enumerate() {
            assert!(near(*one, *other), "seed {seed}, moment {at}: {one} is not {other}");
        }
        trades += one.trades.len();
    }
    assert!(cases(CASES) < CASES || trades > 400, "{trades}");
}

#[test]
fn a_sweep_shares_a_tape_of_several_assets() {
    let random = &mut Random::new(11);
    let assets: [Prices; 3] = [bars(random, 1).into(), bars(random, 24).into(), quotes(random).into()];
    let backtest = Backtest::of(NAMES.into_iter().zip(assets)).cash(CASH);
    let seeds: Vec<u64> = (0..20).collect();
    let rows = |threads| {
        let run = backtest.sweep(&seeds, Some(threads), |seed| {
            let chance = Arc::new(std::sync::Mutex::new(Random::new(seed)));
            move |ctx: &mut StrategyContext<'_>| act(ctx, &mut chance.lock().expect("nobody panics"), &NAMES)
        });
        format!("{:?}", run.expect("it runs").rows)
    };
    assert_eq!(rows(1), rows(3));
}
