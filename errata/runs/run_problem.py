"""One problem through the graph of a recipe, wherever it runs: in the runner's process or a worker of a cluster."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

from errata.agents.team import build_team
from errata.errors import ErrataError
from errata.grading.grader import Grades
from errata.graphs.pipeline import build_pipeline
from errata.graphs.state import Learned, transcript_of
from errata.llm.request import Ask, Request
from errata.llm.tracing import problem_span
from errata.records import Call, Outcome, Problem, Transcript
from errata.runs.recipe import SynthRecipe

logger = logging.getLogger(__name__)

RunProblem = Callable[[Problem, Learned], Awaitable[Transcript]]
"""Takes one problem through the pipeline with what the warm-up has taught. Raises ErrataError for what concerns the
whole run."""

_calls_made: ContextVar[list[Call]] = ContextVar("calls made for the problem at hand")


def remembering(ask: Ask) -> Ask:
    """`ask`, which also keeps the calls made for the problem at hand, should its pipeline break before it ends."""

    async def remember(request: Request) -> Call:
        call = await ask(request)
        with suppress(LookupError):
            _calls_made.get().append(call)
        return call

    return remember


NOTHING = Learned()


def _place_of(error: BaseException) -> str:
    """The file and line in which an exception was raised."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}:{last.lineno}"


async def run_problem(graph: Any, name: str, problem: Problem, learned: Learned = NOTHING) -> Transcript:
    """One problem through one pipeline. An exception of our own code is a failed problem, with the calls made so far.

    Raises ErrataError (budget, refusal, a store that cannot be written), which concerns the whole run.
    """
    calls: list[Call] = []
    token = _calls_made.set(calls)
    try:
        with problem_span(problem.id):
            return transcript_of(name, await graph.ainvoke({"problem": problem, **learned._asdict()}))
    except ErrataError:
        raise
    except Exception as error:
        logger.debug("problem %s", problem.id, exc_info=True)
        reason = f"error: {type(error).__name__}: {error} ({_place_of(error)})"[:300]
        logged = tuple({call.id: call for call in sorted(calls, key=lambda call: call.id)}.values())
        return Transcript(graph=name, problem=problem, calls=logged, outcome=Outcome(status="failed", reason=reason))
    finally:
        _calls_made.reset(token)


def problem_runner(recipe: SynthRecipe, ask: Ask, grader: Grades) -> RunProblem:
    """The recipe's pipeline over `ask`, compiled once. Raises UsageError where a stage refuses its settings."""
    team = build_team(recipe.agents, remembering(ask), grader, recipe.load_prompts(), seed=recipe.seed)
    pipeline = build_pipeline(recipe.pipeline, team, recipe.settings, recipe.graph)
    return partial(run_problem, pipeline, recipe.graph)
