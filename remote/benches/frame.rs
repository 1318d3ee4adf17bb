//! What a frame costs beside its value: `cargo bench -p mycelium-remote --bench frame`.

use std::hint::black_box;
use std::time::Instant;

use mycelium_remote::frame::{self, Decoder, Flags, Header};

const ROUNDS: usize = 15;
const CALLS: u32 = 200_000;

/// The best of some rounds, in nanoseconds per call: noise only ever adds.
fn best_ns(mut call: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..ROUNDS {
        let start = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        best = best.min(start.elapsed().as_nanos() as f64 / f64::from(CALLS));
    }
    best
}

fn main() {
    println!(
        "{:>8} {:>10} {:>12} {:>10} {:>12}",
        "value B", "encode ns", "no checksum", "decode ns", "checksum ns"
    );
    for len in [64usize, 104, 256, 1024, 16_384] {
        let value = vec![7u8; len];
        let mut out = Vec::new();
        let mut encode = |flags| {
            let header = Header { flags, root_len: 64, ..Header::default() };
            best_ns(|| {
                out.clear();
                let written = frame::encode(black_box(&header), black_box(&value), &mut out);
                assert!(black_box(written).is_ok());
            })
        };
        let (checked, unchecked) = (encode(Flags::NONE), encode(Flags::UNCHECKED));

        let mut wire = Vec::new();
        for sequence in 0..8 {
            let header = Header { root_len: 64, sequence, ..Header::default() };
            assert!(frame::encode(&header, &value, &mut wire).is_ok());
        }
        let mut decoder = Decoder::new();
        let mut rest: &[u8] = &[];
        let decode = best_ns(|| {
            loop {
                if let Ok(Some(frame)) = decoder.next_frame() {
                    black_box(frame);
                    break;
                }
                if rest.is_empty() {
                    rest = &wire;
                }
                rest = &rest[decoder.feed(rest)..];
            }
        });
        let sum = best_ns(|| {
            black_box(crc32c::crc32c(black_box(&wire[..56 + len])));
        });
        println!("{len:>8} {checked:>10.1} {unchecked:>12.1} {decode:>10.1} {sum:>12.1}");
    }
}
