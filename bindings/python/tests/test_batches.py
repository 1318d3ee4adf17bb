"""Batches: what they hold, and what comes before and behind them."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from typing import Any

import mycelium
import pytest
from conftest import trade
from desk import Note, Tick, Tock, Trade
from mycelium import Actor, Child, Isolate, Supervisor, ask, on, on_batch
from test_callbacks import settle
from test_isolate import SECOND


class Book(Actor):
    """Takes both classes in batches, and says how many it has seen."""

    def __init__(self, seen: list[int], lives: list[int]) -> None:
        self.seen = seen
        lives.append(len(lives))

    @on_batch(Tick)
    def ticks(self, ticks: Any) -> None:
        if 13 in ticks["number"]:
            raise ValueError("not 13")
        self.seen += ticks["number"].tolist()

    @on_batch(Tock)
    def tocks(self, tocks: Any) -> None:
        self.seen += tocks["number"].tolist()

    @ask(Tick)
    def count(self, query: Tick) -> Tick:
        return Tick(len(self.seen))


def test_batches_of_several_classes_come_in_the_order_of_their_messages(isolate: Isolate) -> None:
    seen: list[int] = []
    isolate.spawn(Book, seen, [])
    isolate.publish_many((Tock if number % 3 else Tick)(number) for number in range(200))
    isolate.run()
    assert seen == list(range(200))


def test_a_query_is_answered_after_the_batch_that_came_before_it(isolate: Isolate) -> None:
    seen: list[int] = []
    book = isolate.spawn(Book, seen, [])
    isolate.publish_many(Tick(number) for number in range(5))
    assert isolate.ask(book, Tick(0), Tick) == Tick(5)


def test_a_batch_that_fails_before_a_query_ends_the_life(isolate: Isolate, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1, logger="mycelium")
    seen: list[int] = []
    lives: list[int] = []
    isolate.start(Supervisor(children=[Child("book", Book, args=(seen, lives))]))
    isolate.publish_many([Tick(1), Tock(2), Tick(13)])
    with pytest.raises(mycelium.ActorError, match="not 13"):
        isolate.ask("root/book", Tick(0), Tick)
    isolate.run()
    assert lives == [0, 1] and isolate.ask("root/book", Tick(0), Tick) == Tick(2)


def test_what_comes_behind_a_batch_that_waits_waits_for_it(isolate: Isolate) -> None:
    seen: list[Any] = []

    class Slow(Actor):
        @on_batch(Tick)
        async def ticks(self, ticks: Any) -> None:
            await asyncio.sleep(10)
            if 13 in ticks["number"]:
                raise ValueError("not 13")
            seen.append((ticks["number"].tolist(), self.ctx.now() // SECOND))

        @on(Tock)
        def tock(self, tock: Tock) -> None:
            seen.append((tock.number, self.ctx.now() // SECOND))

        @ask(Note)
        def count(self, query: Note) -> Tick:
            return Tick(len(seen))

    class Asker(Actor):
        @on(Trade)
        async def trade(self, trade: Trade) -> None:
            for _ in range(2):
                try:
                    answer = await self.ctx.ask("root/slow", Note(1, "", []), Tick)
                    seen.append(answer.number)
                except mycelium.ActorError as error:
                    seen.append("not 13" in str(error))

    isolate.start(Supervisor(children=[Child("slow", Slow), Child("asker", Asker)]))
    isolate.publish_many([Tick(1), Tick(2), Tock(3), Tick(4), trade()])
    isolate.run()
    assert seen == [([1, 2], 10), (3, 10), ([4], 20), 3, 4]
    isolate.publish_many([trade(), Tick(13)])
    isolate.run()
    assert seen[5] is True and isolate.stats()["dead_letters"] == 0


def test_a_timer_that_fails_leaves_the_batch_before_it_handled(rt: mycelium.Runtime, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1, logger="mycelium")
    seen: list[int] = []
    begun, published, failed = threading.Event(), threading.Event(), threading.Event()

    class Collects(Actor):
        @on(Note)
        def note(self, note: Note) -> None:
            self.ctx.schedule_after(0.02, self.fail)
            begun.set()

        @on(Tock)
        def tock(self, tock: Tock) -> None:
            published.wait()
            time.sleep(0.1)

        @on_batch(Tick)
        def ticks(self, ticks: Any) -> None:
            seen.extend(ticks["number"].tolist())

        def fail(self) -> None:
            failed.set()
            raise ValueError("told to")

    rt.start(Supervisor(children=[Child("collects", Collects)]))
    rt.publish(Note(1, "", []))
    begun.wait()
    rt.publish(Tock(1))
    rt.publish_many(Tick(number) for number in range(3))
    published.set()
    failed.wait()
    settle(lambda: rt.stats()["restarts"] == 1)
    rt.publish(Tick(3))
    settle(lambda: 3 in seen)
    assert seen == [0, 1, 2, 3]


class Waits(Actor):
    """Takes one class in batches that may wait, and another one by one."""

    def __init__(self, seen: list[int], lives: list[int], waits: bool) -> None:
        self.seen, self.waits = seen, waits
        lives.append(len(lives))

    @on_batch(Tick)
    async def ticks(self, ticks: Any) -> None:
        if self.waits:
            await asyncio.sleep(1)
        if 13 in ticks["number"]:
            raise ValueError("not 13")
        self.seen.extend(100 + int(number) for number in ticks["number"])

    @on(Tock)
    def tock(self, tock: Tock) -> None:
        self.seen.append(tock.number)
        if tock.number == 2:
            raise ValueError("not 2")


@pytest.mark.parametrize("waits", [False, True])
def test_a_batch_that_fails_costs_no_message_behind_it(
    isolate: Isolate, caplog: pytest.LogCaptureFixture, waits: bool
) -> None:
    caplog.set_level(logging.CRITICAL + 1, logger="mycelium")
    seen: list[int] = []
    lives: list[int] = []
    isolate.start(Supervisor(children=[Child("waits", Waits, args=(seen, lives, waits))], intensity=5))
    isolate.publish_many([Tick(13), Tock(1), Tick(1), Tock(3)])
    isolate.run()
    assert seen == [1, 101, 3] and lives == [0, 1] and isolate.stats()["dead_letters"] == 0
    # One that fails itself is lost as always.
    isolate.publish_many([Tick(13), Tock(2), Tock(4)])
    isolate.run()
    assert seen == [1, 101, 3, 2, 4] and lives == [0, 1, 2] and isolate.stats()["dead_letters"] == 1
    # The last ones are a batch that waits: it goes on, and the life ends then.
    isolate.publish_many([Tick(13), Tock(5), Tick(6)])
    isolate.run()
    assert seen[5:] == [5, 106] and lives == [0, 1, 2, 3] and isolate.stats()["dead_letters"] == 1
