"""The model of docs/python.md."""

from __future__ import annotations

from messages import Tick, Told
from mycelium import Actor, on


class Model(Actor):
    """Tells of each tick, and of how many it looks at."""

    def __init__(self, window: int) -> None:
        self.window = window

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        self.ctx.publish(Told(tick.number, f"the last {self.window}"))
