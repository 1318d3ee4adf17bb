//! Arithmetic on [`Decimal`] by way of the crate `rust_decimal`, which keeps the same 96 bits and 28 digits.

use std::iter::Sum;
use std::ops::{Add, Div, Mul, Neg, Rem, Sub};

use rust_decimal::Decimal as Library;

use super::Decimal;

impl From<Decimal> for Library {
    /// Exact, with the scale kept.
    fn from(value: Decimal) -> Self {
        // The mantissa has 96 bits and the scale is at most 28 in both types.
        Self::from_i128_with_scale(value.mantissa(), u32::from(value.scale()))
    }
}

impl From<Library> for Decimal {
    /// Exact, with the scale kept; a negative zero loses its sign.
    fn from(value: Library) -> Self {
        let scale = u8::try_from(value.scale()).unwrap_or(Self::SCALE_MAX);
        let mantissa = value.mantissa();
        Self::from_parts(mantissa < 0, mantissa.unsigned_abs(), scale).unwrap_or_default()
    }
}

/// A checked method for an operation of the library, and the operator that panics where it gives `None`.
macro_rules! operations {
    ($($operator:ident :: $plain:ident, $checked:ident: $what:literal, $none:literal;)*) => {
        impl Decimal {
            $(
                #[doc = concat!($what, "; `None` ", $none, ".")]
                #[doc = "\n\nA result with more than 28 digits behind the point is rounded to the nearest, half to even."]
                #[must_use]
                pub fn $checked(self, other: Self) -> Option<Self> {
                    Library::from(self).$checked(other.into()).map(Self::from)
                }
            )*
        }

        $(
            impl $operator for Decimal {
                type Output = Self;

                #[doc = concat!("# Panics\nWhere [`Decimal::", stringify!($checked), "`] gives `None`.")]
                fn $plain(self, other: Self) -> Self {
                    self.$checked(other).unwrap_or_else(|| {
                        panic!("{self} and {other}: no Decimal is their {}", stringify!($plain))
                    })
                }
            }
        )*
    };
}

operations! {
    Add::add, checked_add: "The sum", "where it takes more than 96 bits";
    Sub::sub, checked_sub: "The difference", "where it takes more than 96 bits";
    Mul::mul, checked_mul: "The product", "where it takes more than 96 bits";
    Div::div, checked_div: "The quotient", "where it takes more than 96 bits or `other` is zero";
    Rem::rem, checked_rem: "The remainder, with the sign of `self`", "where `other` is zero";
}

impl Decimal {
    /// Rounded to at most `digits` behind the point, half to even.
    ///
    /// ```
    /// use mycelium_mailbox::scalar::Decimal;
    ///
    /// let (price, quantity): (Decimal, Decimal) = ("101.255".parse()?, "3".parse()?);
    /// assert_eq!((price * quantity).round_to(2).to_string(), "303.76");
    /// assert_eq!(Decimal::from(1).checked_div(Decimal::ZERO), None);
    /// # Ok::<(), mycelium_mailbox::scalar::ScalarError>(())
    /// ```
    #[must_use]
    pub fn round_to(self, digits: u8) -> Self {
        Library::from(self).round_dp(u32::from(digits)).into()
    }
}

impl Neg for Decimal {
    type Output = Self;

    fn neg(self) -> Self {
        (-Library::from(self)).into()
    }
}

impl Sum for Decimal {
    /// # Panics
    /// A partial sum takes more than 96 bits.
    fn sum<I: Iterator<Item = Self>>(values: I) -> Self {
        values.fold(Self::ZERO, Add::add)
    }
}
