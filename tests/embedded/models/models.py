"""The actors of the tests."""

from __future__ import annotations

import ctypes
import gc
import logging
import os
import sys
import threading
import time
import weakref

import mycelium
import messages
from messages import Tick, Told, Words
from mycelium import Actor, _actor, ask, on

# The tests look at the reasons of ends; thousands of tracebacks would hide what they print.
logging.getLogger("mycelium").addHandler(logging.NullHandler())

lives: weakref.WeakSet[Actor] = weakref.WeakSet()


class Model(Actor):
    """Answers each tick; fails at what is below zero."""

    def __init__(self, by: str = "model") -> None:
        lives.add(self)
        self.itself = self
        self.by = by
        self.handled = 0

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        if tick.number == -2:
            sys.exit("it wants to end the process")
        if tick.number == -3:
            raise KeyboardInterrupt
        if tick.number < 0:
            self.fails(tick.number)
        self.handled += 1
        self.ctx.publish(Told(tick.number, self.by))

    def fails(self, number: int) -> None:
        raise ValueError(f"{number} is no number to work on")

    @ask(Words)
    def words(self, query: Words) -> Words:
        if query.text == "runtime":
            found = self.ctx.runtime is mycelium.host(query_name(self.ctx.runtime))
            return Words(f"{found}")
        if query.text == "thread":
            return Words(f"{threading.get_ident()}")
        return Words(f"{self.handled} by {self.by}: {query.text}")


def query_name(runtime: mycelium.Runtime) -> str:
    from mycelium import _host

    return next(name for name, known in _host._programs.items() if known is runtime)


class Retries(Model):
    """Fails at a number the first time."""

    seen: set[int] = set()

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        if tick.number not in Retries.seen:
            Retries.seen.add(tick.number)
            self.fails(tick.number)
        self.ctx.publish(Told(tick.number, self.by))


class Slow(Model):
    """Takes its time, outside of Python."""

    @on(Tick, capacity=64)
    def tick(self, tick: Tick) -> None:
        time.sleep(0.005)
        self.ctx.publish(Told(tick.number, "slow"))


class Stuck(Model):
    """Waits at a number until it is set free."""

    free = False
    waiting = 0

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        Stuck.waiting += 1
        while tick.number == 13 and not Stuck.free:
            time.sleep(0.001)
        self.ctx.publish(Told(tick.number, "stuck"))


class Pooled(Model):
    """Tells which worker of its pool it is; waits at 13 until it is set free."""

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        if tick.number < 0:
            self.fails(tick.number)
        while tick.number == 13 and not Stuck.free:
            time.sleep(0.001)
        self.ctx.publish(Told(tick.number, self.worker()))

    def worker(self) -> str:
        return self.ctx.path.rsplit("/", 1)[-1]

    @ask(Words)
    def words(self, query: Words) -> Words:
        return Words(f"{query.text} {self.worker()}")


class Deep(Model):
    """Recurses without end below zero, through a function of C, whose frames are large."""

    def fails(self, number: int) -> None:
        sorted([number], key=self.fails)


class Hangs(Model):
    """Never returns from 13; reads from a pipe above a hundred, and leaves Python to others meanwhile."""

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        while tick.number == 13:
            pass
        if tick.number > 100:
            os.read(tick.number - 100, 1)
        self.ctx.publish(Told(tick.number, "hangs"))

    @ask(Words)
    def words(self, query: Words) -> Words:
        while query.text == "hang":
            pass
        return query


class Ended:
    """Counts the methods that were ended: the loop of an actor is woken once its exception is set."""

    calls = 0
    wake = _actor.Loop.wake

    def noted(loop: _actor.Loop) -> None:
        Ended.wake(loop)
        Ended.calls += 1

    _actor.Loop.wake = noted  # type: ignore[method-assign]


class Keeps(Model):
    """Reads from a pipe, and keeps the lock of the interpreter meanwhile."""

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        ctypes.PyDLL(None).read(tick.number, ctypes.create_string_buffer(1), 1)
        self.ctx.publish(Told(tick.number, "kept"))


class Hosted(Model):
    """Tells the name of its host."""

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        self.ctx.publish(Told(tick.number, query_name(self.ctx.runtime)))


class Asks(Actor):
    """Asks a Rust actor."""

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        answer = self.ctx.runtime.ask("rust", Words(str(tick.number)), Words)
        self.ctx.publish(Told(tick.number, answer.text))


class Foreign(Actor):
    """Its messages are of another version of the contract."""


class Old(Tick):
    DIGEST = 1


Foreign.tick = on(Old)(lambda self, tick: None)
Foreign.tick.__name__ = "tick"
Foreign.__init_subclass__.__func__(Foreign)

not_an_actor = 3


def hear(name: str, into: list[int]) -> mycelium.Callback:
    """What any module does with the bus of the program."""
    return mycelium.host(name).subscribe(Told, lambda told: into.append(told.number))


def publish(name: str, number: int) -> None:
    mycelium.host(name).publish(Tick(number))


def asks_pool(name: str) -> str:
    """Tells and asks a pool, as any module does."""
    mycelium.host(name).tell("root/pool", Tick(1_000))
    return mycelium.host(name).ask("root/pool", Words("python asks"), reply=Words).text


def watch(name: str) -> weakref.ref[mycelium.Runtime]:
    return weakref.ref(mycelium.host(name))


def start_stuck(name: str, trees: int) -> None:
    """Starts trees of its own on the bus of the program, with an actor each that will not end."""
    Stuck.free, Stuck.waiting = False, 0
    for number in range(trees):
        child = mycelium.Child("stuck", Stuck, shutdown=0.01)
        mycelium.host(name).start(mycelium.Supervisor(f"stuck-{number}", [child]))


def stuck() -> int:
    """How many messages an actor has begun to wait at since then."""
    return Stuck.waiting


def ended() -> int:
    """How many calls of methods were ended."""
    return Ended.calls


def living() -> int:
    """How many instances of actors there are."""
    gc.collect()
    return len(lives)


def attached() -> int:
    from mycelium import _threads

    return len(_threads.alive)


def multiplied(_: str) -> list[tuple[int, str]]:
    """Numbers that an actor of Rust has worked on in an isolate."""
    with mycelium.Isolate(messages) as isolate:
        tolds = isolate.record(Told)
        isolate.spawn(mycelium.Rust("multiplies", times=7, by="isolate"))
        isolate.publish_many([Tick(3), Tick(5)])
        isolate.run()
        return [(told.number, told.by) for told in tolds.take()]


def starts_multiplies(name: str) -> list[tuple[int, str]]:
    """Starts it in a tree of this bus."""
    multiplies = mycelium.Child("multiplies", mycelium.Rust("multiplies", times=3, by="tree"))
    mycelium.host(name).start(mycelium.Supervisor("named", [multiplies]))
    return []
