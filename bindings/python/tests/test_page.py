"""The programs of docs/python.md print what the page says."""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

import pytest

PAGE = (pathlib.Path(__file__).parents[3] / "docs" / "python.md").read_text()
PROGRAMS = re.findall(r"```python\n(.*?)```\n\nprints\n\n```text\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_has_programs_and_each_says_what_it_prints() -> None:
    assert len(PROGRAMS) == PAGE.count("```python") >= 2


@pytest.mark.parametrize("at", range(len(PROGRAMS)))
def test_a_program_of_the_page(at: int) -> None:
    program, expected = PROGRAMS[at]
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120)
    assert (told.stdout, told.stderr) == (expected, "")
