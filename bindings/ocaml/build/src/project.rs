//! A project of dune: the library `mycelium`, generated messages, and the program's own folder, each copied.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

use mycelium_contract::Contract;

use crate::{OCaml, OCamlBuildError};

/// How deep the folders of a program may lie in each other (folders): a link to a folder above has no end.
const DEPTH_MAX: u32 = 32;

/// OCaml's library of threads asks for `libpthread`, which the C library of Linux holds: its own is an
/// archive without members, that `ld -r` refuses.
const NO_LIBRARY: &str = "/* The threads of the system are in the C library. */\n";

/// The clone of the repository that this crate lies in.
fn clone() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..")
}

impl OCaml {
    /// The folder of the library, the header below it, and what the program brings.
    pub(crate) fn watched(&self) -> Vec<PathBuf> {
        let clone = clone();
        let own = ["bindings/ocaml/src", "bindings/ocaml/dune-project", "bindings/ffi/include/mycelium.h"];
        let own = own.iter().map(|path| clone.join(path));
        own.chain([self.folder.clone()]).chain(self.contract.clone()).collect()
    }
}

/// Writes the project to this folder. A file that is there as it should be is left alone, so it is not
/// compiled again.
pub(crate) fn lay_out(program: &OCaml, to: &Path) -> Result<(), OCamlBuildError> {
    write(&to.join("dune-project"), b"(lang dune 2.9)\n")?;
    write(&to.join("linked/libpthread.a"), NO_LIBRARY.as_bytes())?;
    let library = clone().join("bindings/ocaml");
    for file in ["dune-project", "mycelium.opam"] {
        write(&to.join("mycelium").join(file), &read(&library.join(file))?)?;
    }
    mirror(&library.join("src"), &to.join("mycelium/src"), DEPTH_MAX)?;
    mirror(&program.folder, &to.join("program"), DEPTH_MAX)?;
    let Some(contract) = &program.contract else { return Ok(()) };
    let contract = Contract::read(contract).map_err(OCamlBuildError::Contract)?;
    for file in mycelium_codegen::ocaml(&contract) {
        write(&to.join("messages").join(file.name), file.text.as_bytes())?;
    }
    Ok(())
}

/// Runs dune.
pub(crate) fn compile(program: &OCaml, to: &Path) -> Result<PathBuf, OCamlBuildError> {
    let target = format!("program/{}.exe.o", program.name);
    let mut dune = Command::new(&program.dune);
    dune.args(["build", "--root", ".", "--profile", "release", "--display", "quiet"]);
    dune.arg(format!("./{target}")).current_dir(to);
    dune.env("MYCELIUM_HOME", absolute(&clone())?).env("MYCELIUM_LIB", "host");
    let mut parameters = env::var_os("OCAMLPARAM").unwrap_or_else(|| "_".into());
    parameters.push(",I=");
    parameters.push(absolute(&to.join("linked"))?);
    let output = dune.env("OCAMLPARAM", parameters).output();
    let output = output.map_err(|error| OCamlBuildError::Dune { program: program.dune.clone(), error })?;
    if output.status.success() {
        return Ok(to.join("_build/default").join(target));
    }
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(OCamlBuildError::Compile { text })
}

/// Copies a folder, and removes what the copy has besides.
fn mirror(from: &Path, to: &Path, depth: u32) -> Result<(), OCamlBuildError> {
    if depth == 0 {
        let error = io::Error::new(io::ErrorKind::InvalidInput, "folders lie in each other without end");
        return Err(at(from)(error));
    }
    let mut names = Vec::new();
    for entry in fs::read_dir(from).map_err(at(from))? {
        let path = entry.map_err(at(from))?.path();
        let Some(name) = path.file_name() else { continue };
        if name == "_build" {
            continue;
        }
        names.push(name.to_owned());
        if path.is_dir() {
            mirror(&path, &to.join(name), depth - 1)?;
        } else {
            write(&to.join(name), &read(&path)?)?;
        }
    }
    let Ok(there) = fs::read_dir(to) else { return Ok(()) };
    for path in there.flatten().map(|entry| entry.path()) {
        if path.file_name().is_some_and(|name| names.iter().any(|known| known == name)) {
            continue;
        }
        let removed = if path.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        removed.map_err(at(&path))?;
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>, OCamlBuildError> {
    fs::read(path).map_err(at(path))
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), OCamlBuildError> {
    if fs::read(path).is_ok_and(|old| old == bytes) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(at(folder))?;
    }
    fs::write(path, bytes).map_err(at(path))
}

fn absolute(path: &Path) -> Result<PathBuf, OCamlBuildError> {
    fs::canonicalize(path).map_err(at(path))
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> OCamlBuildError {
    let path = path.to_owned();
    move |error| OCamlBuildError::File { path, error }
}
