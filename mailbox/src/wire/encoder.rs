//! Writing values into memory that is kept.

use std::fmt;

use rkyv::rancor::Failure;
use rkyv::ser::allocator::Arena;
use rkyv::ser::{Positional, Writer};
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

impl<E> Writer<E> for ValueWriter<'_> {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) -> Result<(), E> {
        if !bytes.is_empty() {
            self.0.extend_from_slice(bytes);
        }
        Ok(())
    }
}

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

    /// An encoder with room for a value of `bytes` bytes.
    #[must_use]
    pub fn with_capacity(bytes: usize) -> Self {
        Self { buffer: AlignedVec::with_capacity(bytes), arena: Arena::new() }
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

    #[inline]
    fn write<M: Wire>(&mut self, message: &M) -> Result<(), WireError> {
        let start = self.buffer.len();
        let written = rkyv::api::low::to_bytes_in_with_alloc::<_, _, Failure>(
            message,
            ValueWriter(&mut self.buffer),
            self.arena.acquire(),
        );
        if written.is_err() || self.buffer.len() - start > VALUE_LEN_MAX {
            return Err(self.too_large::<M>(start));
        }
        Ok(())
    }

    /// Gives the memory of the giant back, too.
    #[cold]
    fn too_large<M: Wire>(&mut self, start: usize) -> WireError {
        let got = self.buffer.len() - start;
        *self = Self::new();
        WireError::TooLarge { message: M::NAME, max: VALUE_LEN_MAX, got }
    }
}
