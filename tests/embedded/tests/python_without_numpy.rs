//! An interpreter without numpy: a process of its own, as the modules of Python are those of the process.
#![forbid(unsafe_code)]

use mycelium::MessageBus;
use mycelium_embedded::CONTRACT;
use mycelium_python::PythonRuntime;
use mycelium_python::pyo3::prelude::*;

#[tokio::test]
async fn a_class_that_takes_arrays_says_where_to_install_numpy() {
    let bus = MessageBus::builder().contract(CONTRACT).build();
    let python = PythonRuntime::builder(&bus).contract(CONTRACT).start().unwrap();
    let module = c"
import sys
import mycelium

sys.modules['numpy'] = None  # As where it is not installed.

class Tick:
    TYPE_ID, VERSION, ROOT_LEN, DIGEST = 1, 1, 8, 1
    DTYPE = {'names': ['number'], 'formats': ['<i8'], 'offsets': [0], 'itemsize': 8}
    decode = staticmethod(bytes)

class Arrays(mycelium.Actor):
    @mycelium.on_batch(Tick)
    def ticks(self, ticks): ...
";
    Python::attach(|py| PyModule::from_code(py, module, c"arrays.py", c"arrays").map(drop)).unwrap();
    let error = python.actor("arrays:Arrays").unwrap_err().to_string();
    for part in ["arrays:Arrays takes arrays (@on_batch)", "pip install numpy", "virtual environment"] {
        assert!(error.contains(part), "{part} in {error}");
    }
    assert!(Python::attach(|py| py.import("mycelium_native").is_ok()), "its other name");
}
