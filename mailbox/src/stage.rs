//! A place where one state at a time plays with one message at a time, and where a play may wait.
//!
//! # Protocol
//! A [`Stage`] owns a state `S` behind a pointer that never moves, and a buffer. A play is a future that
//! borrows the state and a message; it is written into the buffer and polled there. The state is initialised
//! unless `phase` is `Empty`. While `phase` is
//!
//! - `Idle`: nothing borrows the state; [`Stage::with`] and [`Stage::take`] may reach it.
//! - `Busy`: code that has the state runs further up this thread's stack. Nothing else may reach state or
//!   buffer.
//! - `Waiting`: the future in the buffer borrows the state and the message that `waiting` keeps alive; only
//!   [`Stage::resume`] and dropping the stage may touch the buffer, and nothing may reach the state.
//! - `Empty`: the state was taken.
//!
//! A stage is neither `Send` nor `Sync`, so these are all the parties there are. Every entry checks `phase`
//! first and every exit sets it, also when user code panics (by guards, after the future has gone), so no two
//! of them ever overlap.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll};

use crate::Lent;

/// How a state `S` handles a message `M`.
///
/// The future may borrow both, for any lifetime, so an implementation cannot keep either beyond the future.
pub trait Play<S, M> {
    /// What a play ends with.
    type Output;
    /// Begins a play.
    fn play<'a>(state: &'a mut S, message: &'a M) -> impl Future<Output = Self::Output> + 'a;
}

/// What a [`Stage`] is doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Nothing: a play can begin.
    Idle,
    /// Code that has the state is running.
    Busy,
    /// A play waits to be resumed.
    Waiting,
    /// There is no state.
    Empty,
}

/// Owns a state and runs plays with it, in place and without allocating for each.
///
/// ```
/// use mycelium_mailbox::{Play, Shared, Stage};
/// use std::{future::Future, task::{Context, Poll, Waker}};
///
/// struct Add;
/// impl Play<u64, u64> for Add {
///     type Output = u64;
///     async fn play(sum: &mut u64, n: &u64) -> u64 {
///         *sum += n;
///         *sum
///     }
/// }
///
/// let stage = Stage::new(1u64);
/// let two = Shared::of(2);
/// let done = stage.start::<Add, _>(two.lend(), &mut Context::from_waker(Waker::noop()));
/// assert_eq!(done, Some(Poll::Ready(3)));
/// assert_eq!(stage.take(), Some(3));
/// ```
pub struct Stage<S, R> {
    phase: Cell<Phase>,
    /// Boxed, so that the stage itself may move while a play waits.
    state: NonNull<MaybeUninit<S>>,
    buffer: Cell<Buffer>,
    waiting: Cell<Option<Box<StagedFuture<R>>>>,
    /// Neither `Send` nor `Sync`.
    confined: PhantomData<*mut S>,
}

/// Memory for futures; `layout.size() == 0` is none. Its alignment is at least that of [`Aligned`].
#[derive(Clone, Copy)]
struct Buffer {
    start: NonNull<u8>,
    layout: Layout,
}

/// The alignment that every buffer has, so that most futures need not compare theirs.
#[repr(align(16))]
struct Aligned;

/// The future in the buffer, without its type, and what it borrows.
struct StagedFuture<R> {
    poll: unsafe fn(*mut u8, &mut Context<'_>) -> Poll<R>,
    drop: unsafe fn(*mut u8),
    /// Keeps the message where it is.
    _message: Box<dyn std::any::Any>,
}

impl<S: 'static, R: 'static> Stage<S, R> {
    /// A stage with this state.
    pub fn new(state: S) -> Self {
        Self {
            phase: Cell::new(Phase::Idle),
            state: NonNull::from(Box::leak(Box::new(MaybeUninit::new(state)))),
            buffer: Cell::new(Buffer {
                start: NonNull::<Aligned>::dangling().cast(),
                layout: Layout::new::<Aligned>(),
            }),
            waiting: Cell::new(None),
            confined: PhantomData,
        }
    }

    /// What the stage is doing.
    #[inline]
    pub fn phase(&self) -> Phase {
        self.phase.get()
    }

    /// Begins a play and polls it once. Pending: it waits for [`resume`](Self::resume), and keeps the
    /// message. `None`: the stage was not idle, and nothing was begun.
    ///
    /// # Panics
    /// When the play does. Its future is dropped, and the stage is idle again with the state as the play left
    /// it.
    #[inline(always)]
    pub fn start<P, M>(&self, message: Lent<'_, M>, cx: &mut Context<'_>) -> Option<Poll<R>>
    where
        P: Play<S, M, Output = R>,
        M: 'static,
    {
        if self.phase.get() != Phase::Idle {
            return None;
        }
        let busy = Busy::begin(&self.phase);
        let home = self.place(|| {
            // SAFETY: (1) `state` came from `Box::leak` and lives as long as the stage; (2) the phase was
            // `Idle`, so nothing else borrows it, and until it is `Idle` again nothing else will.
            let state = unsafe { &mut *self.state.as_ptr() };
            // SAFETY: the phase was not `Empty`.
            let state = unsafe { state.assume_init_mut() };
            let message: *const M = &raw const *message;
            // SAFETY: the message outlives the future: it is lent for this call, and if the future waits
            // after it, `park` shares it, which keeps the same message at the same address.
            P::play(state, unsafe { &*message })
        });
        Some(self.poll(busy, home, message, cx))
    }

    /// Writes the future that `begin` makes into the buffer. It is made last, so that nothing of it has to be
    /// kept while the buffer grows.
    #[inline(always)]
    fn place<F>(&self, begin: impl FnOnce() -> F) -> NonNull<F> {
        let home = self.buffer_for(Layout::new::<F>()).cast::<F>();
        // SAFETY: the buffer is large and aligned enough for `F`, and free: a future lies there only while
        // `Waiting`.
        unsafe { home.as_ptr().write(begin()) };
        home
    }

    /// Polls the future that was placed at `home`.
    #[inline(always)]
    fn poll<F, M>(
        &self,
        busy: Busy<'_>,
        home: NonNull<F>,
        message: Lent<'_, M>,
        cx: &mut Context<'_>,
    ) -> Poll<R>
    where
        F: Future<Output = R>,
        M: 'static,
    {
        let guard = DropFuture(home.as_ptr());
        // SAFETY: it was written just now, and nothing else refers to it.
        let future = unsafe { &mut *home.as_ptr() };
        // SAFETY: the future stays where it is until it is dropped: the buffer is not reused or freed before.
        let pinned = unsafe { Pin::new_unchecked(future) };
        // The output is left where the poll has put it: to move it would wait for it.
        let polled = pinned.poll(cx);
        if polled.is_ready() {
            drop(guard);
            drop(busy);
        } else {
            std::mem::forget(guard);
            self.park::<F, M>(message);
            busy.end_as(Phase::Waiting);
        }
        polled
    }

    #[cold]
    fn park<F: Future<Output = R>, M: 'static>(&self, message: Lent<'_, M>) {
        /// # Safety
        /// `future` points to a live, pinned `F` that nothing else borrows.
        unsafe fn poll<F: Future>(future: *mut u8, cx: &mut Context<'_>) -> Poll<F::Output> {
            // SAFETY: by this function's contract, it is live and nothing else borrows it.
            let future = unsafe { &mut *future.cast::<F>() };
            // SAFETY: by this function's contract, it is pinned.
            unsafe { Pin::new_unchecked(future) }.poll(cx)
        }
        /// # Safety
        /// `future` points to a live `F` that is not used again.
        unsafe fn drop<F>(future: *mut u8) {
            // SAFETY: by this function's contract.
            unsafe { ptr::drop_in_place(future.cast::<F>()) };
        }
        let waiting = StagedFuture { poll: poll::<F>, drop: drop::<F>, _message: Box::new(message.share()) };
        self.waiting.set(Some(Box::new(waiting)));
    }

    /// Polls the play that waits; pending if none does.
    ///
    /// # Panics
    /// When the play does; see [`start`](Self::start).
    pub fn resume(&self, cx: &mut Context<'_>) -> Poll<R> {
        let Some(waiting) = self.waiting.take() else { return Poll::Pending };
        let busy = Busy::begin(&self.phase);
        let home = self.buffer.get().start.as_ptr();
        let guard = DropWaiting { home, waiting: Some(waiting) };
        let Some(waiting) = guard.waiting.as_ref() else { return Poll::Pending };
        // SAFETY: `waiting` describes the future that lies in the buffer, pinned there by `place`; the phase
        // was `Waiting` and is `Busy`, so nothing else touches it.
        match unsafe { (waiting.poll)(home, cx) } {
            Poll::Ready(output) => {
                drop(guard);
                drop(busy);
                Poll::Ready(output)
            }
            Poll::Pending => {
                self.waiting.set(guard.keep());
                busy.end_as(Phase::Waiting);
                Poll::Pending
            }
        }
    }

    /// Drops the play that waits, if one does.
    pub fn cancel(&self) {
        if let Some(waiting) = self.waiting.take() {
            let _busy = Busy::begin(&self.phase);
            drop(DropWaiting { home: self.buffer.get().start.as_ptr(), waiting: Some(waiting) });
        }
    }

    /// Calls `f` with the state if the stage is idle.
    pub fn with<T>(&self, f: impl FnOnce(&mut S) -> T) -> Option<T> {
        if self.phase.get() != Phase::Idle {
            return None;
        }
        let _busy = Busy::begin(&self.phase);
        // SAFETY: as in `start`: idle before, so nothing else borrows the state; busy now, so nothing else
        // will.
        let state = unsafe { &mut *self.state.as_ptr() };
        // SAFETY: the phase was not `Empty`.
        Some(f(unsafe { state.assume_init_mut() }))
    }

    /// Takes the state out if the stage is idle, and leaves it empty.
    pub fn take(&self) -> Option<S> {
        if self.phase.get() != Phase::Idle {
            return None;
        }
        self.phase.set(Phase::Empty);
        // SAFETY: idle before, so nothing borrows the state.
        let state = unsafe { &*self.state.as_ptr() };
        // SAFETY: the phase was not `Empty` and is, so the state is read once and never reached again.
        Some(unsafe { state.assume_init_read() })
    }

    /// Gives a state to a stage whose state was taken; it comes back if the stage has one.
    ///
    /// ```
    /// let stage = mycelium_mailbox::Stage::<u8, ()>::new(1);
    /// assert_eq!(stage.put(2), Err(2));
    /// assert_eq!(stage.take(), Some(1));
    /// assert_eq!(stage.put(2), Ok(()));
    /// assert_eq!(stage.take(), Some(2));
    /// ```
    ///
    /// # Errors
    /// The state that was to be put.
    pub fn put(&self, state: S) -> Result<(), S> {
        if self.phase.get() != Phase::Empty {
            return Err(state);
        }
        // SAFETY: (1) `state` came from `Box::leak` and lives as long as the stage; (2) the phase is `Empty`,
        // so it is not initialised and nothing borrows it.
        unsafe { (*self.state.as_ptr()).write(state) };
        self.phase.set(Phase::Idle);
        Ok(())
    }

    /// The buffer, grown if it is too small for `wanted`. Called only while no future lies in it.
    #[inline]
    fn buffer_for(&self, wanted: Layout) -> NonNull<u8> {
        let buffer = self.buffer.get();
        let aligned = wanted.align() <= align_of::<Aligned>() || wanted.align() <= buffer.layout.align();
        if buffer.layout.size() >= wanted.size() && aligned {
            return buffer.start;
        }
        self.grow(wanted)
    }

    #[cold]
    fn grow(&self, wanted: Layout) -> NonNull<u8> {
        let old = self.buffer.get();
        // At least one byte, so that there is an allocation even for a future without size.
        let size = wanted.size().max(old.layout.size()).max(1);
        let align = wanted.align().max(old.layout.align());
        let Ok(layout) = Layout::from_size_align(size, align) else { handle_alloc_error(wanted) };
        // SAFETY: the layout's size is not zero.
        let Some(start) = NonNull::new(unsafe { alloc(layout) }) else { handle_alloc_error(layout) };
        free(old);
        self.buffer.set(Buffer { start, layout });
        start
    }
}

fn free(buffer: Buffer) {
    if buffer.layout.size() > 0 {
        // SAFETY: a buffer with a size came from `alloc` with this layout, and its owner forgets it.
        unsafe { dealloc(buffer.start.as_ptr(), buffer.layout) };
    }
}

impl<S, R> Drop for Stage<S, R> {
    fn drop(&mut self) {
        let home = self.buffer.get().start.as_ptr();
        // First the future, which borrows the state; then the state; then the future's memory.
        if let Some(waiting) = self.waiting.take() {
            drop(DropWaiting { home, waiting: Some(waiting) });
        }
        // SAFETY: `state` came from `Box::leak` in `new` and is freed here alone; nothing borrows it any
        // more. A stage whose play is on the stack is borrowed by `start` or `resume`, so it cannot be
        // dropped now.
        let mut state = unsafe { Box::from_raw(self.state.as_ptr()) };
        if self.phase.get() != Phase::Empty {
            // SAFETY: the phase is not `Empty`, so it is initialised, and it is not used again.
            unsafe { state.assume_init_drop() };
        }
        free(self.buffer.get());
    }
}

/// Marks a stage as busy, and as idle again at its end, also when that is an unwinding.
struct Busy<'a>(&'a Cell<Phase>);

impl<'a> Busy<'a> {
    #[inline]
    fn begin(phase: &'a Cell<Phase>) -> Self {
        phase.set(Phase::Busy);
        Self(phase)
    }

    fn end_as(self, phase: Phase) {
        self.0.set(phase);
        std::mem::forget(self);
    }
}

impl Drop for Busy<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.set(Phase::Idle);
    }
}

/// Drops a future in place, also when its poll unwinds.
struct DropFuture<F>(*mut F);

impl<F> Drop for DropFuture<F> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: made right after the future was written to this place, and forgotten if it is to stay
        // there.
        unsafe { ptr::drop_in_place(self.0) };
    }
}

/// Drops a waiting future in place, also when its poll unwinds.
struct DropWaiting<R> {
    home: *mut u8,
    waiting: Option<Box<StagedFuture<R>>>,
}

impl<R> DropWaiting<R> {
    /// Leaves the future where it is.
    fn keep(mut self) -> Option<Box<StagedFuture<R>>> {
        self.waiting.take()
    }
}

impl<R> Drop for DropWaiting<R> {
    fn drop(&mut self) {
        if let Some(waiting) = self.waiting.take() {
            // SAFETY: `waiting` describes the future at `home`, which is not used again. Its message is
            // dropped after it.
            unsafe { (waiting.drop)(self.home) };
        }
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::cell::RefCell;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::rc::Rc;
    use std::task::Waker;

    use super::*;
    use crate::Shared;

    /// Appends the message to the state; waits as often as the message says, panics at 99.
    struct Append;

    struct Yield(u8);
    impl Future for Yield {
        type Output = ();
        fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            if self.0 == 0 {
                return Poll::Ready(());
            }
            self.0 -= 1;
            Poll::Pending
        }
    }

    impl Play<Vec<u8>, Rc<u8>> for Append {
        type Output = usize;
        async fn play(state: &mut Vec<u8>, message: &Rc<u8>) -> usize {
            let kept = Rc::clone(message);
            Yield(**message).await;
            assert!(*kept != 99 && **message != 3, "boom");
            state.push(**message);
            state.len()
        }
    }

    /// A larger future with a stronger alignment, to make the buffer grow.
    struct Large;
    #[repr(align(64))]
    struct Line([u8; 512]);
    impl Play<Vec<u8>, Rc<u8>> for Large {
        type Output = usize;
        async fn play(state: &mut Vec<u8>, message: &Rc<u8>) -> usize {
            let line = Line([**message; 512]);
            Yield(1).await;
            assert_eq!((&raw const line).addr() % 64, 0);
            state.extend(&line.0);
            state.len()
        }
    }

    fn message(value: u8) -> (Rc<u8>, Shared<Rc<u8>>) {
        let value = Rc::new(value);
        (Rc::clone(&value), Shared::of(value))
    }

    fn noop() -> Context<'static> {
        Context::from_waker(Waker::noop())
    }

    #[test]
    fn a_play_that_waits_keeps_its_message_and_the_state_until_it_is_done() {
        let stage = Stage::new(Vec::new());
        let (value, shared) = message(2);
        assert_eq!(stage.start::<Append, _>(shared.lend(), &mut noop()), Some(Poll::Pending));
        drop(shared);
        assert_eq!(Rc::strong_count(&value), 3, "mine, the batch's, the play's");
        assert_eq!(stage.phase(), Phase::Waiting);
        assert_eq!(stage.with(|state| state.len()), None);
        let (_, other) = message(0);
        assert_eq!(stage.start::<Append, _>(other.lend(), &mut noop()), None, "only one play at a time");
        assert_eq!(stage.resume(&mut noop()), Poll::Pending);
        assert_eq!(stage.resume(&mut noop()), Poll::Ready(1));
        assert_eq!(Rc::strong_count(&value), 1);
        assert_eq!(stage.start::<Append, _>(other.lend(), &mut noop()), Some(Poll::Ready(2)));
        assert_eq!(stage.take(), Some(vec![2, 0]));
        assert_eq!(stage.phase(), Phase::Empty);
        assert_eq!(stage.start::<Append, _>(other.lend(), &mut noop()), None);
    }

    #[test]
    fn a_panic_drops_the_play_and_leaves_the_stage_idle() {
        let stage = Stage::new(vec![7]);
        for (at, waits) in [(99, 99), (3, 3)] {
            let (value, shared) = message(at);
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                assert_eq!(stage.start::<Append, _>(shared.lend(), &mut noop()), Some(Poll::Pending));
                for _ in 0..waits {
                    let _ = stage.resume(&mut noop());
                }
            }));
            assert!(unwound.is_err());
            drop(shared);
            assert_eq!(Rc::strong_count(&value), 1, "the play or its message was leaked");
            assert_eq!(stage.phase(), Phase::Idle);
        }
        assert_eq!(stage.take(), Some(vec![7]));
    }

    #[test]
    fn the_buffer_grows_and_a_dropped_stage_drops_what_waits() {
        let stage = Stage::new(Vec::new());
        let (value, shared) = message(1);
        for _ in 0..3 {
            assert_eq!(stage.start::<Append, _>(shared.lend(), &mut noop()), Some(Poll::Pending));
            stage.cancel();
            assert_eq!(stage.start::<Large, _>(shared.lend(), &mut noop()), Some(Poll::Pending));
            let before = stage.resume(&mut noop());
            assert!(before.is_ready());
        }
        assert_eq!(stage.with(|state| state.len()), Some(3 * 512));
        assert_eq!(stage.start::<Large, _>(shared.lend(), &mut noop()), Some(Poll::Pending));
        drop((shared, stage));
        assert_eq!(Rc::strong_count(&value), 1);
    }

    #[test]
    fn a_state_is_dropped_once_whether_it_was_taken_or_not() {
        let count = Rc::new(());
        drop(Stage::<_, ()>::new(Rc::clone(&count)));
        assert_eq!(Rc::strong_count(&count), 1);
        let stage = Stage::<_, ()>::new(Rc::clone(&count));
        let taken = stage.take();
        assert!(stage.take().is_none() && stage.with(|_| ()).is_none());
        drop(stage);
        assert_eq!(Rc::strong_count(&count), 2);
        drop(taken);
        assert_eq!(Rc::strong_count(&count), 1);
    }

    #[test]
    fn a_play_cannot_enter_its_own_stage() {
        type Here = Option<Rc<Stage<Vec<u8>, Phase>>>;
        thread_local!(static STAGE: RefCell<Here> = const { RefCell::new(None) });
        struct Nested;
        impl Play<Vec<u8>, u8> for Nested {
            type Output = Phase;
            async fn play(_: &mut Vec<u8>, _: &u8) -> Phase {
                let stage = STAGE.with_borrow(|stage| stage.clone().unwrap());
                assert!(stage.with(|_| ()).is_none());
                assert!(stage.take().is_none());
                stage.phase()
            }
        }
        let stage = Rc::new(Stage::new(Vec::new()));
        STAGE.set(Some(Rc::clone(&stage)));
        let shared = Shared::of(0u8);
        assert_eq!(stage.start::<Nested, _>(shared.lend(), &mut noop()), Some(Poll::Ready(Phase::Busy)));
        STAGE.set(None);
    }
}
