"""What would go wrong on the way, found before anything runs: problems, judge, lesson, agents and their keys."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from errata.cli_helpers import say_destinations
from errata.config.code import Code, code_lines
from errata.data.contamination import EvalSet
from errata.data.problems import Problems
from errata.errors import UsageError
from errata.evals.tasks import TaskProblems, content_hash, read_task
from errata.llm.preflight import check, check_access
from errata.records import Problem
from errata.runs.recipe import SynthRecipe
from errata.school.nodes.exam import judge_recipe
from errata.school.nodes.lesson import lesson_data, recipe_in
from errata.school.places import Task, start_run, untouched
from errata.school.recipe import SchoolRecipe

MOST_NAMES = 3
"""Problems named at once."""


@dataclass(frozen=True)
class Parts:
    """What a school works with, read once."""

    taught: tuple[Problem, ...]
    judge: tuple[TaskProblems, ...]
    lesson: SynthRecipe
    code: dict[str, Code]
    """Files of one's own, by what the recipes call them."""
    notes: tuple[str, ...]

    @property
    def hashes(self) -> list[str]:
        """Of the questions and gold answers of what may be taught and of the judge's tasks."""
        return [content_hash(self.taught), *(content_hash(task.problems) for task in self.judge)]


def parts_of(school: SchoolRecipe) -> Parts:
    """Reads problems, judge and lesson. Raises UsageError where any of them cannot be right, or two overlap."""
    source = Problems(school.data, school.data.limit)
    taught = tuple(source)
    judging = judge_recipe(school, start_run(school), untouched(school), "untouched")
    judge = tuple(read_task(name, spec) for name, spec in judging.tasks.items())
    notes = [f"data: {note}" for note in source.notes()] + [note for task in judge for note in task.notes]
    notes += refuse_overlap(taught, judge)
    lesson = lesson_recipe(school)
    return Parts(taught, judge, lesson, school.code | judging.code | lesson.code, tuple(notes))


def refuse_overlap(taught: Sequence[Problem], judge: Sequence[TaskProblems]) -> list[str]:
    """Notes on judge's problems that share 13 words with one that may be taught.

    Raises UsageError where one asks the same question as such a problem.
    """
    known = EvalSet("taught", taught)
    notes = []
    for task in judge:
        met = [(problem.id, known.meets(problem)) for problem in task.problems]
        same = [name for name, how in met if how == "question"]
        if same:
            raise UsageError(
                f"{len(same)} of {len(met)} problems of judge.tasks.{task.name} may be taught: "
                f"{', '.join(same[:MOST_NAMES])}{', ...' * (len(same) > MOST_NAMES)}",
                "a student is judged on what it was never taught, or its accuracy says what it has by heart",
                "judge on another split or file, or name the judge's source in data.exclude",
            )
        if near := sum(how == "ngram" for _, how in met):
            notes.append(f"judge: {near} of {len(met)} problems of {task.name} share 13 words with one that is taught")
    return notes


def lesson_recipe(school: SchoolRecipe) -> SynthRecipe:
    """The lesson's recipe over all that may be taught. Raises UsageError where it cannot serve the school."""
    budget = school.budget
    task = Task("lesson", 1, untouched(school), usd=budget.dollars, tokens=budget.teacher_tokens)
    recipe = recipe_in(*lesson_data(school, task), school)
    stages = [stage.name for stage in recipe.pipeline]
    if school.teach != "teachers" and "exam" not in stages:
        raise UsageError(
            f"teach is {school.teach}, and the lesson's stages are {', '.join(stages)}",
            "the student's own answers are those of a lesson's exam",
            "write graph: lesson, with exam among its stages",
        )
    if school.choose.rehearsal and recipe.settings.only_mistakes and school.teach != "self":
        raise UsageError(
            f"choose.rehearsal is {school.choose.rehearsal:g}, and the lesson sets only_mistakes",
            "what is rehearsed holds no mistake, so that the lesson would leave it out",
            "remove settings.only_mistakes, or set choose.rehearsal: 0",
        )
    return recipe


def check_lesson(parts: Parts, say: Callable[[str], None], trusted: Sequence[str] = ()) -> None:
    """Says what code is run and who is asked with which key. Raises UsageError for agents that cannot be asked."""
    for line in code_lines(parts.code):
        say(line)
    say_destinations(parts.lesson.agents.everyone, trusted, say, "lesson ")
    check(parts.lesson.agents, parts.lesson.budget)
    check_access(parts.lesson.callees)
