//! The one module that knows kameo.
//!
//! kameo owns the lifecycle of each live actor and its control mailbox. The task of an actor drives two
//! futures: kameo's, which is a lodger of one type for all actors ([`Lodger`]), and the actor's own, in which
//! our queues are drained and handlers run. kameo's future decides when the actor's task is over. It is
//! polled with a waker of its own ([`HostBell`]) and only when that was rung, so that a message, which rings
//! the mailbox's doorbell, passes through nothing of kameo. The following is how kameo 0.22.2 behaves, as
//! read in its sources:
//! - `kill` drops the future of `next` where it waits, and wakes kameo's future. The task then drops the
//!   actor's own where it waits. `on_start` and `on_stop` cannot be killed, so neither runs user code here.
//! - `next` is asked for the next signal. It has one where kameo's own queue has one, and else the end as
//!   soon as the actor's own future is over. Nobody outside of this module can put a signal there: the one
//!   that comes is kameo's own, which says that the actor has started.
//! - Once `next` is dropped or has the end, what is left of kameo's future waits for nothing: the actor has
//!   no children of kameo's, and nobody else holds the locks of its links.
//! - An actor ends by itself when nobody holds a strong reference to it: each [`HostHandle`] is one, and the
//!   actor's own address holds a handle.
//! - kameo's futures reserve room for an actor several times and move it from one to the next: hence a lodger
//!   of one pointer.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Wake, Waker};

use kameo::actor::{ActorRef, PreparedActor, WeakActorRef};
use kameo::mailbox::{self, MailboxReceiver, Signal};
use tokio::task::coop::unconstrained;

use crate::live::{Body, OwnCode, enter, poll_code};
use crate::sync::{AtomicBool, Ordering};
use crate::{Actor, rt};

/// What kameo sees of an actor.
struct Lodger(Arc<HostBell>);

/// What kameo's future of one actor is woken by.
///
/// `rung` is set before the task is woken, and taken back before kameo's future is polled, so a ring during
/// that poll leads to another one.
struct HostBell {
    rung: AtomicBool,
    /// The actor's own future is over. Written and read by its task alone.
    over: AtomicBool,
    /// Of the actor's task, which is the runtime's own and has the same one at each poll.
    task: Waker,
}

impl HostBell {
    /// Whether kameo's future is to be polled.
    #[inline]
    fn take_ring(&self) -> bool {
        self.rung.load(Ordering::Relaxed) && self.rung.swap(false, Ordering::AcqRel)
    }
}

impl Wake for HostBell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.rung.store(true, Ordering::Release);
        self.task.wake_by_ref();
    }
}

/// What a live actor's address needs of its host.
#[derive(Clone)]
pub(crate) struct HostHandle(ActorRef<Lodger>);

/// A host without an actor in it yet.
pub(crate) struct Vacant(PreparedActor<Lodger>);

impl Vacant {
    pub(crate) fn new() -> Self {
        Self(PreparedActor::new(mailbox::unbounded()))
    }

    pub(crate) fn handle(&self) -> HostHandle {
        HostHandle(self.0.actor_ref().clone())
    }

    /// Starts the actor's task on the current runtime.
    pub(crate) fn occupy<A: Actor>(self, body: Box<Body<A>>) {
        // A task of kameo's own keeps for its asks which actor runs, which costs each poll 94 instructions.
        drop(rt::spawn(tenancy(self.0, body)));
    }
}

impl HostHandle {
    /// Drops the actor's code where it waits, at its task's next turn.
    pub(crate) fn kill(&self) {
        self.0.kill();
    }
}

/// What the task of an actor does: the actor lives until its end, or until kameo ends it.
async fn tenancy<A: Actor>(host: PreparedActor<Lodger>, mut body: Box<Body<A>>) {
    let task = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
    let bell = Arc::new(HostBell { rung: AtomicBool::new(true), over: AtomicBool::new(false), task });
    let ring = Waker::from(Arc::clone(&bell));
    // With a budget that is used up tokio would ring at once, again and again, until the task ends its poll,
    // which waits for nothing here.
    // It is boxed because a task is moved several times before it lies where it runs.
    let mut host = Box::pin(unconstrained(host.run(Lodger(Arc::clone(&bell)))));
    // Any end of it is one.
    let mut poll_host = || host.as_mut().poll(&mut TaskContext::from_waker(&ring)).map(drop);
    let (current, address) = (body.current(), body.address());
    let killed = {
        let living = pin!(Some(body.live()));
        let mut living = OwnCode::new(current, living);
        poll_fn(|cx| {
            if bell.take_ring() && poll_host().is_ready() {
                return Poll::Ready(true);
            }
            // It is there until this is over.
            let Some(living) = living.as_mut().as_pin_mut() else { return Poll::Ready(false) };
            poll_code(current, &address.waits, || living.poll(cx)).map(|()| false)
        })
        .await
    };
    if !killed {
        bell.over.store(true, Ordering::Relaxed);
        poll_fn(|_| poll_host()).await;
    }
    enter(current, || body.finish());
}

impl kameo::Actor for Lodger {
    type Args = Self;
    type Error = Infallible;

    // For kameo's logs, which are off. An actor's own name may be found in the text of its type, each time
    // anew.
    fn name() -> &'static str {
        "mycelium"
    }

    async fn on_start(lodger: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(lodger)
    }

    // No `async fn`, which would keep room for the unused reference.
    fn next(
        &mut self,
        _: WeakActorRef<Self>,
        control: &mut MailboxReceiver<Self>,
    ) -> impl Future<Output = Result<Option<Signal<Self>>, Infallible>> + Send {
        poll_fn(move |cx| {
            if self.0.over.load(Ordering::Relaxed) {
                return Poll::Ready(Ok(None));
            }
            match control.poll_recv(cx) {
                Poll::Ready(Some(signal)) => Poll::Ready(Ok(Some(signal))),
                Poll::Ready(None) | Poll::Pending => Poll::Pending,
            }
        })
    }
}
