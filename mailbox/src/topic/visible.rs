//! Messages that lie one behind the other in a queue, to be looked at together.

use std::fmt;
use std::slice::Iter;

use super::Form;
use super::payload::{Boxed, Inline, Owned, Payload};
use super::ring::RingEntry;
use super::subscription::Delivery;

/// Messages in front of a [`Subscription`](super::Subscription), one after the other, where they lie: see
/// [`take_runs`](super::Subscription::take_runs).
pub struct Visible<'a, M>(pub(super) Entries<'a, M>);

/// Only the form of the message type is ever there.
pub(super) enum Entries<'a, M> {
    Inline(Iter<'a, RingEntry<Inline<M>>>),
    Owned(Iter<'a, RingEntry<Owned<M>>>),
    Boxed(Iter<'a, RingEntry<Boxed<M>>>),
}

#[inline(always)]
fn next<'a, V: Payload>(entries: &mut Iter<'a, RingEntry<V>>) -> Option<Delivery<'a, V::Message>> {
    let RingEntry { stamp, sender, value } = entries.next()?;
    Some(Delivery { message: value.message(), stamp: *stamp, sender: *sender })
}

impl<'a, M: Clone + Send + Sync + 'static> Iterator for Visible<'a, M> {
    type Item = Delivery<'a, M>;

    #[inline(always)]
    fn next(&mut self) -> Option<Delivery<'a, M>> {
        match &mut self.0 {
            Entries::Inline(entries) if const { Form::<M>::IS_INLINE } => next(entries),
            Entries::Owned(entries) if const { Form::<M>::IS_OWNED } => next(entries),
            Entries::Boxed(entries) if const { Form::<M>::IS_BOXED } => next(entries),
            _ => unreachable!("the form is a constant of the message type"),
        }
    }
}

impl<M> fmt::Debug for Visible<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let left = match &self.0 {
            Entries::Inline(entries) => entries.len(),
            Entries::Owned(entries) => entries.len(),
            Entries::Boxed(entries) => entries.len(),
        };
        f.debug_struct("Visible").field("left", &left).finish()
    }
}
