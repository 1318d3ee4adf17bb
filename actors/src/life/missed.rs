//! Who had to be killed in a tree or on a bus, since it began or since a moment of it.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::Arc;

/// Those that had to be killed, because the time of their shutdown was over. Nobody takes any out: a shutdown
/// and a drain that go on at once are each told of all that come after their own beginning. It remembers
/// `MAX` of them, those of the last misses.
pub(crate) struct MissedLog<K = Arc<str>, const MAX: usize = 1_024> {
    /// The number of each one's last miss; numbers rise.
    numbers: HashMap<K, u64>,
    missed: BTreeMap<u64, K>,
    misses: u64,
}

impl<K, const MAX: usize> Default for MissedLog<K, MAX> {
    fn default() -> Self {
        Self { numbers: HashMap::new(), missed: BTreeMap::new(), misses: 0 }
    }
}

/// A moment in a log: what comes later has a higher number.
#[derive(Clone, Copy, Default)]
pub(crate) struct MissedMark(u64);

impl<K: Clone + Eq + Hash, const MAX: usize> MissedLog<K, MAX> {
    pub(crate) fn add(&mut self, one: K) {
        self.misses += 1;
        if let Some(before) = self.numbers.insert(one.clone(), self.misses) {
            self.missed.remove(&before);
        }
        self.missed.insert(self.misses, one);
        if self.missed.len() > MAX
            && let Some((_, oldest)) = self.missed.pop_first()
        {
            self.numbers.remove(&oldest);
        }
    }

    pub(crate) fn mark(&self) -> MissedMark {
        MissedMark(self.misses)
    }

    pub(crate) fn since(&self, mark: MissedMark) -> Vec<K> {
        self.missed.range(mark.0 + 1..).map(|(_, one)| one.clone()).collect()
    }

    pub(crate) fn all(&self) -> Vec<K> {
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
        let mut log = MissedLog::<Arc<str>>::default();
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
        let mut log = MissedLog::<Arc<str>, 64>::default();
        (0..64).for_each(|number| log.add(number.to_string().into()));
        let mark = log.mark();
        log.add("new".into());
        assert_eq!(texts(&log.since(mark)), ["new"]);
        assert_eq!(log.all().len(), 64);
        assert!(!texts(&log.all()).contains(&"0".to_owned()));
    }
}
