//! All sources of one receiver, for the price of those among them that have something: see `heads.rs`.

use std::ops::{Index, IndexMut};

use crate::Doorbell;
use crate::heads::{Cold, FEW, Heads, tag};
use crate::merge::{Merge, Pick, Source, pick};

/// All that one receiver reads from, each source at an index.
///
/// ```
/// use std::sync::Arc;
/// use mycelium_mailbox::{Doorbell, Merge, Sources, Stamps, SubscribeOptions, Topic};
///
/// let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
/// let topics: Vec<_> = (0..100).map(|_| Topic::<u64>::new(stamps.clone(), 8)).collect();
/// let mut sources: Sources<_> = topics
///     .iter()
///     .map(|topic| topic.subscribe(bell.clone(), SubscribeOptions::default()).unwrap())
///     .collect();
/// for number in [70, 3, 99] {
///     topics[number].try_publish(number as u64, 0).unwrap();
/// }
/// let mut seen = Vec::new();
/// while let Some(pick) = sources.pick(&bell) {
///     seen.push(*sources[pick.index].peek().unwrap().message);
///     sources[pick.index].advance();
/// }
/// assert_eq!(seen, [70, 3, 99]);
/// ```
#[derive(Debug)]
pub struct Sources<S> {
    list: Vec<S>,
    /// What is known of them, where they are more than a few.
    known: Option<Box<Known>>,
}

/// Which sources are due, watched and cold.
#[derive(Debug, Default)]
struct Known {
    heads: Heads,
    cold: Cold,
}

impl<S> Sources<S> {
    /// None.
    #[must_use]
    pub const fn new() -> Self {
        Self { list: Vec::new(), known: None }
    }

    /// These, as if they were many.
    #[cfg(all(test, loom))]
    pub(crate) fn of_many<const N: usize>(sources: [S; N]) -> Self {
        let mut all = Self { list: Vec::from(sources), known: Some(Box::default()) };
        all.known.iter_mut().for_each(|known| known.join(N));
        all
    }

    /// Adds a source at the next index.
    pub fn push(&mut self, source: S) {
        self.list.push(source);
        let sources = self.list.len();
        if let Some(known) = &mut self.known {
            known.join(sources);
        } else if sources > FEW {
            self.known.insert(Box::default()).join(sources);
        }
    }

    /// Takes the source at `index` out. The last one gets its index.
    ///
    /// # Panics
    /// When there is none.
    pub fn swap_remove(&mut self, index: usize) -> S {
        let source = self.list.swap_remove(index);
        if let Some(known) = &mut self.known {
            known.forget(index);
        }
        source
    }

    /// Keeps those for which `keep` says so. Others may change their index.
    pub fn retain(&mut self, mut keep: impl FnMut(&S) -> bool) {
        let mut at = 0;
        while let Some(source) = self.list.get(at) {
            if keep(source) {
                at += 1;
            } else {
                drop(self.swap_remove(at));
            }
        }
    }

    /// Takes the last one out.
    pub fn pop(&mut self) -> Option<S> {
        let last = self.list.len().checked_sub(1)?;
        Some(self.swap_remove(last))
    }

    /// The source at `index`.
    #[inline]
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&S> {
        self.list.get(index)
    }

    /// The same, for use.
    #[inline]
    pub fn get_mut(&mut self, index: usize) -> Option<&mut S> {
        self.list.get_mut(index)
    }

    /// All of them, in the order of their indices.
    pub fn iter(&self) -> std::slice::Iter<'_, S> {
        self.list.iter()
    }

    /// The same, for use.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, S> {
        self.list.iter_mut()
    }

    /// One source, and what can be done with the others meanwhile.
    #[inline]
    pub fn split(&mut self, index: usize) -> Option<(&mut S, OtherSources<'_, S>)> {
        let Self { list, known } = self;
        let (before, rest) = list.split_at_mut_checked(index)?;
        let (one, after) = rest.split_first_mut()?;
        Some((one, OtherSources { before, after, known: known.as_deref() }))
    }
}

/// All sources of a receiver but one.
#[derive(Debug)]
pub struct OtherSources<'a, S> {
    before: &'a mut [S],
    after: &'a mut [S],
    known: Option<&'a Known>,
}

impl<S: Source> OtherSources<'_, S> {
    /// [`Source::commit`] of all that have read anything.
    pub fn commit(self) {
        let Self { before, after, known } = self;
        let Some(known) = known else {
            return before.iter_mut().chain(after).for_each(Source::commit);
        };
        let one = before.len();
        for index in known.heads.not_cold() {
            if index < one {
                before.get_mut(index).into_iter().for_each(Source::commit);
            } else if index > one {
                after.get_mut(index - one - 1).into_iter().for_each(Source::commit);
            }
        }
    }
}

impl<S: Source> Merge for Sources<S> {
    #[inline(always)] // It is nearly nothing where there is one source.
    fn pick(&mut self, bell: &Doorbell) -> Option<Pick> {
        match &mut self.known {
            None => pick(&mut self.list),
            Some(known) => known.cold.pick(&mut known.heads, 0, &mut self.list, bell).into(),
        }
    }

    #[inline]
    fn arm(&mut self, bell: &Doorbell) -> bool {
        match &mut self.known {
            None => self.list.arm(bell),
            Some(known) => known.arm(&mut self.list, bell),
        }
    }

    fn commit(&mut self) {
        match &self.known {
            None => Merge::commit(&mut self.list),
            Some(known) => known.heads.not_cold().for_each(|index| self.list[index].commit()),
        }
    }
}

impl Known {
    /// There are more sources than before: so many.
    fn join(&mut self, sources: usize) {
        for index in self.cold.count()..sources {
            self.cold.push();
            self.heads.watch(tag(index));
        }
    }

    /// The source at `index` has gone, and the last one is there now.
    fn forget(&mut self, index: usize) {
        let last = self.cold.count() - 1;
        self.heads.retain(|at| at != tag(index) && at != tag(last));
        self.cold.pop();
        if self.cold.take(index).is_some() {
            // It is armed with another tag, if it is: it is armed anew when nothing is found.
            self.heads.watch(tag(index));
        }
    }

    #[inline(never)]
    fn arm<S: Source>(&mut self, list: &mut [S], bell: &Doorbell) -> bool {
        let Self { heads, cold } = self;
        cold.hear(heads, bell);
        let found = cold.arm(heads, list, bell);
        // Last: whoever has told meanwhile may have found the bell not yet set.
        bell.tells() || found
    }
}

impl<S> Default for Sources<S> {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> FromIterator<S> for Sources<S> {
    fn from_iter<I: IntoIterator<Item = S>>(sources: I) -> Self {
        let mut all = Self::new();
        sources.into_iter().for_each(|source| all.push(source));
        all
    }
}

impl<S> Index<usize> for Sources<S> {
    type Output = S;

    #[inline]
    fn index(&self, index: usize) -> &S {
        &self.list[index]
    }
}

impl<S> IndexMut<usize> for Sources<S> {
    #[inline]
    fn index_mut(&mut self, index: usize) -> &mut S {
        &mut self.list[index]
    }
}
