//! Trading hours: when orders are filled, and when day orders end.

use backtest::data::parse_timestamp;
use backtest::engine::{AtEnd, FillAt, Session};
use backtest::messages::{Bar, OrderCause, OrderStatus, Tick, Timestamp};
use backtest::strategy::{Backtest, Report, StrategyContext, Ticket};
use mycelium_random::{Random, seeds};

const HOUR_NS: i64 = 3_600_000_000_000;

/// Random strategies.
const CASES: u64 = 200;

fn at(text: &str) -> Timestamp {
    parse_timestamp(text).unwrap_or_else(|| panic!("{text} is a time"))
}

fn session(text: &str) -> Session {
    text.parse().unwrap_or_else(|error| panic!("{error}"))
}

/// Bars of an hour, from this time on, of open, high, low and close.
fn hourly(from: &str, prices: &[(f64, f64, f64, f64)]) -> Vec<Bar> {
    let from_ns = at(from).as_nanos();
    let bar = |(index, &(open, high, low, close)): (u32, &(f64, f64, f64, f64))| Bar {
        timestamp: Timestamp::from_nanos(from_ns + i64::from(index) * HOUR_NS),
        open,
        high,
        low,
        close,
        volume: 1.0,
        close_ticks: (close * 100.0).round() as i64,
        index,
        asset: 0,
    };
    (0..).zip(prices).map(bar).collect()
}

/// A quiet hour at this price.
fn calm(price: f64) -> (f64, f64, f64, f64) {
    (price, price + 0.5, price - 0.5, price)
}

fn backtest(bars: Vec<Bar>, hours: &str) -> Backtest {
    Backtest::new(bars).at_end(AtEnd::Keep).session(session(hours))
}

/// Sends a ticket to buy at the close of the first bar.
fn run(backtest: &Backtest, ticket: Ticket) -> Report {
    let strategy = move |ctx: &mut StrategyContext<'_>| {
        if ctx.bar().index == 0 {
            ctx.buy(ticket);
        }
    };
    backtest.run(strategy).expect("it runs")
}

/// The bar of the entry, and what became of the order.
fn entry(report: &Report) -> (Option<u32>, OrderStatus, OrderCause) {
    let closed = report.trades.iter().map(|trade| trade.entry_bar);
    let bar = closed.chain(report.open_trades.iter().map(|open| open.entry_bar)).next();
    (bar, report.orders[0].status, report.orders[0].cause)
}

#[test]
fn hours_follow_the_clock_of_their_zone() {
    let york = session("09:30-16:00 America/New_York");
    let rows = [
        // In winter, in summer, and on the days on which the clock changes.
        ("2024-01-02 15:00", "2024-01-02 14:30", "2024-01-02 21:00"),
        ("2024-07-02 13:30", "2024-07-02 13:30", "2024-07-02 20:00"),
        ("2024-03-10 00:00", "2024-03-10 13:30", "2024-03-10 20:00"),
        ("2024-11-03 19:00", "2024-11-03 14:30", "2024-11-03 21:00"),
        // At its close it is over.
        ("2024-01-02 21:00", "2024-01-03 14:30", "2024-01-03 21:00"),
    ];
    for (time, opens, closes) in rows {
        let hours = york.hours(at(time));
        assert_eq!((hours.opens, hours.closes), (at(opens), at(closes)), "{time}");
    }
    let globex = session("17:00-16:00 America/Chicago");
    for (time, opens, closes) in [
        ("2024-01-03 03:00", "2024-01-02 23:00", "2024-01-03 22:00"),
        ("2024-01-03 22:30", "2024-01-03 23:00", "2024-01-04 22:00"),
    ] {
        let hours = globex.hours(at(time));
        assert_eq!((hours.opens, hours.closes), (at(opens), at(closes)), "{time}");
    }
    let forex = session("17:00-17:00 -05:00").hours(at("2024-01-03 21:59"));
    assert_eq!((forex.opens, forex.closes), (at("2024-01-02 22:00"), at("2024-01-03 22:00")));
    let utc = Session::default().hours(at("1969-12-31 23:00"));
    assert_eq!((utc.opens, utc.closes), (at("1969-12-31"), at("1970-01-01")));
}

#[test]
fn a_time_is_in_its_session_or_before_it() {
    for text in ["09:30-16:00", "17:00-16:00 +05:30", "17:00-17:00 Europe/Berlin", "00:00-00:00 -11:00"] {
        let session = session(text);
        let mut before = None;
        // Each 17 minutes of a year with both changes of the clock.
        for step in 0..31_000 {
            let time = Timestamp::from_nanos(at("2024-01-01").as_nanos() + step * 17 * 60_000_000_000);
            let hours = session.hours(time);
            assert!(hours.opens < hours.closes && time < hours.closes, "{text}: {time:?} {hours:?}");
            assert!(before.is_none_or(|before| before <= hours.closes), "{text}: {time:?} {hours:?}");
            before = Some(hours.closes);
        }
    }
}

#[test]
fn text_that_names_no_hours_is_refused_with_what_can_be_written() {
    for text in ["", "9:30-16:00", "09:30", "09:30-25:00", "09:30 - 16:00", "09:60-16:00", "a-b"] {
        let error = text.parse::<Session>().expect_err(text).to_string();
        assert!(error.contains("09:30-16:00 America/New_York"), "{error}");
    }
    for zone in ["Mars/Olympus", "+5", "+25:00", "-05:60", "+é:00", "5:00"] {
        let error = format!("09:30-16:00 {zone}").parse::<Session>().expect_err(zone).to_string();
        assert!(error.contains("no time zone") && error.contains("-05:00"), "{error}");
    }
}

#[test]
fn a_day_order_ends_with_its_session_and_not_with_the_day_of_utc() {
    // From 21:00 to 03:00 UTC; the price falls to the limit at 01:00.
    let mut prices = [calm(100.0); 7];
    prices[4] = (100.0, 100.5, 94.0, 95.0);
    let bars = hourly("2024-01-02 21:00", &prices);
    let limit = Ticket::new(1).limit(95.0).day();
    let expired = (None, OrderStatus::Expired, OrderCause::TimeInForce);
    assert_eq!(entry(&run(&backtest(bars.clone(), "00:00-00:00"), limit)), expired);
    let over_midnight = backtest(bars.clone(), "18:00-16:00 America/New_York");
    // That session has begun at 23:00; the order was sent before, and works from then on.
    assert_eq!(entry(&run(&over_midnight, limit)).0, Some(4));
    let until_one = backtest(bars, "21:00-01:00");
    assert_eq!(entry(&run(&until_one, limit)), expired);
}

#[test]
fn what_begins_outside_of_the_hours_is_seen_and_fills_nothing() {
    // 13:00 to 17:00 UTC; open from 15:00 on.
    let bars = hourly(
        "2024-01-02 13:00",
        &[calm(100.0), (100.0, 100.5, 90.0, 99.0), (98.0, 98.5, 97.0, 98.0), calm(98.0), calm(98.0)],
    );
    let market = backtest(bars.clone(), "15:00-22:00");
    assert_eq!(entry(&run(&market, Ticket::new(1))).0, Some(2), "at the open of the session");
    assert_eq!(entry(&run(&market, Ticket::new(1).limit(95.0))).0, None, "90 was before the open");
    assert_eq!(entry(&run(&market, Ticket::new(1).immediate_or_cancel())).0, Some(2));
    // All five bars are seen, and a close outside of the hours is no close to be filled at.
    let report = run(&market.clone().fill_at(FillAt::OnClose), Ticket::new(1));
    assert_eq!((report.equity.len(), entry(&report).0), (5, Some(2)));
    assert_eq!(report.open_trades[0].entry_price, 98.0);
}

#[test]
fn stops_wait_for_the_open_and_do_not_trail_outside_of_the_hours() {
    // Open from 13:00 to 15:00 and again a day later; in between, at 16:00, the price falls, and at 18:00 it
    // rises.
    let mut prices = [calm(100.0); 27];
    prices[3] = (100.0, 100.5, 80.0, 99.0);
    prices[5] = (100.0, 150.0, 100.0, 100.0);
    prices[25] = (97.0, 97.5, 96.0, 96.0);
    let bars = hourly("2024-01-02 13:00", &prices);
    let market = backtest(bars, "13:00-15:00");
    let left = |ticket| run(&market, ticket).trades.first().map(|trade| (trade.exit_bar, trade.exit_price));
    assert_eq!(left(Ticket::new(1).stop_loss(98.0)), Some((25, 97.0)), "at the open of the next session");
    assert_eq!(left(Ticket::new(1).stop_loss(95.0)), None);
    assert_eq!(left(Ticket::new(1).trailing_stop_loss(10.0)), None, "150 was outside of the hours");
    assert_eq!(left(Ticket::new(1).trailing_stop_loss(3.0)), Some((25, 97.0)));
}

#[test]
fn each_asset_has_hours_of_its_own() {
    let bars = hourly("2024-01-02 13:00", &[calm(100.0); 6]);
    let both = Backtest::of([("A", bars.clone()), ("B", bars)])
        .at_end(AtEnd::Keep)
        .session(session("14:00-20:00"))
        .terms("B", |terms| terms.session = "16:00-20:00".parse().expect("hours"));
    let report = both.run(|ctx: &mut StrategyContext<'_>| {
        if ctx.bar().index == 0 {
            ctx.buy(1);
            ctx.asset("B").buy(1);
        }
    });
    let entered: Vec<u32> =
        report.expect("it runs").open_trades.iter().map(|trade| trade.entry_bar).collect();
    assert_eq!(entered, [1, 3]);
}

#[test]
fn hours_without_any_price_are_an_error_that_says_when_the_prices_are() {
    let daily: Vec<Bar> = hourly("2024-01-02", &[calm(100.0)]);
    let never = backtest(daily.clone(), "09:30-16:00 America/New_York");
    let error = never.run(|_: &mut StrategyContext<'_>| {}).expect_err("no hours").to_string();
    for part in ["`session` is 09:30-16:00 America/New_York", "2024-01-02 UTC", "no hours"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert!(backtest(daily, "00:00-00:00").run(|_: &mut StrategyContext<'_>| {}).is_ok());
    assert!(backtest(Vec::new(), "09:30-16:00").run(|_: &mut StrategyContext<'_>| {}).is_ok());
}

/// Ticks a quarter of an hour apart, that go up and down.
fn ticks(random: &mut Random) -> Vec<Tick> {
    let tick = |index: u32| Tick {
        timestamp: Timestamp::from_nanos(i64::from(index) * HOUR_NS / 4),
        price: 100.0 + random.below(9) as f64,
        size: 1.0,
        index,
        ..Tick::default()
    };
    (0..500).map(tick).collect()
}

#[test]
fn random_orders_are_filled_within_the_hours_alone() {
    let hours = ["09:00-17:30 -05:00", "22:00-03:00", "23:30-23:30", "11:00-12:00 +09:00"];
    let mut filled = 0;
    for seed in seeds(CASES) {
        let random = &mut Random::new(seed);
        let session = session(random.pick(&hours));
        let market = Backtest::of([("X", ticks(random))]).cash(1e6).at_end(AtEnd::Keep);
        let mut own = Random::new(seed ^ 1);
        let strategy = move |ctx: &mut StrategyContext<'_>| {
            let price = 100.0 + own.below(9) as f64;
            let ticket = match own.below(5) {
                0 => Ticket::new(1),
                1 => Ticket::new(1).limit(price).day(),
                2 => Ticket::new(1).stop(price).trailing_stop_loss(2.0),
                3 => Ticket::new(1).limit(price).immediate_or_cancel(),
                _ => return,
            };
            _ = if own.below(2) == 0 { ctx.buy(ticket) } else { ctx.sell(ticket) };
        };
        let report = market.session(session.clone()).run(strategy).expect("it runs");
        let open = report.open_trades.iter().map(|trade| trade.entry_bar);
        let closed = report.trades.iter().flat_map(|trade| [trade.entry_bar, trade.exit_bar]);
        for bar in open.chain(closed) {
            let time = Timestamp::from_nanos(i64::from(bar) * HOUR_NS / 4);
            assert!(session.contains(time), "{session}: filled at {time:?}");
            filled += 1;
        }
    }
    assert!(filled > 10 * CASES, "the cases must trade: {filled}");
}
