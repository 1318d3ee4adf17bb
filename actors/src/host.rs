//! The one module that knows kameo.
//!
//! kameo owns what runs in the task of each live actor, its lifecycle and its control mailbox. All actors are
//! one kameo actor type, [`Cell`], which overrides `next`: there our own queues are drained and handlers run,
//! and `next` returns only for a signal of kameo's own or at the actor's end. The following is how kameo
//! 0.22.2 behaves, as read in its sources:
//! - `next` runs inside `catch_unwind`: a panic reaches `on_panic`, and `Continue` from there calls `next`
//!   again on the same value. Panics of handlers do not come so far: see `Body::run` in `live/body.rs`.
//! - Its queue of signals keeps one waker, that of the last poll, and wakes it once. We give it one that
//!   marks the actor before it rings ([`Body::run`]), so that an actor looks there only when something has
//!   come.
//! - `kill` drops the future of `next` where it waits. `on_start` and `on_stop` cannot be killed, so neither
//!   runs user code here.
//! - An actor ends by itself when nobody holds a strong reference to it: each [`HostHandle`] is one, and the
//!   cell's own address holds a handle.
//! - The cell is moved several times through futures that reserve room for it: hence the box.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::ops::ControlFlow;
use std::pin::pin;
use std::task::Context as TaskContext;

use kameo::actor::{ActorRef, PreparedActor, WeakActorRef};
use kameo::error::{ActorStopReason, PanicError};
use kameo::mailbox::{self, MailboxReceiver, Signal};
use mycelium_mailbox::discard;
use tokio::task::coop::unconstrained;

use crate::live::{Body, enter, poll_code};
use crate::{Actor, StopReason, rt};

/// An actor with its place on a bus, as kameo sees it.
struct Cell<A: Actor>(Box<Body<A>>);

/// What a live actor's address needs of its host.
pub(crate) struct HostHandle<A: Actor>(ActorRef<Cell<A>>);

impl<A: Actor> Clone for HostHandle<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// A host without an actor in it yet.
pub(crate) struct Vacant<A: Actor>(PreparedActor<Cell<A>>);

impl<A: Actor> Vacant<A> {
    pub(crate) fn new() -> Self {
        Self(PreparedActor::new(mailbox::unbounded()))
    }

    pub(crate) fn handle(&self) -> HostHandle<A> {
        HostHandle(self.0.actor_ref().clone())
    }

    /// Starts the actor's task on the current runtime.
    pub(crate) fn occupy(self, body: Box<Body<A>>) {
        // A task of kameo's own keeps for its asks which actor runs, which costs each poll 94 instructions.
        drop(rt::spawn(self.0.run(Cell(body))));
    }
}

impl<A: Actor> HostHandle<A> {
    /// Drops the actor's code where it waits, at its task's next turn.
    pub(crate) fn kill(&self) {
        self.0.kill();
    }
}

impl<A: Actor> kameo::Actor for Cell<A> {
    type Args = Self;
    type Error = Infallible;

    // For kameo's logs, which are off. An actor's own name may be found in the text of its type, each time
    // anew.
    fn name() -> &'static str {
        "mycelium"
    }

    async fn on_start(cell: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(cell)
    }

    #[expect(
        clippy::manual_async_fn,
        reason = "an `async fn` keeps room for the unused reference, twice in each task"
    )]
    fn next(
        &mut self,
        _: WeakActorRef<Self>,
        control: &mut MailboxReceiver<Self>,
    ) -> impl Future<Output = Result<Option<Signal<Self>>, Infallible>> + Send {
        async {
            let (current, address) = (self.0.current(), self.0.address());
            // With a budget that is used up tokio would ring at once, again and again, until the task ends
            // its poll, which waits for nothing here.
            let recv =
                |cx: &mut TaskContext<'_>| pin!(unconstrained(poll_fn(|cx| control.poll_recv(cx)))).poll(cx);
            let mut run = pin!(self.0.run(recv));
            Ok(poll_fn(|cx| poll_code(current, &address.waits, || run.as_mut().poll(cx))).await)
        }
    }

    async fn on_panic(
        &mut self,
        _: WeakActorRef<Self>,
        error: PanicError,
    ) -> Result<ControlFlow<ActorStopReason>, Infallible> {
        let text = error.with_str(str::to_owned);
        self.0.panicked(&StopReason::from_panic_text(text.as_deref()));
        // A second panic, of what the first one was thrown with, would be the end of the actor.
        discard(error);
        // The body knows that it has to end, or to begin anew: its next turn does either.
        Ok(ControlFlow::Continue(()))
    }

    async fn on_stop(&mut self, _: WeakActorRef<Self>, _: ActorStopReason) -> Result<(), Infallible> {
        enter(self.0.current(), || self.0.finish());
        Ok(())
    }
}
