//! A peer's bytes against a node: the handshake, then the link.

use mycelium_mailbox::wire::{GrownEnum, Layout, Offer};
use mycelium_remote::frame::{self, DecodeError, Decoder, Flags, Frame, Header};
use mycelium_remote::link::{
    Accept, Agreement, Greeting, HELLO_LEN_MAX, Handshake, Hello, Input, Link, LinkConfig, LinkFault, Output,
    PeerHello, Standing,
};

use crate::Target;

pub(crate) const TARGET: Target = Target {
    name: "link",
    reads: "handshakes and links of a peer",
    run,
    seeds,
    words: &[b"\x07\0", b"\x09\0", b"\xff\xff", b"\x01\0\0\0\0\0\0\0", b"\x04\0Tick", b"\0\0\0\0\0\0\0\0"],
};

const LAYOUTS: &[Layout] = &[Layout { version: 1, root_len: 8, digest: 1 }];
const ENUMS: &[GrownEnum<'static>] = &[GrownEnum { name: "Side", first: 2, variants: &["Cross"] }];
const OFFERS: &[(u16, Offer<'static>)] = &[
    (7, Offer { name: "Tick", version: 1, layouts: LAYOUTS, enums: ENUMS }),
    (9, Offer { name: "Fill", version: 1, layouts: LAYOUTS, enums: &[] }),
];
/// The nonce of our Hello, and what messages the peer may send.
const NONCE: u64 = 5;
const CREDIT: u32 = 4;
/// The most frames that are mended in one input.
const FRAMES_MAX: usize = 64;

/// Whether a message got through. Whatever comes, counts add up and nothing is held beyond its bound.
fn run(bytes: &[u8]) -> bool {
    let bytes = sealed(bytes);
    let mut node = Node::new();
    let mut decoder = Decoder::with_value_len_max(HELLO_LEN_MAX);
    let mut rest = &bytes[..];
    while !rest.is_empty() {
        rest = &rest[decoder.feed(rest)..];
        loop {
            let taken = match decoder.next_frame() {
                Ok(Some(frame)) => node.take(&frame),
                Ok(None) => break,
                Err(error) => Err(error.into()),
            };
            if let Err(fault) = taken {
                assert!(!fault.to_string().is_empty());
                assert!(!node.link.is_attached() || matches!(fault, LinkFault::Frame(_)));
                return node.messages > 0;
            }
        }
    }
    node.messages > 0
}

/// The same frames with their right checksums.
fn sealed(bytes: &[u8]) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let mut at = 0;
    for _ in 0..FRAMES_MAX {
        if let Err(DecodeError::Checksum { expected, .. }) = frame::parse(&bytes[at..], HELLO_LEN_MAX, false)
        {
            bytes[at + 4..at + 8].copy_from_slice(&expected.to_le_bytes());
        }
        let Ok(frame) = frame::parse(&bytes[at..], HELLO_LEN_MAX, false) else { break };
        at += frame::frame_len(frame.value.len());
    }
    bytes
}

struct Node {
    handshake: Handshake,
    hello: Option<PeerHello>,
    link: Link,
    messages: u64,
    attached: bool,
}

impl Node {
    fn new() -> Self {
        let mut link = Link::new(LinkConfig { credit: CREDIT, ..LinkConfig::default() }, 1);
        link.step(0, Input::Want { type_id: 7, channel: Some(0) }).expect("ours");
        let (hello, messages, attached) = Default::default();
        Self { handshake: Handshake::new(0, NONCE), hello, link, messages, attached }
    }

    fn take(&mut self, frame: &Frame<'_>) -> Result<(), LinkFault> {
        if self.attached {
            return self.step(frame);
        }
        match self.handshake.frame(frame)? {
            Greeting::Hello(hello) => {
                assert!((1..=64).contains(&hello.name().len()) && hello.name().is_ascii());
                self.hello = Some(hello);
            }
            Greeting::Accepted(peer) => {
                let hello = self.hello.as_ref().expect("a Hello comes before");
                let (agreement, stated) = (Agreement::of(OFFERS, hello), self.link.standing());
                assert!(agreement.agreed().len() + agreement.disabled.len() <= OFFERS.len());
                let attached = self.link.attach(0, 0, &agreement, &stated, &peer);
                self.attached = attached.is_ok();
            }
        }
        Ok(())
    }

    fn step(&mut self, frame: &Frame<'_>) -> Result<(), LinkFault> {
        let output = self.link.step(0, Input::Frame(frame))?;
        let (skip, new) = match output {
            Output::Message => (0, 1),
            Output::Run { skip } => (skip, frame.run().map_or(0, Iterator::count) - skip),
            _ => (0, 0),
        };
        if new > 0 {
            let first = frame.header.sequence + skip as u64;
            assert_eq!(first, self.messages + 1, "in order, each once");
            self.messages += new as u64;
            assert!(self.messages <= u64::from(CREDIT));
        }
        for type_id in [7, 9] {
            let _ =
                self.link.send(&Header { type_id, version: 1, root_len: 8, ..Header::default() }, &[0; 8]);
        }
        let stats = self.link.stats();
        assert_eq!(stats.sent, stats.acknowledged + stats.waiting + stats.lost);
        assert!(self.link.interest().count() <= OFFERS.len());
        self.link.fill(0, &mut Vec::new());
        Ok(())
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut bytes = Vec::new();
    Hello { name: "peer", nonce: 3, value_len_max: 8, offers: OFFERS }.encode(&mut bytes).expect("sound");
    let only_hello = bytes.clone();
    Accept { nonce: NONCE, standing: Standing { end: 2, ..Standing::default() } }.encode(&mut bytes);
    let control = Header { flags: Flags::CONTROL, version: 1, ..Header::default() };
    let values: [(u16, &[u8]); 3] = [
        (4, &[7, 0, 0, 0, 0, 0, 0, 0, 9, 0, 1, 0, 1, 0, 0, 0]),
        (5, &[7, 0, 9, 0, 0, 0, 0, 0, 0, 0]),
        (6, &[0; 8]),
    ];
    for (type_id, value) in values {
        frame::encode(&Header { type_id, ..control }, value, &mut bytes).expect("sound");
    }
    for sequence in 1..=3 {
        let header = Header { type_id: 7, version: 1, root_len: 8, sequence, ..Header::default() };
        frame::encode(&header, &[1; 8], &mut bytes).expect("sound");
    }
    vec![only_hello, bytes]
}
