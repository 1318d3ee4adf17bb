"""What the native half logs, in Python's logging."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import mycelium
import pytest
from desk import Tick
from mycelium import Actor, Backoff, Child, Supervisor, on
from test_callbacks import settle


class Fails(Actor):
    @on(Tick)
    def tick(self, tick: Tick) -> None:
        raise ValueError(f"not {tick.number}")


def fail(rt: mycelium.Runtime, id: str) -> None:
    rt.start(Supervisor(id, children=[Child("fails", Fails, backoff=Backoff(initial=0.001))], intensity=10))
    rt.publish(Tick(7))


@pytest.fixture
def level() -> Iterator[logging.Logger]:
    logger = logging.getLogger("mycelium")
    before = logger.level
    yield logger
    logger.setLevel(before)
    mycelium.follow_logging()


def names(caplog: pytest.LogCaptureFixture) -> set[tuple[str, int]]:
    return {(record.name, record.levelno) for record in caplog.records if record.name.startswith("mycelium.")}


def test_events_arrive_from_warning_on(rt: mycelium.Runtime, caplog: pytest.LogCaptureFixture) -> None:
    def ours(record: logging.LogRecord) -> bool:
        # What tests before this one have caused may arrive late.
        return "child failed supervisor=first" in record.getMessage()

    fail(rt, "first")
    settle(lambda: any(ours(record) for record in caplog.records))
    record = next(record for record in caplog.records if ours(record))
    assert record.name == "mycelium.supervision" and record.levelno == logging.WARNING
    assert "fails" in record.getMessage() and "ValueError: not 7" in record.getMessage()
    assert all(number >= logging.WARNING for _, number in names(caplog))
    fields = record.mycelium  # type: ignore[attr-defined]
    assert fields["supervisor"] == "first" and fields["child"] == "fails" and "not 7" in fields["reason"]
    raised = next(record for record in caplog.records if record.getMessage() == "the actor first/fails has failed")
    assert raised.mycelium == {"actor": "first/fails"}  # type: ignore[attr-defined]


def test_the_level_is_that_of_the_logger(
    rt: mycelium.Runtime, caplog: pytest.LogCaptureFixture, level: logging.Logger
) -> None:
    level.setLevel(logging.INFO)
    mycelium.follow_logging()
    fail(rt, "second")
    # The last of its events: none is on its way any more when the records are cleared.
    settle(lambda: any("child restarted supervisor=second" in record.getMessage() for record in caplog.records))
    assert ("mycelium.supervision", logging.INFO) in names(caplog)
    level.setLevel(logging.CRITICAL)
    mycelium.follow_logging()
    caplog.clear()
    fail(rt, "third")
    settle(lambda: rt.stats()["restarts"] >= 2)
    assert names(caplog) == set()


def test_a_new_runtime_reads_the_level(caplog: pytest.LogCaptureFixture, level: logging.Logger) -> None:
    level.setLevel(logging.DEBUG)
    from conftest import CONTRACT

    with mycelium.Runtime(contract=CONTRACT) as rt:
        fail(rt, "fourth")
        settle(lambda: ("mycelium.supervision", logging.DEBUG) in names(caplog))


def test_a_filter_that_raises_costs_its_event_alone(
    rt: mycelium.Runtime, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def broken(record: logging.LogRecord) -> bool:
        seen.append(record.getMessage())
        raise ValueError("a filter of the program")

    logger = logging.getLogger("mycelium.supervision")
    monkeypatch.setattr(logging, "raiseExceptions", False)
    logger.addFilter(broken)
    try:
        fail(rt, "broken")
        settle(lambda: any("child failed" in text for text in seen))
    finally:
        logger.removeFilter(broken)
    fail(rt, "after")
    settle(lambda: any("child failed" in record.getMessage() for record in caplog.records))
