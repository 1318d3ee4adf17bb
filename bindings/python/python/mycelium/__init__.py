"""Mycelium: actors and topics for services with low latency, in a Python process."""

from __future__ import annotations

from ._contract import load as load_contract
from ._native import Contract
from ._publisher import Publisher
from ._runtime import Runtime
from ._subscription import ArraySubscription, Subscription
from .errors import (
    BusyError,
    ClosedError,
    ContractError,
    FullError,
    MyceliumError,
    PublishError,
    SchemaError,
    ShutdownError,
    SubscribeError,
    UnsupportedError,
)

__all__ = [
    "ArraySubscription",
    "BusyError",
    "ClosedError",
    "Contract",
    "ContractError",
    "FullError",
    "MyceliumError",
    "PublishError",
    "Publisher",
    "Runtime",
    "SchemaError",
    "ShutdownError",
    "SubscribeError",
    "Subscription",
    "UnsupportedError",
    "load_contract",
]
