//! Errors of the core as exceptions of `mycelium.errors`.

use mycelium::SpawnError;
use mycelium::wire::WirePublishError;
use mycelium_hosted::{Error, ErrorKind};
use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyType;

/// An exception of `mycelium.errors`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Contract,
    Schema,
    Publish,
    Full,
    Closed,
    Subscribe,
    Busy,
    Shutdown,
    Actor,
    NoAddress,
    Timeout,
    Run,
    Topology,
    Factory,
}

impl Class {
    fn name(self) -> &'static str {
        match self {
            Self::Contract => "ContractError",
            Self::Schema => "SchemaError",
            Self::Publish => "PublishError",
            Self::Full => "FullError",
            Self::Closed => "ClosedError",
            Self::Subscribe => "SubscribeError",
            Self::Busy => "BusyError",
            Self::Shutdown => "ShutdownError",
            Self::Actor => "ActorError",
            Self::NoAddress => "NoAddressError",
            Self::Timeout => "AskTimeoutError",
            Self::Run => "RunError",
            Self::Topology => "TopologyError",
            Self::Factory => "FactoryError",
        }
    }

    /// The exception with this text.
    #[cold]
    pub(crate) fn of(self, py: Python<'_>, text: impl Into<String>) -> PyErr {
        let text = text.into();
        let class = py.import("mycelium.errors").and_then(|errors| errors.getattr(self.name()));
        match class.and_then(|class| class.cast_into::<PyType>().map_err(PyErr::from)) {
            Ok(class) => PyErr::from_type(class, text),
            Err(_) => PyRuntimeError::new_err(text),
        }
    }
}

/// Why bytes were not published. `kind`: the name of the message.
#[cold]
pub(crate) fn publish(py: Python<'_>, error: &WirePublishError) -> PyErr {
    let (class, text) = match error {
        WirePublishError::Closed { message } => (
            Class::Closed,
            format!(
                "{message} was not published: the runtime is closed, or takes nothing from outside of actors since a drain; publish \
                 before `close()`, inside `with Runtime(..)`, or after `resume_ingress()`"
            ),
        ),
        WirePublishError::Full { message, whose } => (
            Class::Full,
            format!(
                "{message} was not published: the queue of {} is full; wait longer (`timeout=None` waits for ever), \
                 read faster, or subscribe with a larger `capacity` or another `policy`",
                whose.as_ref().map_or_else(|| "a subscriber".to_owned(), ToString::to_string)
            ),
        ),
        WirePublishError::SelfBlocked { message } => (
            Class::Full,
            format!(
                "{message} was not published: the queue that is full is the publisher's own, so it would wait for itself; \
                 subscribe with a larger `capacity` or another `policy`"
            ),
        ),
        WirePublishError::UnknownType { .. } | WirePublishError::Disabled { .. } => {
            (Class::Schema, error.to_string())
        }
        other => (Class::Publish, other.to_string()),
    };
    class.of(py, text)
}

/// Why there is no subscription.
#[cold]
pub(crate) fn subscribe(py: Python<'_>, error: &SpawnError) -> PyErr {
    match error {
        SpawnError::Closed => closed(py),
        other => Class::Subscribe.of(py, other.to_string()),
    }
}

/// Something was asked of a runtime that is closed.
#[cold]
pub(crate) fn closed(py: Python<'_>) -> PyErr {
    Class::Closed
        .of(py, "the runtime is closed: make a new `Runtime(..)`, or do this inside its `with` block")
}

/// An error of the hosted runtime.
#[cold]
pub(crate) fn of(py: Python<'_>, error: &Error) -> PyErr {
    match error {
        Error::Publish(error) => return publish(py, error),
        Error::Subscribe(error) => return subscribe(py, error),
        Error::Closed { .. } => return closed(py),
        _ => {}
    }
    let class = match (error, error.kind()) {
        (
            Error::Shutdown(_) | Error::Killed(_) | Error::Drain(_) | Error::Callback(_) | Error::ActorsRun,
            _,
        ) => Class::Shutdown,
        (Error::Topology(_), _) => Class::Topology,
        (_, ErrorKind::Closed) => Class::Closed,
        (_, ErrorKind::Timeout) => Class::Timeout,
        (_, ErrorKind::Inside) => Class::Busy,
        (_, ErrorKind::NoAddress) => Class::NoAddress,
        (_, ErrorKind::Contract) => Class::Contract,
        (_, ErrorKind::Digest) => Class::Schema,
        _ => Class::Actor,
    };
    class.of(py, error.to_string())
}
