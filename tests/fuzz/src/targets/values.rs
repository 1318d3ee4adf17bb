//! A peer's bytes against validated access to values.
//!
//! The first byte chooses the message, the second and third the version it is said to have. A contract that
//! was loaded at run time has the same verdict as the generated type.

use std::fmt::Debug;
use std::sync::OnceLock;

use mycelium::Message;
use mycelium_codegen::{Model, golden};
use mycelium_contract::Contract;
use mycelium_mailbox::rkyv::util::AlignedVec;
use mycelium_mailbox::wire::{Contract as Loaded, Encoder, Wire};

use crate::{Target, file};

mod torture {
    mycelium::contracts!();
}

pub(crate) const TARGET: Target = Target {
    name: "values",
    reads: "message values from a peer",
    run,
    seeds,
    words: &[
        b"\xff\xff\xff\xff",
        b"\xf8\xff\xff\xff",
        b"\0\0\0\x80",
        b"\0\0\0\0",
        b"\x01\0\0\0\0\0\0\0",
        b"\xc3\x28",
    ],
};

/// Bytes before the value.
const HEAD: usize = 3;

macro_rules! messages {
    ($($message:ident),* $(,)?) => {
        /// The messages of the contract, by the first byte of an input.
        const MESSAGES: &[(&str, fn(u16, &[u8]) -> bool)] =
            &[$((torture::$message::NAME, holds::<torture::$message>)),*];
    };
}
messages!(WireError, Growing, Mixed, Tiny, FixedOnly, Example);

fn run(bytes: &[u8]) -> bool {
    let Some((head, value)) = bytes.split_first_chunk::<HEAD>() else { return false };
    let version = u16::from_le_bytes([head[1], head[2]]);
    let (_, holds) = MESSAGES[usize::from(head[0]) % MESSAGES.len()];
    holds(version, value)
}

/// What is read in place is what is decoded; encoded again it reads the same, whatever its bytes were.
fn holds<M: Wire + Debug>(version: u16, value: &[u8]) -> bool {
    let mut bytes: AlignedVec = AlignedVec::with_capacity(value.len());
    bytes.extend_from_slice(value);
    let untyped = contract().message(M::TYPE_ID).expect("a message of the contract");
    let ours = M::LAYOUTS.last().map_or(0, |layout| layout.root_len) as usize;
    for root_len in [0, 1, ours, value.len() / 2, value.len()] {
        let decoded = M::decode_version(&bytes, version, root_len as u32);
        let checked = untyped.check(&bytes, version, root_len as u32);
        assert_eq!(decoded.is_ok(), checked.is_ok(), "{checked:?}");
        if let (Err(error), Err(checked)) = (decoded, checked) {
            assert!(!error.to_string().is_empty() && !checked.to_string().is_empty());
        }
    }
    let decoded = match (M::access(&bytes), M::decode(&bytes)) {
        (Ok(_), Ok(message)) => message,
        (Err(_), Err(error)) => {
            assert!(!error.to_string().is_empty());
            return false;
        }
        (access, decode) => {
            panic!("access: {}, decode: {}; one of them is wrong", access.is_ok(), decode.is_ok())
        }
    };
    let mut encoder = Encoder::new();
    let again = encoder.encode(&decoded).expect("what was valid can be encoded").to_vec();
    let mut copy: AlignedVec = AlignedVec::with_capacity(again.len());
    copy.extend_from_slice(&again);
    let twice = M::decode(&copy).expect("what was encoded is valid");
    assert_eq!(format!("{decoded:?}"), format!("{twice:?}"));
    assert_eq!(encoder.encode(&twice).expect("again").to_vec(), again, "one value, one encoding");
    true
}

/// The contract, loaded at run time.
fn contract() -> Loaded {
    static LOADED: OnceLock<Loaded> = OnceLock::new();
    *LOADED.get_or_init(|| Loaded::parse(&parsed().table()).expect("a table of a contract"))
}

fn parsed() -> Contract {
    let text = String::from_utf8(file("bindings/codegen/tests/torture.yaml")).expect("UTF-8");
    Contract::parse(&text, "torture.yaml").unwrap_or_else(|errors| panic!("{errors}"))
}

fn seeds() -> Vec<Vec<u8>> {
    let contract = parsed();
    let model = Model::new(&contract);
    let mut seeds = Vec::new();
    for (number, (name, _)) in (0_u8..).zip(MESSAGES) {
        let message = contract.message(name).expect("a message of the contract");
        for vector in golden::vectors(&model, message).expect("vectors") {
            let mut seed = vec![number];
            seed.extend(vector.version.to_le_bytes());
            seed.extend(vector.encoded.bytes);
            seeds.push(seed);
        }
    }
    seeds
}
