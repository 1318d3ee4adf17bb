"""Reading messages: by hand, in a loop, in an event loop, or as arrays."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import _native, _records
from ._closing import Closing

if TYPE_CHECKING:
    from ._records import Records

T = TypeVar("T")

_PENDING, _HERE = 0, 1


# How many messages a task gets before the event loop has its turn.
_IN_A_ROW = 64


class _Reader(Closing, Generic[T]):
    """What both kinds of subscriptions are: an iterator, an asynchronous iterator and a context manager."""

    __slots__ = ("_in_a_row", "_native", "__weakref__")

    def __init__(self, native: _native.Subscription) -> None:
        self._native = native
        self._in_a_row = 0

    def _recv(self, timeout: float | None) -> tuple[int, T | None]:
        raise NotImplementedError

    def _look(self) -> tuple[int, T | None]:
        raise NotImplementedError

    def recv(self, timeout: float | None = None) -> T | None:
        """The next one, after `timeout` seconds at most; `None` when there is none by then, and when it is
        closed.

        Waiting lets Python's other threads run, and Ctrl-C ends it.
        """
        return self._recv(timeout)[1]

    def try_recv(self) -> T | None:
        """The next one if it is there."""
        return self._recv(0.0)[1]

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        state, value = self._recv(None)
        if state == _HERE:
            return value  # type: ignore[return-value]
        raise StopIteration

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        while True:
            state, value = self._look()
            if state == _HERE:
                self._in_a_row += 1
                if self._in_a_row % _IN_A_ROW == 0:
                    await asyncio.sleep(0)
                return value  # type: ignore[return-value]
            if state != _PENDING:
                raise StopAsyncIteration
            descriptor = self._native.begin_wait()
            try:
                await _readable(descriptor)
            finally:
                self._native.end_wait()

    def close(self) -> None:
        """Unsubscribes. What waits is dropped; a thread in `recv` returns."""
        self._native.close()

    @property
    def closed(self) -> bool:
        """Whether `close` was called, or the end was read."""
        return self._native.closed

    def __repr__(self) -> str:
        return repr(self._native)


class Subscription(_Reader[T]):
    """Messages, one by one, in the order of the bus."""

    __slots__ = ()

    def _recv(self, timeout: float | None) -> tuple[int, T | None]:
        return self._native.recv(timeout)

    def _look(self) -> tuple[int, T | None]:
        return self._native.look_once()


class ArraySubscription(_Reader["Records"]):
    """Messages of one class of fixed size, as many at once as are there: read-only arrays of numpy."""

    __slots__ = ("_dtype", "_frombuffer", "_most")

    def __init__(self, native: _native.Subscription, cls: type, most: int) -> None:
        super().__init__(native)
        self._dtype = _records.dtype_of(cls)
        self._most = most
        import numpy

        self._frombuffer: Callable[..., Any] = numpy.frombuffer

    def _array(self, told: tuple[int, bytes | None]) -> tuple[int, Records | None]:
        state, records = told
        if records is None:
            return state, None
        return state, self._frombuffer(records, self._dtype)

    def _recv(self, timeout: float | None) -> tuple[int, Records | None]:
        return self._array(self._native.recv_records(self._most, timeout))

    def _look(self) -> tuple[int, Records | None]:
        return self._array(self._native.look_records(self._most))


async def _readable(descriptor: int) -> None:
    """Waits until the event loop finds the descriptor readable."""
    loop = asyncio.get_running_loop()
    heard: asyncio.Future[None] = loop.create_future()

    def hear() -> None:
        if not heard.done():
            heard.set_result(None)

    loop.add_reader(descriptor, hear)
    try:
        await heard
    finally:
        loop.remove_reader(descriptor)
