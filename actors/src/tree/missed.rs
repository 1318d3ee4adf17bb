//! Who had to be killed in a tree, since the tree began or since a moment of it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// The children that had to be killed, because their shutdown time was over. Nobody takes any out: a shutdown
/// and a drain that go on at once are each told of all that come after their own beginning.
#[derive(Default)]
pub(crate) struct MissedLog {
    /// The number of each path's last miss; numbers rise.
    numbers: HashMap<Arc<str>, u64>,
    paths: BTreeMap<u64, Arc<str>>,
    misses: u64,
}

/// A moment in a log: what comes later has a higher number.
#[derive(Clone, Copy, Default)]
pub(crate) struct MissedMark(u64);

impl MissedLog {
    /// How many paths it remembers, those of the last misses.
    const MAX: usize = 1_024;

    pub(crate) fn add(&mut self, path: Arc<str>) {
        self.misses += 1;
        if let Some(before) = self.numbers.insert(Arc::clone(&path), self.misses) {
            self.paths.remove(&before);
        }
        self.paths.insert(self.misses, path);
        if self.paths.len() > Self::MAX
            && let Some((_, oldest)) = self.paths.pop_first()
        {
            self.numbers.remove(&oldest);
        }
    }

    pub(crate) fn mark(&self) -> MissedMark {
        MissedMark(self.misses)
    }

    pub(crate) fn since(&self, mark: MissedMark) -> Vec<Arc<str>> {
        self.paths.range(mark.0 + 1..).map(|(_, path)| Arc::clone(path)).collect()
    }

    pub(crate) fn all(&self) -> Vec<Arc<str>> {
        self.since(MissedMark::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(paths: &[Arc<str>]) -> Vec<String> {
        paths.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn each_mark_has_what_came_after_it() {
        let mut log = MissedLog::default();
        log.add("firm/a".into());
        let first = log.mark();
        log.add("firm/b".into());
        let second = log.mark();
        log.add("firm/a".into());
        assert_eq!(texts(&log.all()), ["firm/b", "firm/a"]);
        assert_eq!(texts(&log.since(first)), ["firm/b", "firm/a"]);
        assert_eq!(texts(&log.since(second)), ["firm/a"]);
        assert!(log.since(log.mark()).is_empty());
    }

    #[test]
    fn a_full_log_forgets_the_oldest_and_still_tells_what_is_new() {
        let mut log = MissedLog::default();
        (0..MissedLog::MAX).for_each(|number| log.add(number.to_string().into()));
        let mark = log.mark();
        log.add("new".into());
        assert_eq!(texts(&log.since(mark)), ["new"]);
        assert_eq!(log.all().len(), MissedLog::MAX);
        assert!(!texts(&log.all()).contains(&"0".to_owned()));
    }
}
