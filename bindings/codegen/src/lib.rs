//! Source code and golden vectors from a checked contract.
//!
//! In a build script, one line makes the types of `contracts.yaml`:
//!
//! ```no_run
//! // build.rs
//! mycelium_codegen::build("contracts.yaml");
//! ```
//!
//! and one line in the crate, `mycelium::contracts!();`, includes them. [`rust()`] gives the same source as
//! text, [`python()`] a package and [`ocaml()`] a library of the same types. [`encode`] writes values by the
//! specification alone, without rkyv, [`decode`] reads them, and [`golden`] makes test vectors with it for
//! the codecs of all languages.
#![forbid(unsafe_code)]
// A type in a public signature can be named, and so matched and kept.
#![warn(unnameable_types)]

mod build_script;
pub mod decode;
pub mod encode;
pub mod golden;
mod model;
mod ocaml;
mod python;
mod rust;
pub mod show;
mod source;

pub use build_script::{GenerateError, build, build_with, generate};
pub use model::Model;
pub use ocaml::{OcamlFile, ocaml, ocaml_library};
pub use python::{PythonFile, python, python_msgspec};
pub use rust::{Options, rust};
