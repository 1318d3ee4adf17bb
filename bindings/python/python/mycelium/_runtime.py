"""The runtime: a bus in this process."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # Before this module has a say in the exit: see its end.
import os
import sys
import threading
import weakref
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from . import _log, _native, _threads
from ._actor import Loop, natural
from ._closing import Closing
from ._contract import ContractSource, check_digest, load
from ._publisher import Publisher
from ._subscription import ArraySubscription, Subscription
from ._tree import Supervisor, Tree, plan_of
from .errors import ActorError, ShutdownError
from ._log import logger

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._records import Records

M = TypeVar("M")

_CLOSE_LIMIT_S = 5.0
_END_LIMIT_S = 1.0


class Runtime(Closing, _native.Runtime):
    """A bus with its threads, in this process.

    `contract` is the path of a contracts.yaml, the package that `mycelium gen --lang python` has written, or
    what `load_contract` returned. `schema_digest` is that package's SCHEMA_DIGEST: another contract is
    refused then. `threads` run the actors of Rust; `topic_capacity` is the capacity of a subscription that
    names none, in messages. With `validate=False`, `publish` does not check the rules of the contract.
    `switch_interval` is `sys.setswitchinterval`, of the whole process: how long one Python thread may delay
    the others, in seconds.

    `topology_path` is the path of a topology.toml, and `service_name` which node of it this process is, or a
    service that runs there: messages travel to and from the other processes of the file then. A TopologyError
    says what is wrong with it.

    Use it as a context manager, or call `close`. Every method may be called from any thread.
    """

    def __new__(
        cls,
        contract: ContractSource,
        *,
        schema_digest: int | None = None,
        threads: int = 1,
        topic_capacity: int | None = None,
        validate: bool = True,
        switch_interval: float | None = None,
        topology_path: str | os.PathLike[str] | None = None,
        service_name: str | None = None,
    ) -> Self:
        topology = _topology(topology_path, service_name)
        natural("threads", threads)
        natural("topic_capacity", topic_capacity)
        loaded = load(contract)
        check_digest(loaded, schema_digest)
        if switch_interval is not None:
            sys.setswitchinterval(switch_interval)
        _log.follow()
        self = super().__new__(cls, loaded, threads, topic_capacity, validate, topology)
        _open.add(self)
        return self

    @classmethod
    def from_topology(
        cls, path: str | os.PathLike[str], name: str, contract: ContractSource, **options: Any
    ) -> Self:
        """The runtime of the process that a topology describes under this name: of a node, or of a service
        that runs there. It listens when this returns, and dials from then on: processes may start in any
        order. `options` are those of `Runtime`.
        """
        return cls(contract, topology_path=path, service_name=name, **options)

    @classmethod
    def _of_program(cls, program: _native.Program) -> Self:
        """Over the bus of the Rust program that embeds this interpreter."""
        self = super().__new__(cls, program, 1, None, True)
        _open.add(self)
        return self

    def publisher(self, message_type: type[M]) -> Publisher[M]:
        """A publisher of messages of this class."""
        return Publisher(self.publisher_of(message_type))

    def publish_many(
        self, messages: Records | Iterable[Any], of: type | None = None, timeout: float | None = None
    ) -> int:
        """Publishes all messages of an iterable, or all records of a numpy array of the class `of`; how
        many."""
        if of is None and hasattr(messages, "dtype"):
            raise TypeError(
                "an array does not say which messages it holds: write publish_many(array, of=Trade), with your class"
            )
        if of is not None:
            return self.publisher(of).publish_many(messages, timeout)
        count = 0
        for message in messages:
            self.publish(message, timeout)
            count += 1
        return count

    @overload
    def subscribe(
        self, message_type: type[M] | tuple[type[M], ...], *, policy: str = ..., capacity: int | None = ...
    ) -> Subscription[M]: ...

    @overload
    def subscribe(
        self,
        message_type: type[M] | tuple[type[M], ...],
        callback: Callable[[M], object],
        *,
        raw: Literal[False] = ...,
        policy: str = ...,
        capacity: int | None = ...,
    ) -> _native.Callback: ...

    @overload
    def subscribe(
        self,
        message_type: type[Any] | tuple[type[Any], ...],
        callback: Callable[[bytes], object],
        *,
        raw: Literal[True],
        policy: str = ...,
        capacity: int | None = ...,
    ) -> _native.Callback: ...

    def subscribe(
        self,
        message_type: type[Any] | tuple[type[Any], ...],
        callback: Callable[[Any], object] | None = None,
        *,
        raw: bool = False,
        policy: str = "block",
        capacity: int | None = None,
    ) -> Subscription[Any] | _native.Callback:
        """The messages of a class, or of several in the order of the bus, from now on.

        Without a callback it is a `Subscription` to read. With one, the callback is called with each message,
        on the one thread that calls all callbacks of this runtime, until the result is closed; with
        `raw=True` with the encoded value. What a callback raises is logged and counted.

        `policy` says what happens when `capacity` messages wait: "block" keeps publishers waiting,
        "drop_oldest" and "drop_newest" drop and count, "fail" gives the publisher a FullError.
        """
        natural("capacity", capacity)
        classes = list(message_type) if isinstance(message_type, tuple) else [message_type]
        if callback is None:
            if raw:
                raise ValueError("raw is for callbacks: pass a callback, or leave it out")
            return Subscription(self.subscription_to(classes, policy, capacity))
        if not callable(callback):
            raise TypeError(f"{callback!r} cannot be called: give a function of one message")
        made = self.callback_on(classes, callback, raw, policy, capacity)
        _working.add(self)
        return made

    def subscribe_array(
        self, message_type: type, *, batch: int = 256, policy: str = "block", capacity: int | None = None
    ) -> ArraySubscription:
        """The messages of a class of fixed size as arrays of numpy, at most `batch` records each."""
        if batch < 1:
            raise ValueError(f"batch is {batch}: a batch has at least one record")
        natural("capacity", capacity)
        return ArraySubscription(self.subscription_to([message_type], policy, capacity), message_type, batch)

    def start(self, supervisor: Supervisor) -> Tree:
        """Starts a supervision tree, and waits until all its children run. An ActorError says which child did
        not start."""
        if not isinstance(supervisor, Supervisor):
            raise TypeError(f"{supervisor!r} is no mycelium.Supervisor: put your Child into one")
        plan = plan_of(self, supervisor)
        tree = Tree(self.start_tree(plan), supervisor.id)
        _working.add(self)
        return tree

    def ask(self, path: str, query: Any, reply: type[M], timeout: float = 5.0) -> M:
        """The answer of the actor at this path, such as "root/desk", which is of the class `reply`."""
        return answer_of(path, self.ask_at(path, query, timeout), reply)

    def _publish_of(self, native: _native.Context) -> Callable[..., None]:
        return self.publish

    def _loop_of(self, native: _native.Context) -> Loop:
        return Loop()

    def _watch(self, native: _native.Context, path: str, number: int) -> None:
        self.watch_at(native, path, number)

    def tell(self, path: str, message: Any, timeout: float | None = None) -> None:
        """Puts a message into the mailbox of the actor at this path, and waits while that is full; see
        `publish`."""
        self.tell_at(path, message, timeout)

    def close(self, timeout: float = _CLOSE_LIMIT_S) -> None:
        """Stops all actors and callbacks, closes all topics and ends the threads.

        Subscriptions read what waits for them, and then the end. A second call does nothing. Raises
        ShutdownError if somebody does not stop within `timeout` seconds; everything is closed all the same.
        """
        try:
            self.shut_down(timeout)
        finally:
            if self.closed:
                _open.discard(self)
                _working.discard(self)

    def __repr__(self) -> str:
        state = ", closed" if self.closed else ""
        return f"<mycelium.Runtime of {self.contract.origin}{state}>"


def _topology(path: str | os.PathLike[str] | None, name: str | None) -> tuple[str, str] | None:
    """Both, or neither."""
    if path is None and name is None:
        return None
    if path is None or name is None:
        missing = "service_name" if name is None else "topology_path"
        raise ValueError(f"{missing} is missing: a topology describes each process under a name, so give both")
    return os.fspath(path), name


def answer_of(path: str, told: tuple[int, int, int, bytes], reply: type[M]) -> M:
    """The answer to a query, if it is of this class."""
    type_id, version, root_len, value = told
    if type_id != reply.TYPE_ID:  # type: ignore[attr-defined]
        raise ActorError(f"{path} has answered with type id {type_id}, and not with a {reply.__name__}")
    answer: M = reply.decode(value, version, root_len)  # type: ignore[attr-defined]
    return answer


# Runtimes whose threads must end before the interpreter does, and of which a forked child has no threads.
_open: weakref.WeakSet[Runtime] = weakref.WeakSet()
# Those whose callbacks and actors go on until they are closed.
_working: set[Runtime] = set()


def forget(runtime: Runtime) -> None:
    """It lasts as long as somebody else has it."""
    _working.discard(runtime)


def _at_exit() -> None:
    for runtime in list(_open):
        try:
            runtime.close(_CLOSE_LIMIT_S)
        except ShutdownError as error:
            logger.error("at the exit of the interpreter: %s", error)
        except BaseException as error:
            # Ctrl-C, or what another handler of a signal raises: it is closed, and the others are to be.
            logger.error("at the exit of the interpreter: %s was not waited for, after %r", runtime, error)
    # A thread that comes back to Python after the interpreter has gone would take the process down.
    if not _threads.end_all(_END_LIMIT_S):
        logger.error("a handler or callback still waits outside of Python: the process ends without it")
        # Nobody waits for it again.
        _threads.alive.clear()
    _log.stop()


def _at_last() -> None:
    """None but daemon threads are left."""
    _at_exit()
    _native.leave()
    _threads.end_callers(_END_LIMIT_S)


def _in_child() -> None:
    _log.in_child()
    _threads.in_child()
    for runtime in list(_open):
        runtime.mark_forked()
    _open.clear()
    _working.clear()


atexit.register(_at_last)
# Before the interpreter waits for threads, those of executors among them: one that reads or publishes has the
# end, and holds up no exit. What is registered last comes first.
_register_atexit = getattr(threading, "_register_atexit", None)
if _register_atexit is not None:
    _register_atexit(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
