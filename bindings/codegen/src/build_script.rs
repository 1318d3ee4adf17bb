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
        // cargo shows this beside the crate's name, and all of stderr below it.
        println!("cargo::error={}", error.headline());
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

impl GenerateError {
    /// The first mistake in one line, with its place and remedy.
    fn headline(&self) -> String {
        let text = match self {
            Self::Contract(errors) => errors.list().first().map(|first| {
                let place = match first.at.line {
                    0 => first.file.clone(),
                    line => format!("{}:{line}:{}", first.file, first.at.column),
                };
                let remedy = if first.remedy.is_empty() { "" } else { "; " };
                format!("{place}: {}{remedy}{} [{}]", first.cause, first.remedy, first.code)
            }),
            Self::Write { .. } => None,
        };
        // A cause may have what a file has in its lines.
        text.unwrap_or_else(|| self.to_string()).replace(['\n', '\r'], " ")
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_headline_is_one_line_with_place_and_remedy() {
        let text = "schema: {id: a, version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 9]}\nmessages:\n  A:\n    \
                    tlv_type: 1\n    topic: t\n    domain: d\n    description: One.\n    fields:\n      a: {type: u33}\n";
        let errors = Contract::parse(text, "contracts.yaml").expect_err("there is no such type");
        let headline = GenerateError::Contract(errors).headline();
        assert_eq!(headline, "contracts.yaml:11:17: unknown type `u33`; did you mean `u32`? [MYC0030]");
        let missing = Contract::read(Path::new("no/such.yaml")).expect_err("there is no such file");
        let headline = GenerateError::Contract(missing).headline();
        assert!(headline.starts_with("no/such.yaml: ") && headline.lines().count() == 1, "{headline}");
    }
}
