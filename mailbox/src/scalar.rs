//! The scalar types of contracts that Rust does not have: [`Decimal`], [`Timestamp`], [`U256`] and [`I256`].
//!
//! They are plain values of fixed size, exact, and the same 8, 16 or 32 bytes in every language. They carry
//! numbers from one place to another, and compare and print them. Well-known libraries calculate with them,
//! each behind a feature of the crate (`mycelium` has the same ones):
//!
//! | feature | what it adds |
//! |---|---|
//! | `rust_decimal` | `+ - * / %`, their assignments, unary `-`, sums, `checked_add` .. `checked_rem`, `round_to` on [`Decimal`]; `From` both ways, `TryFrom<f64>` |
//! | `ruint` | the same operators and `checked_add` .. `checked_pow` on [`U256`] and [`I256`]; `From` both ways for `ruint::aliases::U256`, which is `alloy_primitives::U256` |
//! | `jiff` | `"2024-01-31T09:30:00Z".parse::<Timestamp>()`; `From` and `TryFrom` for `jiff::Timestamp` |
//! | `chrono` | `From` and `TryFrom` for `chrono::DateTime<Utc>` |
//!
//! Without a feature, the parts lead to any other library: [`Decimal::mantissa`], [`U256::to_limbs`] and
//! their kin.

#[cfg(any(feature = "ruint", feature = "rust_decimal"))]
#[macro_use]
mod operators;

#[cfg(feature = "chrono")]
mod chrono;
mod decimal;
#[cfg(feature = "jiff")]
mod jiff;
#[cfg(feature = "ruint")]
mod ruint;
#[cfg(feature = "rust_decimal")]
mod rust_decimal;
mod timestamp;
mod wide;

use std::fmt;

pub use decimal::{ArchivedDecimal, Decimal, DecimalResolver};
pub use timestamp::{ArchivedTimestamp, Timestamp, TimestampResolver};
pub use wide::{ArchivedI256, ArchivedU256, I256, I256Resolver, U256, U256Resolver};

/// A text or a pair of parts is no value of the scalar type.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScalarError {
    /// The type: `Decimal`, `U256`, `I256` or `Timestamp`.
    pub of: &'static str,
    /// What was offered.
    pub got: String,
    /// What the type accepts.
    pub expected: &'static str,
}

impl ScalarError {
    pub(crate) fn no_timestamp(got: String) -> Self {
        Self { of: "Timestamp", got, expected: "a point in time between 1677-09-22 and 2262-04-11" }
    }
}

impl fmt::Display for ScalarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no {}: write {}", self.got, self.of, self.expected)
    }
}

impl std::error::Error for ScalarError {}
