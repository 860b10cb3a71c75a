"""The worked examples of the two rewrites: the recipe's, else the run's own natural pairs, else the shipped ones."""

from __future__ import annotations

from collections.abc import Sequence

from errata.agents.demonstration import Demonstration, others_than
from errata.errors import UsageError
from errata.graphs.stages.dual_pairs import DualCotSettings
from errata.records import AnswerKind, Problem


def examples_for(problem: Problem, offered: Sequence[Demonstration], settings: DualCotSettings) -> list[Demonstration]:
    """At most `shots` examples that hold a mistake, none of them the problem itself."""
    given = settings.demonstrations if settings.demonstrations is not None else offered
    fit = [each for each in others_than(problem, given) if each.wrong]
    if not fit and settings.demonstrations is None:
        fit = others_than(problem, shipped(problem.kind))
    return fit[: settings.shots]


def check_demonstrations(settings: DualCotSettings) -> None:
    """UsageError on a demonstration of the recipe that could not be shown."""
    for place, each in enumerate(settings.demonstrations or ()):
        if not each.wrong:
            raise UsageError(
                f"dual_cot.demonstrations[{place}] has no wrong solution",
                "Both rewrites are shown a right and a wrong one.",
                "Add wrong: to it.",
            )


def shipped(kind: AnswerKind) -> tuple[Demonstration, ...]:
    """Written for errata: each wrong solution makes one mistake and follows it to the end."""
    if kind == "choice":
        return _CHOICE
    if kind == "boolean":
        return _BOOLEAN
    if kind in _OWN_FORM:
        return tuple(
            Demonstration(
                question=question,
                rationale=f"{right}\nThe answer is {answer}.",
                answer=answer,
                wrong=f"{wrong}\nThe answer is {other}.",
            )
            for question, right, answer, wrong, other in _OWN_FORM[kind]
        )
    form = r"The answer is \boxed{{{}}}." if kind == "latex" else "The answer is {}."
    return tuple(
        Demonstration(
            question=question,
            rationale=f"{right}\n{form.format(answer)}",
            answer=answer,
            wrong=f"{wrong}\n{form.format(other)}",
        )
        for question, right, answer, wrong, other in _NUMBER
    )


_NUMBER = (
    (
        "A baker fills 6 trays with 8 rolls each and sells 15 rolls before noon. How many rolls are left?",
        "The baker has 6 * 8 = 48 rolls.\nAfter selling 15 there are 48 - 15 = 33 rolls left.",
        "33",
        "The baker has 6 + 8 = 14 rolls on the trays.\nAfter selling 15 there are 15 - 14 = 1 roll left.",
        "1",
    ),
    (
        "A rope is 2 feet long. Lena cuts off 9 inches. How many inches are left?",
        "One foot has 12 inches, so the rope is 2 * 12 = 24 inches long.\nAfter the cut 24 - 9 = 15 inches are left.",
        "15",
        "One foot has 10 inches, so the rope is 2 * 10 = 20 inches long.\nAfter the cut 20 - 9 = 11 inches are left.",
        "11",
    ),
    (
        "A class of 27 pupils is joined by 3 more and splits into groups of 5. How many groups are there?",
        "There are 27 + 3 = 30 pupils.\nIn groups of 5 that is 30 / 5 = 6 groups.",
        "6",
        "There are 27 + 3 = 35 pupils.\nIn groups of 5 that is 35 / 5 = 7 groups.",
        "7",
    ),
)

_LIST = (
    (
        "Which whole numbers between 2 and 7 divide 12?",
        "12 / 3 = 4, so 3 and 4 divide it.\n12 / 6 = 2, so 6 does too, and 5 does not.",
        "3, 4, 6",
        "12 / 3 = 4, so 3 and 4 divide it.\n12 / 6 is not whole, so 6 does not, and 5 does not.",
        "3, 4",
    ),
    (
        "Which numbers have the square 49?",
        "7 * 7 = 49.\nA negative number squared is positive, so -7 * -7 = 49 as well.",
        "-7, 7",
        "7 * 7 = 49.\nA negative number squared is negative, so no other number will do.",
        "7",
    ),
)

_RATIO = (
    (
        "A wall takes 12 litres of blue paint and 8 litres of white. What is the ratio of blue to white?",
        "Blue to white is 12:8.\nBoth can be divided by 4, and 12 / 4 = 3 and 8 / 4 = 2.",
        "3:2",
        "Blue to white is 12:8.\nBoth can be divided by 4, and 12 / 4 = 3 and 8 / 4 = 4.",
        "3:4",
    ),
    (
        "Of 20 pupils 5 are absent. What is the ratio of absent to present pupils?",
        "20 - 5 = 15 pupils are present.\nAbsent to present is 5:15, and both can be divided by 5.",
        "1:3",
        "20 pupils are in the class.\nAbsent to present is 5:20, and both can be divided by 5.",
        "1:4",
    ),
)

_INTERVAL = (
    (
        "For which x of at least 1 is 2x - 3 less than 5?",
        "2x is less than 5 + 3 = 8, so x is less than 4.\nx is at least 1, and 1 belongs to it.",
        "[1, 4)",
        "2x is less than 5 + 3 = 8, so x is less than 8 - 2 = 6.\nx is at least 1, and 1 belongs to it.",
        "[1, 6)",
    ),
    (
        "For which x is -2x at most 6?",
        "Dividing by -2 turns the sign, so x is at least 6 / -2 = -3.\n-3 belongs to it.",
        "[-3, \\infty)",
        "Dividing by -2 gives x at most 6 / -2 = -3.\n-3 belongs to it.",
        "(-\\infty, -3]",
    ),
)

_OWN_FORM = {"list": _LIST, "set": _LIST, "ratio": _RATIO, "interval": _INTERVAL}

_CHOICE = (
    Demonstration(
        question="A bus leaves at 9:40 and arrives at 11:05. How long is the ride? A. 65 minutes B. 85 minutes",
        rationale="From 9:40 to 10:40 is one hour, that is 60 minutes.\n"
        "From 10:40 to 11:05 it is 25 minutes more, so 60 + 25 = 85 minutes, option B.\nThe answer is B.",
        answer="B",
        wrong="From 9:40 to 10:40 is one hour, that is 60 minutes.\n"
        "From 10:40 to 11:05 it is 5 minutes more, so 60 + 5 = 65 minutes, option A.\nThe answer is A.",
    ),
    Demonstration(
        question="All of Tom's cats are grey. Mimi is grey. Must Mimi be one of Tom's cats? A. yes B. no",
        rationale="Tom's cats are grey, but other cats may be grey too.\n"
        "So being grey does not make Mimi one of them, option B.\nThe answer is B.",
        answer="B",
        wrong="Tom's cats are grey, and what is grey is one of them.\n"
        "So being grey does make Mimi one of them, option A.\nThe answer is A.",
    ),
)

_BOOLEAN = (
    Demonstration(
        question="Is a whale, which breathes air, a fish?",
        rationale="Fish breathe through gills.\nA whale breathes air with lungs, so it is no fish.\nThe answer is no.",
        answer="no",
        wrong="Fish are animals that live in water.\nA whale lives in water, so it is a fish.\nThe answer is yes.",
    ),
    Demonstration(
        question="Do a dozen eggs serve 5 people with 2 eggs each?",
        rationale="A dozen is 12 eggs.\n"
        "5 people with 2 eggs each need 10 eggs, and 10 is at most 12.\nThe answer is yes.",
        answer="yes",
        wrong="A dozen is 8 eggs.\n5 people with 2 eggs each need 10 eggs, and 10 is more than 8.\nThe answer is no.",
    ),
)
