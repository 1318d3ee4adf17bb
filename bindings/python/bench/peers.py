"""Mycelium beside other carriers of messages in Python, in one run and on the same work, with 104 bytes each.

The package is installed from a release build, and the classes of contracts.yaml lie beside it:

    mycelium gen bindings/python/bench/contracts.yaml --lang python --out target/bench/quotes
    pip install pyzmq eclipse-zenoh ray
    PYTHONPATH=target/bench python bindings/python/bench/peers.py

Peers that are not installed are named and left out. Each round measures everything once, in turn, so that a
busy machine slows all alike. It prints the medians of all rounds and the best ones, each also as a multiple
of Mycelium's. Times are those of the clock. Each measurement counts what has arrived, and fails where
something is missing.
"""

from __future__ import annotations

import argparse
import collections
import dataclasses
import importlib
import importlib.metadata
import itertools
import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any

import mycelium
import numpy as np
import quotes
from quotes import Quote

BATCH = 256
# How long a measurement may wait for a message before it fails (seconds).
WATCHDOG_S = 120.0

QUOTE = Quote(0, 1, 2, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9, 10, 11.0, 12.0)
VALUE = QUOTE.encode()
RECORDS = np.zeros(BATCH, dtype=Quote.DTYPE)
RECORDS["number"] = np.arange(BATCH)
assert len(VALUE) == RECORDS.itemsize == 104

ROWS = {
    "publish": "publish one message, without its reader's time",
    "callback": "publish one by one until the last callback returns",
    "array": f"{BATCH} at a time, from an array of numpy to another",
    "ask": "a query and its answer, both encoded and decoded",
}


class Missing(Exception):
    """Something that was sent has not arrived."""


def arrived(what: str, got: int, wanted: int) -> None:
    if got != wanted:
        raise Missing(f"{what}: {got} of {wanted} have arrived")


def timed(work: Callable[[], object]) -> int:
    start = time.perf_counter_ns()
    work()
    return time.perf_counter_ns() - start


def each(function: Callable[[Any], object], value: object, count: int) -> None:
    """Calls it so often, with nothing of Python between."""
    collections.deque(map(function, itertools.repeat(value, count)), maxlen=0)


def answer(quote: Quote) -> Quote:
    """The work of whoever is asked."""
    return dataclasses.replace(quote, number=quote.number + 1)


def asking(ask: Callable[[], Quote], count: int) -> int:
    def work() -> None:
        for _ in range(count):
            arrived("numbers of answers", ask().number, QUOTE.number + 1)

    return timed(work)


class Ears:
    """A callback, and a main thread that waits for the last of its calls."""

    def __init__(self) -> None:
        self.count = self.wanted = self.bytes = 0
        self.done = threading.Event()

    def hear(self, value: bytes) -> None:
        self.count += 1
        self.bytes += len(value)
        if self.count == self.wanted:
            self.done.set()

    def measure(self, publish: Callable[[bytes], object], count: int) -> int:
        """From the first publish to the last call."""
        self.count, self.bytes, self.wanted = 0, 0, count
        self.done.clear()

        def work() -> None:
            each(publish, VALUE, count)
            self.done.wait(WATCHDOG_S)

        took = timed(work)
        arrived("callbacks", self.count, count)
        arrived("bytes of callbacks", self.bytes, count * len(VALUE))
        return took


class Arrays:
    """The arrays that have come. Their records are looked at when time has been taken."""

    def __init__(self) -> None:
        self.arrays: list[np.ndarray] = []
        self.records = 0

    def take(self, array: np.ndarray) -> None:
        self.arrays.append(array)
        self.records += len(array)

    def check(self, count: int) -> None:
        arrived("records", self.records, count)
        numbers = sum(int(array["number"].sum()) for array in self.arrays)
        arrived("numbers of records", numbers, count // BATCH * int(RECORDS["number"].sum()))


class Peer:
    """Each method does the work of a row so often, and returns its nanoseconds."""

    name: str
    package: str

    def __init__(self, count: int) -> None:
        """For as many messages at a time."""

    def publish(self, count: int) -> int:
        raise NotImplementedError

    def callback(self, count: int) -> int:
        raise NotImplementedError

    def array(self, count: int) -> int:
        raise NotImplementedError

    def ask(self, count: int) -> int:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


class Mycelium(Peer):
    name = package = "mycelium"

    class Answers(mycelium.Actor):
        @mycelium.ask(Quote)
        def asked(self, quote: Quote) -> Quote:
            return answer(quote)

    def __init__(self, count: int) -> None:
        contract = mycelium.load_contract(quotes)
        # A bus for each kind of work: nobody hears what is for others.
        self.reads, self.hears = (mycelium.Runtime(contract=contract, topic_capacity=2 * count) for _ in range(2))
        self.reader = self.reads.subscribe_array(Quote, batch=BATCH)
        self.out, self.out_heard = self.reads.publisher(Quote), self.hears.publisher(Quote)
        self.ears = Ears()
        self.hears.subscribe(Quote, self.ears.hear, raw=True)
        self.hears.start(mycelium.Supervisor(children=[mycelium.Child("answers", self.Answers)]))

    def next(self) -> np.ndarray:
        array = self.reader.recv(timeout=WATCHDOG_S)
        if array is None:
            raise Missing("the bus was closed")
        return array

    def publish(self, count: int) -> int:
        took = timed(lambda: each(self.out.publish, VALUE, count))
        got = 0
        while got < count:
            got += len(self.next())
        arrived("publishes", got, count)
        return took

    def callback(self, count: int) -> int:
        return self.ears.measure(self.out_heard.publish, count)

    def array(self, count: int) -> int:
        arrays = Arrays()

        def work() -> None:
            for batch in range(1, count // BATCH + 1):
                self.out.publish_many(RECORDS)
                while arrays.records < batch * BATCH:
                    arrays.take(self.next())

        took = timed(work)
        arrays.check(count)
        return took

    def ask(self, count: int) -> int:
        return asking(lambda: self.hears.ask("root/answers", QUOTE, Quote, timeout=WATCHDOG_S), count)

    def close(self) -> None:
        self.reads.close()
        self.hears.close()


class ZeroMq(Peer):
    """Sockets within the process. A thread that receives and calls stands for callbacks; another answers."""

    name, package = "pyzmq inproc", "pyzmq"

    def __init__(self, count: int) -> None:
        self.zmq = importlib.import_module("zmq")
        self.context = self.zmq.Context()
        self.ears, self.met = Ears(), threading.Event()
        self.threads: list[threading.Thread] = []
        self.out, self.reader = self.bound("PUB", "quotes"), self.connected("SUB", "quotes")
        # A subscription is there once something has come.
        while not self.reader.poll(10):
            self.out.send(b"")
        while self.reader.poll(10):
            self.reader.recv()
        self.out_heard = self.bound("PUB", "heard")
        self.run(self.hear)
        while not self.met.wait(0.01):
            self.out_heard.send(b"")
        answers = self.bound("REP", "answers")
        self.run(lambda: self.answer(answers))
        self.query = self.connected("REQ", "answers")

    def socket(self, kind: str) -> Any:
        socket = self.context.socket(getattr(self.zmq, kind))
        # No bound on what waits, and none on how long a receiver waits but the watchdog's.
        socket.set_hwm(0)
        socket.linger = 0
        return socket

    def bound(self, kind: str, name: str) -> Any:
        socket = self.socket(kind)
        socket.bind(f"inproc://{name}")
        return socket

    def connected(self, kind: str, name: str) -> Any:
        socket = self.socket(kind)
        socket.rcvtimeo = int(WATCHDOG_S * 1000)
        socket.connect(f"inproc://{name}")
        if kind == "SUB":
            socket.subscribe(b"")
        return socket

    def run(self, loop: Callable[[], None]) -> None:
        def until_the_end() -> None:
            try:
                loop()
            except self.zmq.ContextTerminated:
                pass

        self.threads.append(threading.Thread(target=until_the_end, daemon=True))
        self.threads[-1].start()

    def hear(self) -> None:
        with self.connected("SUB", "heard") as socket:
            socket.rcvtimeo = -1
            while True:
                value = socket.recv()
                self.met.set()
                if value:
                    self.ears.hear(value)

    def answer(self, socket: Any) -> None:
        with socket:
            while True:
                socket.send(answer(Quote.decode(socket.recv())).encode())

    def publish(self, count: int) -> int:
        took = timed(lambda: each(self.out.send, VALUE, count))
        got = sum(len(self.reader.recv()) == len(VALUE) for _ in range(count))
        arrived("publishes", got + self.reader.poll(0), count)
        return took

    def callback(self, count: int) -> int:
        return self.ears.measure(self.out_heard.send, count)

    def array(self, count: int) -> int:
        arrays = Arrays()

        def work() -> None:
            for _ in range(count // BATCH):
                self.out.send(RECORDS)
                arrays.take(np.frombuffer(self.reader.recv(), dtype=Quote.DTYPE))

        took = timed(work)
        arrays.check(count)
        return took

    def ask(self, count: int) -> int:
        def once() -> Quote:
            self.query.send(QUOTE.encode())
            return Quote.decode(self.query.recv())

        return asking(once, count)

    def close(self) -> None:
        for socket in (self.out, self.reader, self.out_heard, self.query):
            socket.close()
        self.context.term()
        for thread in self.threads:
            thread.join(WATCHDOG_S)


class Zenoh(Peer):
    """A session that looks for no others: its publishers, subscribers and queryables are in this process."""

    name, package = "zenoh", "eclipse-zenoh"

    def __init__(self, count: int) -> None:
        zenoh = importlib.import_module("zenoh")
        config = zenoh.Config()
        for key, value in (("mode", '"peer"'), ("scouting/multicast/enabled", "false"), ("listen/endpoints", "[]")):
            config.insert_json5(key, value)
        self.session = zenoh.open(config)
        self.ears = Ears()
        self.reader = self.session.declare_subscriber("bench/quotes", zenoh.handlers.FifoChannel(2 * count))
        self.out = self.session.declare_publisher("bench/quotes")
        self.hearer = self.session.declare_subscriber("bench/heard", lambda it: self.ears.hear(it.payload.to_bytes()))
        self.out_heard = self.session.declare_publisher("bench/heard")
        self.answers = self.session.declare_queryable("bench/answers", self.answer)

    @staticmethod
    def answer(query: Any) -> None:
        query.reply("bench/answers", answer(Quote.decode(query.payload.to_bytes())).encode())

    def publish(self, count: int) -> int:
        took = timed(lambda: each(self.out.put, VALUE, count))
        got = sum(len(self.reader.recv().payload.to_bytes()) == len(VALUE) for _ in range(count))
        arrived("publishes", got + (self.reader.try_recv() is not None), count)
        return took

    def callback(self, count: int) -> int:
        return self.ears.measure(self.out_heard.put, count)

    def array(self, count: int) -> int:
        arrays = Arrays()

        def work() -> None:
            for _ in range(count // BATCH):
                self.out.put(RECORDS.tobytes())
                arrays.take(np.frombuffer(self.reader.recv().payload.to_bytes(), dtype=Quote.DTYPE))

        took = timed(work)
        arrays.check(count)
        return took

    def ask(self, count: int) -> int:
        def once() -> Quote:
            [reply] = self.session.get("bench/answers", payload=QUOTE.encode())
            return Quote.decode(reply.ok.payload.to_bytes())

        return asking(once, count)

    def close(self) -> None:
        self.session.close()


class Takes:
    """The actor of Ray, in a process of its own: its methods are what is called back."""

    def __init__(self) -> None:
        self.count, self.arrays = 0, Arrays()

    def take(self, value: bytes) -> None:
        self.count += len(value) == len(VALUE)

    def take_array(self, array: np.ndarray) -> None:
        self.arrays.take(array)

    def taken(self) -> tuple[int, int]:
        """How many values and how many records have come since the last call."""
        count, arrays = self.count, self.arrays
        self.count, self.arrays = 0, Arrays()
        arrays.check(arrays.records)
        return count, arrays.records

    def asked(self, quote: Quote) -> Quote:
        return answer(quote)


class Ray(Peer):
    """It has no topics: an actor is called. Its values are pickled."""

    name, package = "ray actor", "ray"

    def __init__(self, count: int) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        self.ray = importlib.import_module("ray")
        self.ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, configure_logging=False)
        self.actor = self.ray.remote(Takes).remote()
        self.taken()

    def taken(self) -> tuple[int, int]:
        taken: tuple[int, int] = self.ray.get(self.actor.taken.remote(), timeout=WATCHDOG_S)
        return taken

    def publish(self, count: int) -> int:
        took = timed(lambda: each(self.actor.take.remote, VALUE, count))
        arrived("publishes", self.taken()[0], count)
        return took

    def callback(self, count: int) -> int:
        taken: list[tuple[int, int]] = []

        def work() -> None:
            each(self.actor.take.remote, VALUE, count)
            taken.append(self.taken())

        took = timed(work)
        arrived("calls", taken[0][0], count)
        return took

    def array(self, count: int) -> int:
        taken: list[tuple[int, int]] = []

        def work() -> None:
            each(self.actor.take_array.remote, RECORDS, count // BATCH)
            taken.append(self.taken())

        took = timed(work)
        arrived("records", taken[0][1], count)
        return took

    def ask(self, count: int) -> int:
        return asking(lambda: self.ray.get(self.actor.asked.remote(QUOTE), timeout=WATCHDOG_S), count)

    def close(self) -> None:
        self.ray.shutdown()


PEERS: tuple[type[Peer], ...] = (Mycelium, ZeroMq, Zenoh, Ray)


def version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "of a folder"


def opened(kinds: Iterable[type[Peer]], count: int) -> list[Peer]:
    """Those that are there."""
    peers: list[Peer] = []
    for kind in kinds:
        try:
            peers.append(kind(count))
        except ModuleNotFoundError as error:
            print(f"left out: {kind.name} ({error}): pip install {kind.package}")
    return peers


def measure(peers: list[Peer], rounds: int, count: int, asks: int) -> dict[tuple[str, str], list[float]]:
    """Nanoseconds for each message, by row and peer, of each round but the first, which warms up."""
    found: dict[tuple[str, str], list[float]] = collections.defaultdict(list)
    for number in range(rounds + 1):
        for row in ROWS:
            # Nobody is always the first.
            for peer in peers[number % len(peers) :] + peers[: number % len(peers)]:
                many = asks if row == "ask" else count
                took = getattr(peer, row)(many) / many
                if number > 0:
                    found[row, peer.name].append(took)
    return found


def show(peers: list[Peer], found: dict[tuple[str, str], list[float]], of: Callable[[list[float]], float]) -> None:
    for row, says in ROWS.items():
        figures = [of(found[row, peer.name]) for peer in peers]
        ratios = ["", *(f" ({figure / figures[0]:.1f}x)" for figure in figures[1:])]
        cells = [f"{figure:,.0f}{ratio}" for figure, ratio in zip(figures, ratios, strict=True)]
        print(f"{says:<52}" + "".join(f"{cell:>20}" for cell in cells))


def main() -> None:
    options = argparse.ArgumentParser(description="Mycelium beside pyzmq, zenoh and Ray, on messages of 104 bytes.")
    options.add_argument("--rounds", type=int, default=9, help="how many rounds count; one more warms up")
    options.add_argument("--count", type=int, default=16 * BATCH, help=f"messages of each measurement, a multiple of {BATCH}")
    options.add_argument("--asks", type=int, default=400, help="queries of each measurement")
    options.add_argument("--only", nargs="*", choices=[peer.package for peer in PEERS], help="these packages alone")
    given = options.parse_args()
    if min(given.rounds, given.count, given.asks) < 1 or given.count % BATCH:
        options.error(f"give numbers from 1 on, and a --count that is a multiple of {BATCH}")
    peers = opened((peer for peer in PEERS if given.only is None or peer.package in given.only), given.count)
    if not peers:
        raise SystemExit("nothing is left to measure")
    print(f"Python {platform.python_version()}; " + ", ".join(f"{peer.package} {version(peer.package)}" for peer in peers))
    print(f"{os.cpu_count()} CPUs; load before: {os.getloadavg()[0]:.1f}")
    try:
        found = measure(peers, given.rounds, given.count, given.asks)
    finally:
        for peer in peers:
            peer.close()
    print(f"load after: {os.getloadavg()[0]:.1f}; all counts are right")
    print(f"\n{'nanoseconds for each message':<52}" + "".join(f"{peer.name:>20}" for peer in peers))
    print(f"medians of {given.rounds} rounds")
    show(peers, found, statistics.median)
    print("best rounds")
    show(peers, found, min)


if __name__ == "__main__":
    main()
