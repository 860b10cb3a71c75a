"""What a round teaches: the exam's results, those of earlier lessons' teachers, a chooser, and what it says why."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from errata.config.files import write_whole
from errata.errors import EXIT_DONE
from errata.evals.results import Item, Sample, read_eval
from errata.grading.compare import compare
from errata.records import Problem, Transcript
from errata.runs.run_dir import RunDir, is_run
from errata.runs.transcripts import read_transcripts
from errata.school.choosing import ExamResult
from errata.school.choosing import choose as choose_by
from errata.school.places import Task, places
from errata.school.recipe import SchoolRecipe

Answers = Mapping[str, tuple[str | None, ...]]


def choose(school: SchoolRecipe, task: Task) -> int:
    """Writes what is chosen and why, and which problems are mastered."""
    here = places(school, task.round)
    results = results_of(read_eval(here.exam).items, _teachers_before(school, task.round))
    seed = f"{school.seed} round-{task.round}"
    settings = school.choose
    chosen = choose_by(results, school.chooser, settings.count, settings.rehearsal, seed, school.like)
    write_whole(here.choices, _lines({"id": each.problem_id, "by": each.by, "reason": each.reason} for each in chosen))
    write_whole(here.mastered_ids, _lines({"id": each.problem_id} for each in results if all(each.right)))
    print(f"{len(chosen)} of {len(results)} problems are chosen", flush=True)
    return EXIT_DONE


def results_of(items: Iterable[Item], teachers: Answers) -> list[ExamResult]:
    """An exam's items as a chooser sees them, in the exam's order."""
    return [
        ExamResult(
            item.id,
            tuple(sample.correct for sample in item.samples),
            _by_group(item.samples),
            teachers.get(item.id, ()),
        )
        for item in items
    ]


def _by_group(samples: Sequence[Sample]) -> tuple[str | None, ...]:
    """The samples' answers, equivalent ones as the first of them is written: the eval has grouped them."""
    first: dict[int | None, str | None] = {}
    return tuple(None if each.answer is None else first.setdefault(each.group, each.answer) for each in samples)


def _teachers_before(school: SchoolRecipe, number: int) -> Answers:
    """What teachers have answered in the lessons of earlier rounds, by problem; the latest lesson counts."""
    answers: dict[str, tuple[str | None, ...]] = {}
    for earlier in range(1, number):
        lesson = places(school, earlier).lesson
        if is_run(lesson):
            run = RunDir(lesson)
            answers |= teachers_answers(read_transcripts(run.log, run.index().in_input_order()))
    return answers


def teachers_answers(transcripts: Iterable[Transcript]) -> dict[str, tuple[str | None, ...]]:
    """By problem, the answers of the teachers' own rationales, equivalent ones as the first of them is written."""
    answers = {
        each.problem.id: _alike(
            each.problem, [rationale.answer for rationale in each.rationales if rationale.role == "teacher"]
        )
        for each in transcripts
    }
    return {problem: given for problem, given in answers.items() if given}


def _alike(problem: Problem, answers: Iterable[str | None]) -> tuple[str | None, ...]:
    """By the grader's rules; LaTeX, which takes a worker to compare, by how it is written."""
    written: list[str] = []

    def first(answer: str) -> str:
        for known in written:
            same = problem.kind != "latex" and compare(problem.kind, known, answer, tuple(problem.choices)).correct
            if known == answer or same:
                return known
        written.append(answer)
        return answer

    return tuple(None if answer is None else first(answer) for answer in answers)


def _lines(rows: Iterable[Mapping[str, Any]]) -> bytes:
    written: Sequence[bytes] = [orjson.dumps(row) + b"\n" for row in rows]
    return b"".join(written)
