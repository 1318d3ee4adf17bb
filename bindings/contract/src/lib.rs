//! `contracts.yaml`: parsing, checking, layout and digests.
#![forbid(unsafe_code)]

mod model;

pub use model::{
    Contract, DecimalValue, Domain, EnumDef, Field, Message, Pos, Rule, Schema, StructDef, TagRange, Type,
    Value, Variant,
};
