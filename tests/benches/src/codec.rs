//! Encoding to and reading from the wire, against rkyv's own calls with a reused buffer and arena.

use std::hint::black_box;
use std::time::Instant;

use mycelium_mailbox::Message;
use mycelium_mailbox::wire::{Encoder, Layout, Wire};
use rkyv::rancor::Failure;
use rkyv::ser::allocator::Arena;
use rkyv::util::AlignedVec;
use rkyv::{Archive, Deserialize, Serialize, api::low};

use crate::harness::{OURS, Report, Round};

/// Calls per round, which takes milliseconds.
const CALLS: u32 = 2_000_000;

/// 104 bytes of fixed size.
#[derive(Clone, Debug, Archive, Serialize, Deserialize)]
#[repr(C)]
pub(crate) struct Fixed {
    ids: [u64; 4],
    prices: [f64; 8],
    side: u8,
    flags: u32,
}

/// Two strings and a list: out of line.
#[derive(Clone, Debug, Archive, Serialize, Deserialize)]
pub(crate) struct Texts {
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

wire!(Fixed, 21, true);
wire!(Texts, 22, false);

macro_rules! cases {
    ($report:expr, $label:literal, $type:ty, $value:expr) => {{
        let value: $type = $value;
        let mut encoder = Encoder::new();
        let bytes: &'static [u8] = encoder.encode(&value).expect("the value is small").to_vec().leak();
        let mut aligned = AlignedVec::<16>::new();
        aligned.extend_from_slice(bytes);
        let bytes: &'static AlignedVec<16> = Box::leak(Box::new(aligned));
        let (ours, bare) = (value.clone(), value);
        let (mut buffer, mut arena) = (AlignedVec::<16>::new(), Arena::new());
        let contenders: Vec<(&str, Round)> = vec![
            (
                OURS,
                timed(move || {
                    black_box(encoder.encode(black_box(&ours)).expect("the value is small"));
                }),
            ),
            (
                "rkyv",
                timed(move || {
                    buffer.clear();
                    let into = low::to_bytes_in_with_alloc::<_, _, Failure>;
                    black_box(
                        into(black_box(&bare), &mut buffer, arena.acquire()).expect("the value is valid"),
                    );
                }),
            ),
        ];
        $report.contest("codec", concat!("encode, ", $label), "ns per call", contenders);
        let contenders: Vec<(&str, Round)> = vec![
            (
                OURS,
                timed(move || {
                    black_box(<$type>::access(black_box(bytes)).expect("the value is valid"));
                }),
            ),
            (
                "rkyv",
                timed(move || {
                    let found = low::access::<<$type as Archive>::Archived, Failure>(black_box(bytes));
                    black_box(found.expect("the value is valid"));
                }),
            ),
        ];
        $report.contest("codec", concat!("validated access, ", $label), "ns per call", contenders);
        let contenders: Vec<(&str, Round)> = vec![
            (
                OURS,
                timed(move || {
                    black_box(<$type>::decode(black_box(bytes)).expect("the value is valid"));
                }),
            ),
            (
                "rkyv",
                timed(move || {
                    let found = low::from_bytes::<$type, Failure>(black_box(bytes));
                    black_box(found.expect("the value is valid"));
                }),
            ),
        ];
        $report.contest("codec", concat!("decode, ", $label), "ns per call", contenders);
    }};
}

impl Fixed {
    pub(crate) fn sample() -> Self {
        Self { ids: [1, 2, 3, 4], prices: [1.5; 8], side: 1, flags: 7 }
    }
}

impl Texts {
    pub(crate) fn sample() -> Self {
        Self { first: "a first string".to_owned(), second: "and a second".to_owned(), values: vec![1.25; 10] }
    }
}

/// Both values, both directions.
pub(crate) fn against_rkyv(report: &mut Report) {
    cases!(report, "104 B fixed", Fixed, Fixed::sample());
    cases!(report, "two strings and ten f64", Texts, Texts::sample());
}

fn timed(mut call: impl FnMut() + 'static) -> Round {
    Box::new(move || {
        let begin = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        begin.elapsed().as_nanos() as f64 / f64::from(CALLS)
    })
}
