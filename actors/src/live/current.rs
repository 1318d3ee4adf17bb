//! Whose code this thread runs now, and how much that has published since others could run.
//!
//! # Whose code
//! The task of an actor or a service says so around each of its polls ([`enter`]), and what was said before
//! holds again afterwards, also after a panic. So whatever that code uses (its context, a publisher that it
//! keeps, a reference) knows who uses it. A task that it spawns, and another thread, are not polled by it:
//! they are outside.
//!
//! # Letting others run
//! A publish that need not wait is ready at once. So that a loop of them does not keep its thread, each takes
//! part in tokio's budget ([`poll_turn`]): one in [`PUBLISHES_PER_UNIT`] asks for a unit of it. Where none is
//! left it is pending once, before it has done anything. It rings its own waker rather than leave that to
//! tokio, for an executor inside a task that tokio does not know of: that one polls again at once, and the
//! budget is not asked for the next publishes.
//!
//! # Services that are told to stop
//! The thread knows the [`ServiceEnding`] of the service whose code it polls. Each wait of that code looks at
//! it, ready or not, so a service ends at its next wait also when it was told in the middle of a poll.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::num::NonZeroU64;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use mycelium_mailbox::this_thread;
use tokio::task::coop;

use super::cancel::{CancelPoint, ServiceEnding, poll_to_point};
use super::lookout::{Noted, PackedNote, Wait, Waits};
use crate::ActorId;

/// How many publishes, sends and receives come to one unit of tokio's budget, of which a task has 128 in each
/// of its turns (messages). As many as an actor handles in one turn, then, if it publishes one message for
/// each.
const PUBLISHES_PER_UNIT: u32 = 8;

/// The polls of each thread have numbers of so many bits.
const POLL_BITS: u32 = 40;

/// The first number of a poll on the first thread.
const FIRST_POLL: NonZeroU64 = NonZeroU64::new(1 << POLL_BITS).unwrap();

/// An actor or a service whose code runs.
#[derive(Clone, Copy)]
pub(crate) struct Current {
    bus: usize,
    id: u64,
    member: usize,
    /// A set of [`ENDS`] and [`LOOKS`]; a whole word, so that this is moved by no piece that was not written
    /// as one: such a load waits until the cache has both.
    service: u64,
}

/// It is a service that ends at its next wait.
const ENDS: u64 = 1;

/// It is one that may be told so while it runs: each of its waits looks.
const LOOKS: u64 = 2;

/// What the code that runs waits for.
#[derive(Clone, Copy)]
struct Notes {
    /// What it has found in this poll.
    now: PackedNote,
    /// What the note of its member says since the last one. It stays for as long as the code comes to that
    /// wait again, whatever else it waits for besides.
    before: PackedNote,
}

impl Notes {
    const NONE: Self = Self { now: PackedNote::NOTHING, before: PackedNote::NOTHING };
}

#[cfg(not(shuttle))]
thread_local! {
    static NOTED: Cell<Notes> = const { Cell::new(Notes::NONE) };
    /// The number of the last wait that has begun on this thread.
    static LAST_WAIT: Cell<u64> = const { Cell::new(0) };
    static NOW: Cell<Current> = const { Cell::new(Current::NOBODY) };
    static LEFT: Cell<u32> = const { Cell::new(PUBLISHES_PER_UNIT) };
    /// The same for services, whose `LEFT` is always 1.
    static LEFT_OF_SERVICE: Cell<u32> = const { Cell::new(PUBLISHES_PER_UNIT) };
    /// How many polls of services this thread has begun, and the cancellation points of the last one.
    static POINTS: Cell<(NonZeroU64, u32)> = const { Cell::new((NonZeroU64::MIN, 0)) };
    /// Of those who have polled these.
    static POINT_WAKERS: RefCell<Vec<Waker>> = const { RefCell::new(Vec::new()) };
    /// Of the service whose code runs.
    static ENDING: Cell<Option<Arc<ServiceEnding>>> = const { Cell::new(None) };
}
// In a model the tasks of one thread take turns in the middle of a poll.
#[cfg(shuttle)]
shuttle::thread_local! {
    static NOTED: Cell<Notes> = Cell::new(Notes::NONE);
    static LAST_WAIT: Cell<u64> = Cell::new(0);
    static NOW: Cell<Current> = Cell::new(Current::NOBODY);
    static LEFT: Cell<u32> = Cell::new(PUBLISHES_PER_UNIT);
    static LEFT_OF_SERVICE: Cell<u32> = Cell::new(PUBLISHES_PER_UNIT);
    static POINTS: Cell<(NonZeroU64, u32)> = Cell::new((NonZeroU64::MIN, 0));
    static POINT_WAKERS: RefCell<Vec<Waker>> = RefCell::new(Vec::new());
    static ENDING: Cell<Option<Arc<ServiceEnding>>> = Cell::new(None);
}

impl Current {
    const NOBODY: Self = Self { bus: 0, id: 0, member: 0, service: 0 };

    /// The member `id` of the bus with this mark, at this address.
    pub(crate) fn new<T: ?Sized>(bus: usize, id: ActorId, member: &T) -> Self {
        Self { bus, id: id.get(), member: address_of(member), service: 0 }
    }

    fn looks(self) -> bool {
        self.service & LOOKS != 0
    }
}

/// Tells what lives from everything else that lives at the same time.
pub(crate) fn address_of<T: ?Sized>(value: &T) -> usize {
    std::ptr::from_ref(value).addr()
}

/// Runs code of `current`.
#[inline]
pub(crate) fn enter<R>(current: Current, code: impl FnOnce() -> R) -> R {
    struct Leave(Current);
    impl Drop for Leave {
        fn drop(&mut self) {
            NOW.with(|now| now.set(self.0));
        }
    }
    let _leave = Leave(NOW.with(|now| now.replace(current)));
    code()
}

/// Runs code that is nobody's on this bus, wherever this thread is.
pub(crate) fn outside<R>(code: impl FnOnce() -> R) -> R {
    enter(Current::NOBODY, code)
}

/// Runs code that is nobody's, and waits for things of its own, in the midst of a poll of somebody's.
pub(crate) fn aside<R>(code: impl FnOnce() -> R) -> R {
    let _noted = set_noted_aside();
    let done = outside(code);
    if NOW.with(Cell::get).looks() {
        LEFT.with(|left| left.set(1));
    }
    done
}

/// A future of `current` that lies pinned elsewhere, and is dropped there as code of it, whenever this is:
/// what its destructors do is that member's own also where nobody polls it, as at a kill.
pub(crate) struct OwnCode<'a, F> {
    current: Current,
    code: Pin<&'a mut Option<F>>,
}

impl<'a, F> OwnCode<'a, F> {
    pub(crate) fn new(current: Current, code: Pin<&'a mut Option<F>>) -> Self {
        Self { current, code }
    }

    #[inline]
    pub(crate) fn as_mut(&mut self) -> Pin<&mut Option<F>> {
        self.code.as_mut()
    }
}

impl<F> Drop for OwnCode<'_, F> {
    fn drop(&mut self) {
        enter(self.current, || self.code.set(None));
    }
}

/// A value of `current`, dropped as code of it, whenever this is.
pub(crate) struct OwnValue<T> {
    current: Current,
    pub(crate) value: Option<T>,
}

impl<T> OwnValue<T> {
    pub(crate) fn new(current: Current, value: T) -> Self {
        Self { current, value: Some(value) }
    }
}

impl<T> Drop for OwnValue<T> {
    fn drop(&mut self) {
        enter(self.current, || drop(self.value.take()));
    }
}

/// Polls code of `current`, and has its note say what it waits for.
#[inline]
pub(crate) fn poll_code<R>(current: Current, waits: &Waits, code: impl FnOnce() -> R) -> R {
    let notes = Notes { now: PackedNote::NOTHING, before: waits.own() };
    let outer = NOTED.with(|noted| noted.replace(notes));
    let polled = enter(current, code);
    let now = NOTED.with(|noted| noted.replace(outer)).now;
    if now != notes.before {
        waits.write(now);
    }
    polled
}

/// Begins a poll, which has no cancellation points.
pub(super) fn begin_points() {
    POINTS.with(|points| {
        // No two threads have a number in common, for a service may go from one to the other.
        let first = this_thread().saturating_mul(FIRST_POLL);
        points.set((points.get().0.saturating_add(1).max(first), 0));
    });
}

/// Wakes those tasks within the code of a service that have polled the points, so that they poll them again.
/// The service itself, whose waker is `own`, is polled anyway.
pub(super) fn wake_points(own: &Waker) {
    let wakers = POINT_WAKERS.with(RefCell::take);
    wakers.into_iter().filter(|waker| !waker.will_wake(own)).for_each(Waker::wake);
}

/// Forgets who has polled the points.
pub(super) fn forget_wakers() {
    drop(POINT_WAKERS.with(RefCell::take));
}

/// Whether the poll has cancellation points.
pub(super) fn has_points() -> bool {
    POINTS.with(|points| points.get().1 > 0)
}

/// Counts a cancellation point, which was counted last in the poll `before`, in this one: which this is.
pub(super) fn count_point(before: Option<NonZeroU64>, waker: &Waker) -> NonZeroU64 {
    let (poll, count) = POINTS.with(Cell::get);
    if before != Some(poll) {
        POINTS.with(|points| points.set((poll, count + 1)));
        let waker = waker.clone();
        POINT_WAKERS.with(|wakers| wakers.borrow_mut().push(waker));
    }
    poll
}

/// The wait whose point was counted last in `poll` is over.
///
/// Nearly no wait has one, but each drops its place for one. In the ABI of C nothing unwinds: see the drop of
/// a `Ticket` in `mailbox` for what that saves.
#[cold]
#[inline(never)]
pub(super) extern "C" fn uncount_point(poll: NonZeroU64) {
    let _over = POINTS.try_with(|points| {
        let (now, count) = points.get();
        points.set((now, count - u32::from(poll == now && count > 0)));
    });
}

/// Polls code of `current`, a service with this `ending`: what it says, and whether it waits where it ends.
pub(crate) fn poll_service<R>(
    current: Current,
    ending: &Arc<ServiceEnding>,
    waits: &Waits,
    code: impl FnOnce() -> R,
) -> (R, bool) {
    struct Outer(Option<Arc<ServiceEnding>>);
    impl Drop for Outer {
        fn drop(&mut self) {
            ENDING.with(|ending| ending.set(self.0.take()));
        }
    }
    let _outer = Outer(ENDING.with(|now| now.replace(Some(Arc::clone(ending)))));
    // So that each wait looks, and those of actors pay nothing for it.
    LEFT.with(|left| left.set(1));
    poll_to_point(|| poll_code(Current { service: LOOKS, ..current }, waits, code))
}

/// Runs code in which no wait is the end of the service whose code this is.
pub(crate) fn without_end<R>(code: impl FnOnce() -> R) -> R {
    let now = NOW.with(Cell::get);
    let done = enter(Current { service: 0, ..now }, code);
    if now.looks() {
        LEFT.with(|left| left.set(1));
    }
    done
}

/// A number for a wait that begins, which no other has.
#[cold]
pub(super) fn number_wait() -> u64 {
    LAST_WAIT.with(|last| {
        let next = (last.get() + 1).max(this_thread().get() << POLL_BITS);
        last.set(next);
        next
    })
}

/// The code that runs waits for this.
#[cold]
pub(crate) fn note(wait: Wait, number: u64) {
    let notes = NOTED.with(Cell::get);
    let stays = notes.now == notes.before && notes.now != PackedNote::NOTHING;
    if !stays && wait != Wait::Nothing {
        NOTED.with(|noted| noted.set(Notes { now: PackedNote::new((wait, number)), ..notes }));
    }
}

/// It does not wait for this any more.
#[cold]
pub(crate) fn unnote(wait: Wait, number: u64) {
    let notes = NOTED.with(Cell::get);
    if notes.now == PackedNote::new((wait, number)) {
        NOTED.with(|noted| noted.set(Notes { now: PackedNote::NOTHING, ..notes }));
    }
}

/// What the code that runs has noted in this poll, to be noted again when this is dropped.
pub(super) struct NotedAside(Noted);

/// Forgets it meanwhile.
pub(super) fn set_noted_aside() -> NotedAside {
    NotedAside(take_noted().0)
}

impl Drop for NotedAside {
    fn drop(&mut self) {
        NOTED.with(|noted| noted.set(Notes { now: PackedNote::new(self.0), ..noted.get() }));
    }
}

/// What the code that runs has noted in this poll, which is forgotten, and what its member's note says.
#[cold]
pub(super) fn take_noted() -> (Noted, Noted) {
    let Notes { now, before } = NOTED.with(Cell::get);
    NOTED.with(|noted| noted.set(Notes { now: PackedNote::NOTHING, before }));
    (now.unpack(), before.unpack())
}

/// Whether the code that runs is that of a member of this bus.
#[inline]
pub(crate) fn is_on(bus: usize) -> bool {
    NOW.with(Cell::get).bus == bus
}

/// The member of the bus with this mark whose code runs; 0 if there is none.
#[inline]
pub(crate) fn sender_on(bus: usize) -> u64 {
    let now = NOW.with(Cell::get);
    if now.bus == bus { now.id } else { 0 }
}

/// Whether the code that runs is that of a service that ends at its next wait.
#[inline]
pub(crate) fn ends() -> bool {
    let now = NOW.with(Cell::get);
    now.service & ENDS != 0 || (now.looks() && comes_to_its_end())
}

/// Whether that of a service has been told to end by now.
#[cold]
#[inline(never)]
fn comes_to_its_end() -> bool {
    let ending = ENDING.with(Cell::take);
    let ends = ending.as_deref().is_some_and(ServiceEnding::is_due);
    ENDING.with(|kept| kept.set(ending));
    if ends {
        NOW.with(|kept| kept.set(Current { service: kept.get().service | ENDS, ..kept.get() }));
    }
    ends
}

/// The service whose code runs does not end at its next wait: it ends by its own hand from now on.
pub(crate) fn ends_by_hand() {
    NOW.with(|now| now.set(Current { service: now.get().service & !ENDS, ..now.get() }));
}

/// Whether the code that runs is that of this member.
#[inline]
pub(crate) fn is<T: ?Sized>(member: &T) -> bool {
    NOW.with(Cell::get).member == address_of(member)
}

/// Ready if the task may go on. Pending: it is to be polled again once others have run, or it is a service
/// that ends here, at the point that `at` keeps.
#[inline(always)]
pub(crate) fn poll_turn(cx: &mut TaskContext<'_>, at: &mut Option<CancelPoint>) -> Poll<()> {
    let left = LEFT.with(Cell::get);
    if left > 1 {
        LEFT.with(|units| units.set(left - 1));
        return Poll::Ready(());
    }
    poll_budget(cx, at)
}

#[cold]
#[inline(never)]
fn poll_budget(cx: &mut TaskContext<'_>, at: &mut Option<CancelPoint>) -> Poll<()> {
    if CancelPoint::holds(at, cx) {
        return Poll::Pending;
    }
    if NOW.with(Cell::get).looks() {
        let left = LEFT_OF_SERVICE.with(Cell::get);
        if left > 1 {
            LEFT_OF_SERVICE.with(|units| units.set(left - 1));
            return Poll::Ready(());
        }
        LEFT_OF_SERVICE.with(|units| units.set(PUBLISHES_PER_UNIT));
    } else {
        LEFT.with(|left| left.set(PUBLISHES_PER_UNIT));
    }
    if !coop::has_budget_remaining() {
        cx.waker().wake_by_ref();
        return Poll::Pending;
    }
    coop::poll_proceed(cx).map(|unit| unit.made_progress())
}

/// Waits until the task may go on: see [`poll_turn`].
#[inline]
pub(crate) fn turn() -> impl Future<Output = ()> + Send {
    let mut at = None;
    poll_fn(move |cx| poll_turn(cx, &mut at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::live::lookout::{Lookout, NOTHING};
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::Weak;
    use std::time::Duration;

    #[test]
    fn a_wait_that_goes_on_stays_noted_whatever_else_is_waited_for() {
        let waits = Waits::new(Lookout::new(Weak::new(), 70, None, Duration::ZERO));
        let poll = |code: &dyn Fn()| {
            poll_code(Current::new(70, ActorId(7), &waits), &waits, code);
            waits.noted()
        };
        let (long, short, next) = ((Wait::Answer(1), 5), (Wait::Answer(2), 6), (Wait::Topic(3), 1));
        let comes_to = |all: &[Noted]| all.iter().for_each(|(wait, number)| note(*wait, *number));
        assert_eq!(poll(&|| comes_to(&[short, long])), long, "the last one");
        assert_eq!(poll(&|| comes_to(&[short, long])), long);
        assert_eq!(poll(&|| comes_to(&[long, next])), long);
        assert_eq!(poll(&|| comes_to(&[next])), next, "it has gone on");
        let leaves = || {
            comes_to(&[next]);
            unnote(next.0, next.1);
        };
        assert_eq!(poll(&leaves), NOTHING);
        assert_ne!(number_wait(), number_wait());
    }

    #[test]
    fn who_was_entered_last_is_found_on_its_bus_until_its_code_is_left() {
        let (one, two) = (1_u64, 2_u64);
        let [a, b] = [(&one, 7), (&two, 8)].map(|(member, id)| Current::new(70, ActorId(id), member));
        let seen = || (sender_on(70), sender_on(71), is(&one), is(&two));
        enter(a, || {
            assert_eq!((seen(), ends()), ((7, 0, true, false), false));
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                enter(Current { service: ENDS, ..b }, || {
                    assert_eq!((seen(), ends()), ((8, 0, false, true), true));
                    panic!("boom");
                });
            }));
            assert!(unwound.is_err());
            assert_eq!((seen(), ends()), ((7, 0, true, false), false));
            std::thread::scope(|threads| {
                threads.spawn(|| assert_eq!(seen(), (0, 0, false, false)));
            });
        });
        assert_eq!(seen(), (0, 0, false, false));
    }
}
