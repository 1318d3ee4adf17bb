//! The future of a publish.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::context::PUBLISHED;
use crate::isolate::Place;
use crate::live::LivePublish;
use crate::routing::Published;
use crate::{Message, PublishError};

/// Publishes when it is awaited: see [`Context::publish`](crate::Context::publish).
///
/// A type of its own rather than an `async fn`, so that the message is moved once from here into its queue.
#[must_use = "nothing is published before this is awaited"]
pub struct Publish<'a, M: Message> {
    /// In one place whatever the host, so that it is written in one piece; `None` once somebody has taken it.
    message: Option<M>,
    host: Host<'a, M>,
    context: PhantomData<&'a mut ()>,
}

/// Where it goes. Tagged by a byte of its own, which is looked at for every message.
#[repr(u8)]
pub(crate) enum Host<'a, M: Message> {
    Isolate(&'a Place),
    Live(LivePublish<'a, M>),
    /// A direct call's, and the signs that its caller looks at.
    Direct(&'a mut Published, &'a mut u8),
}

impl<'a, M: Message> Publish<'a, M> {
    #[inline(always)]
    pub(crate) fn new(message: M, host: Host<'a, M>) -> Self {
        Self { message: Some(message), host, context: PhantomData }
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
        if let Host::Isolate(place) = publish.host
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
        let Self { message, host, .. } = self;
        match host {
            Host::Isolate(place) => place.poll_publish(message, cx),
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
