//! All terms at once, over the days on which clocks change: margin by tiers, funding, loans, dividends,
//! calendars, parts of the volume, brackets and orders on the close, on bars of two lengths, quotes and
//! books.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use backtest::depth::Depth;
use backtest::engine::{
    AtEnd, Calendar, FillAt, FundingEvery, Intrabar, MakerTaker, MarginTier, MarginTiers, Session, Share,
};
use backtest::messages::{Bar, OrderStatus, Quote, Timestamp};
use backtest::strategy::{Backtest, OrderId, Report, Size, StrategyContext, Ticket};
use backtest::tape::Prices;
use mycelium_random::{Random, cases, seeds};

use super::accounts::{NAMES, act, bars, quotes, terms};
use super::on_bus::{book, on_bus};

const CASES: u64 = 300;
const DAY_NS: i64 = 86_400_000_000_000;

/// Noon of the days on which New York's clocks went forward and back, in days since 1970.
const CLOCK_CHANGES: [i64; 2] = [19_792, 20_030];

/// Days before and behind a change of the clocks.
fn moved_ns(random: &mut Random, back_days: u64) -> i64 {
    (random.pick(&CLOCK_CHANGES) - random.below(back_days) as i64) * DAY_NS
}

fn later(time: Timestamp, by_ns: i64) -> Timestamp {
    Timestamp::from_nanos(time.as_nanos() + by_ns)
}

fn hours(random: &mut Random) -> Session {
    let text =
        random.pick(&["09:30-16:00 America/New_York", "17:00-16:00 America/Chicago", "00:00-00:00 UTC"]);
    if random.chance(50) {
        return text.parse().expect("hours");
    }
    let off = random.pick(&["2024-03-11 closed", "2024-11-04 09:30-10:30", "2024-03-09..2024-03-12 closed"]);
    format!("hours {text}\n{off}\n").parse::<Calendar>().expect("a calendar").into()
}

/// Hourly bars, daily bars that pay dividends, and quotes or books, on random terms of all kinds.
fn backtest(seed: u64) -> Backtest {
    let random = &mut Random::new(seed);
    let by_ns = moved_ns(random, 3);
    let daily_ns = moved_ns(random, 60);
    let moved = |bars: Vec<Bar>, by_ns: i64| -> Vec<Bar> {
        bars.into_iter().map(|bar| Bar { timestamp: later(bar.timestamp, by_ns), ..bar }).collect()
    };
    let (short, days) = (moved(bars(random, 1), by_ns), moved(bars(random, 24), daily_ns));
    let quotes: Vec<Quote> = quotes(random)
        .into_iter()
        .map(|quote| Quote { timestamp: later(quote.timestamp, by_ns), ..quote })
        .collect();
    let third: Prices = match random.chance(30) {
        true => quotes.iter().map(book).collect::<Vec<Depth>>().into(),
        false => quotes.into(),
    };
    let pays = |at: usize| days.get(at).map(|bar| (bar.timestamp.as_nanos(), 0.25 * (at as f64 + 1.0)));
    let dividends: Arc<[(i64, f64)]> = [1, 2, 7].into_iter().filter_map(pays).collect();
    let mut backtest = terms(Backtest::of(NAMES.into_iter().zip([short.into(), days.into(), third])), seed);
    backtest = backtest.dividends("B", dividends).commission(MakerTaker { maker: -0.0001, taker: 0.0005 });
    let tier = |from, initial, maintenance| MarginTier { from, initial, maintenance };
    let tiers = MarginTiers::new([tier(0.0, 0.2, 0.1), tier(8_000.0, 0.5, 0.3)]);
    if random.chance(50) {
        backtest = backtest.margin(tiers.asset(1, [tier(0.0, 0.5, 0.25)]));
    }
    if random.chance(50) {
        backtest = backtest.funding(FundingEvery { hours: random.pick(&[1, 8]), rate: -0.0002 });
    }
    let at_end = random.pick(&[AtEnd::Close, AtEnd::Keep, AtEnd::CloseAtOpen]);
    let intrabar = random.pick(&[Intrabar::Pessimistic, Intrabar::NextBar, Intrabar::Optimistic]);
    backtest = backtest.at_end(at_end).intrabar(intrabar).slippage(Share(random.pick(&[0.0, 0.001])));
    // Not each day of the fewest rows has hours of a session.
    let (session, of) = (hours(random), random.pick(&["A", "C"]));
    let own = session.clone();
    let timed = backtest.clone().terms(of, move |terms| terms.session = own.clone());
    let nothing = |_: &mut StrategyContext<'_>| {};
    if timed.on_bus(nothing).is_ok() { timed } else { backtest }
}

/// What was sent, with its side and its limit, which may be none.
type Sent = Arc<Mutex<HashMap<OrderId, (f64, Option<f64>)>>>;

/// Orders of kinds that [`act`] has not, and its own.
fn trade(ctx: &mut StrategyContext<'_>, random: &mut Random, sent: &Sent) {
    if random.chance(60) {
        return act(ctx, random, &NAMES);
    }
    let name = NAMES[random.index(NAMES.len())];
    let mut ctx = ctx.asset(name);
    let (price, buy) = (ctx.price(), random.chance(50));
    let side = if buy { 1.0 } else { -1.0 };
    let away = price * (random.below(40) as f64 + 1.0) / 1_000.0;
    let size = Size::Units(random.below(40) as f64 + 1.0);
    let bracket = |ticket: Ticket, entry: f64| {
        ticket.stop_loss(entry - away * side).take_profit(entry + away * side).trailing_stop_loss(away)
    };
    let (better, worse) = (price - away * side, price + away * side);
    let (ticket, limit) = match random.below(7) {
        0 => (bracket(Ticket::new(size).limit(better), better), Some(better)),
        1 => (bracket(Ticket::new(size).stop(worse), worse), None),
        2 => (Ticket::new(size).trailing_stop(away), None),
        3 => (Ticket::new(size).stop(worse).limit(worse + away * side), Some(worse + away * side)),
        4 => (Ticket::new(size).limit(worse).fill_or_kill(), Some(worse)),
        5 => (Ticket::new(size).limit(better).reduce_only().day(), Some(better)),
        _ => {
            let low = Ticket::new(size).limit(price - away);
            let high = Ticket::new(size).stop(price + away).day();
            let _ = ctx.one_cancels_other([(true, low), (true, high)]);
            return;
        }
    };
    let id = if buy { ctx.buy(ticket) } else { ctx.sell(ticket) };
    sent.lock().expect("not poisoned").insert(id, (side, limit));
}

fn strategy(seed: u64, sent: &Sent, check: bool) -> impl FnMut(&mut StrategyContext<'_>) + Send + 'static {
    let (mut chance, sent) = (Random::new(seed ^ 0xac7), Arc::clone(sent));
    move |ctx| {
        let mut equity = ctx.cash();
        for name in NAMES {
            let asset = ctx.asset(name);
            equity += asset.position() * (asset.price() - asset.entry_price());
        }
        assert!(!check || near(equity, ctx.equity()), "seed {seed}: {equity} is not {}", ctx.equity());
        trade(ctx, &mut chance, &sent);
    }
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() < 1e-6 * a.abs().max(10_000.0)
}

fn run(backtest: &Backtest, seed: u64) -> (Report, Sent) {
    let sent = Sent::default();
    let report = backtest.run(strategy(seed, &sent, true));
    (report.unwrap_or_else(|error| panic!("seed {seed}: {error}")), sent)
}

/// What holds of any report, whatever the terms.
fn check(report: &Report, sent: &Sent, (seed, on_close): (u64, bool)) {
    let profits: f64 = report.trades.iter().map(|trade| trade.profit).sum();
    let paid: f64 = report.charges.iter().map(|charge| charge.amount).sum();
    let end = report.statistics.equity_final;
    let whole = !report.open_trades.is_empty() || near(10_000.0 + profits - paid, end);
    assert!(whole, "seed {seed}: {profits} {paid} {end}");
    assert!(report.equity.iter().all(|equity| equity.is_finite()), "seed {seed}");
    for trade in &report.trades {
        assert!(trade.exit_time >= trade.entry_time, "seed {seed}: {trade:?}");
        assert!(trade.mae_pct <= 1e-9 && trade.mfe_pct >= -1e-9, "seed {seed}: {trade:?}");
    }
    let sent = sent.lock().expect("not poisoned");
    for record in &report.orders {
        if let Some((side, Some(limit))) = sent.get(&record.order.id) {
            let worse = record.filled > 0.0 && (record.price - limit) * side > 1e-9 * limit;
            assert!(!worse, "seed {seed}: worse than its limit: {record:?}");
        }
        let early = record.ended_bar.is_some_and(|ended| ended <= record.placed_bar);
        let filled = record.status == OrderStatus::Filled && sent.contains_key(&record.order.id);
        assert!(!(filled && early) || on_close, "seed {seed}: filled before it was sent: {record:?}");
    }
}

#[test]
fn under_all_terms_at_once_the_account_is_whole_and_no_promise_of_an_order_is_broken() {
    let (mut trades, mut charges) = (0, 0);
    for seed in seeds(CASES) {
        let backtest = backtest(seed);
        let (report, sent) = run(&backtest, seed);
        check(&report, &sent, (seed, false));
        let on_close = backtest.latency(std::time::Duration::ZERO).fill_at(FillAt::OnClose);
        let (closes, sent) = run(&on_close, seed);
        check(&closes, &sent, (seed, true));
        trades += report.trades.len() + closes.trades.len();
        charges += report.charges.len();
    }
    assert!(cases(CASES) < CASES || trades > 3_000 && charges > 1_000, "{trades} {charges}");
}

#[test]
fn under_all_terms_at_once_a_bus_does_what_memory_does() {
    for seed in seeds(CASES) {
        let backtest = backtest(seed);
        let (report, _) = run(&backtest, seed);
        let end = on_bus(&backtest, seed, strategy(seed, &Sent::default(), false));
        assert_eq!(format!("{end:?}"), format!("{:?}", report.statistics), "seed {seed}");
    }
}
