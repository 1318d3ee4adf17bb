//! Random strategies and orders, against an exchange that was written apart, slowly and for the reader.

use std::sync::{Arc, Mutex};

use crate::slow::{SlowExchange, SlowFill};
use crate::slow_terms::{Asked, Fee, SlowTerms, Spec};
use backtest::engine::{AtEnd, FillAt, Fixed, Intrabar, MakerTaker, PerUnit, Share, Tiers};
use backtest::messages::{Bar, OrderStatus, Timestamp};
use backtest::source::Source;
use backtest::strategy::{Backtest, Report, Size, StrategyContext, Ticket};
use mycelium_random::{Random, cases, seeds};

/// Random strategies.
const CASES: u64 = 1_000;
pub(crate) const CASH: f64 = 10_000.37;
const NAMES: [&str; 4] = ["A", "B", "C", "D"];

/// Daily bars that jump, gap and stand still.
fn bars(random: &mut Random) -> Vec<Bar> {
    let count = random.below(120) + 2;
    so_many_bars(random, count)
}

fn so_many_bars(random: &mut Random, count: u64) -> Vec<Bar> {
    let range = random.pick(&[2_u64, 40, 400, 2_000]);
    let mut ticks = 10_000_i64;
    let bar = |index: u64| {
        let mut step = |range: u64| random.below(2 * range + 1) as i64 - range as i64;
        let open = (ticks + step(range)).max(50);
        let close = (open + step(range)).max(50);
        let (high, low) = (open.max(close) + step(range).max(0), open.min(close) + step(range).min(0));
        ticks = close;
        let price = |ticks: i64| ticks.max(25) as f64 / 100.0;
        Bar {
            timestamp: Timestamp::from_nanos(index as i64 * 86_400_000_000_000),
            open: price(open),
            high: price(high),
            low: price(low),
            close: price(close),
            volume: random.below(200) as f64,
            close_ticks: close,
            index: index as u32,
            asset: 0,
        }
    };
    (0..count).map(bar).collect()
}

/// An order that makes sense at this close: its loss lies behind its entry and its profit ahead.
fn spec(random: &mut Random, close: f64) -> Spec {
    let side = random.pick(&[1.0, -1.0]);
    let mut away = || random.below(500) as f64 / 100.0 + 0.01;
    let (near, far, loss, profit, trail) = (away(), away(), away(), away(), away());
    let mut spec = Spec { size: (random.below(100) as i64 + 1) * side as i64, ..Spec::default() };
    match random.below(6) {
        0 => {}
        1 => spec.limit = close - near * side,
        2 => spec.stop = close + near * side,
        3 => (spec.stop, spec.limit) = (close + near * side, close + (near + far - 2.5) * side),
        4 => spec.trail = trail,
        _ => spec.reduce_only = true,
    }
    let entry = [spec.limit, spec.stop, close].into_iter().find(|price| *price > 0.0).unwrap_or(close);
    if spec.trail == 0.0 && random.below(2) == 0 {
        spec.stop_loss = (entry - loss * side).max(0.01);
        spec.trail = if random.below(3) == 0 { trail } else { 0.0 };
    }
    if random.below(2) == 0 {
        spec.take_profit = (entry + profit * side).max(0.01);
    }
    // Below this no bar goes, and an order on the wrong side of nothing would be refused.
    if [spec.limit, spec.stop, spec.stop_loss, spec.take_profit].iter().any(|p| *p != 0.0 && *p < 0.02) {
        spec = Spec { size: spec.size, ..Spec::default() };
    }
    spec.day = random.below(6) == 0;
    spec.immediate = !spec.day && random.below(8) == 0;
    spec.whole = !spec.day && !spec.immediate && random.below(8) == 0;
    let share = (random.below(120) + 1) as f64 / 100.0;
    spec.asked = match random.below(12) {
        0 => Asked::Value(share * CASH),
        1 => Asked::Equity(share),
        2 => Asked::Cash(share.min(1.0)),
        3 | 4 => Asked::Lots,
        _ => Asked::Units,
    };
    spec.reduce_only |= random.below(10) == 0;
    spec
}

fn ticket(spec: &Spec) -> Ticket {
    let mut ticket = Ticket::new(match spec.asked {
        Asked::Units => Size::Units(spec.size.unsigned_abs() as f64),
        Asked::Lots => Size::Lots(spec.size.abs()),
        Asked::Value(value) => Size::Value(value),
        Asked::Equity(share) => Size::Equity(share),
        Asked::Cash(share) => Size::Cash(share),
        Asked::ToUnits | Asked::ToValue(_) | Asked::ToEquity(_) => unreachable!("it has no ticket"),
    });
    if spec.limit > 0.0 {
        ticket = ticket.limit(spec.limit);
    }
    if spec.stop > 0.0 {
        ticket = ticket.stop(spec.stop);
    }
    match (spec.trail > 0.0, spec.stop_loss > 0.0) {
        (true, false) => ticket = ticket.trailing_stop(spec.trail),
        (true, true) => ticket = ticket.stop_loss(spec.stop_loss).trailing_stop_loss(spec.trail),
        (false, true) => ticket = ticket.stop_loss(spec.stop_loss),
        (false, false) => {}
    }
    if spec.take_profit > 0.0 {
        ticket = ticket.take_profit(spec.take_profit);
    }
    if spec.reduce_only {
        ticket = ticket.reduce_only();
    }
    if spec.day {
        ticket = ticket.day();
    }
    if spec.whole {
        ticket = ticket.fill_or_kill();
    }
    if spec.immediate { ticket.immediate_or_cancel() } else { ticket }
}

/// A position that is wanted.
fn target(random: &mut Random) -> Spec {
    let share = (random.below(240) as f64 - 120.0) / 100.0;
    let asked = match random.below(3) {
        0 => Asked::ToUnits,
        1 => Asked::ToValue(share * CASH),
        _ => Asked::ToEquity(share),
    };
    Spec { size: random.below(160) as i64 - 80, asked, ..Spec::default() }
}

/// Random terms: in half of the cases without any costs but the charge, and without credit.
fn terms(random: &mut Random) -> SlowTerms {
    let amount = random.pick(&[0.0, 0.001, 0.01]);
    let fee = match random.below(6) {
        0 => Fee::Fixed(amount * 1_000.0),
        1 => Fee::PerUnit(amount * 10.0),
        2 => Fee::Tiers(amount, (random.pick(&[5_000.0, 50_000.0]), amount / 4.0)),
        _ => Fee::Share(amount),
    };
    let participation = random.pick(&[f64::INFINITY, 1.0, 0.25]);
    let plain = SlowTerms {
        cash: CASH,
        fee,
        spread: 0.0,
        slip: 0.0,
        leverage: 1.0,
        maintenance: 0.0,
        participation,
        carry: (0.0, 0.0),
        optimistic: random.below(3) == 0,
        on_close: random.below(4) == 0,
    };
    if random.below(2) == 0 {
        return plain;
    }
    SlowTerms {
        spread: random.pick(&[0.0, 0.0005, 0.02]),
        slip: random.pick(&[0.0, 0.0007, 0.01]),
        leverage: random.pick(&[1.0, 1.0, 2.0, 5.0]),
        maintenance: random.pick(&[0.0, 0.1, 0.4]),
        carry: (random.pick(&[0.0, 0.05, 2.0]), random.pick(&[0.0, 0.03, 3.0])),
        ..plain
    }
}

fn backtest(assets: &[Vec<Bar>], terms: &SlowTerms) -> Backtest {
    let named = assets.iter().zip(NAMES).map(|(bars, name)| (name, bars.clone()));
    let backtest = Backtest::of(named).cash(terms.cash).participation(terms.participation);
    let backtest = backtest.spread(terms.spread).slippage(Share(terms.slip)).at_end(AtEnd::Keep);
    let backtest = backtest.leverage(terms.leverage).maintenance(terms.maintenance);
    let backtest = backtest.interest(terms.carry.0, terms.carry.1);
    let intrabar = if terms.optimistic { Intrabar::Optimistic } else { Intrabar::Pessimistic };
    let fill_at = if terms.on_close { FillAt::OnClose } else { FillAt::NextOpen };
    let backtest = backtest.intrabar(intrabar).fill_at(fill_at);
    match terms.fee {
        Fee::Share(share) => backtest.commission(Share(share)),
        Fee::Fixed(amount) => backtest.commission(Fixed(amount)),
        Fee::PerUnit(amount) => backtest.commission(PerUnit(amount)),
        Fee::Tiers(share, (from, then)) => {
            let tier = |share| MakerTaker { maker: share, taker: share };
            backtest.commission(Tiers(vec![(0.0, tier(share)), (from, tier(then))]))
        }
    }
}

/// What a random strategy does after each bar.
#[derive(Clone, Debug, Default)]
pub(crate) struct Step {
    cancel_all: bool,
    orders: Vec<Spec>,
    /// Whether the orders cancel each other.
    grouped: bool,
}

pub(crate) fn script(random: &mut Random, bars: &[Bar]) -> Vec<Step> {
    script_of(random, &[bars.to_vec()])
}

/// For assets with a bar each on every day.
fn script_of(random: &mut Random, assets: &[Vec<Bar>]) -> Vec<Step> {
    let busy = random.pick(&[2, 4, 12]);
    let step = |day: usize| {
        let orders = if random.below(busy) == 0 { random.below(3) + 1 } else { 0 };
        let order = |_| {
            let asset = random.index(assets.len());
            let close = assets[asset][day].close;
            Spec { asset, ..if random.below(8) == 0 { target(random) } else { spec(random, close) } }
        };
        let orders: Vec<Spec> = (0..orders).map(order).collect();
        let may_be_grouped = match &orders[..] {
            [a, b] => a.asset == b.asset && !a.asked.is_target() && !b.asked.is_target(),
            _ => false,
        };
        Step { cancel_all: random.below(15) == 0, grouped: may_be_grouped && random.below(2) == 0, orders }
    };
    (0..assets[0].len()).map(step).collect()
}

pub(crate) fn act(ctx: &mut StrategyContext<'_>, step: &Step) {
    if step.cancel_all {
        ctx.cancel_all();
    }
    if let (true, [a, b]) = (step.grouped, &step.orders[..]) {
        let mut ctx = ctx.asset_at(a.asset);
        ctx.one_cancels_other([(a.size > 0, ticket(a)), (b.size > 0, ticket(b))]);
        return;
    }
    for spec in &step.orders {
        let mut ctx = ctx.asset_at(spec.asset);
        match spec.asked {
            Asked::ToUnits => ctx.target(spec.size as f64),
            Asked::ToValue(value) => ctx.target(Size::Value(value)),
            Asked::ToEquity(share) => ctx.target(Size::Equity(share)),
            _ if spec.size > 0 => ctx.buy(ticket(spec)),
            _ => ctx.sell(ticket(spec)),
        };
    }
}

/// The slow exchange at the end, and its equity after each day.
fn slowly(assets: &[Vec<Bar>], script: &[Step], terms: SlowTerms) -> (SlowExchange, Vec<f64>) {
    let mut exchange = SlowExchange::new(terms, assets.len());
    let mut equity = Vec::new();
    for (day, step) in script.iter().enumerate() {
        let bars: Vec<Bar> = assets.iter().map(|bars| bars[day]).collect();
        exchange.pass(&bars);
        equity.push(exchange.equity());
        if step.cancel_all {
            exchange.cancel_all();
        }
        for spec in &step.orders {
            let group = if step.grouped { day as u32 + 1 } else { 0 };
            exchange.send(Spec { group, ..*spec });
        }
    }
    exchange.end();
    if let Some(last) = equity.last_mut() {
        *last = exchange.equity();
    }
    (exchange, equity)
}

/// All fills of a report, as the slow exchange writes them: in no particular sequence within a bar.
fn fills(report: &Report) -> Vec<SlowFill> {
    let mut fills = Vec::new();
    let mut entries = std::collections::BTreeMap::new();
    for trade in &report.trades {
        fills.push((usize::from(trade.asset), trade.exit_bar, -trade.size as i64, trade.exit_price));
        let first = (usize::from(trade.asset), trade.entry_bar, 0, trade.entry_price);
        entries.entry(trade.number).or_insert(first).2 += trade.size as i64;
    }
    for open in &report.open_trades {
        let first = (usize::from(open.asset), open.entry_bar, 0, open.entry_price);
        entries.entry(open.number).or_insert(first).2 += open.size as i64;
    }
    fills.extend(entries.into_values());
    sorted(&fills)
}

fn sorted(fills: &[SlowFill]) -> Vec<SlowFill> {
    let mut rows = fills.to_vec();
    rows.sort_unstable_by_key(|(asset, bar, units, price)| (*asset, *bar, *units, price.to_bits()));
    rows
}

/// What must hold of every order of every run. Says how many positions were reached, and how many orders were
/// filled at the close on which they were sent.
fn check_orders(report: &Report, script: &[Step], terms: &SlowTerms) -> (usize, usize) {
    let (mut targets, mut at_closes) = (0, 0);
    let mut specs = script.iter().flat_map(|step| step.orders.iter().map(move |spec| (step.grouped, spec)));
    let mut pair: Option<OrderStatus> = None;
    for record in report.orders.iter().filter(|record| record.order.id.0 % 3 == 1) {
        let (grouped, spec) = specs.next().expect("an order of the script");
        if record.status == OrderStatus::Filled {
            let ended = record.ended_bar.expect("it has ended");
            let at_close = terms.on_close && spec.is_at_market() && ended == record.placed_bar;
            targets += usize::from(spec.asked.is_target());
            at_closes += usize::from(at_close);
            assert!(
                at_close || ended > record.placed_bar,
                "filled on data from before it was sent: {record:?} {spec:?}"
            );
        }
        if grouped {
            match pair.take() {
                None => pair = Some(record.status),
                Some(other) => {
                    let both = [other, record.status] == [OrderStatus::Filled; 2];
                    assert!(!both, "both orders of a group were filled: {record:?}");
                }
            }
        }
    }
    (targets, at_closes)
}

/// The same bars from a source of its own, of which the trader has no history.
struct Stream(std::vec::IntoIter<Bar>);

impl Source for Stream {
    fn next_time(&self) -> Option<Timestamp> {
        self.0.as_slice().first().map(|bar| bar.timestamp)
    }

    fn next_bar(&mut self) -> Option<Bar> {
        self.0.next()
    }
}

/// What random runs have seen.
#[derive(Debug, Default)]
struct Counts {
    trades: usize,
    parts: usize,
    ruined: usize,
    called: u32,
    unfilled: usize,
    charged: usize,
    targets: usize,
    at_closes: usize,
}

/// One random strategy on so many assets of one account, here and on the slow exchange.
fn compare(seed: u64, assets: usize, counts: &mut Counts) {
    let random = &mut Random::new(seed);
    let days = random.below(120) + 2;
    let assets: Vec<Vec<Bar>> = (0..assets).map(|_| so_many_bars(random, days)).collect();
    let script = Arc::new(script_of(random, &assets));
    let terms = terms(random);
    let backtest = backtest(&assets, &terms);
    let strategy = || {
        let script = Arc::clone(&script);
        move |ctx: &mut StrategyContext<'_>| act(ctx, &script[ctx.bar().index as usize])
    };
    let report = backtest.run(strategy()).expect("it runs");
    let (slow, equity) = slowly(&assets, &script, terms);
    assert_eq!(report.equity.len(), equity.len(), "seed {seed}");
    for (at, (a, b)) in report.equity.iter().zip(&equity).enumerate() {
        let until = |fills: Vec<SlowFill>| -> Vec<SlowFill> {
            fills.into_iter().filter(|(_, bar, ..)| *bar as usize <= at).collect()
        };
        let sent = || script.iter().take(at).enumerate().filter(|(_, step)| !step.orders.is_empty());
        assert!(
            (a - b).abs() <= 1e-7 * CASH,
            "seed {seed}: equity of bar {at}: {a} is not {b}\n{terms:?}\n{:?}\nbut slowly\n{:?}\n{:?}\nof {:?}",
            until(fills(&report)),
            until(sorted(&slow.fills)),
            assets.iter().map(|bars| bars[at]).collect::<Vec<_>>(),
            sent().collect::<Vec<_>>(),
        );
    }
    // Parts of one entry are one row of the report.
    if !slow.ruined && terms.participation.is_infinite() {
        assert_eq!(fills(&report), sorted(&slow.fills), "seed {seed}");
    }
    let filled = check_orders(&report, &script, &terms);
    // The run is the same to the bit, whatever brings the bars. A bar of a stream does not say when it is
    // over, and of the first one nobody knows: a fill at its close does not know of the night behind it.
    let early = terms.on_close && terms.carry != (0.0, 0.0) && !script[0].orders.is_empty();
    if let (false, [bars]) = (early, &assets[..]) {
        let streamed = backtest.outcome_on(Stream(bars.clone().into_iter()), strategy()).expect("it runs");
        assert_eq!(format!("{:?}", streamed.statistics), format!("{:?}", report.statistics), "seed {seed}");
    }
    counts.trades += report.trades.len();
    counts.parts += if terms.participation.is_infinite() { 0 } else { slow.fills.len() };
    counts.called += slow.called;
    counts.charged += report.charges.len();
    counts.ruined += usize::from(slow.ruined);
    counts.unfilled += usize::from(!report.notes.is_empty());
    (counts.targets, counts.at_closes) = (counts.targets + filled.0, counts.at_closes + filled.1);
}

/// That nothing was left out, where all cases were run.
fn check_counts(counts: &Counts) {
    println!("{counts:?}");
    let Counts { trades, parts, ruined, called, unfilled, charged, targets, at_closes } = *counts;
    let many = trades > 5_000 && parts > 5_000 && charged > 1_000 && targets > 500 && at_closes > 500;
    assert!(cases(CASES) < CASES || many && ruined > 0 && called > 0 && unfilled > 0, "{counts:?}");
}

#[test]
fn random_strategies_trade_as_the_slow_exchange_says() {
    let mut counts = Counts::default();
    seeds(CASES).for_each(|seed| compare(seed, 1, &mut counts));
    check_counts(&counts);
}

#[test]
fn random_strategies_on_several_assets_trade_as_the_slow_exchange_says() {
    let mut counts = Counts::default();
    seeds(CASES).for_each(|seed| compare(seed, 2 + (seed % 3) as usize, &mut counts));
    check_counts(&counts);
}

#[test]
fn each_event_keeps_the_account_whole() {
    let told = Arc::new(Mutex::new(0_usize));
    for seed in seeds(200) {
        let random = &mut Random::new(seed);
        let bars = bars(random);
        let script = script(random, &bars);
        let told = Arc::clone(&told);
        let strategy = move |ctx: &mut StrategyContext<'_>| {
            let value = ctx.position() * (ctx.price() - ctx.entry_price());
            let near = (ctx.cash() + value - ctx.equity()).abs() < 1e-7 * CASH;
            assert!(near, "seed {seed}: {} and {value} are not {}", ctx.cash(), ctx.equity());
            *told.lock().expect("nobody panics") += 1;
            act(ctx, &script[ctx.bar().index as usize]);
        };
        let report = Backtest::new(bars).cash(CASH).commission(Share(0.002)).run(strategy).expect("it runs");
        let profits: f64 = report.trades.iter().map(|trade| trade.profit).sum();
        let end = report.statistics.equity_final;
        assert!(end == 0.0 || (CASH + profits - end).abs() < 1e-7 * CASH, "seed {seed}: {profits} {end}");
    }
    assert!(*told.lock().expect("nobody panics") > 200);
}

#[test]
fn a_long_history_a_stream_and_a_part_of_a_series_trade_alike() {
    for seed in seeds(20) {
        let random = &mut Random::new(seed);
        let count = random.pick(&[255_u64, 256, 257, 512, 1_500]);
        let bars = so_many_bars(random, count);
        let script = Arc::new(script(random, &bars));
        let strategy = || {
            let script = Arc::clone(&script);
            move |ctx: &mut StrategyContext<'_>| act(ctx, &script[ctx.bar().index as usize])
        };
        let backtest = Backtest::new(bars.clone()).cash(CASH).leverage(2.0).commission(Share(0.001));
        let history = backtest.outcome(strategy()).expect("it runs").statistics;
        let stream = backtest.outcome_on(Stream(bars.clone().into_iter()), strategy()).expect("it runs");
        assert_eq!(format!("{history:?}"), format!("{:?}", stream.statistics), "seed {seed}");
        // Bars that were numbered in another series.
        let part: Vec<Bar> = bars.iter().map(|bar| Bar { index: bar.index + 7, ..*bar }).collect();
        let backtest = Backtest::new(part).cash(CASH).leverage(2.0).commission(Share(0.001));
        let part = backtest.outcome(strategy()).expect("it runs").statistics;
        assert_eq!(format!("{history:?}"), format!("{part:?}"), "seed {seed}");
    }
}
