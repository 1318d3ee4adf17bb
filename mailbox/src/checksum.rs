//! CRC-32C of short pieces of memory, with the processor's own instruction.
//!
//! Libraries are made for long pieces, and need a hundred instructions before they begin. A frame of 128
//! bytes is done in sixty.

/// From here on a library that has several under way at the same time is faster, in bytes.
const SHORT_LEN_MAX: usize = 512;

/// The CRC-32C of `bytes`, continued from `crc`; `None` where this processor has no instruction for it, or
/// the bytes are many: a library is to be used then.
///
/// ```
/// if let Some(crc) = mycelium_mailbox::crc32c_short(0, b"123456789") {
///     assert_eq!(crc, 0xe306_9283);
/// }
/// ```
#[inline]
#[must_use]
pub fn crc32c_short(crc: u32, bytes: &[u8]) -> Option<u32> {
    #[cfg(target_arch = "x86_64")]
    if bytes.len() <= SHORT_LEN_MAX && is_x86_feature_detected!("sse4.2") {
        // SAFETY: the processor has the instruction, as was just seen.
        return Some(unsafe { by_instruction(crc, bytes) });
    }
    let _unused = (crc, bytes.len() <= SHORT_LEN_MAX);
    None
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse4.2")]
fn by_instruction(crc: u32, bytes: &[u8]) -> u32 {
    use std::arch::x86_64::{_mm_crc32_u8, _mm_crc32_u64};
    let (words, rest) = bytes.as_chunks::<8>();
    let mut crc = u64::from(!crc);
    for word in words {
        crc = _mm_crc32_u64(crc, u64::from_le_bytes(*word));
    }
    // The upper half is zero.
    let mut crc = crc as u32;
    for byte in rest {
        crc = _mm_crc32_u8(crc, *byte);
    }
    !crc
}
