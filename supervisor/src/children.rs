//! The children of one supervisor, in start order.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeBounds;
use std::sync::Arc;
use std::time::Duration;

use crate::backoff::BackoffState;
use crate::message::{ChildInfo, ChildRef, ChildStatus, Counts};
use crate::reason::ExitReason;
use crate::spec::{ChildKind, ChildSpec};

/// Where a child stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No life, and none to come by itself.
    Down,
    /// A life that has not reported yet.
    Starting { life: u64 },
    /// A life, since this time.
    Running { life: u64, since: Duration },
    /// Told to stop; not gone yet.
    Stopping { life: u64, killed: bool },
    /// This life ended by itself after `ran`, and its exit waits in the supervisor's mailbox: a dead pid in
    /// OTP.
    Ended { life: u64, reason: ExitReason, ran: Duration },
    /// A restart failed at `since`, and another try waits in the supervisor's mailbox.
    Retrying { since: Duration },
    /// To be started again at `until`; this restart is in the intensity window already.
    Waiting { until: Duration },
}

impl State {
    /// Whether the supervisor starts it again by itself.
    pub(crate) fn comes_again(&self) -> bool {
        matches!(self, Self::Retrying { .. } | Self::Waiting { .. })
    }

    /// The life that the shell still holds.
    pub(crate) fn life(&self) -> Option<u64> {
        match self {
            Self::Starting { life } | Self::Running { life, .. } | Self::Stopping { life, .. } => Some(*life),
            Self::Down | Self::Ended { .. } | Self::Retrying { .. } | Self::Waiting { .. } => None,
        }
    }
}

/// One child.
#[derive(Debug)]
pub(crate) struct Slot<F> {
    pub(crate) spec: Arc<ChildSpec<F>>,
    pub(crate) backoff: BackoffState,
    state: State,
    /// Among those that wait until the same time, who came first.
    wait_order: u64,
}

impl<F> Slot<F> {
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// What OTP would have as the child's pid while the supervisor rests: a life that runs, or that has ended
    /// without the supervisor having dealt with it.
    pub(crate) fn pid(&self, key: u64) -> Option<ChildRef> {
        match self.state {
            State::Running { life, .. } | State::Ended { life, .. } => Some(ChildRef { slot: key, life }),
            _ => None,
        }
    }

    /// Whether a restart is due, after a failed one or after its backoff (`restarting` in OTP).
    pub(crate) fn restarts(&self) -> bool {
        matches!(self.state, State::Retrying { .. } | State::Waiting { .. })
    }
}

/// Children by a key that grows with each addition, so that key order is start order; ids lead to keys.
#[derive(Debug)]
pub(crate) struct Children<F> {
    slots: BTreeMap<u64, Slot<F>>,
    keys: BTreeMap<Arc<str>, u64>,
    next_key: u64,
    /// Children with lower keys were there at the beginning.
    first_added: u64,
    next_life: u64,
    /// Significant children that are not `Down`, kept so that an auto-shutdown costs no walk.
    significant_active: usize,
    /// Children in `Waiting`, soonest first, then in the order in which they began to wait.
    waits: BTreeSet<(Duration, u64, u64)>,
    next_wait_order: u64,
    /// How often a child has begun or ceased to wait.
    wait_changes: u64,
}

impl<F> Children<F> {
    pub(crate) fn new() -> Self {
        Self {
            slots: BTreeMap::new(),
            keys: BTreeMap::new(),
            next_key: 0,
            first_added: 0,
            next_life: 0,
            significant_active: 0,
            waits: BTreeSet::new(),
            next_wait_order: 0,
            wait_changes: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn significant_active(&self) -> usize {
        self.significant_active
    }

    /// The child whose wait ends first, and when.
    pub(crate) fn next_wait(&self) -> Option<(Duration, u64)> {
        self.waits.first().map(|(until, _, key)| (*until, *key))
    }

    /// The children that wait and until when, the one whose wait ends first in front.
    pub(crate) fn waits(&self) -> impl Iterator<Item = (&Arc<str>, Duration)> {
        let slots = self.waits.iter().map(|(until, _, key)| (self.slots.get(key), *until));
        slots.filter_map(|(slot, until)| Some((&slot?.spec.id, until)))
    }

    pub(crate) fn wait_changes(&self) -> u64 {
        self.wait_changes
    }

    /// Adds a child after the others. The id must be free.
    pub(crate) fn insert(&mut self, spec: Arc<ChildSpec<F>>) -> u64 {
        let key = self.next_key;
        self.next_key += 1;
        self.keys.insert(spec.id.clone(), key);
        self.slots
            .insert(key, Slot { spec, backoff: BackoffState::default(), state: State::Down, wait_order: 0 });
        key
    }

    /// Adds one that the supervisor begins with: before all others.
    pub(crate) fn declare(&mut self, spec: Arc<ChildSpec<F>>) {
        self.insert(spec);
        self.first_added = self.next_key;
    }

    /// Those that were added later.
    pub(crate) fn added(&self) -> impl Iterator<Item = &Arc<str>> {
        self.slots.range(self.first_added..).map(|(_, slot)| &slot.spec.id)
    }

    pub(crate) fn remove(&mut self, key: u64) {
        self.set_state(key, State::Down);
        if let Some(slot) = self.slots.remove(&key) {
            self.keys.remove(&slot.spec.id);
        }
    }

    pub(crate) fn key(&self, id: &str) -> Option<u64> {
        self.keys.get(id).copied()
    }

    pub(crate) fn get(&self, key: u64) -> Option<&Slot<F>> {
        self.slots.get(&key)
    }

    pub(crate) fn get_mut(&mut self, key: u64) -> Option<&mut Slot<F>> {
        self.slots.get_mut(&key)
    }

    /// The slot whose present life is `child`.
    pub(crate) fn alive(&self, child: ChildRef) -> Option<&Slot<F>> {
        self.slots.get(&child.slot).filter(|slot| slot.state.life() == Some(child.life))
    }

    pub(crate) fn set_state(&mut self, key: u64, state: State) {
        let Some(slot) = self.slots.get_mut(&key) else { return };
        if slot.spec.significant {
            self.significant_active += usize::from(state != State::Down);
            self.significant_active -= usize::from(slot.state != State::Down);
        }
        if let State::Waiting { until } = slot.state {
            self.waits.remove(&(until, slot.wait_order, key));
            self.wait_changes += 1;
        }
        if let State::Waiting { until } = state {
            self.next_wait_order += 1;
            self.wait_changes += 1;
            slot.wait_order = self.next_wait_order;
            self.waits.insert((until, slot.wait_order, key));
        }
        slot.state = state;
    }

    /// Begins a new life of the child.
    pub(crate) fn begin_life(&mut self, key: u64) -> ChildRef {
        self.next_life += 1;
        let life = self.next_life;
        self.set_state(key, State::Starting { life });
        ChildRef { slot: key, life }
    }

    /// The child with the highest key in the range.
    pub(crate) fn last_in(&self, range: impl RangeBounds<u64>) -> Option<(u64, &Slot<F>)> {
        self.slots.range(range).next_back().map(|(key, slot)| (*key, slot))
    }

    /// The child with the lowest key in the range.
    pub(crate) fn first_in(&self, range: impl RangeBounds<u64>) -> Option<u64> {
        self.slots.range(range).next().map(|(key, _)| *key)
    }

    /// Last started first, as `which_children` lists them.
    pub(crate) fn reversed(&self) -> impl Iterator<Item = (u64, &Slot<F>)> {
        self.slots.iter().rev().map(|(key, slot)| (*key, slot))
    }

    /// The child as it is at this moment.
    pub(crate) fn info(key: u64, slot: &Slot<F>) -> ChildInfo {
        let status = match slot.state {
            State::Down | State::Ended { .. } => ChildStatus::Down,
            State::Starting { .. } => ChildStatus::Starting,
            State::Running { life, .. } => ChildStatus::Running(ChildRef { slot: key, life }),
            State::Stopping { .. } => ChildStatus::Stopping,
            State::Waiting { until } | State::Retrying { since: until } => ChildStatus::Waiting { until },
        };
        ChildInfo { id: slot.spec.id.clone(), status, kind: slot.spec.kind }
    }

    /// The child as a call finds it: one whose exit comes later in the mailbox than the call is still listed.
    pub(crate) fn listed(key: u64, slot: &Slot<F>) -> ChildInfo {
        let info = Self::info(key, slot);
        match slot.pid(key) {
            Some(child) => ChildInfo { status: ChildStatus::Running(child), ..info },
            None => info,
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        let mut counts = Counts { specs: self.slots.len(), ..Counts::default() };
        for slot in self.slots.values() {
            counts.active += usize::from(matches!(slot.state, State::Running { .. }));
            match slot.spec.kind {
                ChildKind::Supervisor => counts.supervisors += 1,
                ChildKind::Worker => counts.workers += 1,
            }
        }
        counts
    }
}
