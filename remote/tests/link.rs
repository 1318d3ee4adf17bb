//! What one end of a link does: its bytes, its times, and what it makes of peers that break the rules. What
//! two ends do together is in `link_sim.rs`.

#[path = "link/late_words.rs"]
mod late_words;
#[path = "link/mailboxes.rs"]
mod mailboxes;
#[path = "link/runs.rs"]
mod runs;
#[path = "link/silence.rs"]
mod silence;
#[path = "link/successors.rs"]
mod successors;
#[path = "link/to_and_fro.rs"]
mod to_and_fro;

use mycelium_mailbox::wire::{GrownEnum, Layout, Offer};
use mycelium_random::{Random, seed};
use mycelium_remote::frame::{self, Decoder, Flags, Frame, Header, frame_len};
use mycelium_remote::link::{
    Accept, Agreement, AttachError, Attached, Direct, ENVELOPE_LEN, Ended, Failure, Greeting, HANDSHAKE_NS,
    HELLO_LEN_MAX, Handshake, Hello, HelloError, Input, Link, LinkConfig, LinkFault, MailboxState, Output,
    PeerHello, Reason, Reject, SendError, Served, Standing, Taken, message_of,
};

const fn offer(name: &'static str, layouts: &'static [Layout]) -> Offer<'static> {
    Offer { name, version: 1, layouts, enums: &[] }
}

const ONE: &[Layout] = &[Layout { version: 1, root_len: 8, digest: 0x1122_3344_5566_7788 }];
const OTHER: &[Layout] = &[Layout { version: 1, root_len: 8, digest: 2 }];
const OFFERS: &[(u16, Offer<'static>)] = &[(7, offer("Tick", ONE)), (9, offer("Fill", ONE))];
const LEN_MAX: u32 = 16 << 20;
const MS: u64 = 1_000_000;

fn control(kind: u16, value: &[u8]) -> Vec<u8> {
    let header = Header { flags: Flags::CONTROL, type_id: kind, version: 1, ..Header::default() };
    let mut out = Vec::new();
    frame::encode(&header, value, &mut out).expect("short enough");
    out
}

fn message(type_id: u16, sequence: u64) -> Vec<u8> {
    let header = Header { type_id, version: 1, root_len: 8, sequence, ..Header::default() };
    let mut out = Vec::new();
    frame::encode(&header, &[0; 8], &mut out).expect("short enough");
    out
}

fn parse(bytes: &[u8]) -> Frame<'_> {
    frame::parse(bytes, HELLO_LEN_MAX, false).expect("a frame")
}

fn hello(name: &str, nonce: u64, offers: &[(u16, Offer<'static>)]) -> PeerHello {
    let mut out = Vec::new();
    Hello { name, nonce, value_len_max: LEN_MAX, offers }.encode(&mut out).expect("sound");
    let Ok(Greeting::Hello(hello)) = Handshake::new(0, 1).frame(&parse(&out)) else { panic!("no Hello") };
    hello
}

fn agreement() -> Agreement {
    Agreement::of(OFFERS, &hello("b", 1, OFFERS))
}

fn attach(link: &mut Link, peer: Standing) -> Result<Attached, AttachError> {
    let stated = link.standing();
    link.attach(0, 0, &agreement(), &stated, &peer)
}

const PEER: Standing = Standing { end: 50, peer_end: 0, received: 0 };

/// A link whose peer wants both types and has granted eight of each, and to which it grants 1,024 of type 7.
fn linked() -> Link {
    linked_with(LinkConfig::default())
}

fn linked_with(config: LinkConfig) -> Link {
    let mut link = Link::new(config, 10);
    assert_eq!(attach(&mut link, PEER), Ok(Attached::First));
    step(&mut link, &control(4, &[7, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0])).expect("interest");
    step(&mut link, &control(5, &[7, 0, 8, 0, 0, 0, 0, 0, 0, 0, 9, 0, 8, 0, 0, 0, 0, 0, 0, 0]))
        .expect("credit");
    link.step(0, Input::Want { type_id: 7, channel: Some(0) }).expect("a wish");
    link
}

fn step(link: &mut Link, bytes: &[u8]) -> Result<Output, LinkFault> {
    link.step(0, Input::Frame(&parse(bytes)))
}

fn send(link: &mut Link, type_id: u16) -> Result<u64, SendError> {
    link.send(&Header { type_id, version: 1, root_len: 8, ..Header::default() }, &[1; 8])
}

/// Kind and sequence of each frame that is to be written.
fn written(link: &mut Link, now: u64) -> Vec<(&'static str, u64)> {
    let mut out = Vec::new();
    link.fill(now, &mut out);
    let (mut decoder, mut rest, mut seen) = (Decoder::new(), &out[..], Vec::new());
    while !rest.is_empty() {
        rest = &rest[decoder.feed(rest)..];
        while let Some(frame) = decoder.next_frame().expect("ours are sound") {
            let number = || u64::from_le_bytes(frame.value[..8].try_into().expect("eight bytes"));
            if let Some(run) = frame.run() {
                seen.extend((frame.header.sequence..).zip(run).map(|(sequence, _)| ("message", sequence)));
                continue;
            }
            seen.push(match (frame.header.flags, frame.header.type_id) {
                (Flags::CONTROL, 4) => ("interest", frame.value.len() as u64 / 8),
                (Flags::CONTROL, 5) => ("credit", frame.value.len() as u64 / 10),
                (Flags::CONTROL, 6) => ("ack", number()),
                (Flags::CONTROL, 12) => ("begin", frame.value.len() as u64 / 14),
                (Flags::NONE, _) => ("message", frame.header.sequence),
                other => panic!("{other:?}"),
            });
        }
    }
    seen
}

/// The bytes of the page that have this name.
fn example(name: &str) -> Vec<u8> {
    let page = include_str!("../../docs/wire.md");
    let chapter = page.split("\n## Links\n").nth(1).expect("the chapter");
    let after =
        chapter.split(&format!("`{name}`:\n\n")).nth(1).unwrap_or_else(|| panic!("no example {name}"));
    let lines = after.lines().take_while(|line| line.starts_with("    "));
    let digits = lines.flat_map(|line| line.split('|').next().unwrap_or_default().split_whitespace());
    digits.map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal")).collect()
}

#[test]
fn control_frames_are_the_bytes_of_the_page() {
    let mut out = Vec::new();
    let grown = GrownEnum { name: "Side", first: 2, variants: &["Cross"] };
    let tick = Offer { name: "Tick", version: 1, layouts: ONE, enums: &[grown] };
    Hello { name: "desk", nonce: 0x0102_0304_0506_0708, value_len_max: LEN_MAX, offers: &[(7, tick)] }
        .encode(&mut out)
        .expect("sound");
    assert_eq!(parse(&out).value, example("Hello"), "{:02x?}", parse(&out).value);
    assert_eq!(out[..64], example("the header of Hello"), "{:02x?}", &out[..64]);
    out.clear();
    let standing = Standing { end: 0x21, peer_end: 0x43, received: 5 };
    Accept { nonce: 0x0102_0304_0506_0708, standing }.encode(&mut out);
    assert_eq!(parse(&out).value, example("Accept"), "{:02x?}", parse(&out).value);
    out.clear();
    Reject { reason: Reason::NameTaken, text: "taken".to_owned() }.encode(&mut out);
    assert_eq!(parse(&out).value, example("Reject"), "{:02x?}", parse(&out).value);
    let mut link = linked();
    link.step(0, Input::Want { type_id: 9, channel: Some(1) }).expect("a wish");
    link.step(0, Input::Want { type_id: 9, channel: None }).expect("a wish");
    for sequence in 1..=3 {
        assert_eq!(step(&mut link, &message(7, sequence)), Ok(Output::Message));
    }
    out.clear();
    link.fill(0, &mut out);
    let mut at = 0;
    for name in ["Interest", "Credit", "Ack"] {
        let frame = parse(&out[at..]);
        at += frame_len(frame.value.len());
        assert_eq!(frame.value, example(name), "{name} {:02x?}", frame.value);
    }
    assert_eq!(step(&mut link, &control(4, &[7, 0, 0, 0, 1, 0, 0, 0])), Ok(Output::Interest));
    out.clear();
    link.fill(0, &mut out);
    assert_eq!(parse(&out).value, example("Begin"), "{:02x?}", parse(&out).value);
    out.clear();
    link.bye(Ended::Shutdown, &mut out);
    assert_eq!(parse(&out).value, example("Bye"));
}

#[test]
fn direct_messages_are_the_bytes_of_the_page() {
    let mut link = linked();
    written(&mut link, 0);
    step(&mut link, &control(8, &example("Open"))).expect("the peer may");
    let takes = vec![Taken { type_id: 7, asked: false }, Taken { type_id: 9, asked: true }];
    link.serve(0, Some(Served { channel: Some(7), takes: takes.clone() }));
    assert_eq!(link.open("risk/limits"), Ok(0));
    let mut out = Vec::new();
    link.fill(0, &mut out);
    let mut at = 0;
    for name in ["Open", "Mailbox"] {
        let frame = parse(&out[at..]);
        at += frame_len(frame.value.len());
        assert_eq!(frame.value, example(name), "{name} {:02x?}", frame.value);
    }
    assert_eq!(step(&mut link, &control(9, &example("Mailbox"))), Ok(Output::Mailboxes));
    assert_eq!(link.mailbox(0), &MailboxState::Open(Served { channel: Some(7), takes }));
    let header = |type_id| Header { type_id, version: 1, root_len: 8, ..Header::default() };
    link.tell(0, &header(7), &[1; 8]).expect("it takes that");
    assert_eq!(link.ask(0, Some(5_000_000_000), &header(9), &[2; 8]), Ok(1));
    for (sequence, name) in [(1, "a question"), (2, "another")] {
        let mut value = [3; 8].to_vec();
        value.extend_from_slice(&example("the envelope of a question"));
        let header = Header { flags: Flags::DIRECT, sequence, ..header(9) };
        let mut bytes = Vec::new();
        frame::encode(&header, &value, &mut bytes).expect("short enough");
        let Ok(Output::Direct(Direct::Ask { question, place: 0, limit_ns })) = step(&mut link, &bytes) else {
            panic!("{name}");
        };
        assert_eq!(limit_ns, Some(5_000_000_000));
        match sequence {
            1 => link.answer(question, &header, &[4; 8]).expect("both know it"),
            _ => link.fail(question, Failure::Late).expect("there is room"),
        }
    }
    out.clear();
    link.fill(0, &mut out);
    let mut at = 0;
    let envelopes = ["a told message", "a question", "an answer", "a failure"];
    while at < out.len() {
        let frame = parse(&out[at..]);
        at += frame_len(frame.value.len());
        if frame.header.flags == Flags::DIRECT {
            let name = envelopes[frame.header.sequence as usize - 1];
            let envelope = &frame.value[message_of(frame.value).len()..];
            assert_eq!(envelope, example(&format!("the envelope of {name}")), "{name} {envelope:02x?}");
        }
    }
}

#[test]
fn who_says_goodbye_acknowledges_what_has_come() {
    let mut link = linked();
    written(&mut link, 0);
    step(&mut link, &message(7, 1)).expect("it was granted");
    let mut out = Vec::new();
    link.bye(Ended::Shutdown, &mut out);
    let ack = parse(&out);
    assert_eq!((ack.header.type_id, ack.value), (6, &1_u64.to_le_bytes()[..]));
    assert_eq!(parse(&out[frame_len(8)..]).header.type_id, 7);
}

/// Two mailboxes: the peer's, which takes type 7 told and type 9 asked, eight in all, and one of this end.
fn with_mailboxes() -> Link {
    let mut link = linked();
    assert_eq!((link.open("there"), link.open("there")), (Ok(0), Ok(0)));
    let described = [&[0; 4][..], &8_u64.to_le_bytes(), &[255, 255, 7, 0, 0, 9, 0, 1]].concat();
    assert_eq!(step(&mut link, &control(9, &described)), Ok(Output::Mailboxes));
    assert_eq!(step(&mut link, &control(8, &[&[0; 4][..], &[4, 0], b"here"].concat())), Ok(Output::Opened));
    link.serve(0, Some(Served { channel: None, takes: Vec::new() }));
    link
}

fn direct(sequence: u64, value: &[u8], envelope: &[u8]) -> Vec<u8> {
    let header =
        Header { flags: Flags::DIRECT, type_id: 7, version: 1, root_len: 8, sequence, ..Header::default() };
    let mut out = Vec::new();
    frame::encode(&header, &[value, envelope].concat(), &mut out).expect("short enough");
    out
}

fn envelope(ask: u64, mailbox: u32, kind: u8, code: u8) -> Vec<u8> {
    let limit = if kind == 2 { u64::MAX } else { 0 };
    [&ask.to_le_bytes()[..], &limit.to_le_bytes(), &mailbox.to_le_bytes(), &[kind, code, 0, 0]].concat()
}

#[test]
fn direct_messages_that_break_the_rules_are_named_and_cost_the_connection_alone() {
    let open = |number: u32, name: &[u8]| {
        control(8, &[&number.to_le_bytes()[..], &(name.len() as u16).to_le_bytes(), name].concat())
    };
    let broken = [
        ("no envelope", direct(1, &[], &[0; 23])),
        ("no kind", direct(1, &[0; 8], &envelope(0, 0, 0, 0))),
        ("another kind", direct(1, &[0; 8], &envelope(0, 0, 5, 0))),
        ("fields that are not zero", direct(1, &[0; 8], &envelope(1, 0, 1, 0))),
        ("a code of a told message", direct(1, &[0; 8], &envelope(0, 0, 1, 1))),
        ("a failure with a value", direct(1, &[0; 8], &envelope(1, 0, 4, 1))),
        ("a mailbox that was not opened", direct(1, &[0; 8], &envelope(0, 1, 1, 0))),
        ("a gap", direct(2, &[0; 8], &envelope(0, 0, 1, 0))),
        ("a name that has a number", open(1, b"here")),
        ("a number that has a name", open(0, b"hier")),
        ("a high number", open(1 << 31, b"four")),
        ("a long name", open(1, &[b'a'; 256])),
        ("a mailbox that nobody opened", control(9, &[&[1, 0, 0, 0][..], &[0; 8]].concat())),
        ("a number that was not closed", control(14, &[0; 4])),
        ("a high number that is closed", control(13, &(1_u32 << 31).to_le_bytes())),
        ("half a taken type", control(9, &[&[0; 12][..], &[0, 0, 7, 0]].concat())),
        ("neither told nor asked", control(9, &[&[0; 12][..], &[0, 0, 7, 0, 2]].concat())),
    ];
    for (name, bytes) in broken {
        let mut link = with_mailboxes();
        let fault = step(&mut link, &bytes).expect_err(name);
        assert!(!fault.to_string().is_empty() && !link.is_attached(), "{name}: {fault}");
        let knows = Standing { peer_end: 10, ..PEER };
        assert_eq!(attach(&mut link, knows), Ok(Attached::Resumed { resent: 0 }), "{name}");
        assert_eq!(
            step(&mut link, &direct(1, &[0; 8], &envelope(0, 0, 1, 0))),
            Ok(Output::Direct(Direct::Tell { place: 0 }))
        );
    }
    let mut link = with_mailboxes();
    for sequence in 1..=1_024 {
        step(&mut link, &direct(sequence, &[0; 8], &envelope(0, 0, 1, 0))).expect("it was granted");
    }
    let beyond = step(&mut link, &direct(1_025, &[0; 8], &envelope(0, 0, 1, 0)));
    assert_eq!(beyond, Err(LinkFault::MailboxCredit { limit: 1_024 }));
}

#[test]
fn a_mailbox_takes_what_its_actor_takes_and_no_more_than_it_has_granted() {
    let mut link = with_mailboxes();
    let header = |type_id| Header { type_id, version: 1, root_len: 8, ..Header::default() };
    assert_eq!(link.tell(0, &header(9), &[0; 8]), Err(SendError::NotWanted { type_id: 9 }), "it is asked");
    assert_eq!(
        link.ask(0, None, &header(7), &[0; 8]),
        Err(SendError::NotWanted { type_id: 7 }),
        "it is told"
    );
    assert_eq!(link.tell(1, &header(7), &[0; 8]), Err(SendError::NotWanted { type_id: 7 }), "not opened");
    let len = LEN_MAX as usize - ENVELOPE_LEN + 1;
    let long = link.tell(0, &header(7), &vec![0; len]);
    assert_eq!(long, Err(SendError::TooLong { max: LEN_MAX as usize, got: LEN_MAX as usize + 1 }));
    for told in 0..7 {
        assert_eq!((link.mailbox_credit(0), link.tell(0, &header(7), &[0; 8])), (8 - told, Ok(())));
    }
    assert_eq!(link.ask(0, None, &header(9), &[0; 8]), Ok(1));
    assert_eq!(link.tell(0, &header(7), &[0; 8]), Err(SendError::NoCredit { type_id: 7 }));
    // Each answer once, and none that nobody waits for.
    let answer = Ok(Output::Direct(Direct::Answer { ask: 1 }));
    assert_eq!(step(&mut link, &direct(1, &[0; 8], &envelope(1, 0, 3, 0))), answer);
    assert_eq!(step(&mut link, &direct(2, &[0; 8], &envelope(1, 0, 3, 0))), Ok(Output::Nothing));
    assert_eq!(link.open(""), Err(SendError::Mailbox));
    assert_eq!(link.open(&"a".repeat(256)), Err(SendError::Mailbox));
    (1..4_096).for_each(|number| assert_eq!(link.open(&number.to_string()), Ok(number)));
    assert_eq!(link.open("one more"), Err(SendError::Mailbox));
}

#[test]
fn a_handshake_takes_a_hello_and_the_accept_that_answers_it_and_nothing_else() {
    let mut sound = Vec::new();
    Hello { name: "b", nonce: 7, value_len_max: LEN_MAX, offers: OFFERS }.encode(&mut sound).expect("sound");
    let accept = |nonce| {
        let mut out = Vec::new();
        Accept { nonce, standing: PEER }.encode(&mut out);
        out
    };
    let mut handshake = Handshake::new(0, 99);
    let unexpected = |expected, got| Err(LinkFault::Unexpected { expected, got });
    assert_eq!(handshake.frame(&parse(&accept(99))), unexpected("Hello", "Accept"));
    assert_eq!(handshake.frame(&parse(&message(7, 1))), unexpected("Hello", "a message"));
    assert!(matches!(handshake.frame(&parse(&sound)), Ok(Greeting::Hello(hello)) if hello.name() == "b"));
    assert_eq!(handshake.frame(&parse(&sound)), unexpected("Accept", "Hello"), "replayed");
    assert_eq!(handshake.frame(&parse(&accept(98))), Err(LinkFault::Nonce), "recorded on another connection");
    assert_eq!(handshake.frame(&parse(&accept(99))), Ok(Greeting::Accepted(PEER)));
    assert_eq!(handshake.frame(&parse(&accept(99))), unexpected("Accept", "a message"), "no second one");
    assert_eq!(handshake.tick(HANDSHAKE_NS - 1), Ok(()));
    assert_eq!(handshake.tick(HANDSHAKE_NS), Err(LinkFault::HandshakeLate { limit_ns: HANDSHAKE_NS }));
}

#[test]
fn a_peer_refuses_with_a_reason_and_writes_no_lines_into_a_log() {
    let mut out = Vec::new();
    Reject { reason: Reason::TooMany, text: "ä".repeat(400) + "\n" }.encode(&mut out);
    let Err(LinkFault::Rejected(got)) = Handshake::new(0, 1).frame(&parse(&out)) else { panic!() };
    assert_eq!(
        (got.reason, got.text.as_str()),
        (Reason::TooMany, "ä".repeat(256).as_str()),
        "cut between letters"
    );
    let forged = control(3, &[200, 5, 0, b'a', b'\n', b'b', 27, b'c']);
    let Err(LinkFault::Rejected(got)) = Handshake::new(0, 1).frame(&parse(&forged)) else { panic!() };
    assert_eq!((got.reason, got.reason.code(), got.text.as_str()), (Reason::Other(200), 200, "a b c"));
    assert!(got.reason.is_temporary() && !Reason::OwnName.is_temporary());
}

#[test]
fn hellos_that_are_wrong_are_named() {
    let read = |value: &[u8]| Handshake::new(0, 1).frame(&parse(&control(1, value)));
    let mut sound = Vec::new();
    Hello { name: "b", nonce: 7, value_len_max: LEN_MAX, offers: OFFERS }.encode(&mut sound).expect("sound");
    let sound = parse(&sound).value.to_vec();
    for end in 0..sound.len() {
        // A Hello that ends before an offer is one that offers less.
        let whole = [17, 17 + (sound.len() - 17) / 2].contains(&end);
        assert_eq!(read(&sound[..end]).is_ok(), whole, "cut at {end}");
    }
    let mut newer = sound.clone();
    newer[0] = 3;
    assert_eq!(read(&newer), Err(LinkFault::Version { ours: 2, got: 3 }));
    assert_eq!(read(&newer).unwrap_err().reject().map(|reject| reject.reason), Some(Reason::Version));
    let with_name = |name: &[u8]| {
        let mut value = sound[..14].to_vec();
        value.extend_from_slice(&(name.len() as u16).to_le_bytes());
        value.extend_from_slice(name);
        read(&value)
    };
    assert!(with_name(b"desk/eu-1.a_b").is_ok());
    for name in [&b""[..], b"a b", b"a\nb", b"\xff", &[b'a'; 65], "ä".as_bytes()] {
        assert!(matches!(with_name(name), Err(LinkFault::Malformed { control: "Hello", .. })), "{name:?}");
    }
    let twice: Vec<u8> = sound.iter().chain(&sound[17..]).copied().collect();
    assert!(matches!(read(&twice), Err(LinkFault::Malformed { what: "type ids do not rise", .. })));
    let unknown = Handshake::new(0, 1).frame(&parse(&control(15, &[])));
    assert_eq!(unknown, Err(LinkFault::UnknownControl { type_id: 15 }));
}

#[test]
fn a_hello_of_ours_that_no_peer_would_read_is_not_written() {
    let mut out = Vec::new();
    let bad = Hello { name: "a b", nonce: 1, value_len_max: LEN_MAX, offers: &[] }.encode(&mut out);
    assert!(matches!(bad, Err(HelloError::Name { .. })));
    let falling = [OFFERS[1], OFFERS[0]];
    let bad = Hello { name: "a", nonce: 1, value_len_max: LEN_MAX, offers: &falling }.encode(&mut out);
    assert_eq!(bad, Err(HelloError::Offer { type_id: 7 }));
    let long = "x".repeat(60_000);
    let many: Vec<_> =
        (0..20).map(|id| (id, Offer { name: &long, version: 1, layouts: ONE, enums: &[] })).collect();
    let bad = Hello { name: "a", nonce: 1, value_len_max: LEN_MAX, offers: &many }.encode(&mut out);
    assert!(matches!(bad, Err(HelloError::TooLong { max: HELLO_LEN_MAX, got }) if got > HELLO_LEN_MAX));
    assert!(out.is_empty());
}

#[test]
fn a_message_that_two_nodes_mean_differently_is_disabled_by_name_and_the_others_run() {
    let theirs = [(7, offer("Tick", OTHER)), (8, offer("Theirs", ONE)), (9, offer("Fill", ONE))];
    let found = Agreement::of(OFFERS, &hello("b", 1, &theirs));
    assert_eq!(found.agreed(), [9]);
    assert_eq!((found.disabled.len(), found.disabled[0].type_id, found.disabled[0].message), (1, 7, "Tick"));
    assert!(found.disabled[0].cause.contains("Tick"), "{:?}", found.disabled);
    let mut link = Link::new(LinkConfig::default(), 10);
    link.attach(0, 0, &found, &link.standing(), &PEER).expect("a first connection");
    link.step(0, Input::Want { type_id: 7, channel: Some(0) }).expect("a wish");
    assert_eq!(written(&mut link, 0), [("ack", 0)], "nobody is asked for what is disabled");
    assert_eq!(step(&mut link, &control(4, &[9, 0, 0, 0, 0, 0, 0, 0])), Ok(Output::Interest));
    assert_eq!(link.interest().collect::<Vec<_>>(), [(9, 0)]);
    assert_eq!(send(&mut link, 7), Err(SendError::NotWanted { type_id: 7 }));
    assert_eq!(step(&mut link, &message(7, 1)), Err(LinkFault::NotAgreed { type_id: 7 }));
    assert!(!link.is_attached());
}

#[test]
fn a_peer_that_breaks_the_rules_loses_its_connection_and_nothing_more() {
    let broken: [(&str, Vec<u8>); 13] = [
        ("gap", message(7, 2)),
        ("never granted", message(9, 1)),
        ("unknown type", message(8, 1)),
        ("beyond what was sent", control(6, &9_u64.to_le_bytes())),
        ("short ack", control(6, &[0; 7])),
        ("long ack", control(6, &[0; 9])),
        ("interest in an unknown type", control(4, &[8, 0, 0, 0, 0, 0, 0, 0])),
        ("half an interest", control(4, &[7, 0, 0, 0])),
        ("half a begin", control(12, &[7, 0, 1, 0, 0, 0])),
        ("half a credit", control(5, &[7, 0, 1])),
        ("a second hello", control(1, &[])),
        ("unknown control", control(0, &[])),
        ("empty bye", control(7, &[])),
    ];
    for (name, bytes) in broken {
        let mut link = linked();
        link.step(0, Input::Want { type_id: 7, channel: None }).expect("a wish");
        send(&mut link, 7).expect("credit");
        let fault = step(&mut link, &bytes).expect_err(name);
        assert!(!fault.to_string().is_empty() && !link.is_attached(), "{name}: {fault}");
        assert_eq!(step(&mut link, &message(7, 1)), Ok(Output::Nothing), "a frame of a dead connection");
        let knows = Standing { peer_end: 10, ..PEER };
        assert_eq!(attach(&mut link, knows), Ok(Attached::Resumed { resent: 0 }), "{name}");
        assert_eq!((link.stats().waiting, link.stats().lost), (1, 0), "{name}");
    }
}

#[test]
fn credit_is_what_was_granted_and_comes_back_in_halves() {
    let mut link = linked();
    assert_eq!(written(&mut link, 0), [("interest", 1), ("credit", 1), ("ack", 0)]);
    for sequence in 1..=1_024 {
        assert_eq!(step(&mut link, &message(7, sequence)), Ok(Output::Message));
    }
    assert_eq!(step(&mut link, &message(7, 1)), Ok(Output::Duplicate), "which uses up none");
    assert_eq!(written(&mut link, 0), [("ack", 1_024)], "so many are not left waiting");
    link.step(0, Input::Consumed { type_id: 7, count: 511 }).expect("ours");
    assert_eq!(written(&mut link, 0), [], "not worth a frame");
    link.step(0, Input::Consumed { type_id: 7, count: 1 }).expect("ours");
    assert_eq!(written(&mut link, 0), [("credit", 1)]);
    assert_eq!(link.stats().unconsumed, 512);
    for sequence in 1_025..=1_536 {
        assert_eq!(step(&mut link, &message(7, sequence)), Ok(Output::Message));
    }
    assert_eq!(step(&mut link, &message(7, 1_537)), Err(LinkFault::Credit { type_id: 7, limit: 1_536 }));
}

#[test]
fn what_the_peer_does_not_take_is_refused_and_nothing_is_used_up() {
    let mut link = linked();
    assert_eq!((1..=8).map(|_| send(&mut link, 7)).collect::<Result<Vec<_>, _>>(), Ok((1..=8).collect()));
    assert_eq!(send(&mut link, 7), Err(SendError::NoCredit { type_id: 7 }));
    assert_eq!((link.credit(7), link.credit(9), link.credit(8)), (0, 8, 0));
    let large = vec![0; LinkConfig::default().window_bytes];
    let header = Header { type_id: 9, root_len: 8, ..Header::default() };
    let full = Err(SendError::Full { window_bytes: large.len() });
    assert_eq!(link.send(&header, &large), full);
    assert_eq!(step(&mut link, &control(6, &8_u64.to_le_bytes())), Ok(Output::Acknowledged { count: 8 }));
    assert_eq!(link.send(&header, &large), Ok(9), "one alone may be longer than the window");
    let long = vec![0; LEN_MAX as usize + 1];
    let too_long = SendError::TooLong { max: LEN_MAX as usize, got: long.len() };
    assert_eq!(link.send(&header, &long), Err(too_long), "the peer would close every connection for it");
    assert_eq!(step(&mut link, &control(4, &[7, 0, 255, 255, 0, 0, 0, 0])), Ok(Output::Interest));
    assert_eq!(send(&mut link, 7), Err(SendError::NotWanted { type_id: 7 }));
}

#[test]
fn acknowledgements_travel_with_messages_or_after_a_while_and_beats_when_all_is_quiet() {
    let mut link = linked();
    written(&mut link, 0);
    assert_eq!(link.deadline(), Some(1_000 * MS), "the next heartbeat");
    step(&mut link, &message(7, 1)).expect("granted");
    assert_eq!((written(&mut link, 0), link.deadline()), (vec![], Some(5 * MS)));
    assert_eq!(written(&mut link, 5 * MS), [("ack", 1)]);
    step(&mut link, &message(7, 2)).expect("granted");
    send(&mut link, 7).expect("credit");
    assert_eq!(written(&mut link, 6 * MS), [("ack", 2), ("message", 1)]);
    assert_eq!(written(&mut link, 1_005 * MS), []);
    assert_eq!(written(&mut link, 1_006 * MS), [("ack", 2)], "a heartbeat");
    assert_eq!(
        link.step(1_000 * MS, Input::Heard { bytes: 1 }),
        Ok(Output::Nothing),
        "a long frame on its way is a sign of life"
    );
    assert_eq!(link.step(5_999 * MS, Input::Tick), Ok(Output::Nothing));
    assert_eq!(link.step(6_000 * MS, Input::Tick), Err(LinkFault::Silent { limit_ns: 5_000 * MS }));
    assert_eq!((link.is_attached(), link.deadline()), (false, None));
    // A damaged length waits for bytes that never come, while heartbeats do.
    let mut link = linked();
    for second in 1..6 {
        link.step(second * 1_000 * MS, Input::Heard { bytes: 72 }).expect("bytes");
        assert_eq!(link.step(second * 1_000 * MS, Input::Tick), Ok(Output::Nothing));
    }
    assert_eq!(link.step(6_000 * MS, Input::Tick), Err(LinkFault::Slow { limit_ns: 5_000 * MS }));
    // A long frame takes its time as long as it grows, and an end that does not read waits for none.
    let mut link = linked();
    for second in 1..60 {
        let input = if second < 30 { Input::Heard { bytes: 16 << 10 } } else { Input::Busy };
        link.step(second * 1_000 * MS, input).expect("a sign of life");
        assert_eq!(link.step(second * 1_000 * MS, Input::Tick), Ok(Output::Nothing), "{second} s");
    }
}

#[test]
fn a_link_goes_on_where_the_peer_says_that_it_is() {
    let mut link = linked();
    for _ in 0..4 {
        send(&mut link, 7).expect("credit");
    }
    written(&mut link, 0);
    step(&mut link, &control(6, &1_u64.to_le_bytes())).expect("an ack");
    link.step(0, Input::Detach).expect("ours");
    // Not yet attached when it said so: what it has acknowledged since is not sent again.
    assert_eq!(attach(&mut link, PEER), Ok(Attached::Resumed { resent: 3 }));
    let knows = |received| Standing { peer_end: 10, received, ..PEER };
    assert_eq!(attach(&mut link, knows(5)), Err(AttachError::Beyond { sent: 4, got: 5 }));
    assert!(link.is_attached(), "the connection before stays");
    assert_eq!(
        attach(&mut link, knows(3)),
        Ok(Attached::Resumed { resent: 0 }),
        "the peer has another connection"
    );
    let run = (1..=4).map(|sequence| ("message", sequence));
    let all: Vec<_> = [("interest", 1), ("credit", 1), ("ack", 0)].into_iter().chain(run).collect();
    assert_eq!(written(&mut link, 0), all, "the fourth in its frame, of which the peer takes that");
    let foreign = Standing { peer_end: 11, ..PEER };
    assert_eq!(attach(&mut link, foreign), Err(AttachError::Stale));
    let stated = Standing { end: 9, ..link.standing() };
    assert_eq!(link.attach(0, 0, &agreement(), &stated, &knows(3)), Err(AttachError::Stale));
}

#[test]
fn any_bytes_after_a_handshake_are_a_named_fault_and_take_no_memory() {
    let mut random = Random::new(seed());
    for _ in 0..2_000 {
        let (mut link, mut value) = (linked(), Vec::new());
        for _ in 0..random.index(12) {
            value.extend_from_slice(&random.next_u64().to_le_bytes()[..1 + random.index(8)]);
        }
        let kind = random.below(10) as u16;
        match step(&mut link, &control(kind, &value)) {
            Ok(_) => assert!(link.is_attached()),
            Err(fault) => assert!(!link.is_attached() && !fault.to_string().is_empty()),
        }
        assert!(link.interest().count() <= 2, "as many as both know");
    }
}
