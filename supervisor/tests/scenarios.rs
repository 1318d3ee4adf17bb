//! Scenario files, whole and damaged.

use mycelium_supervisor::sim::{DEPTH_MAX, Scenario, simulate};

/// The files that docs/supervision.md shows.
fn shown() -> Vec<&'static str> {
    let page = include_str!("../../docs/supervision.md");
    page.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// The one with a script.
fn documented() -> String {
    let scenario = shown().into_iter().find(|text| text.contains("[[events]]"));
    scenario.expect("the page has an example").to_owned()
}

#[test]
fn every_file_that_the_page_shows_is_read() {
    assert!(shown().len() >= 2);
    for text in shown() {
        Scenario::parse(text).unwrap_or_else(|mistake| panic!("{mistake} in\n{text}"));
    }
}

#[test]
fn the_documented_scenario_runs() {
    let scenario = Scenario::parse(&documented()).expect("the example is correct");
    let mut lines = 0;
    simulate(&scenario, 0, &mut |_| lines += 1).expect("it runs");
    assert!(lines > 5);
}

/// Damaged files end in a mistake or a run, never in a panic.
#[test]
fn damaged_scenarios_are_refused_or_run() {
    let original = documented();
    let words = [
        "[",
        "]",
        "=",
        "\"",
        "-1",
        "1e400",
        "0x",
        "{",
        "}",
        "true",
        "\n",
        "[[tree]]\n",
        "children",
        "é",
        "99999999999",
    ];
    let mut state = 0x5eed_u64;
    let mut below = |bound: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % bound
    };
    let (mut refused, mut run) = (0, 0);
    for _ in 0..20_000 {
        let mut text: Vec<char> = original.chars().collect();
        for _ in 0..1 + below(3) {
            let (at, word) = (below(text.len()), words[below(words.len())]);
            let end = (at + below(8)).min(text.len());
            text.splice(at..end, word.chars());
        }
        match Scenario::parse(&text.iter().collect::<String>()) {
            Err(_) => refused += 1,
            Ok(scenario) => {
                let _ = simulate(&scenario, 0, &mut |_| run += 1);
            }
        }
    }
    assert!(refused > 1_000 && run > 1_000, "the damage is too great or too small: {refused}, {run}");
}

#[test]
fn supervisors_nested_too_deep_are_refused() {
    let mut text = String::from("[tree]\n");
    let mut path = String::from("tree");
    for _ in 0..DEPTH_MAX + 1 {
        path.push_str(".children");
        text.push_str(&format!("[[{path}]]\nid = \"s\"\ntype = \"supervisor\"\n"));
    }
    let mistake = Scenario::parse(&text).expect_err("too deep");
    assert!(mistake.cause.contains("nested deeper") || mistake.cause.contains("recursion"), "{mistake}");
}
