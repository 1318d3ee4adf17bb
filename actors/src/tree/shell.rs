//! One supervisor live: a task that carries out what the pure core decides, and reports to it what comes of that.

mod alarm;
mod care;
mod parked;
mod shared;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use mycelium_supervisor as pure;
use pure::{
    Action, CALLS_MAX, CallId, ChildRef, ChildSpec, ChildStatus, Event, ExitReason, Notice, SpecError,
    StopHow,
};

use self::alarm::Alarm;
use self::care::{Care, Looks};
pub(crate) use self::parked::{Estate, Parked, Waits, Word};
pub(crate) use self::shared::{MISSED_MAX, MissedBefore, Placed, Shared};
use super::child::Builder;
use super::launch::{Launcher, Life, Site};
use super::observe::observe;
use crate::SpawnError;
use crate::live::Member;
use crate::rt::{self, Instant};
use crate::sync::{Ordering, mpsc, oneshot};

/// How long a killed child may take to be gone. Only code that never awaits takes longer, and no one can end that: its
/// supervisor goes on without it, and the tree's shutdown names it.
pub const KILL_GRACE: Duration = Duration::from_millis(500);

/// How long a supervisor rests before it deals with a restart that failed: tries without backoff do not keep a thread, and a
/// runtime that goes down takes the supervisor with it, before that is past its intensity.
const RETRY_PAUSE: Duration = Duration::from_millis(1);

/// A call and where its reply goes.
pub(crate) struct Request {
    pub(crate) call: pure::Call<Launcher>,
    pub(crate) reply: Replier,
}

type Replier = oneshot::Sender<Result<pure::Reply<Launcher>, pure::CallError>>;

/// From above.
pub(crate) enum Control {
    /// Told whether it ends for good, or may be restarted.
    Stop(bool),
    Kill,
}

/// From below.
pub(crate) enum Report {
    Started(ChildRef),
    /// It could not even be launched.
    Failed(ChildRef, ExitReason),
    /// An actor's life is over; the actor waits for another.
    Parked(ChildRef, ExitReason, oneshot::Sender<Word>),
    /// The child is gone for good.
    Gone(ChildRef, Option<ExitReason>),
    /// A supervisor has ended, and leaves actors behind that may live on.
    Left(ChildRef, ExitReason, Estate),
}

type OnExit = Box<dyn FnOnce(ExitReason, Estate) + Send>;
type OnReady = Box<dyn FnOnce() + Send>;

/// Starts the task of a supervisor, with what the one before it has left. It stops when the returned sender is dropped.
pub(crate) fn spawn_supervisor(
    builder: &Builder,
    path: &Arc<str>,
    shared: &Arc<Shared>,
    parked: Estate,
    on_ready: OnReady,
    on_exit: OnExit,
) -> Result<mpsc::UnboundedSender<Control>, SpecError> {
    let core = pure::Supervisor::new(builder.flags, builder.children.clone(), shared.next_seed())?;
    // One control message comes from each of few places, and one report from each life and change of it: children and
    // the intensity bound what waits here.
    let (control, controls) = mpsc::unbounded_channel();
    let (report, reports) = mpsc::unbounded_channel();
    let (call, calls) = mpsc::channel(CALLS_MAX);
    shared.add_supervisor(path, call.clone());
    let shell = Shell {
        path: Arc::clone(path),
        core,
        epoch: Instant::now(),
        shared: Arc::clone(shared),
        report,
        lives: HashMap::new(),
        busy: HashSet::new(),
        parked,
        leaving: Vec::new(),
        kills: VecDeque::new(),
        looks: Looks::new(),
        replies: HashMap::new(),
        next_call: 0,
        ending: false,
        // Nobody restarts the root.
        for_good: !path.contains('/'),
        exit: None,
        on_ready: Some(on_ready),
    };
    rt::spawn(async move {
        let path = Arc::clone(&shell.path);
        let shared = Arc::clone(&shell.shared);
        let (reason, estate) = shell.run(controls, reports, calls).await;
        shared.forget_supervisor(&path, &call);
        on_exit(reason, estate);
    });
    Ok(control)
}

/// One life that runs.
struct Running {
    life: Life,
    id: Arc<str>,
    from: Launcher,
    /// Told to stop.
    asked: bool,
    care: Care,
}

/// Why a life ended: its supervisor knows better when it was the one who ended it.
fn reason_of(running: &Running, reason: ExitReason) -> ExitReason {
    match &running.care.verdict {
        _ if running.asked && reason == ExitReason::Normal => ExitReason::Shutdown,
        Some(verdict) if !running.asked && (reason == ExitReason::Killed || !reason.is_abnormal()) => {
            ExitReason::Abnormal(Arc::clone(verdict))
        }
        _ => reason,
    }
}

struct Shell {
    path: Arc<str>,
    core: pure::Supervisor<Launcher>,
    epoch: Instant,
    shared: Arc<Shared>,
    report: mpsc::UnboundedSender<Report>,
    lives: HashMap<ChildRef, Running>,
    /// The lives that are starting or stopping.
    busy: HashSet<ChildRef>,
    /// Who waits for another life, in it or in that of its successor.
    parked: Estate,
    /// Those that were told that they get no other life, until they have ended.
    leaving: Vec<Arc<dyn Member>>,
    /// Who was killed, and until when we wait for it; earliest first.
    kills: VecDeque<(Instant, ChildRef)>,
    looks: Looks,
    replies: HashMap<CallId, Replier>,
    next_call: u64,
    /// Nothing that stops from now on is started again by this supervisor.
    ending: bool,
    /// It will not be restarted: what stops when it ends, ends with it.
    for_good: bool,
    exit: Option<ExitReason>,
    on_ready: Option<OnReady>,
}

impl Shell {
    async fn run(
        mut self,
        mut controls: mpsc::UnboundedReceiver<Control>,
        mut reports: mpsc::UnboundedReceiver<Report>,
        mut calls: mpsc::Receiver<Request>,
    ) -> (ExitReason, Estate) {
        self.step(Event::Init);
        let (mut controlled, mut alarm) = (true, Alarm::default());
        loop {
            if let Some(reason) = self.exit.take() {
                self.see_off().await;
                return (reason, std::mem::take(&mut self.parked));
            }
            let wake = self.wake();
            tokio::select! {
                biased;
                control = controls.recv(), if controlled => match control {
                    Some(Control::Kill) => return (self.kill_all(&mut reports).await, Estate::new()),
                    Some(Control::Stop(for_good)) => self.shut_down(for_good),
                    None => {
                        controlled = false;
                        self.shut_down(true);
                    }
                },
                Some(report) = reports.recv() => {
                    if self.is_failed_restart(&report) {
                        rt::sleep(RETRY_PAUSE).await;
                    }
                    self.on_report(report);
                }
                // Before the calls, of which there may be more at any time.
                () = alarm.ring_by(wake.unwrap_or(self.epoch)), if wake.is_some() => self.on_wake(),
                Some(request) = calls.recv() => self.on_request(request),
            }
        }
    }

    fn shut_down(&mut self, for_good: bool) {
        self.ending = true;
        self.for_good |= for_good;
        self.step(Event::Shutdown(ExitReason::Shutdown));
        // No shutdown hangs on a slow start; what would start after it fails at once, see `start`.
        self.step(Event::AbandonStart);
    }

    fn wake(&self) -> Option<Instant> {
        let core = self.core.next_wake().and_then(|at| self.epoch.checked_add(at));
        let kill = self.kills.front().map(|(at, _)| *at);
        let look = self.looks.first().map(|(at, _)| *at);
        core.into_iter().chain(kill).chain(look).min()
    }

    fn on_wake(&mut self) {
        let now = Instant::now();
        while let Some(&(at, child)) = self.kills.front()
            && at <= now
        {
            self.kills.pop_front();
            if let Some(running) = self.take(child) {
                running.life.kill();
                self.shared.miss(self.path_of(&running.id));
                let reason = reason_of(&running, ExitReason::Killed);
                self.step(Event::Exited(child, reason));
            }
        }
        self.look_around(now);
        self.step(Event::Wake);
    }

    fn is_failed_restart(&self, report: &Report) -> bool {
        let failed = match report {
            Report::Started(_) => false,
            Report::Failed(..) => true,
            Report::Parked(child, ..) | Report::Gone(child, _) | Report::Left(child, ..) => {
                self.busy.contains(child) && self.lives.get(child).is_some_and(|running| !running.asked)
            }
        };
        failed && self.on_ready.is_none() && !self.ending
    }

    fn on_report(&mut self, report: Report) {
        match report {
            Report::Started(child) => {
                if self.lives.get(&child).is_some_and(|running| !running.asked) {
                    self.busy.remove(&child);
                    self.care_for_started(child);
                }
                self.step(Event::Started(child));
            }
            Report::Failed(child, reason) => {
                self.busy.remove(&child);
                self.step(Event::StartFailed(child, reason));
            }
            Report::Parked(child, reason, word) => {
                // One that nobody knows any more is not answered, and ends.
                let Some(running) = self.take(child) else { return };
                let reason = reason_of(&running, reason);
                let Running { life, id, from, asked, .. } = running;
                if let Life::Member(actor) = life {
                    let what = Waits::Actor { actor, word, asked };
                    self.parked.insert(id, Parked { from, what });
                }
                self.step(Event::Exited(child, reason));
            }
            Report::Gone(child, reason) => {
                let Some(running) = self.take(child) else { return };
                let reason = reason.or_else(|| running.life.end()).unwrap_or(ExitReason::Killed);
                let reason = reason_of(&running, reason);
                self.step(Event::Exited(child, reason));
                self.forget_path(&running.id);
            }
            Report::Left(child, reason, estate) => {
                // Of one that nobody knows any more they end.
                let Some(running) = self.take(child) else { return self.let_go(estate) };
                let reason = reason_of(&running, reason);
                let Running { id, from, .. } = running;
                self.parked.insert(Arc::clone(&id), Parked { from, what: Waits::Tree(estate) });
                self.step(Event::Exited(child, reason));
                self.forget_path(&id);
            }
        }
    }

    fn on_request(&mut self, request: Request) {
        let id = CallId(self.next_call);
        self.next_call += 1;
        self.replies.insert(id, request.reply);
        self.step(Event::Call(id, request.call));
    }

    fn take(&mut self, child: ChildRef) -> Option<Running> {
        self.busy.remove(&child);
        let mut running = self.lives.remove(&child)?;
        self.forget_care(child, &mut running);
        Some(running)
    }

    /// Steps the core and carries out what it decides.
    fn step(&mut self, event: Event<Launcher>) {
        let mut events = VecDeque::from([event]);
        let mut actions = Vec::new();
        let restarted = self.core.restarted();
        while let Some(event) = events.pop_front() {
            self.core.step(self.epoch.elapsed(), event, &mut actions);
            for action in actions.drain(..) {
                self.act(action, &mut events);
            }
        }
        let restarted = self.core.restarted() - restarted;
        if restarted > 0 {
            self.shared.bus.core.restarts.fetch_add(restarted, Ordering::Relaxed);
        }
        self.release_parked();
    }

    fn act(&mut self, action: Action<Launcher>, events: &mut VecDeque<Event<Launcher>>) {
        match action {
            Action::Start { child, spec } => {
                if let Err(reason) = self.start(child, &spec) {
                    // On a closed bus there is no use in trying again.
                    if self.on_ready.is_none() && !self.ending && self.shared.bus.core.is_closed() {
                        self.ending = true;
                        events.push_back(Event::Shutdown(ExitReason::Shutdown));
                    }
                    // By way of the reports: it may be tried again very often, and others have a turn in between.
                    self.busy.insert(child);
                    let _ = self.report.send(Report::Failed(child, reason));
                }
            }
            Action::Stop { child, how } => self.stop(child, how),
            Action::Reply(id, reply) => {
                if let Some(waiting) = self.replies.remove(&id) {
                    // Whoever asked may have left.
                    let _ = waiting.send(reply);
                }
            }
            Action::Notice(notice) => self.tell(&notice),
            Action::Ready => {
                if let Some(on_ready) = self.on_ready.take() {
                    on_ready();
                }
            }
            Action::Exit(reason) => {
                if self.for_good {
                    self.let_all_go();
                }
                self.exit = Some(reason);
            }
        }
    }

    fn start(&mut self, child: ChildRef, spec: &ChildSpec<Launcher>) -> Result<(), ExitReason> {
        // In place neither: what waits for another life ends with its supervisor.
        if self.shared.bus.core.is_closed() {
            return Err(ExitReason::Abnormal(SpawnError::Closed.to_string().into()));
        }
        if self.ending {
            return Err(ExitReason::ShutdownWith("its supervisor was told to end".into()));
        }
        let site = Site {
            child,
            path: self.path_of(&spec.id),
            shared: Arc::clone(&self.shared),
            reports: self.report.clone(),
            tells: spec.start.tells,
            attempts_max: spec.start.in_hand.attempts_max(),
        };
        let parked = self.take_parked(&spec.id, &spec.start);
        let life = spec.start.launch(&site, parked)?;
        if spec.start.is_source() {
            self.shared.add_source(&site.path);
        }
        self.busy.insert(child);
        let (id, from) = (Arc::clone(&spec.id), spec.start.clone());
        self.lives.insert(child, Running { life, id, from, asked: false, care: Care::default() });
        self.care_for(child, &spec.start);
        Ok(())
    }

    fn stop(&mut self, child: ChildRef, how: StopHow) {
        let for_good = self.stops_for_good();
        let Some(running) = self.lives.get_mut(&child) else { return };
        self.busy.insert(child);
        let late = std::mem::replace(&mut running.asked, true);
        match how {
            StopHow::Shutdown => running.life.stop(for_good),
            StopHow::Kill => {
                running.life.kill();
                if matches!(running.life, Life::Member(_)) {
                    self.kills.push_back((Instant::now() + KILL_GRACE, child));
                }
                let id = Arc::clone(&running.id);
                if late {
                    self.shared.miss(self.path_of(&id));
                }
            }
        }
    }

    fn tell(&mut self, notice: &Notice) {
        if matches!(notice, Notice::GaveUp { .. } | Notice::AutoShutdown { .. }) {
            self.ending = true;
        }
        if let Notice::GaveUp { id } = notice
            && !self.path.contains('/')
        {
            self.shared.give_up(self.path_of(id));
        }
        observe(&self.path, notice, self.shared.observer());
    }

    /// Forgets the reference of a child that is no more.
    fn forget_path(&self, id: &Arc<str>) {
        if self.core.child(id).is_none() {
            self.shared.forget_child(&self.path_of(id));
        }
    }

    /// Ends everything below at once.
    async fn kill_all(mut self, reports: &mut mpsc::UnboundedReceiver<Report>) -> ExitReason {
        self.let_all_go();
        // Last started first, as they would be stopped.
        let children: Vec<ChildRef> = self.core.lives().collect();
        for running in children.iter().filter_map(|child| self.lives.get(child)) {
            if self.ending {
                // The time of a shutdown is over: they had theirs.
                match running.life {
                    Life::Member(_) => self.shared.miss(self.path_of(&running.id)),
                    Life::Supervisor(_) => running.life.stop(true),
                }
            }
            running.life.kill();
        }
        let deadline = Instant::now() + KILL_GRACE;
        let mut ended = HashMap::new();
        while !self.lives.is_empty() {
            let (child, reason) = match rt::timeout_at(deadline, reports.recv()).await {
                Ok(Some(Report::Gone(child, reason))) => (child, reason),
                Ok(Some(Report::Parked(child, reason, _))) => (child, Some(reason)),
                Ok(Some(Report::Left(child, reason, estate))) => {
                    self.let_go(estate);
                    (child, Some(reason))
                }
                Ok(Some(Report::Started(_) | Report::Failed(..))) => continue,
                Ok(None) | Err(_) => break,
            };
            ended.extend(self.take(child).map(|running| (child, (running, reason))));
        }
        for child in children {
            self.tell_of_killed(child, ended.remove(&child));
        }
        self.see_off().await;
        ExitReason::Killed
    }

    /// A child has ended with its supervisor, or has not, if nothing is known of its end.
    fn tell_of_killed(&mut self, child: ChildRef, ended: Option<(Running, Option<ExitReason>)>) {
        let (id, reason) = match ended {
            Some((running, reason)) => {
                let reason = reason.or_else(|| running.life.end()).unwrap_or(ExitReason::Killed);
                (Arc::clone(&running.id), reason_of(&running, reason))
            }
            None => {
                let Some(running) = self.lives.get(&child) else { return };
                let id = Arc::clone(&running.id);
                self.shared.miss(self.path_of(&id));
                (id, ExitReason::Killed)
            }
        };
        let starts = self.core.child(&id).is_some_and(|info| info.status == ChildStatus::Starting);
        match reason {
            // Nobody was told that it ran.
            _ if starts => {}
            ExitReason::Killed => self.tell(&Notice::Stopped { id, killed: true, reason }),
            // It came before the kill.
            _ => self.tell(&Notice::Exited { id, reason }),
        }
    }

    fn path_of(&self, id: &str) -> Arc<str> {
        format!("{}/{id}", self.path).into()
    }
}
