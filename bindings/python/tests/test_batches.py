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


class Ends(Actor):
    """A tick 1 and a trade stop it, a batch with 13 fails, and a note has no method."""

    def __init__(self, told: list[Any]) -> None:
        self.told = told

    @on_batch(Tick, batch=3)
    def ticks(self, ticks: Any) -> None:
        self.told.append(ticks["number"].tolist())
        if 1 in ticks["number"]:
            self.ctx.stop()
        if 13 in ticks["number"]:
            raise ValueError("not 13")

    @on_batch(Tock, batch=3)
    async def tocks(self, tocks: Any) -> None:
        await asyncio.sleep(1)
        self.told.append(tocks["number"].tolist())
        if 13 in tocks["number"]:
            raise ValueError("nor that 13")

    @on(Trade)
    def trade(self, trade: Trade) -> None:
        self.told.append("trade")
        self.ctx.stop()

    async def stopping(self, reason: str) -> None:
        await asyncio.sleep(1)
        self.told.append(reason.splitlines()[-1])


@pytest.fixture
def ends(isolate: Isolate) -> list[Any]:
    """What an `Ends` is told that is restarted after a failure, twice for each message it fails on."""
    told: list[Any] = []
    child = Child("ends", Ends, args=(told,), restart="transient", attempts=2)
    isolate.start(Supervisor(children=[child], intensity=5))
    return told


def test_a_life_that_ends_within_a_batch_hands_out_the_records_that_wait(isolate: Isolate, ends: list[Any]) -> None:
    isolate.publish_many([Tick(1), Tock(2)])
    isolate.run()
    assert ends == [[1], [2], "ended normally"] and isolate.stats()["dead_letters"] == 0


def test_a_shutdown_hands_out_the_records_that_wait(rt: mycelium.Runtime, limit: float) -> None:
    told: list[Any] = []
    begun, published, stopping = threading.Event(), threading.Event(), threading.Event()

    class Waits(Actor):
        @on(Note)
        def note(self, note: Note) -> None:
            begun.set()
            published.wait()

        @on_batch(Tock)
        def tocks(self, tocks: Any) -> None:
            stopping.wait()

        @on_batch(Tick)
        def ticks(self, ticks: Any) -> None:
            told.append(ticks["number"].tolist())

        def stopping(self, reason: str) -> None:
            told.append(reason)

    tree = rt.start(Supervisor(children=[Child("waits", Waits, shutdown=None)]))
    rt.publish(Note(1, "", []))
    begun.wait()
    rt.publish(Tock(1))
    rt.publish(Tick(2))
    published.set()
    ending = threading.Thread(target=tree.shutdown, args=(60.0,))
    ending.start()
    time.sleep(limit)  # Until the actor is asked to stop, which nothing shows.
    stopping.set()
    ending.join()
    assert told == [[2], "was shut down"]


def test_records_that_fail_at_the_end_of_a_life_are_told_and_its_last_words_said(
    isolate: Isolate, ends: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    isolate.publish_many([Tick(1), Tock(13)])
    isolate.run()
    assert ends == [[1], [13], "ended normally"]
    assert any(record.exc_info and "nor that 13" in str(record.exc_info[1]) for record in caplog.records)


def test_a_message_without_a_method_costs_no_record_before_it(
    isolate: Isolate, ends: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL + 1, logger="mycelium")
    isolate.publish(Tick(2))
    isolate.tell("root/ends", Note(1, "", []))
    isolate.run()
    assert ends[0] == [2] and "no method" in ends[1]


def test_a_stop_behind_a_batch_that_failed_ends_the_life_with_that(
    isolate: Isolate, ends: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL + 1, logger="mycelium")
    isolate.publish_many([Tick(13), trade()])
    isolate.run()
    # The trade was in hand as the life failed: it comes again, and stops the next one.
    assert ends == [[13], "trade", "ValueError: not 13", "trade", "ended normally"]


@pytest.mark.parametrize("kind", [Tick, Tock])
def test_a_full_batch_that_fails_is_not_handled_again_in_part(
    isolate: Isolate, ends: list[Any], caplog: pytest.LogCaptureFixture, kind: Any
) -> None:
    caplog.set_level(logging.CRITICAL + 1, logger="mycelium")
    isolate.publish_many(kind(number) for number in (12, 13, 14, 15))
    isolate.run()
    assert ends[:2] == [[12, 13, 14], [15]] and "13" in ends[2] and len(ends) == 3
    assert isolate.stats()["dead_letters"] == 0 and isolate.stats()["retried"] == 0
