//! All sources of one receiver, for the price of those among them that have something.
//!
//! # Protocol
//! A receiver of a few sources looks at all of them ([`pick`]). From [`FEW`] on, each source is in one of
//! three states:
//! - *due*: it has a message. `front` and `due` hold it with a stamp that is at most that of its head.
//! - *watched*: it was found empty a short while ago. Each pick looks at it.
//! - *cold*: it is empty and armed with its index as a tag. Nobody looks at it. A sender that puts a
//!   message into it writes the tag on the receiver's [`Doorbell`] first, and the next look finds it there.
//!
//! A source gets cold only by [`Source::arm_as`], which looks at the queue under its lock and arms it if it
//! is empty. A tag is written under the same lock, before anybody can see the message.
//!
//! # Why the order of `merge.rs` holds
//! The last look of a pick is at the doorbell and at all watched sources, those just found on the doorbell
//! among them. Let C be a message that is handled after it, from x, and let A have been published before C in
//! y, A not yet handled. If y is cold at that look, it was armed when it was empty, and A came later: so its
//! tag was written before A could be seen, hence before C was published, hence before the look, which has
//! found it there. So y was watched or due. If it was watched, the look has seen its head; if it was due,
//! what is held for it is at most its head. Either way `below` is at most A's stamp, and C's is not below it.
//!
//! # What it costs
//! A source becomes watched only by a message or when it joins, so the looks at watched sources are
//! [`WATCHED`] for each pick, and each source is armed once for each time that it was told.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::{Index, IndexMut};

use crate::Doorbell;
use crate::merge::{Merge, Pick, PickPair, Source, pick};

/// Up to how many sources a receiver looks at all of them (sources).
pub(crate) const FEW: usize = 4;

/// How many empty sources are looked at by each pick, the last that had messages: a stream is not armed
/// between two of its messages (sources).
const WATCHED: usize = 4;

/// How often a doorbell may tell of one source between two looks at it: as one that has left, under the index
/// that it had, and under the one that it has (times). So that telling allocates nothing.
const TOLD_OF_EACH: usize = 3;

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

/// A source that has a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    /// At most the stamp of its head.
    stamp: u64,
    index: u32,
}

/// Which sources are due, watched and cold.
#[derive(Debug, Default)]
struct Known {
    /// What was picked last, if it is due.
    front: Option<Due>,
    /// The others that are.
    due: BinaryHeap<Reverse<Due>>,
    /// The one that has been empty for the longest time comes first.
    watched: Vec<u32>,
    /// Of each source, whether it is.
    cold: Vec<bool>,
    /// What was just read from the doorbell.
    told: Vec<u32>,
    /// For how many sources the doorbell has room.
    room: usize,
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
        for index in known.not_cold() {
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
            Some(known) => known.pick(&mut self.list, bell).into(),
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
            Some(known) => known.not_cold().for_each(|index| self.list[index].commit()),
        }
    }
}

impl Known {
    /// There are more sources than before: so many.
    fn join(&mut self, sources: usize) {
        for index in self.cold.len()..sources {
            self.cold.push(false);
            self.watched.push(tag(index));
        }
    }

    /// The source at `index` has gone, and the last one is there now.
    fn forget(&mut self, index: usize) {
        let last = self.cold.len() - 1;
        let stays = |at: u32| at != tag(index) && at != tag(last);
        self.front = self.front.filter(|front| stays(front.index));
        self.due.retain(|Reverse(due)| stays(due.index));
        self.watched.retain(|&at| stays(at));
        self.cold.pop();
        if let Some(cold) = self.cold.get_mut(index) {
            // It is armed with another tag, if it is: it is armed anew when nothing is found.
            *cold = false;
            self.watched.push(tag(index));
        }
    }

    /// The indices of all that are due or watched.
    fn not_cold(&self) -> impl Iterator<Item = usize> {
        let due = self.front.iter().chain(self.due.iter().map(|Reverse(due)| due)).map(|due| due.index);
        due.chain(self.watched.iter().copied()).map(|index| index as usize)
    }

    #[inline(never)] // Who reads a few sources is small without it.
    fn pick<S: Source>(&mut self, list: &mut [S], bell: &Doorbell) -> PickPair {
        self.choose(list, bell).into()
    }

    #[inline]
    fn choose<S: Source>(&mut self, list: &mut [S], bell: &Doorbell) -> Option<Pick> {
        if self.settle(list).is_none() {
            self.look(list, bell);
        }
        let mut front = self.settle(list)?;
        while self.look(list, bell) {
            front = self.settle(list)?;
        }
        self.cool_down(list, bell);
        let below = self.due.peek().map_or(u64::MAX, |Reverse(next)| next.stamp);
        // Two subscriptions to one topic have equal stamps: the first of them is read then, not neither.
        Some(Pick { index: front.index as usize, below: below.max(front.stamp + 1) })
    }

    /// Sees to it that `front` is the one with the lowest head of all that are due.
    fn settle<S: Source>(&mut self, list: &mut [S]) -> Option<Due> {
        loop {
            let Due { index, .. } = self.front.take().or_else(|| Some(self.due.pop()?.0))?;
            let Some(stamp) = list[index as usize].head() else {
                self.watched.push(index);
                continue;
            };
            let here = Due { stamp, index };
            let lower = self.due.peek_mut().filter(|lowest| lowest.0 < here);
            let Some(mut lowest) = lower else {
                self.front = Some(here);
                return self.front;
            };
            self.front = Some(std::mem::replace(&mut lowest.0, here));
        }
    }

    /// Watches those of which the doorbell tells.
    #[inline]
    fn hear(&mut self, bell: &Doorbell) {
        if bell.has_told() {
            self.hear_all(bell);
        }
    }

    #[inline(never)]
    fn hear_all(&mut self, bell: &Doorbell) {
        bell.take_told(&mut self.told);
        for index in self.told.drain(..) {
            // A source that is not cold was told of before it got another index.
            let cold = self.cold.get_mut(index as usize).map(std::mem::take);
            if cold == Some(true) {
                self.watched.push(index);
            }
        }
    }

    /// Looks at all that are watched, and at those of which the doorbell tells. Whether one of them is lower
    /// than `front`.
    fn look<S: Source>(&mut self, list: &mut [S], bell: &Doorbell) -> bool {
        self.hear(bell);
        let Self { front, due, watched, .. } = self;
        let mut lower = false;
        watched.retain(|&index| {
            let Some(stamp) = list[index as usize].head() else { return true };
            lower |= front.is_none_or(|front| stamp < front.stamp);
            due.push(Reverse(Due { stamp, index }));
            false
        });
        lower
    }

    /// Watches no more than a few.
    #[inline]
    fn cool_down<S: Source>(&mut self, list: &mut [S], bell: &Doorbell) {
        if let Some(excess @ 1..) = self.watched.len().checked_sub(WATCHED) {
            self.arm_watched(list, bell, excess);
        }
    }

    /// Arms the first `most` of those that are watched. Whether one of them has a message.
    #[inline(never)]
    fn arm_watched<S: Source>(&mut self, list: &mut [S], bell: &Doorbell, most: usize) -> bool {
        let Self { watched, cold, told, room, .. } = self;
        if *room < list.len() {
            *room = list.len().next_power_of_two();
            bell.make_room_to_tell(*room * TOLD_OF_EACH);
            // So that nothing is allocated when the bell is read, under a lock that publishers wait for.
            told.reserve(*room * TOLD_OF_EACH);
        }
        let (mut at, mut found) = (0, false);
        watched.retain(|&index| {
            at += 1;
            if at > most {
                return true;
            }
            let has_message = list[index as usize].arm_as(Some(index));
            found |= has_message;
            cold[index as usize] = !has_message;
            has_message
        });
        found
    }

    #[inline(never)]
    fn arm<S: Source>(&mut self, list: &mut [S], bell: &Doorbell) -> bool {
        self.hear(bell);
        let due = self.front.take().into_iter().chain(self.due.drain().map(|Reverse(due)| due));
        self.watched.extend(due.map(|due| due.index));
        let found = self.arm_watched(list, bell, usize::MAX);
        // Last: whoever has told meanwhile may have found the bell not yet set.
        bell.tells() || found
    }
}

/// What the source at `index` is armed with.
fn tag(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
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
