//! Contract scalars calculate as the libraries do that are behind their features, and nothing is lost on the
//! way.
#![cfg(all(feature = "rust_decimal", feature = "ruint", feature = "jiff", feature = "chrono"))]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mycelium_mailbox::scalar::{Decimal, I256, Timestamp, U256};
use proptest::prelude::*;

fn decimal() -> impl Strategy<Value = Decimal> {
    (any::<bool>(), 0..=Decimal::MANTISSA_MAX, 0..=Decimal::SCALE_MAX)
        .prop_map(|(negative, mantissa, scale)| Decimal::from_parts(negative, mantissa, scale).unwrap())
}

/// Values near the ends and near zero are as likely as any.
fn signed() -> impl Strategy<Value = I256> {
    prop_oneof![
        any::<i128>().prop_map(I256::from),
        (-3i64..=3).prop_map(I256::from),
        any::<[u64; 4]>().prop_map(I256::from_limbs),
        Just(I256::MIN),
        Just(I256::MAX),
    ]
}

proptest! {
    #[test]
    fn a_decimal_survives_its_library(value in decimal()) {
        let there: rust_decimal::Decimal = value.into();
        prop_assert_eq!(there.to_string(), value.to_string());
        prop_assert_eq!(Decimal::from(there).to_string(), value.to_string());
    }

    #[test]
    fn small_decimals_calculate_exactly(a in -1_000_000_000i64..1_000_000_000, b in -1_000_000_000i64..1_000_000_000, scale in 0u8..9) {
        let of = |mantissa: i128, scale| Decimal::new(mantissa, scale).unwrap();
        let (left, right) = (of(a.into(), scale), of(b.into(), scale));
        prop_assert_eq!(left + right, of(i128::from(a) + i128::from(b), scale));
        prop_assert_eq!(left - right, of(i128::from(a) - i128::from(b), scale));
        prop_assert_eq!(left * right, of(i128::from(a) * i128::from(b), 2 * scale));
        prop_assert_eq!(-left, of(-i128::from(a), scale));
        if b == 0 {
            prop_assert_eq!(left.checked_div(right), None);
        } else {
            prop_assert_eq!(left % right, of(i128::from(a) % i128::from(b), scale));
            prop_assert_eq!((left / right * right).round_to(9), left.round_to(9));
        }
    }

    #[test]
    fn sums_and_products_of_decimals_are_exact_or_rounded_in_their_last_digit(a in decimal(), b in decimal()) {
        // Units of one in the 56th digit behind the point, of which no product has more.
        let whole = |value: Decimal, scale: u32| {
            I256::from(value.mantissa()).checked_mul(I256::from(10i64).checked_pow(scale - u32::from(value.scale()))?)
        };
        let all = [
            (a.checked_add(b), whole(a, 28).zip(whole(b, 28)).and_then(|(a, b)| a.checked_add(b)), 28),
            (a.checked_sub(b), whole(a, 28).zip(whole(b, 28)).and_then(|(a, b)| a.checked_sub(b)), 28),
            (a.checked_mul(b), I256::from(a.mantissa()).checked_mul(b.mantissa().into()), u32::from(a.scale() + b.scale())),
        ];
        for (result, exact, scale) in all {
            let (Some(result), Some(exact)) = (result, exact) else { continue };
            let ten = I256::from(10i64);
            let digits = scale.max(u32::from(result.scale()));
            let exact = exact.checked_mul(ten.checked_pow(digits - scale).unwrap()).unwrap();
            let off = whole(result, digits).unwrap().checked_sub(exact).unwrap();
            let unit = ten.checked_pow(digits - u32::from(result.scale())).unwrap();
            let twice = off.checked_add(off).unwrap();
            prop_assert!(twice <= unit && twice.checked_add(unit).unwrap() >= I256::ZERO, "{a} {b} {result}");
        }
    }

    #[test]
    fn decimals_too_large_are_none_rather_than_wrong(value in 1..=Decimal::MANTISSA_MAX) {
        let largest = Decimal::from_parts(false, Decimal::MANTISSA_MAX, 0).unwrap();
        let value = Decimal::from_parts(false, value, 0).unwrap();
        prop_assert_eq!(largest.checked_add(value), None);
        prop_assert_eq!((-largest).checked_sub(value), None);
    }

    #[test]
    fn integers_of_256_bits_calculate_as_those_of_128(a in any::<i128>(), b in any::<i128>()) {
        let (left, right) = (I256::from(a), I256::from(b));
        let narrow = |value: Option<i128>| value.map(I256::from);
        if let Some(sum) = a.checked_add(b) {
            prop_assert_eq!(left.checked_add(right), Some(I256::from(sum)));
        }
        if let Some(difference) = a.checked_sub(b) {
            prop_assert_eq!(left.checked_sub(right), Some(I256::from(difference)));
        }
        if let Some(product) = a.checked_mul(b) {
            prop_assert_eq!(left.checked_mul(right), Some(I256::from(product)));
        }
        if (a, b) != (i128::MIN, -1) {
            prop_assert_eq!(left.checked_div(right), narrow(a.checked_div(b)));
            prop_assert_eq!(left.checked_rem(right), narrow(a.checked_rem(b)));
        }
    }

    #[test]
    fn what_was_done_can_be_undone_or_is_none(a in signed(), b in signed()) {
        if let Some(sum) = a.checked_add(b) {
            prop_assert_eq!(sum.checked_sub(b), Some(a));
        } else {
            prop_assert_eq!(a.is_negative(), b.is_negative());
        }
        match a.checked_sub(b) {
            Some(difference) => prop_assert_eq!(difference.checked_add(b), Some(a)),
            None => prop_assert!(a.is_negative() != b.is_negative()),
        }
        if let (Some(quotient), Some(remainder)) = (a.checked_div(b), a.checked_rem(b)) {
            prop_assert_eq!(quotient.checked_mul(b).unwrap().checked_add(remainder), Some(a));
        } else {
            prop_assert!(b == I256::from(0i64) || (a == I256::MIN && b == I256::from(-1i64)));
        }
        if let Some(product) = a.checked_mul(b) && b != I256::from(0i64) && (a, b) != (I256::MIN, I256::from(-1i64)) {
            prop_assert_eq!(product.checked_div(b), Some(a));
        }
    }

    #[test]
    fn operators_do_what_the_checked_methods_do(a in signed(), b in signed()) {
        type Operator = fn(I256, I256) -> I256;
        let all: [(Operator, Option<I256>); 5] = [
            (|a, b| a + b, a.checked_add(b)),
            (|a, b| a - b, a.checked_sub(b)),
            (|a, b| a * b, a.checked_mul(b)),
            (|a, b| a / b, a.checked_div(b)),
            (|a, b| a % b, a.checked_rem(b)),
        ];
        for (operator, checked) in all {
            prop_assert_eq!(std::panic::catch_unwind(|| operator(a, b)).ok(), checked);
        }
        if let Some(sum) = a.checked_add(b) {
            let mut other = a;
            other += b;
            let mut third = a;
            third += &b;
            let (one, two) = (&a, &b);
            prop_assert_eq!([one + b, a + two, one + two, other, third, [a, b].iter().sum()], [sum; 6]);
        }
        prop_assert_eq!(std::panic::catch_unwind(|| -a).ok(), I256::ZERO.checked_sub(a));
        prop_assert_eq!(U256::try_from(a).is_ok(), !a.is_negative());
        if let Ok(unsigned) = U256::try_from(a) {
            prop_assert_eq!((unsigned.to_string(), I256::try_from(unsigned)), (a.to_string(), Ok(a)));
        }
    }

    #[test]
    fn powers_are_products(base in -40i128..=40, exponent in 0u32..=24) {
        let base = I256::from(base);
        let product = (0..exponent).try_fold(I256::ONE, |power, _| power.checked_mul(base));
        prop_assert_eq!(base.checked_pow(exponent), product);
    }

    #[test]
    fn a_decimal_of_a_float_reads_back_as_it(number in -1e15f64..1e15) {
        let decimal = Decimal::try_from(number).unwrap();
        prop_assert!((decimal.to_f64() - number).abs() <= 1e-28, "{decimal} {number}");
        prop_assert_eq!(decimal.is_negative(), number < 0.0 && !decimal.is_zero());
        prop_assert_eq!(decimal.abs().to_f64(), decimal.to_f64().abs());
    }

    #[test]
    fn unsigned_integers_are_those_of_ruint(limbs in any::<[u64; 4]>(), small in any::<u64>()) {
        let value = U256::from_limbs(limbs);
        let there: ruint::aliases::U256 = value.into();
        prop_assert_eq!((there.to_string(), U256::from(there)), (value.to_string(), value));
        prop_assert_eq!(U256::MAX.checked_sub(value).unwrap().checked_add(value), Some(U256::MAX));
        prop_assert_eq!(U256::MAX.checked_add(value).is_none(), value != U256::MIN);
        let rest = value.checked_rem(small.into());
        prop_assert_eq!(rest.is_none(), small == 0);
        if let (Some(rest), Some(quotient)) = (rest, value.checked_div(small.into())) {
            prop_assert_eq!(quotient.checked_mul(small.into()).unwrap().checked_add(rest), Some(value));
        }
    }

    #[test]
    fn a_timestamp_is_read_as_it_is_shown_and_survives_each_library(nanos in any::<i64>()) {
        let time = Timestamp::from_nanos(nanos);
        prop_assert_eq!(time.to_string().parse::<Timestamp>(), Ok(time));
        prop_assert_eq!(Timestamp::try_from(jiff::Timestamp::from(time)), Ok(time));
        prop_assert_eq!(Timestamp::try_from(chrono::DateTime::<chrono::Utc>::from(time)), Ok(time));
        prop_assert_eq!(Timestamp::try_from(SystemTime::from(time)), Ok(time));
    }
}

#[test]
fn a_decimal_with_more_digits_than_96_bits_hold_is_rounded_and_not_refused() {
    let of = |text: &str| text.parse::<Decimal>().unwrap();
    // 29 digits: the cent has no room.
    let large = of("7922816251426433759354395033.5");
    assert_eq!(
        large.checked_add(of("0.01")).map(|sum| sum.to_string()).as_deref(),
        Some("7922816251426433759354395033.5")
    );
    assert_eq!(
        large.checked_sub(of("0.06")).map(|sum| sum.to_string()).as_deref(),
        Some("7922816251426433759354395033.4")
    );
    // Else nothing could be added to a third.
    let third = Decimal::ONE / of("3");
    assert_eq!((third + of("10")).to_string(), "10.333333333333333333333333333");
    assert_eq!((third * of("100")).to_string(), "33.333333333333333333333333330");
}

#[test]
fn digits_of_a_float_beyond_the_28th_are_rounded_half_away_from_zero() {
    for (number, mantissa) in [(2.5e-28, 3), (5e-29, 1), (4.9e-29, 0), (-2.5e-28, -3), (1.4e-28, 1)] {
        assert_eq!(Decimal::try_from(number), Ok(Decimal::new(mantissa, 28).unwrap()), "{number:e}");
    }
}

#[test]
fn floats_without_a_decimal_say_so() {
    for number in [f64::NAN, f64::INFINITY, -1e30, f64::MAX] {
        let error = Decimal::try_from(number).unwrap_err().to_string();
        assert!(error.contains("is no Decimal: write a finite number"), "{error}");
    }
    assert_eq!(Decimal::try_from(0.1).unwrap().to_string(), "0.1");
    assert_eq!(Decimal::try_from(f64::MIN_POSITIVE).unwrap(), Decimal::ZERO);
    assert_eq!(
        [Decimal::from(u64::MAX), Decimal::ONE].iter().sum::<Decimal>().to_string(),
        "18446744073709551616"
    );
}

#[test]
fn differences_of_times_say_their_sign_and_ends_are_none() {
    let (early, late) = (Timestamp::from_secs(1), Timestamp::from_millis(1_500));
    assert_eq!(
        (early.nanos_since(late), late.checked_since(early)),
        (-500_000_000, Some(Duration::from_millis(500)))
    );
    assert_eq!((early.checked_since(late), early - late), (None, Duration::ZERO));
    let ends = [Timestamp::from_nanos(i64::MIN), Timestamp::from_nanos(i64::MAX)];
    assert_eq!(ends[1].nanos_since(ends[0]), i128::from(u64::MAX));
    assert_eq!(
        (ends[0].checked_sub(Duration::from_nanos(1)), ends[1].checked_add(Duration::MAX)),
        (None, None)
    );
    assert_eq!(Timestamp::from_secs(i64::MAX), ends[1]);
}

#[test]
fn the_ends_of_signed_integers_hold() {
    let (min, one) = (I256::MIN, I256::from(1i64));
    let minus = I256::from(-1i64);
    assert_eq!((min.checked_sub(one), min.checked_div(minus), min.checked_mul(minus)), (None, None, None));
    assert_eq!(I256::MAX.checked_add(one), None);
    assert_eq!(min.checked_mul(one), Some(min));
    assert_eq!(min.checked_rem(minus), Some(I256::from(0i64)));
    assert_eq!(min.checked_div(I256::from(0i64)), None);
}

#[test]
fn what_is_no_time_or_too_far_says_so() {
    for text in ["", "yesterday", "2024-01-31", "2024-01-31T09:30:00", "2024-02-30T00:00:00Z"] {
        let error = text.parse::<Timestamp>().unwrap_err().to_string();
        assert!(error.contains("as in 2024-01-31T09:30:00.5Z"), "{error}");
    }
    let offset = "2024-01-31T10:30:00+01:00".parse::<Timestamp>();
    assert_eq!(offset, "2024-01-31T09:30:00Z".parse());
    let error = "2300-01-01T00:00:00Z".parse::<Timestamp>().unwrap_err().to_string();
    assert!(error.contains("between 1677-09-22 and 2262-04-11"), "{error}");
    let far = UNIX_EPOCH + Duration::from_secs(1 << 40);
    assert!(Timestamp::try_from(far).is_err());
    assert!(Timestamp::try_from(UNIX_EPOCH - Duration::from_secs(1 << 36)).is_err());
}

#[test]
#[should_panic(expected = "no Decimal is their quotient")]
fn an_operator_without_a_result_panics_and_says_which() {
    let _ = Decimal::from(1) / Decimal::ZERO;
}
