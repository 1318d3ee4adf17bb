//! Promises about the one interpreter of a process, each seen from outside: a child of these tests is the
//! program.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use mycelium::MessageBus;
use mycelium_embedded::CONTRACT;
use mycelium_python::PythonRuntime;
use mycelium_python::pyo3::prelude::*;

/// The child has the folder for `PythonBuilder::path` in this variable.
const FOLDER: &str = "MYCELIUM_TEST_FOLDER";

/// A folder of modules, each with a line that says where it is.
fn modules(folder: &Path, names: &[&str]) -> PathBuf {
    fs::create_dir_all(folder).unwrap();
    for name in names {
        let of = folder.file_name().unwrap().to_string_lossy().into_owned();
        fs::write(folder.join(format!("{name}.py")), format!("OF = {of:?}\n")).unwrap();
    }
    folder.to_owned()
}

/// The program: it prints, and leaves a function for the end of the interpreter.
const PROGRAM: &std::ffi::CStr = c"
import atexit, sys
import in_both, in_one

atexit.register(lambda: print('at the exit'))
print(in_both.OF, in_one.OF)
";

#[tokio::test]
async fn folders_streams_and_exits_are_as_the_page_says() {
    if let Some(folder) = env::var_os(FOLDER) {
        let bus = MessageBus::builder().contract(CONTRACT).build();
        let _python = PythonRuntime::builder(&bus).contract(CONTRACT).path(folder).start().unwrap();
        Python::attach(|py| PyModule::from_code(py, PROGRAM, c"program.py", c"program").map(drop)).unwrap();
        return;
    }
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("python-of-a-process");
    let given = modules(&root.join("given"), &["in_both"]);
    let of_variable = modules(&root.join("of_variable"), &["in_both", "in_one"]);
    let mut child = Command::new(env::current_exe().unwrap());
    child.args(["--exact", "folders_streams_and_exits_are_as_the_page_says", "--nocapture"]);
    child.env(FOLDER, given).env("PYTHONPATH", of_variable).env("PYTHONDONTWRITEBYTECODE", "1");
    let output = child.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}{}", String::from_utf8_lossy(&output.stderr));
    // `path` counts before PYTHONPATH, which counts too, and each line is written at its end.
    assert!(told.contains("given of_variable\n"), "{told}");
    // Nobody finalises the interpreter: no functions for its exit.
    assert!(!told.contains("at the exit"), "{told}");
}
