//! What can be wrong, and what each error says to do; and which files dune is given. No OCaml is needed.
#![forbid(unsafe_code)]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use mycelium_ocaml_build::{OCaml, OCamlBuildError};

/// An empty folder of this test.
fn folder(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A program in OCaml, and a script in place of dune.
fn program(folder: &Path, dune: &str) -> OCaml {
    let ocaml = folder.join("ocaml");
    fs::create_dir_all(ocaml.join("deeper")).unwrap();
    fs::write(ocaml.join("risk.ml"), "let () = ()\n").unwrap();
    fs::write(ocaml.join("deeper/limits.ml"), "let most = 3\n").unwrap();
    let script = folder.join("dune.sh");
    fs::write(&script, format!("#!/bin/sh\n{dune}\n")).unwrap();
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).unwrap();
    OCaml::new(ocaml, "risk").dune(script)
}

#[test]
fn a_machine_without_dune_is_told_what_to_install() {
    let folder = folder("no-dune");
    let error = program(&folder, "").dune("no-such-dune").object(&folder.join("out")).unwrap_err();
    assert!(matches!(error, OCamlBuildError::Dune { .. }), "{error:?}");
    for part in ["`no-such-dune` cannot be run", "apt-get install ocaml-nox ocaml-dune", "on the PATH"] {
        assert!(error.to_string().contains(part), "{part} in {error}");
    }
}

#[test]
fn what_does_not_compile_is_told_in_the_words_of_dune() {
    let folder = folder("wrong");
    let program = program(&folder, "echo 'Error: Unbound value x' >&2; exit 1");
    let error = program.object(&folder.join("out")).unwrap_err();
    assert!(matches!(error, OCamlBuildError::Compile { .. }), "{error:?}");
    assert!(error.to_string().contains("does not compile\nError: Unbound value x"), "{error}");
    let nowhere = folder.join("nowhere");
    let error = OCaml::new(&nowhere, "risk").object(&folder.join("out")).unwrap_err().to_string();
    assert!(error.starts_with(&nowhere.display().to_string()) && error.contains("check the path"), "{error}");
    let error = program.contract(folder.join("none.yaml")).object(&folder.join("out")).unwrap_err();
    assert!(matches!(error, OCamlBuildError::Contract(_)), "{error:?}");
    assert!(error.to_string().contains("none.yaml"), "{error}");
}

#[test]
fn dune_has_the_folder_as_it_is_and_builds_its_object_for_a_host() {
    let folder = folder("fine");
    let program = program(&folder, "echo \"$@ $MYCELIUM_LIB $OCAMLPARAM\" > told");
    let out = folder.join("out");
    let object = program.object(&out).unwrap();
    assert_eq!(object, out.join("_build/default/program/risk.exe.o"));
    let told = fs::read_to_string(out.join("told")).unwrap();
    for part in ["build --root . --profile release", "./program/risk.exe.o", " host ", "linked"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    for file in
        ["program/risk.ml", "program/deeper/limits.ml", "mycelium/src/hosted.c", "linked/libpthread.a"]
    {
        assert!(out.join(file).is_file(), "{file}");
    }
    // A file that is gone from the folder goes from the copy.
    fs::remove_dir_all(folder.join("ocaml/deeper")).unwrap();
    program.object(&out).unwrap();
    assert!(!out.join("program/deeper").exists());
    assert!(out.join("program/risk.ml").is_file());
}
