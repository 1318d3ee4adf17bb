"""What is done wrong is an exception that says what to do."""

from __future__ import annotations

import asyncio
import gc
import os
import sys
import threading
import time
from typing import Any

import desk
import mycelium
import numpy as np
import pytest
from conftest import CONTRACT, trade
from desk import Note, Tick, Tock, Trade
from mycelium import Isolate, on, on_batch
from test_isolate import Doubler


def test_arguments_that_make_no_sense(rt: mycelium.Runtime) -> None:
    with pytest.raises(TypeError, match="int is no message class"):
        rt.publish(3)
    with pytest.raises(TypeError, match="no message class"):
        rt.subscribe(int)
    with pytest.raises(TypeError, match="a publisher of Tick was given a Tock"):
        rt.publisher(Tick).publish(Tock(1))
    with pytest.raises(ValueError, match='choose "block"'):
        rt.subscribe(Tick, policy="drop")
    with pytest.raises(ValueError, match="from 1 on"):
        rt.subscribe(Tick, capacity=0)
    with pytest.raises(ValueError, match="at least one message class"):
        rt.subscribe(())
    with pytest.raises(ValueError, match="at least one record"):
        rt.subscribe_array(Tick, batch=0)
    with pytest.raises(ValueError, match="None waits for ever"):
        rt.publish(Tick(1), timeout=-1)
    with pytest.raises(ValueError, match="None waits for ever"):
        rt.subscribe(Tick).recv(timeout=float("nan"))
    with pytest.raises(TypeError, match="has no fixed size"):
        rt.subscribe_array(Note)
    with pytest.raises(TypeError, match="publish_many\\(array, of=Trade\\)"):
        rt.publish_many(np.zeros(1, dtype=Tick.DTYPE))
    with pytest.raises(TypeError, match="an array of Trade has the dtype"):
        rt.publish_many(np.zeros(1, dtype=Tick.DTYPE), of=Trade)
    with pytest.raises(TypeError, match="contract is a int"):
        mycelium.Runtime(contract=3)
    with pytest.raises(ValueError, match="threads is 0: choose 1 to 64"):
        mycelium.Runtime(contract=CONTRACT, threads=0)
    with pytest.raises(desk.EncodeError, match="Tick.number"):
        rt.publish(Tick(-1))


def test_bytes_that_are_no_value_reach_nobody(rt: mycelium.Runtime) -> None:
    trades, publisher = rt.subscribe(Trade), rt.publisher(Trade)
    value = bytearray(trade().encode())
    for bad in (b"", bytes(value[:-1]), bytes(value) + b"\0" * 8):
        with pytest.raises(mycelium.PublishError, match="not published: Trade"):
            publisher.publish(bad)
    value[20] = 2  # there is no third side
    with pytest.raises(mycelium.PublishError):
        publisher.publish(bytes(value))
    records = np.zeros(3, dtype=Trade.DTYPE)
    records["side"][1] = 7
    with pytest.raises(mycelium.PublishError):
        publisher.publish_many(records)
    assert len(trades.recv().encode()) == Trade.ROOT_LEN, "the record before the mistake"
    assert trades.try_recv() is None


def test_another_contract_is_refused(tmp_path: object) -> None:
    with pytest.raises(mycelium.SchemaError, match="generate the package again"):
        mycelium.Runtime(contract=CONTRACT, schema_digest=desk.SCHEMA_DIGEST ^ 1)
    other = "mycelium contract 1\nschema other 1\nmessage Tick 3 1 desk.ticks\nfield number 1 u32\n"
    contract = mycelium.Contract.parse(other, 1, "other")
    with mycelium.Runtime(contract=contract) as rt:
        with pytest.raises(mycelium.SchemaError, match="Tick .* is not the Tick of the runtime's contract"):
            rt.publish(Tick(1))
        with pytest.raises(mycelium.SchemaError, match="Trade .* is not in the runtime's contract"):
            rt.subscribe(Trade)
    with pytest.raises(mycelium.ContractError, match="no such file or directory|No such file"):
        mycelium.Runtime(contract="nowhere.yaml")
    with pytest.raises(mycelium.ContractError, match="line 2"):
        mycelium.Contract.parse("mycelium contract 1\nnonsense\n", 1, "here")
    with pytest.raises(mycelium.ContractError, match="the module os has no CONTRACT"):
        mycelium.Runtime(contract=os)


def test_a_mistake_in_a_contract_is_shown_with_its_place(tmp_path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "contracts.yaml"
    file.write_text("schema: {id: a, version: 1}\nmessages: {A: {tlv_type: x}}\n")
    with pytest.raises(mycelium.ContractError) as told:
        mycelium.Runtime(contract=file)
    assert "contracts.yaml:2:" in str(told.value) and "help:" in str(told.value)


def test_use_after_close() -> None:
    rt = mycelium.Runtime(contract=CONTRACT)
    publisher, ticks = rt.publisher(Tick), rt.subscribe(Tick)
    rt.publish(Tick(1))
    rt.close()
    rt.close()
    assert ticks.recv() == Tick(1), "what waited is read"
    assert ticks.recv() is None and list(ticks) == []
    for use in (lambda: rt.publish(Tick(1)), lambda: publisher.publish(Tick(1)), lambda: rt.subscribe(Tick)):
        with pytest.raises(mycelium.ClosedError, match="runtime is closed"):
            use()
    assert "closed" in repr(rt)
    rt.stats()


def test_a_publisher_that_waits_when_the_runtime_closes_has_an_error() -> None:
    rt = mycelium.Runtime(contract=CONTRACT)
    ticks, errors = rt.subscribe(Tick, capacity=4), []

    def publish() -> None:
        try:
            while True:
                rt.publish(Tick(1))
        except mycelium.MyceliumError as error:
            errors.append(error)

    thread = threading.Thread(target=publish)
    thread.start()
    time.sleep(0.05)
    rt.close()
    thread.join()
    assert isinstance(errors[0], mycelium.ClosedError)
    ticks.close()


def test_two_readers_of_one_subscription_are_told(rt: mycelium.Runtime) -> None:
    ticks = rt.subscribe(Tick)
    told: list[mycelium.BusyError] = []
    waiting = threading.Event()

    def read() -> None:
        # Whichever of the two comes second is told.
        while not waiting.is_set():
            try:
                ticks.recv(timeout=0.01)
            except mycelium.BusyError as error:
                told.append(error)

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    end = time.monotonic() + 60
    while not told and time.monotonic() < end:
        time.sleep(0.001)
    waiting.set()
    for reader in readers:
        reader.join()
    assert told, "none of the two was told within a minute"
    assert "a subscription of its own" in str(told[0])
    rt.publish(Tick(1))
    assert ticks.recv() == Tick(1)


def test_two_tasks_of_one_subscription_are_told(rt: mycelium.Runtime) -> None:
    async def read() -> None:
        ticks = rt.subscribe(Tick)
        first = asyncio.create_task(anext(ticks))
        await asyncio.sleep(0.01)
        with pytest.raises(mycelium.BusyError, match="another task waits"):
            await anext(ticks)
        with pytest.raises(mycelium.BusyError, match="a task waits"):
            ticks.try_recv()
        rt.publish(Tick(1))
        assert await asyncio.wait_for(first, 60) == Tick(1)
        rt.publish(Tick(2))
        assert ticks.recv(timeout=60) == Tick(2)

    asyncio.run(read())


def test_whatever_is_dropped_leaves_nothing_behind() -> None:
    threads = threading.active_count()
    before = len(os.listdir("/proc/self/task")) if os.path.exists("/proc/self/task") else 0
    for _ in range(20):
        rt = mycelium.Runtime(contract=CONTRACT)
        rt.subscribe(Tick)
        rt.publish(Tick(1))
        del rt
    gc.collect()
    assert threading.active_count() <= threads  # one of a test before may have ended meanwhile
    if before:
        while len(os.listdir("/proc/self/task")) > before:  # threads of the system end soon after
            time.sleep(0.01)


def test_errors_are_one_family() -> None:
    import mycelium.errors

    for name in mycelium.errors.__all__:
        assert issubclass(getattr(mycelium.errors, name), mycelium.MyceliumError) and getattr(mycelium, name)


def test_numbers_below_zero_are_refused_with_their_name(isolate: Isolate) -> None:
    def build(trial: Any) -> int:
        return 1

    for make, name in (
        (lambda: Isolate(CONTRACT, seed=-1), "seed"),
        (lambda: mycelium.Sweep({"x": [1]}, build, seed=-1), "seed"),
        (lambda: mycelium.Runtime(contract=CONTRACT, threads=-1), "threads"),
        (lambda: mycelium.Runtime(contract=CONTRACT, topic_capacity=-1), "topic_capacity"),
        (lambda: on(Tick, capacity=-1), "capacity"),
        (lambda: on_batch(Tick, capacity=-1), "capacity"),
    ):
        with pytest.raises(ValueError, match=f"{name} is -1"):
            make()  # type: ignore[no-untyped-call]
    with mycelium.Runtime(contract=CONTRACT) as rt:
        for subscribe in (
            lambda: rt.subscribe(Tick, capacity=-1),
            lambda: rt.subscribe(Tick, print, capacity=-1),
            lambda: rt.subscribe_array(Tick, capacity=-1),
        ):
            with pytest.raises(ValueError, match="capacity is -1"):
                subscribe()
        assert rt not in mycelium._runtime._working, "nothing goes on"
    assert isinstance(isolate.spawn(Doubler), mycelium.Spawned)
    assert isinstance(isolate.publisher(Tick), mycelium.IsolatePublisher)


def test_the_switch_interval_is_that_of_the_process() -> None:
    before = sys.getswitchinterval()
    try:
        with mycelium.Runtime(contract=CONTRACT):
            assert sys.getswitchinterval() == before, "it is left alone"
        with mycelium.Runtime(contract=CONTRACT, switch_interval=0.0005):
            assert sys.getswitchinterval() == pytest.approx(0.0005)
        with pytest.raises(ValueError):
            mycelium.Runtime(contract=CONTRACT, switch_interval=-1.0)
    finally:
        sys.setswitchinterval(before)
