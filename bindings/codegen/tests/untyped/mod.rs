//! What a contract that was loaded at run time says of values, against the generated types.

use mycelium_codegen::{Model, decode, encode, golden};
use mycelium_contract::Message;
use mycelium_mailbox::wire::{Contract as Loaded, Untyped, WireError};
use mycelium_random::{Random, cases, seed};

use crate::{contracts, probe, random};

/// Random values per message, each damaged in some ways.
const CASES: u64 = 300;

fn loaded(contract: &mycelium_contract::Contract) -> Loaded {
    Loaded::parse(&contract.table()).unwrap_or_else(|error| panic!("{error}"))
}

/// The same verdict as that of rkyv and the generated type, and of what reads values without either.
fn compare(
    (model, message): (&Model<'_>, &Message),
    untyped: &Untyped,
    bytes: &[u8],
    version: u16,
    root_len: u32,
) -> bool {
    let ours = untyped.check(bytes, version, root_len);
    let read = decode::message(model, message, version, root_len as usize, bytes);
    assert_eq!(
        read.is_ok(),
        ours.is_ok(),
        "{} version {version} root {root_len}: {ours:?}, read as {read:?}: {bytes:02x?}",
        message.name
    );
    let theirs = probe(untyped.name()).decode_version(bytes, version, root_len);
    let alike = match (&ours, &theirs) {
        (Ok(()), Ok(_)) => true,
        (Err(WireError::Invalid { .. }), Err(WireError::Invalid { .. })) => true,
        // All that these say is alike.
        (Err(ours), Err(theirs)) => ours == theirs,
        _ => false,
    };
    let name = untyped.name();
    assert!(
        alike,
        "{name} version {version} root {root_len}: {ours:?}, the type says {theirs:?}: {bytes:02x?}"
    );
    ours.is_ok()
}

#[test]
fn a_table_says_of_messages_what_the_types_say() {
    for contract in &contracts() {
        let loaded = loaded(contract);
        assert_eq!(loaded.messages().count(), contract.messages.len());
        for message in &contract.messages {
            let untyped = loaded.message(message.type_id).expect("it is in the table");
            let probe = probe(&message.name);
            assert_eq!((untyped.name(), untyped.topic()), (message.name.as_str(), message.topic.as_str()));
            assert_eq!(untyped.offer(), probe.offer());
            assert_eq!(untyped.digest(), probe.digest());
            assert_eq!(untyped.offer().compare(&probe.offer()), Ok(()));
        }
    }
}

#[test]
fn golden_and_hostile_vectors_have_one_verdict() {
    for contract in &contracts() {
        let (model, loaded) = (Model::new(contract), loaded(contract));
        for message in &contract.messages {
            let untyped = loaded.message(message.type_id).expect("it is in the table");
            let root_len = untyped.offer().root_len();
            for vector in golden::vectors(&model, message).expect("boundary values fit their types") {
                let encoded = &vector.encoded;
                assert!(compare(
                    (&model, message),
                    &untyped,
                    &encoded.bytes,
                    vector.version,
                    encoded.root_len as u32
                ));
            }
            for case in golden::hostile(&model, message).expect("boundary values fit their types") {
                assert!(
                    !compare((&model, message), &untyped, &case.bytes, message.version, root_len),
                    "{}",
                    case.name
                );
            }
        }
    }
}

#[test]
fn bytes_too_many_have_one_verdict_in_each_version() {
    for contract in &contracts() {
        let (model, loaded) = (Model::new(contract), loaded(contract));
        for message in &contract.messages {
            let untyped = loaded.message(message.type_id).expect("it is in the table");
            for (version, root_len, bytes) in crate::cases::overlong(&model, message) {
                assert!(
                    !compare((&model, message), &untyped, &bytes, version, root_len),
                    "{} {version}",
                    message.name
                );
            }
        }
    }
}

/// A value whose places are damaged one after the other, and together, as every version.
#[test]
fn damaged_values_have_one_verdict_whatever_the_damage() {
    let rng = &mut Random::new(seed());
    let mut sound = 0;
    for contract in &contracts() {
        let (model, loaded) = (Model::new(contract), loaded(contract));
        for message in &contract.messages {
            let untyped = loaded.message(message.type_id).expect("it is in the table");
            for _ in 0..cases(CASES) {
                let version = 1 + rng.below(u64::from(message.version)) as u16;
                let fields = message.fields_of(version);
                let values = random::fields(&model, fields, rng);
                let encoded =
                    encode::message(&model, fields, &values).expect("random values fit their types");
                let root_len = encoded.root_len as u32;
                assert!(compare((&model, message), &untyped, &encoded.bytes, version, root_len));
                for bytes in random::damaged_at_marks(&encoded, rng) {
                    sound += u64::from(compare((&model, message), &untyped, &bytes, version, root_len));
                }
                let mut bytes = encoded.bytes;
                for _ in 0..rng.below(4) {
                    let at = rng.index(bytes.len().max(1));
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = rng.next_u64() as u8;
                    }
                }
                random::cut_or_lengthen(&mut bytes, rng);
                let (other, root) = random::header(message, version, root_len, bytes.len(), rng);
                compare((&model, message), &untyped, &bytes, other, root);
                compare((&model, message), &untyped, &bytes, version, root_len);
            }
        }
    }
    assert!(sound > 0, "some damage does no harm");
}
