//! What code outside of an isolate puts into it.

use mycelium_mailbox::{Held, enter};
use tokio::sync::oneshot::error::TryRecvError;

use super::handle::{Unqueued, refused};
use super::{Isolate, OUTSIDE};
use crate::{ActorRef, AskError, Message, PublishError, Replies, Takes, TellError};

impl Isolate {
    /// Publishes from outside; it is handled at the next [`run`](Self::run).
    ///
    /// ```
    /// # use mycelium::{Isolate, Message, actor};
    /// # #[derive(Clone, Debug)] struct Tick(u64);
    /// # impl Message for Tick { const NAME: &'static str = "Tick"; const TYPE_ID: u16 = 1; const TOPIC: &'static str = "ticks"; }
    /// # struct Last(u64);
    /// # #[actor] impl Last { #[on] fn tick(&mut self, tick: &Tick) { self.0 = tick.0; } }
    /// let mut isolate = Isolate::new(42);
    /// let last = isolate.spawn(Last(0))?;
    /// isolate.publish(Tick(7))?;
    /// isolate.run()?; // until now nothing was handled
    /// assert_eq!(isolate.take(&last).unwrap().0, 7);
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    ///
    /// # Errors
    /// [`PublishError::Full`] when [`QUEUE_CAPACITY`](crate::QUEUE_CAPACITY) events wait already, or a
    /// subscriber refuses: run first.
    pub fn publish<M: Message>(&mut self, message: M) -> Result<(), PublishError<M>> {
        let mut message = Held::new(message, ());
        match (self.core.publish(OUTSIDE, &mut message), message.take()) {
            (Err(refusal), Some(message)) => Err(refused(Some(&self.core), refusal, message)),
            _ => Ok(()),
        }
    }

    /// Sends to one actor from outside; it is handled at the next [`run`](Self::run).
    ///
    /// ```
    /// # use mycelium::{Isolate, actor};
    /// # struct Sum(u64);
    /// # struct Total;
    /// # #[actor] impl Sum {
    /// #     #[on(direct)] fn add(&mut self, by: &u64) { self.0 += by; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// let mut isolate = Isolate::new(42);
    /// let sum = isolate.spawn(Sum(0))?;
    /// isolate.tell(&sum, 7_u64)?; // handled at the next run
    /// isolate.run()?;
    /// # assert_eq!(isolate.ask(&sum, Total)?, 7);
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    ///
    /// # Errors
    /// See [`TellError`]; the message comes back. [`TellError::OtherBus`] when the actor is not of this
    /// isolate.
    pub fn tell<A, M>(&mut self, to: &ActorRef<A>, message: M) -> Result<(), TellError<M>>
    where
        A: Takes<M>,
        M: Send + 'static,
    {
        match self.own(to) {
            Some(to) => enter(&self.core, || to.try_tell(message)),
            None => Err(TellError::OtherBus(message)),
        }
    }

    /// Asks one actor and handles events, without moving the clock, until it has answered.
    ///
    /// ```
    /// # use mycelium::{Isolate, actor};
    /// # struct Sum(u64);
    /// # struct Total;
    /// # #[actor] impl Sum {
    /// #     #[on(direct)] fn add(&mut self, by: &u64) { self.0 += by; }
    /// #     #[ask] fn total(&self, _: &Total) -> u64 { self.0 }
    /// # }
    /// let mut isolate = Isolate::new(42);
    /// let sum = isolate.spawn(Sum(0))?;
    /// isolate.tell(&sum, 7_u64)?;
    /// assert_eq!(isolate.ask(&sum, Total)?, 7); // what was told before is handled before
    /// # Ok::<(), mycelium::BoxError>(())
    /// ```
    ///
    /// # Errors
    /// [`AskError::Stopped`] when it has ended, or fails over the query; [`AskError::Timeout`] when the
    /// answer needs the clock to move; [`AskError::RunEnded`] when somebody's failure ended the run before
    /// that; [`AskError::OtherBus`] when the actor is not of this isolate.
    pub fn ask<A, Q>(&mut self, to: &ActorRef<A>, query: Q) -> Result<A::Reply, AskError>
    where
        A: Replies<Q>,
        Q: Send + 'static,
    {
        let to = self.own(to).ok_or(AskError::OtherBus)?;
        let mut queued = enter(&self.core, || to.send_query(query));
        if let Err(Unqueued::Full(query, _)) = queued {
            // Messages that wait may be handled now, and make room.
            self.run_until(self.now()).map_err(|error| AskError::RunEnded(Box::new(error)))?;
            queued = enter(&self.core, || to.send_query(query));
        }
        let mut answer = queued.map_err(|unqueued| match unqueued {
            Unqueued::Full(..) => AskError::timeout(to.asked()),
            Unqueued::Failed(_, error) => error,
        })?;
        let run = self.run_until(self.now());
        answer.try_recv().map_err(|error| match (error, run) {
            (TryRecvError::Closed, _) => AskError::stopped(to.asked().sent()),
            (TryRecvError::Empty, Err(error)) => AskError::RunEnded(Box::new(error)),
            (TryRecvError::Empty, Ok(_)) => AskError::timeout(to.asked().sent()),
        })
    }
}
