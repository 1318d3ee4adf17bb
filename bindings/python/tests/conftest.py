"""What the tests share: a runtime that is closed after each test, messages, and a program in a process of its
own."""

from __future__ import annotations

import faulthandler
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator

import desk
import mycelium
import pytest
from _pytest.runner import runtestprotocol
from desk import Level, Side, Trade

CONTRACT = mycelium.load_contract(desk)


# How long a test may take, and so may all that is before the first one and behind the last: the end of the
# session and that of the interpreter.
LIMIT_SECONDS = 240
faulthandler.dump_traceback_later(LIMIT_SECONDS, exit=True)


@pytest.fixture(autouse=True)
def bounded() -> Iterator[None]:
    """Ends what hangs, and says where each thread was."""
    faulthandler.dump_traceback_later(LIMIT_SECONDS, exit=True)
    yield
    faulthandler.dump_traceback_later(LIMIT_SECONDS, exit=True)


# Whoever has done nothing wrong misses a short limit too, if the machine holds up their thread for so long.
LIMITS = (0.05, 0.5, 5.0)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
    """Runs a test that takes a `limit` with ever longer ones, until it passes."""
    if "limit" not in getattr(item, "fixturenames", ()):
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for limit in LIMITS:
        item.limit = limit  # type: ignore[attr-defined]
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        if not any(report.failed for report in reports):
            break
        item._initrequest()  # type: ignore[attr-defined]
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


@pytest.fixture
def limit(request: pytest.FixtureRequest) -> float:
    """How long something may take before it is found to hang (seconds)."""
    return request.node.limit  # type: ignore[no-any-return]


@pytest.fixture
def rt() -> Iterator[mycelium.Runtime]:
    with mycelium.Runtime(contract=CONTRACT) as runtime:
        yield runtime


@pytest.fixture
def isolate() -> Iterator[mycelium.Isolate]:
    with mycelium.Isolate(CONTRACT, seed=42) as made:
        yield made


def trade(number: int = 1) -> Trade:
    return Trade(
        at=number,
        price=1.5,
        lots=3,
        side=Side.Sell,
        venue=number,
        limit=None,
        levels=[Level(1.0, 2), Level(3.0, 4)],
        flags=b"12345678",
    )


@pytest.fixture
def program() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a program in a process of its own: its output, and the proof that it has ended by itself."""

    def run(text: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        head = "import os, sys, time, threading\nimport mycelium, desk\nfrom desk import *\n"
        told = subprocess.run(
            [sys.executable, "-X", "faulthandler", "-c", head + textwrap.dedent(text)],
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert told.returncode == code, f"{told.returncode}\n{told.stdout}\n{told.stderr}"
        return told

    return run
