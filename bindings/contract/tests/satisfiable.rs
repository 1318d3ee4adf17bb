//! Rules that no value keeps are a mistake, and no others: the verdict of the checker against values that are
//! tried one by one.

mod common;

use std::cmp::Ordering;

use common::with_fields;
use mycelium_contract::{Code, Contract};
use mycelium_random::{Random, cases, seed};

/// Rules with operands, as text and as what they mean to the values of a type.
struct Drawn<V> {
    text: String,
    lower: Option<(V, bool)>,
    upper: Option<(V, bool)>,
    step: Option<i128>,
    not_zero: bool,
    finite: bool,
    one_of: Vec<V>,
}

/// The values of a type, with their meaning written down once more.
trait Domain {
    type V: Clone;
    const NAME: &'static str;
    fn operand(rng: &mut Random) -> Self::V;
    fn text(value: &Self::V) -> String;
    /// `None` for NaN.
    fn compare(a: &Self::V, b: &Self::V) -> Option<Ordering>;
    fn zero() -> Self::V;
    fn is_finite(_: &Self::V) -> bool {
        true
    }
    fn is_multiple(_: &Self::V, _: i128) -> bool {
        true
    }
    /// Values among which there is one that keeps the rules, if there is any.
    fn candidates(near: &[Self::V], step: i128) -> Vec<Self::V>;
    const STEPS: bool = false;
    const FINITE: bool = false;
    const ONE_OF: bool = true;
}

fn draw<D: Domain>(rng: &mut Random) -> Drawn<D::V> {
    let mut parts = Vec::new();
    let mut drawn = Drawn {
        text: String::new(),
        lower: None,
        upper: None,
        step: None,
        not_zero: false,
        finite: false,
        one_of: vec![],
    };
    if rng.chance(70) {
        let (value, strict) = (D::operand(rng), rng.chance(50));
        parts.push(format!("{}: {}", if strict { "greater_than" } else { "min" }, D::text(&value)));
        drawn.lower = Some((value, strict));
    }
    if rng.chance(70) {
        let (value, strict) = (D::operand(rng), rng.chance(50));
        parts.push(format!("{}: {}", if strict { "less_than" } else { "max" }, D::text(&value)));
        drawn.upper = Some((value, strict));
    }
    if D::STEPS && rng.chance(40) {
        let step = 1 + rng.below(120) as i128;
        parts.push(format!("multiple_of: {step}"));
        drawn.step = Some(step);
    }
    if rng.chance(40) {
        parts.push("not_zero: true".to_owned());
        drawn.not_zero = true;
    }
    if D::FINITE && rng.chance(40) {
        parts.push("finite: true".to_owned());
        drawn.finite = true;
    }
    if D::ONE_OF && rng.chance(15) {
        for _ in 0..=rng.below(2) {
            let value = D::operand(rng);
            if drawn.one_of.iter().all(|other| D::compare(other, &value) != Some(Ordering::Equal)) {
                drawn.one_of.push(value);
            }
        }
        let list: Vec<String> = drawn.one_of.iter().map(D::text).collect();
        parts.push(format!("one_of: [{}]", list.join(", ")));
    }
    for at in (1..parts.len()).rev() {
        parts.swap(at, rng.index(at + 1));
    }
    drawn.text = parts.join(", ");
    drawn
}

fn keeps<D: Domain>(rules: &Drawn<D::V>, value: &D::V) -> bool {
    let order = |bound: &D::V| D::compare(value, bound);
    rules.lower.as_ref().is_none_or(|(bound, strict)| {
        order(bound).is_some_and(|o| if *strict { o.is_gt() } else { o.is_ge() })
    }) && rules.upper.as_ref().is_none_or(|(bound, strict)| {
        order(bound).is_some_and(|o| if *strict { o.is_lt() } else { o.is_le() })
    }) && rules.step.is_none_or(|step| D::is_multiple(value, step))
        && (!rules.not_zero || order(&D::zero()) != Some(Ordering::Equal))
        && (!rules.finite || D::is_finite(value))
}

fn agree<D: Domain>() {
    let rng = &mut Random::new(seed());
    let (mut fine, mut refused) = (0, 0);
    for _ in 0..cases(500) {
        let rules = draw::<D>(rng);
        if rules.text.is_empty() {
            continue;
        }
        let text = with_fields(&format!("x: {{type: {}, validation: {{{}}}}}", D::NAME, rules.text));
        let verdict = match Contract::parse(&text, "t") {
            Ok(_) => true,
            Err(errors) => {
                assert!(errors.list().iter().all(|error| error.code == Code::CONTRADICTION), "{errors}");
                false
            }
        };
        let bounds =
            rules.lower.iter().chain(&rules.upper).map(|(bound, _)| bound.clone()).collect::<Vec<_>>();
        let candidates = D::candidates(&bounds, rules.step.unwrap_or(1));
        // Each value of `one_of` is to be a possible one.
        let expected = candidates.iter().any(|value| keeps::<D>(&rules, value))
            && rules.one_of.iter().all(|value| keeps::<D>(&rules, value));
        assert_eq!(verdict, expected, "{}: {}", D::NAME, rules.text);
        if expected { fine += 1 } else { refused += 1 }
    }
    assert!(fine > 0 && refused > 0, "{fine} were fine and {refused} refused: nothing was compared");
}

macro_rules! integer {
    ($name:ident, $of:ty, $word:literal) => {
        struct $name;
        impl Domain for $name {
            type V = i128;
            const NAME: &'static str = $word;
            const STEPS: bool = true;
            fn operand(rng: &mut Random) -> i128 {
                let (lo, hi) = (i128::from(<$of>::MIN), i128::from(<$of>::MAX));
                let near = rng.pick(&[lo, hi, 0, 60]);
                (near + rng.below(9) as i128 - 4).clamp(lo, hi)
            }
            fn text(value: &i128) -> String {
                value.to_string()
            }
            fn compare(a: &i128, b: &i128) -> Option<Ordering> {
                Some(a.cmp(b))
            }
            fn zero() -> i128 {
                0
            }
            fn is_multiple(value: &i128, step: i128) -> bool {
                value % step == 0
            }
            fn candidates(near: &[i128], step: i128) -> Vec<i128> {
                let (lo, hi) = (i128::from(<$of>::MIN), i128::from(<$of>::MAX));
                let anchors = near.iter().copied().chain([lo, hi, 0]);
                anchors
                    .flat_map(|at| at - 2 * step - 9..=at + 2 * step + 9)
                    .filter(|value| (lo..=hi).contains(value))
                    .collect()
            }
        }
    };
}
integer!(U8, u8, "u8");
integer!(I8, i8, "i8");
integer!(U64, u64, "u64");
integer!(I64, i64, "i64");
integer!(Time, i64, "Timestamp");

macro_rules! float {
    ($name:ident, $of:ident) => {
        struct $name;
        impl Domain for $name {
            type V = $of;
            const NAME: &'static str = stringify!($of);
            const FINITE: bool = true;
            const ONE_OF: bool = false;
            fn operand(rng: &mut Random) -> $of {
                let near = rng.pick(&[0.0, -0.0, 1.0, -1.5, $of::MAX, $of::MIN]);
                let value = (0..rng.below(3)).fold(near, |value: $of, _| value.next_up());
                let value = (0..rng.below(3)).fold(value, |value: $of, _| value.next_down());
                value.clamp($of::MIN, $of::MAX)
            }
            fn text(value: &$of) -> String {
                format!("{value:?}")
            }
            fn compare(a: &$of, b: &$of) -> Option<Ordering> {
                a.partial_cmp(b)
            }
            fn zero() -> $of {
                0.0
            }
            fn is_finite(value: &$of) -> bool {
                value.is_finite()
            }
            fn candidates(near: &[$of], _: i128) -> Vec<$of> {
                let mut all = vec![$of::NAN, $of::INFINITY, $of::NEG_INFINITY];
                for anchor in near.iter().copied().chain([0.0, $of::MAX, $of::MIN]) {
                    let (mut up, mut down) = (anchor, anchor);
                    for _ in 0..6 {
                        all.extend([up, down]);
                        (up, down) = (up.next_up(), down.next_down());
                    }
                }
                all
            }
        }
    };
}
float!(F32, f32);
float!(F64, f64);

/// Sign, digits and scale.
type Digits = (bool, u128, u32);
struct Decimal;
const DIGITS_MAX: u128 = (1 << 96) - 1;

impl Domain for Decimal {
    type V = Digits;
    const NAME: &'static str = "Decimal";
    fn operand(rng: &mut Random) -> Digits {
        let near = rng.pick(&[0, 1, 10, DIGITS_MAX, DIGITS_MAX / 10, DIGITS_MAX / 3, 10_u128.pow(28)]);
        let digits = (near + u128::from(rng.below(8))).saturating_sub(4).min(DIGITS_MAX);
        (rng.chance(50), digits, rng.pick(&[0, 0, 1, 2, 27, 28]))
    }
    fn text((negative, digits, scale): &Digits) -> String {
        let unit = 10_u128.pow(*scale);
        let sign = if *negative { "-" } else { "" };
        match scale {
            0 => format!("'{sign}{digits}'"),
            _ => format!("'{sign}{}.{:0width$}'", digits / unit, digits % unit, width = *scale as usize),
        }
    }
    fn compare(a: &Digits, b: &Digits) -> Option<Ordering> {
        let parts = |(negative, digits, scale): &Digits| {
            let unit = 10_u128.pow(*scale);
            let (whole, fraction) =
                ((digits / unit) as i128, (digits % unit * 10_u128.pow(28 - scale)) as i128);
            if *negative { (-whole, -fraction) } else { (whole, fraction) }
        };
        Some(parts(a).cmp(&parts(b)))
    }
    fn zero() -> Digits {
        (false, 0, 0)
    }
    fn candidates(near: &[Digits], _: i128) -> Vec<Digits> {
        let mut all = Vec::new();
        for (negative, digits, scale) in
            near.iter().copied().chain([(false, 0, 0), (true, DIGITS_MAX, 0), (false, DIGITS_MAX, 0)])
        {
            for at in 0..=28_u32 {
                let whole = match at.checked_sub(scale) {
                    Some(finer) => digits.saturating_mul(10_u128.pow(finer)),
                    None => digits / 10_u128.pow(scale - at),
                };
                let whole = whole.min(DIGITS_MAX + 3);
                for value in whole.saturating_sub(3)..=whole + 3 {
                    all.extend((value <= DIGITS_MAX).then_some((negative, value, at)));
                    all.extend((value <= 3).then_some((!negative, value, at)));
                }
                // A scale that ends below the value is nearest to it at its end.
                all.push((negative, DIGITS_MAX, at));
            }
        }
        all
    }
}

#[test]
fn rules_on_integers_are_refused_when_no_value_keeps_them_and_never_else() {
    agree::<U8>();
    agree::<I8>();
    agree::<U64>();
    agree::<I64>();
    agree::<Time>();
}

#[test]
fn rules_on_floats_are_refused_when_no_value_keeps_them_and_never_else() {
    agree::<F32>();
    agree::<F64>();
}

#[test]
fn rules_on_decimals_are_refused_when_no_value_keeps_them_and_never_else() {
    agree::<Decimal>();
}

/// The smallest types, each set of rules with every operand: nothing is left to chance.
#[test]
fn every_pair_of_bounds_of_a_byte() {
    for (ty, lo, hi) in [("u8", 0_i64, 255_i64), ("i8", -128, 127)] {
        let operands: Vec<i64> = [lo, lo + 1, -1, 0, 1, 6, 7, hi - 1, hi]
            .into_iter()
            .filter(|value| (lo..=hi).contains(value))
            .collect();
        for lower in &operands {
            for upper in &operands {
                for step in [1, 2, 7, 100] {
                    for not_zero in [false, true] {
                        let text = with_fields(&format!(
                            "x: {{type: {ty}, validation: {{greater_than: {lower}, less_than: {upper}, multiple_of: {step}, not_zero: {not_zero}}}}}"
                        ));
                        let expected = (lower + 1..*upper).any(|v| v % step == 0 && !(not_zero && v == 0));
                        assert_eq!(Contract::parse(&text, "t").is_ok(), expected, "{text}");
                    }
                }
            }
        }
    }
}
