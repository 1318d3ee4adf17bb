//! Orders that take what is displayed, level by level.

use std::time::Duration;

use backtest::engine::{AtEnd, FillAt, Fixed, Share};
use backtest::messages::{OrderCause, OrderStatus};
use backtest::strategy::{Backtest, Size, Ticket};

use super::{assert_fills, base, book, held, held_by, timed};

#[test]
fn a_market_order_walks_the_levels_and_takes_each_once() {
    let books = [base(), base(), base(), base()];
    let (report, held) = held(&books, |at, ctx| match at {
        0 => _ = (ctx.buy(5), ctx.buy(4)),
        2 => _ = ctx.sell(7),
        _ => {}
    });
    // 3 at 101 and 2 at 102; the second order finds 2 at 102 and then 103.
    let sold = (5.0 * 99.0 + 2.0 * 98.0) / 7.0;
    assert_fills(&report, &[(5.0, 507.0 / 5.0), (4.0, 410.0 / 4.0), (7.0, sold)]);
    assert_eq!(held, [0.0, 9.0, 9.0, 2.0]);
    // At the end 2 are sold at the bids: those of 99 are gone, because nothing about them has changed.
    let last = report.trades.last().expect("a trade");
    assert_eq!((last.size, last.exit_price), (2.0, 98.0));
}

#[test]
fn what_is_not_displayed_is_not_there_and_a_level_that_changes_shows_anew() {
    let other = book(&[(99.0, 5.0)], &[(101.0, 3.5), (102.0, 4.0)]);
    let (report, held) = held(&[base(), base(), base(), other, base()], |at, ctx| {
        if at == 0 {
            ctx.buy(100);
        }
    });
    // All 17 at once, nothing of the same book again, then 3 whole lots of the level that has changed: and
    // 102 stands as it was. The last book shows 101 and 103 anew.
    assert_eq!(held, [0.0, 17.0, 17.0, 20.0, 33.0]);
    assert_eq!(report.orders[0].status, OrderStatus::Expired);
    let value = 3.0 * 101.0 + 4.0 * 102.0 + 10.0 * 103.0;
    assert_fills(&report, &[(33.0, (value + 6.0 * 101.0 + 10.0 * 103.0) / 33.0)]);
}

#[test]
fn a_limit_takes_as_far_as_it_goes_and_waits_with_the_rest() {
    let sold = base().with_trade(102.0, 2.0);
    let (report, held) = held(&[base(), base(), sold], |at, ctx| {
        if at == 0 {
            ctx.buy(Ticket::new(9).limit(102.0));
        }
    });
    // Nobody is ahead of what is left, for 102 is above all bids: it gets the trade.
    assert_eq!(held, [0.0, 7.0, 9.0]);
    assert_fills(&report, &[(9.0, (3.0 * 101.0 + 6.0 * 102.0) / 9.0)]);
}

#[test]
fn immediate_orders_take_what_is_there_and_whole_ones_all_or_nothing() {
    let (report, held) = held(&[base(), base(), base()], |at, ctx| {
        if at == 0 {
            ctx.buy(Ticket::new(9).limit(102.0).immediate_or_cancel());
            ctx.sell(Ticket::new(13).fill_or_kill());
            ctx.sell(Ticket::new(12).fill_or_kill());
            ctx.buy(Ticket::new(11).limit(103.0).fill_or_kill());
            ctx.buy(Ticket::new(10).limit(103.0).fill_or_kill());
        }
    });
    let mean = (5.0 * 99.0 + 7.0 * 98.0) / 12.0;
    let bought = (3.0 * 101.0 + 4.0 * 102.0) / 7.0;
    assert_fills(&report, &[(7.0, bought), (0.0, 0.0), (12.0, mean), (0.0, 0.0), (10.0, 103.0)]);
    let causes: Vec<OrderCause> = report.orders.iter().map(|order| order.cause).collect();
    let (done, time) = (OrderCause::NotApplicable, OrderCause::TimeInForce);
    // What was bought first is sold again before the event is over.
    assert_eq!(causes, [OrderCause::TradeClosed, time, done, time, done]);
    assert_eq!(held, [0.0, 5.0, 5.0]);
}

#[test]
fn a_whole_order_for_money_is_for_what_the_levels_give_for_it() {
    let deep = || book(&[(100.0, 50.0), (50.0, 200.0)], &[(100.5, 50.0), (201.0, 50.0)]);
    let cash = |cash: f64| Backtest::of([("B", timed(&[deep(), deep()]))]).cash(cash).at_end(AtEnd::Keep);
    let fills = |backtest: &Backtest, buy: bool, size: Size| {
        let (report, _) = held_by(backtest, move |at, ctx| {
            if at == 0 {
                let ticket = Ticket::new(size).fill_or_kill();
                _ = if buy { ctx.buy(ticket) } else { ctx.sell(ticket) };
            }
        });
        (report.orders[0].filled, report.orders[0].price)
    };
    // 5,025 for 50 at 100.5, and 5,025 for 25 at 201.
    for size in [Size::All, Size::Value(10_050.0), Size::Equity(1.0)] {
        assert_eq!(fills(&cash(10_050.0), true, size), (75.0, 134.0), "{size:?}");
    }
    // 5,000 from 50 at 100, and 5,000 from 100 at 50.
    for size in [Size::Value(10_000.0), Size::Equity(0.1)] {
        let (filled, price) = fills(&cash(1e5), false, size);
        assert!(filled == 150.0 && (price - 10_000.0 / 150.0).abs() < 1e-9, "{size:?}: {filled} at {price}");
    }
    // 76 cost 10,251: the mean of all that is taken decides.
    assert_eq!(fills(&cash(10_200.0), true, Size::All).0, 75.0);
    // More than the book has for it is nothing.
    assert_eq!(fills(&cash(20_000.0), true, Size::All), (0.0, 0.0));
    assert_eq!(fills(&cash(1e5), false, Size::Value(15_100.0)), (0.0, 0.0));
    assert_eq!(fills(&cash(1e5), false, Size::Value(15_000.0)).0, 250.0);
}

#[test]
fn money_that_ends_within_a_book_is_all_that_an_order_wants() {
    // 812 are eight at 101. 3 at 101 and 4 at 102 are 711; 101 are left, which buy none at 103.
    let backtest = Backtest::of([("B", timed(&[base(), base(), base()]))]).cash(812.0).at_end(AtEnd::Keep);
    let (report, held) = held_by(&backtest, |at, ctx| {
        if at == 0 {
            ctx.buy(Size::All);
        }
    });
    assert_eq!((held, report.orders[0].status), (vec![0.0, 7.0, 7.0], OrderStatus::Filled));
    assert!(report.notes.is_empty(), "{:?}", report.notes);
    // 105 buy one there.
    let backtest = Backtest::of([("B", timed(&[base(), base(), base()]))]).cash(816.0).at_end(AtEnd::Keep);
    let (report, held) = held_by(&backtest, |at, ctx| {
        if at == 0 {
            ctx.buy(Size::All);
        }
    });
    assert_eq!((held, report.orders[0].status), (vec![0.0, 8.0, 8.0], OrderStatus::Filled));
    assert_fills(&report, &[(8.0, (711.0 + 103.0) / 8.0)]);
}

#[test]
fn each_level_is_a_fill_with_its_own_costs() {
    let backtest = Backtest::of([("B", timed(&[base(), base()]))])
        .cash(1e6)
        .commission(Fixed(1.0))
        .slippage(Share(0.01))
        .at_end(AtEnd::Keep);
    let (report, _) = held_by(&backtest, |at, ctx| {
        if at == 0 {
            ctx.buy(5);
        }
    });
    let paid = (3.0 * 101.0 + 2.0 * 102.0) * 1.01;
    assert!((report.orders[0].price - paid / 5.0).abs() < 1e-9);
    assert!((report.equity[1] - (1e6 - paid - 2.0 + 5.0 * 100.0)).abs() < 1e-6, "{}", report.equity[1]);
}

#[test]
fn a_share_of_what_is_displayed_is_one_of_each_level() {
    let backtest = Backtest::of([("B", timed(&[base(), base()]))]).cash(1e6).participation(0.5);
    let (report, held) = held_by(&backtest, |at, ctx| {
        if at == 0 {
            ctx.buy(100);
        }
    });
    assert_eq!(held, [0.0, 1.0 + 2.0 + 5.0]);
    assert_fills(&report, &[(8.0, (101.0 + 2.0 * 102.0 + 5.0 * 103.0) / 8.0)]);
}

#[test]
fn a_stop_is_touched_by_the_best_price_and_walks() {
    let up = book(&[(101.5, 2.0)], &[(102.5, 1.0), (104.0, 9.0)]);
    let (report, held) = held(&[base(), base(), up, up], |at, ctx| {
        if at == 0 {
            ctx.buy(Ticket::new(4).stop(102.0));
            ctx.buy(Ticket::new(2).stop(102.0).limit(103.0));
        }
    });
    // The first has taken what is at 102.5, so the second waits at 103 with nobody ahead of it.
    assert_eq!(held, [0.0, 0.0, 4.0, 4.0]);
    assert_fills(&report, &[(4.0, (102.5 + 3.0 * 104.0) / 4.0), (0.0, 0.0)]);
}

#[test]
fn a_loss_is_stopped_out_over_the_levels() {
    let down = book(&[(95.0, 1.0), (94.0, 1.0), (90.0, 5.0)], &[(96.0, 9.0)]);
    let (report, held) = held(&[base(), base(), down, down], |at, ctx| {
        if at == 0 {
            ctx.buy(Ticket::new(3).stop_loss(97.0).take_profit(120.0));
        }
    });
    assert_eq!(held, [0.0, 3.0, 0.0, 0.0]);
    let exits: Vec<(f64, f64)> = report.trades.iter().map(|trade| (trade.size, trade.exit_price)).collect();
    assert_eq!(exits, [(1.0, 95.0), (1.0, 94.0), (1.0, 90.0)]);
}

#[test]
fn orders_on_the_close_walk_the_book_on_which_they_were_decided() {
    let cheap = book(&[(50.0, 9.0)], &[(51.0, 9.0)]);
    let backtest = Backtest::of([("B", timed(&[base(), cheap, cheap]))])
        .cash(1e6)
        .fill_at(FillAt::OnClose)
        .at_end(AtEnd::Keep);
    let (report, held) = held_by(&backtest, |at, ctx| {
        if at == 0 {
            ctx.buy(5);
        }
    });
    assert_fills(&report, &[(5.0, 507.0 / 5.0)]);
    assert_eq!(held.last(), Some(&5.0));
}

#[test]
fn a_late_order_meets_the_book_of_its_arrival() {
    let dear = book(&[(109.0, 5.0)], &[(111.0, 2.0), (112.0, 9.0)]);
    let backtest = Backtest::of([("B", timed(&[base(), base(), dear, dear]))])
        .cash(1e6)
        .latency(Duration::from_millis(1_500));
    let (report, held) = held_by(&backtest, |at, ctx| {
        if at == 0 {
            ctx.buy(3);
        }
    });
    assert_eq!(held, [0.0, 0.0, 3.0, 3.0]);
    assert_fills(&report, &[(3.0, (2.0 * 111.0 + 112.0) / 3.0)]);
}

#[test]
fn what_the_end_and_a_margin_call_close_sweeps_the_levels() {
    let (report, _) = held(&[base(), base()], |at, ctx| {
        if at == 0 {
            ctx.sell(8);
        }
    });
    // Sold 5 at 99 and 3 at 98; bought back 3 at 101, 4 at 102 and 1 at 103, in one fill.
    let mean = (3.0 * 101.0 + 4.0 * 102.0 + 103.0) / 8.0;
    assert!(report.trades.iter().all(|trade| trade.exit_price == mean), "{:?}", report.trades);
    let thin = book(&[(80.0, 1.0), (70.0, 2.0)], &[(81.0, 1.0)]);
    let backtest = Backtest::of([("B", timed(&[base(), base(), thin, thin]))])
        .cash(300.0)
        .leverage(10.0)
        .maintenance(0.4);
    let (report, held) = held_by(&backtest, |at, ctx| {
        if at == 0 {
            ctx.buy(7);
        }
    });
    assert_eq!(held, [0.0, 7.0, 0.0, 0.0]);
    // What is beyond the last level costs as much as there.
    let mean = (80.0 + 6.0 * 70.0) / 7.0;
    assert!(report.trades.iter().all(|trade| trade.exit_price == mean), "{:?}", report.trades);
}
