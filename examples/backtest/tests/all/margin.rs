//! Margin as a model: steps by hand, a function that says the same as a number, and random models under which
//! no entry needs more than there is.

use backtest::engine::{AtEnd, Exposure, Leverage, MarginTier, MarginTiers};
use backtest::messages::{OrderCause, OrderStatus};
use backtest::strategy::{Backtest, Report, Size, StrategyContext, Ticket};
use mycelium_random::{Random, cases, seeds};

use crate::accounts::{NAMES, act, bars as random_bars, quotes as random_quotes, terms};
use crate::common::{bars, on_bar};

const CASES: u64 = 200;

fn flat(prices: &[f64]) -> Backtest {
    let rows: Vec<_> = prices.iter().map(|price| (*price, *price, *price, *price)).collect();
    Backtest::new(bars(&rows)).at_end(AtEnd::Keep)
}

fn run(backtest: &Backtest, strategy: impl FnMut(&mut StrategyContext<'_>) + Send + 'static) -> Report {
    backtest.run(strategy).expect("it runs")
}

fn tier(from: f64, initial: f64, maintenance: f64) -> MarginTier {
    MarginTier { from, initial, maintenance }
}

#[test]
fn each_step_of_a_position_needs_its_own_share() {
    // 5,000 for the first 10,000, and as much as they are worth for the next 5,000.
    let steps = || MarginTiers::new([tier(0.0, 0.5, 0.25), tier(10_000.0, 1.0, 0.5)]);
    let buy = |size: Size, short: bool| {
        let send = move |ctx: &mut StrategyContext<'_>| {
            _ = if short { ctx.sell(size) } else { ctx.buy(size) };
        };
        run(&flat(&[100.0; 3]).margin(steps()), on_bar(0, send))
    };
    for (short, units) in [(false, 150.0), (true, -150.0)] {
        assert_eq!(buy(Size::All, short).open_trades[0].size, units);
        assert_eq!(buy(Size::Units(150.0), short).open_trades[0].size, units);
        let refused = buy(Size::Units(151.0), short);
        let order = &refused.orders[0];
        let expected = (OrderStatus::Cancelled, OrderCause::NotEnoughCash);
        assert_eq!((refused.open_trades.len(), (order.status, order.cause)), (0, expected));
    }
    // To be kept at 75 are 2,500 and 625 of the equity of 6,250; at 52 it is 1,950 of 2,800; at 47, 1,762.5
    // of 2,050; at 44, 1,650 of 1,600.
    let fall = flat(&[100.0, 100.0, 75.0, 52.0, 47.0, 44.0, 90.0]).margin(steps());
    let report = run(&fall, on_bar(0, |ctx| _ = ctx.buy(Size::All)));
    assert_eq!((report.trades[0].exit_bar, report.trades[0].exit_price), (5, 44.0));
}

#[test]
fn each_asset_has_its_own_steps_and_what_is_held_binds_the_money() {
    let tiers = MarginTiers::new([tier(0.0, 0.1, 0.0)]).asset(1, [tier(0.0, 1.0, 0.0)]);
    let prices = || bars(&[(100.0, 100.0, 100.0, 100.0); 4]);
    let market = Backtest::of([("FUTURE", prices()), ("SHARE", prices())]).at_end(AtEnd::Keep).margin(tiers);
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        // 6,000 of 10,000 are bound.
        0 => _ = ctx.buy(600),
        1 => {
            ctx.asset("SHARE").buy(41);
            ctx.asset("SHARE").buy(30);
        }
        // Ten are left: 100 of the future.
        2 => _ = ctx.buy(Size::All),
        _ => {}
    };
    let report = run(&market, strategy);
    let sizes: Vec<(u16, f64)> = report.open_trades.iter().map(|trade| (trade.asset, trade.size)).collect();
    assert_eq!(sizes, [(0, 600.0), (1, 30.0), (0, 100.0)]);
    assert_eq!(report.orders[1].cause, OrderCause::NotEnoughCash);
}

#[test]
fn what_turns_a_position_has_the_money_that_its_closing_frees() {
    let half = |positions: &[Exposure]| 0.5 * positions.iter().map(Exposure::value).sum::<f64>();
    for ticket in [Ticket::new(400), Ticket::new(400).fill_or_kill()] {
        let report = run(&flat(&[100.0; 4]).leverage(half), move |ctx| match ctx.bar().index {
            0 => _ = ctx.buy(Size::All),
            1 => _ = ctx.sell(ticket),
            _ => {}
        });
        assert_eq!((report.trades[0].size, report.open_trades[0].size), (200.0, -200.0));
    }
}

#[test]
fn what_an_open_has_filled_is_valued_at_it_while_others_are_sized() {
    let fifth = |positions: &[Exposure]| positions.iter().map(Exposure::value).sum::<f64>() / 5.0;
    let prices = |open: f64| bars(&[(100.0, 100.0, 100.0, 100.0), (open, open, open, open)]);
    let sizes = |terms: &dyn Fn(Backtest) -> Backtest, open: f64, first: f64, second: Size| {
        let two = Backtest::of([("A", prices(open)), ("B", prices(100.0))]).at_end(AtEnd::Keep);
        let send = on_bar(0, move |ctx| {
            ctx.asset("A").buy(first);
            ctx.asset("B").buy(second);
        });
        run(&terms(two), send).open_trades.iter().map(|trade| trade.size).collect::<Vec<f64>>()
    };
    // A is bought for 10,000 at its open of 50. Of 50,000 that five times the equity buys, 40,000 are left.
    assert_eq!(sizes(&|two| two.leverage(5.0), 50.0, 200.0, Size::All), [200.0, 400.0]);
    assert_eq!(sizes(&|two| two.leverage(fifth), 50.0, 200.0, Size::All), [200.0, 400.0]);
    // The same where it opens above its last close: it is worth no less than was paid.
    assert_eq!(sizes(&|two| two.leverage(5.0), 200.0, 50.0, Size::All), [50.0, 400.0]);
    // A purchase changes no equity: half of it is 5,000.
    assert_eq!(sizes(&|two| two, 50.0, 40.0, Size::Equity(0.5)), [40.0, 50.0]);
}

#[test]
fn all_positions_together_are_bounded_whatever_a_model_says() {
    let nothing = |_: &[Exposure]| 0.0;
    let buy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 | 1 => _ = ctx.buy(Size::All),
        2 => _ = ctx.sell(Size::Units(150_000.0)),
        _ => {}
    };
    // A thousand times the equity of 10,000; the third order closes all and sells half as much short.
    for report in [run(&flat(&[100.0; 5]).leverage(nothing), buy), run(&flat(&[100.0; 5]).leverage(1e3), buy)]
    {
        let sizes: Vec<f64> = report.trades.iter().map(|trade| trade.size).collect();
        assert_eq!((sizes, report.open_trades[0].size), (vec![100_000.0], -50_000.0));
        assert_eq!(
            (report.orders[1].status, report.orders[1].cause),
            (OrderStatus::Cancelled, OrderCause::NoLot)
        );
    }
    let prices = || bars(&[(100.0, 100.0, 100.0, 100.0); 4]);
    let two = Backtest::of([("A", prices()), ("B", prices())]).at_end(AtEnd::Keep).leverage(nothing);
    let report = run(&two, |ctx| match ctx.bar().index {
        0 => _ = ctx.asset("A").sell(60_000),
        1 => _ = ctx.asset("B").buy(Size::All),
        _ => {}
    });
    let sizes: Vec<f64> = report.open_trades.iter().map(|trade| trade.size).collect();
    assert_eq!(sizes, [-60_000.0, 40_000.0]);
}

#[test]
fn an_order_against_a_position_is_asked_for_beside_it_and_each_on_its_own_side() {
    let asked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let run_with = |sell: Ticket, long: f64, short: f64| {
        let log = std::sync::Arc::clone(&asked);
        let model = move |positions: &[Exposure]| -> f64 {
            log.lock().expect("nobody panics").push(positions.to_vec());
            let share = |held: &Exposure| if held.units < 0.0 { short } else { long };
            positions.iter().map(|held| share(held) * held.value()).sum()
        };
        run(&flat(&[100.0; 4]).leverage(model), move |ctx| match ctx.bar().index {
            0 => _ = ctx.buy(100),
            1 => _ = ctx.sell(sell),
            _ => {}
        })
    };
    // 5,000 are bound, and the 5,000 that are left pay for 3,333 short.
    let report = run_with(Ticket::new(Size::Cash(1.0)), 0.5, 1.5);
    assert_eq!((report.trades[0].size, report.open_trades[0].size), (33.0, 67.0));
    let asked_for = std::mem::take(&mut *asked.lock().expect("nobody panics"));
    let (mut together, short_alone) = (0, |held: &[Exposure]| held.len() == 1 && held[0].units < 0.0);
    for positions in &asked_for {
        assert!(!short_alone(positions), "nobody has only {positions:?}");
        if let [held, added] = positions[..] {
            assert_eq!((held.units, added.units < 0.0), (100.0, true));
            together += 1;
        }
    }
    assert!(together > 0);
    // The number of both sides sells all.
    let report = run_with(Ticket::new(Size::Cash(1.0)), 0.5, 0.5);
    assert_eq!((report.trades[0].size, report.open_trades.len()), (100.0, 0));
    // Units and whole positions are closed whatever a short would need.
    for sell in [Ticket::new(100), Ticket::new(100).reduce_only(), Ticket::new(100).fill_or_kill()] {
        let report = run_with(sell, 1.0, 1e9);
        assert_eq!((report.trades[0].size, report.open_trades.len()), (100.0, 0));
    }
}

#[test]
fn a_function_that_says_the_same_as_a_number_trades_the_same() {
    let mut trades = 0;
    for seed in seeds(CASES) {
        let random = &mut Random::new(seed);
        let assets =
            [random_bars(random, 1).into(), random_bars(random, 24).into(), random_quotes(random).into()];
        let market = terms(Backtest::of(NAMES.into_iter().zip::<[backtest::tape::Prices; 3]>(assets)), seed);
        let times = random.pick(&[1.0, 3.0, 7.0]);
        let same = move |positions: &[Exposure]| Leverage::required(&times, positions);
        let run = |market: Backtest| {
            let mut chance = Random::new(seed ^ 0xac7);
            run(&market, move |ctx| act(ctx, &mut chance, &NAMES))
        };
        let (number, function) = (run(market.clone().leverage(times)), run(market.leverage(same)));
        let rows = |report: &Report| -> Vec<_> {
            report.trades.iter().map(|trade| (trade.entry_bar, trade.exit_bar, trade.size)).collect()
        };
        assert_eq!(rows(&number), rows(&function), "seed {seed}");
        for (at, (a, b)) in number.equity.iter().zip(&function.equity[..]).enumerate() {
            assert!((a - b).abs() < 1e-6, "seed {seed}: {a} is not {b} at {at}");
        }
        trades += number.trades.len();
    }
    assert!(cases(CASES) < CASES || trades > 400, "{trades}");
}

#[test]
fn no_entry_needs_more_than_there_is_and_all_that_can_be_bought_is_bought() {
    let (mut entries, mut whole) = (0, 0);
    for seed in seeds(CASES) {
        let random = &mut Random::new(seed);
        let mut price = 100.0;
        let mut next = || {
            price *= 1.0 + (random.below(61) as f64 - 30.0) / 1_000.0;
            price
        };
        let prices: Vec<f64> = (0..60).map(|_| next()).collect();
        let share = || 0.01 + random.below(90) as f64 / 100.0;
        let mut shares: Vec<f64> = std::iter::repeat_with(share).take(3).collect();
        shares.sort_by(f64::total_cmp);
        let steps =
            [0.0, 5_000.0, 40_000.0].into_iter().zip(shares).map(|(from, share)| tier(from, share, 0.0));
        let tiers = MarginTiers::new(steps);
        let needed = {
            let tiers = tiers.clone();
            move |units: f64, price: f64| match units {
                0.0 => 0.0,
                _ => Leverage::required(&tiers, &[Exposure { asset: 0, units, price }]),
            }
        };
        let mut chance = Random::new(seed ^ 0xac7);
        let (mut before, mut all) = (0.0, false);
        let counts = std::sync::Arc::new(std::sync::Mutex::new((0, 0)));
        let counted = std::sync::Arc::clone(&counts);
        let strategy = move |ctx: &mut StrategyContext<'_>| {
            let (held, price, equity) = (ctx.position(), ctx.price(), ctx.equity());
            let mut counts = counted.lock().expect("nobody panics");
            if held.abs() > f64::abs(before) || held * before < 0.0 {
                counts.0 += 1;
                let need = needed(held, price);
                assert!(need <= equity * (1.0 + 1e-9), "seed {seed}: {held} at {price} of {equity}");
            }
            if std::mem::take(&mut all) && equity > price {
                counts.1 += 1;
                let more = needed(held.abs() + 1.0, price);
                assert!(more > equity, "seed {seed}: {held} at {price}, and {equity} pays for more");
            }
            before = held;
            match chance.below(6) {
                0 => _ = ctx.close(),
                1 if ctx.is_flat() => {
                    all = true;
                    _ = ctx.buy(Size::All);
                }
                2 if ctx.is_flat() => {
                    all = true;
                    _ = ctx.sell(Size::All);
                }
                3 => _ = ctx.target(chance.below(2_000) as f64 - 1_000.0),
                4 => _ = ctx.buy(Size::Cash(0.5)),
                _ => {}
            }
        };
        run(&flat(&prices).margin(tiers), strategy);
        let counts = counts.lock().expect("nobody panics");
        (entries, whole) = (entries + counts.0, whole + counts.1);
    }
    assert!(cases(CASES) < CASES || entries > 500 && whole > 100, "{entries} {whole}");
}
