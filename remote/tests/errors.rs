//! What the errors of frames say: the numbers, whose fault it is, and what to do.

use mycelium_remote::frame::{DecodeError, EncodeError};

fn says(error: &dyn std::error::Error, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{text:?} lacks {word:?}");
    }
    assert!(!text.ends_with('.') && !text.contains('\n'), "{text:?}");
}

#[test]
fn errors_of_frames_give_the_numbers_and_the_remedy() {
    says(&EncodeError::TooLong { max: 8, got: 9 }, &["9 bytes", "8 bytes", "split the message"]);
    says(
        &EncodeError::RootLength { value_len: 4, got: 5 },
        &["root of 5 bytes", "value of 4", "one encoding"],
    );
    says(&EncodeError::FrameLength { expected: 48, got: 47 }, &["has 47 bytes", "exactly 48"]);
    says(&DecodeError::Truncated { needed: 32, got: 7 }, &["7 of 32 bytes"]);
    says(
        &DecodeError::Magic { expected: *b"ab", got: *b"cd" },
        &["[63, 64]", "[61, 62]", "no Mycelium node"],
    );
    says(&DecodeError::Protocol { expected: 2, got: 1 }, &["protocol 1", "node 2", "update the older"]);
    says(&DecodeError::Flags { known: 3, got: 0x84 }, &["0x84", "0x03", "update this node"]);
    says(&DecodeError::Unchecked, &["no checksum", "have the peer write one"]);
    says(&DecodeError::TooLong { max: 8, got: 9 }, &["9 bytes", "at most 8", "raise the limit"]);
    says(&DecodeError::RootLength { value_len: 4, got: 5 }, &["root of 5 bytes", "value of 4"]);
    says(&DecodeError::Padding { value_len: 6 }, &["value of 6 bytes", "not zero"]);
    says(&DecodeError::Run { at: 24 }, &["byte 24", "run", "encoder is broken"]);
    let damaged = DecodeError::Checksum { expected: 1, got: 2, type_id: 11, sequence: 12 };
    says(&damaged, &["type 11", "sequence 12", "0x00000002", "0x00000001", "damaged"]);
}
