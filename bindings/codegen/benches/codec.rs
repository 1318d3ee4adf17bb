//! What `Wire` costs over bare rkyv: `cargo bench -p mycelium-codegen --bench codec`.
//!
//! Bare means rkyv's own calls with a reused buffer and arena, which is the cheapest way it offers. The two are measured
//! in turns, and the best round of each counts: noise only ever adds.

use std::hint::black_box;
use std::time::Instant;

use mycelium_mailbox::Message;
use mycelium_mailbox::wire::{Encoder, Layout, Wire};
use rkyv::{
    self, Archive, Deserialize, Serialize, api::low, rancor::Failure, ser::allocator::Arena, util::AlignedVec,
};

const ROUNDS: usize = 41;
const CALLS: u32 = 50_000;

#[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
#[repr(C)]
struct Fixed {
    ids: [u64; 4],
    prices: [f64; 8],
    side: u8,
    flags: u32,
}

#[derive(Clone, Debug, PartialEq, Archive, Serialize, Deserialize)]
struct Texts {
    first: String,
    second: String,
    values: Vec<f64>,
}

macro_rules! wire {
    ($name:ident, $id:literal, $fixed:literal) => {
        impl Message for $name {
            const NAME: &'static str = stringify!($name);
            const TYPE_ID: u16 = $id;
            const TOPIC: &'static str = "bench";
        }
        impl Wire for $name {
            const FIXED: bool = $fixed;
            const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 0 }];
        }
    };
}

wire!(Fixed, 1, true);
wire!(Texts, 2, false);

/// Both in turns, in nanoseconds per call.
fn compare(mut ours: impl FnMut(), mut bare: impl FnMut()) -> (f64, f64) {
    fn round(call: &mut impl FnMut()) -> f64 {
        let start = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        start.elapsed().as_nanos() as f64 / f64::from(CALLS)
    }
    let mut best = (f64::INFINITY, f64::INFINITY);
    for _ in 0..ROUNDS {
        best.0 = best.0.min(round(&mut ours));
        best.1 = best.1.min(round(&mut bare));
    }
    best
}

fn report(what: &str, (ours, bare): (f64, f64)) {
    println!("{what:<28} {ours:>8.2} {bare:>8.2} {:>6.2}", ours / bare);
}

macro_rules! bench {
    ($name:literal, $value:expr, $type:ty) => {{
        let value: $type = $value;
        let (mut encoder, mut buffer, mut arena) = (Encoder::new(), AlignedVec::<16>::new(), Arena::new());
        let encode = compare(
            || {
                let bytes = encoder.encode(black_box(&value));
                black_box(bytes.expect("the value is small"));
            },
            || {
                buffer.clear();
                let done = low::to_bytes_in_with_alloc::<_, _, Failure>(
                    black_box(&value),
                    &mut buffer,
                    arena.acquire(),
                );
                black_box(done.expect("the value is valid"));
            },
        );
        report(concat!($name, ", encode"), encode);
        let bytes: &[u8] = &buffer;
        let access = compare(
            || {
                black_box(<$type>::access(black_box(bytes)).expect("the value is valid"));
            },
            || {
                let found = low::access::<<$type as Archive>::Archived, Failure>(black_box(bytes));
                black_box(found.expect("the value is valid"));
            },
        );
        report(concat!($name, ", access"), access);
        let decode = compare(
            || {
                black_box(<$type>::decode(black_box(bytes)).expect("the value is valid"));
            },
            || {
                let found = low::from_bytes::<$type, Failure>(black_box(bytes));
                black_box(found.expect("the value is valid"));
            },
        );
        report(concat!($name, ", decode"), decode);
    }};
}

fn main() {
    println!("{:<28} {:>8} {:>8} {:>6}", "nanoseconds per call", "Wire", "rkyv", "ratio");
    bench!("104 bytes fixed", Fixed { ids: [1, 2, 3, 4], prices: [1.5; 8], side: 1, flags: 7 }, Fixed);
    bench!(
        "two strings, ten f64",
        Texts {
            first: "a string that is not inline".into(),
            second: "another string out of line".into(),
            values: vec![1.5; 10]
        },
        Texts
    );
}
