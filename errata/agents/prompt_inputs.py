"""A problem as the prompts show it: options, gold answer, and the form its last line shall have."""

from __future__ import annotations

from string import ascii_uppercase

from errata.records import Problem


def options_of(problem: Problem) -> str:
    """The options, one a line with their letters; empty where the problem has none."""
    return "\n".join(f"{ascii_uppercase[place]}. {choice}" for place, choice in enumerate(problem.choices[:26]))


def shown_answer(problem: Problem) -> str:
    """The gold answer; with the option's text where it is an option's letter."""
    letter = problem.answer.strip().upper()
    place = ascii_uppercase.find(letter) if len(letter) == 1 else -1
    if problem.kind == "choice" and 0 <= place < len(problem.choices):
        return f"{letter}. {problem.choices[place]}"
    return problem.answer


def answer_form(problem: Problem) -> str:
    """The line a solution shall close with, so that its answer can be read."""
    if problem.kind == "latex":
        return r"The answer is \boxed{X}."
    if problem.kind == "choice":
        return "The answer is X. (X is the letter of an option)"
    if problem.kind == "boolean":
        yes, no = ("yes", "no") if problem.answer.strip().casefold() in {"yes", "no"} else ("true", "false")
        return f"The answer is {yes}. (or: The answer is {no}.)"
    return "The answer is X."
