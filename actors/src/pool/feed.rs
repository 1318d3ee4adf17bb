//! The one subscriber of a pool: what is published goes through it to one worker each.

use std::marker::PhantomData;
use std::sync::Arc;

use super::PoolTopics;
use super::state::PoolState;
use crate::{Actor, BoxError, Context, Handler, Message, StopReason, Subscription, Subscriptions, TellError};

/// Receives for a pool and hands on.
pub(crate) struct PoolFeed<A: Actor> {
    pub(super) pool: Arc<PoolState<A>>,
    pub(super) topics: PoolTopics<A>,
}

/// One topic of a pool.
pub(super) trait PoolTopic<A: Actor>: Send + Sync {
    fn subscribe(&self, topics: &mut Subscriptions<PoolFeed<A>>);
}

pub(super) struct TopicOf<A, M> {
    how: Subscription<M>,
    worker: PhantomData<fn(A)>,
}

impl<A, M> TopicOf<A, M> {
    pub(super) fn new(how: Subscription<M>) -> Self {
        Self { how, worker: PhantomData }
    }
}

impl<A: Handler<M>, M: Message> PoolTopic<A> for TopicOf<A, M> {
    fn subscribe(&self, topics: &mut Subscriptions<PoolFeed<A>>) {
        topics.on_with(self.how);
    }
}

impl<A: Actor> Actor for PoolFeed<A> {
    type Error = BoxError;

    fn name() -> &'static str {
        "PoolFeed"
    }

    fn subscriptions(&self, topics: &mut Subscriptions<Self>) {
        self.topics.iter().for_each(|topic| topic.subscribe(topics));
    }
}

impl<A: Handler<M>, M: Message> Handler<M> for PoolFeed<A> {
    async fn handle(&mut self, message: &M, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        // The subscription's queue holds what waits while the workers are full, or away for a while.
        match self.pool.tell(message.clone()).await {
            Ok(()) => Ok(()),
            Err(TellError::Stopped(message, _) | TellError::Away(message, _)) => {
                Box::pin(self.wait_for_worker(message, ctx)).await;
                Ok(())
            }
            Err(error) => Err(error.to_string().into()),
        }
    }
}

impl<A: Actor> PoolFeed<A> {
    /// Tells a message once a worker that may have it is back; one that none may have is a dead letter.
    async fn wait_for_worker<M: Message>(&self, mut message: M, ctx: &Context<Self>)
    where
        A: Handler<M>,
    {
        loop {
            let changed = self.pool.changed.notified();
            message = match self.pool.tell(message).await {
                Ok(()) => return,
                Err(error) => error.into_message(),
            };
            if !self.pool.may_come_back(&message) {
                let reason =
                    format!("no worker of {} may have it: they are stopped or taken away", self.pool.path);
                return ctx.bury::<M>(StopReason::Failed(reason.into()));
            }
            changed.await;
        }
    }
}
