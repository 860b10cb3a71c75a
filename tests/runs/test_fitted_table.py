"""Tables at any width: side by side or row by row, and never a figure less."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from errata.runs.fitted_table import FittedTable
from errata.runs.tables import show_lines, table

HEADINGS = ("difference", "points", "by seed", "won:lost", "p", "adjusted p", "equal tokens", "verdict", "could show")
ROWS = [
    ("committee - plain", "+3.5 [-1.0, +8.0]", "+1.0 +5.5 +4.0", "41:22", "0.013", "0.039", "yes", "not shown", "6.1"),
    ("plain - untouched, far longer", "+12.5 [+9.0, +16.0]", None, "80:5", "< 0.001", "< 0.001", "no", "better", "6.0"),
]


def printed(drawn: FittedTable, width: int, *, colour: bool) -> str:
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=colour, no_color=not colour, highlight=False).print(drawn)
    return out.getvalue()


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("width", [30, 80, 120, 200])
def test_no_figure_is_dropped_or_cut_at_any_width(width: int, colour: bool) -> None:
    words = " ".join(printed(table("gsm8k, claims", HEADINGS, ROWS), width, colour=colour).split())

    for row in ROWS:
        for cell in row[1:]:
            assert (cell or "-") in words
    for heading in HEADINGS:
        assert all(word in words for word in heading.split())


def test_row_by_row_a_figure_stands_beside_its_heading() -> None:
    lines = printed(table("claims", HEADINGS, ROWS), 50, colour=False).splitlines()
    assert "difference: committee - plain" in lines
    assert [line.split() for line in lines if "verdict" in line] == [["verdict", "not", "shown"], ["verdict", "better"]]
    assert all(len(line) <= 50 for line in lines)


def test_what_does_not_fit_side_by_side_stands_in_two_even_parts_that_both_name_the_rows() -> None:
    lines = printed(table("claims", HEADINGS, ROWS), 80, colour=False).splitlines()
    first, second = (" ".join(part.split()) for part in "\n".join(lines[1:]).split("\n\n"))
    assert "won:lost p" in first
    assert first.count("committee - plain") == second.count("committee - plain") == 1
    assert second.endswith("far longer < 0.001 no better 6.0")
    assert all(len(line) <= 80 for line in lines)


def test_what_fits_to_the_letter_needs_no_room_behind_it() -> None:
    drawn = table("", ("", "number", "their price"), [("done", 1200, "$0.25")])
    lines = printed(drawn, len("done  number  their price"), colour=False).splitlines()
    assert [line.rstrip() for line in lines] == ["", "      number  their price", "done   1,200        $0.25"]


def test_what_fits_stands_side_by_side() -> None:
    lines = printed(table("Problems", ("", "number"), [("done", 1200), ("  why", 3)], "a caption"), 80, colour=False)
    assert [line.rstrip() for line in lines.splitlines()] == [
        "Problems", "       number", "done    1,200", "  why       3", "a caption"
    ]  # fmt: skip


def test_a_long_text_folds_at_spaces_and_stays_whole() -> None:
    long = "tokens differ by 12 %, cost differs by 40 %, seeds differ"
    text = printed(table("claims", ("claim", "not equal"), [("first", long)]), 40, colour=False)
    assert long in " ".join(text.replace("first", "").split())


def test_prose_folds_at_spaces_on_a_terminal_and_is_whole_elsewhere(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    line = "stopped: round 1 lost 10.5 points on what was mastered, more than 5: the student before it stands"
    monkeypatch.setenv("COLUMNS", "40")
    show_lines([line])
    assert capsys.readouterr().out == f"{line}\n"
    monkeypatch.setenv("FORCE_COLOR", "1")
    show_lines([line])
    folded = capsys.readouterr().out.splitlines()
    assert len(folded) == 3
    assert " ".join(map(str.strip, folded)) == line


def test_a_table_without_rows_has_its_headings() -> None:
    assert "number" in printed(table("Yield", ("", "number"), []), 40, colour=False)
