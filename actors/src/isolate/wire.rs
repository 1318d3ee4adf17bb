//! Frames into and out of the topics of an isolate.

mod ears;

use std::cell::RefCell;
use std::future::poll_fn;
use std::marker::PhantomData;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context as TaskContext, Poll};

use mycelium_mailbox::wire::{Encoder, Messages, Visitor, Wire, WireError};
use mycelium_mailbox::{Held, Lent, Shared, caught};
use mycelium_remote::frame::Header;

pub(super) use self::ears::EarFronts;
pub(crate) use self::ears::IsolateEars;
use super::core::{IsolateCore, Refusal};
use super::gauge::{Gauge, count};
use super::handle::{IsolateContext, Place, id_of, refused, seat_of};
use super::lane::{HandsOn, LaneReceiving, Receive};
use super::retained::PublishedAt;
use super::seat::{ActorCell, AnySeat};
use super::steps::{enter, step};
use super::sub::{HandleStep, Rule, TopicWay};
use super::{Isolate, OUTSIDE};
use crate::subscription::Terms;
use crate::wire::{Carried, Kind, Known, Table, WireMessage, WireValue};
use crate::{
    Actor, Handler, PublishError, Retention, SpawnError, StopReason, Subscription, WirePublishError,
    WireSubscriber, WireTopics,
};

/// A publish that waits for room.
pub(crate) type WaitingPublish = Pin<Box<dyn Future<Output = Result<(), WirePublishError>> + Send>>;

/// A way in for bytes, once the counters of its lane are known.
pub(super) type MakeReceiver<'a> = &'a dyn Fn(&Rc<Gauge>) -> Box<dyn Receive<WireMessage>>;

/// A topic of any isolate, seen by those who bring and take bytes.
pub(crate) trait WireLane: Send + Sync {
    /// Publishes without waiting.
    fn publish(
        &self,
        kind: Kind,
        place: &Place,
        header: &Header,
        bytes: &[u8],
    ) -> Result<(), WirePublishError>;
    /// Publishes; what is returned waits for room, with the message as it was decoded.
    fn begin_publish(
        &self,
        kind: Kind,
        place: &Place,
        header: &Header,
        bytes: &[u8],
    ) -> Result<Option<WaitingPublish>, WirePublishError>;
    /// Has what `make` makes receive the messages of the topic; says its ticket.
    fn listen(
        &self,
        kind: Kind,
        place: &Place,
        how: &Subscription<WireMessage>,
        make: MakeReceiver<'_>,
    ) -> Result<u64, SpawnError>;
    /// How the actor in this seat receives bytes, if it does.
    fn terms_of(&self, kind: Kind, core: &IsolateCore, seat: u32) -> Option<Terms>;
    /// Ends the subscription to bytes of the actor in this seat.
    fn remove_of(&self, kind: Kind, core: &IsolateCore, seat: u32);
    /// Removes the receiver with this ticket.
    fn remove(&self, kind: Kind, core: &IsolateCore, ticket: u64);
}

/// The topics in which a `T` lies for each message.
pub(crate) struct WireLaneOf<T>(PhantomData<fn() -> T>);

impl<T> WireLaneOf<T> {
    pub(crate) const NEW: Self = Self(PhantomData);
}

impl<T: Carried> WireLane for WireLaneOf<T> {
    fn publish(
        &self,
        kind: Kind,
        place: &Place,
        header: &Header,
        bytes: &[u8],
    ) -> Result<(), WirePublishError> {
        let message = T::from_wire(kind, header, bytes, WireValue::made(|| place.now().as_nanos()))
            .map_err(WirePublishError::Value)?;
        let mut message = Held::new(message, ());
        match (place.queue_of(kind, &mut message), message.take()) {
            (Err(refusal), Some(message)) => {
                Err(WirePublishError::refused(kind, refused(place.core(), refusal, message)))
            }
            _ => Ok(()),
        }
    }

    fn begin_publish(
        &self,
        kind: Kind,
        place: &Place,
        header: &Header,
        bytes: &[u8],
    ) -> Result<Option<WaitingPublish>, WirePublishError> {
        let message = T::from_wire(kind, header, bytes, WireValue::made(|| place.now().as_nanos()))
            .map_err(WirePublishError::Value)?;
        let mut message = Held::new(message, ());
        if place.queue_of(kind, &mut message).is_ok() {
            return Ok(None);
        }
        let place = place.clone();
        Ok(Some(Box::pin(async move {
            let published = poll_fn(|cx| place.poll_publish_of(kind, &mut message, cx)).await;
            published.map_err(|error| WirePublishError::refused(kind, error))
        })))
    }

    fn listen(
        &self,
        kind: Kind,
        place: &Place,
        how: &Subscription<WireMessage>,
        make: MakeReceiver<'_>,
    ) -> Result<u64, SpawnError> {
        let Some(typed) = how.of_another() else {
            return Err(SpawnError::ConflatesBytes { message: kind.name });
        };
        let lane = place.core().ok_or(SpawnError::WrongThread)?.topic_of::<T>(kind)?;
        let to = make(&lane.gauge);
        let (place, gauge) = (place.clone(), Rc::clone(&lane.gauge));
        Ok(lane.add_wire(Box::new(Transcoder { to, place, gauge, kind, of: PhantomData }), &typed))
    }

    fn terms_of(&self, kind: Kind, core: &IsolateCore, seat: u32) -> Option<Terms> {
        core.find_topic_of::<T>(kind.type_id)?.wire_terms_of(seat)
    }

    fn remove_of(&self, kind: Kind, core: &IsolateCore, seat: u32) {
        if let Some(lane) = core.find_topic_of::<T>(kind.type_id) {
            lane.remove_wire(core, seat);
        }
    }

    fn remove(&self, kind: Kind, core: &IsolateCore, ticket: u64) {
        if let Some(lane) = core.find_topic_of::<T>(kind.type_id) {
            lane.leave(core, &[ticket]);
        }
    }
}

/// The bytes of the message that is handed out, for all who receive it so. Made when somebody listens: most
/// isolates have nobody who does.
#[derive(Default)]
pub(super) struct Transcript(RefCell<Option<Box<Written>>>);

#[derive(Default)]
struct Written {
    encoder: Encoder,
    /// With the number of the event.
    last: Option<(u64, WireValue)>,
}

impl Transcript {
    fn value<T: Carried>(
        &self,
        kind: Kind,
        event: u64,
        at: i64,
        message: &T,
    ) -> Result<WireValue, WireError> {
        if let Some(value) = message.as_value() {
            return Ok(value.clone());
        }
        if let Some((of, value)) = self.0.borrow().as_ref().and_then(|written| written.last.as_ref())
            && *of == event
        {
            return Ok(value.clone());
        }
        let value = self.encode(kind, at, message)?;
        self.0.borrow_mut().get_or_insert_default().last = Some((event, value.clone()));
        Ok(value)
    }

    fn encode<T: Carried>(&self, kind: Kind, at: i64, message: &T) -> Result<WireValue, WireError> {
        if let Some(value) = message.as_value() {
            return Ok(value.clone());
        }
        // Code of the message's author, which may have others encoded: nothing is borrowed meanwhile.
        let mut written = self.0.take().unwrap_or_default();
        let mut encode = || {
            let (header, bytes) = message.to_wire(kind, at, &mut written.encoder)?;
            Ok(WireValue::new(header, bytes))
        };
        // Nobody who runs now has done anything wrong.
        let panicked =
            |cause: StopReason| WireError::Invalid { message: kind.name, cause: cause.to_string() };
        let value = StopReason::catch(&mut encode).unwrap_or_else(|cause| Err(panicked(cause)));
        self.0.replace(Some(written));
        value
    }
}

/// Hands the messages of a topic on as bytes.
struct Transcoder<T> {
    to: Box<dyn Receive<WireMessage>>,
    place: Place,
    gauge: Rc<Gauge>,
    kind: Kind,
    of: PhantomData<fn(T)>,
}

impl<T: Carried> Receive<T> for Transcoder<T> {
    fn deliver(&self, sender: u32, message: Lent<'_, T>) -> bool {
        let Some(core) = self.place.core().filter(|_| self.to.hears(sender)) else { return false };
        // Each event has a number of its own, and is handed out at the time at which it was published.
        let (event, at) = (core.bounds.events(), core.now.get());
        match core.transcript.value(self.kind, event, at, &*message) {
            Ok(value) => {
                let id = if sender == OUTSIDE { 0 } else { id_of(sender).get() };
                let message = Shared::of(WireMessage::new(value, self.kind, event, id));
                self.to.deliver(sender, message.lend())
            }
            Err(error) => {
                caught(
                    || tracing::error!(target: "mycelium::wire", %error, "a message cannot be written as bytes"),
                );
                count(&self.gauge.dead);
                false
            }
        }
    }

    fn misses(&self, sender: u32) -> bool {
        self.to.misses(sender)
    }

    fn give(&self, published: PublishedAt, message: Lent<'_, T>) {
        let PublishedAt { sender, at, .. } = published;
        let Some(core) = self.place.core() else { return };
        // Several are given in one event.
        match core.transcript.encode(self.kind, at, &*message) {
            Ok(value) => {
                let id = if sender == OUTSIDE { 0 } else { id_of(sender).get() };
                let message = Shared::of(WireMessage::new(value, self.kind, core.bounds.events(), id));
                self.to.give(published, message.lend());
            }
            Err(error) => {
                caught(
                    || tracing::error!(target: "mycelium::wire", %error, "a message cannot be written as bytes"),
                );
                self.gauge.died();
            }
        }
    }
}

impl<T> HandsOn for Transcoder<T> {
    fn to(&self) -> &dyn LaneReceiving {
        &*self.to
    }
}

impl Place {
    /// Queues the message for its topic.
    fn queue_of<T: 'static>(&self, kind: Kind, message: &mut Held<T, impl Sized>) -> Result<(), Refusal> {
        match self.core() {
            Some(core) => core.publish_abroad(&kind, self.seat(), message),
            None => Err(Refusal::WrongThread),
        }
    }

    /// Queues it once there is room in its topic.
    fn poll_publish_of<T: 'static>(
        &self,
        kind: Kind,
        message: &mut Held<T, impl Sized>,
        cx: &mut TaskContext<'_>,
    ) -> Poll<Result<(), PublishError<T>>> {
        match self.queue_of(kind, message) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(refusal) => self.publish_refused(kind.type_id, refusal, message, cx),
        }
    }

    fn table(&self) -> Result<Table, WirePublishError> {
        let core = self.core().ok_or(WirePublishError::WrongThread { message: "the message" })?;
        Ok(core.table.borrow().clone())
    }

    /// Publishes bytes without waiting.
    pub(crate) fn try_publish_wire(&self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        let table = self.table()?;
        let known = &table.known()[table.place_of(header, bytes.len())?];
        known.port().isolate().publish(known.kind, self, header, bytes)
    }

    /// Publishes bytes, and waits for room.
    pub(crate) async fn publish_wire(&self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        match self.begin_publish_wire(header, bytes) {
            Ok(None) => Ok(()),
            Ok(Some(waiting)) => waiting.await,
            Err(error) => {
                step().await;
                Err(error)
            }
        }
    }

    fn begin_publish_wire(
        &self,
        header: &Header,
        bytes: &[u8],
    ) -> Result<Option<WaitingPublish>, WirePublishError> {
        let table = self.table()?;
        let known = &table.known()[table.place_of(header, bytes.len())?];
        known.port().isolate().begin_publish(known.kind, self, header, bytes)
    }
}

/// Has topics retain what a contract says.
struct RetainDeclared<'a>(&'a mut Isolate);

impl Visitor for RetainDeclared<'_> {
    fn typed<M: Wire>(&mut self) {
        if let Some(retention) = Retention::<M>::declared() {
            // Where another type has its id, whoever subscribes or publishes is told.
            let _ = self.0.retain(retention);
        }
    }
}

impl Isolate {
    /// The messages of a contract, that frames may carry into and out of the isolate, as
    /// [`BusBuilder::contract`](crate::BusBuilder::contract) does it for a live bus. Call it before actors
    /// are spawned that listen in bytes.
    ///
    /// Topics retain from now on what the contract says (`retain`), unless [`Isolate::retain`] was called
    /// before for their messages.
    #[allow(clippy::needless_pass_by_value, reason = "it is a constant, mostly")]
    pub fn contract(&mut self, messages: impl Messages) -> &mut Self {
        let table = self.core.table.take().with(&messages);
        *self.core.table.borrow_mut() = table;
        messages.each(&mut RetainDeclared(self));
        self
    }

    /// How long a value may be that is published as bytes, in bytes;
    /// [`WIRE_VALUE_MAX`](crate::WIRE_VALUE_MAX) unless this is called.
    pub fn wire_value_max(&mut self, bytes: usize) -> &mut Self {
        let table = self.core.table.take().value_max(bytes);
        *self.core.table.borrow_mut() = table;
        self
    }

    /// Publishes a value that is bytes already, from outside; see
    /// [`MessageBus::publish_wire`](crate::MessageBus::publish_wire). It is handled at the next
    /// [`run`](Self::run).
    ///
    /// # Errors
    /// See [`WirePublishError`]; [`WirePublishError::Full`] when as many events wait as may, or a subscriber
    /// refuses: run first.
    pub fn publish_wire(&mut self, header: &Header, bytes: &[u8]) -> Result<(), WirePublishError> {
        // A handler of another isolate may call this.
        enter(&self.core, || Place::new(&self.core, OUTSIDE).try_publish_wire(header, bytes))
    }

    /// Receives every message that is published to these topics from now on, as bytes, outside of all
    /// actors: see [`MessageBus::subscribe_wire`](crate::MessageBus::subscribe_wire). Messages that a run
    /// has published are read between two runs, on this thread ([`WireSubscriber::try_recv`],
    /// [`WireSubscriber::drain`]).
    ///
    /// ```
    /// use mycelium::wire::{Layout, Messages, Visitor, Wire};
    /// use mycelium::{BoxError, Isolate, Message};
    ///
    /// #[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    /// struct Tick { price: i64 }
    /// impl Message for Tick {
    ///     const NAME: &'static str = "Tick";
    ///     const TYPE_ID: u16 = 7;
    ///     const TOPIC: &'static str = "ticks";
    /// }
    /// impl Wire for Tick {
    ///     const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Tick::ROOT_LEN, digest: 0 }];
    /// }
    /// // Generated code has this, as `CONTRACT`.
    /// struct Mine;
    /// impl Messages for Mine {
    ///     fn each<V: Visitor>(&self, visitor: &mut V) {
    ///         visitor.typed::<Tick>();
    ///     }
    /// }
    ///
    /// let mut isolate = Isolate::new(42);
    /// isolate.contract(Mine);
    /// let mut frames = isolate.subscribe_wire("ticks")?;
    /// isolate.publish(Tick { price: 42 })?;
    /// isolate.run()?;
    /// let frame = frames.try_recv().expect("it was published");
    /// assert_eq!(Tick::decode(frame.bytes())?, Tick { price: 42 });
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`subscribe_wire_with`](Self::subscribe_wire_with).
    pub fn subscribe_wire(&mut self, topics: impl Into<WireTopics>) -> Result<WireSubscriber, SpawnError> {
        self.subscribe_wire_with(topics, Subscription::block())
    }

    /// The same with a policy and capacity, which hold for each topic by itself. While a queue is full that
    /// loses nothing, actors and services that publish wait for room: a [`run`](Self::run) says that they are
    /// stuck, and after the queue was read another run goes on.
    ///
    /// # Errors
    /// See [`MessageBus::subscribe_wire_with`](crate::MessageBus::subscribe_wire_with).
    pub fn subscribe_wire_with(
        &mut self,
        topics: impl Into<WireTopics>,
        subscription: Subscription<WireMessage>,
    ) -> Result<WireSubscriber, SpawnError> {
        let (place, topics) = (Place::new(&self.core, OUTSIDE), topics.into());
        enter(&self.core, || IsolateEars::new(place, &topics, subscription)).map(WireSubscriber::in_isolate)
    }
}

impl<A: Actor> IsolateContext<A> {
    pub(crate) fn subscribe_wire(
        &self,
        topics: &WireTopics,
        how: Subscription<WireMessage>,
    ) -> Result<(), SpawnError>
    where
        A: Handler<WireMessage>,
    {
        let seat = self.place().core().and_then(|core| seat_of::<A>(core, self.place().seat()));
        seat.ok_or(SpawnError::WrongThread)?.subscribe_wire(topics, how)
    }

    pub(crate) fn unsubscribe_wire(&self, topics: &WireTopics)
    where
        A: Handler<WireMessage>,
    {
        let Some(core) = self.place().core() else { return };
        if let Some(seat) = seat_of::<A>(core, self.place().seat()) {
            seat.unsubscribe_wire(topics);
        }
    }
}

impl<A: Handler<WireMessage>> ActorCell<A> {
    /// Subscribes this actor to the bytes of these topics.
    pub(crate) fn subscribe_wire(
        self: &Rc<Self>,
        topics: &WireTopics,
        how: Subscription<WireMessage>,
    ) -> Result<(), SpawnError> {
        let table = self.core.table.borrow().clone();
        let wanted = topics.among(&table)?;
        let mut new = Vec::new();
        for known in wanted.into_iter().map(|at| &table.known()[at]) {
            let kind = known.enabled()?.kind;
            self.is_its_own(kind)?;
            match known.port().isolate().terms_of(kind, &self.core, self.index) {
                None => new.push(known),
                Some(terms) if self.inherits(TopicWay::wire(kind.type_id)) || terms == how.terms() => {}
                Some(_) => return Err(SpawnError::AlreadySubscribed { message: kind.name }),
            }
        }
        for (at, known) in new.iter().enumerate() {
            let kind = known.kind;
            let make = |gauge: &Rc<Gauge>| {
                let rule = Rule::of_topic(TopicWay::wire(kind.type_id), &how, gauge);
                self.way_in::<WireMessage, HandleStep>(rule)
            };
            let place = Place::new(&self.core, self.index);
            if let Err(error) = known.port().isolate().listen(kind, &place, &how, &make) {
                // All of them, or none.
                new[..at].iter().for_each(|known| self.part(known));
                return Err(error);
            }
            self.has_joined(TopicWay::wire(kind.type_id));
        }
        Ok(())
    }

    /// Ends its subscriptions to the bytes of these topics.
    pub(crate) fn unsubscribe_wire(&self, topics: &WireTopics) {
        let table = self.core.table.borrow().clone();
        for at in topics.matching(&table) {
            self.part(&table.known()[at]);
        }
    }

    fn part(&self, known: &Known) {
        AnySeat::left(self, TopicWay::wire(known.kind.type_id));
        known.port().isolate().remove_of(known.kind, &self.core, self.index);
    }
}
