//! How an actor comes to its bus: it may be published to and told before it is there, and not come after all.

use std::sync::Arc;

use mycelium_mailbox::{Doorbell, InboxOptions, Overflow, Port, Sources};
use tokio::runtime::Handle;

use super::address::{Address, Member};
use super::body::{Body, leave};
use super::bus::BusCore;
use super::context::LiveContext;
use super::current::{Current, enter};
use super::fate::Fate;
use super::members::MemberSeat;
use super::runtime::has_ended;
use super::source::{DirectSource, Inlet};
use crate::host::Vacant;
use crate::life::Origin;
use crate::rt;
use crate::{Actor, ActorRef, SpawnError, StopReason, Subscriptions};

/// An actor on its way to its bus. Dropped there, it has not come: what it has got meanwhile, through its
/// topics and by its name, is among the dead letters, and whoever has looked it up is told of its end.
struct Newcomer<A: Actor> {
    core: Arc<BusCore>,
    address: Arc<Address<A>>,
    /// Empty when it has come.
    parts: Option<(LiveContext<A>, Sources<Inlet<A>>)>,
    /// Of the tree that it is in.
    tree: Option<u64>,
    seat: Option<MemberSeat>,
    /// Why it has ended, should it not come.
    reason: StopReason,
}

impl<A: Actor> Newcomer<A> {
    fn new(core: &Arc<BusCore>, address: &Arc<Address<A>>, fate: Option<&dyn Fate<A>>) -> Self {
        let mut live = LiveContext::new(Arc::clone(address), Arc::clone(core));
        live.once_each = fate.and_then(Fate::once_each);
        let sources = Sources::from_iter([Inlet::Direct(DirectSource::new(address))]);
        let (core, address) = (Arc::clone(core), Arc::clone(address));
        // Code of a message's author that panics has it stay so.
        let reason = StopReason::Killed;
        let (parts, tree) = (Some((live, sources)), fate.and_then(Fate::tree));
        Self { core, address, parts, tree, seat: None, reason }
    }

    /// Has it hear what it wants to, and be found by its name: others may send it something from now on.
    fn open(&mut self, actor: &A, name: Option<&str>) -> Result<(), SpawnError> {
        let Self { core, address, parts: Some((live, sources)), .. } = self else { return Ok(()) };
        let heard = Subscriptions::of(actor).wanted.into_iter().try_for_each(|wanted| wanted.live(live));
        live.apply_changes(sources);
        let named = heard.and_then(|()| match name {
            Some(name) => core.names.take(name, address.id, Arc::clone(address) as _),
            None => Ok(()),
        });
        named.inspect_err(|error| self.reason = StopReason::of_error(error))
    }

    /// Takes a seat among the members of the bus, unless a shutdown has begun.
    fn sit_down(&mut self) -> Result<MemberSeat, SpawnError> {
        let member: Arc<dyn Member> = Arc::clone(&self.address) as _;
        match self.core.add(&member) {
            Ok(seat) => {
                self.seat = Some(seat);
                Ok(seat)
            }
            Err(seat) => {
                (self.seat, self.reason) = (Some(seat), StopReason::Shutdown);
                Err(SpawnError::Closed)
            }
        }
    }

    /// It is there, with this.
    fn come(mut self) -> Option<(LiveContext<A>, Sources<Inlet<A>>)> {
        self.parts.take()
    }
}

impl<A: Actor> Drop for Newcomer<A> {
    fn drop(&mut self) {
        let Some((mut live, mut sources)) = self.parts.take() else { return };
        let Self { core, address, tree, seat, reason, .. } = self;
        let current = Current::new(core.topics.mark(), address.id, &**address);
        enter(current, || {
            live.apply_changes(&mut sources);
            leave(&live, &mut sources, *tree, reason);
        });
        let reason = std::mem::replace(reason, StopReason::Killed);
        let (path, end) = (address.path.as_deref(), || address.end(reason));
        match *seat {
            Some(seat) => core.leave(seat, address.id, path, end),
            None => {
                drop(path.and_then(|name| core.names.free(name, address.id)));
                end();
            }
        }
    }
}

impl BusCore {
    /// `fate` decides after the actor's failures; without one they end it.
    pub(crate) fn spawn<A: Actor>(
        self: &Arc<Self>,
        actor: A,
        name: Option<&str>,
        fate: Option<Box<dyn Fate<A>>>,
    ) -> Result<ActorRef<A>, SpawnError> {
        self.spawn_on(&self.runtime()?, actor, name, fate)
    }

    /// The same on this runtime.
    pub(super) fn spawn_on<A: Actor>(
        self: &Arc<Self>,
        runtime: &Handle,
        actor: A,
        name: Option<&str>,
        fate: Option<Box<dyn Fate<A>>>,
    ) -> Result<ActorRef<A>, SpawnError> {
        let _entered = rt::enter(runtime);
        let id = self.next_id();
        let options =
            InboxOptions { overflow: Overflow::Block, capacity: self.inbox_capacity, owner: id.get() };
        let vacant = Vacant::new();
        let inbox = Port::new(Arc::clone(&self.stamps), Arc::new(Doorbell::of_one_task()), options);
        let (host, lookout) = (vacant.handle(), Arc::clone(&self.lookout));
        let place = fate.as_ref().and_then(|fate| fate.path());
        let tree = fate.as_ref().and_then(|fate| fate.tree());
        let path = place.clone().or_else(|| name.map(Into::into));
        let address = Address::new(id, (path, tree), inbox, host, runtime.clone(), lookout);
        if fate.as_ref().is_some_and(|fate| fate.is_probed()) {
            // From the first message on, which may come before its supervisor hears that it has started.
            address.watch().probe();
        }
        let mut arrival = Newcomer::new(self, &address, fate.as_deref());
        arrival.open(&actor, name)?;
        let count = || self.count::<A>();
        let origin = place.map_or_else(|| Origin::outside_of_trees(name, count), Origin::Path);
        let seat = arrival.sit_down()?;
        let Some((live, sources)) = arrival.come() else { return Err(SpawnError::Closed) };
        vacant.occupy(Body::new(actor, live, origin, sources, fate, seat));
        if !address.is_alive() && has_ended(runtime) {
            return Err(SpawnError::RuntimeEnded);
        }
        Ok(ActorRef::live(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dead_letters::DeadLetterCause;
    use crate::{BoxError, Context, Handler, Message, MessageBus, Subscription};

    #[derive(Clone, Debug)]
    struct Tick;
    impl Message for Tick {
        const NAME: &'static str = "Tick";
        const TYPE_ID: u16 = 1;
        const TOPIC: &'static str = "ticks";
    }

    struct Reader;
    impl Actor for Reader {
        type Error = BoxError;
        fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
            topics.on_with(Subscription::<Tick>::block());
        }
    }
    impl Handler<Tick> for Reader {
        async fn handle(&mut self, _: &Tick, _: &mut Context<Self>) -> Result<(), BoxError> {
            Ok(())
        }
    }

    fn arrival(bus: &MessageBus, name: Option<&str>) -> Newcomer<Reader> {
        let (core, vacant) = (&bus.core, Vacant::new());
        let options = InboxOptions { overflow: Overflow::Block, capacity: 8, owner: core.next_id().get() };
        let inbox = Port::new(Arc::clone(&core.stamps), Arc::new(Doorbell::of_one_task()), options);
        let (host, lookout) = (vacant.handle(), Arc::clone(&core.lookout));
        let (id, path) = (core.next_id(), (name.map(Into::into), None));
        Newcomer::new(core, &Address::new(id, path, inbox, host, Handle::current(), lookout), None)
    }

    #[tokio::test]
    async fn who_is_refused_by_a_bus_that_closes_leaves_dead_letters_and_has_ended() {
        let bus = MessageBus::new();
        let mut late = arrival(&bus, Some("late"));
        late.open(&Reader, Some("late")).unwrap();
        let found = bus.lookup::<Reader>("late").unwrap();
        found.try_tell(Tick).unwrap();
        let ticks = bus.publisher::<Tick>().unwrap();
        ticks.try_publish(Tick).unwrap();
        found.try_tell(Tick).unwrap();
        bus.core.close();
        assert!(matches!(late.sit_down(), Err(SpawnError::Closed)));
        assert!(found.is_alive() && bus.alive() == 1, "its last messages are on their way");
        drop(late);
        assert_eq!(found.ended().await, StopReason::Shutdown);
        assert!(found.try_tell(Tick).is_err() && bus.lookup::<Reader>("late").is_none());
        let letters = bus.dead_letters();
        assert_eq!((letters.in_hand, letters.waiting, bus.alive()), (0, 3, 0));
        for letter in &letters.recent {
            assert_eq!((&letter.cause, &letter.reason), (&DeadLetterCause::Waiting, &StopReason::Shutdown));
            assert_eq!(letter.actor.path.as_deref(), Some("late"));
        }
        let topic = &bus.topics()[0];
        assert_eq!((topic.published, topic.dropped_unsubscribed, topic.waiting), (1, 1, 0));
        bus.shutdown().await.unwrap();
    }

    #[tokio::test]
    async fn who_finds_the_name_taken_leaves_what_was_published_meanwhile_as_dead_letters() {
        let bus = MessageBus::new();
        let first = bus.spawn_named("desk", Reader).unwrap();
        let mut second = arrival(&bus, Some("desk"));
        assert!(matches!(second.open(&Reader, Some("desk")), Err(SpawnError::NameTaken(_))));
        bus.publisher::<Tick>().unwrap().publish(Tick).await.unwrap();
        drop(second);
        assert_eq!(bus.lookup::<Reader>("desk").map(|found| found.id()), Some(first.id()));
        assert_eq!(bus.dead_letters().waiting, 1);
        bus.shutdown().await.unwrap();
    }
}
