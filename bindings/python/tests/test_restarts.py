"""An actor that fails ten thousand times leaves nothing behind."""

from __future__ import annotations

import gc
import logging
import os
import threading
import tracemalloc
from pathlib import Path

import mycelium
import pytest
from conftest import CONTRACT
from desk import Tick
from mycelium import Actor, Backoff, Child, Supervisor, ask, on
from test_callbacks import settle

RESTARTS = 10_000


class Fails(Actor):
    """Fails at each message; a life has something to lose."""

    def __init__(self) -> None:
        self.held = [bytes(1000) for _ in range(10)]
        self.self = self

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        raise ValueError(tick.number)

    @ask(Tick)
    def query(self, tick: Tick) -> Tick:
        return tick


def native_threads() -> int:
    return len(list(Path("/proc/self/task").iterdir()))


def resident_bytes() -> int:
    """Nothing where MYCELIUM_MEMORY is `unjudged`: a checker of memory keeps what was freed, and notes."""
    if os.environ.get("MYCELIUM_MEMORY") == "unjudged":
        return 0
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def test_ten_thousand_restarts_leave_no_thread_reference_or_memory(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1, logger="mycelium")
    with mycelium.Runtime(contract=CONTRACT) as rt:
        back = Backoff(initial=0.000_001, cap=0.000_001)
        rt.start(Supervisor(children=[Child("fails", Fails, backoff=back)], intensity=2 * RESTARTS))

        def fail(times: int) -> None:
            wanted = rt.stats()["restarts"] + times
            rt.publish_many(Tick(number) for number in range(times))
            settle(lambda: rt.stats()["restarts"] == wanted)
            rt.ask("root/fails", Tick(1), Tick)
            gc.collect()

        fail(1000)
        tracemalloc.start()
        before = (native_threads(), threading.active_count(), len(gc.get_objects()))
        traced, resident = tracemalloc.get_traced_memory()[0], resident_bytes()
        fail(RESTARTS)
        after = (native_threads(), threading.active_count(), len(gc.get_objects()))
        grown = tracemalloc.get_traced_memory()[0] - traced, resident_bytes() - resident
        tracemalloc.stop()
    # Fewer are no fault: one of a test before may have ended meanwhile.
    assert after[0] <= before[0] and after[1] <= before[1], "threads"
    assert after[2] - before[2] < 500, "objects"
    assert grown[0] < 200_000, f"{grown[0]} bytes of Python"
    # A life holds 10 kB: to leak them would be 100 MB. tracemalloc's own table is in it.
    assert grown[1] < 20_000_000, f"{grown[1]} bytes resident"
