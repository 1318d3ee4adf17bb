//! What several assets, bars of several lengths, and a bus must not show or fill too early.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::common::{bars, on_bar};
use backtest::data::Scale;
use backtest::engine::{AtEnd, FillAt, FundingEvery, MakerTaker};
use backtest::messages::{Bar, OrderCause, OrderStatus, Quote, Timestamp};
use backtest::source::{Bootstrap, Returns, Source};
use backtest::strategy::{Backtest, Report, Size, StrategyContext, Ticket};

const HOUR_NS: i64 = 3_600_000_000_000;

/// A bar of one price that begins at this hour.
fn flat(hour: i64, price: f64) -> Bar {
    let timestamp = Timestamp::from_nanos(hour * HOUR_NS);
    Bar { timestamp, open: price, high: price, low: price, close: price, volume: 1_000.0, ..Bar::default() }
}

/// So many hours, with prices that count them.
fn hours(count: i64) -> Vec<Bar> {
    (0..count).map(|hour| flat(hour, 100.0 + hour as f64)).collect()
}

/// Hours, and days that open at these prices.
fn hours_and_days(days: &[(f64, f64, f64, f64)]) -> Backtest {
    let days = bars(days);
    let hours: Vec<Bar> = (0..days.len() as i64 * 24).map(|hour| flat(hour, 100.0)).collect();
    Backtest::of([("hour", hours), ("day", days)]).at_end(AtEnd::Keep)
}

fn hour_of(ctx: &StrategyContext<'_>) -> i64 {
    ctx.time().as_nanos() / HOUR_NS
}

fn run(backtest: &Backtest, strategy: impl FnMut(&mut StrategyContext<'_>) + Send + 'static) -> Report {
    backtest.run(strategy).expect("it runs")
}

const CALM: (f64, f64, f64, f64) = (100.0, 101.0, 99.0, 100.0);

#[test]
fn a_cancellation_undoes_no_fill_at_an_open_that_was_before_it() {
    let days = [CALM, (90.0, 92.0, 85.0, 91.0), CALM, CALM];
    let strategy = |cancel_at: i64| {
        move |ctx: &mut StrategyContext<'_>| {
            let hour = hour_of(ctx);
            if hour == 23 {
                ctx.asset("day").buy(Ticket::new(1).limit(95.0).stop_loss(80.0));
            }
            if hour == cancel_at {
                ctx.cancel_all();
                assert!(ctx.orders().is_empty());
            }
        }
    };
    // The day opens at 0 o'clock below the limit, and the cancellation is sent at 6.
    let report = run(&hours_and_days(&days), strategy(29));
    assert_eq!(report.open_trades.len(), 1, "{:?}", report.orders);
    assert_eq!((report.open_trades[0].entry_bar, report.open_trades[0].entry_price), (1, 90.0));
    // In the moment in which it was sent, before any open.
    let report = run(&hours_and_days(&days), strategy(23));
    assert!(report.open_trades.is_empty());
    assert_eq!(
        (report.orders[0].status, report.orders[0].cause),
        (OrderStatus::Cancelled, OrderCause::Asked)
    );
    // It was not reached by the day that ran, and is none of the next one's.
    let days = [CALM, CALM, (90.0, 92.0, 85.0, 91.0), CALM];
    let report = run(&hours_and_days(&days), strategy(29));
    assert!(report.open_trades.is_empty());
    assert_eq!(
        (report.orders[0].status, report.orders[0].cause),
        (OrderStatus::Cancelled, OrderCause::Asked)
    );
    assert_eq!((report.orders[0].placed_bar, report.orders[0].ended_bar), (0, Some(2)), "days are counted");
}

#[test]
fn an_entry_that_was_filled_though_cancelled_shows_what_guards_it() {
    let days = [CALM, (90.0, 92.0, 85.0, 91.0), CALM, CALM];
    let strategy = |ctx: &mut StrategyContext<'_>| match hour_of(ctx) {
        23 => _ = ctx.asset("day").buy(Ticket::new(1).limit(95.0).stop_loss(80.0)),
        29 => ctx.cancel_all(),
        47 => {
            let guards: Vec<u32> = ctx.orders().iter().map(|order| order.id.0).collect();
            assert_eq!(guards, [2], "the stop loss of order 1");
            assert!(!ctx.orders()[0].buy);
            ctx.cancel_all();
        }
        _ => {}
    };
    let report = run(&hours_and_days(&days), strategy);
    assert_eq!(report.orders.len(), 2);
    assert_eq!(report.orders[1].cause, OrderCause::Asked, "{:?}", report.orders);
}

#[test]
fn on_close_is_the_close_on_which_was_decided_and_no_older_one() {
    let days = [CALM, (110.0, 121.0, 109.0, 120.0), (130.0, 131.0, 129.0, 130.0), CALM];
    let entry = |at: i64| {
        let strategy = move |ctx: &mut StrategyContext<'_>| {
            if hour_of(ctx) == at {
                ctx.asset("day").buy(1);
            }
        };
        let report = run(&hours_and_days(&days).fill_at(FillAt::OnClose), strategy);
        (report.open_trades[0].entry_bar, report.open_trades[0].entry_price)
    };
    assert_eq!(entry(47), (1, 120.0), "decided at the close of the second day");
    assert_eq!(entry(30), (2, 130.0), "the latest close was that of the night before");
}

/// What a strategy sees of the days at each hour.
fn seen(hours: Vec<Bar>, days: Vec<Bar>) -> Vec<(i64, f64)> {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let watch = Arc::clone(&seen);
    let strategy = move |ctx: &mut StrategyContext<'_>| {
        let (hour, day) = (hour_of(ctx), ctx.asset("day").price());
        watch.lock().expect("nobody panics").push((hour, day));
    };
    run(&Backtest::of([("hour", hours), ("day", days)]), strategy);
    let mut seen = seen.lock().expect("nobody panics");
    std::mem::take(&mut seen)
}

#[test]
fn one_short_distance_shows_no_close_of_a_longer_bar_early() {
    // Days, with one row an hour behind the third.
    let mut days: Vec<Bar> = (0..6).map(|day| flat(day * 24, day as f64 + 1.0)).collect();
    days.insert(3, flat(2 * 24 + 1, 9.0));
    let seen = seen(hours(144), days);
    assert_eq!(seen[0], (23, 1.0), "the first day is known when it is over");
    let at = |hour: i64| seen.iter().rfind(|row| row.0 == hour).map(|row| row.1);
    assert_eq!((at(46), at(47)), (Some(1.0), Some(2.0)));
    assert_eq!((at(48), at(70), at(71)), (Some(3.0), Some(3.0), Some(9.0)), "the row, until the next day");
    assert_eq!((at(94), at(95)), (Some(9.0), Some(4.0)));
}

#[test]
fn a_series_may_change_the_length_of_its_bars() {
    // Three days, ten hours, and days again.
    let days = (0..3).map(|day| flat(day * 24, day as f64 + 1.0));
    let between = (72..96).map(|hour| flat(hour, hour as f64));
    let again = (4..7).map(|day| flat(day * 24, day as f64 + 1.0));
    let seen = seen(hours(168), days.chain(between).chain(again).collect());
    let at = |hour: i64| seen.iter().rfind(|row| row.0 == hour).map(|row| row.1);
    assert_eq!((seen[0], at(70), at(71)), ((23, 1.0), Some(2.0), Some(3.0)));
    assert_eq!((at(72), at(80), at(95)), (Some(72.0), Some(80.0), Some(95.0)));
    assert_eq!((at(96), at(118), at(119)), (Some(95.0), Some(95.0), Some(5.0)), "a day again");
    assert_eq!((at(142), at(143)), (Some(5.0), Some(6.0)));
}

#[test]
fn a_summer_time_and_a_weekend_show_nothing_early() {
    // Days of local time: the third has 25 hours, and a weekend follows the fifth.
    let starts = [0, 24, 48, 73, 97, 169, 193];
    let days = (1..).zip(starts).map(|(day, hour)| flat(hour, f64::from(day))).collect();
    let seen = seen(hours(217), days);
    let at = |hour: i64| seen.iter().rfind(|row| row.0 == hour).map(|row| row.1);
    assert_eq!((at(71), at(72)), (Some(2.0), Some(3.0)), "25 hours");
    assert_eq!((at(119), at(120)), (Some(4.0), Some(5.0)), "the day before a weekend is over in the evening");
    assert_eq!((at(191), at(192)), (Some(5.0), Some(6.0)));
}

#[test]
fn money_that_comes_later_pays_for_no_earlier_fill() {
    // The hours are bought with everything when the second day opens, and sold within it.
    // Or in its last hour, whose end is that of the day.
    for (sold_at, names) in [(30, ["hour", "day"]), (46, ["hour", "day"]), (46, ["day", "hour"])] {
        let days = bars(&[CALM; 4]);
        let hours: Vec<Bar> = (0..96).map(|hour| flat(hour, 100.0)).collect();
        let series = |name: &str| (name.to_owned(), if name == "day" { days.clone() } else { hours.clone() });
        let strategy = move |ctx: &mut StrategyContext<'_>| {
            let hour = hour_of(&ctx.asset("hour"));
            if hour == 23 {
                ctx.asset("hour").buy(Size::All);
                ctx.asset("day").buy(Ticket::new(10).limit(100.0));
            } else if hour == sold_at {
                ctx.asset("hour").close();
            } else if hour == 71 {
                ctx.asset("day").buy(10);
            }
        };
        let backtest = Backtest::of(names.map(series)).cash(1_000.0).at_end(AtEnd::Keep);
        let report = run(&backtest, strategy);
        let day = |record: &&backtest::strategy::OrderRecord| {
            usize::from(record.order.asset) == names.iter().position(|name| *name == "day").expect("there")
        };
        let causes: Vec<OrderCause> = report.orders.iter().filter(day).map(|record| record.cause).collect();
        assert_eq!(causes, [OrderCause::NotEnoughCash, OrderCause::NotApplicable], "{sold_at} {names:?}");
        assert_eq!(report.open_trades[0].entry_bar, 3, "with the money that is there");
    }
}

/// Four weeks of days, from a Monday on: the one asset has each of them, the other has no weekends.
fn weeks() -> Backtest {
    let days = |wanted: fn(i64) -> bool| -> Vec<Bar> {
        (4..32).filter(|day| wanted((day - 4) % 7)).map(|day| flat(day * 24, 100.0 + day as f64)).collect()
    };
    Backtest::of([("BTC", days(|_| true)), ("SPY", days(|weekday| weekday < 5))]).at_end(AtEnd::Keep)
}

fn day_of(ctx: &StrategyContext<'_>) -> i64 {
    hour_of(ctx) / 24
}

#[test]
fn money_that_is_there_before_a_bar_begins_pays_for_it() {
    // Everything is sold on Saturday at midnight, and the order is sent on Sunday, for Monday's open.
    let report = run(&weeks(), |ctx| match day_of(ctx) {
        4 => {
            ctx.buy(Size::All);
            // It waits, so that the exchange hears of each event.
            ctx.asset("SPY").buy(Ticket::new(1).limit(1.0));
        }
        8 => _ = ctx.close(),
        10 => _ = ctx.asset("SPY").buy(Size::All),
        _ => {}
    });
    let spy: Vec<(u16, u32)> =
        report.open_trades.iter().map(|trade| (trade.asset, trade.entry_bar)).collect();
    assert_eq!(spy, [(1, 5)], "{:?}", report.orders);
}

#[test]
fn money_that_an_open_frees_pays_at_that_open() {
    // On one calendar, whichever asset was named first.
    for names in [["A", "B"], ["B", "A"]] {
        let backtest = Backtest::of(names.map(|name| (name, bars(&[CALM; 4])))).at_end(AtEnd::Keep);
        let report = run(&backtest, |ctx| match ctx.bar().index {
            0 => _ = ctx.asset("A").buy(Size::All),
            1 => {
                ctx.asset("A").close();
                ctx.asset("B").buy(Size::All);
            }
            _ => {}
        });
        let open: Vec<(u32, f64)> = report.open_trades.iter().map(|t| (t.entry_bar, t.size)).collect();
        assert_eq!((open, report.trades.len()), (vec![(2, 100.0)], 1), "{names:?} {:?}", report.orders);
    }
    // The hour that begins with a day is known long before that day is.
    let report = run(&hours_and_days(&[CALM; 4]), |ctx| match hour_of(ctx) {
        23 => _ = ctx.buy(Size::All),
        47 => {
            ctx.close();
            ctx.asset("day").buy(Size::All);
        }
        _ => {}
    });
    assert_eq!(report.open_trades.len(), 1, "{:?}", report.orders);
    assert_eq!((report.open_trades[0].asset, report.open_trades[0].entry_bar), (1, 2));
}

#[test]
fn an_order_for_a_share_of_the_equity_is_sized_by_that_of_the_begin_of_its_bar() {
    // 50 of the hours are held since the second day, on which their price was 100.
    let sizes = |later: f64, target: bool| {
        let hours = (0..120).map(|hour| flat(hour, if hour < 50 { 100.0 } else { later })).collect();
        let days: Vec<Bar> = bars(&[(100.0, 100.0, 100.0, 100.0); 5]);
        let backtest = Backtest::of([("hour", hours), ("day", days)]).at_end(AtEnd::Keep);
        let report = run(&backtest, move |ctx| match hour_of(ctx) {
            23 => _ = ctx.buy(50),
            47 => {
                let mut day = ctx.asset("day");
                _ = if target { day.target(Size::Equity(0.4)) } else { day.buy(Size::Equity(0.4)) };
            }
            // What it is worth at the begin of the last day.
            95 => _ = ctx.asset("day").sell(Size::Equity(0.1)),
            _ => {}
        });
        let days = report.orders.iter().filter(|record| record.order.asset == 1);
        days.map(|record| record.filled).collect::<Vec<f64>>()
    };
    for target in [false, true] {
        // The day opens while the equity is 10,000, whatever the hours of that day are worth.
        assert_eq!(sizes(140.0, target), [40.0, 12.0]);
        assert_eq!(sizes(60.0, target), [40.0, 8.0]);
    }
}

#[test]
fn money_that_a_stop_frees_within_a_bar_pays_for_nothing_in_it() {
    let fall = (100.0, 101.0, 94.0, 96.0);
    for names in [["A", "B"], ["B", "A"]] {
        let backtest =
            Backtest::of(names.map(|name| (name, bars(&[CALM, CALM, fall, fall])))).at_end(AtEnd::Keep);
        let report = run(&backtest, |ctx| match ctx.bar().index {
            0 => _ = ctx.asset("A").buy(Ticket::all().stop_loss(95.0)),
            1 => _ = ctx.asset("B").buy(Ticket::new(10).limit(97.0)),
            _ => {}
        });
        let limit = &report.orders[2];
        assert_eq!(
            (limit.cause, limit.ended_bar),
            (OrderCause::NotEnoughCash, Some(2)),
            "{:?}",
            report.orders
        );
        assert_eq!((report.trades.len(), report.open_trades.len()), (1, 0));
    }
}

#[test]
fn on_close_is_booked_at_once_whatever_the_calendar() {
    let report = run(&weeks().fill_at(FillAt::OnClose), |ctx| {
        let (day, spy) = (day_of(ctx), ctx.asset("SPY").position());
        match day {
            8 => _ = ctx.asset("SPY").buy(10),
            9..=11 => assert_eq!(spy, 10.0, "on day {day}"),
            _ => {}
        }
    });
    assert_eq!((report.open_trades[0].entry_bar, report.open_trades[0].entry_price), (4, 108.0));
    // With the account as it was on Friday: what is sold on Saturday does not pay.
    let report = run(&weeks().fill_at(FillAt::OnClose), |ctx| match day_of(ctx) {
        4 => _ = ctx.buy(Size::All),
        8 => _ = ctx.asset("SPY").buy(10),
        9 => _ = ctx.close(),
        _ => {}
    });
    assert_eq!(report.orders[1].cause, OrderCause::NotEnoughCash, "{:?}", report.orders);
    assert_eq!((report.trades.len(), report.open_trades.len()), (1, 0));
}

#[test]
fn a_stream_has_the_terms_of_its_asset() {
    let bars = numbered(hours(30));
    let backtest = Backtest::of([("X", bars.clone())]).at_end(AtEnd::Keep);
    let backtest = backtest.terms("X", |terms| {
        terms.lot = 0.1;
        terms.commission = Arc::new(MakerTaker { maker: 0.0, taker: 0.01 });
    });
    let strategy = || on_bar(1, |ctx| _ = ctx.buy(2.5));
    let streamed = backtest.outcome_on(Stream(bars.clone().into_iter()), strategy()).expect("it runs");
    let report = run(&backtest, strategy());
    assert_eq!(format!("{:?}", streamed.statistics), format!("{:?}", report.statistics));
    let two = Backtest::of([("X", bars.clone()), ("Y", bars.clone())]);
    let error = two.outcome_on(Stream(bars.into_iter()), strategy()).expect_err("bars name no asset");
    assert!(error.to_string().contains("asset"), "{error}");
}

#[test]
fn bars_of_a_stream_are_those_of_its_asset_whatever_number_they_have() {
    // As bars in memory are numbered by the place of their asset.
    let bars: Vec<Bar> = numbered(hours(30)).into_iter().map(|bar| Bar { asset: 1, ..bar }).collect();
    let backtest = Backtest::of([("X", bars.clone())]).at_end(AtEnd::Keep);
    let strategy = || on_bar(1, |ctx| _ = ctx.buy(2));
    let report = run(&backtest, strategy());
    let mut path =
        Bootstrap::new(Returns::of(&bars, Scale { decimals: 2, exact: true }).expect("enough bars"), 1, 0, 4);
    assert!(std::iter::from_fn(|| path.next_bar()).all(|bar| bar.asset == 0));
    let streamed = backtest.outcome_on(Stream(bars.into_iter()), strategy()).expect("it runs");
    assert_eq!(streamed.statistics.equity_final, report.statistics.equity_final);
    assert_ne!(streamed.statistics.equity_final, 10_000.0);
}

#[test]
fn bars_of_a_stream_that_nobody_could_trade_on_are_an_error() {
    let mut bars = numbered(hours(30));
    let backtest = Backtest::of([("X", bars.clone())]);
    (bars[3].close, bars[7].low) = (f64::NAN, 1e6);
    let error = backtest.outcome_on(Stream(bars.into_iter()), |_: &mut StrategyContext<'_>| {});
    let error = error.expect_err("two bars are unsound").to_string();
    assert!(error.contains("2 bars") && error.contains("a price is no number"), "{error}");
}

/// Bars from a source of its own.
struct Stream(std::vec::IntoIter<Bar>);

impl Source for Stream {
    fn next_time(&self) -> Option<Timestamp> {
        self.0.as_slice().first().map(|bar| bar.timestamp)
    }

    fn next_bar(&mut self) -> Option<Bar> {
        self.0.next()
    }
}

fn numbered(bars: Vec<Bar>) -> Vec<Bar> {
    bars.into_iter().zip(0..).map(|(bar, index)| Bar { index, ..bar }).collect()
}

#[test]
fn latency_counts_from_the_end_of_a_bar_on_a_bus_too() {
    let bars = numbered(hours(30));
    for (minutes, entry) in [(0, 5), (30, 6), (60, 6), (90, 7)] {
        let backtest =
            Backtest::new(bars.clone()).latency(Duration::from_secs(minutes * 60)).at_end(AtEnd::Keep);
        let strategy = || on_bar(4, |ctx| _ = ctx.buy(1));
        let report = run(&backtest, strategy());
        assert_eq!(report.open_trades[0].entry_bar, entry, "{minutes} minutes");
        let streamed = backtest.outcome_on(Stream(bars.clone().into_iter()), strategy()).expect("it runs");
        assert_eq!(
            format!("{:?}", streamed.statistics),
            format!("{:?}", report.statistics),
            "{minutes} minutes on a bus"
        );
    }
    // Months differ in length: an order of the one is there when the next begins.
    let months: Vec<Bar> =
        [0, 31, 59, 90, 120, 151, 181].map(|day| flat(day * 24, 100.0 + day as f64)).into();
    let months = numbered(months);
    let backtest = Backtest::new(months.clone()).latency(Duration::from_secs(1)).at_end(AtEnd::Keep);
    let strategy = || on_bar(1, |ctx| _ = ctx.buy(1));
    let streamed = backtest.outcome_on(Stream(months.into_iter()), strategy()).expect("it runs");
    let report = run(&backtest, strategy());
    assert_eq!(format!("{:?}", streamed.statistics), format!("{:?}", report.statistics));
}

/// What is paid for a short position that is sent behind one of 40 hours and closed behind another: the same
/// in memory and on a bus.
fn payments(fill_at: FillAt, from: u32, until: u32) -> Vec<f64> {
    let bars = numbered((0..40).map(|hour| flat(hour, 100.0)).collect());
    let backtest = Backtest::new(bars.clone())
        .funding(FundingEvery { hours: 8, rate: 0.001 })
        .interest(0.0, 0.365)
        .fill_at(fill_at)
        .at_end(AtEnd::Keep);
    let strategy = move || {
        move |ctx: &mut StrategyContext<'_>| match ctx.bar().index + 1 {
            at if at == from => _ = ctx.sell(10),
            at if at == until => _ = ctx.close(),
            _ => {}
        }
    };
    let report = run(&backtest, strategy());
    let streamed = backtest.outcome_on(Stream(bars.into_iter()), strategy()).expect("it runs");
    let [streamed, reported] = [&streamed.statistics, &report.statistics].map(|all| format!("{all:?}"));
    assert_eq!(streamed, reported, "from {from} until {until}");
    report.charges.iter().map(|charge| (charge.amount * 1e6).round() / 1e6).collect()
}

#[test]
fn who_holds_at_the_time_of_a_payment_pays_it_in_memory_and_on_a_bus() {
    let payments = |from, until| payments(FillAt::NextOpen, from, until);
    // Sold short at the open of the one hour, and bought back at the open of the other.
    assert_eq!(payments(14, 15), [0.0; 0], "the payment at 16 is none of it");
    assert_eq!(payments(15, 16), [-1.0]);
    assert_eq!(payments(16, 17), [0.0; 0]);
    assert_eq!(payments(15, 24), [-1.0, 1.0, -1.0], "two payments, and the fee for one night");
    assert_eq!(payments(22, 23), [0.0; 0]);
}

#[test]
fn who_enters_at_a_close_pays_for_what_comes_behind_it_in_memory_and_on_a_bus() {
    let payments = |from, until| payments(FillAt::OnClose, from, until);
    // Sold short at the end of the one hour, and bought back at the end of the other.
    assert_eq!(payments(15, 17), [-1.0]);
    assert_eq!(payments(16, 17), [0.0; 0], "the payment at 16 was before");
    assert_eq!(payments(15, 16), [-1.0]);
    assert_eq!(payments(23, 25), [1.0, -1.0], "a night, and the payment with which it ends");
    assert_eq!(payments(24, 25), [0.0; 0]);
}

#[test]
fn a_limit_that_crosses_the_market_when_it_arrives_takes() {
    let quote = |ms: i64, bid: f64, ask: f64| Quote {
        timestamp: Timestamp::from_nanos(ms * 1_000_000),
        bid,
        ask,
        bid_size: 5.0,
        ask_size: 5.0,
        index: 0,
        asset: 0,
    };
    let buy = || on_bar(0, |ctx| _ = ctx.buy(Ticket::new(1).limit(98.0)));
    let entry = |quotes: [Quote; 4]| {
        let backtest = Backtest::of([("X", quotes.to_vec())])
            .latency(Duration::from_millis(5))
            .commission(MakerTaker { maker: 0.0, taker: 0.01 })
            .at_end(AtEnd::Keep);
        let report = run(&backtest, buy());
        (report.open_trades[0].entry_price, 10_000.0 - report.equity[3] > 0.5)
    };
    let early = [quote(0, 100.0, 101.0), quote(3, 97.0, 97.5), quote(6, 96.0, 96.5), quote(7, 96.5, 96.5)];
    assert_eq!(entry(early), (96.5, true), "the ask was below the limit before the order was there");
    let late = [quote(0, 100.0, 101.0), quote(3, 98.0, 98.5), quote(6, 97.0, 97.5), quote(7, 98.0, 98.0)];
    assert_eq!(entry(late), (98.0, false), "it was there, and the ask came to it");
}
