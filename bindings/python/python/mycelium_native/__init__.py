"""Another name of the package `mycelium`."""

from mycelium import *  # noqa: F403
from mycelium import __all__ as __all__
