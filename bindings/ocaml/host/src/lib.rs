//! OCaml actors in a Rust program, on its bus and in its supervision trees. `docs/ocaml.md` walks through it
//! ("OCaml actors in a Rust program").
//!
//! The build script of the program compiles its OCaml and links it in (`mycelium-ocaml-build`). OCaml is
//! started once for the process, by whoever needs it first, on a thread of its own, and is never ended:
//! threads of actors may call it at any time. Each bus that wants OCaml has an [`OCamlRuntime`] of its own.
//!
//! Everything builds without OCaml. A start of it is an error then, which says what to do.

mod actor;
mod door;
mod error;
mod program;
mod runtime;

pub use actor::{OCamlActor, OCamlChild, OCamlFactories};
pub use error::OCamlError;
pub use mycelium_hosted::{Address, Encoded, Exposed, HostedActor, HostedPool};
pub use runtime::{OCamlBuilder, OCamlRuntime};
