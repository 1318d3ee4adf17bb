//! Anything that calls itself a supervision tree in TOML, with what befalls it.

use mycelium_supervisor::declare;
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
        b"[[events]]\nat_ms = ",
        b"child = \"root/a\"\n",
        b"exit = \"crash\"\n",
        b"call = \"terminate_child\"\n",
        b"call = \"start_child\"\n",
        b"target = \"root\"\n",
        b"child = { id = \"n\" }\n",
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
    let scenario = match declare::text(bytes).and_then(Scenario::parse) {
        Ok(scenario) => scenario,
        Err(mistake) => {
            assert!(mistake.line > 0 && mistake.column > 0 && !mistake.cause.is_empty(), "{mistake:?}");
            assert!(mistake.cause.chars().count() < 1_100, "a long cause: {mistake:?}");
            return false;
        }
    };
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
        file("tests/otp/scenarios/backoff_rest_for_one.toml"),
        file("tests/otp/scenarios/calls_of_all_kinds.toml"),
        file("tests/otp/scenarios/pool_of_supervisors.toml"),
        b"[tree]\nid = \"root\"\n[[tree.children]]\nid = \"a\"\nstart_fails = [1, 3]\n".to_vec(),
    ]
}
