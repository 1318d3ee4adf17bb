//! Whose message is published, and for whom: for everybody, or for those of one round.
//!
//! A round ends when the last subscriber that is not apart leaves: the number of a topic's round is how often
//! that has happened. It is counted and compared inside the topic's lock, so that a message of an earlier
//! round reaches nobody, however fast one has left and another has come. Whether there is anything to
//! compare is known from a type: a publish for everybody is compiled without it.

use std::convert::Infallible;

use super::core::Refusal;
use super::error::TryPublishError;
use super::payload::Payload;
use super::publish::Publishing;
use super::{Form, Topic, each, kept};
use crate::discard::discard;

/// Whose message is published, and for whom: a number is the id of the sender, whose message is for
/// everybody; [`AsOf`] is a sender whose message is for those of one round.
pub trait Origin: Copy {
    /// What is said of a message of an earlier round; no value where there is no such message.
    type Outdated: Copy;
    /// What [`Publishing`] says of one that was not refused.
    type Published;
    /// That it was published.
    const PUBLISHED: Self::Published;

    /// The id of the sender, or 0.
    fn sender(self) -> u64;

    /// Whether a message is of an earlier round than this one.
    fn outdated(self, round: impl FnOnce() -> u64) -> Option<Self::Outdated>;

    /// That nobody got it.
    fn passed_over(outdated: Self::Outdated) -> Self::Published;
}

/// A sender whose message is for those who were subscribed when the topic had this round, and for those who
/// have joined them since; for nobody who came after all of them had left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsOf {
    /// The sender's id, or 0.
    pub sender: u64,
    /// What [`times_emptied`](super::Topic::times_emptied) was; `None`: the message is for everybody.
    pub round: Option<u64>,
}

impl From<u64> for AsOf {
    /// A message of this sender for everybody.
    fn from(sender: u64) -> Self {
        Self { sender, round: None }
    }
}

impl Origin for u64 {
    type Outdated = Infallible;
    type Published = ();
    const PUBLISHED: () = ();

    #[inline(always)]
    fn sender(self) -> u64 {
        self
    }

    #[inline(always)]
    fn outdated(self, _: impl FnOnce() -> u64) -> Option<Infallible> {
        None
    }

    fn passed_over(outdated: Infallible) {
        match outdated {}
    }
}

impl Origin for AsOf {
    type Outdated = ();
    type Published = bool;
    const PUBLISHED: bool = true;

    #[inline]
    fn sender(self) -> u64 {
        self.sender
    }

    #[inline]
    fn outdated(self, round: impl FnOnce() -> u64) -> Option<()> {
        self.round.is_some_and(|of_message| of_message != round()).then_some(())
    }

    fn passed_over((): ()) -> bool {
        false
    }
}

impl<M: Clone + Send + Sync + 'static> Topic<M> {
    /// [`try_publish`](Self::try_publish) for those of one round: a message that is outdated, because they
    /// have all left since, is dropped. Whether it is not. Others who have come meanwhile get nothing of it:
    /// that is found out in the moment in which the message would take its place.
    ///
    /// ```
    /// use std::sync::Arc;
    /// use mycelium_mailbox::{AsOf, Doorbell, Source, Stamps, SubscribeOptions, Topic};
    ///
    /// let topic = Topic::<u64>::new(Arc::new(Stamps::new()), 8);
    /// let subscribe = || topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
    /// let first = subscribe();
    /// let for_the_first = AsOf { sender: 0, round: Some(topic.times_emptied()) };
    /// assert!(topic.try_publish_as_of(1, for_the_first).unwrap());
    /// drop(first);
    /// let mut second = subscribe();
    /// assert!(!topic.try_publish_as_of(2, for_the_first).unwrap());
    /// assert!(second.head().is_none());
    /// ```
    ///
    /// # Errors
    /// Those of [`try_publish`](Self::try_publish).
    pub fn try_publish_as_of(&self, message: M, origin: AsOf) -> Result<bool, TryPublishError<M>> {
        each!(&self.form, core => {
            let mut payload = Some(Payload::wrap(message));
            match core.try_publish(&mut payload, origin) {
                Ok(()) => Ok(true),
                Err(Refusal::Outdated(())) => {
                    discard(payload.take());
                    Ok(false)
                }
                Err(Refusal::Closed) => Err(TryPublishError::Closed(kept(&mut payload).unwrap())),
                Err(Refusal::Full(by)) => {
                    core.counters.add_rejected();
                    Err(TryPublishError::Full { message: kept(&mut payload).unwrap(), by })
                }
            }
        })
    }

    /// [`try_publish_row`](Self::try_publish_row) for those of one round: none are where they have all left
    /// since.
    pub fn try_publish_row_as_of(&self, messages: &mut Vec<M>, origin: AsOf) -> usize {
        each!(&self.form, core => {
            core.try_publish_row(messages.len(), origin, |count| messages.drain(..count))
        })
    }

    /// [`publish`](Self::publish) for those of one round, whether or not it has to wait: `false` if they have
    /// all left before there was room.
    ///
    /// # Cancel safety
    /// Dropped before it is ready, nothing was published.
    ///
    /// # Errors
    /// Those of [`publish`](Self::publish).
    pub fn publish_as_of(&self, message: M, origin: AsOf) -> Publishing<'_, M, AsOf> {
        Publishing::new(&self.form, message, origin)
    }
}
