"""Threads of the core that call Python, so that those that do not end can be ended at the interpreter's
exit."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from types import FrameType

# The native half puts them here and takes them away (`attached.rs`), by these methods of a set and without a
# frame of Python, in which what `end_all` raises would come up.
alive: set[int] = set()


def in_child() -> None:
    """A forked child has none of them."""
    alive.clear()


class _Exit(BaseException):
    """Raised in a handler that does not return when the interpreter exits."""


class Stuck(BaseException):
    """Raised in a method that hangs, when the health probe of its actor has the actor restarted."""


def absorb() -> None:
    """Has an exception come up that another thread has set in this one, and that was not raised yet."""
    for _ in range(2):
        pass


def end_all(timeout: float) -> bool:
    """Raises in those that run Python; whether all have ended within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while alive and time.monotonic() < deadline:
        for ident in tuple(alive):
            raise_in(ident, _Exit)
        time.sleep(0.02)
    return not alive


def end_callers(timeout: float) -> None:
    """Has other threads leave the calls of this package in which they run Python, within `timeout` seconds.

    Before Python 3.14 an interpreter that exits unwinds those that want it again, and with frames of Rust
    below, such as those of an isolate's run or around an iterator of messages, that takes the process down.
    """
    deadline = time.monotonic() + timeout
    while (callers := _callers()) and time.monotonic() < deadline:
        for ident in callers:
            # The one exception of which nobody hears when it ends a thread.
            raise_in(ident, SystemExit)
        time.sleep(0.02)


def _callers() -> list[int]:
    """Other threads within a call of this package."""
    here = threading.get_ident()
    return [ident for ident, frame in sys._current_frames().items() if ident != here and _calls(frame)]


# What the native half calls of a message that is published.
_OF_MESSAGES = ("encode", "_rules")


def _calls(frame: FrameType | None) -> bool:
    while frame is not None:
        # `publish` is a method of the native half, and has no frame but those of the message.
        if str(frame.f_globals.get("__name__")).startswith("mycelium.") or frame.f_code.co_name in _OF_MESSAGES:
            return True
        frame = frame.f_back
    return False


def raise_in(ident: int, error: type[BaseException]) -> None:
    """Raises this in the thread, once it runs Python."""
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(error))
