//! The generated OCaml library against the Rust types: the same verdict on golden vectors, random values and
//! damage, the same values, the same bytes, the same broken rules, and views that read what decoding reads.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use mycelium_codegen::{Model, ocaml, ocaml_library};
use mycelium_contract::{Contract, Digests};
use mycelium_random::{Random, seed};

use crate::cases::{self, Case};
use crate::{common, contracts};

/// The line for `check.ml`: columns parted by tabs, which JSON writes as escapes.
fn line(case: &Case, out: &mut String) {
    let Case { message, version, root_len, verdict, bytes, value, again, broken } = case;
    let (value, broken) =
        (value.as_deref().unwrap_or_default(), broken.as_ref().map(|texts| texts.join("|")));
    let broken = broken.unwrap_or_default();
    let _ = writeln!(
        out,
        "{message}\t{version}\t{root_len}\t{verdict}\t{bytes}\t{value}\t{}\t{broken}",
        u8::from(*again)
    );
}

/// The program's part that knows the fields of each message: whether views read what decoding reads.
fn views(contract: &Contract) -> String {
    let model = Model::new(contract);
    let module = capital(&ocaml_library(contract));
    let mut out = format!("module Library = {module}\n\nlet check name bytes big at = match name with\n");
    let fixed = contract.messages.iter().filter(|message| model.record(&message.fields).layout.fixed);
    for message in fixed {
        let name = &message.name;
        let _ = write!(
            out,
            "  | \"{name}\" -> let open Library.{name} in\n    let expected = decode (Bytes.sub bytes at root_len) in\n    \
             let found = check_bytes bytes at, check_bigarray big at in\n    (match expected, found with\n    \
             | Ok v, (Ok (), Ok ()) -> true"
        );
        for field in &message.fields {
            let field = if field.name == "open" { "open_" } else { &field.name };
            for (view, buffer) in [("Bytes_view", "bytes"), ("Bigarray_view", "big")] {
                let _ = write!(out, "\n      && compare ({view}.{field} {buffer} at) v.{field} = 0");
            }
        }
        out.push_str("\n    | Error _, (Error _, Error _) -> true\n    | _ -> false)\n");
    }
    out.push_str("  | _ -> true\n");
    out
}

fn capital(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_uppercase() + rest
}

fn run(program: &mut Command) -> String {
    let output = program.output().unwrap_or_else(|error| panic!("{program:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{program:?}: {text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn write_library(contract: &Contract, folder: &Path) {
    fs::create_dir_all(folder).expect("a folder");
    for file in ocaml(contract) {
        fs::write(folder.join(&file.name), &file.text).expect("a file");
    }
}

/// A library, and a program over it of these files.
pub(crate) struct Part<'a> {
    pub(crate) name: &'a str,
    pub(crate) contract: &'a Contract,
    pub(crate) program: &'a str,
    pub(crate) files: &'a [(&'a str, &'a str)],
}

/// A project of dune with the library, and a program of these files; what the program prints.
pub(crate) fn project(name: &str, contract: &Contract, program: &str, files: &[(&str, &str)]) -> String {
    projects(name, &[Part { name: "only", contract, program, files }]).concat()
}

/// One project of dune with several libraries, of different names, and their programs; what each prints.
pub(crate) fn projects(name: &str, parts: &[Part<'_>]) -> Vec<String> {
    cases::install("tests/ocaml/install.sh", None);
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ocaml-projects").join(name);
    let mut build = Command::new("dune");
    build.args(["build", "--root", "."]).current_dir(&root);
    for Part { name, contract, program, files } in parts {
        let folder = root.join(name);
        write_library(contract, &folder.join("messages"));
        fs::create_dir_all(folder.join("program")).expect("a folder");
        // dune's own default for developers, where each warning is an error.
        let dune = format!("(executable (name {program}) (libraries {}))\n", ocaml_library(contract));
        for (file, text) in files.iter().chain(&[("program/dune", &dune[..])]) {
            fs::write(folder.join(file), text).expect("a file");
        }
        build.arg(format!("./{name}/program/{program}.exe"));
    }
    fs::write(root.join("dune-project"), "(lang dune 2.9)\n").expect("a file");
    run(&mut build);
    let ran = parts.iter().map(|Part { name, program, .. }| {
        let program = root.join(format!("_build/default/{name}/program/{program}.exe"));
        run(Command::new(program).arg("cases").current_dir(root.join(name)))
    });
    ran.collect()
}

fn read(path: &str) -> String {
    let path = common::root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn ocaml_reads_writes_and_validates_as_rust_does() {
    let rng = &mut Random::new(seed());
    for (at, contract) in contracts().iter().enumerate() {
        let model = Model::new(contract);
        let mut all = Vec::new();
        for message in &contract.messages {
            cases::of_message(&model, message, rng, &mut all);
        }
        let mut lines = String::new();
        all.iter().for_each(|case| line(case, &mut lines));
        let check = read("bindings/codegen/tests/ocaml/check.ml");
        let files =
            [("program/check.ml", &check[..]), ("program/views.ml", &views(contract)), ("cases", &lines)];
        let told = project(&format!("project{at}"), contract, "check", &files);
        let digest = format!("digest {:016x}", Digests::of(contract).schema(contract));
        assert!(told.contains(&digest), "{told}");
        assert!(told.starts_with(&format!("{} cases, 0 failed", all.len())), "{told}");
    }
}

#[test]
fn names_of_ocaml_and_values_that_do_not_fit() {
    let contract = Contract::read(&common::root().join("bindings/codegen/tests/ocaml/names.yaml"));
    let contract = contract.unwrap_or_else(|errors| panic!("{errors}"));
    let program = read("bindings/codegen/tests/ocaml/names.ml");
    assert_eq!(project("names", &contract, "names", &[("program/names.ml", &program)]), "fine\n");
}

/// Everything in one file overflows the compiler's stack from some 500 messages on. They stand in parts,
/// whose types use one another.
#[test]
fn contracts_of_hundreds_of_messages_compile() {
    let mut text =
        "schema: {id: many, version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 999]}\nstructs:\n".to_owned();
    for at in 0..70 {
        let inner = if at == 0 { "u8".to_owned() } else { format!("Vec<S{}>", (at - 1) % 14) };
        let inner = if at % 14 == 0 { "u8" } else { &inner };
        text.push_str(&format!("  S{at}: {{fields: {{x: {inner}}}}}\n"));
    }
    text.push_str("messages:\n");
    for at in 0..130 {
        let fields = format!("x: S{}, y: \"[Vec<S{}>; 2]\"", at % 70, at % 14);
        text.push_str(&format!(
            "  M{at}: {{tlv_type: {}, topic: t, domain: d, fields: {{{fields}}}}}\n",
            at + 1
        ));
    }
    let contract = Contract::parse(&text, "many.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    let program = "let () = print_int (List.length Many_messages.messages)\n";
    assert_eq!(project("many", &contract, "many", &[("program/many.ml", program)]), "130");
}
