//! The host of one supervisor live: its children are actors, services and processes on the bus, or
//! supervisors in tasks of their own.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use mycelium_mailbox::Stop;
use mycelium_supervisor as pure;
use pure::engine::{Answer, At, Begun, Estate, Host, Left, LifeId, Look, NodeId, Report};
use pure::{CallId, ChildRef, ChildSpec, ExitReason, Notice, Restart, Supervisor};

use super::care::Care;
use super::shared::{Replier, TreeShared};
use super::{Mail, OnReady};
use crate::error::KILL_GRACE;
use crate::live::{Member, within_grace};
use crate::rt::Instant;
use crate::sync::{Ordering, mpsc, oneshot};
use crate::tree::launch::{Launcher, Life, Site};
use crate::tree::observe::observe;
use crate::{PENDING_RESTARTS_MAX, SpawnError};

/// How many actors on their way out are remembered before those that have left are forgotten.
const LEAVING_MIN: usize = 64;

/// One life that runs.
pub(crate) struct Running {
    pub(super) life: Life,
    pub(super) care: Care,
}

/// An actor whose life is over: its mailbox fills, and it waits for its supervisor's word.
pub(crate) struct Suspended {
    pub(crate) actor: Arc<dyn Member>,
    pub(crate) word: oneshot::Sender<Word>,
}

/// What becomes of an actor that waits.
pub(crate) enum Word {
    /// It lives on as this child, of the supervisor that takes this mail.
    Live(ChildRef, mpsc::UnboundedSender<Mail>),
    /// It ends with its supervisor.
    ShutDown,
}

/// What one supervisor holds besides its engine.
pub(crate) struct Tasks {
    pub(super) shared: Arc<TreeShared>,
    post: mpsc::UnboundedSender<Mail>,
    on_ready: Option<OnReady>,
    pub(super) replies: HashMap<CallId, Replier>,
    /// Actors that were told that they get no other life, until they have ended.
    leaving: Vec<Arc<dyn Member>>,
    /// So many of them, and those that have ended are forgotten.
    leaving_max: usize,
    /// When it began: the times of its engine count from here.
    pub(super) epoch: Instant,
    /// How many restarts the bus has been told of.
    restarted: u64,
    /// The changes of who waits for a restart that the bus has been told of.
    backoffs: u64,
    /// A child could not start because the bus is closed.
    pub(super) met_closed_bus: bool,
    /// Those that ended by themselves before a kill of this supervisor.
    pub(super) ends: BTreeMap<ChildRef, ExitReason>,
    pub(super) end: Option<(ExitReason, Estate<Self>)>,
}

impl Tasks {
    pub(super) fn new(
        shared: &Arc<TreeShared>,
        post: mpsc::UnboundedSender<Mail>,
        on_ready: OnReady,
    ) -> Self {
        Self {
            shared: Arc::clone(shared),
            post,
            on_ready: Some(on_ready),
            replies: HashMap::new(),
            leaving: Vec::new(),
            leaving_max: LEAVING_MIN,
            epoch: Instant::now(),
            restarted: 0,
            backoffs: 0,
            met_closed_bus: false,
            ends: BTreeMap::new(),
            end: None,
        }
    }

    /// Whether all children have started once.
    pub(super) fn is_ready(&self) -> bool {
        self.on_ready.is_none()
    }

    /// Tells the bus what its statistics show of this supervisor: the restarts since the last time, and who
    /// waits for one.
    pub(super) fn tell_bus(&mut self, path: &Arc<str>, core: &Supervisor<Launcher>) {
        let changes = core.backoff_changes();
        if std::mem::replace(&mut self.backoffs, changes) != changes {
            let waiting = core.backoffs().take(PENDING_RESTARTS_MAX).filter_map(|(id, until)| {
                Some((format!("{path}/{id}").into(), self.epoch.checked_add(until)?))
            });
            self.shared.set_backoffs(path, waiting.collect());
        }
        let new = core.restarted() - std::mem::replace(&mut self.restarted, core.restarted());
        if new > 0 {
            self.shared.bus.core.restarts.fetch_add(new, Ordering::Relaxed);
        }
    }

    /// The supervisor at this path, whose tasks these are, is gone.
    pub(super) fn leave(&self, path: &str) {
        // One that could not be killed in time may have a successor there.
        if self.shared.is_supervisor(path, &self.post) {
            self.shared.starts.supervisor_ended(path);
            self.shared.pools.supervisor_ended(path);
        }
    }

    /// Waits until those have ended that were let go: then what waited for them is among the dead letters.
    /// Waits until killed processes are reaped, too.
    pub(super) async fn see_off(&mut self) {
        let leaving = std::mem::take(&mut self.leaving);
        let gone = async {
            for actor in &leaving {
                actor.ended().wait().await;
            }
            #[cfg(unix)]
            self.shared.groups.reaped().await;
        };
        // Nothing of theirs runs but their drops.
        within_grace(KILL_GRACE, gone).await;
    }
}

impl Host for Tasks {
    type Start = Launcher;
    type Body = Running;
    type Kept = Suspended;

    fn next_seed(&mut self) -> u64 {
        self.shared.next_seed()
    }

    fn start(
        &mut self,
        at: &At<'_, Self>,
        child: ChildRef,
        spec: &ChildSpec<Launcher>,
        left: &mut Option<Left<Self>>,
    ) -> Result<Begun<Self>, ExitReason> {
        // In place neither: what waits for another life ends with its supervisor.
        if self.shared.bus.core.is_closed() {
            self.met_closed_bus = true;
            return Err(ExitReason::Abnormal(SpawnError::Closed.to_string().into()));
        }
        if at.ending {
            return Err(ExitReason::ShutdownWith("its supervisor was told to end".into()));
        }
        let start = &spec.start;
        let site = Site {
            child,
            path: at.child_path(&spec.id),
            shared: Arc::clone(&self.shared),
            post: self.post.clone(),
            tells: start.tells,
            attempts_max: start.redelivery.attempts_max(),
            stop_stands: spec.restart != Restart::Permanent,
            probed: start.health.is_some(),
            thread: start.thread.clone(),
        };
        let life = start.launch(&site, left.take())?;
        if start.is_source() {
            self.shared.add_source(&site.path);
        }
        let care = Care::new(start.health.filter(|_| matches!(life, Life::Member(_))));
        Ok(Begun::Worker(Running { life, care }))
    }

    fn is_same(one: &Launcher, other: &Launcher) -> bool {
        one.is(other)
    }

    fn start_limit(start: &Launcher) -> Option<Duration> {
        start.start_timeout
    }

    fn stop(&mut self, _: LifeId, running: &Running, for_good: bool) {
        running.life.stop(for_good);
    }

    fn kill(&mut self, _: LifeId, running: &Running) -> Option<Duration> {
        running.life.kill();
        // A supervisor below has the same limit for its own children, and then says that it has ended.
        matches!(running.life, Life::Member(_)).then_some(KILL_GRACE)
    }

    fn give_up(&mut self, life: LifeId, running: &Running, verdict: &str) -> Option<Duration> {
        match &running.life {
            Life::Member(member) => {
                member.abort(verdict, None);
                // An actor that rests and has not said that it is ready: its mailbox goes to the next life.
                member.stop(Stop::Pause);
                Some(KILL_GRACE)
            }
            Life::Supervisor(_) => self.kill(life, running),
        }
    }

    fn abandon(&mut self, _: LifeId, _: Running, _: bool) {
        // It was killed before, see `Shell::kill_all`.
    }

    fn release(&mut self, kept: Suspended, asked: bool) {
        let Suspended { actor, word } = kept;
        if asked {
            // One that has been killed meanwhile has ended anyway.
            let _ = word.send(Word::ShutDown);
        }
        self.leaving.push(actor);
        if self.leaving.len() >= self.leaving_max {
            self.leaving.retain(|actor| !actor.ended().initialized());
            self.leaving_max = LEAVING_MIN.max(self.leaving.len() * 2);
        }
    }

    fn watch(&mut self, now: Duration, _: LifeId, running: &mut Running) -> Option<Duration> {
        match &running.life {
            Life::Member(member) => running.care.begin(&**member, now),
            Life::Supervisor(_) => None,
        }
    }

    fn look(&mut self, now: Duration, _: LifeId, running: &mut Running) -> Look {
        match &running.life {
            Life::Member(member) => running.care.look(&**member, now),
            Life::Supervisor(_) => Look { next: None, seen: None },
        }
    }

    fn reason(&self, reason: ExitReason, asked: bool) -> ExitReason {
        if asked && reason == ExitReason::Normal { ExitReason::Shutdown } else { reason }
    }

    fn post(&mut self, _: NodeId, report: Report<Self>) {
        // By way of the mailbox: a start that fails may be tried again very often, and others have a turn in
        // between.
        let _ = self.post.send(Mail::Report(report));
    }

    fn unheard_ends(&self, _: NodeId) -> BTreeMap<ChildRef, ExitReason> {
        self.ends.clone()
    }

    fn notice(&mut self, at: &At<'_, Self>, notice: &Notice) {
        if let Notice::GaveUp { id } = notice
            && !at.path.contains('/')
        {
            self.shared.give_up(at.child_path(id));
        }
        observe(at.path, notice, self.shared.observer());
    }

    fn reply(&mut self, at: &At<'_, Self>, call: CallId, answer: Answer<Self>) {
        // The asker may look at once.
        self.tell_bus(at.path, at.core);
        if let Some(waiting) = self.replies.remove(&call) {
            // The asker may have left.
            waiting.answer(answer);
        }
    }

    fn missed(&mut self, path: Arc<str>) {
        self.shared.add_missed(path);
    }

    fn forgotten(&mut self, at: &At<'_, Self>, id: &str) {
        // One that could not be killed in time may have a successor there.
        if self.shared.is_supervisor(at.path, &self.post) {
            self.shared.forget_child(&at.child_path(id));
        }
    }

    fn decided(&mut self, at: &At<'_, Self>) {
        self.shared.starts.decided(at);
        self.shared.pools.decided(at.path, at.ending, at.core);
    }

    fn gone(&mut self, at: &At<'_, Self>) {
        self.tell_bus(at.path, at.core);
        self.leave(at.path);
    }

    fn ready(&mut self) {
        if let Some(on_ready) = self.on_ready.take() {
            on_ready();
        }
    }

    fn ended(&mut self, reason: ExitReason, estate: Estate<Self>) {
        self.end = Some((reason, estate));
    }
}
