//! Isolates: deterministic buses on one thread, in virtual time.

mod apart;
mod beat;
mod block_on;
mod bounds;
mod changes;
mod core;
mod ends;
mod feed;
mod gauge;
mod handle;
mod inputs;
mod lane;
mod letters;
mod looks;
mod marks;
mod monitors;
mod names;
mod parked;
mod queue;
mod report;
mod retained;
mod room;
mod seat;
mod service;
mod shutdown;
mod signals;
mod steps;
mod sub;
mod subscriber;
mod timers;
mod topics;
mod tree;
mod waits;
mod wire;

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use mycelium_mailbox::wake;

use self::core::{Idle, IsolateCore};
use self::handle::seat_of;
use self::lane::LaneWay;
use self::service::ServiceSeat;
use self::signals::LoopSignals;
use self::steps::enter;

use crate::life::Origin;
use crate::stop::{Leash, StopFlag};
use crate::{
    Actor, ActorRef, Context, Service, ServiceRef, SpawnError, StopReason, Subscriptions, Timestamp,
};

pub use self::bounds::{DEFAULT_EVENTS_MAX, DEFAULT_RESUMPTIONS_MAX};
pub use self::core::QUEUE_CAPACITY;
pub(crate) use self::handle::{IsolateAsk, IsolateContext, IsolateRef, Place, Sleep, Tied, Unqueued};
pub use self::report::{IsolateStats, OnFailure, RunError, Waiting};
pub(crate) use self::seat::{ActorCell, AnySeat, seat_actor};
pub(crate) use self::service::seat_service;
pub(crate) use self::steps::{step, stepped};
pub(crate) use self::subscriber::{IsolateReceived, IsolateSubscriber};
pub(crate) use self::tree::IsolateTree;
pub(crate) use self::tree::{Factory, SeatSite};
pub use self::waits::WaitsFor;
use self::waits::remember;
pub(crate) use self::wire::{IsolateEars, WireLane, WireLaneOf};

/// Later than every timer: one at the end of time is never due.
const FOREVER: i64 = i64::MAX - 1;

/// The sender of what comes from outside all actors.
const OUTSIDE: u32 = u32::MAX;

/// A bus of its own whose actors run on the calling thread, in publish order, in virtual time.
///
/// The same inputs and seed give the same outputs, byte for byte, on any machine. Nothing is shared with
/// other isolates or with anything global, so thousands of them live side by side; one costs microseconds to
/// make.
///
/// Events are handled strictly in the order in which they were published or sent, whatever the topic. When
/// none waits, the clock jumps to the earliest timer. An `.await` on a timer, an answer or a full queue parks
/// that actor alone: what comes for it meanwhile waits, in order, under the policy of its subscription.
///
/// An await on anything from outside the isolate (a thread's answer, a socket) never becomes ready,
/// however soon it comes: when it comes depends on the machine. [`run`](Self::run) names the actor or
/// service that waits for it. One thing cannot be seen: code that asks without waiting, such as
/// `try_recv` on the channel of a thread: its results are the machine's.
///
/// ```
/// use mycelium::{Actor, BoxError, Context, Handler, Isolate, Message, Subscriptions};
///
/// #[derive(Clone, Copy, Debug)]
/// struct Tick(u64);
/// impl Message for Tick {
///     const NAME: &'static str = "Tick";
///     const TYPE_ID: u16 = 1;
///     const TOPIC: &'static str = "ticks";
/// }
///
/// #[derive(Default)]
/// struct Sum(u64);
/// impl Actor for Sum {
///     type Error = BoxError;
///     fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
///         topics.on::<Tick>();
///     }
/// }
/// impl Handler<Tick> for Sum {
///     async fn handle(&mut self, tick: &Tick, _ctx: &mut Context<Self>) -> Result<(), BoxError> {
///         self.0 += tick.0;
///         Ok(())
///     }
/// }
///
/// let mut isolate = Isolate::new(42);
/// let sum = isolate.spawn(Sum::default())?;
/// for n in 1..=10 {
///     isolate.publish(Tick(n))?;
/// }
/// isolate.run()?;
/// assert_eq!(isolate.take(&sum).unwrap().0, 55);
/// # Ok::<(), BoxError>(())
/// ```
pub struct Isolate {
    core: Rc<IsolateCore>,
    /// Seats that are to be resumed.
    woken: VecDeque<u32>,
    /// The last run, or a panic, has left some of them, who are before all that has come since.
    resumes: bool,
    /// It has left trees that were being tended, likewise.
    tends: bool,
    /// Seats that other threads woke since they were resumed last.
    foreign: BTreeSet<u32>,
    /// The ways of the core's lanes to their receivers, as last seen.
    ways: Vec<Box<dyn LaneWay>>,
}

impl Isolate {
    /// An empty isolate whose random numbers follow from `seed` and whose clock starts at zero.
    ///
    /// ```
    /// # use mycelium::Isolate;
    /// let isolate = Isolate::new(42);
    /// assert_eq!(isolate.now().as_nanos(), 0);
    /// ```
    pub fn new(seed: u64) -> Self {
        Self::starting_at(seed, Timestamp::ZERO)
    }

    /// An empty isolate whose clock starts at `now`; a nanosecond before the end of time, if that is meant,
    /// for it does not come.
    pub fn starting_at(seed: u64, now: Timestamp) -> Self {
        let (woken, foreign, ways, resumes, tends) = Default::default();
        let now = now.as_nanos().min(FOREVER);
        Self { core: Rc::new(IsolateCore::new(seed, now)), woken, foreign, ways, resumes, tends }
    }

    /// Ends a run with [`RunError::TooManyEvents`] once so many steps were taken in all, over all runs:
    /// messages handled, and resumptions of code after a wake-up, a timer or a wait that was over before it
    /// began. `u64::MAX` is no limit.
    ///
    /// A run ends between two steps, and another one goes on as if there had been no end. Code that is in the
    /// midst of a handler, or of a service between two waits, takes what steps it needs to its return first,
    /// all receivers of one message together up to 65,536 of them and one second of work by the wall clock:
    /// beyond that it waits for the next run, and others may come before it there.
    ///
    /// Without this call each run has three bounds: [`DEFAULT_EVENTS_MAX`] steps since it began,
    /// [`DEFAULT_RESUMPTIONS_MAX`] of them resumptions ([`RunError::TooManyResumptions`]), and a million
    /// resumptions at one moment without any message ([`RunError::Spinning`]). The first two count anew with
    /// each message of a [replay](crate::ServiceContext::replay) whose iterator knows how long it is at most,
    /// so that data may be of any size, and, in a run with an end ([`run_until`](Self::run_until),
    /// [`run_for`](Self::run_for)), with each second of virtual time.
    pub fn limit_events(&mut self, events_max: u64) {
        self.core.bounds.limit(events_max);
    }

    /// Sets the effect of a failure of an actor or service that is in no tree; by default the run ends. See
    /// [`OnFailure`].
    ///
    /// ```
    /// # use mycelium::{Isolate, OnFailure};
    /// let mut isolate = Isolate::new(42);
    /// isolate.on_failure(OnFailure::GoOn); // the others go on, as on a live bus
    /// ```
    pub fn on_failure(&mut self, on_failure: OnFailure) {
        self.core.on_failure.set(on_failure);
    }

    /// Ends runs with [`RunError::Stopped`] while this flag is set: it is looked at every few hundred steps,
    /// or about every ten milliseconds, if steps take so long. The run ends between two steps, as with
    /// [`limit_events`](Self::limit_events): once the flag is reset, another one comes to what a whole run
    /// would have come to. The isolates of a sweep
    /// ([`Trial::isolate`](crate::sweep::Trial::isolate)) look at the sweep's flag.
    ///
    /// ```
    /// # use mycelium::{Isolate, RunError, sweep::StopFlag};
    /// # use mycelium::{Actor, BoxError, Context, Handler};
    /// # struct Idle;
    /// # impl Actor for Idle { type Error = BoxError; }
    /// # impl Handler<u32> for Idle { async fn handle(&mut self, _: &u32, _: &mut Context<Self>) -> Result<(), BoxError> { Ok(()) } }
    /// let stop = StopFlag::new();
    /// let mut isolate = Isolate::new(42);
    /// let actor = isolate.spawn(Idle)?;
    /// isolate.stop_on(&stop);
    /// stop.stop(); // from any thread
    /// isolate.tell(&actor, 1)?;
    /// assert!(matches!(isolate.run(), Err(RunError::Stopped { .. })));
    /// stop.reset();
    /// assert_eq!(isolate.run()?.events, 1);
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn stop_on(&mut self, flag: &StopFlag) {
        self.hold(Leash::new(flag));
    }

    /// Has `asked` called about every thousand steps, between two of them, on the thread that runs the
    /// isolate, or about every ten milliseconds, if steps take so long. Where it returns true the run ends
    /// with [`RunError::Stopped`], and another run goes on. For a program that has to look at something by
    /// itself meanwhile, such as signals. The last one counts.
    ///
    /// ```
    /// # use mycelium::Isolate;
    /// # use std::time::{Duration, Instant};
    /// let mut isolate = Isolate::new(42);
    /// let begun = Instant::now();
    /// isolate.stop_when(move || begun.elapsed() > Duration::from_secs(60)); // of the wall clock
    /// ```
    pub fn stop_when(&mut self, asked: impl FnMut() -> bool + 'static) {
        self.core.bounds.stop_when(Box::new(asked));
    }

    pub(crate) fn hold(&mut self, leash: Arc<Leash>) {
        self.core.bounds.stop_on(leash);
    }

    /// Adds an actor. Its subscriptions are in force when this returns; `started` runs at the next
    /// [`run`](Self::run).
    ///
    /// ```
    /// # use mycelium::{Isolate, actor};
    /// # struct Sum(u64);
    /// # struct Total;
    /// # #[actor] impl Sum {
    /// #     #[on(direct)] fn add(&mut self, n: &u64) { self.0 += n; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// let mut isolate = Isolate::new(42); // the seed
    /// let sum = isolate.spawn(Sum(0))?;
    /// isolate.tell(&sum, 7)?;
    /// assert_eq!(isolate.ask(&sum, Total)?, 7);
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    ///
    /// # Errors
    /// [`SpawnError::DuplicateTypeId`] when one of its messages has a `TYPE_ID` that another type holds here.
    pub fn spawn<A: Actor>(&mut self, actor: A) -> Result<ActorRef<A>, SpawnError> {
        self.seat_actor(None, actor)
    }

    fn seat_actor<A: Actor>(&mut self, name: Option<&str>, actor: A) -> Result<ActorRef<A>, SpawnError> {
        self.free_seats();
        let wanted = Subscriptions::of(&actor).wanted;
        let (index, waker) = self.core.next_seat();
        let place = Place::new(&self.core, index);
        let ctx = Context::in_isolate(IsolateContext::new(place.clone()), self.core.names.origin::<A>(name));
        let seat = Rc::new(ActorCell::new(Rc::clone(&self.core), index, waker, actor, ctx));
        self.core.add_seat(Rc::clone(&seat) as Rc<dyn AnySeat>);
        // A handler of another isolate may call this.
        let subscribed = enter(&self.core, || wanted.iter().try_for_each(|wanted| wanted.in_isolate(&seat)));
        if let Err(error) = subscribed {
            // What it was given by then is among the dead letters, as live.
            seat.kill();
            seat.clear();
            return Err(error);
        }
        Ok(ActorRef::in_isolate(IsolateRef::new(place)))
    }

    /// Adds a service. Its loop begins at the next [`run`](Self::run).
    ///
    /// ```
    /// # use mycelium::{Isolate, Result, ServiceContext, service};
    /// # struct Once;
    /// # #[service] impl Once { async fn run(&mut self, _: &ServiceContext) -> Result { Ok(()) } }
    /// let mut isolate = Isolate::new(42);
    /// let once = isolate.spawn_service(Once)?;
    /// isolate.run()?;
    /// assert!(isolate.take_service(&once).is_some());
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    ///
    /// # Errors
    /// None at present; the signature is that of a live bus.
    pub fn spawn_service<S: Service>(&mut self, service: S) -> Result<ServiceRef<S>, SpawnError> {
        self.free_seats();
        let (index, waker) = self.core.next_seat();
        self.core.add_seat(Rc::new(ServiceSeat::new(&self.core, index, waker, service)));
        Ok(ServiceRef::in_isolate(Place::new(&self.core, index)))
    }

    /// Handles events and timers until nothing is left to do.
    ///
    /// A service without an end, such as one that beats every second, always has something left to do: there
    /// use [`run_until`](Self::run_until) or [`run_for`](Self::run_for).
    ///
    /// ```
    /// # use mycelium::{Isolate, Result, ServiceContext, service};
    /// # use std::time::Duration;
    /// struct Hour;
    /// #[service]
    /// impl Hour {
    ///     async fn run(&mut self, ctx: &ServiceContext) -> Result {
    ///         ctx.sleep(Duration::from_secs(3600)).await;
    ///         Ok(())
    ///     }
    /// }
    /// let mut isolate = Isolate::new(42);
    /// isolate.spawn_service(Hour)?;
    /// isolate.run()?;
    /// assert_eq!(isolate.now().as_nanos(), 3_600_000_000_000);
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    ///
    /// # Errors
    /// See [`RunError`]: an actor failed or panicked, a handler or service waits for something that cannot
    /// come (a service that waits for a message, to be stopped, for the end of an actor or for that of time
    /// is at rest), or the bound on the run was reached ([`limit_events`](Self::limit_events)).
    pub fn run(&mut self) -> Result<IsolateStats, RunError> {
        self.run_to(FOREVER)?;
        let seats = self.core.seats();
        let waiting: Vec<_> = seats.iter().filter_map(|(_, seat)| seat.waiting()).collect();
        let tasks = self.core.apart.tasks();
        if !waiting.is_empty() {
            Err(RunError::Stuck { waiting })
        } else if tasks > 0 {
            Err(RunError::Spawned { tasks })
        } else {
            Ok(self.stats())
        }
    }

    /// Handles events and timers up to and including the moment `until`. Afterwards the clock stands there,
    /// or where it stood if that is later.
    ///
    /// Handlers that wait are not looked for: what they wait for may come later.
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn run_until(&mut self, until: Timestamp) -> Result<IsolateStats, RunError> {
        // The end of time does not come.
        let until = until.as_nanos().min(FOREVER);
        self.run_to(until)?;
        self.core.now.set(self.core.now.get().max(until));
        Ok(self.stats())
    }

    /// Handles events and timers for so long on the isolate's clock: [`run_until`](Self::run_until) from now
    /// on.
    ///
    /// ```
    /// use mycelium::{BoxError, Isolate, Service, ServiceContext};
    /// use std::time::Duration;
    ///
    /// struct Heartbeat { beats: u64 }
    /// impl Service for Heartbeat {
    ///     type Error = BoxError;
    ///     async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
    ///         loop {
    ///             ctx.sleep(Duration::from_secs(1)).await;
    ///             self.beats += 1;
    ///         }
    ///     }
    /// }
    ///
    /// let mut isolate = Isolate::new(42);
    /// isolate.spawn_service(Heartbeat { beats: 0 })?;
    /// isolate.run_for(Duration::from_secs(3600))?;
    /// assert_eq!(isolate.now().as_nanos(), 3_600_000_000_000);
    /// # Ok::<(), BoxError>(())
    /// ```
    ///
    /// # Errors
    /// See [`RunError`].
    pub fn run_for(&mut self, time: Duration) -> Result<IsolateStats, RunError> {
        self.run_until(self.now() + time)
    }

    fn run_to(&mut self, until: i64) -> Result<(), RunError> {
        self.core.bounds.begin(until < FOREVER);
        self.go_on_to(until)
    }

    /// Runs within the bounds of the run that has begun.
    fn go_on_to(&mut self, until: i64) -> Result<(), RunError> {
        let core = Rc::clone(&self.core);
        let all = || {
            loop {
                match catch_unwind(AssertUnwindSafe(|| {
                    core.finish_delivery();
                    self.step_all(until)
                })) {
                    Ok(result) => return result,
                    Err(payload) => match (core.seat(core.running.get()), core.running.get()) {
                        (Some(seat), _) => seat.end(StopReason::of_panic(payload)),
                        (None, OUTSIDE) => resume_unwind(payload),
                        // Nothing is left of whose it was.
                        (None, _) => drop(StopReason::of_panic(payload)),
                    },
                }
            }
        };
        // Nobody polls it twice, so there is a result.
        let ended = core.apart.call(|| enter(&core, all)).unwrap_or(Err(RunError::Closed));
        if let Some(payload) = core.bounds.take_panic() {
            core.running.set(OUTSIDE);
            resume_unwind(payload);
        }
        ended
    }

    fn step_all(&mut self, until: i64) -> Result<(), RunError> {
        let Self { core, woken, foreign, ways, resumes, tends } = self;
        let core: &IsolateCore = core;
        let signals: &LoopSignals = core.signals();
        if !woken.is_empty() || core.has_told_trees() {
            // The last run, or a panic, has left them, or what was reported to the supervisors of trees.
            signals.raise();
        }
        loop {
            if signals.any() {
                if signals.halted() {
                    return Err(core.first_failure().unwrap_or(RunError::Closed));
                }
                if !std::mem::take(resumes) {
                    if !std::mem::take(tends) {
                        signals.take_woken(woken, foreign);
                        core.free_seats();
                        foreign.retain(|seat| core.seat(*seat).is_some());
                        core.renew_ways(ways);
                    }
                    if core.has_told_trees() {
                        *tends = true;
                        core.tend_trees().map_err(|over| core.over(over))?;
                        *tends = false;
                    }
                    if signals.take_pause() {
                        return Ok(());
                    }
                }
                resume_all(core, foreign, woken, resumes)?;
                core.end_overdrawn()?;
                continue;
            }
            let Some(event) = core.next() else {
                match core.idle(until) {
                    Idle::Event => {}
                    Idle::Resume(seat) => match core.take_step() {
                        Ok(()) => resume(core, foreign, seat)?,
                        Err(over) => {
                            core.enqueue_resume(seat);
                            return Err(core.over(over));
                        }
                    },
                    Idle::EndBatch(seat) => match core.take_step() {
                        Ok(()) => core.seat(seat).into_iter().for_each(|seat| seat.end_batch()),
                        Err(over) => {
                            core.put_back_batch(seat);
                            return Err(core.over(over));
                        }
                    },
                    Idle::Wake(waker) => wake(waker),
                    Idle::Over(over) => return Err(core.over(over)),
                    Idle::Done => return Ok(()),
                }
                continue;
            };
            if !core.bounds.has_step()
                && let Err(over) = core.look()
            {
                core.put_back(event);
                return Err(core.over(over));
            }
            // The mark of a resumption is no lane's index.
            let Some(way) = ways.get(event.lane as usize) else {
                core.bounds.count_resumption();
                resume(core, foreign, event.of)?;
                continue;
            };
            core.bounds.count_event();
            way.dispatch(event.of);
        }
    }

    /// Frees the seats of which nothing is left since the last run.
    fn free_seats(&self) {
        if self.core.has_leaving() {
            enter(&self.core, || self.core.free_seats());
        }
    }

    /// The reference, if it is one to an actor of this isolate.
    fn own<'a, A: Actor>(&self, actor: &'a ActorRef<A>) -> Option<&'a IsolateRef<A>> {
        actor.as_isolate().filter(|actor| actor.place.is_of(&self.core))
    }

    fn seat<A: Actor>(&self, actor: &ActorRef<A>) -> Option<Rc<ActorCell<A>>> {
        seat_of(&self.core, self.own(actor)?.place.seat())
    }
}

/// Lets the code in these seats go on, one by one: one whose handler panics, and the end of the run, leave
/// the others where they are, and `resumes` says so.
fn resume_all(
    core: &IsolateCore,
    foreign: &BTreeSet<u32>,
    woken: &mut VecDeque<u32>,
    resumes: &mut bool,
) -> Result<(), RunError> {
    *resumes = true;
    while !woken.is_empty() {
        core.take_step().map_err(|over| core.over(over))?;
        if let Some(seat) = woken.pop_front() {
            resume(core, foreign, seat)?;
        }
    }
    *resumes = false;
    Ok(())
}

/// Lets the code in a seat go on, unless another thread has woken it: that thread's answer may be there by
/// now or not.
fn resume(core: &IsolateCore, foreign: &BTreeSet<u32>, seat: u32) -> Result<(), RunError> {
    let index = seat;
    let Some(seat) = core.seat(seat) else { return Ok(()) };
    if foreign.contains(&index) && !seat.has_ended() {
        core.fail(RunError::ForeignWake { actor: core.identity_in(index), at: core.moment() });
        return Err(core.first_failure().unwrap_or(RunError::Closed));
    }
    seat.resume();
    Ok(())
}

impl Drop for Isolate {
    fn drop(&mut self) {
        // Actors hold the core and the core holds actors: this is where the circle is cut.
        self.ways.clear();
        self.core.dismantle();
    }
}

/// Drops messages that nobody reads any more, outside of every handler. A panic of a destructor, which the
/// panic hook has told, is nobody's and goes no further.
fn let_go<T>(messages: T) {
    let _ = StopReason::catch(|| drop(messages));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BoxError, Service, ServiceContext};

    struct Idle;
    impl Actor for Idle {
        type Error = BoxError;
    }

    /// Looks a thousand times whether the other has ended.
    struct Impatient(ActorRef<Idle>);
    impl Service for Impatient {
        type Error = BoxError;
        async fn run(&mut self, ctx: &ServiceContext) -> Result<(), BoxError> {
            for _ in 0..1_000 {
                tokio::select! {
                    biased;
                    _ = self.0.ended() => return Err("it has not ended".into()),
                    () = ctx.sleep(std::time::Duration::from_millis(1)) => {}
                }
            }
            Ok(())
        }
    }

    #[test]
    fn who_looks_again_and_again_waits_once() {
        let mut isolate = Isolate::new(1);
        let idle = isolate.spawn(Idle).unwrap();
        isolate.spawn_service(Impatient(idle.clone())).unwrap();
        isolate.run().unwrap();
        assert_eq!(isolate.seat(&idle).unwrap().wakers(), 1);
    }
}
