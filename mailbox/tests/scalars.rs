//! The scalar types of contracts: their texts, their order, their place on the wire and what is refused
//! there.

use std::collections::HashSet;
use std::time::Duration;

use mycelium_mailbox::Message;
use mycelium_mailbox::scalar::{Decimal, I256, ScalarError, Timestamp, U256};
use mycelium_mailbox::wire::{Encoder, Layout, Wire, WireError};

#[derive(Clone, Debug, PartialEq, rkyv::Archive, rkyv::Serialize, rkyv::Deserialize)]
struct Values {
    price: Decimal,
    at: Timestamp,
    unsigned: U256,
    signed: I256,
}

impl Message for Values {
    const NAME: &'static str = "Values";
    const TYPE_ID: u16 = 1;
    const TOPIC: &'static str = "values";
}

impl Wire for Values {
    const LAYOUTS: &'static [Layout] = &[Layout { version: 1, root_len: Self::ROOT_LEN, digest: 0 }];
    const FIXED: bool = true;
}

fn values(price: &str, signed: &str) -> Values {
    Values {
        price: price.parse().unwrap(),
        at: Timestamp::from_nanos(-1_234_567_890_123),
        unsigned: U256::from_limbs([1, 2, 3, 4]),
        signed: signed.parse().unwrap(),
    }
}

#[test]
fn constants_have_the_values_that_they_are_named_for() {
    assert_eq!([Decimal::ZERO, Decimal::ONE].map(|value| value.to_string()), ["0", "1"]);
    assert_eq!([U256::ZERO, U256::ONE, U256::MIN].map(|value| value.to_string()), ["0", "1", "0"]);
    assert_eq!([I256::ZERO, I256::ONE].map(|value| value.to_string()), ["0", "1"]);
    // Two to the power of 256, and to that of 255, less one.
    let (unsigned, signed) = (
        "115792089237316195423570985008687907853269984665640564039457584007913129639935",
        "57896044618658097711785492504343953926634992332820282019728792003956564819967",
    );
    assert_eq!([U256::MAX.to_string(), I256::MAX.to_string()], [unsigned, signed]);
    let lowest = "-57896044618658097711785492504343953926634992332820282019728792003956564819968";
    assert_eq!(I256::MIN.to_string(), lowest);
}

#[test]
fn scalars_come_back_from_the_wire_as_they_went() {
    let mut encoder = Encoder::new();
    for (price, signed) in [("-1.50", "-1"), ("0", "0"), ("79228162514264337593543950335", "25")] {
        let sent = values(price, signed);
        let bytes = encoder.encode(&sent).unwrap();
        assert_eq!(bytes.len(), 16 + 8 + 32 + 32);
        let seen = Values::access(bytes).unwrap();
        assert_eq!(seen.price.to_native().to_string(), price, "the scale is kept");
        assert_eq!(seen.at.to_native(), sent.at);
        assert_eq!((seen.unsigned.to_native(), seen.signed.to_native()), (sent.unsigned, sent.signed));
        assert_eq!(Values::decode(bytes).unwrap(), sent);
    }
}

#[test]
fn a_decimal_has_one_form_on_the_wire() {
    let good = Encoder::new().encode(&values("0", "0")).unwrap().to_vec();
    let read = |at: usize, byte: u8| {
        let mut bytes = rkyv::util::AlignedVec::<16>::new();
        bytes.extend_from_slice(&good);
        bytes[at] = byte;
        Values::decode(&bytes).map(|values| values.price.to_string())
    };
    assert_eq!(read(12, 28).unwrap(), format!("0.{}", "0".repeat(28)));
    // A scale too large, a negative zero, a sign that is no bool, padding that is not zero.
    for (at, byte) in [(12, 29), (13, 1), (13, 2), (14, 1), (15, 1)] {
        assert!(matches!(read(at, byte), Err(WireError::Invalid { .. })), "byte {at} is {byte}");
    }
    assert!(read(12, 29).unwrap_err().to_string().contains("a scale of at most 28"));
}

#[test]
fn decimals_are_made_of_parts_and_taken_apart() {
    let half = Decimal::new(-50, 2).unwrap();
    assert_eq!((half.mantissa(), half.scale(), half.to_string()), (-50, 2, "-0.50".to_owned()));
    assert_eq!((half.to_f64(), half.is_zero(), Decimal::new(0, 3).unwrap().is_zero()), (-0.5, false, true));
    assert_eq!(Decimal::from_parts(true, 0, 1).unwrap().mantissa(), 0, "zero has no sign");
    assert_eq!(format!("{half:?} {half:>7} {:+}", Decimal::from(3)), "-0.50   -0.50 +3");
    assert_eq!(Decimal::from(i64::MIN).to_string(), i64::MIN.to_string());
    for (mantissa, scale) in [(1 << 96, 0), (-(1 << 96), 0), (1, 29)] {
        let error = Decimal::new(mantissa, scale).unwrap_err();
        assert_eq!((error.of, error.got), ("Decimal", format!("{mantissa} / 10^{scale}")));
    }
    assert!(Decimal::new((1 << 96) - 1, 28).is_ok());
    // Equal numbers have equal hashes, whatever their scale; others of the same digits are others.
    let texts = ["1.50", "1.5", "1.500", "15", "-1.5", "150", "0.0", "0"];
    let distinct: HashSet<Decimal> = texts.iter().map(|text| text.parse().unwrap()).collect();
    assert_eq!(distinct.len(), 5);
    assert!(Decimal::from(-2) < half && half < Decimal::ZERO);
}

#[test]
fn wide_integers_keep_their_order_across_limbs_and_signs() {
    let ascending: Vec<I256> = [
        &I256::MIN.to_string(),
        "-340282366920938463463374607431768211456",
        "-18446744073709551616",
        "-1",
        "0",
        "1",
        "18446744073709551616",
        &I256::MAX.to_string(),
    ]
    .iter()
    .map(|text| text.parse().unwrap())
    .collect();
    assert!(ascending.is_sorted_by(|a, b| a < b), "{ascending:?}");
    assert!(ascending.iter().take(4).all(|value| value.is_negative()));
    assert!(!ascending.iter().skip(4).any(|value| value.is_negative()));
    assert_eq!(I256::from(-1i64).to_limbs(), [u64::MAX; 4]);
    assert_eq!(I256::from(i128::MIN), I256::from_limbs([0, 1 << 63, u64::MAX, u64::MAX]));
    assert_eq!((I256::from(-5i64).to_string(), format!("{:?}", I256::from(7i64))), ("-5".into(), "7".into()));
    let wide = U256::from(u128::MAX);
    assert_eq!((wide.to_limbs(), wide.to_u128()), ([u64::MAX, u64::MAX, 0, 0], Some(u128::MAX)));
    assert_eq!(U256::from_limbs([0, 0, 1, 0]).to_u128(), None);
    assert_eq!(U256::from_limbs([0, 0, 0, 1]).to_u128(), None);
    assert_eq!(U256::from_limbs([5, 1, 0, 0]).to_u128(), Some((1 << 64) + 5));
    let ordered = [U256::MIN, U256::from(9u64), U256::from_limbs([0, 1, 0, 0]), U256::MAX];
    assert!(ordered.is_sorted_by(|a, b| a < b), "{ordered:?}");
}

#[test]
fn what_is_no_number_of_the_type_is_refused_with_what_it_takes() {
    let too_large = "1".to_owned() + &U256::MAX.to_string();
    let past_max = I256::MIN.to_string().replace('-', "");
    let errors: [(ScalarError, &str); 6] = [
        ("x".parse::<U256>().unwrap_err(), "\"x\" is no U256: write decimal digits below 2^256"),
        ("-1".parse::<U256>().unwrap_err(), "\"-1\" is no U256"),
        (too_large.parse::<U256>().unwrap_err(), "below 2^256"),
        (past_max.parse::<I256>().unwrap_err(), "from -2^255 to 2^255 - 1"),
        ("".parse::<I256>().unwrap_err(), "\"\" is no I256"),
        ("1..2".parse::<Decimal>().unwrap_err(), "digits with at most one point"),
    ];
    for (error, words) in errors {
        assert!(error.to_string().contains(words), "{error} lacks {words:?}");
    }
    assert_eq!("+7".parse(), Ok(I256::from(7i64)));
    assert_eq!(I256::MIN.to_string().parse(), Ok(I256::MIN));
}

#[test]
fn a_timestamp_is_a_time_of_the_system_as_far_as_it_reaches() {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};
    let nanosecond = Duration::from_nanos(1);
    for nanos in [0, 1, -1, 1_700_000_000_123_456_789, i64::MAX, i64::MIN] {
        let time = Timestamp::from_nanos(nanos);
        assert_eq!(Timestamp::try_from(SystemTime::from(time)), Ok(time), "{time}");
    }
    assert_eq!(SystemTime::from(Timestamp::from_nanos(-1)), UNIX_EPOCH - nanosecond);
    for beyond in [
        SystemTime::from(Timestamp::from_nanos(i64::MAX)) + nanosecond,
        SystemTime::from(Timestamp::from_nanos(i64::MIN)) - nanosecond,
        UNIX_EPOCH + Duration::from_secs(20_000_000_000),
        UNIX_EPOCH - Duration::from_secs(20_000_000_000),
    ] {
        let error = Timestamp::try_from(beyond).unwrap_err();
        assert!(error.to_string().contains("2262"), "{error}");
    }
    let before = SystemTime::now();
    let now = Timestamp::now();
    let after = Timestamp::try_from(SystemTime::now()).unwrap();
    assert!(Timestamp::try_from(before).unwrap() <= now && now <= after);
}

#[test]
fn time_that_is_added_stops_at_the_end_and_time_between_at_zero() {
    use std::time::Duration;
    let (early, late) = (Timestamp::from_nanos(-5), Timestamp::from_nanos(7));
    assert_eq!(late - early, Duration::from_nanos(12));
    assert_eq!((early - late, early - early), (Duration::ZERO, Duration::ZERO));
    assert_eq!(early + Duration::from_nanos(12), late);
    let (first, last) = (Timestamp::from_nanos(i64::MIN), Timestamp::from_nanos(i64::MAX));
    assert_eq!(last - first, Duration::from_nanos(u64::MAX));
    assert_eq!(first + Duration::from_nanos(u64::MAX), last);
    assert_eq!((late + Duration::MAX, last + Duration::from_nanos(1)), (last, last));
}

#[test]
fn decimals_of_different_scales_compare_as_the_numbers_that_they_are() {
    let rng = &mut mycelium_random::Random::new(mycelium_random::seed());
    for _ in 0..2_000 {
        let digits = rng.below(29) as u32;
        let factor = 10_i128.pow(digits);
        // At most 96 bits, after it is multiplied by the factor.
        let most = ((1_i128 << 96) - 1) / factor;
        let magnitude = (i128::from(rng.next_u64()) << 32 | i128::from(rng.next_u64() >> 32)) % most;
        let mantissa = if rng.chance(50) { magnitude } else { -magnitude };
        let short = Decimal::new(mantissa, 0).unwrap();
        let long = |more: i128| Decimal::new(mantissa * factor + more, digits as u8).unwrap();
        assert_eq!((short.cmp(&long(0)), short == long(0)), (std::cmp::Ordering::Equal, true), "{short}");
        assert!(long(-1) < short && short < long(1) && short > long(-1), "{short}, {digits} digits");
    }
}

#[test]
fn time_is_counted_both_ways_and_ends_where_its_numbers_do() {
    let at = Timestamp::from_nanos;
    assert_eq!((Timestamp::from_millis(-2), Timestamp::from_secs(3)), (at(-2_000_000), at(3_000_000_000)));
    let (first, last) = (at(i64::MIN), at(i64::MAX));
    assert_eq!((Timestamp::from_millis(i64::MIN), Timestamp::from_millis(i64::MAX)), (first, last));
    assert_eq!((Timestamp::from_secs(i64::MIN), Timestamp::from_secs(i64::MAX)), (first, last));
    let nano = Duration::from_nanos(1);
    assert_eq!((at(5).checked_sub(nano), first.checked_sub(nano)), (Some(at(4)), None));
    assert_eq!((at(5) - nano, first - nano, last + nano), (at(4), first, last));
    assert_eq!(last - Duration::MAX, first);
    let mut moved = at(5);
    moved += Duration::from_nanos(10);
    moved -= Duration::from_nanos(3);
    assert_eq!(moved, at(12));
    assert_eq!(at(7).checked_since(at(7)), Some(Duration::ZERO));
    assert_eq!(
        (at(9).checked_since(at(7)), at(6).checked_since(at(7))),
        (Some(Duration::from_nanos(2)), None)
    );
    assert_eq!(last.checked_since(first), Some(Duration::from_nanos(u64::MAX)));
    assert_eq!((at(6).nanos_since(at(7)), last.nanos_since(first)), (-1, i128::from(u64::MAX)));
}

#[test]
fn a_number_of_one_sign_becomes_one_of_the_other_where_both_have_it() {
    let (unsigned, signed) =
        (|text: &str| text.parse::<U256>().unwrap(), |text: &str| text.parse::<I256>().unwrap());
    let most = "57896044618658097711785492504343953926634992332820282019728792003956564819967";
    for text in ["0", "42", most] {
        assert_eq!(
            (U256::try_from(signed(text)), I256::try_from(unsigned(text))),
            (Ok(unsigned(text)), Ok(signed(text)))
        );
    }
    let error = U256::try_from(signed("-1")).unwrap_err().to_string();
    assert!(error.contains("-1") && error.contains("from 0 to 2^256 - 1"), "{error}");
    let beyond = "57896044618658097711785492504343953926634992332820282019728792003956564819968";
    let error = I256::try_from(unsigned(beyond)).unwrap_err().to_string();
    assert!(error.contains(beyond) && error.contains("to 2^255 - 1"), "{error}");
    assert_eq!(format!("{:?} {:?}", unsigned("7"), signed("-7")), "7 -7");
}
