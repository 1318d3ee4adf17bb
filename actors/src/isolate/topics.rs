//! From `TYPE_ID` to topic.

use std::cell::OnceCell;
use std::rc::Rc;

use mycelium_mailbox::Typed;

/// Topics of the first table; each further one is twice as large.
const TABLE_MIN: usize = 8;

/// A chain of open-addressing tables, each with a power-of-two size and at most half full. Topics are only ever added, so
/// that a look-up borrows nothing.
#[derive(Default)]
pub(crate) struct TopicIndex {
    first: OnceCell<Table>,
}

struct Table {
    entries: Box<[OnceCell<Entry>]>,
    next: OnceCell<Box<Table>>,
}

struct Entry {
    type_id: u16,
    name: &'static str,
    topic: Typed,
}

impl TopicIndex {
    #[inline(always)]
    pub(crate) fn find(&self, type_id: u16) -> Option<&Typed> {
        let table = self.first.get()?;
        Some(&table.entry(type_id).or_else(|| table.entry_behind(type_id))?.topic)
    }

    /// The name of the message that holds this `TYPE_ID`.
    pub(crate) fn name(&self, type_id: u16) -> Option<&'static str> {
        let table = self.first.get()?;
        Some(table.entry(type_id).or_else(|| table.entry_behind(type_id))?.name)
    }

    /// Adds a topic whose `TYPE_ID` is not held yet.
    pub(crate) fn insert<T: 'static>(&self, type_id: u16, name: &'static str, topic: Rc<T>) {
        let mut entry = Entry { type_id, name, topic: Typed::new(topic) };
        let mut table = self.first.get_or_init(|| Table::new(TABLE_MIN));
        while let Err(refused) = table.put(entry) {
            entry = refused;
            table = table.next.get_or_init(|| Box::new(Table::new(table.entries.len() * 2)));
        }
    }
}

impl Table {
    fn new(size: usize) -> Self {
        Self { entries: (0..size).map(|_| OnceCell::new()).collect(), next: OnceCell::new() }
    }

    #[inline(always)]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_finds_what_was_inserted_and_nothing_else() {
        let index = TopicIndex::default();
        assert!(index.find(3).is_none());
        for id in (0..2_000u16).map(|n| n.wrapping_mul(8)) {
            index.insert(id, "message", Rc::new(id));
        }
        for id in 0..16_000u16 {
            let found = index.find(id).and_then(Typed::get::<u16>);
            assert_eq!(found, (id % 8 == 0).then_some(&id), "id {id}");
        }
    }
}
