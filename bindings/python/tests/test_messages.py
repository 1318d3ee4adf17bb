"""Publishing and reading messages."""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from decimal import Decimal  # noqa: F401
from types import FrameType

import desk
import mycelium
import numpy as np
import pytest
from conftest import CONTRACT, trade
from desk import Note, Side, Tick, Tock, Trade
from hypothesis import given, settings
from hypothesis import strategies as st


def test_what_is_published_is_read_in_order_and_once(rt: mycelium.Runtime) -> None:
    ticks = rt.subscribe(Tick)
    for number in range(1000):
        rt.publish(Tick(number))
    assert [ticks.recv() for _ in range(1000)] == [Tick(number) for number in range(1000)]
    assert ticks.try_recv() is None


def test_a_subscription_to_several_classes_keeps_the_order_of_the_bus_and_leaves_others_out(rt: mycelium.Runtime) -> None:
    both, ticks = rt.subscribe((Tick, Note)), rt.subscribe(Tick)
    sent = [Tick(1), Note(2, "two", ["a", "b"]), Tock(3), Tick(4), Note(5, "a text longer than eight bytes", [])]
    assert rt.publish_many(sent) == 5
    assert [both.recv() for _ in range(4)] == [message for message in sent if not isinstance(message, Tock)]
    assert [ticks.recv(), ticks.recv()] == [Tick(1), Tick(4)]
    assert both.try_recv() is None and ticks.try_recv() is None


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**64 - 1), st.text(), st.lists(st.text(), max_size=5))
def test_any_note_comes_as_it_was(number: int, text: str, tags: list[str]) -> None:
    rt, notes = _shared()
    try:
        note = Note(number, text, tags)
        value = note.encode()
    except desk.EncodeError:
        return  # a lone surrogate is no text on the wire
    rt.publisher(Note).publish(value)
    assert notes.recv() == note


_made: list[tuple[mycelium.Runtime, mycelium.Subscription[Note]]] = []


def _shared() -> tuple[mycelium.Runtime, mycelium.Subscription[Note]]:
    if not _made:
        rt = mycelium.Runtime(contract=CONTRACT)
        _made.append((rt, rt.subscribe(Note)))
    return _made[0]


def test_publish_checks_the_rules_unless_it_is_told_not_to(rt: mycelium.Runtime) -> None:
    bad = trade()
    bad.price = -1.0
    trades = rt.subscribe(Trade)
    with pytest.raises(desk.ValidationError, match="Trade.price is -1.0, must be above 0"):
        rt.publish(bad)
    with pytest.raises(desk.ValidationError):
        rt.publish_many([trade(), bad])
    assert trades.recv() == trade(), "those before the mistake are published"
    assert trades.try_recv() is None
    with mycelium.Runtime(contract=CONTRACT, validate=False) as loose:
        got = loose.subscribe(Trade)
        loose.publish(bad)
        assert got.recv() == bad


def test_a_publish_looks_at_types_and_rules_once(rt: mycelium.Runtime) -> None:
    rules = 0

    class Counted(float):
        def __gt__(self, other: float) -> bool:
            nonlocal rules
            rules += 1
            return True

    fits = 0

    def note(frame: FrameType, event: str, _: object) -> None:
        nonlocal fits
        fits += event == "call" and frame.f_code.co_name == "fits"

    publisher, good = rt.publisher(Trade), trade()
    good.price = Counted(1.5)
    ways = [rt.publish, publisher.publish, lambda message: rt.publish_many([message])]
    wrong = trade()
    wrong.price, wrong.lots = -1.0, None  # type: ignore[assignment]
    for publish in ways:
        rules = fits = 0
        sys.setprofile(note)
        try:
            publish(good)
            assert (rules, fits) == (1, 0), "what looks for a field at fault has no work"
            with pytest.raises(desk.EncodeError, match="Trade.lots is None, which is no u32"):
                publish(wrong)
        finally:
            sys.setprofile(None)
        assert fits >= 3, "it would have been seen"


def test_arrays_go_in_and_out_and_meet_messages(rt: mycelium.Runtime) -> None:
    arrays, one_by_one = rt.subscribe_array(Trade, batch=100, capacity=4096), rt.subscribe(Trade, capacity=4096)
    records = np.zeros(1000, dtype=Trade.DTYPE)
    records["at"] = np.arange(1000)
    records["price"] = 1.5
    records["levels"]["size"] = [2, 4]
    assert rt.publish_many(records, of=Trade) == 1000
    rt.publish(trade(1000))
    got = []
    while sum(map(len, got)) < 1001:
        batch = arrays.recv()
        assert 1 <= len(batch) <= 100 and batch.dtype == np.dtype(Trade.DTYPE)
        assert not batch.flags.writeable, "it is what came, and others may have it too"
        got.append(batch)
    everything = np.concatenate(got)
    assert (everything[:1000] == records).all() and everything["at"][1000] == 1000
    first = one_by_one.recv()
    assert isinstance(first, Trade) and first.levels[1].size == 4 and first.side is Side.Buy


def test_bytes_between_the_fields_of_an_array_do_not_leave_the_process(rt: mycelium.Runtime) -> None:
    arrays = rt.subscribe_array(Trade)
    raw = np.full(3 * Trade.ROOT_LEN, 0xFF, dtype=np.uint8).view(np.dtype(Trade.DTYPE))
    raw["side"] = 1
    raw["limit"]["tag"] = 1
    rt.publish_many(raw, of=Trade)
    got = arrays.recv()
    values = got.tobytes()
    assert values[: Trade.ROOT_LEN] == Trade.decode(values[: Trade.ROOT_LEN]).encode()


def test_slices_of_arrays_and_arrays_of_any_shape_are_published(rt: mycelium.Runtime) -> None:
    ticks = rt.subscribe_array(Tick)
    records = np.zeros(16, dtype=Tick.DTYPE)
    records["number"] = np.arange(16)
    publisher = rt.publisher(Tick)
    assert publisher.publish_many(records[::4]) == 4
    assert publisher.publish_many(records.reshape(4, 4)[:, 1]) == 4
    assert publisher.publish_many(records[:0]) == 0
    assert list(ticks.recv()["number"]) == [0, 4, 8, 12, 1, 5, 9, 13]


def test_a_full_queue_keeps_the_publisher_waiting_and_loses_nothing(rt: mycelium.Runtime) -> None:
    ticks = rt.subscribe(Tick, capacity=8)
    publisher = threading.Thread(target=lambda: [rt.publish(Tick(number)) for number in range(1000)])
    publisher.start()
    assert [ticks.recv().number for _ in range(1000)] == list(range(1000))
    publisher.join()


@pytest.mark.parametrize("timeout", [0, 0.03])
def test_a_publish_that_would_wait_longer_than_it_may_is_an_error(rt: mycelium.Runtime, timeout: float) -> None:
    ticks = rt.subscribe(Tick, capacity=8)
    with pytest.raises(mycelium.FullError, match="Tick was not published: the queue of a subscriber is full"):
        for number in range(1000):
            rt.publish(Tick(number), timeout=timeout)
    assert [ticks.recv().number for _ in range(number)] == list(range(number))
    assert ticks.try_recv() is None


def test_policies_drop_and_count(rt: mycelium.Runtime) -> None:
    newest = rt.subscribe(Tick, policy="drop_oldest", capacity=4)
    oldest = rt.subscribe(Tick, policy="drop_newest", capacity=4)
    rt.publish_many([Tick(number) for number in range(100)])
    assert [newest.recv().number for _ in range(4)] == [96, 97, 98, 99]
    assert [oldest.recv().number for _ in range(4)] == [0, 1, 2, 3]
    topic = next(topic for topic in rt.stats()["topics"] if topic["message"] == "Tick")
    assert (topic["published"], topic["dropped"]) == (100, 192)
    full = rt.subscribe(Tick, policy="fail", capacity=1)
    with pytest.raises(mycelium.FullError):
        rt.publish_many([Tick(0)] * 9)
    full.close()


def test_a_loop_over_a_subscription_ends_when_the_runtime_closes(rt: mycelium.Runtime) -> None:
    ticks = rt.subscribe(Tick)
    rt.publish_many([Tick(0), Tick(1)])
    threading.Timer(0.05, rt.close).start()
    assert [tick.number for tick in ticks] == [0, 1]


def test_a_subscription_that_another_thread_closes_ends_its_loop(rt: mycelium.Runtime) -> None:
    with rt.subscribe(Tick) as ticks:
        threading.Timer(0.05, ticks.close).start()
        assert list(ticks) == []
        assert ticks.closed and "closed" in repr(ticks)
    rt.publish(Tick(1))
    assert ticks.recv() is None


def test_an_event_loop_reads_messages_arrays_and_the_end(rt: mycelium.Runtime) -> None:
    async def read() -> None:
        ticks, arrays = rt.subscribe(Tick), rt.subscribe_array(Tick)
        feed = threading.Thread(target=lambda: [rt.publish(Tick(number)) for number in range(500)])

        async def beat() -> None:
            """Runs while the loop waits for the first tick, which comes from nowhere else."""
            for _ in range(3):
                await asyncio.sleep(0.001)
            feed.start()

        beating = asyncio.create_task(beat())
        got = []
        async for tick in ticks:
            got.append(tick.number)
            if len(got) == 500:
                break
        assert got == list(range(500))
        count = 0
        async for records in arrays:
            count += len(records)
            if count == 500:
                break
        feed.join()
        threading.Timer(0.05, rt.close).start()
        assert [tick async for tick in ticks] == []
        await beating

    asyncio.run(read())


def test_a_task_that_is_cancelled_while_it_waits_loses_nothing(rt: mycelium.Runtime) -> None:
    async def read() -> None:
        ticks = rt.subscribe(Tick)
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(ticks), 0.02)
        rt.publish(Tick(1))
        assert await asyncio.wait_for(anext(ticks), 60) == Tick(1)

    asyncio.run(read())


@pytest.mark.parametrize("closes", ["subscription", "runtime"])
def test_a_task_that_waits_sees_the_end(closes: str) -> None:
    async def read() -> None:
        runtime = mycelium.Runtime(contract=CONTRACT)
        ticks = runtime.subscribe(Tick)

        seen: list[Tick] = []

        async def all_of_them() -> None:
            async for tick in ticks:
                seen.append(tick)

        waiting = asyncio.create_task(all_of_them())
        await asyncio.sleep(0.01)
        runtime.publish(Tick(1))
        while not seen:
            await asyncio.sleep(0.001)
        # It waits for the next one.
        await asyncio.sleep(0.01)
        (ticks if closes == "subscription" else runtime).close()
        await asyncio.wait_for(waiting, 60)
        assert seen == [Tick(1)]
        assert ticks.closed
        runtime.close()

    asyncio.run(read())


def test_a_task_that_finds_messages_lets_others_run(rt: mycelium.Runtime) -> None:
    async def read() -> None:
        ticks = rt.subscribe(Tick)
        for number in range(1_000):
            rt.publish(Tick(number))
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        counting = asyncio.create_task(count())
        for number in range(1_000):
            assert await anext(ticks) == Tick(number)
        counting.cancel()
        assert turns >= 10

    asyncio.run(read())


def test_a_subscription_that_is_closed_while_it_is_read_keeps_nobody_waiting(rt: mycelium.Runtime) -> None:
    for _ in range(20):
        ticks = rt.subscribe(Tick, capacity=2)
        reading = threading.Thread(target=lambda: [None for _ in ticks])
        reading.start()
        publishing = threading.Thread(target=lambda: [rt.publish(Tick(n)) for n in range(200)])
        publishing.start()
        time.sleep(0.001)
        ticks.close()
        publishing.join(60)
        reading.join(60)
        assert not publishing.is_alive() and not reading.is_alive()


def test_many_threads_publish_and_each_is_heard_in_its_order(rt: mycelium.Runtime) -> None:
    ticks = rt.subscribe(Tick)
    of = [threading.Thread(target=lambda n=n: [rt.publish(Tick(n << 32 | at)) for at in range(300)]) for n in range(8)]
    for thread in of:
        thread.start()
    seen = [0] * 8
    for _ in range(8 * 300):
        number = ticks.recv().number
        assert number & 0xFFFFFFFF == seen[number >> 32]
        seen[number >> 32] += 1
    for thread in of:
        thread.join()


def test_a_contract_is_a_file_a_package_or_what_was_loaded(tmp_path: object) -> None:
    import pathlib

    file = pathlib.Path(__file__).parent / "contracts.yaml"
    for source in (file, str(file), desk, CONTRACT):
        with mycelium.Runtime(contract=source, schema_digest=desk.SCHEMA_DIGEST) as rt:
            ticks = rt.subscribe(Tick)
            rt.publish(Tick(1))
            assert ticks.recv() == Tick(1)


def test_the_other_name_of_the_package() -> None:
    from mycelium_native import Runtime

    assert Runtime is mycelium.Runtime
