"""Key-step alignment: 10,000 pairs of 400 tokens against a pure-Python dynamic programme and the bare library.

One wrong side in two is its right side with 5 % of the tokens changed, as in dual rationales; the other differs in half
of them, as rationales written apart do. The dynamic programme is timed on a few of the pairs.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

from rapidfuzz.distance import Levenshtein

from errata.training.align import Keys, key_tokens

PAIRS, TOKENS, VOCABULARY = 10_000, 400, 50_000
SLOW_PAIRS = 20
FASTER_THAN_PYTHON, SLOWER_THAN_BARE = 200, 3

Pair = tuple[list[int], list[int]]


def python_alignment(right: Sequence[int], wrong: Sequence[int]) -> Keys:
    """The textbook: a table of distances, then the way back."""
    n, m = len(right), len(wrong)
    cost = [list(range(m + 1))] + [[i] + [0] * m for i in range(1, n + 1)]
    for i in range(1, n + 1):
        above, here, token = cost[i - 1], cost[i], right[i - 1]
        for j in range(1, m + 1):
            here[j] = min(above[j] + 1, here[j - 1] + 1, above[j - 1] + (token != wrong[j - 1]))
    keys, i, j = Keys([], []), n, m
    while i or j:
        if i and j and cost[i][j] == cost[i - 1][j - 1] + (right[i - 1] != wrong[j - 1]):
            i, j = i - 1, j - 1
            if right[i] != wrong[j]:
                keys.right.append(i)
                keys.wrong.append(j)
        elif i and cost[i][j] == cost[i - 1][j] + 1:
            i -= 1
            keys.right.append(i)
        else:
            j -= 1
            keys.wrong.append(j)
    return Keys(keys.right[::-1], keys.wrong[::-1])


def make_pairs(count: int) -> list[Pair]:
    source = random.Random(17)
    pairs: list[Pair] = []
    for number in range(count):
        right = [source.randrange(VOCABULARY) for _ in range(TOKENS)]
        share = 0.05 if number % 2 else 0.5
        wrong = [source.randrange(VOCABULARY) if source.random() < share else token for token in right]
        pairs.append((right, wrong))
    return pairs


def seconds_a_pair(align: Callable[[list[int], list[int]], object], pairs: Sequence[Pair]) -> float:
    started = time.perf_counter()
    for right, wrong in pairs:
        align(right, wrong)
    return (time.perf_counter() - started) / len(pairs)


def main() -> int:
    pairs = make_pairs(PAIRS)
    python = seconds_a_pair(python_alignment, pairs[:SLOW_PAIRS])
    # the two take turns, so that a busy machine is busy for both
    rounds = [(seconds_a_pair(Levenshtein.opcodes, pairs), seconds_a_pair(key_tokens, pairs)) for _ in range(3)]
    bare, ours = (min(times) for times in zip(*rounds, strict=True))
    print(f"pure Python (first {SLOW_PAIRS} pairs)  {python * 1e6:10.1f} us a pair")
    print(f"bare rapidfuzz opcodes       {bare * 1e6:10.1f} us a pair")
    print(f"key_tokens                   {ours * 1e6:10.1f} us a pair, {ours * PAIRS:.2f} s for {PAIRS} pairs")
    print(f"{python / ours:.0f} times faster than Python (mark {FASTER_THAN_PYTHON})")
    print(f"{ours / bare:.2f} times the bare library's time (mark {SLOWER_THAN_BARE})")
    return not (python / ours >= FASTER_THAN_PYTHON and ours / bare <= SLOWER_THAN_BARE)


if __name__ == "__main__":
    raise SystemExit(main())
