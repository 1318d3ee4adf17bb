"""Threads of the core that call Python, so that those that do not end can be ended at the interpreter's exit."""

from __future__ import annotations

import ctypes
import threading
import time

_alive: set[int] = set()


def began() -> None:
    """This thread is one of them."""
    _alive.add(threading.get_ident())


def ended() -> None:
    """It is none any more."""
    _alive.discard(threading.get_ident())


class _Exit(BaseException):
    """Raised in a handler that does not return when the interpreter exits."""


def end_all(timeout: float) -> bool:
    """Raises in those that run Python; whether all have ended within `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while _alive and time.monotonic() < deadline:
        for ident in tuple(_alive):
            ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(_Exit))
        time.sleep(0.02)
    return not _alive
