"""Arms that are schools: one recipe of `errata school`, changed by arm and seed, run with the study's student.

    runs/STUDY/STUDENT/seed-N/schools/ARM/   the school's folder, which every verb of a school works on

The school is loaded when an arm needs it: `errata.school` stands above the studies, whose workers and records it uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from copy import deepcopy
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from errata.config.overrides import assignment, override
from errata.config.yaml_file import read_mapping
from errata.errors import EXIT_DONE, EXIT_INTERRUPTED, ErrataError
from errata.studies.recipe import StudyRecipe, StudySchool
from errata.studies.steps import Step, base_of, steps_of

if TYPE_CHECKING:
    from errata.school.recipe import SchoolRecipe
    from errata.school.record import School


class SchoolEnded(ErrataError):
    """A school that ended before its last round, with the exit code of `errata school`."""

    def __init__(self, fault: str, code: int) -> None:
        super().__init__(fault, "an arm needs its school's student", "see its log; the same command goes on")
        self.exit_code = code


class InProcess:
    """Does a school's nodes in the process of the study's step."""

    def __init__(self, school: SchoolRecipe) -> None:
        self.school = school
        self.interrupted = False

    def ask(self, request: Mapping[str, Any]) -> tuple[int, str | None]:
        """Does a node: its exit code, and what went wrong."""
        from errata.school.worker import do
        from errata.steps.worker import attempt

        code, error = attempt(lambda task: do(self.school, task), request, Path(request["log"]))
        self.interrupted = self.interrupted or code == EXIT_INTERRUPTED
        return code, error

    def listening(self) -> AbstractContextManager[None]:
        """Ctrl-C reaches the node at work as it reaches a study's other steps."""
        return nullcontext()


def spec_of(study: StudyRecipe) -> StudySchool:
    assert study.school is not None, "the recipe refuses an arm that is a school where the study has none"
    return study.school


def school_of_step(study: StudyRecipe, step: Step) -> SchoolRecipe:
    """The recipe of one arm's school for one seed. Raises UsageError where it cannot be right."""
    from errata.school.recipe import school_of

    data, file = school_data(study, step)
    return school_of(data, file)


def school_data(study: StudyRecipe, step: Step) -> tuple[dict[str, Any], Path]:
    """An arm's school as plain data, and the file beside which what it names is looked for."""
    spec, student = spec_of(study), study.students[step.student]
    if isinstance(spec.recipe, str):
        file = study.folder / spec.recipe
        data = read_mapping(file)
    else:
        file, data = study.folder / f"{study.name}.yaml", deepcopy(spec.recipe)
    changes = study.arms[step.part].school or {}
    override(data, [assignment(key, value) for key, value in changes.items()])
    override(data, [f"{key}={value + (step.seed or 0)}" for key, value in spec.vary.items()])
    data |= {"name": step.part, "runs": str(step.out.parent)}
    data["student"] = {"model": base_of(study, step.student)} | student.as_agent
    return data, file


def do_school(study: StudyRecipe, step: Step) -> int:
    """Runs a school, from the start or from where it stands; its exit code. Raises ErrataError."""
    from errata.school.card import write_card
    from errata.school.history import read_history
    from errata.school.run import run

    school = school_of_step(study, step)
    done = run(school, InProcess(school), lambda line: print(line, flush=True))
    if done.error:
        raise SchoolEnded(done.error, done.code)
    if done.code not in (EXIT_DONE, EXIT_INTERRUPTED):
        raise SchoolEnded(done.school.stopped or f"{step.out} ended with exit code {done.code}", done.code)
    if done.code == EXIT_DONE:
        write_card(read_history(school.home))
    return done.code


def check_schools(study: StudyRecipe, steps: Sequence[Step], say: Any, trusted: Sequence[str] = ()) -> None:
    """Says whom the schools' lessons ask with which key; of each arm, one seed speaks for all.

    Raises UsageError for a school that cannot be right, whose agents cannot be asked, or in whose folder one of another
    recipe lies.
    """
    from errata.school.preflight import check_lesson, parts_of
    from errata.school.saved import plain_recipe, refuse_another

    for arm, alike in groupby(sorted((step for step in steps if step.kind == "school"), key=_part), key=_part):
        schools = [school_of_step(study, step) for step in alike]
        parts = parts_of(schools[0])
        for school in schools:
            refuse_another(school, plain_recipe(school, parts.code))
        check_lesson(parts, lambda line: say(f"{arm}: {line}"), trusted)  # noqa: B023


def _part(step: Step) -> str:
    return step.part


def plan_schools(study: StudyRecipe, steps: Mapping[str, Step]) -> Iterator[dict[str, Any]]:
    """Of each arm that is a school, how often it is run and what is expected of one run, over all its rounds."""
    from errata.school.plan import plan_school

    first: dict[str, Step] = {}
    runs: dict[str, int] = {}
    for step in steps.values():
        if step.kind == "school":
            first.setdefault(step.part, step)
            runs[step.part] = runs.get(step.part, 0) + 1
    for arm, step in first.items():
        planned = plan_school(school_of_step(study, step))
        rounds, a_round = planned["rounds"]["all"], planned["round"]
        expected = {name: a_round[name]["expected"] for name in ("teacher_calls", "teacher_tokens", "cost_usd")}
        yield {
            "name": arm,
            "runs": runs[arm],
            "rounds": rounds,
            "problems": planned["problems"]["chosen"],
            "own_answers": rounds * a_round["own_answers"],
            **{name: None if value is None else rounds * value for name, value in expected.items()},
        }


# ---- what they came to -----------------------------------------------------------------------------------------------


def schools_found(study: StudyRecipe) -> list[dict[str, Any]]:
    """What the schools of each arm came to, over students and seeds, and why each ended; of those that have begun."""
    arms = [arm for arm, spec in study.arms.items() if spec.school is not None]
    schools: dict[str, list[tuple[Step, School]]] = {arm: [] for arm in arms}
    for step in steps_of(study).values():
        if step.kind == "school" and (record := _record_in(step.out)) is not None:
            schools[step.part].append((step, record))
    return [
        {"arm": arm, **_summary([record for _, record in pairs]), "ended": [_ending(*pair) for pair in pairs]}
        for arm, pairs in schools.items()
        if pairs
    ]


def _ending(step: Step, school: School) -> dict[str, Any]:
    """After how many judged rounds one school ended, and why; `stopped` is null while it goes on."""
    judged = sum(each.accuracy is not None for each in school.rounds)
    return {"student": step.student, "seed": step.seed, "rounds": judged, "stopped": school.stopped}


def _record_in(home: Path) -> School | None:
    from errata.school.record import FILE, read_school

    return read_school(home) if (home / FILE).is_file() else None


def _summary(schools: Sequence[School]) -> dict[str, Any]:
    """Means over schools; of chosen problems and what was forgotten, means over all their rounds."""
    rounds = [each for school in schools for each in school.rounds]
    forgotten = [each.forgotten for each in rounds if each.forgotten is not None]
    by_round: dict[int, list[float]] = {}
    for each in rounds:
        if each.accuracy is not None:
            by_round.setdefault(each.round, []).append(each.accuracy.value)
    start = [school.start.accuracy.value for school in schools if school.start.accuracy is not None]
    return {
        "schools": len(schools),
        "rounds": _mean([float(len(school.rounds)) for school in schools]),
        "chosen": _mean([float(each.chosen) for each in rounds if each.chosen is not None]),
        "teacher_tokens": _mean([float(sum(each.teacher_tokens for each in school.rounds)) for school in schools]),
        "own_tokens": _mean([float(sum(each.own_tokens for each in school.rounds)) for school in schools]),
        "hours": _mean([school.start.hours + sum(each.hours for each in school.rounds) for school in schools]),
        "forgotten": _mean(forgotten),
        "forgotten_most": max(forgotten, default=None),
        "judged": [_mean(values) for values in (start, *(by_round[number] for number in sorted(by_round)))],
    }


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None
