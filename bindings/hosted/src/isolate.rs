//! Isolates whose actors are hosted: the same behaviours in virtual time, called in place.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use mycelium::tree::{Builder, Child};
use mycelium::wire::Messages;
use mycelium::{AskError, Isolate, Subscription, Tree, WireDelivery, WireMessage, WireTopics};

use crate::{ActorSpec, Address, Behavior, Encoded, Error, Failure, HostedActor, Known, Scope};

/// An [`Isolate`] with actors whose behaviour is a set of callbacks. They are called on the thread that runs
/// it, in the order of its events, and no thread is started.
///
/// A callback cannot wait there: nothing else would go on. Messages that it publishes with
/// [`Scope::publish_later`] go out when it has returned, and the actor waits for room then; with
/// [`Scope::pause_for`] the actor waits on the isolate's clock, and goes on in [`Behavior::resumed`].
///
/// ```
/// use mycelium::Isolate;
/// use mycelium::wire::Contract;
/// use mycelium_hosted::HostedIsolate;
///
/// let contract = Contract::parse("mycelium contract 1\nschema acme 1\nmessage Tick 7 1 ticks\nfield price 1 i64\n")?;
/// let mut hosted = HostedIsolate::new(Isolate::new(42), &contract);
/// let ticks = hosted.record("ticks")?;
/// hosted.publish(7, &42_i64.to_le_bytes())?;
/// hosted.isolate_mut().run()?;
/// assert_eq!(ticks.take()[0].bytes, 42_i64.to_le_bytes());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct HostedIsolate {
    isolate: Isolate,
    known: Arc<Known>,
}

/// What was published to some topics of an isolate since it was made, until it is taken.
#[derive(Clone, Debug, Default)]
pub struct Recorded(Arc<Mutex<Vec<Encoded>>>);

/// Writes down what it receives.
struct Recording(Recorded);

impl HostedIsolate {
    /// With the messages of a contract, which the isolate is told of.
    pub fn new<M: Messages + Clone>(mut isolate: Isolate, contract: &M) -> Self {
        isolate.contract(contract.clone());
        Self { isolate, known: Arc::new(Known::of(contract)) }
    }

    /// The isolate itself.
    pub fn isolate_mut(&mut self) -> &mut Isolate {
        &mut self.isolate
    }

    /// The messages that it knows.
    #[must_use]
    pub fn known(&self) -> &Known {
        &self.known
    }

    /// Publishes a value of the current version from outside; it is handled at the next run.
    ///
    /// # Errors
    /// [`Error::UnknownType`], [`Error::Publish`]; with `Full` run first.
    pub fn publish(&mut self, type_id: u16, bytes: &[u8]) -> Result<(), Error> {
        let header = self.known.get(type_id)?.header();
        Ok(self.isolate.publish_wire(&header, bytes)?)
    }

    /// A child for a tree of this isolate.
    pub fn child(&self, id: &str, spec: ActorSpec) -> Child {
        let spec = self.knowing(spec);
        Child::actor(id, move || HostedActor::new(spec.clone()))
    }

    /// The same that knows the messages of this isolate.
    pub(crate) fn knowing(&self, mut spec: ActorSpec) -> ActorSpec {
        spec.known = Arc::clone(&self.known);
        spec
    }

    /// Adds an actor outside of all trees, which is found under `name`. Its failure ends the run
    /// ([`OnFailure`](mycelium::OnFailure)).
    ///
    /// # Errors
    /// [`Error::Subscribe`]: the name is taken, or a topic is unknown.
    pub fn spawn(&mut self, name: &str, spec: ActorSpec) -> Result<Address, Error> {
        let spec = self.knowing(spec);
        Ok(Address::of(self.isolate.spawn_named(name, HostedActor::new(spec))?))
    }

    /// Starts a tree and runs the isolate until all its children run.
    ///
    /// # Errors
    /// [`Error::Start`].
    pub fn start(&mut self, tree: &Builder) -> Result<Tree, Error> {
        self.isolate.supervise(tree).map_err(Error::Start)
    }

    /// Puts a message from outside into the mailbox of the actor with this name or path, or of one worker of
    /// the pool there; it is handled at the next run.
    ///
    /// # Errors
    /// [`Error::NoAddress`], [`Error::Tell`].
    pub fn tell(&mut self, path: &str, message: Encoded) -> Result<(), Error> {
        if let Some(pool) = self.isolate.lookup_pool::<HostedActor>(path) {
            return pool.try_tell(crate::actor::Told(message)).map_err(Error::from);
        }
        let actor = self.isolate.lookup::<HostedActor>(path);
        let actor = actor.ok_or_else(|| Error::NoAddress { path: path.to_owned() })?;
        let told = self.isolate.tell(&actor, crate::actor::Told(message));
        told.map_err(|error| Error::Tell(error.to_string()))
    }

    /// Asks the actor with this name or path, and handles events until it has answered, without moving the
    /// clock; of a pool, one worker, and the clock moves as far as its answer needs.
    ///
    /// # Errors
    /// [`Error::NoAddress`], [`Error::Ask`], and [`Error::Answer`] when its code has failed to answer.
    pub fn ask(&mut self, path: &str, query: Encoded) -> Result<Encoded, Error> {
        if let Some(pool) = self.isolate.lookup_pool::<HostedActor>(path) {
            let asked = self.isolate.block_on(pool.ask(query));
            let ended = |error| Error::Ask(AskError::RunEnded(Box::new(error)));
            return asked.map_err(ended)?.map_err(Error::Ask)?.map_err(Error::Answer);
        }
        let actor = self.isolate.lookup::<HostedActor>(path);
        let actor = actor.ok_or_else(|| Error::NoAddress { path: path.to_owned() })?;
        self.isolate.ask(&actor, query).map_err(Error::Ask)?.map_err(Error::Answer)
    }

    /// Records what is published to these topics from now on.
    ///
    /// # Errors
    /// [`Error::Subscribe`].
    pub fn record(&mut self, topics: impl Into<WireTopics>) -> Result<Recorded, Error> {
        let record = Recorded::default();
        let of_actor = record.clone();
        let mut spec = ActorSpec::new(move || Ok(Box::new(Recording(of_actor.clone()))));
        spec = spec.on(topics, Subscription::<WireMessage>::block());
        self.isolate.spawn(HostedActor::new(self.knowing(spec)))?;
        Ok(record)
    }
}

impl Recorded {
    /// All that was recorded since the last time.
    #[must_use]
    pub fn take(&self) -> Vec<Encoded> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Behavior for Recording {
    fn message(&mut self, message: &WireDelivery<'_>, _: &mut Scope<'_>) -> Result<(), Failure> {
        let recorded = Encoded { header: *message.header, bytes: message.bytes.to_vec() };
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
        Ok(())
    }
}

impl fmt::Debug for HostedIsolate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostedIsolate").field("now", &self.isolate.now()).finish_non_exhaustive()
    }
}
