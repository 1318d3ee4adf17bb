//! The future of a publish.

use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::isolate::IsolatePublish;
use crate::{Message, PublishError};

/// Publishes when it is awaited: see [`Context::publish`](crate::Context::publish).
///
/// A type of its own rather than an `async fn`, so that the message is moved once from here into its queue.
#[must_use = "nothing is published before this is awaited"]
pub struct Publish<'a, M: Message> {
    backend: Backend<M>,
    context: PhantomData<&'a mut ()>,
}

enum Backend<M: Message> {
    Isolate(IsolatePublish<M>),
}

impl<M: Message> Publish<'_, M> {
    #[inline]
    pub(crate) fn in_isolate(publish: IsolatePublish<M>) -> Self {
        Self { backend: Backend::Isolate(publish), context: PhantomData }
    }
}

impl<M: Message> Future for Publish<'_, M> {
    type Output = Result<(), PublishError<M>>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.get_mut().backend {
            Backend::Isolate(publish) => Pin::new(publish).poll(cx),
        }
    }
}
