//! What the errors of frames and links say: the numbers, whose fault it is, and what to do.

use std::error::Error;

use mycelium_remote::frame::{DecodeError, EncodeError};
use mycelium_remote::link::{AttachError, HelloError, LinkFault, Reason, Reject, SendError};

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

#[test]
fn faults_of_links_say_whose_they_are_and_a_peer_is_told_of_those_that_it_can_read() {
    let rejected = Reject { reason: Reason::NameTaken, text: "take another name".into() };
    let malformed = Some(Reason::Malformed);
    let faults: [(LinkFault, Option<Reason>, &[&str]); 15] = [
        (LinkFault::Frame(DecodeError::Unchecked), None, &["no checksum"]),
        (
            LinkFault::Malformed { control: "Hello", what: "it ends early" },
            malformed,
            &["peer's Hello is malformed: it ends early", "its client is broken"],
        ),
        (LinkFault::UnknownControl { type_id: 9 }, malformed, &["kind 9", "update the older"]),
        (
            LinkFault::Unexpected { expected: "Accept", got: "Hello" },
            malformed,
            &["Hello came where Accept should"],
        ),
        (LinkFault::Version { ours: 2, got: 1 }, Some(Reason::Version), &["version 1", "node 2", "update"]),
        (LinkFault::Nonce, malformed, &["another connection", "replays a recorded one"]),
        (LinkFault::Rejected(rejected), None, &["NameTaken", "take another name"]),
        (LinkFault::HandshakeLate { limit_ns: 5_000_000 }, None, &["after 5 ms", "listening there?"]),
        (LinkFault::Silent { limit_ns: 7_000_000 }, None, &["for 7 ms", "the network between is cut"]),
        (LinkFault::Slow { limit_ns: 9_000_000 }, None, &["64 KiB in 9 ms", "too slow"]),
        (LinkFault::Gap { expected: 3, got: 5 }, malformed, &["message 5", "3 comes next"]),
        (
            LinkFault::Acknowledged { sent: 3, got: 5 },
            malformed,
            &["acknowledges message 5", "3 was the last"],
        ),
        (LinkFault::NotAgreed { type_id: 7 }, malformed, &["type id 7", "one contract"]),
        (LinkFault::Credit { type_id: 7, limit: 8 }, malformed, &["8 messages of type id 7"]),
        (LinkFault::MailboxCredit { limit: 8 }, malformed, &["8 messages to a mailbox"]),
    ];
    for (fault, reason, words) in faults {
        says(&fault, words);
        let reject = fault.reject();
        assert_eq!(reject.as_ref().map(|reject| reject.reason), reason, "{fault}");
        assert!(reject.is_none_or(|reject| reject.text == fault.to_string()), "{fault}");
        assert_eq!(fault.source().is_some(), matches!(fault, LinkFault::Frame(_)), "{fault}");
    }
}

#[test]
fn what_is_not_sent_or_not_attached_says_what_to_wait_for_or_to_change() {
    says(&SendError::NotWanted { type_id: 7 }, &["type id 7", "no subscriber"]);
    says(&SendError::NoCredit { type_id: 7 }, &["type id 7", "wait until it grants more"]);
    says(&SendError::Full { window_bytes: 64 }, &["64 bytes", "wait until the peer acknowledges"]);
    says(&SendError::TooLong { max: 8, got: 9 }, &["9 bytes", "peer reads 8", "split the message"]);
    says(&SendError::Encode(EncodeError::TooLong { max: 8, got: 9 }), &["not sent: ", "9 bytes"]);
    says(&SendError::Mailbox, &["is not opened", "name fewer actors"]);
    says(&HelloError::Name { got: "a b".into() }, &["\"a b\" is no name of a node", "digits"]);
    says(&HelloError::Offer { type_id: 7 }, &["type id 7", "type ids must rise", "65,535"]);
    says(&HelloError::TooLong { max: 8, got: 9 }, &["9 bytes of the 8", "the contracts it needs"]);
    let attach: [(AttachError, Reason, &[&str]); 4] = [
        (AttachError::NameTaken, Reason::NameTaken, &["a name of its own"]),
        (AttachError::Stale, Reason::Stale, &["connect anew"]),
        (AttachError::PeerRestarted { lost: 3 }, Reason::Stale, &["3 messages", "are lost", "connect anew"]),
        (AttachError::Beyond { sent: 3, got: 5 }, Reason::Malformed, &["message 5", "3 was the last"]),
    ];
    for (error, reason, words) in attach {
        says(&error, words);
        assert_eq!(error.reject(), Reject { reason, text: error.to_string() });
    }
}
