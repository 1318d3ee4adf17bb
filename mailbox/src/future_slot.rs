//! Runs one future after the other in the same memory.
//!
//! # Protocol
//! `buffer` is raw memory of `layout`, aligned to 16 bytes at least. `taken` is set exactly while a
//! [`Parked`] owns the future inside; that `Parked` borrows the slot mutably, so nobody can start another
//! future meanwhile. `Parked` clears `taken` when it drops the future. A [`First`] does without: it never
//! leaves this crate, which leaks none. If a `Parked` is leaked, the borrow ends with `taken` still set: the
//! next start (or the slot's drop) then abandons the buffer instead of touching it, because a pinned future's
//! memory must stay valid until its drop has run, and its drop will never run.
//!
//! A [`Parked`] is two words, as is a [`Started`] with an output of one: so both travel in registers. In
//! memory they would be written word by word and read in larger pieces, and such a load has to wait.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, ready};

/// Smallest buffer allocated, in bytes.
const BUFFER_BYTES_MIN: usize = 64;

/// What a slot points to that has no buffer: enough for a future without size.
#[repr(align(16))]
struct Nothing;

/// Memory that is reused for one future at a time.
///
/// ```
/// use mycelium_mailbox::{FutureSlot, Started};
/// use std::task::{Context, Waker};
///
/// let mut slot = FutureSlot::new();
/// let mut cx = Context::from_waker(Waker::noop());
/// let text = String::from("hello");
/// match slot.start(async { text.len() }, &mut cx) {
///     Started::Ready(length) => assert_eq!(length, 5),
///     Started::Parked(_) => unreachable!("nothing to wait for"),
/// }
/// ```
pub struct FutureSlot {
    buffer: NonNull<u8>,
    layout: Layout,
    taken: bool,
}

/// A future that [`FutureSlot::start`] has polled once.
#[derive(Debug)]
#[must_use = "a parked future does nothing unless it is polled"]
pub enum Started<'a, O> {
    /// It is done; the slot is free.
    Ready(O),
    /// It waits, in the slot.
    Parked(Parked<'a, O>),
}

/// A future that waits in a [`FutureSlot`]. Dropping it drops the future in place and frees the slot.
#[must_use = "a parked future does nothing unless it is polled"]
pub struct Parked<'a, O> {
    /// It is taken until the future is gone.
    slot: &'a mut FutureSlot,
    kind: &'a ParkedKind<O>,
    /// It owns a future that may borrow for `'a` and is Send but perhaps not Sync.
    owns: PhantomData<Box<dyn Future<Output = O> + Send + 'a>>,
}

/// What is known of a future that waits.
struct ParkedKind<O> {
    poll: unsafe fn(NonNull<u8>, &mut Context<'_>) -> Poll<O>,
    drop: unsafe fn(NonNull<u8>),
}

const _: () = assert!(size_of::<Started<'_, Result<(), Box<u8>>>>() == 2 * size_of::<usize>());

// SAFETY: the slot owns plain memory and touches it only through `&mut self`; while a future lives there,
// `Parked` answers for it.
unsafe impl Send for FutureSlot {}
// SAFETY: `&FutureSlot` gives access to nothing.
unsafe impl Sync for FutureSlot {}
// SAFETY: the future inside is Send, as `start` demands.
unsafe impl<O> Send for Parked<'_, O> {}

impl FutureSlot {
    /// A slot that allocates nothing before its first future that is not zero-sized.
    #[must_use]
    pub const fn new() -> Self {
        let layout = Layout::new::<Nothing>();
        Self { buffer: NonNull::<Nothing>::dangling().cast(), layout, taken: false }
    }

    /// Size of the memory held, in bytes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.layout.size()
    }

    /// Puts `future` in the slot and polls it there once.
    ///
    /// Allocates only when the future needs more memory, or a larger alignment, than any before it.
    ///
    /// # Panics
    /// When the future panics; it is dropped then and the slot is free.
    #[inline]
    pub fn start<'a, F>(&'a mut self, future: F, cx: &mut Context<'_>) -> Started<'a, F::Output>
    where
        F: Future + Send + 'a,
    {
        let mut first = self.begin(future);
        match first.poll(cx) {
            Poll::Ready(output) => Started::Ready(output),
            Poll::Pending => Started::Parked(first.park::<Same>()),
        }
    }

    /// The same; `then` makes the output of what the future ends with, once that is gone.
    ///
    /// An `async` block in its place would move what it captures once more, and read it as it was not
    /// written.
    ///
    /// ```
    /// let mut slot = mycelium_mailbox::FutureSlot::new();
    /// let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    /// let started = slot.start_then(async { 5 }, |five| five + 1, &mut cx);
    /// assert!(matches!(started, mycelium_mailbox::Started::Ready(6)));
    /// ```
    ///
    /// # Panics
    /// When the future or `then` panics; both are gone then, and the slot is free.
    #[inline(always)]
    pub fn start_then<'a, F, T, O>(&'a mut self, future: F, then: T, cx: &mut Context<'_>) -> Started<'a, O>
    where
        F: Future + Send + 'a,
        T: FnOnce(F::Output) -> O + Send + 'a,
        O: 'a,
    {
        self.make_room(Layout::new::<FutureThen<F, T>>());
        let at = self.buffer.cast::<FutureThen<F, T>>().as_ptr();
        // SAFETY: the buffer is large and aligned enough for both, and nothing lives in it.
        let home = unsafe { &raw mut (*at).future }.cast::<F>();
        // SAFETY: as above.
        unsafe { home.write(future) };
        let placed = PlacedFuture(home);
        // SAFETY: it was written just now, and nobody else knows of it.
        let future = unsafe { &mut *home };
        // SAFETY: it is not moved until it is dropped in place.
        match unsafe { Pin::new_unchecked(future) }.poll(cx) {
            Poll::Ready(output) => {
                drop(placed);
                Started::Ready(then(output))
            }
            Poll::Pending => {
                std::mem::forget(placed);
                // SAFETY: as above.
                let place = unsafe { &raw mut (*at).then };
                // SAFETY: as above; with this there is a whole `FutureThen`.
                unsafe { place.write(Some(then)) };
                self.taken = true;
                let kind = &ParkedKind { poll: poll_then_at::<F, T, O>, drop: drop_at::<FutureThen<F, T>> };
                Started::Parked(Parked { slot: self, kind, owns: PhantomData })
            }
        }
    }

    /// Puts `future` in the slot.
    #[inline(always)]
    pub(crate) fn begin<'a, F>(&'a mut self, future: F) -> First<'a, F>
    where
        F: Future + Send + 'a,
    {
        self.make_room(Layout::new::<F>());
        // SAFETY: the buffer is large and aligned enough for `F`, and nothing lives in it.
        unsafe { self.buffer.cast::<F>().write(future) };
        let buffer = self.buffer;
        First { slot: self, buffer, future: PhantomData }
    }

    /// A place for one future after the other of the type that `make` makes.
    #[inline(always)]
    pub(crate) fn place_for<A, B, C, F>(&mut self, _make: impl FnOnce(A, B, C) -> F) -> Place<F> {
        self.make_room(Layout::new::<F>());
        Place { slot: self, buffer: self.buffer.cast() }
    }

    /// Makes sure that the buffer fits a future of this layout and that nothing lives in it.
    #[inline(always)]
    fn make_room(&mut self, layout: Layout) {
        let misfits = layout.align() > align_of::<Nothing>() && layout.align() > self.layout.align();
        if self.taken || layout.size() > self.layout.size() || misfits {
            self.renew(layout);
        }
    }

    /// Gets a buffer that fits `wanted` and what fitted before. A buffer with a leaked future inside is
    /// abandoned.
    #[cold]
    fn renew(&mut self, wanted: Layout) {
        let size = wanted.size().max(self.layout.size()).max(BUFFER_BYTES_MIN);
        let align = wanted.align().max(self.layout.align());
        let layout = Layout::from_size_align(size, align).unwrap_or(wanted);
        self.release();
        // SAFETY: the size is not zero.
        let at = unsafe { alloc(layout) };
        let Some(buffer) = NonNull::new(at) else { handle_alloc_error(layout) };
        self.buffer = buffer;
        self.layout = layout;
    }

    /// Gives the buffer back, or abandons it to the future that was leaked inside.
    fn release(&mut self) {
        let layout = std::mem::replace(&mut self.layout, Layout::new::<Nothing>());
        let buffer = std::mem::replace(&mut self.buffer, NonNull::<Nothing>::dangling().cast());
        if !std::mem::take(&mut self.taken) && layout.size() > 0 {
            // SAFETY: a buffer of non-zero size was allocated with this layout, and nothing lives in it.
            unsafe { dealloc(buffer.as_ptr(), layout) };
        }
    }
}

/// A future in its slot whose type is still known, so that nothing is called through a pointer. Its drop
/// drops the future in place.
pub(crate) struct First<'a, F: Future> {
    slot: &'a mut FutureSlot,
    buffer: NonNull<u8>,
    future: PhantomData<F>,
}

/// How an [`attempt`] went.
#[derive(Debug)]
pub enum StartAttempt<'a, T: ?Sized, O> {
    /// What was started is done, and this is free again.
    Ready(O, &'a mut T),
    /// It waits.
    Parked(Parked<'a, O>),
}

/// Starts something that borrows `whole`, which comes back if that is done at once.
///
/// The borrow checker does not follow a borrow that is returned on one path and ended on the other.
///
/// ```
/// use mycelium_mailbox::{StartAttempt, FutureSlot, attempt};
/// use std::task::{Context, Waker};
///
/// let (mut both, mut cx) = ((FutureSlot::new(), 1), Context::from_waker(Waker::noop()));
/// let attempt = attempt(&mut both, |(slot, one)| slot.start(async { *one += 1 }, &mut cx));
/// let StartAttempt::Ready((), both) = attempt else { unreachable!("nothing to wait for") };
/// assert_eq!(both.1, 2);
/// ```
#[inline(always)]
pub fn attempt<'a, T: ?Sized, O>(
    whole: &'a mut T,
    start: impl for<'b> FnOnce(&'b mut T) -> Started<'b, O>,
) -> StartAttempt<'a, T, O> {
    let whole: *mut T = whole;
    // SAFETY: it was borrowed for `'a`, and nothing else uses it as long as this borrow is used.
    match start(unsafe { &mut *whole }) {
        Started::Parked(parked) => StartAttempt::Parked(parked),
        // SAFETY: `start` works for a borrow of whatever lifetime, so an `O` has nothing of it, and this
        // borrow is the only one now.
        Started::Ready(output) => StartAttempt::Ready(output, unsafe { &mut *whole }),
    }
}

/// A slot that fits futures of one type.
pub(crate) struct Place<F> {
    slot: *mut FutureSlot,
    buffer: NonNull<F>,
}

impl<F: Future + Send> Place<F> {
    /// Puts `future` in the slot.
    ///
    /// # Safety
    /// The slot is borrowed mutably for `'a`, and was not used since [`FutureSlot::place_for`] but through
    /// this place, whose futures before are gone and none of which was parked.
    #[inline(always)]
    pub(crate) unsafe fn begin<'a>(&self, future: F) -> First<'a, F> {
        // SAFETY: the buffer fits an `F`, and nothing lives in it, as the caller says.
        unsafe { self.buffer.write(future) };
        // SAFETY: the caller says that the slot is borrowed for `'a`.
        First { slot: unsafe { &mut *self.slot }, buffer: self.buffer.cast(), future: PhantomData }
    }
}

impl<'a, F: Future> First<'a, F> {
    #[inline(always)]
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: `begin` put an `F` there, which is pinned and ours until `park` or drop.
        unsafe { poll_at::<F>(self.buffer, cx) }
    }

    /// Forgets the future's type. Once it is ready, `T` makes the output of what it ends with.
    pub(crate) fn park<T: Finish<F::Output>>(self) -> Parked<'a, T::Output> {
        let this = ManuallyDrop::new(self);
        // SAFETY: `this` is neither used nor dropped any more, so the borrow is moved, not copied.
        let slot = unsafe { std::ptr::read(&raw const this.slot) };
        slot.taken = true;
        let kind = &ParkedKind { poll: poll_finished_at::<F, T>, drop: drop_at::<F> };
        Parked { slot, kind, owns: PhantomData }
    }
}

/// What becomes of the output of a future that was parked.
pub(crate) trait Finish<R> {
    type Output;
    fn finish(result: R) -> Self::Output;
}

/// Nothing: it stays what it is.
struct Same;

impl<R> Finish<R> for Same {
    type Output = R;
    fn finish(result: R) -> R {
        result
    }
}

impl<F: Future> Drop for First<'_, F> {
    /// Reached when the future is ready or has panicked.
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: the future was put there by `begin`, and nobody uses it again.
        unsafe { drop_at::<F>(self.buffer) };
    }
}

/// Polls the `F` at `at`.
///
/// # Safety
/// A pinned `F` lives at `at` and nobody else uses it meanwhile.
#[inline]
unsafe fn poll_at<F: Future>(at: NonNull<u8>, cx: &mut Context<'_>) -> Poll<F::Output> {
    // SAFETY: the caller says that an `F` lives there and is ours.
    let future = unsafe { at.cast::<F>().as_mut() };
    // SAFETY: it is not moved until it is dropped in place.
    unsafe { Pin::new_unchecked(future) }.poll(cx)
}

/// Polls the `F` at `at`, for its output as `T` makes it.
///
/// # Safety
/// As for [`poll_at`].
unsafe fn poll_finished_at<F: Future, T: Finish<F::Output>>(
    at: NonNull<u8>,
    cx: &mut Context<'_>,
) -> Poll<T::Output> {
    // SAFETY: the caller says the same.
    unsafe { poll_at::<F>(at, cx) }.map(T::finish)
}

/// A future that waits, and what makes the output of what it ends with; without that the future is gone.
struct FutureThen<F, T> {
    future: ManuallyDrop<F>,
    then: Option<T>,
}

impl<F, T> FutureThen<F, T> {
    /// Drops the future, unless it is gone; what comes then.
    fn end(&mut self) -> Option<T> {
        let then = self.then.take()?;
        // SAFETY: there was a `then`, so the future is there, and it is not used again, as there is none now.
        unsafe { ManuallyDrop::drop(&mut self.future) };
        Some(then)
    }
}

impl<F, T> Drop for FutureThen<F, T> {
    fn drop(&mut self) {
        drop(self.end());
    }
}

/// Polls the future at `at`, for its output as what lies beside it makes that.
///
/// # Safety
/// A pinned `FutureThen<F, T>` lives at `at`, was not ready yet, and nobody else uses it meanwhile.
unsafe fn poll_then_at<F: Future, T: FnOnce(F::Output) -> O, O>(
    at: NonNull<u8>,
    cx: &mut Context<'_>,
) -> Poll<O> {
    // SAFETY: the caller says that it lives there and is ours.
    let both = unsafe { at.cast::<FutureThen<F, T>>().as_mut() };
    // SAFETY: it is not moved until it is dropped in place.
    let output = ready!(unsafe { Pin::new_unchecked(&mut *both.future) }.poll(cx));
    match both.end() {
        Some(then) => Poll::Ready(then(output)),
        None => unreachable!("it is polled no more once it was ready"),
    }
}

/// Drops a future in place, also when its poll unwinds.
struct PlacedFuture<F>(*mut F);

impl<F> Drop for PlacedFuture<F> {
    #[inline(always)]
    fn drop(&mut self) {
        // SAFETY: made right after the future was written there, and forgotten if it is to stay.
        unsafe { self.0.drop_in_place() };
    }
}

/// Drops the `F` at `at` in place.
///
/// # Safety
/// An `F` lives at `at` and nobody uses it again.
#[inline]
unsafe fn drop_at<F>(at: NonNull<u8>) {
    // SAFETY: the caller says that an `F` lives there.
    unsafe { at.cast::<F>().drop_in_place() };
}

impl<O> Parked<'_, O> {
    /// Drops the future and frees the slot, once.
    fn finish(&mut self) {
        // Free before the drop runs: should it panic, its memory may still be used again.
        if std::mem::take(&mut self.slot.taken) {
            // SAFETY: the future lives in the buffer until here, and nobody uses it again: it is not taken.
            unsafe { (self.kind.drop)(self.slot.buffer) };
        }
    }
}

impl<O> Future for Parked<'_, O> {
    type Output = O;

    /// # Panics
    /// When the future panics, or when polled after it was ready.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O> {
        assert!(self.slot.taken, "`Parked` polled after it was ready");
        let buffer = self.slot.buffer;
        // SAFETY: the future lives in the buffer, pinned there since `start`, and `&mut self` makes us alone.
        let polled = unsafe { (self.kind.poll)(buffer, cx) };
        if polled.is_ready() {
            self.finish();
        }
        polled
    }
}

impl<O> Drop for Parked<'_, O> {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Drop for FutureSlot {
    fn drop(&mut self) {
        self.release();
    }
}

impl Default for FutureSlot {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FutureSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FutureSlot").field("capacity", &self.capacity()).finish_non_exhaustive()
    }
}

impl<O> fmt::Debug for Parked<'_, O> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parked").field("done", &!self.slot.taken).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
