"""One problem's transcript as the formats see it, what they make of it, and where each row comes from.

TranscriptView --format--> Row, or LeftOut with the reason, in a fixed order
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, NamedTuple

from errata.agents.demonstration import Demonstration
from errata.agents.prompts import Prompts
from errata.agents.student import explain_messages, student_messages
from errata.exports.dedup import alike, ngrams
from errata.exports.own_answers import SELF, own_answers
from errata.exports.sequences import WrongFrom
from errata.exports.thinking import Reasoning, completion, span_in_completion, unshortened
from errata.graphs.estimated import as_agreed
from errata.graphs.stages.dual_cot import DUAL_COT
from errata.graphs.stages.dual_pairs import REWRITES
from errata.graphs.stages.few_shot import examples_for
from errata.graphs.stages.parroting import parroting
from errata.graphs.stages.shorten_thinking import SHORTEN_THINKING
from errata.records import Explanation, Message, Pair, Problem, Rationale, Review, Span, Transcript
from errata.runs.recipe import SynthRecipe

Row = dict[str, Any]
"""One row of a data set, as JSON can hold it."""


class LeftOut(NamedTuple):
    """Something of the log that a format would take but for `reason`."""

    reason: str


@dataclass(frozen=True)
class Source:
    """A run's recipe, with the prompts that its student is given and the stages that ran."""

    recipe: SynthRecipe
    prompts: Prompts
    ran: tuple[tuple[str, Mapping[str, str]], ...]
    """The stages that ran, with the roles of the rationales that each writes and what a student may do with them."""

    @property
    def stages(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.ran)

    def roles(self, *uses: str) -> tuple[str, ...]:
        """Roles that the stages write for these uses; without one, all roles."""
        every = [(role, use) for _, roles in self.ran for role, use in roles.items()]
        return tuple(dict.fromkeys(role for role, use in every if not uses or use in uses))

    def demonstrations(self, problem: Problem) -> list[Demonstration]:
        """What rewrites of this problem may have been shown, but for natural pairs of the run."""
        return examples_for(problem, (), self.recipe.settings.of(DUAL_COT))

    def holds(self, need: str, options: Options) -> bool:
        """Whether a stage of this name ran, or one that writes rationales for this use; own answers are targets."""
        own = need == "target" and options.own and bool(self.roles("attempt"))
        return own or need in self.stages or bool(self.roles(need))

    @property
    def estimates(self) -> bool:
        """Whether problems may lack a gold answer, so that verdicts on them are estimates."""
        return self.recipe.problems.gold != "all"

    @property
    def has_panel(self) -> bool:
        return "peer_review" in self.stages


@dataclass(frozen=True)
class Options:
    """Which rationales an export takes.

    roles: only rationales written in these roles, all by default; `self`: the student's own right answers. authors:
    only what these agents wrote, explanations too. grader_only: what the answer grader finds right, whatever the panel
    says of it (the control of peer review). max_edit_ratio: only pairs at most so far apart; of a log without rewrites,
    natural pairs are mined. sound_only: only pairs whose right side the panel accepted, or that is known to be sound.
    by_scores: the ranker learns the panel's order, not the grades. cut_off: also what ends at its length limit.
    unjudged: also right texts whose author saw the gold answer and that no panel judged. reasoning: what becomes of
    what the author thought before it wrote. wrong_from: where wrong rationales count from; those whose first wrong step
    is not known are then left out. min_step_probability: how probable a first wrong step must be to count as known.
    """

    roles: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    grader_only: bool = False
    max_edit_ratio: float | None = None
    sound_only: bool = False
    by_scores: bool = False
    cut_off: bool = False
    unjudged: bool = False
    reasoning: Reasoning = "drop"
    wrong_from: WrongFrom = "start"
    min_step_probability: float = 0.5

    @property
    def own(self) -> bool:
        """Whether the student's own right answers are to be learned from."""
        return SELF in self.roles

    def wants(self, rationale: Rationale) -> bool:
        """Whether it was written in one of the roles and by one of the authors."""
        in_role = not self.roles or rationale.role in self.roles
        return in_role and (not self.authors or rationale.author in self.authors)


ALL = Options()


@dataclass(frozen=True)
class TranscriptView:
    """One problem's transcript with what it takes to read it: the run's recipe and prompts, and the options."""

    transcript: Transcript
    source: Source
    options: Options = ALL

    @property
    def problem(self) -> Problem:
        return self.transcript.problem

    @property
    def seed(self) -> int:
        return self.source.recipe.seed

    @cached_property
    def messages(self) -> tuple[Message, ...]:
        """The exam's messages, with the student's system line where the recipe gives it one."""
        student = self.source.recipe.agents.student
        return student_messages(self.source.prompts, self.problem, student.system if student else None)

    @property
    def prompt(self) -> str:
        """What the student is asked in the exam."""
        return self.messages[-1].content

    def completion(self, rationale: Rationale) -> str:
        """What the student learns to write of a rationale: its text, behind its thinking where the options keep it."""
        return completion(rationale, self.options.reasoning)

    def span(self, rationale: Rationale, span: Span) -> list[int]:
        """[start, end) of characters of a rationale's text, counted in its completion."""
        return list(span_in_completion(rationale, span, self.options.reasoning))

    def unshortened(self, rationale: Rationale) -> str | None:
        """Why a rationale is no row where thinking shall be short, by the run's `max_words`; None where it may be."""
        return unshortened(
            rationale, self.options.reasoning, self.source.recipe.settings.of(SHORTEN_THINKING).max_words
        )

    def explain_prompt(self, mistaken: Rationale) -> str:
        """What the student is asked when it shall explain a mistake."""
        return explain_messages(self.source.prompts, self.answered or self.problem, mistaken.text)[-1].content

    @cached_property
    def answered(self) -> Problem | None:
        """The problem with its gold answer, else with the agreed one; None where there is neither."""
        return as_agreed(self.problem, self.transcript.rationales)

    @property
    def answer(self) -> str:
        """The gold answer, else the agreed one; empty where there is neither."""
        return (self.answered and self.answered.answer) or ""

    @cached_property
    def by_id(self) -> dict[str, Rationale]:
        return {rationale.id: rationale for rationale in self.transcript.rationales}

    def is_cut_off(self, explanation: Explanation) -> bool:
        """Whether the reply that is the explanation ended at its length limit; one that names its kinds may follow."""
        own = [call for call in self.transcript.calls if call.id in explanation.call_ids and call.verb != "classify"]
        return bool(own) and max(own, key=lambda call: call.attempt).finish_reason == "length"

    def parroting(self, rationale: Rationale) -> str | None:
        """Why a rewrite is a copy of what its author was shown; None where it is none, or no rewrite.

        Logs of versions before rewrites were checked are held against the recipe's demonstrations or the shipped ones.
        """
        parent = self.by_id.get(rationale.parent_id or "")
        if parent is None or rationale.role not in REWRITES:
            return None
        return parroting(self.problem, parent, rationale, self.source.demonstrations(self.problem))

    @cached_property
    def exam(self) -> Literal["mistaken", "right", "open", "none"]:
        """Whether the student made a mistake on this problem, by grade or estimate; none where it sat no exam."""
        verdicts = [each.is_right for each in self.transcript.rationales if each.role == "student"]
        if not verdicts:
            return "none"
        return "mistaken" if False in verdicts else "open" if None in verdicts else "right"

    def rationales(self, roles: Collection[str] | None = None) -> list[Rationale]:
        """Those of these roles (None: of all) that the options want, in the transcript's order."""
        every = self.transcript.rationales
        return [each for each in every if (roles is None or each.role in roles) and self.options.wants(each)]

    def targets(self) -> list[Rationale]:
        """Those that a student may learn from, by what the run's stages say of their roles, and its own where asked."""
        return [*self.rationales(self.source.roles("target")), *self.own]

    @cached_property
    def own(self) -> tuple[Rationale, ...]:
        """The student's own answers in the role `self`, where the options ask for it."""
        if not self.options.own:
            return ()
        written = own_answers(self.transcript.rationales, self.source.roles("attempt"), cut_off=self.options.cut_off)
        return tuple(each for each in written if self.options.wants(each))


# ---- which rationales count ------------------------------------------------------------------------------------------


def unfit_to_teach(rationale: Rationale, view: TranscriptView) -> str | None:
    """Why a student shall not learn from this as right; None where it may.

    Fit is what is right, whole, not set aside by a filter and, where a panel sat or its author saw the gold answer,
    accepted. Of a failed problem, whose panel may not have met, only what it did accept.
    """
    if fault := unreadable(rationale, view):
        return fault
    if not rationale.is_right:
        return "estimated_wrong" if rationale.correct is None else "wrong"
    if view.options.grader_only or rationale.accepted:
        return None
    if rationale.accepted is False:
        return "rejected_by_panel"
    awaited = view.source.has_panel and view.transcript.outcome.status == "failed"
    if rationale.reviews or awaited:
        return "no_verdict"
    return "saw_answer_unjudged" if rationale.saw_answer and not view.options.unjudged else None


def doubtful(rationale: Rationale) -> str | None:
    """Why a right answer's steps may be wrong; None where they are known to be right, or the panel accepted them."""
    if rationale.sound is False:
        return "not_sound"
    return None if rationale.sound or rationale.accepted else "soundness_unknown"


def unreadable(rationale: Rationale, view: TranscriptView) -> str | None:
    """Why this is no rationale to learn anything from, right or wrong; None where it is one."""
    if rationale.dropped:
        return rationale.dropped
    if not rationale.text.strip():
        return "empty"
    if rationale.is_right is None:
        return "not_graded"
    if rationale.truncated and not view.options.cut_off:
        return "cut_off"
    return view.parroting(rationale)


def unfit_as_wrong(rationale: Rationale, view: TranscriptView) -> str | None:
    """Why this says nothing of wrong reasoning: without an answer it is no reasoned mistake."""
    if fault := unreadable(rationale, view):
        return fault
    return None if rationale.is_right or rationale.answer is not None else "no_answer_read"


def distinct(rationales: Sequence[Rationale]) -> tuple[list[Rationale], int]:
    """Those that are no near-duplicates of one before them with its verdict and answer, and how many are."""
    fresh: list[Rationale] = []
    for each in rationales:
        like = (one for one in fresh if one.is_right == each.is_right and one.answer == each.answer)
        if not any(alike(ngrams(each.text), ngrams(one.text)) for one in like):
            fresh.append(each)
    return fresh, len(rationales) - len(fresh)


# ---- lineage ---------------------------------------------------------------------------------------------------------


def row_meta(
    view: TranscriptView, *rationales: Rationale, explanation: Explanation | None = None, more: Row | None = None
) -> Row:
    """Where a row comes from: problem, rationales, verdicts, calls, prompts, price.

    No value is null and no list empty, whatever the log: a reader that infers a column's type from the first rows of a
    large file must not be wrong about later ones. Where problems may lack a gold answer, every row says by what its
    answer and its verdicts are known.
    """
    problem, estimates = view.problem, view.source.estimates
    wanted = set(explanation.call_ids if explanation else ())
    for each in rationales:
        wanted.update(each.call_ids, *(review.call_ids for review in each.reviews))
        if view.options.reasoning == "short" and each.short_reasoning:
            wanted.update(each.short_reasoning.call_ids)
    calls = [call for call in view.transcript.calls if call.id in wanted]
    return {
        "run": view.source.recipe.name,
        "graph": view.transcript.graph,
        "problem_id": problem.id,
        "task": problem.task,
        "split": problem.split or "",
        "answer": view.answer,
        **({"answer_by": _source_of(problem.answer is not None, view.answer)} if estimates else {}),
        "exam": view.exam,
        "rationales": [_of_rationale(each, estimates=estimates) for each in rationales],
        **(more or {}),
        "calls": [call.id for call in calls],
        "prompts": sorted({f"{call.prompt} {call.prompt_hash}" for call in calls}),
        "models": sorted({call.served or call.model for call in calls}),
        "price_usd": round(sum((call.price_usd or 0.0 for call in calls), 0.0), 8),
        "unpriced_calls": sum(call.price_usd is None for call in calls),
    }


def _source_of(graded: bool, answer: str = "-") -> Literal["gold", "estimate", ""]:
    return "gold" if graded else "estimate" if answer else ""


def _verdict_on(each: Rationale, *, estimates: bool) -> Row:
    """`correct` by the gold answer; where there may be none `right` with the chance of it, and by what it is known."""
    if not estimates:
        return {"correct": bool(each.correct)}
    if each.correct is None and each.marked is not None:
        return {"right": each.marked, "right_by": "person", "estimated": float(each.marked)}
    graded = each.correct is not None
    chance = float(bool(each.correct)) if each.estimated is None else each.estimated
    return {"right": bool(each.is_right), "right_by": _source_of(graded), "estimated": chance}


def _of_rationale(each: Rationale, *, estimates: bool = False) -> Row:
    return {
        "id": each.id,
        "parent_id": each.parent_id or "",
        "author": each.author,
        "role": each.role,
        "sample": each.sample,
        "saw_answer": each.saw_answer,
        "answer": each.answer or "",
        **_verdict_on(each, estimates=estimates),
        "grade_rule": each.grade_rule or "",
        "verdict": verdict(each),
        "scores": ", ".join(f"{review.reviewer} {_score(review)}" for review in each.reviews),
        "sound": {True: "yes", False: "no", None: "unknown"}[each.sound],
    }


def verdict(each: Rationale) -> Literal["accepted", "rejected", "open", "none"]:
    """The panel's; open where reviews were lost, none where no panel sat."""
    if each.accepted is None:
        return "open" if each.reviews else "none"
    return "accepted" if each.accepted else "rejected"


def _score(review: Review) -> str:
    return str(review.score) if review.valid else "-"


def of_pair(pair: Pair) -> Row:
    """What a row of a pair says of it, for its lineage."""
    return {"pair_id": pair.id, "origin": pair.origin, "edit_ratio": float(pair.edit_ratio)}
