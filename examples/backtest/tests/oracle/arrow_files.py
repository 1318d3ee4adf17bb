"""Files of Arrow as pyarrow and pandas write them, for tests/arrow.rs.

    python3 -m venv /tmp/oracle && /tmp/oracle/bin/pip install pandas pyarrow
    /tmp/oracle/bin/python examples/backtest/tests/oracle/arrow_files.py

writes examples/backtest/tests/data/arrow/, of the rows of tests/data/parquet/prices.csv.
"""

import pathlib

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather

HERE = pathlib.Path(__file__).resolve().parent
OUT = HERE / "../data/arrow"


def write_file(name, table, rows=None, **options):
    with pa.ipc.new_file(OUT / name, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as out:
        out.write_table(table, max_chunksize=rows)


def main():
    OUT.mkdir(exist_ok=True)
    both = pd.read_csv(HERE / "../data/parquet/prices.csv")
    goog = both[both.iloc[:, 0] == "GOOG"]
    dated = goog.assign(Date=pd.to_datetime(goog["Date"])).drop(columns=both.columns[0]).reset_index(drop=True)
    plain = pa.Table.from_pandas(dated, preserve_index=False)
    write_file("file.arrow", plain)
    write_file("batches.arrow", plain, rows=7)
    write_file("zstd.arrow", plain, compression="zstd")
    with pa.ipc.new_stream(OUT / "stream.arrows", plain.schema) as out:
        out.write_table(plain, max_chunksize=6)
    feather.write_feather(dated, OUT / "pandas.feather")
    utc = dated.assign(Date=dated["Date"].astype("datetime64[ms]").dt.tz_localize("UTC"))
    write_file("utc_ms.arrow", pa.Table.from_pandas(utc, preserve_index=False))
    dates = dated.assign(Date=dated["Date"].dt.date)
    write_file("dates.arrow", pa.Table.from_pandas(dates, preserve_index=False))
    integers = dated.assign(Date=dated["Date"].astype("datetime64[ns]").astype("int64"))
    write_file("integers.arrow", pa.Table.from_pandas(integers, preserve_index=False))
    texts = pa.Table.from_pandas(both, preserve_index=False)
    write_file("symbol.arrow", texts)
    name = texts.schema.names[0]
    # As polars writes text, and as pandas writes categories.
    write_file("symbol_view.arrow", texts.set_column(0, name, texts[name].cast(pa.string_view())))
    write_file("symbol_categories.arrow", texts.set_column(0, name, texts[name].dictionary_encode()), rows=11)
    hole = pd.concat([dated.head(3), dated.head(4).tail(1).assign(Close=np.nan, Open=np.nan), dated.tail(17)])
    write_file("missing.arrow", pa.Table.from_pandas(hole, preserve_index=False))
    nested = plain.append_column("lists", pa.array([[1, 2]] * len(plain)))
    write_file("nested.arrow", nested.append_column("structs", pa.array([{"a": 1, "b": "x"}] * len(plain))))


main()
