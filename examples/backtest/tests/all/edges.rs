//! Orders where two rules meet: costs of parts, reversals, what is left of an order.

use crate::common::{bars, on_bar};
use backtest::engine::{AtEnd, FillAt, Fixed, PerUnit};
use backtest::messages::{OrderCause, OrderStatus, Tick, Timestamp};
use backtest::strategy::{Backtest, Report, Size, StrategyContext, Ticket};

type Prices = (f64, f64, f64, f64);

const CALM: Prices = (100.0, 101.0, 99.0, 100.0);
const FLAT: Prices = (100.0, 100.0, 100.0, 100.0);

fn backtest(prices: &[Prices]) -> Backtest {
    Backtest::new(bars(prices)).at_end(AtEnd::Keep)
}

fn run(backtest: &Backtest, strategy: impl FnMut(&mut StrategyContext<'_>) + Send + 'static) -> Report {
    backtest.run(strategy).expect("it runs")
}

/// Status and cause of an order.
fn fate(report: &Report, order: usize) -> (OrderStatus, OrderCause) {
    (report.orders[order].status, report.orders[order].cause)
}

fn open(report: &Report) -> Vec<(f64, f64)> {
    report.open_trades.iter().map(|trade| (trade.size, trade.entry_price)).collect()
}

#[test]
fn a_trailing_stop_takes_no_limit_and_no_second_distance() {
    let rise = [CALM, (110.0, 111.0, 109.0, 110.0), CALM];
    let refused = (OrderStatus::Rejected, OrderCause::BadPrice);
    for ticket in [
        Ticket::new(10).trailing_stop(3.0).limit(103.5),
        Ticket::new(10).limit(103.5).trailing_stop(3.0),
        Ticket::new(10).trailing_stop(3.0).trailing_stop_loss(4.0),
        Ticket::new(10).trailing_stop_loss(4.0).trailing_stop(3.0),
    ] {
        let report = run(&backtest(&rise), on_bar(0, move |ctx| _ = ctx.buy(ticket)));
        assert_eq!((fate(&report, 0), open(&report)), (refused, vec![]), "{ticket:?}");
    }
    let report = run(&backtest(&rise), on_bar(0, |ctx| _ = ctx.buy(Ticket::new(10).trailing_stop(3.0))));
    assert_eq!(open(&report), [(10.0, 110.0)]);
}

#[test]
fn a_fill_that_closes_several_trades_is_charged_once() {
    let strategy = |size: u32| {
        move |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
            0..=2 => _ = ctx.buy(10),
            3 => _ = ctx.sell(size),
            _ => {}
        }
    };
    let fixed = backtest(&[FLAT; 6]).commission(Fixed(5.0));
    let report = run(&fixed, strategy(30));
    assert_eq!(report.equity[..4], [10_000.0, 9_995.0, 9_990.0, 9_985.0]);
    let near = |amount: f64, wanted: f64| assert!((amount - wanted).abs() < 1e-9, "{amount} is not {wanted}");
    near(report.equity[5], 9_980.0);
    let paid: f64 = report.trades.iter().map(|trade| trade.commission).sum();
    near(paid, 20.0);
    // A reversal is one fill too.
    let report = run(&fixed, strategy(40));
    near(report.equity[5], 9_980.0);
    assert_eq!(open(&report), [(-10.0, 100.0)]);
    // At least 5, or a half for each unit: 20 for 40 units.
    let least = |units: f64, _price: f64| (units * 0.5).max(5.0);
    let report = run(&backtest(&[FLAT; 6]).commission(least), strategy(40));
    near(report.equity[5], 10_000.0 - 3.0 * 5.0 - 20.0);
    // So is what closes all of it at the end.
    let report = run(&fixed.clone().at_end(AtEnd::Close), strategy(1));
    near(report.statistics.equity_final, 10_000.0 - 5.0 * 5.0);
}

#[test]
fn fill_or_kill_counts_what_its_closing_costs() {
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(10),
        1 => _ = ctx.sell(Ticket::new(20).fill_or_kill()),
        _ => {}
    };
    // 1,005 after the first; after closing 1,000, which does not pay for 10 and their costs.
    let report = run(&backtest(&[FLAT; 4]).cash(1_010.0).commission(PerUnit(0.5)), strategy);
    assert_eq!(fate(&report, 1), (OrderStatus::Cancelled, OrderCause::NotEnoughCash));
    assert_eq!((report.trades.len(), open(&report)), (0, vec![(10.0, 100.0)]));
    // And by how much its closing slips: 1,030 before it, 1,010 behind it, and 10 at 102 are wanted.
    let short = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.sell(10),
        1 => _ = ctx.buy(Ticket::new(20).fill_or_kill()),
        _ => {}
    };
    let slips = |cash: f64| run(&backtest(&[FLAT; 4]).cash(cash).slippage(Fixed(2.0)), short);
    assert_eq!(fate(&slips(1_050.0), 1), (OrderStatus::Cancelled, OrderCause::NotEnoughCash));
    assert_eq!((slips(1_050.0).trades.len(), slips(1_060.0).trades.len()), (0, 1));
}

#[test]
fn a_reduce_only_order_for_the_position_to_come_survives_the_reversal() {
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => {
            ctx.buy(10);
            ctx.sell(Ticket::new(10).stop(80.0).reduce_only());
            ctx.buy(Ticket::new(10).stop(105.0).reduce_only());
        }
        2 => _ = ctx.sell(20),
        _ => {}
    };
    let prices = [CALM, CALM, CALM, CALM, (100.0, 108.0, 99.0, 107.0)];
    let report = run(&backtest(&prices), strategy);
    assert_eq!(fate(&report, 1), (OrderStatus::Cancelled, OrderCause::TradeClosed));
    assert_eq!(fate(&report, 2).0, OrderStatus::Filled);
    assert_eq!(open(&report), []);
}

#[test]
fn a_reduce_only_order_ends_with_the_position_that_another_one_has_closed() {
    let fates = |guarded: bool| {
        let strategy = move |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
            0 if guarded => _ = ctx.buy(Ticket::new(10).stop_loss(95.0)),
            0 => {
                ctx.buy(10);
                ctx.sell(Ticket::new(10).stop(95.0).reduce_only());
            }
            // It takes the profit of this position, and of no other one.
            1 => _ = ctx.sell(Ticket::new(10).limit(110.0).reduce_only()),
            3 => _ = ctx.buy(10),
            _ => {}
        };
        let fall = (100.0, 100.0, 94.0, 96.0);
        let report = run(&backtest(&[CALM, CALM, fall, CALM, CALM, (100.0, 112.0, 100.0, 111.0)]), strategy);
        let profit = report
            .orders
            .iter()
            .find(|record| record.order.id.0 == if guarded { 4 } else { 7 })
            .expect("it was sent");
        ((profit.status, profit.cause), open(&report))
    };
    let ended = (OrderStatus::Cancelled, OrderCause::TradeClosed);
    assert_eq!(fates(false), (ended, vec![(10.0, 100.0)]));
    assert_eq!(fates(true), (ended, vec![(10.0, 100.0)]));
    // Two exits of one moment: the one that closes leaves none.
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(10),
        1 => {
            ctx.sell(Ticket::new(10).stop(95.0).reduce_only());
            ctx.sell(Ticket::new(10).limit(110.0).reduce_only());
        }
        _ => {}
    };
    let report = run(&backtest(&[CALM, CALM, (100.0, 100.0, 94.0, 96.0), CALM]), strategy);
    assert_eq!(fate(&report, 2), ended);
    // And one that came with an entry whose guard closes it.
    let strategy = on_bar(0, |ctx| {
        ctx.buy(Ticket::new(10).stop_loss(95.0));
        ctx.sell(Ticket::new(10).limit(110.0).reduce_only());
    });
    let report = run(&backtest(&[CALM, (100.0, 100.0, 94.0, 96.0), CALM]), strategy);
    let exit = report.orders.iter().find(|record| record.order.id.0 == 4).expect("it was sent");
    assert_eq!((exit.status, exit.cause), ended);
    // What came with the market order that closes is for the position that comes next.
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(10),
        1 => {
            ctx.close();
            ctx.buy(10);
            ctx.sell(Ticket::new(10).limit(110.0).reduce_only());
        }
        _ => {}
    };
    let report = run(&backtest(&[CALM, CALM, CALM, (100.0, 112.0, 100.0, 111.0)]), strategy);
    assert_eq!((fate(&report, 3).0, open(&report)), (OrderStatus::Filled, vec![]));
}

#[test]
fn a_limit_that_turns_the_position_opens_only_where_the_spread_reaches_it() {
    let strategy = |ticket: Ticket| {
        move |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
            0 => _ = ctx.sell(10),
            1 => _ = ctx.buy(ticket),
            _ => {}
        }
    };
    let ticket = Ticket::new(20).limit(100.0);
    let begin = (105.0, 106.0, 104.0, 105.0);
    let down = |low: f64| (104.0, 104.0, low, 103.0);
    let market = |rest: &[Prices]| backtest(&[&[begin, begin], rest].concat()).spread(0.02);
    // The ask was never below 102.
    let report = run(&market(&[down(100.0), begin]), strategy(ticket));
    assert_eq!((report.trades.len(), open(&report)), (1, vec![]));
    assert_eq!(fate(&report, 1).0, OrderStatus::Expired);
    // The rest waits, and is filled when the ask comes.
    let report = run(&market(&[down(100.0), begin, down(98.0)]), strategy(ticket));
    assert_eq!((report.trades.len(), open(&report)), (1, vec![(10.0, 100.0)]));
    // It comes in the same bar.
    let report = run(&market(&[down(98.0)]), strategy(ticket));
    assert_eq!((report.trades.len(), open(&report)), (1, vec![(10.0, 100.0)]));
    let report = run(&market(&[down(100.0), begin]), strategy(ticket.fill_or_kill()));
    assert_eq!((report.trades.len(), open(&report).len()), (0, 1));
}

#[test]
fn a_quotient_that_is_whole_loses_no_lot() {
    let size = |size: Size, lot: f64| {
        let market = backtest(&[FLAT, FLAT]).cash(100.0).lot(lot);
        open(&run(&market, on_bar(0, move |ctx| _ = ctx.buy(size))))[0].0
    };
    for size_of_all in [Size::All, Size::Cash(1.0), Size::Value(100.0), Size::Equity(1.0)] {
        assert_eq!(size(size_of_all, 0.001), 1.0, "{size_of_all:?}");
    }
    assert_eq!(size(Size::Value(99.999), 0.001), 0.999);
    let target = on_bar(0, |ctx: &mut StrategyContext<'_>| _ = ctx.target(Size::Value(100.0)));
    assert_eq!(open(&run(&backtest(&[FLAT, FLAT]).lot(0.001), target))[0].0, 1.0);
}

#[test]
fn an_order_of_the_last_close_is_filled_at_it() {
    let closes = backtest(&[CALM, CALM]).fill_at(FillAt::OnClose);
    let report = run(&closes, on_bar(1, |ctx| _ = ctx.buy(Ticket::new(10).stop_loss(90.0))));
    assert_eq!(open(&report), [(10.0, 100.0)]);
    assert_eq!(fate(&report, 0).0, OrderStatus::Filled);
    // A limit waits for a next bar, and there is none.
    let report = run(&closes, on_bar(1, |ctx| _ = ctx.buy(Ticket::new(10).limit(100.0))));
    assert_eq!(fate(&report, 0), (OrderStatus::Expired, OrderCause::SessionEnd));
}

#[test]
fn an_order_of_the_last_close_opens_nothing_that_the_end_would_close_at_once() {
    let market = Backtest::new(bars(&[FLAT; 3])).fill_at(FillAt::OnClose).commission(Fixed(5.0));
    let expired = (OrderStatus::Expired, OrderCause::SessionEnd);
    for at_end in [AtEnd::Close, AtEnd::CloseAtOpen] {
        let market = market.clone().at_end(at_end);
        let report = run(&market, on_bar(2, |ctx| _ = ctx.buy(10)));
        assert_eq!((report.trades.len(), report.equity[2]), (0, 10_000.0), "{at_end:?}");
        assert_eq!((fate(&report, 0), report.orders[0].filled), (expired, 0.0));
        // The part that closes is filled, and the part that would open is not.
        let turn = |ticket: Ticket| {
            move |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
                0 => _ = ctx.buy(10),
                2 => _ = ctx.sell(ticket),
                _ => {}
            }
        };
        let report = run(&market, turn(Ticket::new(30)));
        assert_eq!((report.trades.len(), report.equity[2]), (1, 9_990.0), "one exit, one commission");
        assert_eq!((fate(&report, 1), report.orders[1].filled), (expired, 10.0));
        // Whole or not at all: then it is the end that closes.
        let report = run(&market, turn(Ticket::new(30).fill_or_kill()));
        assert_eq!((report.trades.len(), report.equity[2]), (1, 9_990.0));
        assert_eq!(fate(&report, 1), (OrderStatus::Expired, OrderCause::TimeInForce));
        let report = run(&market, turn(Ticket::new(10)));
        assert_eq!((fate(&report, 1).0, report.equity[2]), (OrderStatus::Filled, 9_990.0));
    }
    // Of an asset that ends before another does, its own last close is its end.
    let two = |at_end| {
        let assets = [("A", bars(&[FLAT; 3])), ("B", bars(&[FLAT; 5]))];
        Backtest::of(assets).fill_at(FillAt::OnClose).commission(Fixed(5.0)).at_end(at_end)
    };
    let once = |number| {
        on_bar(number, |ctx| {
            if ctx.is_flat() {
                ctx.buy(10);
            }
        })
    };
    for (number, trades) in [(1, 1), (2, 0)] {
        let report = run(&two(AtEnd::Close), once(number));
        assert_eq!(report.trades.len(), trades, "decided on bar {number} of 0 to 2");
    }
    let (mut opened, mut closed) = (on_bar(0, |ctx| _ = ctx.buy(10)), on_bar(2, |ctx| _ = ctx.close()));
    let in_and_out = move |ctx: &mut StrategyContext<'_>| {
        opened(ctx);
        closed(ctx);
    };
    let report = run(&two(AtEnd::Close), in_and_out);
    assert_eq!((report.trades.len(), report.trades[0].exit_bar), (1, 2), "the last close closes");
    assert_eq!(open(&run(&two(AtEnd::Keep), once(2))).len(), 1);
    // Where positions stay, it is filled and pays once, as with NautilusTrader.
    let report = run(&market.at_end(AtEnd::Keep), on_bar(2, |ctx| _ = ctx.buy(10)));
    assert_eq!((open(&report), report.equity[2]), (vec![(10.0, 100.0)], 9_995.0));
}

#[test]
fn all_that_only_reduces_is_the_position() {
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(Size::All),
        1 => _ = ctx.sell(Ticket::all().reduce_only()),
        2 => _ = ctx.sell(Ticket::all().reduce_only()),
        _ => {}
    };
    let report = run(&backtest(&[CALM; 5]), strategy);
    assert_eq!((report.trades.len(), report.trades[0].size, open(&report)), (1, 100.0, vec![]));
    assert_eq!(fate(&report, 2), (OrderStatus::Cancelled, OrderCause::NothingToReduce));
    assert_eq!(report.notes, ["1 order was not filled: there was no position to reduce"]);
}

#[test]
fn what_is_left_of_an_entry_ends_when_its_trade_is_closed() {
    let thin = |count: usize| {
        let mut bars = bars(&vec![CALM; count]);
        bars.iter_mut().for_each(|bar| bar.volume = 200.0);
        Backtest::new(bars).at_end(AtEnd::Keep).participation(0.1)
    };
    // Two of five parts are filled.
    let closes = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(100),
        2 => {
            ctx.close();
            assert_eq!(ctx.orders().len(), 1, "the entry is cancelled, the exit is sent");
        }
        _ => {}
    };
    let report = run(&thin(9), closes);
    assert_eq!(fate(&report, 0), (OrderStatus::Cancelled, OrderCause::Asked));
    assert_eq!((report.trades.len(), open(&report)), (2, vec![]));
    // An order of the other side that closes its trade ends it too; one that has opened nothing goes on.
    let sells = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(30),
        1 => {
            ctx.sell(Ticket::new(20).limit(99.5));
            ctx.buy(Ticket::new(5).limit(50.0));
        }
        _ => {}
    };
    let report = run(&thin(3), sells);
    assert_eq!(fate(&report, 2), (OrderStatus::Expired, OrderCause::SessionEnd));
    let kept = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(10),
        1 => {
            ctx.buy(Ticket::new(5).limit(50.0));
            ctx.close();
        }
        _ => {}
    };
    let report = run(&thin(4), kept);
    assert_eq!(fate(&report, 1), (OrderStatus::Expired, OrderCause::SessionEnd));
}

#[test]
fn a_size_that_is_no_number_is_told_as_one() {
    for size in [f64::INFINITY, f64::NAN, 0.0, -1.0] {
        let report = run(&backtest(&[CALM, CALM]), on_bar(0, move |ctx| _ = ctx.buy(size)));
        assert_eq!(report.notes, ["no order could be filled: the size was not a number above zero"]);
    }
}

#[test]
fn a_limit_that_a_tick_goes_beyond_turns_the_position_whatever_the_spread() {
    let tick = |(index, price): (u32, f64)| Tick {
        timestamp: Timestamp::from_nanos(i64::from(index)),
        price,
        size: 1.0,
        index,
        ..Tick::default()
    };
    let ticks: Vec<_> = (0..).zip([105.0, 105.0, 105.0, 99.0, 105.0]).map(tick).collect();
    let mut seen = 0;
    let turns = move |ctx: &mut StrategyContext<'_>| {
        match seen {
            0 => _ = ctx.sell(10),
            1 => _ = ctx.buy(Ticket::new(20).limit(100.0)),
            _ => {}
        }
        seen += 1;
    };
    let report = run(&Backtest::of([("X", ticks)]).spread(0.02).at_end(AtEnd::Keep), turns);
    assert_eq!((report.trades.len(), open(&report)), (1, vec![(10.0, 100.0)]));
}
