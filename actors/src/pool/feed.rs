//! The one subscriber of a pool: what is published goes through it to one worker each.

use std::marker::PhantomData;
use std::sync::Arc;

use super::PoolTopics;
use super::state::PoolState;
use crate::subscription::OnceEach;
use crate::{
    Actor, BoxError, Context, Handler, Message, StopReason, Subscription, Subscriptions, TellError,
    WireMessage, WireTopics,
};

/// Receives for a pool and hands on.
pub(crate) struct PoolFeed<A: Actor> {
    pub(super) pool: Arc<PoolState<A>>,
    pub(super) topics: PoolTopics<A>,
}

/// One topic of a pool.
pub(super) trait PoolTopic<A: Actor>: Send + Sync {
    fn subscribe(&self, topics: &mut Subscriptions<PoolFeed<A>>);
    /// No worker subscribes to it by itself.
    fn add_to(&self, once_each: &mut OnceEach);
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

    fn add_to(&self, once_each: &mut OnceEach) {
        once_each.typed.push(M::TYPE_ID);
    }
}

/// Topics of a pool whose messages it receives as bytes.
pub(super) struct WireTopicOf {
    pub(super) topics: WireTopics,
    pub(super) how: Subscription<WireMessage>,
}

impl<A: Handler<WireMessage>> PoolTopic<A> for WireTopicOf {
    fn subscribe(&self, topics: &mut Subscriptions<PoolFeed<A>>) {
        topics.on_wire_with(self.topics.clone(), self.how);
    }

    fn add_to(&self, once_each: &mut OnceEach) {
        once_each.wire.push(self.topics.clone());
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
        self.hand_on(message.clone(), (M::NAME, M::TOPIC), ctx).await
    }
}

impl<A: Handler<WireMessage>> Handler<WireMessage> for PoolFeed<A> {
    async fn handle(&mut self, message: &WireMessage, ctx: &mut Context<Self>) -> Result<(), BoxError> {
        self.hand_on(message.clone(), (message.name(), message.topic()), ctx).await
    }
}

impl<A: Actor> PoolFeed<A> {
    /// `named`: the message and its topic.
    async fn hand_on<M: Send + Sync + 'static>(
        &self,
        message: M,
        named: (&'static str, &'static str),
        ctx: &Context<Self>,
    ) -> Result<(), BoxError>
    where
        A: Handler<M>,
    {
        // The subscription's queue holds what waits while the workers are full, or away for a while.
        match self.pool.tell(message).await {
            Ok(()) => Ok(()),
            Err(TellError::Stopped(message, _) | TellError::Away(message, _)) => {
                Box::pin(self.wait_for_worker(message, named, ctx)).await;
                Ok(())
            }
            Err(error) => Err(error.to_string().into()),
        }
    }

    /// Tells a message once a worker that may have it is back; one that none may have is a dead letter.
    async fn wait_for_worker<M: Send + Sync + 'static>(
        &self,
        mut message: M,
        (name, topic): (&'static str, &'static str),
        ctx: &Context<Self>,
    ) where
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
                return ctx.bury(name, topic, StopReason::Failed(reason.into()));
            }
            changed.await;
        }
    }
}
