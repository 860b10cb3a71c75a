"""A math-verify worker: answers lines of JSON [gold, answer, form] with a verdict each, until stdin ends.

Run as a script by errata.grading.math_pool, in a process that the kernel ends when one check has used up its processor
time. It imports nothing of errata.
"""

from __future__ import annotations

import json
import logging
import os
import resource
import signal
import sys
from typing import Any

CPU_SECONDS = 2.0
"""Processor time one check may take. Unlike a clock, it gives the same verdict on a busy machine."""
MEMORY_BYTES = 2 * 2**30


def serve() -> None:
    replies = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints is no reply
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    import math_verify

    logging.disable(logging.CRITICAL)
    replies.write(b"ready\n")
    for line in sys.stdin.buffer:
        signal.setitimer(signal.ITIMER_PROF, CPU_SECONDS)  # unhandled, its signal ends the process
        try:
            verdict = _verdict(math_verify, *json.loads(line))
        except Exception:  # the parsers raise all kinds of errors on text that is no expression
            verdict = "different"
        signal.setitimer(signal.ITIMER_PROF, 0)
        replies.write(verdict.encode() + b"\n")


def _verdict(math_verify: Any, gold: str, answer: str, form: bool) -> str:
    from latex2sympy2_extended import NormalizationConfig  # type: ignore[import-untyped]

    # units=False: it takes the product `ab` for a unit and drops it.
    cleaning = NormalizationConfig(basic_latex=True, units=False, malformed_operators=True, nits=True, boxed="none")
    config = [math_verify.LatexExtractionConfig(normalization_config=cleaning)]
    sides = [math_verify.parse(f"${side}$", config, "no_fallback", parsing_timeout=None) for side in (gold, answer)]
    left, right = ([_with_i(side) for side in parsed] for parsed in sides)
    if not math_verify.verify(left, right, timeout_seconds=None, allow_set_relation_comp=True):
        return "different"
    if form and left[0].free_symbols and _shape(left[0]) != _shape(right[0]):
        return "form"
    return "equal"


def _with_i(expression: Any) -> Any:
    """Some spellings of the imaginary unit are parsed as a variable."""
    import sympy  # type: ignore[import-untyped]

    if not hasattr(expression, "free_symbols"):
        return expression
    return expression.xreplace({symbol: sympy.I for symbol in expression.free_symbols if symbol.name == "i"})


def _shape(expression: Any) -> tuple[str, Any, int]:
    """How far an expression is multiplied out: its terms, or its constant factor's size and the number of others."""
    if expression.is_Add:
        return "sum", 0, len(_flat(expression, "is_Add"))
    factors = _flat(expression, "is_Mul")
    constant: Any = 1
    for factor in factors:
        constant = constant * factor if factor.is_number else constant
    return "product", abs(constant), sum(not factor.is_number for factor in factors)


def _flat(expression: Any, kind: str) -> list[Any]:
    if getattr(expression, kind, False):
        return [part for argument in expression.args for part in _flat(argument, kind)]
    if kind == "is_Mul" and expression.is_Pow and expression.exp.is_Integer and 0 < expression.exp < 100:
        return _flat(expression.base, kind) * int(expression.exp)
    return [expression]


if __name__ == "__main__":
    serve()
