//! The names under which actors of a bus are registered.

use std::any::Any;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, PoisonError, RwLock};

use crate::{ActorId, SpawnError};

/// An actor's address, whatever its type.
type AnyAddress = Arc<dyn Any + Send + Sync>;

/// With room for no more than this, the map is left as it is (names).
const KEEP_NAMES: usize = 256;

/// Who holds which name.
#[derive(Default)]
pub(crate) struct Names {
    map: RwLock<HashMap<Box<str>, (ActorId, AnyAddress)>>,
}

impl Names {
    pub(crate) fn get(&self, name: &str) -> Option<AnyAddress> {
        let map = self.map.read().unwrap_or_else(PoisonError::into_inner);
        map.get(name).map(|(_, address)| Arc::clone(address))
    }

    pub(crate) fn take(&self, name: &str, id: ActorId, address: AnyAddress) -> Result<(), SpawnError> {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        match map.entry(name.into()) {
            Entry::Occupied(_) => Err(SpawnError::NameTaken(name.into())),
            Entry::Vacant(free) => {
                free.insert((id, address));
                Ok(())
            }
        }
    }

    /// Returns what is held no longer, for the caller to drop where it holds no lock; `None` if the name is
    /// another's.
    pub(crate) fn free(&self, name: &str, id: ActorId) -> Option<AnyAddress> {
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        if map.get(name)?.0 != id {
            return None;
        }
        let (_, address) = map.remove(name)?;
        // After a crowd has left, its memory goes too.
        if map.capacity() > KEEP_NAMES && map.len() <= map.capacity() / 4 {
            let room = map.len() * 2;
            map.shrink_to(room);
        }
        Some(address)
    }
}
