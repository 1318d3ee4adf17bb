"""Which contract a runtime has: a file, a generated package, or one that was loaded before."""

from __future__ import annotations

import os
from types import ModuleType
from typing import Union

from ._native import Contract
from .errors import ContractError, SchemaError

ContractSource = Union[str, "os.PathLike[str]", ModuleType, Contract]


# A contract stays in memory as long as the process: one that is loaded again is the same.
_loaded: dict[tuple[str, int, str], Contract] = {}


def load(source: ContractSource) -> Contract:
    """Loads a contract. It stays in memory as long as the process; one that has not changed since is not
    loaded twice."""
    if isinstance(source, Contract):
        return source
    if isinstance(source, ModuleType):
        table, digest = getattr(source, "CONTRACT", None), getattr(source, "SCHEMA_DIGEST", None)
        if not isinstance(table, str) or not isinstance(digest, int):
            raise ContractError(
                f"the module {source.__name__} has no CONTRACT: give the package that `mycelium gen --lang python` has"
                " written, or generate it again if it is from an older version"
            )
        return _of(table, digest, source.__name__)
    if isinstance(source, (str, os.PathLike)):
        return _of(*Contract.read(source))
    raise TypeError(
        f"contract is a {type(source).__name__}: give the path of a contracts.yaml, the generated package, or what"
        " `mycelium.load_contract` returned"
    )


def _of(table: str, digest: int, origin: str) -> Contract:
    found = _loaded.get((table, digest, origin))
    return found or _loaded.setdefault((table, digest, origin), Contract.parse(table, digest, origin))


def check_digest(contract: Contract, digest: int | None) -> None:
    """Compares the digest that the program was generated with."""
    if digest is None:
        return
    if not isinstance(digest, int):
        raise TypeError(f"schema_digest is a {type(digest).__name__}: give the SCHEMA_DIGEST of the generated package")
    if digest != contract.schema_digest:
        raise SchemaError(
            f"the program was generated from a contract with digest 0x{digest:016x}, and {contract.origin} has"
            f" 0x{contract.schema_digest:016x}: generate the package again with `mycelium gen --lang python`, or give the"
            " contract that it was generated from"
        )
