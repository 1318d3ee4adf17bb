//! Values on their way into a topic.

use crate::live::topics::TopicEntry;
use crate::wire::{Carried, Entrance};
use crate::{PublishError, WirePublishError};

/// Values on their way into a topic, one after the other.
pub(super) struct Entering<'a, T: Carried> {
    topic: &'a TopicEntry<T>,
    sender: u64,
    pub(super) published: usize,
}

impl<'a, T: Carried> Entering<'a, T> {
    pub(super) fn new(topic: &'a TopicEntry<T>, sender: Option<u64>) -> Self {
        Self { topic, sender: sender.unwrap_or_else(|| topic.sender()), published: 0 }
    }
}

impl<T: Carried> Entrance<T> for Entering<'_, T> {
    type Error = WirePublishError;

    #[inline]
    fn publish(&mut self, value: T) -> Result<(), WirePublishError> {
        self.publish_or_return(value).map_err(|(_, error)| error)
    }

    #[inline]
    fn publish_front(&mut self, values: &mut impl ExactSizeIterator<Item = T>) -> usize {
        let published = self.topic.try_publish_front(values, self.sender);
        self.published += published;
        published
    }

    #[inline]
    fn publish_or_return(&mut self, value: T) -> Result<(), (Option<T>, WirePublishError)> {
        match self.topic.try_publish(value, self.sender) {
            Ok(()) => self.published += 1,
            Err(PublishError::Full(value, whose)) => {
                let message = self.topic.kind().name;
                return Err((Some(value), WirePublishError::Full { message, whose }));
            }
            Err(error) => return Err((None, WirePublishError::refused(self.topic.kind(), error))),
        }
        Ok(())
    }

    fn published(&self) -> usize {
        self.published
    }
}
