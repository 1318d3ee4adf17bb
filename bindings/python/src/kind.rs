//! What is known of a generated message class.

use mycelium::WireArray;
use mycelium::frame::Header;
use mycelium_hosted::Known;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString, PyType};

use crate::errors::Class;
use crate::leaving;

/// A generated message class that the runtime's contract has.
pub(crate) struct Kind {
    pub(crate) class: Py<PyType>,
    pub(crate) header: Header,
    pub(crate) name: &'static str,
    pub(crate) topic: &'static str,
    /// Whether the class's values all have the length of the root.
    pub(crate) fixed: bool,
    decode: Py<PyAny>,
    methods: Methods,
}

/// The names of the methods that each publish calls. They are made with the class and not once for the
/// process: PyO3 gives the interpreter's lock away while it fills a cell of the process, and a child that is
/// forked in between waits for ever for who fills it.
struct Methods {
    encode: Py<PyString>,
    rules: Py<PyString>,
}

impl Methods {
    fn new(py: Python<'_>) -> Self {
        let name = |name| PyString::intern(py, name).unbind();
        Self { encode: name("encode"), rules: name("_rules") }
    }
}

impl Kind {
    /// Compares a class with the contract.
    ///
    /// # Errors
    /// `TypeError` for what is no generated message class, `SchemaError` for one of another contract or of an
    /// older code generator.
    pub(crate) fn of(known: &Known, class: &Bound<'_, PyType>) -> PyResult<Self> {
        let py = class.py();
        let constant = |name: &str| class.getattr(name).ok();
        let number = |name: &str| constant(name).and_then(|value| value.extract::<u64>().ok());
        let (Some(type_id), Some(version), Some(root_len), Some(digest), Some(decode)) =
            (number("TYPE_ID"), number("VERSION"), number("ROOT_LEN"), number("DIGEST"), constant("decode"))
        else {
            let name = class.qualname().map_or_else(|_| class.to_string(), |name| name.to_string());
            return Err(PyTypeError::new_err(format!(
                "{name} is no message class: publish and subscribe to the classes that `mycelium gen --lang python` has written"
            )));
        };
        let name = class.name()?.to_string();
        if constant("_rules").is_none() {
            let text = format!(
                "{name} is of an older Mycelium: generate its package again with `mycelium gen --lang python`"
            );
            return Err(Class::Schema.of(py, text));
        }
        let message = u16::try_from(type_id).ok().and_then(|type_id| known.get(type_id).ok());
        let Some(message) = message else {
            return Err(Class::Schema.of(
                py,
                format!("{name} (type id {type_id}) is not in the runtime's contract; give the Runtime the contract that the class was generated from"),
            ));
        };
        if message.name != name || message.digest != digest {
            return Err(Class::Schema.of(
                py,
                format!(
                    "{name} (type id {type_id}, version {version}, digest 0x{digest:016x}) is not the {} of the runtime's contract \
                     (version {}, digest 0x{:016x}); generate the package again with `mycelium gen --lang python`",
                    message.name, message.version, message.digest,
                ),
            ));
        }
        let header = Header {
            type_id: message.type_id,
            version: message.version,
            root_len: u32::try_from(root_len).unwrap_or(u32::MAX),
            ..Header::default()
        };
        let fixed = class.hasattr("DTYPE")?;
        let (name, topic) = (message.name, message.topic);
        let (class, decode, methods) = (class.clone().unbind(), decode.unbind(), Methods::new(py));
        Ok(Self { class, header, name, topic, fixed, decode, methods })
    }

    /// The value of a message of this class. Its types are looked at once, where it becomes bytes, which
    /// names the first field that holds none of its type; its rules behind that, if they are checked, as
    /// they take types for granted.
    pub(crate) fn encode<'py>(
        &self,
        message: &Bound<'py, PyAny>,
        rules: bool,
    ) -> PyResult<Bound<'py, PyBytes>> {
        leaving::enter()?;
        let py = message.py();
        let value = message.call_method0(self.methods.encode.bind(py))?;
        if rules {
            message.call_method0(self.methods.rules.bind(py))?;
        }
        value.cast_into::<PyBytes>().map_err(PyErr::from)
    }

    /// The message that these bytes are.
    pub(crate) fn decode<'py>(
        &self,
        py: Python<'py>,
        header: &Header,
        bytes: &[u8],
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = PyBytes::new(py, bytes);
        if header.version == self.header.version && header.root_len == self.header.root_len {
            return self.decode.bind(py).call1((value,));
        }
        self.decode.bind(py).call1((value, header.version, header.root_len))
    }

    /// Whether these bytes are one record of an array of this class.
    pub(crate) fn is_record(&self, header: &Header, bytes: &[u8]) -> bool {
        header.version == self.header.version && bytes.len() == self.header.root_len as usize
    }

    /// The records of an array of this class.
    pub(crate) fn array(&self) -> WireArray {
        let Header { type_id, version, root_len, .. } = self.header;
        WireArray { type_id, version, stride: root_len as usize, newer: false }
    }

    /// A value of another version as this one.
    #[cold]
    pub(crate) fn renewed(&self, py: Python<'_>, header: &Header, bytes: &[u8]) -> PyResult<Py<PyBytes>> {
        let encoded = self.decode(py, header, bytes)?.call_method0("encode")?;
        Ok(encoded.cast_into::<PyBytes>()?.unbind())
    }
}
