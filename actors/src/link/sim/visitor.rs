//! Subscribers that come and go while a world runs.

use std::collections::BTreeMap;

use mycelium_random::Random;

use super::node::{Glimpse, sender};
use crate::{MessageBus, Subscriber, Subscription};

/// How many are at a node at once (subscribers).
pub(super) const VISITORS_MAX: usize = 3;

/// One who subscribes to glimpses for a while.
pub(super) struct VisitingSubscriber {
    queue: Subscriber<Glimpse>,
    /// The last glimpse of each process that was published before it came, where nobody else was here.
    before: Option<BTreeMap<u64, u64>>,
    /// The last one that it has heard of each process.
    heard: BTreeMap<u64, u64>,
    /// It hears each one behind the first, because nobody is given up or paused in this world.
    without_gaps: bool,
}

impl VisitingSubscriber {
    pub(super) fn come(
        bus: &MessageBus,
        random: &mut Random,
        before: Option<BTreeMap<u64, u64>>,
        without_gaps: bool,
    ) -> Self {
        let options = Subscription::block().capacity(random.pick(&[1, 4, 64]));
        Self { queue: bus.subscriber_with(options).unwrap(), before, heard: BTreeMap::new(), without_gaps }
    }

    /// The promises of every moment: each once, in order, without gaps, and nothing that was meant for those
    /// who had left. How many it has read.
    pub(super) fn read(&mut self, most: u64, published: &BTreeMap<u64, u64>) -> u64 {
        let mut read = 0;
        while read < most
            && let Some(glimpse) = self.queue.try_recv()
        {
            let (n, process) = (glimpse.n, sender(glimpse.n));
            assert!(published.get(&process).is_some_and(|last| n <= *last), "{n:#x} was never published");
            if let Some(last) = self.heard.insert(process, n) {
                assert!(n > last, "{n:#x} is heard behind {last:#x}");
                assert!(!self.without_gaps || n == last + 1, "{n:#x} is heard next to {last:#x}");
            }
            let before = self.before.as_ref().and_then(|before| before.get(&process));
            assert!(before.is_none_or(|before| n > *before), "{n:#x} was meant for those who had left");
            read += 1;
        }
        read
    }

    /// Whether it has heard the last one of each of these processes.
    pub(super) fn has_heard(&self, last: impl IntoIterator<Item = (u64, u64)>) -> bool {
        last.into_iter().all(|(process, n)| self.heard.get(&process) == Some(&n))
    }
}
