//! Runs the example and compares what happens with what its README shows.
#![forbid(unsafe_code)]

use std::fs;
use std::path::Path;
use std::process::Command;

/// What happens to the tree, as `event path`, up to the drain.
fn events(text: &str) -> Vec<String> {
    let words = ["started", "start_failed", "exited", "stopped", "waiting"];
    let lines = text.lines().take_while(|line| !line.contains("draining"));
    let event = |line: &str| {
        let (_, rest) = line.split_once(" s  ")?;
        let mut rest = rest.split_whitespace();
        let (event, path) = (rest.next()?, rest.next()?);
        words.contains(&event).then(|| format!("{event} {path}"))
    };
    lines.filter_map(event).collect()
}

/// The number behind this text where it stands last.
fn number(text: &str, behind: &str) -> u64 {
    let (_, rest) = text.rsplit_once(behind).unwrap_or_else(|| panic!("no {behind:?} in {text}"));
    rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default().parse().expect("a number")
}

#[test]
fn the_model_is_killed_and_heals_as_the_readme_shows() {
    let output = Command::new(env!("CARGO_BIN_EXE_polyglot")).output().expect("the example runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}{complaints}");
    assert_eq!(complaints, "");
    let shown = events(include_str!("../README.md"));
    assert!(shown.len() > 4, "the README was not read: {shown:?}");
    assert_eq!(events(&text), shown, "{text}");
    for part in ["Traceback (most recent call last)", "model.py", "ValueError: a price of 0.0"] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(text.contains("every mailbox empty"), "{text}");
    let ticks = number(&text, "the last tick was ");
    assert_eq!(number(&text, "the last signal is of tick "), ticks, "{text}");
    assert_eq!(number(&text, "the last verdict is of tick "), ticks, "{text}");
}

#[test]
fn the_generated_package_is_that_of_the_contract() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let contract = mycelium_contract::Contract::read(&here.join("contracts.yaml")).unwrap();
    for file in mycelium_codegen::python(&contract) {
        let there = fs::read_to_string(here.join("python/messages").join(file.name)).unwrap_or_default();
        assert_eq!(
            there, file.text,
            "{}: mycelium gen examples/polyglot/contracts.yaml --lang python --out examples/polyglot/python/messages",
            file.name
        );
    }
}
