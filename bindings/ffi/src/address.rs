//! Telling and asking.

use std::cell::RefCell;
use std::ffi::c_char;
use std::time::Duration;

use mycelium_hosted::{Encoded, Runtime};

use crate::handles::{MyceliumHandle, Object, address, runtime};
use crate::last::{Fault, guard};
use crate::pointers::{self, MyceliumMessage};
use crate::runtime::give;

thread_local! {
    /// What this thread was answered last.
    static ANSWER: RefCell<Option<Encoded>> = const { RefCell::new(None) };
}

/// The address of an actor: of a C actor by its path, such as `root/desk`, or of a Rust one by the name that
/// it was exposed with. It stays valid over restarts, and does not keep the actor alive.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_address(
    runtime: MyceliumHandle,
    name: *const c_char,
    address: *mut MyceliumHandle,
) -> i64 {
    guard(|| {
        // SAFETY: the caller passes a text that ends with a zero byte.
        let name = unsafe { pointers::text(name, "name") }?;
        let runtime = self::runtime(runtime)?;
        let found = runtime.address(name)?;
        // SAFETY: the caller passes room for the handle.
        unsafe { give(Object::Address(runtime, found), address, "address") }
    })
}

/// Whether the actor at this address has not ended: 1, else 0. One that waits for its restart has not.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_is_alive(address: MyceliumHandle) -> i64 {
    guard(|| Ok(usize::from(self::address(address)?.1.is_alive())))
}

unsafe fn message(runtime: &Runtime, type_id: u16, bytes: *const u8, len: usize) -> Result<Encoded, Fault> {
    // SAFETY: the caller passes so many bytes.
    let bytes = unsafe { pointers::bytes(bytes, len, "bytes") }?;
    Ok(runtime.known().encoded(type_id, bytes)?)
}

/// Puts a value of the current version into the mailbox of one actor, and keeps the thread while that is
/// full. 0 does not say that it was handled.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_tell(
    address: MyceliumHandle,
    type_id: u16,
    bytes: *const u8,
    len: usize,
) -> i64 {
    guard(|| {
        let (runtime, to) = self::address(address)?;
        // SAFETY: the caller passes so many bytes.
        let message = unsafe { message(&runtime, type_id, bytes, len) }?;
        Ok(to.tell(message).map(|()| 0)?)
    })
}

/// Asks one actor, and waits for the answer at most `limit_ms`, or as long as it takes if that is below
/// zero. The bytes that `answer` points to then are there until this thread asks again.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_ask(
    address: MyceliumHandle,
    type_id: u16,
    bytes: *const u8,
    len: usize,
    limit_ms: i64,
    answer: *mut MyceliumMessage,
) -> i64 {
    guard(|| {
        let (runtime, to) = self::address(address)?;
        // SAFETY: the caller passes so many bytes.
        let query = unsafe { message(&runtime, type_id, bytes, len) }?;
        if answer.is_null() {
            return Err(Fault::argument("`answer` is null: pass room for the answer"));
        }
        let got = to.ask(query, u64::try_from(limit_ms).ok().map(Duration::from_millis))?;
        let shown = ANSWER.with(|slot| MyceliumMessage::of_encoded(slot.borrow_mut().insert(got)));
        // SAFETY: it is not null, so the caller has passed room for it.
        unsafe { pointers::write(answer, shown, "answer") }?;
        Ok(0)
    })
}
