"""Timestamps as times of numpy."""

from __future__ import annotations

import datetime

import desk
import numpy as np
import pytest
from desk import Trade, from_datetime64, to_datetime64
from hypothesis import given
from hypothesis import strategies as st

NOON = 1_704_110_400_000_000_001  # 2024-01-01T12:00:00.000000001


def test_a_field_of_an_array_is_seen_as_times_without_a_copy() -> None:
    trades = np.zeros(3, dtype=Trade.DTYPE)
    trades["at"] = [0, 1, NOON]
    times = to_datetime64(trades["at"])
    assert times.dtype == "datetime64[ns]" and np.shares_memory(times, trades)
    assert str(times[2]) == "2024-01-01T12:00:00.000000001"
    times[0] = np.datetime64("2024-01-01T12", "h")
    assert trades["at"][0] == NOON - 1, "what is written there is written in the array"
    assert from_datetime64(times).tolist() == trades["at"].tolist()


def test_single_ones_and_other_units() -> None:
    assert to_datetime64(NOON) == np.datetime64("2024-01-01T12:00:00.000000001")
    assert from_datetime64(to_datetime64(NOON)) == NOON and type(from_datetime64(np.datetime64("1970-01-02"))) is int
    assert from_datetime64(np.datetime64("1970-01-02")) == 86_400_000_000_000
    assert from_datetime64(np.array(["1970-01-01T00:00:01"], dtype="M8[s]")).tolist() == [1_000_000_000]
    whole = datetime.datetime(2024, 1, 1, 12, tzinfo=datetime.timezone.utc)
    assert from_datetime64(np.datetime64("2024-01-01T12")) == desk.from_datetime(whole)
    with pytest.raises(OverflowError):
        to_datetime64(2**63)


@given(st.integers(-(2**63) + 1, 2**63 - 1))
def test_each_timestamp_comes_back(nanos: int) -> None:
    assert from_datetime64(to_datetime64(nanos)) == nanos
    array = np.array([nanos], dtype=np.int64)
    assert from_datetime64(to_datetime64(array)).tolist() == [nanos]


@pytest.mark.parametrize("moment", ["NaT", "2262-04-12", "1677-09-20", "9999-01-01"])
def test_what_is_no_time_or_does_not_fit_is_refused(moment: str) -> None:
    with pytest.raises(ValueError, match="holds what is no time, or is before 1677 or after 2262"):
        from_datetime64(np.datetime64(moment, "D"))
    with pytest.raises(ValueError, match="holds what is no time"):
        from_datetime64(np.array(["2024-01-01", moment], dtype="M8[D]"))


def test_what_holds_no_timestamps_is_refused() -> None:
    with pytest.raises(TypeError, match="an array of float64 holds no timestamps"):
        to_datetime64(np.zeros(3))
    with pytest.raises(TypeError):
        to_datetime64(1.5)
    for wrong in (3, np.zeros(3), "2024-01-01"):
        with pytest.raises(TypeError, match="no numpy.datetime64"):
            from_datetime64(wrong)
