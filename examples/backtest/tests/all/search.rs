//! What the papers' formulas say of made-up trials, as numpy and scipy have it (`tests/oracle/search.py`).

use backtest::search::{
    BlockSums, ReturnShape, deflated_sharpe, expected_max_sharpe, normal_quantile, overfitting,
    probabilistic_sharpe,
};
use serde_json::Value;

fn committed() -> Value {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/search.json");
    serde_json::from_str(&std::fs::read_to_string(file).expect("committed")).expect("JSON")
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().expect("a list").iter().map(|number| number.as_f64().expect("a number")).collect()
}

#[track_caller]
fn near(got: f64, expected: &Value) {
    let expected = expected.as_f64().expect("a number");
    assert!((got - expected).abs() <= 1e-9 * expected.abs().max(1e-3), "{got} is not {expected}");
}

#[test]
fn deflated_ratios_and_overfitting_are_those_of_numpy_and_scipy() {
    for case in committed()["cases"].as_array().expect("cases") {
        let returns: Vec<Vec<f64>> =
            case["returns"].as_array().expect("trials").iter().map(numbers).collect();
        let blocks = case["blocks"].as_u64().expect("a number") as usize;
        let sums: Vec<BlockSums> = returns.iter().map(|returns| BlockSums::of(returns, blocks)).collect();
        let found = overfitting(&sums, returns[0].len() / blocks).expect("blocks");
        let expected = &case["overfitting"];
        assert_eq!(found.splits as u64, expected["splits"]);
        near(found.probability, &expected["probability"]);
        near(found.loss_share, &expected["loss_share"]);
        near(found.rank_mean, &expected["rank_mean"]);

        let shapes: Vec<ReturnShape> = returns.iter().map(|returns| ReturnShape::of(returns)).collect();
        let best = *shapes.iter().reduce(|a, b| if b.sharpe > a.sharpe { b } else { a }).expect("trials");
        let expected = &case["deflated"];
        near(best.sharpe, &expected["sharpe"]);
        near(best.skewness, &expected["skewness"]);
        near(best.kurtosis, &expected["kurtosis"]);
        let variance = expected["variance"].as_f64().expect("a number");
        near(expected_max_sharpe(variance, shapes.len()), &expected["expected"]);
        near(probabilistic_sharpe(&best, 0.0), &expected["probabilistic"]);
        near(deflated_sharpe(&best, variance, shapes.len()), &expected["deflated"]);
    }
    for pair in committed()["normal"].as_array().expect("quantiles") {
        near(normal_quantile(numbers(pair)[0]), &pair[1]);
    }
}
