"""Sweeps: one function of Python over many points."""

from __future__ import annotations

import builtins
import io
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import mycelium
import numpy as np
import pytest
from conftest import CONTRACT
from desk import Tick, Tock
from mycelium import Actor, Failure, Report, Sweep, Trial, _sweep, on


class Walk(Actor):
    """Publishes a random walk."""

    def __init__(self, steps: int, width: float) -> None:
        self.steps = steps
        self.width = width
        self.at = 0.0
        self.random: list[int] = []

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        self.at += (self.ctx.random.random() - 0.5) * self.width
        if tick.number < self.steps:
            self.ctx.schedule_after(0.5, self.ctx.publish, Tock(tick.number))

    @on(Tock)
    def tock(self, tock: Tock) -> None:
        self.at += 1


def build(trial: Trial, steps: int, width: float) -> dict[str, Any]:
    isolate = trial.isolate(CONTRACT)
    walk = isolate.spawn(Walk, steps, width)
    isolate.publish_many(Tick(number) for number in range(10))
    isolate.run()
    return {"end": walk.actor.at, "events": isolate.stats()["events"]}


GRID = {"steps": range(5), "width": [0.5, 1.0]}


def test_the_digest_is_the_same_for_any_number_of_threads_and_processes() -> None:
    sweep = Sweep(GRID, build, seed=7)
    report = sweep.run()
    assert len(report) == len(sweep) == 10 and report.is_complete and not report.cancelled
    assert list(report.rows[3]) == ["steps", "width", "end", "events"]
    assert [row["width"] for row in report][:4] == [0.5, 1.0, 0.5, 1.0], "the last one varies fastest"
    for others in (sweep.run(threads=2), sweep.run(threads=0), sweep.run(processes=2), sweep.run(processes=1)):
        assert others.digest == report.digest and others.rows == report.rows
    assert Sweep(GRID, build, seed=8).run().digest != report.digest


def test_results_are_tables() -> None:
    report = Sweep(GRID, build).run()
    table = report.to_numpy()
    assert table.dtype.names == ("steps", "width", "end", "events") and table["steps"].sum() == 20
    assert table["end"].dtype == np.float64
    assert report.best("end") == report.rows[int(np.argmax(table["end"]))]
    one = Sweep([{"x": 1}, {"x": 2}], lambda trial, x: x * x).run()
    assert one.rows == [{"x": 1, "result": 1}, {"x": 2, "result": 4}]
    assert one.columns() == {"x": [1, 2], "result": [1, 4]}


@pytest.mark.parametrize("name", ["pandas", "polars"])
def test_results_are_data_frames_where_they_are_installed(name: str) -> None:
    report = Sweep({"x": range(3)}, lambda trial, x: {"y": 2.0 * x}).run()
    into: Callable[[], Any] = getattr(report, f"to_{name}")
    try:
        __import__(name)
    except ImportError:
        with pytest.raises(ImportError, match=f"pip install {name}"):
            into()
        return
    frame = into()
    assert list(frame.columns) == ["x", "y"] and list(frame["y"]) == [0.0, 2.0, 4.0]


def fails_on_odd(trial: Trial, x: int) -> int:
    if x % 2:
        raise ValueError(f"{x} with seed {trial.seed}")
    return x


@pytest.mark.parametrize("how", [{"threads": 1}, {"threads": 2}, {"processes": 2}])
def test_a_failure_is_told_with_its_point_and_can_be_run_again(how: dict[str, int]) -> None:
    report = Sweep({"x": range(300)}, fails_on_odd, seed=3).run(**how)  # type: ignore[arg-type]
    assert [row["x"] for row in report] == list(range(0, 300, 2))
    assert report.failed == 150 and len(report.failures) == 100 and not report.is_complete
    failure: Failure = report.failures[7]
    assert (failure.index, failure.point) == (15, {"x": 15}) and isinstance(failure.error, ValueError)
    with pytest.raises(ValueError, match=str(failure.error)):
        fails_on_odd(Trial(failure.index, failure.seed), **failure.point)


def test_an_error_of_an_isolate_is_a_failure() -> None:
    def wrong(trial: Trial, x: int) -> None:
        isolate = trial.isolate(CONTRACT)
        isolate.limit_events(3)
        isolate.spawn(Walk, 10, 1.0)
        isolate.publish_many(Tick(number) for number in range(10))
        isolate.run()

    report = Sweep({"x": [1]}, wrong).run()
    assert report.failed == 1 and isinstance(report.failures[0].error, mycelium.RunError)


def test_isolates_are_closed_when_their_instance_has_returned() -> None:
    kept: list[mycelium.Isolate] = []

    def keeps(trial: Trial, x: int) -> int:
        kept.append(trial.isolate(CONTRACT))
        return x

    Sweep({"x": range(3)}, keeps).run()
    with pytest.raises(mycelium.BusyError):
        kept[0].run()
    keeps(trial := Trial(0, 1), 1)
    trial._close()
    assert kept[-1].closed


def exits_or_returns_what_cannot_travel(trial: Trial, n: int) -> dict[str, Any]:
    if n == 1:
        sys.exit(3)
    return {"n": (lambda: n) if n == 2 else n}


def test_an_instance_that_exits_or_returns_what_cannot_travel_fails_alone() -> None:
    report = Sweep({"n": range(5)}, exits_or_returns_what_cannot_travel).run(processes=2)
    assert [row["n"] for row in report] == [0, 3, 4]
    assert [type(failure.error) for failure in report.failures] == [SystemExit, TypeError]
    assert "cannot go from a process to this one" in str(report.failures[1].error)


def test_wrong_arguments_say_what_to_write() -> None:
    with pytest.raises(TypeError, match="build"):
        Sweep({"x": [1]}, 7)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="mapping"):
        Sweep([1, 2], fails_on_odd)  # type: ignore[list-item]
    for how in ({"threads": -1}, {"processes": 0}):
        with pytest.raises(ValueError, match="choose"):
            Sweep({"x": [1]}, fails_on_odd).run(**how)  # type: ignore[arg-type]
    empty: Report = Sweep({"x": []}, fails_on_odd).run()
    assert len(empty) == 0 and empty.is_complete
    with pytest.raises(ValueError):
        empty.best("result")


def test_a_bar_shows_how_far_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    told = io.StringIO()
    monkeypatch.setattr(sys, "stderr", told)
    Sweep({"x": range(4)}, fails_on_odd).run(progress=True, label="grid")
    last = told.getvalue().split("\r")[-1]
    assert last.startswith("grid [##############################] 4/4, 2 failed") and last.endswith("\n")

    class Notebook:
        pass

    shown = io.StringIO()
    monkeypatch.setattr(builtins, "get_ipython", Notebook, raising=False)
    monkeypatch.setattr(sys, "stdout", shown)
    Sweep({"x": range(4)}, fails_on_odd).run(label="cell")
    assert "\rcell [" in shown.getvalue()


INTERRUPTED = """
    import signal
    from mycelium import Actor, Sweep, Trial, on

    class Spins(Actor):
        @on(Tick)
        def tick(self, tick):
            self.ctx.schedule_after(1, self.ctx.publish, tick)

    def build(trial, x):
        if x < 50:
            return x
        if x == 50 and {tells}:
            os.kill({whom}, signal.SIGINT)
        isolate = trial.isolate(desk)
        isolate.spawn(Spins)
        isolate.spawn(Spins)
        isolate.publish(Tick(1))
        isolate.run()

    signal.signal(signal.SIGINT, signal.default_int_handler)
    report = Sweep({{"x": range(100)}}, build).run({how})
    print(report.cancelled, sorted(row["x"] for row in report)[:5] == [0, 1, 2, 3, 4], report.failed)
"""


@pytest.mark.parametrize(
    ("how", "whom"), [("threads=1", "os.getpid()"), ("threads=2", "os.getpid()"), ("processes=1", "os.getppid()")]
)
def test_ctrl_c_keeps_what_is_done(how: str, whom: str, program: Callable[..., Any]) -> None:
    told = program(INTERRUPTED.format(how=how, whom=whom, tells=True))
    assert told.stdout == "True True 0\n"


FOR_EVER = """
    import signal
    from mycelium import Sweep

    def build(trial, x):
        if x < 3:
            return x
        threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
        while True:
            try:
                for n in range(1000):
                    pass
            except Exception:
                pass

    signal.signal(signal.SIGINT, signal.default_int_handler)
    report = Sweep({"x": range(100)}, build).run(threads=1)
    print(report.cancelled, [row["x"] for row in report], report.failed)
    print(Sweep({"x": range(3)}, build).run(threads=2).is_complete)
"""


def test_ctrl_c_ends_a_build_that_computes_for_ever(program: Callable[..., Any]) -> None:
    assert program(FOR_EVER).stdout == "True [0, 1, 2] 0\nTrue\n"


def fails(trial: Trial, x: int) -> None:
    raise ValueError(x)


def test_many_failures_are_counted_and_the_first_hundred_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    report = Sweep({"x": range(5_000)}, fails).run(processes=2)
    assert report.failed == 5_000 and len(report) == 0
    assert [failure.index for failure in report.failures] == list(range(100))
    assert [str(failure.error) for failure in report.failures[-2:]] == ["98", "99"]
    monkeypatch.setattr(_sweep, "_work", (fails, [{"x": at} for at in range(1_000)], range(1_000)))
    results, failures, failed = _sweep._piece(0, 1_000)
    assert (len(results), len(failures), failed) == (0, 100, 1_000)


def dies(trial: Trial, x: int) -> int:
    if x == 7:
        os._exit(9)
    return x


def test_a_process_that_dies_says_so_and_any_build_runs_in_processes() -> None:
    with pytest.raises(RuntimeError, match="was killed"):
        Sweep({"x": range(50)}, dies).run(processes=2)
    report = Sweep({"x": [1, 2, threading.Lock]}, lambda trial, x: 1).run(processes=2)
    assert [row["result"] for row in report] == [1, 1, 1]
    assert Sweep({"x": []}, dies).run(processes=2).is_complete


def _made_again() -> Any:
    raise ValueError("it cannot be made again")


class Odd:
    """Can be pickled, and not be made again."""

    def __reduce__(self) -> Any:
        return _made_again, ()


def test_a_result_that_cannot_be_made_again_fails_alone() -> None:
    report = Sweep({"x": range(20)}, lambda trial, x: Odd() if x == 3 else x).run(processes=2)
    assert len(report) == 19 and report.failed == 1
    assert report.failures[0].index == 3 and "cannot be made again" in str(report.failures[0].error)


def test_a_digest_is_that_of_all_that_an_array_holds() -> None:
    def digest(at: int, by: float = 1e-12) -> str:
        curve = np.ones(10_000)
        curve[at] += by
        return Sweep([{"x": 1}], lambda trial, x: {"curve": curve, "parts": (curve[:3], [curve])}).run().digest

    assert digest(5_000) == digest(5_000)
    assert len({digest(5_000), digest(5_001), digest(5_000, 2e-12)}) == 3
    rows = Sweep([{"x": 1, "y": ("a", 2.5)}], lambda trial, x, y: {"z": [None, {"k": (1,)}]}).run()
    assert _sweep._content(rows.rows) == repr(rows.rows)


def test_a_contract_is_loaded_once(tmp_path: Any) -> None:
    import desk

    assert mycelium.load_contract(desk) is mycelium.load_contract(desk) is CONTRACT
    path = tmp_path / "contracts.yaml"
    text = "schema: {id: a, version: 1}\ndomains: [d]\ntag_ranges: {d: [1, 9]}\nmessages:\n  A: {tlv_type: 1, topic: a, domain: d, fields: {n: u64}}\n"
    path.write_text(text)
    first = mycelium.load_contract(path)
    assert mycelium.load_contract(str(path)) is first
    path.write_text(text.replace("u64", "u32"))
    assert mycelium.load_contract(path) is not first


def test_arrays_are_columns_of_a_table() -> None:
    def curves(trial: Trial, length: int) -> dict[str, Any]:
        path = np.arange(length, dtype=float)
        return {"path": path, "last3": path[-3:], "grid": np.full((2, 2), length), "sometimes": path if length > 4 else None}

    table = Sweep({"length": [4, 5]}, curves).run().to_numpy()
    assert table["last3"].tolist() == [[1.0, 2.0, 3.0], [2.0, 3.0, 4.0]]
    assert table["grid"].shape == (2, 2, 2) and table["length"].tolist() == [4, 5]
    assert [path.tolist() for path in table["path"]] == [[0.0, 1.0, 2.0, 3.0], [0.0, 1.0, 2.0, 3.0, 4.0]]
    assert table["sometimes"][0] is None and len(table["sometimes"][1]) == 5


@pytest.mark.parametrize("kind", ["DataFrame", "Series"])
def test_the_index_of_a_table_counts_in_the_digest(kind: str) -> None:
    import pandas

    def digest(index: list[Any]) -> str:
        made = getattr(pandas, kind)([1.0, 2.0], index=index)
        return Sweep({"x": [1]}, lambda trial, x: {"table": made}).run().digest

    days = pandas.to_datetime(["2024-01-01", "2024-01-02"])
    assert digest([0, 1]) == digest([0, 1])
    assert len({digest([0, 1]), digest([1, 0]), digest(["a", "b"]), digest(days), digest(days[::-1])}) == 5
