//! Handles: numbers that C holds, and what they stand for.
//!
//! A handle has a place in a table and the generation of that place, which rises when it is freed. So one
//! that was freed, twice or by another thread, is told from the one that took its place. Each place has a
//! lock of its own: to use a handle takes that, shared, and touches no other.

use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use mycelium::tree::Builder;
use mycelium_hosted::{Address, CLOSE_DEADLINE, CallbackId, HostedTree, Reader, Runtime};

use crate::last::{Fault, MyceliumError, guard};

/// A runtime, reader, subscription, supervisor, tree or address. 0 is none.
pub type MyceliumHandle = u64;

/// What a handle stands for.
pub(crate) enum Object {
    Runtime(Runtime),
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

struct Place(RwLock<Seat>);

struct Seat {
    generation: u32,
    object: Option<Arc<Object>>,
}

/// Which places are free.
struct Vacant {
    freed: Vec<u32>,
    /// Places from this one on were never used.
    next: u32,
}

static PLACES: [OnceLock<Box<[Place]>>; CHUNKS] = [const { OnceLock::new() }; CHUNKS];
static VACANT: Mutex<Vacant> = Mutex::new(Vacant { freed: Vec::new(), next: 0 });

impl Object {
    fn kind(&self) -> &'static str {
        match self {
            Self::Runtime(_) => "a runtime",
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
    let mut vacant = VACANT.lock().unwrap_or_else(PoisonError::into_inner);
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
    let chunk = PLACES[at as usize / CHUNK].get_or_init(|| {
        (0..CHUNK).map(|_| Place(RwLock::new(Seat { generation: 1, object: None }))).collect()
    });
    let mut seat = chunk[at as usize % CHUNK].0.write().unwrap_or_else(PoisonError::into_inner);
    seat.object = Some(Arc::new(object));
    Ok(u64::from(seat.generation) << 32 | u64::from(at + 1))
}

fn place(handle: MyceliumHandle) -> Option<(&'static Place, u32)> {
    let at = (handle & u64::from(u32::MAX)).checked_sub(1)?;
    let at = usize::try_from(at).ok()?;
    let place = PLACES.get(at / CHUNK)?.get()?.get(at % CHUNK)?;
    Some((place, u32::try_from(handle >> 32).ok()?))
}

#[cold]
fn stale(handle: MyceliumHandle, wanted: &str) -> Fault {
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
/// ```
/// let runtime = mycelium_hosted::Runtime::builder()
///     .contract_text("mycelium contract 1\nschema acme 1\nmessage Tick 7 1 ticks\nfield price 1 i64\n", "ticks")?
///     .start()?;
/// let handle = mycelium_ffi::share(runtime.clone())?; // for the code in C
/// assert_eq!(mycelium_ffi::mycelium_check_schema(handle, runtime.known().digest()), 0);
/// assert_eq!(mycelium_ffi::mycelium_free(handle), 0); // which closes it
/// assert!(runtime.is_closed());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
    seat.generation = seat.generation.checked_add(1).unwrap_or(1);
    drop(seat);
    let at = u32::try_from((handle & u64::from(u32::MAX)) - 1).unwrap_or_default();
    VACANT.lock().unwrap_or_else(PoisonError::into_inner).freed.push(at);
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
            let closed = runtime.close(CLOSE_DEADLINE);
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
