"""A problem as the prompts show it: options, gold answer, and what a solution shall close with."""

from __future__ import annotations

from string import ascii_uppercase

from errata.grading.steps import steps_of
from errata.records import Problem

_ANSWERS = {
    "latex": r"the answer in \boxed{}",
    "choice": "the letter of an option",
    "list": "the values in their order, separated by commas",
    "set": "the values, separated by commas",
    "ratio": "the ratio in the form a:b",
    "interval": "the interval with its brackets",
}


def options_of(problem: Problem) -> str:
    """The options, one per line with their letters; empty where the problem has none."""
    return "\n".join(f"{ascii_uppercase[place]}. {choice}" for place, choice in enumerate(problem.choices[:26]))


def shown_answer(problem: Problem) -> str:
    """The gold answer; with the option's text where it is an option's letter. Empty where there is none."""
    if problem.answer is None:
        return ""
    letter = problem.answer.strip().upper()
    place = ascii_uppercase.find(letter) if len(letter) == 1 else -1
    if problem.kind == "choice" and 0 <= place < len(problem.choices):
        return f"{letter}. {problem.choices[place]}"
    return problem.answer


def numbered(text: str) -> str:
    """A solution with the number of each step before it, counted from 1: `[1] 2 + 3 = 5 .`, one step a line."""
    return "\n".join(f"[{number}] {text[start:end].strip()}" for number, (start, end) in enumerate(steps_of(text), 1))


def answer_form(problem: Problem) -> str:
    """What a solution shall close with, so that its answer can be read.

    No letter stands for the answer: of "The answer is X." small models wrote "the value of X" and the line itself.
    """
    if problem.kind == "boolean":
        gold = "yes" if problem.answer is None else problem.answer.strip().casefold()
        yes, no = ("yes", "no") if gold in {"yes", "no"} else ("true", "false")
        return f"The answer is {yes}. (or: The answer is {no}.)"
    answer = _ANSWERS.get(problem.kind, "the answer")
    return f'a line that begins with "The answer is" and gives {answer}.'
