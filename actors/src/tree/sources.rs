//! The children of a tree that a drain stops first, in the order of their first starts.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::below::take_below;

/// Those that were started and that no drain has stopped since.
#[derive(Default)]
pub(crate) struct Sources {
    started: BTreeMap<Arc<str>, Starts>,
    next: u64,
}

/// When a source was started, in the order of all starts.
#[derive(Clone, Copy)]
struct Starts {
    first: u64,
    last: u64,
}

/// A source as a drain has found it.
pub(crate) struct SourceSeen {
    pub(crate) path: Arc<str>,
    last: u64,
}

impl Sources {
    /// A source starts, for the first time or again.
    pub(crate) fn add(&mut self, path: &Arc<str>) {
        let now = self.next;
        self.next += 1;
        self.started.entry(Arc::clone(path)).or_insert(Starts { first: now, last: now }).last = now;
    }

    /// A child is no more, with all below it.
    pub(crate) fn forget(&mut self, path: &str) {
        take_below(&mut self.started, path);
    }

    /// All of them, in the order of the first starts. They stay until they have [stopped](Self::stopped): a
    /// drain that is dropped leaves them to the next one.
    pub(crate) fn all(&self) -> Vec<SourceSeen> {
        let mut sources: Vec<_> = self.started.iter().collect();
        sources.sort_by_key(|(_, starts)| starts.first);
        let seen =
            |(path, starts): (&Arc<str>, &Starts)| SourceSeen { path: Arc::clone(path), last: starts.last };
        sources.into_iter().map(seen).collect()
    }

    /// A drain has stopped this one: whether it was the first to, and nobody has started it meanwhile.
    pub(crate) fn stopped(&mut self, seen: &SourceSeen) -> bool {
        let is_same = self.started.get(&seen.path).is_some_and(|starts| starts.last == seen.last);
        is_same && self.started.remove(&seen.path).is_some()
    }
}
