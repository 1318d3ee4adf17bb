//! Every recipe runs, and the page shows what runs.
#![forbid(unsafe_code)]

use std::path::Path;
use std::process::{Command, Output};

/// Each recipe has fewer lines on its page.
const LINES: usize = 40;

fn recipes(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_recipes")).args(args).output().unwrap()
}

#[test]
fn every_recipe_runs() {
    let output = recipes(&[]);
    assert!(output.status.success(), "{output:?}");
    let ran = String::from_utf8_lossy(&output.stdout).matches("== ").count();
    assert!(ran >= 27, "{ran} recipes");
}

#[test]
fn the_page_shows_what_runs() {
    let written = recipes(&["--page"]).stdout;
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/recipes.md");
    let page = std::fs::read_to_string(page).unwrap_or_default();
    assert!(page.as_bytes() == written, "write it: cargo run -q -p recipes -- --page > docs/recipes.md");
    for recipe in page.split("```rust\n").skip(1) {
        let code = recipe.split("```").next().unwrap_or_default();
        assert!(code.lines().count() < LINES, "too long:\n{code}");
    }
}

#[test]
fn a_wrong_name_is_told() {
    let output = recipes(&["soufflé"]);
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("no such recipe"), "{output:?}");
}
