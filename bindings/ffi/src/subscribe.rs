//! Subscriptions by callback.

use std::ffi::{c_char, c_void};

use mycelium::WireDelivery;
use mycelium_hosted::Failure;

use crate::handles::{MyceliumHandle, Object, runtime};
use crate::last::{Fault, failure_of, guard};
use crate::pointers::{self, MyceliumMessage};
use crate::runtime::give;

/// Called for each message, on the runtime's delivery thread. 0: it was handled; else it failed, see
/// `mycelium_fail`.
pub type MyceliumCallback = Option<extern "C" fn(user: *mut c_void, message: *const MyceliumMessage) -> i32>;

/// Called once, when nothing calls with `user` any more.
pub type MyceliumRelease = Option<extern "C" fn(user: *mut c_void)>;

/// What belongs to the caller.
pub(crate) struct User {
    at: *mut c_void,
    release: MyceliumRelease,
}

// SAFETY: Rust passes the pointer on and does not look at it. A caller that gives it to a subscription or an
// actor is told that it is used on another thread.
unsafe impl Send for User {}
// SAFETY: as above.
unsafe impl Sync for User {}

impl User {
    pub(crate) fn new(at: *mut c_void, release: MyceliumRelease) -> Self {
        Self { at, release }
    }

    pub(crate) fn at(&self) -> *mut c_void {
        self.at
    }
}

impl Drop for User {
    fn drop(&mut self) {
        self.release.inspect(|release| release(self.at));
    }
}

/// Has `callback` called for each message of these topics (see `mycelium_reader_create`) from now on, in
/// order, on one thread that serves all callbacks of the runtime. A failure is logged and counted, and the
/// next message comes. `release`, if not null, is called with `user` when it is used no more: also where this
/// fails. `mycelium_free` of the subscription waits for the callback that runs, unless it is called from
/// there, or `mycelium_runtime_close` has given that callback up (`MYCELIUM_ERROR_CALLBACK`).
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_subscribe(
    runtime: MyceliumHandle,
    topics: *const c_char,
    policy: i32,
    capacity: u32,
    callback: MyceliumCallback,
    user: *mut c_void,
    release: MyceliumRelease,
    subscription: *mut MyceliumHandle,
) -> i64 {
    let user = User::new(user, release);
    guard(|| {
        let callback = callback.ok_or_else(|| Fault::argument("`callback` is null: pass a function"))?;
        // SAFETY: the caller passes a text that ends with a zero byte.
        let topics = unsafe { pointers::topics(topics) }?;
        let how = pointers::subscription(policy, capacity)?;
        // SAFETY: the caller passes room for the handle.
        unsafe { pointers::write(subscription, 0, "subscription") }?;
        let runtime = self::runtime(runtime)?;
        let call = move |delivery: &WireDelivery<'_>| -> Result<(), Failure> {
            let message = MyceliumMessage::of(delivery);
            failure_of(callback(user.at(), &raw const message))
        };
        let id = runtime.subscribe(topics, how, call)?;
        // SAFETY: the caller passes room for the handle.
        let given = unsafe { give(Object::Subscription(runtime.clone(), id), subscription, "subscription") };
        // Nobody could end it without a handle.
        given.inspect_err(|_| {
            runtime.unsubscribe(id);
        })
    })
}

/// How many callbacks of this runtime have failed.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_failures(runtime: MyceliumHandle) -> i64 {
    guard(|| Ok(usize::try_from(self::runtime(runtime)?.failures().0).unwrap_or(usize::MAX)))
}
