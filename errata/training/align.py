"""Key steps: the tokens in which a right and a wrong rationale differ (EDIT, arXiv 2405.19737, section 3.3).

right  ... 3 + 4 = [7]  so the answer is [7]
wrong  ... 3 + 4 = [12] so the answer is [12]        unmatched tokens of the shortest edit path: the key tokens
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from rapidfuzz.distance import Levenshtein

from errata.records import draw

AlignMode = Literal["edit", "first_divergence", "random", "none"]
"""edit: unmatched tokens are key. first_divergence: only those of the first place where the sides part; what differs
later on the wrong side is mostly true of a false premise. random: as many tokens of each side as in edit, drawn by hash
(ablation). none: every token is key (ablation: the sides as wholes)."""


class Keys(NamedTuple):
    """Positions of the key tokens on each side, ascending, counted from the first token of the completion."""

    right: list[int]
    wrong: list[int]


def key_tokens(right: Sequence[int], wrong: Sequence[int]) -> Keys:
    """Tokens of either side that the shortest edit path (insert, delete, replace at cost 1 each) does not match.

    Equal sides have none; one replaced token is one key token a side. Where several paths are as short, the
    compiled library's choice stands: it depends on the two sequences alone.
    """
    keys = Keys([], [])
    for step in Levenshtein.opcodes(right, wrong):
        if step.tag != "equal":
            keys.right.extend(range(step.src_start, step.src_end))
            keys.wrong.extend(range(step.dest_start, step.dest_end))
    return keys


def first_divergence(right: Sequence[int], wrong: Sequence[int]) -> Keys:
    """The key tokens of the first place where the sides part, up to the next token that both share."""
    keys = Keys([], [])
    for step in Levenshtein.opcodes(right, wrong):
        if step.tag != "equal":
            keys.right.extend(range(step.src_start, step.src_end))
            keys.wrong.extend(range(step.dest_start, step.dest_end))
        elif keys.right or keys.wrong:
            break
    return keys


def select_keys(mode: AlignMode, right: Sequence[int], wrong: Sequence[int], *identity: object, begin: int = 0) -> Keys:
    """Key tokens by the chosen mode; `identity` (run seed, row, pair) fixes what `random` draws.

    Args:
        begin: the first position at which the wrong side may have a key token.
    """
    if mode == "none":
        return Keys(list(range(len(right))), list(range(begin, len(wrong))))
    keys = first_divergence(right, wrong) if mode == "first_divergence" else key_tokens(right, wrong)
    keys = keys._replace(wrong=[key for key in keys.wrong if key >= begin])
    if mode != "random":
        return keys
    return Keys(
        _some(len(keys.right), range(len(right)), *identity, "right"),
        _some(len(keys.wrong), range(begin, len(wrong)), *identity, "wrong"),
    )


def _some(count: int, positions: range, *identity: object) -> list[int]:
    """`count` of the positions, each as likely as the others, ascending."""
    return sorted(sorted(positions, key=lambda position: draw(*identity, position))[:count])
