"""Messages for long: they leave nothing behind, whichever way they go."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from typing import Any

import mycelium
import numpy as np
from conftest import CONTRACT
from desk import Note, Tick, Tock, Trade
from mycelium import Actor, Child, Supervisor, ask, on, on_batch
from test_callbacks import settle
from test_restarts import native_threads, resident_bytes

ROUNDS = 40
COUNT = 500
ISOLATES = 8_000


class Echo(Actor):
    """A message in, a message out; and it sets timers."""

    def __init__(self) -> None:
        self.fired = 0

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        self.ctx.publish(Note(tick.number, "a text that is longer than eight bytes", ["tag"]))
        self.ctx.schedule_after(0.0, self.fire)

    def fire(self) -> None:
        self.fired += 1

    @on_batch(Trade)
    def trades(self, trades: Any) -> None:
        self.last = trades["at"][-1]

    @ask(Tock)
    async def tock(self, query: Tock) -> Tock:
        return Tock(self.fired)


def test_messages_leave_nothing_behind() -> None:
    with mycelium.Runtime(contract=CONTRACT) as rt:
        rt.start(Supervisor(children=[Child("echo", Echo)]))
        heard: list[int] = [0]

        def hear(note: Note) -> None:
            heard[0] += 1

        rt.subscribe(Note, hear)
        notes, arrays = rt.subscribe(Note), rt.subscribe_array(Trade)
        ticks, trades = rt.publisher(Tick), np.zeros(COUNT, dtype=Trade.DTYPE)
        trades["price"] = 1.0

        def once() -> None:
            before = heard[0]
            ticks.publish_many(Tick(number) for number in range(COUNT))
            for number in range(COUNT):
                assert notes.recv(timeout=60).number == number  # type: ignore[union-attr]
            rt.publish_many(trades, of=Trade)
            left = COUNT
            while left:
                left -= len(arrays.recv(timeout=60))  # type: ignore[arg-type]
            settle(lambda: heard[0] == before + COUNT)
            assert rt.ask("root/echo", Tock(0), Tock).number >= 0

        def counts() -> tuple[int, int, int]:
            gc.collect()
            return native_threads(), threading.active_count(), len(gc.get_objects())

        for _ in range(ROUNDS // 2):
            once()
        tracemalloc.start()
        once()
        before, traced, resident = counts(), tracemalloc.get_traced_memory()[0], resident_bytes()
        for _ in range(ROUNDS):
            once()
        after = counts()
        grown = tracemalloc.get_traced_memory()[0] - traced, resident_bytes() - resident
        tracemalloc.stop()
    # Fewer are no fault: one of a test before may have ended meanwhile.
    assert after[0] <= before[0] and after[1] <= before[1], "threads"
    assert after[2] - before[2] < 500, "objects"
    # 60,000 messages and 20,000 timers: to keep a small object for each would be megabytes.
    assert grown[0] < 100_000, f"{grown[0]} bytes of Python"
    assert grown[1] < 20_000_000, f"{grown[1]} bytes resident"


def test_isolates_leave_nothing_behind() -> None:
    assert threading.current_thread() is threading.main_thread(), "where a run looks for signals"

    def make(count: int, closes: bool) -> None:
        for _ in range(count):
            isolate = mycelium.Isolate(CONTRACT)
            isolate.publish(Tick(1))
            isolate.run()
            if closes:
                isolate.close()
        gc.collect()

    for closes in (True, False):
        make(500, closes)
        resident = resident_bytes()
        make(ISOLATES, closes)
        grown = resident_bytes() - resident
        # An isolate has 3 kB: to keep each would be 24 MB.
        assert grown < 8_000_000, f"{grown} bytes resident, closed: {closes}"


def test_closed_isolates_are_let_go_by_whatever_thread_has_them_last() -> None:
    def make(count: int) -> None:
        made: list[Any] = []
        for _ in range(count):
            isolate = mycelium.Isolate(CONTRACT)
            isolate.publish(Tick(1))
            tree = isolate.start(Supervisor(children=[Child("echo", Echo)]))
            isolate.close()
            made.append((isolate, tree))
        last = threading.Thread(target=made.clear)
        last.start()
        last.join()
        gc.collect()

    make(100)
    resident = resident_bytes()
    for _ in range(20):
        make(100)
    grown = resident_bytes() - resident
    # What is left of one that was closed had 5 kB: to keep each would be 10 MB.
    assert grown < 5_000_000, f"{grown} bytes resident"
