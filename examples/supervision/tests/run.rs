//! Runs the example and compares what happens with what its README shows.
#![forbid(unsafe_code)]
#![cfg(unix)]

use std::process::Command;

/// What the supervisors tell of, as `event path`, up to the drain.
fn events(text: &str) -> Vec<String> {
    let words = ["started", "start_failed", "exited", "stopped", "waiting", "gave_up"];
    let lines = text.lines().take_while(|line| !line.contains("draining"));
    let event = |line: &str| {
        let (_, rest) = line.split_once(" s  ")?;
        let mut rest = rest.split_whitespace();
        let (event, path) = (rest.next()?, rest.next()?);
        words.contains(&event).then(|| format!("{event} {path}"))
    };
    lines.filter_map(event).collect()
}

/// The number in this column of the table's row.
fn cell(text: &str, row: &str, column: usize) -> u64 {
    let line = text.lines().find(|line| line.starts_with(row)).expect("a row for each message");
    line.split_whitespace().nth(column).and_then(|word| word.parse().ok()).expect("a number")
}

#[test]
fn it_fails_and_heals_as_its_readme_shows_and_loses_nothing_that_is_queued() {
    let output = Command::new(env!("CARGO_BIN_EXE_supervision")).output().expect("the example runs");
    let text = String::from_utf8_lossy(&output.stdout);
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{text}{complaints}");
    let shown = events(include_str!("../README.md"));
    assert!(shown.len() > 25, "the README was not read: {shown:?}");
    assert_eq!(events(&text), shown, "{text}");
    for (row, in_hand) in [("Price", 2), ("Order", 1)] {
        assert!(cell(&text, row, 1) > 10, "{text}");
        assert_eq!((cell(&text, row, 4), cell(&text, row, 5)), (in_hand, 0), "in hand, lost: {text}");
    }
    let waited: Vec<u64> = text
        .lines()
        .filter_map(|line| line.split_once("-- prices that wait for it: ")?.1.parse().ok())
        .collect();
    let [in_backoff, healed] = waited[..] else { panic!("{text}") };
    assert!(in_backoff > healed, "what waited was handled: {text}");
    assert!(text.contains("2 sources stopped, every mailbox empty"), "{text}");
}

#[test]
fn a_wrong_mode_is_refused() {
    let output = Command::new(env!("CARGO_BIN_EXE_supervision")).arg("gatway").output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
}
