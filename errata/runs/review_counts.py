"""How many reviews were made, and how many fewer than by the whole panel on each rationale."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

ReviewFigures = dict[str, int | float | None]


class ReviewCounts:
    """Sums over judged rationales. An author's whole panel is everyone who has reviewed any of the author's texts."""

    def __init__(self) -> None:
        self._panel: dict[str, set[str]] = defaultdict(set)
        self._rationales: Counter[str] = Counter()
        self._reviews = 0

    def add(self, author: str, reviewers: Iterable[str]) -> None:
        """One judged rationale, and who reviewed it."""
        asked = list(reviewers)
        self._panel[author].update(asked)
        self._rationales[author] += 1
        self._reviews += len(asked)

    def figures(self) -> ReviewFigures:
        """`rationales` judged, `reviews` made, `whole_panel`: as many as everyone on it would have made; per rationale
        those made and those saved, null where nothing was judged."""
        rationales = self._rationales.total()
        whole = sum(number * len(self._panel[author]) for author, number in self._rationales.items())
        return {
            "rationales": rationales,
            "reviews": self._reviews,
            "whole_panel": whole,
            "per_rationale": self._reviews / rationales if rationales else None,
            "saved_per_rationale": (whole - self._reviews) / rationales if rationales else None,
        }


def in_words(figures: ReviewFigures) -> str:
    """One sentence where reviews were saved, else nothing."""
    made, saved = figures["per_rationale"], figures["saved_per_rationale"]
    if not made or not saved:
        return ""
    return f"{made:.2f} reviews per rationale were made, {saved:.2f} fewer than by the whole panel on each"
