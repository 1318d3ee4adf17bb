"""Figures of numpy and scipy for tests/all/search.rs.

    python3 -m venv /tmp/oracle && /tmp/oracle/bin/pip install numpy scipy
    /tmp/oracle/bin/python examples/backtest/tests/oracle/search.py

writes examples/backtest/tests/data/search.json: returns of a few made-up trials, and what the papers'
formulas say of them, written here apart from the Rust code (`itertools.combinations`, `scipy.stats`).
"""

import itertools
import json
import pathlib

import numpy as np
from scipy import stats

HERE = pathlib.Path(__file__).resolve().parent
EULER = 0.5772156649015329


def probability_of_overfitting(returns, blocks):
    """`returns`: one row per trial. Bailey, Borwein, Lopez de Prado, Zhu (2017), algorithm 2.3."""
    length = returns.shape[1] // blocks
    cut = returns[:, : length * blocks].reshape(len(returns), blocks, length)
    logits, losses, ranks = [], [], []
    for half in itertools.combinations(range(blocks), blocks // 2):
        rest = [block for block in range(blocks) if block not in half]
        inner = cut[:, half, :].reshape(len(returns), -1)
        outer = cut[:, rest, :].reshape(len(returns), -1)
        best = np.argmax(inner.mean(axis=1) / inner.std(axis=1, ddof=1))
        outside = outer.mean(axis=1) / outer.std(axis=1, ddof=1)
        relative = stats.rankdata(outside)[best] / (len(returns) + 1)
        logits.append(np.log(relative / (1 - relative)))
        losses.append(outside[best] < 0)
        ranks.append(relative)
    return {
        "probability": float(np.mean(np.array(logits) <= 0)),
        "loss_share": float(np.mean(losses)),
        "rank_mean": float(np.mean(ranks)),
        "splits": len(logits),
    }


def deflated(returns):
    """Bailey, Lopez de Prado (2014), equations 1 and 2, of the best of these trials."""
    ratios = returns.mean(axis=1) / returns.std(axis=1, ddof=1)
    best = returns[np.argmax(ratios)]
    ratio, count = ratios.max(), len(ratios)
    variance = ratios.var(ddof=1)
    expected = np.sqrt(variance) * (
        (1 - EULER) * stats.norm.ppf(1 - 1 / count) + EULER * stats.norm.ppf(1 - 1 / (count * np.e))
    )
    skewness, kurtosis = stats.skew(best), stats.kurtosis(best, fisher=False)
    spread = np.sqrt(1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2)
    worst = np.sort(best)[: int(np.ceil(0.05 * len(best)))]
    return {
        "sharpe": ratio,
        "variance": variance,
        "expected": expected,
        "skewness": skewness,
        "kurtosis": kurtosis,
        "probabilistic": stats.norm.cdf(ratio * np.sqrt(len(best) - 1) / spread),
        "deflated": stats.norm.cdf((ratio - expected) * np.sqrt(len(best) - 1) / spread),
        "var_95": -np.quantile(best, 0.05),
        "shortfall_95": -worst.mean(),
    }


def main():
    rng = np.random.default_rng(2014)
    cases = []
    for trials, periods, blocks, skill in [(12, 130, 6, 0.0), (12, 130, 6, 0.006), (25, 96, 8, 0.001), (3, 40, 4, 0.0)]:
        returns = np.round(rng.standard_t(4, size=(trials, periods)) * 0.01, 6)
        returns[0] += skill
        returns = np.round(returns, 6)
        cases.append(
            {
                "returns": returns.tolist(),
                "blocks": blocks,
                "overfitting": probability_of_overfitting(returns, blocks),
                "deflated": {key: float(value) for key, value in deflated(returns).items()},
            }
        )
    points = [1e-12, 1e-6, 0.01, 0.2, 0.4999, 0.7, 0.975, 0.999999]
    normal = [[p, float(stats.norm.ppf(p))] for p in points]
    text = json.dumps({"cases": cases, "normal": normal})
    (HERE / "../data/search.json").write_text(text + "\n")


main()
