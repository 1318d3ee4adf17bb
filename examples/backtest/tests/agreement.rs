//! The actors and the plain loop, bit for bit, on random walks that tie, gap and ruin; and in any order of
//! instances.

use std::sync::Arc;

use backtest::config::{FillAt, Pair, Rule, Terms};
use backtest::instance;
use backtest::ledger::Statistics;
use backtest::messages::{Bar, Timestamp};
use backtest::results::figures;
use backtest::source::History;
use backtest::{data, floor};
use mycelium_random::{Random, cases, seed, seeds};

/// Random terms and walks.
const CASES: u64 = 3_000;

/// Hourly bars whose steps are a few ticks, or up to a fifth of the price.
fn bars(random: &mut Random) -> Arc<[Bar]> {
    let wild = random.below(2) == 0;
    let mut ticks: i64 = 10_000;
    let count = random.below(600) + 1;
    let bar = |index: u64| {
        let range = if wild { (ticks / 5).max(1) } else { 2 };
        let mut step = || random.below(2 * range as u64 + 1) as i64 - range;
        let open_ticks = (ticks + step()).max(1);
        ticks = (ticks + step()).max(1);
        let (open, close) = (open_ticks as f64 / 100.0, ticks as f64 / 100.0);
        Bar {
            timestamp: Timestamp::from_nanos(index as i64 * 3_600_000_000_000),
            open,
            high: open.max(close),
            low: open.min(close),
            close,
            volume: 1.0,
            close_ticks: ticks,
            index: index as u32,
            asset: 0,
        }
    };
    (0..count).map(bar).collect()
}

fn terms(random: &mut Random) -> Terms {
    Terms {
        rule: random.pick(&[Rule::Long, Rule::Flip, Rule::Flip, Rule::Fixed]),
        units: random.pick(&[1, 10, 1_000]),
        cash: random.pick(&[50.0, 1_000.0, 10_000.0]),
        commission: random.pick(&[0.0, 0.001, 0.05]),
        spread: random.pick(&[0.0, 0.0005, 0.02]),
        fill: random.pick(&[FillAt::NextOpen, FillAt::OnClose]),
    }
}

fn pair(random: &mut Random) -> Pair {
    Pair { fast: random.below(12) as u32 + 1, slow: random.below(30) as u32 + 1 }
}

/// All bits, so that two NaN are equal.
fn bits(statistics: &Statistics) -> [u64; 8] {
    figures(statistics).map(f64::to_bits)
}

fn actors(bars: &Arc<[Bar]>, pair: Pair, terms: &Terms) -> Statistics {
    instance::run(History::new(Arc::clone(bars)), pair, terms).expect("the instance runs").statistics
}

#[test]
fn the_actors_and_the_plain_loop_agree_to_the_bit() {
    let (mut traded, mut ruined) = (0, 0);
    for seed in seeds(CASES) {
        let random = &mut Random::new(seed);
        let (bars, terms, pair) = (bars(random), terms(random), pair(random));
        let plain = floor::run(&bars, pair, &terms);
        let acted = actors(&bars, pair, &terms);
        assert_eq!(bits(&plain), bits(&acted), "{pair:?} {terms:?}: {plain:?} is not {acted:?}");
        traded += u64::from(plain.n_trades > 0);
        ruined += u64::from(plain.equity_final == 0.0);
    }
    let few = cases(CASES) < CASES;
    assert!(few || (traded > CASES / 2 && ruined > 0), "the cases must trade and ruin: {traded}, {ruined}");
}

#[test]
fn the_order_of_instances_does_not_matter() {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("data/stocks.csv");
    let bars: Arc<[Bar]> = data::load(&file, Some("FB")).expect("the example's data").bars.into();
    let terms = Terms { rule: Rule::Flip, ..Terms::default() };
    let pairs: Vec<Pair> = (2..=9).flat_map(|fast| (10..=20).map(move |slow| Pair { fast, slow })).collect();
    let in_order: Vec<_> = pairs.iter().map(|pair| bits(&actors(&bars, *pair, &terms))).collect();
    let mut random = Random::new(seed());
    let mut shuffled: Vec<usize> = (0..pairs.len()).collect();
    for at in (1..shuffled.len()).rev() {
        shuffled.swap(at, random.index(at + 1));
    }
    for at in shuffled {
        assert_eq!(bits(&actors(&bars, pairs[at], &terms)), in_order[at], "{:?}", pairs[at]);
    }
}
