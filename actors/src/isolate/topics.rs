//! From `TYPE_ID` to topic.

use std::cell::OnceCell;
use std::rc::Rc;

use mycelium_mailbox::Typed;

use super::core::IsolateCore;
use super::lane::Lane;
use crate::wire::Kind;
use crate::{Message, SpawnError};

/// Places that a topic's own `TYPE_ID` chooses: their offset in the index is a constant of the message type.
const HOMES: usize = 16;

/// Topics of the first table behind them; each further one is twice as large.
const TABLE_MIN: usize = 8;

/// Each topic lies in the place that its `TYPE_ID` chooses, or, where that is taken, in a chain of
/// open-addressing tables, each with a power-of-two size and at most half full. Topics are only ever added,
/// so that a look-up borrows nothing.
#[derive(Default)]
pub(crate) struct TopicIndex {
    homes: [OnceCell<Entry>; HOMES],
    more: OnceCell<TopicTable>,
}

struct TopicTable {
    entries: Box<[OnceCell<Entry>]>,
    next: OnceCell<Box<TopicTable>>,
}

struct Entry {
    type_id: u16,
    /// The lane's index.
    index: u32,
    topic: Typed,
}

impl TopicIndex {
    /// The topic with this `TYPE_ID` and its lane's index, if there is a `T` in the first place looked at, as
    /// there nearly always is. `T` is held under no other `TYPE_ID`, so its type is all that is compared.
    #[inline(always)]
    pub(crate) fn at_home<T: 'static>(&self, type_id: u16) -> Option<(&T, u32)> {
        let entry = self.homes[type_id as usize % HOMES].get()?;
        Some((entry.topic.get()?, entry.index))
    }

    pub(crate) fn find(&self, type_id: u16) -> Option<&Typed> {
        Some(&self.entry(type_id)?.topic)
    }

    /// The lane of the message that holds this `TYPE_ID`.
    pub(crate) fn lane(&self, type_id: u16) -> Option<u32> {
        Some(self.entry(type_id)?.index)
    }

    fn entry(&self, type_id: u16) -> Option<&Entry> {
        let home = self.homes[type_id as usize % HOMES].get()?;
        if home.type_id == type_id {
            return Some(home);
        }
        let table = self.more.get()?;
        table.entry(type_id).or_else(|| table.entry_behind(type_id))
    }

    /// Adds a topic whose `TYPE_ID` is not held yet.
    pub(crate) fn insert<T: 'static>(&self, type_id: u16, index: u32, topic: Rc<T>) {
        let entry = Entry { type_id, index, topic: Typed::new(topic) };
        let Err(mut entry) = self.homes[type_id as usize % HOMES].set(entry) else { return };
        let mut table = self.more.get_or_init(|| TopicTable::new(TABLE_MIN));
        while let Err(refused) = table.put(entry) {
            entry = refused;
            table = table.next.get_or_init(|| Box::new(TopicTable::new(table.entries.len() * 2)));
        }
    }
}

impl TopicTable {
    fn new(size: usize) -> Self {
        Self { entries: (0..size).map(|_| OnceCell::new()).collect(), next: OnceCell::new() }
    }

    fn entry(&self, type_id: u16) -> Option<&Entry> {
        let mask = self.entries.len() - 1;
        let mut at = type_id as usize & mask;
        loop {
            let entry = self.entries.get(at)?.get()?;
            if entry.type_id == type_id {
                return Some(entry);
            }
            at = (at + 1) & mask;
        }
    }

    #[cold]
    fn entry_behind(&self, type_id: u16) -> Option<&Entry> {
        let next = self.next.get()?;
        next.entry(type_id).or_else(|| next.entry_behind(type_id))
    }

    /// Adds an entry unless the table is half full.
    fn put(&self, mut entry: Entry) -> Result<(), Entry> {
        if self.entries.iter().filter(|held| held.get().is_some()).count() * 2 >= self.entries.len() {
            return Err(entry);
        }
        let mask = self.entries.len() - 1;
        let mut at = entry.type_id as usize & mask;
        while let Err(refused) = self.entries[at].set(entry) {
            entry = refused;
            at = (at + 1) & mask;
        }
        Ok(())
    }
}

impl IsolateCore {
    /// The lane of topic `M`, made on first use.
    pub(crate) fn topic<M: Message>(&self) -> Result<Rc<Lane<M>>, SpawnError> {
        self.topic_of(Kind::of::<M>())
    }

    /// The lane of this message's topic, in which a `T` lies for each.
    pub(crate) fn topic_of<T: 'static>(&self, kind: Kind) -> Result<Rc<Lane<T>>, SpawnError> {
        if self.closed.get() {
            return Err(SpawnError::Closed);
        }
        let Kind { type_id, name, topic, untyped } = kind;
        if untyped.is_none() && self.table.borrow().is_untyped(type_id) {
            return Err(SpawnError::Untyped { message: name });
        }
        if let Some(topic) = self.topics.find(type_id) {
            let held_by = || self.topics.lane(type_id).map_or("", |lane| self.lane_name(lane));
            return topic.share().ok_or_else(|| SpawnError::DuplicateTypeId {
                type_id,
                held_by: held_by(),
                refused: name,
            });
        }
        let lane = self.add_lane(|place| Lane::<T>::of_topic(place, name, topic));
        self.topics.insert(type_id, lane.index(), Rc::clone(&lane));
        Ok(lane)
    }

    /// The lane of the topic of `M`, if anybody ever subscribed or published to it.
    pub(crate) fn find_topic<M: Message>(&self) -> Option<Rc<Lane<M>>> {
        self.find_topic_of(M::TYPE_ID)
    }

    /// The same for the topic with this `TYPE_ID`.
    pub(crate) fn find_topic_of<T: 'static>(&self, type_id: u16) -> Option<Rc<Lane<T>>> {
        self.topics.find(type_id)?.share()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_finds_what_was_inserted_and_nothing_else() {
        let index = TopicIndex::default();
        assert!(index.find(3).is_none());
        for id in (0..2_000u16).map(|n| n.wrapping_mul(8)) {
            index.insert(id, u32::from(id) + 1, Rc::new(id));
        }
        for id in 0..16_000u16 {
            let found = index.find(id).and_then(Typed::get::<u16>);
            assert_eq!(found, (id % 8 == 0).then_some(&id), "id {id}");
            // Here all are of one type, which says too little: 0 and 8 came first.
            let first = [0, 8].into_iter().find(|first| id % 16 == *first);
            assert_eq!(
                index.at_home::<u16>(id).map(|(id, lane)| (*id, lane)),
                first.map(|id| (id, u32::from(id) + 1))
            );
            assert!(index.at_home::<u32>(id).is_none());
        }
    }
}
