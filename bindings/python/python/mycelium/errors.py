"""What can go wrong: each error says what to do about it."""

from __future__ import annotations

__all__ = [
    "MyceliumError",
    "ContractError",
    "SchemaError",
    "PublishError",
    "FullError",
    "ClosedError",
    "SubscribeError",
    "BusyError",
    "ShutdownError",
    "ActorError",
    "NoAddressError",
    "AskTimeoutError",
    "RunError",
    "TopologyError",
    "FactoryError",
]


class MyceliumError(Exception):
    """Whatever Mycelium raises, but for `TypeError` and `ValueError` of wrong arguments."""


class ContractError(MyceliumError, ValueError):
    """A contract cannot be read. The text has the file, the line, the cause and the remedy."""


class SchemaError(MyceliumError):
    """The program's message classes and the runtime's contract are not the same."""


class PublishError(MyceliumError):
    """A message was not published, and nobody has received it."""


class FullError(PublishError):
    """A subscriber's queue is full, and stayed so for as long as the publisher would wait."""


class ClosedError(MyceliumError):
    """The runtime is closed, or belongs to the process that this one was forked from."""


class SubscribeError(MyceliumError):
    """There is no such subscription."""


class BusyError(MyceliumError):
    """Two threads or tasks read one subscription."""


class ShutdownError(MyceliumError):
    """Actors did not stop in time, or a drain has left something. Everything has ended all the same."""


class ActorError(MyceliumError):
    """A tree was not started, a supervisor has refused something, or an actor has failed to answer."""


class NoAddressError(ActorError):
    """Nobody is at this path, or whoever was there has ended."""


class AskTimeoutError(ActorError, TimeoutError):
    """Nobody has answered in time."""


class RunError(MyceliumError):
    """The run of an isolate has ended early. `__cause__` is what an actor has raised, if one has."""


class TopologyError(MyceliumError, ValueError):
    """A topology cannot be used. The text has the file, the line, the cause and the remedy."""


class FactoryError(MyceliumError, ValueError):
    """No Rust actor has this name, or it does not take these arguments. The text says what there is."""
