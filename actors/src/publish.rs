//! The future of a publish.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::isolate::IsolatePublish;
use crate::live::LivePublish;
use crate::routing::Published;
use crate::{Message, PublishError};

/// Publishes when it is awaited: see [`Context::publish`](crate::Context::publish).
///
/// A type of its own rather than an `async fn`, so that the message is moved once from here into its queue.
#[must_use = "nothing is published before this is awaited"]
pub struct Publish<'a, M: Message> {
    backend: Backend<'a, M>,
    context: PhantomData<&'a mut ()>,
}

enum Backend<'a, M: Message> {
    Isolate(IsolatePublish<'a, M>),
    Live(LivePublish<'a, M>),
    Direct(Option<M>, &'a mut Published),
}

impl<'a, M: Message> Publish<'a, M> {
    #[inline(always)]
    pub(crate) fn in_isolate(publish: IsolatePublish<'a, M>) -> Self {
        Self { backend: Backend::Isolate(publish), context: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn direct(message: M, published: &'a mut Published) -> Self {
        Self { backend: Backend::Direct(Some(message), published), context: PhantomData }
    }

    #[inline(always)]
    pub(crate) fn live(publish: LivePublish<'a, M>) -> Self {
        Self { backend: Backend::Live(publish), context: PhantomData }
    }
}

// The message is never pinned: it is moved into its queue.
impl<M: Message> Unpin for Publish<'_, M> {}

impl<M: Message> Future for Publish<'_, M> {
    type Output = Result<(), PublishError<M>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().backend {
            Backend::Isolate(publish) => Pin::new(publish).poll(cx),
            Backend::Live(publish) => publish.poll(cx),
            Backend::Direct(message, published) => {
                if let Some(message) = message.take() {
                    published.put(message);
                }
                Poll::Ready(Ok(()))
            }
        }
    }
}
