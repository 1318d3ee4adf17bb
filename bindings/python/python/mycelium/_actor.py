"""Actors: classes whose methods handle messages, one at a time, on a thread of their own."""

from __future__ import annotations

import asyncio
import inspect
import io
import logging
import random
from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass
from types import CoroutineType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

from . import _native, _records

if TYPE_CHECKING:
    from ._runtime import Runtime

F = TypeVar("F", bound=Callable[..., Any])
M = TypeVar("M")


def natural(name: str, number: int | None, most: int = (1 << 32) - 1) -> None:
    """Refuses what is no number of things."""
    if number is not None and not 0 <= number <= most:
        raise ValueError(f"{name} is {number}: choose a number from 0 to {most}")


SEED_MAX = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Handling:
    """What a decorator says of a method."""

    message_type: type
    takes: str
    batch: int = 0
    policy: str = "block"
    capacity: int | None = None


def _mark(handling: Handling) -> Callable[[F], F]:
    natural("capacity", handling.capacity)
    if not isinstance(handling.message_type, type):
        raise TypeError(
            f"{handling.message_type!r} is no message class: write @mycelium.on(Trade), with a class of your contract"
        )

    def mark(method: F) -> F:
        method.__dict__.setdefault("_mycelium", []).append(handling)
        return method

    return mark


def on(
    message_type: type, *, policy: str = "block", capacity: int | None = None, direct: bool = False
) -> Callable[[F], F]:
    """The method handles each message of this class: those of its topic, and those that are told to the
    actor.

    With `direct=True` it handles what is told alone. `policy` and `capacity` are those of
    `Runtime.subscribe`.
    """
    return _mark(Handling(message_type, "told" if direct else "each", 0, policy, capacity))


def on_batch(
    message_type: type, *, batch: int = 256, policy: str = "block", capacity: int | None = None
) -> Callable[[F], F]:
    """The method handles the messages of this class as arrays of numpy: those that are there, at most
    `batch`.

    If it raises, the messages of that array are not handled again, and those behind it are handled before the
    life ends. A life that ends hands out those that wait before `stopping`.
    """
    if batch < 1:
        raise ValueError(f"batch is {batch}: a batch has at least one record")
    return _mark(Handling(message_type, "batch", batch, policy, capacity))


def ask(message_type: type) -> Callable[[F], F]:
    """The method answers queries of this class: it returns a message. If it raises, whoever asked has the
    error."""
    return _mark(Handling(message_type, "query"))


class Timer:
    """A call that an actor has set for later."""

    __slots__ = ("_context", "_number")

    def __init__(self, context: Context, number: int) -> None:
        self._context = context
        self._number = number

    def cancel(self) -> None:
        """Calls it off. Harmless if it was called."""
        self._context._cancel(self._number)


class Watch:
    """An actor is watched: whoever watches is told of its end, by `Actor.down`."""

    __slots__ = ("_context", "_number", "path")

    def __init__(self, context: Context, number: int, path: str) -> None:
        self._context = context
        self._number = number
        # Whom it watches.
        self.path = path

    def cancel(self) -> None:
        """Ends the watch. Harmless if it has ended."""
        self._context._unwatch(self._number)

    def __repr__(self) -> str:
        return f"<mycelium.Watch of {self.path}>"


class Context:
    """What an actor does: it belongs to one life, and to the thread of its handlers.

    Timers, `stop` and `ready` take effect when the handler that calls them has returned.
    """

    __slots__ = ("_calls", "_loop", "_native", "_numbers", "_watches", "log", "publish", "random", "runtime")

    runtime: Runtime
    log: logging.Logger
    random: random.Random

    def __init__(self, native: _native.Context, runtime: Runtime, loop: Loop) -> None:
        self._native = native
        self._loop = loop
        # In an isolate it is a proxy of that, which has the methods of a Runtime that make sense there.
        self.runtime = runtime
        self.publish = runtime._publish_of(native)
        self.log = logging.getLogger(f"mycelium.{native.path.replace('/', '.')}")
        self.random = random.Random(native.seed)
        self._calls: dict[int, tuple[Callable[..., Any], tuple[Any, ...], bool]] = {}
        self._watches: dict[int, Watch] = {}
        # A timer of a life that has failed may come once more: no other life has its number.
        self._numbers = native.life << 32

    @property
    def path(self) -> str:
        """Its path in the tree, such as `root/signals`."""
        return self._native.path

    def now(self) -> int:
        """The time on the bus's clock, in nanoseconds since 1970."""
        return self._native.now()

    def publish_many(self, messages: Any, of: type | None = None, timeout: float | None = None) -> int:
        """As `Runtime.publish_many`."""
        return self.runtime.publish_many(messages, of, timeout)

    async def ask(self, path: str, query: Any, reply: type[M], timeout: float = 5.0) -> M:
        """The answer of the actor at this path, for `async` methods. The actor handles nothing else
        meanwhile.

        In an isolate the wait is one of virtual time, and `timeout` does not count.
        """
        return await self._loop.ask(self, path, query, reply, timeout)

    def schedule_after(self, seconds: float, call: Callable[..., Any], *args: Any) -> Timer:
        """Has `call(*args)` called between two messages, in `seconds`. It ends with this life, also where it
        has failed."""
        number = self._next(call, args, False)
        self._native.after(seconds, number)
        return Timer(self, number)

    def schedule_every(self, seconds: float, call: Callable[..., Any], *args: Any) -> Timer:
        """The same again and again."""
        number = self._next(call, args, True)
        self._native.every(seconds, number)
        return Timer(self, number)

    def watch(self, path: str) -> Watch:
        """Has `down(watch, reason)` called when the actor at this path has ended, from the moment on in which
        the handler has returned. A restart is no end. It ends with this life; of a pool its first worker is
        watched."""
        number = self._numbers + 1
        self.runtime._watch(self._native, path, number)
        self._numbers = number
        watch = self._watches[number] = Watch(self, number, path)
        return watch

    def stop(self) -> None:
        """Ends the actor, normally."""
        self._native.stop()

    def ready(self) -> None:
        """Says that it has started, where its `Child` says `ready_when_told`."""
        self._native.ready()

    def _next(self, call: Callable[..., Any], args: tuple[Any, ...], repeats: bool) -> int:
        if not callable(call):
            raise TypeError(f"{call!r} cannot be called: write schedule_after(seconds, self.method, argument)")
        self._numbers += 1
        self._calls[self._numbers] = (call, args, repeats)
        return self._numbers

    def _cancel(self, number: int) -> None:
        if self._calls.pop(number, None) is not None:
            self._native.cancel(number)

    def _unwatch(self, number: int) -> None:
        if self._watches.pop(number, None) is not None:
            self._native.unwatch(number)

    def _fire(self, number: int) -> Any:
        found = self._calls.get(number)
        if found is None:
            return None
        call, args, repeats = found
        if not repeats:
            del self._calls[number]
        return call(*args)

    def __repr__(self) -> str:
        return f"<mycelium.Context of {self.path}>"


def _marks_of(cls: type, name: str) -> Iterable[Handling]:
    """What is said of a method: a class that overrides it without a word has what the next one above it
    says."""
    if inspect.getattr_static(cls, name, None) is None:
        return ()
    said = (getattr(vars(base).get(name), "_mycelium", None) for base in cls.__mro__)
    return next((marks for marks in said if marks), ())


class Actor:
    """An actor: subclass it, and mark methods with `on`, `on_batch` and `ask`. Methods may be `async`.

    Each life is a new instance, made on the actor's own thread, with `self.ctx` set before `__init__`. An
    exception in a handler ends the life, with its traceback as the reason, and the supervisor decides whether
    there is another one.
    """

    ctx: Context
    _handlings: ClassVar[tuple[tuple[str, Handling], ...]] = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        found: dict[tuple[type, bool], tuple[str, Handling]] = {}
        names = dict.fromkeys(name for base in reversed(cls.__mro__) for name in vars(base))
        for name in names:
            for handling in _marks_of(cls, name):
                key = (handling.message_type, handling.takes == "query")
                if key in found:
                    raise TypeError(
                        f"{cls.__name__}.{found[key][0]} and {cls.__name__}.{name} handle {handling.message_type.__name__}:"
                        " one method handles a message class"
                    )
                found[key] = (name, handling)
        cls._handlings = tuple(found.values())

    def started(self) -> Any:
        """Before the first message of a life."""

    def stopping(self, reason: str) -> Any:
        """After the last message of a life that was told to stop, or has failed."""

    def down(self, watch: Watch, reason: str) -> Any:
        """The actor at `watch.path`, which this one watches with `self.ctx.watch`, has ended, and why."""


def factory_of(
    runtime: Runtime, cls: type[Actor], args: Iterable[Any], kwargs: dict[str, Any], lives: list[Any] | None = None
) -> Callable[[_native.Context], tuple[Actor, dict[str, Callable[..., Any]]]]:
    """Makes one life: the actor, and its methods as the native half calls them. `lives` is where others find
    it."""
    positional = tuple(args)

    def make(native: _native.Context) -> tuple[Actor, dict[str, Callable[..., Any]]]:
        loop = runtime._loop_of(native)
        context = Context(native, runtime, loop)
        actor = cls.__new__(cls)
        actor.ctx = context
        if lives is not None:
            lives[:] = [actor]
        actor.__init__(*positional, **kwargs)  # type: ignore[misc]

        def down(number: int, reason: str) -> Any:
            watch = context._watches.pop(number, None)
            return None if watch is None else actor.down(watch, reason)

        methods: dict[str, Callable[..., Any]] = {
            "started": loop.awaited(actor.started),
            "stopping": _closing(loop.awaited(actor.stopping), loop),
            "_fire": loop.awaited(context._fire),
            "_down": loop.awaited(down),
            "_resumed": loop.resumed,
            "_wake": loop.wake,
        }
        for name, handling in cls._handlings:
            method = loop.awaited(getattr(actor, name))
            methods[name] = _records_in(method, handling) if handling.takes == "batch" else method
        return actor, methods

    return make


def _records_in(method: Callable[..., Any], handling: Handling) -> Callable[[bytes], Any]:
    import numpy

    dtype = _records.dtype_of(handling.message_type)
    return lambda records: method(numpy.frombuffer(records, dtype))


def _closing(stopping: Callable[..., Any], loop: Loop) -> Callable[[str], None]:
    def stop(reason: str) -> None:
        try:
            stopping(reason)
        finally:
            loop.stopped()

    return stop


# How many turns of the event loop a task has to clean up in that was given up.
_LAST_TURNS = 100


class Loop:
    """Runs what is `async` to its end, on the actor's thread: the actor handles nothing else meanwhile."""

    __slots__ = ("_loop",)

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None

    def awaited(self, method: Callable[..., Any]) -> Callable[..., Any]:
        # What it returns says whether it is `async`: a decorator may hide that of the function.
        def call(*args: Any) -> Any:
            made = method(*args)
            return self.run(made) if type(made) is CoroutineType else made

        return call

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
        task = self._loop.create_task(work)
        try:
            return self._loop.run_until_complete(task)
        except BaseException as error:
            if not task.done():
                self._abandon(self._loop, task, error)
            raise

    def _abandon(self, loop: asyncio.AbstractEventLoop, task: asyncio.Task[Any], error: BaseException) -> None:
        """Gives a task some turns to clean up in, where the loop has ended before it."""
        where = io.StringIO()
        task.print_stack(file=where)
        error.add_note(where.getvalue())
        task.cancel()
        for _ in range(_LAST_TURNS):
            if task.done():
                break
            loop.call_soon(loop.stop)
            loop.run_forever()

    def wake(self) -> None:
        """Has it look for what another thread has raised: called by that one, where it may wait in C."""
        loop = self._loop
        if loop is not None and not loop.is_closed():
            loop.call_soon_threadsafe(int)

    async def ask(self, context: Context, path: str, query: Any, reply: type[M], timeout: float) -> M:
        """Asks for an actor, which waits for the answer."""
        return context.runtime.ask(path, query, reply, timeout)

    def resumed(self, answer: Any) -> Any:
        """Goes on: in isolates alone."""
        raise RuntimeError("nothing has paused")

    def stopped(self) -> None:
        """The life has ended."""
        if self._loop is not None:
            self._loop.close()
            self._loop = None
