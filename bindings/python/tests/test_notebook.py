"""The notebook of the examples runs from its first cell to its last, and is kept without what it has
shown."""

from __future__ import annotations

import json
import pathlib
from typing import Any

import matplotlib

NOTEBOOK = pathlib.Path(__file__).parents[3] / "examples" / "notebook" / "sweep.ipynb"


def test_the_cells_of_the_notebook_run_in_their_order() -> None:
    matplotlib.use("Agg")
    # Classes say which module they are of.
    names: dict[str, Any] = {"__name__": "notebook"}
    code = [cell for cell in json.loads(NOTEBOOK.read_text())["cells"] if cell["cell_type"] == "code"]
    for at, cell in enumerate(code):
        assert cell["outputs"] == [] and cell["execution_count"] is None, "clear all outputs before you save it"
        # As Jupyter does: the annotations of a cell are evaluated.
        exec(compile("".join(cell["source"]), f"cell {at}", "exec", dont_inherit=True), names)
    report = names["report"]
    assert report.is_complete and report.failed == 0 and len(report) == 16
    assert len(names["orders"]) > 10 and len(names["table"]) == 16
    assert report.best("profit")["orders"] == len(report.best("profit")["at"])
    assert len(names["figure"].axes) == 3
