//! Who is who in an isolate: the names of its actors, and how many there were of each type.

use std::any::Any;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::Arc;

use super::core::IsolateCore;
use super::handle::{IsolateRef, Place, id_of, seat_of};
use super::tree::{IsolateTree, SeatedChild};
use super::{Isolate, OUTSIDE, Origin};
use crate::life::Census;
use crate::{Actor, ActorId, ActorRef, Identity, Probe, SpawnError};

/// What an isolate knows its actors by, besides their seats.
#[derive(Default)]
pub(crate) struct SeatNames {
    census: RefCell<Census>,
    /// Who was given a name last, whether or not they have ended.
    seats: RefCell<BTreeMap<Arc<str>, u32>>,
    /// The names of the seats that have one.
    names: RefCell<BTreeMap<u32, Arc<str>>>,
}

impl SeatNames {
    /// The name that this seat was given.
    fn of(&self, seat: u32) -> Option<Arc<str>> {
        self.names.borrow().get(&seat).cloned()
    }

    fn give(&self, seat: u32, name: Arc<str>) {
        self.seats.borrow_mut().insert(Arc::clone(&name), seat);
        self.names.borrow_mut().insert(seat, name);
    }

    /// Nothing is left of this seat.
    pub(super) fn forget(&self, seat: u32) {
        let Some(name) = self.names.borrow_mut().remove(&seat) else { return };
        let mut seats = self.seats.borrow_mut();
        if seats.get(&name) == Some(&seat) {
            seats.remove(&name);
        }
    }

    /// What the random numbers of a new actor or service follow from.
    pub(super) fn origin<T: 'static>(&self, name: Option<&str>) -> Origin {
        Origin::outside_of_trees(name, || self.census.borrow_mut().count::<T>())
    }
}

impl IsolateCore {
    /// The seat of who is registered under `name`.
    fn named(&self, name: &str) -> Option<u32> {
        let seat = self.names.seats.borrow().get(name).copied()?;
        self.seat(seat).filter(|seat| !seat.has_ended()).map(|_| seat)
    }

    /// What logs, statistics and errors call whoever sits here. `name` is that of the type: a seat may be
    /// asked while it is taken from the list of all.
    #[cold]
    pub(crate) fn identity(&self, seat: u32, name: &'static str) -> Identity {
        let there = self.seat(seat);
        let path = there.as_ref().and_then(|there| there.as_child()).map(SeatedChild::path);
        Identity { id: id_of(seat), name, path: path.or_else(|| self.names.of(seat)) }
    }

    /// The same of whoever sits there.
    #[cold]
    pub(crate) fn identity_in(&self, seat: u32) -> Identity {
        if seat == OUTSIDE {
            let path = Some(Arc::from("code outside of all actors"));
            return Identity { id: id_of(seat), name: "outside", path };
        }
        self.identity(seat, self.seat(seat).map_or("nobody", |seat| seat.name()))
    }

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
    /// [`SpawnError::NameTaken`], also where an actor or pool of a tree has this path, and those of
    /// [`spawn`](Self::spawn).
    pub fn spawn_named<A: Actor>(&mut self, name: &str, actor: A) -> Result<ActorRef<A>, SpawnError> {
        if self.core.named(name).is_some() || self.core.trees().iter().any(|tree| tree.has(name)) {
            return Err(SpawnError::NameTaken(name.into()));
        }
        let spawned = self.seat_actor(Some(name), actor)?;
        if let Some(spawned) = spawned.as_isolate() {
            self.core.names.give(spawned.place.seat(), name.into());
        }
        Ok(spawned)
    }

    /// The actor registered under `name`, or else the one at this path of a tree of the isolate
    /// (`root/desk/strategy`, in the eldest tree that has one there); `None` if there is none or it is of
    /// another type.
    #[must_use]
    pub fn lookup<A: Actor>(&self, name: &str) -> Option<ActorRef<A>> {
        Place::new(&self.core, OUTSIDE).lookup(name)
    }

    pub(crate) fn find_pool<R>(&self, path: &str, take: fn(Box<dyn Any>) -> Option<R>) -> Option<R> {
        Place::new(&self.core, OUTSIDE).find_pool(path, take)
    }

    /// What is known of an actor or a service; `None` if nobody has this number here: who has ended is known
    /// for as long as there is a reference to it.
    #[must_use]
    pub fn identity(&self, id: ActorId) -> Option<Identity> {
        let seat = u32::try_from(id.get().checked_sub(1)?).ok()?;
        self.core.seat(seat).map(|there| self.core.identity(seat, there.name()))
    }
}

impl Place {
    pub(crate) fn lookup<A: Actor>(&self, name: &str) -> Option<ActorRef<A>> {
        let core = self.core_from_anywhere()?;
        let named = core.named(name).filter(|seat| seat_of::<A>(core, *seat).is_some());
        let seat = named.or_else(|| core.trees().iter().find_map(|tree| tree.actor_at::<A>(core, name)))?;
        Some(ActorRef::in_isolate(IsolateRef::new(self.beside(seat))))
    }

    /// The pool at this path of the eldest tree that has one there which `take` takes.
    pub(crate) fn find_pool<R>(&self, path: &str, take: fn(Box<dyn Any>) -> Option<R>) -> Option<R> {
        let trees = self.core_from_anywhere()?.trees();
        trees.iter().find_map(|tree| take(IsolateTree::of(self, tree).found_pool(path)?))
    }

    /// What logs, statistics and errors call whoever sits here, whose type has this name.
    pub(crate) fn identity(&self, name: &'static str) -> Identity {
        match self.core_from_anywhere() {
            Some(core) => core.identity(self.seat(), name),
            None => Identity { id: self.id(), name, path: None },
        }
    }
}
