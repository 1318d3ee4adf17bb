//! Every target on its seeds and on some thousand damaged copies of them.
//!
//! `MYCELIUM_SEED=n` replays a run, `MYCELIUM_CASES=n` sets its length.

use mycelium_fuzz::{Rng, TARGETS, Target, damage, target};

/// Damaged inputs per target.
const CASES: u64 = 3_000;

fn number(name: &str, otherwise: impl FnOnce() -> u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|error| panic!("{name}={text}: {error}")),
        Err(_) => otherwise(),
    }
}

fn smoke(target: Target) {
    let now = || std::time::UNIX_EPOCH.elapsed().map_or(1, |elapsed| elapsed.as_nanos() as u64);
    let (seed, cases) = (number("MYCELIUM_SEED", now), number("MYCELIUM_CASES", || CASES));
    println!("{}: replay with MYCELIUM_SEED={seed}", target.name);
    let mut rng = Rng::new(seed);
    let seeds = (target.seeds)();
    let sound = seeds.iter().filter(|seed| (target.run)(seed)).count();
    assert!(sound > 0, "no seed of `{}` is sound", target.name);
    (target.run)(&[]);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..cases {
        let from = &seeds[rng.below(seeds.len() as u64) as usize];
        match (target.run)(&damage(from, target.words, &mut rng)) {
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
smoke!(frame, values, contract, tree, csv);

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
