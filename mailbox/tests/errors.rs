//! What the errors of topics, inboxes and values say, and that they give back what was not sent.

use std::sync::Arc;

use mycelium_mailbox::wire::WireError;
use mycelium_mailbox::{
    Badge, Blocker, Doorbell, Inbox, InboxOptions, Obstacle, Overflow, PublishError, SUBSCRIBERS_MAX,
    SendError, Stamps, SubscribeError, SubscribeOptions, Topic, TryPublishError, TrySendError,
};

/// A text, and the words that it must have.
fn says(error: &dyn std::error::Error, words: &[&str]) {
    let text = error.to_string();
    for word in words {
        assert!(text.contains(word), "{text:?} lacks {word:?}");
    }
    assert!(!text.ends_with('.') && !text.contains('\n'), "{text:?}");
}

#[test]
fn errors_of_topics_name_the_subscriber_and_give_the_message_back() {
    let ring = Blocker { subscriber: 7, obstacle: Obstacle::Ring };
    let lane = Blocker { subscriber: 9, obstacle: Obstacle::FailLane };
    says(&TryPublishError::Full { message: 1, by: ring }, &["subscriber 7", "wait with `publish`"]);
    says(&TryPublishError::Full { message: 1, by: lane }, &["subscriber 9", "policy is Fail"]);
    says(&TryPublishError::Closed(1), &["the topic is closed"]);
    says(&PublishError::Full { message: 1, by: lane }, &["not published", "subscriber 9"]);
    says(&PublishError::WouldDeadlock(1), &["would wait for itself", "declare more room"]);
    says(&PublishError::Closed(1), &["the topic is closed"]);
    says(&SubscribeError::Closed, &["the topic is closed"]);
    says(&SubscribeError::TooMany, &[&SUBSCRIBERS_MAX.to_string()]);
    says(&SubscribeError::NoMemory, &["ask for less"]);
    assert_eq!(TryPublishError::Full { message: 3, by: ring }.into_inner(), 3);
    assert_eq!(TryPublishError::Closed(4).into_inner(), 4);
    assert_eq!(PublishError::Full { message: 5, by: ring }.into_inner(), 5);
    assert_eq!(PublishError::WouldDeadlock(6).into_inner(), 6);
    assert_eq!(PublishError::Closed(7).into_inner(), 7);
}

/// The badge of the one in the way, of several with one id.
#[test]
fn a_refused_publish_finds_the_badge_of_the_subscriber_in_its_way() {
    let badge = |text: &'static str| Some(Arc::new(text) as Badge);
    let read = |badge: Option<Badge>| badge.and_then(|badge| badge.downcast::<&str>().ok()).map(|text| *text);
    for (overflow, apart) in [(Overflow::Block, false), (Overflow::Block, true), (Overflow::Fail, false)] {
        let topic = Topic::<u64>::new(Arc::new(Stamps::new()), 8);
        let come = |capacity, badge| {
            let options = SubscribeOptions {
                overflow: overflow.clone(),
                capacity,
                id: 7,
                badge,
                apart,
                ..Default::default()
            };
            topic.subscribe(Arc::new(Doorbell::new()), options).unwrap()
        };
        let _wide = come(Some(8), badge("wide"));
        let slow = come(Some(1), badge("slow"));
        let _mute = come(Some(8), None);
        topic.try_publish(1, 0).unwrap();
        let Err(TryPublishError::Full { by, .. }) = topic.try_publish(2, 0) else { panic!("it is full") };
        assert_eq!(read(topic.badge_of(by)), Some("slow"), "{by}");
        let publishing = topic.publish(2, 0);
        assert_eq!(read(publishing.badge_of(by)), Some("slow"), "{by}");
        drop((publishing, slow));
        assert_eq!(read(topic.badge_of(by)), Some("wide"), "who was meant has left");
        assert_eq!(read(topic.badge_of(Blocker { subscriber: 8, ..by })), None, "nobody has this id");
    }
}

#[test]
fn errors_of_inboxes_say_what_to_do_and_give_the_message_back() {
    let options = InboxOptions { capacity: 1, ..InboxOptions::default() };
    let inbox = Inbox::new(Arc::new(Stamps::new()), Arc::new(Doorbell::new()), options);
    let sender = inbox.sender();
    assert_eq!(sender.try_send("first"), Ok(()));
    let full = sender.try_send("second").unwrap_err();
    says(&full, &["the inbox is full", "wait with `send`"]);
    assert_eq!(full.into_inner(), "second");
    drop(inbox);
    let closed = sender.try_send("third").unwrap_err();
    assert_eq!(closed, TrySendError::Closed("third"));
    says(&closed, &["the receiver of this inbox is gone"]);
    assert_eq!(closed.into_inner(), "third");
    for (error, word) in [
        (SendError::Full(1), "policy is Fail"),
        (SendError::Closed(1), "receiver of this inbox is gone"),
        (SendError::WouldDeadlock(1), "raise its capacity or use try_send"),
    ] {
        says(&error, &[word]);
        assert_eq!(error.into_inner(), 1);
    }
}

#[test]
fn errors_of_values_give_the_numbers_and_the_remedy() {
    let message = "Quote";
    let version = |root_len_expected| WireError::Version {
        message,
        ours: 3,
        got: 2,
        root_len_expected,
        root_len_got: 40,
    };
    let errors: [(WireError, &[&str]); 9] = [
        (WireError::Truncated { message, needed: 16, got: 3 }, &["3 bytes are too few", "16"]),
        (
            WireError::Misaligned { message, align: 16, off_by: 5 },
            &["5 bytes behind a multiple of 16", "AlignedVec"],
        ),
        (WireError::Invalid { message, cause: "tag 9".into() }, &["(tag 9)", "damaged"]),
        (version(Some(32)), &["version 2 has a root of 32 bytes, not 40", "ours is version 3"]),
        (version(None), &["version 2 with a root of 40 bytes", "version 3"]),
        (WireError::Name { message, got: "Trade".into() }, &["\"Trade\"", "tlv_type"]),
        (
            WireError::Digest { message, version: 2, expected: 1, got: 2 },
            &["0x0000000000000002", "breaking --against"],
        ),
        (WireError::NoCommonVersion { message, ours: 3, got: 0 }, &["3"]),
        (WireError::TooLarge { message, max: 10, got: 11 }, &["10", "11"]),
    ];
    for (error, words) in errors {
        says(&error, words);
        says(&error, &["Quote"]);
    }
}
