"""The runtime: a bus in this process."""

from __future__ import annotations

import atexit
import os
import weakref
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeVar

from . import _native
from ._contract import ContractSource, check_digest, load
from ._publisher import Publisher
from ._subscription import ArraySubscription, Subscription
from .errors import UnsupportedError

if TYPE_CHECKING:
    from typing_extensions import Self

    from ._records import Records

M = TypeVar("M")

_CLOSE_LIMIT_S = 5.0


class Runtime(_native.Runtime):
    """A bus with its threads, in this process.

    `contract` is the path of a contracts.yaml, the package that `mycelium gen --lang python` has written, or what
    `load_contract` returned. `schema_digest` is that package's SCHEMA_DIGEST: another contract is refused then.
    `threads` run the actors of Rust; `topic_capacity` is the capacity of a subscription that names none, in messages.
    With `validate=False`, `publish` does not check the rules of the contract.

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
        topology_path: str | os.PathLike[str] | None = None,
        service_name: str | None = None,
    ) -> Self:
        for name, value in (("topology_path", topology_path), ("service_name", service_name)):
            if value is not None:
                raise UnsupportedError(
                    f"{name} belongs to links between processes, which this version does not have: leave it out"
                )
        loaded = load(contract)
        check_digest(loaded, schema_digest)
        self = super().__new__(cls, loaded, threads, topic_capacity, validate)
        _open.add(self)
        return self

    def publisher(self, message_type: type[M]) -> Publisher[M]:
        """A publisher of messages of this class."""
        return Publisher(self.publisher_of(message_type))

    def publish_many(
        self, messages: Records | Iterable[Any], of: type | None = None, timeout: float | None = None
    ) -> int:
        """Publishes all messages of an iterable, or all records of a numpy array of the class `of`; how many."""
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

    def subscribe(
        self, message_type: type[M] | tuple[type[M], ...], *, policy: str = "block", capacity: int | None = None
    ) -> Subscription[M]:
        """The messages of a class, or of several in the order of the bus, from now on.

        `policy` says what happens when `capacity` messages wait: "block" keeps publishers waiting, "drop_oldest" and
        "drop_newest" drop and count, "fail" gives the publisher a FullError.
        """
        classes = list(message_type) if isinstance(message_type, tuple) else [message_type]
        return Subscription(self.subscription_to(classes, policy, capacity))

    def subscribe_array(
        self, message_type: type, *, batch: int = 256, policy: str = "block", capacity: int | None = None
    ) -> ArraySubscription:
        """The messages of a class of fixed size as arrays of numpy, at most `batch` records each."""
        if batch < 1:
            raise ValueError(f"batch is {batch}: a batch has at least one record")
        return ArraySubscription(self.subscription_to([message_type], policy, capacity), message_type, batch)

    def close(self, timeout: float = _CLOSE_LIMIT_S) -> None:
        """Stops all actors and callbacks, closes all topics and ends the threads.

        Subscriptions read what waits for them, and then the end. A second call does nothing. Raises ShutdownError if
        somebody does not stop within `timeout` seconds; everything is closed all the same.
        """
        _open.discard(self)
        self.shut_down(timeout)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        state = ", closed" if self.closed else ""
        return f"<mycelium.Runtime of {self.contract.origin}{state}>"


# Runtimes whose threads must end before the interpreter does, and of which a forked child has no threads.
_open: weakref.WeakSet[Runtime] = weakref.WeakSet()


def _at_exit() -> None:
    for runtime in list(_open):
        runtime.close()


def _in_child() -> None:
    for runtime in list(_open):
        runtime.mark_forked()
    _open.clear()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_in_child)
