"""Methods that do not return."""

from __future__ import annotations

import os
import sys
import threading
import time

import mycelium
import pytest
from desk import Tick, Tock
from mycelium import Actor, Child, Supervisor, ask, on
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


def child(**more: object) -> Supervisor:
    Hangs.lives = []
    hangs = Child("hangs", Hangs, stuck_after=0.05, **more)  # type: ignore[arg-type]
    return Supervisor(children=[hangs], intensity=10, period=60.0)


def test_an_endless_loop_is_ended_and_the_actor_restarted(rt, caplog) -> None:  # type: ignore[no-untyped-def]
    tocks = rt.subscribe(Tock)
    rt.start(child(restart_when_stuck=True))
    thread = rt.ask("root/hangs", Tock(0), reply=Tock)
    for number in (13, 1, 13, 2):
        rt.publish(Tick(number))
    assert [tocks.recv(timeout=60).number for _ in range(2)] == [1, 2]
    settle(lambda: rt.stats()["restarts"] == 2)
    (reason,) = Hangs.lives[0].reasons
    assert "stuck for" in reason and "from topic desk.ticks, whose handler keeps its thread" in reason
    assert "while tick.number == 13" in reason or "pass" in reason, "its traceback says where it was"
    assert rt.ask("root/hangs", Tock(0), reply=Tock) == thread, "on the thread that it had"
    failed = [record for record in caplog.records if "has failed" in record.message]
    assert len(failed) == 2 and all("root/hangs" in record.message for record in failed)


def test_a_wait_outside_of_python_is_reported_and_ends_when_it_is_over(rt) -> None:  # type: ignore[no-untyped-def]
    reads, writes = os.pipe()
    tocks = rt.subscribe(Tock)
    tree = rt.start(child(restart_when_stuck=True))
    rt.publish(Tick(100 + reads))
    rt.publish(Tick(1))
    time.sleep(0.3)
    assert tocks.try_recv() is None and tree.children()[0].status == "running" and len(Hangs.lives) == 1
    os.write(writes, b"!")
    assert tocks.recv(timeout=60).number == 1
    assert "stuck for" in Hangs.lives[0].reasons[0] and len(Hangs.lives) == 2


def test_an_exception_that_came_too_late_is_gone(rt) -> None:  # type: ignore[no-untyped-def]
    """It is set while a method waits in C, in its last call; nothing that runs later has it, nor looks for it."""
    kept = []

    class Late(Actor):
        tick = on(Tick)(lambda self, tick: kept.append(1) or os.read(tick.number, 1))

    reads, writes = os.pipe()
    rt.start(Supervisor(children=[Child("late", Late, stuck_after=0.05, restart_when_stuck=True)]))
    rt.publish(Tick(reads))
    time.sleep(0.3)
    os.write(writes, b"!")
    settle(lambda: rt.stats()["restarts"] == 1)
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


def test_without_a_restart_it_is_only_reported(rt) -> None:  # type: ignore[no-untyped-def]
    reads, writes = os.pipe()
    tocks = rt.subscribe(Tock)
    rt.start(child())
    rt.publish(Tick(100 + reads))
    time.sleep(0.3)
    os.write(writes, b"!")
    assert tocks.recv(timeout=60).number == 100 + reads, "it goes on as if nothing had been"
    assert rt.stats()["restarts"] == 0


def test_a_restart_needs_a_time() -> None:
    with pytest.raises(ValueError, match="give `stuck_after`"):
        Child("hangs", Hangs, restart_when_stuck=True)
