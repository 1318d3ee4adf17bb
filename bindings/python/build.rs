//! Embeds the Python files of the package, and tells build scripts of programs where Python's library is.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let mut list = "&[\n".to_owned();
    for package in ["mycelium", "mycelium_native"] {
        let folder = here.join("python").join(package);
        println!("cargo::rerun-if-changed={}", folder.display());
        for name in modules(&folder)? {
            let module = if name == "__init__" { package.to_owned() } else { format!("{package}.{name}") };
            let path = folder.join(format!("{name}.py"));
            let is_package = name == "__init__";
            // Writing to a string does not fail.
            let _ = writeln!(list, "    ({module:?}, {is_package}, include_str!({path:?})),");
        }
    }
    list.push_str("]\n");
    fs::write(out.join("package.rs"), list)?;
    // A program's build script reads it as DEP_MYCELIUM_PYTHON_LIBDIR.
    if let Some(folder) = pyo3_build_config::get().lib_dir() {
        println!("cargo::metadata=libdir={folder}");
    }
    Ok(())
}

/// The names of the modules in a folder, in order.
fn modules(folder: &Path) -> io::Result<Vec<String>> {
    let mut names = Vec::new();
    for file in fs::read_dir(folder)? {
        let path = file?.path();
        if path.extension().is_some_and(|end| end == "py") {
            names.extend(path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned));
        }
    }
    names.sort();
    Ok(names)
}
