//! A counted pointer to a value of any type, which is compared before the value is reached.

use std::any::{Any, TypeId};
use std::ptr::NonNull;
use std::rc::Rc;

/// An `Rc<dyn Any>` that remembers its type beside the pointer, so that looking at the value needs no call through it.
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
    at: NonNull<()>,
    value: Rc<dyn Any>,
}

impl Typed {
    /// Keeps a count of `value`.
    pub fn new<T: 'static>(value: Rc<T>) -> Self {
        let at = NonNull::from(&*value).cast();
        Self { type_id: TypeId::of::<T>(), at, value }
    }

    /// The value, if it is a `T`.
    #[inline(always)]
    pub fn get<T: 'static>(&self) -> Option<&T> {
        if self.type_id != TypeId::of::<T>() {
            return None;
        }
        // SAFETY: (1) `at` points to the value that `value` keeps alive and in place, and which is shared like this; (2) it
        // is a `T`, because the ids are equal.
        Some(unsafe { self.at.cast::<T>().as_ref() })
    }

    /// Another count of the value, if it is a `T`.
    pub fn share<T: 'static>(&self) -> Option<Rc<T>> {
        Rc::clone(&self.value).downcast().ok()
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
