//! A subscription or an inbox: what a receiver picks from.

use mycelium_mailbox::{Inbox, Source, Subscription};

pub(crate) enum Any<M: Copy + Send + Sync + 'static> {
    Topic(Subscription<M>),
    Inbox(Inbox<M>),
}

impl<M: Copy + Send + Sync + 'static> Any<M> {
    fn source(&mut self) -> &mut dyn Source {
        match self {
            Self::Topic(subscription) => subscription,
            Self::Inbox(inbox) => inbox,
        }
    }

    /// The message at the front, with its stamp.
    pub(crate) fn front(&mut self) -> Option<(M, u64)> {
        match self {
            Self::Topic(subscription) => {
                subscription.peek().map(|delivery| (*delivery.message, delivery.stamp))
            }
            Self::Inbox(inbox) => inbox.peek().map(|(message, stamp)| (*message, stamp)),
        }
    }

    pub(crate) fn advance(&mut self) {
        match self {
            Self::Topic(subscription) => subscription.advance(),
            Self::Inbox(inbox) => inbox.advance(),
        }
    }
}

impl<M: Copy + Send + Sync + 'static> Source for Any<M> {
    fn head(&mut self) -> Option<u64> {
        self.source().head()
    }

    fn commit(&mut self) {
        self.source().commit();
    }

    fn arm_as(&mut self, tag: Option<u32>) -> bool {
        self.source().arm_as(tag)
    }
}
