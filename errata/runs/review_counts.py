"""How many votes were asked for: reviews, fewer than by the whole panel on each rationale, and further samples."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from errata.records import Transcript

ReviewFigures = dict[str, int | float | None]


def further_samples(transcript: Transcript) -> frozenset[str]:
    """Ids of the rationales that the stage peer_review asked for, beside those that every teacher writes."""
    calls = {call.id for call in transcript.calls if call.verb == "solve" and call.stage == "peer_review"}
    return frozenset(each.id for each in transcript.rationales if calls.intersection(each.call_ids))


class ReviewCounts:
    """Sums over judged rationales. An author's whole panel is everyone who has reviewed any of the author's texts."""

    def __init__(self) -> None:
        self._panel: dict[str, set[str]] = defaultdict(set)
        self._rationales: Counter[str] = Counter()
        self._reviews = 0
        self._samples = 0

    def add(self, author: str, reviewers: Iterable[str]) -> None:
        """One judged rationale, and who reviewed it."""
        names = list(reviewers)
        self._panel[author].update(names)
        self._rationales[author] += 1
        self._reviews += len(names)

    def add_sample(self) -> None:
        """One further sample, which no panel reviews."""
        self._samples += 1

    def figures(self) -> ReviewFigures:
        """`rationales` judged, `reviews` made, `whole_panel`: as many as everyone on it would have made; per rationale
        those made and those saved, null where nothing was judged; `samples`: further ones, which are not in these."""
        rationales = self._rationales.total()
        whole = sum(number * len(self._panel[author]) for author, number in self._rationales.items())
        return {
            "rationales": rationales,
            "reviews": self._reviews,
            "whole_panel": whole,
            "per_rationale": self._reviews / rationales if rationales else None,
            "saved_per_rationale": (whole - self._reviews) / rationales if rationales else None,
            "samples": self._samples,
        }


def in_words(figures: ReviewFigures) -> str:
    """What adaptive votes saved and asked for beside reviews, as one sentence; nothing where they did neither."""
    reviews, saved, samples = figures["per_rationale"], figures["saved_per_rationale"], figures["samples"]
    parts = []
    if reviews and saved:
        parts.append(
            f"{reviews:.2f} reviews per rationale were made, {saved:.2f} fewer than by the whole panel on each"
        )
    if samples:
        parts.append(f"further samples asked for: {samples:,}")
    return "; ".join(parts)
