//! Why a message did not reach an actor's inbox: whose inbox, and what to do.

use std::fmt;
use std::sync::Arc;

use super::ask::Whom;
use super::{RemoteError, short_type_name, unsent};
use crate::Identity;

unsent! {
    /// A message did not reach the actor's inbox.
    TellError {
        /// The actor has ended, or its pool takes no more: which one.
        Stopped: Option<Arc<Identity>>;
        /// The worker of a pool that the message is for is between two lives and will be back: tell it again.
        /// Without a key that is all of them, and the path is that of the pool.
        Away: Option<Arc<Identity>>;
        /// The inbox is full, and `try_tell` does not wait: whose it is. Of a pool that is the worker of the
        /// message's key; without a key all workers are full, and the path is that of the pool. `None`: it is
        /// the isolate's own queue, and what else happens there is in it.
        Full: Option<Arc<Identity>>;
        /// The inbox is full, and the actor whose it is would wait for itself.
        Itself: Option<Arc<Identity>>;
        /// The call came from a thread that does not run the isolate.
        WrongThread;
        /// The actor is not of this isolate: another one has it, or a live bus.
        OtherBus;
        /// The actor is one of another bus, and cannot be reached: which one.
        Remote: Arc<Identity>, RemoteError;
    }
}

impl<M> fmt::Display for TellError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was not sent: ", short_type_name::<M>())?;
        match self {
            Self::Stopped(_, whom) => write!(f, "{} has ended", Whom(whom.as_deref())),
            Self::Away(_, whom) => write!(f, "{} is being restarted; tell it again", Whom(whom.as_deref())),
            Self::Full(_, None) => {
                f.write_str("the isolate's own queue is full; use `tell(..).await` to wait, or run the isolate")
            }
            Self::Full(_, whom) => {
                write!(f, "the inbox of {} is full; use `tell(..).await` to wait", Whom(whom.as_deref()))
            }
            Self::Itself(_, whom) => write!(
                f,
                "the inbox of {} is full, and it would wait for itself; raise `BusBuilder::inbox_capacity`, or call \
                 the method",
                Whom(whom.as_deref())
            ),
            Self::WrongThread(_) => {
                f.write_str("this reference belongs to an isolate, which runs on one thread")
            }
            Self::OtherBus(_) => f.write_str(
                "the actor is not of this isolate, which shares nothing with other isolates and buses; spawn it here, \
                 or use the isolate that it is of, between two runs",
            ),
            Self::Remote(_, whom, error) => write!(f, "{whom} cannot be told: {error}"),
        }
    }
}

impl<M> TellError<M> {
    /// The same error without the message, which is dropped: for `?` where the message is not `Sync`, so that
    /// this error is none that a [`BoxError`](crate::BoxError) could hold.
    ///
    /// ```
    /// use mycelium::{Actor, ActorRef, BoxError, TellError, Takes};
    ///
    /// type Job = Box<dyn FnOnce() -> u64 + Send>; // `Send`, and not `Sync`
    ///
    /// async fn submit<A: Actor + Takes<Job>>(worker: &ActorRef<A>) -> Result<(), BoxError> {
    ///     worker.tell(Box::new(|| 7_u64) as Job).await.map_err(TellError::without_message)?;
    ///     Ok(())
    /// }
    /// ```
    #[must_use]
    pub fn without_message(self) -> Undelivered {
        Undelivered { text: self.to_string().into() }
    }
}

/// A message did not reach the actor's inbox, and is gone: see [`TellError::without_message`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// As the error with the message says it.
    text: Box<str>,
}

impl fmt::Display for Undelivered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for Undelivered {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_no_larger_than_its_message_and_two_words() {
        assert_eq!(size_of::<TellError<u64>>(), 24);
        assert_eq!(size_of::<TellError<[u64; 4]>>(), 48);
    }
}
