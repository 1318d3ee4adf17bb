//! Every indicator over the GOOG bars, as TA-Lib has it (`tests/oracle/talib_figures.py`).

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use backtest::indicators::{
    AccumulationDistribution, Adx, Adxr, Apo, Aroon, Atr, Bollinger, Cci, ChaikinOscillator, Cmo, Dema,
    Directional, Ema, Highest, Indicator, Kama, LinearRegression, Lowest, Macd, Mfi, MidPoint, Momentum,
    Natr, Obv, ParabolicSar, Ppo, Roc, RollingSum, Rsi, Sma, StdDev, StochRsi, Stochastic, T3, Tema, Trima,
    Trix, TrueRange, UltimateOscillator, Variance, Vwap, WilliamsR, Wma, balance_of_power, median_price,
    typical_price, weighted_close,
};
use backtest::messages::{Bar, Timestamp};
use serde_json::Value;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf()
}

fn goog() -> Vec<Bar> {
    backtest::data::load(&folder().join("data/stocks.csv"), Some("GOOG")).expect("the example's data").bars
}

/// What an indicator of closes says at each bar.
fn closes(mut indicator: impl Indicator, bars: &[Bar]) -> Vec<Option<f64>> {
    bars.iter().map(|bar| indicator.push(bar.close)).collect()
}

/// What an indicator of bars says at each.
fn over(mut indicator: impl for<'a> Indicator<&'a Bar>, bars: &[Bar]) -> Vec<Option<f64>> {
    bars.iter().map(|bar| indicator.push(bar)).collect()
}

/// One of the lines that an indicator of closes says.
fn line<O>(mut it: impl Indicator<f64, O>, of: fn(O) -> f64, bars: &[Bar]) -> Vec<Option<f64>> {
    bars.iter().map(|bar| it.push(bar.close).map(of)).collect()
}

/// One of the lines that an indicator of bars says.
fn line_over<O>(
    mut it: impl for<'a> Indicator<&'a Bar, O>,
    of: fn(O) -> f64,
    bars: &[Bar],
) -> Vec<Option<f64>> {
    bars.iter().map(|bar| it.push(bar).map(of)).collect()
}

/// Every series of the oracle, as computed here.
fn ours(bars: &[Bar]) -> Series {
    let mut all = of_closes(bars);
    all.extend(of_bars(bars));
    all
}

type Series = BTreeMap<&'static str, Vec<Option<f64>>>;

fn of_closes(bars: &[Bar]) -> Series {
    let scaled = |values: Vec<Option<f64>>, by: f64, plus: f64| -> Vec<Option<f64>> {
        values.into_iter().map(|value| value.map(|value| value * by + plus)).collect()
    };
    let fitted = || LinearRegression::new(14);
    let bands = || Bollinger::new(20, 2.0);
    let macd = || Macd::new(12, 26, 9);
    [
        ("sma", closes(Sma::new(20), bars)),
        ("ema", closes(Ema::new(20), bars)),
        ("wma", closes(Wma::new(20), bars)),
        ("dema", closes(Dema::new(10), bars)),
        ("tema", closes(Tema::new(10), bars)),
        ("trima_even", closes(Trima::new(10), bars)),
        ("trima_odd", closes(Trima::new(9), bars)),
        ("t3", closes(T3::new(5, 0.7), bars)),
        ("kama", closes(Kama::new(10), bars)),
        ("macd", line(macd(), |lines| lines.line, bars)),
        ("macd_signal", line(macd(), |lines| lines.signal, bars)),
        ("macd_histogram", line(macd(), |lines| lines.histogram, bars)),
        ("bands_upper", line(bands(), |bands| bands.upper, bars)),
        ("bands_middle", line(bands(), |bands| bands.middle, bars)),
        ("bands_lower", line(bands(), |bands| bands.lower, bars)),
        ("rsi", closes(Rsi::new(14), bars)),
        ("cmo", closes(Cmo::new(14), bars)),
        ("mom", closes(Momentum::new(10), bars)),
        ("roc", closes(Roc::new(10), bars)),
        ("rocp", scaled(closes(Roc::new(10), bars), 0.01, 0.0)),
        ("rocr", scaled(closes(Roc::new(10), bars), 0.01, 1.0)),
        ("trix", closes(Trix::new(10), bars)),
        ("ppo", closes(Ppo::new(12, 26), bars)),
        ("apo", closes(Apo::new(12, 26), bars)),
        ("stddev", closes(StdDev::new(20), bars)),
        ("var", closes(Variance::new(20), bars)),
        ("max", closes(Highest::new(30), bars)),
        ("min", closes(Lowest::new(30), bars)),
        ("sum", closes(RollingSum::new(30), bars)),
        ("linearreg", line(fitted(), |line| line.end, bars)),
        ("linearreg_slope", line(fitted(), |line| line.slope, bars)),
        ("linearreg_intercept", line(fitted(), |line| line.intercept, bars)),
        ("tsf", line(fitted(), |line| line.forecast, bars)),
        ("midpoint", closes(MidPoint::new(14), bars)),
        ("stochrsi_k", line(StochRsi::new(14, 5, 3), |lines| lines.k, bars)),
        ("stochrsi_d", line(StochRsi::new(14, 5, 3), |lines| lines.d, bars)),
    ]
    .into()
}

fn of_bars(bars: &[Bar]) -> Series {
    let price = |of: fn(&Bar) -> f64| bars.iter().map(|bar| Some(of(bar))).collect::<Vec<_>>();
    [
        ("atr", over(Atr::new(14), bars)),
        ("natr", over(Natr::new(14), bars)),
        ("trange", over(TrueRange::default(), bars)),
        ("plus_di", line_over(Directional::new(14), |it| it.plus, bars)),
        ("minus_di", line_over(Directional::new(14), |it| it.minus, bars)),
        ("dx", line_over(Directional::new(14), |it| it.index, bars)),
        ("adx", over(Adx::new(14), bars)),
        ("adxr", over(Adxr::new(14), bars)),
        ("cci", over(Cci::new(20), bars)),
        ("willr", over(WilliamsR::new(14), bars)),
        ("stoch_k", line_over(Stochastic::new(14, 3, 3), |lines| lines.k, bars)),
        ("stoch_d", line_over(Stochastic::new(14, 3, 3), |lines| lines.d, bars)),
        ("stochf_k", line_over(Stochastic::new(5, 1, 3), |lines| lines.k, bars)),
        ("stochf_d", line_over(Stochastic::new(5, 1, 3), |lines| lines.d, bars)),
        ("aroon_down", line_over(Aroon::new(14), |lines| lines.down, bars)),
        ("aroon_up", line_over(Aroon::new(14), |lines| lines.up, bars)),
        ("aroonosc", line_over(Aroon::new(14), |lines| lines.up - lines.down, bars)),
        ("mfi", over(Mfi::new(14), bars)),
        ("obv", over(Obv::default(), bars)),
        ("ad", over(AccumulationDistribution::default(), bars)),
        ("adosc", over(ChaikinOscillator::new(3, 10), bars)),
        ("bop", price(balance_of_power)),
        ("ultosc", over(UltimateOscillator::new([7, 14, 28]), bars)),
        ("typprice", price(typical_price)),
        ("wclprice", price(weighted_close)),
        ("medprice", price(median_price)),
        ("midprice", over(MidPoint::new(14), bars)),
        ("sar", over(ParabolicSar::new(0.02, 0.2), bars)),
    ]
    .into()
}

#[test]
fn every_indicator_is_that_of_talib() {
    let text = std::fs::read_to_string(folder().join("tests/data/talib.json")).expect("committed");
    let oracle: Value = serde_json::from_str(&text).expect("JSON");
    let oracle = oracle.as_object().expect("series");
    let ours = ours(&goog());
    assert_eq!(ours.keys().copied().collect::<Vec<_>>(), oracle.keys().collect::<Vec<_>>());
    let mut wrong = Vec::new();
    for (name, values) in &ours {
        let series = &oracle[*name];
        let first = series["first"].as_u64().expect("a bar") as usize;
        if values.iter().position(Option::is_some) != Some(first) {
            wrong.push(format!(
                "{name} begins at {:?} and not at {first}",
                values.iter().position(Option::is_some)
            ));
        }
        let bars = series["bars"].as_array().expect("bars").iter().filter_map(Value::as_u64);
        let expected = series["values"].as_array().expect("values").iter().filter_map(Value::as_f64);
        // Differences of averages lose digits: they are compared on the scale of the series.
        let scale = expected.clone().fold(0.0_f64, |scale, value| scale.max(value.abs()));
        for (bar, expected) in bars.zip(expected) {
            let got = values[bar as usize].unwrap_or(f64::NAN);
            if (got - expected).abs().is_nan() || (got - expected).abs() > 1e-10 * scale {
                wrong.push(format!("{name} at bar {bar}: {got} is not {expected}"));
                break;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn rounding_does_not_add_up_over_a_million_values() {
    // A level of a million, which then falls to a thousandth: what is left of the large sums would show.
    let value = |at: u32| if at < 900_000 { 1e6 + f64::from(at % 7) } else { 1e-3 * f64::from(at % 5 + 1) };
    let mut indicators =
        (Sma::new(50), RollingSum::new(50), Wma::new(50), Variance::new(50), LinearRegression::new(50));
    let mut last = (None, None, None, None, None);
    for at in 0..1_000_000 {
        let value = value(at);
        last = (
            indicators.0.push(value),
            indicators.1.push(value),
            indicators.2.push(value),
            indicators.3.push(value),
            indicators.4.push(value),
        );
    }
    let tail: Vec<f64> = (999_950..1_000_000).map(value).collect();
    let sum: f64 = tail.iter().sum();
    let near = |got: Option<f64>, expected: f64| {
        assert!((got.expect("full") - expected).abs() <= 1e-9 * expected.abs(), "{got:?} is not {expected}");
    };
    near(last.0, sum / 50.0);
    near(last.1, sum);
    near(last.2, tail.iter().zip(1..).map(|(v, weight)| v * f64::from(weight)).sum::<f64>() / 1_275.0);
    near(last.3, tail.iter().map(|v| (v - sum / 50.0).powi(2)).sum::<f64>() / 50.0);
    let places = tail.iter().zip(0..).map(|(v, place)| v * f64::from(place)).sum::<f64>();
    near(last.4.map(|line| line.intercept + 24.5 * line.slope), sum / 50.0);
    near(
        last.4.map(|line| line.slope),
        (50.0 * places - 1_225.0 * sum) / (50.0 * 40_425.0 - 1_225.0 * 1_225.0),
    );
}

#[test]
fn windows_of_nothing_and_bars_without_range_are_no_trouble() {
    let flat = Bar { open: 5.0, high: 5.0, low: 5.0, close: 5.0, ..Bar::default() };
    let bars = vec![flat; 50];
    for (name, values) in ours(&bars) {
        let last = values[49].unwrap_or_else(|| panic!("{name} has begun"));
        assert!(last.is_finite(), "{name}: {last}");
    }
    assert_eq!(closes(Wma::new(0), &bars)[0], Some(5.0));
    assert_eq!(closes(Momentum::new(0), &bars)[1], Some(0.0));
    assert!(line(Bollinger::new(0, 2.0), |bands| bands.upper, &bars)[0] == Some(5.0));
    assert!(closes(Apo::new(26, 12), &bars)[30].is_some(), "fast and slow in the other sequence");
}

#[test]
fn the_money_flow_of_a_cheap_asset_is_that_of_a_dear_one() {
    let bar =
        |price: f64, volume: f64| Bar { high: price, low: price, close: price, volume, ..Bar::default() };
    let flow = |unit: f64| {
        let bars: Vec<Bar> =
            [5.0, 6.0, 5.0, 7.0, 8.0, 8.0, 8.0, 8.0].map(|price| bar(price * unit, 0.25)).to_vec();
        over(Mfi::new(3), &bars)
    };
    // 6 up, 5 down and 7 up; and so on, until nothing moves.
    let wanted = [13.0 / 18.0, 15.0 / 20.0, 1.0, 1.0, 0.0].map(|share| share * 100.0);
    for unit in [1.0, 1e-6] {
        let got: Vec<f64> = flow(unit).into_iter().flatten().collect();
        assert!(got.len() == 5 && got.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-9), "{got:?}");
    }
}

#[test]
fn the_price_by_volume_begins_anew_each_day() {
    let bar = |hour: i64, price: f64, volume: f64| Bar {
        timestamp: Timestamp::from_nanos(hour * 3_600_000_000_000),
        high: price,
        low: price,
        close: price,
        volume,
        ..Bar::default()
    };
    let bars = [bar(1, 10.0, 0.0), bar(2, 10.0, 1.0), bar(3, 20.0, 3.0), bar(25, 40.0, 5.0)];
    assert_eq!(over(Vwap::default(), &bars), [None, Some(10.0), Some(17.5), Some(40.0)]);
}
