//! What a tap has received and not shown yet: the newest, so many and no larger.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use mycelium::{WireMessage, WireSubscriber};
use tokio::sync::Notify;

/// How many messages wait to be shown, at most.
const MESSAGES_MAX: usize = 65_536;
/// How large they are together, at most (bytes). One that is larger waits alone.
const BYTES_MAX: usize = 64 << 20;
/// What a message takes beside its value (bytes).
const OVERHEAD: usize = 128;

/// Messages that wait to be shown. They are taken from the bus as they come, however long the reader of the
/// tap takes, because a queue of the bus is bounded in messages alone.
pub(super) struct Backlog {
    waiting: Mutex<Waiting<WireMessage>>,
    come: Notify,
}

/// The oldest first, each with its size.
struct Waiting<M> {
    messages: VecDeque<(M, usize)>,
    bytes: usize,
    bytes_max: usize,
    dropped: u64,
    /// Nothing more comes.
    ended: bool,
}

impl Backlog {
    /// What this subscriber receives from now on, on the runtime of this task.
    pub(super) fn of(mut subscriber: WireSubscriber) -> Arc<Self> {
        let backlog = Arc::new(Self { waiting: Mutex::new(Waiting::new(BYTES_MAX)), come: Notify::new() });
        let fed = Arc::downgrade(&backlog);
        tokio::spawn(async move {
            while let Some(message) = subscriber.recv().await {
                let Some(backlog) = fed.upgrade() else { return };
                let size = message.bytes().len() + OVERHEAD;
                backlog.waiting().put(message, size);
                backlog.come.notify_one();
            }
            if let Some(backlog) = fed.upgrade() {
                backlog.waiting().ended = true;
                backlog.come.notify_one();
            }
        });
        backlog
    }

    /// The oldest that waits, for one task at a time; `None`: nothing more comes. A call that is dropped
    /// takes nothing.
    pub(super) async fn next(&self) -> Option<WireMessage> {
        loop {
            {
                let mut waiting = self.waiting();
                let oldest = waiting.take();
                if oldest.is_some() || waiting.ended {
                    return oldest;
                }
            }
            self.come.notified().await;
        }
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting().messages.len()
    }

    /// How many had to go to make room.
    pub(super) fn dropped(&self) -> u64 {
        self.waiting().dropped
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<WireMessage>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<M> Waiting<M> {
    fn new(bytes_max: usize) -> Self {
        Self { messages: VecDeque::new(), bytes: 0, bytes_max, dropped: 0, ended: false }
    }

    fn put(&mut self, message: M, size: usize) {
        self.bytes += size;
        self.messages.push_back((message, size));
        while self.messages.len() > 1 && (self.bytes > self.bytes_max || self.messages.len() > MESSAGES_MAX) {
            _ = self.take();
            self.dropped += 1;
        }
    }

    fn take(&mut self) -> Option<M> {
        let (message, size) = self.messages.pop_front()?;
        self.bytes -= size;
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(waiting: &mut Waiting<usize>) -> Vec<usize> {
        std::iter::from_fn(|| waiting.take()).collect()
    }

    #[test]
    fn the_newest_that_are_no_larger_together_wait() {
        let mut waiting = Waiting::new(100);
        (0..10).for_each(|number| waiting.put(number, 30));
        assert_eq!((waiting.dropped, waiting.bytes), (7, 90));
        assert_eq!(waiting.take(), Some(7));
        waiting.put(10, 40);
        assert_eq!((all(&mut waiting), waiting.dropped, waiting.bytes), (vec![8, 9, 10], 7, 0));
    }

    #[test]
    fn one_that_is_too_large_waits_alone() {
        let mut waiting = Waiting::new(100);
        [(0, 50), (1, 1_000)].into_iter().for_each(|(number, size)| waiting.put(number, size));
        assert_eq!((all(&mut waiting), waiting.dropped, waiting.bytes), (vec![1], 1, 0));
    }

    #[test]
    fn so_many_wait_and_no_more() {
        let mut waiting = Waiting::new(usize::MAX);
        (0..=MESSAGES_MAX).for_each(|number| waiting.put(number, 0));
        assert_eq!((waiting.dropped, waiting.take(), waiting.messages.len()), (1, Some(1), MESSAGES_MAX - 1));
    }
}
