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

/// A message of one field of this type, or of two.
fn of(fields: &str) -> Contract {
    let text = format!(
        "schema: {{id: a, version: 1}}\ndomains: [d]\ntag_ranges: {{d: [1, 9]}}\nmessages:\n  \
         M: {{tlv_type: 1, topic: t, domain: d, fields: {{{fields}}}}}"
    );
    Contract::parse(&text, "contracts.yaml").unwrap_or_else(|errors| panic!("{errors}"))
}

/// What is said of these bytes; nothing if they are a value.
fn told(contract: &Contract, root_len: usize, bytes: &[u8]) -> String {
    let read = decode::message(&Model::new(contract), &contract.messages[0], 1, root_len, bytes);
    read.err().map(|error| error.to_string()).unwrap_or_default()
}

/// The cell of a list or of a text that lies elsewhere.
fn cell(first: i32, second: u32) -> Vec<u8> {
    [first.to_le_bytes(), second.to_le_bytes()].concat()
}

#[test]
fn bytes_that_a_reader_must_refuse_are_refused_with_their_place() {
    let decimal = |scale_sign: [u8; 4]| [vec![0; 12], scale_sign.to_vec()].concat();
    // The cell of a text is its length word and then its offset.
    let text = |len: u8, offset: i32| [vec![b'x'; 12], cell(i32::from(len), offset as u32)].concat();
    let not_there = "the offset at byte 12 leads to what is not between bytes 0 and 12";
    for (ty, root_len, bytes, expected) in [
        ("Decimal", 16, decimal([0; 4]), ""),
        ("Decimal", 16, decimal([28, 0, 0, 0]), ""),
        (
            "Decimal",
            16,
            decimal([29, 0, 0, 0]),
            "the decimal at byte 0 has scale 29, sign 0 and 00 00 behind it",
        ),
        ("Decimal", 16, decimal([0, 1, 0, 0]), "the decimal at byte 0 is zero with the sign 1"),
        (
            "Decimal",
            16,
            decimal([0, 0, 1, 0]),
            "the decimal at byte 0 has scale 0, sign 0 and 01 00 behind it",
        ),
        (
            "Decimal",
            16,
            decimal([0, 0, 0, 9]),
            "the decimal at byte 0 has scale 0, sign 0 and 00 09 behind it",
        ),
        ("String", 8, text(0x89, -12), ""),
        ("String", 8, text(0x88, -12), "the text at byte 12 is elsewhere, though it has 8 bytes"),
        ("String", 8, text(0x89, -4), not_there),
        ("String", 8, text(0x89, -13), not_there),
        ("String", 8, text(0x89, 0), not_there),
        ("String", 8, text(0x89, 8), not_there),
        ("Bytes", 8, [vec![0; 12], cell(-12, 12)].concat(), ""),
        ("Bytes", 8, [vec![0; 12], cell(0, 0)].concat(), ""),
        ("Bytes", 8, [vec![0; 12], cell(0, 1)].concat(), not_there),
        ("Bytes", 8, [vec![0; 12], cell(i32::MIN, 1)].concat(), not_there),
        ("Vec<u64>", 8, [vec![0; 12], cell(-12, u32::MAX)].concat(), not_there),
        (
            "Vec<u16>",
            8,
            [vec![0; 12], cell(-11, 1)].concat(),
            "the offset at byte 12 leads to byte 1, no multiple of 2",
        ),
        ("u16", 2, vec![0; 2], ""),
        (
            "Vec<u16>",
            8,
            [vec![0; 9], cell(0, 0)].concat(),
            "the root starts at byte 9, which is no multiple of 4",
        ),
    ] {
        assert_eq!(told(&of(&format!("x: '{ty}'")), root_len, &bytes), expected, "{ty} {bytes:02x?}");
    }
}

#[test]
fn a_byte_is_part_of_one_value_only() {
    let two = of("a: Bytes, b: Bytes");
    let value = |first, second| told(&two, 16, &[vec![0; 8], cell(first, 4), cell(second, 4)].concat());
    // The cells are at bytes 8 and 16.
    assert_eq!(value(-8, -12), "", "bytes 0 to 4, and 4 to 8");
    assert_eq!(value(-8, -16), "the offset at byte 16 leads to what is not between bytes 4 and 8");
    assert_eq!(value(-4, -16), "the offset at byte 16 leads to what is not between bytes 8 and 8");
    // A list of lists whose elements are its own cell's, and those of one that lies behind it.
    let nested = of("a: 'Vec<Bytes>'");
    let value = |offset, count| told(&nested, 8, &[vec![0; 4], cell(offset, count), cell(-8, 1)].concat());
    assert_eq!(value(-4, 4), "");
    assert_eq!(value(0, 4), "the offset at byte 4 leads to what is not between bytes 0 and 4");
    assert_eq!(value(8, 4), "the offset at byte 4 leads to what is not between bytes 0 and 4");
}

/// Else a few megabytes would make terabytes.
#[test]
fn texts_that_all_lie_at_one_place_are_refused() {
    let contract = of("x: Vec<String>");
    let (len, count) = (1 << 20, 1_000_u32);
    let word = (len & 0x3f) | 0x80 | ((len & !0x3f) << 2);
    let mut bytes = vec![b'x'; len];
    for at in 0..count {
        bytes.extend(cell(word as i32, (-(len as i32) - 8 * at as i32) as u32));
    }
    bytes.extend(cell(-8 * count as i32, count));
    let place = len + 8;
    let expected = format!("the offset at byte {place} leads to what is not between bytes {len} and {len}");
    assert_eq!(told(&contract, 8, &bytes), expected);
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
                    let copied: usize = values.iter().map(|(_, value)| outside(value)).sum();
                    assert!(copied <= bytes.len(), "{copied} bytes of {}", bytes.len());
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

/// How many bytes of a value lie outside of its cells, at least.
fn outside(value: &Value) -> usize {
    match value {
        Value::String(text) if text.len() > 8 => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(values) => values.iter().map(outside).sum(),
        Value::Some(value) => outside(value),
        Value::Struct(fields) | Value::Variant(_, fields) => {
            fields.iter().map(|(_, value)| outside(value)).sum()
        }
        _ => 0,
    }
}
