//! The messages of which a pool gives each to one of its workers: no worker subscribes to them by itself.

use std::sync::Arc;

use crate::wire::{Kind, WireTopics};
use crate::{Actor, SpawnError};

/// What the one subscription of a pool receives.
#[derive(Debug, Default)]
pub(crate) struct OnceEach {
    pub(crate) typed: Vec<u16>,
    pub(crate) wire: Vec<WireTopics>,
}

impl OnceEach {
    /// Whether the worker at this path may subscribe to a message, in whatever form. `hears`: whether these
    /// topics have it on the bus of the pool.
    pub(crate) fn allows<A: Actor>(
        &self,
        kind: Kind,
        path: Option<&Arc<str>>,
        hears: impl Fn(&WireTopics) -> bool,
    ) -> Result<(), SpawnError> {
        if !self.typed.contains(&kind.type_id) && !self.wire.iter().any(hears) {
            return Ok(());
        }
        let path = path.map_or_else(|| A::name().into(), Arc::clone);
        Err(SpawnError::OfThePool { message: kind.name, worker: A::name(), path })
    }
}
