//! One supervisor as a state machine.
//!
//! A supervisor does one thing at a time, as OTP's does: start a child, stop a child, or rest
//! (`Phase::Idle`). Everything that reaches it goes into one mailbox and is dealt with in the order of
//! arrival, each when the supervisor rests: the exit of a life, a call, another try of a failed restart, a
//! shutdown. While it is busy it takes in only what it waits for: that the child which it starts has
//! started or failed, that the child which it stops has ended. An exit belongs to one life: when its turn
//! comes and that life was settled meanwhile, because its group was stopped, it means nothing. While a
//! child waits for its backoff the supervisor rests, so it answers.
//!
//! - `start` holds everything that begins a life, `stop` everything that ends one;
//! - `restart` decides what an exit leads to;
//! - `calls` serves the calls.

mod calls;
mod restart;
mod start;
mod stop;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::backoff::Jitter;
use crate::children::{Children, State};
use crate::message::{Action, Call, CallError, CallId, ChildInfo, ChildRef, Event, Notice};
use crate::reason::ExitReason;
use crate::spec::{ChildSpec, Flags, SpecError, Strategy, check};

use start::StartPurpose;
use stop::AfterStop;

/// Most calls that wait for a busy supervisor; further ones are refused as busy.
pub const CALLS_MAX: usize = 1_024;

/// A supervisor: events in, actions out. It knows neither clock nor task; the shell that drives it does.
///
/// `now` is the time since any moment the shell likes, never earlier than at the step before. The shell
/// carries out the actions in order, reports what comes of them as events, and steps with [`Event::Wake`]
/// when [`next_wake`](Supervisor::next_wake) is due. A child that is a supervisor is one of these again: the
/// shell turns its [`Action::Ready`] and [`Action::Exit`] into `Started`, `StartFailed` and `Exited` for the
/// parent, and the parent's [`Action::Stop`] into [`Event::Shutdown`] for the child. [`sim`](crate::sim) is
/// such a shell in virtual time.
///
/// The semantics are those of OTP's `supervisor`
/// ([manual](https://www.erlang.org/doc/apps/stdlib/supervisor.html),
/// [principles](https://www.erlang.org/doc/system/sup_princ.html)), with the differences of
/// `docs/otp-differences.md`.
///
/// ```
/// use mycelium_supervisor::{Action, ChildSpec, Event, ExitReason, Flags, Notice, Supervisor};
/// use std::time::Duration;
///
/// let mut tree = Supervisor::new(Flags::default(), vec![ChildSpec::worker("feed", "feed --live")], 0)?;
/// let mut actions = Vec::new();
///
/// tree.step(Duration::ZERO, Event::Init, &mut actions);
/// let Action::Start { child, spec } = actions.remove(0) else { panic!("it starts its child") };
/// assert_eq!(spec.start, "feed --live");
/// tree.step(Duration::ZERO, Event::Started(child), &mut actions);
/// assert_eq!(actions, [Action::Notice(Notice::Started { id: "feed".into(), again: false }), Action::Ready]);
///
/// // It crashes, and the supervisor starts it again.
/// actions.clear();
/// tree.step(Duration::from_secs(1), Event::Exited(child, ExitReason::Abnormal("no route".into())), &mut actions);
/// assert!(matches!(actions[..], [Action::Notice(Notice::Exited { .. }), Action::Start { .. }]));
/// # Ok::<(), mycelium_supervisor::SpecError>(())
/// ```
#[derive(Debug)]
pub struct Supervisor<F> {
    flags: Flags,
    children: Children<F>,
    /// What instances are made of, under `simple_one_for_one`.
    template: Option<Arc<ChildSpec<F>>>,
    instances_named: u64,
    restarts: VecDeque<Duration>,
    restarted: u64,
    jitter: Jitter,
    phase: Phase,
    mailbox: VecDeque<Mail<F>>,
    /// How many of the mailbox are calls.
    calls: usize,
    /// A shutdown is in the mailbox: nothing that comes after it has a turn.
    told_to_end: bool,
}

/// What the supervisor is doing.
#[derive(Debug)]
enum Phase {
    New,
    Idle,
    Starting {
        key: u64,
        purpose: StartPurpose,
    },
    /// Stops the children from the last before `cursor` down to `first`; `key` is the one being waited for.
    Stopping {
        key: u64,
        first: u64,
        cursor: u64,
        deadline: Option<Duration>,
        then: AfterStop,
    },
    /// Stops all instances of a simple-one-for-one at once; `left` of them are not gone yet.
    StoppingAll {
        left: usize,
        deadline: Option<Duration>,
        reason: ExitReason,
    },
    Ended,
}

/// What has its turn when the supervisor rests.
///
/// Children bound the exits, `CALLS_MAX` the calls. A try comes of a failed start, which has used up an exit
/// or a try.
#[derive(Debug)]
enum Mail<F> {
    Exited(ChildRef),
    Call(CallId, Call<F>),
    /// The restart of the child of this id failed: OTP casts this to itself.
    TryAgain(Arc<str>),
    Shutdown(ExitReason),
}

/// The time of a step and where its actions go.
struct Step<'a, F> {
    now: Duration,
    out: &'a mut Vec<Action<F>>,
}

impl<F> Step<'_, F> {
    fn act(&mut self, action: Action<F>) {
        self.out.push(action);
    }

    fn tell(&mut self, notice: Notice) {
        self.out.push(Action::Notice(notice));
    }
}

impl<F: Clone> Supervisor<F> {
    /// A supervisor that has not started yet. `seed` feeds the jitter of its backoff and nothing else.
    ///
    /// ```
    /// use mycelium_supervisor::{ChildSpec, Flags, SpecError, Supervisor};
    ///
    /// let twice = vec![ChildSpec::worker("feed", ()), ChildSpec::worker("feed", ())];
    /// let error = Supervisor::new(Flags::default(), twice, 0).expect_err("ids are unique");
    /// assert_eq!(error, SpecError::DuplicateId { id: "feed".into() });
    /// ```
    ///
    /// # Errors
    /// The first value that the checks of [`check`](crate::check) refuse.
    pub fn new(flags: Flags, children: Vec<ChildSpec<F>>, seed: u64) -> Result<Self, SpecError> {
        check(&flags, &children)?;
        let mut supervisor = Self {
            flags,
            children: Children::new(),
            template: None,
            instances_named: 0,
            restarts: VecDeque::new(),
            restarted: 0,
            jitter: Jitter::new(seed),
            phase: Phase::New,
            mailbox: VecDeque::new(),
            calls: 0,
            told_to_end: false,
        };
        for spec in children {
            let spec = Arc::new(spec);
            if flags.strategy == Strategy::SimpleOneForOne {
                supervisor.template = Some(spec);
            } else {
                supervisor.children.declare(spec);
            }
        }
        Ok(supervisor)
    }

    /// Takes in one event and appends what is to be done to `actions`. See [`Supervisor`] for an example.
    pub fn step(&mut self, now: Duration, event: Event<F>, actions: &mut Vec<Action<F>>) {
        let step = &mut Step { now, out: actions };
        match event {
            Event::Init => {
                if matches!(self.phase, Phase::New) {
                    self.start_next(step, 0, StartPurpose::Init);
                }
            }
            Event::Started(child) => self.on_started(step, child),
            Event::Ignored(child) => self.on_ignored(step, child),
            Event::StartFailed(child, reason) => self.on_start_failed(step, child, reason),
            Event::Exited(child, reason) => self.on_exited(step, child, reason),
            Event::Wake => self.on_wake(step),
            Event::Call(id, call) => self.on_call(step, id, call),
            Event::Shutdown(reason) => self.on_shutdown(step, reason),
            Event::AbandonStart => self.abandon_start(step),
        }
        while matches!(self.phase, Phase::Idle)
            && let Some(mail) = self.mailbox.pop_front()
        {
            match mail {
                Mail::Exited(child) => self.handle_exit(step, child),
                Mail::Call(id, call) => {
                    self.calls -= 1;
                    self.handle_call(step, id, call);
                }
                Mail::TryAgain(id) => self.try_again(step, &id),
                Mail::Shutdown(reason) => self.begin_exit(step, reason),
            }
        }
    }

    fn on_exited(&mut self, step: &mut Step<'_, F>, child: ChildRef, reason: ExitReason) {
        let Some(slot) = self.children.alive(child) else { return };
        let id = slot.spec.id.clone();
        match *slot.state() {
            State::Starting { .. } => self.on_start_failed(step, child, reason),
            State::Stopping { killed, .. } => self.on_stopped(step, child.slot, killed, reason),
            State::Running { life, since } => {
                step.tell(Notice::Exited { id, reason: reason.clone() });
                let ran = step.now.saturating_sub(since);
                self.children.set_state(child.slot, State::Ended { life, reason, ran });
                self.post(Mail::Exited(child));
            }
            // None of these has a life, so `alive` knows none of them.
            State::Down | State::Ended { .. } | State::Retrying { .. } | State::Waiting { .. } => {}
        }
    }

    /// Puts into the mailbox what has a turn.
    fn post(&mut self, mail: Mail<F>) {
        if !self.is_ending() && !self.told_to_end {
            self.mailbox.push_back(mail);
        }
    }

    fn on_call(&mut self, step: &mut Step<'_, F>, id: CallId, call: Call<F>) {
        if self.is_ending() || self.told_to_end {
            step.act(Action::Reply(id, Err(CallError::Stopping)));
        } else if self.calls >= CALLS_MAX {
            step.act(Action::Reply(id, Err(CallError::Busy)));
        } else {
            self.calls += 1;
            self.post(Mail::Call(id, call));
        }
    }

    fn on_shutdown(&mut self, step: &mut Step<'_, F>, reason: ExitReason) {
        if matches!(self.phase, Phase::New) {
            self.begin_exit(step, reason);
        } else {
            self.post(Mail::Shutdown(reason));
            self.told_to_end = true;
        }
    }

    fn on_wake(&mut self, step: &mut Step<'_, F>) {
        match self.phase {
            Phase::Stopping { deadline: Some(at), .. } | Phase::StoppingAll { deadline: Some(at), .. }
                if at <= step.now =>
            {
                self.kill_late(step);
            }
            Phase::Idle => self.restart_due(step),
            _ => {}
        }
    }
}

impl<F> Supervisor<F> {
    /// When [`Event::Wake`] is due, if ever: a backoff or a shutdown time that runs out. It may lie in the
    /// past, then it is due at once, after whatever else waits for this supervisor.
    ///
    /// ```
    /// use mycelium_supervisor::{ChildSpec, Flags, Supervisor};
    /// let tree = Supervisor::new(Flags::default(), vec![ChildSpec::worker("feed", ())], 0)?;
    /// assert_eq!(tree.next_wake(), None);
    /// # Ok::<(), mycelium_supervisor::SpecError>(())
    /// ```
    #[must_use]
    pub fn next_wake(&self) -> Option<Duration> {
        match &self.phase {
            Phase::Idle => self.children.next_wait().map(|(until, _)| until),
            Phase::Stopping { deadline, .. } | Phase::StoppingAll { deadline, .. } => *deadline,
            Phase::New | Phase::Starting { .. } | Phase::Ended => None,
        }
    }

    /// The flags it was made with.
    #[must_use]
    pub fn flags(&self) -> &Flags {
        &self.flags
    }

    /// How often it has started a child anew that had ended, or that a group's restart had stopped. Calls do
    /// not count, nor do restarts whose start failed.
    #[must_use]
    pub fn restarted(&self) -> u64 {
        self.restarted
    }

    /// The children that wait for their restart, by their ids, and until when: the one whose turn comes first
    /// in front.
    pub fn backoffs(&self) -> impl Iterator<Item = (&Arc<str>, Duration)> {
        self.children.waits()
    }

    /// Rises whenever [`backoffs`](Self::backoffs) change.
    #[must_use]
    pub fn backoff_changes(&self) -> u64 {
        self.children.wait_changes()
    }

    /// Whether [`Action::Exit`] was given: no child is left, and events change nothing any more.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        matches!(self.phase, Phase::Ended)
    }

    /// Whether it neither starts nor stops a child.
    #[must_use]
    pub fn rests(&self) -> bool {
        matches!(self.phase, Phase::New | Phase::Idle | Phase::Ended)
    }

    /// The child whose start it waits for, and its id.
    #[must_use]
    pub fn starting_child(&self) -> Option<(ChildRef, &Arc<str>)> {
        let Phase::Starting { key, .. } = self.phase else { return None };
        let slot = self.children.get(key)?;
        Some((ChildRef { slot: key, life: slot.state().life()? }, &slot.spec.id))
    }

    /// The children at this moment, last started first, without waiting for the supervisor to rest.
    pub fn children(&self) -> impl Iterator<Item = ChildInfo> {
        self.children.reversed().map(|(key, slot)| Children::info(key, slot))
    }

    /// The child of this id at this moment.
    #[must_use]
    pub fn child(&self, id: &str) -> Option<ChildInfo> {
        let key = self.children.key(id)?;
        self.children.get(key).map(|slot| Children::info(key, slot))
    }

    /// Whether the child of this id has no life, and comes to none before a call asks for it: it is not
    /// there, or down, no exit of it waits to be dealt with, and it is in no group that starts again. Of a
    /// supervisor that ends, all are down that have ended.
    #[must_use]
    pub fn is_down(&self, id: &str) -> bool {
        self.is_down_of(id, self.group_that_comes())
    }

    /// The same where the group that starts again is known.
    pub(crate) fn is_down_of(&self, id: &str, group: Option<u64>) -> bool {
        let Some(key) = self.children.key(id) else { return true };
        let is_down = self.children.get(key).is_none_or(|slot| matches!(slot.state(), State::Down));
        is_down && group.is_none_or(|first| key < first)
    }

    /// From which child on those that are down start with others: with their supervisor, or with the one of
    /// their group that has failed. Under simple one-for-one and one-for-one there is such a time only while
    /// the supervisor itself starts.
    pub(crate) fn group_that_comes(&self) -> Option<u64> {
        let all = |purpose: &StartPurpose| matches!(purpose, StartPurpose::Init | StartPurpose::Group);
        match &self.phase {
            Phase::New => Some(0),
            Phase::Starting { purpose, .. } => all(purpose).then_some(0),
            Phase::Stopping { then, .. } => match then {
                AfterStop::Group { .. } | AfterStop::FailStart(StartPurpose::Group) => Some(0),
                AfterStop::FailStart(_) | AfterStop::Reply(_) | AfterStop::Exit(_) => None,
            },
            Phase::Idle if matches!(self.flags.strategy, Strategy::OneForAll | Strategy::RestForOne) => {
                let waiting = self.children.reversed().filter(|(_, slot)| slot.state().comes_again());
                waiting.map(|(culprit, _)| self.group_start(culprit)).min()
            }
            Phase::Idle | Phase::StoppingAll { .. } | Phase::Ended => None,
        }
    }

    /// The first of the group that starts again with this one.
    fn group_start(&self, culprit: u64) -> u64 {
        if self.flags.strategy == Strategy::OneForAll { 0 } else { culprit }
    }

    /// The children that calls have added: those which it did not begin with.
    pub(crate) fn added(&self) -> impl Iterator<Item = &Arc<str>> {
        self.children.added()
    }

    /// The lives that the shell still holds, last started first: what must be killed when this supervisor is.
    pub fn lives(&self) -> impl Iterator<Item = ChildRef> {
        self.children
            .reversed()
            .filter_map(|(slot, child)| Some(ChildRef { slot, life: child.state().life()? }))
    }

    /// The life of the child of this id that the shell still holds, whatever the child is doing.
    #[must_use]
    pub fn life(&self, id: &str) -> Option<ChildRef> {
        let slot = self.children.key(id)?;
        let life = self.children.get(slot)?.state().life()?;
        Some(ChildRef { slot, life })
    }

    /// The specification of a live child.
    #[must_use]
    pub fn spec(&self, child: ChildRef) -> Option<&Arc<ChildSpec<F>>> {
        self.children.alive(child).map(|slot| &slot.spec)
    }

    /// What instances are made of, if this one is simple-one-for-one.
    pub(crate) fn template(&self) -> Option<&ChildSpec<F>> {
        self.template.as_deref()
    }

    fn is_simple(&self) -> bool {
        self.flags.strategy == Strategy::SimpleOneForOne
    }

    fn is_ending(&self) -> bool {
        matches!(
            self.phase,
            Phase::Ended | Phase::StoppingAll { .. } | Phase::Stopping { then: AfterStop::Exit(_), .. }
        )
    }
}
