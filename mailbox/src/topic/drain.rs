//! Handling messages where they lie, one after the other, in futures that seldom wait.
//!
//! # Protocol
//! A reader gives out a run: visible messages that lie one behind the other, no more of them than until its
//! next commit is due. How many of a run are passed lies in registers ([`Progress`]) until the run ends; its
//! drop tells the reader, so that after a panic the message in hand is the one in front. A message with a
//! destructor is dropped before the next handler begins; a destructor that panics leaves nothing in hand, and
//! the reader says so (`cut_between`).
//!
//! A handler's future borrows the state, the context and the message. [`drain`] starts it in the caller's
//! slot. If it is ready at once, it is gone before any of the three is touched again, and the next message is
//! next. If it waits, the three borrows live on in the [`Parked`] that is returned, for as long as the caller
//! lent them, and `drain` touches none of them any more. The borrow checker does not follow a borrow that is
//! returned on one path of a loop and ended on the others: hence the raw pointers, each made from a borrow
//! for all of `'a`.

use std::future::Future;
use std::marker::PhantomData;
use std::task::{Context, Poll};

use super::cursor::Cursor;
use super::lane::LaneReader;
use super::payload::Payload;
use super::ring::RingEntry;
use super::subscription::Delivery;
use super::visible::Visible;
use crate::discard::discard;
use crate::future_slot::Finish;
use crate::{FutureSlot, Parked, Presence};

/// How a receiver with state `S` and context `C` handles a message of type `M`.
///
/// The future may borrow all three, for any lifetime, so it cannot keep any of them.
///
/// ```
/// use std::sync::Arc;
/// use std::task::{Context, Waker};
/// use mycelium_mailbox::{
///     Consume, Doorbell, Drained, FutureSlot, Presence, Source, Span, Stamps, SubscribeOptions, Topic,
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
/// }
///
/// let topic = Topic::<u64>::new(Arc::new(Stamps::new()), 1024);
/// let mut queue = topic.subscribe(Arc::new(Doorbell::new()), SubscribeOptions::default()).unwrap();
/// for number in [1, 2, 3] {
///     topic.try_publish(number, 0).unwrap();
/// }
/// queue.head();
/// let (mut sum, mut unused, mut slot, mut handled) = (0, (), FutureSlot::new(), 0);
/// let presence = Presence::new();
/// let span = Span { below: u64::MAX, most: 2, presence: &presence };
/// let mut cx = Context::from_waker(Waker::noop());
/// let drained = queue.drain::<Add, _, _>(&mut sum, &mut unused, &mut slot, &span, &mut handled, &mut cx);
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
}

/// How far one [`Subscription::drain`](super::Subscription::drain) goes.
#[derive(Clone, Copy, Debug)]
pub struct Span<'p> {
    /// Only messages whose stamp is below this; see [`Pick`](crate::Pick).
    pub below: u64,
    /// At most this many.
    pub most: u32,
    /// And no further than the message after which this is called.
    pub presence: &'p Presence,
}

/// How a [`Subscription::drain`](super::Subscription::drain) ended.
#[derive(Debug)]
#[must_use = "a handler that waits does nothing unless it is polled"]
pub enum Drained<'a, O> {
    /// The span was handled, or the receiver is called.
    Done,
    /// The message in front was not handled: this is what its handler ended with.
    Failed(O),
    /// The handler of the message in front waits. Once it is ready, `advance`.
    Parked(Parked<'a, O>),
}

/// What `drain` needs of a queue.
pub(super) trait DrainQueue {
    type Payload: Payload;
    /// Visible messages that lie one behind the other, from the one in front: none if there is none, at most
    /// `most`. They stay where they are until `pass`.
    fn run(&mut self, most: u32) -> &[RingEntry<Self::Payload>];
    /// Drops the `at`th message of the last run, which is handled, if this reader is the last. Only where
    /// [`IN_PLACE`](Self::IN_PLACE) says so.
    fn release(&mut self, at: usize);
    /// The same for one that was skipped: its destructor is none of this reader's business.
    fn release_unhandled(&mut self, at: usize);
    /// Whether messages with a destructor are to be released one by one; else `pass` drops them.
    const IN_PLACE: bool;
    /// Passes the first `messages` of the last run.
    fn pass(&mut self, messages: usize);
    /// As [`run`](Self::run), for messages that are passed together, by `pass_row`.
    fn row(&mut self, most: u32) -> &[RingEntry<Self::Payload>] {
        self.run(most)
    }
    /// Passes the first `messages` of the last `row` and drops them, and counts each that it has passed.
    fn pass_row(&mut self, messages: usize, handled: &mut u64);
    /// Passes the message in front, which is in the last run: itself, if nobody else is to read it.
    fn pass_next(&mut self) -> Option<Self::Payload>;
    /// Whether the last drain was cut short by the drop of a message that was handled.
    fn cut_between(&mut self) -> &mut bool;
    /// The id whose messages are not for this reader; 0 if there is none.
    fn skipped(&self) -> u64;
    /// Frees what was passed; the message in front stays where it is.
    fn free_passed(&mut self);
}

impl<V: Payload> DrainQueue for Cursor<V> {
    type Payload = V;
    const IN_PLACE: bool = V::COUNTED;

    fn run(&mut self, most: u32) -> &[RingEntry<V>] {
        self.run(most)
    }

    #[inline]
    fn pass(&mut self, messages: usize) {
        self.pass(messages);
    }

    #[inline]
    fn pass_row(&mut self, messages: usize, handled: &mut u64) {
        // One that several may read is dropped by the last of them, who is known by how often it was passed.
        if V::COUNTED {
            pass_one_by_one(self, messages, handled);
        } else {
            self.pass(messages);
            *handled += messages as u64;
        }
    }

    #[inline]
    fn pass_next(&mut self) -> Option<V> {
        self.pass_next()
    }

    #[inline]
    fn release(&mut self, at: usize) {
        self.release(at);
    }

    fn release_unhandled(&mut self, at: usize) {
        self.release_unhandled(at);
    }

    #[inline]
    fn cut_between(&mut self) -> &mut bool {
        &mut self.cut_between
    }

    fn skipped(&self) -> u64 {
        self.seat.skipped()
    }

    fn free_passed(&mut self) {
        self.commit();
    }
}

impl<V: Payload> DrainQueue for LaneReader<V> {
    type Payload = V;
    const IN_PLACE: bool = false;

    fn run(&mut self, most: u32) -> &[RingEntry<V>] {
        // One at a time: each is dropped as soon as it is handled.
        if most > 0 { self.peek().map_or(&[], std::slice::from_ref) } else { &[] }
    }

    fn pass(&mut self, messages: usize) {
        (0..messages).for_each(|_| self.advance());
    }

    fn row(&mut self, most: u32) -> &[RingEntry<V>] {
        self.batch(most)
    }

    fn pass_row(&mut self, messages: usize, handled: &mut u64) {
        if const { std::mem::needs_drop::<V>() } {
            pass_one_by_one(self, messages, handled);
        } else {
            self.pass_together(messages);
            *handled += messages as u64;
        }
    }

    fn pass_next(&mut self) -> Option<V> {
        self.take().map(|entry| entry.value)
    }

    fn release(&mut self, _: usize) {}

    fn release_unhandled(&mut self, _: usize) {}

    #[inline]
    fn cut_between(&mut self) -> &mut bool {
        &mut self.cut_between
    }

    fn skipped(&self) -> u64 {
        // A message of a lane's own subscriber never gets into it.
        0
    }

    fn free_passed(&mut self) {
        self.commit();
    }
}

/// A run on its way to be handled. All that must outlive a panic lies in registers until its drop tells the
/// reader.
struct Progress<'h, R: DrainQueue> {
    reader: *mut R,
    /// The messages of the run that were not passed; it had `begun` of them. One register less than to count
    /// both.
    left: std::slice::Iter<'h, RingEntry<R::Payload>>,
    begun: usize,
    /// Those passed that are not for this reader.
    skipped: usize,
    handled: &'h mut u64,
}

impl<R: DrainQueue> Progress<'_, R> {
    /// Gets past the message in front, which is handled.
    #[inline(always)]
    fn next(&mut self) {
        self.left.next();
        if R::IN_PLACE {
            // Passed first: should its destructor panic, it is behind us.
            let at = self.begun - self.left.len() - 1;
            // SAFETY: the pointer is made from a borrow that outlives this, and nothing else uses the reader
            // meanwhile.
            let reader = unsafe { &mut *self.reader };
            *reader.cut_between() = true;
            reader.release(at);
            *reader.cut_between() = false;
        }
    }

    /// Gets past the message in front, which is not for this reader.
    #[inline(always)]
    fn skip(&mut self) {
        self.skipped += 1;
        self.left.next();
        if R::IN_PLACE {
            let at = self.begun - self.left.len() - 1;
            // SAFETY: as in `next`.
            unsafe { &mut *self.reader }.release_unhandled(at);
        }
    }
}

impl<R: DrainQueue> Drop for Progress<'_, R> {
    #[inline(always)]
    fn drop(&mut self) {
        let passed = self.begun - self.left.len();
        *self.handled += (passed - self.skipped) as u64;
        // SAFETY: the pointer is made from a borrow that outlives this, and nothing else uses the reader
        // meanwhile.
        unsafe { &mut *self.reader }.pass(passed);
    }
}

type MessageOf<R> = <<R as DrainQueue>::Payload as Payload>::Message;

/// [`Consume::finish`], for a future whose type is forgotten.
struct Finishing<H, S, C, M>(PhantomData<(H, S, C, M)>);

impl<H: Consume<S, C, M>, S, C, M> Finish<H::Result> for Finishing<H, S, C, M> {
    type Output = H::Output;

    fn finish(result: H::Result) -> H::Output {
        H::finish(result)
    }
}

/// The messages of a run whose stamp is below `below`. Stamps never fall along a queue, so one look at the
/// last does for most.
#[inline(always)]
fn within<V>(run: &[RingEntry<V>], below: u64) -> &[RingEntry<V>] {
    match run.last() {
        Some(last) if last.stamp >= below => &run[..run.partition_point(|entry| entry.stamp < below)],
        _ => run,
    }
}

/// How one run ended.
enum Ran<'a, O> {
    /// The message in front is out of the span, or the actor is to do something else.
    Enough,
    /// All of it was handled.
    Through,
    Failed(O),
    Parked(Parked<'a, O>),
}

#[inline]
pub(super) fn drain<'a, H, S, C, R>(
    reader: &'a mut R,
    state: &'a mut S,
    context: &'a mut C,
    slot: &'a mut FutureSlot,
    span: &Span<'_>,
    handled: &mut u64,
    cx: &mut Context<'_>,
) -> Drained<'a, H::Output>
where
    H: Consume<S, C, MessageOf<R>>,
    R: DrainQueue,
    S: 'a,
    C: 'a,
    H::Output: 'a,
{
    let begun = *handled;
    let most = u64::from(span.most);
    if R::Payload::COUNTED {
        *reader.cut_between() = false;
    }
    loop {
        let left = most.saturating_sub(*handled - begun);
        let lent = Borrowed { reader, state, context, slot };
        // SAFETY: each pointer is made from a borrow for `'a`, nothing else uses them, and a future that
        // waits ends the loop.
        let ran = unsafe {
            drain_run::<H, S, C, R>(
                &lent,
                Span { most: u32::try_from(left).unwrap_or(0), ..*span },
                handled,
                cx,
            )
        };
        match ran {
            Ran::Through => {}
            Ran::Enough => return Drained::Done,
            Ran::Failed(output) => return Drained::Failed(output),
            Ran::Parked(parked) => return Drained::Parked(parked),
        }
    }
}

/// Shows visible messages to `each`, one after the other.
#[inline]
pub(super) fn for_each<R: DrainQueue>(
    reader: &mut R,
    most: u32,
    handled: &mut u64,
    mut each: impl FnMut(Delivery<'_, MessageOf<R>>),
) {
    let begun = *handled;
    if R::Payload::COUNTED {
        *reader.cut_between() = false;
    }
    loop {
        let left = u64::from(most).saturating_sub(*handled - begun);
        let skips = reader.skipped();
        let run: *const [RingEntry<R::Payload>] = reader.run(u32::try_from(left).unwrap_or(0));
        // SAFETY: the messages stay where they are until they are passed, and each is shown before it is.
        // Meanwhile the reader is used through `progress` alone.
        let run = unsafe { &*run };
        if run.is_empty() {
            return;
        }
        let mut progress = Progress { reader, left: run.iter(), begun: run.len(), skipped: 0, handled };
        while let Some(entry) = progress.left.as_slice().first() {
            if entry.sender == skips && skips != 0 {
                progress.skip();
                continue;
            }
            each(Delivery { message: entry.value.message(), stamp: entry.stamp, sender: entry.sender });
            progress.next();
        }
    }
}

/// Shows visible messages to `take`, run by run, and passes as many as that says.
#[inline]
pub(super) fn take_runs<R: DrainQueue>(
    reader: &mut R,
    (below, most): (u64, u32),
    handled: &mut u64,
    mut take: impl FnMut(Visible<'_, MessageOf<R>>) -> usize,
    mut gone: impl FnMut(MessageOf<R>),
) {
    let begun = *handled;
    loop {
        let left = u64::from(most).saturating_sub(*handled - begun);
        let skips = reader.skipped();
        let run = of_others(within(reader.run(u32::try_from(left).unwrap_or(0)), below), skips);
        let shown = run.len();
        if shown == 0 {
            if !skip_own(reader, below, skips) {
                return;
            }
            continue;
        }
        let taken = take(R::Payload::visible(run)).min(shown);
        for _ in 0..taken {
            // Passed first: should its destructor panic, it is behind us.
            *handled += 1;
            match reader.pass_next() {
                Some(value) if value.is_sole() => gone(value.unwrap()),
                shared => drop(shared),
            }
        }
        if taken < shown {
            return;
        }
    }
}

/// The same for those who do not keep messages: as many as were taken are passed and dropped together.
#[inline]
pub(super) fn pass_runs<R: DrainQueue>(
    reader: &mut R,
    (below, most): (u64, u32),
    handled: &mut u64,
    mut take: impl FnMut(Visible<'_, MessageOf<R>>) -> usize,
) {
    let begun = *handled;
    loop {
        let left = u64::from(most).saturating_sub(*handled - begun);
        let skips = reader.skipped();
        let run = of_others(within(reader.row(u32::try_from(left).unwrap_or(0)), below), skips);
        let shown = run.len();
        if shown == 0 {
            if !skip_own(reader, below, skips) {
                return;
            }
            continue;
        }
        let taken = take(R::Payload::visible(run)).min(shown);
        reader.pass_row(taken, handled);
        if taken < shown {
            return;
        }
    }
}

/// Counted before it is dropped: should its destructor panic, it is behind us.
fn pass_one_by_one<R: DrainQueue>(reader: &mut R, messages: usize, handled: &mut u64) {
    for _ in 0..messages {
        *handled += 1;
        drop(reader.pass_next());
    }
}

/// The first of a run, up to one that this sender has sent; 0: nobody's are left out.
#[inline(always)]
fn of_others<V>(run: &[RingEntry<V>], skips: u64) -> &[RingEntry<V>] {
    let own = |entry: &RingEntry<V>| entry.sender == skips;
    if skips == 0 { run } else { &run[..run.iter().position(own).unwrap_or(run.len())] }
}

/// Passes the message in front, if it is not for this reader. Whether it has.
fn skip_own<R: DrainQueue>(reader: &mut R, below: u64, skips: u64) -> bool {
    let front = within(reader.run(1), below).first();
    if skips == 0 || front.is_none_or(|entry| entry.sender != skips) {
        return false;
    }
    // Its destructor is none of this reader's business.
    discard(reader.pass_next());
    true
}

/// What a handler borrows, and the queue it borrows its message from.
struct Borrowed<R, S, C> {
    reader: *mut R,
    state: *mut S,
    context: *mut C,
    slot: *mut FutureSlot,
}

/// Handles the next run of messages.
///
/// # Safety
/// All that is lent is borrowed mutably for `'a` and used by nobody else until this returns; after `Parked`,
/// until `'a` ends.
#[inline(always)]
unsafe fn drain_run<'a, H, S, C, R>(
    lent: &Borrowed<R, S, C>,
    span: Span<'_>,
    handled: &mut u64,
    cx: &mut Context<'_>,
) -> Ran<'a, H::Output>
where
    H: Consume<S, C, MessageOf<R>>,
    R: DrainQueue + 'a,
    S: 'a,
    C: 'a,
    H::Output: 'a,
{
    let &Borrowed { reader, state, context, slot } = lent;
    // SAFETY: the caller lends the reader.
    let skips = unsafe { &*reader }.skipped();
    // SAFETY: the caller lends the reader.
    let run: *const [RingEntry<R::Payload>] = unsafe { &mut *reader }.run(span.most);
    // SAFETY: the messages stay where they are until they are passed, which is after the end of the futures
    // that borrow them, or until the reader is used again after `'a`.
    let run = within(unsafe { &*run }, span.below);
    if run.is_empty() {
        return Ran::Enough;
    }
    // SAFETY: the caller lends the slot, for `'a`.
    let place = unsafe { &mut *slot }.place_for(H::consume);
    let mut progress = Progress { reader, left: run.iter(), begun: run.len(), skipped: 0, handled };
    while let Some(entry) = progress.left.as_slice().first() {
        if entry.sender == skips && skips != 0 {
            progress.skip();
            continue;
        }
        // SAFETY: the caller lends both for `'a`, and no future lives now that borrows them.
        let (lent_state, lent_context) = (unsafe { &mut *state }, unsafe { &mut *context });
        let future = H::consume(lent_state, entry.value.message(), lent_context);
        // SAFETY: the place was made for futures of this type, in a slot that is lent for `'a` and used by
        // nobody else.
        let mut handling = unsafe { place.begin(future) };
        match handling.poll(cx) {
            Poll::Ready(result) if H::is_handled(&result) => drop(handling),
            Poll::Ready(result) => return Ran::Failed(H::finish(result)),
            Poll::Pending => {
                drop(progress);
                // SAFETY: the caller lends the reader. The future borrows the message, the state and the
                // context, but not the reader itself, which leaves the message in front alone.
                unsafe { &mut *reader }.free_passed();
                return Ran::Parked(handling.park::<Finishing<H, S, C, MessageOf<R>>>());
            }
        }
        progress.next();
        if span.presence.is_called() {
            return Ran::Enough;
        }
    }
    Ran::Through
}
