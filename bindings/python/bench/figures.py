"""What a message costs in Python: the least of many rounds, since others use the machine too.

Run it with the package installed from a release build, and with the classes of contracts.yaml beside it:

    mycelium gen bindings/python/bench/contracts.yaml --lang python --out target/bench/quotes
    PYTHONPATH=target/bench python bindings/python/bench/figures.py
"""

from __future__ import annotations

import collections
import dataclasses
import itertools
import logging
import sys
import threading
import time
from collections.abc import Callable

import mycelium
import numpy as np
import quotes
from quotes import Quote

ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 200
COUNT = 1024

CONTRACT = mycelium.load_contract(quotes)
QUOTE = Quote(0, 1, 2, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9, 10, 11.0, 12.0)
VALUE = QUOTE.encode()
assert len(VALUE) == 104


def consume(iterator: object) -> None:
    collections.deque(iterator, maxlen=0)  # type: ignore[call-overload]


def least(work: Callable[[], None], between: Callable[[], None], clock: Callable[[], int], count: int = COUNT) -> float:
    """Nanoseconds for each message, in the best round."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = clock()
        work()
        best = min(best, (clock() - start) / count)
        between()
    return best


def row(name: str, ns: float, target: float | None = None) -> None:
    verdict = "" if target is None else f"at most {target:g}: {'reached' if ns <= target else 'MISSED'}"
    print(f"{name:<58} {ns:8.1f} ns  {verdict}")


def publishing() -> None:
    with mycelium.Runtime(contract=CONTRACT, topic_capacity=4 * COUNT) as rt:
        arrays = rt.subscribe_array(Quote, batch=COUNT)
        publisher = rt.publisher(Quote)
        records = np.zeros(COUNT, dtype=Quote.DTYPE)

        def drain() -> None:
            left = COUNT
            while left:
                left -= len(arrays.recv())

        def one_by_one() -> None:
            consume(map(publisher.publish, itertools.repeat(VALUE, COUNT)))

        def messages() -> None:
            consume(map(rt.publish, itertools.repeat(QUOTE, COUNT)))

        cpu = time.thread_time_ns
        row("publisher.publish(encoded), one reader", least(one_by_one, drain, cpu), 150)
        row("rt.publish(message): encoded, its rules checked", least(messages, drain, cpu), 500)
        row("publisher.publish_many(array), one reader", least(lambda: publisher.publish_many(records) and None, drain, cpu), 12)
        values = [VALUE] * COUNT
        row("publisher.publish_many(list of encoded)", least(lambda: publisher.publish_many(values) and None, drain, cpu))
        for batch in (256, COUNT):
            some = rt.subscribe_array(Quote, batch=batch)
            arrays.close()

            def read() -> None:
                left = COUNT
                while left:
                    left -= len(some.recv())

            publisher.publish_many(records)
            row(f"subscribe_array, batches of {batch}", least(read, lambda: publisher.publish_many(records) and None, cpu), 15)
            arrays = some
        with rt.subscribe(Quote) as quotes_:
            publisher.publish_many(records)
            row(
                "subscription.recv(): decoded",
                least(
                    lambda: consume(quotes_.recv() for _ in range(COUNT)),
                    lambda: (drain(), publisher.publish_many(records)) and None,
                    cpu,
                ),
            )


def calling() -> None:
    """CPU of the delivery thread, as it sees it itself: from the first call of a full queue to the last."""
    for raw, target in ((True, 200), (False, None)):
        with mycelium.Runtime(contract=CONTRACT, topic_capacity=64 * COUNT) as rt:
            publisher, records = rt.publisher(Quote), np.zeros(16 * COUNT, dtype=Quote.DTYPE)
            many, best = 16 * COUNT, float("inf")
            gate, done, count, start = threading.Event(), threading.Event(), 0, 0

            def hear(message: object) -> None:
                nonlocal count, start
                count += 1
                if count == 1:
                    gate.wait()
                    start = time.thread_time_ns()
                elif count == many:
                    nonlocal best
                    best = min(best, (time.thread_time_ns() - start) / (many - 1))
                    done.set()

            rt.subscribe(Quote, hear, raw=raw)
            for _ in range(max(ROUNDS // 10, 3)):
                count = 0
                gate.clear()
                done.clear()
                publisher.publish_many(records)
                gate.set()
                done.wait()
            row(f"callback, {'encoded' if raw else 'decoded'}, with a body of two lines", best, target)


class Fails(mycelium.Actor):
    """Raises at a Quote whose number is 0, and notes when it has handled another one."""

    raised = handled = 0
    done = threading.Event()

    @mycelium.on(Quote)
    def quote(self, quote: Quote) -> None:
        if quote.number == 0:
            Fails.raised = time.monotonic_ns()
            raise ValueError
        Fails.handled = time.monotonic_ns()
        self.done.set()


def restarting() -> None:
    """From the exception of a life to the next message, handled by the next life: time of the clock, not of
    the CPU."""
    logging.getLogger("mycelium").setLevel(logging.CRITICAL + 1)
    back = mycelium.Backoff(initial=0.0, cap=0.0)  # A timer has a resolution of a millisecond.
    tree = mycelium.Supervisor(children=[mycelium.Child("fails", Fails, backoff=back)], intensity=1_000_000)
    with mycelium.Runtime(contract=CONTRACT) as rt:
        rt.start(tree)
        good, bad = dataclasses.replace(QUOTE, number=1), dataclasses.replace(QUOTE, number=0)
        best = float("inf")
        for _ in range(max(ROUNDS, 10)):
            Fails.done.clear()
            rt.publish_many([bad, good])
            Fails.done.wait()
            best = min(best, Fails.handled - Fails.raised)
    row("restart: from an exception to the next message handled", best, 1_000_000)


def bare() -> None:
    """What Python itself takes for the same loops."""
    row("(the loop and a call of a function of C)", least(lambda: consume(map(len, itertools.repeat(VALUE, COUNT))), lambda: None, time.thread_time_ns))
    row("(QUOTE.encode())", least(lambda: consume(QUOTE.encode() for _ in range(COUNT)), lambda: None, time.thread_time_ns))
    row("(QUOTE.validate())", least(lambda: consume(QUOTE.validate() for _ in range(COUNT)), lambda: None, time.thread_time_ns))
    row("(Quote.decode(VALUE))", least(lambda: consume(map(Quote.decode, itertools.repeat(VALUE, COUNT))), lambda: None, time.thread_time_ns))


if __name__ == "__main__":
    publishing()
    calling()
    restarting()
    bare()
