//! A slice that is shared and does not change.

use std::fmt;
use std::ops::Deref;
use std::ptr::NonNull;
use std::sync::Arc;

#[cfg(target_os = "linux")]
use super::mapped::Sealed;

/// What keeps the values.
enum Keeper<T> {
    Memory(Arc<[T]>),
    #[cfg(target_os = "linux")]
    Mapped(Arc<Sealed>),
}

/// Values that many read and nobody changes, in memory or in a file. Clones share them.
///
/// ```
/// use mycelium_mailbox::spill::SharedSlice;
///
/// let numbers: SharedSlice<u32> = vec![1, 2, 3].into();
/// let same = numbers.clone();
/// assert!(std::ptr::eq(&*numbers, &*same));
/// assert_eq!(same.iter().sum::<u32>(), 6);
/// ```
pub struct SharedSlice<T> {
    /// Beside the keeper, so that a read follows one pointer, wherever the values are.
    start: NonNull<T>,
    len: usize,
    keeper: Keeper<T>,
}

// SAFETY: it is a shared slice, which may be sent and shared where its values may be shared and dropped by
// whoever has the last clone.
unsafe impl<T: Send + Sync> Send for SharedSlice<T> {}
// SAFETY: as above.
unsafe impl<T: Send + Sync> Sync for SharedSlice<T> {}

impl<T> SharedSlice<T> {
    /// The values of a file that was written with so many of this type.
    #[cfg(target_os = "linux")]
    pub(super) fn sealed(sealed: Sealed, len: usize) -> Self
    where
        T: Copy,
    {
        Self { start: sealed.start().cast(), len, keeper: Keeper::Mapped(Arc::new(sealed)) }
    }

    /// Whether the values are in a file, and take no memory that the kernel could not take back.
    #[must_use]
    pub fn is_mapped(&self) -> bool {
        match &self.keeper {
            Keeper::Memory(_) => false,
            #[cfg(target_os = "linux")]
            Keeper::Mapped(_) => true,
        }
    }
}

impl<T> Deref for SharedSlice<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: the keeper has so many values from there on, as long as `self` lives: those of an `Arc` do
        // not move, and a sealed file was written with them and is never written again.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> Clone for SharedSlice<T> {
    fn clone(&self) -> Self {
        let keeper = match &self.keeper {
            Keeper::Memory(values) => Keeper::Memory(Arc::clone(values)),
            #[cfg(target_os = "linux")]
            Keeper::Mapped(sealed) => Keeper::Mapped(Arc::clone(sealed)),
        };
        Self { start: self.start, len: self.len, keeper }
    }
}

impl<T> From<Arc<[T]>> for SharedSlice<T> {
    fn from(values: Arc<[T]>) -> Self {
        Self { start: NonNull::from(&*values).cast(), len: values.len(), keeper: Keeper::Memory(values) }
    }
}

impl<T> From<Vec<T>> for SharedSlice<T> {
    fn from(values: Vec<T>) -> Self {
        Arc::<[T]>::from(values).into()
    }
}

impl<T> FromIterator<T> for SharedSlice<T> {
    fn from_iter<I: IntoIterator<Item = T>>(values: I) -> Self {
        Arc::<[T]>::from_iter(values).into()
    }
}

impl<T> Default for SharedSlice<T> {
    fn default() -> Self {
        Vec::new().into()
    }
}

impl<T: Clone> From<&SharedSlice<T>> for Arc<[T]> {
    /// Copies what is in a file.
    fn from(values: &SharedSlice<T>) -> Self {
        match &values.keeper {
            Keeper::Memory(values) => Arc::clone(values),
            #[cfg(target_os = "linux")]
            Keeper::Mapped(_) => Arc::from(&**values),
        }
    }
}

impl<T> AsRef<[T]> for SharedSlice<T> {
    fn as_ref(&self) -> &[T] {
        self
    }
}

impl<'a, T> IntoIterator for &'a SharedSlice<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: PartialEq, O: AsRef<[T]> + ?Sized> PartialEq<O> for SharedSlice<T> {
    fn eq(&self, other: &O) -> bool {
        **self == *other.as_ref()
    }
}

impl<T: fmt::Debug> fmt::Debug for SharedSlice<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}
