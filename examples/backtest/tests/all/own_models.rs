//! Models of one's own: each as a few bars by hand, the same as a number where it says the same, and random
//! ones under which the account stays whole.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use backtest::engine::{
    AtEnd, Conditions, Exposure, FillAt, FillModel, Jitter, LendingRate, Loan, Maintenance, MarketState,
    SquareRoot,
};
use backtest::messages::{Bar, ChargeKind, Timestamp};
use backtest::strategy::{Backtest, Report, StrategyContext, Ticket};
use backtest::tape::Prices;
use mycelium_random::{Random, cases, seeds};

use crate::accounts::{NAMES, act, bars as random_bars, quotes as random_quotes, whole};
use crate::common::{bars, on_bar};
use crate::depth::{base, timed};

type Row = (f64, f64, f64, f64);

const CASES: u64 = 200;
const CALM: Row = (100.0, 101.0, 99.0, 100.0);
const DAY_NS: i64 = 86_400_000_000_000;

fn backtest(prices: &[Row]) -> Backtest {
    Backtest::new(bars(prices)).at_end(AtEnd::Keep)
}

fn run(backtest: &Backtest, strategy: impl FnMut(&mut StrategyContext<'_>) + Send + 'static) -> Report {
    backtest.run(strategy).expect("it runs")
}

fn day(time: Timestamp) -> i64 {
    time.as_nanos() / DAY_NS
}

#[test]
fn an_entry_pays_the_spread_of_the_event_that_fills_it() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let watch = Arc::clone(&seen);
    let late = move |market: &MarketState| {
        watch.lock().expect("not poisoned").push(*market);
        if day(market.timestamp) >= 2 { 0.01 } else { 0.0 }
    };
    let twice = |ctx: &mut StrategyContext<'_>| {
        if ctx.bar().index < 2 {
            ctx.buy(1);
        }
    };
    let report = run(&backtest(&[CALM; 4]).spread(late), twice);
    let entries: Vec<f64> = report.open_trades.iter().map(|trade| trade.entry_price).collect();
    assert_eq!(entries, [100.0, 101.0]);
    let seen = seen.lock().expect("not poisoned");
    let first = MarketState {
        asset: 0,
        timestamp: Timestamp::from_nanos(0),
        price: 100.0,
        range: 2.0,
        volume: [1.0; 2],
    };
    assert_eq!(seen[0], first);
    // A limit is reached with its spread, and filled at no worse than it says: 99 and 1 % are 99.99.
    let wide = |_: &MarketState| 0.01;
    for (limit, filled) in [(99.98, None), (100.0, Some(100.0)), (102.0, Some(101.0))] {
        let buy = on_bar(0, move |ctx| _ = ctx.buy(Ticket::new(1).limit(limit)));
        let report = run(&backtest(&[CALM; 2]).spread(wide), buy);
        assert_eq!(report.open_trades.first().map(|trade| trade.entry_price), filled, "{limit}");
    }
}

#[test]
fn a_fill_model_bounds_what_a_bar_or_a_book_fills() {
    let mut thin = bars(&[CALM; 5]);
    thin.iter_mut().for_each(|bar| bar.volume = 200.0);
    let modest = |shown: f64, _: &MarketState| (0.1 * shown).min(5.0);
    let market = Backtest::new(thin.clone()).at_end(AtEnd::Keep).participation(modest);
    let sizes = Arc::new(Mutex::new(Vec::new()));
    let watch = Arc::clone(&sizes);
    run(&market, move |ctx| {
        watch.lock().expect("not poisoned").push(ctx.position());
        if ctx.bar().index == 0 {
            ctx.buy(12);
        }
    });
    assert_eq!(*sizes.lock().expect("not poisoned"), [0.0, 5.0, 10.0, 12.0, 12.0]);
    // Whatever is asked for, as without a model.
    let all = |_: f64, _: &MarketState| f64::INFINITY;
    let report =
        run(&Backtest::new(thin).at_end(AtEnd::Keep).participation(all), on_bar(0, |ctx| _ = ctx.buy(90)));
    assert_eq!(report.open_trades[0].size, 90.0);
    // Each level of a book shows half of itself: 1 and 2 of 3 and 4.
    let half = |shown: f64, _: &MarketState| shown / 2.0;
    let books = || Backtest::of([("B", timed(&[base(), base()]))]).at_end(AtEnd::Keep).cash(1e6);
    let of = |market: Backtest| run(&market, |ctx| _ = ctx.buy(Ticket::new(3).limit(102.0)));
    let (model, number) = (of(books().participation(half)), of(books().participation(0.5)));
    assert_eq!((model.orders[0].filled, model.orders[0].price), (3.0, (101.0 + 2.0 * 102.0) / 3.0));
    assert_eq!((&model.orders, model.equity.to_vec()), (&number.orders, number.equity.to_vec()));
}

#[test]
fn orders_take_as_long_as_the_model_says_of_their_asset() {
    let far = |asset: u16, at: Timestamp| {
        assert_eq!(at.as_nanos() % DAY_NS, 0);
        Duration::from_nanos(u64::from(asset))
    };
    let market = Backtest::of([("NEAR", bars(&[CALM; 4])), ("FAR", bars(&[CALM; 4]))]);
    let market = market.at_end(AtEnd::Keep).latency(far);
    let report = run(
        &market,
        on_bar(0, |ctx| {
            ctx.buy(1);
            ctx.asset("FAR").buy(1);
        }),
    );
    let entries: Vec<u32> = report.open_trades.iter().map(|trade| trade.entry_bar).collect();
    assert_eq!(entries, [1, 2], "a nanosecond is too late for the next open");
    // An order that is there later than its cancellation is gone.
    let slow = |_: u16, at: Timestamp| Duration::from_secs(if day(at) == 1 { 3 * 86_400 } else { 0 });
    let hasty = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(1),
        1 => ctx.cancel_all(),
        _ => {}
    };
    let report = run(&backtest(&[CALM; 6]).latency(slow), hasty);
    assert!(report.open_trades.is_empty() && report.trades.is_empty(), "{:?}", report.orders);
    let jitter = Jitter { least: Duration::from_secs(1), most: Duration::from_secs(86_400), seed: 3 };
    let report = run(&backtest(&[CALM; 6]).latency(jitter), on_bar(0, |ctx| _ = ctx.buy(1)));
    assert_eq!(report.open_trades[0].entry_bar, 2);
    let refused = backtest(&[CALM; 2]).latency(far).fill_at(FillAt::OnClose);
    assert!(refused.run(|_: &mut StrategyContext<'_>| {}).is_err());
}

#[test]
fn a_lending_rate_knows_what_is_lent_and_may_be_earned() {
    // 200 units at 100, of which 10,000 are lent: 36.5 % of the first 4,000 and 3.65 % of the rest.
    let loans = Arc::new(Mutex::new(Vec::new()));
    let watch = Arc::clone(&loans);
    let tiers = move |loan: &Loan| {
        watch.lock().expect("not poisoned").push(*loan);
        let dear = loan.value.min(4_000.0);
        (0.365 * dear + 0.0365 * (loan.value - dear)) / loan.value
    };
    let market = backtest(&[CALM; 4]).leverage(2.0);
    let report = run(&market.clone().interest(tiers, 0.0), on_bar(0, |ctx| _ = ctx.buy(200)));
    let first = report.charges[0];
    assert_eq!((report.charges.len(), first.kind), (2, ChargeKind::Interest));
    assert!((first.amount - 4.6).abs() < 1e-9, "{first:?}");
    let at = |day: i64| Timestamp::from_nanos(day * DAY_NS);
    let lent = Loan { asset: None, value: 10_000.0, from: at(1), until: at(2) };
    assert_eq!(loans.lock().expect("not poisoned")[0], lent);
    // Who sold short is paid.
    let rebate = |loan: &Loan| if loan.asset == Some(0) { -0.365 } else { 0.0 };
    let report = run(&market.interest(0.0, rebate), on_bar(0, |ctx| _ = ctx.sell(50)));
    assert_eq!((report.charges.len(), report.charges[0].kind), (2, ChargeKind::Borrow));
    assert!((report.charges[0].amount + 5.0).abs() < 1e-9, "{:?}", report.charges);
}

#[test]
fn a_maintenance_model_closes_what_it_finds_too_little_for() {
    // 150 % of what was sold short: 50 units are too many above 120.
    let short = |positions: &[Exposure]| -> f64 {
        positions.iter().map(|position| 1.5 * position.units.abs() * position.price).sum()
    };
    let flat = |price: f64| (price, price, price, price);
    let rise = [CALM, CALM, flat(119.0), flat(121.0), flat(90.0)];
    let report = run(&backtest(&rise).maintenance(short), on_bar(0, |ctx| _ = ctx.sell(50)));
    assert_eq!((report.trades[0].exit_bar, report.trades[0].exit_price), (3, 121.0));
    // A floor under the equity closes also what nobody has lent money for.
    let floor = |_: &[Exposure]| 9_900.0;
    let fall = [CALM, CALM, flat(99.5), flat(98.5), flat(120.0)];
    let report = run(&backtest(&fall).maintenance(floor), on_bar(0, |ctx| _ = ctx.buy(100)));
    assert_eq!((report.trades[0].exit_bar, report.trades[0].exit_price), (3, 98.5));
    assert_eq!(report.equity.last(), Some(&9_850.0));
}

#[test]
fn slippage_may_be_any_function_or_grow_with_the_root_of_the_volume() {
    let entry = |market: Backtest| run(&market, on_bar(0, |ctx| _ = ctx.buy(10))).open_trades[0].entry_price;
    let mut thin = bars(&[CALM; 2]);
    thin[1].volume = 40.0;
    let market = || Backtest::new(thin.clone()).at_end(AtEnd::Keep);
    assert_eq!(entry(market().slippage(SquareRoot(0.1))), 105.0);
    let own = |units: f64, price: f64, market: &Conditions| units * price / market.volume / 50.0;
    assert_eq!(entry(market().slippage(own)), 100.5);
}

#[test]
fn what_a_model_says_that_nobody_can_book_ends_the_run_with_a_cause() {
    let text = |market: Backtest| {
        let buy = on_bar(0, |ctx| _ = ctx.buy(150));
        market.leverage(2.0).run(buy).expect_err("no account can be kept").to_string()
    };
    for number in [f64::NAN, -0.1, 0.5, f64::INFINITY] {
        let error = text(backtest(&[CALM; 4]).spread(move |_: &MarketState| number));
        assert!(error.contains("spread") && error.contains("below 0.5"), "{error}");
    }
    for number in [f64::NAN, -1.0] {
        let error = text(backtest(&[CALM; 4]).participation(move |_: f64, _: &MarketState| number));
        assert!(error.contains("fill model") && error.contains("at least 0"), "{error}");
        let error = text(backtest(&[CALM; 4]).maintenance(move |_: &[Exposure]| number));
        assert!(error.contains("maintenance") && error.contains("at least 0"), "{error}");
    }
    for number in [f64::NAN, -1.0, f64::INFINITY] {
        let buy = on_bar(0, |ctx| _ = ctx.buy(150));
        let market = backtest(&[CALM; 4]).leverage(move |_: &[Exposure]| number);
        let error = market.run(buy).expect_err("no account can be kept").to_string();
        assert!(error.contains("leverage") && error.contains("at least 0"), "{error}");
    }
    for number in [f64::NAN, f64::INFINITY] {
        let error = text(backtest(&[CALM; 4]).interest(move |_: &Loan| number, 0.0));
        assert!(error.contains("lending rate") && error.contains("finite"), "{error}");
    }
}

/// Numbers, each of which is also said by a function.
struct Numbers {
    spread: f64,
    participation: f64,
    maintenance: f64,
    interest: (f64, f64),
    latency: Duration,
}

impl Numbers {
    fn pick(random: &mut Random) -> Self {
        Self {
            spread: random.pick(&[0.0, 0.001]),
            participation: random.pick(&[f64::INFINITY, 0.1]),
            maintenance: random.pick(&[0.0, 0.2]),
            interest: (random.pick(&[0.0, 0.1]), random.pick(&[0.0, 0.2])),
            latency: random.pick(&[Duration::ZERO, Duration::from_secs(60), Duration::from_secs(100_000)]),
        }
    }

    fn as_numbers(&self, backtest: Backtest) -> Backtest {
        let backtest = backtest.spread(self.spread).participation(self.participation).latency(self.latency);
        backtest.maintenance(self.maintenance).interest(self.interest.0, self.interest.1)
    }

    fn as_functions(&self, backtest: Backtest) -> Backtest {
        let Self { spread, participation, maintenance, interest: (credit, borrow), latency } = *self;
        let fills = move |shown: f64, _: &MarketState| match participation.is_finite() {
            true => shown * participation,
            false => f64::INFINITY,
        };
        let margin = move |positions: &[Exposure]| Maintenance::required(&maintenance, positions);
        backtest
            .spread(move |_: &MarketState| spread)
            .participation(fills)
            .latency(move |_: u16, _: Timestamp| latency)
            .maintenance(margin)
            .interest(move |_: &Loan| credit, move |_: &Loan| borrow)
    }
}

fn random_assets(random: &mut Random) -> [Prices; 3] {
    [random_bars(random, 1).into(), random_bars(random, 24).into(), random_quotes(random).into()]
}

#[test]
fn functions_and_numbers_that_say_the_same_trade_the_same() {
    let (mut trades, mut charges) = (0, 0);
    for seed in seeds(CASES) {
        let random = &mut Random::new(seed);
        let assets = random_assets(random);
        let count = if random.below(2) == 0 { 1 } else { 3 };
        let at = random.index(3);
        let chosen: Vec<(&str, Prices)> = match count {
            1 => vec![(NAMES[at], assets[at].clone())],
            _ => NAMES.into_iter().zip(assets).collect(),
        };
        let names: Vec<&'static str> = if count == 1 { vec![NAMES[at]] } else { NAMES.to_vec() };
        let market = Backtest::of(chosen).leverage(random.pick(&[1.0, 3.0]));
        let numbers = Numbers::pick(random);
        let run = |market: Backtest| {
            let (mut chance, names) = (Random::new(seed ^ 0xac7), names.clone());
            run(&market, move |ctx| act(ctx, &mut chance, &names))
        };
        let (one, other) = (run(numbers.as_numbers(market.clone())), run(numbers.as_functions(market)));
        assert_eq!(one.trades, other.trades, "seed {seed}");
        assert_eq!(one.orders, other.orders, "seed {seed}");
        assert_eq!(one.charges, other.charges, "seed {seed}");
        assert_eq!(one.equity[..], other.equity[..], "seed {seed}");
        trades += one.trades.len();
        charges += one.charges.len();
    }
    assert!(cases(CASES) < CASES || trades > 400 && charges > 100, "{trades} {charges}");
}

/// A share that follows from the time, the same whenever it is asked.
fn drawn(seed: u64, time: Timestamp, most: f64) -> f64 {
    let mut random = Random::new(seed ^ time.as_nanos().cast_unsigned());
    random.below(1_000) as f64 / 1_000.0 * most
}

fn with_random_models(backtest: Backtest, seed: u64) -> Backtest {
    let seconds = move |at: Timestamp| drawn(seed, at, 20_000.0) as u64;
    backtest
        .spread(move |market: &MarketState| drawn(seed, market.timestamp, 0.01))
        .participation(move |shown: f64, market: &MarketState| shown * drawn(seed, market.timestamp, 0.5))
        .latency(move |_: u16, at: Timestamp| Duration::from_secs(seconds(at)))
        .maintenance(move |positions: &[Exposure]| {
            positions.iter().map(|position| 0.2 * position.units.abs() * position.price).sum::<f64>()
        })
        .interest(move |loan: &Loan| drawn(seed, loan.from, 0.2) - 0.05, |loan: &Loan| 1.0 / loan.value)
        .slippage(|units: f64, price: f64, _: &Conditions| price * 1e-5 * units.sqrt())
        .leverage(3.0)
        .cash(10_000.0)
}

#[test]
fn under_random_models_the_account_is_whole() {
    let (mut trades, mut charges) = (0, 0);
    for seed in seeds(CASES) {
        let random = &mut Random::new(seed);
        let market = Backtest::of(NAMES.into_iter().zip(random_assets(random)));
        let report = whole(&with_random_models(market, seed), seed);
        trades += report.trades.len();
        charges += report.charges.len();
    }
    assert!(cases(CASES) < CASES || trades > 400 && charges > 100, "{trades} {charges}");
}

/// A limit is never filled worse than it says, and no bar fills more than its model has.
#[test]
fn under_random_models_no_limit_is_filled_worse_than_it_says_and_no_bar_fills_too_much() {
    let mut fills = 0;
    for seed in seeds(CASES) {
        let random = &mut Random::new(seed);
        let (bars, limits) = (random_bars(random, 24), Arc::new(Mutex::new(Vec::new())));
        let (kept, mut chance) = (Arc::clone(&limits), Random::new(seed ^ 0xac7));
        let mut before = 0.0;
        let strategy = move |ctx: &mut StrategyContext<'_>| {
            let room = bound(seed, ctx.bar());
            let moved = (ctx.position() - before).abs();
            before = ctx.position();
            assert!(moved <= room + 1e-9, "seed {seed}: {moved} of {room}");
            let side = if chance.below(2) == 0 { 1.0 } else { -1.0 };
            let limit = ctx.price() * (1.0 + (chance.below(5) as f64 - 2.0) / 200.0);
            let ticket = Ticket::new(chance.below(40) as f64 + 1.0).limit(limit);
            let id = if side > 0.0 { ctx.buy(ticket) } else { ctx.sell(ticket) };
            kept.lock().expect("not poisoned").push((id, side, limit));
        };
        let market = with_random_models(Backtest::new(bars), seed);
        // Nobody closes it down, which no volume bounds.
        let market = market.maintenance(0.0).leverage(1.0).at_end(AtEnd::Keep);
        let report = run(&market, strategy);
        for (id, side, limit) in limits.lock().expect("not poisoned").iter() {
            let order = report.orders.iter().find(|order| order.order.id == *id).expect("it was sent");
            if order.filled > 0.0 {
                fills += 1;
                assert!((order.price - limit) * side <= 1e-9 * limit, "seed {seed}: {order:?}");
            }
        }
    }
    assert!(cases(CASES) < CASES || fills > 400, "{fills}");
}

/// Units that [`with_random_models`] fills in a bar.
fn bound(seed: u64, bar: &Bar) -> f64 {
    bar.volume * drawn(seed, bar.timestamp, 0.5)
}

#[test]
fn a_number_is_each_of_the_models() {
    let market = MarketState {
        asset: 0,
        timestamp: Timestamp::from_nanos(0),
        price: 10.0,
        range: 1.0,
        volume: [5.0; 2],
    };
    assert_eq!((FillModel::units(&0.5, 8.0, &market), FillModel::constant(&0.5)), (4.0, Some(0.5)));
    let loan = Loan { asset: None, value: 1.0, from: market.timestamp, until: market.timestamp };
    assert_eq!(LendingRate::per_year(&0.05, &loan), 0.05);
    let held = [(10.0, 2.0), (-5.0, 4.0)].map(|(units, price)| Exposure { asset: 0, units, price });
    assert_eq!(Maintenance::required(&0.25, &held), 10.0);
}
