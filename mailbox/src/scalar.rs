//! The scalar types of contracts that Rust does not have: [`Decimal`], [`Timestamp`], [`U256`] and [`I256`].
//!
//! They are plain values of fixed size, exact, and the same 8, 16 or 32 bytes in every language. They carry numbers from
//! one place to another, and compare and print them; for arithmetic convert them into the types of a library of your
//! choice through [`Decimal::mantissa`], [`U256::to_limbs`] and their kin.

mod decimal;
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
    /// The type: `Decimal`, `U256` or `I256`.
    pub of: &'static str,
    /// What was offered.
    pub got: String,
    /// What the type accepts.
    pub expected: &'static str,
}

impl fmt::Display for ScalarError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no {}: write {}", self.got, self.of, self.expected)
    }
}

impl std::error::Error for ScalarError {}
