"""Grading LaTeX answers: what a rationale costs where algebra is needed, beside one whose answer is a plain string.

light   answers spelled as their gold is, or plain numbers
heavy   a third of the rationales write the answer in another form, right or wrong: radicals, fractions, factors,
        tuples, intervals, matrices; no two of them alike, so that no verdict is remembered
tdg     the released rationales of MATH, where $ERRATA_DATA holds them: of problems whose gold is a plain number, and
        of the others

Everything is graded with one grader that has been warmed up, the start of its workers apart.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from statistics import median

from errata.data.problems import Problems
from errata.data.source import ProblemSource
from errata.grading.grader import Grader
from errata.records import Problem

COUNT = 3_000
ROUNDS = 3
MOST_TIMES_LIGHT = 2.0
EVERY = 10
"""One problem of the released ones in this many is graded."""

Case = tuple[Problem, str]


def problem(gold: str, question: str = "What is it?") -> Problem:
    return Problem(id=gold[:40], task="bench", question=question, answer=gold, kind="latex")


def rationale(answer: str, source: random.Random) -> str:
    steps = "\n".join(f"Step {n}: $x_{n} = {source.randrange(99)} + {source.randrange(99)}$." for n in range(1, 9))
    return f"{steps}\nSo the answer is $\\boxed{{{answer}}}$."


def light_case(source: random.Random) -> Case:
    number = source.randrange(1, 10**6)
    gold, answer = source.choice(
        [(str(number), f"{number:,}"), (rf"\frac{{{number}}}{{7}}", rf"\dfrac{{{number}}}{{7}}"), (f"x+{number}",) * 2]
    )
    return problem(gold), rationale(answer, source)


def heavy_forms(a: int, b: int, c: int) -> Sequence[tuple[str, str]]:
    """Golds with the same value in another form."""
    return (
        (rf"{a}\sqrt{{{b}}}", rf"\sqrt{{{a * a * b}}}"),
        (rf"\frac{{{a}}}{{\sqrt{{{b}}}}}", rf"\frac{{{a}\sqrt{{{b}}}}}{{{b}}}"),
        (f"(x+{a})(x-{b})", f"x^2+{a - b}x-{a * b}".replace("+-", "-")),
        (rf"\left(\frac{{{a}}}{{{b}}},{c}\right)", rf"\left(\frac{{{2 * a}}}{{{2 * b}}},{c}\right)"),
        (rf"[{a},{a + b})\cup({a + b + c},\infty)", rf"({a + b + c},\infty)\cup[{a},{a + b})"),
        (
            rf"\begin{{pmatrix}} {a} & \frac{{{b}}}{{2}} \\ {c} & 1 \end{{pmatrix}}",
            rf"\begin{{pmatrix}} {a} & {b}/2 \\[1ex] {c} & 1 \end{{pmatrix}}",
        ),
        (rf"{a}+{b}\pi", rf"{b}\pi+{a}"),
        (rf"{a}-\sqrt{{{b}}},{a}+\sqrt{{{b}}}", rf"{a}+\sqrt{{{b}}},{a}-\sqrt{{{b}}}"),
    )


def heavy_case(source: random.Random) -> Case:
    a, b, c = (source.randrange(2, 400) for _ in range(3))
    gold, same = source.choice(heavy_forms(a, b, c))
    if source.random() < 0.5:
        return problem(gold), rationale(same, source)
    other = heavy_forms(a + 1, b, c + 1)
    return problem(gold), rationale(source.choice(other)[1], source)


def cases(heavy_share: float, seed: int, count: int = COUNT) -> list[Case]:
    source = random.Random(seed)
    return [heavy_case(source) if source.random() < heavy_share else light_case(source) for _ in range(count)]


def released(folder: Path) -> Iterator[Case]:
    """Released rationales, from problems all over the file."""
    path = folder / "tdg" / "gpt4_math.jsonl"
    problems = Problems(ProblemSource(source=str(path), mapping="tdg_math"))
    with path.open(encoding="utf-8") as lines:
        for each, line in zip(problems, lines, strict=False):
            if each.position % EVERY == 0:
                yield from ((each, text) for text in json.loads(line)["generated_answer"])


def by_gold(given: Iterable[Case]) -> dict[str, list[Case]]:
    """Released cases by whether the gold answer is a plain number."""
    found: dict[str, list[Case]] = {"tdg, plain golds": [], "tdg, other golds": []}
    for case in given:
        plain = re.fullmatch(r"-?[\d,.]+", case[0].answer)
        found["tdg, plain golds" if plain else "tdg, other golds"].append(case)
    return found


async def milliseconds(grader: Grader, batch: Sequence[Case]) -> tuple[float, float]:
    """Wall-clock time per rationale, and the share that needed a worker."""
    started = time.perf_counter()
    grades = [await grader.grade(*case) for case in batch]
    spent = time.perf_counter() - started
    workers = sum("math_verify" in grade.rule for grade in grades)
    return 1000 * spent / len(batch), workers / len(batch)


async def measure() -> bool:
    folder = Path(os.environ.get("ERRATA_DATA", "data"))
    times: dict[str, list[float]] = {"light": [], "heavy": []}
    shares: dict[str, float] = {}
    async with Grader() as grader:
        await grader.same("latex", r"\sin(x)", r"\cos(x)")
        for number in range(ROUNDS):
            for name, share in (("light", 0.0), ("heavy", 1 / 3)):
                spent, shares[name] = await milliseconds(grader, cases(share, number))
                times[name].append(spent)
        if (folder / "tdg").is_dir():
            cases_of = by_gold(released(folder))
            for name, batch in cases_of.items():
                spent, shares[name] = await milliseconds(grader, batch)
                times[name] = [spent]
    light = median(times["light"])
    print("| rationales | ms per rationale | to light | by math-verify |\n|---|---|---|---|")
    for name, values in times.items():
        print(f"| {name} | {median(values):.3f} | {median(values) / light:.2f} | {100 * shares[name]:.1f} % |")
    return median(times["heavy"]) <= MOST_TIMES_LIGHT * light


def main() -> int:
    return 0 if asyncio.run(measure()) else 1


if __name__ == "__main__":
    raise SystemExit(main())
