//! Handles: numbers that C holds, and what they stand for.
//!
//! A handle has a place in a table and the generation of that place, which rises when it is freed. So one
//! that was freed, twice or by another thread, is told from the one that took its place. Each place has a
//! lock of its own: to use a handle takes that, shared, and touches no other.
//!
//! A child of `fork` has none of the threads that a runtime needs, and may have locks that one of them held.
//! So it begins with a table of its own ([`forked`]), and looks at nothing in the one from before, whose
//! handles it knows by their generations ([`GENERATIONS`]).

use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Once, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use mycelium::tree::Builder;
use mycelium_hosted::{Address, CLOSE_DEADLINE, CallbackId, HostedPublisher, HostedTree, Reader, Runtime};

use crate::last::{Fault, MyceliumError, guard};

/// A runtime, publisher, reader, subscription, supervisor, tree or address. 0 is none.
pub type MyceliumHandle = u64;

/// What a handle stands for.
pub(crate) enum Object {
    Runtime(Runtime),
    Publisher(HostedPublisher),
    Reader(Mutex<Reader>),
    Subscription(Runtime, CallbackId),
    Supervisor(Mutex<Option<Builder>>),
    Tree(HostedTree),
    Address(Runtime, Address),
}

/// Places are made by so many (places).
const CHUNK: usize = 256;
/// How many times (chunks): 65,536 handles may exist at once in a process.
const CHUNKS: usize = 256;

struct Place(RwLock<HandleEntry>);

struct HandleEntry {
    generation: u32,
    object: Option<Arc<Object>>,
}

/// Which places are free.
struct Vacant {
    freed: Vec<u32>,
    /// Places from this one on were never used.
    next: u32,
}

/// The places of one process.
struct Table {
    chunks: [OnceLock<Box<[Place]>>; CHUNKS],
    vacant: Mutex<Vacant>,
    /// The generation that a place begins with.
    first: u32,
}

/// Of generations, so many belong to one process; those of its child come behind them (generations).
const GENERATIONS: u32 = 1 << 24;

/// The table of this process; null until it has a handle. Tables are never freed.
static TABLE: AtomicPtr<Table> = AtomicPtr::new(ptr::null_mut());
/// That of the process which this one was forked from, for whoever looks for lost memory.
static FORMER: AtomicPtr<Table> = AtomicPtr::new(ptr::null_mut());
/// How often this process was forked since it had its first handle.
static FORKS: AtomicU32 = AtomicU32::new(0);

#[cfg(unix)]
unsafe extern "C" {
    /// Of the C library.
    fn pthread_atfork(
        prepare: Option<extern "C" fn()>,
        parent: Option<extern "C" fn()>,
        child: Option<extern "C" fn()>,
    ) -> i32;
}

/// Runs in the child of a `fork`, on its one thread: it may allocate nothing and take no lock.
extern "C" fn forked() {
    FORMER.store(TABLE.swap(ptr::null_mut(), Ordering::Relaxed), Ordering::Relaxed);
    FORKS.fetch_add(1, Ordering::Relaxed);
}

/// How often this process was forked.
pub(crate) fn forks() -> u32 {
    FORKS.load(Ordering::Relaxed)
}

impl Table {
    fn first_generation() -> u32 {
        1 + forks() % (u32::MAX / GENERATIONS) * GENERATIONS
    }

    /// The one of this process, if there is one.
    #[inline]
    fn get() -> Option<&'static Self> {
        // SAFETY: it is null, or a table that `make` has leaked: it is there for ever, and shared only.
        unsafe { TABLE.load(Ordering::Acquire).as_ref() }
    }

    /// The one of this process.
    fn make() -> &'static Self {
        static FORKING: Once = Once::new();
        if let Some(table) = Self::get() {
            return table;
        }
        #[cfg(unix)]
        FORKING.call_once(|| {
            // SAFETY: `forked` does what may be done there, and is there as long as this library, which
            // cannot be unloaded once it has threads. Without memory for the note, a child is not told.
            let _ = unsafe { pthread_atfork(None, None, Some(forked)) };
        });
        let vacant = Mutex::new(Vacant { freed: Vec::new(), next: 0 });
        let chunks = [const { OnceLock::new() }; CHUNKS];
        let made = Box::into_raw(Box::new(Self { chunks, vacant, first: Self::first_generation() }));
        match TABLE.compare_exchange(ptr::null_mut(), made, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: it was made above, and is never freed.
            Ok(_) => unsafe { &*made },
            Err(other) => {
                // SAFETY: it was made above, and nobody else has seen it.
                drop(unsafe { Box::from_raw(made) });
                // SAFETY: another thread has put it there, and it is never freed.
                unsafe { &*other }
            }
        }
    }
}

impl Object {
    fn kind(&self) -> &'static str {
        match self {
            Self::Runtime(_) => "a runtime",
            Self::Publisher(_) => "a publisher",
            Self::Reader(_) => "a reader",
            Self::Subscription(..) => "a subscription",
            Self::Supervisor(_) => "a supervisor",
            Self::Tree(_) => "a tree",
            Self::Address(..) => "an address",
        }
    }
}

/// A handle of a new object.
pub(crate) fn put(object: Object) -> Result<MyceliumHandle, Fault> {
    let table = Table::make();
    let mut vacant = table.vacant.lock().unwrap_or_else(PoisonError::into_inner);
    let at = match vacant.freed.pop() {
        Some(at) => at,
        None if (vacant.next as usize) < CHUNK * CHUNKS => {
            vacant.next += 1;
            vacant.next - 1
        }
        None => {
            let text = format!(
                "{} handles exist, and there are no more: free those that are not used",
                CHUNK * CHUNKS
            );
            return Err(Fault::Own(MyceliumError::System, text));
        }
    };
    drop(vacant);
    let generation = table.first;
    let chunk = table.chunks[at as usize / CHUNK].get_or_init(|| {
        (0..CHUNK).map(|_| Place(RwLock::new(HandleEntry { generation, object: None }))).collect()
    });
    let mut seat = chunk[at as usize % CHUNK].0.write().unwrap_or_else(PoisonError::into_inner);
    seat.object = Some(Arc::new(object));
    Ok(u64::from(seat.generation) << 32 | u64::from(at + 1))
}

#[inline]
fn place(handle: MyceliumHandle) -> Option<(&'static Place, u32)> {
    let at = (handle & u64::from(u32::MAX)).checked_sub(1)?;
    let at = usize::try_from(at).ok()?;
    let place = Table::get()?.chunks.get(at / CHUNK)?.get()?.get(at % CHUNK)?;
    Some((place, u32::try_from(handle >> 32).ok()?))
}

/// What is from before a fork.
#[cold]
pub(crate) fn from_before(what: &str) -> Fault {
    let text = format!(
        "this process was forked after {what} was made, whose threads are not here: make a runtime after `fork`, and use \
         none from before"
    );
    Fault::Own(MyceliumError::Forked, text)
}

#[cold]
fn stale(handle: MyceliumHandle, wanted: &str) -> Fault {
    let generation = u32::try_from(handle >> 32).unwrap_or(0);
    if handle != 0 && forks() > 0 && generation / GENERATIONS != Table::first_generation() / GENERATIONS {
        return from_before(&format!("the handle {handle:#x}"));
    }
    let text = if handle == 0 {
        format!("the handle is 0, which is none, and {wanted} is needed: did the call that makes it fail?")
    } else {
        format!(
            "the handle {handle:#x} was freed, or is none of this process, and {wanted} is needed: use a handle until it is \
             freed, and free it once"
        )
    };
    Fault::Own(MyceliumError::Handle, text)
}

#[cold]
fn other(object: &Object, wanted: &str) -> Fault {
    let text = format!(
        "the handle is that of {}, and {wanted} is needed: check the order of the arguments",
        object.kind()
    );
    Fault::Own(MyceliumError::Handle, text)
}

/// A handle of a runtime that a Rust program has made, for code in C that it hosts: so both use one bus.
///
/// # Errors
/// There are as many handles as there may be.
///
/// `tests/share.rs` has an example.
pub fn share(runtime: Runtime) -> Result<MyceliumHandle, mycelium_hosted::Error> {
    put(Object::Runtime(runtime)).map_err(|fault| mycelium_hosted::Error::Threads(fault.to_string()))
}

/// Uses an object where it is, for something that does not wait: whoever frees it meanwhile does.
#[inline]
pub(crate) fn with<R>(
    handle: MyceliumHandle,
    wanted: &str,
    run: impl FnOnce(&Object) -> Result<R, Fault>,
) -> Result<R, Fault> {
    let Some((place, generation)) = place(handle) else { return Err(stale(handle, wanted)) };
    let seat = place.0.read().unwrap_or_else(PoisonError::into_inner);
    match &seat.object {
        Some(object) if seat.generation == generation => run(object),
        _ => Err(stale(handle, wanted)),
    }
}

/// An object to use for as long as it takes.
pub(crate) fn find(handle: MyceliumHandle, wanted: &str) -> Result<Arc<Object>, Fault> {
    let Some((place, generation)) = place(handle) else { return Err(stale(handle, wanted)) };
    let seat = place.0.read().unwrap_or_else(PoisonError::into_inner);
    match &seat.object {
        Some(object) if seat.generation == generation => Ok(Arc::clone(object)),
        _ => Err(stale(handle, wanted)),
    }
}

/// Takes an object out of the table.
fn take(handle: MyceliumHandle) -> Result<Arc<Object>, Fault> {
    let wanted = "one that exists";
    let Some((place, generation)) = place(handle) else { return Err(stale(handle, wanted)) };
    let mut seat = place.0.write().unwrap_or_else(PoisonError::into_inner);
    if seat.generation != generation {
        return Err(stale(handle, wanted));
    }
    let object = seat.object.take().ok_or_else(|| stale(handle, wanted))?;
    // Those of another process are no handles of this one.
    let (first, next) = (Table::first_generation(), seat.generation + 1);
    seat.generation = if next - first < GENERATIONS - 1 { next } else { first };
    drop(seat);
    let at = u32::try_from((handle & u64::from(u32::MAX)) - 1).unwrap_or_default();
    Table::make().vacant.lock().unwrap_or_else(PoisonError::into_inner).freed.push(at);
    Ok(object)
}

/// The runtime of this handle, to use without waiting.
#[inline]
pub(crate) fn with_runtime<R>(
    handle: MyceliumHandle,
    run: impl FnOnce(&Runtime) -> Result<R, Fault>,
) -> Result<R, Fault> {
    with(handle, "a runtime", |object| match object {
        Object::Runtime(runtime) => run(runtime),
        object => Err(other(object, "a runtime")),
    })
}

/// The runtime of this handle.
pub(crate) fn runtime(handle: MyceliumHandle) -> Result<Runtime, Fault> {
    with_runtime(handle, |runtime| Ok(runtime.clone()))
}

/// The publisher of this handle, to use without waiting.
#[inline]
pub(crate) fn with_publisher<R>(
    handle: MyceliumHandle,
    run: impl FnOnce(&HostedPublisher) -> Result<R, Fault>,
) -> Result<R, Fault> {
    with(handle, "a publisher", |object| match object {
        Object::Publisher(publisher) => run(publisher),
        object => Err(other(object, "a publisher")),
    })
}

/// The tree of this handle.
pub(crate) fn tree(handle: MyceliumHandle) -> Result<HostedTree, Fault> {
    with(handle, "a tree", |object| match object {
        Object::Tree(tree) => Ok(tree.clone()),
        object => Err(other(object, "a tree")),
    })
}

/// The address of this handle, and its runtime.
pub(crate) fn address(handle: MyceliumHandle) -> Result<(Runtime, Address), Fault> {
    with(handle, "an address", |object| match object {
        Object::Address(runtime, address) => Ok((runtime.clone(), address.clone())),
        object => Err(other(object, "an address")),
    })
}

/// Uses the reader of this handle, which one thread does at a time.
pub(crate) fn with_reader<R>(
    handle: MyceliumHandle,
    run: impl FnOnce(&mut Reader) -> Result<R, Fault>,
) -> Result<R, Fault> {
    let object = find(handle, "a reader")?;
    let Object::Reader(reader) = &*object else { return Err(other(&object, "a reader")) };
    let Ok(mut reader) = reader.try_lock() else {
        let text = "another thread uses this reader now: give each thread a reader of its own";
        return Err(Fault::argument(text));
    };
    run(&mut reader)
}

/// Uses the description of a supervisor. It is gone once a tree or another supervisor has it.
pub(crate) fn with_supervisor<R>(
    handle: MyceliumHandle,
    run: impl FnOnce(&mut Option<Builder>) -> Result<R, Fault>,
) -> Result<R, Fault> {
    let object = find(handle, "a supervisor")?;
    let Object::Supervisor(builder) = &*object else { return Err(other(&object, "a supervisor")) };
    let mut builder = builder.lock().unwrap_or_else(PoisonError::into_inner);
    if builder.is_none() {
        let text = "this supervisor was given to a tree or to another supervisor: describe a new one";
        return Err(Fault::argument(text));
    }
    run(&mut builder)
}

/// Frees a handle of any kind. A runtime is closed (5 s at most, see `mycelium_runtime_close`), a reader and
/// a subscription end, a tree is told to stop and not waited for. Freeing a handle twice is an error.
#[unsafe(no_mangle)]
pub extern "C" fn mycelium_free(handle: MyceliumHandle) -> i64 {
    guard(|| {
        // While it is in the table: where it is refused, nothing has happened.
        let object = find(handle, "one that exists")?;
        if let Object::Runtime(runtime) = &*object {
            // A handle that a close has waited for in vain is not waited for again.
            let limit = if runtime.gave_up() { Duration::ZERO } else { CLOSE_DEADLINE };
            let closed = runtime.close(limit);
            if let Err(error @ mycelium_hosted::Error::Inside { .. }) = closed {
                return Err(error.into());
            }
            take(handle)?;
            return Ok(closed.map(|()| 0)?);
        }
        let taken = take(handle)?;
        if let Object::Subscription(runtime, callback) = &*taken {
            runtime.unsubscribe(*callback);
        }
        Ok(0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_none_before_and_after_its_time_and_its_place_is_used_again() {
        for never in [0, 1 << 32, u64::MAX, u64::from(u32::MAX), 7] {
            assert!(find(never, "it").is_err());
            assert!(mycelium_free(never) < 0);
        }
        let supervisor = || Object::Supervisor(Mutex::new(None));
        let first = put(supervisor()).unwrap_or(0);
        assert!(find(first, "it").is_ok());
        assert_eq!(mycelium_free(first), 0);
        assert!(find(first, "it").is_err());
        assert!(mycelium_free(first) < 0);
        let all: Vec<_> = (0..1_000).map(|_| put(supervisor()).unwrap_or(0)).collect();
        assert!(find(first, "it").is_err(), "another has its place");
        assert!(all.iter().any(|handle| handle & 0xffff_ffff == first & 0xffff_ffff));
        let threads: Vec<_> = (0..4)
            .map(|_| {
                let all = all.clone();
                std::thread::spawn(move || {
                    all.into_iter().filter(|handle| mycelium_free(*handle) == 0).count()
                })
            })
            .collect();
        let freed: usize = threads.into_iter().filter_map(|thread| thread.join().ok()).sum();
        assert_eq!(freed, 1_000, "each is freed once");
    }
}
