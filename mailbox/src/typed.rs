//! A counted pointer to a value of any type, which is compared before the value is reached.
//!
//! # Protocol
//! `value` came from `Rc::into_raw` of a `T` whose id is `type_id`, and stands for one count of it until the
//! drop, which gives it back by `release`, the function for the same `T`.

use std::any::TypeId;
use std::marker::PhantomData;
use std::ptr::NonNull;
use std::rc::Rc;

/// An `Rc<dyn Any>` that remembers its type beside the pointer, so that looking at the value needs no call
/// through it.
///
/// ```
/// use mycelium_mailbox::Typed;
/// use std::rc::Rc;
///
/// let seven = Typed::new(Rc::new(7u8));
/// assert_eq!((seven.get::<u8>(), seven.get::<i8>()), (Some(&7), None));
/// ```
pub struct Typed {
    type_id: TypeId,
    value: NonNull<()>,
    release: unsafe fn(NonNull<()>),
    /// Neither `Send` nor `Sync`.
    confined: PhantomData<Rc<()>>,
}

impl Typed {
    /// Keeps a count of `value`.
    pub fn new<T: 'static>(value: Rc<T>) -> Self {
        /// # Safety
        /// `value` came from `Rc::into_raw` of a `T`, and stands for a count that nobody gives back again.
        unsafe fn release<T>(value: NonNull<()>) {
            // SAFETY: by this function's contract.
            drop(unsafe { Rc::from_raw(value.cast::<T>().as_ptr()) });
        }
        // SAFETY: a counted value has an address.
        let value = unsafe { NonNull::new_unchecked(Rc::into_raw(value).cast_mut()) };
        Self { type_id: TypeId::of::<T>(), value: value.cast(), release: release::<T>, confined: PhantomData }
    }

    /// The value, if it is a `T`.
    #[inline(always)]
    pub fn get<T: 'static>(&self) -> Option<&T> {
        if self.type_id != TypeId::of::<T>() {
            return None;
        }
        // SAFETY: (1) `value` stands for a count, which keeps the value alive and in place, and it is shared
        // like this; (2) it is a `T`, because the ids are equal.
        Some(unsafe { self.value.cast::<T>().as_ref() })
    }

    /// Another count of the value, if it is a `T`.
    pub fn share<T: 'static>(&self) -> Option<Rc<T>> {
        if self.type_id != TypeId::of::<T>() {
            return None;
        }
        let value = self.value.cast::<T>().as_ptr();
        // SAFETY: `value` came from `Rc::into_raw` of a `T`, because the ids are equal, and there is a count
        // of it.
        unsafe { Rc::increment_strong_count(value) };
        // SAFETY: as before; this is the count that was just added.
        Some(unsafe { Rc::from_raw(value) })
    }
}

impl Drop for Typed {
    fn drop(&mut self) {
        // SAFETY: as this type's protocol says; it is given back once, here.
        unsafe { (self.release)(self.value) };
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_reached_as_its_own_type_alone_and_dropped_once() {
        let count = Rc::new(String::from("here"));
        let typed = Typed::new(Rc::new(Rc::clone(&count)));
        assert_eq!(typed.get::<Rc<String>>().map(|text| text.as_str()), Some("here"));
        assert!(typed.get::<String>().is_none() && typed.share::<String>().is_none());
        let shared = typed.share::<Rc<String>>().unwrap();
        drop(typed);
        assert_eq!((shared.as_str(), Rc::strong_count(&count)), ("here", 2));
        drop(shared);
        assert_eq!(Rc::strong_count(&count), 1);
    }
}
