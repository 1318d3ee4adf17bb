//! Axes, colours and numbers as text.

use std::fmt::Write as _;

/// Anchors of the viridis colour map: even steps of lightness, legible with every kind of colour blindness
/// and in grey.
const VIRIDIS: [[u8; 3]; 9] = [
    [0x44, 0x01, 0x54],
    [0x47, 0x2d, 0x7b],
    [0x3b, 0x52, 0x8b],
    [0x2c, 0x72, 0x8e],
    [0x21, 0x91, 0x8c],
    [0x28, 0xae, 0x80],
    [0x5e, 0xc9, 0x62],
    [0xad, 0xdc, 0x30],
    [0xfd, 0xe7, 0x25],
];

/// The colour at `share` (0 to 1) of the scale, as `#rrggbb`.
pub(super) fn colour(share: f64) -> String {
    let at = share.clamp(0.0, 1.0) * (VIRIDIS.len() - 1) as f64;
    let below = (at as usize).min(VIRIDIS.len() - 2);
    let part = at - below as f64;
    let mut text = String::from("#");
    for (from, to) in VIRIDIS[below].into_iter().zip(VIRIDIS[below + 1]) {
        let (from, to) = (f64::from(from), f64::from(to));
        let value = (from + (to - from) * part).round() as u8;
        let _ = write!(text, "{value:02x}");
    }
    text
}

/// A CSS gradient over the whole scale.
pub(super) fn gradient() -> String {
    let stops: Vec<String> =
        (0..VIRIDIS.len()).map(|at| colour(at as f64 / (VIRIDIS.len() - 1) as f64)).collect();
    format!("linear-gradient(90deg,{})", stops.join(","))
}

/// Round values that divide `low..high` into about `count` steps.
pub(super) fn ticks(low: f64, high: f64, count: usize) -> Vec<f64> {
    const TICKS_MAX: usize = 50;
    let span = high - low;
    // A NaN fails this comparison too.
    let sound = span > 0.0 && span.is_finite();
    if !sound {
        return vec![low];
    }
    let rough = span / count.max(1) as f64;
    let magnitude = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0]
        .into_iter()
        .map(|m| m * magnitude)
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let first = (low / step).ceil();
    (0..TICKS_MAX)
        .map(|at| (first + at as f64) * step)
        .take_while(|tick| *tick <= high + step * 1e-9)
        .collect()
}

/// A number with separators between thousands and a fixed number of decimals; a dash if it is not finite.
pub(super) fn number(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let is_zero = text.chars().all(|c| matches!(c, '0' | '.'));
    let sign = if value < 0.0 && !is_zero { "−" } else { "" };
    if fraction.is_empty() { format!("{sign}{grouped}") } else { format!("{sign}{grouped}.{fraction}") }
}

/// A percentage, such as `12.3 %`.
pub(super) fn percent(value: f64, decimals: usize) -> String {
    if value.is_finite() { format!("{}\u{202f}%", number(value, decimals)) } else { number(value, decimals) }
}

/// A number on an axis: no more decimals than the step needs.
pub(super) fn tick_label(value: f64, step: f64) -> String {
    let decimals = if step > 0.0 && step < 1.0 { (-step.log10()).ceil().min(9.0) as usize } else { 0 };
    number(value, decimals)
}

/// Text that is safe inside HTML.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_and_signed() {
        let texts = [(1_234_567.891, 2), (-999.5, 0), (-0.001, 1), (f64::NAN, 2), (100.0, 0), (12_345.0, 1)]
            .map(|(value, decimals)| number(value, decimals));
        assert_eq!(texts, ["1,234,567.89", "−1,000", "0.0", "–", "100", "12,345.0"]);
    }

    #[test]
    fn ticks_are_round_and_bounded() {
        assert_eq!(ticks(0.0, 100.0, 5), [0.0, 20.0, 40.0, 60.0, 80.0, 100.0]);
        assert_eq!(ticks(-0.12, 0.11, 4), [-0.1, 0.0, 0.1]);
        assert_eq!(ticks(5.0, 5.0, 4), [5.0]);
        assert_eq!(ticks(f64::NAN, 1.0, 4).len(), 1);
        assert!(ticks(0.0, 1e300, usize::MAX).len() <= 50);
    }

    #[test]
    fn the_colour_scale_runs_from_dark_to_light() {
        assert_eq!([colour(-1.0), colour(0.5), colour(2.0)], ["#440154", "#21918c", "#fde725"]);
    }
}
