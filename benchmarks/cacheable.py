"""The share of each shipped prompt that is the same for every problem and stands first, so that a cache can keep it.

Over the embedded problems, with their own solutions where a text of a model goes in, and with as many examples as are
usual; tokens are characters / 4. Exits 1 where a teacher's or reviewer's prompt does not begin with its fixed part.
"""

from __future__ import annotations

from typing import Any

from errata.agents.demonstration import Demonstration
from errata.agents.prompt_inputs import answer_form
from errata.agents.prompts import load_prompts
from errata.classroom.problems import problems
from errata.records import Problem

EXAMPLES = 3
CHARS_PER_TOKEN = 4


def inputs_of(problem: Problem, names: tuple[str, ...], examples: tuple[Demonstration, ...]) -> dict[str, Any]:
    text = problem.rationale or ""
    inputs: dict[str, Any] = dict.fromkeys(names, text)
    inputs |= {"question": problem.question, "options": "", "answer": problem.answer, "critiques": (text,)}
    inputs["max_words"] = "300"
    return inputs | {"answer_form": answer_form(problem), "demonstrations": examples}


def main() -> bool:
    """Prints one row per prompt; True where every prompt of teachers and reviewers begins with its fixed part."""
    shown = tuple(problems({"count": 40, "split": "lesson", "seed": 17}))
    texts = [(each.question, each.rationale or "") for each in shown[:EXAMPLES]]
    examples = tuple(Demonstration(question=asked, rationale=text, wrong=text) for asked, text in texts)
    prompts = load_prompts(None, {})
    print("| prompt | tokens | the same for all | share | with examples | the same for all | share |")
    print("|---" * 7 + "|")
    good = True
    for name in sorted(name.partition("@")[0] for name in prompts.hashes()):
        row = [name]
        for given in ((), examples):
            rendered = [
                prompts[name].messages(None, inputs_of(each, prompts[name].inputs, given))[-1].content
                for each in shown[EXAMPLES:]
            ]
            fixed = next(at for at, letters in enumerate(zip(*rendered, strict=False)) if len(set(letters)) > 1)
            mean = sum(map(len, rendered)) / len(rendered)
            row += [f"{mean / CHARS_PER_TOKEN:.0f}", f"{fixed / CHARS_PER_TOKEN:.0f}", f"{100 * fixed / mean:.0f} %"]
            good &= fixed >= 20 * CHARS_PER_TOKEN or name == "student/solve"
        print(f"| {' | '.join(row)} |")
    return good


if __name__ == "__main__":
    raise SystemExit(not main())
