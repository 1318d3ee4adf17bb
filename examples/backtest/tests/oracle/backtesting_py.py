"""Figures of backtesting.py 0.6.6 for tests/all/parity.rs.

    python3 -m venv /tmp/oracle && /tmp/oracle/bin/pip install backtesting==0.6.6
    /tmp/oracle/bin/python examples/backtest/tests/oracle/backtesting_py.py

writes examples/backtest/tests/data/backtesting_py.json. Indicators are plain arrays rather than `self.I`, so
that backtesting.py begins with the first bar, as we do, and its buy and hold too.
"""

import json
import math
import pathlib
import warnings

import numpy as np
import pandas as pd
from backtesting import Backtest, Strategy

warnings.filterwarnings("ignore")
HERE = pathlib.Path(__file__).resolve().parent


def goog():
    data = pd.read_csv(HERE / "../../data/stocks.csv", comment="#", parse_dates=["Date"])
    symbol = next(name for name in data.columns if name.lower() in ("ticker", "symbol"))
    return data[data[symbol] == "GOOG"].set_index("Date")[["Open", "High", "Low", "Close", "Volume"]]


def sma(closes, window):
    """Exact sums of ticks of 0.0001: a tie is a tie."""
    ticks = np.round(closes * 10_000).astype(np.int64)
    sums = np.cumsum(ticks)
    means = np.full(len(closes), np.nan)
    means[window - 1:] = (sums[window - 1:] - np.concatenate([[0], sums[:-window]])) / window
    return means


def rsi(closes, window):
    change = np.diff(closes)
    gains, losses = np.clip(change, 0, None), np.clip(-change, 0, None)
    values = np.full(len(closes), np.nan)
    gain, loss = gains[:window].mean(), losses[:window].mean()
    for at in range(window, len(closes)):
        if at > window:
            gain += (gains[at - 1] - gain) / window
            loss += (losses[at - 1] - loss) / window
        values[at] = 100 * gain / (gain + loss)
    return values


class Base(Strategy):
    def init(self):
        closes = np.asarray(self.data.Close)
        self.fast, self.slow, self.rsi = sma(closes, 10), sma(closes, 30), rsi(closes, 14)

    def cross(self):
        at = len(self.data) - 1
        before, now = self.fast[at - 1] - self.slow[at - 1], self.fast[at] - self.slow[at]
        return 1 if before < 0 < now else -1 if before > 0 > now else 0


class Sma(Base):
    def next(self):
        side = self.cross()
        if side:
            self.position.close()
            (self.buy if side > 0 else self.sell)()


class Rsi(Base):
    def next(self):
        value, price = self.rsi[len(self.data) - 1], self.data.Close[-1]
        if value < 30 and not self.position:
            self.buy(sl=price * 0.9)
        elif value > 70:
            self.position.close()


class Bracket(Base):
    def next(self):
        side, price = self.cross(), self.data.Close[-1]
        if side and not self.position:
            trade = self.buy if side > 0 else self.sell
            trade(sl=price * (1 - 0.04 * side), tp=price * (1 + 0.06 * side))


class Limit(Base):
    """A limit a little below every twentieth close, with a bracket; what is not filled in ten bars goes."""

    def next(self):
        at, price = len(self.data) - 1, self.data.Close[-1]
        if at % 20 == 10 and not self.position:
            for order in self.orders:
                order.cancel()
        if at % 20 == 0 and not self.position and not self.orders:
            self.buy(size=10, limit=price * 0.98, sl=price * 0.92, tp=price * 1.04)


class Stop(Base):
    """Stops on both sides of every thirtieth close, with a fixed size each; netted, first in first out."""

    def next(self):
        at, price = len(self.data) - 1, self.data.Close[-1]
        if at % 30 == 0:
            for order in self.orders:
                order.cancel()
            self.buy(size=7, stop=price * 1.03)
            self.sell(size=4, stop=price * 0.97)


class Parts(Base):
    """Grows by thirds of what is left while it rises, and shrinks by units."""

    def next(self):
        at = len(self.data) - 1
        if at % 40 == 0:
            self.buy(size=3)
        elif at % 40 == 25:
            self.sell(size=5)


RUNS = {
    "sma": (Sma, {}),
    "sma_commission": (Sma, {"commission": 0.002}),
    "sma_finalized": (Sma, {"commission": 0.002, "finalize_trades": True}),
    "sma_spread": (Sma, {"spread": 0.001}),
    "rsi_stop": (Rsi, {"commission": 0.001}),
    "bracket": (Bracket, {"commission": 0.002}),
    "limit": (Limit, {"commission": 0.001}),
    "stop": (Stop, {"commission": 0.001, "cash": 100_000}),
    "parts": (Parts, {"commission": 0.001, "cash": 100_000}),
    "margin": (Sma, {"commission": 0.001, "margin": 0.5}),
    "margin_bracket": (Bracket, {"commission": 0.001, "margin": 0.25, "cash": 5_000}),
    "commission_function": (Sma, {"commission": lambda size, price: 0.02 * abs(size)}),
}

FIGURES = {
    "exposure_pct": "Exposure Time [%]",
    "equity_final": "Equity Final [$]",
    "equity_peak": "Equity Peak [$]",
    "commissions": "Commissions [$]",
    "return_pct": "Return [%]",
    "buy_and_hold_pct": "Buy & Hold Return [%]",
    "return_annual_pct": "Return (Ann.) [%]",
    "volatility_annual_pct": "Volatility (Ann.) [%]",
    "cagr_pct": "CAGR [%]",
    "sharpe": "Sharpe Ratio",
    "sortino": "Sortino Ratio",
    "calmar": "Calmar Ratio",
    "alpha_pct": "Alpha [%]",
    "beta": "Beta",
    "drawdown_max_pct": "Max. Drawdown [%]",
    "drawdown_mean_pct": "Avg. Drawdown [%]",
    "drawdown_duration_max_days": "Max. Drawdown Duration",
    "drawdown_duration_mean_days": "Avg. Drawdown Duration",
    "trades": "# Trades",
    "win_rate_pct": "Win Rate [%]",
    "trade_best_pct": "Best Trade [%]",
    "trade_worst_pct": "Worst Trade [%]",
    "trade_mean_pct": "Avg. Trade [%]",
    "trade_duration_max_days": "Max. Trade Duration",
    "trade_duration_mean_days": "Avg. Trade Duration",
    "profit_factor": "Profit Factor",
    "expectancy_pct": "Expectancy [%]",
    "sqn": "SQN",
    "kelly": "Kelly Criterion",
    "duration_days": "Duration",
}


def number(value):
    if isinstance(value, pd.Timedelta):
        value = value / pd.Timedelta(days=1)
    value = float(value)
    return None if math.isnan(value) else value


def run(strategy, options):
    options = {"cash": 10_000, **options}
    stats = Backtest(goog(), strategy, **options).run()
    trades = stats["_trades"].sort_values(["ExitBar", "EntryBar"], kind="stable")
    columns = ["Size", "EntryBar", "ExitBar", "EntryPrice", "ExitPrice", "Commission"]
    rows = [[number(value) for value in row] for row in trades[columns].itertuples(index=False)]
    return {
        "figures": {name: number(stats[key]) for name, key in FIGURES.items() if key in stats},
        "trades": rows,
    }


def main():
    results = {name: run(*arguments) for name, arguments in RUNS.items()}
    lines = [f' "{name}": {json.dumps(result)}' for name, result in results.items()]
    path = HERE / "../data/backtesting_py.json"
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
    for name, result in results.items():
        print(name, len(result["trades"]), result["figures"]["equity_final"])


if __name__ == "__main__":
    main()
