//! Sources of one receiver in groups, each of which is read in order by itself, for the price of those that
//! have something: see `heads.rs`.
//!
//! # Which groups have a turn
//! A receiver of many sources goes in each turn over the groups that are *active*. A group is, unless all its
//! sources are cold. It becomes active when a source joins it, or when the doorbell tells of one of its own,
//! and leaves the list when all are armed and empty: before a sleep, or when it was picked in vain
//! [`IDLE_PICKS`] times on end. So a message makes a few looks at its group, and one that has none makes no
//! look.
//!
//! A group that is *held* has a message that the receiver cannot take yet. It is active, as that source is
//! due, and is not armed, as nothing that comes could change that; so it does not keep the receiver awake.
//! Its cold sources stay armed: each rings once, and is watched then. The receiver looks at it in its next
//! turn, whatever has woken it.

use std::collections::BTreeMap;

use crate::Doorbell;
use crate::heads::{Cold, FEW, Grouped, Heads, tag};
use crate::merge::{Pick, Source, pick_by};

/// How often a group is picked in vain, on end, before it is left alone: a stream is not armed between two of
/// its messages (picks).
const IDLE_PICKS: u8 = 4;

/// All that one receiver reads from, in groups, each with a number. A group has at least one source.
///
/// ```
/// use std::sync::Arc;
/// use mycelium_mailbox::{Doorbell, Groups, Stamps, SubscribeOptions, Topic};
///
/// let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
/// let topics: Vec<_> = (0..100).map(|_| Topic::<u64>::new(stamps.clone(), 8)).collect();
/// let mut sources = Groups::new();
/// for (topic, number) in topics.iter().zip(0..) {
///     let source = topic.subscribe(bell.clone(), SubscribeOptions::default()).unwrap();
///     sources.push(number % 2, source);
/// }
/// for number in [70, 3, 98] {
///     topics[number].try_publish(number as u64, 0).unwrap();
/// }
/// let (mut seen, mut at) = (Vec::new(), 0);
/// while let Some(group) = sources.turn(at, &bell) {
///     while let Some(pick) = sources.pick(group, &bell) {
///         let source = sources.get_mut(pick.index).unwrap();
///         seen.push(*source.peek().unwrap().message);
///         source.advance();
///     }
///     at += 1;
/// }
/// sources.end_turn(&bell);
/// assert_eq!(seen, [70, 98, 3], "one group, and then the other");
/// ```
#[derive(Debug)]
pub struct Groups<S> {
    /// Each at its index for as long as it is here.
    list: Vec<Slot<S>>,
    /// The indices of those that have left.
    free: Vec<usize>,
    groups: Places,
    /// What is known of the sources, where they are more than a few.
    cold: Option<Box<Cold>>,
}

/// The place of a source, or of none.
#[derive(Debug)]
struct Slot<S>(Option<S>);

/// The sources that are read in one order.
#[derive(Debug, Default)]
struct Group {
    number: u32,
    /// Their indices.
    sources: Vec<u32>,
    heads: Heads,
    is_active: bool,
    is_held: bool,
    /// How often it was picked in vain since something was found.
    idle_picks: u8,
}

/// The groups, each at a place.
#[derive(Debug, Default)]
struct Places {
    list: Vec<Group>,
    /// The places of those that have no source.
    free: Vec<usize>,
    by_number: BTreeMap<u32, usize>,
    /// Of each source, the place of its group.
    of: Vec<usize>,
    /// The places of those that have turns, in their order. All, where there are few sources.
    active: Vec<usize>,
}

impl<S> Groups<S> {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self { list: Vec::new(), free: Vec::new(), groups: Places::default(), cold: None }
    }

    /// None, but it will be as if they were many.
    #[cfg(all(test, loom))]
    pub(crate) fn for_many() -> Self {
        Self { cold: Some(Box::default()), ..Self::new() }
    }

    /// Adds a source to the group with this number, and returns its index, which it has for as long as it is
    /// here.
    pub fn push(&mut self, number: u32, source: S) -> usize {
        let index = self.free.pop().unwrap_or(self.list.len());
        match self.list.get_mut(index) {
            Some(slot) => slot.0 = Some(source),
            None => {
                self.list.push(Slot(Some(source)));
                self.groups.of.push(0);
                self.cold.iter_mut().for_each(|cold| cold.push());
            }
        }
        self.groups.add(index, number);
        if self.cold.is_some() {
            self.groups.heads_of(tag(index)).watch(tag(index));
        } else if self.list.len() > FEW {
            let cold = self.cold.insert(Box::default());
            self.list.iter().for_each(|_| cold.push());
            self.groups.watch_all();
        } else {
            self.groups.activate(index);
        }
        index
    }

    /// Takes the source at `index` out, if there is one.
    pub fn remove(&mut self, index: usize) -> Option<S> {
        let source = self.list.get_mut(index)?.0.take()?;
        self.free.push(index);
        let was_cold = self.cold.as_mut().is_some_and(|cold| cold.take(index) == Some(true));
        self.groups.take_out(index, was_cold);
        Some(source)
    }

    /// Puts the source at `index` into the group with this number.
    pub fn regroup(&mut self, index: usize, number: u32) {
        if self.number(index).is_none_or(|before| before == number) {
            return;
        }
        let is_cold = self.cold.as_ref().is_some_and(|cold| cold.has(index));
        self.groups.take_out(index, is_cold);
        self.groups.add(index, number);
        if is_cold {
            return;
        }
        if self.cold.is_some() {
            self.groups.heads_of(tag(index)).watch(tag(index));
        } else {
            self.groups.activate(index);
        }
    }

    /// The number of the group in which the source at `index` is.
    #[must_use]
    pub fn number(&self, index: usize) -> Option<u32> {
        self.get(index)?;
        Some(self.groups.list[self.groups.of[index]].number)
    }

    /// The source at `index`.
    #[must_use]
    pub fn get(&self, index: usize) -> Option<&S> {
        self.list.get(index)?.0.as_ref()
    }

    /// The same, for use.
    pub fn get_mut(&mut self, index: usize) -> Option<&mut S> {
        self.list.get_mut(index)?.0.as_mut()
    }

    /// All of them, in the order of their indices.
    pub fn iter(&self) -> impl Iterator<Item = &S> {
        self.list.iter().filter_map(|slot| slot.0.as_ref())
    }

    /// All of them, with no more of it.
    pub fn into_sources(self) -> impl Iterator<Item = S> {
        self.list.into_iter().filter_map(|slot| slot.0)
    }

    /// Says of the group at this place whether the receiver can take nothing of it now, though there is
    /// something: then [`arm`](Self::arm) leaves it alone. For as long as it has sources.
    #[inline]
    pub fn hold(&mut self, place: usize, is_held: bool) {
        if let Some(group) = self.groups.list.get_mut(place) {
            group.is_held = is_held;
        }
    }

    /// Whether there is a group that is held.
    #[must_use]
    pub fn holds_any(&self) -> bool {
        self.groups.active.iter().any(|&place| self.groups.list[place].is_held)
    }
}

impl<S: Source> Groups<S> {
    /// The place of the group that is to be picked in this turn behind so many others, if there is one.
    #[inline]
    pub fn turn(&mut self, at: usize, bell: &Doorbell) -> Option<usize> {
        if let Some(place) = self.groups.active.get(at) {
            return Some(*place);
        }
        // Those of which the doorbell tells are the last.
        self.cold.as_mut()?.hear(&mut self.groups, bell);
        self.groups.active.get(at).copied()
    }

    /// Chooses the source that holds the oldest message of the group at this place, or `None` when all are
    /// empty: see [`pick`](crate::pick()). `bell` is what all sources ring.
    #[inline]
    pub fn pick(&mut self, place: usize, bell: &Doorbell) -> Option<Pick> {
        let group = self.groups.list.get_mut(place)?;
        if let Some(cold) = &mut self.cold {
            return pick_of_many(cold, &mut self.groups, place, &mut self.list, bell);
        }
        if let &[only] = &*group.sources {
            let index = only as usize;
            return self.list[index].head().map(|_| Pick { index, below: u64::MAX });
        }
        pick_of_few(&group.sources, &mut self.list)
    }

    /// Ends a turn: in the next one, the group that was second is the first. Those that have had nothing for
    /// some turns have none until they have.
    #[inline]
    pub fn end_turn(&mut self, bell: &Doorbell) {
        if self.groups.active.len() > 1 {
            self.groups.active.rotate_left(1);
        }
        if let Some(cold) = &mut self.cold {
            leave_idle(cold, &mut self.groups, &mut self.list, bell);
        }
    }

    /// [`Source::arm`] of all but those of groups that are held: whether one of them has a message already.
    pub fn arm(&mut self, bell: &Doorbell) -> bool {
        let Self { list, groups, cold, .. } = self;
        let Some(cold) = cold else {
            let mut found = false;
            for &place in &groups.active {
                let group = &groups.list[place];
                if !group.is_held {
                    group.sources.iter().for_each(|&index| found |= list[index as usize].arm());
                }
            }
            return found;
        };
        cold.hear(groups, bell);
        let mut found = false;
        for &place in &groups.active {
            let group = &mut groups.list[place];
            if !group.is_held {
                found |= cold.arm(&mut group.heads, list, bell);
            }
        }
        groups.leave_cold();
        // Last: whoever has told meanwhile may have found the bell not yet set.
        bell.tells() || found
    }

    /// Whether nothing is to be picked, of whichever group.
    pub fn are_empty(&mut self, bell: &Doorbell) -> bool {
        let mut at = 0;
        while let Some(place) = self.turn(at, bell) {
            if self.pick(place, bell).is_some() {
                return false;
            }
            at += 1;
        }
        true
    }
}

#[inline(never)] // Who reads a few sources is small without it.
fn pick_of_few<S: Source>(sources: &[u32], list: &mut [Slot<S>]) -> Option<Pick> {
    let pick: Option<Pick> = pick_by(sources.len(), |at| list[sources[at] as usize].head()).into();
    pick.map(|Pick { index, below }| Pick { index: sources[index] as usize, below })
}

#[inline(never)]
fn pick_of_many<S: Source>(
    cold: &mut Cold,
    groups: &mut Places,
    place: usize,
    list: &mut [Slot<S>],
    bell: &Doorbell,
) -> Option<Pick> {
    let pick: Option<Pick> = cold.pick(groups, place, list, bell).into();
    let group = &mut groups.list[place];
    group.idle_picks = if pick.is_some() { 0 } else { group.idle_picks.saturating_add(1) };
    pick
}

/// Arms those that were picked in vain for long.
#[inline(never)]
fn leave_idle<S: Source>(cold: &mut Cold, groups: &mut Places, list: &mut [Slot<S>], bell: &Doorbell) {
    let mut some = false;
    for &place in &groups.active {
        let group = &mut groups.list[place];
        if group.idle_picks >= IDLE_PICKS {
            some = true;
            cold.arm(&mut group.heads, list, bell);
        }
    }
    if some {
        groups.leave_cold();
    }
}

impl Grouped for Places {
    #[inline]
    fn heads(&mut self, place: usize) -> &mut Heads {
        &mut self.list[place].heads
    }

    fn heads_of(&mut self, index: u32) -> &mut Heads {
        let place = self.activate(index as usize);
        &mut self.list[place].heads
    }
}

impl Places {
    /// The source at `index` is in the group with this number from now on.
    fn add(&mut self, index: usize, number: u32) {
        let Self { list, free, by_number, of, .. } = self;
        let place = *by_number.entry(number).or_insert_with(|| {
            free.pop().unwrap_or_else(|| {
                list.push(Group::default());
                list.len() - 1
            })
        });
        list[place].number = number;
        list[place].sources.push(tag(index));
        of[index] = place;
    }

    /// It is in none.
    fn take_out(&mut self, index: usize, is_cold: bool) {
        let place = self.of[index];
        let group = &mut self.list[place];
        if !is_cold {
            group.heads.retain(|at| at != tag(index));
        }
        if let Some(at) = group.sources.iter().position(|&at| at == tag(index)) {
            group.sources.swap_remove(at);
        }
        if group.sources.is_empty() {
            self.by_number.remove(&group.number);
            self.free.push(place);
            self.active.retain(|&active| active != place);
            *group = Group::default();
        }
    }

    /// The group of this source has turns. Its place.
    fn activate(&mut self, index: usize) -> usize {
        let place = self.of[index];
        let group = &mut self.list[place];
        if !group.is_active {
            (group.is_active, group.is_held, group.idle_picks) = (true, false, 0);
            self.active.push(place);
        }
        place
    }

    /// All sources are watched: from now on there are many.
    fn watch_all(&mut self) {
        for place in self.by_number.values() {
            let group = &mut self.list[*place];
            group.sources.iter().for_each(|&index| group.heads.watch(index));
            if !group.is_active {
                group.is_active = true;
                self.active.push(*place);
            }
        }
    }

    /// Groups of cold sources have no turns.
    fn leave_cold(&mut self) {
        let Self { list, active, .. } = self;
        active.retain(|&place| {
            let group = &mut list[place];
            group.is_active = !group.heads.are_cold();
            group.is_active
        });
    }
}

impl<S: Source> Source for Slot<S> {
    #[inline]
    fn head(&mut self) -> Option<u64> {
        self.0.as_mut()?.head()
    }

    fn commit(&mut self) {
        self.0.iter_mut().for_each(Source::commit);
    }

    fn arm_as(&mut self, tag: Option<u32>) -> bool {
        self.0.as_mut().is_some_and(|source| source.arm_as(tag))
    }
}

impl<S> Default for Groups<S> {
    fn default() -> Self {
        Self::new()
    }
}
