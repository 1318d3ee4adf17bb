//! What a hosted actor does from within its callbacks.

use std::fmt;
use std::time::Duration;

use mycelium::frame::Header;
use mycelium::rand_core::Rng as _;
use mycelium::{Context, Every, Timestamp, WirePublishError};

use crate::actor::{Due, Later, Own, Pause, Timed};
use crate::wait::block_looking;
use crate::{Address, Encoded, Error, HostedActor, Known};

/// The actor whose callback runs: what it publishes and sets here is its own. It is there for the time of one
/// call.
pub struct Scope<'a> {
    pub(crate) ctx: &'a mut Context<HostedActor>,
    pub(crate) own: &'a mut Own,
    pub(crate) known: &'a Known,
}

impl Scope<'_> {
    /// Publishes a value of the current version, and keeps the thread while a `Block` subscriber is full.
    ///
    /// # Errors
    /// Those of [`Runtime::publish`](crate::Runtime::publish). In an isolate, where nobody else would go on,
    /// a full queue is [`Error::Isolated`].
    pub fn publish(&mut self, type_id: u16, bytes: &[u8]) -> Result<(), Error> {
        let header = self.known.get(type_id)?.header();
        self.publish_as(&header, bytes)
    }

    /// The same for a value of any version that the bus reads.
    ///
    /// # Errors
    /// Those of [`publish`](Self::publish).
    pub fn publish_as(&mut self, header: &Header, bytes: &[u8]) -> Result<(), Error> {
        match self.ctx.try_publish_wire(header, bytes) {
            Err(WirePublishError::Full { .. }) if self.ctx.is_isolated() => {
                Err(Error::Isolated { what: "room in a full queue" })
            }
            Err(WirePublishError::Full { .. }) => {
                block_looking(async { Ok(self.ctx.publish_wire(header, bytes).await?) })
            }
            done => Ok(done?),
        }
    }

    /// Publishes a value of the current version without waiting.
    ///
    /// # Errors
    /// Those of [`Runtime::try_publish`](crate::Runtime::try_publish).
    pub fn try_publish(&mut self, type_id: u16, bytes: &[u8]) -> Result<(), Error> {
        let header = self.known.get(type_id)?.header();
        Ok(self.ctx.try_publish_wire(&header, bytes)?)
    }

    /// Publishes a value when this callback has returned, in the order of these calls, also when it has
    /// failed. The actor waits for room then, and keeps no thread: so it is the one way to publish
    /// that works in an isolate where a queue is full. A value that is refused ends the life.
    pub fn publish_later(&mut self, message: Encoded) {
        self.own.later.push(Later::Publish(message));
    }

    /// The same for a message that is told to one actor.
    pub fn tell_later(&mut self, to: Address, message: Encoded) {
        self.own.later.push(Later::Tell(to, message));
    }

    /// Has [`Behavior::resumed`](crate::Behavior::resumed) called after so long on the bus's clock, once this
    /// callback has returned. The actor handles nothing in between.
    pub fn pause_for(&mut self, time: Duration) {
        self.own.pause = Some(Pause::For(time));
    }

    /// Has [`Behavior::resumed`](crate::Behavior::resumed) called with the answer to a query.
    pub fn pause_to_ask(&mut self, whom: Address, query: Encoded) {
        self.own.pause = Some(Pause::Ask(whom, query));
    }

    /// A value of the current version of this message, such as an answer.
    ///
    /// # Errors
    /// [`Error::UnknownType`], [`Error::Value`].
    pub fn encoded(&self, type_id: u16, bytes: &[u8]) -> Result<Encoded, Error> {
        self.known.encoded(type_id, bytes)
    }

    /// The time on the bus's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.ctx.now()
    }

    /// The actor's id, which outlives its lives.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.ctx.id().get()
    }

    /// The actor's path in its tree.
    #[must_use]
    pub fn path(&self) -> String {
        let identity = self.ctx.actor_ref().identity();
        identity.path.as_deref().map_or_else(|| identity.to_string(), str::to_owned)
    }

    /// The actor's address, for others to keep.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::of(self.ctx.actor_ref())
    }

    /// 64 random bits, the same for the same seed, live and in an isolate: see [`Context::random`].
    pub fn random(&mut self) -> u64 {
        self.ctx.random().next_u64()
    }

    /// Has [`Behavior::timer`](crate::Behavior::timer) called with this number after `delay`, in place of
    /// whatever timer had the number. It ends with this life; one whose callback has failed comes again in
    /// the next one, where the child says that messages do.
    pub fn schedule_after(&mut self, delay: Duration, number: u64) {
        let (serial, life) = (self.next_serial(number), self.own.life);
        let handle = self.ctx.schedule_after(delay, Due { life, number, serial });
        self.own.timers.insert(number, Timed { handle, repeats: false, serial });
    }

    /// The same again and again.
    pub fn schedule_every(&mut self, every: impl Into<Every>, number: u64) {
        let (serial, life) = (self.next_serial(number), self.own.life);
        let handle = self.ctx.schedule_every(every, Due { life, number, serial });
        self.own.timers.insert(number, Timed { handle, repeats: true, serial });
    }

    /// Calls the timer with this number off; whether one was set.
    pub fn cancel(&mut self, number: u64) -> bool {
        self.own.timers.remove(&number).inspect(|timed| timed.handle.cancel()).is_some()
    }

    /// Has [`Behavior::down`](crate::Behavior::down) called with this number when that actor has ended; at
    /// once if it has.
    ///
    /// # Errors
    /// [`Error::NoAddress`]: nothing is known of that actor that could be watched.
    pub fn watch(&mut self, other: &Address, number: u64) -> Result<(), Error> {
        let monitor = other.watch(self.ctx).ok_or_else(|| Error::NoAddress { path: format!("{other:?}") })?;
        self.own.watches.insert(monitor, number);
        Ok(())
    }

    /// Ends the watches with this number; whether there were any.
    pub fn unwatch(&mut self, number: u64) -> bool {
        let mut found = false;
        let ctx = &mut *self.ctx;
        self.own.watches.retain(|monitor, other| {
            let ends = *other == number;
            found |= ends && ctx.unwatch(*monitor);
            !ends
        });
        found
    }

    /// Says that the actor counts as started, where its child asks for that: see
    /// [`Child::ready_when_told`](mycelium::tree::Child::ready_when_told).
    pub fn ready(&self) {
        self.ctx.ready();
    }

    /// Has `interrupt` called, on another thread, when the supervisor gives up what this actor handles;
    /// whether anybody looks: see [`Context::interrupted_by`].
    pub fn interrupted_by(&mut self, interrupt: impl Fn(&str) + Send + Sync + 'static) -> bool {
        self.ctx.interrupted_by(interrupt)
    }

    /// Ends the actor, normally, after this callback.
    pub fn stop(&mut self) {
        self.ctx.stop();
    }

    /// The serial of a new timer under this number, whose former one is called off.
    fn next_serial(&mut self, number: u64) -> u64 {
        let serial = self.own.serials;
        self.own.serials += 1;
        self.cancel(number);
        serial
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scope").field("id", &self.id()).finish_non_exhaustive()
    }
}
