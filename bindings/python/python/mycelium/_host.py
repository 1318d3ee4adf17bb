"""Python in a Rust program: the program's buses, and the actors that it takes from here."""

from __future__ import annotations

import importlib
import inspect
import sys
from typing import TYPE_CHECKING, Any

from . import _actor, _records, _runtime
from ._runtime import Runtime
from ._tree import Child, plan_of
from .errors import ClosedError

if TYPE_CHECKING:
    from . import _native

_programs: dict[str, Runtime] = {}


class _ProgramRuntime(Runtime):
    """A bus of the Rust program, which closes it: here `close` does nothing."""

    def close(self, timeout: float = 0.0) -> None:
        """Does nothing: the Rust program closes its bus."""


def host(name: str | None = None) -> Runtime:
    """The bus of the Rust program that embeds this interpreter. `name` is for a program that has several.

    It is a `Runtime` but for one thing: the program closes it, and `close` does nothing. In an actor it is
    `self.ctx.runtime`.
    """
    if name is None and len(_programs) == 1:
        return next(iter(_programs.values()))
    if name is not None and name in _programs:
        return _programs[name]
    if not _programs:
        raise ClosedError(
            "no Rust program hosts this interpreter: make a bus with `mycelium.Runtime(..)`, or start the program that has"
            " `PythonRuntime::builder(&bus)`"
        )
    names = ", ".join(f"host({known!r})" for known in _programs)
    asked = "it has several buses" if name is None else f"it has none that is called {name!r}"
    raise ClosedError(f"the Rust program has to be asked for a bus by its name, and {asked}: {names}")


def enter(program: _native.Program, name: str) -> Runtime:
    """The program has a bus of this name."""
    runtime = _ProgramRuntime._of_program(program)
    before = _programs.get(name)
    if before is not None and before.left:
        leave(name, before)  # The program has dropped it, and the thread that says so has not come yet.
    if _programs.setdefault(name, runtime) is not runtime:
        raise ValueError(
            f"another bus of this process has the name {name!r} in Python: give this one another with `PythonBuilder::name`"
        )
    return runtime


def leave(name: str, runtime: Runtime) -> None:
    """It has it no more; what Python has begun on it goes on while Python has it."""
    if _programs.get(name) is runtime:
        del _programs[name]
    _runtime.forget(runtime)


def plan(runtime: Runtime, path: str, arguments: dict[str, Any]) -> Any:
    """How the native half makes actors of the class at this path. Each mistake says what to do."""
    cls = _class_at(path)
    for _, handling in cls._handlings:
        if handling.takes == "batch":
            _needs_numpy(path, handling.message_type)
    try:
        inspect.signature(cls).bind(**arguments)
    except TypeError as error:
        raise TypeError(f"{path}: {error}: give its arguments with `PythonRuntime::actor_with`") from error
    except ValueError:
        pass  # A class of C may have no signature that can be looked at.
    return plan_of(runtime, Child(cls.__name__, cls, kwargs=arguments))


def _class_at(path: str) -> type[_actor.Actor]:
    module, _, name = path.partition(":")
    if not (module and name):
        raise ValueError(f'{path!r} names no class: write "module:Class", as in "desk.models:Signals"')
    found: Any = _module(module)
    for part in name.split("."):
        if not hasattr(found, part):
            actors = [key for key, value in getattr(found, "__dict__", {}).items() if _is_actor(value)]
            there = f"its actors are {', '.join(actors)}" if actors else "it has no subclass of mycelium.Actor"
            raise AttributeError(f"the module {module} has no {name}: {there}")
        found = getattr(found, part)
    if not _is_actor(found):
        raise TypeError(f"{path} is {found!r}: a child of a tree is a subclass of mycelium.Actor")
    actor: type[_actor.Actor] = found
    return actor


def _is_actor(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, _actor.Actor) and value is not _actor.Actor


def _module(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        missing = error.name or name
        if name == missing or name.startswith(f"{missing}."):
            raise ModuleNotFoundError(
                f"there is no module {missing}: give `PythonBuilder::path` the folder that has it, or install it into {_where()};"
                f" Python has looked in {', '.join(map(repr, sys.path))}",
                name=missing,
            ) from error
        raise ModuleNotFoundError(f"the module {name} needs {missing}: {_install(missing)}", name=missing) from error


def _needs_numpy(path: str, message_type: type) -> None:
    try:
        _records.dtype_of(message_type)
    except ModuleNotFoundError as error:
        raise ImportError(f"{path} takes arrays (@on_batch), which need numpy: {_install('numpy')}") from error
    except ImportError as error:
        raise ImportError(
            f"{path} takes arrays (@on_batch), and the numpy of {_where()} cannot be loaded: it may be of another Python, or the"
            f" program be linked with a Python that has no shared library, whose symbols numpy does not find: {error}"
        ) from error


def _install(package: str) -> str:
    return (
        f"install it into {_where()} (`pip install {package}` there), or start the program in a virtual environment that has it"
    )


def _where() -> str:
    return f"the Python {sys.version_info[0]}.{sys.version_info[1]} of {sys.prefix}"
