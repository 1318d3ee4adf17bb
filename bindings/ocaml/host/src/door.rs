//! The door to the OCaml that is linked into the program: what `bindings/ocaml/src/host.h` says, in Rust.

use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;

use mycelium::ThreadHooks;
use mycelium_ffi::{
    MYCELIUM_ABI, MyceliumActor, MyceliumHandle, MyceliumThreadHooks, failure_of, thread_hooks,
};
use mycelium_hosted::{ActorSpec, Failure};

use crate::OCamlError;

/// `MyceliumMlTake`.
type Take = extern "C" fn(into: *mut c_void, actor: *const MyceliumActor);

/// `MyceliumMlHost`.
#[repr(C)]
struct Functions {
    size: usize,
    abi: u32,
    hooks: MyceliumThreadHooks,
    start: extern "C" fn() -> i32,
    enter: extern "C" fn(runtime: MyceliumHandle, kept: *mut *mut c_void) -> i32,
    actor: extern "C" fn(kept: *mut c_void, name: *const c_char, take: Take, into: *mut c_void) -> i32,
    leave: extern "C" fn(kept: *mut c_void),
}

// SAFETY: a table that nobody changes. Of its pointers but `user` all are functions, and `user` is handed
// back to them alone, as hooks are.
unsafe impl Sync for Functions {}

// The address of `mycelium_ml_host`, which is null where no OCaml is linked: Rust has no weak references.
#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
std::arch::global_asm!(
    ".weak mycelium_ml_host",
    ".pushsection .data.rel.ro.mycelium_ml_host_at, \"aw\"",
    ".globl mycelium_ml_host_at",
    ".hidden mycelium_ml_host_at",
    ".balign 8",
    "mycelium_ml_host_at:",
    ".8byte mycelium_ml_host",
    ".popsection",
);

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
fn linked() -> Option<extern "C" fn() -> *const Functions> {
    // SAFETY: the word above is either null or the address of a function of this type, and nobody writes to
    // it.
    unsafe extern "C" {
        safe static mycelium_ml_host_at: Option<extern "C" fn() -> *const Functions>;
    }
    mycelium_ml_host_at
}

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
fn linked() -> Option<extern "C" fn() -> *const Functions> {
    None
}

/// The way into OCaml, for the one thread that goes it.
pub(crate) struct Door(&'static Functions);

/// A runtime as OCaml has it: to be used on the thread of the [`Door`], until it leaves.
pub(crate) struct Kept(*mut c_void);

// SAFETY: it is an address that is handed back to OCaml on the one thread that has the door.
unsafe impl Send for Kept {}

impl Door {
    /// The one of this program.
    ///
    /// # Errors
    /// None is linked, or one of another version.
    pub(crate) fn find() -> Result<Self, OCamlError> {
        let host = linked().map(|host| host());
        // SAFETY: it is null, or points to a table that is there as long as the process and does not change.
        let functions = host.and_then(|at| unsafe { at.as_ref() });
        let functions = functions.ok_or_else(|| {
            OCamlError::new(
                "no OCaml is linked into this program: have its build script call \
                 `mycelium_ocaml_build::OCaml::new(\"ocaml\", \"name\").link_bins()`, with a module there that calls \
                 `Mycelium.Hosted.register` (on Linux, with 64 bits)",
            )
        })?;
        if functions.size != size_of::<Functions>() || functions.abi != MYCELIUM_ABI {
            return Err(OCamlError::new(
                "the OCaml in this program was built for another version of Mycelium: build both from one clone",
            ));
        }
        Ok(Self(functions))
    }

    /// What threads that call OCaml do besides.
    pub(crate) fn hooks(&self) -> Arc<dyn ThreadHooks> {
        // SAFETY: they are functions of the program, and take no notice of `user`.
        unsafe { thread_hooks(self.0.hooks) }
    }

    /// Starts OCaml. The thread that calls this is its first one.
    pub(crate) fn start(&self) -> Result<(), Failure> {
        failure_of((self.0.start)())
    }

    /// Gives OCaml a runtime.
    pub(crate) fn enter(&self, runtime: MyceliumHandle) -> Result<Kept, Failure> {
        let mut kept = ptr::null_mut();
        failure_of((self.0.enter)(runtime, &raw mut kept))?;
        Ok(Kept(kept))
    }

    /// The actor that is registered under this name.
    pub(crate) fn actor(&self, runtime: &Kept, name: &CStr) -> Result<ActorSpec, Failure> {
        let mut taken: Taken = None;
        failure_of((self.0.actor)(runtime.0, name.as_ptr(), take, (&raw mut taken).cast()))?;
        taken.unwrap_or_else(|| Err(Failure::new("OCaml has described no actor; please report it")))
    }

    /// The runtime is closed.
    #[allow(clippy::needless_pass_by_value, reason = "it is not to be used after that")]
    pub(crate) fn leave(&self, runtime: Kept) {
        let Kept(runtime) = runtime;
        (self.0.leave)(runtime);
    }
}

type Taken = Option<Result<ActorSpec, Failure>>;

extern "C" fn take(into: *mut c_void, actor: *const MyceliumActor) {
    // SAFETY: OCaml hands over the description of an actor, whose functions are those of its stubs: they may
    // be called on any thread that has called the hooks.
    let read = || unsafe { mycelium_ffi::actor_spec(actor) };
    let read = catch_unwind(AssertUnwindSafe(read))
        .unwrap_or_else(|_| Err(Failure::new("a fault of Mycelium itself: please report it")));
    // SAFETY: it is what `actor` has passed, which waits for this call and looks at it afterwards.
    if let Some(taken) = unsafe { into.cast::<Taken>().as_mut() } {
        *taken = Some(read);
    }
}
