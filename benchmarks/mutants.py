"""How many small faults the tests find: `make mutants`, or `python -m benchmarks.mutants [--minutes 10] [MODULE ...]`.

    module --ast--> its mutants --shuffled by seed--> a copy of the project with one --pytest--> killed | survived

A mutant swaps one operator, turns one condition round or changes one constant. The project is copied to a temporary
folder, and nothing is written into the working tree (mutmut 3 and cosmic-ray both write there). Tests run in forks of
one process that has imported their libraries, which takes longer than most of them. Results go to a file, and a mutant
that stands in it is not run again while neither its module nor its tests have changed.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from typing import NamedTuple, NoReturn

import pytest

from benchmarks.mutations import mutated, mutations

ROOT = Path(__file__).parents[1]
GRADING = ("tests/grading/test_extract.py", "tests/grading/test_answer_forms.py", "tests/grading/test_grader.py")
EXPORTS = ("tests/exports/test_row_rules.py", "tests/exports/test_write.py")
TARGETS: dict[str, tuple[str, ...]] = {
    "errata/agents/parse_reply.py": ("tests/agents/test_parse_reply.py", "tests/agents/test_replies.py"),
    "errata/evals/aggregate.py": ("tests/evals/test_voting.py", "tests/evals/test_evaluate.py"),
    "errata/evals/estimate.py": ("tests/evals/test_estimate.py", "tests/evals/test_measure.py"),
    "errata/evals/evidence.py": ("tests/evals/test_evidence.py",),
    "errata/evals/paired_score.py": ("tests/evals/test_paired_score.py",),
    "errata/evals/measure.py": ("tests/evals/test_measure.py", "tests/evals/test_compare.py"),
    "errata/evals/pairing.py": ("tests/evals/test_pairing.py",),
    "errata/evals/stats.py": ("tests/evals/test_stats.py",),
    "errata/evals/two_parts.py": ("tests/evals/test_two_parts.py",),
    "errata/evals/voting.py": ("tests/evals/test_voting.py",),
    "errata/evidence/rules.py": ("tests/evidence/test_rules.py", "tests/evidence/test_commands.py"),
    "errata/exports/correct_rows.py": EXPORTS,
    "errata/exports/dedup.py": ("tests/exports/test_dedup.py",),
    "errata/exports/labeled_rows.py": EXPORTS,
    "errata/exports/pair_rows.py": EXPORTS,
    "errata/grading/choices.py": GRADING,
    "errata/grading/collection.py": GRADING,
    "errata/grading/compare.py": GRADING,
    "errata/grading/extract.py": GRADING,
    "errata/grading/final_sentence.py": GRADING,
    "errata/grading/interval.py": GRADING,
    "errata/grading/latex.py": ("tests/grading/test_latex.py", *GRADING),
    "errata/grading/numbers.py": GRADING,
    "errata/grading/quantity.py": GRADING,
    "errata/graphs/stages/parroting.py": ("tests/graphs/stages/test_parroting.py",),
    "errata/graphs/stages/review_panel.py": ("tests/graphs/test_rules.py", "tests/graphs/test_graphs.py"),
    "errata/graphs/stages/word_diff.py": ("tests/graphs/stages/test_word_diff.py",),
    "errata/studies/plan.py": ("tests/studies/test_plan.py",),
    "errata/studies/record.py": ("tests/studies/test_record.py",),
    "errata/studies/results.py": (
        "tests/studies/test_results.py",
        "tests/studies/test_card.py",
        "tests/studies/test_page.py",
    ),
    "errata/training/align.py": ("tests/training/test_align.py",),
    "errata/training/collate.py": ("tests/training/test_collate.py",),
    "errata/training/group_rows.py": ("tests/training/test_group_rows.py",),
    "errata/training/losses.py": ("tests/training/test_losses.py",),
    "errata/training/terms.py": (
        "tests/training/test_objective.py",
        "tests/training/test_gradients.py",
        "tests/training/methods/test_nce.py",
    ),
}
"""The pure logic, and who tests it."""


class Mutant(NamedTuple):
    """One fault: the place of a mutation among those of its module, and what it does."""

    module: str
    number: int
    what: str

    @property
    def name(self) -> str:
        return f"{self.module}:{self.what} (#{self.number})"


def mutants_of(root: Path, module: str) -> Iterator[Mutant]:
    """All mutants of a module, in its order."""
    for number, what in enumerate(mutations(ast.parse((root / module).read_text()))):
        yield Mutant(module, number, what)


def copy_project(folder: Path) -> None:
    """Copies what git knows of, as it stands in the working tree."""
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, check=True)
    for name in listed.stdout.decode().splitlines():
        if (ROOT / name).is_file() and not name.startswith(".venv"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes((ROOT / name).read_bytes())


def import_libraries() -> None:
    """Imports what tests import of others' packages, once for all mutants: each is tried in a fork of this process.

    Nothing of the project, and nothing is computed: threads would end in the forks.
    """
    os.environ.update(
        HF_HUB_OFFLINE="1", HF_HUB_DISABLE_TELEMETRY="1", TOKENIZERS_PARALLELISM="false", TRL_EXPERIMENTAL_SILENCE="1"
    )
    for name in ("hypothesis", "pydantic", "langgraph.graph", "scipy.stats", "datasets", "peft", "trl"):
        with suppress(ImportError):
            import_module(name)


def passes(folder: Path, tests: tuple[str, ...], limit: float | None = None) -> bool:
    """Whether these tests pass in the copy; a run over the limit (seconds) does not."""
    child = os.fork()
    if not child:
        _run_tests(folder, tests)
    until = None if limit is None else time.monotonic() + limit
    while True:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return status == 0
        if until is not None and time.monotonic() > until:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return False
        time.sleep(0.05)


def _run_tests(folder: Path, tests: tuple[str, ...]) -> NoReturn:
    """Runs tests in the copy, in a process group of its own, and ends the process with their exit code."""
    code = 1
    try:
        os.setpgid(0, 0)
        os.chdir(folder)
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        sys.path[:] = [str(folder), *(path for path in sys.path if path not in ("", str(ROOT)))]
        sys.dont_write_bytecode = True  # a mutant may have the size and the second of the module before it
        os.environ.update(PYTHONPATH=str(folder), PYTHONDONTWRITEBYTECODE="1", OMP_NUM_THREADS="1")
        code = int(pytest.main(["-qx", "-p", "no:cacheprovider", "--hypothesis-seed=0", *tests]))
    finally:
        os._exit(code)


def state_of(root: Path, module: str) -> str:
    """A hash of a module and its tests, with which a result stands and falls."""
    files = [root / module, *(root / test for test in TARGETS[module])]
    return hashlib.sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]


def read_results(file: Path) -> dict[tuple[str, str], str]:
    """By the state of its module and its name, what became of a mutant."""
    rows = (json.loads(line) for line in file.read_text().splitlines()) if file.exists() else ()
    return {(row["state"], row["mutant"]): row["outcome"] for row in rows}


class Trial:
    """The copy of the project, and the unmutated tests' time by module."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._seconds: dict[str, float] = {}

    def outcome(self, mutant: Mutant) -> str | None:
        """Whether its module's tests find the mutant; None where they fail without it, which is said."""
        module, tests = mutant.module, TARGETS[mutant.module]
        if module not in self._seconds:
            began = time.monotonic()
            sound = passes(self.folder, tests)
            self._seconds[module] = time.monotonic() - began if sound else 0.0
            if not sound:
                print(f"left out  {module}: its tests fail as it stands: {' '.join(tests)}", flush=True)
        if not self._seconds[module]:
            return None
        text = (self.folder / module).read_text()
        (self.folder / module).write_text(mutated(text, mutant.number))
        try:
            return "survived" if passes(self.folder, tests, 30 + 5 * self._seconds[module]) else "killed"
        finally:
            (self.folder / module).write_text(text)


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    arguments.add_argument("modules", nargs="*", metavar="MODULE", help="by default all of TARGETS")
    arguments.add_argument("--minutes", type=float, default=10.0, help="no mutant is begun after so many")
    arguments.add_argument("--seed", type=int, default=0, help="of the order in which mutants are tried")
    arguments.add_argument("--results", type=Path, default=Path(tempfile.gettempdir()) / "errata-mutants.jsonl")
    given = arguments.parse_args()
    mutants = [each for module in given.modules or TARGETS for each in mutants_of(ROOT, module)]
    random.Random(given.seed).shuffle(mutants)
    known, until, outcomes = read_results(given.results), time.monotonic() + 60 * given.minutes, Counter[str]()
    with tempfile.TemporaryDirectory(prefix="errata-mutants-") as folder, given.results.open("a") as results:
        copy_project(Path(folder))
        import_libraries()
        trial = Trial(Path(folder))
        for mutant in mutants:
            state = state_of(Path(folder), mutant.module)
            outcome = known.get((state, mutant.name))
            if outcome is None:
                if time.monotonic() > until:
                    continue
                if (outcome := trial.outcome(mutant)) is None:
                    continue
                row = {"state": state, "mutant": mutant.name, "outcome": outcome}
                results.write(json.dumps(row) + "\n")
                results.flush()
            outcomes[outcome] += 1
            if outcome == "survived":
                print(f"survived  {mutant.name}", flush=True)
    tried = outcomes.total()
    print(f"{tried} of {len(mutants)} mutants tried: {outcomes['killed']} killed, {outcomes['survived']} survived")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
