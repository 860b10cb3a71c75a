"""A backend that answers with the calculator marks of GSM8K's solutions, such as <<48/2=24>> (arXiv 2110.14168)."""

import json
import os
import re
from pathlib import Path

from errata import Backend, ProviderFailure, Reply

MARK = re.compile(r"<<([^<>\n]*)>>")
SIGN = re.compile(r"\s*([-+*/=])\s*")


class People(Backend):
    """Replies with the equations of a problem's solution, one per line, and with what the last one comes to."""

    remote = False

    def __init__(self):
        path = Path(os.environ.get("ERRATA_DATA", "data")) / "gsm8k" / "train.jsonl"
        problems = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
        self._solutions = {each["question"].strip(): each["answer"] for each in problems}

    async def complete(self, request, seed):
        solution = self._solutions.get(request.context.question.strip())
        if solution is None:
            raise ProviderFailure("no training problem of GSM8K has this question")
        return Reply(equations(solution))


def equations(solution):
    """`He sold 48/2 = <<48/2=24>>24. #### 24` as the lines `48 / 2 = 24` and `The answer is 24.`

    What the equations do not lead to is not added: such a reply is graded wrong, as one without any is.
    """
    marks = [mark for mark in MARK.findall(solution) if "=" in mark]
    if not marks:
        return "There is no equation."
    lines = [SIGN.sub(r" \1 ", mark).strip() for mark in marks]
    return "\n".join([*lines, f"The answer is {marks[-1].rpartition('=')[2].strip()}."])
