//! How a message lies in queues: itself up to 64 bytes, else one shared allocation.

use std::sync::Arc;

/// Messages up to this size are stored in place; larger ones travel as one `Arc` shared by all subscribers.
pub const INLINE_BYTES_MAX: usize = 64;

/// What a slot holds for a message of type `Message`.
pub(crate) trait Payload: Clone + Send + Sync + 'static {
    type Message;
    fn wrap(message: Self::Message) -> Self;
    fn message(&self) -> &Self::Message;
    /// The message back, after a publish that stored it nowhere.
    fn unwrap(self) -> Self::Message;
}

#[derive(Clone, Debug)]
pub(crate) struct Inline<M>(M);

#[derive(Debug)]
pub(crate) struct Boxed<M>(Arc<M>);

impl<M> Clone for Boxed<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Clone + Send + Sync + 'static> Payload for Inline<M> {
    type Message = M;

    #[inline(always)]
    fn wrap(message: M) -> Self {
        Self(message)
    }

    #[inline(always)]
    fn message(&self) -> &M {
        &self.0
    }

    #[inline(always)]
    fn unwrap(self) -> M {
        self.0
    }
}

impl<M: Clone + Send + Sync + 'static> Payload for Boxed<M> {
    type Message = M;

    #[inline(always)]
    fn wrap(message: M) -> Self {
        Self(Arc::new(message))
    }

    #[inline(always)]
    fn message(&self) -> &M {
        &self.0
    }

    fn unwrap(self) -> M {
        Arc::unwrap_or_clone(self.0)
    }
}
