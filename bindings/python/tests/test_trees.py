"""What trees offer besides restarts: watches, pools, drains."""

from __future__ import annotations

import threading
import time
from typing import Any

import mycelium
import pytest
from conftest import CONTRACT, trade
from desk import Note, Tick, Tock, Trade
from mycelium import Actor, Child, Isolate, Pool, Supervisor, Watch, ask, on, on_batch
from test_callbacks import settle


class Short(Actor):
    """Ends at a Tock, and fails at a Note."""

    @on(Tock)
    def tock(self, tock: Tock) -> None:
        self.ctx.stop()

    @on(Note)
    def note(self, note: Note) -> None:
        raise ValueError("a note")


class Guard(Actor):
    """Watches, once in each life."""

    def __init__(self, seen: list[Any], path: str = "root/short") -> None:
        self.seen, self.path = seen, path

    def started(self) -> None:
        self.watch = self.ctx.watch(self.path)

    @on_batch(Tick)
    def ticks(self, ticks: Any) -> None:
        self.seen.extend(ticks["number"].tolist())

    def down(self, watch: Watch, reason: str) -> None:
        assert watch is self.watch
        self.seen.append((watch.path, reason))
        self.ctx.publish(Note(1, reason, []))

    @ask(Tick)
    def again(self, query: Tick) -> Tick:
        if query.number == 0:
            self.watch.cancel()
            self.watch.cancel()
        else:
            self.watch = self.ctx.watch(self.path)
        return query


def watching(seen: list[Any]) -> Supervisor:
    return Supervisor(
        intensity=5, children=[Child("short", Short, restart="transient"), Child("guard", Guard, args=(seen,))]
    )


def test_whoever_watches_is_told_of_an_end_and_of_no_restart(rt: mycelium.Runtime) -> None:
    seen: list[Any] = []
    notes = rt.subscribe(Note)
    rt.start(watching(seen))
    rt.publish(Note(0, "", []))
    settle(lambda: rt.stats()["restarts"] == 1)
    rt.publish(Tick(7))
    rt.publish(Tock(0))
    settle(lambda: len(seen) == 2)
    assert seen == [7, ("root/short", "ended normally")]
    assert [notes.recv(timeout=60).text for _ in range(2)] == ["", seen[1][1]], "a hook publishes as a handler does"  # type: ignore[union-attr]
    rt.ask("root/guard", Tick(1), Tick)
    settle(lambda: len(seen) == 3)
    assert seen[2] == seen[1], "it is told at once of one that has ended"


def test_a_watch_that_was_cancelled_tells_nothing(rt: mycelium.Runtime) -> None:
    seen: list[Any] = []
    tree = rt.start(watching(seen))
    rt.ask("root/guard", Tick(0), Tick)
    rt.publish(Tock(0))
    settle(lambda: {child.id: child.status for child in tree.children()}["short"] == "undefined")
    rt.publish(Tick(1))
    settle(lambda: bool(seen))
    assert seen == [1]


def test_watches_in_an_isolate(isolate: Isolate) -> None:
    seen: list[Any] = []
    notes = isolate.record(Note)
    isolate.start(watching(seen))
    isolate.publish(Note(0, "", []))
    isolate.publish(Tick(7))
    isolate.publish(Tock(0))
    isolate.run()
    assert seen == [7, ("root/short", "ended normally")]
    assert [note.text for note in notes.take()] == ["", "ended normally"]


def test_a_watch_needs_somebody_at_its_path_and_a_life(rt: mycelium.Runtime) -> None:
    with pytest.raises(mycelium.ActorError, match='nobody is called "root/nobody"'):
        rt.start(Supervisor(children=[Child("guard", Guard, args=([], "root/nobody"))]))

    contexts: list[mycelium.Context] = []

    class Leaks(Actor):
        def started(self) -> None:
            contexts.append(self.ctx)

    rt.start(Supervisor("other", children=[Child("leaks", Leaks)]))
    with pytest.raises(mycelium.BusyError, match="belongs to its handlers"):
        contexts[0].watch("other/leaks")


class Worker(Actor):
    """Says which of a pool it is, and meets the others."""

    def __init__(self, meet: threading.Barrier | None = None) -> None:
        self.meet = meet

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        if tick.number == 13:
            raise ValueError("thirteen")
        if self.meet is not None:
            self.meet.wait(60)
        self.ctx.publish(Note(tick.number, self.ctx.path, []))

    @ask(Tock)
    def query(self, query: Tock) -> Tock:
        return Tock(query.number + 1)


def test_the_workers_of_a_pool_share_a_topic_and_run_side_by_side(rt: mycelium.Runtime) -> None:
    notes = rt.subscribe(Note)
    meet = threading.Barrier(3)
    pool = Pool("pool", Worker, args=(meet,), workers=3)
    tree = rt.start(Supervisor(children=[pool]))
    rt.publish_many([Tick(number) for number in range(100, 130)])
    told = [notes.recv(timeout=60) for _ in range(30)]
    assert sorted(note.number for note in told) == list(range(100, 130))  # type: ignore[union-attr]
    paths = {note.text for note in told}  # type: ignore[union-attr]
    assert paths == {f"root/pool/worker-{number}" for number in (1, 2, 3)}
    assert rt.ask("root/pool", Tock(1), Tock) == Tock(2), "asked at the path of the pool"
    assert tree.children()[0] == ("pool", True, "running")
    assert len(tree.children("root/pool")) == 4, "three workers, and what hands out the messages of topics"


class Sorter(Actor):
    """Says which worker has had which venue, and in which order."""

    @on(Trade, capacity=64)
    def trade(self, trade: Trade) -> None:
        self.ctx.publish(Note(trade.venue, self.ctx.path, [str(trade.at)]))


def check_keys(notes: list[Note]) -> None:
    workers: dict[int, set[str]] = {}
    times: dict[int, list[int]] = {}
    for note in notes:
        workers.setdefault(note.number, set()).add(note.text)
        times.setdefault(note.number, []).append(int(note.tags[0]))
    assert len(workers) == 7 and all(len(one) == 1 for one in workers.values()), workers
    assert len(set.union(*workers.values())) > 1, "there is work for several"
    assert all(one == sorted(one) and len(one) == 30 for one in times.values())


def of_venues() -> list[Trade]:
    trades = [trade(number) for number in range(210)]
    for number, one in enumerate(trades):
        one.venue = number % 7
    return trades


def test_messages_of_one_key_go_to_one_worker_in_their_order(rt: mycelium.Runtime, isolate: Isolate) -> None:
    pool = Pool("pool", Sorter, workers=3, keys={Trade: "venue"})
    notes = rt.subscribe(Note)
    rt.start(Supervisor(children=[pool]))
    rt.publish_many(of_venues()[:140])
    for one in of_venues()[140:]:
        rt.tell("root/pool", one)
    # Those that were told and those of the topic take ways of their own to their worker.
    told = [notes.recv(timeout=60) for _ in range(210)]
    published = [note for note in told if note is not None and int(note.tags[0]) < 140]
    behind = [note for note in told if note is not None and int(note.tags[0]) >= 140]
    check_keys(published + behind)
    recorded = isolate.record(Note)
    isolate.start(Supervisor(children=[pool]))
    isolate.publish_many(of_venues())
    isolate.run()
    check_keys(recorded.take())


def test_a_key_is_an_integer_of_a_message_of_fixed_size(rt: mycelium.Runtime) -> None:
    def start(cls: type, name: str) -> None:
        rt.start(Supervisor(children=[Pool("pool", Sorter, keys={cls: name})]))

    with pytest.raises(ValueError, match="Trade has no integer 'price' .* choose one of at, lots, side, venue"):
        start(Trade, "price")
    with pytest.raises(ValueError, match="Trade has no integer 'venu'"):
        start(Trade, "venu")
    with pytest.raises(TypeError, match="Note has no fixed size"):
        start(Note, "number")


def test_a_worker_that_fails_is_restarted_and_takes_its_message_again(rt: mycelium.Runtime, caplog: Any) -> None:
    notes = rt.subscribe(Note)
    back = mycelium.Backoff(initial=0.001, cap=0.001)
    pool = Pool("pool", Worker, workers=2, dispatch="least_busy", attempts=2, intensity=10, backoff=back)
    rt.start(Supervisor(children=[pool]))
    rt.publish_many([Tick(number) for number in (1, 13, 2)])
    assert sorted(notes.recv(timeout=60).number for _ in range(2)) == [1, 2]  # type: ignore[union-attr]
    settle(lambda: rt.stats()["restarts"] == 2)


def test_a_pool_in_an_isolate(isolate: Isolate) -> None:
    notes = isolate.record(Note)
    isolate.start(Supervisor(children=[Pool("pool", Worker, workers=2)]))
    isolate.publish_many([Tick(number) for number in range(4)])
    isolate.tell("root/pool", Tick(4))
    isolate.run()
    told = [(note.number, note.text[-1]) for note in notes.take()]
    assert sorted(number for number, _ in told) == [0, 1, 2, 3, 4] and {worker for _, worker in told} == {"1", "2"}
    assert isolate.ask("root/pool", Tock(1), Tock) == Tock(2)


def test_mistakes_of_pools_say_what_to_do(rt: mycelium.Runtime) -> None:
    with pytest.raises(ValueError, match="the pool 'pool' has 0 workers: choose 1 to"):
        Pool("pool", Worker, workers=0)
    with pytest.raises(TypeError, match="give a subclass of mycelium.Actor"):
        Pool("pool", Worker())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="give `stuck_after`"):
        Pool("pool", Worker, restart_when_stuck=True)
    with pytest.raises(ValueError, match='dispatch is "random": choose "round_robin" or "least_busy"'):
        rt.start(Supervisor(children=[Pool("pool", Worker, dispatch="random")]))


class Slow(Actor):
    """Takes its time."""

    def __init__(self, seen: list[int], seconds: float) -> None:
        self.seen, self.seconds = seen, seconds

    @on(Tick)
    def tick(self, tick: Tick) -> None:
        time.sleep(self.seconds)
        self.seen.append(tick.number)
        self.ctx.publish(Note(tick.number, "", []))


class Behind(Actor):
    """Hears what the slow one has done."""

    def __init__(self, notes: list[int]) -> None:
        self.notes = notes

    @on(Note)
    def note(self, note: Note) -> None:
        self.notes.append(note.number)


def draining(seen: list[int], notes: list[int]) -> Supervisor:
    return Supervisor(
        children=[Child("slow", Slow, args=(seen, 0.001)), Child("behind", Behind, args=(notes,))]
    )


def test_a_drain_handles_what_waits_and_ends_the_tree() -> None:
    seen: list[int] = []
    notes: list[int] = []
    with mycelium.Runtime(contract=CONTRACT) as rt:
        tree = rt.start(draining(seen, notes))
        rt.publish_many(Tick(number) for number in range(100))
        tree.drain(60)
        assert seen == notes == list(range(100)) and tree.wait(1) is not None
        with pytest.raises(mycelium.ClosedError, match="resume_ingress"):
            rt.publish(Tick(1))
        rt.resume_ingress()
        ticks = rt.subscribe(Tick)
        rt.publish(Tick(2))
        assert ticks.try_recv() == Tick(2)
        rt.pause_ingress()
        with pytest.raises(mycelium.ClosedError):
            rt.publish(Tick(3))


def test_a_drain_says_what_it_has_left() -> None:
    seen: list[int] = []
    with mycelium.Runtime(contract=CONTRACT) as rt:
        tree = rt.start(Supervisor(children=[Child("slow", Slow, args=(seen, 0.3), shutdown=60.0)]))
        rt.publish_many(Tick(number) for number in range(20))
        with pytest.raises(mycelium.ShutdownError, match="root/slow.* Tick waiting from topic desk.ticks"):
            tree.drain(0.1)
        assert len(seen) < 20 and tree.wait(1) is not None


def test_a_drain_in_an_isolate(isolate: Isolate) -> None:
    seen: list[int] = []
    notes: list[int] = []
    tree = isolate.start(draining(seen, notes))
    isolate.publish_many(Tick(number) for number in range(10))
    tree.drain()
    assert seen == notes == list(range(10)) and tree.end_reason() is not None
