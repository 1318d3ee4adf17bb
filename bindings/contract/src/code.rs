//! The stable codes of errors: one list, from which the documentation is checked.

use std::fmt;

/// What kind of mistake a [`Diagnostic`](crate::Diagnostic) reports.
///
/// The number behind a code never changes its meaning. `Display` writes `MYC0010`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u16);

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MYC{:04}", self.0)
    }
}

macro_rules! codes {
    ($($(#[doc = $doc:literal])+ $name:ident = $number:literal;)+) => {
        impl Code {
            $($(#[doc = $doc])+ pub const $name: Code = Code($number);)+

            /// All codes with what they mean, by number.
            pub const ALL: &'static [(Code, &'static str)] = &[$((Code($number), concat!($($doc),+)),)+];
        }
    };
}

codes! {
    /// The file cannot be read.
    UNREADABLE = 1;
    /// The file is not UTF-8.
    NOT_UTF8 = 2;
    /// The file, or something in it, is beyond a limit.
    LIMIT = 3;
    /// The text is not YAML.
    SYNTAX = 4;
    /// A key stands twice in one mapping.
    DUPLICATE_KEY = 5;
    /// The file holds nothing.
    EMPTY = 6;
    /// A value has the wrong shape, such as a list where a mapping belongs.
    WRONG_SHAPE = 7;
    /// A number in a notation that contracts do not have.
    BAD_NUMBER = 8;
    /// A key that means nothing here.
    UNKNOWN_KEY = 10;
    /// A key that must be there is not.
    MISSING_KEY = 11;
    /// A name is not spelled as names of its kind are.
    BAD_NAME = 12;
    /// A name is a reserved word of Rust, Python or OCaml, or a type's name.
    RESERVED_WORD = 13;
    /// A name is taken already.
    NAME_TAKEN = 14;
    /// A domain that is not declared.
    UNKNOWN_DOMAIN = 20;
    /// A range of type ids is malformed or reaches into the reserved ids.
    BAD_RANGE = 21;
    /// Two ranges of type ids overlap.
    RANGE_OVERLAP = 22;
    /// A type id lies outside its domain's range.
    ID_OUT_OF_RANGE = 23;
    /// Two messages have one type id.
    ID_TAKEN = 24;
    /// A version is malformed.
    BAD_VERSION = 25;
    /// A topic's name is malformed.
    BAD_TOPIC = 26;
    /// The answer of a message is no message of the contract.
    UNKNOWN_REPLY = 27;
    /// The rule of what a topic retains is malformed, or has no key.
    BAD_RETAIN = 28;
    /// A type that is not known.
    UNKNOWN_TYPE = 30;
    /// A type that contracts do not allow.
    FORBIDDEN_TYPE = 31;
    /// The text of a type is malformed.
    BAD_TYPE = 32;
    /// An `Option` directly inside an `Option`.
    NESTED_OPTION = 33;
    /// A type that contains itself.
    RECURSION = 34;
    /// An array length of zero or beyond the limit.
    BAD_ARRAY_LENGTH = 35;
    /// A default that does not fit its type.
    BAD_DEFAULT = 40;
    /// A default that breaks the field's own validation.
    DEFAULT_BREAKS_RULE = 41;
    /// A field of a later version without a default.
    MISSING_DEFAULT = 42;
    /// A `since` out of order, beyond the message's version, or where fields are frozen.
    BAD_SINCE = 43;
    /// A rule that does not fit the field's type.
    RULE_MISFIT = 50;
    /// The operand of a rule is malformed.
    BAD_OPERAND = 51;
    /// Rules that no value, or no rule, can satisfy together.
    CONTRADICTION = 52;
}
