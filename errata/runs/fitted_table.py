"""A table that shows all its figures at any width: side by side where they fit, else in two parts, else row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

LABEL = 24
"""Letters of a row's name, and of other cells, that are not folded."""
GAP = 2
"""Letters between two columns."""


@dataclass(frozen=True)
class FittedTable:
    """Figures under headings; the first cell of a row names it. Cells are plain text.

    Where not all columns fit side by side with every figure in one piece, they stand in two parts, one below the other,
    each with the rows' names. Where these do not fit either, each row becomes a block: its name, then a line per figure
    with its heading. Nothing is left out or cut off.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    def widths(self, available: int, places: Sequence[int]) -> list[int] | None:
        """Letters of each of the columns at `places`, `available` in all with the gaps; None where they do not fit.

        A figure stays whole, a long text and a heading fold at spaces; what is spare unfolds them, from the left.
        """
        columns = [[self.headings[place], *(row[place] for row in self.rows)] for place in places]
        widths = [max(_least(heading, 1), *(_least(cell, LABEL) for cell in cells), 1) for heading, *cells in columns]
        spare = available - sum(widths) - GAP * (len(widths) - 1)
        if spare < 0:
            return None
        for place, cells in enumerate(columns):
            more = min(spare, max(map(cell_len, cells)) - widths[place])
            widths[place] += max(0, more)
            spare -= max(0, more)
        return widths

    def parts(self, available: int) -> list[tuple[Sequence[int], list[int]]] | None:
        """The columns' places and widths: of all, or in two parts, as even as they fit, with the rows' names in each;
        None where they fit in neither."""
        number = len(self.headings)
        cuts = sorted(range(2, number), key=lambda cut: abs(2 * cut - number - 1))
        ways: list[list[Sequence[int]]] = [[range(number)]]
        ways += ([range(cut), (0, *range(cut, number))] for cut in cuts)
        for parts in ways:
            fitting = [(places, widths) for places in parts if (widths := self.widths(available, places))]
            if len(fitting) == len(parts):
                return fitting
        return None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.title, style="bold")
        if parts := self.parts(options.max_width):
            for number, (places, widths) in enumerate(parts):
                if number:
                    yield Text("")
                yield self._side_by_side(places, widths)
        elif self.rows:
            yield Text("\n".join(self._row_by_row()))
        else:
            yield self._side_by_side(range(len(self.headings)), None)
        if self.caption:
            yield Text(self.caption, style="italic")

    def _side_by_side(self, places: Sequence[int], widths: Sequence[int] | None) -> Table:
        drawn = Table(box=None, padding=(0, GAP, 0, 0), pad_edge=False)
        for number, place in enumerate(places):
            width = widths[number] if widths else None
            justify: Literal["left", "right"] = "right" if number else "left"
            drawn.add_column(Text(self.headings[place]), justify=justify, overflow="fold", width=width)
        for row in self.rows:
            drawn.add_row(*(Text(row[place]) for place in places))
        return drawn

    def _row_by_row(self) -> list[str]:
        name, *figures = self.headings
        length = max((cell_len(heading) for heading in figures), default=0)
        lines = []
        for label, *cells in self.rows:
            lines.append(f"{name}: {label}" if name else label)
            named = zip(figures, cells, strict=True)
            lines += [f"  {heading}{' ' * (length - cell_len(heading))}  {cell}" for heading, cell in named]
        return lines


def _least(text: str, fold: int) -> int:
    """Letters of a text that may fold at spaces where it is longer than `fold`."""
    if cell_len(text) <= fold:
        return cell_len(text)
    words = [cell_len(word) for word in text.split()]
    return max([*words, fold if fold > 1 else 0])
