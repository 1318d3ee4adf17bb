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


class Numpyish:
    """A number of another library."""

    def __init__(self, value):
        self.value = value

    def __index__(self):
        return self.value

    def __float__(self):
        return float(self.value)


def strict():
    """Members of other enums, truth values and whatever else `struct` and dictionaries take for something else."""
    package.Strict().validate()
    assert package.Strict.decode(package.Strict().encode()) == package.Strict()
    buy, red = package.Side.Buy, package.Colour.Red
    point = package.Point(x=1, side=buy)
    wrong = {
        "side": ([red, 0, 1, True, False, None, "Buy"], "Side"),
        "whole": ([True, buy, 1.0, "1", None, -1, 256], "u8"),
        "wide": ([True, buy, 1.0, None, -1, 1 << 256], "U256"),
        "at": ([True, buy, 1.0, None, 1 << 63], "Timestamp"),
        "real": ([True, buy, "1", None], "f64"),
        "flag": ([1, 0, buy, None, "", "yes", 1.0], "bool"),
        "text": ([b"a", 1, None, "\ud800"], "String"),
        "maybe": ([red, 0, True], "Side"),
        "sides": ([[red], [buy, 1], "x", None, {buy: 1}], None),
        "wholes": ([[True], [1, buy], [1.5], b"ab", "12", 7, [1 << 32]], None),
        "reals": ([[True, 1.0], [1.0], [1.0, buy], "ab", None], None),
        "texts": (["abc", [b"a"], [1], {"a": 1}, None], None),
        "point": ([package.Offset(x=1, side=buy), None, 1, buy], "Point"),
        "points": ([[package.Offset(x=1, side=buy)], [point, None], point], None),
    }
    assert set(wrong) == set(package.Strict.__slots__)
    for name, (values, kind) in wrong.items():
        for value in values:
            message = package.Strict()
            setattr(message, name, value)
            for do in (message.encode, message.validate):
                refused(do, package.EncodeError, f"Strict.{name}", "which is no ", kind or "is ")
    deep = package.Strict(points=[point, package.Point(x=1, side=red)])
    for do in (deep.encode, deep.validate):
        refused(do, package.EncodeError, "Strict.points[1].side is <Colour.Red: 0>, which is no Side")
    one = package.Strict(whole=300)
    refused(one.encode, package.EncodeError, "Strict.whole is 300, which is no u8: 0 to 255")
    for name, value in (("side", red), ("whole", True), ("wide", True), ("real", True), ("flag", 1)):
        flat = {"side": buy, "whole": 1, "wide": -1, "real": 1.0, "flag": True}
        message = package.Flat(**flat)
        assert package.Flat.decode(message.encode()) == message
        refused(package.Flat(**(flat | {name: value})).encode, package.EncodeError, f"Flat.{name} is ")
    # What is a number of another library is one here too.
    loose = package.Strict(whole=Numpyish(7), wide=Numpyish(8), real=Numpyish(9), wholes=(1, Numpyish(2)), reals=[1, 2])
    loose.validate()
    again = package.Strict.decode(loose.encode())
    assert (again.whole, again.wide, again.real, again.wholes, again.reals) == (7, 8, 9.0, [1, 2], [1.0, 2.0])


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
strict()
blobs()
singles()
names()
print("fine")
