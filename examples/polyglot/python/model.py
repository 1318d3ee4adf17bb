"""A model that computes with numpy. It knows nothing of Rust, and not that it is supervised."""

from __future__ import annotations

import logging

import numpy as np
import numpy.typing as npt
from messages import Signal, Tick
from mycelium import Actor, on_batch

# The time line shows why a life has ended.
logging.getLogger("mycelium").addHandler(logging.NullHandler())


class Model(Actor):
    """Says how far the last price is from the mean of its window, in standard deviations."""

    def __init__(self, length: int = 500) -> None:
        self.length = length
        self.window = np.empty(0)

    @on_batch(Tick)
    def ticks(self, ticks: npt.NDArray[np.void]) -> None:
        prices = ticks["price"]
        if (prices <= 0).any():
            raise ValueError(f"a price of {prices.min()}")
        self.window = np.concatenate((self.window, prices))[-self.length :]
        deviation = self.window.std()
        score = float((prices[-1] - self.window.mean()) / deviation) if deviation > 0 else 0.0
        self.ctx.publish(Signal(int(ticks["number"][-1]), score, len(self.window)))
