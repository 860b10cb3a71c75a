# ruff: noqa: F401  the names are re-exported, see _HOME
"""errata turns large models' reasoning, right and wrong, into small models that reason.

What users write against stands here, imported when it is first used:

    from errata import synthesize, Stage, Grade

    summary = synthesize("recipe.yaml", ["limit=20"])
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOME = {
    # what a person runs
    "synthesize": "errata.api",
    "evaluate": "errata.api",
    "compare": "errata.api",
    "Claim": "errata.evals.claims",
    "export": "errata.api",
    "train": "errata.api",
    "status": "errata.api",
    "load_recipe": "errata.runs.recipe",
    "traced": "errata.runs.traces",
    # a stage of one's own
    "Stage": "errata.graphs.stage",
    "Steps": "errata.graphs.stage",
    "Route": "errata.graphs.stage",
    "END": "errata.graphs.stage",
    "chain": "errata.graphs.stage",
    "Pipeline": "errata.graphs.stage",
    "STAGES": "errata.graphs.pipeline",
    "State": "errata.graphs.state",
    "rationales_of": "errata.graphs.state",
    "mistakes_of": "errata.graphs.state",
    "together": "errata.graphs.nodes",
    "add_rationales": "errata.graphs.nodes",
    "add_explanations": "errata.graphs.nodes",
    "grade_all": "errata.graphs.nodes",
    "CallEstimate": "errata.graphs.call_counts",
    "Counts": "errata.graphs.stage",
    "Range": "errata.graphs.call_counts",
    "Rates": "errata.graphs.call_counts",
    "Team": "errata.agents.team",
    "Teacher": "errata.agents.teacher",
    "Reviewer": "errata.agents.reviewer",
    "Student": "errata.agents.student",
    "PromptCall": "errata.agents.ask",
    "PromptedModel": "errata.agents.ask",
    "Parsed": "errata.agents.ask",
    "to_rationale": "errata.agents.ask",
    "Unreadable": "errata.agents.parse_reply",
    "read_prose": "errata.agents.parse_reply",
    "read_solution": "errata.agents.parse_reply",
    "Settings": "errata.config.base",
    "Sampling": "errata.llm.spec",
    "Agents": "errata.llm.spec",
    "AgentSpec": "errata.llm.spec",
    # a grader of one's own
    "Grade": "errata.grading.grader",
    "Grader": "errata.grading.grader",
    "read_answer": "errata.grading.extract",
    # an export format of one's own
    "Format": "errata.exports.format",
    "likeness": "errata.exports.format",
    "FORMATS": "errata.exports.formats",
    "TranscriptView": "errata.exports.transcript_view",
    "LeftOut": "errata.exports.transcript_view",
    "row_meta": "errata.exports.transcript_view",
    "unfit_to_teach": "errata.exports.transcript_view",
    "SourceRow": "errata.exports.sequences",
    "LabeledSequence": "errata.exports.sequences",
    # a training method of one's own; they need the extra `train`
    "Method": "errata.training.method",
    "Knobs": "errata.training.method",
    "Control": "errata.training.method",
    "Training": "errata.training.arguments",
    "option": "errata.training.arguments",
    "Term": "errata.training.terms",
    "Part": "errata.training.terms",
    "Likelihood": "errata.training.terms",
    "reading": "errata.training.terms",
    "METHODS": "errata.training.methods.shipped",
    # a vote of one's own
    "Sample": "errata.evals.results",
    # a backend of one's own
    "Backend": "errata.llm.request",
    "Request": "errata.llm.request",
    "Reply": "errata.llm.request",
    "ProviderFailure": "errata.llm.request",
    # records
    "Problem": "errata.records",
    "Message": "errata.records",
    "Call": "errata.records",
    "Rationale": "errata.records",
    "Review": "errata.records",
    "Explanation": "errata.records",
    "Pair": "errata.records",
    "Outcome": "errata.records",
    "Transcript": "errata.records",
    "Span": "errata.records",
    # errors
    "ErrataError": "errata.errors",
    "UsageError": "errata.errors",
}
"""Where each public name is defined."""

__all__ = sorted([*_HOME, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'errata' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *_HOME]


if TYPE_CHECKING:  # for type checkers and editors; the list above is what counts
    from errata.agents.ask import Parsed, PromptCall, PromptedModel, to_rationale
    from errata.agents.parse_reply import Unreadable, read_prose, read_solution
    from errata.agents.reviewer import Reviewer
    from errata.agents.student import Student
    from errata.agents.teacher import Teacher
    from errata.agents.team import Team
    from errata.api import compare, evaluate, export, status, synthesize, train
    from errata.config.base import Settings
    from errata.errors import ErrataError, UsageError
    from errata.evals.claims import Claim
    from errata.evals.results import Sample
    from errata.exports.format import Format, likeness
    from errata.exports.formats import FORMATS
    from errata.exports.sequences import LabeledSequence, SourceRow
    from errata.exports.transcript_view import LeftOut, TranscriptView, row_meta, unfit_to_teach
    from errata.grading.extract import read_answer
    from errata.grading.grader import Grade, Grader
    from errata.graphs.call_counts import CallEstimate, Range, Rates
    from errata.graphs.nodes import add_explanations, add_rationales, grade_all, together
    from errata.graphs.pipeline import STAGES
    from errata.graphs.stage import END, Counts, Pipeline, Route, Stage, Steps, chain
    from errata.graphs.state import State, mistakes_of, rationales_of
    from errata.llm.request import Backend, ProviderFailure, Reply, Request
    from errata.llm.spec import Agents, AgentSpec, Sampling
    from errata.records import (
        Call,
        Explanation,
        Message,
        Outcome,
        Pair,
        Problem,
        Rationale,
        Review,
        Span,
        Transcript,
    )
    from errata.runs.recipe import load_recipe
    from errata.runs.traces import traced
    from errata.training.arguments import Training, option
    from errata.training.method import Control, Knobs, Method
    from errata.training.methods.shipped import METHODS
    from errata.training.terms import Likelihood, Part, Term, reading
