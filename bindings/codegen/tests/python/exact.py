"""What a generated package does with values that the wire does not hold: exact.py FOLDER PACKAGE."""

import decimal
import importlib
import array
import math
import pickle
import sys
from decimal import Decimal

sys.path.insert(0, sys.argv[1])
package = importlib.import_module(sys.argv[2])
Exact = package.Exact

LARGEST = (1 << 96) - 1


def refused(make, kind, *parts):
    try:
        made = make()
    except kind as error:
        missing = [part for part in parts if part not in str(error)]
        assert not missing, f"{missing} not in {error}"
    else:
        raise AssertionError(f"taken as {made!r}")


def decimals():
    kept = [
        "0", "-0", "1.50", "-2.5", "0E-40", "0E+40", "1E+28", str(LARGEST), f"-{LARGEST}E-28", "1E-28",
        "1." + "0" * 70, "12345.6789" + "0" * 5000, "1.0E-27",
    ]
    for text in kept:
        message = Exact(amount=Decimal(text))
        assert Exact.decode(message.encode()).amount == Decimal(text), text
    rounded = [
        "1." + "0" * 70 + "1", "0." + "1" * 29, "1E-29", "1E+29", str(LARGEST + 1), "9" * 61, "9" * 100_000,
        f"{LARGEST}1E-29", "1E+999999", "1E-999999", "NaN", "Infinity", "sNaN",
    ]
    for text in rounded:
        part = "is no number" if text[-1].isalpha() or text == "Infinity" else "has more digits than a Decimal"
        refused(Exact(amount=Decimal(text)).encode, package.EncodeError, "Exact.amount is ", part)


def contexts():
    wanted = Exact(amount=Decimal("1234567.125")).encode()
    traps = decimal.getcontext().traps
    for context in (decimal.Context(prec=1, rounding=decimal.ROUND_UP, Emax=3, Emin=-3), decimal.Context(prec=1, traps=list(traps))):
        with decimal.localcontext(context):
            assert Exact(amount=Decimal("1234567.125")).encode() == wanted


def singles():
    refused(Exact(amount=Decimal(1), single=1e39).validate, package.ValidationError, "Exact.single is 1e+39, must be finite")
    refused(Exact(amount=Decimal(1), single=-math.inf).validate, package.ValidationError, "must be finite")
    refused(Exact(amount=Decimal(1), single=1e39).encode, package.EncodeError, "Exact.single is 1e+39")
    Exact(amount=Decimal(1), single=3.4e38).validate()
    refused(Exact(amount=Decimal(1), inner=[package.Inner(percent=101)]).validate, package.ValidationError,
            "Exact.inner[0].percent is 101, must be at most 100")


def names():
    message = Exact(amount=Decimal(1))
    assert message.classmethod_ == 5 and Exact.decode(message.encode()) == message
    assert package.MESSAGES[1] is Exact and isinstance(package.CONTRACT, str)


def rules():
    """Whatever a field holds, what comes of its rules is an error of this package, with the field."""
    strange = [None, "x", "\ud800", Decimal("NaN"), Decimal("sNaN"), object(), [None], b"\xff", -1, 1e400]
    fields = package.Ruled.__slots__
    assert len(fields) == 13, fields
    for name in fields:
        for value in strange:
            message = package.Ruled()
            setattr(message, name, value)
            told(message.validate, f"Ruled.{name}")
    for value in strange:
        told(holder(one=value), "Holder.one")
        told(holder(each=[package.Ruled(), value]), "Holder.each")
        inner = package.Ruled(at_least=value)
        told(holder(one=inner), "Holder.one.at_least")
        told(holder(each=[package.Ruled(), inner]), "Holder.each[1].at_least")
        told(holder(either=package.Either_Part(part=value)), "Holder.either.part")
        told(holder(either=value), "Holder.either")


def holder(**fields):
    usual = {"one": package.Ruled(), "either": package.Either_Part(part=1), "each": []}
    return package.Holder(**(usual | fields)).validate


def told(validate, field):
    try:
        validate()
    except (package.ValidationError, package.EncodeError) as error:
        assert str(error).startswith(field), f"{error} does not begin with {field}"
        assert pickle.loads(pickle.dumps(error)).args == error.args
        if isinstance(error, package.ValidationError):
            again = pickle.loads(pickle.dumps(error))
            assert (str(again), again.message, again.field, again.reason) == (
                str(error), error.message, error.field, error.reason)


def blobs():
    assert package.Blob.decode(package.Blob(data=array.array("H", [1, 2, 3])).encode()).data == array.array("H", [1, 2, 3]).tobytes()


decimals()
contexts()
rules()
blobs()
singles()
names()
print("fine")
