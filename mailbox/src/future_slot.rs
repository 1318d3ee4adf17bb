//! Runs one future after the other in the same memory.
//!
//! # Protocol
//! `buffer` is raw memory of `layout`, aligned to 16 bytes at least. `taken` is set exactly while a
//! [`Parked`] owns the future inside; that `Parked` borrows the slot mutably, so nobody can start another
//! future meanwhile. `Parked` clears `taken` when it drops the future. A [`First`] does without: it never
//! leaves this crate, which leaks none. If a `Parked` is leaked, the borrow ends with `taken` still set: the
//! next start (or the slot's drop) then abandons the buffer instead of touching it, because a pinned future's
//! memory must stay valid until its drop has run, and its drop will never run.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

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
    slot: &'a mut FutureSlot,
    poll: unsafe fn(NonNull<u8>, &mut Context<'_>) -> Poll<O>,
    drop: unsafe fn(NonNull<u8>),
    done: bool,
    /// It owns a future that may borrow for `'a` and is Send but perhaps not Sync.
    owns: PhantomData<Box<dyn Future<Output = O> + Send + 'a>>,
}

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
        Parked { slot, poll: poll_finished_at::<F, T>, drop: drop_at::<F>, done: false, owns: PhantomData }
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
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        // Free before the drop runs: should it panic, its memory may still be used again.
        self.slot.taken = false;
        // SAFETY: the future lives in the buffer until here, and `done` keeps it from being used again.
        unsafe { (self.drop)(self.slot.buffer) };
    }
}

impl<O> Future for Parked<'_, O> {
    type Output = O;

    /// # Panics
    /// When the future panics, or when polled after it was ready.
    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<O> {
        assert!(!self.done, "`Parked` polled after it was ready");
        let buffer = self.slot.buffer;
        // SAFETY: the future lives in the buffer, pinned there since `start`, and `&mut self` makes us alone.
        let polled = unsafe { (self.poll)(buffer, cx) };
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
        f.debug_struct("Parked").field("done", &self.done).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::task::Waker;

    /// Waits once, then gives its value; counts its drop by the `Arc`.
    struct Later<T> {
        value: Option<T>,
        waited: bool,
        panics: bool,
        _witness: Arc<()>,
        _ballast: [u8; 40],
    }

    impl<T: Unpin> Future for Later<T> {
        type Output = T;
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
            let this = self.get_mut();
            if std::mem::replace(&mut this.waited, true) {
                assert!(!this.panics, "asked to panic");
                return Poll::Ready(this.value.take().expect("polled once more"));
            }
            Poll::Pending
        }
    }

    fn later(value: u32, witness: &Arc<()>) -> Later<u32> {
        let _witness = Arc::clone(witness);
        Later { value: Some(value), waited: false, panics: false, _witness, _ballast: [0; 40] }
    }

    fn context() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    fn parked<O>(started: Started<'_, O>) -> Parked<'_, O> {
        match started {
            Started::Parked(parked) => parked,
            Started::Ready(_) => panic!("it should wait"),
        }
    }

    #[test]
    fn a_future_waits_in_the_slot_and_is_dropped_when_ready() {
        let witness = Arc::new(());
        let mut slot = FutureSlot::new();
        for round in 0..3 {
            let mut waiting = parked(slot.start(later(round, &witness), &mut context()));
            assert_eq!(Arc::strong_count(&witness), 2);
            assert_eq!(Pin::new(&mut waiting).poll(&mut context()), Poll::Ready(round));
            assert_eq!(Arc::strong_count(&witness), 1);
        }
    }

    #[test]
    fn dropping_a_parked_future_drops_it_and_frees_the_slot() {
        let witness = Arc::new(());
        let mut slot = FutureSlot::new();
        drop(slot.start(later(1, &witness), &mut context()));
        assert_eq!(Arc::strong_count(&witness), 1);
        let capacity = slot.capacity();
        drop(slot.start(later(2, &witness), &mut context()));
        assert_eq!(slot.capacity(), capacity);
    }

    #[test]
    fn a_leaked_future_keeps_its_memory() {
        let witness = Arc::new(());
        let mut slot = FutureSlot::new();
        let leaked = parked(slot.start(later(1, &witness), &mut context()));
        let at = leaked.slot.buffer;
        std::mem::forget(leaked);
        let second = parked(slot.start(later(2, &witness), &mut context()));
        assert_ne!(second.slot.buffer, at);
        drop(second);
        drop(slot);
        assert_eq!(Arc::strong_count(&witness), 2, "the leaked future was neither dropped nor overwritten");
        // The test gives back what it leaked, so that leak checkers stay quiet.
        // SAFETY: the slot abandoned the buffer, and a `Later<u32>` still lives in it.
        unsafe { drop_at::<Later<u32>>(at) };
        let layout =
            Layout::from_size_align(size_of::<Later<u32>>().max(BUFFER_BYTES_MIN), align_of::<Later<u32>>());
        // SAFETY: this is the layout it was allocated with.
        unsafe { dealloc(at.as_ptr(), layout.unwrap()) };
    }

    #[test]
    fn a_panic_in_poll_leaves_the_slot_usable() {
        let witness = Arc::new(());
        let mut slot = FutureSlot::new();
        let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let failing = Later { panics: true, waited: true, ..later(1, &witness) };
            drop(slot.start(failing, &mut context()));
        }));
        attempt.unwrap_err();
        assert_eq!(Arc::strong_count(&witness), 1);
        let mut waiting = parked(slot.start(Later { panics: true, ..later(2, &witness) }, &mut context()));
        let attempt = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let _ = Pin::new(&mut waiting).poll(&mut context());
        }));
        attempt.unwrap_err();
        drop(waiting);
        assert_eq!(Arc::strong_count(&witness), 1);
        assert!(matches!(slot.start(async { 5 }, &mut context()), Started::Ready(5)));
    }

    #[test]
    fn larger_and_more_aligned_futures_grow_the_slot() {
        #[repr(align(128))]
        #[derive(Clone, Copy)]
        struct Wide([u8; 300]);
        async fn sum(wide: Wide) -> usize {
            std::future::ready(()).await;
            (&raw const wide).addr() % 128 + usize::from(wide.0[299])
        }
        let mut slot = FutureSlot::new();
        assert!(matches!(slot.start(std::future::ready(()), &mut context()), Started::Ready(())));
        assert!(matches!(slot.start(sum(Wide([7; 300])), &mut context()), Started::Ready(7)));
        let capacity = slot.capacity();
        assert!(matches!(slot.start(async { 1 }, &mut context()), Started::Ready(1)));
        assert_eq!(slot.capacity(), capacity);
    }

    #[test]
    fn futures_may_borrow() {
        let mut slot = FutureSlot::new();
        let mut text = String::from("a");
        {
            let push = async { text.push('b') };
            assert!(matches!(slot.start(push, &mut context()), Started::Ready(())));
        }
        assert_eq!(text, "ab");
    }
}
