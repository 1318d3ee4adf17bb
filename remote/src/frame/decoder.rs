//! The incremental decoder: bytes in as they come, frames out.

use mycelium_mailbox::rkyv::util::AlignedVec;

use super::{
    ALIGN, DecodeError, Frame, HEADER_LEN, VALUE_LEN_DEFAULT_MAX, VALUE_LEN_MAX, frame_len, parse,
    parse_header,
};

/// The first buffer of a decoder, in bytes. It holds some hundred small frames per read.
const BUFFER_LEN_INITIAL: usize = 16 << 10;

/// Finds frames in a stream of bytes that arrives in pieces of any size.
///
/// The decoder holds 16 KiB, or one frame where that is longer. It grows with the bytes that have arrived,
/// not with the lengths that headers claim: a forged length costs its sender the bytes it announces. Values
/// are handed out in place, at addresses that are multiples of [`ALIGN`].
///
/// **There is no resynchronisation.** After the first error the start of the next frame is not known, and
/// searching for it would let a hostile value pass for a frame. The decoder repeats that error for ever;
/// close the connection.
///
/// ```
/// use mycelium_remote::frame::{self, Decoder, Header};
///
/// let mut wire = Vec::new();
/// frame::encode(&Header { sequence: 1, ..Header::default() }, b"", &mut wire)?;
/// frame::encode(&Header { sequence: 2, ..Header::default() }, b"", &mut wire)?;
///
/// let mut decoder = Decoder::new();
/// let mut seen = Vec::new();
/// for mut piece in wire.chunks(50) {
///     while !piece.is_empty() {
///         piece = &piece[decoder.feed(piece)..];
///         while let Some(frame) = decoder.next_frame()? {
///             seen.push(frame.header.sequence);
///         }
///     }
/// }
/// decoder.finish()?;
/// assert_eq!(seen, [1, 2]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Decoder {
    /// Always initialised over its whole length; bytes `start..end` have arrived and are not yet handed out.
    buffer: AlignedVec<64>,
    /// A multiple of [`ALIGN`], because every frame is.
    start: usize,
    end: usize,
    value_len_max: usize,
    unchecked: bool,
    fault: Option<DecodeError>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self::new()
    }
}

impl Decoder {
    /// A decoder for values of at most [`VALUE_LEN_DEFAULT_MAX`] bytes.
    #[must_use]
    pub fn new() -> Self {
        Self::with_value_len_max(VALUE_LEN_DEFAULT_MAX)
    }

    /// A decoder for values of at most `bytes` bytes, and never more than [`VALUE_LEN_MAX`].
    #[must_use]
    pub fn with_value_len_max(bytes: usize) -> Self {
        Self {
            buffer: AlignedVec::new(),
            start: 0,
            end: 0,
            value_len_max: bytes.min(VALUE_LEN_MAX),
            unchecked: false,
            fault: None,
        }
    }

    /// Accepts frames without a checksum too. For memory that both sides share.
    #[must_use]
    pub fn allow_unchecked(mut self) -> Self {
        self.unchecked = true;
        self
    }

    /// Accepts values of at most `bytes` bytes from the next frame on, and never more than [`VALUE_LEN_MAX`]:
    /// when a handshake is done.
    pub fn set_value_len_max(&mut self, bytes: usize) {
        self.value_len_max = bytes.min(VALUE_LEN_MAX);
    }

    /// Room for the next bytes to arrive, to be read into directly; report with [`Decoder::advance`] how many
    /// came.
    ///
    /// Empty only when the buffer is full and a frame waits for [`Decoder::next_frame`], or after an error.
    pub fn space(&mut self) -> &mut [u8] {
        if self.fault.is_some() {
            return &mut [];
        }
        if self.end == self.buffer.len() {
            self.make_room();
        }
        &mut self.buffer[self.end..]
    }

    /// Says that `count` bytes were written to the start of [`Decoder::space`]. A larger count than there was
    /// room for counts as all of it.
    pub fn advance(&mut self, count: usize) {
        self.end = self.end.saturating_add(count).min(self.buffer.len());
    }

    /// Copies as many of `bytes` as there is room for, and returns how many that were.
    ///
    /// Less than all when the buffer is full of frames that wait to be taken: take them, then feed the rest.
    /// After an error nothing is taken any more.
    #[must_use = "the bytes that were not taken have to be fed again"]
    pub fn feed(&mut self, mut bytes: &[u8]) -> usize {
        let all = bytes.len();
        while !bytes.is_empty() {
            let space = self.space();
            let count = space.len().min(bytes.len());
            if count == 0 {
                break;
            }
            let (now, later) = bytes.split_at(count);
            space[..count].copy_from_slice(now);
            self.advance(count);
            bytes = later;
        }
        all - bytes.len()
    }

    /// The next whole frame, or `None` when more bytes have to arrive first.
    ///
    /// # Errors
    /// The stream is broken. The same error comes again at every later call.
    pub fn next_frame(&mut self) -> Result<Option<Frame<'_>>, DecodeError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let (start, end) = (self.start, self.end);
        match parse(&self.buffer[start..end], self.value_len_max, self.unchecked) {
            Ok(frame) => {
                self.start += frame_len(frame.value.len());
                Ok(Some(frame))
            }
            Err(DecodeError::Truncated { .. }) => Ok(None),
            Err(fault) => {
                self.fault = Some(fault);
                Err(fault)
            }
        }
    }

    /// How many bytes have arrived that no frame was made of yet.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.end - self.start
    }

    /// To be called when the stream has ended and `next_frame` returned `None`: was that between two frames?
    ///
    /// # Errors
    /// [`DecodeError::Truncated`] when it ended inside a frame, or the error that broke the stream earlier.
    pub fn finish(&self) -> Result<(), DecodeError> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if self.start == self.end {
            return Ok(());
        }
        parse(&self.buffer[self.start..self.end], self.value_len_max, self.unchecked).map(|_| ())
    }

    /// Moves a frame that is still arriving to the front, and enlarges the buffer if it already was there.
    /// Each frame is moved at most once, and not at all while whole frames wait in front of it.
    fn make_room(&mut self) {
        if self.whole_frame_waits() {
            return;
        }
        if self.start > 0 {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            return;
        }
        let len = (self.buffer.len() * 2).min(frame_len(self.value_len_max)).max(BUFFER_LEN_INITIAL);
        // A large buffer stays: a stream that carried one large frame is likely to carry another.
        self.buffer.resize(len, 0);
    }

    /// Whether [`Decoder::next_frame`] would return a frame or an error.
    fn whole_frame_waits(&self) -> bool {
        let waiting = &self.buffer[self.start..self.end];
        waiting.first_chunk::<HEADER_LEN>().is_some_and(|head| {
            parse_header(head, self.value_len_max, self.unchecked)
                .map_or(true, |(_, value_len)| frame_len(value_len) <= waiting.len())
        })
    }
}

const _: () = assert!(HEADER_LEN.is_multiple_of(ALIGN) && BUFFER_LEN_INITIAL >= HEADER_LEN);
