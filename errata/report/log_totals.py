"""What the report needs of the log beside the funnel: sums by teacher, reviewer, threshold, covered set, kind, level.

Everything is a count over one pass; memory grows with the agents and the levels, not with the problems.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import combinations
from statistics import mean
from typing import Any, NamedTuple

from errata.classroom.check_steps import judge
from errata.classroom.grammar import parse
from errata.llm.backends.simulated.feedback import KINDS
from errata.records import Call, Explanation, Problem, Rationale, Transcript
from errata.runs.ran_stages import JUDGED_ROLES

Json = dict[str, Any]
WRITTEN_UNDER = ("teacher", "revised")
"""Roles of what a teacher may be credited with: drafts and their revisions."""
MOST_LEVELS = 200
"""Distinct levels that are told apart."""


class Scored(NamedTuple):
    """A judged rationale as the threshold sees it. `points`: 100 times its mean valid score; None without one."""

    author: str
    points: int | None
    accepted: bool
    correct: bool
    sound: bool | None


@dataclass
class ScoreOffset:
    """How far a reviewer's scores lie from the mean of its co-reviewers on the same rationales."""

    n: int = 0
    total: float = 0.0
    squares: float = 0.0

    def add(self, difference: float) -> None:
        self.n += 1
        self.total += difference
        self.squares += difference * difference

    def interval(self) -> tuple[float, float, float]:
        """Mean and its normal 95 % interval."""
        average = self.total / self.n
        spread = max(0.0, self.squares / self.n - average * average)
        half = 1.96 * (spread / max(1, self.n - 1)) ** 0.5
        return average, average - half, average + half


@dataclass
class LogTotals:
    """Sums over transcripts, given one at a time.

    Of a problem without a gold answer only texts, explanations, pairs and calls count: its verdicts are estimates, and
    what is right is counted here by grade.
    """

    judged_roles: Collection[str] = JUDGED_ROLES
    """Roles of the rationales whose panel verdicts count."""
    teachers: dict[str, int] = field(default_factory=dict)
    """Name and bit, in the order of their first appearance."""
    drafts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By teacher: written, correct, sound, known, kept, reviewed, accepted, revised, rescued."""
    scored: Counter[Scored] = field(default_factory=Counter)
    score_pairs: dict[tuple[str, str], Counter[tuple[int, int]]] = field(default_factory=lambda: defaultdict(Counter))
    """By two reviewers: their scores of one rationale."""
    scores: Counter[tuple[str, int, bool]] = field(default_factory=Counter)
    """By (reviewer, score, correct)."""
    offsets: dict[str, ScoreOffset] = field(default_factory=lambda: defaultdict(ScoreOffset))
    given: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    """By (reviewer, author): scores and their sum."""
    exam: Counter[str] = field(default_factory=Counter)
    """Problems on which the student was `right` throughout, or `mistaken`."""
    covers: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    """Problems by the set of teachers with an accepted (`accepted`), or a right (`right`) rationale, as bits."""
    spend: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """By (teacher, work): calls, tokens, unpriced. Work: writing, revising, being reviewed, other."""
    replayed: int = 0
    """Calls answered from recordings: what they once cost is not known here."""
    usd: dict[tuple[str, str], float] = field(default_factory=lambda: defaultdict(float))
    levels: dict[str, dict[float | str, Counter[str]]] = field(default_factory=lambda: defaultdict(dict))
    """By `steps` or `level` of the problem, and its value: problems, student, student_right, right, accepted."""
    kinds: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    """By (explainer, author, role, kind); an explanation may name several."""
    explained: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By (explainer, author, role): explanations."""
    same_kinds: Counter[bool] = field(default_factory=Counter)
    """Mistakes that several explained: whether all named the same kinds."""
    flaws: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """By (author, role, kind): the first flaw as the classroom's checker finds it."""
    ratios: Counter[tuple[str, int]] = field(default_factory=Counter)
    """Pairs by (origin, edit ratio in steps of 1/20)."""
    words: dict[tuple[str, str], list[int]] = field(default_factory=lambda: defaultdict(lambda: [0, 0]))
    """By (author, role): rationales and their words."""
    thinking: dict[tuple[str, bool], list[int]] = field(default_factory=lambda: defaultdict(list))
    """By (author, right): words that were thought before each rationale that thought any."""

    sent: dict[str, Call] = field(default_factory=dict)
    """By prompt and version, the first call made with it."""

    def add(self, transcript: Transcript) -> None:
        by_id = {each.id: each for each in transcript.rationales}
        for each in by_id.values():
            self._text(each, transcript.problem)
            if transcript.problem.answer is not None:
                self._rationale(each, by_id)
        if transcript.problem.answer is not None:
            self._problem(transcript, list(by_id.values()))
        self._explanations(transcript.explanations, by_id)
        for pair in transcript.pairs:
            self.ratios[pair.origin, min(19, int(pair.edit_ratio * 20))] += 1
        for call in transcript.calls:
            self._call(call, by_id)

    # ---- rationales

    def _text(self, each: Rationale, problem: Problem) -> None:
        length = self.words[each.author, each.role]
        length[0] += 1
        length[1] += len(each.text.split())
        if each.reasoning and each.correct is not None:
            self.thinking[each.author, each.correct].append(len(each.reasoning.split()))
        if each.sound is False and each.role != "corrupted":
            kind = flaw_kind(problem.question, each.text)
            if kind:
                self.flaws[each.author, each.role, kind] += 1

    def _rationale(self, each: Rationale, by_id: dict[str, Rationale]) -> None:
        author, role, accepted, correct = each.author, each.role, each.accepted, bool(each.correct)
        if role == "teacher":
            self.teachers.setdefault(author, 1 << len(self.teachers))
            self.drafts[author].update(
                written=1,
                correct=int(correct),
                sound=int(each.sound is True),
                known=int(each.sound is not None),
                kept=int(not each.dropped),
                reviewed=int(bool(each.reviews)),
                accepted=int(accepted is True),
            )
        elif role == "revised":
            self._revised(author, each, by_id)
        self._reviews(each)

    def _revised(self, author: str, each: Rationale, by_id: dict[str, Rationale]) -> None:
        self.drafts[author]["revised"] += 1
        root = by_id.get(each.parent_id or "")
        while root is not None and root.role == "revised":
            root = by_id.get(root.parent_id or "")
        if each.accepted is True and (root is None or root.accepted is not True):
            self.drafts[author]["rescued"] += 1

    def _reviews(self, each: Rationale) -> None:
        author, correct = each.author, bool(each.correct)
        valid = [(one.reviewer, one.score) for one in each.reviews if one.valid and one.score is not None]
        points = round(100 * mean(score for _, score in valid)) if valid else None
        if each.role in self.judged_roles and each.reviews and each.accepted is not None:
            self.scored[Scored(author, points, each.accepted, correct, each.sound)] += 1
        for reviewer, score in valid:
            self.scores[reviewer, score, correct] += 1
            scores = self.given[reviewer, author]
            scores[0] += 1
            scores[1] += score
            if len(valid) > 1:
                others = (sum(s for _, s in valid) - score) / (len(valid) - 1)
                self.offsets[reviewer].add(score - others)
        for one, other in combinations(sorted(valid), 2):
            self.score_pairs[one[0], other[0]][one[1], other[1]] += 1

    # ---- problems

    def _problem(self, transcript: Transcript, rationales: list[Rationale]) -> None:
        masks = {"right": 0, "accepted": 0}
        for each in rationales:
            if each.role in WRITTEN_UNDER:
                bit = self.teachers.setdefault(each.author, 1 << len(self.teachers))
                masks["right"] |= bit if each.correct else 0
                masks["accepted"] |= bit if each.accepted is True else 0
        for name, mask in masks.items():
            self.covers[name][mask] += 1
        answers = [bool(each.correct) for each in rationales if each.role == "student"]
        if answers:
            self.exam["right" if all(answers) else "mistaken"] += 1
        counted = {
            "problems": 1,
            "student": len(answers),
            "student_right": sum(answers),
            "right": int(masks["right"] > 0),
            "accepted": int(masks["accepted"] > 0),
        }
        for name, value in difficulty(transcript.problem.meta).items():
            of = self.levels[name]
            if value in of or len(of) < MOST_LEVELS:
                of.setdefault(value, Counter()).update(counted)

    def _explanations(self, explanations: Sequence[Explanation], by_id: dict[str, Rationale]) -> None:
        named: dict[str, list[frozenset[str]]] = defaultdict(list)
        for each in explanations:
            of = by_id[each.rationale_id]
            self.explained[each.author, of.author, of.role] += 1
            for kind in each.kinds:
                self.kinds[each.author, of.author, of.role, kind] += 1
            if each.kinds:
                named[each.rationale_id].append(frozenset(each.kinds))
        for kinds in named.values():
            if len(kinds) > 1:
                self.same_kinds[len(set(kinds)) == 1] += 1

    def _call(self, call: Call, by_id: dict[str, Rationale]) -> None:
        self.sent.setdefault(call.prompt, call)
        about = by_id.get(call.about or "")
        if call.verb == "score" and about is not None:
            key = about.author, "being reviewed"
        else:
            key = call.agent, {"solve": "writing", "revise": "revising"}.get(call.verb, "other")
        tokens = call.prompt_tokens + call.completion_tokens
        replayed = int(call.model.startswith("recorded/"))
        self.replayed += replayed
        self.spend[key].update(calls=1, tokens=tokens, unpriced=int(call.price_usd is None), replayed=replayed)
        self.usd[key] += call.price_usd or 0.0


@lru_cache(maxsize=4096)
def flaw_kind(question: str, text: str) -> str | None:
    """The kind of the first mistake in a classroom rationale; None where the question is none of the classroom's."""
    puzzle = parse(question)
    flaw = judge(puzzle, text).flaw if puzzle else None
    return KINDS[flaw.kind] if flaw else None


def difficulty(meta: Json) -> dict[str, float | str]:
    """How hard a problem is said to be: `steps` (a number, or the steps themselves) and `level`, where it has them."""
    levels: dict[str, float | str] = {}
    steps = meta.get("steps")
    steps = len(steps) if isinstance(steps, list) else steps
    for name, value in (("steps", steps), ("level", meta.get("level")), ("subject", meta.get("subject"))):
        if isinstance(value, int | float | str) and not isinstance(value, bool) and value != "":
            levels[name] = value
    if levels.get("level") == levels.get("steps"):
        levels.pop("level", None)
    return levels
