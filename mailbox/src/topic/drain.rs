//! Handling messages where they lie, one after the other, in futures that seldom wait.
//!
//! # Protocol
//! A handler's future borrows the state, the context and the message. [`drain`] starts it in the caller's slot. If it
//! is ready at once, it is gone before any of the three is touched again, and the next message is next. If it waits,
//! the three borrows live on in the [`Parked`] that is returned, for as long as the caller lent them, and `drain` touches
//! none of them any more. The borrow checker does not follow a borrow that is returned on one path of a loop and ended on
//! the others: hence the raw pointers, each made from a borrow for all of `'a`.

use std::future::Future;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use super::cursor::Cursor;
use super::lane::LaneReader;
use super::payload::Payload;
use super::ring::Entry;
use crate::future_slot::Finish;
use crate::{FutureSlot, Parked};

/// How a receiver with state `S` and context `C` handles a message of type `M`.
///
/// The future may borrow all three, for any lifetime, so it cannot keep any of them.
///
/// ```
/// use std::sync::Arc;
/// use std::task::{Context, Waker};
/// use mycelium_mailbox::{
///     Consume, Doorbell, Drained, FutureSlot, Source, Span, Stamps, SubscribeOptions, Topic,
/// };
///
/// struct Add;
/// impl Consume<u64, (), u64> for Add {
///     type Result = ();
///     type Output = ();
///     async fn consume(sum: &mut u64, number: &u64, _: &mut ()) {
///         *sum += number;
///     }
///     fn is_handled(_: &()) -> bool {
///         true
///     }
///     fn finish(_: ()) {}
///     fn goes_on(_: &()) -> bool {
///         true
///     }
/// }
///
/// let topic = Topic::<u64>::new(Arc::new(Stamps::new()), 1024);
/// let mut queue = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
/// for number in [1, 2, 3] {
///     topic.try_publish(number, 0).unwrap();
/// }
/// queue.head();
/// let (mut sum, mut unused, mut slot, mut handled) = (0, (), FutureSlot::new(), 0);
/// let span = Span { below: u64::MAX, most: 2 };
/// let mut cx = Context::from_waker(Waker::noop());
/// let drained = queue.drain::<Add, _, _>(&mut sum, &mut unused, &mut slot, span, &mut handled, &mut cx);
/// assert!(matches!(drained, Drained::Done));
/// drop(drained);
/// assert_eq!((sum, handled, queue.unread()), (3, 2, 1));
/// ```
pub trait Consume<S, C, M> {
    /// What a handler ends with.
    type Result;
    /// What becomes of that once handlers of all types are alike.
    type Output;

    /// Begins to handle `message`.
    fn consume<'a>(
        state: &'a mut S,
        message: &'a M,
        context: &'a mut C,
    ) -> impl Future<Output = Self::Result> + Send + 'a;

    /// Whether `result` says that the message is handled. One that is not stays in front.
    fn is_handled(result: &Self::Result) -> bool;

    /// The output of a handler that has waited, or that has not handled its message.
    fn finish(result: Self::Result) -> Self::Output;

    /// Whether to go on with the next message.
    fn goes_on(context: &C) -> bool;
}

/// How far one [`Subscription::drain`](super::Subscription::drain) goes.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// Only messages whose stamp is below this; see [`Pick`](crate::Pick).
    pub below: u64,
    /// At most this many.
    pub most: u32,
}

/// How a [`Subscription::drain`](super::Subscription::drain) ended.
#[derive(Debug)]
#[must_use = "a handler that waits does nothing unless it is polled"]
pub enum Drained<'a, O> {
    /// The span was handled, or [`Consume::goes_on`] said no.
    Done,
    /// The message in front was not handled: this is what its handler ended with.
    Failed(O),
    /// The handler of the message in front waits. Once it is ready, `advance`.
    Parked(Parked<'a, O>),
}

/// What `drain` needs of a queue.
pub(super) trait Reader {
    type Payload: Payload;
    fn front(&mut self) -> Option<&Entry<Self::Payload>>;
    fn pass(&mut self);
    /// Frees what was passed; the message in front stays where it is.
    fn free_passed(&mut self);
}

impl<V: Payload> Reader for Cursor<V> {
    type Payload = V;

    #[inline(always)]
    fn front(&mut self) -> Option<&Entry<V>> {
        self.peek()
    }

    #[inline(always)]
    fn pass(&mut self) {
        self.advance();
    }

    fn free_passed(&mut self) {
        self.commit();
    }
}

impl<V: Payload> Reader for LaneReader<V> {
    type Payload = V;

    #[inline(always)]
    fn front(&mut self) -> Option<&Entry<V>> {
        self.peek()
    }

    #[inline(always)]
    fn pass(&mut self) {
        self.advance();
    }

    fn free_passed(&mut self) {
        self.commit();
    }
}

type MessageOf<R> = <<R as Reader>::Payload as Payload>::Message;

/// [`Consume::finish`], for a future whose type is forgotten.
struct Finishing<H, S, C, M>(PhantomData<(H, S, C, M)>);

impl<H: Consume<S, C, M>, S, C, M> Finish<H::Result> for Finishing<H, S, C, M> {
    type Output = H::Output;

    fn finish(result: H::Result) -> H::Output {
        H::finish(result)
    }
}

#[inline]
pub(super) fn drain<'a, H, S, C, R>(
    reader: &'a mut R,
    state: &'a mut S,
    context: &'a mut C,
    slot: &'a mut FutureSlot,
    span: Span,
    handled: &mut u64,
    cx: &mut Context<'_>,
) -> Drained<'a, H::Output>
where
    H: Consume<S, C, MessageOf<R>>,
    R: Reader,
    S: 'a,
    C: 'a,
    H::Output: 'a,
{
    let (reader, state, context): (*mut R, *mut S, *mut C) = (reader, state, context);
    let slot: *mut FutureSlot = slot;
    for _ in 0..span.most {
        // SAFETY: 1. the pointer is made from a borrow for `'a`. 2. No future lives here, so nothing else uses it.
        let Some(entry) = unsafe { &mut *reader }.front() else { break };
        if entry.stamp >= span.below {
            break;
        }
        let message: *const MessageOf<R> = entry.value.message();
        // SAFETY: the message stays where it is until `pass`, which is after the end of this future, or until the reader is
        // used again after `'a`.
        let message = unsafe { &*message };
        // SAFETY: as for the reader.
        let (lent_state, lent_context) = (unsafe { &mut *state }, unsafe { &mut *context });
        let future = H::consume(lent_state, message, lent_context);
        // SAFETY: as for the reader.
        let mut handling = unsafe { &mut *slot }.begin(future);
        match handling.poll(cx) {
            Poll::Ready(result) if H::is_handled(&result) => drop(handling),
            Poll::Ready(result) => return Drained::Failed(H::finish(result)),
            Poll::Pending => {
                // SAFETY: 1. as above. 2. The future lives and borrows the message, state and context, but not the reader
                // itself, which leaves the message in front alone.
                unsafe { &mut *reader }.free_passed();
                return Drained::Parked(handling.park::<Finishing<H, S, C, MessageOf<R>>>());
            }
        }
        *handled += 1;
        // SAFETY: the future is gone.
        unsafe { &mut *reader }.pass();
        // SAFETY: the future is gone.
        if !H::goes_on(unsafe { &*context }) {
            break;
        }
    }
    Drained::Done
}
