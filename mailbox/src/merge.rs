//! Reading several sources in the one order that producers can observe.
//!
//! # The promise
//! If one sender publishes or sends A and then B to the same receiver, on any topics, they are received in
//! that order; the same holds when A is handed to somebody whose B depends on it.
//!
//! # The algorithm
//! Every source is a queue whose stamps never fall. [`pick`] takes x, the source with the lowest visible
//! head, having loaded what is visible in x. Then it looks at the heads of all others again. If one is lower,
//! that one becomes x and the look is repeated; otherwise the receiver may handle from x every message that
//! was visible before that last full look and whose stamp is below the lowest other head (an empty source
//! counts as infinity).
//!
//! # Why that is right
//! Let C be a message so handled from x, and let A have been published before C in source y, A not yet
//! handled. A's stamp is below C's, because they lie in different queues (`stamps.rs`). A was visible before
//! C was, and C was visible before the last look, so that look found y's head at or before A: at most A's
//! stamp, hence below C's. But C was handled because its stamp is below y's head. So there is no such A.
//!
//! A head that was seen stays what it is until the receiver advances, and no later message of that source is
//! below it, so the second look asks only the sources that were empty; it costs nothing when all have
//! messages.
//!
//! It ends: each change of x lowers its stamp, and a source found non-empty stays so until the receiver reads
//! it; with n sources there are at most n looks. A source that looks empty costs one load per look.

use std::task::{Context, Poll};

use crate::Doorbell;

/// Something a receiver reads from: a subscription, an inbox, or a wrapper around one. Object-safe.
pub trait Source {
    /// The stamp of the oldest message not handled yet.
    ///
    /// If none is visible, loads what producers have made visible since. A head once returned stays the head
    /// until the receiver advances.
    fn head(&mut self) -> Option<u64>;

    /// Makes the receiver's progress known to waiting producers. Called before it parks, and before a handler
    /// that may take long.
    fn commit(&mut self);

    /// Asks to be rung at the next message. Returns whether there is one already: then do not sleep. Either
    /// way it commits.
    ///
    /// Only after [`Doorbell::prepare`] returned `true`.
    fn arm(&mut self) -> bool {
        self.arm_as(None)
    }

    /// The same. With a tag, the doorbell is told it, once, before the next message can be seen, and the
    /// receiver need not look at this source before: see [`Sources`](crate::Sources). It may be awake
    /// then.
    fn arm_as(&mut self, tag: Option<u32>) -> bool;
}

impl<S: Source + ?Sized> Source for Box<S> {
    #[inline]
    fn head(&mut self) -> Option<u64> {
        (**self).head()
    }

    #[inline]
    fn commit(&mut self) {
        (**self).commit();
    }

    #[inline]
    fn arm_as(&mut self, tag: Option<u32>) -> bool {
        (**self).arm_as(tag)
    }
}

impl<S: Source + ?Sized> Source for &mut S {
    #[inline]
    fn head(&mut self) -> Option<u64> {
        (**self).head()
    }

    #[inline]
    fn commit(&mut self) {
        (**self).commit();
    }

    #[inline]
    fn arm_as(&mut self, tag: Option<u32>) -> bool {
        (**self).arm_as(tag)
    }
}

/// All that one receiver reads from: a few sources in a slice, an array or a vector, each of which is looked
/// at every time, or [`Sources`](crate::Sources), however many.
pub trait Merge {
    /// Chooses the source that holds the oldest message, or `None` when all are empty: see [`pick`]. `bell`
    /// is what they ring.
    fn pick(&mut self, bell: &Doorbell) -> Option<Pick>;

    /// [`Source::arm`] of all: whether one of them has a message already.
    fn arm(&mut self, bell: &Doorbell) -> bool;

    /// [`Source::commit`] of all.
    fn commit(&mut self);
}

impl<S: Source> Merge for [S] {
    #[inline]
    fn pick(&mut self, _: &Doorbell) -> Option<Pick> {
        pick(self)
    }

    fn arm(&mut self, _: &Doorbell) -> bool {
        self.iter_mut().fold(false, |has_message, source| source.arm() | has_message)
    }

    fn commit(&mut self) {
        self.iter_mut().for_each(Source::commit);
    }
}

impl<S: Source, const N: usize> Merge for [S; N] {
    #[inline]
    fn pick(&mut self, _: &Doorbell) -> Option<Pick> {
        pick(self)
    }

    fn arm(&mut self, bell: &Doorbell) -> bool {
        self.as_mut_slice().arm(bell)
    }

    fn commit(&mut self) {
        self.as_mut_slice().commit();
    }
}

impl<S: Source> Merge for Vec<S> {
    #[inline]
    fn pick(&mut self, _: &Doorbell) -> Option<Pick> {
        pick(self)
    }

    fn arm(&mut self, bell: &Doorbell) -> bool {
        self.as_mut_slice().arm(bell)
    }

    fn commit(&mut self) {
        self.as_mut_slice().commit();
    }
}

/// Which source to read next, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pick {
    /// Index of the source.
    pub index: usize,
    /// Handle its visible messages while their stamp is below this; then pick again.
    pub below: u64,
}

/// Chooses the source that holds the oldest message, or `None` when all are empty.
///
/// The reader then handles what that source's `peek` shows, while the stamp is below [`Pick::below`], without
/// calling `head` on it in between: `head` may show messages that are newer than the last look.
///
/// ```
/// use std::sync::Arc;
/// use mycelium_mailbox::{Doorbell, Inbox, InboxOptions, Stamps, pick};
///
/// let (stamps, bell) = (Arc::new(Stamps::new()), Arc::new(Doorbell::new()));
/// let new = || Inbox::new(stamps.clone(), bell.clone(), InboxOptions::default());
/// let mut inboxes = [new(), new()];
/// let [a, b] = [inboxes[0].sender(), inboxes[1].sender()];
/// b.try_send(1).unwrap();
/// a.try_send(2).unwrap();
/// b.try_send(3).unwrap();
///
/// let mut seen = Vec::new();
/// while let Some(pick) = pick(&mut inboxes) {
///     let inbox = &mut inboxes[pick.index];
///     while let Some((value, stamp)) = inbox.peek() {
///         if stamp >= pick.below {
///             break;
///         }
///         seen.push(*value);
///         inbox.advance();
///     }
/// }
/// assert_eq!(seen, [1, 2, 3]);
/// ```
#[inline(always)] // One source is nearly nothing.
pub fn pick<S: Source>(sources: &mut [S]) -> Option<Pick> {
    if let [only] = sources {
        return only.head().map(|_| Pick { index: 0, below: u64::MAX });
    }
    pick_of_many(sources).into()
}

/// An `Option<Pick>` that a call hands back in two registers. The pick of an only source lies in none but
/// those either then: in memory it would be written in two pieces and read as one, which has to wait.
#[derive(Clone, Copy)]
pub(crate) struct PickPair(usize, u64);

impl From<Option<Pick>> for PickPair {
    fn from(pick: Option<Pick>) -> Self {
        pick.map_or(Self(usize::MAX, 0), |Pick { index, below }| Self(index, below))
    }
}

impl From<PickPair> for Option<Pick> {
    #[inline(always)]
    fn from(PickPair(index, below): PickPair) -> Self {
        if index == usize::MAX { None } else { Some(Pick { index, below }) }
    }
}

/// The lowest head seen, and the lowest of all others.
struct Choice {
    index: usize,
    lowest: u64,
    below: u64,
}

impl Choice {
    /// Takes one more head into account; whether it is the lowest now.
    #[inline]
    fn consider(&mut self, index: usize, stamp: u64) -> bool {
        let lower = stamp < self.lowest;
        if lower {
            self.below = self.lowest;
            (self.index, self.lowest) = (index, stamp);
        } else {
            self.below = self.below.min(stamp);
        }
        lower
    }
}

/// How many sources are remembered as empty, one bit each. Those past are looked at again whether empty or
/// not.
const TRACKED: usize = u64::BITS as usize;

#[inline(never)]
fn pick_of_many<S: Source>(sources: &mut [S]) -> PickPair {
    pick_by(sources.len(), |index| sources[index].head())
}

/// [`pick`] of so many sources, of each of which `head` says [`Source::head`].
#[inline]
pub(crate) fn pick_by(sources: usize, mut head: impl FnMut(usize) -> Option<u64>) -> PickPair {
    let mut choice = Choice { index: usize::MAX, lowest: u64::MAX, below: u64::MAX };
    let mut empty = 0_u64;
    for index in 0..sources {
        match head(index) {
            Some(stamp) => _ = choice.consider(index, stamp),
            None if index < TRACKED => empty |= 1 << index,
            None => {}
        }
    }
    if choice.index == usize::MAX {
        return None.into();
    }
    // The second look. A head once seen stays what it is, so only sources that were empty need it.
    loop {
        let mut lower = false;
        let mut left = empty;
        while left != 0 {
            let index = left.trailing_zeros() as usize;
            left &= left - 1;
            if let Some(stamp) = head(index) {
                empty &= !(1 << index);
                lower |= choice.consider(index, stamp);
            }
        }
        for index in TRACKED..sources {
            if index != choice.index
                && let Some(stamp) = head(index)
            {
                lower |= choice.consider(index, stamp);
            }
        }
        if !lower {
            // Two subscriptions to one topic have equal stamps: the first of them is read then, not neither.
            return PickPair(choice.index, choice.below.max(choice.lowest + 1));
        }
    }
}

/// [`Merge::pick`], or sleep on `doorbell` until one of the sources gets a message.
///
/// Wake-ups may be spurious: a later poll then finds nothing and sleeps again. The end of a source (closed,
/// senders gone) rings too, so check for it on each poll.
pub fn poll_pick<M: Merge + ?Sized>(
    sources: &mut M,
    doorbell: &Doorbell,
    cx: &mut Context<'_>,
) -> Poll<Pick> {
    if let Some(pick) = sources.pick(doorbell) {
        return Poll::Ready(pick);
    }
    poll_arm(sources, doorbell, cx)
}

/// [`poll_pick`] for a receiver that has just looked in vain.
#[inline]
pub(crate) fn poll_arm<M: Merge + ?Sized>(
    sources: &mut M,
    doorbell: &Doorbell,
    cx: &mut Context<'_>,
) -> Poll<Pick> {
    if !doorbell.prepare(cx.waker()) {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    if !sources.arm(doorbell) {
        return Poll::Pending;
    }
    doorbell.cancel();
    match sources.pick(doorbell) {
        Some(pick) => Poll::Ready(pick),
        // Only messages that the receiver skips, its own, had arrived.
        None => {
            cx.waker().wake_by_ref();
            Poll::Pending
        }
    }
}
