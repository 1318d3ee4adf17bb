//! Holds the repository's README and its tour to the text of `examples/quickstart`, which is compiled and run
//! as a copy outside of the workspace.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The first actor of the README has at most this many lines.
const FIRST_ACTOR_LINES_MAX: usize = 30;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
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

/// A copy of the example outside of the workspace, whose two paths lead to this checkout.
fn copied() -> PathBuf {
    let (from, to) = (root().join("examples/quickstart"), std::env::temp_dir());
    let to = to.join(format!("mycelium-quickstart-{}", std::process::id()));
    fs::create_dir_all(to.join("src/bin")).unwrap();
    for file in ["build.rs", "contracts.yaml", "src/main.rs", "src/bin/tour.rs"] {
        fs::copy(from.join(file), to.join(file)).unwrap();
    }
    let checkout = root().canonicalize().unwrap();
    let manifest = fs::read_to_string(from.join("Cargo.toml")).unwrap();
    assert_eq!(manifest.matches("path = \"../../").count(), 2, "what its first line says of paths");
    let manifest = manifest.replace("../..", &checkout.display().to_string());
    fs::write(to.join("Cargo.toml"), manifest).unwrap();
    // The versions that this workspace has: others may not be on this machine.
    fs::copy(checkout.join("Cargo.lock"), to.join("Cargo.lock")).unwrap();
    to
}

/// What this program of the copy prints.
fn printed(copy: &Path, program: &str) -> String {
    // Beside what this workspace has compiled, so that the same is not compiled twice.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let debug = std::env::var_os("CARGO_PROFILE_DEV_DEBUG").unwrap_or_else(|| "line-tables-only".into());
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["run", "--quiet", "--offline", "--bin", program, "--target-dir"])
        .arg(target)
        .env("CARGO_PROFILE_DEV_DEBUG", debug) // as in this workspace
        .current_dir(copy)
        .output()
        .expect("cargo runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.is_empty(), "{said}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_copy_outside_the_workspace_prints_what_the_readme_shows_and_the_tour_is_the_same_on_each_host() {
    let copy = copied();
    let first = printed(&copy, "quickstart");
    assert_eq!(first, "the sum is 55\n");
    assert!(read("README.md").contains(&first));
    let tour = printed(&copy, "tour");
    assert_eq!(tour, "live:     5.5\nisolated: 5.5\nswept:    250750\ndirect:   7\n");
    fs::remove_dir_all(copy).unwrap();
}
