//! Which of many sources a look must ask: what [`Sources`](crate::Sources) and [`Groups`](crate::Groups) have
//! in common.
//!
//! # Protocol
//! A receiver of a few sources looks at all of them ([`pick`](crate::pick())). From [`FEW`] on, each source
//! is in one of three states:
//! - *due*: it has a message. `front` and `due` hold it with a stamp that is at most that of its head.
//! - *watched*: it was found empty a short while ago. Each pick looks at it.
//! - *cold*: it is empty and armed with its index as a tag. Nobody looks at it. A sender that puts a
//!   message into it writes the tag on the receiver's [`Doorbell`] first, and the next look finds it there.
//!
//! A source gets cold only by [`Source::arm_as`], which looks at the queue under its lock and arms it if it
//! is empty. A tag is written under the same lock, before anybody can see the message.
//!
//! Sources are in groups, each of which is read in order by itself ([`Heads`]); a receiver whose sources are
//! in one order has one. The doorbell is that of all groups ([`Cold`]). A look takes all tags from the
//! doorbell, whichever group is picked, and each goes to the group in which its source is ([`Grouped`]),
//! where it is watched from then on.
//!
//! # Why the order of `merge.rs` holds
//! Within one group: the last look of a pick is at the doorbell and at all watched sources, those just found
//! on the doorbell among them. Let C be a message that is handled after it, from x, and let A have been
//! published before C in y of the same group, A not yet handled. If y is cold when that look begins, it was
//! armed when it was empty, and A came later: so its tag was written before A could be seen, hence before C
//! was published, hence before the look, which has found it there. A look of another group that has found the
//! tag before has made y watched. So y was watched or due. If it was watched, the look has seen its head; if
//! it was due, what is held for it is at most its head. Either way `below` is at most A's stamp, and C's is
//! not below it.
//!
//! A source that goes to another group takes its state along if it is cold, and is watched there if it is
//! not, so the same holds there from the next pick on.
//!
//! A tag that nobody is armed with any more, as its source has left, may be found late. Then the source that
//! has its index is watched without need, and armed once more.
//!
//! # What it costs
//! A source becomes watched only by a message or when it joins, so the looks at watched sources are
//! [`WATCHED`] for each pick, and each source is armed once for each time that it was told.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::Doorbell;
use crate::merge::{Pick, PickPair, Source};

/// Up to how many sources a receiver looks at all of them (sources).
pub(crate) const FEW: usize = 4;

/// How many empty sources are looked at by each pick, the last that had messages: a stream is not armed
/// between two of its messages (sources).
const WATCHED: usize = 4;

/// How often a doorbell may tell of one source between two looks at it: as one that has left, under the index
/// that it had, and under the one that it has (times). So that telling allocates nothing.
const TOLD_OF_EACH: usize = 3;

/// A source that has a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Due {
    /// At most the stamp of its head.
    stamp: u64,
    index: u32,
}

/// Which sources of one group are due and watched.
#[derive(Debug, Default)]
pub(crate) struct Heads {
    /// What was picked last, if it is due.
    front: Option<Due>,
    /// The others that are.
    due: BinaryHeap<Reverse<Due>>,
    /// The one that has been empty for the longest time comes first.
    watched: Vec<u32>,
}

/// Which source is in which group.
pub(crate) trait Grouped {
    fn heads(&mut self, group: usize) -> &mut Heads;

    /// Those of the group of this source, which is cold no more.
    fn heads_of(&mut self, index: u32) -> &mut Heads;
}

/// All sources are in one.
impl Grouped for Heads {
    #[inline(always)]
    fn heads(&mut self, _: usize) -> &mut Heads {
        self
    }

    #[inline(always)]
    fn heads_of(&mut self, _: u32) -> &mut Heads {
        self
    }
}

impl Heads {
    /// The source at `index` is looked at by each pick.
    pub(crate) fn watch(&mut self, index: u32) {
        self.watched.push(index);
    }

    /// Only these are left.
    pub(crate) fn retain(&mut self, stays: impl Fn(u32) -> bool) {
        self.front = self.front.filter(|front| stays(front.index));
        self.due.retain(|Reverse(due)| stays(due.index));
        self.watched.retain(|&at| stays(at));
    }

    /// The indices of all that are due or watched.
    pub(crate) fn not_cold(&self) -> impl Iterator<Item = usize> {
        let due = self.front.iter().chain(self.due.iter().map(|Reverse(due)| due)).map(|due| due.index);
        due.chain(self.watched.iter().copied()).map(|index| index as usize)
    }

    /// Whether all of them are.
    pub(crate) fn are_cold(&self) -> bool {
        self.front.is_none() && self.due.is_empty() && self.watched.is_empty()
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

    /// Looks at all that are watched. Whether one of them is lower than `front`.
    fn look<S: Source>(&mut self, list: &mut [S]) -> bool {
        let Self { front, due, watched } = self;
        let mut lower = false;
        watched.retain(|&index| {
            let Some(stamp) = list[index as usize].head() else { return true };
            lower |= front.is_none_or(|front| stamp < front.stamp);
            due.push(Reverse(Due { stamp, index }));
            false
        });
        lower
    }

    /// Watches those that are due.
    fn watch_all(&mut self) {
        let due = self.front.take().into_iter().chain(self.due.drain().map(|Reverse(due)| due));
        self.watched.extend(due.map(|due| due.index));
    }
}

/// Which sources are cold, of all that one doorbell tells of.
#[derive(Debug, Default)]
pub(crate) struct Cold {
    /// Of each source, whether it is.
    cold: Vec<bool>,
    /// What was just read from the doorbell.
    told: Vec<u32>,
    /// For how many sources the doorbell has room.
    room: usize,
}

impl Cold {
    /// How many sources it knows.
    pub(crate) fn count(&self) -> usize {
        self.cold.len()
    }

    /// There is one source more, which is not.
    pub(crate) fn push(&mut self) {
        self.cold.push(false);
    }

    /// There is one less, the last.
    pub(crate) fn pop(&mut self) {
        self.cold.pop();
    }

    /// The source at `index` is cold no more. Whether it was; `None`: there is none.
    pub(crate) fn take(&mut self, index: usize) -> Option<bool> {
        self.cold.get_mut(index).map(std::mem::take)
    }

    pub(crate) fn has(&self, index: usize) -> bool {
        self.cold.get(index).copied().unwrap_or(false)
    }

    #[inline(never)] // Who reads a few sources is small without it.
    pub(crate) fn pick<S: Source>(
        &mut self,
        groups: &mut impl Grouped,
        group: usize,
        list: &mut [S],
        bell: &Doorbell,
    ) -> PickPair {
        self.choose(groups, group, list, bell).into()
    }

    #[inline]
    fn choose<S: Source>(
        &mut self,
        groups: &mut impl Grouped,
        group: usize,
        list: &mut [S],
        bell: &Doorbell,
    ) -> Option<Pick> {
        if groups.heads(group).settle(list).is_none() {
            self.hear(groups, bell);
            groups.heads(group).look(list);
        }
        let mut front = groups.heads(group).settle(list)?;
        loop {
            self.hear(groups, bell);
            let heads = groups.heads(group);
            if !heads.look(list) {
                break;
            }
            front = heads.settle(list)?;
        }
        let heads = groups.heads(group);
        self.cool_down(heads, list, bell);
        let below = heads.due.peek().map_or(u64::MAX, |Reverse(next)| next.stamp);
        // Two subscriptions to one topic have equal stamps: the first of them is read then, not neither.
        Some(Pick { index: front.index as usize, below: below.max(front.stamp + 1) })
    }

    /// Watches those of which the doorbell tells.
    #[inline]
    pub(crate) fn hear(&mut self, groups: &mut impl Grouped, bell: &Doorbell) {
        if bell.has_told() {
            self.hear_all(groups, bell);
        }
    }

    #[inline(never)]
    fn hear_all(&mut self, groups: &mut impl Grouped, bell: &Doorbell) {
        bell.take_told(&mut self.told);
        for index in self.told.drain(..) {
            // A source that is not cold was told of before it got another index.
            let cold = self.cold.get_mut(index as usize).map(std::mem::take);
            if cold == Some(true) {
                groups.heads_of(index).watch(index);
            }
        }
    }

    /// Watches no more than a few.
    #[inline]
    fn cool_down<S: Source>(&mut self, heads: &mut Heads, list: &mut [S], bell: &Doorbell) {
        if let Some(excess @ 1..) = heads.watched.len().checked_sub(WATCHED) {
            self.arm_watched(heads, list, bell, excess);
        }
    }

    /// Arms the first `most` of those that are watched. Whether one of them has a message.
    #[inline(never)]
    fn arm_watched<S: Source>(
        &mut self,
        heads: &mut Heads,
        list: &mut [S],
        bell: &Doorbell,
        most: usize,
    ) -> bool {
        let Self { cold, told, room } = self;
        if *room < list.len() {
            *room = list.len().next_power_of_two();
            bell.make_room_to_tell(*room * TOLD_OF_EACH);
            // So that nothing is allocated when the bell is read, under a lock that publishers wait for.
            told.reserve(*room * TOLD_OF_EACH);
        }
        let (mut at, mut found) = (0, false);
        heads.watched.retain(|&index| {
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

    /// Arms all of one group. Whether one of them has a message.
    pub(crate) fn arm<S: Source>(&mut self, heads: &mut Heads, list: &mut [S], bell: &Doorbell) -> bool {
        heads.watch_all();
        self.arm_watched(heads, list, bell, usize::MAX)
    }
}

/// What the source at `index` is armed with.
pub(crate) fn tag(index: usize) -> u32 {
    u32::try_from(index).unwrap_or(u32::MAX)
}
