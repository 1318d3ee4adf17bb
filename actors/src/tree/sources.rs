//! The children of a tree that a drain stops first, in the order of their first starts.

use std::collections::HashMap;
use std::sync::Arc;

/// The paths of those that were started since they were taken last.
#[derive(Default)]
pub(crate) struct Sources {
    started: HashMap<Arc<str>, u64>,
    next: u64,
}

impl Sources {
    /// A source starts, for the first time or again.
    pub(crate) fn add(&mut self, path: &Arc<str>) {
        self.started.entry(Arc::clone(path)).or_insert(self.next);
        self.next += 1;
    }

    /// A child is no more.
    pub(crate) fn forget(&mut self, path: &str) {
        self.started.remove(path);
    }

    /// Empties it, in the order of the first starts.
    pub(crate) fn take(&mut self) -> Vec<Arc<str>> {
        let mut sources: Vec<_> = std::mem::take(&mut self.started).into_iter().collect();
        sources.sort_by_key(|(_, order)| *order);
        sources.into_iter().map(|(path, _)| path).collect()
    }
}
