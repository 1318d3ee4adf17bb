//! Over prices in memory, events that touch no order are passed over; on a bus each of them is passed. A
//! strategy must not be able to tell the two apart.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use backtest::engine::{AtEnd, Market, Share};
use backtest::messages::{Bar, Quote, SessionEnd, Tick, Timestamp};
use backtest::strategy::{Backtest, StrategyContext, Trader, Venue};
use backtest::tape::Prices;
use mycelium::{BoxError, Isolate, Service, ServiceContext};
use mycelium_random::{Random, cases, seeds};

use crate::reference::{CASH, Step, act, script};

/// Random strategies, each on quotes and on ticks.
const CASES: u64 = 300;

/// What a strategy can see of its account: time, position, cash, equity, orders, updates.
type Seen = (Timestamp, f64, u64, u64, usize, usize);

fn time(at: usize) -> Timestamp {
    Timestamp::from_nanos(at as i64 * 1_000_000)
}

/// Quotes about 100 that mostly move little, or ticks in their middle.
fn prices(random: &mut Random, of_quotes: bool) -> (Vec<Quote>, Vec<Tick>) {
    let mut middle = 10_000_i64;
    let count = random.index(400) + 2;
    let (mut quotes, mut ticks) = (Vec::new(), Vec::new());
    for at in 0..count {
        let range = random.pick(&[1_u64, 5, 5, 60]);
        middle = (middle + random.below(2 * range + 1) as i64 - range as i64).max(2_000);
        let half = random.below(4) as i64;
        let [bid, price, ask] = [middle - half, middle, middle + half].map(|cents| cents as f64 / 100.0);
        let (timestamp, index) = (time(at), at as u32);
        let [bid_size, ask_size] = [(); 2].map(|()| random.below(60) as f64);
        if of_quotes {
            quotes.push(Quote { timestamp, bid, ask, bid_size, ask_size, index, asset: 0 });
        } else {
            ticks.push(Tick { timestamp, price, size: bid_size, index, asset: 0 });
        }
    }
    (quotes, ticks)
}

/// Says prices, each at its time.
struct Said(Vec<Quote>, Vec<Tick>);

impl Service for Said {
    type Error = BoxError;

    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let (start, count) = (ctx.now(), self.0.len() + self.1.len());
        let due = move |time: Timestamp| start + Duration::from_nanos(time.as_nanos() as u64);
        ctx.replay(std::mem::take(&mut self.0).into_iter().map(move |quote| (due(quote.timestamp), quote)))
            .await?;
        ctx.replay(std::mem::take(&mut self.1).into_iter().map(move |tick| (due(tick.timestamp), tick)))
            .await?;
        ctx.sleep(Duration::from_nanos(1)).await;
        ctx.publish(SessionEnd { timestamp: time(count - 1) }).await?;
        Ok(())
    }
}

/// The script, by a strategy that writes down what it sees.
fn watched(
    script: &Arc<Vec<Step>>,
    seen: &Arc<Mutex<Vec<Seen>>>,
) -> impl FnMut(&mut StrategyContext<'_>) + Send + 'static {
    let (script, seen) = (Arc::clone(script), Arc::clone(seen));
    move |ctx| {
        let (cash, equity) = (ctx.cash().to_bits(), ctx.equity().to_bits());
        let counts = (ctx.orders().len(), ctx.updates().len());
        let row = (ctx.time(), ctx.position(), cash, equity, counts.0, counts.1);
        seen.lock().expect("nobody panics").push(row);
        act(ctx, &script[ctx.bar().index as usize]);
    }
}

fn market(random: &mut Random) -> Market {
    Market {
        cash: CASH,
        commission: Arc::new(Share(random.pick(&[0.0, 0.001]))),
        slippage: Arc::new(Share(random.pick(&[0.0, 0.001]))),
        spread: Arc::new(random.pick(&[0.0, 0.0005])),
        leverage: Arc::new(random.pick(&[1.0, 5.0, 20.0])),
        maintenance: Arc::new(random.pick(&[0.0, 0.1])),
        participation: Arc::new(random.pick(&[f64::INFINITY, 1.0])),
        at_end: AtEnd::Keep,
        ..Market::default()
    }
}

#[test]
fn events_that_touch_no_order_change_nothing() {
    let (mut moves, mut waits) = (0, 0);
    for seed in seeds(CASES) {
        for of_quotes in [true, false] {
            let random = &mut Random::new(seed);
            let (quotes, ticks) = prices(random, of_quotes);
            let closes = quotes.iter().map(|quote| quote.bid.midpoint(quote.ask));
            let closes = closes.chain(ticks.iter().map(|tick| tick.price));
            let bars: Vec<Bar> = closes.map(|close| Bar { close, ..Bar::default() }).collect();
            let script = Arc::new(script(random, &bars));
            let market = market(random);
            let [in_memory, on_bus] = [(); 2].map(|()| Arc::<Mutex<Vec<Seen>>>::default());
            let series: Prices = if of_quotes { quotes.clone().into() } else { ticks.clone().into() };
            let backtest = Backtest::of([("X", series)]).market(market.clone());
            backtest.outcome(watched(&script, &in_memory)).expect("it runs");
            let mut isolate = Isolate::new(0);
            let trader = Trader::on_bus(watched(&script, &on_bus), &market, &["X"]);
            isolate.spawn(trader).expect("it is spawned");
            isolate.spawn(Venue::new(market)).expect("it is spawned");
            isolate.spawn_service(Said(quotes, ticks)).expect("it is spawned");
            isolate.run().expect("it runs");
            let rows = in_memory.lock().expect("nobody panics");
            let others = on_bus.lock().expect("nobody panics");
            for (at, (row, other)) in rows.iter().zip(&*others).enumerate() {
                assert_eq!(row, other, "seed {seed}, quotes {of_quotes}, event {at}");
            }
            assert_eq!(rows.len(), others.len());
            moves += rows.windows(2).filter(|pair| pair[0].1 != pair[1].1).count();
            waits += rows.windows(2).filter(|pair| pair[0].4 > 0 && pair[0].4 == pair[1].4).count();
        }
    }
    println!("{moves} changes of a position, {waits} events on which orders waited");
    assert!(cases(CASES) < CASES || moves > 2_000 && waits > 20_000, "{moves} {waits}");
}
