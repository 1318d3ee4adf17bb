//! The actor whose callback runs on this thread.

use std::cell::{Cell, RefCell};
use std::ptr;
use std::time::Duration;

use mycelium_hosted::{Encoded, Scope};

use crate::handles::{MyceliumHandle, address, forks, from_before};
use crate::last::{Fault, MyceliumError, guard};
use crate::pointers;

thread_local! {
    /// The scope of the callback that runs; null where none does, and while it is in use. And how often the
    /// process was forked when the callback began.
    static SCOPE: Cell<(*mut Scope<'static>, u32)> = const { Cell::new((ptr::null_mut(), 0)) };
    /// What the query that is being answered is answered with.
    static REPLY: RefCell<Option<Encoded>> = const { RefCell::new(None) };
}

/// Puts back what was there.
struct Put((*mut Scope<'static>, u32));

impl Drop for Put {
    fn drop(&mut self) {
        SCOPE.with(|scope| scope.set(self.0));
    }
}

/// Runs a callback of an actor: what it calls on this thread finds `scope`.
pub(crate) fn enter<R>(scope: &mut Scope<'_>, run: impl FnOnce() -> R) -> R {
    let at = ptr::from_mut(scope).cast::<Scope<'static>>();
    let _put = Put(SCOPE.with(|current| current.replace((at, forks()))));
    run()
}

/// Uses the scope of the callback that runs on this thread.
fn with_scope<R>(run: impl FnOnce(&mut Scope<'_>) -> Result<R, Fault>) -> Result<R, Fault> {
    let (at, began) = SCOPE.with(Cell::get);
    if began != forks() && !at.is_null() {
        return Err(from_before("the actor whose callback this is"));
    }
    if at.is_null() {
        let text = "no callback of an actor runs on this thread: call this from one, on its own thread, before it returns";
        return Err(Fault::Own(MyceliumError::Inside, text.to_owned()));
    }
    SCOPE.with(|scope| scope.set((ptr::null_mut(), 0)));
    let _put = Put((at, began));
    // SAFETY: `enter` has borrowed the scope for as long as the pointer is there, and takes it back before
    // that ends. It is taken out above while it is used, so there is one such reference at a time; `run`
    // takes any lifetime, so it keeps none.
    run(unsafe { &mut *at })
}

/// What `mycelium_reply` has been given, if it was.
pub(crate) fn take_reply() -> Option<Encoded> {
    REPLY.with(RefCell::take)
}

/// Answers the query whose callback runs on this thread, with a value of the current version of this message,
/// which is copied. The last call counts.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_reply(type_id: u16, bytes: *const u8, len: usize) -> i64 {
    guard(|| {
        // SAFETY: the caller passes so many bytes.
        let bytes = unsafe { pointers::bytes(bytes, len, "bytes") }?;
        let reply = with_scope(|scope| Ok(scope.encoded(type_id, bytes)?))?;
        REPLY.with(|slot| *slot.borrow_mut() = Some(reply));
        Ok(0)
    })
}

/// Has the `timer` of this actor called with this number after `delay_ns`, once, or each time that it has
/// passed if `repeats` is not 0. It takes the place of the timer with the same number, and ends with this
/// life of the actor.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_self_schedule(number: u64, delay_ns: u64, repeats: i32) -> i64 {
    guard(|| {
        with_scope(|scope| {
            let delay = Duration::from_nanos(delay_ns);
            match repeats {
                0 => scope.schedule_after(delay, number),
                _ => scope.schedule_every(delay, number),
            }
            Ok(0)
        })
    })
}

/// Calls off the timer of this actor with this number: 1 if there was one, else 0.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_self_cancel(number: u64) -> i64 {
    guard(|| with_scope(|scope| Ok(usize::from(scope.cancel(number)))))
}

/// Has the `down` of this actor called with this number when that one has ended; soon if it has.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_self_watch(other: MyceliumHandle, number: u64) -> i64 {
    guard(|| {
        let (_, other) = address(other)?;
        with_scope(|scope| Ok(scope.watch(&other, number).map(|()| 0)?))
    })
}

/// Ends this actor, normally, after this callback.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_self_stop() -> i64 {
    guard(|| {
        with_scope(|scope| {
            scope.stop();
            Ok(0)
        })
    })
}

/// Says that this actor counts as started, where `ready_when_told` is set.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_self_ready() -> i64 {
    guard(|| {
        with_scope(|scope| {
            scope.ready();
            Ok(0)
        })
    })
}

/// The time on the bus's clock, in nanoseconds since 1970.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_self_now(now_ns: *mut i64) -> i64 {
    guard(|| {
        let now = with_scope(|scope| Ok(scope.now().as_nanos()))?;
        // SAFETY: the caller passes room for it.
        unsafe { pointers::write(now_ns, now, "now_ns") }?;
        Ok(0)
    })
}

/// The id of this actor, which its messages have as their sender.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_self_id(id: *mut u64) -> i64 {
    guard(|| {
        let own = with_scope(|scope| Ok(scope.id()))?;
        // SAFETY: the caller passes room for it.
        unsafe { pointers::write(id, own, "id") }?;
        Ok(0)
    })
}
