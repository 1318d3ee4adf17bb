//! An exact decimal number.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

use rkyv::bytecheck::Verify;
use rkyv::rancor::{Fallible, Source, fail};

use super::ScalarError;

/// An exact decimal number: `±mantissa / 10^scale`, with 96 bits of mantissa and a scale of 0 to 28.
///
/// The scale is kept (`1.50` prints as `1.50`) and does not matter for comparison (`1.50 == 1.5`). On the
/// wire it takes 16 bytes: the low 64 bits of the mantissa, its high 32, the scale, the sign (1 below zero)
/// and two zero bytes. Zero is never negative.
///
/// ```
/// use mycelium_mailbox::scalar::Decimal;
///
/// let price: Decimal = "101.250".parse()?;
/// assert_eq!((price.mantissa(), price.scale()), (101_250, 3));
/// assert_eq!(price, "101.25".parse()?);
/// assert!(price > Decimal::from(101) && Decimal::new(-5, 1)? < Decimal::ZERO);
/// assert_eq!(price.to_string(), "101.250");
/// # Ok::<(), mycelium_mailbox::scalar::ScalarError>(())
/// ```
#[derive(Clone, Copy, Default, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[rkyv(derive(Debug, Clone, Copy), bytecheck(verify))]
#[repr(C)]
pub struct Decimal {
    lo: u64,
    hi: u32,
    scale: u8,
    negative: bool,
    zero: u16,
}

impl Decimal {
    /// 0.
    pub const ZERO: Self = Self { lo: 0, hi: 0, scale: 0, negative: false, zero: 0 };
    /// 1.
    pub const ONE: Self = Self { lo: 1, ..Self::ZERO };
    /// The largest scale.
    pub const SCALE_MAX: u8 = 28;
    /// The largest mantissa: 2^96 - 1.
    pub const MANTISSA_MAX: u128 = (1 << 96) - 1;

    /// `mantissa / 10^scale`.
    ///
    /// # Errors
    /// The mantissa takes more than 96 bits, or the scale exceeds [`Decimal::SCALE_MAX`].
    pub fn new(mantissa: i128, scale: u8) -> Result<Self, ScalarError> {
        Self::from_parts(mantissa < 0, mantissa.unsigned_abs(), scale).ok_or_else(|| ScalarError {
            of: "Decimal",
            got: format!("{mantissa} / 10^{scale}"),
            expected: "a mantissa below 2^96 and a scale of at most 28",
        })
    }

    /// As [`Decimal::new`], for constants: `None` where that fails. Zero loses its sign.
    #[must_use]
    pub const fn from_parts(negative: bool, mantissa: u128, scale: u8) -> Option<Self> {
        if mantissa > Self::MANTISSA_MAX || scale > Self::SCALE_MAX {
            return None;
        }
        let (lo, hi) = (mantissa as u64, (mantissa >> 64) as u32);
        Some(Self { lo, hi, scale, negative: negative && mantissa != 0, zero: 0 })
    }

    /// The signed mantissa: the number times `10^scale`.
    #[must_use]
    pub const fn mantissa(self) -> i128 {
        let magnitude = self.magnitude() as i128;
        if self.negative { -magnitude } else { magnitude }
    }

    /// How many digits stand behind the point.
    #[must_use]
    pub const fn scale(self) -> u8 {
        self.scale
    }

    /// Whether the number is zero.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.magnitude() == 0
    }

    /// Whether the value is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.negative && !self.is_zero()
    }

    /// The distance from zero, with the scale kept.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self { negative: false, ..self }
    }

    /// The closest `f64`.
    ///
    /// ```
    /// use mycelium_mailbox::scalar::Decimal;
    /// assert_eq!("-0.10".parse::<Decimal>()?.to_f64(), -0.1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_f64(self) -> f64 {
        // The printed form always parses, and parsing rounds correctly.
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    const fn magnitude(self) -> u128 {
        (self.hi as u128) << 64 | self.lo as u128
    }

    /// Without trailing zeros behind the point: equal numbers give equal parts.
    fn normal(self) -> (i128, u8) {
        let (mut mantissa, mut scale) = (self.mantissa(), self.scale);
        while scale > 0 && mantissa % 10 == 0 {
            mantissa /= 10;
            scale -= 1;
        }
        (mantissa, scale)
    }
}

impl ArchivedDecimal {
    /// The number.
    #[must_use]
    pub const fn to_native(&self) -> Decimal {
        let (lo, hi) = (self.lo.to_native(), self.hi.to_native());
        Decimal { lo, hi, scale: self.scale, negative: self.negative, zero: 0 }
    }
}

// SAFETY: `verify` only reads fields that were checked before, and a refusal is an error, never relied on for
// memory safety: every bit pattern of the integers inside is a valid `ArchivedDecimal` as far as Rust is
// concerned.
unsafe impl<C> Verify<C> for ArchivedDecimal
where
    C: Fallible + ?Sized,
    C::Error: Source,
{
    fn verify(&self, _: &mut C) -> Result<(), C::Error> {
        let native = self.to_native();
        if self.scale > Decimal::SCALE_MAX || self.zero != 0 || (self.negative && native.is_zero()) {
            fail!(ScalarError {
                of: "Decimal",
                got: format!("scale {}, padding {}", self.scale, self.zero.to_native()),
                expected: "a scale of at most 28, no negative zero and two zero bytes at the end",
            });
        }
        Ok(())
    }
}

/// Exact. All four, so that `Decimal::from(1)` needs no suffix.
macro_rules! from_integers {
    ($($unsigned:ident, $signed:ident;)*) => {$(
        impl From<$unsigned> for Decimal {
            fn from(value: $unsigned) -> Self {
                Self { lo: value.into(), ..Self::ZERO }
            }
        }

        impl From<$signed> for Decimal {
            fn from(value: $signed) -> Self {
                Self { lo: value.unsigned_abs().into(), negative: value < 0, ..Self::ZERO }
            }
        }
    )*};
}

from_integers! {
    u64, i64;
    u32, i32;
}

impl PartialEq for Decimal {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Decimal {}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        if self.negative != other.negative {
            return other.negative.cmp(&self.negative);
        }
        let scale = self.scale.max(other.scale);
        let (left, right) =
            (raise(self.magnitude(), scale - self.scale), raise(other.magnitude(), scale - other.scale));
        if self.negative { right.cmp(&left) } else { left.cmp(&right) }
    }
}

impl Hash for Decimal {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.normal().hash(state);
    }
}

/// `value * 10^digits` as (high, low) halves, without loss: 96 bits times 94.
fn raise(value: u128, digits: u8) -> (u128, u128) {
    const LOW: u128 = u64::MAX as u128;
    let factor = 10u128.pow(u32::from(digits));
    let (factor_low, factor_high) = (factor & LOW, factor >> 64);
    let (value_low, value_high) = (value & LOW, value >> 64);
    let low = value_low * factor_low;
    let middle = value_low * factor_high + value_high * factor_low + (low >> 64);
    (value_high * factor_high + (middle >> 64), (middle << 64) | (low & LOW))
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = usize::from(self.scale);
        let digits = format!("{:0width$}", self.magnitude(), width = scale + 1);
        let (whole, fraction) = digits.split_at(digits.len() - scale);
        let text = if scale == 0 { whole.to_owned() } else { format!("{whole}.{fraction}") };
        f.pad_integral(!self.negative, "", &text)
    }
}

impl fmt::Debug for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Decimal {
    type Err = ScalarError;

    /// Digits with an optional sign and an optional point between digits.
    fn from_str(text: &str) -> Result<Self, ScalarError> {
        let wrong = || ScalarError {
            of: "Decimal",
            got: text.chars().take(64).collect(),
            expected: "digits with at most one point, at most 28 of them behind it, below 2^96 without the point",
        };
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, "0"));
        let scale = if digits.contains('.') { fraction.len() } else { 0 };
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        if !all_digits(whole) || !all_digits(fraction) {
            return Err(wrong());
        }
        let mut joined = whole.bytes().chain(fraction.bytes().take(scale));
        let mantissa = joined
            .try_fold(0u128, |sum, digit| sum.checked_mul(10)?.checked_add(u128::from(digit - b'0')))
            .ok_or_else(wrong)?;
        u8::try_from(scale)
            .ok()
            .and_then(|scale| Self::from_parts(negative, mantissa, scale))
            .ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().expect("the text is a decimal")
    }

    #[test]
    fn text_round_trips_with_its_scale() {
        for text in [
            "0",
            "0.00",
            "1",
            "-1.50",
            "79228162514264337593543950335",
            "-0.0000000000000000000000000001",
            "7.9228162514264337593543950335",
        ] {
            assert_eq!(decimal(text).to_string(), text);
        }
        assert_eq!(decimal("-0.0").to_string(), "0.0");
        assert_eq!(decimal("+5"), Decimal::from(5));
    }

    #[test]
    fn what_is_no_decimal_is_refused() {
        for text in ["", "-", ".", "1.", ".5", "1e5", "1.2.3", " 1", "٣", "79228162514264337593543950336"] {
            assert!(text.parse::<Decimal>().is_err(), "{text:?} was taken");
        }
        assert!(format!("0.{}", "0".repeat(29)).parse::<Decimal>().is_err());
        assert!("9".repeat(100_000).parse::<Decimal>().is_err());
    }

    #[test]
    fn order_does_not_depend_on_the_scale() {
        let ascending = [
            "-79228162514264337593543950335",
            "-2",
            "-1.9999999999999999999999999999",
            "-0.1",
            "0",
            "0.0000000000000000000000000001",
            "0.1",
            "1.5",
            "7.9228162514264337593543950335",
            "79228162514264337593543950334",
            "79228162514264337593543950335",
        ];
        for (i, left) in ascending.iter().enumerate() {
            for (j, right) in ascending.iter().enumerate() {
                assert_eq!(decimal(left).cmp(&decimal(right)), i.cmp(&j), "{left} against {right}");
            }
        }
        assert_eq!(decimal("1.50"), decimal("1.5"));
        assert_eq!(decimal("1.50").normal(), decimal("1.5").normal());
    }
}
