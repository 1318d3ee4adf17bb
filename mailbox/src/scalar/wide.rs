//! Integers of 256 bits.

use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

use rkyv::rend::u64_le;

use super::ScalarError;

/// The largest power of ten in a limb: decimal text is made of groups of this many digits.
const GROUP_DIGITS: usize = 19;
const GROUP: u64 = 10_000_000_000_000_000_000;

/// An unsigned integer of 256 bits; on the wire four `u64`, the least significant first.
///
/// ```
/// use mycelium_mailbox::scalar::U256;
///
/// let wei: U256 = "1000000000000000000".parse()?;
/// assert_eq!(wei, U256::from(10u64.pow(18)));
/// assert_eq!(U256::MAX.to_string().len(), 78);
/// # Ok::<(), mycelium_mailbox::scalar::ScalarError>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[rkyv(derive(Debug, Clone, Copy, PartialEq, Eq))]
#[repr(C)]
pub struct U256 {
    limbs: [u64; 4],
}

/// A signed integer of 256 bits; on the wire its two's complement as four `u64`, the least significant first.
///
/// ```
/// use mycelium_mailbox::scalar::I256;
///
/// let loss: I256 = "-25".parse()?;
/// assert_eq!(loss, I256::from(-25i64));
/// assert!(I256::MIN < loss && loss < I256::from(0i64));
/// # Ok::<(), mycelium_mailbox::scalar::ScalarError>(())
/// ```
#[derive(Clone, Copy, Default, PartialEq, Eq, Hash, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
#[rkyv(derive(Debug, Clone, Copy, PartialEq, Eq))]
#[repr(C)]
pub struct I256 {
    limbs: [u64; 4],
}

impl U256 {
    /// 0.
    pub const ZERO: Self = Self { limbs: [0; 4] };
    /// 1.
    pub const ONE: Self = Self { limbs: [1, 0, 0, 0] };
    /// 0.
    pub const MIN: Self = Self::ZERO;
    /// 2^256 - 1.
    pub const MAX: Self = Self { limbs: [u64::MAX; 4] };

    /// From four limbs, the least significant first.
    #[must_use]
    pub const fn from_limbs(limbs: [u64; 4]) -> Self {
        Self { limbs }
    }

    /// The four limbs, the least significant first.
    #[must_use]
    pub const fn to_limbs(self) -> [u64; 4] {
        self.limbs
    }

    /// The value as a `u128`, where it fits.
    #[must_use]
    pub const fn to_u128(self) -> Option<u128> {
        let [a, b, 0, 0] = self.limbs else { return None };
        Some((b as u128) << 64 | a as u128)
    }
}

impl I256 {
    /// 0.
    pub const ZERO: Self = Self { limbs: [0; 4] };
    /// 1.
    pub const ONE: Self = Self { limbs: [1, 0, 0, 0] };
    /// -2^255.
    pub const MIN: Self = Self { limbs: [0, 0, 0, 1 << 63] };
    /// 2^255 - 1.
    pub const MAX: Self = Self { limbs: [u64::MAX, u64::MAX, u64::MAX, u64::MAX >> 1] };

    /// From the four limbs of the two's complement, the least significant first.
    #[must_use]
    pub const fn from_limbs(limbs: [u64; 4]) -> Self {
        Self { limbs }
    }

    /// The four limbs of the two's complement, the least significant first.
    #[must_use]
    pub const fn to_limbs(self) -> [u64; 4] {
        self.limbs
    }

    /// Whether the value is below zero.
    #[must_use]
    pub const fn is_negative(self) -> bool {
        self.limbs[3] >> 63 == 1
    }
}

impl ArchivedU256 {
    /// The number.
    #[must_use]
    pub fn to_native(&self) -> U256 {
        U256 { limbs: self.limbs.map(u64_le::to_native) }
    }
}

impl ArchivedI256 {
    /// The number.
    #[must_use]
    pub fn to_native(&self) -> I256 {
        I256 { limbs: self.limbs.map(u64_le::to_native) }
    }
}

impl From<u64> for U256 {
    fn from(value: u64) -> Self {
        Self { limbs: [value, 0, 0, 0] }
    }
}

impl From<u128> for U256 {
    fn from(value: u128) -> Self {
        Self { limbs: [value as u64, (value >> 64) as u64, 0, 0] }
    }
}

impl TryFrom<I256> for U256 {
    type Error = ScalarError;

    /// # Errors
    /// The value is below zero.
    fn try_from(value: I256) -> Result<Self, ScalarError> {
        let expected = "a whole number from 0 to 2^256 - 1";
        if value.is_negative() {
            return Err(ScalarError { of: "U256", got: value.to_string(), expected });
        }
        Ok(Self { limbs: value.limbs })
    }
}

impl TryFrom<U256> for I256 {
    type Error = ScalarError;

    /// # Errors
    /// The value is above 2^255 - 1.
    fn try_from(value: U256) -> Result<Self, ScalarError> {
        let same = Self { limbs: value.limbs };
        let expected = "a whole number from -2^255 to 2^255 - 1";
        if same.is_negative() {
            return Err(ScalarError { of: "I256", got: value.to_string(), expected });
        }
        Ok(same)
    }
}

impl From<i64> for I256 {
    fn from(value: i64) -> Self {
        Self::from(i128::from(value))
    }
}

impl From<i128> for I256 {
    fn from(value: i128) -> Self {
        let sign = if value < 0 { u64::MAX } else { 0 };
        Self { limbs: [value as u64, (value >> 64) as u64, sign, sign] }
    }
}

impl Ord for U256 {
    fn cmp(&self, other: &Self) -> Ordering {
        self.limbs.iter().rev().cmp(other.limbs.iter().rev())
    }
}

impl PartialOrd for U256 {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for I256 {
    /// With the sign bit flipped, two's complement orders as unsigned numbers do.
    fn cmp(&self, other: &Self) -> Ordering {
        let flipped = |value: &Self| {
            let [a, b, c, d] = value.limbs;
            [d ^ 1 << 63, c, b, a]
        };
        flipped(self).cmp(&flipped(other))
    }
}

impl PartialOrd for I256 {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for U256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad_integral(true, "", &digits_of(self.limbs))
    }
}

impl fmt::Display for I256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let magnitude = if self.is_negative() { negate(self.limbs) } else { self.limbs };
        f.pad_integral(!self.is_negative(), "", &digits_of(magnitude))
    }
}

impl fmt::Debug for U256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Debug for I256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for U256 {
    type Err = ScalarError;

    /// Decimal digits, with an optional `+`.
    fn from_str(text: &str) -> Result<Self, ScalarError> {
        let limbs = limbs_of(text.strip_prefix('+').unwrap_or(text));
        limbs.map(Self::from_limbs).ok_or_else(|| ScalarError {
            of: "U256",
            got: text.chars().take(96).collect(),
            expected: "decimal digits below 2^256",
        })
    }
}

impl FromStr for I256 {
    type Err = ScalarError;

    /// Decimal digits, with an optional sign.
    fn from_str(text: &str) -> Result<Self, ScalarError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let fits = |limbs: &[u64; 4]| limbs[3] >> 63 == 0 || (negative && *limbs == Self::MIN.limbs);
        limbs_of(digits)
            .filter(fits)
            .map(|limbs| Self { limbs: if negative { negate(limbs) } else { limbs } })
            .ok_or_else(|| ScalarError {
                of: "I256",
                got: text.chars().take(96).collect(),
                expected: "decimal digits with an optional sign, from -2^255 to 2^255 - 1",
            })
    }
}

/// The negative of a two's complement.
fn negate(limbs: [u64; 4]) -> [u64; 4] {
    let mut carry = true;
    limbs.map(|limb| {
        let (sum, overflow) = (!limb).overflowing_add(u64::from(carry));
        carry = overflow;
        sum
    })
}

fn digits_of(mut limbs: [u64; 4]) -> String {
    let mut groups = Vec::new();
    while limbs != [0; 4] {
        let mut rest = 0u64;
        for limb in limbs.iter_mut().rev() {
            let part = u128::from(rest) << 64 | u128::from(*limb);
            *limb = (part / u128::from(GROUP)) as u64;
            rest = (part % u128::from(GROUP)) as u64;
        }
        groups.push(rest);
    }
    let mut text = groups.pop().unwrap_or(0).to_string();
    for group in groups.iter().rev() {
        text.push_str(&format!("{group:0GROUP_DIGITS$}"));
    }
    text
}

fn limbs_of(digits: &str) -> Option<[u64; 4]> {
    if digits.is_empty() {
        return None;
    }
    let mut limbs = [0u64; 4];
    for digit in digits.bytes() {
        let mut carry = u128::from(digit.checked_sub(b'0').filter(|d| *d < 10)?);
        for limb in &mut limbs {
            let sum = u128::from(*limb) * 10 + carry;
            *limb = sum as u64;
            carry = sum >> 64;
        }
        if carry != 0 {
            return None;
        }
    }
    Some(limbs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const U256_MAX: &str = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
    const I256_MAX: &str = "57896044618658097711785492504343953926634992332820282019728792003956564819967";

    #[test]
    fn text_round_trips_at_the_limits() {
        for text in
            ["0", "1", "18446744073709551615", "18446744073709551616", "10000000000000000000", U256_MAX]
        {
            assert_eq!(text.parse::<U256>().map(|v| v.to_string()).as_deref(), Ok(text));
        }
        let min = "-57896044618658097711785492504343953926634992332820282019728792003956564819968";
        for text in ["0", "-1", I256_MAX, min] {
            assert_eq!(text.parse::<I256>().map(|v| v.to_string()).as_deref(), Ok(text));
        }
        assert_eq!(U256::MAX.to_string(), U256_MAX);
        assert_eq!(I256::MIN.to_string(), min);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for text in [
            "",
            "+",
            "-1",
            "1.5",
            "0x10",
            "115792089237316195423570985008687907853269984665640564039457584007913129639936",
        ] {
            assert!(text.parse::<U256>().is_err(), "{text:?} was taken");
        }
        let below_min = "-57896044618658097711785492504343953926634992332820282019728792003956564819969";
        for text in [
            "",
            "-",
            "57896044618658097711785492504343953926634992332820282019728792003956564819968",
            below_min,
        ] {
            assert!(text.parse::<I256>().is_err(), "{text:?} was taken");
        }
    }

    #[test]
    fn order_and_conversions_agree_with_small_integers() {
        let values = [i128::MIN, -5, -1, 0, 1, 7, i128::MAX];
        for left in values {
            for right in values {
                assert_eq!(I256::from(left).cmp(&I256::from(right)), left.cmp(&right));
            }
            assert_eq!(I256::from(left).to_string(), left.to_string());
        }
        assert_eq!(U256::from(u128::MAX).to_u128(), Some(u128::MAX));
        assert!(U256::from(u128::MAX) < U256::from_limbs([0, 0, 1, 0]));
        assert_eq!(U256::from_limbs([0, 0, 1, 0]).to_u128(), None);
    }
}
