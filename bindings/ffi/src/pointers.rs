//! What C passes, and what it is shown.
//!
//! # Safety
//! All unsafe functions here have one rule: a pointer is null or points to what its type says, for as long as
//! the call lasts. Null is an error; the rest is the caller's promise, as everywhere in C.

use std::ffi::{CStr, c_char};

use mycelium::frame::Header;
use mycelium::{Subscription, WireDelivery, WireMessage, WireTopics};
use mycelium_hosted::Encoded;

use crate::last::Fault;

/// A message, as callbacks see it. It is there until the callback returns.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MyceliumMessage {
    /// The value, as `docs/wire.md` describes it. That of a topic starts at a multiple of 8 in memory.
    pub bytes: *const u8,
    /// Its length, in bytes.
    pub len: usize,
    /// The message's type id.
    pub type_id: u16,
    /// The version of the value.
    pub version: u16,
    /// How many of its last bytes are its root.
    pub root_len: u32,
    /// Its place in the order of the bus; 0 for what was told or asked.
    pub stamp: u64,
    /// When it was published, in nanoseconds since 1970; 0 for what was told or asked.
    pub published_ns: i64,
    /// The id of the actor that published it; 0 for somebody outside.
    pub sender: u64,
}

/// What happens when a subscription is full.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MyceliumPolicy {
    /// Publishers wait.
    Block = 0,
    /// The oldest message is dropped, and counted.
    DropOldest = 1,
    /// The new message is dropped, and counted.
    DropNewest = 2,
    /// The publish fails.
    Fail = 3,
}

impl MyceliumMessage {
    pub(crate) fn of(delivery: &WireDelivery<'_>) -> Self {
        let Header { type_id, version, root_len, publish_ns, .. } = *delivery.header;
        Self {
            bytes: delivery.bytes.as_ptr(),
            len: delivery.bytes.len(),
            type_id,
            version,
            root_len,
            stamp: delivery.stamp,
            published_ns: publish_ns,
            sender: delivery.sender.map_or(0, mycelium::ActorId::get),
        }
    }

    pub(crate) fn of_encoded(encoded: &Encoded) -> Self {
        let Header { type_id, version, root_len, .. } = encoded.header;
        let (bytes, len) = (encoded.bytes.as_ptr(), encoded.bytes.len());
        Self { bytes, len, type_id, version, root_len, stamp: 0, published_ns: 0, sender: 0 }
    }
}

fn null(what: &str) -> Fault {
    Fault::argument(format!("`{what}` is null: pass what the function's description says"))
}

/// A text that ends with a zero byte.
pub(crate) unsafe fn text<'a>(text: *const c_char, what: &str) -> Result<&'a str, Fault> {
    if text.is_null() {
        return Err(null(what));
    }
    // SAFETY: it is not null, and by the rule of this module it ends with a zero byte.
    let text = unsafe { CStr::from_ptr(text) };
    text.to_str().map_err(|_| Fault::argument(format!("`{what}` is not UTF-8")))
}

/// A text that ends with a zero byte, as far as it is UTF-8. `None` for null.
pub(crate) unsafe fn lossy(text: *const c_char) -> Option<String> {
    // SAFETY: it is not null, and by the rule of this module it ends with a zero byte.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned())
}

/// So many bytes. Null is none, if they are 0.
pub(crate) unsafe fn bytes<'a>(bytes: *const u8, len: usize, what: &str) -> Result<&'a [u8], Fault> {
    check_len(len, what)?;
    match bytes.is_null() {
        true if len == 0 => Ok(&[]),
        true => Err(null(what)),
        // SAFETY: it is not null, no longer than an object can be, and by the rule of this module so long.
        false => Ok(unsafe { std::slice::from_raw_parts(bytes, len) }),
    }
}

/// Room for so many bytes.
pub(crate) unsafe fn room<'a>(bytes: *mut u8, len: usize, what: &str) -> Result<&'a mut [u8], Fault> {
    check_len(len, what)?;
    match bytes.is_null() {
        true if len == 0 => Ok(&mut []),
        true => Err(null(what)),
        // SAFETY: as for `bytes`; and nobody else uses it during the call, which the caller promises.
        false => Ok(unsafe { std::slice::from_raw_parts_mut(bytes, len) }),
    }
}

fn check_len(len: usize, what: &str) -> Result<(), Fault> {
    match isize::try_from(len) {
        Ok(_) => Ok(()),
        Err(_) => Err(Fault::argument(format!(
            "`{what}` has {len} bytes, which no memory has: is the length negative?"
        ))),
    }
}

/// A copy of what is there.
pub(crate) unsafe fn read<T: Copy>(at: *const T, what: &str) -> Result<T, Fault> {
    if at.is_null() {
        return Err(null(what));
    }
    // SAFETY: it is not null, and by the rule of this module a `T` is there. It need not be aligned.
    Ok(unsafe { at.read_unaligned() })
}

/// Writes where the caller wants it.
pub(crate) unsafe fn write<T>(at: *mut T, value: T, what: &str) -> Result<(), Fault> {
    if at.is_null() {
        return Err(null(what));
    }
    // SAFETY: it is not null, and by the rule of this module there is room for a `T`.
    unsafe { at.write_unaligned(value) };
    Ok(())
}

/// Topics: names, with commas between them; `#` and a type id among them: of the topics, these messages
/// alone.
pub(crate) unsafe fn topics(names: *const c_char) -> Result<WireTopics, Fault> {
    // SAFETY: the rule of this module.
    let names = unsafe { text(names, "topics") }?;
    let (mut topics, mut only) = (Vec::new(), Vec::new());
    for name in names.split(',').map(str::trim) {
        match name.strip_prefix('#') {
            None => topics.push(name),
            Some(id) => only.push(id.parse::<u16>().map_err(|_| {
                Fault::argument(format!(
                    "`topics` has {name:?}: after # comes the type id of a message, as in #7"
                ))
            })?),
        }
    }
    let topics = WireTopics::from(topics);
    Ok(if only.is_empty() { topics } else { topics.only(only) })
}

/// How to subscribe. The policy is a number: C's enums hold any.
pub(crate) fn subscription(policy: i32, capacity: u32) -> Result<Subscription<WireMessage>, Fault> {
    let how = match policy {
        0 => Subscription::block(),
        1 => Subscription::drop_oldest(),
        2 => Subscription::drop_newest(),
        3 => Subscription::fail(),
        other => return Err(Fault::argument(format!("{other} is no policy: use one of MYCELIUM_POLICY_*"))),
    };
    Ok(if capacity == 0 { how } else { how.capacity(capacity as usize) })
}

/// Writes a text and the zero byte behind it, as much as there is room for.
pub(crate) fn show(text: &str, out: &mut [u8]) {
    if let Some(most) = out.len().checked_sub(1) {
        let shown = (0..=most.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        out[..shown].copy_from_slice(&text.as_bytes()[..shown]);
        out[shown] = 0;
    }
}
