"""What goes wrong where nobody can catch it: into `logging`, under the name `mycelium`."""

from __future__ import annotations

import logging
import traceback
from typing import Any

logger = logging.getLogger("mycelium")


def _text_of(error: BaseException) -> str:
    return "".join(traceback.format_exception(error)).rstrip()


def callback_failed(callback: Any, error: BaseException) -> str:
    """A callback of a subscription has raised: it is logged and counted, and goes on with the next message."""
    name = getattr(callback, "__qualname__", None) or repr(callback)
    logger.error("the callback %s has failed, and goes on with the next message", name, exc_info=error)
    return _text_of(error)


def actor_failed(actor: Any, error: BaseException) -> str:
    """A handler has raised: its life ends, and its supervisor decides."""
    name = actor if isinstance(actor, str) else actor.ctx.path
    logger.error("the actor %s has failed", name, exc_info=error)
    return _text_of(error)
