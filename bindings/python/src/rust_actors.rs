//! Rust actors that Python makes by name: those of the program that embeds Python, or of an extension module.

use std::sync::{Arc, Mutex, PoisonError};

use mycelium::tree::{Argument, Arguments, Child, Factories};
use mycelium::wire::{Messages, Visitor, Wire};
use mycelium::{BusBuilder, Isolate};
use mycelium_hosted::Known;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple};

use crate::errors::Class;

/// How deep lists and tables may lie in each other.
const DEPTH_MAX: usize = 64;

/// The actors, and the messages that they have as types.
#[derive(Clone, Default)]
pub(crate) struct RustActors {
    factories: Factories,
    messages: Vec<Arc<dyn Types>>,
}

/// Those of the process: of an extension module, or of all buses of a program. The native module has it.
#[pyclass(frozen, module = "mycelium._native")]
#[derive(Default)]
pub(crate) struct Registry(Mutex<Arc<RustActors>>);

/// Its name in the native module.
const REGISTRY: &str = "_RUST_ACTORS";

impl RustActors {
    pub(crate) fn new(factories: Factories, messages: Arc<dyn Types>) -> Self {
        Self { factories, messages: vec![messages] }
    }

    /// Those that isolates, and buses which Python makes, have.
    pub(crate) fn of_process(py: Python<'_>) -> PyResult<Arc<Self>> {
        let registry = registry(py)?;
        let all = registry.get().0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(&all))
    }

    /// Has isolates, and buses which Python makes from now on, have these besides those before.
    pub(crate) fn register(&self, py: Python<'_>) -> PyResult<()> {
        let registry = registry(py)?;
        let mut registered = registry.get().0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = Self::clone(&registered);
        all.factories = all.factories.and(self.factories.clone());
        all.messages.extend(self.messages.iter().cloned());
        *registered = Arc::new(all);
        Ok(())
    }

    /// Has an isolate know the types of the messages that it has as bytes alone.
    pub(crate) fn tell_isolate(&self, isolate: &mut Isolate, known: &Known) {
        self.messages.iter().for_each(|messages| messages.tell_isolate(isolate, known));
    }

    /// The same for a bus.
    pub(crate) fn tell_bus(&self, bus: BusBuilder, known: &Known) -> BusBuilder {
        self.messages.iter().fold(bus, |bus, messages| messages.tell_bus(bus, known))
    }

    /// The child that Python asks for.
    ///
    /// # Errors
    /// `FactoryError`: there is none of this name, or it does not take these arguments. `TypeError` and
    /// `ValueError` for arguments that nobody could take.
    pub(crate) fn child(&self, name: &str, id: &str, arguments: &Bound<'_, PyDict>) -> PyResult<Child> {
        let py = arguments.py();
        let mut told = Arguments::new();
        for (key, value) in arguments {
            let key: String = key.extract()?;
            let value = argument(&value, 0).map_err(|error| of_argument(py, name, &key, &error))?;
            told = told.with(key, value);
        }
        self.factories.child_of(name, id, &told).map_err(|error| {
            let hint = match error {
                mycelium::tree::FactoryError::Unknown { ref registered, .. } if registered.is_empty() => {
                    "; the package has no Rust actors of its own: import the extension module that brings them, before mycelium"
                }
                _ => "",
            };
            Class::Factory.of(py, format!("{error}{hint}"))
        })
    }
}

/// Gives the native module its own.
pub(crate) fn add_registry(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add(REGISTRY, Registry::default())
}

fn registry(py: Python<'_>) -> PyResult<Bound<'_, Registry>> {
    Ok(py.import("mycelium._native")?.getattr(REGISTRY)?.cast_into::<Registry>()?)
}

/// Says which argument it is.
fn of_argument(py: Python<'_>, name: &str, key: &str, error: &PyErr) -> PyErr {
    let text = format!("the argument {key} of Rust({name:?}): {}", error.value(py));
    PyErr::from_type(error.get_type(py), text)
}

/// A value of Python as an argument.
fn argument(value: &Bound<'_, PyAny>, depth: usize) -> PyResult<Argument> {
    if depth > DEPTH_MAX {
        return Err(PyValueError::new_err(format!(
            "lists and dicts lie more than {DEPTH_MAX} deep in each other"
        )));
    }
    let inner = |value: &Bound<'_, PyAny>| argument(value, depth + 1);
    Ok(if value.is_none() {
        Argument::Nothing
    } else if let Ok(flag) = value.cast::<PyBool>() {
        flag.is_true().into()
    } else if value.is_instance_of::<PyInt>() {
        match value.extract::<i64>() {
            Ok(whole) => whole.into(),
            Err(_) => value.extract::<u64>().map(Argument::from).map_err(|_| {
                PyOverflowError::new_err(format!("{value} is no integer of 64 bits: give it as a text"))
            })?,
        }
    } else if value.is_instance_of::<PyFloat>() {
        value.extract::<f64>()?.into()
    } else if let Ok(text) = value.cast::<PyString>() {
        text.to_str()?.into()
    } else if value.is_instance_of::<PyList>() || value.is_instance_of::<PyTuple>() {
        Argument::List(value.try_iter()?.map(|value| inner(&value?)).collect::<PyResult<_>>()?)
    } else if let Ok(table) = value.cast::<PyDict>() {
        let entry = |(key, value): (Bound<'_, PyAny>, Bound<'_, PyAny>)| {
            let Ok(key) = key.extract::<String>() else {
                return Err(PyTypeError::new_err("a dict has a key that is no text"));
            };
            Ok((key, inner(&value)?))
        };
        Argument::Table(table.iter().map(entry).collect::<PyResult<_>>()?)
    } else if value.hasattr("tolist")? {
        // A number or an array of numpy.
        inner(&value.call_method0("tolist")?)?
    } else {
        let of = value.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "it is a {of}: give None, a bool, an int, a float, a text, or a list or dict of those"
        )));
    })
}

/// The messages of a contract that the program has as types.
pub(crate) trait Types: Send + Sync {
    fn tell_isolate(&self, isolate: &mut Isolate, known: &Known);
    fn tell_bus(&self, bus: BusBuilder, known: &Known) -> BusBuilder;
}

impl<M: Messages + Send> Types for Mutex<M> {
    fn tell_isolate(&self, isolate: &mut Isolate, known: &Known) {
        let messages = self.lock().unwrap_or_else(PoisonError::into_inner);
        isolate.contract(SharedMessages { messages: &*messages, known });
    }

    fn tell_bus(&self, bus: BusBuilder, known: &Known) -> BusBuilder {
        let messages = self.lock().unwrap_or_else(PoisonError::into_inner);
        bus.contract(SharedMessages { messages: &*messages, known })
    }
}

/// Those of its messages that the other side knows too: an isolate may be of another contract.
struct SharedMessages<'a, M> {
    messages: &'a M,
    known: &'a Known,
}

struct Among<'a, V> {
    visitor: &'a mut V,
    known: &'a Known,
}

impl<M: Messages> Messages for SharedMessages<'_, M> {
    fn each<V: Visitor>(&self, visitor: &mut V) {
        self.messages.each(&mut Among { visitor, known: self.known });
    }
}

impl<V: Visitor> Visitor for Among<'_, V> {
    fn typed<M: Wire>(&mut self) {
        if self.known.get(M::TYPE_ID).is_ok_and(|known| known.name == M::NAME) {
            self.visitor.typed::<M>();
        }
    }
}
