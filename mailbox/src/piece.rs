//! Bytes that many share, with a head that says what they are: the values of messages.
//!
//! # Protocol
//! A *piece* is one allocation: a count, its size, and items one behind the other. An item is its distance
//! from the beginning of the piece, a head, and bytes, in which one value lies or several do.
//!
//! - Each [`SharedBytes`] holds one of its piece's count, a [`Row`] one and one for each value that it has
//!   not given out, a [`Shelf`] a stock of them. Counts are given up by a subtraction with `Release`; the
//!   thread that finds these to be the last loads the count with `Acquire` and frees the piece (**sync point
//!   "last reader"**: all subtractions are in one release sequence). To raise the count one must hold some
//!   of it, so what has come to zero stays there.
//! - An item is written by whoever has made the piece and alone may write to it, before there is a value of
//!   it; from then on it is only read. A row that has all of the count is alone with its item.
//! - A shelf writes items one behind the other into a piece whose values others read already: behind all
//!   that is read. It begins at the front again only when it finds its own stock to be all of the count, by
//!   a load with `Acquire` (**sync point "all read"**, which pairs with the subtractions).
//!
//! The stock is taken when the piece is made: to put a value on a shelf is no atomic instruction.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use crate::sync::{AtomicU64, Ordering, Shared};
use crate::wire::VALUE_ALIGN;

/// How long a value is at most that goes onto a shelf, in bytes: a longer one has a piece of its own.
pub const SHELVED_BYTES_MAX: usize = 256;
/// How long a piece of a [`Shelf`] is at most, in bytes. It stays as long as one of its values is kept.
pub const SHELF_BYTES_MAX: usize = 8 * 1_024;

/// How many counts a shelf takes at once: more than anybody publishes before its piece is full.
const STOCK: u64 = 1 << 32;
/// Beyond that a count is a leak that is about to overflow.
const COUNT_MAX: u64 = 1 << 62;

/// What a piece begins with.
#[repr(C)]
struct PieceHead {
    count: AtomicU64,
    /// Of the whole piece (bytes).
    size: usize,
    /// Read and written as the items are: the model sees by it that nobody reads what is freed.
    watch: Shared<()>,
}

/// What an item begins with; its bytes follow.
#[repr(C)]
struct ItemHead<H> {
    /// Its distance from the beginning of the piece (bytes).
    at: usize,
    head: H,
}

const PIECE_ALIGN: usize =
    if align_of::<PieceHead>() > VALUE_ALIGN { align_of::<PieceHead>() } else { VALUE_ALIGN };
/// Where the first item is.
const FIRST: usize = size_of::<PieceHead>().next_multiple_of(VALUE_ALIGN);

/// A pointer to a piece, of whose count the owner holds some.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Piece(NonNull<PieceHead>);

impl Piece {
    /// A piece with room for so many bytes of items, all of whose count is the caller's.
    fn new(room: usize, count: u64) -> Self {
        let size = FIRST.saturating_add(room);
        let layout = Self::layout(size);
        // SAFETY: the layout has a size: that of the head, at least.
        let memory = unsafe { alloc(layout) };
        let Some(piece) = NonNull::new(memory.cast::<PieceHead>()) else { handle_alloc_error(layout) };
        let head = PieceHead { count: AtomicU64::new(count), size, watch: Shared::new(()) };
        // SAFETY: the memory is as large and aligned as the layout says, and ours alone.
        unsafe { piece.write(head) };
        Self(piece)
    }

    /// The piece of an item, of whose count the caller holds some.
    #[inline(always)]
    fn of<H>(item: NonNull<ItemHead<H>>) -> Self {
        // SAFETY: the item is there as long as somebody has a count, and its head is only read.
        let at = unsafe { item.as_ref() }.at;
        // SAFETY: it is so far behind the beginning of its piece, from which its pointer was made.
        Self(unsafe { item.byte_sub(at) }.cast())
    }

    fn layout(size: usize) -> Layout {
        match Layout::from_size_align(size, PIECE_ALIGN) {
            Ok(layout) => layout,
            Err(_) => unreachable!("a value is shorter than 2^32 bytes"),
        }
    }

    #[inline(always)]
    fn head(&self) -> &PieceHead {
        // SAFETY: the owner holds a count, so the piece is there, and its head is only shared.
        unsafe { self.0.as_ref() }
    }

    /// Takes so many counts more.
    #[inline]
    fn share(self, counts: u64) {
        let before = self.head().count.fetch_add(counts, Ordering::Relaxed);
        if before > COUNT_MAX {
            std::process::abort();
        }
    }

    /// Gives so many counts up, which the caller holds and uses no more.
    #[inline]
    fn release(self, counts: u64) {
        if counts > 0 && self.head().count.fetch_sub(counts, Ordering::Release) == counts {
            self.free();
        }
    }

    #[cold]
    #[inline(never)]
    fn free(self) {
        // A load in place of a fence, which ThreadSanitizer does not understand; it costs only who frees.
        self.head().count.load(Ordering::Acquire);
        self.head().watch.with_mut(|_| ());
        let layout = Self::layout(self.head().size);
        // SAFETY: nobody holds a count any more, so this is the only pointer to the head; once.
        unsafe { self.0.drop_in_place() };
        // SAFETY: it was made with this layout, and nobody uses it any more.
        unsafe { dealloc(self.0.as_ptr().cast(), layout) };
    }

    /// Writes an item `at` a distance from the beginning.
    ///
    /// # Safety
    /// `len` bytes may be read at `from`, and the piece has room for the item there. `at` is a multiple of
    /// [`VALUE_ALIGN`], and nobody else reads or writes there.
    #[inline]
    unsafe fn write<H>(self, at: usize, head: H, from: *const u8, len: usize) -> NonNull<ItemHead<H>> {
        const { assert!(align_of::<H>() <= VALUE_ALIGN && align_of::<usize>() <= VALUE_ALIGN) };
        const { assert!(size_of::<ItemHead<H>>().is_multiple_of(VALUE_ALIGN)) };
        // SAFETY: the item lies in the piece, as the caller says.
        let item = unsafe { self.0.byte_add(at) }.cast::<ItemHead<H>>();
        // SAFETY: it is aligned, as `at` is, and nobody else's.
        unsafe { item.write(ItemHead { at, head }) };
        // SAFETY: the bytes begin behind the head, in the piece.
        let to = unsafe { item.add(1) }.cast::<u8>();
        // SAFETY: the caller says that there are so many bytes, and room for them; what was just made or is
        // nobody else's does not overlap with them.
        unsafe { ptr::copy_nonoverlapping(from, to.as_ptr(), len) };
        item
    }
}

/// How much room an item with so many bytes takes, so that the next one is aligned.
const fn room_of<H>(len: usize) -> usize {
    size_of::<ItemHead<H>>().saturating_add(len).saturating_add(VALUE_ALIGN - 1) / VALUE_ALIGN * VALUE_ALIGN
}

/// A length or place within an item, which is shorter than 2^32 bytes.
#[inline(always)]
fn short(bytes: usize) -> u32 {
    debug_assert!(u32::try_from(bytes).is_ok(), "a value is shorter than 2^32 bytes");
    u32::try_from(bytes).unwrap_or(u32::MAX)
}

/// Bytes and the head that speaks of them, shared by all clones. They begin at a multiple of
/// [`VALUE_ALIGN`], as a value may ask for.
///
/// ```
/// use mycelium_mailbox::SharedBytes;
///
/// let bytes = SharedBytes::new(7_u64, b"seven");
/// let other = bytes.clone();
/// drop(bytes);
/// assert_eq!((*other.head(), other.bytes()), (7, &b"seven"[..]));
/// ```
pub struct SharedBytes<H> {
    item: NonNull<ItemHead<H>>,
    start: u32,
    len: u32,
}

// SAFETY: it is a share of memory that is only read, of which the last one that gives its share up frees
// it, on any thread. Heads are dropped nowhere, as they are `Copy`.
unsafe impl<H: Copy + Send + Sync> Send for SharedBytes<H> {}
// SAFETY: as above.
unsafe impl<H: Copy + Send + Sync> Sync for SharedBytes<H> {}

impl<H: Copy> SharedBytes<H> {
    /// A copy of `bytes`, in memory of its own.
    ///
    /// # Panics
    /// When they are 2^32 or more.
    #[must_use]
    pub fn new(head: H, bytes: &[u8]) -> Self {
        let len = u32::try_from(bytes.len()).ok();
        let len = len.unwrap_or_else(|| panic!("a value is shorter than 2^32 bytes"));
        let piece = Piece::new(room_of::<H>(bytes.len()), 1);
        // SAFETY: the piece was made with the room, and nobody else knows it.
        let item = unsafe { piece.write(FIRST, head, bytes.as_ptr(), bytes.len()) };
        Self { item, start: 0, len }
    }

    /// The head.
    #[inline(always)]
    #[must_use]
    pub fn head(&self) -> &H {
        // SAFETY: the item is there as long as this has its count, and is only read.
        &unsafe { self.item.as_ref() }.head
    }

    /// The bytes.
    #[inline(always)]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        self.span(self.len as usize)
    }

    /// How many bytes there are.
    #[inline(always)]
    #[must_use]
    #[allow(clippy::len_without_is_empty, reason = "a value of no bytes is one")]
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// So many bytes from the first one on, which lie in the item.
    #[inline(always)]
    fn span(&self, len: usize) -> &[u8] {
        #[cfg(loom)]
        Piece::of(self.item).head().watch.with(|_| ());
        // SAFETY: the item's bytes follow its head.
        let bytes = unsafe { self.item.add(1) }.cast::<u8>();
        // SAFETY: the value lies in the item.
        let first = unsafe { bytes.add(self.start as usize) };
        // SAFETY: all bytes of the item were written before there was a value of it, and are only read as
        // long as there is one.
        unsafe { std::slice::from_raw_parts(first.as_ptr(), len) }
    }

    /// Whether `next` lies directly behind this one, and has the very same head.
    #[inline(always)]
    #[must_use]
    pub fn is_followed_by(&self, next: &Self) -> bool {
        self.item == next.item && self.start.wrapping_add(self.len) == next.start
    }

    /// The bytes from the first of this one to the last of `last`, if both lie in one item in this order.
    #[inline(always)]
    #[must_use]
    pub fn through(&self, last: &Self) -> Option<&[u8]> {
        let before = last.start.checked_sub(self.start)?;
        (self.item == last.item).then(|| self.span(before as usize + last.len as usize))
    }
}

impl<H: Copy> Clone for SharedBytes<H> {
    #[inline]
    fn clone(&self) -> Self {
        Piece::of(self.item).share(1);
        Self { ..*self }
    }
}

impl<H> Drop for SharedBytes<H> {
    #[inline]
    fn drop(&mut self) {
        Piece::of(self.item).release(1);
    }
}

impl<H> fmt::Debug for SharedBytes<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SharedBytes({} bytes)", self.len)
    }
}

/// Values of one length that were copied together, and are given out one by one. They have one head.
///
/// ```
/// use mycelium_mailbox::Row;
///
/// let mut row = Row::new((), &[1; 24], 8);
/// assert_eq!((row.next().unwrap().bytes(), row.rest().len()), (&[1; 8][..], 16));
/// ```
pub struct Row<H> {
    item: NonNull<ItemHead<H>>,
    /// Where the next value begins, and all of them end.
    at: u32,
    end: u32,
    each: u32,
}

// SAFETY: as for `SharedBytes`; what it writes it owns.
unsafe impl<H: Copy + Send + Sync> Send for Row<H> {}
// SAFETY: as above; shared, it is only read.
unsafe impl<H: Copy + Send + Sync> Sync for Row<H> {}

impl<H: Copy> Row<H> {
    /// A copy of values of `each` bytes that lie one behind the other; the last one is shorter where the
    /// bytes end before.
    ///
    /// # Panics
    /// When the bytes are 2^32 or more; when `each` is 0, or there is more than one value and `each` is no
    /// multiple of [`VALUE_ALIGN`].
    #[must_use]
    pub fn new(head: H, bytes: &[u8], each: usize) -> Self {
        // SAFETY: there are so many bytes.
        unsafe { Self::copy(head, bytes.as_ptr(), bytes.len(), each) }
    }

    /// The same of memory that others may write to meanwhile: each byte is read once.
    ///
    /// # Panics
    /// When [`new`](Self::new) does.
    #[must_use]
    pub fn of_cells(head: H, bytes: &[Cell<u8>], each: usize) -> Self {
        // SAFETY: there are so many bytes, and no other code of this thread runs meanwhile.
        unsafe { Self::copy(head, bytes.as_ptr().cast(), bytes.len(), each) }
    }

    /// # Safety
    /// `len` bytes may be read at `from`.
    unsafe fn copy(head: H, from: *const u8, len: usize, each: usize) -> Self {
        assert!(each > 0 && (len <= each || each.is_multiple_of(VALUE_ALIGN)), "values are aligned");
        let end = u32::try_from(len).ok();
        let end = end.unwrap_or_else(|| panic!("a row is shorter than 2^32 bytes"));
        let each = short(each.min(u32::MAX as usize));
        let piece = Piece::new(room_of::<H>(len), 1 + u64::from(end.div_ceil(each)));
        // SAFETY: the piece was made with the room, and nobody else knows it.
        let item = unsafe { piece.write(FIRST, head, from, len) };
        Self { item, at: 0, end, each }
    }

    /// The head and the bytes of all values, to be changed while none was given out, and no clone of one that
    /// was taken back is left.
    pub fn edit(&mut self) -> Option<(&mut H, &mut [u8])> {
        let own = 1 + self.len() as u64;
        // Sync point "all read", as for a shelf.
        if self.at > 0 || Piece::of(self.item).head().count.load(Ordering::Acquire) != own {
            return None;
        }
        // SAFETY: the bytes follow the head.
        let bytes = unsafe { self.item.add(1) }.cast::<u8>();
        // SAFETY: nobody else has a count, so the row, borrowed mutably, is alone with the item, all of whose
        // bytes are written.
        let bytes = unsafe { std::slice::from_raw_parts_mut(bytes.as_ptr(), self.end as usize) };
        // SAFETY: as above; the head lies before the bytes.
        let item = unsafe { self.item.as_mut() };
        Some((&mut item.head, bytes))
    }

    /// Takes the value back that was given out last, so that it comes next again; another one is dropped.
    pub fn take_back(&mut self, value: SharedBytes<H>) {
        if value.item == self.item && value.start + value.len == self.at {
            self.at = ManuallyDrop::new(value).start;
        }
    }

    /// The head.
    #[must_use]
    pub fn head(&self) -> &H {
        // SAFETY: as in `rest`.
        &unsafe { self.item.as_ref() }.head
    }

    /// The bytes of the values that were not given out.
    #[must_use]
    pub fn rest(&self) -> &[u8] {
        // SAFETY: the bytes follow the head.
        let bytes = unsafe { self.item.add(1) }.cast::<u8>();
        // SAFETY: `at` is at most `end`, the length of the item.
        let first = unsafe { bytes.add(self.at as usize) };
        // SAFETY: they were written when the row was made, and are only read while it is shared.
        unsafe { std::slice::from_raw_parts(first.as_ptr(), (self.end - self.at) as usize) }
    }
}

impl<H: Copy> Iterator for Row<H> {
    type Item = SharedBytes<H>;

    #[inline]
    fn next(&mut self) -> Option<SharedBytes<H>> {
        let (start, len) = (self.at, self.each.min(self.end - self.at));
        if len == 0 {
            return None;
        }
        self.at += len;
        Some(SharedBytes { item: self.item, start, len })
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.end - self.at).div_ceil(self.each) as usize;
        (left, Some(left))
    }
}

impl<H: Copy> ExactSizeIterator for Row<H> {}

impl<H> Drop for Row<H> {
    fn drop(&mut self) {
        let left = (self.end - self.at).div_ceil(self.each);
        Piece::of(self.item).release(1 + u64::from(left));
    }
}

impl<H> fmt::Debug for Row<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Row({} of {} bytes)", self.end - self.at, self.end)
    }
}

/// Room for short values that are published one by one: many of them lie in one piece, and to put one there
/// is to copy it, with neither an allocation nor an atomic instruction of its own. Where all that was put
/// into a piece has been given up, the piece is used again.
///
/// A value that is kept keeps its piece, up to [`SHELF_BYTES_MAX`].
///
/// ```
/// use mycelium_mailbox::Shelf;
///
/// let mut shelf = Shelf::new();
/// let (one, two) = (shelf.put(1_u64, b"one", 1_024), shelf.put(2, b"two", 1_024));
/// drop(shelf);
/// assert_eq!((one.bytes(), two.bytes(), *two.head()), (&b"one"[..], &b"two"[..], 2));
/// ```
pub struct Shelf<H> {
    open: Option<OpenPiece>,
    of: PhantomData<fn(H)>,
}

/// The piece of a shelf.
struct OpenPiece {
    piece: Piece,
    /// Where the next item goes, and the piece ends (bytes).
    at: usize,
    end: usize,
    /// How many counts the shelf has.
    stock: u64,
}

// SAFETY: the piece is only ever written by who borrows the shelf mutably.
unsafe impl<H: Copy + Send + Sync> Send for Shelf<H> {}

impl<H: Copy> Shelf<H> {
    /// An empty one, which takes no memory before it is used.
    #[must_use]
    pub const fn new() -> Self {
        Self { open: None, of: PhantomData }
    }

    /// A copy of `bytes`. Those that are longer than [`SHELVED_BYTES_MAX`] have a piece of their own. A new
    /// piece is made for at most `most` values like this one.
    ///
    /// # Panics
    /// When [`SharedBytes::new`] does.
    #[inline]
    pub fn put(&mut self, head: H, bytes: &[u8], most: usize) -> SharedBytes<H> {
        if bytes.len() > SHELVED_BYTES_MAX {
            return SharedBytes::new(head, bytes);
        }
        let room = room_of::<H>(bytes.len());
        let open = match &mut self.open {
            Some(open) if open.end - open.at >= room => open,
            _ => self.make_room(room, most),
        };
        // SAFETY: there is room for it at `at`, which is a multiple of `VALUE_ALIGN` as all rooms are; no
        // value lies there, and the shelf is borrowed mutably.
        let item = unsafe { open.piece.write(open.at, head, bytes.as_ptr(), bytes.len()) };
        open.at += room;
        open.stock -= 1;
        SharedBytes { item, start: 0, len: short(bytes.len()) }
    }

    #[cold]
    #[inline(never)]
    fn make_room(&mut self, room: usize, most: usize) -> &mut OpenPiece {
        let reused = self.open.take().filter(|open| FIRST + room <= open.end).and_then(OpenPiece::begin_anew);
        self.open.insert(reused.unwrap_or_else(|| {
            let items = room.saturating_mul(most).min(SHELF_BYTES_MAX - FIRST).max(room);
            let (piece, end) = (Piece::new(items, STOCK), FIRST + items);
            OpenPiece { piece, at: FIRST, end, stock: STOCK }
        }))
    }
}

impl OpenPiece {
    /// The same piece from its beginning, if nobody has any of its values.
    fn begin_anew(mut self) -> Option<Self> {
        let head = self.piece.head();
        if head.count.load(Ordering::Acquire) != self.stock {
            return None;
        }
        head.watch.with_mut(|_| ());
        // Nobody but the shelf has a count, so nobody changes it.
        head.count.store(STOCK, Ordering::Relaxed);
        (self.at, self.stock) = (FIRST, STOCK);
        Some(self)
    }
}

impl Drop for OpenPiece {
    fn drop(&mut self) {
        self.piece.release(self.stock);
    }
}

impl<H: Copy> Default for Shelf<H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H> fmt::Debug for Shelf<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf").field("used", &self.open.as_ref().map_or(0, |open| open.at)).finish()
    }
}

/// Gives values up together: those in a row that share a piece by one atomic instruction, when the next one
/// lies in another, or when this is dropped.
///
/// ```
/// use mycelium_mailbox::{Releases, Row};
///
/// let mut releases = Releases::new();
/// Row::new((), &[0; 2_048], 8).for_each(|value| releases.add(value));
/// ```
pub struct Releases<H> {
    piece: Option<Piece>,
    counts: u64,
    of: PhantomData<SharedBytes<H>>,
}

// SAFETY: it holds what values hold.
unsafe impl<H: Copy + Send + Sync> Send for Releases<H> {}

impl<H: Copy> Releases<H> {
    /// Of nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { piece: None, counts: 0, of: PhantomData }
    }

    /// Gives this one up, now or with the next ones.
    #[inline]
    pub fn add(&mut self, value: SharedBytes<H>) {
        let piece = Piece::of(ManuallyDrop::new(value).item);
        if self.piece != Some(piece) {
            self.release();
            self.piece = Some(piece);
        }
        self.counts += 1;
    }
}

impl<H> Releases<H> {
    fn release(&mut self) {
        let counts = std::mem::take(&mut self.counts);
        self.piece.take().into_iter().for_each(|piece| piece.release(counts));
    }
}

impl<H: Copy> Default for Releases<H> {
    fn default() -> Self {
        Self::new()
    }
}

impl<H> Drop for Releases<H> {
    fn drop(&mut self) {
        self.release();
    }
}

impl<H> fmt::Debug for Releases<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Releases").field("counts", &self.counts).finish()
    }
}
