//! A bus with Python, and a tree over it whose events are kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use mycelium::{MessageBus, Tree};
use mycelium_embedded::CONTRACT;
pub(crate) use mycelium_embedded::checks::*;
use mycelium_python::pyo3::prelude::*;
use mycelium_python::{PythonBuilder, PythonRuntime};

/// The folder with the generated package `messages`, beside which the actors' own is looked for.
fn messages() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("embedded-messages");
        let contract = Path::new(env!("CARGO_MANIFEST_DIR")).join("contracts.yaml");
        let contract = mycelium_contract::Contract::read(&contract).unwrap();
        fs::create_dir_all(folder.join("messages")).unwrap();
        for file in mycelium_codegen::python(&contract) {
            fs::write(folder.join("messages").join(file.name), file.text).unwrap();
        }
        folder
    })
}

/// A bus, and the Python for it.
pub(crate) fn desk(name: &str) -> (MessageBus, PythonRuntime) {
    desk_with(name, |builder| builder)
}

/// The same with more options.
pub(crate) fn desk_with(
    name: &str,
    more: impl FnOnce(PythonBuilder) -> PythonBuilder,
) -> (MessageBus, PythonRuntime) {
    let bus = MessageBus::builder().contract(CONTRACT).build();
    let builder = PythonRuntime::builder(&bus)
        .contract(CONTRACT)
        .path(messages())
        .path(Path::new(env!("CARGO_MANIFEST_DIR")).join("models"))
        .name(name);
    let python = more(builder).start().unwrap();
    (bus, python)
}

/// The result of a function of the module `models`, without arguments; 0 before there is an interpreter.
pub(crate) fn count(function: &str) -> usize {
    let count = |py: Python<'_>| {
        py.import("models").unwrap().call_method0(function).unwrap().extract::<usize>().unwrap()
    };
    Python::try_attach(count).unwrap_or(0)
}

pub(crate) async fn end(tree: Tree, python: PythonRuntime, bus: MessageBus) {
    tree.shutdown().await.unwrap();
    python.close(WATCHDOG).await.unwrap();
    bus.shutdown().await.unwrap();
}
