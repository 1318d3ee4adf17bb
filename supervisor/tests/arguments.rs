//! Arguments of children, as a file has them: what they are read as, where they lie, and what is none.

use mycelium_supervisor::declare::{Declaration, DeclaredArguments, DeclaredValue};

/// A tree whose one child has these lines, from the fourth on.
fn with_child(lines: &str) -> String {
    format!("[tree]\n[[tree.children]]\nid = \"c\"\n{lines}\n")
}

fn arguments(lines: &str) -> DeclaredArguments {
    let mut declared = Declaration::parse(&with_child(lines)).expect("it is sound");
    declared.tree.children.remove(0).start.arguments.expect("it has arguments")
}

#[test]
fn each_kind_of_value_is_read_as_what_it_is() {
    let read = arguments(
        "actor = \"a\"\narguments = { flag = true, whole = -7, large = 18446744073709551615, hex = 0xff, part = 2.5, \
         text = \"x\", list = [1, 2], table = { inner = 3 } }",
    );
    let value = |name: &str| read.values[name].value.clone();
    assert_eq!(value("flag"), DeclaredValue::Flag(true));
    assert_eq!(value("whole"), DeclaredValue::Whole(-7));
    assert_eq!(value("large"), DeclaredValue::Large(u64::MAX));
    assert_eq!(value("hex"), DeclaredValue::Whole(255));
    assert_eq!(value("part"), DeclaredValue::Number(2.5));
    assert_eq!(value("text"), DeclaredValue::Text("x".to_owned()));
    let DeclaredValue::List(list) = value("list") else { panic!("{read:?}") };
    assert_eq!(list.iter().map(|of| of.value.clone()).collect::<Vec<_>>(), [1, 2].map(DeclaredValue::Whole));
    let DeclaredValue::Table(table) = value("table") else { panic!("{read:?}") };
    assert_eq!(table["inner"].value, DeclaredValue::Whole(3));
    let without = Declaration::parse(&with_child("actor = \"a\"")).expect("it is sound");
    assert_eq!(without.tree.children[0].start.arguments, None);
}

#[test]
fn the_place_of_an_argument_is_that_of_the_value_or_of_what_is_around_it() {
    let read = arguments(
        "service = \"s\"\n[tree.children.arguments]\nfast = 1\nprices = [\n    1.5,\n    2.5,\n]\n\"a.b\" = 2\n\
         [tree.children.arguments.rules]\nlimit = 3",
    );
    for (argument, line) in [
        ("fast", 6),
        ("prices[0]", 8),
        ("prices[1]", 9),
        // The longest name that the path begins with.
        ("a.b", 11),
        ("rules.limit", 13),
        // What is not there has the place of the one around it.
        ("prices[2]", 7),
        ("prices[x]", 7),
        ("prices.first", 7),
        ("fast.er", 6),
    ] {
        assert_eq!(read.place_of(argument).line, line, "{argument}");
    }
    assert_eq!(read.place_of("rules.most"), read.place_of("rules"));
    assert_eq!(read.place_of("faster"), read.place);
}

#[test]
fn what_no_argument_is_is_said_in_its_own_line() {
    for (lines, line, cause) in [
        ("actor = \"a\"\narguments = 5", 5, "`arguments` must be a table such as { window = 20 }, not "),
        ("command = [\"x\"]\narguments = { a = 1 }", 5, "those of process `c` stand in `command`"),
        ("arguments = { a = 1 }", 4, "child `c` has none of them"),
        ("actor = \"a\"\narguments = { day = 2026-01-02 }", 5, "write it as a text, \"2026-01-02\""),
        (
            "actor = \"a\"\narguments = { n = 18446744073709551616 }",
            5,
            "18446744073709551616 is no integer of 64 bits: write a number, such as 18446744073709551616.0, or a text",
        ),
        (
            "actor = \"a\"\narguments = { n = [0x10000000000000000] }",
            5,
            "0x10000000000000000 is no integer of 64 bits: write a text",
        ),
    ] {
        let mistake = Declaration::parse(&with_child(lines)).expect_err(lines);
        assert!(mistake.cause.contains(cause), "{lines}: {mistake}");
        assert_eq!(mistake.line, line, "{lines}: {mistake}");
    }
}
