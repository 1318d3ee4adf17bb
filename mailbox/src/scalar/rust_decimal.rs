//! Arithmetic on [`Decimal`] by way of the crate `rust_decimal`, which keeps the same 96 bits and 28 digits.

use std::ops::Neg;

use rust_decimal::Decimal as Library;

use super::{Decimal, ScalarError};

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

/// Each operation is the library's.
macro_rules! checked {
    ($($name:ident: $what:literal, $none:literal;)*) => {
        impl Decimal {
            $(
                #[doc = concat!($what, "; `None` ", $none, ".")]
                #[doc = "\n\nA result with more than 28 digits behind the point, or with more than 96 bits hold (28 in all,"]
                #[doc = "or 29), is rounded to the nearest with the digits that have room, half to even."]
                #[must_use]
                pub fn $name(self, other: Self) -> Option<Self> {
                    Library::from(self).$name(other.into()).map(Self::from)
                }
            )*
        }
    };
}

checked! {
    checked_add: "The sum", "where what is before the point takes more than 96 bits";
    checked_sub: "The difference", "where what is before the point takes more than 96 bits";
    checked_mul: "The product", "where what is before the point takes more than 96 bits";
    checked_div: "The quotient", "where what is before the point takes more than 96 bits, or `other` is zero";
    checked_rem: "The remainder, with the sign of `self`", "where `other` is zero";
}

operators!(Decimal: Decimal::ZERO, Decimal::ONE);

impl Decimal {
    /// Rounded to at most `digits` behind the point, half to even.
    ///
    /// ```
    /// use mycelium_mailbox::scalar::Decimal;
    ///
    /// let (price, quantity): (Decimal, Decimal) = ("101.255".parse()?, "3".parse()?);
    /// assert_eq!((price * quantity).round_to(2).to_string(), "303.76");
    /// let mut cash = Decimal::from(1_000);
    /// cash -= price * quantity;
    /// assert_eq!(cash.to_string(), "696.235");
    /// assert_eq!([price, quantity].iter().sum::<Decimal>().to_string(), "104.255");
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

impl TryFrom<f64> for Decimal {
    type Error = ScalarError;

    /// The shortest decimal that reads back as this number: `0.1` becomes 0.1, where the exact value of the
    /// bits has 55 digits.
    ///
    /// # Errors
    /// [`ScalarError`] for what is not finite, and for what takes more than 96 bits. Digits beyond the 28th
    /// behind the point are rounded, half away from zero.
    fn try_from(number: f64) -> Result<Self, ScalarError> {
        let error = || ScalarError {
            of: "Decimal",
            got: number.to_string(),
            expected: "a finite number below 2^96 without the point",
        };
        if !number.is_finite() {
            return Err(error());
        }
        // Rust prints the shortest text that reads back, and without an exponent.
        let text = number.to_string();
        Library::from_str_exact(&text).or_else(|_| text.parse()).map(Self::from).map_err(|_| error())
    }
}
