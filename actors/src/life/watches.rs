//! Who watches whom, and what is told of an end: to each watch once.
//!
//! # Protocol
//! A watcher has a [`WatchList`], which numbers its watches; who is watched has a [`WatcherList`]. A watch
//! that begins before the end waits in the second list until the end takes all of it. One that comes later
//! is told at once. So it has one notice, which the host brings in its turn, after all that the other had
//! sent. The watcher forgets the watch when it [takes](WatchList::take_in) that notice, and hears nothing of
//! one that it has forgotten before. A life of the watcher that ends forgets all its watches.

use std::collections::BTreeMap;

use crate::{ActorId, Down, Monitor, StopReason};

/// What an end is to a watcher.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WatchKind {
    /// A message.
    Watch,
    /// Its own end, if it is abnormal.
    Dependency,
}

/// The end of an actor, on its way to one watcher.
#[derive(Clone, Debug)]
pub(crate) struct EndNotice {
    pub(crate) down: Down,
    pub(crate) kind: WatchKind,
}

/// What a notice means when its turn has come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoticeMeaning<'a> {
    /// Nothing: the watch was forgotten, or what one depended on has ended as it should.
    Nothing,
    /// The watcher handles this.
    Handle(&'a Down),
    /// The watcher ends for this reason.
    End(StopReason),
}

/// Whom one actor watches, each as a `T`.
#[derive(Debug)]
pub(crate) struct WatchList<T> {
    watched: BTreeMap<Monitor, T>,
    next: u64,
}

impl<T> Default for WatchList<T> {
    fn default() -> Self {
        Self { watched: BTreeMap::new(), next: 0 }
    }
}

impl<T> WatchList<T> {
    /// A new watch of `other`.
    pub(crate) fn begin(&mut self, watcher: ActorId, other: T) -> Monitor {
        let monitor = Monitor { watcher, number: self.next };
        self.next += 1;
        self.watched.insert(monitor, other);
        monitor
    }

    /// Ends a watch; who was watched, if there was one whose notice has not been taken in.
    pub(crate) fn forget(&mut self, monitor: Monitor) -> Option<T> {
        self.watched.remove(&monitor)
    }

    /// Ends all of them.
    pub(crate) fn forget_all(&mut self) -> BTreeMap<Monitor, T> {
        std::mem::take(&mut self.watched)
    }

    /// The turn of a notice has come.
    pub(crate) fn take_in<'a>(&mut self, notice: &'a EndNotice) -> NoticeMeaning<'a> {
        let EndNotice { down, kind } = notice;
        match (self.forget(down.monitor), kind) {
            (None, _) => NoticeMeaning::Nothing,
            (Some(_), WatchKind::Watch) => NoticeMeaning::Handle(down),
            (Some(_), WatchKind::Dependency) => {
                down.to_dependent().map_or(NoticeMeaning::Nothing, NoticeMeaning::End)
            }
        }
    }
}

/// Who watches one actor, each by a `W` that brings a notice.
#[derive(Debug)]
pub(crate) struct WatcherList<W>(BTreeMap<Monitor, (W, WatchKind)>);

impl<W> Default for WatcherList<W> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<W> WatcherList<W> {
    /// Adds a watch, or gives back the notice that it has at once. `down`: what is told to it, if this actor
    /// has ended.
    pub(crate) fn join(
        &mut self,
        monitor: Monitor,
        (watcher, kind): (W, WatchKind),
        down: Option<Down>,
    ) -> Option<(W, EndNotice)> {
        match down {
            Some(down) => Some((watcher, EndNotice { down, kind })),
            None => {
                self.0.insert(monitor, (watcher, kind));
                None
            }
        }
    }

    /// Its watcher has forgotten this one.
    pub(crate) fn leave(&mut self, monitor: Monitor) -> Option<W> {
        Some(self.0.remove(&monitor)?.0)
    }

    /// The notice of each, now that this actor has ended: with what `down` says.
    pub(crate) fn notices(
        self,
        down: impl Fn(Monitor) -> Option<Down>,
    ) -> impl Iterator<Item = (W, EndNotice)> {
        let all = self.0.into_iter();
        all.filter_map(move |(monitor, (watcher, kind))| {
            Some((watcher, EndNotice { down: down(monitor)?, kind }))
        })
    }

    #[cfg(any(test, not(shuttle)))]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use mycelium_random::{Random, seeds};

    use super::*;
    use crate::Identity;

    fn down(monitor: Monitor, reason: &StopReason) -> Down {
        let actor = Identity { id: ActorId(1), name: "Watched", path: None };
        Down { monitor, actor, reason: reason.clone() }
    }

    /// One is watched by several, which forget and end as they like; then it ends, and others come.
    #[test]
    fn each_watch_is_told_once_unless_it_was_forgotten() {
        for seed in seeds(2_000) {
            let mut random = Random::new(seed);
            let reason = random.pick(&[StopReason::Normal, StopReason::Killed]);
            let mut lists: Vec<WatchList<()>> = (0..3).map(|_| WatchList::default()).collect();
            let (mut watchers, mut queue) = (WatcherList::default(), VecDeque::new());
            // What is still to be heard of, in order of the watches.
            let mut expected: Vec<(usize, Monitor, WatchKind)> = Vec::new();
            let mut has_ended = false;
            for _ in 0..random.below(40) {
                let who = random.index(lists.len());
                match random.below(12) {
                    0..6 => {
                        let kind = random.pick(&[WatchKind::Watch, WatchKind::Dependency]);
                        let monitor = lists[who].begin(ActorId(who as u64 + 2), ());
                        expected.push((who, monitor, kind));
                        let end = has_ended.then(|| down(monitor, &reason));
                        queue.extend(watchers.join(monitor, (who, kind), end));
                    }
                    6..9 => {
                        let Some((who, monitor, _)) = expected.get(random.index(40)).copied() else {
                            continue;
                        };
                        assert!(lists[who].forget(monitor).is_some());
                        assert_eq!(watchers.leave(monitor).is_some(), !has_ended);
                        expected.retain(|(_, other, _)| *other != monitor);
                    }
                    9 => {
                        for monitor in lists[who].forget_all().into_keys() {
                            watchers.leave(monitor);
                        }
                        expected.retain(|(other, ..)| *other != who);
                    }
                    _ if !has_ended => {
                        has_ended = true;
                        let all = std::mem::take(&mut watchers);
                        queue.extend(all.notices(|monitor| Some(down(monitor, &reason))));
                    }
                    _ => {}
                }
            }
            let mut heard = Vec::new();
            for (who, notice) in queue {
                let monitor = notice.down.monitor;
                match (lists[who].take_in(&notice), notice.kind) {
                    (NoticeMeaning::Handle(of), WatchKind::Watch) => assert_eq!(of.monitor, monitor),
                    (NoticeMeaning::End(_), WatchKind::Dependency) => assert!(reason.is_abnormal()),
                    (NoticeMeaning::Nothing, WatchKind::Dependency) if !reason.is_abnormal() => {}
                    (NoticeMeaning::Nothing, _) => {
                        assert!(!expected.iter().any(|(_, other, _)| *other == monitor));
                        continue;
                    }
                    (other, kind) => panic!("{kind:?} means {other:?}"),
                }
                assert_eq!(lists[who].take_in(&notice), NoticeMeaning::Nothing, "it is told once");
                heard.push(monitor);
            }
            let mut expected: Vec<_> = expected.iter().map(|(_, monitor, _)| *monitor).collect();
            // Nothing is what a dependency that was forgotten means, too.
            heard.retain(|monitor| expected.contains(monitor));
            heard.sort();
            expected.sort();
            assert_eq!(heard, if has_ended { expected } else { Vec::new() });
            assert_eq!(!watchers.is_empty(), !has_ended && lists.iter().any(|list| !list.watched.is_empty()));
        }
    }
}
