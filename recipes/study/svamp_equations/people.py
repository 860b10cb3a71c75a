"""A backend that answers with the equations which people wrote beside SVAMP's problems (arXiv 2103.07191)."""

import json
import os
import re
from fractions import Fraction
from pathlib import Path

from errata import Backend, ProviderFailure, Reply

INNERMOST = re.compile(r"\( (\S+) ([-+*/]) (\S+) \)")


class People(Backend):
    """Replies with a problem's equation, worked out one operation per line."""

    remote = False

    def __init__(self):
        path = Path(os.environ.get("ERRATA_DATA", "data")) / "svamp" / "SVAMP.json"
        self._equations = {
            _bare(f"{each['Body']} {each['Question']}"): each["Equation"]
            for each in json.loads(path.read_text("utf-8"))
        }

    async def complete(self, request, seed):
        equation = self._equations.get(_bare(request.context.question))
        if equation is None:
            raise ProviderFailure("no problem of SVAMP has this question")
        return Reply(worked_out(equation))


def worked_out(equation):
    """`( ( 26.0 - 10.0 ) / 4.0 )` as the lines `26 - 10 = 16`, `16 / 4 = 4` and `The answer is 4.`"""
    lines = []
    while found := INNERMOST.search(equation):
        left, sign, right = Fraction(found[1]), found[2], Fraction(found[3])
        result = {"+": left.__add__, "-": left.__sub__, "*": left.__mul__, "/": left.__truediv__}[sign](right)
        lines.append(f"{_number(left)} {sign} {_number(right)} = {_number(result)}")
        equation = equation[: found.start()] + str(result) + equation[found.end() :]
    return "\n".join([*lines, f"The answer is {_number(Fraction(equation))}."])


def _number(value):
    """15, 2.5, 0.3333."""
    return str(value.numerator) if value.denominator == 1 else f"{float(value):.4f}".rstrip("0")


def _bare(text):
    return "".join(text.split())
