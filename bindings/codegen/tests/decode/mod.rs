//! Values read back from bytes, by the contract alone.

use mycelium_codegen::{Model, decode, encode, golden, show};
use mycelium_contract::{Contract, Value};
use mycelium_random::{Random, cases, seed};

use crate::{contracts, random};

#[test]
fn golden_vectors_of_all_versions_are_read_back_as_their_values() {
    let mut read = 0;
    for contract in contracts() {
        let model = Model::new(&contract);
        for message in &contract.messages {
            for vector in golden::vectors(&model, message).unwrap() {
                let encoded = &vector.encoded;
                let values =
                    decode::message(&model, message, vector.version, encoded.root_len, &encoded.bytes)
                        .unwrap_or_else(|error| panic!("{}, {}: {error}", message.name, vector.name));
                // As text: NaN is not itself.
                let text = |values: &[(String, Value)]| show::json(&model, &message.fields, values);
                assert_eq!(text(&values), text(&vector.values), "{}, {}", message.name, vector.name);
                read += 1;
            }
        }
    }
    assert!(read > 100, "{read}");
}

#[test]
fn a_newer_version_is_read_as_far_as_this_one_knows_it() {
    let new = |version: u16, more: &str| {
        let text = format!(
            "schema: {{id: a, version: 1}}\ndomains: [d]\ntag_ranges: {{d: [1, 9]}}\nmessages:\n  M:\n    tlv_type: 1\n    \
             topic: t\n    domain: d\n    version: {version}\n    fields:\n      name: String\n      n: u16\n{more}"
        );
        Contract::parse(&text, "contracts.yaml").unwrap_or_else(|errors| panic!("{errors}"))
    };
    let (old, new) = (new(1, ""), new(2, "      later: {type: u64, since: 2, default: 7}\n"));
    let (old_model, new_model) = (Model::new(&old), Model::new(&new));
    let name = ("name".to_owned(), Value::String("longer than its cell".to_owned()));
    let values = vec![name, ("n".to_owned(), Value::Int(5)), ("later".to_owned(), Value::Int(9))];
    let encoded = encode::message(&new_model, &new.messages[0].fields, &values).unwrap();
    let read = decode::message(&old_model, &old.messages[0], 2, encoded.root_len, &encoded.bytes);
    assert_eq!(read.unwrap(), values[..2]);
    let encoded = encode::message(&old_model, &old.messages[0].fields, &values[..2]).unwrap();
    let read = decode::message(&new_model, &new.messages[0], 1, encoded.root_len, &encoded.bytes).unwrap();
    assert_eq!((&read[..2], &read[2].1), (&values[..2], &Value::Int(7)));
    // A length that is none of that version's.
    assert!(decode::message(&new_model, &new.messages[0], 2, encoded.root_len, &encoded.bytes).is_err());
    assert!(decode::message(&new_model, &new.messages[0], 0, encoded.root_len, &encoded.bytes).is_err());
}

/// Old layouts are held to it as the newest one is.
#[test]
fn bytes_too_many_are_refused_in_each_version_of_fixed_size() {
    let mut older = 0;
    for contract in contracts() {
        let model = Model::new(&contract);
        for message in &contract.messages {
            for (version, root_len, bytes) in crate::cases::overlong(&model, message) {
                let read = decode::message(&model, message, version, root_len as usize, &bytes);
                let told = read.expect_err("it is refused").to_string();
                let expected = format!("`{}` is of fixed size, and 8 bytes are too many", message.name);
                assert_eq!(told, expected, "version {version}");
                let refused = crate::probe(&message.name).decode_version(&bytes, version, root_len);
                let told = refused.expect_err("it is refused").to_string();
                assert!(told.contains("it is of fixed size, and 8 bytes are too many"), "{told}");
                older += usize::from(version < message.version);
            }
        }
    }
    assert!(older > 0, "no contract has an older layout of fixed size");
}

#[test]
fn a_value_of_too_many_parts_is_refused_with_a_remedy() {
    let text = "schema: {id: a, version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 9]}\nmessages:\n  \
                M: {tlv_type: 1, topic: t, domain: d, fields: {x: Vec<bool>}}";
    let contract = Contract::parse(text, "contracts.yaml").unwrap_or_else(|errors| panic!("{errors}"));
    let (model, message) = (Model::new(&contract), &contract.messages[0]);
    // The list itself is a part too.
    for (count, fits) in [(decode::PARTS_MAX - 1, true), (decode::PARTS_MAX, false)] {
        let values = vec![("x".to_owned(), Value::List(vec![Value::Bool(true); count]))];
        let encoded = encode::message(&model, &message.fields, &values).unwrap();
        let read = decode::message(&model, message, 1, encoded.root_len, &encoded.bytes);
        assert_eq!(read.is_ok(), fits, "{count}");
        if let Err(error) = read {
            let told = error.to_string();
            assert!(told.contains("more than 1,048,576 numbers, texts"), "{told}");
            assert!(told.ends_with("by the type that is generated for it"), "{told}");
        }
    }
}

/// Damage of any kind gives a value or an error, and what is written again of a value is read as the same.
#[test]
fn random_and_damaged_bytes_are_values_or_errors() {
    let mut random = Random::new(seed());
    for contract in contracts() {
        let model = Model::new(&contract);
        for message in &contract.messages {
            for _ in 0..cases(40) {
                let values = random::fields(&model, &message.fields, &mut random);
                let encoded = encode::message(&model, &message.fields, &values).unwrap();
                let read =
                    |bytes: &[u8]| decode::message(&model, message, message.version, encoded.root_len, bytes);
                let text = |values: &[(String, Value)]| show::json(&model, &message.fields, values);
                assert_eq!(text(&read(&encoded.bytes).unwrap()), text(&values), "{}", message.name);
                for mut bytes in random::damaged_at_marks(&encoded, &mut random) {
                    random::cut_or_lengthen(&mut bytes, &mut random);
                    let Ok(values) = read(&bytes) else { continue };
                    let again = encode::message(&model, &message.fields, &values).unwrap();
                    let again =
                        decode::message(&model, message, message.version, again.root_len, &again.bytes);
                    assert_eq!(text(&again.unwrap()), text(&values));
                }
                let (version, root_len) = random::header(
                    message,
                    message.version,
                    encoded.root_len as u32,
                    encoded.bytes.len(),
                    &mut random,
                );
                let _either = decode::message(&model, message, version, root_len as usize, &encoded.bytes);
            }
        }
    }
}
