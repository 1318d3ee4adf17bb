//! For build scripts of Rust programs that host OCaml: compiles the OCaml, and links it into the program.
//!
//! ```no_run
//! // build.rs: ocaml/ has risk.ml, and a `dune` that makes an object of it
//! mycelium_codegen::build("contracts.yaml");
//! mycelium_ocaml_build::OCaml::new("ocaml", "risk").contract("contracts.yaml").link_bins();
//! ```
//!
//! `docs/ocaml.md` says what the folder holds. The program starts its OCaml with `mycelium-ocaml`.
#![forbid(unsafe_code)]

mod project;

use std::path::{Path, PathBuf};
use std::{env, fmt, io};

use mycelium_contract::Errors;

/// The OCaml of a program: see [`OCaml::new`].
#[derive(Clone, Debug)]
#[must_use = "it is compiled by `link_bins` or `link_tests`"]
pub struct OCaml {
    folder: PathBuf,
    name: String,
    contract: Option<PathBuf>,
    dune: PathBuf,
}

impl OCaml {
    /// The OCaml in this folder of the package, whose `dune` makes an object of the module `name`:
    /// `(executable (name risk) (modes object) (libraries mycelium))`.
    pub fn new(folder: impl Into<PathBuf>, name: impl Into<String>) -> Self {
        Self { folder: folder.into(), name: name.into(), contract: None, dune: "dune".into() }
    }

    /// Generates the library of messages of the contract at this path of the package, which `dune` names
    /// then, as `mycelium gen --lang ocaml` does: `(libraries mycelium acme_messages)`.
    pub fn contract(mut self, path: impl Into<PathBuf>) -> Self {
        self.contract = Some(path.into());
        self
    }

    /// The program `dune`; that of the PATH, unless set.
    pub fn dune(mut self, program: impl Into<PathBuf>) -> Self {
        self.dune = program.into();
        self
    }

    /// Compiles it, and links it into all binaries of the package. Cargo runs it again when a file of it
    /// changes.
    ///
    /// # Panics
    /// Never: a failure ends the process with status 1, as cargo expects of a build script.
    pub fn link_bins(&self) {
        self.link("bins");
    }

    /// Compiles it, and links it into all integration tests of the package, each of which has to be linked
    /// with `mycelium-ocaml` then: `use mycelium_ocaml as _;`.
    ///
    /// # Panics
    /// Never, as [`link_bins`](Self::link_bins).
    pub fn link_tests(&self) {
        self.link("tests");
    }

    fn link(&self, targets: &str) {
        let Some(out) = env::var_os("OUT_DIR").map(PathBuf::from) else {
            eprintln!("OUT_DIR is not set: call mycelium_ocaml_build from a build script");
            std::process::exit(1);
        };
        for path in self.watched() {
            println!("cargo::rerun-if-changed={}", path.display());
        }
        match self.object(&out.join("ocaml")) {
            // Its C needs the library of mathematics, and that of shared objects.
            Ok(object) => {
                for argument in [&*object.display().to_string(), "-lm", "-ldl"] {
                    println!("cargo::rustc-link-arg-{targets}={argument}");
                }
            }
            Err(error) => {
                println!("cargo::error={}", error.to_string().lines().next().unwrap_or_default());
                eprintln!("{error}");
                std::process::exit(1);
            }
        }
    }

    /// Compiles it below the folder `to`, and gives the path of the object: that of the program's OCaml, of
    /// the library `mycelium` and of OCaml itself, but for the functions of Mycelium in Rust.
    ///
    /// # Errors
    /// [`OCamlBuildError`].
    pub fn object(&self, to: &Path) -> Result<PathBuf, OCamlBuildError> {
        project::lay_out(self, to)?;
        project::compile(self, to)
    }
}

/// The OCaml of a program was not compiled.
#[derive(Debug)]
#[non_exhaustive]
pub enum OCamlBuildError {
    /// The contract is wrong, or cannot be read.
    Contract(Errors),
    /// A file of it cannot be read, or not be copied.
    File {
        /// Which one.
        path: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// `dune` cannot be run.
    Dune {
        /// Under which name.
        program: PathBuf,
        /// What the operating system says.
        error: io::Error,
    },
    /// It does not compile.
    Compile {
        /// What `dune` says.
        text: String,
    },
}

impl fmt::Display for OCamlBuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Contract(errors) => write!(f, "{errors}"),
            Self::File { path, error } => {
                write!(f, "{}: {error}: check the path and its permissions", path.display())
            }
            Self::Dune { program, error } => write!(
                f,
                "`{}` cannot be run ({error}): install OCaml 4.13 and dune 2.9 or newer (Debian and Ubuntu: apt-get install \
                 ocaml-nox ocaml-dune), and put them on the PATH; or build without what hosts OCaml",
                program.display()
            ),
            Self::Compile { text } => write!(f, "the OCaml of this program does not compile\n{text}"),
        }
    }
}

impl std::error::Error for OCamlBuildError {}
