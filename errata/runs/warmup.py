"""The warm-up of a run: the first problems run to their end first, and what they teach serves all others.

dual_cot      their natural pairs are shown to the rewrites
peer_review   with adaptive votes, the policy that says when one more vote is worth its price
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from errata.grading.equivalence import grouped
from errata.grading.grader import Grades
from errata.graphs.nodes import comparison_by
from errata.graphs.stage import roles_of
from errata.graphs.stages.dual_cot import DUAL_COT
from errata.graphs.stages.more_samples import is_further
from errata.graphs.stages.peer_review import PEER_REVIEW
from errata.graphs.stages.rationales import RATIONALES
from errata.graphs.state import Learned, natural_demonstrations
from errata.graphs.vote_policy import VotePolicy, learn
from errata.graphs.vote_worth import Case
from errata.records import Transcript
from errata.runs.recipe import SynthRecipe


def warmup_of(recipe: SynthRecipe) -> int:
    """How many problems run first so that the others can use what they teach."""
    return max(_examples_from(recipe), reviewed_first(recipe))


def _examples_from(recipe: SynthRecipe) -> int:
    dual = recipe.settings.of(DUAL_COT)
    used = DUAL_COT in recipe.pipeline
    return dual.warmup if used and dual.demonstrations is None else 0


def reviewed_first(recipe: SynthRecipe) -> int:
    """How many problems the whole panel reviews, so that a policy can be learned; 0: it reviews all."""
    review = recipe.settings.of(PEER_REVIEW)
    return review.warmup if PEER_REVIEW in recipe.pipeline and review.votes == "adaptive" else 0


def read_warmup(log: Path, ids: set[str]) -> list[Transcript]:
    """The warm-up's transcripts, in input order, as they stood when the first other problem was settled.

    Later lines do not count, so that every resume learns the same; a failed problem has not used it.
    """
    last: dict[str, Transcript] = {}
    with log.open("rb") as lines:
        for line in lines:
            with suppress(ValueError):
                transcript = Transcript.from_line(line)
                if transcript.problem.id in ids:
                    last[transcript.problem.id] = transcript
                elif transcript.outcome.status != "failed":
                    break
    return sorted(last.values(), key=lambda transcript: transcript.problem.position)


async def learned_from(
    recipe: SynthRecipe, ids: Sequence[str], finished: Sequence[Transcript], grader: Grades
) -> Learned:
    """What the warm-up has taught; each stage learns from as many of the first problems as it asks for.

    Args:
        ids: of the problems of the warm-up, in input order.
        finished: their transcripts.
        grader: which says what answers are the same. Raises UsageError where it cannot.
    """
    examples, reviewed = set(ids[: _examples_from(recipe)]), set(ids[: reviewed_first(recipe)])
    pairs = [pair for each in finished if each.problem.id in examples for pair in natural_demonstrations(each)]
    panel = [each for each in finished if each.problem.id in reviewed and each.outcome.status != "failed"]
    return Learned(tuple(pairs), await _policy(recipe, panel, grader) if reviewed else None)


async def _policy(recipe: SynthRecipe, finished: Sequence[Transcript], grader: Grades) -> VotePolicy:
    review = recipe.settings.of(PEER_REVIEW)
    cases = await cases_in(recipe, finished, grader)
    return learn(cases, review.reviews_per_rationale, review.sample_price)


async def cases_in(recipe: SynthRecipe, finished: Iterable[Transcript], grader: Grades) -> list[Case]:
    """Finished problems as a policy sees them, with all votes that were made. Raises UsageError as `learned_from`."""
    roles, usual, cases = roles_of(recipe.pipeline, "target"), recipe.settings.of(RATIONALES), []
    for each in finished:
        answers = await grouped([one.answer for one in each.rationales], comparison_by(grader, each.problem))
        judged = frozenset(one.id for one in each.rationales if one.role in roles and one.reviews)
        extra = frozenset(one.id for one in each.rationales if is_further(one, usual))
        cases.append(Case(each.problem, each.rationales, tuple(answers), judged, extra))
    return cases
