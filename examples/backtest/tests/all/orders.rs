//! What each kind of order does, bar by bar.

use crate::common::{bars, on_bar};
use backtest::engine::{AtEnd, Fixed, Intrabar, MarginTier, MarginTiers, PerUnit, Share};
use backtest::messages::{OrderCause, OrderStatus};
use backtest::strategy::{Backtest, Report, Size, StrategyContext, Ticket};

type Prices = (f64, f64, f64, f64);

/// Calm before and after what a test is about.
const CALM: Prices = (100.0, 101.0, 99.0, 100.0);

fn backtest(prices: &[Prices]) -> Backtest {
    Backtest::new(bars(prices)).at_end(AtEnd::Keep)
}

/// Sends a ticket to buy at the close of the first bar.
fn buy(ticket: impl Into<Ticket>) -> impl FnMut(&mut StrategyContext<'_>) + Send + 'static {
    let ticket = ticket.into();
    on_bar(0, move |ctx| {
        ctx.buy(ticket);
    })
}

fn sell(ticket: impl Into<Ticket>) -> impl FnMut(&mut StrategyContext<'_>) + Send + 'static {
    let ticket = ticket.into();
    on_bar(0, move |ctx| {
        ctx.sell(ticket);
    })
}

/// Bar and price of the first entry, if there was one.
fn entry(report: &Report) -> Option<(u32, f64)> {
    let closed = report.trades.iter().map(|trade| (trade.entry_bar, trade.entry_price));
    closed.chain(report.open_trades.iter().map(|open| (open.entry_bar, open.entry_price))).next()
}

fn entered(
    prices: &[Prices],
    strategy: impl FnMut(&mut StrategyContext<'_>) + Send + 'static,
) -> Option<(u32, f64)> {
    entry(&backtest(prices).run(strategy).expect("it runs"))
}

/// Bar and price of the first exit.
fn left(
    prices: &[Prices],
    intrabar: Intrabar,
    strategy: impl FnMut(&mut StrategyContext<'_>) + Send + 'static,
) -> Option<(u32, f64)> {
    let report = backtest(prices).intrabar(intrabar).run(strategy).expect("it runs");
    report.trades.first().map(|trade| (trade.exit_bar, trade.exit_price))
}

fn outcome(
    prices: &[Prices],
    strategy: impl FnMut(&mut StrategyContext<'_>) + Send + 'static,
) -> (OrderStatus, OrderCause) {
    let report = backtest(prices).run(strategy).expect("it runs");
    (report.orders[0].status, report.orders[0].cause)
}

#[test]
fn a_market_order_is_filled_at_the_next_open() {
    assert_eq!(entered(&[CALM, (103.0, 110.0, 90.0, 105.0), CALM], buy(1)), Some((1, 103.0)));
    assert_eq!(entered(&[CALM], buy(1)), None, "there is no next bar");
    let report = backtest(&[CALM, CALM]).run(on_bar(1, |ctx| _ = ctx.buy(1))).expect("it runs");
    assert_eq!(
        (report.orders[0].status, report.orders[0].cause),
        (OrderStatus::Expired, OrderCause::SessionEnd)
    );
}

#[test]
fn a_limit_is_filled_at_the_limit_or_at_a_better_open() {
    let below = (99.0, 100.0, 94.0, 98.0);
    let rows = [
        (95.0, below, Some((1, 95.0))),
        (94.0, below, Some((1, 94.0))),
        (93.0, below, None),
        // The open is better than the limit already.
        (99.5, below, Some((1, 99.0))),
    ];
    for (limit, bar, expected) in rows {
        assert_eq!(entered(&[CALM, bar], buy(Ticket::new(1).limit(limit))), expected, "limit {limit}");
    }
    let above = (101.0, 106.0, 100.0, 102.0);
    assert_eq!(entered(&[CALM, above], sell(Ticket::new(1).limit(105.0))), Some((1, 105.0)));
    assert_eq!(entered(&[CALM, above], sell(Ticket::new(1).limit(100.5))), Some((1, 101.0)));
    assert_eq!(entered(&[CALM, above], sell(Ticket::new(1).limit(106.5))), None);
}

#[test]
fn no_spread_and_no_slippage_fills_a_limit_worse_than_it_says() {
    let run = |limit: f64| {
        let market = backtest(&[CALM, (100.0, 101.0, 90.0, 95.0)]).spread(0.02).slippage(Share(0.05));
        entry(&market.run(buy(Ticket::new(1).limit(limit))).expect("it runs"))
    };
    // The ask goes from 102 down to 91.80.
    assert_eq!(run(103.0), Some((1, 102.0)));
    assert_eq!(run(101.0), Some((1, 101.0)));
    assert_eq!(run(91.9), Some((1, 91.9)));
    assert_eq!(run(91.0), None);
}

#[test]
fn a_stop_is_filled_at_its_price_or_at_a_worse_open_and_slips() {
    let up = (101.0, 108.0, 100.0, 107.0);
    assert_eq!(entered(&[CALM, up], buy(Ticket::new(1).stop(105.0))), Some((1, 105.0)));
    assert_eq!(entered(&[CALM, up], buy(Ticket::new(1).stop(109.0))), None);
    let gap = (106.0, 108.0, 104.0, 107.0);
    assert_eq!(entered(&[CALM, gap], buy(Ticket::new(1).stop(105.0))), Some((1, 106.0)));
    assert_eq!(entered(&[CALM, (97.0, 99.0, 95.0, 96.0)], sell(Ticket::new(1).stop(98.0))), Some((1, 97.0)));
    let report =
        backtest(&[CALM, up]).slippage(Fixed(0.5)).run(buy(Ticket::new(1).stop(105.0))).expect("it runs");
    assert_eq!(entry(&report), Some((1, 105.5)));
}

#[test]
fn a_stop_limit_waits_for_its_limit_once_it_is_triggered() {
    let ticket = |stop: f64, limit: f64| Ticket::new(1).stop(stop).limit(limit);
    let up = (101.0, 108.0, 100.0, 107.0);
    // Its limit is beyond the stop: filled where the stop is touched.
    assert_eq!(entered(&[CALM, up], buy(ticket(105.0, 106.0))), Some((1, 105.0)));
    // The open has gone beyond the limit: filled when the price comes back to it, in the same bar too.
    assert_eq!(entered(&[CALM, (107.0, 108.0, 104.0, 107.0)], buy(ticket(105.0, 106.0))), Some((1, 106.0)));
    // Its limit is better than the stop: the price has to come back, in a later bar.
    assert_eq!(
        entered(&[CALM, up, (107.0, 109.0, 103.0, 108.0)], buy(ticket(105.0, 104.0))),
        Some((2, 104.0))
    );
    assert_eq!(entered(&[CALM, up, (107.0, 109.0, 106.5, 108.0)], buy(ticket(105.0, 104.0))), None);
}

#[test]
fn a_trailing_stop_follows_the_highs_of_bars_before() {
    let rise =
        [CALM, CALM, (100.0, 110.0, 99.5, 109.0), (109.0, 112.0, 107.5, 108.0), (108.0, 108.5, 100.0, 101.0)];
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(1),
        1 => _ = ctx.sell(Ticket::new(1).trailing_stop(3.0).reduce_only()),
        _ => {}
    };
    // 97 after the first bars, 107 after a high of 110, 109 after 112: the open at 108 is below that.
    assert_eq!(left(&rise, Intrabar::Pessimistic, strategy), Some((4, 108.0)));
    let with_entry = buy(Ticket::new(1).trailing_stop_loss(4.0));
    // From the entry at 100: 97 after 101, 106 after 110, 108 after 112.
    assert_eq!(left(&rise, Intrabar::Pessimistic, with_entry), Some((4, 108.0)));
    let fall = [CALM, CALM, (100.0, 100.5, 96.0, 98.0)];
    assert_eq!(
        left(&fall, Intrabar::Pessimistic, buy(Ticket::new(1).trailing_stop_loss(4.0))),
        Some((2, 97.0))
    );
}

#[test]
fn the_distance_of_a_stop_loss_does_not_move_the_stop_of_its_entry() {
    let up = (101.0, 108.0, 100.0, 107.0);
    let ticket = Ticket::new(1).stop(105.0).trailing_stop_loss(2.0);
    assert_eq!(entered(&[CALM, CALM, CALM, up], buy(ticket)), Some((3, 105.0)));
}

#[test]
fn a_stop_that_trails_from_below_zero_is_there_when_the_price_has_risen() {
    let cheap = (3.0, 3.5, 2.5, 3.0);
    let prices = [cheap, cheap, (3.0, 20.0, 3.0, 19.0), (18.0, 19.0, 10.0, 12.0)];
    let trailing = buy(Ticket::new(1).trailing_stop_loss(4.0));
    assert_eq!(left(&prices, Intrabar::Pessimistic, trailing), Some((3, 16.0)));
}

#[test]
fn a_bar_that_touches_loss_and_profit_is_a_loss_unless_told_otherwise() {
    let both = [CALM, CALM, (100.0, 110.0, 90.0, 100.0)];
    let bracket = || buy(Ticket::new(1).stop_loss(95.0).take_profit(105.0));
    assert_eq!(left(&both, Intrabar::Pessimistic, bracket()), Some((2, 95.0)));
    assert_eq!(left(&both, Intrabar::NextBar, bracket()), Some((2, 95.0)));
    assert_eq!(left(&both, Intrabar::Optimistic, bracket()), Some((2, 105.0)));
    let short = || sell(Ticket::new(1).stop_loss(105.0).take_profit(95.0));
    assert_eq!(left(&both, Intrabar::Pessimistic, short()), Some((2, 105.0)));
    assert_eq!(left(&both, Intrabar::Optimistic, short()), Some((2, 95.0)));
    // A gap goes to the open, whatever the mode.
    for intrabar in [Intrabar::Pessimistic, Intrabar::NextBar, Intrabar::Optimistic] {
        assert_eq!(left(&[CALM, CALM, (93.0, 110.0, 90.0, 100.0)], intrabar, bracket()), Some((2, 93.0)));
        assert_eq!(left(&[CALM, CALM, (107.0, 110.0, 90.0, 100.0)], intrabar, bracket()), Some((2, 107.0)));
    }
}

#[test]
fn what_was_entered_within_a_bar_is_filled_by_prices_after_the_entry() {
    let wide = [CALM, (100.0, 110.0, 90.0, 100.0), CALM];
    let limit = || buy(Ticket::new(1).limit(97.0).stop_loss(95.0).take_profit(105.0));
    // Down to the limit and further: the loss comes after the entry. The high may have come before.
    assert_eq!(left(&wide, Intrabar::Pessimistic, limit()), Some((1, 95.0)));
    assert_eq!(left(&wide, Intrabar::NextBar, limit()), None);
    assert_eq!(left(&wide, Intrabar::Optimistic, limit()), Some((1, 105.0)));
    let stop = || buy(Ticket::new(1).stop(103.0).stop_loss(95.0).take_profit(105.0));
    assert_eq!(left(&wide, Intrabar::Pessimistic, stop()), Some((1, 95.0)));
    assert_eq!(left(&wide, Intrabar::NextBar, stop()), None);
    assert_eq!(left(&wide, Intrabar::Optimistic, stop()), Some((1, 105.0)));
    // Up through the stop to the profit, and the loss is out of reach: no doubt in any mode.
    let up = [CALM, (100.0, 110.0, 99.0, 108.0)];
    for intrabar in [Intrabar::Pessimistic, Intrabar::NextBar, Intrabar::Optimistic] {
        assert_eq!(left(&up, intrabar, stop()), Some((1, 105.0)), "{intrabar:?}");
    }
    let high_only = [CALM, (100.0, 110.0, 96.0, 100.0)];
    assert_eq!(
        left(&high_only, Intrabar::Pessimistic, limit()),
        None,
        "the high may have come before the entry"
    );
}

#[test]
fn one_order_of_a_group_cancels_the_others_even_if_both_are_touched() {
    let wide = [CALM, (100.0, 110.0, 90.0, 100.0), CALM];
    let strategy = on_bar(0, |ctx| {
        ctx.one_cancels_other([(true, Ticket::new(1).limit(95.0)), (true, Ticket::new(2).stop(105.0))]);
    });
    let report = backtest(&wide).run(strategy).expect("it runs");
    let outcomes: Vec<_> = report.orders.iter().map(|order| (order.status, order.cause)).collect();
    assert_eq!(
        outcomes,
        [(OrderStatus::Cancelled, OrderCause::OtherFilled), (OrderStatus::Filled, OrderCause::NotApplicable)]
    );
    assert_eq!(entry(&report), Some((1, 105.0)));
}

#[test]
fn an_order_works_as_long_as_it_says() {
    let later = [CALM, CALM, (100.0, 101.0, 90.0, 95.0)];
    let ticket = || Ticket::new(1).limit(95.0);
    let expired = (OrderStatus::Expired, OrderCause::TimeInForce);
    assert_eq!(entered(&later, buy(ticket())), Some((2, 95.0)));
    assert_eq!(outcome(&later, buy(ticket().day())), expired);
    assert_eq!(entered(&[CALM, (100.0, 101.0, 90.0, 95.0)], buy(ticket().day())), Some((1, 95.0)));
    // At the next open or never.
    let soon = [CALM, (100.0, 101.0, 90.0, 95.0)];
    assert_eq!(outcome(&soon, buy(ticket().immediate_or_cancel())), expired);
    assert_eq!(
        entered(&[CALM, (94.0, 96.0, 93.0, 95.0)], buy(ticket().immediate_or_cancel())),
        Some((1, 94.0))
    );
    assert_eq!(
        outcome(&soon, buy(Ticket::new(1_000).fill_or_kill())),
        (OrderStatus::Cancelled, OrderCause::NotEnoughCash)
    );
    // The part that would close first closes nothing: all or nothing.
    let flip = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(10),
        1 => _ = ctx.sell(Ticket::new(1_000).fill_or_kill()),
        _ => {}
    };
    assert_eq!(backtest(&later).run(flip).expect("it runs").trades, []);
}

#[test]
fn a_reduce_only_order_never_opens_and_ends_with_its_position() {
    let refused = (OrderStatus::Cancelled, OrderCause::NothingToReduce);
    assert_eq!(outcome(&[CALM, CALM], sell(Ticket::new(1).reduce_only())), refused);
    let more_than_held = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(3),
        1 => _ = ctx.sell(Ticket::new(10).reduce_only()),
        _ => assert!(ctx.bar().index < 2 || ctx.is_flat()),
    };
    let report = backtest(&[CALM; 4]).run(more_than_held).expect("it runs");
    assert_eq!((report.trades.len(), report.trades[0].size), (1, 3.0));
    // A stop for the position does not outlive it.
    let stop_left_over = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => {
            ctx.buy(3);
            ctx.sell(Ticket::new(3).stop(90.0).reduce_only());
        }
        2 => _ = ctx.close(),
        3 => assert_eq!(ctx.orders(), []),
        _ => {}
    };
    let report = backtest(&[CALM; 5]).run(stop_left_over).expect("it runs");
    assert_eq!(report.orders[1].cause, OrderCause::TradeClosed);
}

#[test]
fn a_reduce_only_order_of_the_bar_of_an_entry_is_filled_by_prices_after_it() {
    let entry = Ticket::new(10).limit(95.0);
    let both = |exit: Ticket, first: bool, intrabar: Intrabar, bar: Prices| {
        let send = on_bar(0, move |ctx| {
            if first {
                ctx.buy(entry);
            }
            ctx.sell(exit.reduce_only());
            if !first {
                ctx.buy(entry);
            }
        });
        let report = backtest(&[CALM, bar, CALM]).intrabar(intrabar).run(send).expect("it runs");
        report.trades.iter().map(|trade| (trade.exit_bar, trade.profit)).collect::<Vec<_>>()
    };
    let (pessimistic, optimistic) = (Intrabar::Pessimistic, Intrabar::Optimistic);
    for first in [true, false] {
        // The high may have come before the entry: the profit waits for the next bar.
        let profit = Ticket::new(10).limit(105.0);
        assert_eq!(both(profit, first, pessimistic, (100.0, 106.0, 94.0, 95.0)), []);
        assert_eq!(both(profit, first, Intrabar::NextBar, (100.0, 106.0, 94.0, 95.0)), []);
        assert_eq!(both(profit, first, optimistic, (100.0, 106.0, 94.0, 95.0)), [(1, 100.0)]);
        let near = Ticket::new(10).limit(100.5);
        assert_eq!(both(near, first, pessimistic, (100.0, 106.0, 94.0, 95.0)), [(2, 55.0)]);
        // Down to the limit and further: the loss comes after the entry.
        let loss = Ticket::new(10).stop(90.0);
        assert_eq!(both(loss, first, pessimistic, (100.0, 101.0, 85.0, 86.0)), [(1, -50.0)]);
        assert_eq!(both(loss, first, Intrabar::NextBar, (100.0, 101.0, 85.0, 91.0)), []);
        // A stop above the entry is reached at once, at no better price.
        let above = Ticket::new(10).stop(97.0);
        assert_eq!(both(above, first, pessimistic, (100.0, 101.0, 94.0, 96.0)), [(1, 0.0)]);
    }
}

#[test]
fn sizes_count_units_money_or_shares() {
    let size = |ticket: Ticket, lot: f64| {
        let report = backtest(&[CALM, CALM]).lot(lot).run(buy(ticket)).expect("it runs");
        report.open_trades.first().map(|open| open.size)
    };
    assert_eq!(size(Ticket::all(), 1.0), Some(100.0));
    assert_eq!(size(Ticket::new(7), 1.0), Some(7.0));
    assert_eq!(size(Ticket::new(7.9), 1.0), Some(7.0));
    assert_eq!(size(Ticket::new(0.3), 0.1), Some(3.0 * 0.1));
    assert_eq!(size(Ticket::new(Size::Value(2_050.0)), 1.0), Some(20.0));
    assert_eq!(size(Ticket::new(Size::Cash(0.5)), 1.0), Some(50.0));
    assert_eq!(size(Ticket::new(Size::Equity(0.25)), 1.0), Some(25.0));
    assert_eq!(size(Ticket::new(101), 1.0), None);
    let report = backtest(&[CALM, CALM]).leverage(3.0).run(buy(250)).expect("it runs");
    assert_eq!(report.open_trades[0].size, 250.0);
}

#[test]
fn a_target_trades_what_is_missing() {
    let sizes =
        [(0, Size::Units(10.0)), (1, Size::Units(4.0)), (2, Size::Equity(-0.5)), (3, Size::Units(0.0))];
    let (tell, told) = std::sync::mpsc::channel();
    let strategy = move |ctx: &mut StrategyContext<'_>| {
        tell.send(ctx.position()).expect("the test listens");
        let number = ctx.bar().index;
        for (_, size) in sizes.iter().filter(|(bar, _)| *bar == number) {
            ctx.target(*size);
        }
    };
    backtest(&[CALM; 6]).run(strategy).expect("it runs");
    let seen: Vec<_> = told.try_iter().collect();
    assert_eq!(seen, [0.0, 10.0, 4.0, -50.0, 0.0, 0.0]);
}

#[test]
fn all_the_money_pays_for_the_commission_too() {
    let size = |market: Backtest| market.run(buy(Size::All)).expect("it runs").open_trades[0].size;
    assert_eq!(size(backtest(&[CALM, CALM]).commission(Share(0.01))), 99.0);
    assert_eq!(size(backtest(&[CALM, CALM]).commission(Fixed(250.0))), 97.0);
    assert_eq!(size(backtest(&[CALM, CALM]).commission(PerUnit(25.0))), 80.0);
    let steps = |units: f64, _price: f64| if units > 50.0 { 6_000.0 } else { 1.0 };
    assert_eq!(size(backtest(&[CALM, CALM]).commission(steps)), 50.0);
}

#[test]
fn an_order_that_cannot_be_filled_says_why() {
    let dear = [(40_012.0, 40_020.0, 40_000.0, 40_012.0); 2];
    let report = backtest(&dear).run(buy(Size::All)).expect("it runs");
    assert_eq!(report.notes, ["no order could be filled: 10000 buys no lot at 40012"]);
    let report = backtest(&[CALM, CALM]).run(buy(500)).expect("it runs");
    assert_eq!(
        report.notes,
        ["no order could be filled: 10000 does not pay for the size that was asked for at 100"]
    );
    let bad = [
        Ticket::new(1).limit(f64::NAN),
        Ticket::new(1).limit(0.0),
        Ticket::new(1).stop(-5.0),
        Ticket::new(1).stop_loss(105.0),
        Ticket::new(1).take_profit(95.0),
    ];
    for ticket in bad {
        assert_eq!(
            outcome(&[CALM, CALM], buy(ticket)),
            (OrderStatus::Rejected, OrderCause::BadPrice),
            "{ticket:?}"
        );
    }
    for size in [0.4, f64::INFINITY] {
        assert_eq!(outcome(&[CALM, CALM], buy(size)), (OrderStatus::Rejected, OrderCause::BadSize));
    }
}

#[test]
fn a_strategy_hears_of_refusals_once() {
    let (tell, told) = std::sync::mpsc::channel();
    let strategy = move |ctx: &mut StrategyContext<'_>| {
        for update in ctx.updates() {
            tell.send((ctx.bar().index, update.order, update.cause)).expect("the test listens");
        }
        if ctx.bar().index == 1 {
            ctx.buy(Ticket::new(1).limit(f64::NAN));
            ctx.buy(1_000_000);
        }
    };
    backtest(&[CALM; 5]).run(strategy).expect("it runs");
    let heard: Vec<_> = told.try_iter().collect();
    assert_eq!(heard, [(2, 1, OrderCause::BadPrice), (2, 4, OrderCause::NotEnoughCash)]);
}

#[test]
fn what_is_cancelled_is_not_filled() {
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => {
            let order = ctx.buy(1);
            ctx.cancel(order);
            ctx.buy(Ticket::new(1).limit(95.0));
        }
        1 => ctx.cancel_all(),
        _ => {}
    };
    let report = backtest(&[CALM, CALM, (90.0, 91.0, 89.0, 90.0)]).run(strategy).expect("it runs");
    assert_eq!(entry(&report), None);
    let asked = (OrderStatus::Cancelled, OrderCause::Asked);
    assert!(report.orders.iter().all(|order| (order.status, order.cause) == asked), "{:?}", report.orders);
}

#[test]
fn an_account_without_equity_is_liquidated_and_trades_no_more() {
    let crash = [CALM, CALM, (100.0, 260.0, 100.0, 250.0), CALM, CALM];
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.sell(Size::All),
        2 => {
            assert_eq!((ctx.position(), ctx.equity()), (0.0, 0.0));
            ctx.buy(1);
        }
        _ => {}
    };
    let report = backtest(&crash).run(strategy).expect("it runs");
    assert_eq!(report.equity[2..], [0.0; 3]);
    assert_eq!(report.orders[1].cause, OrderCause::Ruined);
}

#[test]
fn what_is_open_at_the_end_is_closed_kept_or_closed_at_the_open() {
    let last = [CALM, CALM, (104.0, 110.0, 103.0, 108.0)];
    let run = |at_end| {
        let report = backtest(&last).at_end(at_end).run(buy(10)).expect("it runs");
        (report.statistics.equity_final, report.trades.len(), report.open_trades.len())
    };
    assert_eq!(run(AtEnd::Close), (10_080.0, 1, 0));
    assert_eq!(run(AtEnd::Keep), (10_080.0, 0, 1));
    assert_eq!(run(AtEnd::CloseAtOpen), (10_040.0, 1, 0));
}

#[test]
fn terms_out_of_range_are_refused_with_the_remedy() {
    let text = |market: Backtest| market.run(buy(1)).expect_err("it is refused").to_string();
    assert_eq!(text(backtest(&[CALM]).cash(0.0)), "`cash` is 0, must be above 0 and at most 1e15");
    assert!(text(backtest(&[CALM]).lot(f64::NAN)).contains("0.001 is a thousandth"));
    assert!(text(backtest(&[CALM]).leverage(0.5)).contains("from 1 (no credit)"));
    assert!(text(backtest(&[CALM]).spread(2.0)).contains("5 bp is 0.0005"));
}

#[test]
fn steps_of_margin_that_are_none_are_refused_before_anything_is_traded() {
    let tier = |from, initial, maintenance| MarginTier { from, initial, maintenance };
    let sound = || tier(0.0, 0.5, 0.25);
    let text = |tiers: MarginTiers, term: &str| {
        // Nothing is traded, so that no model is asked.
        let idle = |_: &mut StrategyContext<'_>| {};
        let market = backtest(&[CALM]);
        let market = if term == "leverage" { market.leverage(tiers) } else { market.maintenance(tiers) };
        market.run(idle).expect_err("it is refused").to_string()
    };
    let (from, share) = ("from a finite value of at least 0", "a finite share of at least 0");
    for term in ["leverage", "maintenance"] {
        for (wrong, what, remedy) in [
            (tier(-5.0, 0.5, 0.25), "a step from -5", from),
            (tier(f64::NAN, 0.5, 0.25), "a step from NaN", from),
            (tier(f64::INFINITY, 0.5, 0.25), "a step from inf", from),
            (tier(7.0, f64::NAN, f64::NAN), "a share of NaN in its step from 7", share),
            (tier(7.0, -0.1, -0.1), "a share of -0.1 in its step from 7", share),
            (tier(7.0, f64::INFINITY, f64::INFINITY), "a share of inf in its step from 7", share),
            (sound(), "two steps from 0", "leave one of them out"),
        ] {
            for tiers in [MarginTiers::new([sound(), wrong]), MarginTiers::new([wrong, sound()])] {
                let error = text(tiers, term);
                let expected = format!("`{term}` of all assets has {what}");
                assert!(error.contains(&expected) && error.contains(remedy), "{wrong:?}: {error}");
            }
            let error = text(MarginTiers::new([sound()]).asset(3, [sound(), wrong]), term);
            let expected = format!("`{term}` of asset 3 has {what}");
            assert!(error.contains(&expected) && error.contains(remedy), "{wrong:?}: {error}");
        }
    }
    // Each model has its own shares, and one of both is checked as a whole.
    let negative = MarginTiers::new([tier(0.0, 0.5, -0.25)]);
    assert!(backtest(&[CALM]).leverage(negative.clone()).run(buy(1)).is_ok());
    let error = backtest(&[CALM]).margin(negative).run(buy(1)).expect_err("it is refused").to_string();
    assert!(error.starts_with("`maintenance` of all assets has a share of -0.25"), "{error}");
}

#[test]
fn a_strategy_sees_what_was_filled_in_the_bar_it_decides_on() {
    // Buys once, and would buy again if it were told of its position too late.
    let (tell, told) = std::sync::mpsc::channel();
    let strategy = move |ctx: &mut StrategyContext<'_>| {
        tell.send((ctx.bars().len(), ctx.position(), ctx.equity(), ctx.orders().len()))
            .expect("the test listens");
        if ctx.is_flat() {
            ctx.buy(10);
        } else {
            ctx.close();
        }
    };
    backtest(&[CALM, (102.0, 104.0, 101.0, 103.0), CALM, CALM]).run(strategy).expect("it runs");
    let seen: Vec<_> = told.try_iter().collect();
    assert_eq!(
        seen,
        [(1, 0.0, 10_000.0, 0), (2, 10.0, 10_010.0, 0), (3, 0.0, 9_980.0, 0), (4, 10.0, 9_980.0, 0)]
    );
}

#[test]
fn a_size_in_lots_is_so_many_of_the_least_that_is_traded() {
    let market = backtest(&[CALM; 5]).lot(0.25);
    let strategy = |ctx: &mut StrategyContext<'_>| match ctx.bar().index {
        0 => _ = ctx.buy(Size::Lots(10)),
        1 => {
            assert_eq!((ctx.lots(), ctx.position()), (10, 2.5));
            ctx.sell(Ticket::new(Size::Lots(4)).limit(90.0));
        }
        2 => _ = ctx.target(Size::Lots(-3)),
        _ => assert_eq!((ctx.lots(), ctx.position()), (-3, -0.75)),
    };
    let report = market.run(strategy).expect("it runs");
    let filled: Vec<f64> = report.orders.iter().map(|order| order.filled).collect();
    assert_eq!(filled, [2.5, 1.0, 2.25]);
    assert!(!report.orders[2].order.buy, "what is missing to three short was sold");
    // Units of the same lots are the same orders, whatever the lot rounds to.
    for lot in [0.1, 0.3, 0.001, 7.0] {
        let of = |size: Size| {
            let market = backtest(&[CALM; 3]).lot(lot).leverage(100.0);
            market.run(buy(Ticket::new(size))).expect("it runs")
        };
        for lots in [1, 3, 7, 100] {
            let (counted, measured) = (of(Size::Lots(lots)), of(Size::Units(lots as f64 * lot)));
            assert_eq!(
                (&counted.open_trades, &counted.equity[..]),
                (&measured.open_trades, &measured.equity[..])
            );
            assert_eq!(counted.open_trades[0].size, lots as f64 * lot);
        }
    }
    for lots in [0, -1, i64::MAX] {
        assert_eq!(outcome(&[CALM; 2], buy(Size::Lots(lots))), (OrderStatus::Rejected, OrderCause::BadSize));
    }
}
