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

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::task::{Context as TaskContext, Poll};

use tokio::task::coop;

use super::cancel::{CancelPoint, poll_to_point};
use super::lookout::{Wait, Waits};
use crate::ActorId;

/// How many publishes, sends and receives come to one unit of tokio's budget, of which a task has 128 in each
/// of its turns (messages). As many as an actor handles in one turn, then, if it publishes one message for
/// each.
const PUBLISHES_PER_UNIT: u32 = 8;

/// An actor or a service whose code runs.
#[derive(Clone, Copy)]
pub(crate) struct Current {
    bus: usize,
    id: u64,
    member: usize,
    /// Whether it is a service that ends at its next wait.
    ends: bool,
}

#[cfg(not(shuttle))]
thread_local! {
    /// What the code that runs has found that it has to wait for, in this poll.
    static NOTED: Cell<Wait> = const { Cell::new(Wait::Nothing) };
    static NOW: Cell<Current> = const { Cell::new(Current::NOBODY) };
    static LEFT: Cell<u32> = const { Cell::new(PUBLISHES_PER_UNIT) };
    /// The cancellation points of this poll.
    static POINTS: Cell<u32> = const { Cell::new(0) };
}
// In a model the tasks of one thread take turns in the middle of a poll.
#[cfg(shuttle)]
shuttle::thread_local! {
    static NOTED: Cell<Wait> = Cell::new(Wait::Nothing);
    static NOW: Cell<Current> = Cell::new(Current::NOBODY);
    static LEFT: Cell<u32> = Cell::new(PUBLISHES_PER_UNIT);
    static POINTS: Cell<u32> = Cell::new(0);
}

impl Current {
    const NOBODY: Self = Self { bus: 0, id: 0, member: 0, ends: false };

    /// The member `id` of the bus with this mark, at this address.
    pub(crate) fn new<T: ?Sized>(bus: usize, id: ActorId, member: &T) -> Self {
        Self { bus, id: id.get(), member: address_of(member), ends: false }
    }

    /// The same, which ends at its next wait if it `ends`.
    pub(crate) fn ending(self, ends: bool) -> Self {
        Self { ends, ..self }
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

/// Polls code of `current`, and has its note say what it waits for.
#[inline]
pub(crate) fn poll_code<R>(current: Current, waits: &Waits, code: impl FnOnce() -> R) -> R {
    let outer = NOTED.with(|noted| noted.replace(Wait::Nothing));
    let polled = enter(current, code);
    waits.note(NOTED.with(|noted| noted.replace(outer)));
    polled
}

/// Changes how many cancellation points this poll has: how many they were.
pub(super) fn count_points(change: impl FnOnce(u32) -> u32) -> u32 {
    POINTS.with(|points| points.replace(change(points.get())))
}

/// Polls code of `current`, a service that ends at its next wait: what it says, and whether it has come to
/// one.
pub(crate) fn poll_ending<R>(current: Current, waits: &Waits, code: impl FnOnce() -> R) -> (R, bool) {
    // So that each wait asks, and the others pay nothing for it.
    LEFT.with(|left| left.set(1));
    poll_to_point(|| poll_code(current.ending(true), waits, code))
}

/// The code that runs waits for this.
#[cold]
pub(crate) fn note(wait: Wait) {
    NOTED.with(|noted| noted.set(wait));
}

/// It does not wait for this any more.
#[inline]
pub(crate) fn unnote(wait: Wait) {
    if NOTED.with(Cell::get) == wait {
        NOTED.with(|noted| noted.set(Wait::Nothing));
    }
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
pub(crate) fn ends() -> bool {
    NOW.with(Cell::get).ends
}

/// The service whose code runs does not end at its next wait: it ends by its own hand from now on.
pub(crate) fn ends_by_hand() {
    NOW.with(|now| now.set(Current { ends: false, ..now.get() }));
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
    *at = at.take().filter(|_| ends()).or_else(CancelPoint::here);
    if at.is_some() {
        return Poll::Pending;
    }
    LEFT.with(|left| left.set(PUBLISHES_PER_UNIT));
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
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn who_was_entered_last_is_found_on_its_bus_until_its_code_is_left() {
        let (one, two) = (1_u64, 2_u64);
        let [a, b] = [(&one, 7), (&two, 8)].map(|(member, id)| Current::new(70, ActorId(id), member));
        let seen = || (sender_on(70), sender_on(71), is(&one), is(&two));
        enter(a, || {
            assert_eq!((seen(), ends()), ((7, 0, true, false), false));
            let unwound = catch_unwind(AssertUnwindSafe(|| {
                enter(b.ending(true), || {
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
