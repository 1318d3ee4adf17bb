//! Messages from a peer on their way into the topics of this bus.
//!
//! What has room is published from where it lies in the buffer of the connection. What has none waits here,
//! by channels: a full subscriber keeps its channel waiting and no other. How much waits is bounded by the
//! credit that the peer was granted.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use mycelium_remote::frame::Header;

use super::TARGET;
use super::interest::Interest;
use crate::live::BusCore;
use crate::wire::WireValue;
use crate::{StopReason, WirePublishError};

/// A publish that waits for room.
type HeldPublish = Pin<Box<dyn Future<Output = Result<(), WirePublishError>> + Send>>;

pub(super) struct Inflow {
    core: Arc<BusCore>,
    /// Whose messages they are.
    sender: u64,
    wanted: Arc<Interest>,
    channels: Vec<Backlog>,
    /// Messages wait that came when types were in other channels.
    changed: bool,
    held: usize,
    refused: u64,
    pub(super) paused: bool,
}

/// What waits in one channel.
struct Backlog {
    channel: u16,
    /// The first one, which was tried.
    first: Option<(u16, HeldPublish)>,
    others: VecDeque<WireValue>,
}

impl Inflow {
    pub(super) fn new(core: Arc<BusCore>, sender: u64) -> Self {
        let (wanted, channels) = Default::default();
        Self { core, sender, wanted, channels, changed: false, held: 0, refused: 0, paused: false }
    }

    /// From now on types are in these channels. One in which messages wait keeps its channel until then.
    pub(super) fn set_wanted(&mut self, wanted: Arc<Interest>) {
        self.changed = self.held > 0;
        self.wanted = wanted;
    }

    /// Messages that wait for room.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// Messages that were not taken.
    pub(super) fn refused(&self) -> u64 {
        self.refused
    }

    /// A message has come. Whether it waits nowhere any more.
    pub(super) fn take(&mut self, header: &Header, bytes: &[u8]) -> bool {
        if self.held == 0 && !self.paused {
            match try_publish(&self.core, header, bytes, self.sender) {
                Ok(()) => return true,
                Err(NotTaken::Full) => {}
                Err(NotTaken::Told(error)) => {
                    self.refuse(header.type_id, &error);
                    return true;
                }
            }
        }
        let at = self.place(header.type_id);
        self.channels[at].others.push_back(WireValue::new(*header, bytes));
        self.held += 1;
        false
    }

    /// The backlog of this type: where messages of it wait already, or else that of its channel.
    fn place(&mut self, type_id: u16) -> usize {
        let holds = |backlog: &Backlog| {
            backlog.first.as_ref().is_some_and(|(first, _)| *first == type_id)
                || backlog.others.iter().any(|value| value.header.type_id == type_id)
        };
        let wanted = self.wanted.binary_search_by_key(&type_id, |(type_id, _)| *type_id);
        let channel = wanted.map_or(type_id, |at| self.wanted[at].1);
        if self.changed
            && let Some(at) = self.channels.iter().position(holds)
        {
            return at;
        }
        let of_channel = self.channels.iter().position(|backlog| backlog.channel == channel);
        of_channel.unwrap_or_else(|| {
            self.channels.push(Backlog { channel, first: None, others: VecDeque::new() });
            self.channels.len() - 1
        })
    }

    /// Publishes what has room by now, and tells the type of each message that waits no more. Whether there
    /// were any.
    pub(super) fn publish(&mut self, cx: &mut TaskContext<'_>, mut gone: impl FnMut(u16)) -> bool {
        if self.held == 0 || self.paused {
            return false;
        }
        let before = self.held;
        for at in 0..self.channels.len() {
            while let Some((type_id, result)) = self.channels[at].poll(&self.core, self.sender, cx) {
                self.held -= 1;
                if let Err(error) = result {
                    self.refuse(type_id, &error);
                }
                gone(type_id);
            }
        }
        self.channels.retain(|backlog| backlog.first.is_some() || !backlog.others.is_empty());
        self.changed &= self.held > 0;
        self.held < before
    }

    fn refuse(&mut self, type_id: u16, error: &str) {
        self.refused += 1;
        // Each power of two: a peer does not fill the log.
        if self.refused.is_power_of_two() {
            let refused = self.refused;
            tracing::warn!(target: TARGET, type_id, refused, error, "a message from a peer was not taken");
        }
    }
}

impl Backlog {
    /// The type of the next message that waits no more, and what was said of it if it was not taken.
    fn poll(
        &mut self,
        core: &Arc<BusCore>,
        sender: u64,
        cx: &mut TaskContext<'_>,
    ) -> Option<(u16, Result<(), String>)> {
        if self.first.is_none() {
            let value = self.others.pop_front()?;
            let type_id = value.header.type_id;
            match try_publish(core, &value.header, value.bytes(), sender) {
                Ok(()) => return Some((type_id, Ok(()))),
                Err(NotTaken::Told(error)) => return Some((type_id, Err(error))),
                Err(NotTaken::Full) => {
                    let core = Arc::clone(core);
                    let waiting =
                        async move { core.publish_wire(&value.header, value.bytes(), Some(sender)).await };
                    self.first = Some((type_id, Box::pin(waiting)));
                }
            }
        }
        let (type_id, waiting) = self.first.as_mut()?;
        let polled = StopReason::catch(|| waiting.as_mut().poll(cx));
        let result = match polled {
            Ok(Poll::Pending) => return None,
            Ok(Poll::Ready(result)) => result.map_err(|error| error.to_string()),
            Err(panicked) => Err(panicked.to_string()),
        };
        let type_id = *type_id;
        self.first = None;
        Some((type_id, result))
    }
}

enum NotTaken {
    /// There is no room.
    Full,
    /// It is not taken, for this reason.
    Told(String),
}

fn try_publish(core: &BusCore, header: &Header, bytes: &[u8], sender: u64) -> Result<(), NotTaken> {
    // Foreign code: `Clone` of the message, and keys.
    match StopReason::catch(|| core.try_publish_wire(header, bytes, Some(sender))) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(WirePublishError::Full { .. })) => Err(NotTaken::Full),
        Ok(Err(error)) => Err(NotTaken::Told(error.to_string())),
        Err(panicked) => Err(NotTaken::Told(panicked.to_string())),
    }
}
