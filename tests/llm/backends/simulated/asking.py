"""Asking the faculty with the shipped prompts, as the agents do."""

from functools import cache
from typing import Any

from errata.agents.prompts import Prompts, load_prompts
from errata.classroom.problems import problems
from errata.llm.backends.simulated.faculty import reply
from errata.records import Problem

COMMITTEE = ("ada", "ben", "cleo", "dan")


@cache
def prompts() -> Prompts:
    return load_prompts(None)


@cache
def lesson(count: int = 300, split: str = "lesson", seed: int = 11) -> tuple[Problem, ...]:
    return tuple(problems({"count": count, "split": split, "seed": seed}))


def messages(name: str, problem: Problem, **inputs: Any) -> list[tuple[str, str]]:
    shown = {
        "question": problem.question,
        "options": "",
        "rationale": "",
        "answer": None,
        "explanation": None,
        "demonstrations": (),
        "answer_form": "The answer is X.",
        "critiques": (),
        "reasoning": "",
        "max_words": "300",
    }
    return [(m.role, m.content) for m in prompts()[name].messages(None, shown | inputs)]


def ask(model: str, name: str, problem: Problem, seed: int = 1, **inputs: Any) -> str:
    return reply(model, messages(name, problem, **inputs), {"temperature": 0.7}, seed).text
