//! From `TYPE_ID` to topic.

use std::any::Any;
use std::rc::Rc;

/// Open addressing with a power-of-two size that doubles at half load.
#[derive(Default)]
pub(crate) struct TopicIndex {
    entries: Vec<Option<Entry>>,
    used: usize,
}

struct Entry {
    type_id: u16,
    name: &'static str,
    topic: Rc<dyn Any>,
}

impl TopicIndex {
    #[inline]
    pub(crate) fn find(&self, type_id: u16) -> Option<&Rc<dyn Any>> {
        Some(&self.entry(type_id)?.topic)
    }

    /// The name of the message that holds this `TYPE_ID`.
    pub(crate) fn name(&self, type_id: u16) -> Option<&'static str> {
        Some(self.entry(type_id)?.name)
    }

    #[inline]
    fn entry(&self, type_id: u16) -> Option<&Entry> {
        let mask = self.entries.len().checked_sub(1)?;
        let mut at = type_id as usize & mask;
        loop {
            let entry = self.entries[at].as_ref()?;
            if entry.type_id == type_id {
                return Some(entry);
            }
            at = (at + 1) & mask;
        }
    }

    /// Adds a topic whose `TYPE_ID` is not held yet.
    pub(crate) fn insert(&mut self, type_id: u16, name: &'static str, topic: Rc<dyn Any>) {
        if (self.used + 1) * 2 > self.entries.len() {
            let size = (self.entries.len() * 2).max(8);
            let old = std::mem::take(&mut self.entries);
            self.entries.resize_with(size, || None);
            old.into_iter().flatten().for_each(|entry| self.put(entry));
        }
        self.put(Entry { type_id, name, topic });
        self.used += 1;
    }

    fn put(&mut self, entry: Entry) {
        let mask = self.entries.len() - 1;
        let mut at = entry.type_id as usize & mask;
        while self.entries[at].is_some() {
            at = (at + 1) & mask;
        }
        self.entries[at] = Some(entry);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_finds_what_was_inserted_and_nothing_else() {
        let mut index = TopicIndex::default();
        assert!(index.find(3).is_none());
        for id in (0..2_000u16).map(|n| n.wrapping_mul(8)) {
            index.insert(id, "message", Rc::new(id));
        }
        for id in 0..16_000u16 {
            let found = index.find(id).and_then(|topic| topic.downcast_ref::<u16>());
            assert_eq!(found, (id % 8 == 0).then_some(&id), "id {id}");
        }
    }
}
