//! Every target on its seeds and on some thousand damaged copies of them.
//!
//! `MYCELIUM_SEED=n` replays a run, `MYCELIUM_CASES=n` sets its length.

use mycelium_fuzz::{TARGETS, Target, damage, target};
use mycelium_random::{Random, cases, seed};

/// Damaged inputs per target.
const CASES: u64 = 3_000;

fn smoke(target: Target) {
    let mut random = Random::new(seed());
    let seeds = (target.seeds)();
    let sound = seeds.iter().filter(|seed| (target.run)(seed)).count();
    assert!(sound > 0, "no seed of `{}` is sound", target.name);
    (target.run)(&[]);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..cases(CASES) {
        let from = random.pick(&seeds);
        match (target.run)(&damage(&from, target.words, &mut random)) {
            true => accepted += 1,
            false => refused += 1,
        }
    }
    println!("{}: {accepted} accepted, {refused} refused", target.name);
    assert!(accepted > 0 && refused > 0, "the damages of `{}` show one side only", target.name);
}

macro_rules! smoke {
    ($($name:ident),* $(,)?) => {
        $(#[test]
        fn $name() {
            smoke(target(stringify!($name)).expect("a target"));
        })*
        const TESTED: &[&str] = &[$(stringify!($name)),*];
    };
}
smoke!(frame, link, ring, values, tables, contract, tree, topology, csv);

#[test]
fn every_target_is_tried() {
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(names, TESTED);
    // What `cargo xtask fuzz` goes by.
    for name in names {
        let path = format!("{}/src/targets/{name}.rs", env!("CARGO_MANIFEST_DIR"));
        assert!(std::path::Path::new(&path).is_file(), "no {path}");
    }
}
