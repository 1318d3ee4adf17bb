//! A bus and the threads below it, for a program in another language.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant};

use mycelium::frame::Header;
use mycelium::tree::{Builder, Child};
use mycelium::wire::Messages;
use mycelium::{
    BusStats, MessageBus, OwnThread, Subscription, ThreadHooks, Tree, WireDelivery, WireMessage,
    WirePublishError, WireTopics,
};
use tokio::runtime::{EnterGuard, Handle};

use crate::actor::HostedActor;
use crate::builder::RuntimeBuilder;
use crate::delivery::{CallbackId, Delivery};
use crate::error::{Failure, PublishedSome};
use crate::inside::Inside;
use crate::reader::OpenReader;
use crate::wait::{Ending, block_beside, block_looking, block_on, end_threads};
use crate::{ActorSpec, Address, Error, Exposed, HostedTree, Known, Reader};

/// How long [`Runtime::close`] waits unless told otherwise.
pub const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// The stack of each thread that calls a foreign language (bytes): interpreters reckon with the 8 MiB of a
/// main thread, and their libraries with more than the standard library's 2 MiB.
pub(crate) const STACK_BYTES: usize = 16 << 20;

/// A bus whose messages are bytes, for a program in another language. Cloning is cheap.
///
/// Its calls may come from any thread. Those that block say so.
///
/// ```
/// use mycelium_hosted::Runtime;
///
/// let runtime = Runtime::builder()
///     .contract_text("mycelium contract 1\nschema acme 1\nmessage Tick 7 1 ticks\nfield price 1 i64\n", "ticks")?
///     .start()?;
/// let mut ticks = runtime.reader("ticks", mycelium::Subscription::block())?;
/// runtime.publish(7, &42_i64.to_le_bytes())?;
///
/// let mut prices = [0; 8 * 256];
/// assert_eq!(ticks.read_array(7, &mut prices)?, 1);
/// assert_eq!(i64::from_le_bytes(prices[..8].try_into().unwrap()), 42);
/// runtime.close(mycelium_hosted::CLOSE_DEADLINE)?;
/// assert!(runtime.publish(7, &42_i64.to_le_bytes()).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Runtime {
    shared: Arc<Shared>,
}

struct Shared {
    bus: MessageBus,
    known: Arc<Known>,
    closed: AtomicBool,
    /// Whether it was closed, and a callback had not returned in time.
    gave_up: AtomicBool,
    /// Whether a close has ended the trees that were made through it, each within its time.
    own_ended: AtomicBool,
    handle: Handle,
    /// Whether the bus is that of another program.
    is_guest: bool,
    /// The threads below the bus, if they are its own.
    owned: Mutex<Option<tokio::runtime::Runtime>>,
    hooks: Arc<Inside>,
    delivery: Mutex<Option<Delivery>>,
    readers: Mutex<Vec<OpenReader>>,
    /// Those on a shared bus: each lasts as long as somebody has it.
    trees: Mutex<Vec<Weak<Tree>>>,
    exposed: RwLock<HashMap<String, Address>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Runtime {
    /// With a bus of its own.
    pub fn builder() -> RuntimeBuilder {
        RuntimeBuilder::new()
    }

    /// On the bus of a Rust program, which was given this contract
    /// ([`BusBuilder::contract`](mycelium::BusBuilder::contract)) and runs on this runtime of tokio. To close
    /// it ends what was made through it: its trees, readers and callbacks. The bus goes on.
    pub fn share(
        bus: MessageBus,
        contract: &impl Messages,
        handle: Handle,
        hooks: Arc<dyn ThreadHooks>,
    ) -> Self {
        Self::new(bus, Known::of(contract), handle, None, hooks)
    }

    pub(crate) fn new(
        bus: MessageBus,
        known: Known,
        handle: Handle,
        owned: Option<tokio::runtime::Runtime>,
        hooks: Arc<dyn ThreadHooks>,
    ) -> Self {
        let hooks = Arc::new(Inside::new(hooks, handle.clone()));
        Self {
            shared: Arc::new(Shared {
                bus,
                known: Arc::new(known),
                closed: AtomicBool::new(false),
                gave_up: AtomicBool::new(false),
                own_ended: AtomicBool::new(false),
                handle,
                is_guest: owned.is_none(),
                owned: Mutex::new(owned),
                hooks,
                delivery: Mutex::default(),
                readers: Mutex::default(),
                trees: Mutex::default(),
                exposed: RwLock::default(),
            }),
        }
    }

    /// The messages that it knows.
    #[must_use]
    pub fn known(&self) -> &Known {
        &self.shared.known
    }

    /// Its bus.
    #[must_use]
    pub fn bus(&self) -> &MessageBus {
        &self.shared.bus
    }

    /// Publishes a value of the current version, and keeps the thread while a `Block` subscriber is full.
    ///
    /// `Ok` says that each subscriber's queue has it, or that its policy has counted it as dropped.
    ///
    /// # Errors
    /// [`Error::UnknownType`], [`Error::Publish`], [`Error::Closed`]; nobody has received it. A callback that
    /// would wait has `SelfBlocked` if this runtime has a callback on that topic: their thread cannot wait
    /// for itself.
    #[inline]
    pub fn publish(&self, type_id: u16, bytes: &[u8]) -> Result<(), Error> {
        let header = self.shared.known.get(type_id)?.header();
        self.publish_as(&header, bytes)
    }

    /// Publishes a value of the current version without waiting.
    ///
    /// # Errors
    /// [`Error::Publish`] with `Full` where [`publish`](Self::publish) would wait; see there for the others.
    #[inline]
    pub fn try_publish(&self, type_id: u16, bytes: &[u8]) -> Result<(), Error> {
        let header = self.shared.known.get(type_id)?.header();
        self.try_publish_as(&header, bytes)
    }

    /// Publishes a value of any version that the bus reads: `header` says which, and how long its root is. It
    /// waits as [`publish`](Self::publish) does.
    ///
    /// # Errors
    /// Those of [`publish`](Self::publish).
    pub fn publish_as(&self, header: &Header, bytes: &[u8]) -> Result<(), Error> {
        match self.try_publish_as(header, bytes) {
            Err(error) if error.is_full() => self.publish_waiting(header, bytes),
            done => done,
        }
    }

    /// The same for a value that [`try_publish_as`](Self::try_publish_as) has just found no room for: it is
    /// not tried once more before this waits.
    ///
    /// # Errors
    /// Those of [`publish`](Self::publish).
    pub fn publish_waiting(&self, header: &Header, bytes: &[u8]) -> Result<(), Error> {
        self.check_open()?;
        self.check_not_own(header.type_id)?;
        block_looking(async { Ok(self.shared.bus.publish_wire(header, bytes).await?) })
    }

    /// That the thread of the callbacks does not wait for room in a queue that it reads itself.
    fn check_not_own(&self, type_id: u16) -> Result<(), Error> {
        let delivery = lock(&self.shared.delivery).clone().filter(Delivery::is_here);
        let message = self.shared.known.get(type_id)?;
        match delivery.is_some_and(|delivery| delivery.hears(message.topic)) {
            true => Err(Error::Publish(WirePublishError::SelfBlocked { message: message.name })),
            false => Ok(()),
        }
    }

    /// The same without waiting.
    ///
    /// # Errors
    /// Those of [`try_publish`](Self::try_publish).
    #[inline]
    pub fn try_publish_as(&self, header: &Header, bytes: &[u8]) -> Result<(), Error> {
        self.check_open()?;
        Ok(self.shared.bus.try_publish_wire(header, bytes)?)
    }

    /// Publishes the values of `each` bytes of one message that lie one behind the other, in order. It waits
    /// as [`publish`](Self::publish) does. How many; together they cost a part of what they cost alone.
    ///
    /// # Errors
    /// [`PublishedSome`]: the first one that was not published, and how many were. `bytes` that end within a
    /// value end with one that is too short.
    pub fn publish_many(&self, type_id: u16, bytes: &[u8], each: usize) -> Result<usize, PublishedSome> {
        let each = each.max(1);
        // Those that go together are copied together, even where few find room: as few as that, then.
        let (mut published, mut together) = (0, usize::MAX);
        loop {
            let rest = bytes.get(published * each..).unwrap_or_default();
            if rest.is_empty() {
                return Ok(published);
            }
            let some = &rest[..rest.len().min(together.saturating_mul(each))];
            match self.try_publish_many(type_id, some, each) {
                Ok(()) => {
                    published += some.len().div_ceil(each);
                    together = together.saturating_mul(2);
                }
                Err((before, error)) if error.is_full() => {
                    published += before;
                    let next = &some[before * each..some.len().min((before + 1) * each)];
                    self.publish(type_id, next).map_err(|error| PublishedSome { published, error })?;
                    (published, together) = (published + 1, 1);
                }
                Err((before, error)) => return Err(PublishedSome { published: published + before, error }),
            }
        }
    }

    fn try_publish_many(&self, type_id: u16, bytes: &[u8], each: usize) -> Result<(), (usize, Error)> {
        self.check_open().map_err(|error| (0, error))?;
        let header = self.shared.known.get(type_id).map_err(|error| (0, error))?.header();
        let done = self.shared.bus.try_publish_wire_many(&header, bytes, each);
        done.map_err(|(before, error)| (before, error.into()))
    }

    /// Receives the messages of these topics from now on, when it is asked.
    ///
    /// # Errors
    /// [`Error::Subscribe`], [`Error::Closed`].
    pub fn reader(
        &self,
        topics: impl Into<WireTopics>,
        how: Subscription<WireMessage>,
    ) -> Result<Reader, Error> {
        self.check_open()?;
        let subscriber = self.shared.bus.subscribe_wire_with(topics, how)?;
        let (reader, open) = Reader::new(subscriber, Arc::clone(&self.shared.known), self.is_guest());
        let mut readers = lock(&self.shared.readers);
        readers.retain(OpenReader::is_there);
        readers.push(open);
        drop(readers);
        // A close may have looked before the reader was in the list.
        self.check_open().map(|()| reader)
    }

    /// Has `callback` called for each message of these topics from now on, in their order, on the delivery
    /// thread: one thread for all callbacks of the runtime, so one that takes long keeps the others waiting.
    /// Its errors and panics are logged and counted ([`failures`](Self::failures)), and it goes on. It is
    /// dropped on that thread, or by this call where that fails.
    ///
    /// # Errors
    /// [`Error::Subscribe`], [`Error::Closed`], [`Error::Threads`].
    pub fn subscribe(
        &self,
        topics: impl Into<WireTopics>,
        how: Subscription<WireMessage>,
        callback: impl FnMut(&WireDelivery<'_>) -> Result<(), Failure> + Send + 'static,
    ) -> Result<CallbackId, Error> {
        let (delivery, topics) = (self.delivery()?, topics.into());
        let subscriber = self.shared.bus.subscribe_wire_with(topics.clone(), how)?;
        delivery.add(topics, subscriber, Box::new(callback))
    }

    /// Ends a subscription; whether there was one. When this returns, its callback does not run and is
    /// dropped, on the delivery thread; called from a callback, it is dropped once that has returned. It
    /// waits for the callback that runs, but for one that a close [gave up](Self::gave_up).
    #[allow(clippy::must_use_candidate, reason = "it does something")]
    pub fn unsubscribe(&self, callback: CallbackId) -> bool {
        let delivery = lock(&self.shared.delivery).clone();
        delivery.is_some_and(|delivery| delivery.remove(callback))
    }

    /// How many callbacks have failed, and how the last one did.
    #[must_use]
    pub fn failures(&self) -> (u64, Option<Failure>) {
        lock(&self.shared.delivery).as_ref().map_or((0, None), Delivery::failures)
    }

    /// Whether this thread is the one that calls its callbacks.
    #[must_use]
    pub fn is_delivering(&self) -> bool {
        lock(&self.shared.delivery).as_ref().is_some_and(Delivery::is_here)
    }

    /// A child for a supervision tree: an actor with callbacks, on a thread of its own that the runtime's
    /// hooks are called on. Everything that a child has can be set: restart, backoff, health, redelivery.
    /// Another thread that is given with [`Child::on_thread`] has the hooks and the stack of this one.
    pub fn child(&self, id: &str, spec: ActorSpec) -> Child {
        let spec = self.knowing(spec);
        self.on_own_thread(Child::actor(id, move || HostedActor::new(spec.clone())))
    }

    /// The same that knows the messages of this runtime.
    pub(crate) fn knowing(&self, mut spec: ActorSpec) -> ActorSpec {
        spec.known = Arc::clone(&self.shared.known);
        spec
    }

    /// On a thread that calls the language.
    pub(crate) fn on_own_thread(&self, child: Child) -> Child {
        let hooks: Arc<dyn ThreadHooks> = Arc::clone(&self.shared.hooks) as _;
        let thread = OwnThread::new(child.id()).hooks(hooks).stack_size(STACK_BYTES);
        child.on_thread(thread)
    }

    /// Starts a tree, and waits until all its children run.
    ///
    /// # Errors
    /// [`Error::Start`], [`Error::Closed`]; [`Error::WaitInterrupted`], and the tree is shut down.
    pub fn start(&self, tree: Builder) -> Result<HostedTree, Error> {
        self.check_open()?;
        let _entered = self.enter();
        let starting = async { tree.start(&self.shared.bus).await.map_err(Error::Start) };
        let tree = Arc::new(block_beside("the tree is shut down: it was not started", starting)?);
        if self.shared.is_guest {
            let mut trees = lock(&self.shared.trees);
            trees.retain(|tree| tree.upgrade().is_some_and(|tree| tree.end_reason().is_none()));
            trees.push(Arc::downgrade(&tree));
            drop(trees);
            if self.is_closed() {
                // The close may have looked before the tree was in the list. A second end does no harm.
                let _ = block_on(tree.shutdown_within(CLOSE_DEADLINE));
                return self.check_open().map(|()| HostedTree::new(tree, self.clone()));
            }
        }
        Ok(HostedTree::new(tree, self.clone()))
    }

    /// Has a Rust actor found under `name` by [`address`](Self::address). The last one of a name counts.
    pub fn expose(&self, name: &str, exposed: Exposed) {
        let mut all = self.shared.exposed.write().unwrap_or_else(PoisonError::into_inner);
        all.insert(name.to_owned(), exposed.address());
    }

    /// Whoever was exposed under this name, or is a hosted actor or a pool of them at this path of a tree.
    ///
    /// # Errors
    /// [`Error::NoAddress`], [`Error::Closed`].
    pub fn address(&self, name: &str) -> Result<Address, Error> {
        self.check_open()?;
        let exposed = self.shared.exposed.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(address) = exposed.get(name) {
            return Ok(address.clone());
        }
        let bus = &self.shared.bus;
        let actor = bus.lookup::<HostedActor>(name).map(Address::of);
        let found = actor.or_else(|| bus.lookup_pool::<HostedActor>(name).map(Address::of_pool));
        found.ok_or_else(|| Error::NoAddress { path: name.to_owned() })
    }

    /// What the bus counts.
    ///
    /// # Errors
    /// [`Error::Closed`].
    pub fn stats(&self) -> Result<BusStats, Error> {
        self.check_open()?;
        Ok(self.shared.bus.stats())
    }

    /// Whether it is closed.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.closed.load(Ordering::SeqCst)
    }

    /// Whether its bus is that of a program, which goes on when this is closed.
    #[must_use]
    pub fn is_guest(&self) -> bool {
        self.shared.is_guest
    }

    /// Whether it was closed and a callback had not returned in time: nobody waits for that one any more.
    #[must_use]
    pub fn gave_up(&self) -> bool {
        self.shared.gave_up.load(Ordering::SeqCst)
    }

    /// Ends everything within `limit`: takes nothing more from outside, ends trees and actors in their order,
    /// calls callbacks for what still waits for them, and stops the threads. When this returns `Ok`, no
    /// callback runs and none will, whoever has begun to close it. Readers read what waits for them and then
    /// the end. On a shared bus, whose publishers go on, callbacks get what was published before, and readers
    /// leave their topics: nobody waits for them any more.
    ///
    /// # Errors
    /// [`Error::Inside`] from a callback, and nothing is closed. [`Error::Shutdown`] names who did not end in
    /// time; [`Error::Callback`] says that a callback has not returned, whoever else did not end, and
    /// [`Error::ActorsRun`] that only actors in trees of the program have not ended.
    /// [`Error::WaitInterrupted`]: see [`on_wait`](crate::on_wait). It is closed all the same.
    pub fn close(&self, limit: Duration) -> Result<(), Error> {
        self.check_outside("to close the runtime")?;
        let first = !self.shared.closed.swap(true, Ordering::SeqCst);
        let ending = Ending::within(limit);
        let delivery = lock(&self.shared.delivery).clone();
        if !first {
            let finished = delivery.is_none_or(|delivery| delivery.wait_end(&ending, Duration::ZERO));
            let ended = self.shared.hooks.wait_end(&ending, Duration::ZERO);
            let said = self.shared.said(finished, ended, Ok(()));
            return if ending.is_interrupted() { Err(CLOSE_INTERRUPTED) } else { said };
        }
        let ended = self.end_actors(&ending);
        self.shared.own_ended.store(ended.is_ok(), Ordering::SeqCst);
        // A bus of its own is shut down: nothing comes later.
        let last = if self.shared.is_guest { self.shared.bus.take_stamp() } else { u64::MAX };
        let finished = delivery.is_none_or(|delivery| delivery.finish(last, &ending, GRACE));
        // Those of actors end a little after them.
        let threads_ended = self.shared.hooks.wait_end(&ending, GRACE);
        let said = self.shared.said(finished, threads_ended, ended);
        self.shared.gave_up.store(matches!(said, Err(Error::Callback(_))), Ordering::SeqCst);
        self.shared.stop_readers(GRACE);
        if let Some(threads) = lock(&self.shared.owned).take() {
            end_threads(threads, ending.left().max(GRACE));
        }
        if ending.is_interrupted() { Err(CLOSE_INTERRUPTED) } else { said }
    }

    /// Ends them in the time that is left, which is that of all trees together.
    fn end_actors(&self, ending: &Ending) -> Result<(), Error> {
        let _entered = self.enter();
        if !self.shared.is_guest {
            let bus = &self.shared.bus;
            let ended = ending.block_on(bus.shutdown_within(ending.left()));
            // Once it was interrupted nothing is waited for, and the rest is done all the same.
            let ended = ended.unwrap_or_else(|| block_on(bus.shutdown_within(Duration::ZERO)));
            return ended.map_err(Error::Shutdown);
        }
        let trees = std::mem::take(&mut *lock(&self.shared.trees));
        let mut missed = Vec::new();
        for tree in trees.iter().rev().filter_map(Weak::upgrade) {
            let ended = ending.block_on(tree.shutdown_within(ending.left()));
            if let Err(error) = ended.unwrap_or_else(|| block_on(tree.shutdown_within(Duration::ZERO))) {
                missed.push(error);
            }
        }
        if missed.is_empty() { Ok(()) } else { Err(Error::Killed(missed)) }
    }

    /// The delivery thread, started by whoever asks first.
    fn delivery(&self) -> Result<Delivery, Error> {
        let mut delivery = lock(&self.shared.delivery);
        // Under the lock: a close that comes later finds it.
        self.check_open()?;
        if let Some(delivery) = &*delivery {
            return Ok(delivery.clone());
        }
        let started = Delivery::start(Arc::clone(&self.shared.hooks) as _)?;
        Ok(delivery.insert(started).clone())
    }

    #[inline]
    pub(crate) fn check_open(&self) -> Result<(), Error> {
        if self.is_closed() { Err(Error::Closed { what: "the runtime" }) } else { Ok(()) }
    }

    /// That no callback of this runtime asks.
    pub(crate) fn check_outside(&self, what: &'static str) -> Result<(), Error> {
        if self.shared.hooks.is_here() { Err(Error::Inside { what }) } else { Ok(()) }
    }

    /// Lets what this thread polls until the guard is dropped use the timers below the bus.
    pub fn enter(&self) -> EnterGuard<'_> {
        self.shared.handle.enter()
    }
}

const CLOSE_INTERRUPTED: Error =
    Error::WaitInterrupted { after: "the runtime is closed; what had not ended by then was not waited for" };

/// How long a callback or a look at messages may take to return once the runtime closes, whatever the limit.
const GRACE: Duration = Duration::from_millis(100);

impl Shared {
    /// The result of a close: the caller is to know above all that its own code still runs.
    fn said(&self, finished: bool, threads_ended: bool, ended: Result<(), Error>) -> Result<(), Error> {
        match (finished, threads_ended) {
            (true, true) => ended,
            // Trees that were made through it have ended: others are the program's.
            (true, false) if self.is_guest && self.own_ended.load(Ordering::SeqCst) => Err(Error::ActorsRun),
            _ => Err(Error::Callback(ended.err().map(Box::new))),
        }
    }

    /// Ends them, and waits so long at most for those that are read right now.
    fn stop_readers(&self, limit: Duration) {
        let begun = Instant::now();
        for reader in std::mem::take(&mut *lock(&self.readers)) {
            while !reader.close() && begun.elapsed() < limit {
                std::thread::sleep(Duration::from_millis(1));
            }
        }
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(delivery) = lock(&self.delivery).take() {
            delivery.stop();
        }
        self.stop_readers(Duration::ZERO);
        if let Some(threads) = lock(&self.owned).take() {
            // One of these threads may be the one that drops it.
            threads.shutdown_background();
        }
    }
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime").field("bus", &self.shared.bus).field("closed", &self.is_closed()).finish()
    }
}
