//! The days of a venue: those that are off, those that end early, breaks, and files that say so.

use std::path::Path;

use backtest::data::{format_timestamp, parse_timestamp};
use backtest::engine::{AtEnd, Calendar, Session};
use backtest::messages::{Bar, OrderCause, OrderStatus, Timestamp};
use backtest::performance::Figures;
use backtest::program::Program;
use backtest::strategy::{Backtest, Report, Size, Strategy, StrategyContext, Ticket};
use jiff::civil::Date;
use mycelium_random::{Random, seeds};

use crate::common::on_bar;

const HOUR_NS: i64 = 3_600_000_000_000;

/// Random calendars.
const CASES: u64 = 100;

/// Christmas of a stock exchange.
const YORK: &str = "
# A part of a year.
hours 09:30-16:00 America/New_York
days mon-fri
2024-12-24 09:30-13:00   # ends early
2024-12-25 closed
";

fn at(text: &str) -> Timestamp {
    parse_timestamp(text).unwrap_or_else(|| panic!("{text} is a time"))
}

fn calendar(text: &str) -> Session {
    text.parse::<Calendar>().unwrap_or_else(|error| panic!("{error}")).into()
}

/// Opens, closes and ends of the session that each time is in, or of the next one.
fn holds(session: &Session, rows: &[(&str, &str, &str, &str)]) {
    for (time, opens, closes, ends) in rows {
        let hours = session.hours(at(time));
        assert_eq!((hours.opens, hours.closes, hours.ends), (at(opens), at(closes), at(ends)), "{time}");
    }
}

#[test]
fn days_off_are_passed_over_and_some_end_early() {
    let christmas = ("2024-12-24 14:30", "2024-12-24 18:00", "2024-12-24 18:00");
    let after = ("2024-12-26 14:30", "2024-12-26 21:00", "2024-12-26 21:00");
    let rows = [("2024-12-24 15:00", christmas), ("2024-12-24 18:00", after), ("2024-12-25 16:00", after)];
    let friday = ("2024-12-27 21:00", ("2024-12-30 14:30", "2024-12-30 21:00", "2024-12-30 21:00"));
    let all: Vec<_> = rows
        .into_iter()
        .chain([friday])
        .map(|(time, (opens, closes, ends))| (time, opens, closes, ends))
        .collect();
    holds(&calendar(YORK), &all);
    assert!(
        !calendar(YORK).contains(at("2024-12-25 16:00")) && !calendar(YORK).contains(at("2024-12-24 19:00"))
    );
    // Each day of a week, from Sunday evening on.
    let globex = calendar("hours 17:00-16:00 America/Chicago\ndays sun-thu\n2024-11-27 17:00-12:00");
    holds(
        &globex,
        &[
            ("2024-11-23 12:00", "2024-11-24 23:00", "2024-11-25 22:00", "2024-11-25 22:00"),
            ("2024-11-28 17:59", "2024-11-27 23:00", "2024-11-28 18:00", "2024-11-28 18:00"),
            ("2024-11-28 18:00", "2024-11-28 23:00", "2024-11-29 22:00", "2024-11-29 22:00"),
            ("2024-11-29 22:00", "2024-12-01 23:00", "2024-12-02 22:00", "2024-12-02 22:00"),
        ],
    );
    let week = calendar("hours 09:00-17:00\n2024-10-01..2024-10-07 closed");
    holds(&week, &[("2024-10-01 10:00", "2024-10-08 09:00", "2024-10-08 17:00", "2024-10-08 17:00")]);
    let tokyo = calendar("hours 09:00-11:30 12:30-15:30 +09:00\ndays mon-fri");
    holds(
        &tokyo,
        &[
            ("2024-01-04 01:00", "2024-01-04 00:00", "2024-01-04 02:30", "2024-01-04 06:30"),
            ("2024-01-04 03:00", "2024-01-04 03:30", "2024-01-04 06:30", "2024-01-04 06:30"),
            ("2024-01-05 06:30", "2024-01-08 00:00", "2024-01-08 02:30", "2024-01-08 06:30"),
        ],
    );
    // Hours of its own on a day of the week that is off.
    let few = calendar(
        "hours 09:00-17:00\ndays mon\n2024-01-01..2024-03-04 closed\n2024-03-05 10:00-12:00\n\
         2024-03-06..2024-12-31 closed",
    );
    holds(
        &few,
        &[
            ("2024-01-02 10:00", "2024-03-05 10:00", "2024-03-05 12:00", "2024-03-05 12:00"),
            ("2024-03-05 12:00", "2025-01-06 09:00", "2025-01-06 17:00", "2025-01-06 17:00"),
        ],
    );
}

fn hourly(from: &str, count: u32) -> Vec<Bar> {
    let bar = |index: u32| Bar {
        timestamp: Timestamp::from_nanos(at(from).as_nanos() + i64::from(index) * HOUR_NS),
        open: 100.0,
        high: 100.5,
        low: 99.5,
        close: 100.0,
        volume: 1.0,
        close_ticks: 10_000,
        index,
        asset: 0,
    };
    (0..count).map(bar).collect()
}

fn run(bars: Vec<Bar>, hours: &Session, ticket: Ticket) -> Report {
    let market = Backtest::new(bars).at_end(AtEnd::Keep).session(hours.clone());
    market.run(on_bar(0, move |ctx| _ = ctx.buy(ticket))).expect("it runs")
}

#[test]
fn an_order_waits_over_a_day_off_and_a_day_order_ends_with_its_day() {
    // Hours from 17:30 on the 24th to the 26th: the venue closes at 18:00.
    let mut bars = hourly("2024-12-24 17:00", 60);
    let market = run(bars.clone(), &calendar(YORK), Ticket::new(1));
    assert_eq!(market.open_trades[0].entry_bar, 46, "at 15:00 of the 26th");
    let without = "09:30-16:00 America/New_York".parse().expect("hours");
    assert_eq!(run(bars.clone(), &without, Ticket::new(1)).open_trades[0].entry_bar, 1, "as if it were open");
    // What the price reaches at 19:00 is after the early end, and the day order ends there.
    bars[2].low = 90.0;
    let limit = Ticket::new(1).limit(95.0).day();
    assert_eq!(run(bars.clone(), &without, limit).open_trades[0].entry_bar, 2);
    assert!(run(bars, &calendar(YORK), limit).open_trades.is_empty());
    // A break is no end: sent in the morning, reached in the afternoon.
    let tokyo = calendar("hours 09:00-11:30 12:30-15:30");
    let mut bars = hourly("2024-01-04 09:00", 34);
    for (bar, at) in [(3, 90.0), (5, 94.0), (25, 90.0)] {
        bars[bar].low = at;
    }
    assert_eq!(run(bars.clone(), &tokyo, limit).open_trades[0].entry_bar, 5, "12:00 is within the break");
    bars[5].low = 99.5;
    let ended = run(bars, &tokyo, limit);
    let order = &ended.orders[0];
    assert_eq!((order.status, order.cause), (OrderStatus::Expired, OrderCause::TimeInForce));
}

#[test]
fn lines_that_say_no_part_of_a_calendar_are_refused_with_what_can_be_written() {
    let rows = [
        ("", 0, "no line has the hours"),
        ("days mon-fri", 0, "hours 09:30-16:00 America/New_York"),
        ("hours", 1, "names no hours"),
        ("hours 9:30-16:00", 1, "write `09:30-16:00`"),
        ("hours 09:30-16:00 Mars/Olympus", 1, "no time zone"),
        ("hours 09:00-12:00 11:00-15:00", 1, "in their sequence"),
        ("hours 09:00-12:00 18:00-10:00", 1, "runs over midnight into"),
        ("hours 09:00-17:00\nhours 09:00-17:00", 2, "said twice"),
        ("hours 09:00-17:00\ndays mon-fry", 2, "write `mon-fri`"),
        ("hours 09:00-17:00\n\n2024-13-01 closed", 3, "no date"),
        ("hours 09:00-17:00\n24-12-01 closed", 2, "no date"),
        ("hours 09:00-17:00\nholiday 2024-12-25", 2, "`2024-12-25 closed`"),
        ("hours 09:00-17:00\n2024-12-25", 2, "or `closed`"),
        ("hours 09:00-17:00\n2024-12-25 shut", 2, "or `closed`"),
        ("hours 09:00-17:00\n2024-12-25 closed\n2024-12-20..2024-12-31 closed", 3, "said twice"),
        ("hours 09:00-17:00\n2024-12-25..2024-12-20 closed", 2, "ends before it begins"),
        ("hours 09:00-17:00\n2024-01-01..9999-12-31 closed", 2, "more than 100000 days"),
    ];
    for (text, line, part) in rows {
        let error = text.parse::<Calendar>().expect_err(text);
        assert_eq!(error.line, line, "{text}: {error}");
        assert!(error.to_string().contains(part), "{text}: {error}");
    }
    let missing = Calendar::read(Path::new("no/such/file")).expect_err("there is none").to_string();
    assert!(missing.contains("no/such/file") && missing.contains("cannot be read"), "{missing}");
}

#[test]
fn calendars_that_differ_say_so_in_words() {
    let words = |text: &str| calendar(text).to_string();
    let york = words(YORK);
    assert!(york.starts_with("09:30-16:00 America/New_York by a calendar of 2 other days ("), "{york}");
    assert_eq!(york, words(&YORK.replace("# A part of a year.", "# Another remark.")));
    for (from, to) in [("2024-12-25", "2024-12-26"), ("13:00", "13:30"), ("mon-fri", "mon-sat")] {
        assert_ne!(york, words(&YORK.replace(from, to)), "{to}");
    }
    assert_eq!(words("hours 09:30-16:00"), "09:30-16:00");
}

#[test]
fn each_time_is_in_its_session_or_before_it_and_never_on_a_day_off() {
    for seed in seeds(CASES) {
        let random = &mut Random::new(seed);
        let hours =
            random.pick(&["09:30-16:00 America/New_York", "17:00-16:00 -06:00", "22:00-22:00 +09:00"]);
        let mut text =
            format!("hours {hours}\ndays {}\n", random.pick(&["mon-fri", "sun-thu", "mon,wed,sat"]));
        let first: Date = "2024-01-01".parse().expect("a date");
        let mut off = Vec::new();
        for day in first.series(jiff::Span::new().days(1)).take(400) {
            if random.below(5) == 0 {
                text.push_str(&format!("{day} closed\n"));
                off.push(day);
            }
        }
        let session = calendar(&text);
        let zone = hours.split_once(' ').expect("a zone").1;
        let daily: Session = hours.parse().expect("hours");
        let mut before: Option<Timestamp> = None;
        for step in 0..6_000 {
            let time = Timestamp::from_nanos(at("2024-01-01").as_nanos() + step * 97 * 60_000_000_000);
            let found = session.hours(time);
            assert!(found.opens < found.closes && time < found.closes, "seed {seed} {zone}: {time:?}");
            assert!(
                found.closes <= found.ends && before.is_none_or(|before| before <= found.closes),
                "{time:?}"
            );
            before = Some(found.closes);
            // They are hours of the venue as without a calendar, of a day that is not off.
            let same = daily.hours(found.opens);
            assert_eq!((same.opens, same.closes), (found.opens, found.closes), "seed {seed}: {time:?}");
        }
        let open_days = off.iter().filter(|day| {
            let noon = at(&format!("{day} 20:00"));
            hours.starts_with("09:30") && session.contains(noon)
        });
        assert_eq!(open_days.count(), 0, "seed {seed}");
    }
}

/// A session that begins at 22:00 is a day whose hours come two later.
#[test]
fn what_goes_by_days_goes_by_sessions() {
    let session: Session = "22:00-22:00".parse().expect("hours");
    for seed in seeds(CASES) {
        let random = &mut Random::new(seed);
        let mut equity = 10_000.0;
        let curve: Vec<f64> = (0..400)
            .map(|_| {
                equity *= 1.0 + (random.below(101) as f64 - 50.0) / 5_000.0;
                equity
            })
            .collect();
        let bars: Vec<Bar> = hourly("2024-03-01 15:00", 400)
            .into_iter()
            .zip(&curve)
            .map(|(bar, close)| Bar { close: close / 7.0, ..bar })
            .collect();
        let moved = |bar: &Bar| Bar {
            timestamp: Timestamp::from_nanos(bar.timestamp.as_nanos() + 2 * HOUR_NS),
            ..*bar
        };
        let later: Vec<Bar> = bars.iter().map(moved).collect();
        let text = |figures: Option<Figures>| format!("{figures:?}");
        let by_session = text(Figures::by_session(&bars, &curve, &[], &session));
        assert_eq!(by_session, text(Figures::of(&later, &curve, &[])), "seed {seed}");
        assert_ne!(by_session, text(Figures::of(&bars, &curve, &[])), "seed {seed}");
    }
}

struct Hold;

impl Strategy for Hold {
    fn next(&mut self, ctx: &mut StrategyContext<'_>) {
        if ctx.is_flat() {
            ctx.buy(Size::Equity(0.9));
        }
    }
}

/// What the page of a run holds, and its figures as JSON.
fn page_and_figures(flags: &[&str]) -> (serde_json::Value, serde_json::Value) {
    let folder = tempfile::tempdir().expect("a folder");
    let (file, out) = (folder.path().join("hours.csv"), folder.path().join("out"));
    let mut text = "Timestamp,Open,High,Low,Close\n".to_owned();
    for (bar, place) in hourly("2024-03-01 15:00", 400).iter().zip(0_u32..) {
        let close = 100.0 + f64::from(place * place % 31) / 10.0;
        let time = format_timestamp(bar.timestamp);
        text.push_str(&format!("{time},{close},{close},{close},{close}\n"));
    }
    std::fs::write(&file, text).expect("it is written");
    let program = Program::new("Hold", Vec::new(), |_| Hold);
    let path = |path: &std::path::Path| path.to_str().expect("a plain path").to_owned();
    let command =
        ["it".to_owned(), "run".to_owned(), "--data".to_owned(), path(&file), "--out".to_owned(), path(&out)];
    let flags = flags.iter().map(|flag| (*flag).to_owned());
    program.execute(command.into_iter().chain(flags)).expect("it runs");
    let read = |name: &str| std::fs::read_to_string(out.join(name)).expect("it was written");
    let page = read("report.html");
    let (_, data) = page.split_once("id=\"data\">").expect("data of the page");
    let (data, _) = data.split_once("</script>").expect("an end");
    let json = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    (json(data), json(&read("report.json"))["figures"].clone())
}

#[test]
fn the_page_of_a_run_goes_by_sessions_as_its_figures_do() {
    let days = |page: &serde_json::Value| -> u64 {
        page["returns"]["counts"]
            .as_array()
            .expect("counts")
            .iter()
            .filter_map(serde_json::Value::as_u64)
            .sum()
    };
    // From Friday 15:00 on, 400 hours: 18 days of UTC, and 18 that begin at 22:00, which end elsewhere.
    let (page, figures) = page_and_figures(&["--session", "22:00-22:00"]);
    let (by_day, figures_by_day) = page_and_figures(&[]);
    assert_ne!(figures["sharpe"], figures_by_day["sharpe"]);
    for (page, figures) in [(&page, &figures), (&by_day, &figures_by_day)] {
        for row in page["figures"].as_array().expect("figures") {
            let name = row["name"].as_str().expect("a name");
            assert_eq!(row["value"].as_f64(), figures[name].as_f64(), "{name}");
        }
        assert_eq!(days(page), 17);
    }
    assert_ne!((&page["returns"], &page["months"]), (&by_day["returns"], &by_day["months"]));
}
