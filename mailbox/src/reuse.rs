//! Memory for what lives briefly: each thread keeps some of what it was given back, and uses it again.
//!
//! # Protocol
//! A block is memory of [`BLOCK`]'s layout from the allocator. It belongs to whoever [`place`] gave it to,
//! until [`take_out`] takes the value out of it. Then it belongs to the thread that did that: it lies on that
//! thread's list, whose links are in the blocks themselves, or goes back to the allocator. No block is on two
//! lists, and nobody but its thread touches a list. So memory that was got on one thread and given back on
//! another serves that one from then on. A thread that ends frees what it has kept.
//!
//! A value that does not fit a block has memory of its own.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::{self, NonNull};

/// How large a block is (bytes). The cells of a model are larger than their content.
const BLOCK_BYTES: usize = if cfg!(loom) { 1024 } else { 128 };
const BLOCK: Layout = match Layout::from_size_align(BLOCK_BYTES, 16) {
    Ok(layout) => layout,
    Err(_) => panic!("this is the layout of a block"),
};

/// How many blocks a thread keeps at most (blocks).
const KEPT_MAX: u32 = 32;

/// A block that nobody uses.
struct Spare {
    next: Option<NonNull<Self>>,
}

/// The blocks that a thread keeps.
struct KeptBlocks {
    first: Cell<Option<NonNull<Spare>>>,
    room: Cell<u32>,
}

thread_local!(static KEPT: KeptBlocks = const { KeptBlocks::none() });

impl KeptBlocks {
    const fn none() -> Self {
        Self { first: Cell::new(None), room: Cell::new(KEPT_MAX) }
    }

    #[inline]
    fn pop(&self) -> Option<NonNull<u8>> {
        let first = self.first.get()?;
        // SAFETY: the block is on this list, so a `Spare` was written there, and it is this thread's.
        self.first.set(unsafe { first.as_ref() }.next);
        self.room.set(self.room.get() + 1);
        Some(first.cast())
    }

    /// Whether there was room for the block.
    ///
    /// # Safety
    /// It is a block that nobody uses and that is on no list.
    #[inline]
    unsafe fn push(&self, block: NonNull<u8>) -> bool {
        let Some(room) = self.room.get().checked_sub(1) else { return false };
        let spare = block.cast::<Spare>();
        // SAFETY: a block is large and aligned enough, and the caller says that it is this function's.
        unsafe { spare.write(Spare { next: self.first.get() }) };
        self.first.set(Some(spare));
        self.room.set(room);
        true
    }
}

impl Drop for KeptBlocks {
    fn drop(&mut self) {
        while let Some(block) = self.pop() {
            // SAFETY: it was allocated with this layout, and has just left the list.
            unsafe { dealloc(block.as_ptr(), BLOCK) };
        }
    }
}

/// Whether a `T` lies in a block.
const fn fits<T>() -> bool {
    size_of::<T>() <= BLOCK_BYTES && align_of::<T>() <= BLOCK.align()
}

/// Puts `value` in memory that is its own, until [`take_out`].
#[inline]
pub(crate) fn place<T>(value: T) -> NonNull<T> {
    if !fits::<T>() {
        return NonNull::from(Box::leak(Box::new(value)));
    }
    // A thread that ends has no list any more.
    let kept = KEPT.try_with(KeptBlocks::pop).ok().flatten();
    let at = kept.unwrap_or_else(fresh).cast::<T>();
    // SAFETY: a block is large and aligned enough for a `T`, and nobody else has this one.
    unsafe { at.write(value) };
    at
}

/// Takes out what [`place`] has put there, and gives the memory back.
///
/// # Safety
/// `at` is what `place::<T>` returned, and nobody uses it any more.
#[inline]
pub(crate) unsafe fn take_out<T>(at: NonNull<T>) -> T {
    if !fits::<T>() {
        // SAFETY: `place` leaked a box there, and the caller says that it is this function's.
        return *unsafe { Box::from_raw(at.as_ptr()) };
    }
    // SAFETY: a `T` lies there, and is read once, as nobody uses the memory for it again.
    let value = unsafe { ptr::read(at.as_ptr()) };
    let block = at.cast::<u8>();
    // SAFETY: nobody uses the block any more, and it left its list when it was given out.
    let kept = KEPT.try_with(|kept| unsafe { kept.push(block) });
    if kept != Ok(true) {
        free(block);
    }
    value
}

#[cold]
fn fresh() -> NonNull<u8> {
    // SAFETY: the size is not zero.
    let at = unsafe { alloc(BLOCK) };
    NonNull::new(at).unwrap_or_else(|| handle_alloc_error(BLOCK))
}

#[cold]
fn free(block: NonNull<u8>) {
    // SAFETY: it was allocated with this layout, and the caller has it for itself.
    unsafe { dealloc(block.as_ptr(), BLOCK) };
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    fn kept() -> u32 {
        KEPT.with(|kept| KEPT_MAX - kept.room.get())
    }

    fn take<T>(at: NonNull<T>) -> T {
        // SAFETY: each test takes each place once.
        unsafe { take_out(at) }
    }

    #[test]
    fn what_was_given_back_last_is_used_first_and_no_more_than_the_most_is_kept() {
        std::thread::spawn(|| {
            let [one, two] = [place(1_u8), place(2)];
            assert_eq!((kept(), take(one), take(two), kept()), (0, 1, 2, 2));
            let again = place([7_u64; 16]);
            assert_eq!((again.cast(), kept(), take(again)), (two, 1, [7; 16]));
            let many: Vec<_> = (0..2 * KEPT_MAX).map(place).collect();
            let sum: u32 = many.into_iter().map(take).sum();
            assert_eq!((sum, kept()), ((0..2 * KEPT_MAX).sum(), KEPT_MAX));
        })
        .join()
        .unwrap();
    }

    #[test]
    fn what_is_too_large_or_aligned_otherwise_has_memory_of_its_own() {
        #[repr(align(64))]
        #[derive(Debug, PartialEq)]
        struct Wide(u8);
        let before = kept();
        let (large, wide) = (place([3_u64; 17]), place(Wide(4)));
        assert!(wide.as_ptr().addr().is_multiple_of(64));
        assert_eq!((take(large), take(wide), kept()), ([3; 17], Wide(4), before));
    }

    /// The value is given back on a thread that has begun to end, and has no list any more.
    #[test]
    fn a_thread_that_ends_gives_back_what_it_has_kept_and_what_comes_after() {
        struct Late(Cell<Option<NonNull<u64>>>);
        impl Drop for Late {
            fn drop(&mut self) {
                assert_eq!(self.0.take().map(take), Some(5));
                let after = place(6_u64);
                assert_eq!(take(after), 6);
            }
        }
        thread_local!(static LATE: Late = const { Late(Cell::new(None)) });
        std::thread::spawn(|| {
            LATE.with(|late| late.0.set(Some(place(5))));
            assert_eq!(take(place(1_u8)), 1);
        })
        .join()
        .unwrap();
    }
}
