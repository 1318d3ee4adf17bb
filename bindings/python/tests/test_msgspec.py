"""Messages that are a msgspec.Struct: `mycelium gen --lang python --msgspec`."""

from __future__ import annotations

from typing import Any

import desk
import desk_msgspec as other
import msgspec
import mycelium
import numpy as np
import pytest
from conftest import CONTRACT, trade


def twin(number: int) -> Any:
    """The same trade as `conftest.trade`."""
    mine = trade(number)
    return other.Trade.decode(mine.encode())


def test_the_bytes_are_the_same_and_the_fields_too() -> None:
    for number in range(100):
        assert twin(number).encode() == trade(number).encode()
    assert repr(twin(3)) == repr(trade(3)) and twin(3) == twin(3) != twin(4)
    assert isinstance(twin(1), msgspec.Struct) and not hasattr(twin(1), "__dict__")
    assert other.SCHEMA_DIGEST == desk.SCHEMA_DIGEST and other.CONTRACT == desk.CONTRACT
    assert other.Trade.DTYPE == desk.Trade.DTYPE and other.Trade.DIGEST == desk.Trade.DIGEST
    note = other.Note(number=1, text="a", tags=["b"])
    assert note.encode() == desk.Note(1, "a", ["b"]).encode()
    assert msgspec.json.decode(msgspec.json.encode(note), type=other.Note) == note
    with pytest.raises(other.ValidationError):
        msgspec.structs.replace(twin(1), price=-1.0).validate()
    with pytest.raises(other.DecodeError):
        other.Trade.decode(b"short")


def test_both_kinds_meet_on_one_bus(rt: mycelium.Runtime) -> None:
    mine, theirs = rt.subscribe(desk.Trade), rt.subscribe(other.Trade)
    rt.publish(trade(1))
    rt.publish(twin(2))
    assert [mine.recv(), mine.recv()] == [trade(1), trade(2)]
    assert [theirs.recv(), theirs.recv()] == [twin(1), twin(2)]
    batches = rt.subscribe_array(other.Trade)
    rt.publish_many(np.frombuffer(twin(5).encode(), dtype=other.Trade.DTYPE), of=other.Trade)
    assert next(batches)["at"][0] == 5


def test_actors_handle_them() -> None:
    class Echo(mycelium.Actor):
        @mycelium.on(other.Tick)
        def tick(self, tick: Any) -> None:
            self.ctx.publish(other.Tock(tick.number))

    with mycelium.Isolate(CONTRACT) as isolate:
        isolate.spawn(Echo)
        tocks = isolate.record(other.Tock)
        isolate.publish(other.Tick(7))
        isolate.run()
        tocks.expect(other.Tock(7))
