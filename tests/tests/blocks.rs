//! Code in pages is code that runs: each fenced block of a page stands in a file that is compiled, or is
//! checked by the tool that reads such files.
#![forbid(unsafe_code)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use mycelium_contract::Contract;
use mycelium_tests::layout::{SourceFile, read_sources, workspace_root};

/// A fenced block of a page.
#[derive(Clone, Debug)]
struct Block<'p> {
    page: &'p str,
    /// Where it begins.
    line: usize,
    /// As it stands behind the fence; nothing for the lines of a terminal.
    language: &'p str,
    lines: Vec<&'p str>,
}

impl Block<'_> {
    fn text(&self) -> String {
        self.lines.join("\n") + "\n"
    }
}

/// Blocks that a test of another crate holds: the page, the language, how many there are, and the test.
const HELD: &[(&str, &str, usize, &str)] = &[
    ("bindings/python/README.md", "python", 1, "bindings/python/tests/test_page.py"),
    ("docs/c.md", "c", 3, "bindings/ffi/tests/header.rs"),
    ("docs/c.md", "toml", 1, "bindings/ffi/tests/header.rs"),
    ("docs/contracts.md", "python", 1, "bindings/python/tests/test_page.py"),
    ("docs/contracts.md", "yaml", 38, "bindings/contract/tests/documentation.rs"),
    ("docs/ocaml.md", "ocaml", 6, "tests/tests/ocaml.rs"),
    ("docs/python.md", "python", 7, "bindings/python/tests/test_page.py"),
    ("docs/supervision.md", "toml", 2, "actors/tests/page_code/supervision.rs"),
    ("docs/supervision.md", "toml", 1, "supervisor/tests/scenarios.rs"),
    ("docs/topology.md", "toml", 2, "actors/tests/page_code/topology.rs"),
    ("examples/backtest/README.md", "toml", 1, "examples/backtest/tests/all/flags.rs"),
];

/// Languages of what is no code: what programs print.
const PRINTED: &[&str] = &["text"];

fn files() -> Vec<SourceFile> {
    let files = read_sources(&workspace_root()).unwrap();
    assert!(files.iter().any(|file| file.path == "tests/tests/blocks.rs"), "the tree was not read");
    files
}

fn pages(files: &[SourceFile]) -> impl Iterator<Item = &SourceFile> {
    files.iter().filter(|file| file.path.ends_with(".md") && file.path != "CHANGELOG.md")
}

fn blocks(page: &SourceFile) -> Vec<Block<'_>> {
    let (mut blocks, mut open) = (Vec::new(), None::<Block<'_>>);
    for (at, line) in page.text.lines().enumerate() {
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (Some(language), None) => {
                open = Some(Block {
                    page: &page.path,
                    line: at + 1,
                    language: language.trim(),
                    lines: Vec::new(),
                });
            }
            (None, Some(block)) => block.lines.push(line),
            (None, None) => {}
        }
    }
    blocks
}

fn all_blocks(files: &[SourceFile]) -> Vec<Block<'_>> {
    pages(files).flat_map(blocks).collect()
}

/// Whether `part` stands in `whole`, line for line, at whatever indentation and however visible.
fn holds(whole: &str, part: &[&str]) -> bool {
    let bare = |line: &'_ str| {
        line.trim().trim_start_matches("pub(crate) ").trim_start_matches("pub(super) ").to_owned()
    };
    let (whole, part): (Vec<_>, Vec<_>) =
        (whole.lines().map(bare).collect(), part.iter().map(|line| bare(line)).collect());
    !part.is_empty() && whole.windows(part.len()).any(|window| window == part)
}

/// Whether the page's examples are tests of documentation.
fn is_doctest(page: &str, files: &[SourceFile]) -> bool {
    let included = format!("{page}\")]");
    files.iter().any(|file| {
        file.is_rust() && file.text.lines().any(|line| line.starts_with("#[doc") && line.contains(&included))
    })
}

/// What is compiled and does not hold this block.
fn is_compiled(block: &Block<'_>, files: &[SourceFile]) -> bool {
    is_doctest(block.page, files)
        || files
            .iter()
            .any(|file| file.is_rust() && !file.is_in("tests/tests") && holds(&file.text, &block.lines))
}

#[test]
fn every_rust_block_of_a_page_is_compiled() {
    let files = files();
    let rust: Vec<_> =
        all_blocks(&files).into_iter().filter(|block| block.language.starts_with("rust")).collect();
    assert!(rust.len() > 50, "{} blocks were read", rust.len());
    let loose: Vec<_> = rust.iter().filter(|block| !is_compiled(block, &files)).collect();
    let told: Vec<_> = loose.iter().map(|block| format!("{}:{}", block.page, block.line)).collect();
    assert!(loose.is_empty(), "no file that is compiled has these lines as they are: {told:#?}");
    let mut changed = rust.iter().find(|block| block.page == "docs/supervision.md").unwrap().clone();
    changed.lines[0] = "use mycelium::untrue;";
    assert!(!is_compiled(&changed, &files), "a difference would be noticed");
    assert!(holds("a\n    pub(crate) b\n    c\n", &["b", "c"]) && !holds("a\nb\n", &["b", "c"]));
    assert!(is_doctest("docs/testing.md", &files) && !is_doctest("docs/wire.md", &files));
}

#[test]
fn each_block_of_another_language_is_held_by_a_test() {
    let files = files();
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for (page, language, count, test) in HELD {
        *counts.entry((page, language)).or_default() += count;
        let text = &files.iter().find(|file| file.path == *test).unwrap_or_else(|| panic!("no {test}")).text;
        let name = page.rsplit('/').next().unwrap();
        assert!(text.contains(name), "{test} does not read {page}");
    }
    // Here, and in `cli/tests/commands.rs`.
    let known = ["", "sh", "ini"];
    for block in all_blocks(&files) {
        let at = format!("{}:{}: ", block.page, block.line);
        if known.contains(&block.language)
            || block.language.starts_with("rust")
            || PRINTED.contains(&block.language)
            || is_held_here(&block)
        {
            continue;
        }
        let left = counts.get_mut(&(block.page, block.language));
        let left = left.unwrap_or_else(|| panic!("{at}no test is known that holds it: see HELD"));
        *left = left.checked_sub(1).unwrap_or_else(|| panic!("{at}more blocks than HELD says"));
    }
    let gone: Vec<_> = counts.into_iter().filter(|(_, left)| *left > 0).collect();
    assert!(gone.is_empty(), "HELD knows more blocks than the pages have: {gone:?}");
}

/// Those that the tests below read.
fn is_held_here(block: &Block<'_>) -> bool {
    match block.language {
        "yaml" => block.page != "docs/contracts.md",
        "toml" => block.page == "README.md",
        "python" => block.page == "docs/wire.md",
        _ => false,
    }
}

#[test]
fn every_contract_outside_the_page_of_contracts_is_correct() {
    let files = files();
    let contracts: Vec<_> = all_blocks(&files)
        .into_iter()
        .filter(|block| block.language == "yaml" && is_held_here(block))
        .collect();
    assert!(contracts.len() >= 3, "{} were read", contracts.len());
    for block in &contracts {
        Contract::parse(&block.text(), block.page).unwrap_or_else(|errors| panic!("{errors}"));
    }
    assert!(Contract::parse(&contracts[0].text().replace("fields", "field"), "x").is_err());
}

/// The README's manifest names the crates of the quickstart, each where it belongs.
#[test]
fn the_manifest_of_the_readme_is_that_of_the_quickstart() {
    let files = files();
    let text = |path: &str| files.iter().find(|file| file.path == path).unwrap().text.clone();
    let shown = all_blocks(&files).into_iter().find(|block| block.language == "toml" && is_held_here(block));
    let shown: toml::Table = shown.expect("a manifest").text().parse().unwrap();
    let whole: toml::Table = text("examples/quickstart/Cargo.toml").parse().unwrap();
    for table in ["dependencies", "build-dependencies"] {
        let names = |of: &toml::Table| of[table].as_table().unwrap().keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&shown), names(&whole), "{table}");
    }
    let features = |of: &toml::Table| {
        let list = of["dependencies"]["tokio"]["features"].as_array().unwrap().iter();
        list.filter_map(|feature| feature.as_str().map(str::to_owned)).collect::<BTreeSet<_>>()
    };
    assert_eq!(features(&shown), features(&whole));
}

/// A unit file: sections, and keys of which each stands once; its stop time leaves a drain its own.
#[test]
fn the_unit_file_gives_a_drain_its_time() {
    let files = files();
    let units: Vec<_> = all_blocks(&files).into_iter().filter(|block| block.language == "ini").collect();
    assert_eq!(units.len(), 1, "another one needs a test of its own");
    let (mut section, mut keys) = (String::new(), BTreeMap::new());
    for line in units[0].lines.iter().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            assert!(["Unit", "Service", "Install"].contains(&name), "{line}");
            section = name.to_owned();
        } else {
            let (key, value) = line.split_once('=').unwrap_or_else(|| panic!("no key: {line}"));
            assert!(keys.insert(format!("{section}.{key}"), value).is_none(), "twice: {line}");
        }
    }
    let stop_s: u64 = keys["Service.TimeoutStopSec"].parse().unwrap();
    let bus_s = 2 * mycelium::SHUTDOWN_DEADLINE.as_secs();
    assert!(stop_s >= 10 + mycelium::tree::TREE_SHUTDOWN_DEADLINE.as_secs() + bus_s, "{stop_s}");
    assert_eq!((keys["Service.KillSignal"], keys["Service.KillMode"]), ("SIGTERM", "mixed"));
    assert_eq!(keys["Service.Restart"], "on-failure");
}

/// Runs a program of Python with this in front; what it prints.
fn python(before: &str, block: &Block<'_>, after: &str) -> String {
    let program = format!("{before}\n{}\n{after}", block.text());
    let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/install.sh");
    let python = Command::new("sh").arg(install).output().expect("a shell");
    assert!(python.status.success(), "{}", String::from_utf8_lossy(&python.stderr));
    let python = String::from_utf8(python.stdout).unwrap();
    let output = Command::new(python.trim()).args(["-c", &program]).output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}:{}\n{told}", block.page, block.line);
    String::from_utf8(output.stdout).unwrap()
}

/// By hand as with the library, for the frame that the page shows.
#[test]
fn the_checksum_by_hand_is_that_of_the_frame_on_the_page() {
    let files = files();
    let blocks = all_blocks(&files);
    let of_wire = |language: &'static str| {
        blocks.iter().filter(move |block| block.page == "docs/wire.md" && block.language == language)
    };
    let by_hand: Vec<_> = of_wire("python").collect();
    assert_eq!(by_hand.len(), 1, "another one needs a test of its own");
    let page = &files.iter().find(|file| file.path == "docs/wire.md").unwrap().text;
    // Lines of bytes are indented there, with an explanation behind `|`.
    let (_, shown) = page.split_once("with the value 1.5 as one `f64`:\n\n").expect("the page shows a frame");
    let frame: String = shown
        .lines()
        .take_while(|line| line.starts_with("    "))
        .flat_map(|line| line.split('|').next().unwrap_or_default().split_whitespace())
        .collect();
    let before =
        format!("frame = bytes.fromhex('{frame}')\nvalue_len = int.from_bytes(frame[12:16], 'little')");
    let after = "print(checksum == int.from_bytes(frame[4:8], 'little'), value_len)";
    assert_eq!(python(&before, by_hand[0], after), "True 8\n");
}

/// The commands of `cargo` in pages: of packages, programs and tests that are there, and of xtask's own.
#[test]
fn every_command_of_cargo_in_a_page_names_what_is_there() {
    let files = files();
    let text = |path: &str| files.iter().find(|file| file.path == path).map_or("", |file| &file.text);
    let packages: Vec<String> = files
        .iter()
        .filter(|file| file.path.ends_with("Cargo.toml"))
        .filter_map(|file| {
            file.text.parse::<toml::Table>().ok()?.get("package")?.get("name")?.as_str().map(str::to_owned)
        })
        .collect();
    let mut seen = 0;
    let mut wrong = Vec::new();
    for block in all_blocks(&files).iter().filter(|block| ["", "sh", "text"].contains(&block.language)) {
        for line in &block.lines {
            let Some((_, command)) = line.split_once("cargo ") else { continue };
            if block.language == "text" && !line.starts_with("$ ") {
                continue;
            }
            seen += 1;
            let command = command.split(" #").next().unwrap_or(command);
            let command = command.split(" -- ").next().unwrap_or(command);
            let words: Vec<&str> = command.split_whitespace().collect();
            let after =
                |option: &str| words.iter().position(|word| *word == option).and_then(|at| words.get(at + 1));
            let known = match words[0] {
                "xtask" => text("xtask/src/main.rs").contains(&format!("cargo xtask {}", words[1])),
                "run" | "test" | "build" => {
                    let package = after("-p").is_none_or(|name| packages.iter().any(|own| own == name));
                    let file =
                        |name: &str| files.iter().any(|file| file.path.ends_with(&format!("/{name}.rs")));
                    package && [after("--test"), after("--bin")].into_iter().flatten().all(|name| file(name))
                }
                "install" => {
                    after("--path").is_some_and(|path| !text(&format!("{path}/Cargo.toml")).is_empty())
                }
                "new" | "add" => true,
                _ => false,
            };
            if !known {
                wrong.push(format!("{}:{}: {line}", block.page, block.line));
            }
        }
    }
    assert!(seen > 15, "{seen} commands were read");
    assert!(wrong.is_empty(), "{wrong:#?}");
}
