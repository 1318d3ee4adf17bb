//! Writing values into memory that is kept.

use std::fmt;

use rkyv::Place;
use rkyv::api::low::LowSerializer;
use rkyv::rancor::{Failure, Source, fail};
use rkyv::ser::allocator::Arena;
use rkyv::ser::{Positional, Serializer, Writer, WriterExt};
use rkyv::util::AlignedVec;

use super::{VALUE_ALIGN, VALUE_LEN_MAX, Wire, WireError};

/// Writes messages into one buffer that it keeps, so that encoding allocates nothing once the buffer has
/// grown.
///
/// Keep one per thread or per link: a new one per message costs about ten times the encoding itself.
///
/// See [the module](super) for an example.
pub struct Encoder {
    buffer: AlignedVec,
    /// Holds where the elements of lists went while their list is written.
    arena: Arena,
}

/// Where a value is written: the end of a buffer. Only [`Encoder`] makes one.
///
/// rkyv writes padding in front of each part of a value. It is mostly empty, and to copy a number of bytes
/// that the compiler does not know takes longer than to see that there are none.
#[derive(Debug)]
pub struct ValueWriter<'a>(&'a mut AlignedVec);

impl Positional for ValueWriter<'_> {
    #[inline(always)]
    fn pos(&self) -> usize {
        self.0.len()
    }
}

/// Bytes of a buffer up to which an offset reaches from its end to its start.
const REACH: usize = i32::MAX as usize;

impl<E: Source> Writer<E> for ValueWriter<'_> {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> Result<(), E> {
        if !bytes.is_empty() {
            if bytes.len() > self.0.capacity() - self.0.len() {
                grow(self.0, bytes.len())?;
            }
            self.0.extend_from_slice(bytes);
        }
        Ok(())
    }
}

/// Room for `more` bytes, which the buffer has not: a write that has its room is not asked. A buffer grows to
/// a power of two, so all in it is within reach. Without the bound, which is twice the longest value, rkyv
/// would panic at an offset that does not fit into 32 bits.
#[cold]
#[inline(never)]
fn grow<E: Source>(buffer: &mut AlignedVec, more: usize) -> Result<(), E> {
    if buffer.len().saturating_add(more) > REACH {
        fail!(BeyondReach);
    }
    buffer.reserve(more);
    Ok(())
}

#[derive(Debug)]
struct BeyondReach;

impl fmt::Display for BeyondReach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is longer than an offset reaches")
    }
}

impl std::error::Error for BeyondReach {}

/// A buffer with room for a frame's header in front of a value, made by [`Encoder::encode_framed`].
#[derive(Debug)]
pub struct Framed<'a> {
    /// Zeroed header, value, and zeroed padding to a multiple of [`VALUE_ALIGN`].
    pub bytes: &'a mut [u8],
    /// The length of the value, in bytes.
    pub value_len: usize,
}

impl Default for Encoder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").field("capacity", &self.buffer.capacity()).finish_non_exhaustive()
    }
}

impl Encoder {
    /// An encoder whose buffer grows with the first messages.
    #[must_use]
    pub fn new() -> Self {
        Self { buffer: AlignedVec::new(), arena: Arena::new() }
    }

    /// An encoder with room for a value of `bytes` bytes, and for no longer one than there may be.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { buffer: AlignedVec::with_capacity(bytes.min(VALUE_LEN_MAX)), arena: Arena::new() }
    }

    /// Writes `message` and returns its bytes. Bytes that were written before are gone.
    ///
    /// # Errors
    /// [`WireError::TooLarge`] when the value would be longer than [`VALUE_LEN_MAX`].
    #[inline]
    pub fn encode<M: Wire>(&mut self, message: &M) -> Result<&[u8], WireError> {
        self.buffer.clear();
        self.write(message)?;
        Ok(&self.buffer)
    }

    /// Writes `message` behind `header_len` zero bytes, to be completed in place into a frame.
    ///
    /// ```
    /// # use mycelium_mailbox::{Message, wire::{Encoder, Layout, Wire}};
    /// # #[derive(Clone, Debug, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
    /// # struct Flag { on: bool }
    /// # impl Message for Flag {
    /// #     const NAME: &'static str = "Flag";
    /// #     const TYPE_ID: u16 = 8;
    /// #     const TOPIC: &'static str = "flags";
    /// # }
    /// # impl Wire for Flag {
    /// #     const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: 1, digest: 0 }];
    /// # }
    /// let mut encoder = Encoder::new();
    /// let framed = encoder.encode_framed(64, &Flag { on: true })?;
    /// assert_eq!((framed.bytes.len(), framed.value_len, framed.bytes[64]), (72, 1, 1));
    /// # Ok::<(), mycelium_mailbox::wire::WireError>(())
    /// ```
    ///
    /// # Errors
    /// As [`Encoder::encode`].
    ///
    /// # Panics
    /// When `header_len` is not a multiple of [`VALUE_ALIGN`].
    #[inline]
    pub fn encode_framed<M: Wire>(
        &mut self,
        header_len: usize,
        message: &M,
    ) -> Result<Framed<'_>, WireError> {
        assert!(
            header_len.is_multiple_of(VALUE_ALIGN),
            "a header of {header_len} bytes would misalign the value"
        );
        self.buffer.clear();
        self.buffer.resize(header_len, 0);
        self.write(message)?;
        let value_len = self.buffer.len() - header_len;
        self.buffer.resize(self.buffer.len().next_multiple_of(VALUE_ALIGN), 0);
        Ok(Framed { bytes: &mut self.buffer, value_len })
    }

    #[inline(always)] // As a call of its own it is a tenth of a small message.
    fn write<M: Wire>(&mut self, message: &M) -> Result<(), WireError> {
        let start = self.buffer.len();
        let written = self.write_parts(message);
        if written.is_err() || self.buffer.len() - start > VALUE_LEN_MAX {
            return Err(self.too_large::<M>(start));
        }
        Ok(())
    }

    /// What lies out of line, and then the root, in its place.
    ///
    /// rkyv's own call makes the root on the stack and copies it. It is made of single fields and read in
    /// pieces of 16 and 32 bytes, for which a processor may have to wait: on an AMD EPYC half of the samples
    /// of a message of fixed size lay there.
    #[inline(always)]
    fn write_parts<M: Wire>(&mut self, message: &M) -> Result<(), Failure> {
        let Self { buffer, arena } = self;
        let mut serializer = Serializer::new(ValueWriter(buffer), arena.acquire(), ());
        let resolver = message.serialize(LowSerializer::<_, _, Failure>::wrap(&mut serializer))?;
        let at = WriterExt::<Failure>::align_for::<M::Archived>(&mut serializer)?;
        let ValueWriter(buffer) = serializer.into_writer();
        if size_of::<M::Archived>() > buffer.capacity() - buffer.len() {
            grow::<Failure>(buffer, size_of::<M::Archived>())?;
        }
        // SAFETY: the buffer has room for a root from `at`, its length, on.
        let root = unsafe { buffer.as_mut_ptr().add(at) }.cast::<M::Archived>();
        const { assert!(align_of::<M::Archived>() <= <AlignedVec>::ALIGNMENT) };
        // SAFETY: as above. `at` is a multiple of the root's alignment, and the buffer begins at one.
        unsafe { root.write_bytes(0, 1) };
        // SAFETY: as above, and all bytes of the root have just been written.
        message.resolve(resolver, unsafe { Place::new_unchecked(at, root) });
        // SAFETY: the buffer has room for it, and its bytes have been written.
        unsafe { buffer.set_len(at + size_of::<M::Archived>()) };
        Ok(())
    }

    /// Gives the memory of the giant back, too. All errors are of values that are longer than the longest
    /// one, however much of them was written.
    #[cold]
    fn too_large<M: Wire>(&mut self, start: usize) -> WireError {
        let got = VALUE_LEN_MAX.max(self.buffer.len() - start);
        *self = Self::new();
        WireError::TooLarge { message: M::NAME, max: VALUE_LEN_MAX, got }
    }
}
