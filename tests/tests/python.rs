//! The Python package as it is in the tree: built, laid out as in a wheel, and tested with pytest and mypy.
//! `cargo xtask python` does the same with a wheel that pip has built and installed.
#![forbid(unsafe_code)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use mycelium_codegen::{PythonFile, python, python_msgspec};
use mycelium_contract::Contract;
use mycelium_tests::linked::over_tls;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    text
}

/// The library of this name that cargo has made beside this test.
fn beside(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let found = test.ancestors().map(|folder| folder.join(name)).find(|file| file.exists());
    found.unwrap_or_else(|| panic!("cargo makes {name} before the tests that depend on it"))
}

/// A Python with what the tests need; it is made once for each target folder.
fn venv() -> PathBuf {
    static TURN: Mutex<()> = Mutex::new(());
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let script = root().join("tests/python/venv.sh");
    let told = said(Command::new("sh").arg(script).arg(target.join("python-venv")));
    PathBuf::from(told.trim())
}

/// What Python says with the package in `folder`.
fn run(folder: &Path, args: &[&str]) -> String {
    said(&mut python_in(folder, args))
}

fn python_in(folder: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(venv());
    command.args(args).current_dir(root().join("bindings/python"));
    command.env("PYTHONPATH", folder).env("MYPYPATH", folder).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Pytest over `tests`. A library that MYCELIUM_PRELOAD names is loaded first: the runtime of a sanitizer,
/// which an extension does not bring.
fn pytest(folder: &Path, tests: &str) -> Command {
    let mut command = python_in(folder, &["-m", "pytest", "-p", "no:cacheprovider", tests]);
    if let Some(runtime) = std::env::var_os("MYCELIUM_PRELOAD") {
        command.env("LD_PRELOAD", runtime);
    }
    command
}

/// Lays the package out in `folder`, with the native half from `library`.
fn stage(folder: &Path, library: &Path) {
    let _ = fs::remove_dir_all(folder);
    for package in ["mycelium", "mycelium_native"] {
        let (from, to) = (root().join("bindings/python/python").join(package), folder.join(package));
        fs::create_dir_all(&to).unwrap();
        for file in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|file| file.path().is_file()) {
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
    fs::copy(library, folder.join("mycelium/_native.abi3.so")).unwrap();
    let extension = root().join("examples/extension");
    fs::copy(beside("libcrossing.so"), folder.join("crossing.abi3.so")).unwrap();
    fs::copy(extension.join("crossing.pyi"), folder.join("crossing.pyi")).unwrap();
    let crossing = Contract::read(&extension.join("contracts.yaml")).unwrap();
    write_messages(&folder.join("crossing_messages"), python(&crossing));
    let desk = Contract::read(&root().join("bindings/python/tests/contracts.yaml")).unwrap();
    write_messages(&folder.join("desk"), python(&desk));
    write_messages(&folder.join("desk_msgspec"), python_msgspec(&desk));
    let quotes = Contract::read(&root().join("bindings/python/bench/contracts.yaml")).unwrap();
    write_messages(&folder.join("quotes"), python(&quotes));
    let bars = Contract::read(&root().join("examples/notebook/contracts.yaml")).unwrap();
    write_messages(&folder.join("bars"), python(&bars));
    let market = Contract::read(&root().join("contracts.yaml")).unwrap();
    write_messages(&folder.join("market"), python(&market));
    let page = fs::read_to_string(root().join("docs/python.md")).unwrap();
    let yaml = page.split("```yaml\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    write_messages(&folder.join("messages"), python(&Contract::parse(yaml, "docs/python.md").unwrap()));
}

fn write_messages(folder: &Path, files: Vec<PythonFile>) {
    fs::create_dir_all(folder).unwrap();
    for file in files {
        fs::write(folder.join(file.name), file.text).unwrap();
    }
}

#[test]
fn the_python_package_passes_its_own_tests_and_its_types_are_strict() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-package");
    stage(&folder, &beside("libmycelium_native.so"));
    let run = |args: &[&str]| run(&folder, args);
    let topology = over_tls(&folder.join("tls"));
    let told = said(pytest(&folder, "tests").env("MYCELIUM_TLS_TOPOLOGY", topology));
    assert!(told.contains(" passed"), "{told}");
    let cache = folder.join("mypy-cache").display().to_string();
    let told = run(&["-m", "mypy", "--cache-dir", &cache, "--strict", "tests/typed.py"]);
    assert!(told.contains("no issues found"), "{told}");
    let told = run(&["-m", "mypy", "--cache-dir", &cache, "--strict", "python/mycelium"]);
    assert!(told.contains("no issues found"), "{told}");
    // It reads the packages from where its settings are.
    fs::copy(root().join("bindings/python/tests/typed.py"), folder.join("typed.py")).unwrap();
    let settings = r#"{"include": ["typed.py"], "typeCheckingMode": "strict", "pythonVersion": "3.11"}"#;
    fs::write(folder.join("pyrightconfig.json"), settings).unwrap();
    let (project, python) = (folder.display().to_string(), venv().display().to_string());
    let told = run(&["-m", "pyright", "--pythonpath", &python, "--project", &project]);
    assert!(told.contains("0 errors, 0 warnings"), "{told}");
}

#[test]
fn an_extension_module_brings_actors_of_rust_that_python_makes_by_name() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-extension");
    stage(&folder, &beside("libmycelium_native.so"));
    let example = |name: &str| root().join("examples/extension").join(name).display().to_string();
    let told = said(&mut pytest(&folder, &example("tests")));
    assert!(told.contains(" passed"), "{told}");
    let cache = folder.join("mypy-cache").display().to_string();
    let told = run(&folder, &["-m", "mypy", "--cache-dir", &cache, "--strict", &example("sweep.py")]);
    assert!(told.contains("no issues found"), "{told}");
}
