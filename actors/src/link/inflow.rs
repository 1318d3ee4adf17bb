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
    /// Types that were in the channel of a backlog when channels changed: they stay with it until it is
    /// empty, so that none of their messages passes those that wait there.
    homes: Vec<(u16, u16)>,
    held: usize,
    held_bytes: usize,
    held_bytes_max: usize,
    refused: u64,
    pub(super) paused: bool,
}

/// What waits in one channel.
struct Backlog {
    channel: u16,
    /// The first one, which was tried: its type, its length, and the attempt.
    first: Option<(u16, usize, HeldPublish)>,
    others: VecDeque<WireValue>,
}

impl Inflow {
    /// `held_bytes_max`: how much may wait here.
    pub(super) fn new(core: Arc<BusCore>, sender: u64, held_bytes_max: usize) -> Self {
        Self {
            core,
            sender,
            wanted: Arc::default(),
            channels: Vec::new(),
            homes: Vec::new(),
            held: 0,
            held_bytes: 0,
            held_bytes_max,
            refused: 0,
            paused: false,
        }
    }

    /// Whether as much waits here as may.
    pub(super) fn is_full(&self) -> bool {
        self.held_bytes >= self.held_bytes_max
    }

    /// From now on types are in these channels. Types of a channel in which messages wait stay there until
    /// none do.
    pub(super) fn set_wanted(&mut self, wanted: Arc<Interest>) {
        let held = self.channels.iter().flat_map(Backlog::types);
        let types: Vec<u16> = self.wanted.iter().map(|(type_id, _)| *type_id).chain(held).collect();
        for type_id in types {
            let channel = self.channel(type_id);
            let waits = self.channels.iter().any(|backlog| backlog.channel == channel);
            if waits && !self.homes.iter().any(|(home, _)| *home == type_id) {
                self.homes.push((type_id, channel));
            }
        }
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
        self.held_bytes += bytes.len();
        false
    }

    /// The channel that messages of this type wait in.
    fn channel(&self, type_id: u16) -> u16 {
        if let Some((_, channel)) = self.homes.iter().find(|(home, _)| *home == type_id) {
            return *channel;
        }
        let wanted = self.wanted.binary_search_by_key(&type_id, |(type_id, _)| *type_id);
        wanted.map_or(type_id, |at| self.wanted[at].1)
    }

    /// The backlog that messages of this type wait in.
    fn place(&mut self, type_id: u16) -> usize {
        let channel = self.channel(type_id);
        let found = self.channels.iter().position(|backlog| backlog.channel == channel);
        found.unwrap_or_else(|| {
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
            while let Some(Unheld { type_id, bytes, result }) =
                self.channels[at].poll(&self.core, self.sender, cx)
            {
                self.held -= 1;
                self.held_bytes -= bytes;
                if let Err(error) = result {
                    self.refuse(type_id, &error);
                }
                gone(type_id);
            }
        }
        self.channels.retain(|backlog| backlog.first.is_some() || !backlog.others.is_empty());
        let Self { homes, channels, .. } = self;
        homes.retain(|(_, channel)| channels.iter().any(|backlog| backlog.channel == *channel));
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

/// A message that waits no more.
struct Unheld {
    type_id: u16,
    bytes: usize,
    /// What was said of it if it was not taken.
    result: Result<(), String>,
}

impl Backlog {
    /// The types of what waits.
    fn types(&self) -> impl Iterator<Item = u16> {
        let first = self.first.iter().map(|(type_id, ..)| *type_id);
        first.chain(self.others.iter().map(|value| value.header().type_id))
    }

    /// The next message that waits no more.
    fn poll(&mut self, core: &Arc<BusCore>, sender: u64, cx: &mut TaskContext<'_>) -> Option<Unheld> {
        if self.first.is_none() {
            let value = self.others.pop_front()?;
            let (type_id, bytes) = (value.header().type_id, value.bytes().len());
            match try_publish(core, value.header(), value.bytes(), sender) {
                Ok(()) => return Some(Unheld { type_id, bytes, result: Ok(()) }),
                Err(NotTaken::Told(error)) => return Some(Unheld { type_id, bytes, result: Err(error) }),
                Err(NotTaken::Full) => {
                    let core = Arc::clone(core);
                    let waiting =
                        async move { core.publish_wire(value.header(), value.bytes(), Some(sender)).await };
                    self.first = Some((type_id, bytes, Box::pin(waiting)));
                }
            }
        }
        let (type_id, bytes, waiting) = self.first.as_mut()?;
        let polled = StopReason::catch(|| waiting.as_mut().poll(cx));
        let result = match polled {
            Ok(Poll::Pending) => return None,
            Ok(Poll::Ready(result)) => result.map_err(|error| error.to_string()),
            Err(panicked) => Err(panicked.to_string()),
        };
        let passed = Unheld { type_id: *type_id, bytes: *bytes, result };
        self.first = None;
        Some(passed)
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
