"""Holds a generated package against cases that the Rust tests have written: check.py FOLDER PACKAGE CASES.

Each line of CASES is one value as bytes, with what a reader must say of it: "ok" (then "value" as golden
vectors write it, perhaps "broken" for what validate() must say, and the value encodes to the same bytes if
"again"), or "truncated", "invalid", "version".
"""

import decimal
import enum
import importlib
import json
import math
import struct
import sys


def same(got, wanted):
    """Whether a value of the package is what the JSON says."""
    if isinstance(got, enum.IntEnum):
        return got.name == wanted
    if got is None or isinstance(got, bool):
        return got is wanted
    if isinstance(got, float):
        if wanted == "NaN":
            return math.isnan(got)
        wanted = float(wanted)
        if math.copysign(1, got) != math.copysign(1, wanted):
            return False
        # What has 32 bits is written with the digits that those need; that all bits are right is told by
        # "again".
        return got == wanted or struct.pack("<f", got) == struct.pack("<f", wanted)
    if isinstance(got, int):
        return got == int(wanted)
    if isinstance(got, decimal.Decimal):
        return got.as_tuple() == decimal.Decimal(wanted).as_tuple()
    if isinstance(got, str):
        return got == wanted
    if isinstance(got, bytes):
        return got == (bytes.fromhex(wanted) if isinstance(wanted, str) else bytes(wanted))
    if isinstance(got, list):
        return len(got) == len(wanted) and all(map(same, got, wanted))
    _, _, variant = type(got).__name__.partition("_")
    if variant:
        if isinstance(wanted, str):
            return wanted == variant and not got.__slots__
        [(name, wanted)] = wanted.items()
        if name != variant:
            return False
    return all(same(field(got, name), of) for name, of in wanted.items())


def field(value, name):
    return getattr(value, name if name in value.__slots__ else name + "_")


def verdict(package, case):
    message = getattr(package, case["message"])
    wire = sys.modules[package.__name__ + "._wire"]
    try:
        value = message.decode(bytes.fromhex(case["bytes"]), case["version"], case["root_len"])
    except wire.TruncatedError:
        return "truncated"
    except wire.VersionError:
        return "version"
    except wire.InvalidError:
        return "invalid"
    if case["verdict"] != "ok":
        return f"taken as {value!r}"
    if "value" in case and not same(value, case["value"]):
        return f"read as {value!r}"
    if case.get("again"):
        again = value.encode()
        if again.hex() != case["bytes"]:
            return f"encoded as {again.hex()}"
    try:
        value.validate()
        broken = None
    except wire.ValidationError as error:
        broken = [error.message, error.field, error.reason.partition(", must ")[2]]
    if broken != case.get("broken"):
        return f"validate() says {broken}"
    return "ok"


def main():
    folder, name, cases = sys.argv[1:]
    sys.path.insert(0, folder)
    package = importlib.import_module(name)
    count = failed = 0
    with open(cases, encoding="utf-8") as lines:
        for line in lines:
            case = json.loads(line)
            count += 1
            try:
                got = verdict(package, case)
            except Exception as error:  # no other error may come of bytes
                got = f"raised {error!r}"
            if got != case["verdict"]:
                failed += 1
                if failed <= 10:
                    print(f"{got}\n  {line[:2_000].rstrip()}")
    print(f"{count} cases, {failed} failed; digest {package.SCHEMA_DIGEST:016x}")
    sys.exit(failed > 0)


main()
