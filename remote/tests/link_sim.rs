//! Nodes over faulty connections in virtual time: cut at any byte, read in any pieces, late, corrupt, half
//! open, and processes that die and come back. What must hold is looked at after every step.
//!
//! `MYCELIUM_SEED=n MYCELIUM_CASES=1` replays a seed, `MYCELIUM_CASES=n` tries so many.

#[path = "link_sim/net.rs"]
mod net;
#[path = "link_sim/node.rs"]
mod node;
#[path = "link_sim/world.rs"]
mod world;

use mycelium_random::{Random, seeds};
use world::{Faults, World};

/// Seeds of a test run, for each of the kinds of worlds.
const SEEDS: u64 = 250;
/// Steps under faults.
const STEPS: usize = 250;

fn run(seed: u64, faults: Faults) -> World {
    let mut random = Random::new(seed);
    let nodes = if random.chance(70) { 2 } else { 3 + random.index(2) };
    let mut world = World::new(nodes, random, faults);
    for _ in 0..STEPS {
        world.step();
    }
    world.heal();
    world
}

#[test]
fn whatever_happens_to_connections_nothing_is_lost_doubled_or_reordered() {
    let (mut received, mut cuts, mut resent, mut answers) = (0, 0, 0, 0);
    for seed in seeds(SEEDS) {
        let world = run(seed, Faults { connections: true, restarts: false, lose_one: false });
        received += world.received();
        cuts += world.cuts;
        resent += world.resent();
        assert_eq!(world.answers().1, 0, "a question was lost");
        answers += world.answers().0;
    }
    println!("{received} received, {cuts} cuts, {resent} written again, {answers} questions answered");
    assert!(received > 0 && cuts > 0 && resent > 0 && answers > 0, "nothing was tried");
}

#[test]
fn what_a_dead_process_has_not_acknowledged_is_counted_and_the_next_one_goes_on() {
    let (mut received, mut restarts, mut lost, mut answers) = (0, 0, 0, (0, 0));
    for seed in seeds(SEEDS) {
        let world = run(seed, Faults { connections: true, restarts: true, lose_one: false });
        received += world.received();
        restarts += world.restarts;
        lost += world.lost();
        let (answered, never) = world.answers();
        answers = (answers.0 + answered, answers.1 + never);
    }
    println!("{received} received, {restarts} restarts, {lost} lost, {answers:?} questions answered and not");
    assert!(received > 0 && restarts > 0 && lost > 0 && answers.0 > 0 && answers.1 > 0, "nothing was tried");
}

#[test]
#[should_panic(expected = "comes next")]
fn a_message_that_is_left_out_is_found() {
    (0..10).for_each(|seed| drop(run(seed, Faults { connections: false, restarts: false, lose_one: true })));
}
