"""The executed notebook: it prints what it shows, names no machine, and becomes a page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from docs.generate.notebook import page_of, printed_by, text_of

FILE = Path(__file__).parents[2] / "docs" / "own_data.ipynb"
NOTEBOOK = json.loads(FILE.read_text(encoding="utf-8"))


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def by_arithmetic(cell: Any) -> bool:
    """Whether a processor's arithmetic decides what a cell prints."""
    return "machine" in cell["metadata"].get("tags", ())


def test_it_is_executed_in_order_and_without_an_error() -> None:
    cells = code_cells(NOTEBOOK)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert all(printed_by(cell) for cell in cells if not text_of(cell["source"]).startswith("%%capture"))
    assert {output["output_type"] for cell in cells for output in cell["outputs"]} == {"stream"}
    assert {output["name"] for cell in cells for output in cell["outputs"]} == {"stdout"}


def test_it_names_no_machine_and_nobody() -> None:
    text = FILE.read_text(encoding="utf-8")
    assert not re.search(r"(?<![\w.])/(?:tmp|home|root|work|Users|var|mnt)/", text)
    assert set(NOTEBOOK["metadata"]) == {"kernelspec", "language_info"}
    assert NOTEBOOK["metadata"]["kernelspec"]["name"] == "python3"


def test_a_page_has_its_prose_its_code_and_what_that_printed() -> None:
    def code(source: str, *printed: str) -> dict[str, Any]:
        outputs = [{"output_type": "stream", "name": "stdout", "text": [each]} for each in printed]
        return {"cell_type": "code", "source": [source], "outputs": outputs}

    cells = [{"cell_type": "markdown", "source": ["# One\n", "two"]}, code("print(1)", "1\n", "```\n"), code("x = 2")]
    assert page_of({"cells": cells}) == (
        "# One\ntwo\n\n```python\nprint(1)\n```\n\n````text\n1\n```\n````\n\n```python\nx = 2\n```\n"
    )


@pytest.mark.slow
def test_it_prints_what_it_shows(tmp_path: Path) -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    import nbformat

    fresh = nbformat.reads(FILE.read_text(encoding="utf-8"), as_version=4)
    nbclient.NotebookClient(fresh, timeout=600, resources={"metadata": {"path": str(tmp_path)}}).execute()

    pairs = list(zip(code_cells(NOTEBOOK), code_cells(fresh), strict=True))
    for shown, real in pairs:
        if not by_arithmetic(shown):
            assert printed_by(real) == printed_by(shown)
    losses, verdict = (printed_by(real) for shown, real in pairs[-2:])
    first, last = map(float, re.findall(r"\d+\.\d+", losses))
    assert last < first / 4
    assert re.search(r"it learned its rows: \+\d+\.\d points \[.*\], (better|not shown)", verdict)
