//! The actor that asks a model, beside a strategy that computes the same itself.

use std::path::Path;
use std::sync::{Arc, Mutex};

use backtest::actors::Feed;
use backtest::data;
use backtest::engine::{AtEnd, Market};
use backtest::indicators::{Indicator, Roc, StdDev};
use backtest::messages::{Bar, Execution};
use backtest::source::History;
use backtest::strategy::{Backtest, Size, StrategyContext, Venue};
use mycelium::{Isolate, actor};
use strategies::asks_model::{AsksModel, Model};

type Fills = Arc<Mutex<Vec<(u32, f64)>>>;

struct Recorder(Fills);

#[actor]
impl Recorder {
    #[on]
    fn execution(&mut self, execution: &Execution) {
        self.0.lock().expect("nobody panics").push((execution.index, execution.price));
    }
}

const WEIGHTS: [f64; 3] = [0.2, -30.0, 0.5];

fn market() -> Market {
    Market { at_end: AtEnd::Keep, ..Market::default() }
}

/// What the actor is filled with, its model asked at each bar.
fn asked(bars: &Arc<[Bar]>) -> Vec<(u32, f64)> {
    let fills = Fills::default();
    let mut isolate = Isolate::new(0);
    let model = isolate.spawn(Model { weights: WEIGHTS }).expect("it is spawned");
    isolate.spawn(AsksModel::new(model)).expect("it is spawned");
    isolate.spawn(Recorder(Arc::clone(&fills))).expect("it is spawned");
    isolate.spawn(Venue::new(market()).tell_every_bar()).expect("it is spawned");
    isolate.spawn_service(Feed::new(History::new(Arc::clone(bars)))).expect("it is spawned");
    isolate.run().expect("it runs");
    fills.lock().expect("nobody panics").clone()
}

#[test]
fn an_actor_that_asks_a_model_trades_as_one_that_computes_it() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backtest/data/stocks.csv");
    let bars: Arc<[Bar]> = data::load(&file, Some("GOOG")).expect("the example's data").bars.into();
    let (mut momentum, mut deviation) = (Roc::new(10), StdDev::new(20));
    let strategy = move |ctx: &mut StrategyContext<'_>| {
        let (momentum, deviation) = (momentum.push(ctx.price()), deviation.push(ctx.price()));
        let (Some(momentum), Some(deviation)) = (momentum, deviation) else { return };
        let sum = WEIGHTS[0] * momentum + WEIGHTS[1] * (deviation / ctx.price()) + WEIGHTS[2];
        match (1.0 / (1.0 + (-sum).exp()) > 0.5, ctx.is_flat()) {
            (true, true) => _ = ctx.buy(Size::All),
            (false, false) => _ = ctx.close(),
            _ => {}
        }
    };
    let report = Backtest::new(Arc::clone(&bars)).market(market()).run(strategy).expect("it runs");
    let closed = report.trades.iter();
    let closed =
        closed.flat_map(|trade| [(trade.entry_bar, trade.entry_price), (trade.exit_bar, trade.exit_price)]);
    let open = report.open_trades.iter().map(|trade| (trade.entry_bar, trade.entry_price));
    let fills: Vec<(u32, f64)> = closed.chain(open).collect();
    assert!(fills.len() > 20, "{}", fills.len());
    assert_eq!(asked(&bars), fills);
}
