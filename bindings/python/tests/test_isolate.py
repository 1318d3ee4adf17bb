"""Isolates: actors of Python in virtual time."""

from __future__ import annotations

import asyncio
import gc
import logging
import threading
import weakref
from typing import Any

import mycelium
import numpy as np
import pytest
from conftest import CONTRACT, trade
from desk import Level, Note, Side, Tick, Tock, Trade
from mycelium import Actor, Backoff, Child, Isolate, Supervisor, ask, on, on_batch

SECOND = 1_000_000_000


class Doubler(Actor):
    """Publishes twice what it hears, and says so later."""

    def __init__(self, by: int = 2) -> None:
        self.by = by
        self.sum = 0
        self.threads: set[int] = set()

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        self.threads.add(threading.get_ident())
        self.sum += tick.number
        self.ctx.publish(Tock(tick.number * self.by))

    @on(Note)
    def note(self, note: Note) -> None:
        self.ctx.schedule_after(note.number, self.ctx.publish, Note(self.ctx.now(), note.text, []))

    @ask(Tick)
    def total(self, query: Tick) -> Tick:
        return Tick(self.sum + query.number)


def test_an_actor_is_called_in_place_and_its_messages_are_recorded(isolate: Isolate) -> None:
    tocks = isolate.record(Tock)
    doubler = isolate.spawn(Doubler, by=3)
    with pytest.raises(mycelium.BusyError):
        doubler.actor  # noqa: B018
    isolate.publish(Tick(1))
    assert isolate.publish_many([Tick(number) for number in range(2, 5000)]) == 4998
    isolate.run()
    assert tocks.take() == [Tock(3 * number) for number in range(1, 5000)]
    assert doubler.actor.threads == {threading.get_ident()}
    assert isolate.ask(doubler, Tick(1), Tick) == Tick(sum(range(5000)) + 1)
    assert isolate.ask("Doubler", Tick(0), Tick) == Tick(sum(range(5000)))
    isolate.tell(doubler, Tick(10))
    isolate.run()
    tocks.expect(Tock(30))
    tocks.expect_none()
    assert isolate.now() == 0 and isolate.stats()["dead_letters"] == 0


def test_time_is_virtual(isolate: Isolate) -> None:
    notes = isolate.record(Note)
    isolate.spawn(Doubler)
    isolate.publish(Note(86_400, "a day", []))
    isolate.run_for(3600)
    assert isolate.now() == 3600 * SECOND
    notes.expect(Note(86_400, "a day", []))
    notes.expect_none()
    isolate.run_until(86_399 * SECOND)
    notes.expect_none()
    isolate.run()
    assert isolate.now() >= 86_400 * SECOND
    notes.expect(Note(0, "a day", []))


def test_an_expectation_that_fails_shows_both_and_those_before(isolate: Isolate) -> None:
    ticks = isolate.record(Tick)
    isolate.publish_many([Tick(1), Tick(2)])
    isolate.run()
    ticks.expect(Tick(1))
    with pytest.raises(AssertionError) as told:
        ticks.expect(Tick(3))
    assert "Tick(number=3)" in str(told.value) and "Tick(number=2)" in str(told.value)
    assert "the ones before it, the last at the end: [Tick(number=1)]" in str(told.value)
    with pytest.raises(AssertionError, match="expected no more Tick, but 1 came"):
        ticks.expect_none()
    ticks.expect(Tick(2))
    with pytest.raises(AssertionError, match="none has come"):
        ticks.expect(Tick(3))


def run_market(seed: int) -> list[Any]:
    class Market(Actor):
        def started(self) -> None:
            self.ctx.schedule_every(0.1, self.quote)
            self.left = 50

        async def quote(self) -> None:
            await asyncio.sleep(self.ctx.random.random())
            self.ctx.publish(Tick(self.ctx.random.randrange(1 << 60)))
            self.left -= 1
            if self.left == 0:
                self.ctx.stop()

    with Isolate(CONTRACT, seed=seed) as isolate:
        ticks = isolate.record(Tick)
        isolate.spawn(Market)
        isolate.spawn(Doubler)
        isolate.run_for(3600)
        return [*ticks.take(), isolate.stats()]


def test_the_same_seed_gives_the_same_run_and_another_one_another() -> None:
    first = run_market(1)
    assert len(first) == 51
    assert run_market(1) == first
    assert run_market(2) != first


def test_a_failure_ends_the_run_and_says_whose_it_was(isolate: Isolate) -> None:
    class Fragile(Actor):
        @on(Tick)
        def tick(self, tick: Tick) -> None:
            raise ValueError(f"not {tick.number}")

    isolate.spawn(Fragile)
    isolate.publish(Tick(13))
    with pytest.raises(mycelium.RunError, match="ValueError: not 13") as told:
        isolate.run()
    assert isinstance(told.value.__cause__, ValueError) and "Fragile" in str(told.value)


def test_a_tree_restarts_in_virtual_time_and_the_mailbox_survives(isolate: Isolate, caplog: Any) -> None:
    lives: list[int] = []
    reasons: list[str] = []

    class Fragile(Actor):
        def started(self) -> None:
            lives.append(self.ctx.now())

        @on(Tick)
        def tick(self, tick: Tick) -> None:
            self.ctx.publish(Tock(tick.number))
            if tick.number == 2:
                raise ValueError("two")

        def stopping(self, reason: str) -> None:
            reasons.append(reason.splitlines()[-1])

    backoff = Backoff(initial=10.0)
    tree = isolate.start(Supervisor(children=[Child("fragile", Fragile, backoff=backoff)], intensity=3))
    tocks = isolate.record(Tock)
    isolate.publish_many(Tick(number) for number in range(5))
    with caplog.at_level(logging.CRITICAL, logger="mycelium"):
        isolate.run()
    # What was published before the failure is out.
    assert [tock.number for tock in tocks] == [0, 1, 2, 3, 4]
    assert lives == [0, 10 * SECOND] and isolate.stats()["dead_letters"] == 1
    assert tree.children() == [("fragile", False, "running")]
    tree.terminate_child("root/fragile")
    assert tree.end_reason() is None
    assert tree.children() == [("fragile", False, "undefined")]
    tree.restart_child("root/fragile")
    isolate.shutdown()
    assert reasons == ["ValueError: two", "was shut down", "was shut down"] and tree.end_reason() is not None


def test_actors_ask_and_tell_each_other(isolate: Isolate) -> None:
    class Desk(Actor):
        async def answer_of(self, number: int) -> int:
            return (await self.ctx.ask("Doubler", Tick(number), Tick)).number

        @on(Note)
        async def note(self, note: Note) -> None:
            self.ctx.runtime.tell("Doubler", Tick(5))
            first = await self.answer_of(0)
            await asyncio.sleep(1.5)
            second = await self.answer_of(100)
            self.ctx.publish(Tick(first * 1000 + second))

        @ask(Tock)
        async def level(self, query: Tock) -> Tock:
            return Tock(await self.answer_of(query.number))

        @ask(Note)
        async def nobody(self, query: Note) -> Note:
            await self.ctx.ask("Nobody", Tick(1), Tick)
            return query

    class Slow(Actor):
        @ask(Tick)
        async def later(self, query: Tick) -> Tick:
            await asyncio.sleep(1)
            return query

    doubler = isolate.spawn(Doubler)
    desk = isolate.spawn(Desk)
    slow = isolate.spawn(Slow)
    ticks = isolate.record(Tick)
    isolate.tell(desk, Note(0, "", []))
    isolate.publish(Note(0, "", []))
    isolate.run_for(1)
    isolate.publish(Tick(1))  # Comes to the doubler while the desk sleeps.
    isolate.run_for(3)
    assert [tick.number for tick in ticks][1] == 5 * 1000 + 106
    isolate.run()
    assert isolate.ask(desk, Tock(7), Tock).number == doubler.actor.sum + 7
    with pytest.raises(mycelium.ActorError, match="nobody is called"):
        isolate.ask(desk, Note(0, "", []), Note)
    with pytest.raises(mycelium.AskTimeoutError):
        isolate.ask(slow, Tick(1), Tick)


def test_an_actor_that_waits_for_the_outside_is_told_so() -> None:
    class Waits(Actor):
        @on(Tick)
        async def tick(self, tick: Tick) -> None:
            if tick.number == 0:
                await asyncio.to_thread(lambda: 1)
            await asyncio.Event().wait()

    for number in range(2):
        with Isolate(CONTRACT) as other:
            other.spawn(Waits)
            other.publish(Tick(number))
            with pytest.raises(mycelium.RunError, match="from outside of its isolate"):
                other.run()


def test_batches_and_single_messages_keep_their_order(isolate: Isolate) -> None:
    seen: list[Any] = []

    class Batches(Actor):
        @on_batch(Trade, batch=4)
        async def trades(self, trades: Any) -> None:
            await asyncio.sleep(0.001)
            seen.append([int(at) for at in trades["at"]])

        @on(Tick)
        async def tick(self, tick: Tick) -> None:
            seen.append(tick.number)

    isolate.spawn(Batches)
    isolate.publish_many([trade(1), trade(2), Tick(3), trade(4), *(trade(5 + number) for number in range(6))])
    isolate.run()
    flat = [number for one in seen for number in (one if isinstance(one, list) else [one])]
    assert flat == list(range(1, 11))


def test_arrays_are_replayed_by_their_time(isolate: Isolate) -> None:
    trades = np.zeros(3000, dtype=Trade.DTYPE)
    trades["price"], trades["lots"] = 1.0, 1
    trades["at"] = np.arange(3000, dtype="i8") * SECOND
    at: list[int] = []

    class Clerk(Actor):
        @on(Trade)
        def trade(self, trade: Trade) -> None:
            at.append(self.ctx.now() - trade.at)

    isolate.spawn(Clerk)
    copies = isolate.record(Trade)
    assert isolate.publish_many(trades, of=Trade, at="at") == 3000
    isolate.run()
    assert set(at) == {0} and len(at) == 3000 and isolate.now() == 2999 * SECOND
    assert copies.take_array().tobytes() == trades.tobytes()
    assert isolate.publish_many(trades, of=Trade) == 3000
    with pytest.raises(ValueError, match="no Timestamp field"):
        isolate.publish_many(trades, of=Trade, at="price")
    with pytest.raises(TypeError):
        isolate.publish_many(trades)


def test_an_actor_that_publishes_more_than_fits_waits_for_room(isolate: Isolate) -> None:
    class Flood(Actor):
        @on(Tick)
        def tick(self, tick: Tick) -> None:
            for number in range(tick.number):
                self.ctx.publish(Tock(number))

    class Slow(Actor):
        seen = 0

        @on(Tock, capacity=8)
        def tock(self, tock: Tock) -> None:
            assert tock.number == self.seen
            self.seen += 1

    isolate.spawn(Flood)
    slow = isolate.spawn(Slow)
    isolate.publish(Tick(10_000))
    isolate.run()
    assert slow.actor.seen == 10_000
    isolate.publish_many([Tock(number) for number in range(10_000, 13_000)])
    isolate.run()
    assert slow.actor.seen == 13_000


def test_encoded_values_are_published_and_wrong_ones_refused(isolate: Isolate) -> None:
    class Raw(Actor):
        @on(Tock)
        def tock(self, tock: Tock) -> None:
            self.ctx.runtime.publisher(Tick).publish(b"wrong" if tock.number else Tick(7).encode())

    ticks = isolate.record(Tick)
    publisher = isolate.publisher(Tick)
    publisher.publish(Tick(1).encode())
    assert publisher.publish_many([Tick(2), Tick(3).encode()]) == 2
    with pytest.raises(mycelium.PublishError):
        publisher.publish(b"wrong")
    isolate.spawn(Raw)
    isolate.publish(Tock(0))
    isolate.run()
    ticks.expect(Tick(1), Tick(2), Tick(3), Tick(7))
    isolate.publish(Tock(1))
    with pytest.raises(mycelium.RunError, match="Tick"):
        isolate.run()


def test_a_full_isolate_says_so(isolate: Isolate) -> None:
    isolate.record(Tick)
    with pytest.raises(mycelium.FullError, match="run"):
        for number in range(1_000_000):
            isolate.publish(Tick(number))


def test_misuse_is_an_error_that_says_what_to_do(isolate: Isolate) -> None:
    class Wrong(Actor):
        @on(Tick)
        def tick(self, tick: Tick) -> None:
            rt: Any = self.ctx.runtime
            [rt.run, lambda: rt.ask("Wrong", Tick(1), Tick), rt.close][tick.number]()

    for number in range(3):
        with Isolate(CONTRACT) as other:
            other.spawn(Wrong)
            other.publish(Tick(number))
            with pytest.raises(mycelium.RunError, match="BusyError"):
                other.run()
    errors: list[BaseException] = []

    def elsewhere() -> None:
        try:
            isolate.publish(Tick(1))
        except mycelium.BusyError as error:
            errors.append(error)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert "belongs to the thread" in str(errors[0])
    with pytest.raises(TypeError):
        isolate.publish(7)
    with pytest.raises(TypeError):
        isolate.start(Child("x", Wrong))  # type: ignore[arg-type]
    with pytest.raises(ValueError):
        isolate.run_for(-1)
    with pytest.raises(mycelium.NoAddressError):
        isolate.tell("Nobody", Tick(1))
    isolate.close()
    isolate.close()
    assert isolate.closed
    for call in (isolate.run, lambda: isolate.publish(Tick(1)), lambda: isolate.spawn(Wrong), isolate.stats):
        with pytest.raises(mycelium.ClosedError):
            call()


def test_a_run_without_an_end_is_ended(isolate: Isolate) -> None:
    class Beats(Actor):
        def started(self) -> None:
            self.ctx.schedule_every(1.0, lambda: None)

    isolate.spawn(Beats)
    isolate.limit_events(1000)
    with pytest.raises(mycelium.RunError, match="run_for"):
        isolate.run()


def test_keyboard_interrupt_ends_the_run_and_no_actor(isolate: Isolate) -> None:
    class Interrupted(Actor):
        @on(Tick)
        def tick(self, tick: Tick) -> None:
            if tick.number == 3:
                raise KeyboardInterrupt

    isolate.start(Supervisor(children=[Child("one", Interrupted)], intensity=1000))
    isolate.publish_many(Tick(number) for number in range(5))
    with pytest.raises(KeyboardInterrupt):
        isolate.run()
    isolate.run()


def test_an_isolate_is_let_go_with_its_last_reference() -> None:
    class Big(Actor):
        def __init__(self, born: list[Any]) -> None:
            born.append(weakref.ref(self))

        @on(Tick)
        async def tick(self, tick: Tick) -> None:
            self.ctx.publish(Tock(1))
            await asyncio.sleep(10)

    born: list[Any] = []
    isolate = Isolate(CONTRACT)
    isolate.spawn(Big, born)
    isolate.start(Supervisor(children=[Child("big", Big, args=(born,))]))
    isolate.publish(Tick(1))
    isolate.run_for(1)
    assert len(born) == 2
    del isolate
    gc.collect()
    assert [ref() for ref in born] == [None, None]


def test_an_isolate_runs_within_an_event_loop() -> None:
    async def main() -> int:
        with Isolate(CONTRACT) as isolate:
            class Sleeps(Actor):
                @on(Tick)
                async def tick(self, tick: Tick) -> None:
                    await asyncio.sleep(3600)
                    self.ctx.publish(Tock(self.ctx.now() // SECOND))

            isolate.spawn(Sleeps)
            tocks = isolate.record(Tock)
            isolate.publish(Tick(1))
            isolate.run()
            await asyncio.sleep(0)
            return tocks.take()[0].number

    # Python 3.14 lets no task run within another one.
    import sys

    if sys.version_info < (3, 14):
        assert asyncio.run(main()) == 3600


def test_the_same_actor_runs_live_and_apart(rt: mycelium.Runtime, isolate: Isolate) -> None:
    class Asks(Actor):
        @on(Note)
        async def note(self, note: Note) -> None:
            total = await self.ctx.ask("root/doubler", Tick(1), Tick)
            await asyncio.sleep(0.001)
            self.ctx.publish(Trade(1, 1.0, total.number, Side.Buy, 1, None, [Level(1.0, 1)] * 2, b"12345678"))

    desk = Supervisor(children=[Child("doubler", Doubler), Child("asks", Asks)])
    live = rt.subscribe(Trade)
    rt.start(desk)
    isolate.start(desk)
    apart = isolate.record(Trade)
    for host in (rt, isolate):
        for message in (Tick(20), Tick(21)):
            host.publish(message)
    isolate.run()
    # Live the doubler has its own thread: it has handled both when it has answered this.
    assert rt.ask("root/doubler", Tick(0), Tick).number == 41
    rt.publish(Note(0, "", []))
    isolate.publish(Note(0, "", []))
    isolate.run()
    first = live.recv()
    assert first is not None and first.lots == 42
    apart.expect(first)


def test_an_actor_publishes_the_records_of_an_array(isolate: Isolate) -> None:
    records = np.zeros(5000, np.dtype(Tick.DTYPE))
    records["number"] = range(5000)

    class Bulk(Actor):
        @on(Note)
        def note(self, note: Note) -> None:
            assert self.ctx.publish_many(records, of=Tick) == 5000
            self.ctx.publish(Tick(5000))

    ticks = isolate.record(Tick)
    isolate.spawn(Bulk)
    isolate.publish(Note(1, "now", []))
    isolate.run()
    assert ticks.take_array()["number"].tolist() == list(range(5001))


def test_what_has_just_started_finds_those_before_it(isolate: Isolate) -> None:
    told: list[int] = []

    class Teller(Actor):
        def started(self) -> None:
            self.ctx.runtime.tell("root/doubler", Tick(5))

    class Asker(Actor):
        async def started(self) -> None:
            told.append((await self.ctx.ask("root/doubler", Tick(1), Tick)).number)

    tocks = isolate.record(Tock)
    children = [Child("doubler", Doubler), Child("teller", Teller), Child("asker", Asker)]
    isolate.start(Supervisor(children=children))
    isolate.run()
    assert told == [6]
    tocks.expect(Tock(10))


def test_what_is_told_and_has_no_method_ends_the_life_with_a_reason(isolate: Isolate) -> None:
    doubler = isolate.spawn(Doubler)
    isolate.tell(doubler, Tock(1))
    with pytest.raises(mycelium.RunError, match="no method with @on for messages with type id 4"):
        isolate.run()


def test_a_timer_that_fails_disturbs_none_of_the_next_life(isolate: Isolate, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL + 1, logger="mycelium")
    called: list[tuple[int, int]] = []
    lives: list[int] = []

    class Fragile(Actor):
        def __init__(self) -> None:
            self.life = len(lives)
            lives.append(self.life)

        def started(self) -> None:
            self.ctx.schedule_after(10, self.fire)

        def fire(self) -> None:
            called.append((self.life, self.ctx.now() // SECOND))
            if self.life == 0:
                raise ValueError("told to")

    isolate.start(Supervisor(children=[Child("fragile", Fragile, attempts=3, backoff=Backoff(initial=1e-9, cap=1e-9))]))
    isolate.run()
    assert called == [(0, 10), (1, 20)]
