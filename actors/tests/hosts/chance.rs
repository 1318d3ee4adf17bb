//! Random numbers of actors and services: those of whoever they are, whatever else there is.

use std::collections::BTreeMap;

use mycelium::rand_core::Rng;
use mycelium::tree::{Child, Restart};
use mycelium::{Actor, BoxError, Context, Handler, Responder, Service, ServiceContext, Supervisor};

use crate::common::{Heard, PERIOD};
use crate::host::Host;
use crate::isolate::InIsolate;

/// Rolls when it is asked, and fails when it is told to.
struct Dice;
impl Actor for Dice {
    type Error = BoxError;
}
struct Roll;
impl Responder<Roll> for Dice {
    type Reply = u64;
    async fn answer(&mut self, _: &Roll, ctx: &mut Context<Self>) -> u64 {
        ctx.random().next_u64()
    }
}
impl Handler<()> for Dice {
    async fn handle(&mut self, (): &(), _: &mut Context<Self>) -> Result<(), BoxError> {
        Err("broken".into())
    }
}

/// Another type, so that others come in between.
struct Other;
impl Actor for Other {
    type Error = BoxError;
}

/// Writes down what it draws from two generators, in each of its lives.
struct Draws(&'static str, Heard);
impl Service for Draws {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        let [mut one, mut other] = [ctx.random(), ctx.random()];
        let drawn = [one.next_u64(), one.next_u64(), other.next_u64()];
        assert!(drawn[0] != drawn[1] && drawn[0] != drawn[2]);
        self.1.add(format!("{} {drawn:?}", self.0));
        if self.1.words().len() < 2 { Err("once more".into()) } else { Ok(()) }
    }
}

type Drawn = BTreeMap<String, Vec<u64>>;

/// What actors draw that are spawned in this order, by what they are called.
fn actors<H: Host>(seed: u64, order: [&'static str; 3]) -> Drawn {
    let (mut host, mut drawn) = (H::seeded(seed), Drawn::new());
    let mut unnamed = Vec::new();
    for name in order {
        host.spawn(Other).unwrap();
        host.spawn_named(name, Dice).unwrap();
        unnamed.push(host.spawn(Dice).unwrap());
    }
    let dice = |id| Child::actor(id, || Dice);
    let root = order.into_iter().fold(Supervisor::builder("firm"), |root, id| root.child(dice(id)));
    let tree = host.supervise(root.intensity(9, PERIOD)).unwrap();
    for name in order {
        let named = host.lookup::<Dice>(name).unwrap();
        let rolls = [0; 2].map(|_| host.ask(&named, Roll).unwrap());
        drawn.insert(name.into(), rolls.into());
        let path = format!("firm/{name}");
        let child = host.child::<Dice>(&tree, &path).unwrap();
        let first = host.ask(&child, Roll).unwrap();
        host.tell(&child, ()).unwrap();
        drawn.insert(path, vec![first, host.ask(&child, Roll).unwrap()]);
    }
    for (number, dice) in unnamed.iter().enumerate() {
        drawn.insert(format!("unnamed {number}"), vec![host.ask(dice, Roll).unwrap()]);
    }
    host.shut_tree(&tree);
    drawn
}

conformance!(actors_draw_by_name_path_or_number_and_go_on_after_a_restart);
fn actors_draw_by_name_path_or_number_and_go_on_after_a_restart<H: Host>() {
    let drawn = actors::<H>(7, ["a", "b", "c"]);
    assert_eq!(drawn, actors::<H>(7, ["c", "a", "b"]), "the order is of no account");
    assert_eq!(drawn, actors::<InIsolate>(7, ["b", "c", "a"]), "nor is the host");
    let mut numbers: Vec<u64> = drawn.values().flatten().copied().collect();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), 15, "each has its own, and goes on with them");
    let other = actors::<H>(8, ["a", "b", "c"]);
    assert!(drawn.iter().all(|(name, numbers)| other[name] != *numbers), "of another seed");
}

/// What services draw, each line once.
fn services<H: Host>(seed: u64, order: [&'static str; 2]) -> Vec<String> {
    let (mut host, mut drawn) = (H::seeded(seed), Vec::new());
    for name in order {
        let heard = Heard::default();
        let of = heard.clone();
        let child = Child::service(name, move || Draws(name, of.clone())).restart(Restart::Transient);
        let tree = host.supervise(Supervisor::builder(name).intensity(9, PERIOD).child(child)).unwrap();
        host.until(|| heard.words().len() == 2);
        let [first, again] = <[String; 2]>::try_from(heard.take()).unwrap();
        assert_eq!(first, again, "the same in each life");
        host.shut_tree(&tree);
        drawn.push(first);
    }
    drawn.sort();
    drawn
}

conformance!(services_draw_by_their_path_and_the_same_in_each_life);
fn services_draw_by_their_path_and_the_same_in_each_life<H: Host>() {
    let drawn = services::<H>(7, ["a", "b"]);
    assert_eq!(drawn, services::<H>(7, ["b", "a"]));
    assert_eq!(drawn, services::<InIsolate>(7, ["b", "a"]));
    assert_ne!(drawn, services::<H>(8, ["a", "b"]));
    let numbers = |line: &String| line.split_once(' ').unwrap().1.to_owned();
    assert_ne!(numbers(&drawn[0]), numbers(&drawn[1]));
}
