"""Methods that do not return."""

from __future__ import annotations

import asyncio
import ctypes
import os
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import mycelium
import pytest
from desk import Note, Tick, Tock
from mycelium import Actor, Child, Supervisor, _actor, ask, on, on_batch
from test_callbacks import settle


class Hangs(Actor):
    """Never returns from 13, and waits for a file above a hundred."""

    lives: list[Hangs] = []

    def __init__(self) -> None:
        self.reasons: list[str] = []
        Hangs.lives.append(self)

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        try:
            while tick.number == 13:
                pass
        except Exception:
            pytest.fail("what ends it is no `Exception`")
        if tick.number > 100:
            os.read(tick.number - 100, 1)
        self.ctx.publish(Tock(tick.number))

    @ask(Tock)
    def thread(self, query: Tock) -> Tock:
        return Tock(threading.get_ident() % 1_000_000)

    def stopping(self, reason: str) -> None:
        self.reasons.append(reason)


@pytest.fixture
def given_up(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """Waits until the exception is set in a method that hangs: the loop of its actor is woken then."""
    woken: list[int] = []
    wake = _actor.Loop.wake

    def noted(loop: _actor.Loop) -> None:
        woken.append(1)
        wake(loop)

    monkeypatch.setattr(_actor.Loop, "wake", noted)
    return lambda: settle(lambda: woken)


def child(limit: float, **more: object) -> Supervisor:
    Hangs.lives = []
    hangs = Child("hangs", Hangs, stuck_after=limit, **more)  # type: ignore[arg-type]
    return Supervisor(children=[hangs], intensity=10, period=60.0)


def test_an_endless_loop_is_ended_and_the_actor_restarted(rt, limit, caplog) -> None:  # type: ignore[no-untyped-def]
    tocks = rt.subscribe(Tock)
    rt.start(child(limit, restart_when_stuck=True))
    thread = rt.ask("root/hangs", Tock(0), reply=Tock)
    for number in (13, 1, 13, 2):
        rt.publish(Tick(number))
    assert [tocks.recv(timeout=60).number for _ in range(2)] == [1, 2]
    settle(lambda: rt.stats()["restarts"] >= 2)
    assert rt.stats()["restarts"] == 2
    (reason,) = Hangs.lives[0].reasons
    assert "stuck for" in reason and "from topic desk.ticks, whose handler keeps its thread" in reason
    assert "while tick.number == 13" in reason or "pass" in reason, "its traceback says where it was"
    assert rt.ask("root/hangs", Tock(0), reply=Tock) == thread, "on the thread that it had"
    failed = [record for record in caplog.records if "has failed" in record.message]
    assert len(failed) == 2 and all("root/hangs" in record.message for record in failed)


def test_threads_that_compute_do_not_keep_a_method_that_hangs(rt, limit) -> None:  # type: ignore[no-untyped-def]
    """So many that the interpreter is never to be had at once."""
    done = threading.Event()

    def burn() -> None:
        while not done.is_set():
            pass

    burning = [threading.Thread(target=burn) for _ in range(12)]
    tocks = rt.subscribe(Tock)
    rt.start(child(limit, restart_when_stuck=True))
    for thread in burning:
        thread.start()
    for number in (13, 1):
        rt.publish(Tick(number))
    tock = tocks.recv(timeout=120)
    done.set()
    for thread in burning:
        thread.join()
    assert tock is not None and tock.number == 1


def test_a_wait_outside_of_python_is_reported_and_ends_when_it_is_over(rt, limit, caplog, given_up) -> None:  # type: ignore[no-untyped-def]
    reads, writes = os.pipe()
    tocks = rt.subscribe(Tock)
    tree = rt.start(child(limit, restart_when_stuck=True))
    rt.publish(Tick(100 + reads))
    rt.publish(Tick(1))
    given_up()
    settle(lambda: any("is stuck" in record.message for record in caplog.records))
    assert tocks.try_recv() is None and tree.children()[0].status == "running" and len(Hangs.lives) == 1
    os.write(writes, b"!")
    assert tocks.recv(timeout=60).number == 1
    assert "stuck for" in Hangs.lives[0].reasons[0] and len(Hangs.lives) == 2


def test_an_exception_that_came_too_late_is_gone(rt, limit, given_up) -> None:  # type: ignore[no-untyped-def]
    """It is set while a method waits in C, in its last call; nothing that runs later has it, nor looks for
    it."""
    kept = []

    class Late(Actor):
        tick = on(Tick)(lambda self, tick: kept.append(1) or os.read(tick.number, 1))

    reads, writes = os.pipe()
    rt.start(Supervisor(children=[Child("late", Late, stuck_after=limit, restart_when_stuck=True)]))
    rt.publish(Tick(reads))
    given_up()
    os.write(writes, b"!")
    settle(lambda: rt.stats()["restarts"] >= 1)
    os.write(writes, b"!")
    rt.publish(Tick(reads))
    settle(lambda: len(kept) == 2)
    # Python 3.11 hangs in traced code where an exception was taken back.
    seen = []
    sys.setprofile(lambda frame, event, _: seen.append(event))
    try:
        settle(lambda: True)
    finally:
        sys.setprofile(None)
    assert seen and rt.stats()["restarts"] == 1


def test_without_a_restart_it_is_only_reported(rt, caplog) -> None:  # type: ignore[no-untyped-def]
    reads, writes = os.pipe()
    tocks = rt.subscribe(Tock)
    rt.start(child(0.05))
    rt.publish(Tick(100 + reads))
    settle(lambda: any("is stuck" in record.message for record in caplog.records))
    os.write(writes, b"!")
    assert tocks.recv(timeout=60).number == 100 + reads, "it goes on as if nothing had been"
    assert rt.stats()["restarts"] == 0


def test_a_restart_needs_a_time() -> None:
    with pytest.raises(ValueError, match="give `stuck_after`"):
        Child("hangs", Hangs, restart_when_stuck=True)


def test_records_behind_a_question_that_hung_are_handed_out(rt, limit) -> None:  # type: ignore[no-untyped-def]
    seen: list[int] = []
    asked = threading.Event()

    class Asked(Actor):
        @on_batch(Tick)
        def ticks(self, ticks: Any) -> None:
            seen.extend(ticks["number"].tolist())

        @ask(Tock)
        def hang(self, query: Tock) -> Tock:
            asked.set()
            while True:
                pass

    rt.start(Supervisor(children=[Child("asked", Asked, stuck_after=limit, restart_when_stuck=True)]))
    said: list[Exception] = []

    def question() -> None:
        try:
            rt.ask("root/asked", Tock(0), Tock, timeout=60)
        except mycelium.ActorError as error:
            said.append(error)

    asks = threading.Thread(target=question)
    asks.start()
    assert asked.wait(60)
    rt.publish_many(Tick(number) for number in (1, 2, 3))
    asks.join(60)
    settle(lambda: rt.stats()["restarts"] >= 1)
    # In one batch, or in two if it was restarted while they were published.
    settle(lambda: len(seen) >= 3)
    assert seen == [1, 2, 3] and "stuck for" in str(said[0])


def test_one_that_waits_for_the_interpreter_has_not_hung(rt, limit) -> None:  # type: ignore[no-untyped-def]
    """Another thread keeps it for longer than the limit: in C code that does not let go."""
    keeps = ctypes.PyDLL(None).usleep
    kept: list[bool] = []

    class Keeps(Actor):
        @on(Tock)
        def keep(self, tock: Tock) -> None:
            keeps(int(limit * 2.5e6))
            kept.append(True)

    class Waits(Actor):
        @on(Tick)
        def tick(self, tick: Tick) -> None:
            self.ctx.publish(Tock(1))
            while not kept:
                time.sleep(0.001)
            for _ in range(20):
                time.sleep(limit / 100)
            self.ctx.publish(Note(tick.number, "", []))

    notes = rt.subscribe(Note)
    # Its own part takes a fifth of the limit, or longer on a busy machine.
    waits = Child("waits", Waits, stuck_after=limit, restart_when_stuck=True)
    rt.start(Supervisor(children=[Child("keeps", Keeps), waits], intensity=10))
    rt.publish(Tick(7))
    note = notes.recv(timeout=60)
    assert note is not None and note.number == 7
    assert rt.stats()["restarts"] == 0


def fills(ctx: mycelium.Context) -> None:
    ctx.runtime.subscribe(Note, capacity=1)
    keep = ctx.runtime.subscribe(Note, capacity=1)
    for number in range(100):
        ctx.publish(Note(number, "", []))
    keep.close()


def asks(ctx: mycelium.Context) -> None:
    ctx.runtime.ask("root/silent", Tock(0), Tock, timeout=3600)


def tells(ctx: mycelium.Context) -> None:
    for number in range(1_000_000):
        ctx.runtime.tell("root/silent", Tick(number))


def reads(ctx: mycelium.Context) -> None:
    ctx.runtime.subscribe(Note).recv()


async def sleeps(ctx: mycelium.Context) -> None:
    await asyncio.sleep(3600)


async def reads_in_a_loop(ctx: mycelium.Context) -> None:
    async for _ in ctx.runtime.subscribe(Note):
        pass


class Silent(Actor):
    """Answers when the test has ended."""

    go_on = threading.Event()

    @ask(Tock)
    def answer(self, query: Tock) -> Tock:
        self.go_on.wait(60)
        return query

    @on(Tick, direct=True)
    def tick(self, tick: Tick) -> None:
        self.go_on.wait(60)


@pytest.mark.parametrize("wait", [fills, asks, tells, reads, sleeps, reads_in_a_loop])
def test_a_wait_of_the_package_is_ended(rt, limit, wait: Callable[[mycelium.Context], Any]) -> None:  # type: ignore[no-untyped-def]
    reasons: list[str] = []

    class Waits(Actor):
        @on(Tock)
        def tock(self, tock: Tock) -> Any:
            return wait(self.ctx) if tock.number == 1 else self.ctx.publish(Tick(tock.number))

        def stopping(self, reason: str) -> None:
            reasons.append(reason)

    Silent.go_on.clear()
    ticks = rt.subscribe(Tick)
    waits = Child("waits", Waits, stuck_after=limit, restart_when_stuck=True)
    rt.start(Supervisor(children=[Child("silent", Silent), waits], intensity=10))
    rt.publish(Tock(1))
    rt.publish(Tock(2))
    heard = ticks.recv(timeout=30)
    Silent.go_on.set()
    assert heard is not None and heard.number == 2
    settle(lambda: rt.stats()["restarts"] >= 1)
    assert "stuck for" in reasons[0] and wait.__name__ in reasons[0], "its traceback says where it was"
