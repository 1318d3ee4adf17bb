//! Who is who in an isolate: the names of its actors, and how many there were of each type.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::core::IsolateCore;
use super::handle::{IsolateRef, Place, seat_of};
use super::{Isolate, Origin};
use crate::life::Census;
use crate::{Actor, ActorRef, Probe, SpawnError};

/// What an isolate knows its actors by, besides their seats.
#[derive(Default)]
pub(crate) struct SeatNames {
    census: RefCell<Census>,
    /// Which seats were given names, whether or not who sits there has ended.
    seats: RefCell<BTreeMap<Box<str>, u32>>,
}

impl SeatNames {
    /// What the random numbers of a new actor follow from.
    pub(super) fn origin<A: Actor>(&self, name: Option<&str>) -> Origin {
        Origin::outside_of_trees(name, || self.census.borrow_mut().count::<A>())
    }
}

impl IsolateCore {
    pub(crate) fn is_probed(&self) -> bool {
        self.probe.borrow().is_some()
    }

    /// Who looks on when handlers are called.
    pub(crate) fn probe(&self) -> Option<Arc<dyn Probe>> {
        self.probe.borrow().clone()
    }
}

impl Isolate {
    /// Lets `probe` look on while actors handle messages: those that are spawned from now on. Without one, no
    /// message costs more.
    pub fn probe(&mut self, probe: Arc<dyn Probe>) {
        // Nobody else borrows it, and the one before is dropped here.
        let before = self.core.probe.replace(Some(probe));
        drop(before);
    }

    /// Adds an actor that [`lookup`](Self::lookup) finds under `name` until it has ended, and whose random
    /// numbers go by that name ([`Context::random`](crate::Context::random)).
    ///
    /// # Errors
    /// [`SpawnError::NameTaken`], and those of [`spawn`](Self::spawn).
    pub fn spawn_named<A: Actor>(&mut self, name: &str, actor: A) -> Result<ActorRef<A>, SpawnError> {
        if self.named(name).is_some() {
            return Err(SpawnError::NameTaken(name.into()));
        }
        let spawned = self.seat_actor(Some(name), actor)?;
        if let Some(spawned) = spawned.as_isolate() {
            self.core.names.seats.borrow_mut().insert(name.into(), spawned.place.seat());
        }
        Ok(spawned)
    }

    /// The actor registered under `name`, or else the one at this path of a tree of the isolate
    /// (`root/desk/strategy`, in the eldest tree that has one there); `None` if there is none or it is of
    /// another type.
    #[must_use]
    pub fn lookup<A: Actor>(&self, name: &str) -> Option<ActorRef<A>> {
        let Some(seat) = self.named(name) else {
            return self.core.trees().iter().find_map(|tree| tree.actor_ref(&self.core, name));
        };
        seat_of::<A>(&self.core, seat)?;
        Some(ActorRef::in_isolate(IsolateRef::new(Place::new(&self.core, seat))))
    }

    /// The seat of who is registered under `name`.
    fn named(&self, name: &str) -> Option<u32> {
        let seat = self.core.names.seats.borrow().get(name).copied()?;
        self.core.seat(seat).filter(|seat| !seat.has_ended()).map(|_| seat)
    }
}
