"""Actors of Python under supervisors of Rust."""

from __future__ import annotations

import asyncio
import logging
import threading
import time

import mycelium
import numpy as np
import pytest
from conftest import CONTRACT, trade
from desk import Note, Side, Tick, Tock, Trade
from mycelium import Actor, Backoff, Child, Supervisor, ask, on, on_batch
from test_callbacks import settle


class Doubler(Actor):
    """Publishes twice what it hears."""

    def __init__(self, by: int = 2) -> None:
        self.by = by
        self.sum = 0

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        self.sum += tick.number
        self.ctx.publish(Tock(tick.number * self.by))

    @ask(Tick)
    def total(self, query: Tick) -> Tick:
        return Tick(self.sum)


def test_an_actor_handles_publishes_and_answers(rt: mycelium.Runtime) -> None:
    tree = rt.start(Supervisor(children=[Child("doubler", Doubler, args=(3,))]))
    tocks = rt.subscribe(Tock)
    rt.publish_many([Tick(number) for number in range(100)])
    assert [tocks.recv().number for _ in range(100)] == [number * 3 for number in range(100)]
    assert rt.ask("root/doubler", Tick(0), Tick) == Tick(sum(range(100)))
    assert tree.children() == [("doubler", False, "running")] and tree.wait() is None
    tree.shutdown()
    assert tree.wait(5) is not None
    with pytest.raises(mycelium.NoAddressError):
        rt.ask("root/doubler", Tick(0), Tick)


class Fragile(Actor):
    """Fails on odd numbers."""

    lives: list[int] = []
    reasons: list[str] = []
    done: list[int] = []

    def started(self) -> None:
        self.lives.append(threading.get_ident())

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        if tick.number == 13:
            raise ValueError("thirteen is not handled")
        self.done.append(tick.number)

    def stopping(self, reason: str) -> None:
        self.reasons.append(reason)


@pytest.fixture
def fragile() -> type[Fragile]:
    Fragile.lives, Fragile.reasons, Fragile.done = [], [], []
    return Fragile


QUICK = Backoff(initial=0.001, cap=0.002)


def test_an_actor_that_raises_is_restarted_and_its_mailbox_survives(rt, fragile, caplog) -> None:  # type: ignore[no-untyped-def]
    with caplog.at_level(logging.CRITICAL, logger="mycelium"):
        rt.start(Supervisor(children=[Child("fragile", fragile)], intensity=10, backoff=QUICK))
        rt.publish_many([Tick(number) for number in range(30)])
        settle(lambda: len(fragile.done) == 29)
    assert fragile.done == [number for number in range(30) if number != 13]
    assert len(fragile.lives) == 2
    assert "ValueError: thirteen is not handled" in fragile.reasons[0]
    assert 'raise ValueError("thirteen is not handled")' in fragile.reasons[0], "the traceback is the reason"
    # The supervisor counts it for itself, a moment before or after.
    settle(lambda: rt.stats()["restarts"] == 1)


def test_a_failure_is_logged_with_its_traceback_and_path(rt, fragile, caplog) -> None:  # type: ignore[no-untyped-def]
    rt.start(Supervisor(children=[Child("fragile", fragile)], intensity=10))
    with caplog.at_level(logging.ERROR, logger="mycelium"):
        rt.publish(Tick(13))
        settle(lambda: len(fragile.lives) == 2)
    record = next(record for record in caplog.records if record.name == "mycelium")
    assert record.getMessage() == "the actor root/fragile has failed"
    assert str(record.exc_info[1]) == "thirteen is not handled"


@pytest.mark.parametrize(("restart", "lives"), [("permanent", 2), ("transient", 2), ("temporary", 1)])
def test_restart_types(rt, fragile, restart, lives) -> None:  # type: ignore[no-untyped-def]
    tree = rt.start(Supervisor(children=[Child("fragile", fragile, restart=restart)], intensity=10))
    rt.publish(Tick(13))
    if lives == 2:
        settle(lambda: len(fragile.lives) == 2)
    else:
        settle(lambda: not tree.children())


def test_a_message_on_which_a_life_ends_is_tried_again(rt, caplog) -> None:  # type: ignore[no-untyped-def]
    tries: list[int] = []

    class Third(Actor):
        @on(Tick)
        def tick(self, tick: Tick) -> None:
            tries.append(tick.number)
            if len(tries) < 3:
                raise RuntimeError("not yet")

    rt.start(Supervisor(children=[Child("third", Third, attempts=5)], intensity=10, backoff=QUICK))
    rt.publish_many([Tick(1), Tick(2)])
    settle(lambda: len(tries) == 4)
    assert tries == [1, 1, 1, 2]


def test_too_many_restarts_end_the_tree(rt, fragile) -> None:  # type: ignore[no-untyped-def]
    tree = rt.start(Supervisor(children=[Child("fragile", fragile)], intensity=2, period=60.0, backoff=QUICK))
    for _ in range(3):
        rt.publish(Tick(13))
    assert tree.wait(60) is not None


def test_strategies_restart_the_siblings(rt) -> None:  # type: ignore[no-untyped-def]
    began: list[str] = []

    class Named(Actor):
        def __init__(self, name: str) -> None:
            began.append(name)
            self.name = name

        @on(Note)
        def note(self, note: Note) -> None:
            if note.text == self.name:
                raise RuntimeError("told to")

    children = [Child(name, Named, kwargs={"name": name}) for name in "abc"]
    rt.start(Supervisor(children=children, strategy="rest_for_one", intensity=5, backoff=QUICK))
    assert began == ["a", "b", "c"], "in their order"
    rt.publish(Note(1, "b", []))
    settle(lambda: len(began) == 5)
    assert began[3:] == ["b", "c"]


def test_nested_supervisors_paths_and_calls(rt) -> None:  # type: ignore[no-untyped-def]
    desk = Supervisor("desk", [Child("doubler", Doubler)])
    tree = rt.start(Supervisor("firm", [desk]))
    assert tree.children() == [("desk", True, "running")]
    assert tree.children("firm/desk")[0].id == "doubler"
    rt.tell("firm/desk/doubler", Tick(5))
    assert rt.ask("firm/desk/doubler", Tick(0), Tick) == Tick(5)
    tree.terminate_child("firm/desk/doubler")
    assert tree.children("firm/desk")[0].status != "running"
    tree.restart_child("firm/desk/doubler")
    assert rt.ask("firm/desk/doubler", Tick(0), Tick) == Tick(0), "a new life"
    with pytest.raises(mycelium.ActorError):
        tree.terminate_child("firm/nobody")


def test_batches_come_as_arrays_and_in_order_with_others(rt) -> None:  # type: ignore[no-untyped-def]
    seen: list[tuple[str, int]] = []
    sizes: list[int] = []

    class Model(Actor):
        @on_batch(Trade, batch=64)
        def trades(self, records: np.ndarray) -> None:
            assert records.dtype == np.dtype(Trade.DTYPE)
            sizes.append(len(records))
            seen.extend(("trade", int(at)) for at in records["at"])

        @on(Note)
        def note(self, note: Note) -> None:
            seen.append(("note", note.number))

    rt.start(Supervisor(children=[Child("model", Model)]))
    expected = []
    for number in range(1000):
        message = Note(number, "n", []) if number % 100 == 50 else trade(number)
        expected.append((type(message).__name__.lower(), number))
        rt.publish(message)
    settle(lambda: len(seen) == 1000)
    assert seen == expected and max(sizes) <= 64


def test_timers_and_async_handlers(rt) -> None:  # type: ignore[no-untyped-def]
    seen: list[object] = []

    class Slow(Actor):
        async def started(self) -> None:
            await asyncio.sleep(0.001)
            self.ctx.schedule_after(0.01, seen.append, "once")
            self.beat = self.ctx.schedule_every(0.005, self.tock)
            self.ctx.schedule_after(0.001, seen.append, "never").cancel()
            self.beats = 0

        async def tock(self) -> None:
            self.beats += 1
            if self.beats == 3:
                self.beat.cancel()
                seen.append("beats")

        @on(Tick)
        async def tick(self, tick: Tick) -> None:
            await asyncio.sleep(0.001)
            seen.append(tick.number)

        @ask(Tick)
        async def answer(self, query: Tick) -> Tick:
            await asyncio.sleep(0.001)
            return Tick(query.number + 1)

    rt.start(Supervisor(children=[Child("slow", Slow)]))
    rt.publish_many([Tick(1), Tick(2)])
    assert rt.ask("root/slow", Tick(41), Tick) == Tick(42)
    settle(lambda: len(seen) == 4)
    assert [what for what in seen if isinstance(what, int)] == [1, 2] and "never" not in seen


def test_an_actor_that_stops_itself_and_its_context_afterwards(rt) -> None:  # type: ignore[no-untyped-def]
    kept: list[mycelium.Context] = []

    class Once(Actor):
        @on(Tick)
        def tick(self, tick: Tick) -> None:
            kept.append(self.ctx)
            self.ctx.stop()

    tree = rt.start(Supervisor(children=[Child("once", Once, restart="transient")]))
    rt.publish(Tick(1))
    settle(lambda: tree.children()[0].status != "running")
    with pytest.raises(mycelium.MyceliumError):
        kept[0].schedule_after(1.0, print)


def test_what_is_wrong_with_an_actor_is_told(rt) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(TypeError, match="not an instance"):
        Child("a", Doubler())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="no mycelium.Supervisor"):
        rt.start(Child("a", Doubler))
    with pytest.raises(TypeError, match="one method handles a message class"):

        class Twice(Actor):
            @on(Tick)
            def a(self, tick: Tick) -> None: ...

            @on(Tick)
            def b(self, tick: Tick) -> None: ...

    with pytest.raises(TypeError, match="no message class"):
        on(3)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match='choose "one_for_one" or'):
        rt.start(Supervisor(strategy="some"))
    with pytest.raises(ValueError, match='restart is "often"'):
        rt.start(Supervisor(children=[Child("a", Doubler, restart="often")]))
    with pytest.raises(mycelium.ActorError, match="a/b"):
        rt.start(Supervisor(children=[Child("a/b", Doubler)]))

    class Broken(Actor):
        def __init__(self) -> None:
            raise LookupError("no such model")

    with pytest.raises(mycelium.ActorError, match="(?s)broken.*LookupError: no such model"):
        rt.start(Supervisor(children=[Child("broken", Broken)]))
    rt.start(Supervisor(children=[Child("doubler", Doubler)]))
    with pytest.raises(mycelium.ActorError, match="no method with @ask"):
        rt.ask("root/doubler", trade(), Trade)
    with pytest.raises(mycelium.NoAddressError, match="nobody"):
        rt.ask("root/nobody", Tick(1), Tick)
    with pytest.raises(mycelium.ActorError, match="and not with a Tock"):
        rt.ask("root/doubler", Tick(1), Tock)


def test_an_ask_that_is_not_answered_in_time(rt) -> None:  # type: ignore[no-untyped-def]
    answers = threading.Event()

    class Asleep(Actor):
        @ask(Tick)
        def answer(self, query: Tick) -> Tick:
            answers.wait()
            return query

    rt.start(Supervisor(children=[Child("asleep", Asleep)]))
    try:
        with pytest.raises(mycelium.AskTimeoutError):
            rt.ask("root/asleep", Tick(1), Tick, timeout=0.01)
        with pytest.raises(TimeoutError):
            rt.ask("root/asleep", Tick(1), Tick, timeout=0.01)
    finally:
        answers.set()


def test_two_actors_work_beside_each_other_while_one_computes(rt) -> None:  # type: ignore[no-untyped-def]
    class Busy(Actor):
        @on(Note)
        def note(self, note: Note) -> None:
            end = time.monotonic() + 0.2
            while time.monotonic() < end:
                pass

    rt.start(Supervisor(children=[Child("busy", Busy), Child("doubler", Doubler)]))
    tocks = rt.subscribe(Tock)
    rt.publish(Note(1, "", []))
    rt.publish_many([Tick(number) for number in range(5)])
    assert [tocks.recv().number for _ in range(5)] == [0, 2, 4, 6, 8]


def test_many_restarts_leave_no_thread_and_no_object_behind(rt, caplog) -> None:  # type: ignore[no-untyped-def]
    import gc
    import os
    import weakref

    lives: weakref.WeakSet[Actor] = weakref.WeakSet()
    count = 0

    class Mayfly(Actor):
        def __init__(self) -> None:
            nonlocal count
            lives.add(self)
            count += 1

        @on(Tick)
        def tick(self, tick: Tick) -> None:
            raise RuntimeError("the day is over")

    caplog.set_level(logging.CRITICAL, logger="mycelium")
    backoff = Backoff(initial=0.0001, cap=0.0001)
    rt.start(Supervisor(children=[Child("mayfly", Mayfly)], intensity=100_000, period=1.0, backoff=backoff))
    publisher, value = rt.publisher(Tick), Tick(1).encode()
    publisher.publish_many([value] * 100)
    settle(lambda: count == 101)
    threads = len(os.listdir("/proc/self/task"))
    publisher.publish_many([value] * 900)
    settle(lambda: count == 1001)
    gc.collect()
    assert len(lives) <= 2 and len(os.listdir("/proc/self/task")) <= threads


def test_close_stops_actors_in_reverse_order_after_what_they_handle() -> None:
    stopped: list[str] = []
    begun: list[str] = []

    class Slow(Actor):
        @on(Tick)
        def tick(self, tick: Tick) -> None:
            begun.append(self.ctx.path)
            time.sleep(0.05)
            stopped.append("handled")

        def stopping(self, reason: str) -> None:
            stopped.append(self.ctx.path)

    with mycelium.Runtime(contract=CONTRACT) as rt:
        rt.start(Supervisor(children=[Child("a", Slow), Child("b", Doubler), Child("c", Slow)]))
        rt.publish(Tick(1))
        settle(lambda: len(begun) == 2)
    assert stopped[-2:] == ["root/c", "root/a"] or stopped[-1] == "root/a"
    assert stopped.count("handled") == 2


def test_sides_are_enums_in_handlers(rt) -> None:  # type: ignore[no-untyped-def]
    got: list[Side] = []

    class Sides(Actor):
        @on(Trade)
        def trade(self, message: Trade) -> None:
            got.append(message.side)

    rt.start(Supervisor(children=[Child("sides", Sides)]))
    rt.publish(trade())
    settle(lambda: got)
    assert got == [Side.Sell]
