"""Isolates: actors in virtual time, on the thread that runs them, the same in every run."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast, overload

from . import _native, _records
from ._actor import SEED_MAX, Actor, natural
from ._closing import Closing
from ._contract import ContractSource, check_digest, load
from ._runtime import Runtime, answer_of
from ._tree import Child, ChildInfo, Rust, Supervisor, plan_of
from ._virtual import VirtualLoop
from .errors import BusyError

if TYPE_CHECKING:
    from ._records import Records

A = TypeVar("A", bound=Actor)
M = TypeVar("M")


class Isolate(Closing):
    """A bus whose actors run on the calling thread, in the order of its messages, in virtual time.

    The same messages and the same `seed` give the same results. Time moves to the next timer when nothing
    else is left to do, and takes none of yours. `start` is where its clock begins, in nanoseconds since 1970.

    It belongs to the thread that has made it. What it holds is let go by `close`, by the end of its `with`
    block, or with the last reference to it, on that thread.
    """

    def __init__(
        self,
        contract: ContractSource,
        *,
        seed: int = 0,
        start: int = 0,
        schema_digest: int | None = None,
        validate: bool = True,
    ) -> None:
        natural("seed", seed, SEED_MAX)
        loaded = load(contract)
        check_digest(loaded, schema_digest)
        self._begin(_native.Isolate(loaded, seed, start, validate), loaded)

    def _begin(self, native: _native.Isolate, contract: _native.Contract) -> None:
        self._native = native
        self._names: dict[str, int] = {}
        self._layouts: dict[type, tuple[Any, list[tuple[int, int]]]] = {}
        self.contract = contract

    @overload
    def spawn(self, actor: type[A], *args: Any, **kwargs: Any) -> Spawned[A]: ...

    @overload
    def spawn(self, actor: Rust) -> Spawned[Any]: ...

    def spawn(self, actor: type[Actor] | Rust, *args: Any, **kwargs: Any) -> Spawned[Any]:
        """Adds an actor outside of all trees: `actor(*args, **kwargs)`, made when the isolate runs next; or
        one of Rust by its name, made at once.

        What it raises ends the run with a RunError.
        """
        kind = actor.name if isinstance(actor, Rust) else actor.__name__
        count = self._names.get(kind, 0) + 1
        name = kind if count == 1 else f"{kind}-{count}"
        lives: list[Any] | None = None if isinstance(actor, Rust) else []
        plan = plan_of(cast(Runtime, weakref.proxy(self)), Child(name, actor, args, kwargs), lives)
        self._native.spawn(name, plan)
        self._names[kind] = count
        return Spawned(name, lives)

    def start(self, supervisor: Supervisor) -> IsolateTree:
        """Starts a supervision tree, and runs until all its children run."""
        if not isinstance(supervisor, Supervisor):
            raise TypeError(f"{supervisor!r} is no mycelium.Supervisor: put your Child into one, or use spawn(YourActor)")
        plan = plan_of(cast(Runtime, weakref.proxy(self)), supervisor)
        return IsolateTree(self, self._native.start_tree(plan), supervisor.id)

    def publish(self, message: Any, timeout: float | None = None) -> None:
        """Publishes a message. It is handled when the isolate runs.

        A handler's messages go out when it has returned; while a queue is full, its actor waits. `timeout` is
        that of a Runtime, and does not count.
        """
        self._native.publish(message)

    def publish_many(
        self,
        messages: Records | Iterable[Any],
        of: type | None = None,
        timeout: float | None = None,
        *,
        at: str | None = None,
    ) -> int:
        """Publishes all messages of an iterable, or all records of a numpy array of the class `of`; how many.

        Called between two runs it handles what waits whenever that is too much. With `at`, the name of a
        Timestamp field, the isolate runs to the time of each message before it: that is how recorded data is
        replayed.
        """
        if hasattr(messages, "dtype"):
            if of is None:
                raise TypeError(
                    "an array does not say which messages it holds: write publish_many(array, of=Trade), with your class"
                )
            return self._publish_array(messages, of, at)
        count = 0
        for message in messages:
            if at is not None:
                self._native.run_until(int(getattr(message, at)), True)
            self._publish_one(message, of)
            count += 1
        return count

    def _publish_one(self, message: Any, of: type | None) -> None:
        from .errors import FullError

        for last in (False, True):
            try:
                if of is not None and isinstance(message, bytes):
                    self._native.publish_value(of, message)
                else:
                    self._native.publish(message)
                return
            except FullError:
                if last:
                    raise
                self._native.run_until(self.now(), True)

    def _publish_array(self, array: Any, of: type, at: str | None) -> int:
        if of not in self._layouts:
            dtype = _records.dtype_of(of)
            self._layouts[of] = (dtype, _records.blank_of(dtype))
        dtype, blank = self._layouts[of]
        offset: int | None = None
        if at is not None:
            field = dtype.fields.get(at)
            if field is None or field[0].itemsize != 8 or field[0].kind not in "iM":
                raise ValueError(f"{of.__name__} has no Timestamp field {at!r}: name the one by which it is replayed")
            offset = field[1]
        return self._native.publish_records(of, _records.as_bytes(array, of, dtype), blank, offset)

    def publisher(self, message_type: type[M]) -> IsolatePublisher[M]:
        """A publisher of messages of this class, as a Runtime has it."""
        return IsolatePublisher(self, message_type)

    def tell(self, path: str | Spawned[Any], message: Any) -> None:
        """Puts a message into the mailbox of an actor. It is handled when the isolate runs."""
        self._native.tell(_path_of(path), message)

    def ask(self, path: str | Spawned[Any], query: Any, reply: type[M], timeout: float | None = None) -> M:
        """Asks an actor, and handles messages, without moving the clock, until it has answered."""
        path = _path_of(path)
        return answer_of(path, self._native.ask(path, query), reply)

    def _publish_of(self, native: _native.Context) -> Callable[..., None]:
        return native.publish

    def _loop_of(self, native: _native.Context) -> VirtualLoop:
        return VirtualLoop(native)

    def _watch(self, native: _native.Context, path: str, number: int) -> None:
        self._native.watch_at(native, path, number)

    def run(self) -> None:
        """Handles messages and timers until nothing is left to do.

        A RunError says which actor failed, or waits for what cannot come, or that there is no end: an actor
        with `schedule_every` always has something left to do, so use `run_for` or `run_until` there.
        """
        self._native.run()

    def run_for(self, seconds: float) -> None:
        """Handles messages and timers for so long on the isolate's clock."""
        if not 0 <= seconds < 1e9:
            raise ValueError(f"a time is a number of seconds from 0 on, and not {seconds}")
        self._native.run_until(self.now() + round(seconds * 1e9))

    def run_until(self, now: int) -> None:
        """The same until the clock shows this, in nanoseconds since 1970."""
        self._native.run_until(now)

    def now(self) -> int:
        """The time on the isolate's clock, in nanoseconds since 1970."""
        return self._native.now()

    def record(self, message_type: type[M]) -> Recorder[M]:
        """Records each message of this class that is published from now on."""
        return Recorder(self._native.record([message_type]), message_type)

    def stats(self) -> dict[str, int]:
        """What it has counted: `now`, `events`, `resumptions`, `unheard` (nobody had subscribed),
        `dead_letters`, `retried`."""
        return self._native.stats()

    def limit_events(self, most: int) -> None:
        """Ends runs with a RunError after so many messages and timers in all; see docs/sweeps.md for what
        holds without it."""
        self._native.limit_events(most)

    def shutdown(self) -> None:
        """Shuts the trees down and ends all actors: their `stopping` is called."""
        self._native.shut_down()

    def close(self) -> None:
        """Lets go of all it holds; `stopping` is not called. A second call does nothing."""
        self._native.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._native.closed

    def __repr__(self) -> str:
        return f"<mycelium.Isolate of {self.contract.origin}>"


def _path_of(path: str | Spawned[Any]) -> str:
    return path.path if isinstance(path, Spawned) else path


class Spawned(Generic[A]):
    """An actor that was spawned in an isolate."""

    __slots__ = ("_lives", "path")

    def __init__(self, path: str, lives: list[Any] | None) -> None:
        self.path = path
        self._lives = lives

    @property
    def actor(self) -> A:
        """The actor itself, to look at between two runs. It is made when the isolate runs first."""
        if self._lives is None:
            raise TypeError(f"{self.path} is an actor of Rust, which Python cannot look into: record what it publishes")
        if not self._lives:
            raise BusyError(f"{self.path} has not begun: run the isolate first")
        actor: A = self._lives[-1]
        return actor

    def __repr__(self) -> str:
        return f"<mycelium.Spawned {self.path}>"


class IsolatePublisher(Generic[M]):
    """Publishes messages of one class in an isolate."""

    __slots__ = ("_isolate", "message_type")

    def __init__(self, isolate: Isolate, message_type: type[M]) -> None:
        self._isolate = isolate
        self.message_type = message_type

    def publish(self, message: M | bytes, timeout: float | None = None) -> None:
        """As `Isolate.publish`; bytes are a value that is encoded already."""
        if isinstance(message, bytes):
            self._isolate._native.publish_value(self.message_type, message)
        else:
            self._isolate.publish(message)

    def publish_many(self, messages: Records | Iterable[M | bytes], timeout: float | None = None) -> int:
        """As `Isolate.publish_many`."""
        return self._isolate.publish_many(messages, self.message_type)


class IsolateTree:
    """A supervision tree of an isolate."""

    __slots__ = ("_isolate", "_root", "_tree")

    def __init__(self, isolate: Isolate, tree: _native.IsolateTree, root: str) -> None:
        self._isolate = isolate
        self._tree = tree
        self._root = root

    def children(self, path: str | None = None) -> list[ChildInfo]:
        """The children of the supervisor at this path; of the root without one."""
        return [ChildInfo(*child) for child in self._isolate._native.children(self._tree, path or self._root)]

    def terminate_child(self, path: str) -> None:
        """Stops the child at this path; it is not restarted."""
        self._isolate._native.terminate_child(self._tree, path)

    def restart_child(self, path: str) -> None:
        """Starts the child at this path, which has ended, again."""
        self._isolate._native.restart_child(self._tree, path)

    def drain(self, timeout: float = 5.0) -> None:
        """Ends the tree when all that waits was handled, as `Tree.drain`; `timeout` is in seconds of virtual
        time."""
        self._isolate._native.drain(self._tree, timeout)

    def end_reason(self) -> str | None:
        """Why it has ended, if it has."""
        return self._tree.end_reason()

    def __repr__(self) -> str:
        return f"<mycelium.IsolateTree {self._root}>"


class Recorder(Generic[M]):
    """The messages of one class, in the order in which they were published."""

    __slots__ = ("_message_type", "_native", "_next", "_seen")

    def __init__(self, native: _native.Recorder, message_type: type[M]) -> None:
        self._native = native
        self._message_type = message_type
        self._next: list[M] = []
        self._seen: list[M] = []

    def _look(self) -> list[M]:
        self._next.extend(self._native.take())
        return self._next

    def take(self) -> list[M]:
        """All that nobody has taken or expected yet."""
        taken, self._next = self._look(), []
        self._see(taken)
        return taken

    def take_array(self) -> Records:
        """The same as an array of numpy, for classes of fixed size: many times as fast as `take`."""
        import numpy

        dtype = _records.dtype_of(self._message_type)
        before = b"".join(message.encode() for message in self._next)  # type: ignore[attr-defined]
        self._next = []
        return numpy.frombuffer(before + self._native.take_records(), dtype)

    def try_next(self) -> M | None:
        """The next one if there is one."""
        if not self._look():
            return None
        message = self._next.pop(0)
        self._see([message])
        return message

    def expect(self, *expected: M) -> None:
        """The next ones are these. Otherwise it is an AssertionError, which shows both, and those before."""
        name = self._message_type.__name__
        for want in expected:
            if not self._look():
                raise AssertionError(f"expected the next {name} to be\n  {want!r}, but none has come{self._before()}")
            if self._next[0] != want:
                raise AssertionError(
                    f"expected the next {name} to be\n  {want!r}, but it is\n  {self._next[0]!r}{self._before()}"
                )
            self.try_next()

    def expect_none(self) -> None:
        """There are no more."""
        if self._look():
            count = len(self._next)
            raise AssertionError(
                f"expected no more {self._message_type.__name__}, but {count} came; the first is\n  {self._next[0]!r}{self._before()}"
            )

    def _see(self, messages: list[M]) -> None:
        self._seen = [*self._seen, *messages[-_SHOWN_MAX:]][-_SHOWN_MAX:]

    def _before(self) -> str:
        return f"\n  the ones before it, the last at the end: {self._seen!r}" if self._seen else ""

    def __len__(self) -> int:
        return len(self._look())

    def __iter__(self) -> Iterator[M]:
        """Those that nobody has taken yet; they are taken."""
        return iter(self.take())

    def __repr__(self) -> str:
        return f"<mycelium.Recorder of {len(self)} {self._message_type.__name__}>"


_SHOWN_MAX = 5
