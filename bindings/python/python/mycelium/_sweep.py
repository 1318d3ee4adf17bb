"""Sweeps: one function over many points, and a table of what it returns."""

from __future__ import annotations

import builtins
import hashlib
import itertools
import multiprocessing
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from typing import Any

from . import _native, _threads
from ._actor import SEED_MAX, natural
from ._contract import ContractSource, load
from ._isolate import Isolate

Point = Mapping[str, Any]

# How many failures a report keeps: those with the lowest indices. All are counted.
_FAILURES_KEPT_MAX = 100
# How many pieces each process gets, so that none is idle at the end.
_PIECES_PER_PROCESS = 16
_LOOK_S = 0.1
_GRACE_S = 0.5


class Trial:
    """What an instance of a sweep is told besides its parameters."""

    __slots__ = ("_isolates", "_native")

    def __init__(self, index: int, seed: int, native: _native.Trial | None = None) -> None:
        self._native = native or _native.Trial(index, seed)
        self._isolates: list[Isolate] = []

    @property
    def index(self) -> int:
        """The index of the point."""
        return self._native.index

    @property
    def seed(self) -> int:
        """The instance's seed: it follows from the sweep's seed and the index alone."""
        return self._native.seed

    def isolate(self, contract: ContractSource, *, start: int = 0, validate: bool = True) -> Isolate:
        """An isolate with this instance's seed. It is closed when the instance has returned, and stops with
        its sweep."""
        loaded = load(contract)
        isolate = Isolate.__new__(Isolate)
        isolate._begin(self._native.isolate(loaded, start, validate), loaded)
        self._isolates.append(isolate)
        return isolate

    def _close(self) -> None:
        while self._isolates:
            self._isolates.pop().close()

    def __repr__(self) -> str:
        return f"<mycelium.Trial {self.index}, seed 0x{self.seed:016x}>"


@dataclass(slots=True)
class Failure:
    """An instance that has failed. `build(Trial(index, seed), **point)` runs it again."""

    index: int
    seed: int
    point: dict[str, Any]
    error: BaseException


@dataclass(slots=True)
class Report:
    """What a sweep leaves: a row for each instance that came to its end, in the order of the points.

    A row has the point's parameters and what `build` has returned: the items of a mapping, or one value as
    "result".
    """

    rows: list[dict[str, Any]]
    failures: list[Failure]
    failed: int
    total: int
    cancelled: bool
    elapsed: float

    @property
    def digest(self) -> str:
        """A digest of the rows: the same for any number of threads and processes."""
        return hashlib.blake2b(_content(self.rows).encode(), digest_size=8).hexdigest()

    @property
    def is_complete(self) -> bool:
        """Whether each point was tried, and none has failed."""
        return len(self.rows) == self.total

    def best(self, figure: str) -> dict[str, Any]:
        """The row with the highest figure, the first of several."""
        if not self.rows:
            raise ValueError("the sweep has no rows")
        scored = [row for row in self.rows if row[figure] == row[figure]]
        return max(scored or self.rows, key=lambda row: row[figure])

    def columns(self) -> dict[str, list[Any]]:
        """The rows by column; None where a row has no such figure."""
        names = list(dict.fromkeys(name for row in self.rows for name in row))
        return {name: [row.get(name) for row in self.rows] for name in names}

    def to_numpy(self) -> Any:
        """The rows as a structured array. Arrays of one shape are a field of that shape, others are
        objects."""
        import numpy

        columns = {name: _column(values) for name, values in self.columns().items()}
        fields = [(name, column.dtype, column.shape[1:]) for name, column in columns.items()]
        table = numpy.empty(len(self.rows), dtype=fields)
        for name, column in columns.items():
            table[name] = column
        return table

    def to_pandas(self) -> Any:
        """The rows as a pandas.DataFrame."""
        return _imported("pandas").DataFrame(self.columns())

    def to_polars(self) -> Any:
        """The rows as a polars.DataFrame."""
        return _imported("polars").DataFrame(self.columns())

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    def __repr__(self) -> str:
        state = ", cancelled" if self.cancelled else ""
        return f"<mycelium.Report: {len(self.rows)} of {self.total} rows, {self.failed} failed{state}>"


def _column(values: list[Any]) -> Any:
    """The values of one figure, one for each row."""
    import numpy

    try:
        return numpy.asarray(values)
    except ValueError:
        # They have several shapes. Numpy looks into them where it is given all at once.
        column = numpy.empty(len(values), dtype=object)
        for at, value in enumerate(values):
            column[at] = value
        return column


def _content(value: Any) -> str:
    """As `repr`, but that of an array is cut in the middle and rounded: it stands for its bytes."""
    if type(value) is dict:
        return "{" + ", ".join(f"{_content(key)}: {_content(of)}" for key, of in value.items()) + "}"
    if type(value) is list:
        return "[" + ", ".join(map(_content, value)) + "]"
    if type(value) is tuple:
        return "(" + ", ".join(map(_content, value)) + ("," if len(value) == 1 else "") + ")"
    if not hasattr(value, "__array__") or getattr(value, "ndim", 1) == 0:
        return repr(value)
    import numpy

    array, columns = numpy.asarray(value), list(getattr(value, "columns", ()))
    index = getattr(value, "index", None)
    names = f"{columns!r}{_content(index) if hasattr(index, '__array__') else ''}"
    if array.dtype.hasobject:
        return f"{names}{_content(array.tolist())}"
    content = hashlib.blake2b(array.tobytes(), digest_size=16).hexdigest()
    return f"{names}{array.dtype.str}{array.shape}{content}"


def _imported(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError as error:
        raise ImportError(f"this table needs {name}: pip install {name}") from error


class Sweep:
    """One function over many points: `build(trial, **point)` returns a mapping of figures, or one figure.

    `grid` is a mapping from parameters to their values, of which each combination is a point, the last
    parameter varying fastest; or an iterable of mappings, one for each point.
    """

    def __init__(self, grid: Mapping[str, Iterable[Any]] | Iterable[Point], build: Callable[..., Any], *, seed: int = 0):
        if not callable(build):
            raise TypeError(f"{build!r} cannot be called: give a function build(trial, **point)")
        natural("seed", seed, SEED_MAX)
        self.points = _points_of(grid)
        self._build = build
        self._seed = seed

    def run(
        self, threads: int = 1, *, processes: int | None = None, progress: bool | None = None, label: str = "sweep"
    ) -> Report:
        """Runs `build` for each point. An instance that raises fails alone; Ctrl-C ends the sweep with what
        it has.

        Python lets one thread run at a time, so more `threads` help a `build` that waits or computes outside
        of Python, in numpy on large arrays for one. `processes` run at the same time: they are forked from
        this one where the system can, and need a `build` that can be pickled where not. `progress` shows a
        bar; by default in terminals and notebooks.

        Ctrl-C gives what runs half a second. A `build` that computes in Python for longer is ended then; one
        in a thread that waits outside of Python, in `time.sleep` for one, ends when it is back.
        """
        bar = _Bar(label, len(self.points)) if (_is_watched() if progress is None else progress) else None
        try:
            if processes is not None:
                return self._in_processes(processes, bar)
            return self._in_threads(threads, bar)
        finally:
            if bar is not None:
                bar.end()

    def _in_threads(self, threads: int, bar: _Bar | None) -> Report:
        if threads < 0:
            raise ValueError(f"threads is {threads}: choose 1 or more, or 0 for as many as there are processors")

        running = _Running()

        def instance(native: _native.Trial) -> Any:
            with running:
                return _call(self._build, Trial(0, 0, native), self.points[native.index])

        def look(done: int, failed: int, elapsed: float, stopping: bool) -> None:
            if stopping:
                running.stop(elapsed)
            if bar is not None:
                bar.show(done, failed, elapsed)

        told = _native.Sweep.run(len(self.points), self._seed, threads, instance, look)
        failures = [
            Failure(at, seed, dict(self.points[at]), error)
            for at, seed, error in told["failures"]
            if not isinstance(error, _Stopped)
        ]
        rows = [{**self.points[at], **result} for at, result in told["results"]]
        return Report(rows, failures, told["failed"] - running.ended, len(self.points), told["cancelled"], told["elapsed"])

    def _in_processes(self, processes: int, bar: _Bar | None) -> Report:
        if processes < 1:
            raise ValueError(f"processes is {processes}: choose 1 or more")
        begun, total = time.monotonic(), len(self.points)
        seeds = _native.Sweep.seeds(total, self._seed)
        piece = max(total // (processes * _PIECES_PER_PROCESS), 1)
        starts = range(0, total, piece)
        harvest = _Harvest(len(starts))
        cancelled = False
        forks = "fork" in multiprocessing.get_all_start_methods()
        pool = ProcessPoolExecutor(
            processes,
            multiprocessing.get_context("fork" if forks else None),
            initializer=_begin,
            initargs=(self._build, self.points, seeds),
        )
        pending: list[Future[Any]] = []
        try:
            for start in starts:
                future = pool.submit(_piece, start, min(start + piece, total))
                pending.append(future)
                future.add_done_callback(harvest.take)
            while not harvest.all.wait(_LOOK_S):
                if bar is not None:
                    bar.show(harvest.done, harvest.failed, time.monotonic() - begun)
        except BrokenProcessPool as error:
            harvest.broken = error
        except KeyboardInterrupt:
            cancelled = True
            for future in pending:
                future.cancel()
            # What is nearly done is done.
            harvest.all.wait(_GRACE_S)
            _end(pool)
        finally:
            pool.shutdown(wait=not cancelled, cancel_futures=True)
        if bar is not None:
            bar.show(harvest.done, harvest.failed, time.monotonic() - begun)
        results, failed = harvest.end()
        if isinstance(harvest.broken, BrokenProcessPool) and not cancelled:
            raise RuntimeError("a process of the sweep was killed, by the system's memory limit perhaps") from harvest.broken
        if harvest.broken is not None and not cancelled:
            raise harvest.broken
        rows = [{**self.points[at], **results[at]} for at in sorted(results)]
        kept = [Failure(at, seed, dict(self.points[at]), error) for at, seed, error in harvest.failures]
        return Report(rows, kept, failed, total, cancelled, time.monotonic() - begun)

    def __len__(self) -> int:
        return len(self.points)

    def __repr__(self) -> str:
        return f"<mycelium.Sweep of {len(self.points)} points>"


def _points_of(grid: Mapping[str, Iterable[Any]] | Iterable[Point]) -> Sequence[Point]:
    if isinstance(grid, Mapping):
        axes = [list(values) for values in grid.values()]
        return [dict(zip(grid, values)) for values in itertools.product(*axes)]
    points = list(grid)
    for point in points:
        if not isinstance(point, Mapping):
            raise TypeError(
                f"{point!r} is no point: give a mapping of parameters to lists, or a list of mappings, such as"
                ' {"fast": range(5, 10), "slow": [20, 50]}'
            )
    return points


def _call(build: Callable[..., Any], trial: Trial, point: Point) -> dict[str, Any]:
    try:
        result = build(trial, **point)
    finally:
        trial._close()
    return dict(result) if isinstance(result, Mapping) else {"result": result}


# What comes of a piece: results by index, the first failures with their seeds, how many have failed.
_Told = tuple[list[tuple[int, Any]], list[tuple[int, int, BaseException]], int]


# What a process of a sweep works on: the build, the points and their seeds. A forked one inherits it, so that
# it need not be pickled.
_work: tuple[Callable[..., Any], Sequence[Point], Sequence[int]] = (lambda: None, (), ())


def _begin(build: Callable[..., Any], points: Sequence[Point], seeds: Sequence[int]) -> None:
    global _work
    _work = (build, points, seeds)
    # Ctrl-C goes to all processes of a terminal: the first one ends the others.
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _piece(start: int, stop: int) -> _Told:
    """The work of a process: a few instances."""
    build, points, seeds = _work
    results: list[tuple[int, Any]] = []
    failures: list[tuple[int, int, BaseException]] = []
    failed = 0
    for at in range(start, stop):
        seed = seeds[at]
        try:
            result = _call(build, Trial(at, seed), points[at])
            _check_portable(result)
            results.append((at, result))
        except KeyboardInterrupt:
            raise
        # Also SystemExit: an instance that ends ends alone.
        except BaseException as error:
            failed += 1
            if len(failures) < _FAILURES_KEPT_MAX:
                failures.append((at, seed, _portable(error)))
    return results, failures, failed


class _Harvest:
    """What the pieces have brought. The pool's own thread takes it in, which no Ctrl-C interrupts."""

    def __init__(self, pieces: int) -> None:
        self.all = threading.Event()
        self.failures: list[tuple[int, int, BaseException]] = []
        self.failed = 0
        self.broken: BaseException | None = None
        self._results: dict[int, Any] = {}
        self._left = pieces
        self._lock = threading.Lock()
        if pieces == 0:
            self.all.set()

    @property
    def done(self) -> int:
        return len(self._results) + self.failed

    def take(self, future: Future[_Told]) -> None:
        error = None if future.cancelled() else future.exception()
        with self._lock:
            if error is not None:
                self.broken = self.broken or error
                self.all.set()
            elif not future.cancelled():
                results, failures, failed = future.result()
                self._results.update(results)
                self.failures = sorted(self.failures + failures, key=_index_of)[:_FAILURES_KEPT_MAX]
                self.failed += failed
            self._left -= 1
            if self._left == 0:
                self.all.set()

    def end(self) -> tuple[dict[int, Any], int]:
        """The results, and how many have failed: what comes later is not in them."""
        with self._lock:
            results, self._results = self._results, {}
            return results, self.failed


def _index_of(failure: tuple[int, int, BaseException]) -> int:
    return failure[0]


class _Stopped(BaseException):
    """Raised in a `build` that goes on when its sweep was stopped."""


class _Running:
    """The threads in which a `build` runs."""

    def __init__(self) -> None:
        self._threads: set[int] = set()
        self._since: float | None = None
        # How many were ended.
        self.ended = 0

    def __enter__(self) -> None:
        self._threads.add(threading.get_ident())

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._threads.discard(threading.get_ident())
        if kind is not None and issubclass(kind, _Stopped):
            self.ended += 1

    def stop(self, now: float) -> None:
        """Ends those that still run half a second after the first call."""
        self._since = now if self._since is None else self._since
        if now - self._since >= _GRACE_S:
            for ident in tuple(self._threads):
                _threads.raise_in(ident, _Stopped)


def _check_portable(result: dict[str, Any]) -> None:
    import pickle

    try:
        pickle.loads(pickle.dumps(result))
    except Exception as error:
        raise TypeError(
            f"the result cannot go from a process to this one: {error}; return numbers and texts, or use threads"
        ) from error


def _portable(error: BaseException) -> BaseException:
    """An error that can go to another process."""
    import pickle

    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _end(pool: ProcessPoolExecutor) -> None:
    for process in list((pool._processes or {}).values()):
        process.terminate()


def _is_watched() -> bool:
    return sys.stderr.isatty() or _in_notebook()


def _in_notebook() -> bool:
    shell = getattr(builtins, "get_ipython", None)
    return shell is not None and "Terminal" not in type(shell()).__name__


class _Bar:
    """A line that is written anew: stderr in a terminal, stdout in a notebook, which shows it below the
    cell."""

    _WIDTH = 30

    def __init__(self, label: str, total: int) -> None:
        self._label = label
        self._total = total
        self._to = sys.stdout if _in_notebook() else sys.stderr
        self._shown = 0.0
        self._length = 0

    def show(self, done: int, failed: int, elapsed: float) -> None:
        if done < self._total and elapsed - self._shown < _LOOK_S:
            return
        self._shown = elapsed
        share = done / self._total if self._total else 1.0
        full = int(share * self._WIDTH)
        text = f"{self._label} [{'#' * full}{'.' * (self._WIDTH - full)}] {done}/{self._total}"
        if failed:
            text += f", {failed} failed"
        if done and elapsed > 0:
            rate = done / elapsed
            text += f", {rate:,.0f}/s, {(self._total - done) / rate:.0f} s left"
        self._to.write("\r" + text.ljust(self._length))
        self._to.flush()
        self._length = len(text)

    def end(self) -> None:
        if self._length:
            self._to.write("\n")
            self._to.flush()
