//! What a link costs a message beside its frame: `cargo bench -p mycelium-remote --bench link`.
//!
//! Two links in one thread, without sockets between: what is written by one is read by the other.

use std::hint::black_box;
use std::time::Instant;

use mycelium_mailbox::wire::{Layout, Offer};
use mycelium_remote::frame::{self, Decoder, Header};
use mycelium_remote::link::{
    Agreement, Greeting, Handshake, Hello, Input, Link, LinkConfig, Output, PeerHello, Standing,
};

const LAYOUTS: &[Layout] = &[Layout { version: 1, root_len: 64, digest: 1 }];
const OFFERS: &[(u16, Offer<'static>)] =
    &[(7, Offer { name: "Tick", version: 1, layouts: LAYOUTS, enums: &[] })];
const ROUNDS: usize = 15;
const BATCHES: usize = 200;
const BATCH: usize = 512;

fn hello() -> PeerHello {
    let mut out = Vec::new();
    let written = Hello { name: "a", nonce: 1, value_len_max: 1 << 20, offers: OFFERS }.encode(&mut out);
    let frame = frame::parse(&out, out.len(), false);
    match (written, frame.map(|frame| Handshake::new(0, 2).frame(&frame))) {
        (Ok(()), Ok(Ok(Greeting::Hello(hello)))) => hello,
        other => panic!("{other:?}"),
    }
}

fn attached(end: u64, peer: u64) -> Link {
    let mut link = Link::new(LinkConfig { credit: 4_096, ..LinkConfig::default() }, end);
    let (stated, agreement) = (link.standing(), Agreement::of(OFFERS, &hello()));
    let done = link.attach(0, 0, &agreement, &stated, &Standing { end: peer, ..Standing::default() });
    assert!(done.is_ok());
    link
}

/// Moves what `from` has to write to `to`; how many messages that were.
fn carry(from: &mut Link, to: &mut Link, out: &mut Vec<u8>, decoder: &mut Decoder) -> u64 {
    let mut messages = 0;
    loop {
        out.clear();
        from.fill(0, out);
        if out.is_empty() {
            return messages;
        }
        let mut rest = &out[..];
        while !rest.is_empty() {
            rest = &rest[decoder.feed(rest)..];
            while let Ok(Some(frame)) = decoder.next_frame() {
                messages += match black_box(to.step(0, Input::Frame(&frame))) {
                    Ok(Output::Message) => 1,
                    Ok(Output::Run { skip }) => frame.run().map_or(0, |run| run.skip(skip).count() as u64),
                    _ => 0,
                };
            }
        }
        if messages > 0 {
            assert!(to.step(0, Input::Consumed { type_id: 7, count: messages }).is_ok());
        }
    }
}

fn main() {
    println!("{:>8} {:>12} {:>12}", "value B", "link ns", "frame ns");
    for len in [64_usize, 256, 1_024] {
        let value = vec![7_u8; len];
        let header = Header { type_id: 7, version: 1, root_len: 64, ..Header::default() };
        let (mut a, mut b) = (attached(1, 2), attached(2, 1));
        let (mut to_b, mut to_a, mut out) = (Decoder::new(), Decoder::new(), Vec::new());
        assert!(b.step(0, Input::Want { type_id: 7, channel: Some(0) }).is_ok());
        carry(&mut b, &mut a, &mut out, &mut to_a);
        let per_message = |took: std::time::Duration| took.as_nanos() as f64 / (BATCHES * BATCH) as f64;
        let (mut link, mut bare) = (f64::INFINITY, f64::INFINITY);
        for _ in 0..ROUNDS {
            let start = Instant::now();
            for _ in 0..BATCHES {
                for _ in 0..BATCH {
                    assert!(a.send(black_box(&header), black_box(&value)).is_ok());
                }
                assert_eq!(carry(&mut a, &mut b, &mut out, &mut to_b), BATCH as u64);
                carry(&mut b, &mut a, &mut out, &mut to_a);
            }
            link = link.min(per_message(start.elapsed()));
            let start = Instant::now();
            for _ in 0..BATCHES {
                out.clear();
                for _ in 0..BATCH {
                    assert!(frame::encode(black_box(&header), black_box(&value), &mut out).is_ok());
                }
                let mut rest = &out[..];
                while !rest.is_empty() {
                    rest = &rest[to_b.feed(rest)..];
                    while let Ok(Some(frame)) = to_b.next_frame() {
                        black_box(frame);
                    }
                }
            }
            bare = bare.min(per_message(start.elapsed()));
        }
        println!("{len:>8} {link:>12.1} {bare:>12.1}");
    }
}
