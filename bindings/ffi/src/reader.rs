//! Reading by poll and in batches.

use std::ffi::c_char;
use std::time::{Duration, Instant};

use crate::handles::{MyceliumHandle, Object, runtime, with_reader};
use crate::last::guard;
use crate::pointers;
use crate::runtime::give;

/// How often whoever waits looks whether its reader was freed.
const LOOK: Duration = Duration::from_millis(100);

/// The header of each message in a buffer of `mycelium_read`. The value follows, `len` bytes, and then zero
/// bytes up to a multiple of 8.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MyceliumRecord {
    /// The message's type id.
    pub type_id: u16,
    /// The version of the value.
    pub version: u16,
    /// The length of the value, in bytes.
    pub len: u32,
    /// How many of its last bytes are its root.
    pub root_len: u32,
    /// Zero.
    pub reserved: u32,
    /// Its place in the order of the bus.
    pub stamp: u64,
    /// When it was published, in nanoseconds since 1970.
    pub published_ns: i64,
    /// The id of the actor that published it; 0 for somebody outside.
    pub sender: u64,
}

const _: () = assert!(size_of::<MyceliumRecord>() == mycelium_hosted::RECORD_HEADER_LEN);

/// Receives the messages of these topics from now on, when it is asked. `topics`: names with commas between
/// them; one that ends with `*` stands for all that begin so. `#7` among them: of these topics, only the
/// messages with type id 7, and others named so. `policy`: one of `MYCELIUM_POLICY_*`; `capacity`: how many
/// messages may wait, 0 for the usual. A reader serves one thread at a time. `mycelium_free` ends it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_reader_create(
    runtime: MyceliumHandle,
    topics: *const c_char,
    policy: i32,
    capacity: u32,
    reader: *mut MyceliumHandle,
) -> i64 {
    guard(|| {
        // SAFETY: the caller passes a text that ends with a zero byte.
        let topics = unsafe { pointers::topics(topics) }?;
        let how = pointers::subscription(policy, capacity)?;
        let made = self::runtime(runtime)?.reader(topics, how)?;
        // SAFETY: the caller passes room for the handle.
        unsafe { give(Object::Reader(made.into()), reader, "reader") }
    })
}

/// Waits until a message is there, at most `limit_ms`, or without a limit if that is below zero: 1 if one is,
/// else 0. Another thread that frees the reader ends the wait, with `MYCELIUM_ERROR_HANDLE`.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_wait(reader: MyceliumHandle, limit_ms: i64) -> i64 {
    guard(|| {
        let limit = u64::try_from(limit_ms).ok().map(Duration::from_millis);
        let begun = Instant::now();
        loop {
            let left = limit.map(|limit| limit.saturating_sub(begun.elapsed()));
            let turn = left.map_or(LOOK, |left| left.min(LOOK));
            if with_reader(reader, |reader| Ok(reader.wait(Some(turn))?))? {
                return Ok(1);
            }
            if left.is_some_and(|left| left <= turn) {
                return Ok(0);
            }
        }
    })
}

/// Copies the messages that wait into `out`, as many as fit and `most` at most, each behind its
/// `MyceliumRecord`; how many. It does not wait. `MYCELIUM_ERROR_BUFFER`: not one fits, and none is lost; the
/// text says how long it is.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_read(reader: MyceliumHandle, out: *mut u8, len: usize, most: usize) -> i64 {
    guard(|| {
        // SAFETY: the caller passes room for so many bytes.
        let out = unsafe { pointers::room(out, len, "out") }?;
        with_reader(reader, |reader| Ok(reader.read_records(out, most)?))
    })
}

/// Copies the values that wait into `out`, one directly behind the other, as many as fit; how many. All are
/// of one message of fixed size, each as long as its root in the contract's version. It does not wait.
/// `MYCELIUM_ERROR_BUFFER`: the next message is another one, or of an older version; `mycelium_read` reads
/// it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_read_array(
    reader: MyceliumHandle,
    type_id: u16,
    out: *mut u8,
    len: usize,
) -> i64 {
    guard(|| {
        // SAFETY: the caller passes room for so many bytes.
        let out = unsafe { pointers::room(out, len, "out") }?;
        with_reader(reader, |reader| Ok(reader.read_array(type_id, out)?))
    })
}
