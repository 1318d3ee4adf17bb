//! A source that counts what it is asked.

use std::cell::Cell;
use std::rc::Rc;

use mycelium_mailbox::Source;

/// How often sources are asked for one message, at most, however many there are.
pub(crate) const ASKED_MAX: u64 = 24;

pub(crate) struct Counted<S> {
    pub(crate) source: S,
    pub(crate) asked: Rc<Cell<u64>>,
}

impl<S: Source> Counted<S> {
    fn ask(&mut self) -> &mut S {
        self.asked.set(self.asked.get() + 1);
        &mut self.source
    }
}

impl<S: Source> Source for Counted<S> {
    fn head(&mut self) -> Option<u64> {
        self.ask().head()
    }

    fn commit(&mut self) {
        self.ask().commit();
    }

    fn arm_as(&mut self, tag: Option<u32>) -> bool {
        self.ask().arm_as(tag)
    }
}
