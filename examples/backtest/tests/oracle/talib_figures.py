"""Figures of TA-Lib for tests/all/indicators.rs.

    python3 -m venv /tmp/oracle && /tmp/oracle/bin/pip install numpy pandas TA-Lib
    /tmp/oracle/bin/python examples/backtest/tests/oracle/talib_figures.py

writes examples/backtest/tests/data/talib.json: every indicator over the GOOG bars, at a few bars near its
beginning and throughout. Which bars are undefined is in it too.
"""

import json
import pathlib

import numpy as np
import pandas as pd
import talib

HERE = pathlib.Path(__file__).resolve().parent


def goog():
    data = pd.read_csv(HERE / "../../data/stocks.csv", comment="#")
    symbol = next(name for name in data.columns if name.lower() in ("ticker", "symbol"))
    rows = data[data[symbol] == "GOOG"]
    return [rows[name].to_numpy(dtype=float) for name in ("Open", "High", "Low", "Close", "Volume")]


def main():
    o, h, l, c, v = goog()
    macd = talib.MACD(c, 12, 26, 9)
    bands = talib.BBANDS(c, 20, 2.0, 2.0)
    stoch = talib.STOCH(h, l, c, 14, 3, 0, 3, 0)
    stochf = talib.STOCHF(h, l, c, 5, 3, 0)
    aroon = talib.AROON(h, l, 14)
    stochrsi = talib.STOCHRSI(c, 14, 5, 3, 0)
    series = {
        "sma": talib.SMA(c, 20),
        "ema": talib.EMA(c, 20),
        "wma": talib.WMA(c, 20),
        "dema": talib.DEMA(c, 10),
        "tema": talib.TEMA(c, 10),
        "trima_even": talib.TRIMA(c, 10),
        "trima_odd": talib.TRIMA(c, 9),
        "t3": talib.T3(c, 5, 0.7),
        "kama": talib.KAMA(c, 10),
        "macd": macd[0],
        "macd_signal": macd[1],
        "macd_histogram": macd[2],
        "bands_upper": bands[0],
        "bands_middle": bands[1],
        "bands_lower": bands[2],
        "rsi": talib.RSI(c, 14),
        "cmo": talib.CMO(c, 14),
        "mom": talib.MOM(c, 10),
        "roc": talib.ROC(c, 10),
        "rocp": talib.ROCP(c, 10),
        "rocr": talib.ROCR(c, 10),
        "trix": talib.TRIX(c, 10),
        "ppo": talib.PPO(c, 12, 26, 1),
        "apo": talib.APO(c, 12, 26, 1),
        "stddev": talib.STDDEV(c, 20, 1.0),
        "var": talib.VAR(c, 20, 1.0),
        "max": talib.MAX(c, 30),
        "min": talib.MIN(c, 30),
        "sum": talib.SUM(c, 30),
        "linearreg": talib.LINEARREG(c, 14),
        "linearreg_slope": talib.LINEARREG_SLOPE(c, 14),
        "linearreg_intercept": talib.LINEARREG_INTERCEPT(c, 14),
        "tsf": talib.TSF(c, 14),
        "midpoint": talib.MIDPOINT(c, 14),
        "stochrsi_k": stochrsi[0],
        "stochrsi_d": stochrsi[1],
        "atr": talib.ATR(h, l, c, 14),
        "natr": talib.NATR(h, l, c, 14),
        "trange": talib.TRANGE(h, l, c),
        "plus_di": talib.PLUS_DI(h, l, c, 14),
        "minus_di": talib.MINUS_DI(h, l, c, 14),
        "dx": talib.DX(h, l, c, 14),
        "adx": talib.ADX(h, l, c, 14),
        "adxr": talib.ADXR(h, l, c, 14),
        "cci": talib.CCI(h, l, c, 20),
        "willr": talib.WILLR(h, l, c, 14),
        "stoch_k": stoch[0],
        "stoch_d": stoch[1],
        "stochf_k": stochf[0],
        "stochf_d": stochf[1],
        "aroon_down": aroon[0],
        "aroon_up": aroon[1],
        "aroonosc": talib.AROONOSC(h, l, 14),
        "mfi": talib.MFI(h, l, c, v, 14),
        "obv": talib.OBV(c, v),
        "ad": talib.AD(h, l, c, v),
        "adosc": talib.ADOSC(h, l, c, v, 3, 10),
        "bop": talib.BOP(o, h, l, c),
        "ultosc": talib.ULTOSC(h, l, c, 7, 14, 28),
        "typprice": talib.TYPPRICE(h, l, c),
        "wclprice": talib.WCLPRICE(h, l, c),
        "medprice": talib.MEDPRICE(h, l),
        "midprice": talib.MIDPRICE(h, l, 14),
        "sar": talib.SAR(h, l, 0.02, 0.2),
    }
    figures = {}
    for name, values in series.items():
        first = int(np.argmax(~np.isnan(values)))
        assert not np.isnan(values[first:]).any(), name
        bars = sorted({*range(first, first + 5), *range(first + 5, len(values), 97), len(values) - 1})
        figures[name] = {"first": first, "bars": bars, "values": [float(values[bar]) for bar in bars]}
    (HERE / "../data/talib.json").write_text(json.dumps(figures) + "\n")


main()
