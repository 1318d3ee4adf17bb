//! Actors made of C functions.

use std::ffi::{CString, c_char, c_void};
use std::sync::Arc;
use std::time::Duration;

use mycelium::tree::{Child, Health, Redelivery, Restart, Shutdown};
use mycelium::{StopReason, Subscription, WireDelivery, WireMessage, WireTopics};
use mycelium_hosted::{ActorSpec, Behavior, Encoded, Failure, Runtime, Scope};

use crate::current::{enter, take_reply};
use crate::last::{Fault, c_text, failure_of};
use crate::pointers::{self, MyceliumMessage};
use crate::runtime::check_size;
use crate::subscribe::{MyceliumRelease, User};

/// When a child is restarted.
#[repr(i32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MyceliumRestart {
    /// Always.
    Permanent = 0,
    /// After a failure.
    Transient = 1,
    /// Never.
    Temporary = 2,
}

/// What an actor is made of. Set it to zero, then `size`, then what you want. Functions may be null, but for
/// `create`.
///
/// Each actor has a thread of its own, on which all functions but `release` are called, one at a time. Those
/// that return an `int32_t` return 0, or else the life ends and the supervisor decides: `return
/// mycelium_fail("why");`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct MyceliumActor {
    /// `sizeof(MyceliumActor)`.
    pub size: usize,
    /// Passed to `create`.
    pub user: *mut c_void,
    /// Makes the state of a new life. Null says that it failed, see `mycelium_fail`.
    pub create: Option<extern "C" fn(user: *mut c_void) -> *mut c_void>,
    /// Before the first message of a life.
    pub started: Option<extern "C" fn(state: *mut c_void) -> i32>,
    /// A message of one of its topics.
    pub message: Option<extern "C" fn(state: *mut c_void, message: *const MyceliumMessage) -> i32>,
    /// A message that was told to it. If this is null, the life ends on it.
    pub told: Option<extern "C" fn(state: *mut c_void, message: *const MyceliumMessage) -> i32>,
    /// A query, which it answers with `mycelium_reply`. A failure goes to whoever asked and ends nothing.
    pub query: Option<extern "C" fn(state: *mut c_void, query: *const MyceliumMessage) -> i32>,
    /// A timer of `mycelium_self_schedule`.
    pub timer: Option<extern "C" fn(state: *mut c_void, number: u64) -> i32>,
    /// The actor that it watches under this number has ended.
    pub down: Option<extern "C" fn(state: *mut c_void, number: u64, reason: *const c_char) -> i32>,
    /// After each batch of messages, but for one that the end of the life ends: `stopping` comes then alone.
    pub batch_ended: Option<extern "C" fn(state: *mut c_void) -> i32>,
    /// Before the end of a life that was told to stop, or failed.
    pub stopping: Option<extern "C" fn(state: *mut c_void, reason: *const c_char)>,
    /// Frees the state of a life.
    pub destroy: Option<extern "C" fn(state: *mut c_void)>,
    /// Called with `user` when no life will be made any more.
    pub release: MyceliumRelease,
    /// Topics whose messages it receives, as `mycelium_reader_create` takes them. Null for none.
    pub topics: *const c_char,
    /// What happens when its queue is full: one of `MYCELIUM_POLICY_*`.
    pub policy: i32,
    /// How many messages of a topic may wait; 0 for the usual.
    pub capacity: u32,
    /// When it is restarted: one of `MYCELIUM_RESTART_*`.
    pub restart: i32,
    /// How often a message on which it fails is tried in all. 0 and 1: once, and then it is a dead letter.
    pub attempts: u32,
    /// It is reported after so long without progress, and restarted if `heals` is not 0. 0: not looked at.
    pub stuck_after_ms: u64,
    /// See `stuck_after_ms`. A function that never returns cannot be ended.
    pub heals: i32,
    /// Whether it counts as started when it calls `mycelium_self_ready`, rather than when `started` has
    /// returned.
    pub ready_when_told: i32,
    /// How long it may take to end; 0 for 5 s.
    pub shutdown_ms: u64,
}

/// The functions, and the user's data that they share.
struct Functions {
    actor: MyceliumActor,
    user: User,
}

// SAFETY: the pointers in `actor` but `user` are functions, or were read when it was described. `user` is the
// caller's, who is told that functions are called on another thread.
unsafe impl Send for Functions {}
// SAFETY: as above; nothing in it changes.
unsafe impl Sync for Functions {}

/// One life.
struct Life {
    functions: Arc<Functions>,
    state: *mut c_void,
}

// SAFETY: the state is made, used and freed on the thread of its actor, and Rust does not look at it.
unsafe impl Send for Life {}

impl Drop for Life {
    fn drop(&mut self) {
        self.functions.actor.destroy.inspect(|destroy| destroy(self.state));
    }
}

impl Life {
    fn create(functions: &Arc<Functions>) -> Result<Box<dyn Behavior>, Failure> {
        let Some(create) = functions.actor.create else { return Err(Failure::new("`create` is null")) };
        let state = create(functions.user.at());
        if state.is_null() {
            failure_of(-1)?;
        }
        Ok(Box::new(Self { functions: Arc::clone(functions), state }))
    }

    /// Calls a function that is there.
    fn call<F: Copy>(
        &self,
        function: Option<F>,
        scope: &mut Scope<'_>,
        call: impl FnOnce(F, *mut c_void) -> i32,
    ) -> Result<(), Failure> {
        let Some(function) = function else { return Ok(()) };
        failure_of(enter(scope, || call(function, self.state)))
    }
}

impl Behavior for Life {
    fn started(&mut self, scope: &mut Scope<'_>) -> Result<(), Failure> {
        self.call(self.functions.actor.started, scope, |started, state| started(state))
    }

    fn message(&mut self, message: &WireDelivery<'_>, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let shown = MyceliumMessage::of(message);
        self.call(self.functions.actor.message, scope, |message, state| message(state, &raw const shown))
    }

    fn told(&mut self, told: &Encoded, scope: &mut Scope<'_>) -> Result<(), Failure> {
        if self.functions.actor.told.is_none() {
            return Err(Failure::new("this actor takes nothing that it is told: its `told` is null"));
        }
        let shown = MyceliumMessage::of_encoded(told);
        self.call(self.functions.actor.told, scope, |told, state| told(state, &raw const shown))
    }

    fn query(&mut self, query: &Encoded, scope: &mut Scope<'_>) -> Result<Encoded, Failure> {
        if self.functions.actor.query.is_none() {
            return Err(Failure::new("this actor answers nothing: its `query` is null"));
        }
        take_reply();
        let shown = MyceliumMessage::of_encoded(query);
        self.call(self.functions.actor.query, scope, |query, state| query(state, &raw const shown))?;
        take_reply()
            .ok_or_else(|| Failure::new("the actor's `query` has returned 0 and not called `mycelium_reply`"))
    }

    fn timer(&mut self, number: u64, scope: &mut Scope<'_>) -> Result<(), Failure> {
        self.call(self.functions.actor.timer, scope, |timer, state| timer(state, number))
    }

    fn down(&mut self, number: u64, reason: &StopReason, scope: &mut Scope<'_>) -> Result<(), Failure> {
        let reason = c_text(&reason.to_string());
        self.call(self.functions.actor.down, scope, |down, state| down(state, number, reason.as_ptr()))
    }

    fn batch_ended(&mut self, scope: &mut Scope<'_>) -> Result<(), Failure> {
        self.call(self.functions.actor.batch_ended, scope, |batch_ended, state| batch_ended(state))
    }

    fn stopping(&mut self, reason: &StopReason, scope: &mut Scope<'_>) {
        let reason: CString = c_text(&reason.to_string());
        if let Some(stopping) = self.functions.actor.stopping {
            enter(scope, || stopping(self.state, reason.as_ptr()));
        }
    }
}

/// What lives of this actor are made of, for a Rust program that hosts code in C: `restart` and those below
/// it are left to the child. The description is read as by `mycelium_supervisor_add_actor`.
///
/// # Errors
/// What is wrong with it.
///
/// # Safety
/// `actor` is null, or points to a description, whose functions may be called with `user` on any thread.
pub unsafe fn actor_spec(actor: *const MyceliumActor) -> Result<ActorSpec, Failure> {
    // SAFETY: the caller's rule is that of this function.
    let described = unsafe { Described::read(actor) };
    described.map(Described::spec).map_err(|fault| Failure::new(fault.to_string()))
}

/// A description that was read.
pub(crate) struct Described {
    functions: Arc<Functions>,
    subscribed: Option<(WireTopics, Subscription<WireMessage>)>,
    restart: Restart,
}

impl Described {
    /// Reads a description. All that it points to is copied, but for `user`, which is released also where
    /// this fails.
    pub(crate) unsafe fn read(actor: *const MyceliumActor) -> Result<Self, Fault> {
        // SAFETY: the caller passes null or something that begins with a size.
        let size = unsafe { pointers::read(actor.cast::<usize>(), "actor") }?;
        check_size(size, size_of::<MyceliumActor>(), "MyceliumActor")?;
        // SAFETY: it is not null, and says that it is as long as a description.
        let actor = unsafe { pointers::read(actor, "actor") }?;
        let functions = Arc::new(Functions { actor, user: User::new(actor.user, actor.release) });
        if actor.create.is_none() {
            return Err(Fault::argument("`create` is null: it makes the state of each life"));
        }
        let subscribed = if actor.topics.is_null() {
            None
        } else {
            // SAFETY: it is not null, so it is a text that ends with a zero byte.
            let topics = unsafe { pointers::topics(actor.topics) }?;
            Some((topics, pointers::subscription(actor.policy, actor.capacity)?))
        };
        let restart = match actor.restart {
            0 => Restart::Permanent,
            1 => Restart::Transient,
            2 => Restart::Temporary,
            other => {
                return Err(Fault::argument(format!("{other} is no restart: use one of MYCELIUM_RESTART_*")));
            }
        };
        Ok(Self { functions, subscribed, restart })
    }

    /// What its lives are made of.
    fn spec(self) -> ActorSpec {
        let Self { functions, subscribed, .. } = self;
        let spec = ActorSpec::new(move || Life::create(&functions));
        match subscribed {
            Some((topics, how)) => spec.on(topics, how),
            None => spec,
        }
    }

    /// The child that it describes.
    pub(crate) fn child(self, runtime: &Runtime, id: &str) -> Child {
        let (actor, restart) = (self.functions.actor, self.restart);
        let spec = self.spec();
        let redelivery = Redelivery::Retry { attempts: actor.attempts };
        let mut child = runtime.child(id, spec).restart(restart).redelivery(redelivery);
        if actor.stuck_after_ms > 0 {
            let health = Health::within(Duration::from_millis(actor.stuck_after_ms));
            child = child.health(if actor.heals == 0 { health } else { health.restart() });
        }
        if actor.shutdown_ms > 0 {
            child = child.shutdown(Shutdown::Timeout(Duration::from_millis(actor.shutdown_ms)));
        }
        if actor.ready_when_told == 0 { child } else { child.ready_when_told() }
    }
}
