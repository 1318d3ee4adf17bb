//! Invariants over the source text: what must not be written, and where.

use std::collections::BTreeSet;
use std::path::Path;

use super::Fault;
use super::graph::Graph;
use super::source::{SourceFile, code_only};

/// Words that must not occur in the shipped code of a folder.
struct Absent {
    invariant: u8,
    folders: &'static [&'static str],
    /// Files or folders that may hold the words all the same, because they are the seam.
    seams: &'static [&'static str],
    words: &'static [&'static str],
    instead: &'static str,
}

/// The folders whose code knows no business domain and holds no state of its own.
const CORE: &[&str] = &["mailbox", "supervisor", "remote", "actors", "bindings", "cli"];

const ABSENT: &[Absent] = &[
    Absent {
        invariant: 2,
        folders: &["mailbox/src"],
        seams: &[],
        words: &[
            "std::net",
            "unix::net",
            "TcpStream",
            "UnixStream",
            "UdpSocket",
            "tokio",
            "kameo",
            "serde_saphyr",
        ],
        instead: "mailbox knows memory only: sockets belong to remote, tasks to actors, text to contract",
    },
    Absent {
        invariant: 3,
        folders: &["supervisor/src"],
        // The backoff crate wants an `Instant` in its state; the seam gives it a constant one and never looks
        // at it.
        seams: &["supervisor/src/backoff.rs"],
        words: &["Instant::now", "SystemTime", "OnceLock"],
        instead: "the time is an argument of every decision",
    },
    Absent {
        invariant: 3,
        folders: &["supervisor/src"],
        seams: &[],
        words: &[
            "std::thread",
            "thread::spawn",
            "std::process",
            "println",
            "eprintln",
            "tokio",
            "tracing",
            "async fn",
        ],
        instead: "return an action; the shell in actors executes it",
    },
    Absent {
        invariant: 4,
        folders: &["remote/src"],
        seams: &[],
        words: &["kameo", "mycelium_supervisor", "serde_saphyr", "ActorRef", "Supervisor"],
        instead: "remote moves frames and knows no actors: the glue is in actors",
    },
    Absent {
        invariant: 6,
        folders: &["actors/src"],
        seams: &["actors/src/host.rs", "actors/src/host"],
        words: &["kameo"],
        instead: "only actors/src/host knows kameo",
    },
    Absent {
        invariant: 6,
        folders: &["supervisor/src"],
        seams: &["supervisor/src/backoff.rs"],
        words: &["ExponentialBackoff", "backoff::backoff"],
        instead: "only supervisor/src/backoff.rs knows the backoff crate",
    },
    Absent {
        invariant: 6,
        folders: &["bindings"],
        seams: &["bindings/contract/src/yaml.rs", "bindings/contract/src/yaml"],
        words: &["serde_saphyr"],
        instead: "only bindings/contract/src/yaml knows the YAML parser",
    },
    Absent {
        invariant: 6,
        folders: &["toml/src"],
        seams: &["toml/src/syntax/mod.rs", "toml/src/syntax"],
        words: &["toml_parser"],
        instead: "only toml/src/syntax knows the TOML parser",
    },
    Absent {
        invariant: 9,
        folders: &["mailbox/src"],
        // The last four are used on one thread alone: there are no interleavings for loom to explore.
        seams: &[
            "mailbox/src/sync.rs",
            "mailbox/src/loom_drops.rs",
            "mailbox/src/loom_many.rs",
            "mailbox/src/loom_models.rs",
            "mailbox/src/loom_pieces.rs",
            "mailbox/src/loom_reply.rs",
            "mailbox/src/loom_restart.rs",
            "mailbox/src/loom_support.rs",
            "mailbox/src/shm/models.rs",
            "mailbox/src/batch.rs",
            "mailbox/src/confined.rs",
            "mailbox/src/fifo.rs",
            "mailbox/src/line.rs",
        ],
        words: &["std::sync::atomic", "core::sync::atomic", "loom::", "shuttle::", "UnsafeCell"],
        instead: "take atomics and cells from crate::sync, so that loom checks the text that ships",
    },
    Absent {
        invariant: 9,
        // What runs live. An isolate runs on one thread, and a sweep is no part of a model.
        folders: &["actors/src/live", "actors/src/tree", "actors/src/timer.rs"],
        // Processes and signals of the operating system cannot be modelled.
        seams: &["actors/src/tree/process.rs", "actors/src/tree/signals.rs"],
        words: &[
            "std::sync::atomic",
            "std::sync::Mutex",
            "std::sync::RwLock",
            "std::sync::Condvar",
            "dashmap",
            "tokio::sync",
            "tokio::time",
            "tokio::spawn",
            "tokio::task::spawn",
            "tokio::task::JoinSet",
        ],
        instead: "take locks, atomics, channels and maps from crate::sync, tasks and timers from crate::rt, so that shuttle \
                  explores the text that ships",
    },
    Absent {
        invariant: 9,
        folders: &["actors/src", "mailbox/src"],
        // `Timestamp::now` is for users whose code is no actor. A secret that a peer may not guess is no
        // matter of a seed.
        seams: &[
            "actors/src/clock.rs",
            "actors/src/link/secret.rs",
            "actors/src/models",
            "mailbox/src/scalar/timestamp.rs",
        ],
        words: &["SystemTime::now", "thread_rng", "rand::random", "RandomState"],
        instead: "take the time from the bus's clock and chance from its seeded generator",
    },
    Absent {
        invariant: 11,
        folders: CORE,
        seams: &[],
        words: &["backtest", "candle", "drawdown", "ohlc", "portfolio", "sharpe"],
        instead: "finance lives in examples/",
    },
];

/// Process-wide state, each with why it is harmless. Everything else belongs to a bus.
const GLOBALS: &[(&str, &str)] = &[
    ("mailbox/src/confined.rs", "numbers that only tell threads apart"),
    (
        "mailbox/src/loom_support.rs",
        "whether a model is without fences: set and taken back around each, in models",
    ),
    ("actors/src/live/current.rs", "whose code a thread polls: set and taken back around each poll"),
    ("actors/src/live/thread.rs", "whose own thread it is: set once, when the thread begins"),
    (
        "actors/src/isolate/steps.rs",
        "the isolate whose code a thread polls: set and taken back around each run",
    ),
    (
        "actors/src/live/wire/tap.rs",
        "when what a thread publishes took its place at another bus: set around each publish",
    ),
    (
        "bindings/python/src/attached.rs",
        "whether a thread of the core has the interpreter's lock: of that thread alone",
    ),
    (
        "bindings/python/src/leaving.rs",
        "on which thread the interpreter of the process exits, which it does once",
    ),
    ("bindings/hosted/src/wait.rs", "by whose timers a thread waits"),
    ("bindings/ocaml/host/src/program.rs", "OCaml has one runtime in a process, and is started once"),
    ("bindings/ffi/src/handles.rs", "the numbers that C holds are those of the process"),
    ("bindings/ffi/src/last.rs", "the last error of a thread, as C asks for it"),
    (
        "bindings/ffi/src/current.rs",
        "the actor whose callback runs on a thread: set and taken back around each call",
    ),
    ("bindings/ffi/src/address.rs", "the last answer of a thread, which C is shown in place"),
    ("supervisor/src/backoff.rs", "a constant that the backoff crate asks for and nobody reads"),
];

/// What a `static` may not hold: anything that can change.
const MUTABLE: &[&str] =
    &["Mutex", "RwLock", "OnceLock", "LazyLock", "OnceCell", "RefCell", "Cell", "Atomic", "DashMap"];

/// Folders in which `unsafe` may be written.
const UNSAFE_FOLDERS: &[&str] = &[
    "mailbox",
    "bindings/ffi",
    "bindings/ocaml/host",
    "bindings/python",
    "bindings/python/wheel",
    "bindings/ocaml",
];

/// The longest source file, in lines.
const FILE_LINES_MAX: usize = 600;

/// Words that must not be written anywhere, with what to write instead. Split so that this list does not hold
/// them.
const BANNED: &[(&str, &str, &str)] = &[
    ("todo", "!", "write the code or open an issue"),
    ("unimplemented", "!", "write the code or open an issue"),
    ("FIX", "ME", "mend it or open an issue"),
    ("XX", "X", "mend it or open an issue"),
    ("/wo", "rk/", "use a path relative to the repository"),
    ("/ro", "ot/", "use a path relative to the repository"),
    ("blazing", "ly", "give the figure and the command that measured it"),
    ("seam", "lessly", "say what happens"),
    ("lock-", "free", "say which threads take turns and which do not: queues have short locks"),
    ("world-", "class", "give the figure and the command that measured it"),
];

/// Invariants 2, 3, 4, 6, 7, 9, 10 and 11: words that a folder's shipped code must not hold.
pub fn check_sources(files: &[SourceFile]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.is_rust()) {
        faults.extend(unsafe_outside(file));
        let code = file.shipped_code();
        for rule in ABSENT {
            let guarded = rule.folders.iter().any(|folder| file.is_in(folder) && ships(file));
            if !guarded || rule.seams.iter().any(|seam| file.is_in(seam)) {
                continue;
            }
            for word in rule.words {
                if let Some(line) = line_with(&code, word) {
                    let place = format!("{}:{line}", file.path);
                    faults.push(Fault::new(rule.invariant, place, format!("`{word}`: {}", rule.instead)));
                }
            }
        }
        faults.extend(globals(file, &code));
    }
    faults
}

/// The macros that write a line of the log.
const LOG_MACROS: &[&str] = &["error!", "warn!", "info!", "debug!", "trace!"];

/// Where lines of the log are caught by who calls the function that writes them.
const LOG_CAUGHT_ABOVE: &[&str] = &["actors/src/tree/observe.rs"];

/// Invariant 18: in `actors` each line of the log is written within `caught`.
pub fn check_log(files: &[SourceFile]) -> Vec<Fault> {
    let in_actors = |file: &&SourceFile| file.is_rust() && file.is_in("actors/src") && ships(file);
    let mut faults = Vec::new();
    for file in files.iter().filter(in_actors) {
        if LOG_CAUGHT_ABOVE.contains(&file.path.as_str()) {
            continue;
        }
        let code = file.shipped_code();
        for (at, call) in code.match_indices("tracing::") {
            let rest = &code[at + call.len()..];
            if !LOG_MACROS.iter().any(|name| rest.starts_with(name)) {
                continue;
            }
            let before = code[..at].trim_end().trim_end_matches('{').trim_end();
            let closure = before.strip_suffix("||").map(str::trim_end);
            if !closure.is_some_and(|before| before.ends_with("caught(")) {
                let line = code[..at].matches('\n').count() + 1;
                let what = "write `caught(|| tracing::..)`: a log that panics must end nothing but its line";
                faults.push(Fault::new(18, format!("{}:{line}", file.path), what));
            }
        }
    }
    faults
}

/// Invariant 8: the root of every library and binary outside the folders for `unsafe` forbids it.
pub fn check_roots(graph: &Graph, root: &Path, files: &[SourceFile]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut roots = BTreeSet::new();
    for package in graph.members().filter(|package| !UNSAFE_FOLDERS.contains(&package.folder.as_str())) {
        let guarded = ["lib", "bin", "proc-macro"];
        for target in package.targets.iter().filter(|target| guarded.contains(&target.kind.as_str())) {
            let path = target.root.strip_prefix(root).unwrap_or(&target.root);
            roots.insert(path.display().to_string());
        }
    }
    if roots.is_empty() {
        faults.push(Fault::new(8, "workspace", "no crate roots found, so the rule guards nothing"));
    }
    for path in roots {
        let text = files.iter().find(|file| file.path == path).map(|file| code_only(&file.text));
        if !text.is_some_and(|text| text.contains("#![forbid(unsafe_code)]")) {
            faults.push(Fault::new(8, path, "write #![forbid(unsafe_code)] at the top"));
        }
    }
    faults
}

/// Invariant 13: no file written by hand is too long, and no banned word is written.
pub fn check_text(files: &[SourceFile]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in files {
        let lines = file.text.lines().count();
        let written = ![".md", ".toml", ".yaml"].iter().any(|end| file.path.ends_with(end))
            && !file.path.contains("/generated/")
            && !file.path.ends_with("/_wire.py");
        if written && lines > FILE_LINES_MAX {
            let what = format!("{lines} lines; split it, the limit is {FILE_LINES_MAX}");
            faults.push(Fault::new(13, &file.path, what));
        }
        for (head, tail, instead) in BANNED {
            let word = format!("{head}{tail}");
            if let Some(line) = line_with(&file.text, &word) {
                faults.push(Fault::new(13, format!("{}:{line}", file.path), format!("`{word}`: {instead}")));
            }
        }
    }
    faults
}

/// Invariant 14: a relative link in a page leads to a file.
pub fn check_links(root: &Path, files: &[SourceFile]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.path.ends_with(".md")) {
        let folder = root.join(&file.path);
        let folder = folder.parent().unwrap_or(root);
        for (at, _) in file.text.match_indices("](") {
            let link = file.text[at + 2..].split([')', '#', ' ', '\n']).next().unwrap_or_default();
            let outside = link.is_empty() || link.contains("://") || link.starts_with("mailto:");
            if !outside && !folder.join(link).exists() {
                let line = file.text[..at].matches('\n').count() + 1;
                faults.push(Fault::new(
                    14,
                    format!("{}:{line}", file.path),
                    format!("`{link}` leads nowhere"),
                ));
            }
        }
    }
    faults
}

/// Invariant 7.
fn unsafe_outside(file: &SourceFile) -> Option<Fault> {
    if UNSAFE_FOLDERS.iter().any(|folder| file.is_in(folder)) {
        return None;
    }
    let code = code_only(&file.text);
    let line = line_with(&code, "unsafe")?;
    Some(Fault::new(7, format!("{}:{line}", file.path), "`unsafe` is for mailbox and the C boundary alone"))
}

/// Invariant 10: nothing that can change belongs to the process.
fn globals(file: &SourceFile, code: &str) -> Vec<Fault> {
    let core = CORE.iter().any(|folder| file.is_in(folder)) && ships(file);
    if !core || GLOBALS.iter().any(|(path, _)| file.path.starts_with(path)) {
        return Vec::new();
    }
    let mut faults = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let words = line.trim_start().trim_start_matches("pub(crate) ").trim_start_matches("pub ");
        let Some(rest) = words.strip_prefix("static ") else { continue };
        if rest.starts_with("mut ") || MUTABLE.iter().any(|kind| rest.contains(kind)) {
            let place = format!("{}:{}", file.path, number + 1);
            faults.push(Fault::new(10, place, "a global that can change: let the bus own it"));
        }
    }
    faults
}

/// Whether the file is part of what users link, rather than a test, bench or example beside it.
fn ships(file: &SourceFile) -> bool {
    file.path.contains("src/") && !file.path.starts_with("tests/") && !file.path.contains("/tests")
}

/// The first line, from 1, that holds `word` with no letter, digit or underscore touching it.
fn line_with(text: &str, word: &str) -> Option<usize> {
    let part = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let open = part(word.chars().next());
    let close = part(word.chars().next_back());
    let found = text.match_indices(word).find(|(at, _)| {
        let before = text[..*at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !(open && part(before) || close && part(after))
    });
    found.map(|(at, _)| text[..at].matches('\n').count() + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_whole_and_with_its_line() {
        assert_eq!(line_with("a\nkameo::x", "kameo"), Some(2));
        assert_eq!(line_with("my_kameo kameos", "kameo"), None);
        assert_eq!(line_with("x::backoff::y", "::backoff"), Some(1));
        assert_eq!(line_with("a loom::b", "loom::"), Some(1));
    }
}
