//! Three to six buses with real links over faulty connections, in virtual time: all but the sockets is what
//! ships. The promises are looked at while a world runs, and once it is healed.
//!
//! - `MYCELIUM_CASES=100000` tries more worlds of each kind than the usual.
//! - `MYCELIUM_SEED=N MYCELIUM_CASES=1` replays one; each seed is printed before its world.

mod net;
mod node;
mod visitor;
mod world;

use mycelium_random::seeds;

use self::world::{World, WorldKind, WorldTally};

/// Worlds of each kind in a test run, five hundred of all; those with slow nodes last long.
const WORLDS: u64 = 115;
const SLOW_WORLDS: u64 = 40;
/// Steps under faults.
const STEPS: usize = 60;

fn run(seed: u64, kind: WorldKind) -> WorldTally {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async { World::new(seed, kind).run(STEPS).await })
}

fn run_all(kind: WorldKind) -> WorldTally {
    let mut tally = WorldTally::default();
    let worlds = if kind == WorldKind::Paces { SLOW_WORLDS } else { WORLDS };
    seeds(worlds).for_each(|seed| tally.add(&run(seed, kind)));
    println!("{tally:?}");
    assert!(tally.heard > 0 && tally.cuts > 0 && tally.resent > 0 && tally.dropped > 0, "nothing was tried");
    assert!(tally.glimpsed > 0 && tally.outdated > 0, "nobody came and went");
    tally
}

#[test]
fn whatever_happens_to_connections_each_bus_hears_all_once_and_in_order() {
    let tally = run_all(WorldKind::Connections);
    assert!(tally.answered > 0);
    assert_eq!((tally.lost, tally.failed), (0, 0));
}

#[test]
fn however_slow_a_node_is_its_links_are_made_again_and_nothing_is_lost() {
    let tally = run_all(WorldKind::Paces);
    assert!(tally.answered > 0);
    assert_eq!((tally.lost, tally.failed), (0, 0));
}

#[test]
fn what_a_bus_that_pauses_does_not_hear_is_counted_and_it_hears_all_that_comes_when_it_goes_on() {
    let tally = run_all(WorldKind::Pauses);
    assert!(tally.pauses > 0 && tally.missed > 0 && tally.answered > 0);
    assert_eq!((tally.lost, tally.failed), (0, 0));
}

#[test]
fn what_a_bus_that_was_given_up_does_not_hear_is_counted_and_nothing_else_is_lost() {
    let tally = run_all(WorldKind::Absences);
    assert!(tally.missed > 0 && tally.lost == 0, "nobody was given up");
}

#[test]
fn what_a_killed_process_has_not_acknowledged_is_counted_and_the_next_one_goes_on() {
    let tally = run_all(WorldKind::Deaths);
    assert!(tally.deaths > 0 && tally.lost > 0 && tally.failed > 0, "nothing was lost");
}

#[test]
fn the_same_seed_gives_the_same_world() {
    for seed in seeds(2).take(2) {
        use WorldKind::{Absences, Connections, Deaths, Paces, Pauses};
        for kind in [Connections, Paces, Pauses, Absences, Deaths] {
            assert_eq!(run(seed, kind), run(seed, kind));
        }
    }
}
