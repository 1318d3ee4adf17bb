//! The normal distribution.

/// The share of a standard normal distribution that lies below `z`.
#[must_use]
pub fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z / std::f64::consts::SQRT_2)
}

/// The value below which the share `p` of a standard normal distribution lies; infinite at 0 and 1, `NaN`
/// beyond.
///
/// A first value from the tail's logarithm, then Newton's method on [`normal_cdf`], which doubles the right
/// digits with each step.
#[must_use]
pub fn normal_quantile(p: f64) -> f64 {
    const STEPS_MAX: usize = 60;
    if p.is_nan() || !(0.0..=1.0).contains(&p) {
        return f64::NAN;
    }
    if p == 0.0 || p == 1.0 {
        return if p == 0.0 { f64::NEG_INFINITY } else { f64::INFINITY };
    }
    // Solved in the lower half, where the share has all its digits; the other half mirrors it.
    let tail = p.min(1.0 - p);
    let mut z = -(-2.0 * tail.ln()).sqrt().min(38.0);
    for _ in 0..STEPS_MAX {
        let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
        let share = normal_cdf(z);
        // On the logarithm of the share Newton's method does not overshoot in the tail.
        let step = (share / density) * (share / tail).ln();
        z -= step;
        if step.abs() <= 1e-15 * z.abs().max(1e-3) {
            break;
        }
    }
    if p < 0.5 { z } else { -z }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `scipy.stats.norm.ppf`.
    #[test]
    fn quantiles_are_those_of_scipy() {
        for (p, z) in [
            (1e-300, -37.047_096_299_361_2),
            (1e-9, -5.997_807_015_007_687),
            (0.001, -3.090_232_306_167_813_5),
            (0.05, -1.644_853_626_951_472_2),
            (0.3, -0.524_400_512_708_040_9),
            (0.5, 0.0),
            (0.99, 2.326_347_874_040_840_8),
            (0.999_9, 3.719_016_485_455_708_4),
        ] {
            let got = normal_quantile(p);
            assert!((got - z).abs() < 1e-10 * z.abs().max(1e-3), "{p}: {got} is not {z}");
        }
        assert_eq!(normal_quantile(0.0), f64::NEG_INFINITY);
        assert_eq!(normal_quantile(1.0), f64::INFINITY);
        assert!([-0.1, 1.1, f64::NAN].iter().all(|p| normal_quantile(*p).is_nan()));
    }

    #[test]
    fn the_share_below_is_that_of_tables() {
        for (z, p) in [(0.0, 0.5), (1.96, 0.975_002_104_851_779_5), (-3.0, 0.001_349_898_031_630_094_6)] {
            assert!((normal_cdf(z) - p).abs() < 1e-15, "{z}");
        }
    }
}
