//! Publishers: many values of one message.

use mycelium_hosted::HostedPublisher;

use crate::handles::{MyceliumHandle, Object, with_publisher, with_runtime};
use crate::last::{Fault, guard};
use crate::pointers;
use crate::runtime::give;

/// A publisher of the message with this type id, in the version of the runtime's contract. The message is
/// looked up here, where `mycelium_publish` looks it up for each value. Any number of threads may use it,
/// until `mycelium_free`; the runtime may be closed before.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_publisher_create(
    runtime: MyceliumHandle,
    type_id: u16,
    publisher: *mut MyceliumHandle,
) -> i64 {
    guard(|| {
        let made = with_runtime(runtime, |runtime| Ok(runtime.publisher(type_id)?))?;
        // SAFETY: the caller passes room for the handle.
        unsafe { give(Object::Publisher(made), publisher, "publisher") }
    })
}

/// Publishes a value as `mycelium_publish` does, in fewer instructions: it keeps the thread while a `BLOCK`
/// subscriber is full, and from an actor's callback it is the actor who publishes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_publisher_publish(
    publisher: MyceliumHandle,
    bytes: *const u8,
    len: usize,
) -> i64 {
    guard(|| {
        // SAFETY: the caller passes so many bytes.
        let bytes = unsafe { pointers::bytes(bytes, len, "bytes") }?;
        let tried = with_publisher(publisher, |publisher| Ok(publisher.try_publish(bytes)?));
        or_wait(tried, || {
            let publisher = with_publisher(publisher, |publisher| Ok(HostedPublisher::clone(publisher)))?;
            Ok(publisher.publish_waiting(bytes)?)
        })
    })
}

/// Publishes by `waits` what found no room when it was `tried`, with no handle held meanwhile.
pub(crate) fn or_wait(
    tried: Result<(), Fault>,
    waits: impl FnOnce() -> Result<(), Fault>,
) -> Result<usize, Fault> {
    match tried {
        Err(Fault::Hosted(error)) if error.is_full() => waits().map(|()| 0),
        done => done.map(|()| 0),
    }
}

/// The same without waiting: `MYCELIUM_ERROR_FULL` instead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_publisher_try_publish(
    publisher: MyceliumHandle,
    bytes: *const u8,
    len: usize,
) -> i64 {
    guard(|| {
        // SAFETY: the caller passes so many bytes.
        let bytes = unsafe { pointers::bytes(bytes, len, "bytes") }?;
        with_publisher(publisher, |publisher| Ok(publisher.try_publish(bytes).map(|()| 0)?))
    })
}
