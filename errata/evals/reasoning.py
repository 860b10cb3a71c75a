"""How a model reasons, beyond its answers: kinds of mistakes, how long and how varied its rationales are.

Kinds of mistakes are known for the classroom, whose problems have known steps: a written text is checked step by step,
and its first flaw names the kind.

    logical_op    another operation          knowledge   a wrong unit fact     final       the chain is right, the
    logical_num   another quantity           calc        miscalculated                     stated answer another
    unfinished    steps or the final sentence are missing
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations
from typing import Any, NamedTuple

from errata.errors import UsageError
from errata.evals.pairing import Arm, seed_by_seed
from errata.evals.results import Eval, Item
from errata.evals.stats import mean
from errata.graphs.stages.diversity_filter import jaccard, ngrams
from errata.llm.backends.simulated.feedback import KINDS
from errata.records import Problem

NGRAM = 3
NONE, UNKNOWN = "none", "unknown"


class Checked(NamedTuple):
    """`sound`: every written step is true; None where that cannot be known. `mistake`: the kind of the first flaw."""

    sound: bool | None
    mistake: str | None


def kind_of(flaw: str) -> str:
    """The kind of mistake that a first flaw is, in the words of the explanations of mistakes."""
    return KINDS.get(flaw, flaw)


def check(problem: Problem, text: str) -> Checked:
    """A text checked step by step; (None, None) where the problem is not the classroom's or no step can be read."""
    if problem.task != "classroom":
        return Checked(None, None)
    from errata.classroom.check_steps import judge
    from errata.classroom.grammar import parse

    puzzle = parse(problem.question)
    if puzzle is None:
        return Checked(None, None)
    verdict = judge(puzzle, text)
    if not verdict.steps and verdict.flaw is None:
        return Checked(None, None)
    return Checked(verdict.flaw is None, verdict.flaw.kind if verdict.flaw else None)


def rationale_figures(items: Sequence[Item]) -> dict[str, float | None]:
    """Mean length of the rationales in words and tokens, and how much those of one item differ.

    `diversity` is 1 - the mean Jaccard similarity of word 3-grams between two samples of an item, None for one sample;
    `distinct_3grams` the share of different ones among all 3-grams of the items' first samples.
    """
    texts = [each.text for item in items for each in item.samples]
    if not texts:
        return {"words_mean": None, "tokens_mean": None, "diversity": None, "distinct_3grams": None}
    tokens = [each.tokens for item in items for each in item.samples]
    apart = [value for item in items if (value := diversity([each.text for each in item.samples])) is not None]
    first = Counter(gram for item in items for each in item.samples[:1] for gram in ngrams(each.text, NGRAM))
    return {
        "words_mean": mean([len(text.split()) for text in texts]),
        "tokens_mean": mean(tokens),
        "diversity": mean(apart) if apart else None,
        "distinct_3grams": len(first) / first.total() if first else None,
    }


def diversity(texts: Sequence[str]) -> float | None:
    """1 - the mean pairwise Jaccard similarity of word 3-grams; None for fewer than two texts."""
    if len(texts) < 2:
        return None
    grams = [ngrams(text, NGRAM) for text in texts]
    return 1 - mean([jaccard(left, right) for left, right in combinations(grams, 2)])


# ---- cured and introduced --------------------------------------------------------------------------------------------


class Change(NamedTuple):
    """What became of one kind of mistake on one task. `before` and `after` count items with it; `cured` had it and are
    right now, `introduced` were right and have it now, `moved` had it and are wrong in another way."""

    task: str
    kind: str
    before: int
    after: int
    cured: int
    introduced: int
    moved: int


class Changes(NamedTuple):
    """`cured` and `introduced` hold (task, id) of the items; `kinds` the counts by kind of mistake."""

    kinds: tuple[Change, ...]
    cured: tuple[tuple[str, str], ...]
    introduced: tuple[tuple[str, str], ...]

    def records(self) -> list[dict[str, Any]]:
        return [each._asdict() for each in self.kinds]


def changes(untouched: Eval, student: Eval, tasks: Sequence[str] | None = None) -> Changes:
    """Which mistakes a training cured and introduced, item by item, on these tasks or all. An item counts as right
    above one half.

    Raises UsageError where the student lacks items of the untouched one.
    """
    after = {item.key: item for item in student.items}
    before_items = [item for item in untouched.items if tasks is None or item.task in tasks]
    missing = [item.id for item in before_items if item.key not in after]
    if missing:
        raise UsageError(
            f"{student.path} lacks {len(missing)} items of {untouched.path}: {', '.join(missing[:3])}",
            "changes are counted item by item",
            "evaluate both on the same tasks and limits",
        )
    pairs = [(item, after[item.key]) for item in before_items]
    cured = tuple(before.key for before, now in pairs if not _right(before) and _right(now))
    introduced = tuple(before.key for before, now in pairs if _right(before) and not _right(now))
    return Changes(
        tuple(_change(task, kind, of_task) for task, of_task in _by_task(pairs) for kind in _kinds_in(of_task)),
        tuple((key.task, key.id) for key in cured),
        tuple((key.task, key.id) for key in introduced),
    )


def changes_by_arm(arms: Sequence[Arm], untouched: Arm, tasks: Sequence[str]) -> list[dict[str, Any]]:
    """Records of `arm, task, kind, before, after, cured, introduced, moved` for every arm but the untouched student,
    added up over seeds; of tasks with known kinds of mistakes alone."""
    records = []
    for arm in arms:
        if arm.name == untouched.name:
            continue
        total: dict[tuple[str, str], Counter[str]] = {}
        for student, before in seed_by_seed(arm, untouched):
            for change in changes(before, student, tasks).kinds:
                counts = change._asdict()
                key = counts.pop("task"), counts.pop("kind")
                total.setdefault(key, Counter()).update(counts)
        known = {task for task, kind in total if kind != UNKNOWN}
        records += [
            {"arm": arm.name, "task": task, "kind": kind, **{name: counts[name] for name in Change._fields[2:]}}
            for (task, kind), counts in total.items()
            if task in known
        ]
    return records


def _right(item: Item) -> bool:
    return float(item.correct) > 0.5


def _kind(item: Item) -> str:
    if _right(item):
        return NONE
    return str(item.meta.get("mistake") or UNKNOWN)


def _by_task(pairs: Sequence[tuple[Item, Item]]) -> list[tuple[str, list[tuple[Item, Item]]]]:
    tasks = dict.fromkeys(before.task for before, _ in pairs)
    return [(task, [pair for pair in pairs if pair[0].task == task]) for task in tasks]


def _kinds_in(pairs: Sequence[tuple[Item, Item]]) -> list[str]:
    kinds = Counter(_kind(item) for pair in pairs for item in pair)
    return [kind for kind, _ in kinds.most_common() if kind != NONE]


def _change(task: str, kind: str, pairs: Sequence[tuple[Item, Item]]) -> Change:
    kinds = [(_kind(before), _kind(now)) for before, now in pairs]
    return Change(
        task=task,
        kind=kind,
        before=sum(before == kind for before, _ in kinds),
        after=sum(now == kind for _, now in kinds),
        cured=sum(before == kind and now == NONE for before, now in kinds),
        introduced=sum(before == NONE and now == kind for before, now in kinds),
        moved=sum(before == kind and now not in (kind, NONE) for before, now in kinds),
    )
