//! Watching the ends of other actors of an isolate, and depending on them.

use mycelium_mailbox::Play;

use super::core::IsolateCore;
use super::gauge::Gauge;
use super::handle::{IsolateContext, Place, direct_rule, id_of, seat_of};
use super::lane::Lane;
use super::seat::{ActorCell, AnySeat, Bundle};
use super::sub::Called;
use crate::by_value::sealed::DispatchMessage;
use crate::life::{self, EndNotice, NoticeMeaning, WatchKind, WatchList, WatcherList, Witness};
use crate::{Actor, Down, Handler, Monitor, Takes};

/// What one seat knows of watches; most know of none.
#[derive(Default)]
pub(crate) struct Watches {
    /// Whom it watches, by their seats.
    watched: WatchList<u32>,
    /// Who watches it, and how that actor is told.
    watchers: WatcherList<TellStep>,
}

/// Queues a notice for the watcher in this seat.
pub(crate) type TellStep = fn(&IsolateCore, u32, EndNotice);

impl Watches {
    /// Forgets a watcher of this seat.
    pub(crate) fn be_unwatched(&mut self, monitor: Monitor) {
        self.watchers.leave(monitor);
    }
}

impl<A: Actor> ActorCell<A> {
    /// Forgets one of its watches; the seat that was watched.
    fn forget_watch(&self, monitor: Monitor) -> Option<u32> {
        self.watches.borrow_mut().as_mut()?.watched.forget(monitor)
    }

    /// The turn of a notice has come.
    fn take_in<'a>(&self, notice: &'a EndNotice) -> NoticeMeaning<'a> {
        let mut watches = self.watches.borrow_mut();
        watches.as_mut().map_or(NoticeMeaning::Nothing, |watches| watches.watched.take_in(notice))
    }

    /// What is told to `monitor`, if it has ended.
    fn down(&self, monitor: Monitor) -> Option<Down> {
        let reason = self.end_reason()?;
        Some(Down { monitor, actor: self.core.identity(self.index, A::name()), reason })
    }

    /// Adds a watcher, or tells it at once if this actor is over.
    pub(super) fn join_watchers(&self, monitor: Monitor, tell: TellStep, kind: WatchKind) {
        let down = if self.is_over() { self.down(monitor) } else { None };
        let at_once = {
            let mut watches = self.watches.borrow_mut();
            watches.get_or_insert_default().watchers.join(monitor, (tell, kind), down)
        };
        if let Some((tell, notice)) = at_once {
            tell(&self.core, seat_number(monitor), notice);
        }
    }

    /// Forgets whom it watches: its next life watches anew.
    pub(crate) fn end_own_watches(&self) {
        let watched = self.watches.borrow_mut().as_mut().map(|watches| watches.watched.forget_all());
        for (monitor, other) in watched.unwrap_or_default() {
            if let Some(other) = self.core.seat(other) {
                other.be_unwatched(monitor);
            }
        }
    }

    /// Tells everybody that it is over, and forgets whom it watches itself.
    pub(crate) fn end_watches(&self) {
        self.end_own_watches();
        let Some(watches) = self.watches.take() else { return };
        for (tell, notice) in watches.watchers.notices(|monitor| self.down(monitor)) {
            tell(&self.core, seat_number(notice.down.monitor), notice);
        }
    }
}

/// Where the watcher sits.
fn seat_number(monitor: Monitor) -> u32 {
    // An id is that of a seat plus one.
    u32::try_from(monitor.watcher.get() - 1).unwrap_or(u32::MAX)
}

impl<A: Actor> IsolateContext<A> {
    pub(crate) fn watch(&self, other: &Place) -> Monitor
    where
        A: Takes<Down>,
    {
        self.add_watch(other, A::dispatch(PickTell), WatchKind::Watch)
    }

    pub(crate) fn depend_on(&self, other: &Place) -> Monitor {
        self.add_watch(other, tell::<A, DependencyDown, Break>, WatchKind::Dependency)
    }

    fn add_watch(&self, other: &Place, tell: TellStep, kind: WatchKind) -> Monitor {
        let own = self.place().seat();
        let nobody = Monitor { watcher: id_of(own), number: u64::MAX };
        let (Some(core), Some(_)) = (self.place().core(), other.core()) else {
            // One of another isolate: a seat of the same number is here, too.
            return nobody;
        };
        let other = other.seat();
        let (Some(seat), Some(other_seat)) = (seat_of::<A>(core, own), core.seat(other)) else {
            return nobody;
        };
        let monitor = seat.watches.borrow_mut().get_or_insert_default().watched.begin(id_of(own), other);
        other_seat.be_watched(monitor, tell, kind);
        monitor
    }

    pub(crate) fn unwatch(&self, monitor: Monitor) -> bool {
        let Some(core) = self.place().core() else { return false };
        let seat = seat_of::<A>(core, self.place().seat());
        let Some(other) = seat.and_then(|seat| seat.forget_watch(monitor)) else { return false };
        if let Some(other) = core.seat(other) {
            other.be_unwatched(monitor);
        }
        true
    }
}

/// A notice of a watch, and one of a dependency.
struct Heard(EndNotice);
struct DependencyDown(EndNotice);

impl From<EndNotice> for Heard {
    fn from(notice: EndNotice) -> Self {
        Self(notice)
    }
}

impl From<EndNotice> for DependencyDown {
    fn from(notice: EndNotice) -> Self {
        Self(notice)
    }
}

fn tell<A, N, P>(core: &IsolateCore, seat: u32, notice: EndNotice)
where
    A: Actor,
    N: From<EndNotice> + 'static,
    P: Called<A, N>,
{
    let Some(seat) = seat_of::<A>(core, seat).filter(|seat| !seat.has_ended()) else { return };
    let lane = core.direct(seat.index, |index| {
        let gauge = Gauge::own(P::name(), P::BY_VALUE);
        let to = seat.way_in::<N, P>(direct_rule(&gauge));
        Lane::to_one(index, to, gauge)
    });
    // The watches that an actor has made bound how many there are.
    lane.write(N::from(notice));
    core.enqueue(lane.index());
}

/// How an actor is told of the end of another.
struct PickTell;

impl<A: Takes<Down>> DispatchMessage<A, Down> for PickTell {
    type Output = TellStep;

    fn by_value(self) -> TellStep {
        tell::<A, Heard, TakeNotice>
    }

    fn by_reference(self) -> TellStep
    where
        A: Handler<Down>,
    {
        tell::<A, Heard, HearStep>
    }
}

/// Plays the notice of a watch.
struct HearStep;

impl<A: Handler<Down>> Play<Bundle<A>, Heard> for HearStep {
    type Output = Result<(), A::Error>;

    async fn play(bundle: &mut Bundle<A>, Heard(notice): &Heard) -> Result<(), A::Error> {
        if let NoticeMeaning::Handle(down) = bundle.ctx.take_in(notice) {
            let witness = Witness::of::<A, Down>(&bundle.ctx);
            life::seen(witness, life::handle(&mut bundle.actor, down, &mut bundle.ctx)).await?;
        }
        Ok(())
    }
}

impl<A: Handler<Down>> Called<A, Heard> for HearStep {
    type Seen = Self;

    fn name() -> &'static str {
        "Down"
    }
}

/// The same, where the actor takes it.
struct TakeNotice;

impl<A: Takes<Down>> Play<Bundle<A>, Heard> for TakeNotice {
    type Output = Result<(), A::Error>;

    async fn play(bundle: &mut Bundle<A>, Heard(notice): &Heard) -> Result<(), A::Error> {
        if let NoticeMeaning::Handle(down) = bundle.ctx.take_in(notice) {
            let witness = Witness::of::<A, Down>(&bundle.ctx);
            life::seen(witness, life::take(&mut bundle.actor, down.clone(), &mut bundle.ctx)).await?;
        }
        Ok(())
    }
}

impl<A: Takes<Down>> Called<A, Heard> for TakeNotice {
    type Seen = Self;

    fn name() -> &'static str {
        "Down"
    }
}

/// Plays the notice of a dependency.
struct Break;

impl<A: Actor> Play<Bundle<A>, DependencyDown> for Break {
    type Output = Result<(), A::Error>;

    async fn play(bundle: &mut Bundle<A>, DependencyDown(notice): &DependencyDown) -> Result<(), A::Error> {
        if let NoticeMeaning::End(reason) = bundle.ctx.take_in(notice) {
            bundle.ctx.end_with(reason);
        }
        Ok(())
    }
}

impl<A: Actor> Called<A, DependencyDown> for Break {
    type Seen = Self;

    fn name() -> &'static str {
        "Down"
    }
}

impl<A: Actor> IsolateContext<A> {
    /// The turn of a notice has come.
    pub(crate) fn take_in<'a>(&self, notice: &'a EndNotice) -> NoticeMeaning<'a> {
        let seat = self.place().core().and_then(|core| seat_of::<A>(core, self.place().seat()));
        seat.map_or(NoticeMeaning::Nothing, |seat| seat.take_in(notice))
    }
}
