"""Which methods of a class handle messages: behind decorators, and where classes inherit from each other."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from typing import Any

import mycelium
from desk import Note, Tick, Tock
from mycelium import Actor, Child, Isolate, Supervisor, ask, on
from test_callbacks import settle


def traced(method: Callable[..., Any]) -> Callable[..., Any]:
    """An ordinary decorator, which does not know of `async`."""

    @functools.wraps(method)
    def call(*args: Any) -> Any:
        return method(*args)

    return call


class Traced(Actor):
    """All that the framework calls is `async` behind a decorator."""

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    @traced
    async def started(self) -> None:
        await asyncio.sleep(0)
        self.seen.append("started")

    @on(Tick)
    @traced
    async def tick(self, tick: Tick) -> None:
        await asyncio.sleep(0)
        self.seen.append("tick")

    @ask(Tick)
    @traced
    async def query(self, query: Tick) -> Tick:
        await asyncio.sleep(0)
        return Tick(query.number + 1)

    @traced
    async def stopping(self, reason: str) -> None:
        self.seen.append("stopping")


def test_what_is_async_behind_a_decorator_runs(rt: mycelium.Runtime) -> None:
    seen: list[str] = []
    tree = rt.start(Supervisor(children=[Child("traced", Traced, args=(seen,))]))
    rt.publish(Tick(1))
    settle(lambda: "tick" in seen)
    assert rt.ask("root/traced", Tick(1), Tick) == Tick(2)
    tree.shutdown()
    assert seen == ["started", "tick", "stopping"]


def test_what_is_async_behind_a_decorator_runs_in_an_isolate(isolate: Isolate) -> None:
    seen: list[str] = []
    isolate.start(Supervisor(children=[Child("traced", Traced, args=(seen,))]))
    isolate.publish(Tick(1))
    isolate.run()
    assert isolate.ask("root/traced", Tick(1), Tick) == Tick(2)
    isolate.shutdown()
    assert seen == ["started", "tick", "stopping"]


class Base(Actor):
    """Says which class has handled what."""

    def __init__(self, seen: list[str]) -> None:
        self.seen = seen

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        self.seen.append(f"base {tick.number}")

    @on(Note)
    def note(self, note: Note) -> None:
        self.seen.append("note")


class Overrides(Base):
    """Without repeating the decorator."""

    def tick(self, tick: Tick) -> None:
        self.seen.append("overrides")
        super().tick(tick)


class Between(Overrides):
    """Overrides nothing."""


class Last(Between):
    """Handles another message with the method, and no longer one of the others."""

    @on(Tock)
    def tick(self, tick: Tick | Tock) -> None:
        self.seen.append("last")

    note = None  # type: ignore[assignment]


def test_a_method_that_overrides_a_handler_handles_its_messages(isolate: Isolate) -> None:
    seen: list[str] = []
    isolate.spawn(Between, seen)
    isolate.publish(Tick(1))
    isolate.run()
    assert seen == ["overrides", "base 1"]


def test_a_decorator_of_its_own_takes_the_place_of_those_it_overrides(isolate: Isolate) -> None:
    seen: list[str] = []
    isolate.spawn(Last, seen)
    isolate.publish_many([Tick(1), Tock(2), Note(3, "", [])])
    isolate.run()
    assert seen == ["last"]
