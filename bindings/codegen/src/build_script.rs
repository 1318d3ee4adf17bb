//! The one line of a user's `build.rs`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use mycelium_contract::{Contract, Errors};

use crate::{Options, rust};

/// The file that `mycelium::contracts!()` includes from `OUT_DIR`.
const FILE: &str = "contracts.rs";

/// Makes the types of the contract at `path`, relative to the package, for `mycelium::contracts!()` to
/// include.
///
/// For build scripts. Cargo runs it again when the contract changes. When the contract is wrong, its errors
/// are printed with line, column and remedy, and the build fails with them.
///
/// # Panics
/// Never: a failure ends the process with status 1, as cargo expects of a build script.
pub fn build(path: impl AsRef<Path>) {
    build_with(path, &Options::default());
}

/// As [`build`], with options.
pub fn build_with(path: impl AsRef<Path>, options: &Options) {
    let path = path.as_ref();
    println!("cargo::rerun-if-changed={}", path.display());
    let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) else {
        eprintln!("OUT_DIR is not set: call mycelium_codegen::build from a build script");
        std::process::exit(1);
    };
    if let Err(error) = generate(path, &out.join(FILE), options) {
        // cargo shows the first line of `error` beside the crate's name, and all of stderr below it.
        println!("cargo::error={}", error.to_string().lines().next().unwrap_or_default());
        eprintln!("{error}");
        std::process::exit(1);
    }
}

/// Writes the Rust source of the contract at `path` to `to`, unless that is what stands there already.
///
/// # Errors
/// The contract cannot be read or is wrong, or the source cannot be written.
pub fn generate(path: &Path, to: &Path, options: &Options) -> Result<(), GenerateError> {
    let contract = Contract::read(path).map_err(GenerateError::Contract)?;
    let source = rust(&contract, options);
    if fs::read_to_string(to).is_ok_and(|old| old == source) {
        return Ok(());
    }
    fs::write(to, source).map_err(|error| GenerateError::Write { path: to.to_owned(), error })
}

/// No source was generated.
#[derive(Debug)]
#[non_exhaustive]
pub enum GenerateError {
    /// The contract is wrong, or cannot be read.
    Contract(Errors),
    /// The source cannot be written.
    Write {
        /// Where to.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
}

impl fmt::Display for GenerateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contract(errors) => write!(f, "{errors}"),
            Self::Write { path, error } => {
                write!(f, "cannot write {}: {error}: check the path and its permissions", path.display())
            }
        }
    }
}

impl std::error::Error for GenerateError {}
