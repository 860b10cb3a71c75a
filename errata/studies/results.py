"""What a study found: `study.json`, a record per claim with what its arm and control have alike."""

from __future__ import annotations

import platform
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from errata import __version__
from errata.config.files import read_json, write_whole
from errata.errors import UsageError
from errata.evals.claims import Claim
from errata.evals.compare import compare
from errata.evals.comparison import Comparison
from errata.evals.pairing import Arm
from errata.records import to_json
from errata.report.figures import count
from errata.steps.record import hours, read_record, times_of
from errata.studies.recipe import QUANTITIES, UNTOUCHED, StudyClaim, StudyRecipe
from errata.studies.schools import schools_found
from errata.studies.steps import home_of, label_of, steps_of

FILE = "study.json"
ALIKE = 0.05
"""Quantities that differ by no more than this share count as equal."""


def claims_of(study: StudyRecipe) -> dict[str, tuple[StudyClaim, Claim]]:
    """By name, each claim as the recipe has it and as it is compared, one per student."""
    claims = {}
    for student in study.students:
        for claim in study.claims:
            name = claim.name if len(study.students) == 1 else f"{claim.name}, {student}"
            claims[name] = (
                claim,
                Claim(
                    name=name,
                    arm=label_of(study, student, claim.arm),
                    control=label_of(study, student, claim.control),
                    task=claim.task,
                    decoding=claim.decoding,
                    control_decoding=claim.control_decoding,
                ),
            )
    return claims


def compare_study(study: StudyRecipe) -> Comparison:
    """Every claim, and beside them each arm against its start. Raises UsageError where evals are missing."""
    folders = list(_folders(study))
    missing = next((path for path in folders if not path.is_dir()), None)
    if missing is not None:
        raise UsageError(f"{missing} is missing", "the study has not come so far", "run `errata study` again")
    claims = [claim for _, claim in claims_of(study).values()]
    return compare(folders, pairs=list(_exploratory(study)), claims=claims)


def _folders(study: StudyRecipe) -> Iterator[Path]:
    for student in study.students:
        for seed in study.seeds:
            for arm in (UNTOUCHED, *study.judged):
                for decoding in study.evals.decodings:
                    yield home_of(study, student, seed) / "evals" / f"{arm}-{decoding}"


def _exploratory(study: StudyRecipe) -> Iterator[tuple[str, str]]:
    """Each arm with the student that it started from, and with the untouched one."""
    for student in study.students:
        for decoding in study.evals.decodings:
            suffix = f" ({decoding})" if len(study.evals.decodings) > 1 else ""
            for name in study.judged:
                for other in dict.fromkeys((UNTOUCHED, study.arms[name].start or UNTOUCHED)):
                    yield label_of(study, student, name) + suffix, label_of(study, student, other) + suffix


def write_results(study: StudyRecipe, comparison: Comparison) -> dict[str, Any]:
    """Writes study.json; its content."""
    record = read_record(study.home)
    times = times_of(record)
    arms = {arm.name: arm for arm in comparison.arms}
    content = {
        "schema": 1,
        "kind": "study",
        "name": study.name,
        "date": None if times is None else times.last.partition("T")[0],
        "times": None if times is None else times._asdict(),
        "machine": machine(),
        "hours": round(hours(record), 2),
        "versions": {"errata": __version__, "python": platform.python_version()},
        "seeds": list(study.seeds),
        "recipe": study.model_dump(mode="json", exclude_defaults=True),
        "claims": claim_rows(study, comparison),
        "arms": [_arm_row(each, arms[each["arm"]]) for each in comparison.figure_records()],
        "schools": schools_found(study),
        "exploratory": [each for each in comparison.records() if each["claim"] is None],
        "methods": comparison.methods(),
        "notes": [*comparison.notes, *_lost(study)],
    }
    text = orjson.dumps(orjson.loads(to_json(content)), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    write_whole(study.home / FILE, text)
    return content


def _lost(study: StudyRecipe) -> Iterator[str]:
    """Per lesson, the problems that a provider has failed, of which no arm could learn."""
    for step in steps_of(study).values():
        problems = read_json(step.out / "manifest.json").get("problems") if step.kind == "lesson" else None
        if problems and (lost := sum(problems["failed"].values())):
            yield f"{step.name}: {lost} of {problems['total']} problems were lost to a provider"


def machine() -> str:
    """The kind of machine, as figures are quoted with."""
    import os

    return f"{platform.system()} {platform.machine()}, {count(len(os.sched_getaffinity(0)), 'core')}"


def claim_rows(study: StudyRecipe, comparison: Comparison) -> list[dict[str, Any]]:
    """A record per claim, as it stands in study.json."""
    planned, arms = claims_of(study), {arm.name: arm for arm in comparison.arms}
    return [_claim_row(planned[row["name"]][0], row, arms) for row in comparison.claim_records()]


def _claim_row(claim: StudyClaim, row: Mapping[str, Any], arms: Mapping[str, Arm]) -> dict[str, Any]:
    sizes = sizes_of(arms[row["arm"]]), sizes_of(arms[row["control"]])
    alike = {name: _alike(sizes[0][name], sizes[1][name]) for name in QUANTITIES}
    return {
        **row,
        "sign": claim.sign,
        "source": claim.source,
        "equal": {name: alike[name] for name in claim.equal},
        "differs": {
            name: [sizes[0][name], sizes[1][name]]
            for name in QUANTITIES
            if alike[name] is False and name not in claim.equal
        },
        "as_claimed": _as_claimed(row["verdict"], claim.sign),
    }


def _as_claimed(verdict: str, sign: str) -> bool | None:
    """Whether what was shown is what the source claims, which by sign 0 is no difference; None where none was shown."""
    return None if verdict == "not shown" else {"better": "+", "worse": "-"}[verdict] == sign


def sizes_of(arm: Arm) -> dict[str, float | None]:
    """What the arm's trainings took, the mean over seeds; None where some training does not say."""
    sizes: dict[str, float | None] = {}
    for name in QUANTITIES:
        values = [(each.manifest.training or {}).get(name) for each in arm.evals]
        known = [float(value) for value in values if isinstance(value, int | float)]
        sizes[name] = sum(known) / len(known) if known and len(known) == len(values) else None
    return sizes


def _alike(one: float | None, other: float | None) -> bool | None:
    """Whether two sizes are equal to within ALIKE; None where one is not known."""
    if one is None or other is None:
        return None
    return abs(one - other) <= ALIKE * max(abs(one), abs(other))


def unequal(row: Mapping[str, Any]) -> list[str]:
    """Which of the quantities that a claim holds equal are not, or are not known."""
    return [name for name, alike in row["equal"].items() if alike is not True]


def _arm_row(figure: dict[str, Any], arm: Arm) -> dict[str, Any]:
    return {**figure, "seeds": list(arm.distinct.seeds), **sizes_of(arm)}


def points(value: float | None) -> str:
    """A share as points with their sign."""
    return "-" if value is None else f"{100 * value:+.1f}"


def interval(row: Mapping[str, Any]) -> str:
    """A difference with its interval, in points."""
    return f"{points(row['difference'])} [{points(row['low'])}, {points(row['high'])}]"


def counts(rows: Sequence[Mapping[str, Any]]) -> str:
    """How many claims were shown, shown otherwise than their source has it, and not shown."""
    confirmed = sum(row["as_claimed"] is True for row in rows)
    contrary = sum(row["as_claimed"] is False for row in rows)
    return f"{confirmed} shown as claimed, {contrary} shown otherwise, {len(rows) - confirmed - contrary} not shown"
