//! Golden vectors: values as JSON beside their bytes, and bytes that every codec must refuse.
//!
//! The codecs of all languages are held against the same files. [`text`] writes one JSON file per message.

mod boundary;
mod hostile;

use std::fmt::{self, Write};

use mycelium_contract::{Message, Value};

use crate::encode::{self, EncodeError, Encoded};
use crate::{Model, show};

/// Most parts of a message with all its lists filled, times its fields: each field has some vectors, and each
/// vector holds the whole message. It bounds the memory that the vectors take to about a gigabyte.
pub const PARTS_MAX: u64 = 200_000;

/// Why there are no golden vectors of a message.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum GoldenError {
    /// They would fill gigabytes: large arrays, or lists in lists in lists.
    TooLarge {
        /// The message.
        message: String,
        /// Its parts times its fields, above [`PARTS_MAX`].
        parts: u64,
    },
    /// A default of the contract does not fit its field, which a checked contract rules out.
    Value(EncodeError),
}

impl fmt::Display for GoldenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLarge { message, parts } => write!(
                f,
                "no golden vectors of `{message}`: its fields times the parts of a value with all lists filled are \
                 {parts}, above {PARTS_MAX}; nest fewer lists, or make arrays smaller"
            ),
            Self::Value(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for GoldenError {}

impl From<EncodeError> for GoldenError {
    fn from(error: EncodeError) -> Self {
        Self::Value(error)
    }
}

/// A value and its bytes.
#[derive(Clone, Debug)]
pub struct Vector {
    /// What is special about it: `price = NaN`.
    pub name: String,
    /// The version with which it was written.
    pub version: u16,
    /// The value that a reader of the current version sees.
    pub values: Vec<(String, Value)>,
    /// Its bytes.
    pub encoded: Encoded,
}

/// Bytes that are no value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hostile {
    /// What was done to them: `tag 0x07 at byte 16`.
    pub name: String,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// How they must be refused.
    pub verdict: Verdict,
}

/// How bytes must be refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// They are shorter than the root.
    Truncated,
    /// They are long enough, and still no value.
    Invalid,
}

impl Verdict {
    /// The word in the golden file.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Verdict::Truncated => "truncated",
            Verdict::Invalid => "invalid",
        }
    }
}

/// The values of `message` at the limits of its types, and one of every older version.
///
/// # Errors
/// They would be too large.
pub fn vectors(model: &Model<'_>, message: &Message) -> Result<Vec<Vector>, GoldenError> {
    check_size(model, message)?;
    let mut all = Vec::new();
    for (name, values) in boundary::of_message(model, &message.fields) {
        let encoded = encode::message(model, &message.fields, &values)?;
        all.push(Vector { name, version: message.version, values, encoded });
    }
    for version in Model::versions(message).into_iter().filter(|version| *version < message.version) {
        let fields = message.fields_of(version);
        for (name, mut values) in boundary::of_message(model, fields).into_iter().take(2) {
            let encoded = encode::message(model, fields, &values)?;
            let added = &message.fields[fields.len()..];
            values.extend(added.iter().filter_map(|f| Some((f.name.clone(), f.default.clone()?))));
            all.push(Vector { name: format!("version {version}, {name}"), version, values, encoded });
        }
    }
    Ok(all)
}

/// Damaged values of `message`.
///
/// # Errors
/// As [`vectors`].
pub fn hostile(model: &Model<'_>, message: &Message) -> Result<Vec<Hostile>, GoldenError> {
    check_size(model, message)?;
    Ok(hostile::of_message(model, message)?)
}

fn check_size(model: &Model<'_>, message: &Message) -> Result<(), GoldenError> {
    let parts = model.parts(&message.fields).saturating_mul(message.fields.len() as u64);
    if parts > PARTS_MAX {
        return Err(GoldenError::TooLarge { message: message.name.clone(), parts });
    }
    Ok(())
}

/// The golden file of `message`.
///
/// # Errors
/// As [`vectors`].
pub fn text(model: &Model<'_>, message: &Message) -> Result<String, GoldenError> {
    let mut out = String::from("{\n");
    let string = show::json_string;
    let _ = writeln!(out, "  \"schema\": {},", string(&model.contract.schema.id));
    let _ = writeln!(out, "  \"message\": {},", string(&message.name));
    let _ = writeln!(out, "  \"type_id\": {},", message.type_id);
    let _ = writeln!(out, "  \"topic\": {},", string(&message.topic));
    let _ = writeln!(out, "  \"version\": {},", message.version);
    let _ = writeln!(out, "  \"digest\": \"{:016x}\",", model.digest(message, message.version));
    offer(model, message, &mut out);
    out.push_str("  \"vectors\": [\n");
    let vectors = vectors(model, message)?;
    for (index, vector) in vectors.iter().enumerate() {
        let _ = writeln!(
            out,
            "    {{\"name\": {}, \"version\": {}, \"root_len\": {},\n     \"value\": {},\n     \"bytes\": \"{}\"}}{}",
            string(&vector.name),
            vector.version,
            vector.encoded.root_len,
            show::json(model, &message.fields, &vector.values),
            show::hex(&vector.encoded.bytes),
            comma(index, vectors.len())
        );
    }
    out.push_str("  ],\n  \"hostile\": [\n");
    let hostile = hostile(model, message)?;
    for (index, case) in hostile.iter().enumerate() {
        let _ = writeln!(
            out,
            "    {{\"name\": {}, \"verdict\": \"{}\",\n     \"bytes\": \"{}\"}}{}",
            string(&case.name),
            case.verdict.word(),
            show::hex(&case.bytes),
            comma(index, hostile.len())
        );
    }
    out.push_str("  ]\n}\n");
    Ok(out)
}

/// What peers compare before they exchange the message.
fn offer(model: &Model<'_>, message: &Message, out: &mut String) {
    let layouts = Model::versions(message).into_iter().map(|version| {
        let root_len = model.record(message.fields_of(version)).layout.size;
        let digest = model.layout_digest(message, version);
        format!("{{\"version\": {version}, \"root_len\": {root_len}, \"digest\": \"{digest:016x}\"}}")
    });
    let enums = model.grown_enums(message).into_iter().map(|def| {
        let first = def.released();
        let variants: Vec<_> = def.variants[first..].iter().map(|v| show::json_string(&v.name)).collect();
        let (name, variants) = (show::json_string(&def.name), variants.join(", "));
        format!("{{\"name\": {name}, \"first\": {first}, \"variants\": [{variants}]}}")
    });
    for (key, list) in [("layouts", layouts.collect::<Vec<_>>()), ("enums", enums.collect())] {
        let _ = writeln!(out, "  \"{key}\": [{}],", list.join(", "));
    }
}

fn comma(index: usize, len: usize) -> &'static str {
    if index + 1 < len { "," } else { "" }
}
