"""The mutants that `make mutants` tries: each differs from its module in one place, and has a name of its own."""

from __future__ import annotations

import ast

import pytest

from benchmarks.mutants import ROOT, TARGETS, mutants_of
from benchmarks.mutations import mutated, mutations

SOURCE = """
def found(x: int | None = 3, *, all: bool = True) -> list[int]:
    return [y for y, _ in zip(x, x, strict=True) if y] if all and x < 4 else not x + 1 - 2
"""


def test_operators_conditions_and_constants_are_changed_one_at_a_time() -> None:
    whole = ast.unparse(ast.parse(SOURCE))
    texts = [mutated(SOURCE, number) for number in range(len(mutations(ast.parse(SOURCE))))]
    assert len(set(texts)) == len(texts)
    assert all(text != whole for text in texts)
    for changed in (
        "or x < 4", "x <= 4", "x < 5", "if not y]", "x + 1 + 2", "x - 1 - 2", "x + 2 - 2", "x + 1 - 3",
        "=4, *", "bool=False",
    ):  # fmt: skip
        assert sum(changed in text for text in texts) >= 1, changed
    assert all("int | None" in text and "strict=True" in text for text in texts)


@pytest.mark.parametrize("module", TARGETS)
def test_every_target_has_tests_and_mutants_of_different_names(module: str) -> None:
    assert all((ROOT / test).is_file() for test in TARGETS[module])
    names = [mutant.name for mutant in mutants_of(ROOT, module)]
    assert names
    assert len(set(names)) == len(names)
