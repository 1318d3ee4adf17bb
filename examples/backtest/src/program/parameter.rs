//! What a strategy may be told: names, kinds, values that stand unless others are given, and the values that
//! a command line asks for.

use crate::chance::Random;
use crate::limits::PAIRS_MAX;

/// The largest whole number of a parameter: every one up to it has an exact `f64`.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

/// What the values of a parameter are.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ParameterKind {
    /// Whole numbers from the first to the second.
    Whole(f64, f64),
    /// Any finite number.
    Number,
    /// `true` or `false`.
    Switch,
}

/// A type of parameters. Values are carried as `f64`, in which every whole number up to 2^53 is exact.
pub trait ParameterValue: Sized {
    /// What its values are.
    const KIND: ParameterKind;

    /// The number that carries this value.
    fn into_number(self) -> f64;

    /// The value of a number that [`into_number`](ParameterValue::into_number) has made, or that was checked
    /// against [`KIND`](ParameterValue::KIND).
    fn from_number(number: f64) -> Self;
}

macro_rules! whole {
    ($($type:ty),*) => {$(
        impl ParameterValue for $type {
            const KIND: ParameterKind = {
                let (low, high) = (<$type>::MIN as f64, <$type>::MAX as f64);
                ParameterKind::Whole(
                    if low < -WHOLE_MAX { -WHOLE_MAX } else { low },
                    if high > WHOLE_MAX { WHOLE_MAX } else { high },
                )
            };

            fn into_number(self) -> f64 {
                self as f64
            }

            fn from_number(number: f64) -> Self {
                number as $type
            }
        }
    )*};
}

whole!(u8, u16, u32, u64, usize, i32, i64);

impl ParameterValue for f64 {
    const KIND: ParameterKind = ParameterKind::Number;

    fn into_number(self) -> f64 {
        self
    }

    fn from_number(number: f64) -> Self {
        number
    }
}

impl ParameterValue for bool {
    const KIND: ParameterKind = ParameterKind::Switch;

    fn into_number(self) -> f64 {
        f64::from(u8::from(self))
    }

    fn from_number(number: f64) -> Self {
        number != 0.0
    }
}

/// A parameter of a strategy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Parameter {
    /// Its name, as in the code.
    pub name: &'static str,
    /// The flag without its dashes: the name with `-` for `_`.
    pub flag: &'static str,
    /// What its values are.
    pub kind: ParameterKind,
    /// The value that stands unless another is given.
    pub default: f64,
}

impl Parameter {
    /// A parameter of the type `T`.
    #[must_use]
    pub fn new<T: ParameterValue>(name: &'static str, default: T) -> Self {
        // Made once for each parameter of a program, and needed to its end.
        let flag = if name.contains('_') { name.replace('_', "-").leak() } else { name };
        Self { name, flag, kind: T::KIND, default: default.into_number() }
    }

    /// A value as text: that which a command line takes.
    #[must_use]
    pub fn show(&self, value: f64) -> String {
        match self.kind {
            ParameterKind::Switch => (value != 0.0).to_string(),
            _ => value.to_string(),
        }
    }

    /// A value as JSON: a switch is `true` or `false`, and all else a number.
    pub(super) fn json(&self, value: f64) -> serde_json::Value {
        if self.kind == ParameterKind::Switch { (value != 0.0).into() } else { value.into() }
    }

    fn value(&self, text: &str) -> Result<f64, String> {
        let text = text.trim();
        let refuse = |what: &str| format!("`{text}` is no {what}");
        match self.kind {
            ParameterKind::Switch => match text {
                "true" | "1" => Ok(1.0),
                "false" | "0" => Ok(0.0),
                _ => Err(refuse("`true` or `false`")),
            },
            ParameterKind::Number => match text.parse::<f64>() {
                Ok(value) if value.is_finite() => Ok(value),
                _ => Err(refuse("finite number")),
            },
            ParameterKind::Whole(low, high) => match text.parse::<i64>() {
                Ok(value) if (low..=high).contains(&(value as f64)) => Ok(value as f64),
                Ok(_) => Err(format!("`{text}` is not from {low} to {high}")),
                Err(_) => Err(refuse("whole number")),
            },
        }
    }
}

/// The values that one parameter takes.
#[derive(Clone, Debug, PartialEq)]
pub enum Axis {
    /// Each of these, in this sequence. At least one.
    Values(Vec<f64>),
    /// Any number of a stretch: for random samples alone.
    Stretch {
        /// The least.
        low: f64,
        /// What all are below.
        high: f64,
    },
}

/// What a range looks like.
const SHAPES: &str = "write `14`, `5..=30`, `5..30`, `5..=30:5` (every fifth) or `5,10,20`";

impl Axis {
    /// Reads `14`, `5..=30`, `5..30`, `5..=30:5`, `0.1..=0.5:0.1` or a list of these with commas. A stretch
    /// of numbers without a step, `0.1..0.5`, is for random samples.
    ///
    /// # Errors
    /// What is wrong with the text, and what can be written.
    pub fn parse(parameter: &Parameter, text: &str) -> Result<Self, String> {
        let mut values = Vec::new();
        let mut items = text.split(',').peekable();
        while let Some(item) = items.next() {
            match Self::item(parameter, item).map_err(|reason| format!("{reason}; {SHAPES}"))? {
                Self::Values(more) => values.extend(more),
                stretch if values.is_empty() && items.peek().is_none() => return Ok(stretch),
                Self::Stretch { low, high } => {
                    return Err(format!(
                        "`{item}` has no step, so it cannot stand in a list; write `{low}..={high}:0.1`"
                    ));
                }
            }
            if values.len() > PAIRS_MAX {
                return Err(format!("`{text}` holds more than {PAIRS_MAX} values; take a larger step"));
            }
        }
        Ok(Self::Values(values))
    }

    fn item(parameter: &Parameter, text: &str) -> Result<Self, String> {
        let (range, step) = match text.split_once(':') {
            Some((range, step)) => (range, Some(step)),
            None => (text, None),
        };
        let Some((first, last)) = range.split_once("..") else {
            return match step {
                None => Ok(Self::Values(vec![parameter.value(range)?])),
                Some(_) => Err(format!("`{text}` has a step and no range")),
            };
        };
        if parameter.kind == ParameterKind::Switch {
            return Err(format!("`{text}` is a range, and the values are `true` and `false`"));
        }
        let whole = matches!(parameter.kind, ParameterKind::Whole(..));
        let (last, closed) = last.strip_prefix('=').map_or((last, false), |last| (last, true));
        let (first, last) = (parameter.value(first)?, parameter.value(last)?);
        let step = match step {
            Some(step) => parameter.value(step)?,
            None if whole => 1.0,
            None if first < last => return Ok(Self::Stretch { low: first, high: last }),
            None => 1.0,
        };
        if step <= 0.0 {
            return Err(format!("the step of `{text}` is {step}, and must be above 0"));
        }
        // A step such as 0.1 has no exact float: the last value is taken in if it is as close as that.
        let steps = (last - first) / step + if whole { 0.0 } else { 1e-9 };
        let count = if closed { steps.floor() + 1.0 } else { (steps - 2e-9).ceil().max(0.0) };
        if count < 1.0 {
            return Err(format!("`{text}` holds no value"));
        }
        if count > PAIRS_MAX as f64 {
            return Err(format!("`{text}` holds more than {PAIRS_MAX} values"));
        }
        let value =
            |at: usize| if whole { first + at as f64 * step } else { rounded(first + at as f64 * step) };
        Ok(Self::Values((0..count as usize).map(value).collect()))
    }

    /// One of its values, each as likely as the others.
    pub(crate) fn draw(&self, random: &mut Random) -> f64 {
        match self {
            Self::Values(values) => values[random.below(values.len())],
            Self::Stretch { low, high } => low + (high - low) * random.share(),
        }
    }
}

/// Without the digits that come of adding steps that have no exact float.
fn rounded(value: f64) -> f64 {
    format!("{value:.12e}").parse().unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(text: &str) -> Result<Axis, String> {
        Axis::parse(&Parameter::new::<usize>("window", 14), text)
    }

    fn number(text: &str) -> Result<Axis, String> {
        Axis::parse(&Parameter::new::<f64>("share", 0.1), text)
    }

    #[test]
    fn ranges_lists_and_single_values() {
        let values = |axis: Result<Axis, String>| match axis {
            Ok(Axis::Values(values)) => values,
            other => panic!("{other:?}"),
        };
        assert_eq!(values(whole("14")), [14.0]);
        assert_eq!(values(whole("5..=8")), [5.0, 6.0, 7.0, 8.0]);
        assert_eq!(values(whole("5..8")), [5.0, 6.0, 7.0]);
        assert_eq!(values(whole("5..=12:3")), [5.0, 8.0, 11.0]);
        assert_eq!(values(whole("5..11:3")), [5.0, 8.0]);
        assert_eq!(values(whole("1,2, 5..=6")), [1.0, 2.0, 5.0, 6.0]);
        assert_eq!(values(number("0.1..=0.5:0.1")), [0.1, 0.2, 0.3, 0.4, 0.5]);
        assert_eq!(values(number("0.1..0.5:0.1")), [0.1, 0.2, 0.3, 0.4]);
        assert_eq!(values(number("-1..=1:0.5")), [-1.0, -0.5, 0.0, 0.5, 1.0]);
        assert_eq!(number("0.1..0.5"), Ok(Axis::Stretch { low: 0.1, high: 0.5 }));
        let switch = Parameter::new("short", false);
        assert_eq!(Axis::parse(&switch, "true,false"), Ok(Axis::Values(vec![1.0, 0.0])));
        assert_eq!(switch.show(1.0), "true");
    }

    #[test]
    fn what_is_no_value_says_why() {
        for (text, part) in [
            ("", "is no whole number"),
            ("1.5", "is no whole number"),
            ("-1", "is not from 0 to"),
            ("8..=5", "holds no value"),
            ("5..5", "holds no value"),
            ("5..=9:0", "must be above 0"),
            ("5:2", "has a step and no range"),
            ("5...9", "is no whole number"),
            ("1,,2", "is no whole number"),
            ("1..=9007199254740992", "more than"),
        ] {
            let error = whole(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        for (text, part) in [
            ("nan", "finite number"),
            ("inf", "finite number"),
            ("0..=1:1e-300", "more than"),
            ("1,0.1..0.5", "has no step"),
            ("0..=1:nan", "finite number"),
        ] {
            let error = number(text).expect_err(text);
            assert!(error.contains(part), "{text}: {error}");
        }
        assert!(Axis::parse(&Parameter::new("short", false), "0..=1").is_err());
    }
}
