"""A sweep of a strategy in Rust over two windows. `threads=2` runs two instances at a time, as none of them
needs Python meanwhile."""

import crossing  # noqa: F401  Before mycelium, which it brings.

import crossing_messages
import numpy as np
from crossing_messages import Crossing, Price
from mycelium import Rust, Sweep, Trial

PRICES = np.zeros(20_000, dtype=Price.DTYPE)
PRICES["at"] = np.arange(len(PRICES)) * 60_000_000_000
PRICES["price"] = 100 + np.cumsum(np.random.default_rng(42).normal(size=len(PRICES)))


def build(trial: Trial, fast: int, slow: int) -> dict[str, int]:
    isolate = trial.isolate(crossing_messages)
    crossings = isolate.record(Crossing)
    isolate.spawn(Rust("cross", fast=fast, slow=slow))
    isolate.publish_many(PRICES, of=Price, at="at")
    isolate.run()
    return {"crossings": len(crossings.take_array())}


if __name__ == "__main__":
    report = Sweep({"fast": range(5, 15), "slow": range(20, 60, 10)}, build).run(threads=2)
    print(report, report.digest)
    print(report.best("crossings"))
