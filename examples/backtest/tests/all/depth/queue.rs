//! Limits that wait: what is ahead of them, and when it is gone.

use std::time::Duration;

use backtest::depth::Depth;
use backtest::engine::{MakerTaker, Queueing};
use backtest::messages::Tick;
use backtest::strategy::{Backtest, Ticket};
use backtest::tape::Prices;

use super::{assert_fills, base, book, held, held_by, second, timed};

/// A book with so much bid at 99.
fn bid(size: f64) -> Depth {
    book(&[(99.0, size), (98.0, 7.0)], &[(101.0, 3.0)])
}

/// What is held at each event by who bids for so much at 99 on the first.
fn bidding(books: &[Depth], units: u32, model: Queueing) -> Vec<f64> {
    let backtest = Backtest::of([("B", timed(books))]).cash(1e6).queue(model);
    let act = move |at, ctx: &mut backtest::strategy::StrategyContext<'_>| {
        if at == 0 {
            ctx.buy(Ticket::new(units).limit(99.0));
        }
    };
    held_by(&backtest, act).1
}

#[test]
fn trades_at_the_price_use_up_what_is_ahead_and_then_fill() {
    let books = [
        bid(5.0),
        bid(2.0).with_trade(99.0, 3.0),
        bid(6.0).with_trade(99.0, 4.0),
        bid(6.0),
        bid(5.0).with_trade(99.0, 1.0),
    ];
    for model in [Queueing::Pessimistic, Queueing::Proportional] {
        // Five are ahead: three go, two more go and two are ours, and then all that is traded is.
        assert_eq!(bidding(&books, 3, model), [0.0, 0.0, 2.0, 2.0, 3.0], "{model:?}");
    }
}

#[test]
fn a_trade_elsewhere_fills_nothing_and_one_beyond_the_price_fills_whole() {
    let books = [bid(5.0), bid(5.0).with_trade(99.5, 50.0), bid(5.0).with_trade(98.0, 1.0)];
    assert_eq!(bidding(&books, 3, Queueing::Pessimistic), [0.0, 0.0, 3.0]);
    let (report, held) = held(&[base(), base().with_trade(103.5, 1.0)], |at, ctx| {
        if at == 0 {
            ctx.sell(Ticket::new(6).limit(103.0));
        }
    });
    assert_eq!(held, [0.0, -6.0]);
    assert_fills(&report, &[(6.0, 103.0)]);
}

#[test]
fn who_cancels_stood_behind_or_anywhere() {
    // Ten join behind five; then twelve of fifteen cancel. A trade of four follows.
    let books = [bid(5.0), bid(15.0), bid(6.0), bid(2.0).with_trade(99.0, 4.0)];
    // All five are still ahead.
    assert_eq!(bidding(&books, 3, Queueing::Pessimistic), [0.0, 0.0, 0.0, 0.0]);
    // Two fifths of them: two.
    assert_eq!(bidding(&books, 3, Queueing::Proportional), [0.0, 0.0, 0.0, 2.0]);
    // No more are ahead than are there.
    let books = [bid(5.0), bid(15.0), bid(3.0), bid(1.0).with_trade(99.0, 4.0)];
    assert_eq!(bidding(&books, 3, Queueing::Pessimistic), [0.0, 0.0, 0.0, 1.0]);
    // What was traded has not cancelled: of fifteen five are traded, and five more go with no trade.
    let books = [bid(5.0), bid(15.0), bid(5.0).with_trade(99.0, 1.0), bid(5.0).with_trade(99.0, 3.0)];
    // Four of fourteen are ahead, so that four times five fourteenths are: 1.43.
    assert_eq!(bidding(&books, 3, Queueing::Proportional), [0.0, 0.0, 0.0, 1.0]);
    assert_eq!(bidding(&books, 3, Queueing::Pessimistic), [0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn a_model_of_ones_own_moves_an_order_no_further_than_can_be() {
    let books = [bid(5.0), bid(4.0), bid(2.0).with_trade(99.0, 2.0)];
    let held = |model: fn(f64, f64, f64) -> f64| {
        let backtest = Backtest::of([("B", timed(&books))]).cash(1e6).queue(model);
        let (_, held) = held_by(&backtest, |at, ctx| {
            if at == 0 {
                ctx.buy(Ticket::new(3).limit(99.0));
            }
        });
        held[2]
    };
    assert_eq!(held(|_, _, _| 0.0), 2.0);
    assert_eq!(held(|ahead, before, now| ahead - (before - now)), 0.0);
    // Further back than before, no number, and below zero.
    assert_eq!((held(|_, _, _| 1e9), held(|_, _, _| f64::NAN), held(|_, _, _| -7.0)), (0.0, 0.0, 2.0));
}

#[test]
fn the_other_side_that_comes_to_the_price_fills_what_it_shows() {
    let through = book(&[(97.0, 1.0)], &[(98.5, 2.0), (99.0, 1.0), (99.5, 9.0)]);
    let books = [bid(5.0), through, through, book(&[(97.0, 1.0)], &[(98.0, 9.0)])];
    // Three at the limit's own price, nothing new in the same book, and what another book shows.
    assert_eq!(bidding(&books, 5, Queueing::Pessimistic), [0.0, 3.0, 3.0, 5.0]);
    let (report, _) = held(&books, |at, ctx| {
        if at == 0 {
            ctx.buy(Ticket::new(5).limit(99.0));
        }
    });
    assert_fills(&report, &[(5.0, 99.0)]);
}

#[test]
fn behind_the_last_level_all_that_the_book_shows_later_is_ahead() {
    let deep = |size: f64| book(&[(97.0, size), (96.0, 4.0)], &[(101.0, 3.0)]);
    let books = [
        base(),
        base().with_trade(97.0, 9.0),
        deep(4.0),
        deep(4.0).with_trade(97.0, 4.0),
        deep(4.0).with_trade(97.0, 1.0),
    ];
    let at_97 = |books: &[Depth]| {
        held(books, |at, ctx| {
            if at == 0 {
                ctx.buy(Ticket::new(3).limit(97.0));
            }
        })
        .1
    };
    // The first trade may have been with any of those that nobody sees.
    assert_eq!(at_97(&books), [0.0, 0.0, 0.0, 0.0, 1.0]);
    // Where the book shows that there is nobody, nobody is ahead.
    let gap = book(&[(98.0, 7.0), (96.0, 4.0)], &[(101.0, 3.0)]);
    assert_eq!(at_97(&[gap, gap.with_trade(97.0, 2.0)]), [0.0, 2.0]);
}

#[test]
fn own_orders_share_what_is_traded() {
    let books = [bid(5.0), bid(5.0).with_trade(99.0, 8.0), bid(5.0).with_trade(99.0, 2.0)];
    let (report, held) = held(&books, |at, ctx| {
        if at == 0 {
            ctx.buy(Ticket::new(2).limit(99.0));
            ctx.buy(Ticket::new(4).limit(99.0));
        }
    });
    // Five are ahead, two are of the first order, and one is left for the second.
    assert_eq!(held, [0.0, 3.0, 5.0]);
    assert_fills(&report, &[(2.0, 99.0), (3.0, 99.0)]);
}

#[test]
fn an_order_that_is_sent_again_is_the_last_in_the_queue() {
    // Two are ahead of the first order, and six of the one that is sent in its place.
    let books = [
        bid(5.0),
        bid(6.0).with_trade(99.0, 3.0),
        bid(6.0),
        bid(2.0).with_trade(99.0, 4.0),
        bid(2.0).with_trade(99.0, 3.0),
    ];
    let (_, held) = held(&books, |at, ctx| match at {
        0 => _ = ctx.buy(Ticket::new(1).limit(99.0)),
        1 => {
            ctx.cancel_all();
            ctx.buy(Ticket::new(1).limit(99.0));
        }
        _ => {}
    });
    assert_eq!(held, [0.0, 0.0, 0.0, 0.0, 1.0]);
}

#[test]
fn an_order_on_its_way_takes_its_place_when_it_comes() {
    // Sent at 0 s, there at 1.5 s: behind the eight of the book at 1 s.
    let books = [bid(1.0), bid(8.0), bid(8.0).with_trade(99.0, 8.0), bid(8.0).with_trade(99.0, 2.0)];
    let backtest = Backtest::of([("B", timed(&books))]).cash(1e6).latency(Duration::from_millis(1_500));
    let (_, held) = held_by(&backtest, |at, ctx| {
        if at == 0 {
            ctx.buy(Ticket::new(5).limit(99.0));
        }
    });
    assert_eq!(held, [0.0, 0.0, 0.0, 2.0]);
}

#[test]
fn a_profit_is_taken_in_the_queue_and_as_a_maker() {
    let books = [base(), base(), base().with_trade(103.0, 10.0), base().with_trade(103.0, 2.0)];
    let costs = MakerTaker { maker: -0.01, taker: 0.02 };
    let backtest = Backtest::of([("B", timed(&books))]).cash(1e6).commission(costs);
    let (report, held) = held_by(&backtest, |at, ctx| {
        if at == 0 {
            ctx.buy(Ticket::new(1).take_profit(103.0).stop_loss(90.0));
        }
    });
    // Ten are ahead of it at 103.
    assert_eq!(held, [0.0, 1.0, 1.0, 0.0]);
    let trade = &report.trades[0];
    assert!((trade.commission - (101.0 * 0.02 - 103.0 * 0.01)).abs() < 1e-9, "{trade:?}");
}

#[test]
fn a_book_goes_with_other_assets() {
    let tick = |at: usize| Tick { timestamp: second(at), price: 10.0, size: 1.0, index: at as u32, asset: 1 };
    let books = [bid(5.0), bid(2.0).with_trade(99.0, 3.0), bid(6.0).with_trade(99.0, 4.0), bid(6.0)];
    let prices =
        [("B", Prices::from(timed(&books))), ("T", Prices::from((0..4).map(tick).collect::<Vec<_>>()))];
    let (report, held) = held_by(&Backtest::of(prices).cash(1e6), |at, ctx| {
        if at == 0 {
            ctx.buy(Ticket::new(3).limit(99.0));
            ctx.asset("T").buy(7);
        }
        assert!(ctx.asset("T").depth().is_none());
        assert_eq!(ctx.depth().map(|book| book.bids().len()), Some(2));
        assert_eq!(ctx.depths().len(), at + 1);
    });
    assert_eq!(held, [0.0, 0.0, 2.0, 2.0]);
    assert_fills(&report, &[(2.0, 99.0), (7.0, 10.0)]);
}
