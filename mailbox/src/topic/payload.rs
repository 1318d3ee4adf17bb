//! How a message lies in queues: itself up to 64 bytes, else one shared allocation.
//!
//! # Protocol of the readers
//! A message with a destructor, or of more than [`KEPT_BYTES_MAX`], counts the subscribers of its ring that
//! have not passed it: the publisher sets the number, inside the topic's lock, to that of the gates, each
//! of which passes each position once, whether it reads it, skips it, is moved past it or leaves. The
//! receiver that passes it as the last drops it. **Sync point "last reader"**: passing is a decrement with
//! `Release`, and who finds itself the last does so with `Acquire`, so that all other readers are done with
//! it. One that finds the number at 1 is alone and need not write. The slot is used again only after every
//! cursor is past it, and a cursor is told after that.

use super::lean_arc::LeanArc;
use super::ring::RingEntry;
use super::visible::{Entries, Visible};
use crate::sync::{AtomicU64, Ordering};

/// Messages up to this size are stored in place; larger ones travel as one allocation that all subscribers
/// share.
pub const INLINE_BYTES_MAX: usize = 64;

/// Messages without a destructor up to this size stay in their slots until those are used again: at the
/// default capacity they take at most 4 MiB of a topic, and readers need not agree on who is the last.
pub(crate) const KEPT_BYTES_MAX: usize = 4096;

/// What a slot holds for a message of type `Message`.
pub(crate) trait Payload: Clone + Send + Sync + 'static {
    type Message: Clone;
    /// Whether it counts its readers, of whom the last drops it.
    const COUNTED: bool;
    /// Whether it stays in its slot though it has memory to free, and whoever writes the slot again does
    /// that.
    const KEPT: bool = !Self::COUNTED && std::mem::needs_drop::<Self>();
    /// Whether a clone runs code of the message's author, which may do anything but wait for a lock of ours.
    const FOREIGN_CLONE: bool;
    /// Whether the message lies in the slot, so that to wrap it is to move it.
    const IN_SLOT: bool;
    fn wrap(message: Self::Message) -> Self;
    fn message(&self) -> &Self::Message;
    /// The message back, after a publish that stored it nowhere.
    fn unwrap(self) -> Self::Message;
    /// Whether [`unwrap`](Self::unwrap) gives back the message itself, and clones nothing.
    fn is_sole(&self) -> bool;
    /// The number of subscribers that will pass it, before it is published.
    fn set_readers(&self, readers: u64);
    /// One subscriber is done with it. `true`: it was the last, and must drop it. Always `false` if it is not
    /// [counted](Self::COUNTED).
    fn pass(&self) -> bool;
    /// Whether the subscriber that asks, which has not passed it, is the last one that has not. Always
    /// `false` if it is not [counted](Self::COUNTED).
    fn is_last(&self) -> bool;
    /// Messages in a row, for whoever knows their type alone.
    fn visible(entries: &[RingEntry<Self>]) -> Visible<'_, Self::Message>;
}

/// Plain data.
#[derive(Clone, Debug)]
pub(crate) struct Inline<M>(M);

/// A small message with a destructor.
#[derive(Debug)]
pub(crate) struct Owned<M> {
    readers: Readers,
    message: M,
}

#[derive(Debug)]
pub(crate) struct Boxed<M> {
    readers: Readers,
    message: LeanArc<M>,
}

/// How many subscribers have not passed a message.
///
/// It is a word: see [`Ticket`](crate::wait::Ticket).
#[derive(Debug)]
struct Readers(AtomicU64);

impl Readers {
    #[inline(always)]
    fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    #[inline(always)]
    fn set(&self, readers: u64) {
        self.0.store(readers, Ordering::Relaxed);
    }

    #[inline(always)]
    fn is_last(&self) -> bool {
        self.0.load(Ordering::Acquire) == 1
    }

    #[inline(always)]
    fn pass(&self) -> bool {
        self.is_last() || self.0.fetch_sub(1, Ordering::AcqRel) == 1
    }
}

impl<M: Clone + Send + Sync + 'static> Payload for Inline<M> {
    type Message = M;
    const COUNTED: bool = false;
    const FOREIGN_CLONE: bool = true;
    const IN_SLOT: bool = true;

    #[inline(always)]
    fn wrap(message: M) -> Self {
        Self(message)
    }

    #[inline(always)]
    fn message(&self) -> &M {
        &self.0
    }

    #[inline(always)]
    fn unwrap(self) -> M {
        self.0
    }

    fn is_sole(&self) -> bool {
        true
    }

    #[inline(always)]
    fn set_readers(&self, _: u64) {}

    #[inline(always)]
    fn pass(&self) -> bool {
        false
    }

    fn is_last(&self) -> bool {
        false
    }

    #[inline(always)]
    fn visible(entries: &[RingEntry<Self>]) -> Visible<'_, M> {
        Visible(Entries::Inline(entries.iter()))
    }
}

impl<M: Clone> Clone for Owned<M> {
    fn clone(&self) -> Self {
        Self { readers: Readers::new(), message: self.message.clone() }
    }
}

impl<M: Clone + Send + Sync + 'static> Payload for Owned<M> {
    type Message = M;
    const COUNTED: bool = true;
    const FOREIGN_CLONE: bool = true;
    const IN_SLOT: bool = true;

    #[inline(always)]
    fn wrap(message: M) -> Self {
        Self { readers: Readers::new(), message }
    }

    #[inline(always)]
    fn message(&self) -> &M {
        &self.message
    }

    #[inline(always)]
    fn unwrap(self) -> M {
        self.message
    }

    fn is_sole(&self) -> bool {
        true
    }

    #[inline(always)]
    fn set_readers(&self, readers: u64) {
        self.readers.set(readers);
    }

    #[inline(always)]
    fn pass(&self) -> bool {
        self.readers.pass()
    }

    fn is_last(&self) -> bool {
        self.readers.is_last()
    }

    #[inline(always)]
    fn visible(entries: &[RingEntry<Self>]) -> Visible<'_, M> {
        Visible(Entries::Owned(entries.iter()))
    }
}

impl<M> Clone for Boxed<M> {
    fn clone(&self) -> Self {
        Self { readers: Readers::new(), message: self.message.clone() }
    }
}

impl<M: Clone + Send + Sync + 'static> Payload for Boxed<M> {
    type Message = M;
    const COUNTED: bool = std::mem::needs_drop::<M>() || size_of::<M>() > KEPT_BYTES_MAX;
    const FOREIGN_CLONE: bool = false;
    const IN_SLOT: bool = false;

    #[inline(always)]
    fn wrap(message: M) -> Self {
        Self { readers: Readers::new(), message: LeanArc::new(message) }
    }

    #[inline(always)]
    fn message(&self) -> &M {
        &self.message
    }

    fn unwrap(self) -> M {
        self.message.unwrap_or_clone()
    }

    fn is_sole(&self) -> bool {
        self.message.is_sole()
    }

    #[inline(always)]
    fn set_readers(&self, readers: u64) {
        self.readers.set(readers);
    }

    #[inline(always)]
    fn pass(&self) -> bool {
        self.readers.pass()
    }

    fn is_last(&self) -> bool {
        self.readers.is_last()
    }

    #[inline(always)]
    fn visible(entries: &[RingEntry<Self>]) -> Visible<'_, M> {
        Visible(Entries::Boxed(entries.iter()))
    }
}
