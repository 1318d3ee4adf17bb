//! The topics of a bus as far as bytes went through them.

use std::sync::{Arc, OnceLock};

use mycelium_remote::frame::{Flags, Header};

use super::super::topics::{QueueOwner, Topics};
use super::{LiveWire, WireQueue};
use crate::wire::{Kind, Table, WireMessage};
use crate::{SpawnError, Subscription, WirePublishError, WireTopics};

/// The messages of a bus's contracts, and their topics as far as bytes went through them.
pub(crate) struct WireTable {
    table: Table,
    /// At the places of their messages.
    topics: Box<[OnceLock<Arc<dyn LiveWire>>]>,
    /// The same at the places that their type ids choose, as far as no other was there before: nearly all of
    /// them are found so, without a search. As many as a power of two.
    homes: Box<[OnceLock<Home>]>,
}

/// Places for each message, in the table of homes.
const HOMES_EACH: usize = 2;

struct Home {
    type_id: u16,
    topic: Arc<dyn LiveWire>,
}

impl WireTable {
    pub(crate) fn new(table: Table) -> Self {
        let known = table.known().len();
        let homes = (known * HOMES_EACH).next_power_of_two();
        Self { topics: unused(known), homes: unused(homes), table }
    }

    /// Where a message with this type id has its home.
    #[inline]
    fn home(&self, type_id: u16) -> Option<&OnceLock<Home>> {
        self.homes.get(usize::from(type_id) & (self.homes.len() - 1))
    }

    /// The topic that such a frame goes to.
    #[inline(always)]
    pub(super) fn topic(
        &self,
        topics: &Topics,
        header: &Header,
        len: usize,
    ) -> Result<&dyn LiveWire, WirePublishError> {
        match self.used_topic(header, len) {
            Some(topic) => Ok(topic),
            None => self.unused_topic(topics, header, len),
        }
    }

    /// The same, if it was used before and takes this one: without the room that errors take.
    #[inline]
    pub(super) fn used_topic(&self, header: &Header, len: usize) -> Option<&dyn LiveWire> {
        let takes = !header.flags.contains(Flags::CONTROL) && len <= self.table.longest();
        match self.home(header.type_id)?.get() {
            Some(home) if home.type_id == header.type_id => takes.then_some(&*home.topic),
            _ => self.search(header.type_id).filter(|_| takes),
        }
    }

    /// A topic that was used before and may have found its home taken.
    #[inline(never)]
    fn search(&self, type_id: u16) -> Option<&dyn LiveWire> {
        // There is none of a message about which contracts contradict each other.
        self.topics.get(self.table.find(type_id)?)?.get().map(|topic| &**topic)
    }

    #[cold]
    #[inline(never)]
    fn unused_topic(
        &self,
        topics: &Topics,
        header: &Header,
        len: usize,
    ) -> Result<&dyn LiveWire, WirePublishError> {
        let at = self.table.place_of(header, len)?;
        match self.topics[at].get() {
            Some(topic) => Ok(&**topic),
            None => self.topic_to(topics, at).map(|topic| &**topic),
        }
    }

    /// The topic at this place, for a publisher.
    pub(super) fn topic_to(
        &self,
        topics: &Topics,
        at: usize,
    ) -> Result<&Arc<dyn LiveWire>, WirePublishError> {
        self.topic_at(topics, at).map_err(|_| {
            let Kind { name: message, type_id, .. } = self.table.known()[at].kind;
            WirePublishError::DuplicateTypeId { message, type_id }
        })
    }

    #[cold]
    fn topic_at(&self, topics: &Topics, at: usize) -> Result<&Arc<dyn LiveWire>, SpawnError> {
        let known = self.table.known()[at].enabled()?;
        let topic = known.port().live(known.kind, topics)?;
        if let Some(home) = self.home(known.kind.type_id) {
            home.get_or_init(|| Home { type_id: known.kind.type_id, topic: Arc::clone(&topic) });
        }
        Ok(self.topics[at].get_or_init(|| topic))
    }

    /// All messages of the bus's contracts.
    pub(crate) fn table(&self) -> &Table {
        &self.table
    }

    /// The messages of these topics, with their places here.
    pub(in crate::live) fn wanted(&self, topics: &WireTopics) -> Result<Vec<(usize, Kind)>, SpawnError> {
        let wanted = topics.among(&self.table)?.into_iter();
        wanted.map(|at| Ok((at, self.table.known()[at].enabled()?.kind))).collect()
    }

    /// The messages of these topics, for one who leaves them.
    pub(in crate::live) fn left(&self, topics: &WireTopics) -> Vec<Kind> {
        topics.matching(&self.table).into_iter().map(|at| self.table.known()[at].kind).collect()
    }

    /// A queue of the topic at this place.
    pub(crate) fn listen_at(
        &self,
        topics: &Topics,
        at: usize,
        how: &Subscription<WireMessage>,
        owner: &QueueOwner,
    ) -> Result<Box<dyn WireQueue>, SpawnError> {
        let topic = Arc::clone(self.topic_at(topics, at)?);
        topic.listen(how, owner)
    }
}

fn unused<T>(places: usize) -> Box<[OnceLock<T>]> {
    (0..places).map(|_| OnceLock::new()).collect()
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use mycelium_mailbox::wire::Contract;

    use super::*;
    use crate::MessageBus;

    #[test]
    fn topics_whose_type_ids_choose_one_home_are_found_each() {
        // Three messages have eight homes, of which 1 and 9 choose the same.
        let table = "mycelium contract 1\nschema s 1\n\
            message One 1 1 one\nfield n 1 u64\n\
            message Two 2 1 two\nfield n 1 u64\n\
            message Nine 9 1 nine\nfield n 1 u64\n";
        let bus = MessageBus::builder().contract(Contract::parse(table).unwrap()).build();
        let mut heard = ["one", "two", "nine"].map(|topic| bus.subscribe_wire(topic).unwrap());
        let header = |type_id| Header { type_id, version: 1, root_len: 8, ..Header::default() };
        // The second round finds topics that were used.
        for n in [7_u64, 8] {
            for id in [9, 2, 1] {
                bus.try_publish_wire(&header(id), &(n * u64::from(id)).to_le_bytes()).unwrap();
            }
        }
        let mut unknown = header(17);
        assert!(matches!(
            bus.try_publish_wire(&unknown, &[0; 8]),
            Err(WirePublishError::UnknownType { type_id: 17 })
        ));
        unknown = Header { flags: Flags::CONTROL, ..header(9) };
        assert!(matches!(
            bus.try_publish_wire(&unknown, &[0; 8]),
            Err(WirePublishError::Control { type_id: 9 })
        ));
        for (subscriber, id) in heard.iter_mut().zip([1_u64, 2, 9]) {
            let mut numbers = Vec::new();
            subscriber
                .drain(9, |message| numbers.push(u64::from_le_bytes(message.bytes.try_into().unwrap())));
            assert_eq!(numbers, [7 * id, 8 * id]);
        }
    }
}
