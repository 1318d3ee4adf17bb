"""This backtester beside others, on the same work in one run. Ratios count; times are those of this machine.

    cargo build --release -p backtest -p strategies --bin backtest --bin market-maker
    python3 -m venv target/peers
    target/peers/bin/pip install backtesting==0.6.6 vectorbt 'plotly<6' nautilus_trader hftbacktest
    target/peers/bin/python examples/backtest/peers/peers.py

Work `crossing`: the 2,148 daily bars of GOOG, all of the money long or short as two averages cross, filled at
the next open, no costs. Work `quotes`: 100,000 quotes, a bid and an ask of one unit around the middle, sent
anew when the middle has moved. Each is told in CPU-seconds of all threads, without what loading, starting and
compiling takes, and as a multiple of ours; the least of all rounds counts. Of the crossing the equity of one
pair of averages is printed too, because work that ends elsewhere is other work. Peers that are not installed
are named and left out, and so is what was not built.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import os
import pathlib
import platform
import resource
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable

warnings.filterwarnings("ignore")
os.environ.setdefault("TQDM_DISABLE", "1")
ROOT = pathlib.Path(__file__).resolve().parents[3]
STOCKS = ROOT / "examples/backtest/data/stocks.csv"
CASH = 10_000.0
# The pair of averages whose equity is printed.
FAST, SLOW = 10, 50
HALF_SPREAD, MOST = 0.03, 10.0


def children_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def of_command(binary: pathlib.Path, command: list[str]) -> tuple[float, str]:
    """CPU-seconds of a command, and what it prints."""
    before = children_s()
    text = subprocess.run([binary, *command], check=True, capture_output=True, text=True).stdout
    return children_s() - before, text


def of_one_more(binary: pathlib.Path, one: list[str], many: list[str], more: int) -> tuple[float, str]:
    """CPU-seconds of one run more, between a command of one run and one of `more` beyond it."""
    alone, text = of_command(binary, one)
    return (of_command(binary, many)[0] - alone) / more, text


def timed(run: Callable[[], object]) -> float:
    before = time.process_time()
    run()
    return time.process_time() - before


# The crossing.


def ours_crossing(binaries: pathlib.Path) -> tuple[float, float]:
    with tempfile.NamedTemporaryFile(suffix=".html") as page:
        flags = ["report", "--data", str(STOCKS), "--symbol", "GOOG", "--flip", "true", "--threads", "1"]
        flags += ["--overfitting", "0", "--objective", "return_pct", "--out", page.name]
        one = [*flags, "--fast", str(FAST), "--slow", str(SLOW)]
        many = [*flags, "--fast", "5..=44", "--slow", "50..=89"]
        seconds, text = of_one_more(binaries / "backtest", one, many, 40 * 40 - 1)
    rows = dict(line.split(maxsplit=1) for line in text.splitlines() if line.startswith("equity_final"))
    return seconds, float(rows["equity_final"])


def goog():
    import pandas as pd

    data = pd.read_csv(STOCKS, comment="#", parse_dates=["Date"])
    symbol = next(name for name in data.columns if name.lower() in ("ticker", "symbol"))
    return data[data[symbol] == "GOOG"].set_index("Date")[["Open", "High", "Low", "Close", "Volume"]]


def backtesting_py() -> tuple[float, float]:
    from backtesting import Backtest, Strategy
    from backtesting.lib import crossover

    def mean(values, window):
        import pandas as pd

        return pd.Series(values).rolling(window).mean()

    class Crossing(Strategy):
        fast, slow = FAST, SLOW

        def init(self):
            self.quick = self.I(mean, self.data.Close, self.fast)
            self.calm = self.I(mean, self.data.Close, self.slow)

        def next(self):
            if crossover(self.quick, self.calm):
                self.position.close()
                self.buy()
            elif crossover(self.calm, self.quick):
                self.position.close()
                self.sell()

    backtest = Backtest(goog(), Crossing, cash=CASH, finalize_trades=True)
    equity = backtest.run()["Equity Final [$]"]
    runs = 5
    return timed(lambda: [backtest.run(fast=fast) for fast in range(5, 5 + runs)]) / runs, equity


def vectorbt() -> tuple[float, float]:
    import numpy as np
    import vectorbt as vbt

    bars = goog()
    following = bars["Open"].shift(-1)

    def run(fast, slow):
        quick = vbt.MA.run(bars["Close"], fast, short_name="quick")
        calm = vbt.MA.run(bars["Close"], slow, short_name="calm")
        up, down = quick.ma_crossed_above(calm), quick.ma_crossed_below(calm)
        portfolio = vbt.Portfolio.from_signals(
            bars["Close"],
            entries=up,
            short_entries=down,
            upon_opposite_entry="reverse",
            price=following,
            size=np.inf,
            size_granularity=1,
            init_cash=CASH,
            freq="1D",
        )
        return portfolio.final_value(), portfolio.sharpe_ratio(), portfolio.max_drawdown()

    equity = run(FAST, SLOW)[0]
    pairs = [(fast, slow) for fast in range(5, 25) for slow in range(50, 70)]
    many = [list(windows) for windows in zip(*pairs)]
    run(*many)
    return timed(lambda: run(*many)) / len(pairs), float(equity)


def nautilus_engine(instrument, data):
    from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
    from nautilus_trader.config import LoggingConfig
    from nautilus_trader.model.currencies import USD
    from nautilus_trader.model.enums import AccountType, OmsType
    from nautilus_trader.model.objects import Money

    quiet = LoggingConfig(bypass_logging=True)
    engine = BacktestEngine(BacktestEngineConfig(logging=quiet, run_analysis=False))
    cash = [Money(CASH * 100.0, USD)]
    engine.add_venue(instrument.id.venue, OmsType.NETTING, AccountType.MARGIN, starting_balances=cash)
    engine.add_instrument(instrument)
    engine.add_data(data)
    return engine


def nautilus() -> tuple[float, None]:
    from nautilus_trader.indicators import SimpleMovingAverage
    from nautilus_trader.model.data import BarType
    from nautilus_trader.model.enums import OrderSide
    from nautilus_trader.persistence.wranglers import BarDataWrangler
    from nautilus_trader.test_kit.providers import TestInstrumentProvider
    from nautilus_trader.trading.strategy import Strategy

    instrument = TestInstrumentProvider.equity(symbol="GOOG", venue="SIM")
    kind = BarType.from_str(f"{instrument.id}-1-DAY-LAST-EXTERNAL")
    bars = goog()
    bars.columns = [name.lower() for name in bars.columns]
    bars.index = bars.index.tz_localize("UTC")
    data = BarDataWrangler(kind, instrument).process(bars)

    class Crossing(Strategy):
        def __init__(self):
            super().__init__()
            self.quick, self.calm, self.above = SimpleMovingAverage(FAST), SimpleMovingAverage(SLOW), None

        def on_start(self):
            self.subscribe_bars(kind)

        def on_bar(self, bar):
            price = float(bar.close)
            self.quick.update_raw(price)
            self.calm.update_raw(price)
            if not self.calm.initialized:
                return
            above = self.quick.value > self.calm.value
            if self.above is not None and above != self.above:
                units = int(CASH / price)
                side = OrderSide.BUY if above else OrderSide.SELL
                held = float(self.portfolio.net_position(instrument.id))
                wanted = units if above else -units
                size = instrument.make_qty(abs(wanted - held))
                self.submit_order(self.order_factory.market(instrument.id, side, size))
            self.above = above

    def run():
        engine = nautilus_engine(instrument, data)
        engine.add_strategy(Crossing())
        seconds = timed(engine.run)
        engine.dispose()
        return seconds

    run()
    return min(run() for _ in range(3)), None


# The market maker.


def quotes(count: int) -> list[tuple[int, float, float]]:
    """Times in ms, bids and asks: two ticks wide, with jumps of up to seven ticks."""
    state, rows = 7, []
    for index in range(count):
        state = (state * 1_664_525 + 1_013_904_223) & 0xFFFF_FFFF
        middle = 9_997 + (state >> 29)
        rows.append((index, (middle - 1) / 100.0, (middle + 1) / 100.0))
    return rows


def ours_quotes(binaries: pathlib.Path, rows) -> tuple[float, None]:
    with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
        file.write("Timestamp,Bid,Ask,Bid_Size,Ask_Size\n")
        for at, bid, ask in rows:
            file.write(f"{1_700_000_000_000 + at},{bid},{ask},10,10\n")
        file.flush()
        with tempfile.NamedTemporaryFile(suffix=".html") as page:
            flags = ["report", "--data", file.name, "--cash", "1000000", "--leverage", "5", "--threads", "1"]
            flags += ["--overfitting", "0", "--objective", "return_pct", "--out", page.name]
            wide = [f"{HALF_SPREAD + place * 1e-6:.6f}" for place in range(9)]
            one, many = [*flags, "--half-spread", wide[0]], [*flags, "--half-spread", ",".join(wide)]
            return of_one_more(binaries / "market-maker", one, many, len(wide) - 1)[0], None


def hftbacktest(rows) -> tuple[float, None]:
    import hftbacktest as hft
    import numpy as np
    from numba import njit

    # What was shown before goes, and what is shown now comes.
    changed = hft.DEPTH_EVENT | hft.EXCH_EVENT | hft.LOCAL_EVENT
    listed, shown = [], ()
    for at, bid, ask in rows:
        ns, now = (at + 1) * 1_000_000, ((hft.BUY_EVENT, bid), (hft.SELL_EVENT, ask))
        for sides, size in ((shown, 0.0), (now, 10.0)):
            listed += [(changed | side, ns, ns, price, size, 0, 0, 0.0) for side, price in sides]
        shown = now
    events = np.array(listed, hft.binding.event_dtype)

    @njit
    def trade(bot):
        centre_before, order, steps = 0.0, np.uint64(1), 0
        while bot.elapse(1_000_000) == 0:
            steps += 1
            depth = bot.depth(0)
            middle = 0.5 * (depth.best_bid + depth.best_ask)
            centre = middle - HALF_SPREAD * bot.position(0) / MOST
            bot.clear_inactive_orders(0)
            if abs(centre - centre_before) < 0.25 * HALF_SPREAD and len(bot.orders(0)) == 2:
                continue
            waiting = bot.orders(0).values()
            while waiting.has_next():
                bot.cancel(0, waiting.get().order_id, False)
            centre_before = centre
            bot.submit_buy_order(0, order, centre - HALF_SPREAD, 1.0, hft.GTC, hft.LIMIT, False)
            bot.submit_sell_order(0, order + 1, centre + HALF_SPREAD, 1.0, hft.GTC, hft.LIMIT, False)
            order += 2
        return steps

    def run():
        asset = hft.BacktestAsset().data(events).linear_asset(1.0).constant_order_latency(0, 0)
        asset = asset.risk_adverse_queue_model().no_partial_fill_exchange().trading_value_fee_model(0.0, 0.0)
        bot = hft.HashMapMarketDepthBacktest([asset.tick_size(0.01).lot_size(1.0)])
        before = time.process_time()
        steps = trade(bot)
        seconds = time.process_time() - before
        fills = bot.state_values(0).num_trades
        bot.close()
        if steps < len(rows) - 2 or fills == 0:
            raise RuntimeError(f"hftbacktest: {steps} of {len(rows)} quotes, {fills} fills")
        return seconds

    run()
    return run(), None


def nautilus_quotes(rows) -> tuple[float, None]:
    import pandas as pd
    from nautilus_trader.model.enums import OrderSide
    from nautilus_trader.persistence.wranglers import QuoteTickDataWrangler
    from nautilus_trader.test_kit.providers import TestInstrumentProvider
    from nautilus_trader.trading.strategy import Strategy

    instrument = TestInstrumentProvider.equity(symbol="X", venue="SIM")
    index = pd.to_datetime([1_700_000_000_000 + at for at, _, _ in rows], unit="ms", utc=True)
    sizes = [10.0] * len(rows)
    columns = {"bid_price": [row[1] for row in rows], "ask_price": [row[2] for row in rows]}
    table = pd.DataFrame({**columns, "bid_size": sizes, "ask_size": sizes}, index=index)
    data = QuoteTickDataWrangler(instrument).process(table)
    one = instrument.make_qty(1)

    class Maker(Strategy):
        def __init__(self):
            super().__init__()
            self.centre = 0.0

        def on_start(self):
            self.subscribe_quote_ticks(instrument.id)

        def on_quote_tick(self, quote):
            middle = 0.5 * (float(quote.bid_price) + float(quote.ask_price))
            centre = middle - HALF_SPREAD * float(self.portfolio.net_position(instrument.id)) / MOST
            open_orders = self.cache.orders_open(instrument_id=instrument.id)
            if abs(centre - self.centre) < 0.25 * HALF_SPREAD and len(open_orders) == 2:
                return
            self.cancel_all_orders(instrument.id)
            self.centre = centre
            for side, away in ((OrderSide.BUY, -HALF_SPREAD), (OrderSide.SELL, HALF_SPREAD)):
                price = instrument.make_price(centre + away)
                self.submit_order(self.order_factory.limit(instrument.id, side, one, price))

    engine = nautilus_engine(instrument, data)
    engine.add_strategy(Maker())
    seconds = timed(engine.run)
    engine.dispose()
    return seconds, None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--binaries", type=pathlib.Path, default=ROOT / "target/release")
    parser.add_argument("--quotes", type=int, default=100_000)
    arguments = parser.parse_args()
    rows = quotes(arguments.quotes)
    works = {
        "crossing": (
            ("one run of 2,148 bars", {
                "ours": lambda: ours_crossing(arguments.binaries),
                "backtesting": backtesting_py,
                "vectorbt": vectorbt,
                "nautilus_trader": nautilus,
            })
        ),
        "quotes": (
            (f"one run of {len(rows):,} quotes", {
                "ours": lambda: ours_quotes(arguments.binaries, rows),
                "hftbacktest": lambda: hftbacktest(rows),
                "nautilus_trader": lambda: nautilus_quotes(rows),
            })
        ),
    }
    print(f"Python {platform.python_version()}, {platform.machine()}")
    for work, (what, peers) in works.items():
        best: dict[str, tuple[float, float | None]] = {}
        for _ in range(arguments.rounds):
            for name, measure in peers.items():
                try:
                    found = measure()
                except (ImportError, FileNotFoundError) as error:
                    print(f"{work}: {name} is not there: {error}")
                    continue
                best[name] = min(best.get(name, found), found, key=lambda pair: pair[0])
        ours = best.get("ours", (float("nan"), None))[0]
        for name, (seconds, equity) in best.items():
            version = "" if name == "ours" else " " + importlib.metadata.version(name)
            end = "" if equity is None else f", ends at {equity:,.2f}"
            times = f"{seconds * 1e3:.4f} CPU-ms for {what}, {seconds / ours:,.1f} times{end}"
            print(f"{work}: {name}{version}: {times}")


if __name__ == "__main__":
    main()
