"""A table that shows all its figures at any width: side by side where they fit, else row by row."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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

    Where not all columns fit side by side with every figure in one piece, each row becomes a block: its name, then a
    line per figure with its heading. Nothing is left out or cut off.
    """

    title: str
    headings: Sequence[str]
    rows: Sequence[Sequence[str]]
    caption: str = ""

    def widths(self, available: int) -> list[int] | None:
        """Letters of each column, `available` in all with the gaps; None where they do not fit.

        A figure stays whole, a long text and a heading fold at spaces; what is spare unfolds them, from the left.
        """
        columns = [[heading, *(row[place] for row in self.rows)] for place, heading in enumerate(self.headings)]
        widths = [max(_least(heading, 1), *(_least(cell, LABEL) for cell in cells), 1) for heading, *cells in columns]
        spare = available - sum(widths) - GAP * len(widths)
        if spare < 0:
            return None
        for place, cells in enumerate(columns):
            more = min(spare, max(map(cell_len, cells)) - widths[place])
            widths[place] += max(0, more)
            spare -= max(0, more)
        return widths

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        widths = self.widths(options.max_width)
        yield Text(self.title, style="bold")
        if widths is None and self.rows:
            yield Text("\n".join(self._row_by_row()))
        else:
            yield self._side_by_side(widths)
        if self.caption:
            yield Text(self.caption, style="italic")

    def _side_by_side(self, widths: Sequence[int] | None) -> Table:
        drawn = Table(box=None, padding=(0, GAP, 0, 0))
        for place, heading in enumerate(self.headings):
            width = widths[place] if widths else None
            drawn.add_column(Text(heading), justify="right" if place else "left", overflow="fold", width=width)
        for row in self.rows:
            drawn.add_row(*(Text(cell) for cell in row))
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
