"""Finds the package `mycelium` in the program that embeds this interpreter."""

import importlib.abc
import importlib.machinery
import signal
import sys


class Finder(importlib.abc.MetaPathFinder, importlib.abc.InspectLoader):
    def __init__(self, modules):
        # By name: whether it is a package, and its text.
        self._modules = modules

    def find_spec(self, name, path=None, target=None):
        if name not in self._modules:
            return None
        return importlib.machinery.ModuleSpec(name, self, origin="embedded", is_package=self.is_package(name))

    def is_package(self, name):
        return self._modules[name][0]

    def get_source(self, name):
        return self._modules[name][1]

    def get_code(self, name):
        return compile(self.get_source(name), f"embedded/{name.replace('.', '/')}.py", "exec", dont_inherit=True)


def install(modules, native, embedded):
    """From now on `import mycelium` has the package of the program, or of the extension module; whether
    another native half was there before."""
    # A package that is installed may be of another version: that of the program comes first. The finder is
    # there before the native half, which tells other threads that all is prepared; a second one finds the
    # same.
    finder = Finder(modules)
    sys.meta_path.insert(0, finder)
    if sys.modules.setdefault("mycelium._native", native) is not native:
        sys.meta_path.remove(finder)
        return True
    if not embedded:
        return False
    # The module `signal`, also that of `asyncio`, takes SIGINT when it is first imported: it is the
    # program's.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
        except ValueError:
            pass  # The interpreter was started on another thread, by another library, which may want it.
    # Nobody finalises this interpreter, and so nobody writes what a buffer still holds.
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(line_buffering=True)
    return False
