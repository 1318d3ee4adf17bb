//! Anything that calls itself a supervision tree in TOML.

use mycelium_supervisor::declare::Declaration;
use mycelium_supervisor::sim::{Scenario, simulate};

use crate::{Target, file};

pub(crate) const TARGET: Target = Target {
    name: "tree",
    reads: "supervision trees in TOML",
    run,
    seeds,
    words: &[
        b"[tree]\n",
        b"[[tree.children]]\n",
        b"id = \"a\"\n",
        b"type = \"supervisor\"\n",
        b"strategy = ",
        b"\"rest_for_one\"",
        b"\"simple_one_for_one\"",
        b"intensity = ",
        b"period_s = ",
        b"restart = \"transient\"\n",
        b"significant = true\n",
        b"auto_shutdown = ",
        b"\"all_significant\"",
        b"shutdown = \"infinity\"\n",
        b"shutdown_ms = ",
        b"start_fails = [1]\n",
        b"backoff = { initial_ms = 1 }\n",
        b"-1",
        b"0",
        b"9223372036854775807",
        b"1e308",
        b"nan",
        b"\"",
        b"[",
        b"]",
        b"{",
        b"}",
    ],
};

fn run(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let declared = match Declaration::parse(text) {
        Ok(declared) => declared,
        Err(mistake) => {
            assert!(!mistake.to_string().is_empty());
            return false;
        }
    };
    let scenario =
        Scenario { root: declared.root.clone(), tree: declared.tree.simulated(), script: Vec::new() };
    let mut trace = Vec::new();
    let ended = simulate(&scenario, 1, &mut |entry| trace.push(format!("{entry:?}")));
    let mut again = Vec::new();
    assert_eq!(ended, simulate(&scenario, 1, &mut |entry| again.push(format!("{entry:?}"))));
    assert_eq!(trace, again, "the same seed, the same run");
    true
}

fn seeds() -> Vec<Vec<u8>> {
    vec![
        file("examples/tree/outage.toml"),
        b"[tree]\nid = \"root\"\n[[tree.children]]\nid = \"a\"\nstart_fails = [1, 3]\n".to_vec(),
    ]
}
