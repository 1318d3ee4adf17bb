//! Supervision trees.

use std::ffi::c_char;
use std::sync::Mutex;
use std::time::Duration;

use mycelium::Supervisor;
use mycelium::tree::{Backoff, Builder, Strategy};

use crate::actor::{Described, MyceliumActor};
use crate::handles::{MyceliumHandle, Object, runtime, tree, with_supervisor};
use crate::last::{Fault, guard};
use crate::pointers;
use crate::runtime::give;

/// Which children are restarted when one ends.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MyceliumStrategy {
    /// That one.
    OneForOne = 0,
    /// All.
    OneForAll = 1,
    /// That one and those after it.
    RestForOne = 2,
}

/// Begins the description of a supervisor: one-for-one, one restart in 5 s. Nothing runs before
/// `mycelium_tree_start`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_supervisor_create(
    name: *const c_char,
    supervisor: *mut MyceliumHandle,
) -> i64 {
    guard(|| {
        // SAFETY: the caller passes a text that ends with a zero byte.
        let name = unsafe { pointers::text(name, "name") }?;
        let builder = Supervisor::builder(name);
        // SAFETY: the caller passes room for the handle.
        unsafe { give(Object::Supervisor(Mutex::new(Some(builder))), supervisor, "supervisor") }
    })
}

/// Changes a description.
fn change(supervisor: MyceliumHandle, change: impl FnOnce(Builder) -> Builder) -> Result<usize, Fault> {
    with_supervisor(supervisor, |slot| {
        *slot = slot.take().map(change);
        Ok(0)
    })
}

/// Which children are restarted when one ends: one of `MYCELIUM_STRATEGY_*`.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_supervisor_strategy(supervisor: MyceliumHandle, strategy: i32) -> i64 {
    guard(|| {
        let strategy = match strategy {
            0 => Strategy::OneForOne,
            1 => Strategy::OneForAll,
            2 => Strategy::RestForOne,
            other => {
                return Err(Fault::argument(format!(
                    "{other} is no strategy: use one of MYCELIUM_STRATEGY_*"
                )));
            }
        };
        change(supervisor, |builder| builder.strategy(strategy))
    })
}

/// How many restarts are allowed within `period_ms`. One more ends this supervisor, and the one above
/// decides.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_supervisor_intensity(
    supervisor: MyceliumHandle,
    restarts: u32,
    period_ms: u64,
) -> i64 {
    guard(|| change(supervisor, |builder| builder.intensity(restarts, Duration::from_millis(period_ms))))
}

/// How long a child waits for its restart: `initial_ms`, doubled with each failure up to `cap_ms`, with a
/// share of `jitter` (0 to 1) that is random, and from the beginning again after `reset_after_ms` without a
/// failure.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_supervisor_backoff(
    supervisor: MyceliumHandle,
    initial_ms: u64,
    cap_ms: u64,
    jitter: f64,
    reset_after_ms: u64,
) -> i64 {
    guard(|| {
        let backoff = Backoff {
            initial: Duration::from_millis(initial_ms),
            cap: Duration::from_millis(cap_ms),
            jitter,
            reset_after: Duration::from_millis(reset_after_ms),
            ..Backoff::default()
        };
        change(supervisor, |builder| builder.backoff(backoff))
    })
}

/// Adds an actor after the other children. The description that `actor` points to is copied. Its `release`
/// is called when it is used no more: also where this fails, unless `actor` cannot be read.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_supervisor_add_actor(
    supervisor: MyceliumHandle,
    runtime: MyceliumHandle,
    name: *const c_char,
    actor: *const MyceliumActor,
) -> i64 {
    guard(|| {
        // SAFETY: the caller passes a description.
        let described = unsafe { Described::read(actor) }?;
        // SAFETY: the caller passes a text that ends with a zero byte.
        let name = unsafe { pointers::text(name, "name") }?;
        let child = described.child(&self::runtime(runtime)?, name);
        change(supervisor, |builder| builder.child(child))
    })
}

/// Adds a supervisor below another, after the other children. Its handle describes nothing after this, and is
/// freed as every other.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_supervisor_add_supervisor(
    supervisor: MyceliumHandle,
    below: MyceliumHandle,
) -> i64 {
    guard(|| {
        if supervisor == below {
            return Err(Fault::argument("a supervisor is not below itself: pass two handles"));
        }
        let taken = with_supervisor(below, |slot| Ok(slot.clone()))?;
        let child = taken.ok_or_else(|| Fault::argument("the supervisor is gone"))?;
        change(supervisor, |builder| builder.supervisor(child))?;
        with_supervisor(below, |slot| {
            *slot = None;
            Ok(0)
        })
    })
}

/// Starts a tree, and waits until all its children run. The handle of the supervisor describes nothing after
/// this, also where it fails, and is freed as every other.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_tree_start(
    runtime: MyceliumHandle,
    supervisor: MyceliumHandle,
    tree: *mut MyceliumHandle,
) -> i64 {
    guard(|| {
        // SAFETY: the caller passes room for the handle.
        unsafe { pointers::write(tree, 0, "tree") }?;
        let runtime = self::runtime(runtime)?;
        let builder = with_supervisor(supervisor, |slot| Ok(slot.take()))?;
        let builder = builder.ok_or_else(|| Fault::argument("the supervisor is gone"))?;
        let started = runtime.start(builder)?;
        // SAFETY: the same again.
        unsafe { give(Object::Tree(started), tree, "tree") }
    })
}

/// Ends a tree, its children in reverse order, within `limit_ms`. Not to be called from a callback.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_tree_shutdown(tree: MyceliumHandle, limit_ms: u64) -> i64 {
    guard(|| Ok(self::tree(tree)?.shutdown(Duration::from_millis(limit_ms)).map(|()| 0)?))
}

/// Whether a tree has ended, or does within `limit_ms`: 1, else 0. Why it has ended is written to `reason` as
/// `mycelium_stats_text` does, if `reason` is not null.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_tree_ended(
    tree: MyceliumHandle,
    limit_ms: u64,
    reason: *mut c_char,
    len: usize,
) -> i64 {
    guard(|| {
        let ended = self::tree(tree)?.ended(Duration::from_millis(limit_ms))?;
        let Some(why) = ended else { return Ok(0) };
        if !reason.is_null() {
            // SAFETY: it is not null, so the caller has passed room for so many bytes.
            let out = unsafe { pointers::room(reason.cast(), len, "reason") }?;
            pointers::show(&why.to_string(), out);
        }
        Ok(1)
    })
}

/// Stops the child at this path (`root/desk`); it is not restarted. Not to be called from a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_tree_terminate(tree: MyceliumHandle, path: *const c_char) -> i64 {
    guard(|| {
        // SAFETY: the caller passes a text that ends with a zero byte.
        let path = unsafe { pointers::text(path, "path") }?;
        Ok(self::tree(tree)?.terminate_child(path).map(|()| 0)?)
    })
}

/// Starts the child at this path, which has ended, again. Not to be called from a callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_tree_restart(tree: MyceliumHandle, path: *const c_char) -> i64 {
    guard(|| {
        // SAFETY: the caller passes a text that ends with a zero byte.
        let path = unsafe { pointers::text(path, "path") }?;
        Ok(self::tree(tree)?.restart_child(path).map(|()| 0)?)
    })
}
