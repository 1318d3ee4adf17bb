//! One supervisor live: a task with one mailbox and one engine. Mail reaches the supervisor in the order in
//! which it was sent.

mod alarm;
mod care;
mod shared;
mod tasks;

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use mycelium_supervisor as pure;
use pure::engine::{self, Body, Engine, Left, ROOT, Report};
use pure::{CallId, ChildInfo, ChildRef, ChildStatus, Event, ExitReason, SpecError};

use self::alarm::TreeAlarm;
pub(crate) use self::shared::{Mailbox, Placed, Replier, TreeShared};
pub(crate) use self::tasks::{Suspended, Tasks, Word};
use super::builder::Builder;
use super::launch::{Launcher, Life, fitting};
use crate::StopReason;
use crate::error::KILL_GRACE;
use crate::live::{Control, within_grace};
use crate::rt::{self, Instant};
use crate::sync::{mpsc, oneshot};

/// How long a supervisor rests before it deals with a restart that failed: tries without backoff do not keep
/// a thread, and a runtime that goes down takes the supervisor with it, before that is past its intensity.
const RETRY_PAUSE: Duration = Duration::from_millis(1);

/// After so much mail in a row a supervisor looks whether something is due: mail may come for ever.
const MAIL_IN_A_ROW: u32 = 64;

/// What the children of a supervisor have left, by their ids.
pub(crate) type Estate = engine::Estate<Tasks>;

/// What reaches a supervisor.
pub(crate) enum Mail {
    Report(Report<Tasks>),
    /// An actor's life is over; the actor waits for another.
    Parked(ChildRef, ExitReason, oneshot::Sender<Word>),
    /// The child is gone for good; without a reason, for that of its end.
    Gone(ChildRef, Option<ExitReason>),
    Call(pure::Call<Launcher>, Replier),
    /// Somebody wants to know what the child of this id is doing.
    Look(Arc<str>, Replier<Option<ChildInfo>>),
    /// It is to end everything below at once.
    Kill,
}

impl Mail {
    pub(crate) fn started(child: ChildRef) -> Self {
        Self::Report(Report::Event(Event::Started(child)))
    }

    /// The life that is over by this, and why.
    fn end(&self) -> Option<(ChildRef, Option<&ExitReason>)> {
        match self {
            Self::Report(report) => report.end().map(|(child, reason)| (child, Some(reason))),
            Self::Parked(child, reason, _) => Some((*child, Some(reason))),
            Self::Gone(child, reason) => Some((*child, reason.as_ref())),
            Self::Call(..) | Self::Look(..) | Self::Kill => None,
        }
    }
}

/// How a supervisor is told to end. When the last clone is dropped, it ends for good.
#[derive(Clone)]
pub(crate) struct StopTether(Arc<Held>);

struct Held(mpsc::UnboundedSender<Mail>);

impl Drop for Held {
    fn drop(&mut self) {
        // Else it has ended.
        let _ = self.0.send(Mail::Report(Report::Stop { for_good: true }));
    }
}

impl StopTether {
    /// `for_good`: it will not be restarted.
    pub(crate) fn stop(&self, for_good: bool) {
        let _ = self.0.0.send(Mail::Report(Report::Stop { for_good }));
    }

    pub(crate) fn kill(&self) {
        let _ = self.0.0.send(Mail::Kill);
    }

    /// The same without holding it.
    pub(crate) fn loose(&self) -> Loose {
        Loose(self.0.0.clone())
    }
}

/// As a [`StopTether`], and its drop means nothing.
#[derive(Clone)]
pub(crate) struct Loose(mpsc::UnboundedSender<Mail>);

impl Control for Loose {
    fn stop(&self) {
        let _ = self.0.send(Mail::Report(Report::Stop { for_good: true }));
    }

    fn kill(&self) {
        let _ = self.0.send(Mail::Kill);
    }
}

type OnExit = Box<dyn FnOnce(ExitReason, Estate) + Send>;
type OnReady = Box<dyn FnOnce() + Send>;

/// Starts the task of a supervisor, with what the one before it has left.
pub(crate) fn spawn_supervisor(
    builder: &Builder,
    path: &Arc<str>,
    shared: &Arc<TreeShared>,
    estate: Estate,
    on_ready: OnReady,
    on_exit: OnExit,
) -> Result<StopTether, SpecError> {
    // Control comes from few places, reports from each life and change of it, calls as many as the mailbox
    // lets in: children and the intensity bound what waits here.
    let (post, mail) = mpsc::unbounded_channel();
    let mut tasks = Tasks::new(shared, post.clone(), on_ready);
    // Nobody restarts the root.
    let (for_good, children) = (!path.contains('/'), builder.children.clone());
    let engine = Engine::new(&mut tasks, Arc::clone(path), builder.flags, children, for_good, estate)?;
    let mailbox = Mailbox::new(post.clone());
    shared.add_supervisor(path, mailbox.clone());
    let epoch = tasks.epoch;
    let shell = Shell { path: Arc::clone(path), engine, epoch, tasks, next_call: 0 };
    let (path, shared) = (Arc::clone(path), Arc::clone(shared));
    let end = SupervisorEnd { path, shared, mailbox, on_exit };
    rt::spawn(async move {
        let (mut shell, mut mail) = (shell, mail);
        let ended = StopReason::caught(pin!(shell.run(&mut mail))).await;
        let (reason, estate) = match ended {
            Ok(ended) => ended,
            Err(panicked) => {
                // The end is told even if that panics: else the supervisor above would wait for it.
                let _ = StopReason::catch(|| shell.kill_lives());
                let _ = StopReason::catch(|| shell.tasks.leave(&shell.path));
                let verdict = format!("the supervisor has {panicked}");
                (ExitReason::Abnormal(verdict.into()), Estate::new())
            }
        };
        // Children and calls may hold users' values: a destructor that panics has been told of.
        let _ = StopReason::catch(|| drop(shell));
        let _ = StopReason::catch(|| drop(mail));
        end.tell(reason, estate);
    });
    Ok(StopTether(Arc::new(Held(post))))
}

/// The end of a supervisor's task, of which its starter is told. A runtime that goes down takes the
/// starter with it.
struct SupervisorEnd {
    path: Arc<str>,
    shared: Arc<TreeShared>,
    mailbox: Mailbox,
    on_exit: OnExit,
}

impl SupervisorEnd {
    fn tell(self, reason: ExitReason, estate: Estate) {
        self.shared.set_backoffs(&self.path, Vec::new());
        self.shared.forget_supervisor(&self.path, &self.mailbox);
        (self.on_exit)(reason, estate);
    }
}

struct Shell {
    path: Arc<str>,
    engine: Engine<Tasks>,
    epoch: Instant,
    tasks: Tasks,
    next_call: u64,
}

impl Shell {
    async fn run(&mut self, mail: &mut mpsc::UnboundedReceiver<Mail>) -> (ExitReason, Estate) {
        let (mut alarm, mut in_a_row) = (TreeAlarm::default(), 0_u32);
        loop {
            if let Some(end) = self.tasks.end.take() {
                self.tasks.see_off().await;
                return end;
            }
            let wake = self.engine.next_due().and_then(|at| self.epoch.checked_add(at));
            tokio::select! {
                biased;
                Some(mail_now) = mail.recv() => {
                    if let Mail::Kill = mail_now {
                        return (self.kill_all(mail).await, Estate::new());
                    }
                    if self.is_failed_restart(&mail_now) {
                        rt::sleep(RETRY_PAUSE).await;
                    }
                    self.on_mail(mail_now);
                    in_a_row += 1;
                    if in_a_row >= MAIL_IN_A_ROW {
                        in_a_row = 0;
                        self.fire_due();
                    }
                }
                () = alarm.ring_by(wake.unwrap_or(self.epoch)), if wake.is_some() => {
                    in_a_row = 0;
                    self.fire_due();
                }
            }
        }
    }

    fn fire_due(&mut self) {
        let now = self.epoch.elapsed();
        while self.engine.fire_due(now, &mut self.tasks) {}
        self.tell_bus();
    }

    fn handle(&mut self, report: Report<Tasks>) {
        self.engine.handle(self.epoch.elapsed(), &mut self.tasks, ROOT, report);
    }

    fn on_mail(&mut self, mail: Mail) {
        match mail {
            Mail::Report(Report::Stop { for_good }) => self.stop(for_good),
            Mail::Report(report) => self.handle(report),
            Mail::Parked(child, reason, word) => {
                // One that nobody knows any more is not answered, and ends.
                let Some(Life::Member(actor)) = self.life(child) else { return };
                let kept = Suspended { actor: Arc::clone(actor), word };
                self.handle(Report::Left(child, reason, Left::Worker(kept)));
            }
            Mail::Gone(child, reason) => {
                let reason = reason.or_else(|| self.life(child)?.end()).unwrap_or(ExitReason::Killed);
                self.handle(Report::Event(Event::Exited(child, reason)));
            }
            Mail::Call(call, reply) => {
                let id = CallId(self.next_call);
                self.next_call += 1;
                self.tasks.replies.insert(id, reply);
                let Some(node) = self.engine.node(ROOT) else { return };
                let call = fitting(call, node.core().flags().strategy);
                self.handle(Report::Event(Event::Call(id, call)));
            }
            Mail::Look(id, reply) => {
                reply.answer(self.engine.node(ROOT).and_then(|node| node.core().child(&id)));
            }
            Mail::Kill => {}
        }
        self.tell_bus();
        // On a closed bus there is no use in trying again.
        if std::mem::take(&mut self.tasks.met_closed_bus)
            && self.tasks.is_ready()
            && self.engine.node(ROOT).is_some_and(|node| !node.is_ending())
        {
            self.stop(false);
        }
    }

    fn stop(&mut self, for_good: bool) {
        self.handle(Report::Stop { for_good });
        // No shutdown hangs on a slow start; what would start after it fails at once, see `Tasks::start`.
        self.handle(Report::Event(Event::AbandonStart));
    }

    /// What statistics show of this supervisor.
    fn tell_bus(&mut self) {
        let Some(node) = self.engine.node(ROOT) else { return };
        self.tasks.tell_bus(&self.path, node.core());
    }

    fn life(&self, child: ChildRef) -> Option<&Life> {
        match self.engine.node(ROOT)?.body(child)? {
            Body::Worker(running) => Some(&running.life),
            Body::Node(_) => None,
        }
    }

    /// It has panicked, and leaves nobody behind without a supervisor.
    fn kill_lives(&self) {
        if let Some(node) = self.engine.node(ROOT) {
            let lives = node.core().lives().filter_map(|child| self.life(child));
            lives.for_each(|life| _ = StopReason::catch(|| life.kill()));
        }
    }

    fn is_failed_restart(&self, mail: &Mail) -> bool {
        let Some(node) = self.engine.node(ROOT) else { return false };
        let failed = match mail {
            Mail::Report(Report::Event(Event::StartFailed(..))) => true,
            mail => mail.end().is_some_and(|(child, _)| {
                let info = node.core().spec(child).and_then(|spec| node.core().child(&spec.id));
                info.is_some_and(|info| info.status == ChildStatus::Starting)
            }),
        };
        failed && self.tasks.is_ready() && !node.is_ending()
    }

    /// Ends everything below at once.
    async fn kill_all(&mut self, mail: &mut mpsc::UnboundedReceiver<Mail>) -> ExitReason {
        let mut open = Vec::new();
        if let Some(node) = self.engine.node(ROOT) {
            // Last started first, as they would be stopped.
            for child in node.core().lives() {
                let (Some(life), Some(spec)) = (self.life(child), node.core().spec(child)) else { continue };
                let path: Arc<str> = format!("{}/{}", self.path, spec.id).into();
                open.push((child, Arc::clone(&path)));
                if node.is_ending() {
                    // The time of a shutdown is over: they had theirs.
                    match life {
                        Life::Member(_) => self.tasks.shared.add_missed(path),
                        Life::Supervisor(leash) => leash.stop(true),
                    }
                }
                life.kill();
            }
        }
        if within_grace(KILL_GRACE, self.hear_ends(&mut open, mail)).await.is_none() {
            open.retain(|(child, path)| {
                let goes_on = matches!(self.life(*child), Some(Life::Supervisor(_)));
                if !goes_on {
                    self.tasks.shared.add_missed(Arc::clone(path));
                }
                goes_on
            });
            // A supervisor that code below keeps has not ended, and neither has this one before it.
            self.hear_ends(&mut open, mail).await;
        }
        self.engine.kill(&mut self.tasks, ROOT);
        self.tasks.see_off().await;
        ExitReason::Killed
    }

    /// Hears of the ends of these, until they have all ended.
    async fn hear_ends(
        &mut self,
        open: &mut Vec<(ChildRef, Arc<str>)>,
        mail: &mut mpsc::UnboundedReceiver<Mail>,
    ) {
        while !open.is_empty() {
            let Some(mail) = mail.recv().await else { break };
            let Some((child, reason)) = mail.end() else { continue };
            open.retain(|(other, _)| *other != child);
            let reason = reason.cloned().or_else(|| self.life(child)?.end()).unwrap_or(ExitReason::Killed);
            // One that came before the kill is told as it was.
            if reason != ExitReason::Killed {
                self.tasks.ends.insert(child, reason);
            }
            if let Mail::Report(Report::Left(_, _, left)) = mail {
                engine::release(&mut self.tasks, left, false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::launch::{Launch, Site, StartLeft};
    use crate::tree::live::LiveTree;
    use crate::tree::{Child, Supervisor};
    use crate::{Actor, BoxError, MessageBus};

    struct Idle;
    impl Actor for Idle {
        type Error = BoxError;
    }

    /// Panics where nothing of a user's runs.
    struct Faulty;
    impl Launch for Faulty {
        fn launch(&self, _: &Site, _: StartLeft) -> Result<Life, ExitReason> {
            panic!("a fault of the supervisor itself")
        }
    }

    /// The same when its child has failed once.
    struct FaultyLater(crate::tree::ActorLaunch<Failing>, std::sync::atomic::AtomicBool);
    impl Launch for FaultyLater {
        fn launch(&self, site: &Site, left: StartLeft) -> Result<Life, ExitReason> {
            let again = self.1.swap(true, std::sync::atomic::Ordering::SeqCst);
            assert!(!again, "a fault of the supervisor itself");
            self.0.launch(site, left)
        }
    }

    /// Fails at once.
    struct Failing;
    impl Actor for Failing {
        type Error = BoxError;
        async fn started(&mut self, ctx: &mut crate::Context<Self>) -> Result<(), BoxError> {
            ctx.stop();
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_root_that_panics_is_no_end_with_code_0() {
        let bus = MessageBus::new();
        let launch = FaultyLater(crate::tree::ActorLaunch::new(|| Failing), false.into());
        let root = Supervisor::builder("root").child(Child::launched("a", launch));
        let shared = Arc::new(TreeShared::new(bus.clone(), &root));
        let tree = LiveTree::start(&root, Arc::clone(&shared)).await.unwrap();
        let end = shared.run_end(tree.ended().await, Ok(()), false);
        assert!(matches!(end, crate::RunEnd::Failed { .. }), "{end}");
        assert_eq!(end.code(), crate::tree::EXIT_GAVE_UP);
        assert!(end.to_string().contains("a fault of the supervisor itself"), "{end}");
    }

    #[tokio::test]
    async fn a_supervisor_that_panics_has_failed_and_leaves_nobody_behind() {
        let bus = MessageBus::new();
        let below = Supervisor::builder("below").actor("a", || Idle).child(Child::launched("b", Faulty));
        let failed = Supervisor::builder("root").supervisor(below).start(&bus).await.unwrap_err();
        assert!(failed.to_string().contains("the supervisor has panicked"), "{failed}");
        while bus.alive() > 0 {
            tokio::task::yield_now().await;
        }
        let faulty = Supervisor::builder("root").child(Child::launched("b", Faulty));
        assert!(faulty.start(&bus).await.is_err());
        // Nobody waits for the start of the first child any more, nor for what follows it.
        let two = Supervisor::builder("root").actor("a", || Idle).child(Child::launched("b", Faulty));
        let shared = Arc::new(TreeShared::new(bus.clone(), &two));
        assert!(LiveTree::start(&two, Arc::clone(&shared)).await.is_err());
        assert!(!shared.starts.waits("root"));
        bus.shutdown().await.unwrap();
    }
}
