"""What a generated package does with values that the wire does not hold: exact.py FOLDER PACKAGE."""

import array
import ctypes
import decimal
import enum
import importlib
import math
import mmap
import pickle
import sys
from collections import UserDict
from decimal import Decimal
from types import MappingProxyType

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
    refused(Exact(amount=Decimal(1), single=-math.inf).validate, package.ValidationError, "must be finite")
    large = Exact(amount=Decimal(1), single=1e39)
    for do in (large.encode, large.validate):
        refused(do, package.EncodeError, "Exact.single is 1e+39, which is no f32: it is too large")
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
    """Members of other enums, truth values and whatever else `struct` and dictionaries take for something
    else."""
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
        "texts": (["abc", [b"a"], [1], {"a": 1}, UserDict({"a": 1}), MappingProxyType({"a": 1}), None], None),
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
    # Truth values of numpy are truth values, and no numbers.
    for name in ("bool", "bool_"):
        truth = type(name, (Numpyish,), {"__module__": "numpy", "__bool__": lambda self: bool(self.value)})
        for value in (0, 1):
            assert package.Strict.decode(package.Strict(flag=truth(value)).encode()).flag is bool(value)
            package.Strict(flag=truth(value)).validate()
            for field in ("whole", "wide", "at", "real"):
                message = package.Strict(**{field: truth(value)})
                for do in (message.encode, message.validate):
                    refused(do, package.EncodeError, f"Strict.{field} is ", "which is no ")
    # Arrays are lists where their elements are numbers and they have one dimension.
    arrays = package.Strict(wholes=Stub([1, 2], "u", 1), reals=Stub([1.0, 2.0], "f", 1))
    arrays.validate()
    again = package.Strict.decode(arrays.encode())
    assert (again.wholes, again.reals) == ([1, 2], [1.0, 2.0])
    message = package.Strict(wholes=Stub([True, False], "b", 1))
    for do in (message.encode, message.validate):
        refused(do, package.EncodeError, "Strict.wholes[0] is True, which is no u32")
    # A member of an enum that is a text is that text.
    member = enum.StrEnum("Name", {"A": "abc"}).A
    assert package.Strict.decode(package.Strict(text=member).encode()).text == "abc"
    # What is a number of another library is one here too.
    loose = package.Strict(whole=Numpyish(7), wide=Numpyish(8), real=Numpyish(9), wholes=(1, Numpyish(2)), reals=[1, 2])
    loose.validate()
    again = package.Strict.decode(loose.encode())
    assert (again.whole, again.wide, again.real, again.wholes, again.reals) == (7, 8, 9.0, [1, 2], [1.0, 2.0])


class Stub:
    """A value of numpy, as far as the package looks at one."""

    def __init__(self, value, kind, ndim=0):
        self.value, self.ndim = value, ndim
        self.dtype = type("dtype", (), {"kind": kind})()

    def __index__(self):
        if self.ndim or self.dtype.kind not in "iu":
            raise TypeError("only integer scalar arrays can be converted to a scalar index")
        return self.value

    def __float__(self):
        if self.ndim > 0:
            raise TypeError("only 0-dimensional arrays can be converted to Python scalars")
        return float(self.value)

    def __bool__(self):
        return bool(self.value)

    def __len__(self):
        if not self.ndim:
            raise TypeError("len() of unsized object")
        return len(self.value)

    def __getitem__(self, at):
        return self.value[at]


class Unshown:
    """A value without a text."""

    def __repr__(self):
        raise RuntimeError("not shown")


def raw(**fields):
    usual = {"data": b"ab", "octets": b"cd", "pair": b"ef", "single": 0.5, "singles": [0.5, 1], "double": 1.5}
    return package.Raw(**(usual | {"amount": Decimal(1)} | fields))


def raws():
    """Bytes are bytes, and not what `bytes()` makes of a number or of a list of something else."""
    buy = package.Side.Buy
    taken = [b"\1\2", bytearray(b"\1\2"), memoryview(b"\1\2"), array.array("B", [1, 2]), [1, 2], (1, Numpyish(2)),
             mapped(b"\1\2"), (ctypes.c_ubyte * 2)(1, 2)]
    for value in taken:
        message = raw(data=value, octets=value, pair=value)
        message.validate()
        again = package.Raw.decode(message.encode())
        assert (again.data, again.octets, again.pair) == (b"\1\2",) * 3, value
    wrong = [
        5, 0, True, None, "ab", 10**30, Numpyish(2), Numpyish(10**30), Stub(2, "i"), 1.0, buy, object(), Unshown(),
        [True, False], [buy, 1], [1, 256], [-1, 1], [1.0, 2], [None, 1], ["a", "b"], {5: 1, 6: 2}, UserDict({5: 1, 6: 2}),
        {1, 2}, range(2), iter([1, 2]), ctypes.c_uint16(5), ctypes.c_ubyte(5), (ctypes.c_uint16 * 2)(1, 2),
        (ctypes.c_bool * 2)(1, 0), (ctypes.c_byte * 2)(-1, 1),
    ]
    for name in ("data", "octets", "pair"):
        for value in wrong:
            message = raw(**{name: value})
            for do in (message.encode, message.validate):
                refused(do, package.EncodeError, f"Raw.{name}", "which is no ")
    for value in (b"", b"abc", [1, 2, 3]):
        for do in (raw(pair=value).encode, raw(pair=value).validate):
            refused(do, package.EncodeError, "Raw.pair is ", "which is no [u8; 2]")


def mapped(value):
    """Bytes in memory that is no object of Python's: a buffer of another library."""
    made = mmap.mmap(-1, len(value))
    made[:] = value
    return made


def found_by_both():
    """What encode() refuses as no value, validate() does too: with the field, and with no other error."""
    wrong = {
        "single": [1e300, -1e39, 10**400, Stub(1.0, "f", 1), Stub(True, "b"), "5", Unshown()],
        "double": [10**400, Stub(1.0, "f", 1), Stub(True, "b"), Text("5"), "5", b"5", Unshown()],
        "singles": [[1e300, 1.0], [1.0, 10**400], [1.0], Stub(1.0, "f"), Stub([Stub([1.0], "f", 1)] * 2, "f", 2)],
        "amount": [Decimal("1" * 41), Decimal("1e100"), Decimal("1e-29"), Decimal("NaN"), Decimal("-Infinity"), 1, 1.5, None],
    }
    for name, values in wrong.items():
        for value in values:
            message = raw(**{name: value})
            for do in (message.encode, message.validate):
                refused(do, package.EncodeError, f"Raw.{name}", "which is no ")
    more = {
        "whole": [Stub([1, 2], "i", 1), Stub(True, "b"), 10**5000, Unshown()],
        "wide": [1 << 20_000, -(10**5000), Unshown()],
        "flag": [Stub(True, "b"), Stub([True, False], "b", 1)],
        "wholes": [Stub([Stub([1, 2], "i", 1)] * 2, "i", 2), Stub(7, "i"), [10**5000], [Unshown()], [1, 2.5]],
        "text": [Unshown()], "side": [Unshown()], "maybe": [Unshown()], "point": [Unshown()], "points": [[Unshown()]],
    }
    for name, values in more.items():
        for value in values:
            message = package.Strict()
            setattr(message, name, value)
            for do in (message.encode, message.validate):
                refused(do, package.EncodeError, f"Strict.{name}", "which is no ")
    for name in package.Strict.__slots__:
        message = package.Strict()
        delattr(message, name)
        for do in (message.encode, message.validate):
            refused(do, package.EncodeError, f"Strict.{name} is not there")
    for value in (Decimal("1." + "0" * 70), Decimal("1E+28"), Decimal("-0E+40")):
        raw(amount=value).validate()


class Text(str):
    """A text that is a number if asked, as numpy's are."""

    def __float__(self):
        return float(str(self))


def long():
    """Of a long value, only the beginning is written: elements behind it are not asked for their texts."""
    class Counted:
        texts = 0

        def __repr__(self):
            Counted.texts += 1
            return "c"

    for value in ([Counted()] * 10_000, [[Counted()] * 10_000] * 100):
        message = package.Strict(reals=value)
        for do in (message.encode, message.validate):
            refused(do, package.EncodeError, "Strict.reals is [", "..., which is no [f32; 2]: it has ")
    assert Counted.texts < 50_000, Counted.texts
    other = package.Point(x=1, side=package.Side.Buy)
    refused(lambda: package.Strict.encode(other), package.EncodeError, "Point is Point(x=1", "which is no Strict")


class Asked:
    """A number that counts how often it is asked for its value."""

    count = 0

    def __index__(self):
        Asked.count += 1
        return 1

    def __ge__(self, other):
        return True


def once():
    """Types are looked at once, however deep a value lies, and so are rules."""
    def asked(check):
        before = Asked.count
        check()
        return Asked.count - before

    leaf = package.Leaf(part=Asked())
    middle = package.Middle(leaf=leaf)
    outer = package.Outer(middle=middle)
    either = package.Holds_Outer(outer=outer)
    times = [asked(value.validate) for value in (leaf, middle, outer, either)]
    assert times == [1] * 4, times
    deep = package.Nested(holds=either)
    assert asked(deep.encode) == 1
    assert asked(deep._rules) == 0
    assert asked(deep.validate) == 1
    # Where nothing is wrong, nobody looks for the field that is.
    fits = package.Nested(holds=package.Holds_Outer(package.Outer(package.Middle(package.Leaf(1)))), reals=[1.0] * 10)
    assert called("fits", fits.encode) == called("fits", fits.validate) == 0
    fits.reals[9] = None
    assert called("fits", lambda: refused(fits.encode, package.EncodeError, "Nested.reals[9] is None")) > 10
    leaf.part = 0
    refused(package.Nested(holds=either).validate, package.ValidationError,
            "Nested.holds.outer.middle.leaf.part is 0, must be at least 1")
    # A number of another library that has no order is still an error of this package, and has its place.
    leaf.part = Numpyish(5)
    for value, place in ((either, "Holds.outer.middle.leaf.part"), (deep, "Nested.holds.outer.middle.leaf.part")):
        refused(value.validate, package.EncodeError, place, "which is no value of its type: TypeError")


def called(name, work):
    """How many functions of this name the work calls."""
    count = 0

    def note(frame, event, _):
        nonlocal count
        count += event == "call" and frame.f_code.co_name == name

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


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
    """Elements of other sizes and signs have an order of bytes, and ranges, that nobody has named."""
    for value in (b"", b"abc", memoryview(b"abcdef")[::2], array.array("B", [1, 2]), memoryview(b"ab").cast("c")):
        assert package.Blob.decode(package.Blob(data=value).encode()).data == bytes(value), value
    for value in (array.array("H", [1, 2]), array.array("b", [1]), array.array("d"), memoryview(array.array("d", [1.0])),
                  memoryview(b"abcd").cast("B", (2, 2)), memoryview(b"ab").cast("?")):
        for do in (package.Blob(data=value).encode, package.Blob(data=value).validate, raw(pair=value).encode):
            refused(do, package.EncodeError, "which is no ")


decimals()
contexts()
rules()
strict()
raws()
found_by_both()
long()
once()
blobs()
singles()
names()
print("fine")
