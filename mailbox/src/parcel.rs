//! A value of any type, in place when it is small.
//!
//! # Layout
//! `data` holds the value itself if it needs at most 64 bytes and an alignment of at most 16, else a `Box`
//! pointer to it. The choice of the two is a constant of the type, so `shape` (type id and drop function of
//! the type put in) is all that is needed to read it back. `data` is initialized from `new` until `into` or
//! drop takes it out.

use std::any::{TypeId, type_name};
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::{ManuallyDrop, MaybeUninit};

/// Largest value stored in place, in bytes.
const IN_PLACE_BYTES_MAX: usize = 64;
/// Largest alignment stored in place, in bytes.
const IN_PLACE_ALIGN_MAX: usize = 16;

/// One value of a type known only to who put it in and who takes it out.
///
/// ```
/// use mycelium_mailbox::Parcel;
///
/// let parcel = Parcel::new(String::from("hello"));
/// assert_eq!(parcel.downcast_ref::<String>().map(String::as_str), Some("hello"));
/// let parcel = parcel.into::<u32>().unwrap_err(); // not an u32: handed back
/// assert_eq!(parcel.into::<String>().unwrap(), "hello");
/// ```
pub struct Parcel {
    data: Data,
    shape: &'static ParcelShape,
    /// Not `Sync`: the value need not be.
    not_sync: PhantomData<Cell<()>>,
}

#[repr(C, align(16))]
struct Data([MaybeUninit<u8>; IN_PLACE_BYTES_MAX]);

struct ParcelShape {
    id: fn() -> TypeId,
    name: fn() -> &'static str,
    drop: unsafe fn(*mut Data),
}

// SAFETY: a parcel owns one value, which `new` requires to be Send.
unsafe impl Send for Parcel {}

const _: () = assert!(size_of::<Parcel>() == 80 && align_of::<Data>() == IN_PLACE_ALIGN_MAX);

/// The facts about `T` that the layout depends on.
struct Of<T>(PhantomData<T>);

impl<T: 'static> Of<T> {
    const IN_PLACE: bool = size_of::<T>() <= IN_PLACE_BYTES_MAX && align_of::<T>() <= IN_PLACE_ALIGN_MAX;
    const SHAPE: ParcelShape = ParcelShape { id: id_of::<T>, name: type_name::<T>, drop: drop_data::<T> };
}

/// The id of a type, by a function whose address tells it too: not inlined, it is one for a program's unit
/// that puts values in and takes them out.
#[inline(never)]
fn id_of<T: 'static>() -> TypeId {
    TypeId::of::<T>()
}

/// Drops the `T` that `data` holds, in place or boxed.
///
/// # Safety
/// `data` holds a `T` as `Parcel::new::<T>` left it, and is not used for it again.
unsafe fn drop_data<T: 'static>(data: *mut Data) {
    if Of::<T>::IN_PLACE {
        // SAFETY: the caller says that a `T` lies in `data`; size and alignment fit by IN_PLACE.
        unsafe { data.cast::<T>().drop_in_place() };
    } else {
        // SAFETY: the caller says that a `Box<T>` lies in `data`.
        unsafe { data.cast::<Box<T>>().drop_in_place() };
    }
}

impl Parcel {
    /// Puts `value` in; allocates only for values over 64 bytes or with an alignment over 16.
    #[inline]
    pub fn new<T: Send + 'static>(value: T) -> Self {
        let mut data = Data([MaybeUninit::uninit(); IN_PLACE_BYTES_MAX]);
        let at = &raw mut data;
        if Of::<T>::IN_PLACE {
            // SAFETY: size and alignment of `T` fit into `Data` by IN_PLACE.
            unsafe { at.cast::<T>().write(value) };
        } else {
            // SAFETY: a box is one pointer, which fits.
            unsafe { at.cast::<Box<T>>().write(Box::new(value)) };
        }
        Self { data, shape: &Of::<T>::SHAPE, not_sync: PhantomData }
    }

    /// Whether a `T` is stored in place, so that nothing is allocated for it.
    #[must_use]
    pub const fn has_place_for<T: 'static>() -> bool {
        Of::<T>::IN_PLACE
    }

    /// Whether it holds a `T`.
    #[inline]
    #[must_use]
    pub fn is<T: 'static>(&self) -> bool {
        // One function gives one id, so it need not be called where it is the same.
        std::ptr::fn_addr_eq(self.shape.id, id_of::<T> as fn() -> TypeId)
            || (self.shape.id)() == TypeId::of::<T>()
    }

    /// The value, in place, if it is a `T`.
    #[inline]
    #[must_use]
    pub fn downcast_ref<T: 'static>(&self) -> Option<&T> {
        if !self.is::<T>() {
            return None;
        }
        let at = &raw const self.data;
        Some(if Of::<T>::IN_PLACE {
            // SAFETY: the type ids agree, so a `T` lies in `data` as `new` put it there, borrowed with
            // `self`.
            unsafe { &*at.cast::<T>() }
        } else {
            // SAFETY: the type ids agree, so a `Box<T>` lies in `data`, borrowed with `self`.
            unsafe { &*at.cast::<Box<T>>() }
        })
    }

    /// The value, in place and for changing, if it is a `T`.
    #[inline]
    pub fn downcast_mut<T: 'static>(&mut self) -> Option<&mut T> {
        if !self.is::<T>() {
            return None;
        }
        let at = &raw mut self.data;
        Some(if Of::<T>::IN_PLACE {
            // SAFETY: as in `downcast_ref`, and `self` is borrowed mutably.
            unsafe { &mut *at.cast::<T>() }
        } else {
            // SAFETY: as in `downcast_ref`, and `self` is borrowed mutably.
            unsafe { &mut *at.cast::<Box<T>>() }
        })
    }

    /// Takes the value out.
    ///
    /// # Errors
    /// The parcel itself when it holds another type.
    #[inline]
    pub fn into<T: 'static>(self) -> Result<T, Self> {
        if !self.is::<T>() {
            return Err(self);
        }
        let this = ManuallyDrop::new(self);
        let at = &raw const this.data;
        if Of::<T>::IN_PLACE {
            // SAFETY: `data` holds a `T`; it is read out once, because `this` is not dropped.
            Ok(unsafe { at.cast::<T>().read() })
        } else {
            // SAFETY: `data` holds a `Box<T>`; it is read out once, because `this` is not dropped.
            Ok(*unsafe { at.cast::<Box<T>>().read() })
        }
    }

    /// The name of the type inside, for messages to people.
    #[must_use]
    pub fn type_name(&self) -> &'static str {
        (self.shape.name)()
    }
}

impl Drop for Parcel {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: `data` holds the value whose shape this is, and is not used after.
        unsafe { (self.shape.drop)(&raw mut self.data) };
    }
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Parcel").field(&self.type_name()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[repr(align(32))]
    #[derive(Debug, PartialEq)]
    struct Wide(u64);

    #[test]
    fn every_kind_of_value_comes_back() {
        assert_eq!(Parcel::new(7_u8).into::<u8>().unwrap(), 7);
        assert_eq!(Parcel::new([3_u64; 8]).into::<[u64; 8]>().unwrap(), [3; 8]);
        assert_eq!(Parcel::new([4_u64; 9]).into::<[u64; 9]>().unwrap(), [4; 9]);
        assert_eq!(Parcel::new(Wide(5)).into::<Wide>().unwrap(), Wide(5));
        assert_eq!(Parcel::new(6_u128).into::<u128>().unwrap(), 6);
        Parcel::new(()).into::<()>().unwrap();
    }

    #[test]
    fn the_wrong_type_gets_nothing() {
        let mut parcel = Parcel::new(1_u32);
        assert_eq!(parcel.downcast_ref::<i32>(), None);
        assert_eq!(parcel.downcast_mut::<i32>(), None);
        *parcel.downcast_mut::<u32>().unwrap() += 1;
        assert_eq!(parcel.into::<i32>().unwrap_err().into::<u32>().unwrap(), 2);
    }

    #[test]
    fn the_value_is_dropped_exactly_once() {
        let witness = Arc::new(());
        drop(Parcel::new(Arc::clone(&witness)));
        drop(Parcel::new((Arc::clone(&witness), [0_u8; 100])));
        let out = Parcel::new((Arc::clone(&witness), [0_u8; 100])).into::<(Arc<()>, [u8; 100])>().unwrap();
        assert_eq!(Arc::strong_count(&witness), 2);
        drop(out);
        assert_eq!(Arc::strong_count(&witness), 1);
    }
}
