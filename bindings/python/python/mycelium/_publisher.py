"""Publishers of one message class."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import _native, _records

if TYPE_CHECKING:
    from ._records import Records

M = TypeVar("M")

_PIECE_BYTES = 32 * 1024


class Publisher(Generic[M]):
    """Publishes messages of one class. `publish` is the fastest way to publish one message from Python."""

    __slots__ = ("_blank", "_dtype", "_native", "publish")

    def __init__(self, native: _native.Publisher) -> None:
        self._native = native
        self._dtype: Any = None
        self._blank: list[tuple[int, int]] = []
        # The native method itself: a method of this class around it would cost as much as the publish.
        self.publish = native.publish

    @property
    def message_type(self) -> type[M]:
        """The class of its messages."""
        message_type: type[M] = self._native.message_type
        return message_type

    def publish_many(self, messages: Records | Iterable[M | bytes], timeout: float | None = None) -> int:
        """Publishes all of an iterable of messages or encoded values, or of a numpy array of records; how
        many.

        An error in the middle leaves those before published. `timeout` holds for each message. The rules of
        the contract are not checked for records and encoded values; their layout is.
        """
        if hasattr(messages, "dtype") and hasattr(messages, "reshape"):
            if self._dtype is None:
                self._dtype = _records.dtype_of(self.message_type)
                self._blank = _records.blank_of(self._dtype)
            raw = _records.as_bytes(messages, self.message_type, self._dtype)
            # In pieces that stay in the processor's cache: each is copied once before it is checked.
            size = self._dtype.itemsize
            piece, count = max(_PIECE_BYTES // size, 1) * size, 0
            for start in range(0, len(raw), piece):
                count += self._native.publish_records(raw[start : start + piece], self._blank, timeout)
            return count
        return self._native.publish_each(messages, timeout)

    def __repr__(self) -> str:
        return repr(self._native)
