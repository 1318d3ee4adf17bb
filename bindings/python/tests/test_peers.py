"""The comparison with other carriers of messages runs, with this package alone and few messages."""

from __future__ import annotations

import pathlib
import subprocess
import sys

PROGRAM = pathlib.Path(__file__).parents[1] / "bench" / "peers.py"


def peers(*args: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(PROGRAM), *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_comparison_measures_and_counts() -> None:
    told = peers("--only", "mycelium", "--rounds", "1", "--count", "256", "--asks", "3")
    assert told.returncode == 0, told.stderr
    assert "all counts are right" in told.stdout
    for row in ("publish one message", "until the last callback", "from an array of numpy", "a query and its answer"):
        lines = [line for line in told.stdout.splitlines() if row in line]
        assert len(lines) == 2 and all(int(line.split()[-1].replace(",", "")) > 0 for line in lines), lines


def test_a_count_that_makes_no_batches_is_refused() -> None:
    told = peers("--only", "mycelium", "--count", "100")
    assert told.returncode == 2 and "a multiple of 256" in told.stderr
