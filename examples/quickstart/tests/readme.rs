//! Holds the repository's README and its tour to the text of this example, which is compiled and run.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The first actor of the README has at most this many lines.
const FIRST_ACTOR_LINES_MAX: usize = 30;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The fenced blocks of `language`.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let fence = format!("```{language}\n");
    page.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap_or_default().to_owned()).collect()
}

/// Whether `part` stands in `whole`, line for line, at whatever indentation.
fn holds(whole: &str, part: &str) -> bool {
    let (whole, part): (Vec<_>, Vec<_>) =
        (whole.lines().map(str::trim).collect(), part.lines().map(str::trim).collect());
    whole.windows(part.len()).any(|window| window == part)
}

#[test]
fn every_rust_and_yaml_block_of_the_readme_and_the_tour_is_compiled_text() {
    let sources = ["build.rs", "contracts.yaml", "src/main.rs", "src/bin/tour.rs"]
        .map(|file| read(&format!("examples/quickstart/{file}")));
    let page = read("README.md");
    let (rust, yaml) = (blocks(&page, "rust"), blocks(&page, "yaml"));
    let tour = blocks(&read("docs/tour.md"), "rust");
    assert!(rust.len() >= 2 && !yaml.is_empty() && tour.len() >= 5, "a page was not read");
    for block in rust.iter().chain(&yaml).chain(&tour) {
        assert!(sources.iter().any(|source| holds(source, block)), "in no file of the example:\n{block}");
    }
    let first = rust.iter().find(|block| block.contains("fn main() -> MainResult")).expect("a first actor");
    assert!(first.lines().count() < FIRST_ACTOR_LINES_MAX, "{} lines", first.lines().count());
}

/// The canary: text that differs by one word is not held.
#[test]
fn a_difference_is_found() {
    assert!(holds("a\n    b\n    c\n", "b\nc\n"));
    assert!(!holds("a\n    b\n    c\n", "b\nd\n"));
    assert!(!holds("a\n", "a\nb\n"));
}

#[test]
fn the_readme_shows_what_the_first_actor_prints() {
    let output = Command::new(env!("CARGO_BIN_EXE_quickstart")).output().expect("the example runs");
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed, "the sum is 55\n");
    assert!(read("README.md").contains(&*printed));
}

#[test]
fn the_tour_is_the_same_live_isolated_and_swept() {
    let output = Command::new(env!("CARGO_BIN_EXE_tour")).output().expect("the tour runs");
    assert!(output.status.success(), "{output:?}");
    let printed = String::from_utf8_lossy(&output.stdout);
    assert_eq!(printed, "live:     5.5\nisolated: 5.5\nswept:    250750\ndirect:   7\n");
}
