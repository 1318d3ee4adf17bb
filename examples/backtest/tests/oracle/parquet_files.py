"""Files of Parquet as pandas writes them, for tests/all/hostile.rs.

    python3 -m venv /tmp/oracle && /tmp/oracle/bin/pip install pandas pyarrow
    /tmp/oracle/bin/python examples/backtest/tests/oracle/parquet_files.py

writes examples/backtest/tests/data/parquet/.
"""

import pathlib

import numpy as np
import pandas as pd

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "../data/parquet"


def main():
    OUT.mkdir(exist_ok=True)
    data = pd.read_csv(HERE / "../../data/stocks.csv", comment="#")
    symbol = next(name for name in data.columns if name.lower() in ("ticker", "symbol"))
    goog = data[data[symbol] == "GOOG"].head(20)
    other = data[data[symbol] == "IBM"].head(5)
    names = [symbol, "Date", "Open", "High", "Low", "Close", "Volume"]
    both = pd.concat([other, goog])[names]
    both.to_csv(OUT / "prices.csv", index=False)
    dated = goog[names].assign(Date=pd.to_datetime(goog["Date"])).drop(columns=symbol)
    dated.to_parquet(OUT / "timestamps_ns.parquet", index=False)
    dated.assign(Date=dated["Date"].astype("datetime64[ms]")).to_parquet(OUT / "timestamps_ms.parquet", index=False)
    dated.assign(Date=dated["Date"].dt.tz_localize("UTC")).to_parquet(OUT / "utc.parquet", index=False, compression=None)
    dated.assign(Date=dated["Date"].dt.date).to_parquet(OUT / "dates.parquet", index=False)
    dated.set_index(dated["Date"].rename(None)).drop(columns="Date").to_parquet(OUT / "index.parquet")
    dated.assign(Date=dated["Date"].astype("int64")).to_parquet(OUT / "integers.parquet", index=False, row_group_size=7)
    both.to_parquet(OUT / "symbol.parquet", index=False)
    hole = pd.concat([dated.head(3), dated.head(4).tail(1).assign(Close=np.nan, Open=np.nan), dated.tail(17)])
    hole.to_parquet(OUT / "missing.parquet", index=False)
    dated.to_parquet(OUT / "zstd.parquet", index=False, compression="zstd")


main()
