//! The OCaml library as it is in the tree: built with dune, and held by its own tests, as they are and with a
//! heap that the collector moves all the time; the programs of the page on OCaml; what it costs.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use mycelium_codegen::{ocaml, ocaml_library};
use mycelium_contract::Contract;
use mycelium_tests::linked::over_tls;

fn root() -> PathBuf {
    fs::canonicalize(Path::new(env!("CARGO_MANIFEST_DIR")).join("..")).unwrap()
}

/// The folder of the C library that cargo has made beside this test.
fn library() -> PathBuf {
    let test = fs::canonicalize(std::env::current_exe().unwrap()).unwrap();
    let folder = test.ancestors().find(|folder| folder.join("libmycelium_ffi.so").exists());
    folder.expect("cargo makes libmycelium_ffi.so before the tests that depend on it").to_owned()
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{command:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // A file that has not changed is not compiled again.
    if fs::read_to_string(path).ok().as_deref() != Some(text) {
        fs::write(path, text).unwrap();
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let (path, to) = (entry.path(), to.join(entry.file_name()));
        let left_out = path.ends_with("_build") || path.extension().is_some_and(|end| end == "install");
        match path.is_dir() {
            _ if left_out => {}
            true => copy(&path, &to),
            false => write(&to, &fs::read_to_string(&path).unwrap()),
        }
    }
}

fn messages(contract: &Contract, folder: &Path) {
    for file in ocaml(contract) {
        write(&folder.join(&file.name), &file.text);
    }
}

fn page() -> String {
    fs::read_to_string(root().join("docs/ocaml.md")).unwrap()
}

fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opens = format!("```{language}\n");
    page.split(&opens).skip(1).filter_map(|rest| rest.split("```").next()).collect()
}

/// A folder with the library, its tests, and the programs of the page, all built.
fn project() -> &'static Path {
    static PROJECT: OnceLock<PathBuf> = OnceLock::new();
    PROJECT.get_or_init(|| {
        said(Command::new("sh").arg(root().join("tests/ocaml/install.sh")));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ocaml-library");
        copy(&root().join("bindings/ocaml"), &folder);
        let own = Contract::read(&root().join("bindings/ocaml/test/contracts.yaml")).unwrap();
        messages(&own, &folder.join("messages"));
        let contract = Contract::read(&root().join("contracts.yaml")).unwrap();
        messages(&contract, &folder.join("page_messages"));
        let (page, library) = (page(), ocaml_library(&contract));
        let programs = blocks(&page, "ocaml");
        let names = ["desk", "bus", "actor", "linked", "hosted", "volume"];
        assert_eq!(programs.len(), names.len(), "a block of the page is tested by its place");
        let dune = format!(
            "(executables (names {}) (modules {})\n (libraries mycelium {library}))\n",
            names.join(" "),
            names.join(" ")
        );
        for (name, program) in names.iter().zip(programs) {
            write(&folder.join(format!("page/{name}.ml")), program);
        }
        write(&folder.join("page/dune"), &dune);
        said(dune_in(&folder).args(["build", "--root", ".", "@@default"]));
        folder
    })
}

fn dune_in(folder: &Path) -> Command {
    let mut dune = Command::new("dune");
    dune.current_dir(folder).env("MYCELIUM_HOME", root()).env("MYCELIUM_LIB", library());
    dune
}

fn program(name: &str) -> Command {
    let mut command = Command::new(project().join("_build/default").join(name));
    // The library is found where the program was told that it is.
    command.env_remove("LD_LIBRARY_PATH");
    command
}

fn passes(name: &str) {
    passes_with(name, |program| program);
}

fn passes_with(name: &str, given: impl Fn(&mut Command) -> &mut Command) {
    for parameters in ["", "v=0,s=4k"] {
        let mut program = program(&format!("test/{name}.exe"));
        let told = said(given(program.env("OCAMLRUNPARAM", parameters)));
        assert!(told.ends_with(": fine\n"), "{told}");
    }
}

#[test]
fn order_delivery_and_full_queues_are_promised_to_ocaml_too() {
    passes("promises");
}

#[test]
fn actors_in_ocaml_fail_restart_answer_and_leave_nothing_behind() {
    passes("actors_test");
}

#[test]
fn misuse_in_ocaml_is_an_error_that_says_what_to_do() {
    passes("misuse");
}

#[test]
fn signals_end_the_waits_for_trees_and_for_a_close_in_ocaml() {
    passes("waits");
}

#[test]
fn the_collector_of_ocaml_moves_what_mycelium_keeps_and_nothing_is_lost() {
    passes("stress");
}

/// Under OCaml 5; before it there are none.
#[test]
fn domains_of_ocaml_publish_poll_and_ask_at_the_same_time() {
    passes("domains");
}

#[test]
fn processes_in_ocaml_are_linked_as_a_topology_says() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ocaml-tls");
    passes_with("topology", |program| program.env("MYCELIUM_TLS_TOPOLOGY", over_tls(&folder)));
}

#[test]
fn the_page_on_ocaml_tells_the_truth() {
    let (page, volume) = (page(), said(&mut program("page/volume.exe")));
    let texts = blocks(&page, "text");
    for (at, name) in ["desk", "bus", "actor"].iter().enumerate() {
        assert_eq!(said(&mut program(&format!("page/{name}.exe"))), texts[at + 1], "{name}");
    }
    assert_eq!(volume, "");
    assert_eq!(linked(), texts[4]);
}

/// What the two processes of the page say.
fn linked() -> String {
    // The path of a socket is short.
    let folder = std::env::temp_dir().join(format!("mycelium-page-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    let topology = folder.join("topology.toml");
    let nodes =
        "[[nodes]]\nname = \"a\"\nservices = [\"model\"]\n[[nodes]]\nname = \"b\"\nservices = [\"feed\"]\n";
    fs::write(&topology, format!("socket_dir = \"run\"\n[deployment]\nmode = \"bundled\"\n{nodes}")).unwrap();
    let start = |name: &str| {
        let mut command = program("page/linked.exe");
        command.arg(&topology).arg(name).stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap()
    };
    let mut model = start("model");
    let feed = start("feed").wait_with_output().unwrap();
    if !feed.status.success() {
        model.kill().unwrap();
    }
    let model = model.wait_with_output().unwrap();
    fs::remove_dir_all(&folder).unwrap();
    assert!(feed.status.success() && model.status.success() && model.stdout.is_empty());
    String::from_utf8(feed.stdout).unwrap()
}

#[test]
fn the_program_that_counts_costs_in_ocaml_runs() {
    for what in ["publish", "encode", "array", "read", "drain", "callback"] {
        let told = said(program("bench/cost.exe").args([what, "5120"]));
        assert!(told.starts_with(&format!("{what}: ")), "{told}");
    }
}
