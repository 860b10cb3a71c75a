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


if TYPE_CHECKING:  # for type checkers, to which `as` itself is a re-export
    from errata.agents.ask import Parsed as Parsed
    from errata.agents.ask import PromptCall as PromptCall
    from errata.agents.ask import PromptedModel as PromptedModel
    from errata.agents.ask import to_rationale as to_rationale
    from errata.agents.parse_reply import Unreadable as Unreadable
    from errata.agents.parse_reply import read_prose as read_prose
    from errata.agents.parse_reply import read_solution as read_solution
    from errata.agents.reviewer import Reviewer as Reviewer
    from errata.agents.student import Student as Student
    from errata.agents.teacher import Teacher as Teacher
    from errata.agents.team import Team as Team
    from errata.api import compare as compare
    from errata.api import evaluate as evaluate
    from errata.api import export as export
    from errata.api import status as status
    from errata.api import synthesize as synthesize
    from errata.api import train as train
    from errata.config.base import Settings as Settings
    from errata.errors import ErrataError as ErrataError
    from errata.errors import UsageError as UsageError
    from errata.evals.claims import Claim as Claim
    from errata.evals.results import Sample as Sample
    from errata.exports.format import Format as Format
    from errata.exports.format import likeness as likeness
    from errata.exports.formats import FORMATS as FORMATS
    from errata.exports.sequences import LabeledSequence as LabeledSequence
    from errata.exports.sequences import SourceRow as SourceRow
    from errata.exports.transcript_view import LeftOut as LeftOut
    from errata.exports.transcript_view import TranscriptView as TranscriptView
    from errata.exports.transcript_view import row_meta as row_meta
    from errata.exports.transcript_view import unfit_to_teach as unfit_to_teach
    from errata.grading.extract import read_answer as read_answer
    from errata.grading.grader import Grade as Grade
    from errata.grading.grader import Grader as Grader
    from errata.graphs.call_counts import CallEstimate as CallEstimate
    from errata.graphs.call_counts import Range as Range
    from errata.graphs.call_counts import Rates as Rates
    from errata.graphs.nodes import add_explanations as add_explanations
    from errata.graphs.nodes import add_rationales as add_rationales
    from errata.graphs.nodes import grade_all as grade_all
    from errata.graphs.nodes import together as together
    from errata.graphs.pipeline import STAGES as STAGES
    from errata.graphs.stage import END as END
    from errata.graphs.stage import Counts as Counts
    from errata.graphs.stage import Pipeline as Pipeline
    from errata.graphs.stage import Route as Route
    from errata.graphs.stage import Stage as Stage
    from errata.graphs.stage import Steps as Steps
    from errata.graphs.stage import chain as chain
    from errata.graphs.state import State as State
    from errata.graphs.state import mistakes_of as mistakes_of
    from errata.graphs.state import rationales_of as rationales_of
    from errata.llm.request import Backend as Backend
    from errata.llm.request import ProviderFailure as ProviderFailure
    from errata.llm.request import Reply as Reply
    from errata.llm.request import Request as Request
    from errata.llm.spec import Agents as Agents
    from errata.llm.spec import AgentSpec as AgentSpec
    from errata.llm.spec import Sampling as Sampling
    from errata.records import Call as Call
    from errata.records import Explanation as Explanation
    from errata.records import Message as Message
    from errata.records import Outcome as Outcome
    from errata.records import Pair as Pair
    from errata.records import Problem as Problem
    from errata.records import Rationale as Rationale
    from errata.records import Review as Review
    from errata.records import Span as Span
    from errata.records import Transcript as Transcript
    from errata.runs.recipe import load_recipe as load_recipe
    from errata.runs.traces import traced as traced
    from errata.training.arguments import Training as Training
    from errata.training.arguments import option as option
    from errata.training.method import Control as Control
    from errata.training.method import Knobs as Knobs
    from errata.training.method import Method as Method
    from errata.training.methods.shipped import METHODS as METHODS
    from errata.training.terms import Likelihood as Likelihood
    from errata.training.terms import Part as Part
    from errata.training.terms import Term as Term
    from errata.training.terms import reading as reading
