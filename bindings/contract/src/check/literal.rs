//! Defaults and operands: YAML values to [`Value`]s of a type, and their order.

use std::cmp::Ordering;

use crate::diagnostic::{Span, clip, did_you_mean};
use crate::limits::DEFAULT_NODES_MAX;
use crate::yaml::{Kind, Node};
use crate::{Contract, DecimalValue, Field, Type, Value};

/// Why a literal does not fit.
pub(crate) struct Misfit {
    pub(crate) span: Span,
    pub(crate) cause: String,
    pub(crate) remedy: String,
}

/// Reads a literal of type `ty`. `hints`: whether to search for what the user may have meant, which costs
/// time.
pub(crate) fn read(contract: &Contract, ty: &Type, node: &Node, hints: bool) -> Result<Value, Misfit> {
    Reader { contract, left: DEFAULT_NODES_MAX, hints }.read(ty, node)
}

struct Reader<'c> {
    contract: &'c Contract,
    left: usize,
    hints: bool,
}

impl Reader<'_> {
    fn read(&mut self, ty: &Type, node: &Node) -> Result<Value, Misfit> {
        if self.left == 0 {
            return Err(misfit(
                node,
                format!("the value has more than {DEFAULT_NODES_MAX} parts"),
                "leave the default out, and fill the field in code",
            ));
        }
        self.left -= 1;
        match (ty, &node.kind) {
            (Type::Bool, Kind::Bool(value)) => Ok(Value::Bool(*value)),
            (Type::String, Kind::Text(text)) => Ok(Value::String(text.clone())),
            (Type::F32 | Type::F64, _) => float(ty, node),
            (Type::Decimal, _) => decimal(node),
            (Type::U256 | Type::I256, _) => wide(ty, node),
            (Type::Bytes, Kind::Text(text)) => hex(text).map(Value::Bytes).ok_or_else(|| {
                misfit(
                    node,
                    format!("`{}` is no hexadecimal text", clip(text)),
                    "write it like \"0xdeadbeef\"",
                )
            }),
            (Type::Timestamp, Kind::Text(text)) => timestamp(text).map(Value::Int).ok_or_else(|| {
                let remedy = "write nanoseconds, or UTC time like \"2024-01-31T09:30:00Z\"";
                misfit(node, format!("`{}` is no timestamp", clip(text)), remedy)
            }),
            (Type::Option(_), Kind::Null) => Ok(Value::None),
            (Type::Option(inner), _) => Ok(Value::Some(Box::new(self.read(inner, node)?))),
            (Type::Vec(of), Kind::List(list)) => {
                Ok(Value::List(list.iter().map(|n| self.read(of, n)).collect::<Result<_, _>>()?))
            }
            (Type::Array(of, length), Kind::List(list)) => self.array(of, *length, list, node),
            // One value for an array fills it.
            (Type::Array(of, length), _) => {
                (0..*length).map(|_| self.read(of, node)).collect::<Result<_, _>>().map(Value::List)
            }
            (Type::Enum(name), _) => self.variant(name, node),
            (Type::Struct(name), Kind::Map(_)) => {
                let fields = self.contract.struct_def(name).map_or(&[][..], |def| &def.fields[..]);
                Ok(Value::Struct(self.fields(fields, name, node)?))
            }
            (_, Kind::Int(value) | Kind::Hex(value)) if ty.int_range().is_some() => int(ty, *value, node),
            _ => Err(misfit(node, format!("`{ty}` cannot be {}", node.shape()), expected(ty))),
        }
    }

    fn array(&mut self, of: &Type, length: u32, list: &[Node], node: &Node) -> Result<Value, Misfit> {
        if list.len() != length as usize {
            let cause = format!("{} elements where the array has {length}", list.len());
            return Err(misfit(node, cause, "give one value to fill the array, or all of them"));
        }
        Ok(Value::List(list.iter().map(|n| self.read(of, n)).collect::<Result<_, _>>()?))
    }

    fn variant(&mut self, name: &str, node: &Node) -> Result<Value, Misfit> {
        let variants = self.contract.enum_def(name).map_or(&[][..], |def| &def.variants[..]);
        let (wanted, inside) = match &node.kind {
            Kind::Text(text) => (text.as_str(), None),
            Kind::Map(map) => match map.as_slice() {
                [(Node { kind: Kind::Text(text), .. }, inside)] => (text.as_str(), Some(inside)),
                _ => {
                    return Err(misfit(
                        node,
                        format!("`{name}` takes one variant"),
                        "write `Variant: {field: value}`",
                    ));
                }
            },
            _ => {
                return Err(misfit(
                    node,
                    format!("`{name}` cannot be {}", node.shape()),
                    "write a variant's name",
                ));
            }
        };
        let Some(variant) = variants.iter().find(|v| v.name == wanted) else {
            let known = variants.iter().map(|v| v.name.as_str());
            let remedy = match self.hints.then(|| did_you_mean(wanted, known.clone())).flatten() {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("write one of its variants: {}", clip(&known.collect::<Vec<_>>().join(", "))),
            };
            return Err(misfit(node, format!("`{name}` has no variant `{}`", clip(wanted)), &remedy));
        };
        let fields = match inside {
            Some(inside) => self.fields(&variant.fields, wanted, inside)?,
            None if variant.fields.is_empty() => Vec::new(),
            None => {
                let remedy = format!("write `{wanted}: {{{}: ...}}`", variant.fields[0].name);
                return Err(misfit(node, format!("the variant `{wanted}` has fields"), &remedy));
            }
        };
        Ok(Value::Variant(wanted.to_owned(), fields))
    }

    /// All fields, in wire order.
    fn fields(&mut self, fields: &[Field], of: &str, node: &Node) -> Result<Vec<(String, Value)>, Misfit> {
        let Kind::Map(map) = &node.kind else {
            return Err(misfit(
                node,
                format!("`{of}` takes its fields, not {}", node.shape()),
                expected_fields(),
            ));
        };
        for (key, _) in map {
            let known = matches!(&key.kind, Kind::Text(name) if fields.iter().any(|f| f.name == *name));
            if !known {
                let known: Vec<&str> = fields.iter().map(|f| f.name.as_str()).collect();
                let remedy = format!("its fields are: {}", clip(&known.join(", ")));
                return Err(misfit(key, format!("this is no field of `{of}`"), &remedy));
            }
        }
        let value_of = |name: &str| map.iter().find(|(k, _)| matches!(&k.kind, Kind::Text(n) if n == name));
        let mut values = Vec::with_capacity(fields.len());
        for field in fields {
            let Some((_, value)) = value_of(&field.name) else {
                return Err(misfit(
                    node,
                    format!("the field `{}` of `{of}` is missing", field.name),
                    &format!("add `{}: ...`: a value has all its fields", field.name),
                ));
            };
            values.push((field.name.clone(), self.read(&field.ty, value)?));
        }
        Ok(values)
    }
}

fn expected_fields() -> &'static str {
    "give every field: `{a: 1, b: 2}`"
}

fn misfit(node: &Node, cause: String, remedy: &str) -> Misfit {
    Misfit { span: node.span, cause, remedy: remedy.to_owned() }
}

fn expected(ty: &Type) -> &'static str {
    match ty {
        Type::Bool => "write true or false",
        Type::String => "write text, between quotes if it looks like a number",
        Type::Bytes => "write quoted hexadecimal text like \"0xdeadbeef\"",
        Type::Vec(_) => "write a list like [1, 2]",
        Type::Struct(_) => "write its fields like {a: 1, b: 2}",
        _ => "write an integer",
    }
}

fn int(ty: &Type, value: i128, node: &Node) -> Result<Value, Misfit> {
    match ty.int_range() {
        Some((lo, hi)) if (lo..=hi).contains(&value) => Ok(Value::Int(value)),
        Some((lo, hi)) => Err(misfit(
            node,
            format!("{value} does not fit `{ty}`"),
            &format!("write an integer from {lo} to {hi}"),
        )),
        None => Err(misfit(node, format!("`{ty}` cannot be an integer"), expected(ty))),
    }
}

fn float(ty: &Type, node: &Node) -> Result<Value, Misfit> {
    let value = match &node.kind {
        // Rounding to the nearest is what a reader of the contract expects of a float.
        Kind::Int(value) => *value as f64,
        // Not `.inf`; `1e999` is as large, and told as too large.
        Kind::Float(value, text) if text.bytes().any(|byte| byte.is_ascii_digit()) => *value,
        Kind::Hex(_) => {
            return Err(misfit(node, format!("`{ty}` takes no hexadecimal number"), "write it in decimal"));
        }
        other => {
            let shown = match other {
                Kind::Float(_, text) => format!("`{}`", clip(text)),
                _ => node.shape().to_owned(),
            };
            let remedy = "NaN and infinity cannot be written; use `Option` for an absent number";
            return Err(misfit(node, format!("`{ty}` must be a finite number here, not {shown}"), remedy));
        }
    };
    let rounded = if *ty == Type::F32 { f64::from(value as f32) } else { value };
    if rounded.is_finite() {
        Ok(Value::Float(rounded))
    } else {
        Err(misfit(node, format!("the number is too large for `{ty}`"), "write a smaller one"))
    }
}

/// The digits of a number as written, whatever YAML took it for.
fn digits(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Int(value) | Kind::Hex(value) => Some(value.to_string()),
        Kind::Float(_, text) | Kind::Text(text) => Some(text.clone()),
        _ => None,
    }
}

fn decimal(node: &Node) -> Result<Value, Misfit> {
    let is_hex = matches!(node.kind, Kind::Hex(_));
    let parsed = digits(node).filter(|_| !is_hex).and_then(|text| parse_decimal(&text));
    parsed.map(Value::Decimal).ok_or_else(|| {
        let remedy = "write at most 28 digits after the point and a mantissa below 2^96, like 12.50";
        misfit(node, format!("{} is no Decimal", described(node)), remedy)
    })
}

fn described(node: &Node) -> String {
    digits(node).map_or_else(|| node.shape().to_owned(), |text| format!("`{}`", clip(&text)))
}

pub(crate) fn parse_decimal(text: &str) -> Option<DecimalValue> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let leads_with_zeros = whole.len() > 1 && whole.starts_with('0');
    if whole.is_empty()
        || leads_with_zeros
        || !all_digits(whole)
        || !all_digits(fraction)
        || unsigned.ends_with('.')
    {
        return None;
    }
    let scale = u8::try_from(fraction.len()).ok().filter(|scale| *scale <= 28)?;
    let mantissa = format!("{whole}{fraction}").parse::<u128>().ok().filter(|m| *m < 1 << 96)?;
    Some(DecimalValue { negative: negative && mantissa > 0, mantissa, scale })
}

fn wide(ty: &Type, node: &Node) -> Result<Value, Misfit> {
    let parsed = digits(node).and_then(|text| parse_wide(&text, *ty == Type::I256));
    parsed.map(Value::Wide).ok_or_else(|| {
        let remedy = "write an integer within its range, like 10 or \"0xff\"";
        misfit(node, format!("{} is no `{ty}`", described(node)), remedy)
    })
}

pub(crate) fn parse_wide(text: &str, signed: bool) -> Option<[u64; 4]> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (radix, digits) = match unsigned.strip_prefix("0x") {
        Some(hex) => (16, hex),
        None => (10, unsigned),
    };
    let leads_with_zeros = radix == 10 && digits.len() > 1 && digits.starts_with('0');
    if digits.is_empty() || leads_with_zeros || (negative && !signed) {
        return None;
    }
    let mut limbs = [0_u64; 4];
    for c in digits.chars() {
        let mut carry = u128::from(c.to_digit(radix)?);
        for limb in &mut limbs {
            let product = u128::from(*limb) * u128::from(radix) + carry;
            *limb = product as u64; // the low half; the high half is carried
            carry = product >> 64;
        }
        if carry > 0 {
            return None;
        }
    }
    const SIGN: u64 = 1 << 63;
    if negative {
        let mut carry = true;
        for limb in &mut limbs {
            (*limb, carry) = (!*limb).overflowing_add(u64::from(carry));
        }
        // A value that is left non-negative was below the minimum, except zero.
        return (limbs[3] & SIGN != 0 || limbs == [0; 4]).then_some(limbs);
    }
    (!signed || limbs[3] & SIGN == 0).then_some(limbs)
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("0x").or(if text.is_empty() { Some("") } else { None })?;
    // `from_str_radix` takes a sign too.
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) || !digits.len().is_multiple_of(2) {
        return None;
    }
    (0..digits.len()).step_by(2).map(|at| u8::from_str_radix(&digits[at..at + 2], 16).ok()).collect()
}

/// `2024-01-31` or `2024-01-31T09:30:00[.123456789]Z` to nanoseconds since 1970.
fn timestamp(text: &str) -> Option<i128> {
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time.strip_suffix('Z')?),
        None => (text, "00:00:00"),
    };
    let number = |s: &str, width: usize| {
        (s.len() == width && s.bytes().all(|b| b.is_ascii_digit())).then(|| s.parse::<i128>().ok()).flatten()
    };
    let mut parts = date.split('-');
    let (year, month, day) =
        (number(parts.next()?, 4)?, number(parts.next()?, 2)?, number(parts.next()?, 2)?);
    let (clock, fraction) = match time.split_once('.') {
        Some((_, "")) => return None,
        Some((clock, fraction)) => (clock, fraction),
        None => (time, "0"),
    };
    let mut parts2 = clock.split(':');
    let (hour, minute, second) =
        (number(parts2.next()?, 2)?, number(parts2.next()?, 2)?, number(parts2.next()?, 2)?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let days = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let month_days = *days.get(usize::try_from(month - 1).ok()?)?;
    if parts.next().or(parts2.next()).is_some()
        || day < 1
        || day > month_days
        || hour > 23
        || minute > 59
        || second > 59
    {
        return None;
    }
    let before: i128 = days.iter().take(usize::try_from(month - 1).ok()?).sum();
    let years = year - 1;
    let since_epoch = year * 365 + years / 4 - years / 100 + years / 400 + before + day - 1 - 719_527;
    let nanos = number(&format!("{fraction:0<9}"), 9)?;
    let total = (((since_epoch * 24 + hour) * 60 + minute) * 60 + second) * 1_000_000_000 + nanos;
    i64::try_from(total).ok().map(i128::from)
}

/// The order of two values of one ordered type; `None` for values that have none.
pub(crate) fn compare(ty: &Type, a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Float(a), Value::Float(b)) => a.partial_cmp(b),
        (Value::Decimal(a), Value::Decimal(b)) => Some(parts_of(*a).cmp(&parts_of(*b))),
        (Value::Wide(a), Value::Wide(b)) => {
            // Two's complement orders like unsigned once the sign bit is flipped.
            let key = |limbs: &[u64; 4]| {
                let top = if *ty == Type::I256 { limbs[3] ^ (1 << 63) } else { limbs[3] };
                [top, limbs[2], limbs[1], limbs[0]]
            };
            Some(key(a).cmp(&key(b)))
        }
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Variant(a, _), Value::Variant(b, _)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// Whole part and fraction in units of 10^-28, signed: neither can overflow.
fn parts_of(value: DecimalValue) -> (i128, i128) {
    let unit = 10_u128.pow(u32::from(value.scale));
    let fraction = (value.mantissa % unit) * 10_u128.pow(28 - u32::from(value.scale));
    let sign = if value.negative { -1 } else { 1 };
    // Both are below 2^96, so the conversions hold.
    (sign * (value.mantissa / unit) as i128, sign * fraction as i128)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_nanoseconds_of_utc() {
        assert_eq!(timestamp("1970-01-01"), Some(0));
        assert_eq!(timestamp("2000-03-01T00:00:00Z"), Some(951_868_800_000_000_000));
        assert_eq!(timestamp("2024-02-29T23:59:59.5Z"), Some(1_709_251_199_500_000_000));
        assert_eq!(timestamp("1969-12-31T23:59:59.999999999Z"), Some(-1));
        for wrong in [
            "2023-02-29",
            "2024-13-01",
            "2024-00-01",
            "2024-1-1",
            "9999-01-01",
            "2024-01-01T00:00:00",
            "2024-01-01T00:00:00.Z",
            "x",
        ] {
            assert_eq!(timestamp(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn wide_integers_keep_their_range() {
        let max = "115792089237316195423570985008687907853269984665640564039457584007913129639935";
        assert_eq!(parse_wide(max, false), Some([u64::MAX; 4]));
        assert_eq!(parse_wide(&max.replace("935", "936"), false), None);
        assert_eq!(parse_wide("-1", true), Some([u64::MAX; 4]));
        assert_eq!(parse_wide("-1", false), None);
        assert_eq!(parse_wide("0xff", false), Some([255, 0, 0, 0]));
        let min = "-57896044618658097711785492504343953926634992332820282019728792003956564819968";
        assert_eq!(parse_wide(min, true), Some([0, 0, 0, 1 << 63]));
        assert_eq!(parse_wide(&min.replace("968", "969"), true), None);
        assert_eq!(parse_wide(&min[1..], true), None);
        assert_eq!(parse_wide("-0", true), Some([0; 4]));
        for wrong in ["", "-", "0x", "1_0", "010", "+1", "1e3", "0X1", "0o7", " 1"] {
            assert_eq!(parse_wide(wrong, true), None, "{wrong}");
        }
    }

    #[test]
    fn decimals_compare_by_value_at_any_scale() {
        let value = |text: &str| Value::Decimal(parse_decimal(text).unwrap());
        let order = |a: &str, b: &str| compare(&Type::Decimal, &value(a), &value(b)).unwrap();
        assert_eq!(order("1.50", "1.5"), Ordering::Equal);
        assert_eq!(order("-1.2", "-1.1"), Ordering::Less);
        assert_eq!(order("-0.1", "0"), Ordering::Less);
        assert_eq!(
            order("79228162514264337593543950335", "0.0000000000000000000000000001"),
            Ordering::Greater
        );
        assert_eq!(parse_decimal("79228162514264337593543950336"), None);
        assert_eq!(parse_decimal("1."), None);
        for wrong in ["", "-", ".5", "+1", "01", "00.5", "1_0", "0x10", "--1", "1.5.5", " 1"] {
            assert_eq!(parse_decimal(wrong), None, "{wrong}");
        }
        assert_eq!(parse_decimal("1e3"), None);
    }
}
