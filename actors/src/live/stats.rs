//! A look at a whole bus. Nothing is counted for it that is not counted anyway.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::address::{Member, Work};
use super::links::Bridge;
use crate::sync::Ordering;
use crate::{Alive, BusStats, Identity, MessageBus, QueueStats};

impl MessageBus {
    /// Who is alive, what was published, delivered and dropped, and what waits in which queue.
    ///
    /// It takes time in proportion to the actors and subscriptions, and stops no publisher. Each number is
    /// read by itself, so a message under way may be in one and not yet in another.
    ///
    /// ```
    /// # use mycelium::{BoxError, Message, MessageBus};
    /// # #[derive(Clone, Copy, Debug)]
    /// # struct Tick;
    /// # impl Message for Tick {
    /// #     const NAME: &'static str = "Tick";
    /// #     const TYPE_ID: u16 = 1;
    /// #     const TOPIC: &'static str = "ticks";
    /// # }
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), BoxError> {
    /// let bus = MessageBus::new();
    /// let _slow = bus.subscriber::<Tick>()?;
    /// bus.publisher::<Tick>()?.publish(Tick).await?;
    ///
    /// let stats = bus.stats();
    /// assert_eq!(stats.topics[0].published, 1);
    /// let fullest = &stats.queues[0];
    /// assert_eq!((fullest.message, fullest.waiting), (Some("Tick"), 1));
    /// println!("{stats}");
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stats(&self) -> BusStats {
        let core = &self.core;
        let members = core.members.youngest_first();
        let mut queues: Vec<QueueStats> = members.iter().filter_map(inbox).collect();
        let mut names: HashMap<u64, Identity> =
            members.iter().map(|member| (member.id().get(), member.identity())).collect();
        let links = core.links.get();
        if let Some(id) = links.map(Bridge::id) {
            names.insert(id.get(), Identity { id, name: "link", path: None });
        }
        for (message, queue) in core.topics.queues() {
            queues.push(QueueStats {
                receiver: names.get(&queue.id).cloned(),
                message: Some(message),
                policy: queue.policy,
                waiting: queue.waiting,
                capacity: queue.capacity,
            });
        }
        queues.sort_by(|a, b| {
            let by_name = || (&a.receiver, a.message).cmp(&(&b.receiver, b.message));
            b.fill().total_cmp(&a.fill()).then_with(by_name)
        });
        BusStats {
            at: core.clock.now(),
            alive: alive(&members),
            restarts: core.restarts.load(Ordering::Relaxed),
            pending_restarts: core.forest.pending_restarts(),
            pools: core.forest.pools(),
            topics: core.topics.stats(),
            queues,
            links: links.map(Bridge::stats).unwrap_or_default(),
            dead_letters: core.dead_letters.snapshot(),
        }
    }
}

fn alive(members: &[Arc<dyn Member>]) -> Vec<Alive> {
    let mut counts = BTreeMap::new();
    for member in members {
        let service = matches!(member.work(), Work::Service { .. });
        *counts.entry((service, member.path(), member.name())).or_insert(0) += 1;
    }
    let alive = counts.into_iter();
    alive.map(|((service, path, name), count)| Alive { name, path, service, count }).collect()
}

fn inbox(member: &Arc<dyn Member>) -> Option<QueueStats> {
    let (waiting, capacity) = member.inbox()?;
    let receiver = Some(member.identity());
    Some(QueueStats { receiver, message: None, policy: "block", waiting, capacity })
}
