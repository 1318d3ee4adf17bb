"""What goes wrong where nobody can catch it: into `logging`, under the name `mycelium`."""

from __future__ import annotations

import logging
import threading
import traceback
from typing import Any

from . import _native

logger = logging.getLogger("mycelium")


# A Rust program that embeds Python hears its events by itself.
_tap: _native.LogTap | None = None if _native.EMBEDDED else _native.LogTap.install()
_thread: threading.Thread | None = None
_lock = threading.Lock()


def follow() -> None:
    """Has the events of the native half logged from the level on that the logger `mycelium` has now.

    Each new Runtime does so. Call it when the level has changed since.
    """
    global _thread
    if _tap is None:
        return
    with _lock:
        if _thread is None:
            _thread = threading.Thread(target=_hand_on, args=(_tap,), name="mycelium-log", daemon=True)
            _thread.start()
    _tap.set_level(logger.getEffectiveLevel())


def _hand_on(tap: _native.LogTap) -> None:
    while (told := tap.wait()) is not None:
        lines, left_out = told
        for level, name, text, fields in lines:
            # A filter or a handler of the program's may raise: the next events are logged all the same.
            try:
                logging.getLogger(name).log(level, "%s", text, extra={"mycelium": fields})
            except Exception:
                if logging.raiseExceptions:
                    traceback.print_exc()
        if left_out:
            logger.warning("%d events came faster than they could be logged, and were left out", left_out)


def stop() -> None:
    """At the interpreter's exit: a thread that comes back to Python after it would take the process down."""
    if _tap is not None:
        _tap.stop()
    if _thread is not None:
        _thread.join(1.0)


def in_child() -> None:
    """A forked child has no thread that hands events on: it hears none."""
    global _tap
    if _tap is not None:
        _tap.mark_forked()
        _tap = None


def _text_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)).rstrip()


def callback_failed(callback: Any, error: BaseException) -> str:
    """A callback of a subscription has raised: it is logged and counted, and goes on with the next
    message."""
    name = getattr(callback, "__qualname__", None) or repr(callback)
    extra = {"mycelium": {"callback": name}}
    logger.error("the callback %s has failed, and goes on with the next message", name, exc_info=error, extra=extra)
    return _text_of(error)


def actor_failed(actor: Any, error: BaseException) -> str:
    """A handler has raised: its life ends, and its supervisor decides."""
    name = actor if isinstance(actor, str) else actor.ctx.path
    logger.error("the actor %s has failed", name, exc_info=error, extra={"mycelium": {"actor": name}})
    return _text_of(error)
