//! The one place where the handler of an actor is called, whatever the host and the way by which its message
//! came, and the probe that can look on.
//!
//! Nothing of it is there for an actor that no probe looks at: a live actor asks once for each batch of
//! messages, and one of an isolate when a way into it is made.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use crate::error::short_type_name;
use crate::{Actor, ActorId, Context, Handler, Replies, Responder, Takes};

/// Looks on while actors handle messages: for tracing, metrics or a recording. See
/// [`BusBuilder::probe`](crate::BusBuilder::probe) and [`Isolate::probe`](crate::Isolate::probe).
///
/// It runs on the thread of the actor and holds it up. A panic of its own is one of that actor.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use mycelium::{Actor, BoxError, Call, Context, Handler, Isolate, CallOutcome, Probe};
///
/// #[derive(Default)]
/// struct Trace(Mutex<Vec<String>>);
/// impl Probe for Trace {
///     fn ended(&self, call: &Call, outcome: &CallOutcome<'_>) {
///         self.0.lock().unwrap().push(format!("{}{} {} {outcome}", call.actor, call.id, call.message));
///     }
/// }
///
/// struct Echo;
/// impl Actor for Echo { type Error = BoxError; }
/// impl Handler<u32> for Echo {
///     async fn handle(&mut self, _: &u32, _: &mut Context<Self>) -> Result<(), BoxError> { Ok(()) }
/// }
/// let trace = Arc::new(Trace::default());
/// let mut isolate = Isolate::new(1);
/// isolate.probe(trace.clone());
/// let echo = isolate.spawn(Echo)?;
/// isolate.tell(&echo, 7)?;
/// isolate.run()?;
/// assert_eq!(*trace.0.lock().unwrap(), ["Echo#1 u32 is done"]);
/// # Ok::<(), BoxError>(())
/// ```
pub trait Probe: Send + Sync + 'static {
    /// A handler is about to be called.
    fn begins(&self, call: &Call) {
        let _ = call;
    }

    /// The call is over: exactly once for each that has begun, except when its task is leaked.
    fn ended(&self, call: &Call, outcome: &CallOutcome<'_>) {
        let _ = (call, outcome);
    }
}

/// One call of a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Call {
    /// The name of the actor's type; see [`Actor::name`].
    pub actor: &'static str,
    /// Which actor it is.
    pub id: ActorId,
    /// The name of the message's or query's type, without its path.
    pub message: &'static str,
}

/// How a call has ended.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum CallOutcome<'a> {
    /// The handler has returned `Ok`, or an answer.
    Done,
    /// It has returned this error.
    Failed(&'a dyn fmt::Display),
    /// It has panicked.
    Panicked,
    /// It was dropped where it waited: by a kill, by its supervisor, or with its runtime or isolate.
    Dropped,
}

impl fmt::Display for CallOutcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("is done"),
            Self::Failed(error) => write!(f, "failed: {error}"),
            Self::Panicked => f.write_str("panicked"),
            Self::Dropped => f.write_str("was dropped"),
        }
    }
}

impl fmt::Debug for CallOutcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Has an actor handle a message.
#[inline(always)]
pub(crate) fn handle<'a, A: Handler<M>, M>(
    actor: &'a mut A,
    message: &'a M,
    ctx: &'a mut Context<A>,
) -> impl Future<Output = Result<(), A::Error>> + Send + 'a {
    actor.handle(message, ctx)
}

/// Has an actor answer a query.
#[inline(always)]
pub(crate) fn answer<'a, A: Responder<Q>, Q>(
    actor: &'a mut A,
    query: &'a Q,
    ctx: &'a mut Context<A>,
) -> impl Future<Output = A::Reply> + Send + 'a {
    actor.answer(query, ctx)
}

/// Has an actor take a message.
#[inline(always)]
pub(crate) fn take<'a, A: Takes<M>, M: 'a>(
    actor: &'a mut A,
    message: M,
    ctx: &'a mut Context<A>,
) -> impl Future<Output = Result<(), A::Error>> + Send + 'a {
    actor.take(message, ctx)
}

/// Has an actor answer a query that it takes.
#[inline(always)]
pub(crate) fn reply<'a, A: Replies<Q>, Q: 'a>(
    actor: &'a mut A,
    query: Q,
    ctx: &'a mut Context<A>,
) -> impl Future<Output = A::Reply> + Send + 'a {
    actor.reply(query, ctx)
}

/// Tells a probe of one call.
pub(crate) struct Witness {
    probe: Arc<dyn Probe>,
    call: Call,
    has_ended: bool,
}

impl Witness {
    /// The call of the handler of an `M` begins, if anybody looks at this actor.
    pub(crate) fn of<A: Actor, M>(ctx: &Context<A>) -> Option<Self> {
        if !ctx.is_probed() {
            return None;
        }
        let probe = ctx.probe()?;
        let call = Call { actor: A::name(), id: ctx.id(), message: short_type_name::<M>() };
        probe.begins(&call);
        Some(Self { probe, call, has_ended: false })
    }

    pub(crate) fn ends(mut self, outcome: CallOutcome<'_>) {
        self.has_ended = true;
        self.probe.ended(&self.call, &outcome);
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if !self.has_ended {
            let panicking = std::thread::panicking();
            self.probe
                .ended(&self.call, if panicking { &CallOutcome::Panicked } else { &CallOutcome::Dropped });
        }
    }
}

/// Has a call seen to its end.
pub(crate) async fn seen<E: fmt::Display>(
    witness: Option<Witness>,
    calling: impl Future<Output = Result<(), E>>,
) -> Result<(), E> {
    let result = calling.await;
    if let Some(witness) = witness {
        witness.ends(result.as_ref().map_or_else(|error| CallOutcome::Failed(error), |()| CallOutcome::Done));
    }
    result
}
