//! Whether any value keeps bounds, `multiple_of`, `not_zero` and `finite` together.
//!
//! The values of every ordered type can be counted upwards, decimals too. So it suffices to find the least
//! value that keeps all but the upper bound, and to look whether it keeps that one.

use std::cmp::Ordering;

use crate::check::literal;
use crate::{DecimalValue, Rule, Type, Value};

const DECIMAL_MANTISSAS: u128 = 1 << 96;
const DECIMAL_SCALE_MAX: u8 = 28;

/// Whether some value of the ordered type `ty` keeps all of `rules`; `one_of` is not looked at.
pub(super) fn is_satisfiable(ty: &Type, rules: &[Rule]) -> bool {
    let bounds =
        |rule: &Rule| matches!(rule, Rule::Min(_) | Rule::Max(_) | Rule::GreaterThan(_) | Rule::LessThan(_));
    let finite = rules.contains(&Rule::Finite);
    if matches!(ty, Type::F32 | Type::F64) && !finite && !rules.iter().any(bounds) {
        // NaN keeps `not_zero`.
        return true;
    }
    let Some(least) = least(ty, rules, finite) else { return false };
    let below = |bound: &Value| literal::compare(ty, &least, bound);
    rules.iter().all(|rule| match rule {
        Rule::Max(bound) => below(bound).is_some_and(Ordering::is_le),
        Rule::LessThan(bound) => below(bound).is_some_and(Ordering::is_lt),
        Rule::Finite => !matches!(least, Value::Float(value) if value.is_infinite()),
        _ => true,
    }) && in_range(ty, &least)
}

/// The least value that keeps all rules but upper bounds.
fn least(ty: &Type, rules: &[Rule], finite: bool) -> Option<Value> {
    let mut least = lowest(ty, finite)?;
    for rule in rules {
        match rule {
            Rule::Min(bound) => least = bound.clone(),
            Rule::GreaterThan(bound) => least = next(ty, bound)?,
            _ => {}
        }
    }
    let step = rules.iter().find_map(|r| if let Rule::MultipleOf(step) = r { Some(*step) } else { None });
    if let (Value::Int(value), Some(step)) = (&mut least, step) {
        *value += (-*value).rem_euclid(step);
    }
    if rules.contains(&Rule::NotZero) && is_zero(&least) {
        least = match step {
            Some(step) => Value::Int(step),
            None => next(ty, &least)?,
        };
    }
    Some(least)
}

fn lowest(ty: &Type, finite: bool) -> Option<Value> {
    Some(match ty {
        Type::F32 if finite => Value::Float(f32::MIN.into()),
        Type::F64 if finite => Value::Float(f64::MIN),
        Type::F32 | Type::F64 => Value::Float(f64::NEG_INFINITY),
        Type::Decimal => {
            Value::Decimal(DecimalValue { negative: true, mantissa: DECIMAL_MANTISSAS - 1, scale: 0 })
        }
        Type::U256 => Value::Wide([0; 4]),
        Type::I256 => Value::Wide([0, 0, 0, 1 << 63]),
        _ => Value::Int(ty.int_range()?.0),
    })
}

fn in_range(ty: &Type, value: &Value) -> bool {
    match (ty.int_range(), value) {
        (Some((lo, hi)), Value::Int(value)) => (lo..=hi).contains(value),
        _ => true,
    }
}

fn is_zero(value: &Value) -> bool {
    match value {
        Value::Int(value) => *value == 0,
        Value::Float(value) => *value == 0.0,
        Value::Decimal(value) => value.mantissa == 0,
        Value::Wide(limbs) => *limbs == [0; 4],
        _ => false,
    }
}

/// The least value above `value`; `None` above the highest.
fn next(ty: &Type, value: &Value) -> Option<Value> {
    Some(match value {
        // Beyond the type's range, which is looked at in the end.
        Value::Int(value) => Value::Int(value + 1),
        Value::Float(value) if *ty == Type::F32 => Value::Float((*value as f32).next_up().into()),
        Value::Float(value) => Value::Float(value.next_up()),
        Value::Decimal(value) => Value::Decimal(next_decimal(*value)?),
        Value::Wide(limbs) => {
            let (mut limbs, mut carry) = (*limbs, true);
            for limb in &mut limbs {
                (*limb, carry) = limb.overflowing_add(u64::from(carry));
            }
            let wrapped = if *ty == Type::I256 { limbs == [0, 0, 0, 1 << 63] } else { limbs == [0; 4] };
            return (!wrapped).then_some(Value::Wide(limbs));
        }
        _ => return None,
    })
}

/// A decimal has 96 bits at each of 29 scales: the finer ones end earlier. The next value is the nearest of
/// all scales.
fn next_decimal(value: DecimalValue) -> Option<DecimalValue> {
    let up = !value.negative;
    let at_scale = |scale: u8| {
        // The digits at this scale and whether there were more; `None` when they are more than any mantissa.
        let (whole, more) = match scale.checked_sub(value.scale) {
            Some(finer) => (value.mantissa.checked_mul(10_u128.pow(finer.into())), false),
            None => {
                let unit = 10_u128.pow((value.scale - scale).into());
                (Some(value.mantissa / unit), !value.mantissa.is_multiple_of(unit))
            }
        };
        let mantissa = match (whole, up) {
            (Some(whole), true) => whole + 1,
            (None, true) => return None,
            // Towards zero: the digits themselves when some were cut off. The scale may end below the value.
            (Some(whole), false) => {
                (if more { whole } else { whole.checked_sub(1)? }).min(DECIMAL_MANTISSAS - 1)
            }
            (None, false) => DECIMAL_MANTISSAS - 1,
        };
        let negative = value.negative && mantissa > 0;
        (mantissa < DECIMAL_MANTISSAS).then_some(DecimalValue { negative, mantissa, scale })
    };
    let order = |a: &DecimalValue, b: &DecimalValue| {
        literal::compare(&Type::Decimal, &Value::Decimal(*a), &Value::Decimal(*b)).unwrap_or(Ordering::Equal)
    };
    (0..=DECIMAL_SCALE_MAX).filter_map(at_scale).min_by(order)
}
