//! What went wrong last on a thread, and the catch around each export.

use std::cell::RefCell;
use std::ffi::{CStr, CString, c_char};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use mycelium_hosted::{Error, Failure, PublishedSome};

use crate::pointers;

/// What kind of error a function has returned. The numbers never change.
#[repr(i64)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MyceliumError {
    /// The runtime, or what was asked of, is closed.
    Closed = -1,
    /// A queue is full.
    Full = -2,
    /// No answer came in time.
    Timeout = -3,
    /// The contract cannot be read, or lacks the message or topic.
    Contract = -4,
    /// The program was generated with another contract.
    Digest = -5,
    /// The bytes are no value of their message.
    Value = -6,
    /// A buffer is too small for the next message, or the message is none of those that the batch takes.
    Buffer = -7,
    /// A callback called what waits for callbacks, or would wait for itself.
    Inside = -8,
    /// Nobody is at this address, or the actor there has ended.
    NoAddress = -9,
    /// A supervision tree, or a child of it.
    Tree = -10,
    /// A callback failed, or has not returned.
    Callback = -11,
    /// The system: threads, memory.
    System = -12,
    /// An argument makes no sense: a null pointer, a text that is not UTF-8, a number out of range.
    Argument = -13,
    /// The handle is of another kind, was freed, or was never made.
    Handle = -14,
    /// A fault of this library. It goes on; please report it.
    Panic = -15,
    /// The process was forked after this was made: its threads are not here.
    Forked = -16,
    /// What looks while this thread waits (`mycelium_on_wait`, which says what becomes of it) has ended the
    /// wait.
    Interrupted = -17,
    /// The topology cannot be used: the text has the file, the line, the cause and the remedy.
    Topology = -18,
}

/// What an export fails with.
#[derive(Debug)]
pub(crate) enum Fault {
    Hosted(Error),
    Some(PublishedSome),
    Own(MyceliumError, String),
}

thread_local! {
    static LAST: RefCell<(Option<Fault>, CString)> = RefCell::default();
    static FAILURE: RefCell<Option<String>> = const { RefCell::new(None) };
}

impl Fault {
    pub(crate) fn argument(text: impl Into<String>) -> Self {
        Self::Own(MyceliumError::Argument, text.into())
    }

    fn code(&self) -> i64 {
        match self {
            Self::Hosted(error) | Self::Some(PublishedSome { error, .. }) => -i64::from(error.kind() as i32),
            Self::Own(code, _) => *code as i64,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Hosted(error) => error.fmt(f),
            Self::Some(error) => error.fmt(f),
            Self::Own(_, text) => f.write_str(text),
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Hosted(error)
    }
}

/// Runs the body of an export: what it returns, or its error, whose text is kept for this thread.
#[inline]
pub(crate) fn guard(run: impl FnOnce() -> Result<usize, Fault>) -> i64 {
    match catch_unwind(AssertUnwindSafe(run)) {
        Ok(Ok(count)) => i64::try_from(count).unwrap_or(i64::MAX),
        Ok(Err(fault)) => keep(fault),
        Err(panic) => {
            let text = panic.downcast_ref::<&'static str>().copied();
            let text =
                text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("no text");
            keep(Fault::Own(
                MyceliumError::Panic,
                format!("a fault of Mycelium itself, which goes on: {text}; please report it"),
            ))
        }
    }
}

#[cold]
fn keep(fault: Fault) -> i64 {
    let code = fault.code();
    // A thread that ends has nobody who asks.
    let _ = LAST.try_with(|last| last.borrow_mut().0 = Some(fault));
    code
}

/// The text of the last error on this thread: what is wrong, and what to do about it. It is there until the
/// next call of this function on this thread. Empty where nothing went wrong.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_error() -> *const c_char {
    let text = |last: &RefCell<(Option<Fault>, CString)>| {
        let mut last = last.borrow_mut();
        if let Some(fault) = last.0.take() {
            last.1 = c_text(&fault.to_string());
        }
        last.1.as_ptr()
    };
    LAST.try_with(text).unwrap_or(c"".as_ptr())
}

/// Says why the callback that runs on this thread fails; it returns what this returns, which is not 0. The
/// text is copied; bytes of it that are not UTF-8 are replaced. An actor's text is the reason of its end.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_fail(text: *const c_char) -> i32 {
    // SAFETY: the caller passes null or a text that ends with a zero byte.
    let text = unsafe { pointers::lossy(text) };
    let text = text.unwrap_or_else(|| "a failure whose text is null (`mycelium_fail`)".to_owned());
    let _ = FAILURE.try_with(|failure| *failure.borrow_mut() = Some(text));
    1
}

/// Whether code in C that this thread has called, and that returned this number, has failed, and with which
/// text (`mycelium_fail`).
///
/// # Errors
/// The number is not 0.
pub fn failure_of(returned: i32) -> Result<(), Failure> {
    // Also where it did not fail: a text is that of the callback that has given it, and of none after it.
    let text = FAILURE.try_with(RefCell::take).ok().flatten();
    if returned == 0 {
        return Ok(());
    }
    Err(Failure::new(
        text.unwrap_or_else(|| {
            format!("the callback has returned {returned}, and no text (`mycelium_fail`)")
        }),
    ))
}

/// A text for C: without the zero bytes that would end it early.
pub(crate) fn c_text(text: &str) -> CString {
    CString::new(text.replace('\0', "?")).unwrap_or_else(|_| CStr::to_owned(c""))
}
