//! A thousand random runs against an exchange that was written apart: whole prices and sizes, one list of
//! orders, no account.

use std::collections::HashMap;

use backtest::depth::Depth;
use backtest::engine::{AtEnd, Queueing, Share};
use backtest::strategy::{Backtest, OrderId, Report, StrategyContext, Ticket};
use mycelium_random::{Random, cases, seeds};

use super::{book, held_by, timed};

const CASES: u64 = 1_000;
const CASH: f64 = 1e7;

/// A row in whole ticks of a half: sizes by price.
#[derive(Clone, Debug)]
struct Row {
    bids: Vec<(i64, i64)>,
    asks: Vec<(i64, i64)>,
    trade: Option<(i64, i64)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Time {
    Good,
    Immediate,
    Whole,
}

#[derive(Clone, Copy, Debug)]
enum Act {
    Send {
        buy: bool,
        units: i64,
        limit: Option<i64>,
        time: Time,
    },
    /// The order of this number, as they were sent.
    Cancel(usize),
}

/// Rows whose levels mostly stay, so that queues matter.
fn rows(random: &mut Random) -> Vec<Row> {
    let mut middle = 200_i64;
    let mut sizes: HashMap<i64, i64> = HashMap::new();
    let count = random.below(60) as usize + 2;
    let mut all = Vec::new();
    while all.len() < count {
        let traded =
            random.chance(50).then(|| (middle + random.below(9) as i64 - 4, random.below(12) as i64 + 1));
        if random.chance(25) {
            middle += random.below(5) as i64 - 2;
        }
        let shown = random.below(4) as i64 + 1;
        let mut side = |sign: i64| -> Vec<(i64, i64)> {
            let mut levels = Vec::new();
            for away in 1..=shown + 1 {
                let price = middle + sign * away;
                let size = sizes.entry(price * 2 + i64::from(sign > 0)).or_insert(5);
                if random.chance(40) {
                    *size = random.below(12) as i64;
                }
                if *size > 0 {
                    levels.push((price, *size));
                }
            }
            levels
        };
        let (bids, asks) = (side(-1), side(1));
        if !bids.is_empty() && !asks.is_empty() {
            all.push(Row { bids, asks, trade: traded });
        }
    }
    all
}

fn acts(random: &mut Random, rows: &[Row]) -> Vec<Vec<Act>> {
    let mut sent = 0;
    let of = |row: &Row| {
        let mut acts = Vec::new();
        while random.chance(45) {
            let middle = (row.bids[0].0 + row.asks[0].0) / 2;
            if sent > 0 && random.chance(25) {
                acts.push(Act::Cancel(random.index(sent)));
                continue;
            }
            let limit = random.chance(75).then(|| middle + random.below(11) as i64 - 5);
            let time = [Time::Good, Time::Good, Time::Good, Time::Immediate, Time::Whole][random.index(5)];
            acts.push(Act::Send { buy: random.chance(50), units: random.below(15) as i64 + 1, limit, time });
            sent += 1;
        }
        acts
    };
    rows.iter().map(of).collect()
}

#[derive(Clone, Debug)]
struct Plain {
    buy: bool,
    left: i64,
    limit: Option<i64>,
    time: Time,
    alive: bool,
    /// What is ahead and what was shown, once it waits.
    waits: Option<(f64, Option<i64>)>,
    filled: i64,
    paid: i64,
    /// The trade that it has opened last.
    opened: Option<usize>,
}

/// The exchange, slow and plain.
#[derive(Default)]
struct Exchange {
    orders: Vec<Plain>,
    /// By side, price and size: what was taken of a level that stands.
    taken: HashMap<(bool, i64, i64), i64>,
    position: i64,
    /// Trades that are open, the first first: numbers and signed units.
    trades: Vec<(usize, i64)>,
    /// Trades so far.
    opened: usize,
    /// In ticks.
    money: i64,
}

fn shown(row: &Row, buy: bool, price: i64) -> Option<i64> {
    let levels = if buy { &row.bids } else { &row.asks };
    let last = levels.last().expect("a side").0;
    if if buy { price < last } else { price > last } {
        return None;
    }
    Some(levels.iter().find(|level| level.0 == price).map_or(0, |level| level.1))
}

impl Exchange {
    fn book(&mut self, number: usize, units: i64, price: i64) {
        let order = &mut self.orders[number];
        let sign = if order.buy { 1 } else { -1 };
        order.left -= units;
        order.filled += units;
        order.paid += units * price;
        order.alive &= order.left > 0;
        self.position += sign * units;
        self.money -= sign * units * price;
        self.trade(number, sign, units);
    }

    /// First in first out. With a trade ends what is left of the order that has opened it.
    fn trade(&mut self, number: usize, sign: i64, mut units: i64) {
        while units > 0 && self.trades.first().is_some_and(|(_, open)| open.signum() == -sign) {
            let (trade, open) = &mut self.trades[0];
            let closed = units.min(open.abs());
            *open += sign * closed;
            units -= closed;
            if *open == 0 {
                let others = self.orders.iter_mut().enumerate().filter(|(at, _)| *at != number);
                others
                    .filter(|(_, order)| order.opened == Some(*trade))
                    .for_each(|(_, order)| order.alive = false);
                self.trades.remove(0);
            }
        }
        if units > 0 {
            let own = self.orders[number].opened;
            match self.trades.iter_mut().find(|(trade, _)| Some(*trade) == own) {
                Some((_, open)) => *open += sign * units,
                None => {
                    self.opened += 1;
                    self.trades.push((self.opened, sign * units));
                    self.orders[number].opened = Some(self.opened);
                }
            }
        }
    }

    /// Takes from the other side up to the limit, at the prices of the levels or at this one.
    fn take(&mut self, number: usize, row: &Row, at: Option<i64>) {
        let order = self.orders[number].clone();
        let levels = if order.buy { &row.asks } else { &row.bids };
        let reach = |price: i64| {
            order.limit.is_none_or(|limit| if order.buy { price <= limit } else { price >= limit })
        };
        let free: Vec<(i64, i64, i64)> = levels
            .iter()
            .filter(|level| reach(level.0))
            .map(|&(price, size)| {
                (price, size, size - self.taken.get(&(order.buy, price, size)).unwrap_or(&0))
            })
            .collect();
        if order.time == Time::Whole && free.iter().map(|level| level.2).sum::<i64>() < order.left {
            self.orders[number].alive = false;
            return;
        }
        for (price, size, free) in free {
            let units = free.min(self.orders[number].left);
            *self.taken.entry((order.buy, price, size)).or_default() += units;
            self.book(number, units, at.unwrap_or(price));
        }
    }

    fn pass(&mut self, row: &Row, model: Queueing) {
        self.taken.retain(|(buy, price, size), _| {
            let levels = if *buy { &row.asks } else { &row.bids };
            levels.contains(&(*price, *size))
        });
        let mut traded_own = 0;
        for number in 0..self.orders.len() {
            if !self.orders[number].alive {
                continue;
            }
            let order = self.orders[number].clone();
            match (order.waits, order.limit) {
                (Some(waits), Some(limit)) => self.wait(number, row, model, waits, limit, &mut traded_own),
                _ => self.take(number, row, None),
            }
        }
        for order in self.orders.iter_mut().filter(|order| order.alive) {
            match (order.time, order.limit) {
                (Time::Good, Some(limit)) if order.waits.is_none() => {
                    let size = shown(row, order.buy, limit);
                    order.waits = Some((size.map_or(f64::INFINITY, |size| size as f64), size));
                }
                (Time::Good, _) => {}
                _ => order.alive = false,
            }
        }
    }

    fn wait(
        &mut self,
        number: usize,
        row: &Row,
        model: Queueing,
        (mut ahead, before): (f64, Option<i64>),
        limit: i64,
        own: &mut i64,
    ) {
        let buy = self.orders[number].buy;
        let mut here = 0;
        if let Some((price, size)) = row.trade {
            if price == limit {
                here = size;
                let others = (size - *own).max(0);
                let units = ((others as f64 - ahead) * (1.0 + 1e-12)).floor().max(0.0) as i64;
                ahead = (ahead - others as f64).max(0.0);
                let units = units.min(self.orders[number].left);
                self.book(number, units, limit);
                *own += units;
            } else if (price < limit) == buy {
                let left = self.orders[number].left;
                self.book(number, left, limit);
                *own += left;
            }
        }
        let now = shown(row, buy, limit);
        if let Some(now) = now {
            if let (Queueing::Proportional, Some(before)) = (model, before) {
                let before = (before - here).max(0);
                if now < before && ahead.is_finite() {
                    ahead *= now as f64 / before as f64;
                }
            }
            ahead = ahead.min(now as f64);
        }
        self.orders[number].waits = Some((ahead, now));
        if self.orders[number].alive && ahead <= 0.0 {
            self.take(number, row, Some(limit));
        }
    }
}

/// What orders came to, and what was held and owned at each row.
struct Outcome {
    orders: Vec<(f64, f64)>,
    held: Vec<f64>,
    equity: Vec<f64>,
    /// Orders that have waited and were filled.
    waited: usize,
}

fn by_hand(rows: &[Row], acts: &[Vec<Act>], model: Queueing) -> Outcome {
    let mut exchange = Exchange::default();
    let (mut held, mut equity) = (Vec::new(), Vec::new());
    for (row, acts) in rows.iter().zip(acts) {
        exchange.pass(row, model);
        held.push(exchange.position as f64);
        let middle = (row.bids[0].0 + row.asks[0].0) as f64 * 0.25;
        equity.push(CASH + exchange.money as f64 * 0.5 + exchange.position as f64 * middle);
        for act in acts {
            match *act {
                Act::Cancel(number) => exchange.orders[number].alive = false,
                Act::Send { buy, units, limit, time } => {
                    // It waits from now on if the book does not reach it.
                    let best = if buy { row.asks[0].0 } else { row.bids[0].0 };
                    let beyond = limit.filter(|limit| if buy { best > *limit } else { best < *limit });
                    let size = beyond.map(|limit| shown(row, buy, limit));
                    let waits = size.map(|size| (size.map_or(f64::INFINITY, |size| size as f64), size));
                    // One that may not wait takes what there is when it comes.
                    let waits = waits.filter(|_| time == Time::Good);
                    exchange.orders.push(Plain {
                        buy,
                        left: units,
                        limit,
                        time,
                        alive: true,
                        waits,
                        filled: 0,
                        paid: 0,
                        opened: None,
                    });
                }
            }
        }
    }
    let of = |order: &Plain| {
        let price = if order.filled == 0 { 0.0 } else { order.paid as f64 * 0.5 / order.filled as f64 };
        (order.filled as f64, price)
    };
    let waited = exchange.orders.iter().filter(|order| order.waits.is_some() && order.filled > 0).count();
    Outcome { orders: exchange.orders.iter().map(of).collect(), held, equity, waited }
}

fn depth_of(row: &Row) -> Depth {
    let levels = |levels: &[(i64, i64)]| -> Vec<(f64, f64)> {
        levels.iter().map(|(price, size)| (*price as f64 * 0.5, *size as f64)).collect()
    };
    let book = book(&levels(&row.bids), &levels(&row.asks));
    row.trade.map_or(book, |(price, size)| book.with_trade(price as f64 * 0.5, size as f64))
}

fn backtest(rows: &[Row], model: Queueing) -> Backtest {
    let books: Vec<Depth> = rows.iter().map(depth_of).collect();
    Backtest::of([("B", timed(&books))]).cash(CASH).leverage(1_000.0).queue(model).at_end(AtEnd::Keep)
}

fn run(backtest: &Backtest, acts: &[Vec<Act>]) -> (Report, Vec<f64>) {
    let (acts, mut sent) = (acts.to_vec(), Vec::<OrderId>::new());
    held_by(backtest, move |at, ctx: &mut StrategyContext<'_>| {
        for act in &acts[at] {
            match *act {
                Act::Cancel(number) => ctx.cancel(sent[number]),
                Act::Send { buy, units, limit, time } => {
                    let mut ticket = Ticket::new(units as f64);
                    if let Some(limit) = limit {
                        ticket = ticket.limit(limit as f64 * 0.5);
                    }
                    ticket = match time {
                        Time::Good => ticket,
                        Time::Immediate => ticket.immediate_or_cancel(),
                        Time::Whole => ticket.fill_or_kill(),
                    };
                    sent.push(if buy { ctx.buy(ticket) } else { ctx.sell(ticket) });
                }
            }
        }
    })
}

#[test]
fn a_thousand_random_runs_are_as_another_exchange_has_them() {
    let (mut filled, mut waited) = (0.0, 0);
    for seed in seeds(cases(CASES)) {
        let mut random = Random::new(seed);
        let rows = rows(&mut random);
        let acts = acts(&mut random, &rows);
        let model = if random.chance(50) { Queueing::Pessimistic } else { Queueing::Proportional };
        let wanted = by_hand(&rows, &acts, model);
        let (report, held) = run(&backtest(&rows, model), &acts);
        assert_eq!(held, wanted.held, "seed {seed}, {model:?}: {rows:?}, {acts:?}");
        let same = |a: f64, b: f64| (a - b).abs() < 1e-6;
        for (got, (units, price)) in report.orders.iter().zip(&wanted.orders) {
            assert!(
                got.filled == *units && same(got.price, *price),
                "seed {seed}: {got:?} is not {units} at {price}"
            );
            filled += got.filled;
        }
        waited += wanted.waited;
        assert_eq!(report.orders.len(), wanted.orders.len(), "seed {seed}");
        assert!(report.equity.iter().zip(&wanted.equity).all(|(a, b)| same(*a, *b)), "seed {seed}");
    }
    assert!(filled > 10_000.0 && waited > 100, "{filled} units, {waited} orders");
}

#[test]
fn no_limit_is_filled_worse_than_it_says_and_the_account_is_whole() {
    for seed in seeds(cases(CASES / 4)) {
        let mut random = Random::new(seed);
        let rows = rows(&mut random);
        let acts = acts(&mut random, &rows);
        let model =
            |ahead: f64, before: f64, now: f64| if now < before { ahead - (before - now) } else { ahead };
        let mut backtest = backtest(&rows, Queueing::Pessimistic).queue(model).commission(Share(0.001));
        if random.chance(50) {
            backtest = backtest.participation(0.5).spread(0.01);
        }
        let (report, held) = run(&backtest, &acts);
        let sent: Vec<Act> =
            acts.concat().into_iter().filter(|act| matches!(act, Act::Send { .. })).collect();
        for (got, act) in report.orders.iter().zip(&sent) {
            let Act::Send { buy, units, limit, .. } = *act else { continue };
            assert!(got.filled <= units as f64, "seed {seed}: {got:?}");
            if let Some(limit) = limit.filter(|_| got.filled > 0.0) {
                let worse = (got.price - limit as f64 * 0.5) * if buy { 1.0 } else { -1.0 };
                assert!(worse < 1e-9, "seed {seed}: {got:?} at a limit of {limit}");
            }
        }
        // What was realised, what was paid for what is open, and what that is worth.
        let row = rows.last().expect("rows");
        let middle = (row.bids[0].0 + row.asks[0].0) as f64 * 0.25;
        let realised: f64 = report.trades.iter().map(|trade| trade.profit).sum();
        let open: f64 = report
            .open_trades
            .iter()
            .map(|t| t.size * (middle - t.entry_price - t.entry_price * 0.001 * t.size.signum()))
            .sum();
        let equity = report.equity.last().copied().unwrap_or(CASH);
        assert!(
            (equity - CASH - realised - open).abs() < 1e-3,
            "seed {seed}: {equity}, {realised} and {open}"
        );
        let units: f64 = report.open_trades.iter().map(|trade| trade.size).sum();
        assert_eq!(held.last(), Some(&units), "seed {seed}");
    }
}
