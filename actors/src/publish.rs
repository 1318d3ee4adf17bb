//! The future of a publish.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use mycelium_mailbox::{Aside, Held, Publishing};

use crate::isolate::Place;
use crate::live::{CancelPoint, Outlet, poll_publishing, poll_turn};
use crate::routing::Published;
use crate::{Message, PublishError};

/// Publishes when it is awaited: see [`Context::publish`](crate::Context::publish).
///
/// A type of its own rather than an `async fn`, so that the message is moved once from here into its queue.
// In C's order: with the message behind the rest, compilers copy it twice. A publish in an isolate costs
// about as much as its writes to memory, so there are few: where it goes, which is there as long as the
// message is, and one word more.
#[must_use = "nothing is published before this is awaited"]
#[repr(C)]
pub struct Publish<'a, M: Message> {
    message: Held<M, Through<'a>>,
    /// Begun by the first poll of a live one. Its drop is not for the handlers' code, which drop this after
    /// each publish in an isolate as well, and would copy the outcome if it unwound.
    live: Option<Aside<Live<'a, M>, M>>,
}

/// A live publish that was polled.
struct Live<'a, M: Message> {
    /// Begun, if it has had its turn.
    publishing: Option<Publishing<'a, M>>,
    at: Option<CancelPoint>,
}

/// Where it goes. Tagged by a byte of its own, which is looked at for every message.
#[repr(u8)]
pub(crate) enum Through<'a> {
    Isolate(&'a Place),
    Live(&'a Outlet),
    Direct(&'a mut Published),
}

impl<'a, M: Message> Publish<'a, M> {
    #[inline(always)]
    pub(crate) fn new(message: M, through: Through<'a>) -> Self {
        Self { message: Held::new(message, through), live: None }
    }
}

// The message is never pinned: it is moved into its queue.
impl<M: Message> Unpin for Publish<'_, M> {}

impl<M: Message> Future for Publish<'_, M> {
    type Output = Result<(), PublishError<M>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let publish = self.get_mut();
        // What an isolate's actor nearly always finds, before and apart from everything else.
        if let Some(Through::Isolate(place)) = publish.message.with()
            && let place = *place
            && place.has_published(&mut publish.message)
        {
            return Poll::Ready(Ok(()));
        }
        publish.poll_others(cx)
    }
}

impl<M: Message> Publish<'_, M> {
    #[inline(never)]
    fn poll_others(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PublishError<M>>> {
        if let Some(Through::Isolate(place)) = self.message.with() {
            let place = *place;
            return place.poll_publish(&mut self.message, cx);
        }
        if let Some(Through::Live(_)) = self.message.with() {
            ready!(self.poll_live_turn(cx));
        }
        match self.message.take_all() {
            Some((message, Through::Live(outlet))) => {
                let publishing = Some(outlet.publish(message)?);
                self.live = Some(Aside::new(Live { publishing, at: None }));
            }
            Some((message, Through::Direct(published))) => {
                published.put(message);
                return Poll::Ready(Ok(()));
            }
            // It has begun, or it is polled although it was ready.
            Some((_, Through::Isolate(_))) | None => {}
        }
        let Some(Live { publishing: Some(publishing), at }) = self.live.as_deref_mut() else {
            return Poll::Pending;
        };
        CancelPoint::note(poll_publishing(publishing, cx), at, cx)
    }

    #[inline]
    fn poll_live_turn(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut at = None;
        let turn = poll_turn(cx, &mut at);
        if at.is_some() {
            self.live = Some(Aside::new(Live { publishing: None, at }));
        }
        turn
    }
}
