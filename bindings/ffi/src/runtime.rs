//! Runtimes, and publishing.

use std::ffi::{c_char, c_void};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mycelium::ThreadHooks;
use mycelium::frame::Header;
use mycelium_hosted::{Error, Runtime, RuntimeBuilder};

use crate::handles::{MyceliumHandle, Object, put, runtime, with_runtime};
use crate::last::{Fault, guard};
use crate::pointers;
use crate::publisher::or_wait;

/// The version of this interface: it rises when something that was there changes.
pub const MYCELIUM_ABI: u32 = 1;

/// What a thread that calls back does besides: for interpreters with a lock. All may be null.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MyceliumThreadHooks {
    /// Passed to each of them.
    pub user: *mut c_void,
    /// A thread has begun. It calls back from now on.
    pub started: Option<extern "C" fn(user: *mut c_void)>,
    /// It has nothing to do and waits: give the lock back.
    pub before_wait: Option<extern "C" fn(user: *mut c_void)>,
    /// It has waited: take the lock.
    pub after_wait: Option<extern "C" fn(user: *mut c_void)>,
    /// It calls back no more.
    pub ended: Option<extern "C" fn(user: *mut c_void)>,
}

/// How a runtime is made. Set it to zero, then `size`, then what you want: 0 stands for the usual.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MyceliumOptions {
    /// `sizeof(MyceliumOptions)`.
    pub size: usize,
    /// Threads that run supervisors and timers; 1 unless set, 1,024 at most. Actors and callbacks have their
    /// own.
    pub workers: u32,
    /// How many messages may wait for a subscriber that does not say it.
    pub topic_capacity: u32,
    /// How many messages that were told or asked wait for one actor.
    pub inbox_capacity: u32,
    /// From which random numbers of actors are drawn.
    pub seed: u64,
    /// What threads that call back do besides.
    pub hooks: MyceliumThreadHooks,
}

/// A message of a contract.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MyceliumDescribed {
    /// Its type id.
    pub type_id: u16,
    /// Its current version.
    pub version: u16,
    /// How long the root of that is, in bytes: the whole value of a message of fixed size.
    pub root_len: u32,
    /// The digest of that version.
    pub digest: u64,
}

/// The counters of one topic. Each published message is, for each subscriber, delivered, waiting, dropped
/// or a dead letter.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct MyceliumTopicStats {
    /// Messages that a subscriber was there for.
    pub published: u64,
    /// Messages read or handled, summed over subscribers.
    pub delivered: u64,
    /// Messages that wait.
    pub waiting: u64,
    /// Messages dropped by a policy, or that waited for a subscriber that left.
    pub dropped: u64,
    /// Messages in the hand of an actor that failed.
    pub dead_letters: u64,
}

/// More threads than this run no bus faster (threads).
const WORKERS_MAX: u32 = 1_024;

struct Hooks(MyceliumThreadHooks);

// SAFETY: the functions may be called on any thread, with `user`, which Rust passes on and does not look at:
// that is what hooks are for, and what their description says.
unsafe impl Send for Hooks {}
// SAFETY: as above; there is nothing in it that changes.
unsafe impl Sync for Hooks {}

impl Hooks {
    fn call(&self, hook: Option<extern "C" fn(*mut c_void)>) {
        hook.inspect(|hook| hook(self.0.user));
    }
}

impl ThreadHooks for Hooks {
    fn started(&self) {
        self.call(self.0.started);
    }
    fn before_wait(&self) {
        self.call(self.0.before_wait);
    }
    fn after_wait(&self) {
        self.call(self.0.after_wait);
    }
    fn ended(&self) {
        self.call(self.0.ended);
    }
}

/// Hooks of C, for a Rust program that hosts code in C.
///
/// # Safety
/// Each function may be called on any thread, with `user`, for as long as the process runs.
pub unsafe fn thread_hooks(hooks: MyceliumThreadHooks) -> Arc<dyn ThreadHooks> {
    Arc::new(Hooks(hooks))
}

/// The version of this library, such as "0.1.0".
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_version() -> *const c_char {
    const { concat!(env!("CARGO_PKG_VERSION"), "\0") }.as_ptr().cast()
}

/// Which version of this interface the library has: compare it with `MYCELIUM_ABI` of the header.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_abi() -> u32 {
    MYCELIUM_ABI
}

/// Starts a runtime whose messages are those of a contract: the text of `contracts.yaml`, or of the table
/// that was made of it. `options` may be null. Close it with `mycelium_runtime_close`, and free it with
/// `mycelium_free`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_runtime_create(
    contract: *const c_char,
    options: *const MyceliumOptions,
    runtime: *mut MyceliumHandle,
) -> i64 {
    guard(|| {
        // SAFETY: the caller passes a text that ends with a zero byte.
        let contract = unsafe { pointers::text(contract, "contract") }?;
        let builder = Runtime::builder().contract_text(contract, "the contract")?;
        // SAFETY: the caller passes null or options, and room for the handle.
        unsafe { create(builder, options, runtime) }
    })
}

/// The same for a contract in a file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_runtime_create_from_file(
    path: *const c_char,
    options: *const MyceliumOptions,
    runtime: *mut MyceliumHandle,
) -> i64 {
    guard(|| {
        // SAFETY: the caller passes a text that ends with a zero byte.
        let path = unsafe { pointers::text(path, "path") }?;
        // SAFETY: the caller passes null or options, and room for the handle.
        unsafe { create(of_file(path)?, options, runtime) }
    })
}

/// Starts the runtime of the process that a topology describes under a name: of the node, or of a service
/// that runs in it. `topology` is the path of a `topology.toml`, and `contract` a text, as above. It listens
/// when this returns, and dials from then on: the processes may start in any order. In a monolith it does
/// neither. `mycelium_runtime_close` waits until the others have what was published.
/// `MYCELIUM_ERROR_TOPOLOGY`: the file, the line, the cause and the remedy.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_runtime_create_from_topology(
    topology: *const c_char,
    name: *const c_char,
    contract: *const c_char,
    options: *const MyceliumOptions,
    runtime: *mut MyceliumHandle,
) -> i64 {
    guard(|| {
        // SAFETY: the caller passes a text that ends with a zero byte.
        let contract = unsafe { pointers::text(contract, "contract") }?;
        let builder = Runtime::builder().contract_text(contract, "the contract")?;
        // SAFETY: the caller passes two texts that end with a zero byte.
        let builder = unsafe { process_of(builder, topology, name) }?;
        // SAFETY: the caller passes null or options, and room for the handle.
        unsafe { create(builder, options, runtime) }
    })
}

/// The same for a contract in a file.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_runtime_create_from_files(
    topology: *const c_char,
    name: *const c_char,
    contract_path: *const c_char,
    options: *const MyceliumOptions,
    runtime: *mut MyceliumHandle,
) -> i64 {
    guard(|| {
        // SAFETY: the caller passes a text that ends with a zero byte.
        let path = unsafe { pointers::text(contract_path, "contract_path") }?;
        // SAFETY: the caller passes two texts that end with a zero byte.
        let builder = unsafe { process_of(of_file(path)?, topology, name) }?;
        // SAFETY: the caller passes null or options, and room for the handle.
        unsafe { create(builder, options, runtime) }
    })
}

fn of_file(path: &str) -> Result<RuntimeBuilder, Fault> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Error::Contract(format!("{path} cannot be read: {error}")))?;
    Ok(Runtime::builder().contract_text(&text, path)?)
}

unsafe fn process_of(
    builder: RuntimeBuilder,
    topology: *const c_char,
    name: *const c_char,
) -> Result<RuntimeBuilder, Fault> {
    // SAFETY: the caller's rule is that of this function.
    let topology = unsafe { pointers::text(topology, "topology") }?;
    // SAFETY: the same.
    let name = unsafe { pointers::text(name, "name") }?;
    Ok(builder.topology(topology, name))
}

unsafe fn create(
    mut builder: RuntimeBuilder,
    options: *const MyceliumOptions,
    out: *mut MyceliumHandle,
) -> Result<usize, Fault> {
    // Nothing starts whose handle has no place.
    // SAFETY: the caller's rule is that of this function.
    unsafe { pointers::write(out, 0, "runtime") }?;
    if !options.is_null() {
        // SAFETY: it is not null, so something is there that begins with a size.
        let size = unsafe { pointers::read(options.cast::<usize>(), "options") }?;
        check_size(size, size_of::<MyceliumOptions>(), "MyceliumOptions")?;
        // SAFETY: the caller says that it is as long as options are.
        let options = unsafe { pointers::read(options, "options") }?;
        let MyceliumOptions { workers, topic_capacity, inbox_capacity, seed, hooks, .. } = options;
        if workers > WORKERS_MAX {
            return Err(Fault::argument(format!(
                "`workers` is {workers}: choose 1 to {WORKERS_MAX}, or 0 for the usual; is it negative?"
            )));
        }
        builder = builder.workers(workers as usize).hooks(Arc::new(Hooks(hooks))).bus(|bus| {
            let bus = if topic_capacity > 0 { bus.topic_capacity(topic_capacity as usize) } else { bus };
            let bus = if inbox_capacity > 0 { bus.inbox_capacity(inbox_capacity) } else { bus };
            bus.seed(seed)
        });
    }
    let runtime = builder.start()?;
    // SAFETY: the caller passes room for the handle.
    unsafe { give(Object::Runtime(runtime), out, "runtime") }
}

/// Writes the handle of a new object where the caller wants it, and makes none where that is nowhere.
pub(crate) unsafe fn give(object: Object, out: *mut MyceliumHandle, what: &str) -> Result<usize, Fault> {
    // SAFETY: the caller's rule is that of this function.
    unsafe { pointers::write(out, 0, what) }?;
    let handle = put(object)?;
    // SAFETY: the same again; it is not null.
    unsafe { pointers::write(out, handle, what) }?;
    Ok(0)
}

pub(crate) fn check_size(got: usize, ours: usize, what: &str) -> Result<(), Fault> {
    if got == ours {
        return Ok(());
    }
    Err(Fault::argument(format!(
        "`size` is {got}, and a {what} has {ours} bytes: set it to sizeof({what}), and compile with the header of this library"
    )))
}

/// Ends everything: takes nothing more from outside, ends trees and actors in their order, calls callbacks
/// for what still waits, and stops all threads, within `limit_ms`. When it returns, no callback runs, unless
/// it returns `MYCELIUM_ERROR_CALLBACK`. Not to be called from a callback. The handle stays until
/// `mycelium_free`, and whatever uses it meanwhile is refused.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_runtime_close(runtime: MyceliumHandle, limit_ms: u64) -> i64 {
    guard(|| {
        self::runtime(runtime)?.close(Duration::from_millis(limit_ms))?;
        Ok(0)
    })
}

/// Whether the contract is the one that generated code with this digest of the schema was made from.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_check_schema(runtime: MyceliumHandle, digest: u64) -> i64 {
    guard(|| with_runtime(runtime, |runtime| Ok(runtime.known().check_schema(digest).map(|()| 0)?)))
}

/// The same for one message.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_check_message(runtime: MyceliumHandle, type_id: u16, digest: u64) -> i64 {
    guard(|| {
        with_runtime(runtime, |runtime| Ok(runtime.known().check_message(type_id, digest).map(|()| 0)?))
    })
}

/// What the contract says of the message with this type id.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_describe(
    runtime: MyceliumHandle,
    type_id: u16,
    described: *mut MyceliumDescribed,
) -> i64 {
    guard(|| {
        with_runtime(runtime, |runtime| {
            let message = runtime.known().get(type_id)?;
            let (version, root_len, digest) = (message.version, message.root_len, message.digest);
            let found = MyceliumDescribed { type_id, version, root_len, digest };
            // SAFETY: the caller passes room for it.
            unsafe { pointers::write(described, found, "described") }?;
            Ok(0)
        })
    })
}

/// Publishes a value of the current version, and keeps the thread while a `BLOCK` subscriber is full. From an
/// actor's callback it is the actor who publishes. 0 says that each queue has it, or has counted it as
/// dropped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_publish(
    runtime: MyceliumHandle,
    type_id: u16,
    bytes: *const u8,
    len: usize,
) -> i64 {
    guard(|| {
        // SAFETY: the caller passes so many bytes.
        let bytes = unsafe { pointers::bytes(bytes, len, "bytes") }?;
        let tried = with_runtime(runtime, |runtime| Ok(runtime.try_publish(type_id, bytes)?));
        or_wait(tried, || {
            let runtime = self::runtime(runtime)?;
            let header = runtime.known().get(type_id)?.header();
            Ok(runtime.publish_waiting(&header, bytes)?)
        })
    })
}

/// The same without waiting: `MYCELIUM_ERROR_FULL` instead.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_try_publish(
    runtime: MyceliumHandle,
    type_id: u16,
    bytes: *const u8,
    len: usize,
) -> i64 {
    guard(|| {
        // SAFETY: the caller passes so many bytes.
        let bytes = unsafe { pointers::bytes(bytes, len, "bytes") }?;
        with_runtime(runtime, |runtime| Ok(runtime.try_publish(type_id, bytes).map(|()| 0)?))
    })
}

/// What looks while a thread waits: 0 to go on waiting.
pub type MyceliumLook = Option<extern "C" fn(user: *mut c_void) -> i32>;

/// Has `look` called with `user` on this thread about every 50 ms from now on, while a call of this thread
/// waits to publish, to tell, for an answer, for a tree or for the end of a runtime; null ends that. Where it
/// returns anything but 0, the call ends with `MYCELIUM_ERROR_INTERRUPTED`: what was to be published or told
/// was not; a query may have been received, and may still be answered; a tree that was to start is shut
/// down, one that ends or is drained, and a supervisor that was called, go on; a runtime is closed. A
/// language whose signal handlers run between its own instructions runs them there.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_on_wait(look: MyceliumLook, user: *mut c_void) -> i64 {
    guard(|| {
        mycelium_hosted::on_wait(look.map(|look| Rc::new(move || look(user) != 0) as Rc<dyn Fn() -> bool>));
        Ok(0)
    })
}

/// Publishes a value of another version than the contract's: `version` and `root_len` say which, and how long
/// its root is. It waits.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_publish_version(
    runtime: MyceliumHandle,
    type_id: u16,
    version: u16,
    root_len: u32,
    bytes: *const u8,
    len: usize,
) -> i64 {
    guard(|| {
        // SAFETY: the caller passes so many bytes.
        let bytes = unsafe { pointers::bytes(bytes, len, "bytes") }?;
        let header = Header { type_id, version, root_len, ..Header::default() };
        Ok(self::runtime(runtime)?.publish_as(&header, bytes).map(|()| 0)?)
    })
}

/// Publishes `count` values of `stride` bytes each, which lie one behind the other. It waits. It returns how
/// many were published, `count`, or the error of the first that was not; `published`, if it is not null, has
/// how many were.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_publish_array(
    runtime: MyceliumHandle,
    type_id: u16,
    bytes: *const u8,
    stride: usize,
    count: usize,
    published: *mut usize,
) -> i64 {
    guard(|| {
        let report = |count: usize| {
            if published.is_null() {
                return Ok(());
            }
            // SAFETY: it is not null, so the caller has passed room for a number.
            unsafe { pointers::write(published, count, "published") }
        };
        report(0)?;
        let len =
            stride.checked_mul(count).ok_or_else(|| Fault::argument("`stride` times `count` is too much"))?;
        // SAFETY: the caller passes so many bytes.
        let bytes = unsafe { pointers::bytes(bytes, len, "bytes") }?;
        if count > 0 && stride == 0 {
            return Err(Fault::argument("`stride` is 0: it is the length of one value"));
        }
        let done = self::runtime(runtime)?.publish_many(type_id, bytes, stride);
        match done {
            Ok(count) => report(count).map(|()| count),
            Err(some) => {
                report(some.published)?;
                Err(Fault::Some(some))
            }
        }
    })
}

/// What the bus counts, as text for people. It writes at most `len` bytes to `out`, the last of them 0, and
/// returns how long the text is without that: if that is `len` or more, the text was cut.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_stats_text(runtime: MyceliumHandle, out: *mut c_char, len: usize) -> i64 {
    guard(|| {
        let text = self::runtime(runtime)?.stats()?.to_string();
        // SAFETY: the caller passes room for so many bytes.
        let out = unsafe { pointers::room(out.cast(), len, "out") }?;
        pointers::show(&text, out);
        Ok(text.len())
    })
}

/// The counters of the topic of one message. All are 0 where nobody has used it.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mycelium_topic_stats(
    runtime: MyceliumHandle,
    type_id: u16,
    stats: *mut MyceliumTopicStats,
) -> i64 {
    guard(|| {
        let runtime = self::runtime(runtime)?;
        let name = runtime.known().get(type_id)?.name;
        let found = runtime.stats()?.topics.into_iter().find(|topic| topic.message == name);
        let counted = found.map_or_else(MyceliumTopicStats::default, |topic| MyceliumTopicStats {
            published: topic.published,
            delivered: topic.delivered,
            waiting: topic.waiting,
            dropped: topic.dropped_oldest
                + topic.dropped_newest
                + topic.conflated
                + topic.dropped_unsubscribed,
            dead_letters: topic.dead_letters,
        });
        // SAFETY: the caller passes room for it.
        unsafe { pointers::write(stats, counted, "stats") }?;
        Ok(0)
    })
}
