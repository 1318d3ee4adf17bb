//! Children that are made by name, from arguments.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use mycelium::tree::{Argument, Arguments, Child, Factories, FactoryError};
use mycelium::{
    Actor, BoxError, Context, Handler, Isolate, MessageBus, Responder, Service, ServiceContext, SpawnError,
    Supervisor,
};
use serde::Deserialize;

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct Rules {
    limit: Option<f32>,
    sides: Vec<Side>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
enum Side {
    Buy,
    Sell(u8),
    Both(u8, u8),
    Named { name: String },
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct All {
    flag: bool,
    seed: u64,
    below: i8,
    text: String,
    pair: (u32, f64),
    rules: Rules,
    #[serde(default)]
    more: BTreeMap<String, i64>,
    left: Option<u32>,
}

fn table(name: &str, value: impl Into<Argument>) -> Argument {
    Arguments::new().with(name, value).into()
}

fn all() -> Arguments {
    let sides: Vec<Argument> = vec![
        "Buy".into(),
        table("Sell", 3),
        table("Both", vec![1, 2]),
        table("Named", Arguments::new().with("name", "x")),
    ];
    Arguments::new()
        .with("flag", true)
        .with("seed", u64::MAX)
        .with("below", -128)
        .with("text", "GOOG")
        .with("pair", Argument::List(vec![7.into(), 2.into()]))
        .with("rules", Arguments::new().with("limit", 2).with("sides", sides))
        .with("more", Arguments::new().with("a", 1).with("b", i64::MIN))
        .with("left", None::<u32>)
}

#[test]
fn arguments_are_read_as_types_of_users() {
    let sides = vec![Side::Buy, Side::Sell(3), Side::Both(1, 2), Side::Named { name: "x".into() }];
    let expected = All {
        flag: true,
        seed: u64::MAX,
        below: -128,
        text: "GOOG".into(),
        pair: (7, 2.0),
        rules: Rules { limit: Some(2.0), sides },
        more: BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), i64::MIN)]),
        left: None,
    };
    assert_eq!(all().read::<All>().unwrap(), expected);
    let listed: Arguments = [("left", 5), ("right", 6)].into_iter().collect();
    assert_eq!(listed.read::<BTreeMap<String, u8>>().unwrap()["right"], 6);
    assert_eq!(Arguments::new().read::<()>(), Ok(()));
    assert_eq!(Arguments::new().read::<Option<BTreeMap<String, u8>>>().unwrap(), Some(BTreeMap::new()));
}

#[test]
fn a_mistake_in_arguments_names_the_argument() {
    let sides = |side: Argument| Arguments::new().with("limit", 2).with("sides", vec![side]);
    for (name, value, expected) in [
        ("flag", Argument::from(1), "`flag`: invalid type: integer `1`, expected a boolean"),
        ("seed", (-1).into(), "`seed`: invalid value: integer `-1`, expected u64"),
        ("below", 128.into(), "`below`: invalid value: integer `128`, expected i8"),
        ("text", Argument::Nothing, "`text`: invalid type: unit value, expected a string"),
        ("pair", vec![1].into(), "`pair`: invalid length 1, expected a tuple of size 2"),
        ("pair", vec![1, 2, 3].into(), "`pair`: a list of 3 values is 1 too long"),
        ("pair", vec!["a", "b"].into(), "`pair[0]`: invalid type: string \"a\", expected u32"),
        ("rules", table("limit", "high"), "`rules.limit`: invalid type: string \"high\", expected f32"),
        ("rules", table("limt", 1), "`rules.limt`: there is no such argument; did you mean `limit`?"),
        ("rules", table("limit", 1), "`rules.sides`: it is missing"),
        (
            "rules",
            sides("Hold".into()).into(),
            "`rules.sides[0]`: unknown variant `Hold`, expected one of `Buy`, `Sell`, `Both`, `Named`",
        ),
        ("rules", sides(table("Buy", 1)).into(), "`rules.sides[0].Buy`: this variant has no values"),
        (
            "rules",
            sides(table("Sell", 300)).into(),
            "`rules.sides[0].Sell`: invalid value: integer `300`, expected u8",
        ),
        (
            "rules",
            sides(table("Named", table("name", 5))).into(),
            "`rules.sides[0].Named.name`: invalid type: integer `5`, expected a string",
        ),
        ("rules", sides(5.into()).into(), "`rules.sides[0]`: invalid value: expected the name of a variant"),
        (
            "margin",
            "buy".into(),
            "`margin`: there is no such argument; there are flag, seed, below, text, pair, rules, more, left",
        ),
    ] {
        let error = all().with(name, value).read::<All>().unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    let error = Arguments::new().with("x", 1).read::<()>().unwrap_err();
    assert_eq!(error.to_string(), "`x`: there is no such argument; there are no arguments");
}

struct Adds {
    by: i64,
    sum: i64,
}

#[derive(Deserialize)]
struct By {
    by: i64,
}

impl Actor for Adds {
    type Error = BoxError;
}
impl Handler<i64> for Adds {
    async fn handle(&mut self, number: &i64, _: &mut Context<Self>) -> Result<(), BoxError> {
        if *number < 0 {
            return Err("below zero".into());
        }
        self.sum += self.by * number;
        Ok(())
    }
}
struct Sum;
impl Responder<Sum> for Adds {
    type Reply = i64;
    async fn answer(&mut self, _: &Sum, _: &mut Context<Self>) -> i64 {
        self.sum
    }
}

/// Sleeps for so many seconds.
struct Sleeps(u64);
impl Service for Sleeps {
    type Error = BoxError;
    async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
        ctx.sleep(std::time::Duration::from_secs(self.0)).await;
        Ok(())
    }
}

#[derive(Deserialize)]
struct For {
    seconds: u64,
}

fn factories() -> Factories {
    Factories::new()
        .actor_with("adds", |by: &By| Adds { by: by.by, sum: 0 })
        .actor("once", || Adds { by: 1, sum: 0 })
        .service_with("sleeps", |of: &For| Sleeps(of.seconds))
        .scheme("times", |by, id| {
            let by = by.parse().map_err(|_| format!("{by:?} is no number"))?;
            Ok(Child::actor(id, move || Adds { by, sum: 0 }))
        })
}

fn by(by: i64) -> Arguments {
    Arguments::new().with("by", by)
}

#[tokio::test]
async fn each_life_of_a_child_has_its_arguments() {
    let bus = MessageBus::new();
    let (three, times) = (
        factories().child_of("adds", "three", &by(3)).unwrap(),
        factories().child_of("times:5", "times", &Arguments::new()).unwrap(),
    );
    let root = Supervisor::builder("root").intensity(9, std::time::Duration::from_secs(60));
    let tree = root.child(three).child(times).start(&bus).await.unwrap();
    for (path, expected) in [("root/three", 6), ("root/times", 10)] {
        let adds = tree.lookup::<Adds>(path).unwrap();
        adds.tell(7).await.unwrap();
        adds.tell(-1).await.unwrap();
        adds.tell(2).await.unwrap();
        assert_eq!(adds.ask(Sum).await.unwrap(), expected, "the second life has it all");
    }
    tree.shutdown().await.unwrap();
}

#[test]
fn a_name_that_is_not_there_or_has_other_arguments_is_an_error_that_says_so() {
    let of = |name: &str, arguments: Arguments| factories().child_of(name, "x", &arguments).map(drop);
    for (error, expected) in [
        (
            of("aods", by(1)),
            "no actor or service `aods` is registered; did you mean `adds`? There are `adds`, `once`, `sleeps`",
        ),
        (of("model", by(1)), "no actor or service `model` is registered; there are `adds`, `once`, `sleeps`"),
        (of("adds", Arguments::new()), "`adds` does not take these arguments: `by`: it is missing"),
        (
            of("once", by(1)),
            "`once` does not take these arguments: `by`: there is no such argument; there are no arguments",
        ),
        (
            of("times:3", by(1)),
            "`times:3` does not take these arguments: `by`: there is no such argument; there are no arguments",
        ),
        (of("times:x", Arguments::new()), "\"x\" is no number"),
    ] {
        assert_eq!(error.unwrap_err().to_string(), expected);
    }
    let empty = Factories::new().child_of("adds", "x", &Arguments::new()).unwrap_err();
    assert!(matches!(empty, FactoryError::Unknown { ref registered, .. } if registered.is_empty()));
    assert!(empty.to_string().ends_with("there is none at all: register some with `Factories`"), "{empty}");
}

#[test]
fn of_a_name_that_two_tables_have_the_later_one_counts() {
    let other =
        Factories::new().actor("once", || Adds { by: 2, sum: 0 }).actor("twice", || Adds { by: 2, sum: 0 });
    let both = factories().and(other);
    let mut isolate = Isolate::new(1);
    for (name, expected) in [("once", 14), ("twice", 14)] {
        isolate.spawn_child(&both.child_of(name, name, &Arguments::new()).unwrap()).unwrap();
        let adds = isolate.lookup::<Adds>(name).unwrap();
        isolate.tell(&adds, 7).unwrap();
        assert_eq!(isolate.ask(&adds, Sum).unwrap(), expected);
    }
    assert!(both.child_of("sleeps", "x", &Arguments::new().with("seconds", 1)).is_ok());
}

/// A child of a declared tree with these arguments, as the value of a key or as tables of their own.
fn declared(actor: &str, arguments: &str) -> String {
    format!("[tree]\n[[tree.children]]\nid = \"x\"\n{actor}\n{arguments}\n")
}

#[tokio::test]
async fn a_declared_tree_gives_arguments_to_each_life_live_and_in_an_isolate() {
    let file = declared("actor = \"adds\"", "arguments = { by = 3 }")
        + "[[tree.children]]\nid = \"y\"\nservice = \"sleeps\"\n[tree.children.arguments]\nseconds = 3\n";
    let root = Supervisor::from_toml(&file, &factories()).unwrap();
    let mut isolate = Isolate::new(1);
    let tree = isolate.supervise(&root).unwrap();
    let adds = tree.lookup::<Adds>("root/x").unwrap();
    for number in [7, -1, 2] {
        isolate.tell(&adds, number).unwrap();
    }
    assert_eq!(isolate.ask(&adds, Sum).unwrap(), 6, "the second life has it all");

    let file = declared("actor = \"adds\"", "arguments.by = 3");
    let tree = Supervisor::from_toml(&file, &factories()).unwrap().start(&MessageBus::new()).await.unwrap();
    let adds = tree.lookup::<Adds>("root/x").unwrap();
    for number in [7, -1, 2] {
        adds.tell(number).await.unwrap();
    }
    assert_eq!(adds.ask(Sum).await.unwrap(), 6);
    tree.shutdown().await.unwrap();
}

#[test]
fn arguments_of_a_file_are_values_of_each_kind() {
    let told = Arc::new(Mutex::new(None));
    let keeps = Arc::clone(&told);
    let factories = Factories::new().actor_with("all", move |all: &All| {
        *keeps.lock().unwrap() = Some(all.clone());
        Adds { by: 1, sum: 0 }
    });
    let file = declared(
        "actor = \"all\"",
        r#"[tree.children.arguments]
        flag = true
        seed = 18446744073709551615
        below = -128
        text = 'GOOG'
        pair = [7, 2]
        rules = { limit = 2.0, sides = ["Buy", { Sell = 0x3 }, { Both = [1, 2] }, { Named = { name = "x" } }] }
        [tree.children.arguments.more]
        a = 1
        b = -9223372036854775808"#,
    );
    Isolate::new(1).supervise(&Supervisor::from_toml(&file, &factories).unwrap()).unwrap();
    let told = told.lock().unwrap().take().expect("a life has begun");
    assert_eq!(told, all().read::<All>().unwrap());
}

#[test]
fn mistakes_in_arguments_of_a_file_say_where_they_are_and_what_to_do() {
    let refused = |name: &str, cause: &str| format!("`{name}` does not take these arguments: {cause}");
    let rules = "arguments = { flag = true, seed = 1, below = 1, text = \"\", pair = [1, 2], more = { a = 1 }, rules =";
    for (actor, arguments, place, expected) in [
        ("actor = \"adds\"", "", (4, 9), refused("adds", "`by`: it is missing")),
        ("actor = \"adds\"", "arguments = {}", (5, 13), refused("adds", "`by`: it is missing")),
        (
            "actor = \"adds\"",
            "arguments = { by = \"three\" }",
            (5, 20),
            refused("adds", "`by`: invalid type: string \"three\", expected i64"),
        ),
        (
            "actor = \"once\"",
            "[tree.children.arguments]\nby = 1",
            (6, 6),
            refused("once", "`by`: there is no such argument; there are no arguments"),
        ),
        (
            "actor = \"times:3\"",
            "arguments.by = 1",
            (5, 16),
            refused("times:3", "`by`: there is no such argument; there are no arguments"),
        ),
        (
            "actor = \"all\"",
            &format!("{rules} {{ limt = 2 }} }}"),
            (5, 110),
            refused("all", "`rules.limt`: there is no such argument; did you mean `limit`?"),
        ),
        (
            "actor = \"all\"",
            &format!("{rules} {{\nsides = [\"Buy\",\n\"Hold\"] }} }}"),
            (7, 1),
            refused(
                "all",
                "`rules.sides[1]`: unknown variant `Hold`, expected one of `Buy`, `Sell`, `Both`, `Named`",
            ),
        ),
        (
            "actor = \"aods\"",
            "arguments = { by = 1 }",
            (4, 9),
            "no actor `aods` is registered; did you mean `adds`?".into(),
        ),
    ] {
        assert_refused(actor, arguments, place, &expected);
    }
}

#[test]
fn arguments_of_a_file_are_a_table_for_an_actor_or_a_service() {
    for (actor, arguments, place, expected) in [
        (
            "actor = \"adds\"",
            "arguments = 3",
            (5, 13),
            "`arguments` must be a table such as { window = 20 }, not integer",
        ),
        (
            "actor = \"adds\"",
            "arguments = { by = 2026-11-25 }",
            (5, 20),
            "2026-11-25 is a date or a time, which no argument is: write it as a text, \"2026-11-25\"",
        ),
        (
            "actor = \"adds\"",
            "arguments = { by = 18446744073709551616 }",
            (5, 20),
            "18446744073709551616 is no integer of 64 bits: write a number, such as 18446744073709551616.0, or a text",
        ),
        (
            "actor = \"adds\"",
            "arguments = { by = 0x1_0000_0000_0000_0000 }",
            (5, 20),
            "0x1_0000_0000_0000_0000 is no integer of 64 bits: write a text",
        ),
        (
            "command = [\"ls\"]",
            "arguments = { by = 1 }",
            (5, 13),
            "`arguments` are for an actor or a service: those of process `x` stand in `command`",
        ),
        (
            "",
            "arguments = { by = 1 }",
            (5, 13),
            "`arguments` go with `actor` or `service`, and child `x` has none of them: give it one",
        ),
        (
            "type = \"supervisor\"",
            "arguments = { by = 1 }",
            (5, 13),
            "`arguments` belongs to a worker: `x` is a supervisor, which only looks after others",
        ),
    ] {
        assert_refused(actor, arguments, place, expected);
    }
}

fn assert_refused(actor: &str, arguments: &str, (line, column): (u32, u32), expected: &str) {
    let known = factories().actor_with("all", |_: &All| Adds { by: 1, sum: 0 });
    let error = Supervisor::from_toml(&declared(actor, arguments), &known).unwrap_err().to_string();
    assert_eq!(error, format!("line {line}, column {column}: {expected}"), "{arguments}");
}

#[test]
fn an_isolate_takes_a_child_outside_of_all_trees() {
    let child = factories().child_of("adds", "adds", &by(3)).unwrap();
    for seed in 0..100 {
        let mut isolate = Isolate::new(seed);
        isolate.spawn_child(&child).unwrap();
        assert_eq!(isolate.spawn_child(&child), Err(SpawnError::NameTaken("adds".into())));
        let adds = isolate.lookup::<Adds>("adds").unwrap();
        isolate.tell(&adds, 7).unwrap();
        assert_eq!(isolate.ask(&adds, Sum).unwrap(), 21);
        let sleeps = factories().child_of("sleeps", "any", &Arguments::new().with("seconds", 3)).unwrap();
        isolate.spawn_child(&sleeps).unwrap();
        isolate.run().unwrap();
        assert_eq!(isolate.now().as_nanos(), 3_000_000_000, "the service has slept");
        isolate.tell(&adds, -1).unwrap();
        let failed = isolate.run().unwrap_err().to_string();
        assert!(failed.contains("below zero"), "{failed}");
    }
}

#[test]
fn a_child_that_is_nothing_outside_of_a_tree_is_refused() {
    let mut isolate = Isolate::new(1);
    let broken = Child::actor("broken", || -> Adds { panic!("no ledger") });
    let root = Supervisor::builder("desk").actor("once", || Adds { by: 1, sum: 0 });
    for (child, expected) in [
        (
            Child::supervisor(root),
            "the child `desk` was not spawned: it is a supervisor: start it with `Isolate::supervise`",
        ),
        (
            Child::future("warm-up", || async { Ok(()) }),
            "the child `warm-up` was not spawned: a plain future has no virtual time",
        ),
        (broken, "the child `broken` was not spawned: panicked: no ledger"),
    ] {
        let error = isolate.spawn_child(&child).unwrap_err();
        assert!(matches!(error, SpawnError::Child { .. }), "{error:?}");
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(isolate.run().unwrap().events, 0, "nobody is there");
}
