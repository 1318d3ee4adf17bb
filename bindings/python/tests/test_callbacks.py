"""Callbacks: what they get, what they may do, and what becomes of their mistakes."""

from __future__ import annotations

import gc
import logging
import threading
import time
import weakref

import mycelium
import pytest
from conftest import CONTRACT
from desk import Note, Tick, Tock


def settle(done) -> None:  # type: ignore[no-untyped-def]
    """Waits until `done()`, and not for ever."""
    end = time.monotonic() + 100
    while not done():
        assert time.monotonic() < end, "it hangs"
        time.sleep(0.001)


def test_a_callback_gets_each_message_once_in_order_on_one_thread(rt: mycelium.Runtime) -> None:
    got, threads = [], set()

    def hear(message: Tick | Note) -> None:
        got.append(message.number)
        threads.add(threading.get_ident())

    rt.subscribe((Tick, Note), hear)
    for number in range(0, 2000, 2):
        rt.publish(Tick(number))
        rt.publish(Note(number + 1, "text", []))
    settle(lambda: len(got) == 2000)
    assert got == list(range(2000))
    assert len(threads) == 1 and threading.get_ident() not in threads


def test_a_raw_callback_gets_the_encoded_value(rt: mycelium.Runtime) -> None:
    got: list[bytes] = []
    rt.subscribe(Tick, got.append, raw=True)
    rt.publish(Tick(7))
    settle(lambda: got)
    assert got == [Tick(7).encode()]


def test_a_callback_that_raises_is_logged_and_counted_and_goes_on(rt: mycelium.Runtime, caplog) -> None:  # type: ignore[no-untyped-def]
    got = []

    def picky(tick: Tick) -> None:
        if tick.number % 2:
            raise ValueError(f"{tick.number} is odd")
        got.append(tick.number)

    rt.subscribe(Tick, picky)
    with caplog.at_level(logging.ERROR, logger="mycelium"):
        for number in range(5):
            rt.publish(Tick(number))
        settle(lambda: len(got) == 3)
    assert got == [0, 2, 4] and rt.stats()["callback_failures"] == 2
    records = [record for record in caplog.records if record.name == "mycelium"]
    assert len(records) == 2 and "picky" in records[0].getMessage()
    assert str(records[0].exc_info[1]) == "1 is odd"


def test_a_callback_publishes_subscribes_and_closes_itself(rt: mycelium.Runtime) -> None:
    got, handles = [], []

    def hear(tick: Tick) -> None:
        rt.publish(Tock(tick.number))
        if tick.number == 2:
            handles[0].close()

    tocks = rt.subscribe(Tock)
    handles.append(rt.subscribe(Tick, hear))
    rt.subscribe(Tock, lambda tock: got.append(tock.number))
    rt.publish_many([Tick(number) for number in range(10)])
    assert [tocks.recv().number for _ in range(3)] == [0, 1, 2]
    settle(lambda: len(got) == 3)
    assert handles[0].closed and "closed" in repr(handles[0])
    rt.publish(Tick(11))
    assert tocks.recv(timeout=0.05) is None


def test_when_close_returns_the_callback_does_not_run(rt: mycelium.Runtime) -> None:
    running = threading.Event()
    ended = threading.Event()

    def slow(tick: Tick) -> None:
        running.set()
        time.sleep(0.1)
        ended.set()

    callback = rt.subscribe(Tick, slow)
    rt.publish(Tick(1))
    running.wait()
    callback.close()
    assert ended.is_set()


def test_a_callback_that_fills_its_own_queue_has_an_error_and_no_deadlock(rt: mycelium.Runtime) -> None:
    errors = []

    def echo(tick: Tick) -> None:
        try:
            for number in range(100):
                rt.publish(Tick(number + 1))
        except mycelium.FullError as error:
            errors.append(error)
            callback.close()

    callback = rt.subscribe(Tick, echo, capacity=16)
    rt.publish(Tick(0))
    settle(lambda: errors)
    assert "wait for itself" in str(errors[0])


def fill(rt: mycelium.Runtime, refused: list[str]) -> None:
    """Publishes until there is no room."""
    for number in range(10):
        try:
            rt.publish(Tick(number))
        except mycelium.FullError as error:
            refused.append(str(error))
            break


def test_a_callback_that_is_being_closed_waits_for_no_room_of_its_own(rt: mycelium.Runtime) -> None:
    running, refused = threading.Event(), []

    def echo(tick: Tick) -> None:
        running.set()
        time.sleep(0.2)
        fill(rt, refused)

    callback = rt.subscribe(Tick, echo, capacity=4)
    rt.publish(Tick(0))
    running.wait()
    callback.close()
    assert "wait for itself" in refused[0]
    # Nothing is left of it that would take up room.
    other: list[str] = []
    fill(rt, other)
    assert not other


def test_a_callback_that_has_closed_itself_waits_for_no_room_of_its_own(rt: mycelium.Runtime) -> None:
    refused: list[str] = []

    def echo(tick: Tick) -> None:
        callback.close()
        fill(rt, refused)

    callback = rt.subscribe(Tick, echo, capacity=4)
    rt.publish(Tick(0))
    settle(lambda: refused)
    assert "wait for itself" in refused[0]


def test_a_callback_that_closes_its_runtime_is_told_how_to(rt: mycelium.Runtime) -> None:
    errors = []

    def hear(tick: Tick) -> None:
        try:
            rt.close()
        except mycelium.BusyError as error:
            errors.append(error)

    rt.subscribe(Tick, hear)
    rt.publish(Tick(0))
    settle(lambda: errors)
    assert "another thread" in str(errors[0])
    rt.publish(Tick(1))


def test_a_close_delivers_what_waits_and_waits_for_the_callback() -> None:
    got = []

    def slow(tick: Tick) -> None:
        time.sleep(0.002)
        got.append(tick.number)

    with mycelium.Runtime(contract=CONTRACT) as rt:
        rt.subscribe(Tick, slow)
        rt.publish_many([Tick(number) for number in range(50)])
    assert got == list(range(50))


def test_a_callback_that_does_not_return_is_named_by_close() -> None:
    rt, leave = mycelium.Runtime(contract=CONTRACT), threading.Event()
    rt.subscribe(Tick, lambda tick: leave.wait())
    rt.publish(Tick(0))
    with pytest.raises(mycelium.ShutdownError, match="callback"):
        rt.close(timeout=0.2)
    with pytest.raises(mycelium.ClosedError):
        rt.publish(Tick(1))
    leave.set()


def test_a_delivery_thread_under_flood_lets_others_run(rt: mycelium.Runtime) -> None:
    # `append` is written in C: nothing in it lets other threads have the interpreter.
    got: list[bytes] = []
    rt.subscribe(Tick, got.append, raw=True, capacity=4096)
    stop = threading.Event()
    value, publisher = Tick(1).encode(), rt.publisher(Tick)

    def feed() -> None:
        while not stop.is_set():
            publisher.publish_many([value] * 1000)

    feeding = threading.Thread(target=feed)
    feeding.start()
    for _ in range(50):
        time.sleep(0.001)
    settle(lambda: got)
    stop.set()
    feeding.join()


def test_a_callback_is_let_go_when_it_is_closed() -> None:
    class Listener:
        def hear(self, tick: Tick) -> None:
            pass

    rt = mycelium.Runtime(contract=CONTRACT)
    listener = Listener()
    gone = weakref.ref(listener)
    callback = rt.subscribe(Tick, listener.hear)
    rt.publish(Tick(1))
    callback.close()
    del listener
    rt.close()
    gc.collect()
    assert gone() is None


def test_what_is_no_callback(rt: mycelium.Runtime) -> None:
    with pytest.raises(TypeError, match="cannot be called"):
        rt.subscribe(Tick, 3)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="raw is for callbacks"):
        rt.subscribe(Tick, raw=True)  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="at least one message class"):
        rt.subscribe((), print)


def test_a_callback_bridges_two_runtimes_and_loses_nothing() -> None:
    got: list[int] = []

    def slow(tick: Tick) -> None:
        time.sleep(0.000_1)
        got.append(tick.number)

    with mycelium.Runtime(contract=CONTRACT) as one, mycelium.Runtime(contract=CONTRACT) as two:
        two.subscribe(Tick, slow, capacity=4)
        one.subscribe(Tick, two.publish)
        one.publish_many(Tick(number) for number in range(1000))
        settle(lambda: len(got) == 1000 or one.stats()["callback_failures"])
        assert got == list(range(1000)) and one.stats()["callback_failures"] == 0


def test_each_that_closes_a_callback_waits_for_it(rt: mycelium.Runtime) -> None:
    running, ended = threading.Event(), threading.Event()
    after: list[bool] = []

    def slow(tick: Tick) -> None:
        running.set()
        time.sleep(0.2)
        ended.set()

    callback = rt.subscribe(Tick, slow)
    rt.publish(Tick(1))
    running.wait()

    def close() -> None:
        callback.close()
        after.append(ended.is_set())

    closing = [threading.Thread(target=close) for _ in range(4)]
    for thread in closing:
        thread.start()
    for thread in closing:
        thread.join()
    assert after == [True] * 4


def test_a_close_that_is_refused_waits_for_nobody(rt: mycelium.Runtime) -> None:
    ticks, refused = rt.subscribe(Tock), threading.Event()
    waiting = threading.Thread(target=ticks.recv)
    waiting.start()

    def hear(tick: Tick) -> None:
        try:
            # As long as the test is given, if it waited for those that read.
            rt.close(timeout=1e6)
        except mycelium.BusyError:
            refused.set()

    rt.subscribe(Tick, hear)
    time.sleep(0.05)
    rt.publish(Tick(1))
    refused.wait()
    rt.publish(Tock(1))
    waiting.join()
