//! Prices as integers. Moving averages compare sums of these, so a tie is a tie on every machine.

/// Most decimals that a tick may have: the largest power of ten in an `i64`.
const DECIMALS_MAX: u32 = 18;

/// A decimal number as it was written: `digits * 10^-decimals`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    /// The digits, without trailing zeros after the point.
    pub digits: i128,
    /// How many of the digits stand after the point.
    pub decimals: u32,
}

/// What one tick is worth: `10^-decimals`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    /// Decimals of a tick.
    pub decimals: u32,
    /// False if the data has more decimals than 64 bits hold, so that closes were rounded to a tick.
    pub exact: bool,
}

impl Decimal {
    /// Reads `123.45`, `.5`, `1e-5`, `+1.50`. Returns `None` for other text, and beyond 30 significant
    /// digits.
    ///
    /// ```
    /// use backtest::data::Decimal;
    /// assert_eq!(Decimal::parse("1.50"), Some(Decimal { digits: 15, decimals: 1 }));
    /// assert_eq!(Decimal::parse("12e3"), Some(Decimal { digits: 12_000, decimals: 0 }));
    /// assert_eq!(Decimal::parse("one"), None);
    /// ```
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        const SIGNIFICANT_MAX: u32 = 30;
        let (mantissa, exponent) = match text.find(['e', 'E']) {
            Some(at) => (&text[..at], text[at + 1..].parse::<i32>().ok()?),
            None => (text, 0),
        };
        let (negative, unsigned) = match mantissa.as_bytes().first()? {
            b'-' => (true, &mantissa[1..]),
            b'+' => (false, &mantissa[1..]),
            _ => (false, mantissa),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let fraction = fraction.trim_end_matches('0');
        if whole.is_empty() && !unsigned.starts_with('.') || unsigned == "." {
            return None;
        }
        let mut digits: i128 = 0;
        let mut significant = 0;
        for byte in whole.bytes().chain(fraction.bytes()) {
            if !byte.is_ascii_digit() {
                return None;
            }
            digits = digits * 10 + i128::from(byte - b'0');
            significant += u32::from(digits != 0);
            if significant > SIGNIFICANT_MAX {
                return None;
            }
        }
        let mut decimals = i32::try_from(fraction.len()).ok()?.checked_sub(exponent)?;
        while decimals > 0 && digits != 0 && digits % 10 == 0 {
            digits /= 10;
            decimals -= 1;
        }
        if decimals < 0 {
            let zeros = decimals.unsigned_abs();
            if zeros > SIGNIFICANT_MAX {
                return None;
            }
            digits = digits.checked_mul(10_i128.pow(zeros))?;
            decimals = 0;
        }
        Some(Self { digits: if negative { -digits } else { digits }, decimals: decimals as u32 })
    }
}

impl Scale {
    /// The smallest scale at which every close is a whole number of ticks.
    ///
    /// If some price would then not fit into 64 bits, the finest scale at which all fit: closes are rounded
    /// to it, half away from zero. A tick is then still finer than the spacing of the `f64` that was read
    /// from the same text.
    #[must_use]
    pub fn of(closes: &(impl Iterator<Item = Decimal> + Clone)) -> Self {
        let wanted = closes.clone().map(|close| close.decimals).max().unwrap_or(0);
        let mut decimals = wanted.min(DECIMALS_MAX);
        while decimals > 0 && !closes.clone().all(|close| fits(close, decimals)) {
            decimals -= 1;
        }
        Self { decimals, exact: decimals == wanted }
    }

    /// The close in ticks, or `None` if it does not fit into 64 bits.
    #[must_use]
    pub fn ticks(self, close: Decimal) -> Option<i64> {
        i64::try_from(rescale(close, self.decimals)?).ok()
    }

    /// The price nearest to a number of ticks.
    #[must_use]
    pub fn price(self, ticks: i64) -> f64 {
        ticks as f64 / 10_f64.powi(self.decimals as i32)
    }
}

fn fits(close: Decimal, decimals: u32) -> bool {
    rescale(close, decimals).is_some_and(|ticks| i64::try_from(ticks).is_ok())
}

fn rescale(close: Decimal, decimals: u32) -> Option<i128> {
    if decimals >= close.decimals {
        return close.digits.checked_mul(10_i128.pow(decimals - close.decimals));
    }
    // A divisor past 38 digits exceeds every number of 30 digits: the value rounds to nothing.
    let Some(divisor) = 10_i128.checked_pow(close.decimals - decimals) else { return Some(0) };
    Some((close.digits + close.digits.signum() * (divisor / 2)) / divisor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scale_of(texts: &[&str]) -> (Scale, Vec<Option<i64>>) {
        let closes: Vec<_> = texts.iter().map(|text| Decimal::parse(text).expect("a number")).collect();
        let scale = Scale::of(&closes.iter().copied());
        (scale, closes.iter().map(|close| scale.ticks(*close)).collect())
    }

    #[test]
    fn the_scale_is_the_most_decimals_in_the_data() {
        let (scale, ticks) = scale_of(&["130.31", "122.0", "128", "1.2500"]);
        assert_eq!(scale, Scale { decimals: 2, exact: true });
        assert_eq!(ticks, [Some(13_031), Some(12_200), Some(12_800), Some(125)]);
        assert_eq!(scale.price(13_031), 130.31);
    }

    #[test]
    fn floats_printed_in_full_stay_exact() {
        let (scale, ticks) = scale_of(&["118.56000000000002", "1e-3"]);
        assert_eq!(scale, Scale { decimals: 14, exact: true });
        assert_eq!(ticks, [Some(11_856_000_000_000_002), Some(100_000_000_000)]);
    }

    #[test]
    fn more_decimals_than_64_bits_hold_are_rounded_and_said_so() {
        let (scale, ticks) = scale_of(&["812345.12345678901234567", "0.5"]);
        assert_eq!(scale, Scale { decimals: 13, exact: false });
        assert_eq!(ticks[0], Some(8_123_451_234_567_890_123));
    }

    #[test]
    fn text_that_is_no_number_is_refused() {
        for text in [
            "",
            ".",
            "-",
            "e5",
            "1,5",
            "nan",
            "inf",
            "1.2.3",
            "0x10",
            "1e",
            "1e99",
            "1234567890123456789012345678901",
        ] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert_eq!(Decimal::parse("-0.50"), Some(Decimal { digits: -5, decimals: 1 }));
        assert_eq!(Decimal::parse("0.000"), Some(Decimal { digits: 0, decimals: 0 }));
    }
}
