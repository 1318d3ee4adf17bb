//! The code of `docs/supervision.md`, `docs/sweeps.md`, `docs/operations.md` and `docs/topology.md`, compiled
//! and, but for what needs other machines, run. `tests/tests/blocks.rs` compares it with the pages.
#![allow(clippy::items_after_statements, reason = "pages import where they use")]

mod operations;
#[path = "../common/parser.rs"]
mod parser;
mod supervision;
mod sweeps;
#[cfg(unix)]
mod topology;

/// The first block of this language that stands behind this text of a page.
fn block<'p>(page: &'p str, behind: &str, language: &str) -> &'p str {
    let (_, rest) = page.split_once(behind).unwrap_or_else(|| panic!("the page lacks {behind:?}"));
    let (_, block) = rest.split_once(&format!("```{language}\n")).expect("a block");
    block.split_once("```").expect("its end").0
}

/// One after the other: a sweep wants to be the only one in its process that listens to Ctrl-C.
#[test]
fn what_listens_to_signals() -> mycelium::Result {
    #[cfg(all(feature = "ctrl-c", feature = "progress"))]
    sweeps::a_sweep_that_can_be_stopped()?;
    supervision::the_end_of_a_program();
    Ok(())
}
