"""Bytes from outside: whatever they are, `decode` gives a message or its own error."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import market
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

GOLDEN = Path(__file__).parents[3] / "tests" / "golden"
CLASSES = sorted((cls for cls in vars(market).values() if hasattr(cls, "TYPE_ID")), key=lambda cls: str(cls.__name__))


@functools.cache
def vectors(name: str) -> list[tuple[int, int, bytes]]:
    """Version, root length and bytes of the values that the other languages are held against too."""
    golden = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return [(one["version"], one["root_len"], bytes.fromhex(one["bytes"])) for one in golden["vectors"]]


def test_all_messages_of_the_contract_are_here() -> None:
    assert {cls.__name__ for cls in CLASSES} == {path.stem for path in GOLDEN.glob("*.json")}


def decoded(cls: Any, version: int, root_len: int, value: bytes) -> bool:
    """Whether the bytes are a message, which can be used then."""
    try:
        message = cls.decode(value, version, root_len)
    except market.DecodeError as error:
        assert str(error)
        return False
    assert type(message) is cls and repr(message)
    try:
        message.validate()
    except market.ValidationError as error:
        assert error.message == cls.__name__
    again = cls.decode(message.encode())
    assert repr(again) == repr(message)
    return True


@st.composite
def damaged(draw: st.DrawFn, value: bytes) -> bytes:
    """The same with some bytes changed, cut off, put in or moved."""
    made = bytearray(value)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(made)))
        match draw(st.sampled_from(("change", "word", "cut", "insert", "move"))):
            case "change" if at < len(made):
                made[at] = draw(st.integers(0, 255))
            case "word":
                at -= at % 4
                made[at : at + 4] = draw(st.sampled_from((-1, 0, 1, -8, 8, 2**31 - 1, -(2**31)))).to_bytes(4, "little", signed=True)
            case "cut":
                del made[at:]
            case "insert":
                made[at:at] = draw(st.binary(max_size=16))
            case "move":
                made = made[at:] + made[:at]
    return bytes(made)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: str(cls.__name__))
def test_bytes_are_a_message_or_a_decode_error(cls: Any) -> None:
    good = vectors(cls.__name__)
    assert all(decoded(cls, *one) for one in good)

    @settings(max_examples=300, deadline=None)
    @given(st.data())
    def any_bytes(data: st.DataObject) -> None:
        version, root_len, value = data.draw(st.sampled_from(good))
        value = data.draw(st.one_of(st.binary(max_size=4 * root_len), damaged(value)))
        if data.draw(st.integers(0, 9)) == 0:
            version, root_len = data.draw(st.integers(0, 2**16 - 1)), data.draw(st.integers(0, 2**32 - 1))
        decoded(cls, version, root_len, value)

    any_bytes()
