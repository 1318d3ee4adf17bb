"""The programs of docs/python.md print what the page says; those of docs/contracts.md and README.md do as
they say."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "python.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```\n\nprints\n\n```text\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_has_programs_and_each_says_what_it_prints() -> None:
    assert len(PROGRAMS) == PAGE.count("```python") >= 2


@pytest.mark.parametrize("at", range(len(PROGRAMS)))
def test_a_program_of_the_page(at: int) -> None:
    program, expected = PROGRAMS[at]
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (told.stdout, told.stderr) == (expected, "")


def run_page(page: pathlib.Path, behind: str) -> str:
    """Runs the only program of a page with this behind it; what it prints."""
    [program] = re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
    told = subprocess.run([sys.executable, "-c", program + behind], capture_output=True, text=True, timeout=120)
    assert (told.returncode, told.stderr) == (0, "")
    return told.stdout


def test_the_messages_of_the_page_of_contracts() -> None:
    behind = """
assert len(value) == market.Bar.ROOT_LEN == 64
assert market.Bar.decode(value, version=2, root_len=64) == bar
assert bars["close_ticks"].tolist() == [100] * 3 and not bars.flags.owndata
assert issubclass(market.ValidationError, Exception) and issubclass(market.EncodeError, Exception)
for error in (market.TruncatedError, market.VersionError, market.InvalidError):
    assert issubclass(error, market.DecodeError)
"""
    assert run_page(ROOT / "docs" / "contracts.md", behind) == ""


def test_the_program_of_the_readme_of_the_package() -> None:
    told = run_page(ROOT / "bindings" / "python" / "README.md", "")
    assert told == "Trade(at=0, price=101.5, lots=3, side=<Side.Buy: 0>)\n"
