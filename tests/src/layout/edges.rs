//! Invariants over the dependency graph: who may use whom.

use super::Fault;
use super::graph::{Graph, Kind, Package};

/// A crate of the workspace, where it lives, and which members it may use outside its tests.
struct Place {
    name: &'static str,
    folder: &'static str,
    uses: &'static [&'static str],
}

/// The arrows of the architecture. Everything in `examples/` and `tests/` may use any member.
const PLACES: &[Place] = &[
    Place { name: "mycelium-mailbox", folder: "mailbox", uses: &[] },
    Place { name: "mycelium-toml", folder: "toml", uses: &[] },
    Place { name: "mycelium-supervisor", folder: "supervisor", uses: &["mycelium-toml"] },
    Place { name: "mycelium-remote", folder: "remote", uses: &["mycelium-mailbox", "mycelium-toml"] },
    Place { name: "mycelium-macros", folder: "actors/macros", uses: &[] },
    Place {
        name: "mycelium",
        folder: "actors",
        uses: &[
            "mycelium-mailbox",
            "mycelium-supervisor",
            "mycelium-remote",
            "mycelium-macros",
            "mycelium-toml",
        ],
    },
    Place { name: "mycelium-contract", folder: "bindings/contract", uses: &[] },
    Place { name: "mycelium-codegen", folder: "bindings/codegen", uses: &["mycelium-contract"] },
    Place { name: "mycelium-hosted", folder: "bindings/hosted", uses: &["mycelium", "mycelium-contract"] },
    Place { name: "mycelium-ffi", folder: "bindings/ffi", uses: &["mycelium", "mycelium-hosted"] },
    Place {
        name: "mycelium-ocaml-build",
        folder: "bindings/ocaml/build",
        uses: &["mycelium-codegen", "mycelium-contract"],
    },
    Place {
        name: "mycelium-ocaml",
        folder: "bindings/ocaml/host",
        uses: &["mycelium", "mycelium-ffi", "mycelium-hosted"],
    },
    Place {
        name: "mycelium-python",
        folder: "bindings/python",
        uses: &["mycelium", "mycelium-contract", "mycelium-hosted"],
    },
    Place { name: "mycelium-wheel", folder: "bindings/python/wheel", uses: &["mycelium-python"] },
    Place {
        name: "mycelium-cli",
        folder: "cli",
        uses: &[
            "mycelium",
            "mycelium-contract",
            "mycelium-codegen",
            "mycelium-mailbox",
            "mycelium-supervisor",
            "mycelium-remote",
            "mycelium-toml",
        ],
    },
    Place { name: "xtask", folder: "xtask", uses: &[] },
];

/// Folders whose crates nothing else may depend on, and which may use everything.
const LEAVES: &[&str] = &["examples/", "tests"];

/// What a crate must not link, at any depth.
struct Never {
    invariant: u8,
    name: &'static str,
    crates: &'static [&'static str],
}

const NEVER: &[Never] = &[
    Never {
        invariant: 2,
        name: "mycelium-mailbox",
        crates: &["tokio", "mio", "socket2", "kameo", "serde-saphyr", "toml", "toml_parser", "tracing"],
    },
    Never {
        invariant: 3,
        name: "mycelium-supervisor",
        crates: &["tokio", "mio", "kameo", "tracing", "log", "chrono", "time"],
    },
    Never {
        invariant: 4,
        name: "mycelium-remote",
        crates: &["kameo", "mycelium", "mycelium-supervisor", "serde-saphyr"],
    },
    Never { invariant: 5, name: "mycelium", crates: FRONT_ENDS },
    Never { invariant: 5, name: "mycelium-remote", crates: FRONT_ENDS },
    Never { invariant: 5, name: "mycelium-mailbox", crates: FRONT_ENDS },
    Never { invariant: 5, name: "mycelium-supervisor", crates: FRONT_ENDS },
];

/// HTTP servers, exporters, argument parsers and language bindings: all of them belong to the edges of the
/// system.
const FRONT_ENDS: &[&str] = &[
    "actix-web",
    "axum",
    "clap",
    "hyper",
    "metrics-exporter-prometheus",
    "opentelemetry",
    "opentelemetry_sdk",
    "prometheus",
    "pyo3",
    "rocket",
    "tiny_http",
    "tracing-opentelemetry",
    "tracing-subscriber",
    "warp",
];

/// Crates that one member alone may name in its manifest; `tests` compares Mycelium with them and is free.
const OWNERS: &[(u8, &str, &str)] =
    &[(6, "kameo", "mycelium"), (6, "backoff", "mycelium-supervisor"), (6, "toml_parser", "mycelium-toml")];

/// Invariant 1: every member is where the architecture says, and uses only what it may; and the owners of
/// invariant 6.
pub fn check_edges(graph: &Graph) -> Vec<Fault> {
    let mut faults = Vec::new();
    for package in graph.members() {
        if is_leaf(&package.folder) {
            continue;
        }
        let Some(place) = PLACES.iter().find(|place| place.name == package.name) else {
            let what =
                format!("`{}` is not in the table of crates of tests/src/layout/edges.rs", package.folder);
            faults.push(Fault::new(1, &package.name, what));
            continue;
        };
        if place.folder != package.folder {
            let what = format!("lives in `{}`, its place is `{}`", package.folder, place.folder);
            faults.push(Fault::new(1, &package.name, what));
        }
        faults.extend(forbidden_uses(graph, package, place));
    }
    faults
}

/// Invariants 2 to 5: what must not be linked, however indirectly.
pub fn check_closures(graph: &Graph) -> Vec<Fault> {
    let mut faults = Vec::new();
    for rule in NEVER {
        let Some((id, _)) =
            graph.packages.iter().find(|(_, package)| package.member && package.name == rule.name)
        else {
            faults.push(Fault::new(rule.invariant, rule.name, "no such crate, so its rule guards nothing"));
            continue;
        };
        let linked = graph.closure(id);
        for name in rule.crates.iter().filter(|name| linked.contains(*name)) {
            faults.push(Fault::new(rule.invariant, rule.name, format!("links `{name}`")));
        }
    }
    faults
}

fn forbidden_uses(graph: &Graph, package: &Package, place: &Place) -> Vec<Fault> {
    let mut faults = Vec::new();
    for edge in package.dependencies.iter().filter(|edge| edge.kind != Kind::Dev) {
        let Some(used) = graph.packages.get(&edge.id) else { continue };
        let name = used.name.as_str();
        if used.member && !place.uses.contains(&name) {
            faults.push(Fault::new(1, &package.name, format!("may not use `{name}`")));
        }
        for (invariant, owned, owner) in OWNERS {
            if name == *owned && package.name != *owner {
                faults.push(Fault::new(
                    *invariant,
                    &package.name,
                    format!("`{name}` is for `{owner}` alone"),
                ));
            }
        }
    }
    if package.name == "xtask" && !package.dependencies.is_empty() {
        faults.push(Fault::new(1, "xtask", "has dependencies; it must compile in a second after a clone"));
    }
    faults
}

fn is_leaf(folder: &str) -> bool {
    LEAVES.iter().any(|leaf| folder.starts_with(leaf))
}
