"""Supervision trees: what they are described with, and their handle."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from . import _actor, _native

if TYPE_CHECKING:
    from ._runtime import Runtime


@dataclass(slots=True)
class Backoff:
    """How long a supervisor waits before it restarts a child, in seconds: `initial`, then `multiplier` times
    as long each time, up to `cap`. `jitter` is the share that is random. After `reset_after` of health it
    begins anew."""

    initial: float = 0.1
    multiplier: float = 2.0
    cap: float = 30.0
    jitter: float = 0.0
    reset_after: float = 60.0


class Rust:
    """An actor or a service of Rust, by the name under which it was registered, with its arguments.

    It stands where a class of Python stands, in `Isolate.spawn` and in `Child`. The Rust program that embeds
    Python registers it, or an extension module, which is imported before mycelium. A FactoryError says which
    names there are, or which argument is wrong, when it is spawned or its tree is started.

    Arguments are None, bools, ints, floats, texts, and lists and dicts of those; arrays are lists.
    """

    __slots__ = ("arguments", "name")

    def __init__(self, name: str, /, **arguments: Any) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{name!r} is no name of an actor of Rust: give that by which it was registered")
        self.name = name
        self.arguments = arguments

    def __repr__(self) -> str:
        arguments = "".join(f", {name}={value!r}" for name, value in self.arguments.items())
        return f"Rust({self.name!r}{arguments})"


@dataclass(slots=True)
class Child:
    """An actor under a supervisor. Each life is `actor(*args, **kwargs)`, made anew; or an actor or a service
    of Rust, `Child("cross", Rust("cross", fast=5))`, on a thread of the runtime.

    `restart`: "permanent" (always), "transient" (after a failure) or "temporary" (never). `shutdown`: how
    many seconds it may take to stop; 0 kills it at once, None waits for ever. `attempts`: how often a message
    is tried on which a life ends, before it is a dead letter. `stuck_after`: it is reported when it makes no
    progress for so many seconds; with `restart_when_stuck` its method is interrupted and it is restarted as
    well.
    """

    id: str
    actor: type[_actor.Actor] | Rust
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    restart: str = "permanent"
    shutdown: float | None = 5.0
    backoff: Backoff | None = None
    attempts: int = 1
    stuck_after: float | None = None
    restart_when_stuck: bool = False
    significant: bool = False
    source: bool = False
    ready_when_told: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.actor, Rust) and (self.args or self.kwargs):
            raise TypeError(f"the arguments of {self.id!r} are those of an actor of Rust: give them to Rust({self.actor.name!r}, ..)")
        _check(self.id, self.actor, self.restart_when_stuck, self.stuck_after)


def _check(id: str, actor: Any, restart_when_stuck: bool, stuck_after: float | None) -> None:
    if not isinstance(actor, Rust) and not (isinstance(actor, type) and issubclass(actor, _actor.Actor)):
        raise TypeError(f"the actor of {id!r} is {actor!r}: give a subclass of mycelium.Actor, not an instance")
    if restart_when_stuck and stuck_after is None:
        raise ValueError(f"when is {id!r} stuck? give `stuck_after` with `restart_when_stuck`, in seconds")


@dataclass(slots=True)
class Pool:
    """Several actors of one class under a supervisor of their own: each message is handled by one of these
    `workers`, whether it comes from a topic, is told or asked at the path of the pool. Each worker has a
    thread, and is an instance of its own.

    `dispatch`: who gets a message: "round_robin" (each in turn) or "least_busy" (the one with the fewest
    messages in its mailbox). `keys`: by which field messages of a class go, such as `{Trade: "venue"}`: those
    of one key go to one worker, in their order. More than `intensity` restarts within `period` seconds end
    the pool. The others are those of a `Child`, for each worker.
    """

    id: str
    actor: type[_actor.Actor]
    args: Sequence[Any] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)
    workers: int = 1
    dispatch: str = "round_robin"
    keys: Mapping[type, str] = field(default_factory=dict)
    intensity: int = 1
    period: float = 5.0
    shutdown: float | None = 5.0
    backoff: Backoff | None = None
    attempts: int = 1
    stuck_after: float | None = None
    restart_when_stuck: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.actor, Rust):
            raise TypeError(f"the pool {self.id!r} has workers of Python, and not {self.actor!r}: give a subclass of mycelium.Actor")
        _check(self.id, self.actor, self.restart_when_stuck, self.stuck_after)
        if not 1 <= self.workers <= _WORKERS_MAX:
            raise ValueError(f"the pool {self.id!r} has {self.workers} workers: choose 1 to {_WORKERS_MAX}, each with a thread")


_WORKERS_MAX = 256


def _key_of(pool: str, cls: type, name: str) -> tuple[type, int, int]:
    """Where the field is by which a message of a pool goes: its first byte, and how many."""
    layout = getattr(cls, "DTYPE", None)
    if layout is None:
        raise TypeError(f"{cls.__name__} has no fixed size, so the pool {pool!r} has no key of it: give a field of one that has")
    places = zip(layout["names"], layout["formats"], layout["offsets"])
    whole = {name: (kind, offset) for name, kind, offset in places if isinstance(kind, str) and kind.lstrip("<")[0] in "ui"}
    if name not in whole:
        raise ValueError(
            f"{cls.__name__} has no integer {name!r} by which a message of the pool {pool!r} could go: choose one of"
            f" {', '.join(whole)}"
        )
    kind, offset = whole[name]
    return cls, offset, int(kind[-1])


@dataclass(slots=True)
class Supervisor:
    """A supervisor and its children, started in this order and stopped in reverse.

    `strategy`: which children are restarted when one ends: "one_for_one", "one_for_all" or "rest_for_one" (it
    and those after it). More than `intensity` restarts within `period` seconds end the supervisor, and its
    own supervisor decides.
    """

    id: str = "root"
    children: Sequence[Child | Pool | Supervisor] = ()
    strategy: str = "one_for_one"
    intensity: int = 1
    period: float = 5.0
    backoff: Backoff | None = None
    auto_shutdown: str = "never"
    seed: int = 0


class _Plan:
    """What the native half reads of a child or a pool: which it is, it tells by their attributes."""

    def __init__(self, runtime: Runtime, child: Child | Pool, lives: list[Any] | None) -> None:
        self._child = child
        self.rust: tuple[str, dict[str, Any]] | None = None
        if isinstance(child.actor, Rust):
            self.rust = child.actor.name, child.actor.arguments
            return
        self.factory = _actor.factory_of(runtime, child.actor, child.args, dict(child.kwargs), lives)
        keys = child.keys if isinstance(child, Pool) else {}
        self.key_fields = [_key_of(child.id, cls, name) for cls, name in keys.items()]
        self.handlers = [
            (handling.message_type, name, (handling.takes, handling.batch), handling.policy, handling.capacity)
            for name, handling in child.actor._handlings
        ]

    def __getattr__(self, name: str) -> Any:
        if name == "children":
            raise AttributeError(name)
        return getattr(self._child, name)


class _Plans:
    """What the native half reads of a supervisor."""

    def __init__(self, runtime: Runtime, supervisor: Supervisor) -> None:
        self._supervisor = supervisor
        self.children = [plan_of(runtime, child) for child in supervisor.children]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._supervisor, name)


def plan_of(runtime: Runtime, what: Child | Pool | Supervisor, lives: list[Any] | None = None) -> _Plan | _Plans:
    """`lives` is told of the actor of each life."""
    if isinstance(what, Supervisor):
        return _Plans(runtime, what)
    if isinstance(what, (Child, Pool)):
        return _Plan(runtime, what, lives)
    raise TypeError(f"{what!r} is no mycelium.Child, mycelium.Pool or mycelium.Supervisor")


# How long a thread waits before it looks for signals.
_SLICE_S = 0.02


class ChildInfo(NamedTuple):
    """A child of a running supervisor. `status`: "starting", "running", "restarting", "stopping", or
    "undefined" for one that has ended."""

    id: str
    is_supervisor: bool
    status: str


class Tree:
    """A running supervision tree. It goes on whatever becomes of this handle, until `shutdown` or until its
    runtime closes."""

    __slots__ = ("_native", "_root")

    def __init__(self, native: _native.Tree, root: str) -> None:
        self._native = native
        self._root = root

    def children(self, path: str | None = None) -> list[ChildInfo]:
        """The children of the supervisor at this path; of the root without one."""
        return [ChildInfo(*child) for child in self._native.children(path or self._root)]

    def terminate_child(self, path: str) -> None:
        """Stops the child at this path; it is not restarted."""
        self._native.terminate_child(path)

    def restart_child(self, path: str) -> None:
        """Starts the child at this path, which has ended, again."""
        self._native.restart_child(path)

    def shutdown(self, timeout: float = 5.0) -> None:
        """Ends the tree, its children in reverse order."""
        self._native.shut_down(timeout)

    def drain(self, timeout: float = 5.0) -> None:
        """Ends the tree and loses nothing that is queued: its sources stop first, the bus takes nothing more
        from publishers outside, actors go on until nothing waits for them, and then the children end in
        reverse order.

        The runtime takes what comes from outside again after `Runtime.resume_ingress`. A ShutdownError says
        what was left after
        `timeout` seconds; the tree has ended all the same.
        """
        self._native.drain(timeout)

    def wait(self, timeout: float = 0.0) -> str | None:
        """Why it has ended, if it has by then; `None` while it runs. Ctrl-C ends the wait."""
        deadline = time.monotonic() + timeout
        while True:
            left = max(deadline - time.monotonic(), 0.0)
            reason = self._native.end_reason(min(left, _SLICE_S))
            if reason is not None or left <= _SLICE_S:
                return reason

    def __repr__(self) -> str:
        return f"<mycelium.Tree {self._root}>"
