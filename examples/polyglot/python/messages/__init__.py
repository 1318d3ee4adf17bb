# Generated from the contract polyglot version 1: edit that, not this.
# mypy: ignore-errors
# pyright: basic
"""The messages of the contract polyglot version 1."""

from __future__ import annotations

import enum as _enum
import struct as _struct
import typing as _typing
from collections import deque as _deque
from dataclasses import dataclass as _dataclass, field as _field
from decimal import Decimal

from . import _wire
from ._wire import DecodeError, EncodeError, InvalidError, TruncatedError, ValidationError, VersionError, from_datetime, from_datetime64, to_datetime, to_datetime64

SCHEMA_ID = "polyglot"
SCHEMA_VERSION = 1
SCHEMA_DIGEST = 0xB0BF4FAECCD33C7C

# What a runtime knows of the contract: `mycelium.Runtime(contract=THIS_PACKAGE)`.
CONTRACT = (
    "mycelium contract 1\x0a"
    "schema polyglot 1\x0a"
    "message Tick 1 1 ticks\x0a"
    "field number 1 u64\x0a"
    "field price 1 f64\x0a"
    "message Signal 2 1 signals\x0a"
    "field number 1 u64\x0a"
    "field score 1 f64\x0a"
    "field window 1 u32\x0a"
    "message Verdict 3 1 verdicts\x0a"
    "field number 1 u64\x0a"
    "field approved 1 bool\x0a"
    "field refused 1 u32\x0a"
)


@_dataclass(slots=True)
class Tick:
    """A price of the feed, counted over all its lives."""

    number: int
    price: float

    NAME: _typing.ClassVar[str] = "Tick"
    TYPE_ID: _typing.ClassVar[int] = 1
    TOPIC: _typing.ClassVar[str] = "ticks"
    VERSION: _typing.ClassVar[int] = 1
    ROOT_LEN: _typing.ClassVar[int] = 16
    DIGEST: _typing.ClassVar[int] = 0x9B6545A816BF570E
    # For numpy: numpy.frombuffer(values, dtype=DTYPE).
    DTYPE: _typing.ClassVar[_typing.Any] = {"names": ["number", "price"], "formats": ["<u8", "<f8"], "offsets": [0, 8], "itemsize": 16}

    def encode(self) -> bytes:
        """The value as it stands on the wire. Raises EncodeError; does not validate."""
        return _encode_Tick(self)

    @classmethod
    def decode(cls, value: bytes, version: int = 1, root_len: int = 16) -> Tick:
        """The message that stands in these bytes, written with this version and root length: both are in the frame. Raises DecodeError; does not validate."""
        return _decode_Tick(value, version, root_len)

    def validate(self) -> None:
        """Checks the rules of the contract; raises ValidationError for the first that is broken, EncodeError for what is no value of its type."""
        _encode_Tick(self)
        self._rules()

    def _rules(self) -> None:
        pass


@_dataclass(slots=True)
class Signal:
    """How far the last price is from the mean of those before, in standard deviations."""

    number: int
    score: float
    window: int

    NAME: _typing.ClassVar[str] = "Signal"
    TYPE_ID: _typing.ClassVar[int] = 2
    TOPIC: _typing.ClassVar[str] = "signals"
    VERSION: _typing.ClassVar[int] = 1
    ROOT_LEN: _typing.ClassVar[int] = 24
    DIGEST: _typing.ClassVar[int] = 0x68440942FE8488EE
    # For numpy: numpy.frombuffer(values, dtype=DTYPE).
    DTYPE: _typing.ClassVar[_typing.Any] = {"names": ["number", "score", "window"], "formats": ["<u8", "<f8", "<u4"], "offsets": [0, 8, 16], "itemsize": 24}

    def encode(self) -> bytes:
        """The value as it stands on the wire. Raises EncodeError; does not validate."""
        return _encode_Signal(self)

    @classmethod
    def decode(cls, value: bytes, version: int = 1, root_len: int = 24) -> Signal:
        """The message that stands in these bytes, written with this version and root length: both are in the frame. Raises DecodeError; does not validate."""
        return _decode_Signal(value, version, root_len)

    def validate(self) -> None:
        """Checks the rules of the contract; raises ValidationError for the first that is broken, EncodeError for what is no value of its type."""
        _encode_Signal(self)
        self._rules()

    def _rules(self) -> None:
        pass


@_dataclass(slots=True)
class Verdict:
    """Whether the desk may act on a signal, and how many were refused so far."""

    number: int
    approved: bool
    refused: int

    NAME: _typing.ClassVar[str] = "Verdict"
    TYPE_ID: _typing.ClassVar[int] = 3
    TOPIC: _typing.ClassVar[str] = "verdicts"
    VERSION: _typing.ClassVar[int] = 1
    ROOT_LEN: _typing.ClassVar[int] = 16
    DIGEST: _typing.ClassVar[int] = 0x653794B4348B6252
    # For numpy: numpy.frombuffer(values, dtype=DTYPE).
    DTYPE: _typing.ClassVar[_typing.Any] = {"names": ["number", "approved", "refused"], "formats": ["<u8", "?", "<u4"], "offsets": [0, 8, 12], "itemsize": 16}

    def encode(self) -> bytes:
        """The value as it stands on the wire. Raises EncodeError; does not validate."""
        return _encode_Verdict(self)

    @classmethod
    def decode(cls, value: bytes, version: int = 1, root_len: int = 16) -> Verdict:
        """The message that stands in these bytes, written with this version and root length: both are in the frame. Raises DecodeError; does not validate."""
        return _decode_Verdict(value, version, root_len)

    def validate(self) -> None:
        """Checks the rules of the contract; raises ValidationError for the first that is broken, EncodeError for what is no value of its type."""
        _encode_Verdict(self)
        self._rules()

    def _rules(self) -> None:
        pass


_get_num_b, _put_num_b = _wire.number_get("b"), _wire.number_put("b")
_get_num_B, _put_num_B = _wire.number_get("B"), _wire.number_put("B")
_get_num_h, _put_num_h = _wire.number_get("h"), _wire.number_put("h")
_get_num_H, _put_num_H = _wire.number_get("H"), _wire.number_put("H")
_get_num_i, _put_num_i = _wire.number_get("i"), _wire.number_put("i")
_get_num_I, _put_num_I = _wire.number_get("I"), _wire.number_put("I")
_get_num_q, _put_num_q = _wire.number_get("q"), _wire.number_put("q")
_get_num_Q, _put_num_Q = _wire.number_get("Q"), _wire.number_put("Q")
_get_num_f, _put_num_f = _wire.number_get("f"), _wire.number_put("f")
_get_num_d, _put_num_d = _wire.number_get("d"), _wire.number_put("d")
_format_1 = _struct.Struct("<Qd")
_format_2 = _struct.Struct("<QdI")
_format_3 = _struct.Struct("<QdI4x")
_format_4 = _struct.Struct("<QB3xI")


def _get_Tick_1(r, at):
    v0, v1, = _format_1.unpack_from(r.buf, at + 0)
    return Tick(number=v0, price=v1)


def _put_Tick(value, w, at, q):
    if not (type(value.number) is int and type(value.price) is float):
        _wire.numbers(value.number, value.price)
    _format_1.pack_into(w, at + 0, value.number, value.price)


_layouts_Tick = ((1, 16, 8, True),)
_gets_Tick = (_get_Tick_1,)
_fields_Tick = (
    ("number", None, _put_num_Q, 8),
    ("price", None, _put_num_d, 8),
)
_fit_Tick = _wire.fit_record(Tick, (("number", _wire.fit_u64), ("price", _wire.fit_f64),))


def _encode_Tick(value):
    try:
        if not (type(value.number) is int and type(value.price) is float):
            _wire.numbers(value.number, value.price)
        return _format_1.pack(value.number, value.price)
    except Exception as error:
        raise _wire.why(value, _fit_Tick, _fields_Tick, error) from None


def _decode_Tick(value, version, root_len):
    if version == 1 and root_len == 16 and len(value) == 16:
        v0, v1, = _format_1.unpack(value)
        return Tick(v0, v1)
    r, at, layout = _wire.root("Tick", value, version, root_len, _layouts_Tick, 1)
    return _gets_Tick[layout](r, at)


def _get_Signal_1(r, at):
    v0, v1, v2, = _format_2.unpack_from(r.buf, at + 0)
    return Signal(number=v0, score=v1, window=v2)


def _put_Signal(value, w, at, q):
    if not (type(value.number) is type(value.window) is int and type(value.score) is float):
        _wire.numbers(value.number, value.window, value.score)
    _format_2.pack_into(w, at + 0, value.number, value.score, value.window)


_layouts_Signal = ((1, 24, 8, True),)
_gets_Signal = (_get_Signal_1,)
_fields_Signal = (
    ("number", None, _put_num_Q, 8),
    ("score", None, _put_num_d, 8),
    ("window", None, _put_num_I, 4),
)
_fit_Signal = _wire.fit_record(Signal, (("number", _wire.fit_u64), ("score", _wire.fit_f64), ("window", _wire.fit_u32),))


def _encode_Signal(value):
    try:
        if not (type(value.number) is type(value.window) is int and type(value.score) is float):
            _wire.numbers(value.number, value.window, value.score)
        return _format_3.pack(value.number, value.score, value.window)
    except Exception as error:
        raise _wire.why(value, _fit_Signal, _fields_Signal, error) from None


def _decode_Signal(value, version, root_len):
    if version == 1 and root_len == 24 and len(value) == 24:
        v0, v1, v2, = _format_3.unpack(value)
        return Signal(v0, v1, v2)
    r, at, layout = _wire.root("Signal", value, version, root_len, _layouts_Signal, 1)
    return _gets_Signal[layout](r, at)


def _get_Verdict_1(r, at):
    v0, v1, v2, = _format_4.unpack_from(r.buf, at + 0)
    v1 = v1 == 1 if v1 < 2 else _wire.bad_bool(at + 8, v1)
    return Verdict(number=v0, approved=v1, refused=v2)


def _put_Verdict(value, w, at, q):
    if not (type(value.number) is type(value.refused) is int):
        _wire.numbers(value.number, value.refused)
    _format_4.pack_into(w, at + 0, value.number, 1 if value.approved is True else 0 if value.approved is False else _wire.truth(value.approved), value.refused)


_layouts_Verdict = ((1, 16, 8, True),)
_gets_Verdict = (_get_Verdict_1,)
_fields_Verdict = (
    ("number", None, _put_num_Q, 8),
    ("approved", None, _wire.put_bool, 1),
    ("refused", None, _put_num_I, 4),
)
_fit_Verdict = _wire.fit_record(Verdict, (("number", _wire.fit_u64), ("approved", _wire.fit_bool), ("refused", _wire.fit_u32),))


def _encode_Verdict(value):
    try:
        if not (type(value.number) is type(value.refused) is int):
            _wire.numbers(value.number, value.refused)
        return _format_4.pack(value.number, 1 if value.approved is True else 0 if value.approved is False else _wire.truth(value.approved), value.refused)
    except Exception as error:
        raise _wire.why(value, _fit_Verdict, _fields_Verdict, error) from None


def _decode_Verdict(value, version, root_len):
    if version == 1 and root_len == 16 and len(value) == 16:
        v0, v1, v2, = _format_4.unpack(value)
        v1 = v1 == 1 if v1 < 2 else _wire.bad_bool(8, v1)
        return Verdict(v0, v1, v2)
    r, at, layout = _wire.root("Verdict", value, version, root_len, _layouts_Verdict, 1)
    return _gets_Verdict[layout](r, at)


# The messages by their type id.
MESSAGES: dict[int, type] = {
    1: Tick,
    2: Signal,
    3: Verdict,
}

__all__ = [
    "Tick",
    "Signal",
    "Verdict",
    "CONTRACT",
    "MESSAGES",
    "SCHEMA_DIGEST",
    "SCHEMA_ID",
    "SCHEMA_VERSION",
    "DecodeError",
    "EncodeError",
    "InvalidError",
    "TruncatedError",
    "ValidationError",
    "VersionError",
    "from_datetime",
    "from_datetime64",
    "to_datetime",
    "to_datetime64",
]
