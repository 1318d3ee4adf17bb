//! The checked model of a contract: what generators, comparison and digests work on.
//!
//! Values of these types come from [`Contract::parse`], so the invariants written on each of them hold.
//! Code that builds one by hand (a test) takes the duty of holding them.

use std::fmt;

use crate::check::{literal, rules};

/// Where something was written: line and column, both counted from 1, the column in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Pos {
    /// Line, from 1. 0 when the thing stands nowhere in the file.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: u32,
}

/// A whole contract file, checked.
///
/// All names are unique across enums, structs and messages, type ids are unique and lie in their domain's
/// range, every [`Type::Enum`] and [`Type::Struct`] names a definition of this contract, and no definition
/// contains itself.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Contract {
    /// Identity and version of the file as a whole.
    pub schema: Schema,
    /// The domains, in the order of the file.
    pub domains: Vec<Domain>,
    /// One range of type ids per domain that has messages, disjoint.
    pub tag_ranges: Vec<TagRange>,
    /// Unit and data enums, in the order of the file.
    pub enums: Vec<EnumDef>,
    /// Nested structs, in the order of the file.
    pub structs: Vec<StructDef>,
    /// The messages, in the order of the file.
    pub messages: Vec<Message>,
}

impl Contract {
    /// The message of this name.
    #[must_use]
    pub fn message(&self, name: &str) -> Option<&Message> {
        self.messages.iter().find(|m| m.name == name)
    }

    /// The message with this type id.
    #[must_use]
    pub fn message_by_id(&self, type_id: u16) -> Option<&Message> {
        self.messages.iter().find(|m| m.type_id == type_id)
    }

    /// The enum of this name.
    #[must_use]
    pub fn enum_def(&self, name: &str) -> Option<&EnumDef> {
        self.enums.iter().find(|e| e.name == name)
    }

    /// The struct of this name.
    #[must_use]
    pub fn struct_def(&self, name: &str) -> Option<&StructDef> {
        self.structs.iter().find(|s| s.name == name)
    }
}

/// The key `schema`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Schema {
    /// Dotted lower-case name, such as `acme.trading`.
    pub id: String,
    /// Raised by its owner as they wish; messages carry versions of their own.
    pub version: u32,
}

/// One entry of `domains`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Domain {
    /// Lower-case name, such as `market_data`.
    pub name: String,
    /// What belongs into it; may be empty.
    pub description: String,
    /// Where it was written.
    pub at: Pos,
}

/// One entry of `tag_ranges`: the type ids that a domain's messages may take.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TagRange {
    /// The domain's name.
    pub domain: String,
    /// Lowest id, included.
    pub lo: u16,
    /// Highest id, included; not below `lo`.
    pub hi: u16,
    /// Where it was written.
    pub at: Pos,
}

/// A message: one Rust struct, one topic, one type id.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Message {
    /// `UpperCamelCase`.
    pub name: String,
    /// The frame's type id (`tlv_type`), unique in the contract.
    pub type_id: u16,
    /// The topic it is published to; several messages may share one.
    pub topic: String,
    /// Name of its domain.
    pub domain: String,
    /// Free text; may be empty.
    pub description: String,
    /// The current version, from 1.
    pub version: u16,
    /// The message that answers it, if it is a query: always one of this contract, perhaps itself.
    pub reply: Option<String>,
    /// What its topic keeps for subscribers that come late and ask for it.
    pub retain: Option<Retain>,
    /// In wire order. `since` never decreases, starts at 1 and never exceeds `version`.
    pub fields: Vec<Field>,
    /// Where it was written.
    pub at: Pos,
}

/// What the topic of a message keeps for subscribers that come late and ask for it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Retain {
    /// The last so many messages: 1 to 65,536.
    Last(u32),
    /// The last message of each value of a field.
    Per {
        /// The field: an integer, a bool, a `String` or a unit enum.
        field: String,
        /// The most values that are remembered: 1 to 65,536.
        keys: u32,
    },
}

impl Message {
    /// The fields that version `version` has: a prefix of [`Message::fields`].
    #[must_use]
    pub fn fields_of(&self, version: u16) -> &[Field] {
        let count = self.fields.iter().take_while(|f| f.since <= version).count();
        &self.fields[..count]
    }

    /// The field of this name.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|f| f.name == name)
    }
}

/// A field of a message, of a nested struct or of a data enum's variant.
///
/// Only fields of messages have a `since` above 1; nested types are frozen.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Field {
    /// `snake_case`, and no reserved word of Rust, Python or OCaml.
    pub name: String,
    /// Its type.
    pub ty: Type,
    /// Free text; may be empty.
    pub description: String,
    /// The value that a reader of this version takes when the writer's version did not have the field, and
    /// what builders start from. Fits `ty` and keeps `validation`. Always there when `since` is above 1.
    pub default: Option<Value>,
    /// Checked by `validate()`, never by decoding. Each fits `ty`; no kind stands twice.
    pub validation: Vec<Rule>,
    /// The version of the message that brought the field, from 1.
    pub since: u16,
    /// Where it was written.
    pub at: Pos,
}

/// A nested struct. Frozen: it cannot change once its messages are in use.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct StructDef {
    /// `UpperCamelCase`.
    pub name: String,
    /// Free text; may be empty.
    pub description: String,
    /// In wire order, at least one.
    pub fields: Vec<Field>,
    /// Where it was written.
    pub at: Pos,
}

/// An enum. A *unit* enum has no variant with fields and is one `u8` on the wire; any other is a *data* enum.
///
/// A variant's tag is its place in the list, from 0.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EnumDef {
    /// `UpperCamelCase`.
    pub name: String,
    /// Free text; may be empty.
    pub description: String,
    /// In tag order, 1 to 256 of them.
    pub variants: Vec<Variant>,
    /// Where it was written.
    pub at: Pos,
}

impl EnumDef {
    /// Whether no variant carries fields.
    #[must_use]
    pub fn is_unit(&self) -> bool {
        self.variants.iter().all(|v| v.fields.is_empty())
    }

    /// How many variants its first release had: their tags are below this number, those of later ones are
    /// not.
    #[must_use]
    pub fn released(&self) -> usize {
        self.variants.iter().take_while(|v| v.since == 1).count()
    }

    /// The tag of the variant of this name.
    #[must_use]
    pub fn tag(&self, variant: &str) -> Option<u8> {
        self.variants.iter().position(|v| v.name == variant).and_then(|at| u8::try_from(at).ok())
    }
}

/// One variant of an enum.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Variant {
    /// `UpperCamelCase`.
    pub name: String,
    /// Free text; may be empty.
    pub description: String,
    /// Named fields, in wire order; empty for a unit variant.
    pub fields: Vec<Field>,
    /// Above 1 for a variant that a unit enum gained after its first release; always 1 in a data enum. Never
    /// decreases along the list. Peers compare later variants apart from the layout, so that a unit enum may
    /// grow.
    pub since: u16,
    /// Where it was written.
    pub at: Pos,
}

/// The type of a field.
///
/// `Display` writes it as `contracts.yaml` spells it: `Vec<Option<u64>>`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Type {
    /// `bool`, one byte, 0 or 1.
    Bool,
    /// `u8`.
    U8,
    /// `u16`.
    U16,
    /// `u32`.
    U32,
    /// `u64`.
    U64,
    /// `i8`.
    I8,
    /// `i16`.
    I16,
    /// `i32`.
    I32,
    /// `i64`.
    I64,
    /// `f32`.
    F32,
    /// `f64`.
    F64,
    /// `Timestamp`: nanoseconds since 1970-01-01T00:00:00Z without leap seconds, an `i64` on the wire.
    Timestamp,
    /// `Decimal`: an exact decimal number, 16 bytes, align 8, as `repr(C)` of the fields `lo: u64`, `hi:
    /// u32`, `scale: u8`, `negative: u8`, `zero: u16`: the value is `±(hi << 64 | lo) / 10^scale`, with
    /// `scale` 0 to 28.
    Decimal,
    /// `U256`: four `u64`, least significant first; 32 bytes, align 8.
    U256,
    /// `I256`: two's complement in four `u64`, least significant first; 32 bytes, align 8.
    I256,
    /// `String`: UTF-8, 8 bytes in the root and perhaps more outside.
    String,
    /// `Bytes`: as `Vec<u8>`.
    Bytes,
    /// `[T; N]`, N from 1.
    Array(Box<Type>, u32),
    /// `Vec<T>`: 8 bytes in the root and the elements outside.
    Vec(Box<Type>),
    /// `Option<T>`; T is never itself an `Option`.
    Option(Box<Type>),
    /// An enum of this contract, by name.
    Enum(String),
    /// A struct of this contract, by name.
    Struct(String),
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Array(of, count) => write!(f, "[{of}; {count}]"),
            Type::Vec(of) => write!(f, "Vec<{of}>"),
            Type::Option(of) => write!(f, "Option<{of}>"),
            Type::Enum(name) | Type::Struct(name) => f.write_str(name),
            simple => f.write_str(simple.keyword().unwrap_or_default()),
        }
    }
}

impl Type {
    /// The types that a single word names, in the order in which help lists them.
    pub const SIMPLE: [Type; 17] = [
        Type::Bool,
        Type::U8,
        Type::U16,
        Type::U32,
        Type::U64,
        Type::I8,
        Type::I16,
        Type::I32,
        Type::I64,
        Type::F32,
        Type::F64,
        Type::String,
        Type::Bytes,
        Type::Timestamp,
        Type::Decimal,
        Type::U256,
        Type::I256,
    ];

    /// The word that names a simple type in `contracts.yaml`; `None` for the composed and the user's own.
    #[must_use]
    pub fn keyword(&self) -> Option<&'static str> {
        Some(match self {
            Type::Bool => "bool",
            Type::U8 => "u8",
            Type::U16 => "u16",
            Type::U32 => "u32",
            Type::U64 => "u64",
            Type::I8 => "i8",
            Type::I16 => "i16",
            Type::I32 => "i32",
            Type::I64 => "i64",
            Type::F32 => "f32",
            Type::F64 => "f64",
            Type::Timestamp => "Timestamp",
            Type::Decimal => "Decimal",
            Type::U256 => "U256",
            Type::I256 => "I256",
            Type::String => "String",
            Type::Bytes => "Bytes",
            Type::Array(..) | Type::Vec(_) | Type::Option(_) | Type::Enum(_) | Type::Struct(_) => {
                return None;
            }
        })
    }

    /// The lowest and highest value of an integer of at most 64 bits, and of `Timestamp`; `None` for any
    /// other type.
    #[must_use]
    pub fn int_range(&self) -> Option<(i128, i128)> {
        Some(match self {
            Type::U8 => (0, u8::MAX.into()),
            Type::U16 => (0, u16::MAX.into()),
            Type::U32 => (0, u32::MAX.into()),
            Type::U64 => (0, u64::MAX.into()),
            Type::I8 => (i8::MIN.into(), i8::MAX.into()),
            Type::I16 => (i16::MIN.into(), i16::MAX.into()),
            Type::I32 => (i32::MIN.into(), i32::MAX.into()),
            Type::I64 | Type::Timestamp => (i64::MIN.into(), i64::MAX.into()),
            _ => return None,
        })
    }
}

/// A literal of some [`Type`]: a default, or the operand of a [`Rule`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Value {
    /// Of `bool`.
    Bool(bool),
    /// Of an integer of at most 64 bits or of `Timestamp`; always within the type's range.
    Int(i128),
    /// Of `f32` or `f64`; finite, and within the range of `f32` where the type is `f32`.
    Float(f64),
    /// Of `Decimal`.
    Decimal(DecimalValue),
    /// Of `U256` or `I256` (two's complement): four limbs, least significant first.
    Wide([u64; 4]),
    /// Of `String`.
    String(String),
    /// Of `Bytes`.
    Bytes(Vec<u8>),
    /// Of `Vec<T>`, or of `[T; N]` with exactly N elements.
    List(Vec<Value>),
    /// `Option<T>` without a value.
    None,
    /// `Option<T>` with one.
    Some(Box<Value>),
    /// Of an enum: the variant and its fields in wire order, none for a unit variant.
    Variant(String, Vec<(String, Value)>),
    /// Of a struct: all fields in wire order.
    Struct(Vec<(String, Value)>),
}

/// A decimal literal: `±mantissa / 10^scale`, the digits as written (`1.50` keeps its scale of 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecimalValue {
    /// Whether it is below zero; never set for zero.
    pub negative: bool,
    /// Below 2^96.
    pub mantissa: u128,
    /// 0 to 28.
    pub scale: u8,
}

/// One check that `validate()` makes on a field. On `Option<T>` every rule speaks of the value inside, when
/// present.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Rule {
    /// `min`: not below. Numbers, `Decimal`, `Timestamp`, `U256`, `I256`. NaN breaks it.
    Min(Value),
    /// `max`: not above; as `min`.
    Max(Value),
    /// `greater_than`: strictly above; as `min`.
    GreaterThan(Value),
    /// `less_than`: strictly below; as `min`.
    LessThan(Value),
    /// `multiple_of`: without remainder, operand above zero. Integers of at most 64 bits and `Timestamp`.
    MultipleOf(i128),
    /// `not_zero`. Numbers, `Decimal`, `Timestamp`, `U256`, `I256`.
    NotZero,
    /// `finite`: neither NaN nor infinite. `f32`, `f64`.
    Finite,
    /// `one_of`: equal to one of these. Integers, `Decimal`, `Timestamp`, `U256`, `I256`, `String`, unit
    /// enums.
    OneOf(Vec<Value>),
    /// `min_length`: `String` and `Bytes` in bytes, `Vec` in elements.
    MinLength(u32),
    /// `max_length`; as `min_length`.
    MaxLength(u32),
    /// `not_empty`; where `min_length` fits.
    NotEmpty,
    /// `ascii`: bytes 0x20 to 0x7e only. `String`.
    Ascii,
    /// `each`: these rules on every element. `Vec`, arrays. Not empty, and never nested twice.
    Each(Vec<Rule>),
}

impl DecimalValue {
    /// Reads decimal digits such as `-12.50`: at most 28 of them after the point, and a mantissa below 2^96.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        literal::parse_decimal(text)
    }
}

impl Value {
    /// Reads a [`Value::Wide`]: decimal digits, or hexadecimal ones behind `0x`. `signed`: whether of `I256`.
    #[must_use]
    pub fn parse_wide(text: &str, signed: bool) -> Option<Self> {
        literal::parse_wide(text, signed).map(Self::Wide)
    }
}

impl Value {
    /// How this value of type `ty` compares with another one of it; `None` where they have no order, such as
    /// NaN, lists and structs. Variants of an enum are in the order of their names.
    #[must_use]
    pub fn order(&self, ty: &Type, other: &Self) -> Option<std::cmp::Ordering> {
        literal::compare(ty, self, other)
    }
}

impl Field {
    /// The first of the rules of this field that the value breaks. Rules of the fields of a struct or enum
    /// in it are theirs.
    #[must_use]
    pub fn broken_by(&self, value: &Value) -> Option<&Rule> {
        rules::broken(&self.ty, &self.validation, value)
    }
}

impl Rule {
    /// The key that names this rule under `validation`.
    #[must_use]
    pub fn key(&self) -> &'static str {
        match self {
            Rule::Min(_) => "min",
            Rule::Max(_) => "max",
            Rule::GreaterThan(_) => "greater_than",
            Rule::LessThan(_) => "less_than",
            Rule::MultipleOf(_) => "multiple_of",
            Rule::NotZero => "not_zero",
            Rule::Finite => "finite",
            Rule::OneOf(_) => "one_of",
            Rule::MinLength(_) => "min_length",
            Rule::MaxLength(_) => "max_length",
            Rule::NotEmpty => "not_empty",
            Rule::Ascii => "ascii",
            Rule::Each(_) => "each",
        }
    }
}
