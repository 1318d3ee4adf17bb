//! Code that is no actor and listens to some topics in bytes.

use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, ready};

use mycelium_mailbox::{Doorbell, Merge, Sources, poll_pick};

use super::{WireLook, WireQueue};
use crate::live::bus::BusCore;
use crate::live::cancel::CancelPoint;
use crate::live::current::poll_turn;
use crate::live::topics::QueueOwner;
use crate::wire::{WireArray, WireMessage};
use crate::{Identity, SpawnError, Subscription, WireTopics};

/// The live half of a [`WireSubscriber`](crate::WireSubscriber).
pub(crate) struct LiveEars {
    queues: Sources<Box<dyn WireQueue>>,
    bell: Arc<Doorbell>,
    /// Where its service ends, if it waits for the next message there.
    at: Option<CancelPoint>,
}

impl LiveEars {
    pub(crate) fn new(
        core: &BusCore,
        topics: &WireTopics,
        how: &Subscription<WireMessage>,
        who: Option<Arc<Identity>>,
    ) -> Result<Self, SpawnError> {
        let owner = QueueOwner { who, bell: Arc::new(Doorbell::new()) };
        let wanted = core.wire.wanted(topics)?.into_iter();
        let listen = |(at, _)| core.wire.listen_at(&core.topics, at, how, &owner);
        let queues = wanted.map(listen).collect::<Result<_, _>>()?;
        Ok(Self { queues, bell: owner.bell, at: None })
    }

    /// Nobody waits for the next message any more.
    pub(crate) fn forget_wait(&mut self) {
        self.at = None;
    }

    pub(crate) fn poll_recv(&mut self, cx: &mut TaskContext<'_>) -> Poll<Option<WireMessage>> {
        ready!(poll_turn(cx, &mut self.at));
        if let Some(message) = self.try_recv() {
            return Poll::Ready(Some(message));
        }
        if self.queues.iter().all(|queue| queue.is_finished()) {
            return Poll::Ready(None);
        }
        match poll_pick(&mut self.queues, &self.bell, cx) {
            Poll::Ready(_) => match self.try_recv() {
                Some(message) => Poll::Ready(Some(message)),
                None => {
                    cx.waker().wake_by_ref();
                    Poll::Pending
                }
            },
            Poll::Pending if self.queues.iter().all(|queue| queue.is_finished()) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    }

    pub(crate) fn try_recv(&mut self) -> Option<WireMessage> {
        let mut got = None;
        self.drain(1, &mut |delivery| got.replace(delivery.to_message()).is_none());
        got
    }

    /// Shows at most `most` messages, up to the first that `look` does not take; how many it has taken.
    pub(crate) fn drain(&mut self, most: usize, look: &mut WireLook<'_>) -> usize {
        let mut seen = 0;
        while seen < most
            && let Some(pick) = self.queues.pick(&self.bell)
        {
            let (more, goes_on) = self.queues[pick.index].drain(pick.below, most - seen, look);
            seen += more;
            if !goes_on {
                break;
            }
        }
        seen
    }

    /// See [`WireSubscriber::read_array`](crate::WireSubscriber::read_array).
    pub(crate) fn read_array(&mut self, of: &WireArray, out: &mut [u8]) -> usize {
        let (room, mut taken) = (out.len() / of.stride, 0);
        while taken < room {
            let Some(pick) = self.queues.pick(&self.bell) else { break };
            let queue = &mut self.queues[pick.index];
            let read = queue.read_array(pick.below, of, &mut out[taken * of.stride..]);
            taken += read;
            if read == 0 && queue.peek(pick.below).is_some() {
                break;
            }
        }
        taken
    }

    /// How many messages wait.
    pub(crate) fn unread(&self) -> usize {
        let unread = self.queues.iter().map(|queue| queue.unread()).sum::<u64>();
        usize::try_from(unread).unwrap_or(usize::MAX)
    }
}
