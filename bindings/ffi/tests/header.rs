//! The header is that of the code.

use std::path::Path;
use std::process::Command;

/// In the order in which the header shows them.
const FILES: &[&str] = &[
    "last.rs",
    "handles.rs",
    "pointers.rs",
    "runtime.rs",
    "publisher.rs",
    "reader.rs",
    "subscribe.rs",
    "actor.rs",
    "current.rs",
    "tree.rs",
    "address.rs",
];

fn generated(folder: &Path) -> String {
    let config = cbindgen::Config::from_file(folder.join("cbindgen.toml")).unwrap();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for file in FILES {
        builder = builder.with_src(folder.join("src").join(file));
    }
    let mut text = Vec::new();
    builder.generate().unwrap().write(&mut text);
    String::from_utf8(text).unwrap()
}

#[test]
fn the_committed_header_is_fresh() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (path, wanted) = (folder.join("include/mycelium.h"), generated(folder));
    if std::env::var_os("MYCELIUM_BLESS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let command = "MYCELIUM_BLESS=1 cargo test -p mycelium-ffi --test header";
    assert!(std::fs::read_to_string(path).unwrap_or_default() == wanted, "the header is stale: {command}");
}

#[test]
fn every_export_is_in_the_header_and_every_module_is_looked_at() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let header = std::fs::read_to_string(folder.join("include/mycelium.h")).unwrap();
    let mut exports = 0;
    for entry in std::fs::read_dir(folder.join("src")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name == "lib.rs" || FILES.contains(&name), "add {name} to the list above");
        let text = std::fs::read_to_string(&path).unwrap();
        for (at, _) in text.match_indices("#[unsafe(no_mangle)]") {
            let function = text[at..].split("fn ").nth(1).unwrap().split('(').next().unwrap();
            assert!(header.contains(&format!("{function}(")), "{function} is not in the header");
            exports += 1;
        }
    }
    assert!(exports > 30, "{exports}");
}

#[test]
fn the_header_stands_beside_those_of_the_system_in_cpp() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let source = Path::new(env!("CARGO_TARGET_TMPDIR")).join("header.cpp");
    std::fs::write(&source, "#include \"mycelium.h\"\n#include <thread>\nint main() { return 0; }\n")
        .unwrap();
    let mut compiler = Command::new("c++");
    compiler.args(["-std=c++17", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", "-I"]);
    let Ok(compiled) = compiler.arg(folder.join("include")).arg(&source).output() else {
        return eprintln!("left out: c++ is not there; install it to run this too");
    };
    assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
}

#[test]
fn the_page_has_the_examples_and_every_function() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
    let page = read("../../docs/c.md");
    for name in ["first.c", "actors.c", "linked.c", "ticks.yaml", "desk.toml"] {
        let example = &format!("examples/{name}");
        assert!(page.contains(read(example).trim()), "docs/c.md does not have {example} as it is");
    }
    let header = read("include/mycelium.h");
    let functions = header.split("mycelium_").skip(1).filter_map(|text| {
        let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))?;
        text[end..].starts_with('(').then(|| &text[..end])
    });
    for function in functions {
        assert!(
            page.contains(&format!("`mycelium_{function}`")),
            "docs/c.md does not have mycelium_{function}"
        );
    }
    let errors = header.split("MYCELIUM_ERROR_").skip(1);
    for error in errors.filter_map(|text| text.split_once(" = ").map(|(name, _)| name)) {
        if error.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
            assert!(page.contains(&format!("`MYCELIUM_ERROR_{error}`")), "docs/c.md does not have {error}");
        }
    }
}
