"""Acceptance as a view over a log: transcripts with the verdicts of a rule in place of the panel's."""

from __future__ import annotations

from collections.abc import Mapping

from errata.evidence.read_log import read_evidence
from errata.evidence.rules import rule_of
from errata.records import Transcript
from errata.runs.acceptance import Acceptance
from errata.runs.run_dir import RunDir

Verdicts = Mapping[str, bool]
"""Rationale id -> accepted, of all judged rationales."""


def verdicts_of(run: RunDir, acceptance: Acceptance) -> Verdicts:
    """The verdicts of a rule on a run's judged rationales; no call is made.

    Gold verdicts, where there are some, are known to the model of the voters. Raises UsageError where the log cannot
    be read.
    """
    evidence = read_evidence(run)
    accepted = rule_of(acceptance.rule).accepts(evidence, acceptance)
    return dict(zip(evidence.ballots.ids, map(bool, accepted), strict=True))


def with_verdicts(transcript: Transcript, verdicts: Verdicts) -> Transcript:
    """The transcript as if the rule had decided; rationales without a verdict, such as rewrites, stay as they are."""
    rationales = tuple(
        each.model_copy(update={"accepted": verdicts[each.id]}) if each.id in verdicts else each
        for each in transcript.rationales
    )
    return transcript.model_copy(update={"rationales": rationales})
