//! The architecture as a set of checks over `cargo metadata` and the source text.
//!
//! Each check is a pure function from what was read to the faults found, so that `tests/layout.rs` can run it
//! on the workspace and, as a canary, on input made to break it. The numbers are those of the invariants in
//! `ARCHITECTURE.md`.

mod docs;
mod edges;
mod examples;
mod glossary;
mod graph;
mod licence;
mod rooms;
mod rules;
mod source;
mod words;

use std::fmt;

pub use docs::check_docs;
pub use edges::{check_closures, check_edges};
pub use examples::{check_examples, first_column};
pub use glossary::{check_glossary, check_sentences};
pub use graph::{Dependency, Graph, GraphError, Kind, Package, Target, workspace_root};
pub use licence::{DenyList, check_dependencies, licence_allowed};
pub use rooms::{check_rooms, room_rows};
pub use rules::{check_links, check_log, check_roots, check_sources, check_text};
pub use source::{SourceFile, code_only, read_sources};
pub use words::{check_comments, check_names};

/// The number of the last invariant: `ARCHITECTURE.md` lists exactly `1..=INVARIANTS`.
pub const INVARIANTS: u8 = 18;

/// A place where the tree breaks an invariant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The number of the invariant in `ARCHITECTURE.md`.
    pub invariant: u8,
    /// The crate or the file with its line.
    pub place: String,
    /// What is wrong and what to do instead.
    pub what: String,
}

impl Fault {
    fn new(invariant: u8, place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { invariant, place: place.into(), what: what.into() }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invariant {}: {}: {}", self.invariant, self.place, self.what)
    }
}
