//! The future of a publish.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use mycelium_mailbox::{Aside, Held};

use crate::context::PUBLISHED;
use crate::isolate::Place;
use crate::live::LivePublish;
use crate::routing::Published;
use crate::{Message, PublishError};

/// Publishes when it is awaited: see [`Context::publish`](crate::Context::publish).
///
/// A type of its own rather than an `async fn`, so that the message is moved once from here into its queue.
// In C's order: with the message behind the host, or its mark before it, compilers copy it twice.
#[must_use = "nothing is published before this is awaited"]
#[repr(C)]
pub struct Publish<'a, M: Message> {
    /// In one place whatever the host, so that it is written in one piece.
    message: Held<M>,
    /// Where it goes in an isolate. Beside the others and not one of them, so that it need not be read back from memory.
    place: Option<&'a Place>,
    host: Host<'a, M>,
    context: PhantomData<&'a mut ()>,
}

/// Where it goes. Tagged by a byte of its own, which is looked at for every message.
#[repr(u8)]
pub(crate) enum Host<'a, M: Message> {
    None,
    /// Its drop is not for the handlers' code, which drop this after each publish in an isolate as well.
    Live(Aside<LivePublish<'a, M>>),
    /// A direct call's, and the signs that its caller looks at.
    Direct(&'a mut Published, &'a mut u8),
}

impl<'a, M: Message> Host<'a, M> {
    #[inline(always)]
    pub(crate) fn live(publish: LivePublish<'a, M>) -> Self {
        Self::Live(Aside::new(publish))
    }
}

impl<'a, M: Message> Publish<'a, M> {
    #[inline(always)]
    pub(crate) fn new(message: M, host: Host<'a, M>) -> Self {
        Self { message: Held::new(message), place: None, host, context: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn in_isolate(message: M, place: &'a Place) -> Self {
        Self { message: Held::new(message), place: Some(place), host: Host::None, context: PhantomData }
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
        if let Some(place) = publish.place
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
        let Self { message, place, host, .. } = self;
        if let Some(place) = place {
            return place.poll_publish(message, cx);
        }
        match host {
            // Only with a place.
            Host::None => Poll::Pending,
            Host::Live(publish) => publish.poll(message, cx),
            Host::Direct(published, signs) => {
                **signs |= PUBLISHED;
                if let Some(message) = message.take() {
                    published.put(message);
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}
