# mypy: ignore-errors
# pyright: basic
"""What the generated codecs share: how values stand in bytes (docs/wire.md of Mycelium), and the errors."""

from __future__ import annotations

import datetime
import decimal
import enum
import operator
import reprlib
import struct
import typing
from collections import deque
from collections.abc import Mapping

class DecodeError(ValueError):
    """Bytes are no value of the message."""


class TruncatedError(DecodeError):
    """There are fewer bytes than the message's root has."""


class VersionError(DecodeError):
    """The version and the length of the root do not go together."""


class InvalidError(DecodeError):
    """The bytes break a rule of the format; the text says which, and at which byte."""


class EncodeError(ValueError):
    """A field holds what its type cannot hold; the text names the field."""

    # The field, with dots and indices for nested ones, and what is wrong with it, where that is known.
    field: typing.Optional[str] = None
    reason: str = ""


class ValidationError(ValueError):
    """A field breaks a rule of the contract. `field` has dots and indices for nested ones."""

    def __init__(self, message: str, field: str, reason: str) -> None:
        super().__init__(f"{message}.{field} {reason}")
        self.message = message
        self.field = field
        self.reason = reason

    def __reduce__(self) -> tuple:
        return type(self), (self.message, self.field, self.reason)


def to_datetime(nanos: int) -> datetime.datetime:
    """A timestamp as a datetime in UTC; what is finer than a microsecond is cut off."""
    return _EPOCH + datetime.timedelta(microseconds=nanos // 1_000)


def from_datetime(moment: datetime.datetime) -> int:
    """Nanoseconds since 1970 of a datetime. One without a time zone is refused, not guessed."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone: add one, such as tzinfo=datetime.timezone.utc")
    since = moment - _EPOCH
    return ((since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds) * 1_000


def to_datetime64(nanos: typing.Any) -> typing.Any:
    """A timestamp as numpy.datetime64 in nanoseconds. Of an array of timestamps, such as a field of an array
    of messages, it is a view: nothing is copied, and what is written there is written in the array. -2**63 is
    numpy's NaT."""
    import numpy

    if not isinstance(nanos, numpy.ndarray):
        return numpy.int64(operator.index(nanos)).view("datetime64[ns]")
    if nanos.dtype != numpy.int64:
        raise TypeError(f"an array of {nanos.dtype} holds no timestamps: they are int64, the nanoseconds since 1970")
    return nanos.view("datetime64[ns]")


def from_datetime64(moments: typing.Any) -> typing.Any:
    """Nanoseconds since 1970 of a numpy.datetime64 in any unit, or int64s of an array of them. NaT is
    refused, and so is a moment that nanoseconds of 64 bits do not reach."""
    import numpy

    if getattr(getattr(moments, "dtype", None), "kind", None) != "M":
        raise TypeError(f"{shown(moments)} is no numpy.datetime64, and no array of them")
    nanos = moments.astype("datetime64[ns]")
    # NaT is equal to nothing, and what does not fit comes back as another moment.
    if not numpy.all(nanos.astype(moments.dtype) == moments):
        raise ValueError(f"{shown(moments)} holds what is no time, or is before 1677 or after 2262")
    counted = nanos.view("int64")
    return counted if isinstance(moments, numpy.ndarray) else int(counted)


_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)
_WIDE_CONTEXT = decimal.Context(prec=60)
_CELL = struct.Struct("<iI")
_TEXT = struct.Struct("<Ii")
_DECIMAL = struct.Struct("<QIBBH")
_DECIMAL_SCALE_MAX = 28
_DECIMAL_DIGITS_MAX = 29
_INLINE_MAX = 8


class Reader:
    """The bytes, and where an offset may lead to: what is elsewhere is claimed from the front to the back."""

    __slots__ = ("buf", "low", "high")

    def __init__(self, buf: bytes, high: int) -> None:
        self.buf = buf
        self.low = 0
        self.high = high

    def follow(self, cell: int, offset: int, length: int, align: int) -> int:
        start = cell + offset
        if start < self.low or start + length > self.high:
            raise InvalidError(
                f"the offset at byte {cell} leads to what is not between bytes {self.low} and {self.high}"
            )
        if start % align:
            raise InvalidError(f"the offset at byte {cell} leads to byte {start}, no multiple of {align}")
        return start


def root(
    name: str,
    value: bytes,
    version: int,
    root_len: int,
    layouts: tuple[tuple[int, int, int, bool], ...],
    newest: int,
) -> tuple[Reader, int, int]:
    """A reader, where the root starts, and which layout it has: its place in `layouts`."""
    if version > newest:
        at = len(layouts) - 1
        fits = layouts[at][1] <= root_len
    else:
        at = -1
        for place, layout in enumerate(layouts):
            if layout[0] <= version:
                at = place
        fits = at >= 0 and layouts[at][1] == root_len
    if not fits:
        raise VersionError(f"{name}: version {version} has no root of {root_len} bytes; this is version {newest}")
    if type(value) is not bytes:
        value = bytes(value)
    start = len(value) - root_len
    if start < 0:
        raise TruncatedError(f"{name}: {len(value)} bytes, the root alone has {root_len}")
    if layouts[at][3] and version <= newest and start > 0:
        raise InvalidError(f"{name}: it is of fixed size, and {start} bytes are too many")
    if start % layouts[at][2]:
        raise InvalidError(f"{name}: the root starts at byte {start}, which is no multiple of {layouts[at][2]}")
    return Reader(value, start), start, at


def variant(puts: dict, value: object, name: str) -> tuple:
    found = puts.get(type(value))
    if found is None:
        raise TypeError(f"{shown(value)} is no {name}")
    return found


def bad_bool(at: int, value: int) -> bool:
    raise InvalidError(f"a bool at byte {at} is {value:#04x}")


def bad_tag(name: str, at: int, tag: int, count: int) -> typing.NoReturn:
    raise InvalidError(f"the tag of {name} at byte {at} is {tag}, of {count}")


def get_option_tag(r: Reader, at: int) -> int:
    tag = r.buf[at]
    if tag > 1:
        raise InvalidError(f"the tag of an option at byte {at} is {tag:#04x}")
    return tag


def get_string(r: Reader, at: int) -> str:
    buf = r.buf
    try:
        if buf[at] & 0xC0 != 0x80:
            end = buf.find(0xFF, at, at + _INLINE_MAX)
            return str(buf[at : end if end >= 0 else at + _INLINE_MAX], "utf-8")
        word, offset = _TEXT.unpack_from(buf, at)
        length = (word & 0x3F) | ((word & ~0xFF) >> 2)
        if length <= _INLINE_MAX:
            raise InvalidError(f"a text at byte {at} lies elsewhere although it has {length} bytes")
        start = r.follow(at, offset, length, 1)
        r.low = start + length
        return str(buf[start : start + length], "utf-8")
    except UnicodeDecodeError as error:
        raise InvalidError(f"a text at byte {at} is no UTF-8: {error.reason}") from None


def get_bytes(r: Reader, at: int) -> bytes:
    offset, length = _CELL.unpack_from(r.buf, at)
    start = r.follow(at, offset, length, 1)
    r.low = start + length
    return r.buf[start : start + length]


def get_decimal(r: Reader, at: int) -> decimal.Decimal:
    low, high, scale, negative, zero = _DECIMAL.unpack_from(r.buf, at)
    mantissa = low | (high << 64)
    if scale > _DECIMAL_SCALE_MAX or negative > 1 or zero or (negative and not mantissa):
        raise InvalidError(f"a decimal at byte {at} has scale {scale}, sign {negative} and {zero:#06x} behind it")
    return decimal.Decimal(-mantissa if negative else mantissa).scaleb(-scale, _WIDE_CONTEXT)


def get_list(r: Reader, at: int, get: typing.Callable[[Reader, int], typing.Any], size: int, align: int) -> list:
    offset, count = _CELL.unpack_from(r.buf, at)
    start = r.follow(at, offset, count * size, align)
    high, r.high = r.high, start
    items = [get(r, place) for place in range(start, start + count * size, size)]
    r.low, r.high = start + count * size, high
    return items


def get_numbers(r: Reader, at: int, code: str, size: int) -> list:
    offset, count = _CELL.unpack_from(r.buf, at)
    start = r.follow(at, offset, count * size, size)
    r.low = start + count * size
    return list(struct.unpack_from(f"<{count}{code}", r.buf, start))


def pad(w: bytearray, align: int) -> int:
    w.extend(bytes(-len(w) % align))
    return len(w)


def is_truth(value: object) -> bool:
    """Whether it is a truth value: Python's, or numpy's, which is of another type."""
    kind = type(value)
    return isinstance(value, bool) or (kind.__module__ == "numpy" and kind.__name__ in ("bool", "bool_"))


def is_list(value: object) -> bool:
    """Whether it has elements in an order and is neither a text nor bytes."""
    kind = type(value)
    if kind is list or kind is tuple:
        return True
    ordered = hasattr(value, "__len__") and hasattr(value, "__getitem__")
    return ordered and not isinstance(value, (str, bytes, bytearray, Mapping))


def is_no_number(value: object) -> bool:
    """Whether it is none although `struct` may take it for one: a truth value, a member, an array, a text."""
    if is_truth(value) or isinstance(value, (enum.Enum, str)) or getattr(value, "ndim", 0):
        return True
    return getattr(getattr(value, "dtype", None), "kind", None) == "b"


def numbers(*values: object) -> None:
    """Refuses what is no number although `struct` takes it for one."""
    for value in values:
        if type(value) not in _PLAIN and is_no_number(value):
            raise TypeError(f"{shown(value)} is no number")


def elements(value: typing.Any) -> None:
    """The same for the elements of a list or an array."""
    if not is_list(value):
        raise TypeError(f"{shown(value)} is no list")
    kind = getattr(getattr(value, "dtype", None), "kind", None)
    if kind in ("i", "u", "f"):
        if value.ndim != 1:
            raise TypeError(f"an array of {value.ndim} dimensions is no list")
    elif not _PLAIN.issuperset(map(type, value)):
        numbers(*value)


_PLAIN = frozenset((int, float))


def truth(value: object) -> int:
    if not is_truth(value):
        raise TypeError(f"{shown(value)} is no bool")
    return 1 if value else 0


def wide(value: int, signed: bool) -> bytes:
    numbers(value)
    return operator.index(value).to_bytes(32, "little", signed=signed)


def is_of(kind: type, value: object) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{shown(value)} is no {kind.__name__}")


def utf8(value: str) -> bytes:
    if not isinstance(value, str):
        raise TypeError(f"{shown(value)} is no text")
    return value.encode("utf-8")


def blob(value: typing.Any) -> bytes:
    """The bytes that a value is. `bytes()` alone would make them of numbers and arrays too."""
    if type(value) is bytes:
        return value
    if isinstance(value, (list, tuple)):
        for item in value:
            fit_u8(item)
        return bytes(value)
    if not isinstance(value, (bytes, bytearray)):
        view = memoryview(value)
        if view.ndim != 1 or view.format not in _OCTETS:
            raise TypeError(f"{shown(value)} has elements that are no bytes")
    return bytes(value)


# As buffers name their elements: unsigned integers of 8 bits.
_OCTETS = frozenset(("B", "c", "<B", "<c"))


def blob_of(value: bytes, length: int) -> bytes:
    value = blob(value)
    if len(value) != length:
        raise ValueError(f"{len(value)} bytes where there must be {length}")
    return value


def items(value: list, count: int) -> list:
    if not is_list(value):
        raise TypeError(f"{shown(value)} is no list")
    if len(value) != count:
        raise ValueError(f"{len(value)} elements where there must be {count}")
    return value


def out_string(value: str, w: bytearray, q: deque) -> None:
    text = utf8(value)
    if len(text) > _INLINE_MAX:
        q.append(len(w))
        w.extend(text)


def put_string(value: str, w: bytearray, at: int, q: deque) -> None:
    text = utf8(value)
    length = len(text)
    if length <= _INLINE_MAX:
        w[at : at + _INLINE_MAX] = text.ljust(_INLINE_MAX, b"\xff")
    else:
        _TEXT.pack_into(w, at, (length & 0x3F) | 0x80 | ((length & ~0x3F) << 2), q.popleft() - at)


def out_bytes(value: bytes, w: bytearray, q: deque) -> None:
    q.append(len(w))
    w.extend(blob(value))


def put_bytes(value: bytes, w: bytearray, at: int, q: deque) -> None:
    _CELL.pack_into(w, at, q.popleft() - at, len(blob(value)))


def put_decimal(value: decimal.Decimal, w: bytearray, at: int, q: deque) -> None:
    sign, digits, exponent = value.as_tuple()
    if not isinstance(exponent, int):
        raise ValueError("it is no number")
    count, scale = len(digits), -exponent
    # Zeros at the end go where there is no room for them.
    while count and not digits[count - 1] and (scale > _DECIMAL_SCALE_MAX or count > _DECIMAL_DIGITS_MAX and scale > 0):
        count, scale = count - 1, scale - 1
    if count > _DECIMAL_DIGITS_MAX:
        raise ValueError(_TOO_MANY_DIGITS)
    # From the digits, and exact: no context of decimals has a say.
    mantissa = int(decimal.Decimal((0, digits[:count], 0)))
    if scale < 0:
        mantissa, scale = mantissa * 10 ** -scale if scale >= -_DECIMAL_SCALE_MAX - 1 else mantissa << 96, 0
    while mantissa >> 96 and scale > 0 and mantissa % 10 == 0:
        mantissa, scale = mantissa // 10, scale - 1
    if not mantissa:
        scale = min(scale, _DECIMAL_SCALE_MAX)
    if scale > _DECIMAL_SCALE_MAX or mantissa >> 96:
        raise ValueError(_TOO_MANY_DIGITS)
    _DECIMAL.pack_into(w, at, mantissa & 0xFFFFFFFFFFFFFFFF, mantissa >> 64, scale, 1 if sign and mantissa else 0, 0)


_TOO_MANY_DIGITS = "it has more digits than a Decimal of 96 bits and 28 places: round it first, such as by quantize()"


def out_list(value: list, w: bytearray, q: deque, out: typing.Any, put: typing.Any, size: int, align: int) -> None:
    if not is_list(value):
        raise TypeError(f"{shown(value)} is no list")
    inner: deque = deque()
    if out is not None:
        for item in value:
            out(item, w, inner)
    start = pad(w, align)
    w.extend(bytes(size * len(value)))
    at = start
    for item in value:
        put(item, w, at, inner)
        at += size
    q.append(start)


def out_numbers(value: list, w: bytearray, q: deque, code: str, size: int) -> None:
    elements(value)
    q.append(pad(w, size))
    w.extend(struct.pack(f"<{len(value)}{code}", *value))


def put_list(value: list, w: bytearray, at: int, q: deque) -> None:
    _CELL.pack_into(w, at, q.popleft() - at, len(value))


def why(value: object, fits: typing.Callable[[typing.Any], None], fields: tuple, error: Exception) -> EncodeError:
    """Which field cannot be encoded: the first that is no value of its type, or cannot be encoded alone."""
    name = type(value).__name__
    try:
        fits(value)
    except Misfit as misfit:
        return misfit.told(name)
    for field, out, put, size in fields:
        one = getattr(value, field, None)
        try:
            w, q = bytearray(), deque()
            if out is not None:
                out(one, w, q)
            at = pad(w, 8)
            w.extend(bytes(size))
            put(one, w, at, q)
        except Exception as inner:  # whatever it was, it is this field's
            return _not_encoded(name, field, f"is {shown(one)}: {inner}")
    return EncodeError(f"{name}: {error}")


def _not_encoded(name: str, field: str, reason: str) -> EncodeError:
    error = EncodeError(f"{name}.{field} {reason}" if field else f"{name} {reason}")
    error.field, error.reason = field, reason
    return error


def below(name: str, path: str, error: EncodeError) -> EncodeError:
    """The same error, seen from the message that holds the value at this path."""
    if error.field is None:
        return EncodeError(f"{name}.{path}: {error}")
    return _not_encoded(name, f"{path}.{error.field}" if error.field else path, error.reason)


def number_get(code: str) -> typing.Callable[[Reader, int], typing.Any]:
    unpack_from = struct.Struct("<" + code).unpack_from

    def get(r: Reader, at: int) -> typing.Any:
        return unpack_from(r.buf, at)[0]

    return get


def number_put(code: str) -> typing.Callable[..., None]:
    pack_into = struct.Struct("<" + code).pack_into
    plain = float if code in "fd" else int

    def put(value: typing.Any, w: bytearray, at: int, q: deque) -> None:
        if type(value) is not plain:
            numbers(value)
        pack_into(w, at, value)

    return put


def get_bool(r: Reader, at: int) -> bool:
    value = r.buf[at]
    return value == 1 if value < 2 else bad_bool(at, value)


def put_bool(value: bool, w: bytearray, at: int, q: deque) -> None:
    w[at] = truth(value)


def get_u256(r: Reader, at: int) -> int:
    return int.from_bytes(r.buf[at : at + 32], "little")


def put_u256(value: int, w: bytearray, at: int, q: deque) -> None:
    w[at : at + 32] = wide(value, False)


def get_i256(r: Reader, at: int) -> int:
    return int.from_bytes(r.buf[at : at + 32], "little", signed=True)


def put_i256(value: int, w: bytearray, at: int, q: deque) -> None:
    w[at : at + 32] = wide(value, True)


def broken(message: str, field: str, value: object, must: str) -> ValidationError:
    return ValidationError(message, field, f"is {shown(value)}, must be {must}")


def broken_length(message: str, field: str, length: int, must: str) -> ValidationError:
    return ValidationError(message, field, f"has length {length}, must have {must}")


def unruly(message: str, value: object, field: str, error: Exception) -> EncodeError:
    """A field to whose value no rule can be applied."""
    told = f"is {shown(getattr(value, field))}, which is no value of its type: {type(error).__name__}: {error}"
    return _not_encoded(message, field, told)


def f32(value: float) -> float:
    """The value as it is read from 32 bits."""
    return struct.unpack("<f", struct.pack("<f", value))[0]


def shown(value: object) -> str:
    """How the text of a value begins. Each value has one, and not much more than that is written."""
    kind = type(value)
    try:
        if kind in (str, bytes, bytearray):
            text = repr(value[:_SHOWN_MAX])  # type: ignore[index]
        elif kind in (list, tuple, dict, set, frozenset):
            text = _SHORT.repr(value)
        elif kind is int and value.bit_length() > _SHOWN_BITS_MAX:  # type: ignore[attr-defined]
            text = f"an integer of {value.bit_length()} bits"  # type: ignore[attr-defined]
        else:
            text = repr(value)
    except Exception:  # its own code makes the text
        text = f"a value of type {kind.__name__}"
    return text if len(text) <= _SHOWN_MAX else text[:_SHOWN_MAX] + "..."


_SHOWN_MAX = 80
_SHOWN_BITS_MAX = 1024


class _Short(reprlib.Repr):
    """Of lists as many elements as have room."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxlist = self.maxtuple = self.maxdict = self.maxset = self.maxfrozenset = _SHOWN_MAX // 2

    def repr1(self, x: typing.Any, level: int) -> str:
        return super().repr1(x, level) if type(x) in (list, tuple, dict, set, frozenset) else shown(x)


_SHORT = _Short()
