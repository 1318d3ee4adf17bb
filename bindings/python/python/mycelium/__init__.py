"""Mycelium: actors and topics for services with low latency, in a Python process."""

from __future__ import annotations

from ._actor import Actor, Context, Timer, Watch, ask, on, on_batch
from ._contract import load as load_contract
from ._host import host
from ._log import follow as follow_logging
from ._isolate import Isolate, IsolatePublisher, IsolateTree, Recorder, Spawned
from ._native import Callback, Contract
from ._publisher import Publisher
from ._runtime import Runtime
from ._subscription import ArraySubscription, Subscription
from ._sweep import Failure, Report, Sweep, Trial
from ._tree import Backoff, Child, ChildInfo, Pool, Rust, Supervisor, Tree
from .errors import (
    ActorError,
    AskTimeoutError,
    BusyError,
    ClosedError,
    ContractError,
    FactoryError,
    FullError,
    MyceliumError,
    NoAddressError,
    PublishError,
    RunError,
    SchemaError,
    ShutdownError,
    SubscribeError,
    TopologyError,
)

__all__ = [
    "Actor",
    "ActorError",
    "ArraySubscription",
    "AskTimeoutError",
    "Backoff",
    "BusyError",
    "Callback",
    "Child",
    "ChildInfo",
    "ClosedError",
    "Context",
    "Contract",
    "ContractError",
    "FactoryError",
    "Failure",
    "FullError",
    "Isolate",
    "IsolatePublisher",
    "IsolateTree",
    "MyceliumError",
    "NoAddressError",
    "Pool",
    "PublishError",
    "Publisher",
    "Recorder",
    "Report",
    "RunError",
    "Runtime",
    "Rust",
    "SchemaError",
    "ShutdownError",
    "Spawned",
    "SubscribeError",
    "Subscription",
    "Supervisor",
    "Sweep",
    "Timer",
    "TopologyError",
    "Tree",
    "Trial",
    "Watch",
    "ask",
    "follow_logging",
    "host",
    "load_contract",
    "on",
    "on_batch",
]
