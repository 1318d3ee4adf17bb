//! The commands of `mycelium` that pages show: each is one that there is, with the options that it has.
#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const MYCELIUM: &str = env!("CARGO_BIN_EXE_mycelium");

/// The pages of the repository.
fn pages() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut folders = vec![root.clone(), root.join("docs"), root.join("bindings/python")];
    folders.extend(std::fs::read_dir(root.join("examples")).unwrap().map(|entry| entry.unwrap().path()));
    let files = folders.iter().filter_map(|folder| std::fs::read_dir(folder).ok()).flatten();
    let files = files.map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|end| end == "md") && !path.ends_with("CHANGELOG.md"))
        .collect()
}

/// The commands in the fenced blocks of a page: what stands behind `mycelium`, words in quotes as one.
fn commands(page: &str) -> Vec<Vec<String>> {
    let (mut block, mut found) = (None, Vec::new());
    for line in page.lines() {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            block = if block.is_some() { None } else { Some(language.trim()) };
            continue;
        }
        // Of what programs print, the lines that were typed.
        let inside = match block {
            Some("" | "sh") => true,
            Some("text") => line.starts_with("$ "),
            _ => false,
        };
        let line = line.trim_start().trim_start_matches("$ ");
        let words = words(line.trim_start_matches("cargo run -q -p mycelium-cli -- "));
        let is_run = line.starts_with("cargo run -q -p mycelium-cli -- ");
        let at = words.iter().position(|word| word == "mycelium" || word.ends_with("/mycelium"));
        // Behind variables of the environment, if anything.
        let at = at.filter(|at| words[..*at].iter().all(|word| word.contains('=')));
        match at {
            _ if !inside => {}
            _ if is_run => found.push(words),
            Some(at) => found.push(words[at + 1..].to_vec()),
            None => {}
        }
    }
    found
}

/// The words of a command, without its comment.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quoted) = (Vec::new(), String::new(), false);
    for c in line.chars() {
        match c {
            '\'' => quoted = !quoted,
            '#' if !quoted && word.is_empty() => break,
            c if c.is_whitespace() && !quoted => {
                words.extend((!word.is_empty()).then(|| std::mem::take(&mut word)));
            }
            c => word.push(c),
        }
    }
    words.extend((!word.is_empty()).then_some(word));
    words
}

/// What the command says of itself; `None` if there is no such command.
fn help(of: &[String]) -> Option<String> {
    let output = Command::new(MYCELIUM).args(of).arg("--help").output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}

/// Why there is no such command.
fn fault(command: &[String], known: &mut BTreeMap<Vec<String>, Option<String>>) -> Option<String> {
    let two = ["tree", "topology"].contains(&command.first().map_or("", String::as_str));
    let of = command[..command.len().min(1 + usize::from(two))].to_vec();
    let help = known.entry(of.clone()).or_insert_with(|| help(&of));
    let Some(help) = help else { return Some("there is no such command".to_owned()) };
    let behind = command[of.len()..].iter().take_while(|word| *word != "--");
    let options = behind.filter(|word| word.starts_with("--"));
    let has = |option: &&String| {
        help.split(|c: char| !(c.is_alphanumeric() || c == '-')).any(|word| word == option.as_str())
    };
    options.filter(|option| !has(option)).map(|option| format!("it has no `{option}`")).next()
}

#[test]
fn every_command_of_a_page_is_there_and_has_its_options() {
    let (mut known, mut seen, mut faults) = (BTreeMap::new(), 0, Vec::new());
    for path in pages() {
        for command in commands(&std::fs::read_to_string(&path).unwrap()) {
            seen += 1;
            if let Some(fault) = fault(&command, &mut known) {
                faults.push(format!("{}: mycelium {}: {fault}", path.display(), command.join(" ")));
            }
        }
    }
    assert!(seen > 30, "{seen} commands were read");
    assert!(faults.is_empty(), "{faults:#?}");
    let shown = commands(
        "```\nA=1 target/debug/mycelium tap 'a b' --jsn 'x #' # --count\n```\nmycelium tap --none\n",
    );
    assert_eq!(shown, [["tap", "a b", "--jsn", "x #"]]);
    assert_eq!(fault(&shown[0], &mut known).as_deref(), Some("it has no `--jsn`"), "it would be noticed");
    assert!(fault(&["topolgy".to_owned()], &mut known).is_some());
}
