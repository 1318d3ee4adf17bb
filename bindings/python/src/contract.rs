//! Contracts, loaded at run time.

use std::path::PathBuf;
use std::sync::Arc;

use mycelium::wire;
use mycelium_contract::Digests;
use mycelium_hosted::{Described, Known};
use pyo3::prelude::*;

use crate::errors::Class;
use crate::host::Kinds;

/// What a process knows of the messages of a contract.
#[pyclass(frozen, module = "mycelium._native")]
pub(crate) struct Contract {
    /// `None` for that of a Rust program, which has it as types.
    loaded: Option<wire::Contract>,
    pub(crate) kinds: Arc<Kinds>,
    schema_digest: u64,
    origin: String,
}

impl Contract {
    /// What a Rust program has told of its messages.
    pub(crate) fn of_program(known: &Known, origin: String) -> Self {
        Self { loaded: None, kinds: Kinds::new(known.clone()), schema_digest: known.digest(), origin }
    }

    /// The contract, for a bus or an isolate of its own.
    ///
    /// # Errors
    /// `SchemaError` for that of a Rust program.
    pub(crate) fn loaded(&self, py: Python<'_>) -> PyResult<wire::Contract> {
        self.loaded.ok_or_else(|| {
            Class::Schema.of(
                py,
                format!(
                    "{} has its contract as types of Rust, and only its own bus knows them: give the package that `mycelium gen \
                     --lang python` has written, or the path of its contracts.yaml",
                    self.origin
                ),
            )
        })
    }
}

#[pymethods]
impl Contract {
    /// Reads and checks a `contracts.yaml`: what `parse` takes.
    #[staticmethod]
    fn read(py: Python<'_>, path: PathBuf) -> PyResult<(String, u64, String)> {
        let (origin, read) =
            (path.display().to_string(), py.detach(|| mycelium_contract::Contract::read(&path)));
        let contract = read.map_err(|errors| Class::Contract.of(py, errors.to_string()))?;
        let digest = Digests::of(&contract).schema(&contract);
        Ok((contract.table(), digest, origin))
    }

    /// Takes the table of a contract, as generated packages hold it.
    #[staticmethod]
    fn parse(py: Python<'_>, table: &str, schema_digest: u64, origin: String) -> PyResult<Self> {
        let loaded = wire::Contract::parse(table)
            .map_err(|error| Class::Contract.of(py, format!("{origin}: the contract's table: {error}")))?;
        Ok(Self { loaded: Some(loaded), kinds: Kinds::new(Known::of(&loaded)), schema_digest, origin })
    }

    #[getter]
    fn schema_digest(&self) -> u64 {
        self.schema_digest
    }

    /// Where it was read from.
    #[getter]
    fn origin(&self) -> &str {
        &self.origin
    }

    /// Of each message: type id, name, topic, version, digest.
    fn messages(&self) -> Vec<(u16, &'static str, &'static str, u16, u64)> {
        let row = |message: &Described| {
            (message.type_id, message.name, message.topic, message.version, message.digest)
        };
        self.kinds.known.all().iter().map(row).collect()
    }

    fn __repr__(&self) -> String {
        let count = self.kinds.known.all().len();
        format!("<Contract {}: {count} messages, digest 0x{:016x}>", self.origin, self.schema_digest)
    }
}
