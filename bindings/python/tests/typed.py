"""A program of a user, as mypy --strict sees it. It is checked, and not run."""

from __future__ import annotations

import mycelium
from desk import Tick, Trade


def use(rt: mycelium.Runtime) -> int:
    publisher: mycelium.Publisher[Tick] = rt.publisher(Tick)
    publisher.publish(Tick(1))
    publisher.publish_many([Tick(1), Tick(2).encode()], timeout=1.0)
    total = 0
    for tick in rt.subscribe(Tick, policy="drop_oldest", capacity=8):
        total += tick.number
    both = rt.subscribe((Tick, Trade))
    one = both.recv(timeout=0.1)
    if isinstance(one, Trade):
        total += one.lots
    for records in rt.subscribe_array(Trade, batch=64):
        total += len(records)
    return total


async def read(rt: mycelium.Runtime) -> int:
    return sum([tick.number async for tick in rt.subscribe(Tick)])


def main() -> None:
    try:
        with mycelium.Runtime(contract="contracts.yaml", schema_digest=1) as rt:
            print(use(rt), rt.stats()["topics"])
    except mycelium.MyceliumError as error:
        print(error)


class Model(mycelium.Actor):
    def __init__(self, window: int) -> None:
        self.window = window

    def started(self) -> None:
        self.watch: mycelium.Watch = self.ctx.watch("root/feed")

    def down(self, watch: mycelium.Watch, reason: str) -> None:
        self.ctx.log.error("%s has ended: %s", watch.path, reason)

    @mycelium.on(Trade)
    async def trade(self, trade: Trade) -> None:
        answer: Tick = await self.ctx.ask("root/desk", Tick(1), Tick)
        self.ctx.publish(answer, timeout=1.0)


def trees() -> None:
    with mycelium.Runtime.from_topology("topology.toml", "model", "contracts.yaml", threads=2) as rt:
        pool = mycelium.Pool("models", Model, args=(3,), workers=4, dispatch="least_busy", stuck_after=1.0)
        tree: mycelium.Tree = rt.start(mycelium.Supervisor(children=[pool, mycelium.Child("model", Model, args=(3,))]))
        tree.drain(1.0)
        rt.resume_ingress()


def rust(isolate: mycelium.Isolate, window: int) -> str:
    cross = mycelium.Rust("cross", fast=window, slow=20)
    isolate.start(mycelium.Supervisor(children=[mycelium.Child("cross", cross, restart="transient")]))
    return isolate.spawn(cross).path


def build(trial: mycelium.Trial, window: int) -> dict[str, int]:
    with trial.isolate("contracts.yaml", start=1) as isolate:
        ticks: mycelium.Recorder[Tick] = isolate.record(Tick)
        model = isolate.spawn(Model, window)
        isolate.publish_many([Tick(1)])
        isolate.run_for(3600)
        ticks.expect(Tick(1))
        return {"window": model.actor.window, "ticks": len(ticks.take())}


def sweep() -> float:
    report: mycelium.Report = mycelium.Sweep({"window": range(5)}, build, seed=42).run(threads=2)
    for failure in report.failures:
        print(failure.index, failure.point["window"], failure.error)
    return float(report.best("ticks")["ticks"])
