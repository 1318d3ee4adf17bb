//! Where a publish keeps what it displaced until the lock is free again.

/// A few values in place, more on the heap: displacing allocates only beyond [`IN_PLACE`] lanes.
pub(crate) struct Trash<T> {
    few: [Option<T>; IN_PLACE],
    many: Vec<T>,
    len: usize,
}

/// How many values fit without an allocation.
const IN_PLACE: usize = 4;

impl<T> Default for Trash<T> {
    #[inline]
    fn default() -> Self {
        Self { few: [const { None }; IN_PLACE], many: Vec::new(), len: 0 }
    }
}

impl<T> Trash<T> {
    /// Keeps `value` until the trash is dropped, or drops it now if that runs no code anyway.
    pub(crate) fn put(&mut self, value: T) {
        if !std::mem::needs_drop::<T>() {
            return;
        }
        match self.few.get_mut(self.len) {
            Some(slot) => *slot = Some(value),
            None => self.many.push(value),
        }
        self.len += 1;
    }
}
