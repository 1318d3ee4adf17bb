"""Messages of fixed size as arrays of numpy, which is imported when it is first needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Records = npt.NDArray[np.void]


def dtype_of(cls: type) -> np.dtype[np.void]:
    """The numpy type of a message class."""
    layout = getattr(cls, "DTYPE", None)
    if layout is None:
        raise TypeError(
            f"{cls.__name__} has no fixed size, so there are no arrays of it: publish and subscribe to it message by message"
        )
    try:
        import numpy
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("arrays need numpy: pip install numpy") from error
    made: np.dtype[np.void] = numpy.dtype(layout)
    return made


def blank_of(dtype: np.dtype[Any]) -> list[tuple[int, int]]:
    """The bytes of a record that belong to no field: (start, end) of each gap."""
    taken = bytearray(dtype.itemsize)
    _take(dtype, 0, taken)
    gaps: list[tuple[int, int]] = []
    for at, is_taken in enumerate(taken):
        if not is_taken:
            if gaps and gaps[-1][1] == at:
                gaps[-1] = (gaps[-1][0], at + 1)
            else:
                gaps.append((at, at + 1))
    return gaps


def _take(dtype: np.dtype[Any], start: int, taken: bytearray) -> None:
    if dtype.subdtype is not None:
        of, shape = dtype.subdtype
        count = 1
        for length in shape:
            count *= length
        for at in range(count):
            _take(of, start + at * of.itemsize, taken)
    elif dtype.fields is not None:
        for field in dtype.fields.values():
            _take(field[0], start + field[1], taken)
    else:
        taken[start : start + dtype.itemsize] = b"\x01" * dtype.itemsize


def as_bytes(array: Any, cls: type, dtype: np.dtype[np.void]) -> npt.NDArray[np.uint8]:
    """The bytes of an array of records."""
    import numpy

    if array.dtype != dtype:
        raise TypeError(
            f"an array of {cls.__name__} has the dtype numpy.dtype({cls.__name__}.DTYPE), and this one has {array.dtype}:"
            f" make it with numpy.zeros(n, dtype={cls.__name__}.DTYPE)"
        )
    flat = numpy.ascontiguousarray(array).reshape(-1)
    return flat.view(numpy.uint8)
