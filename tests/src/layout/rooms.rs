//! Invariant 15: which modules of `actors/src` use which.
//!
//! A use is a path that begins with `crate` or `super`, followed through what `lib.rs` hands on under a name
//! of its own: that a type is found at the root hides nothing.

use std::collections::BTreeMap;

use super::Fault;
use super::source::SourceFile;

const ROOT: &str = "actors/src/";

/// Modules that belong together, and the other rooms that they may use.
struct Room {
    name: &'static str,
    modules: &'static [&'static str],
    uses: &'static [&'static str],
}

const ROOMS: &[Room] = &[
    Room { name: "seams", modules: &["rt", "stop", "sync"], uses: &[] },
    // The same types live and in an isolate, with a backend for each.
    Room {
        name: "faces",
        modules: &[
            "actor",
            "by_value",
            "clock",
            "context",
            "dead_letters",
            "error",
            "identity",
            "monitor",
            "publish",
            "recipient",
            "reference",
            "report",
            "routing",
            "service",
            "service_ref",
            "stats",
            "subscriber",
            "subscription",
            "timer",
            "wire",
        ],
        uses: &["seams", "life", "live", "isolate"],
    },
    // What both hosts decide alike.
    Room { name: "life", modules: &["life"], uses: &["seams", "faces"] },
    Room { name: "live", modules: &["host", "live"], uses: &["seams", "faces", "life"] },
    Room { name: "isolate", modules: &["isolate"], uses: &["seams", "faces", "life", "trees of isolates"] },
    Room {
        name: "trees of isolates",
        modules: &["isolate/tree"],
        uses: &["seams", "faces", "life", "isolate", "tree"],
    },
    // The handle of a tree is one type with a backend for each host, as the faces are.
    Room {
        name: "tree",
        modules: &["tree"],
        uses: &["seams", "faces", "live", "isolate", "trees of isolates", "link"],
    },
    // Sockets: a host of the machines of `remote`, and a user of the door for bytes.
    Room { name: "link", modules: &["link"], uses: &["seams", "faces", "live"] },
    // What a process of a topology is made of.
    Room { name: "topology", modules: &["topology"], uses: &["faces", "live", "link", "tree"] },
    Room { name: "pool", modules: &["pool"], uses: &["seams", "faces", "life", "live", "isolate", "tree"] },
    Room { name: "sweep", modules: &["sweep"], uses: &["seams", "faces", "isolate"] },
    Room { name: "resilience", modules: &["resilience"], uses: &["faces"] },
    Room { name: "prelude", modules: &["prelude"], uses: &["faces", "live", "isolate", "tree"] },
    // For tests of users.
    Room { name: "testing", modules: &["testing"], uses: &["seams", "faces", "life", "live", "isolate"] },
    // Compiled for shuttle alone.
    Room { name: "models", modules: &["models"], uses: &["seams", "faces", "live", "tree", "pool"] },
];

/// Files that use a room which theirs may not, each with why it is so today.
const KNOWN: &[(&str, &str, &str)] = &[];

/// One path of a file that leads into another module.
struct Use {
    file: String,
    path: String,
    from: &'static Room,
    to: &'static Room,
}

/// Invariant 15 over the files of the repository.
pub fn check_rooms(files: &[SourceFile]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let inside: Vec<(&str, &SourceFile)> =
        files.iter().filter_map(|file| Some((file.path.strip_prefix(ROOT)?, file))).collect();
    let names =
        inside.iter().find(|(path, _)| *path == "lib.rs").map(|(_, lib)| handed_on(&lib.shipped_code()));
    let Some(names) = names else {
        return vec![Fault::new(15, format!("{ROOT}lib.rs"), "was not read, so the rule guards nothing")];
    };
    let mut known = vec![false; KNOWN.len()];
    for (path, file) in inside.iter().filter(|(path, file)| *path != "lib.rs" && file.is_rust()) {
        if room_of(&module_path(path)).is_none() {
            faults.push(Fault::new(15, &file.path, "has no room in tests/src/layout/rooms.rs"));
        }
        for found in uses(path, &file.shipped_code(), &names) {
            if found.from.name == found.to.name || found.from.uses.contains(&found.to.name) {
                continue;
            }
            match KNOWN.iter().position(|(file, room, _)| *file == found.file && *room == found.to.name) {
                Some(at) => known[at] = true,
                None => {
                    let what = format!(
                        "`{}`: the room `{}` may not use the room `{}`",
                        found.path, found.from.name, found.to.name
                    );
                    faults.push(Fault::new(15, &file.path, what));
                }
            }
        }
    }
    for ((file, room, _), _) in KNOWN.iter().zip(&known).filter(|(_, is_used)| !**is_used) {
        let what = format!("uses the room `{room}` no more: take it out of the table of known exceptions");
        faults.push(Fault::new(15, format!("{ROOT}{file}"), what));
    }
    faults
}

/// How the map of rooms in `ARCHITECTURE.md` begins each of its rows; what a row says beyond that is free.
#[must_use]
pub fn room_rows() -> Vec<String> {
    let list = |names: &[&str], mark: &str| {
        let names: Vec<String> = names.iter().map(|name| format!("{mark}{name}{mark}")).collect();
        names.join(", ")
    };
    let uses = |room: &Room| match room.uses {
        [] => "nothing of the crate".to_owned(),
        uses => list(uses, ""),
    };
    ROOMS
        .iter()
        .map(|room| format!("| {} | {} | {} |", room.name, list(room.modules, "`"), uses(room)))
        .collect()
}

/// `tree/run.rs` and `tree/run/mod.rs` are `["tree", "run"]`.
fn module_path(file: &str) -> Vec<String> {
    let path = file.trim_end_matches(".rs").trim_end_matches("/mod");
    path.split('/').map(str::to_owned).collect()
}

/// The room of a module, or of what is in it: that of its longest beginning which has one.
fn room_of(path: &[String]) -> Option<&'static Room> {
    (1..=path.len()).rev().find_map(|length| {
        let module = path[..length].join("/");
        ROOMS.iter().find(|room| room.modules.contains(&module.as_str()))
    })
}

/// The names at the root of the crate, and the module that each is from.
fn handed_on(lib: &str) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for statement in lib.split(';') {
        let Some((_, tree)) = statement.split_once("use ") else { continue };
        let Some((module, rest)) = tree.trim().split_once("::") else { continue };
        for path in branches(rest) {
            names.extend(path.last().map(|name| (name.clone(), module.to_owned())));
        }
    }
    names
}

fn uses(file: &str, code: &str, names: &BTreeMap<String, String>) -> Vec<Use> {
    let own = module_path(file);
    let Some(from) = room_of(&own) else { return Vec::new() };
    let mut found = Vec::new();
    for (start, tree) in paths(code) {
        for branch in branches(tree) {
            let mut path =
                if start == "crate" { Vec::new() } else { own[..own.len().saturating_sub(1)].to_vec() };
            for part in branch {
                if part == "super" {
                    path.pop();
                } else {
                    path.push(part);
                }
            }
            if let Some(module) = path.first().and_then(|first| names.get(first)) {
                path[0].clone_from(module);
            }
            found.extend(room_of(&path).map(|to| Use {
                file: file.to_owned(),
                path: path.join("::"),
                from,
                to,
            }));
        }
    }
    found
}

/// Each `crate::` and first `super::` of the code, and the path or tree that follows.
fn paths(code: &str) -> Vec<(&'static str, &str)> {
    let mut found = Vec::new();
    for start in ["crate", "super"] {
        for (at, _) in code.match_indices(&format!("{start}::")) {
            let before = code[..at].chars().next_back();
            if before.is_none_or(|c| !c.is_alphanumeric() && !"_$:".contains(c)) {
                found.push((start, &code[at + start.len() + 2..]));
            }
        }
    }
    found
}

/// The paths of a tree such as `a::{b, c::{d, e as f}}`, up to what is no part of it any more.
fn branches(tree: &str) -> Vec<Vec<String>> {
    fn grow(rest: &mut &str, stem: &[String], all: &mut Vec<Vec<String>>) {
        let mut path = stem.to_vec();
        loop {
            *rest = rest.trim_start();
            if let Some(inside) = rest.strip_prefix('{') {
                *rest = inside;
                while !rest.is_empty() {
                    *rest = rest.trim_start().trim_start_matches(',').trim_start();
                    if let Some(after) = rest.strip_prefix('}') {
                        *rest = after;
                        return;
                    }
                    let before = rest.len();
                    grow(rest, &path, all);
                    if rest.len() == before {
                        return;
                    }
                }
                return;
            }
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            match word {
                "" | "self" => {}
                _ => path.push(word.to_owned()),
            }
            *rest = after;
            if let Some(after) = rest.strip_prefix("::") {
                *rest = after;
                continue;
            }
            if let Some(named) = rest.trim_start().strip_prefix("as ") {
                let named = named.trim_start();
                let end = named.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(named.len());
                *rest = &named[end..];
            }
            if path.len() > stem.len() || word == "self" {
                all.push(path);
            }
            return;
        }
    }
    let (mut rest, mut all) = (tree, Vec::new());
    grow(&mut rest, &[], &mut all);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_of_uses_is_taken_apart() {
        let rows = [
            ("a::b;", "a::b"),
            ("{a, b::{c, d as e}, self};", "a b::c b::d "),
            ("a::{self, B};", "a a::B"),
            ("super::core::Core) -> X", "super::core::Core"),
            ("a::b::<T>()", "a::b"),
            ("*;", ""),
        ];
        for (tree, expected) in rows {
            let all: Vec<String> = branches(tree).iter().map(|path| path.join("::")).collect();
            assert_eq!(all.join(" "), expected, "{tree}");
        }
        assert_eq!(paths("$crate::x super::super::y mycrate::z x::super::w").len(), 1);
    }
}
