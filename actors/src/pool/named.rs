//! Whom the errors of a pool name.

use std::sync::Arc;

use super::route::worker_of;
use super::state::PoolState;
use crate::{Actor, ActorId, Identity, TellError};

impl<A: Actor> PoolState<A> {
    /// Has the error say whom it is of: the worker of this key, or all of them, which are the pool; and
    /// whether somebody who is away will be back.
    #[cold]
    pub(super) fn named<M>(&self, key: Option<u64>, error: TellError<M>) -> TellError<M> {
        match error {
            TellError::Full(message, None) => TellError::Full(message, Some(Arc::new(self.whose(key)))),
            TellError::Stopped(message, None) => match self.comes_back(key) {
                true => TellError::Away(message, Some(Arc::new(self.whose(key)))),
                false => TellError::Stopped(message, Some(Arc::new(self.whose(key)))),
            },
            other => other,
        }
    }

    /// The worker of this key, or all of them, which are the pool.
    #[cold]
    pub(super) fn whose(&self, key: Option<u64>) -> Identity {
        let of_key = key.and_then(|key| self.worker(worker_of(key, self.size())));
        of_key.map_or_else(
            || {
                let id = self.worker(0).map_or(ActorId(0), |first| first.id());
                Identity { id, name: A::name(), path: Some(Arc::clone(&self.path)) }
            },
            |worker| worker.identity(),
        )
    }
}
