"""What is `async` in an isolate: it waits in virtual time, and the isolate goes on meanwhile."""

from __future__ import annotations

import asyncio
from asyncio import events
from collections import deque
from collections.abc import Coroutine
from typing import Any, TypeVar

from . import _native
from ._actor import Context, Loop
from ._runtime import answer_of
from .errors import ActorError

M = TypeVar("M")

_RESOLUTION_S = 1e-9


class _Virtual(asyncio.BaseEventLoop):
    """An event loop whose time is that of an isolate. It never waits: it says for how long it would."""

    def __init__(self, native: _native.Context) -> None:
        super().__init__()
        self._native = native
        self._begun = native.now()
        self._selector = self
        self._clock_resolution = _RESOLUTION_S
        # In seconds; None: nothing comes by itself.
        self.rests: float | None = None

    def time(self) -> float:
        return (self._native.now() - self._begun) / 1e9

    def select(self, timeout: float | None) -> list[Any]:
        """What the base class calls when nothing is ready for so long."""
        if timeout is None or timeout > _RESOLUTION_S:
            self.rests = timeout
            self.stop()
        return []

    def _process_events(self, event_list: list[Any]) -> None:
        """There are none: nothing comes from outside."""

    def _write_to_self(self) -> None:
        """What wakes a loop that waits."""

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:  # type: ignore[override]
        """When a thread is done depends on the machine."""
        raise ActorError(_outside(self._native.path))

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:  # type: ignore[override]
        """The same."""
        raise ActorError(_outside(self._native.path))

    def __del__(self) -> None:
        if not self.is_closed() and not self.is_running():
            self.close()


def _outside(path: str) -> str:
    return (
        f"{path} waits for something from outside of its isolate, which never comes: wait with `asyncio.sleep`, ask with"
        " `await self.ctx.ask(..)`, and use a Runtime for sockets and threads"
    )


class VirtualLoop(Loop):
    """Runs what is `async` until it waits, and has the actor go on when the time has come."""

    __slots__ = ("_asked", "_native", "_task", "_virtual", "_waiting")

    def __init__(self, native: _native.Context) -> None:
        super().__init__()
        self._native = native
        self._virtual: _Virtual | None = None
        self._task: asyncio.Task[Any] | None = None
        # Of a batch that is handed out before another message.
        self._waiting: deque[Coroutine[Any, Any, Any]] = deque()
        self._asked: asyncio.Future[Any] | None = None

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        self._waiting.append(work)
        return None if self._task is not None else self._go_on()

    async def ask(self, context: Context, path: str, query: Any, reply: type[M], timeout: float) -> M:
        if self._asked is not None:
            raise ActorError("an actor in an isolate asks one question at a time: await its answer before the next")
        isolate: Any = context.runtime
        isolate._native.ask_later(path, query)
        self._asked = asyncio.get_running_loop().create_future()
        return answer_of(path, await self._asked, reply)

    def resumed(self, answer: Any) -> Any:
        asked, self._asked = self._asked, None
        if asked is not None and not asked.done():
            if isinstance(answer, str):
                asked.set_exception(ActorError(answer))
            else:
                asked.set_result(answer)
        return self._go_on()

    def _go_on(self) -> Any:
        if self._virtual is None:
            self._virtual = _Virtual(self._native)
        loop = self._virtual
        while True:
            if self._task is None:
                if not self._waiting:
                    return None
                self._task = loop.create_task(self._waiting.popleft())
                # One that never goes on, as its isolate does not, is nothing to warn of.
                self._task._log_destroy_pending = False  # type: ignore[attr-defined]
                self._task.add_done_callback(lambda _: loop.stop())
            if not self._task.done():
                self._turn(loop)
            if not self._task.done():
                self._pause(loop)
                return None
            done, self._task = self._task, None
            if not self._waiting:
                return done.result()
            done.result()

    def _turn(self, loop: _Virtual) -> None:
        # A notebook runs its cells in a loop of its own, which knows nothing of this one.
        loop.rests = None
        outer = events._get_running_loop()
        events._set_running_loop(None)
        try:
            loop.run_forever()
        finally:
            events._set_running_loop(outer)

    def _pause(self, loop: _Virtual) -> None:
        if self._asked is not None:
            return  # It goes on with the answer.
        if loop.rests is not None:
            self._native.pause(max(round(loop.rests * 1e9), 1))
            return
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            self._turn(loop)
        self._waiting.clear()
        raise ActorError(_outside(self._native.path))

    def stopped(self) -> None:
        if self._task is None and self._virtual is not None:
            self._virtual.close()
            self._virtual = None
