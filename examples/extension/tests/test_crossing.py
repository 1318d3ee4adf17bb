"""Actors of Rust by name: in isolates, in sweeps, in trees, and what is wrong with them."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import threading
import time
from typing import Any

import crossing  # noqa: F401  Before mycelium, which it brings.

import crossing_messages
import mycelium
import numpy as np
import pytest
from crossing_messages import Crossing, Price
from mycelium import Actor, Backoff, Child, FactoryError, Isolate, Pool, Runtime, Rust, Supervisor, Sweep, Trial, on

SECOND = 1_000_000_000


def prices(count: int = 500) -> Any:
    records = np.zeros(count, dtype=Price.DTYPE)
    records["at"] = np.arange(count) * SECOND
    records["price"] = 100 + np.cumsum(np.random.default_rng(7).integers(-3, 4, size=count))
    return records


class Cross(Actor):
    """The same in Python."""

    def __init__(self, fast: int, slow: int) -> None:
        self.fast, self.slow = fast, slow
        self.prices: list[float] = []
        self.above: bool | None = None

    @on(Price)
    def price(self, price: Price) -> None:
        self.prices.append(price.price)
        if len(self.prices) < max(self.fast, self.slow):
            return
        fast = sum(self.prices[-self.fast :]) / self.fast
        slow = sum(self.prices[-self.slow :]) / self.slow
        before, self.above = self.above, fast > slow
        if before is not None and before != self.above:
            self.ctx.publish(Crossing(price.at, self.above))


class Echo(Actor):
    """Keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[Crossing] = []

    @on(Crossing)
    def crossing(self, crossing: Crossing) -> None:
        self.heard.append(crossing)


def crossings(of: type[Actor] | Rust, *arguments: int) -> list[Crossing]:
    with Isolate(crossing_messages, seed=42) as isolate:
        recorder = isolate.record(Crossing)
        if isinstance(of, Rust):
            isolate.spawn(of)
        else:
            isolate.spawn(of, *arguments)
        isolate.publish_many(prices(), of=Price, at="at")
        isolate.run()
        return recorder.take()


def test_an_isolate_runs_it_as_one_of_python() -> None:
    told = crossings(Rust("cross", fast=3, slow=9))
    assert len(told) > 20
    assert told == crossings(Cross, 3, 9)


def test_both_languages_hear_each_other() -> None:
    with Isolate(crossing_messages) as isolate:
        paths = [isolate.spawn(Rust("cross", fast=2, slow=slow)).path for slow in (5, 9)]
        echo = isolate.spawn(Echo)
        recorder = isolate.record(Crossing)
        for price in prices(200):
            isolate.publish(Price(int(price["at"]), float(price["price"])))
        isolate.run()
        assert paths == ["cross", "cross-2"]
        assert echo.actor.heard == recorder.take() != []
        with pytest.raises(TypeError, match="cross-3 is an actor of Rust"):
            _ = isolate.spawn(Rust("cross", fast=1, slow=2)).actor


def build(trial: Trial, fast: int, slow: int, rust: bool = True) -> dict[str, Any]:
    isolate = trial.isolate(crossing_messages)
    recorder = isolate.record(Crossing)
    if rust:
        isolate.spawn(Rust("cross", fast=fast, slow=slow))
    else:
        isolate.spawn(Cross, fast, slow)
    isolate.publish_many(prices(), of=Price, at="at")
    isolate.run()
    return {"at": recorder.take_array()["at"]}


def build_in_python(trial: Trial, fast: int, slow: int) -> dict[str, Any]:
    return build(trial, fast, slow, rust=False)


GRID = {"fast": [1, 2, 3, 5], "slow": [8, 13, 21]}


@pytest.mark.parametrize("how", [{"threads": 2}, {"threads": 5}, {"processes": 2}])
def test_a_sweep_is_the_same_on_any_number_of_threads(how: dict[str, int]) -> None:
    one = Sweep(GRID, build, seed=42).run(threads=1)
    assert one.is_complete and all(len(row["at"]) > 0 for row in one)
    assert Sweep(GRID, build, seed=42).run(**how).digest == one.digest  # type: ignore[arg-type]
    assert Sweep(GRID, build_in_python, seed=42).run().digest == one.digest


def test_other_threads_go_on_while_an_isolate_of_rust_runs() -> None:
    counted, ended = [0], threading.Event()

    def count() -> None:
        while not ended.is_set():
            counted[0] += 1
            time.sleep(0.001)

    before = sys.getswitchinterval()
    thread = threading.Thread(target=count)
    thread.start()
    try:
        # From now on a thread keeps the interpreter until it gives it up by itself.
        sys.setswitchinterval(1000.0)
        for _ in range(10_000):
            with Isolate(crossing_messages) as isolate:
                isolate.spawn(Rust("cross", fast=2, slow=100))
                begun = counted[0]
                isolate.publish_many(prices(5_000), of=Price, at="at")
                isolate.run()
                if counted[0] != begun:
                    break
        else:
            pytest.fail("no other thread ran in any of the runs")
    finally:
        ended.set()
        sys.setswitchinterval(before)
        thread.join()


def wait_for(runtime: Runtime, restarts: int) -> None:
    while runtime.stats()["restarts"] < restarts:
        time.sleep(0.01)


def test_a_supervisor_restarts_it() -> None:
    cross = Child("cross", Rust("cross", fast=1, slow=2), restart="transient", backoff=Backoff(initial=0.0))
    with Runtime(contract=crossing_messages) as runtime:
        heard = runtime.subscribe(Crossing)
        tree = runtime.start(Supervisor(children=[cross, Child("echo", Echo)], intensity=5))
        for at, price in enumerate([1.0, 2.0, float("nan"), 5.0, 6.0, 3.0]):
            runtime.publish(Price(at, price))
        assert heard.recv(timeout=60.0) == Crossing(5, False)
        wait_for(runtime, 1)
        assert [child.status for child in tree.children()] == ["running", "running"]


def test_a_supervisor_of_an_isolate_restarts_it_in_virtual_time() -> None:
    cross = Child("cross", Rust("cross", fast=1, slow=2), backoff=Backoff(initial=30.0))
    with Isolate(crossing_messages) as isolate:
        recorder = isolate.record(Crossing)
        tree = isolate.start(Supervisor(children=[cross], intensity=5))
        for at, price in enumerate([1.0, 2.0, float("nan"), 5.0, 6.0, 3.0]):
            isolate.publish(Price(at, price))
        isolate.run()
        assert isolate.now() == 30 * SECOND
        recorder.expect(Crossing(5, False))
        assert tree.children()[0].status == "running"


def test_its_failure_outside_of_trees_ends_the_run() -> None:
    with Isolate(crossing_messages) as isolate:
        isolate.spawn(Rust("cross", fast=1, slow=2))
        isolate.publish(Price(0, float("nan")))
        with pytest.raises(mycelium.RunError, match="a price of NaN"):
            isolate.run()


def test_arguments_are_those_of_python_and_of_numpy() -> None:
    arguments = np.array([3, 9])
    told = crossings(Rust("cross", fast=arguments[0], slow=arguments[1]))
    assert told == crossings(Rust("cross", fast=3, slow=9))


@pytest.mark.parametrize(
    ("rust", "text"),
    [
        (Rust("corss", fast=1, slow=2), "no actor or service `corss` is registered; did you mean `cross`? There are `cross`, `saw`"),
        (Rust("model"), "no actor or service `model` is registered; there are `cross`, `saw`"),
        (Rust("cross", fast=1), "`cross` does not take these arguments: `slow`: it is missing"),
        (
            Rust("cross", fsat=1, slow=2),
            "`cross` does not take these arguments: `fsat`: there is no such argument; did you mean `fast`?",
        ),
        (
            Rust("cross", fast="five", slow=2),
            '`cross` does not take these arguments: `fast`: invalid type: string "five", expected a nonzero usize',
        ),
        (
            Rust("cross", fast=0, slow=2),
            "`cross` does not take these arguments: `fast`: invalid value: integer `0`, expected a nonzero usize",
        ),
    ],
)
def test_a_mistake_says_what_there_is(rust: Rust, text: str) -> None:
    with Isolate(crossing_messages) as isolate:
        with pytest.raises(FactoryError) as caught:
            isolate.spawn(rust)
        assert str(caught.value) == text
        with pytest.raises(FactoryError):
            isolate.start(Supervisor(children=[Child("cross", rust)]))
        isolate.spawn(Rust("cross", fast=1, slow=2))
    with Runtime(contract=crossing_messages) as runtime, pytest.raises(FactoryError) as caught:
        runtime.start(Supervisor(children=[Child("cross", rust)]))
    assert str(caught.value) == text


def test_what_is_no_argument_is_refused_before_rust_sees_it() -> None:
    deep: list[Any] = []
    deep.append(deep)
    with Isolate(crossing_messages) as isolate:
        for value, error, text in [
            (object(), TypeError, "the argument fast of Rust.\"cross\".: it is a object: give None, a bool"),
            ({1: 2}, TypeError, "a dict has a key that is no text"),
            (deep, ValueError, "more than 64 deep in each other"),
            (2**70, OverflowError, "the argument fast of Rust"),
        ]:
            with pytest.raises(error, match=text):
                isolate.spawn(Rust("cross", fast=value, slow=2))
    with pytest.raises(TypeError, match="is no name of an actor of Rust"):
        Rust(5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"give them to Rust\('cross', ..\)"):
        Child("cross", Rust("cross"), kwargs={"fast": 1})
    with pytest.raises(TypeError, match="has workers of Python"):
        Pool("cross", Rust("cross"))  # type: ignore[arg-type]


def run(program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)


FOR_EVER = """
import crossing
import os, signal, threading
import crossing_messages, numpy as np
from crossing_messages import Price
from mycelium import BusyError, Isolate, Rust

heard = False

def sends_soon(number):
    threading.Timer(0.1, os.kill, (os.getpid(), number)).start()

def is_running():
    try:
        isolate.stats()
    except BusyError:
        return True
    return False

def hears(number, frame):
    # One that is heard before the run has begun says nothing: it comes again.
    global heard
    if not is_running():
        sends_soon(number)
    elif number == signal.SIGINT:
        raise KeyboardInterrupt
    else:
        heard = True
        sends_soon(signal.SIGINT)

signal.signal(signal.SIGINT, hears)
signal.signal(signal.SIGUSR1, hears)
with Isolate(crossing_messages) as isolate:
    isolate.spawn(Rust("saw", every_ms=1))
    isolate.spawn(Rust("cross", fast=3, slow=9))
    last = np.zeros(1, dtype=Price.DTYPE)
    last["at"] = 2**62
    for run in (lambda: isolate.run_until(2**62), lambda: isolate.publish_many(last, of=Price, at="at")):
        heard, goes_on = False, True
        while goes_on:
            begun = isolate.stats()["events"]
            try:
                sends_soon(signal.SIGUSR1)
                run()
                raise SystemExit("the run was not interrupted")
            except KeyboardInterrupt:
                # A run that was held up may be interrupted before its first event.
                goes_on = isolate.stats()["events"] == begun
        print("heard", heard, "and interrupted")
    isolate.run_for(1.0)
    print("goes on")

def on_another_thread():
    with Isolate(crossing_messages) as isolate:
        isolate.spawn(Rust("saw", every_ms=1))
        isolate.run_for(1.0)
        print("ends")

thread = threading.Thread(target=on_another_thread)
thread.start()
thread.join()
"""


def test_ctrl_c_ends_a_run_that_is_all_in_rust_and_other_signals_are_heard_in_it() -> None:
    told = run(FOR_EVER)
    assert told.stdout == "heard True and interrupted\n" * 2 + "goes on\nends\n", told


def test_it_is_imported_before_mycelium() -> None:
    told = run("import mycelium, crossing")
    assert "ImportError: crossing was imported after mycelium" in told.stderr, told
    assert "import crossing first" in told.stderr
    told = run("import crossing, mycelium; print(mycelium.__spec__.origin)")
    assert (told.stdout, told.stderr) == ("embedded\n", "")


def test_without_an_extension_there_are_no_names() -> None:
    told = run(
        """
import crossing_messages, mycelium
with mycelium.Isolate(crossing_messages) as isolate:
    try:
        isolate.spawn(mycelium.Rust("cross", fast=1, slow=2))
    except mycelium.FactoryError as error:
        print(error)
"""
    )
    assert told.stdout.startswith("no actor or service `cross` is registered"), told
    assert "import the extension module that brings them, before mycelium" in told.stdout


def test_the_program_of_the_example() -> None:
    program = pathlib.Path(__file__).parents[1] / "sweep.py"
    told = [subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=600) for _ in range(2)]
    assert told[0].stdout.startswith("<mycelium.Report: 40 of 40 rows, 0 failed>"), told[0]
    assert told[0].stdout == told[1].stdout
