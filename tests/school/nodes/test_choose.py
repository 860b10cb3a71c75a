"""The node that chooses: what it makes of an exam's items and of earlier lessons, and what it leaves."""

from __future__ import annotations

import json
from pathlib import Path

from errata.errors import EXIT_DONE
from errata.evals.results import Item, Sample, read_eval
from errata.records import Outcome, Problem, Rationale, Transcript
from errata.school.nodes.choose import choose, results_of, teachers_answers
from errata.school.places import Task, places
from errata.school.recipe import load_school
from tests.school.school_data import written
from tests.school.scripted import write_eval

MINE = """
from errata.school.choosing import Choice

def first(results, count, seed):
    assert seed == "3 round-2"
    return [Choice(each.problem_id, "mine", str(each.right)) for each in results[:count]]
"""


def test_samples_and_teachers_answers_reach_the_chooser(tmp_path: Path) -> None:
    write_eval(tmp_path / "exam", "exam", "taught", 2, 1)
    results = results_of(read_eval(tmp_path / "exam").items, {"p1": ("7", None)})
    assert [(each.problem_id, each.right, each.answers, each.teachers) for each in results] == [
        ("p0", (True, True), ("0", "0"), ()),
        ("p1", (False, False), ("1", "1"), ("7", None)),
    ]


def test_what_is_chosen_and_what_is_mastered_is_written_by_a_chooser_of_ones_own(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(MINE)
    school = load_school(written(tmp_path, seed=3, choose={"by": "mine.py:first", "count": 4, "rehearsal": 0.25}))
    here = places(school, 2)
    write_eval(here.exam, "exam", "taught", 6, 2)
    assert choose(school, Task("choose", 2)) == EXIT_DONE
    chosen = [json.loads(line) for line in here.choices.read_bytes().splitlines()]
    assert len(chosen) == 4
    assert [each["by"] for each in chosen].count("rehearsal") == 1
    assert {"id": "p2", "by": "mine", "reason": "(False, False)"} in chosen
    assert here.mastered_ids.read_text() == '{"id":"p0"}\n{"id":"p1"}\n'


def test_teachers_answers_are_those_of_their_own_rationales() -> None:
    problem = Problem(id="p", task="toy", question="?", answer="5", kind="number")

    def said(author: str, role: str, answer: str) -> Rationale:
        return Rationale(
            id=f"{author}{role}", problem_id="p", author=author, role=role, text="-", answer=answer, correct=False
        )

    told = (said("ada", "teacher", "5"), said("student", "student", "6"), said("ben", "teacher", "7"))
    logged = Transcript(graph="lesson", problem=problem, rationales=told, outcome=Outcome(status="done"))
    silent = Transcript(graph="lesson", problem=problem.model_copy(update={"id": "q"}), outcome=Outcome(status="done"))
    assert teachers_answers([logged, silent]) == {"p": ("5", "7")}


def test_equivalent_answers_are_one_for_the_chooser() -> None:
    samples = tuple(
        Sample(text="-", answer=answer, correct=False, tokens=1, truncated=False, group=group)
        for answer, group in (("1/2", 0), ("0.5", 0), (None, None), ("3", 1))
    )
    item = Item(id="p", task="toy", correct=False, answer=None, samples=samples, tokens=4, truncated=0, meta={})
    assert results_of([item], {})[0].answers == ("1/2", "1/2", None, "3")

    problem = Problem(id="p", task="toy", question="?", answer="5", kind="number")
    told = tuple(
        Rationale(id=str(n), problem_id="p", author=str(n), role="teacher", text="-", answer=answer, correct=False)
        for n, answer in enumerate(("0.5", "1/2", "4"))
    )
    logged = Transcript(graph="lesson", problem=problem, rationales=told, outcome=Outcome(status="done"))
    assert teachers_answers([logged]) == {"p": ("0.5", "0.5", "4")}
