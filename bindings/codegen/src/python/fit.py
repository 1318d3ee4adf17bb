class Misfit(Exception):
    """A value that is none of its type. Whatever holds it puts its own place before `path`."""

    def __init__(self, value: object, kind: str, why: str = "") -> None:
        self.reason = f"is {shown(value)}, which is no {kind}{why}"
        self.path = ""

    @staticmethod
    def of(value: object, error: Exception) -> Misfit:
        """Of a value whose own code failed when it was looked at."""
        return error if isinstance(error, Misfit) else Misfit(value, f"value of its type: {type(error).__name__}")

    def told(self, name: str) -> EncodeError:
        return _not_encoded(name, self.path.lstrip("."), self.reason)


Fit = typing.Callable[[typing.Any], None]


def fit(name: str, fits: Fit, value: object) -> None:
    """Raises EncodeError for the first part of the value that is none of its type."""
    try:
        fits(value)
    except Misfit as misfit:
        raise misfit.told(name) from None


def _integer(kind: str, low: int, high: int) -> Fit:
    def fits(value: typing.Any) -> None:
        if type(value) is not int:
            if is_no_number(value):
                raise Misfit(value, kind)
            try:
                value = operator.index(value)
            except Exception:  # an array has the method, and fails in it
                raise Misfit(value, kind) from None
        if not low <= value <= high:
            raise Misfit(value, kind, f": {low} to {high}")

    return fits


fit_u8, fit_i8 = _integer("u8", 0, 0xFF), _integer("i8", -0x80, 0x7F)
fit_u16, fit_i16 = _integer("u16", 0, 0xFFFF), _integer("i16", -0x8000, 0x7FFF)
fit_u32, fit_i32 = _integer("u32", 0, (1 << 32) - 1), _integer("i32", -(1 << 31), (1 << 31) - 1)
fit_u64, fit_i64 = _integer("u64", 0, (1 << 64) - 1), _integer("i64", -(1 << 63), (1 << 63) - 1)
fit_u256, fit_i256 = _integer("U256", 0, (1 << 256) - 1), _integer("I256", -(1 << 255), (1 << 255) - 1)
fit_timestamp = _integer("Timestamp", -(1 << 63), (1 << 63) - 1)


def _float(kind: str, code: str) -> Fit:
    pack = struct.Struct("<" + code).pack
    fits_any = code == "d"

    def fits(value: typing.Any) -> None:
        if type(value) is float:
            if fits_any:
                return
        elif is_no_number(value):
            raise Misfit(value, kind)
        try:
            pack(value)
        except OverflowError:
            raise Misfit(value, kind, ": it is too large") from None
        except Exception:
            raise Misfit(value, kind) from None

    return fits


fit_f32, fit_f64 = _float("f32", "f"), _float("f64", "d")


def fit_bool(value: object) -> None:
    if not is_truth(value):
        raise Misfit(value, "bool")


def fit_decimal(value: object) -> None:
    if not isinstance(value, decimal.Decimal):
        raise Misfit(value, "Decimal: write decimal.Decimal(..)")
    digits, exponent = value.as_tuple()[1:]
    if len(digits) < _DECIMAL_DIGITS_MAX and type(exponent) is int and -_DECIMAL_SCALE_MAX <= exponent <= 0:
        return
    try:
        put_decimal(value, bytearray(_DECIMAL.size), 0, deque())
    except ValueError as error:
        raise Misfit(value, "Decimal", f": {error}") from None


def fit_string(value: object) -> None:
    if not isinstance(value, str):
        raise Misfit(value, "String")
    try:
        value.isascii() or value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise Misfit(value, "String", f": {error}") from None


def fit_list(inner: Fit, kind: str, count: typing.Optional[int] = None) -> Fit:
    def fits(value: typing.Any) -> None:
        if not is_list(value):
            raise Misfit(value, kind)
        if count is not None and len(value) != count:
            raise Misfit(value, kind, f": it has {len(value)} elements")
        at, item = 0, value
        try:
            for item in value:
                inner(item)
                at += 1
        except Exception as error:
            misfit = Misfit.of(item, error)
            if item is not value:  # it is that of an element, and not of the list itself
                misfit.path = f"[{at}]{misfit.path}"
            raise misfit from None

    return fits


def fit_blob(count: typing.Optional[int], kind: str) -> Fit:
    def fits(value: typing.Any) -> None:
        if isinstance(value, (list, tuple)):
            octets(value)
        try:
            length = len(blob(value))
        except Exception:
            raise Misfit(value, kind) from None
        if count is not None and length != count:
            raise Misfit(value, kind, f": it has {length} bytes")

    octets = fit_list(fit_u8, kind)
    return fits


fit_bytes = fit_blob(None, "Bytes")


def fit_option(inner: Fit) -> Fit:
    return lambda value: None if value is None else inner(value)


def fit_enum(kind: type) -> Fit:
    def fits(value: object) -> None:
        if type(value) is not kind:
            raise Misfit(value, kind.__name__)

    return fits


def _fields(fields: tuple, value: object) -> None:
    for field, fits in fields:
        one = None
        try:
            one = getattr(value, field)
            fits(one)
        except Exception as error:
            misfit = Misfit.of(one, error)
            if isinstance(error, AttributeError) and not hasattr(value, field):
                misfit.reason = "is not there"
            misfit.path = f".{field}{misfit.path}"
            raise misfit from None


def fit_record(kind: type, fields: tuple) -> Fit:
    def fits(value: object) -> None:
        if type(value) is not kind and not isinstance(value, kind):
            raise Misfit(value, kind.__name__)
        _fields(fields, value)

    return fits


def fit_variant(name: str, variants: dict) -> Fit:
    def fits(value: object) -> None:
        fields = variants.get(type(value))
        if fields is None:
            raise Misfit(value, name)
        _fields(fields, value)

    return fits
