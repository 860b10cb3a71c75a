"""Where an eval's replies and payments are kept: in the store beside the runs, as those of a synthesis are.

    runs/.calls/               replies of all runs and evals under runs/, and each one's ledger
    runs/NAME/evals/spent.json what the evals of a run directory have paid, should the store be lost or they be moved

An eval that has its replies in its run directory's own `calls/`, as all had it, goes on with them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from errata.config.env import expand
from errata.config.files import read_json
from errata.evals.recipe import EvalRecipe
from errata.evals.results import write_json
from errata.llm.budget import Ledger
from errata.llm.ledgers import ledger_in
from errata.runs.reply_store import NAMED_KIND, OWN_KIND, SHARED, SHARED_KIND, ReplyStore

LEDGER = "evals"
SPENT = "spent.json"


def eval_store(recipe: EvalRecipe, home: Path) -> ReplyStore:
    """The store of the evals of a run directory, whether they are there yet or not."""
    known, anew = _known(home), not (home / LEDGER).exists()
    if recipe.store:
        return ReplyStore(Path(expand(recipe.store)), f"{home}/{LEDGER}", NAMED_KIND, known, anew)
    if (home / "calls" / "cache.db").exists():
        return ReplyStore(home / "calls", LEDGER, OWN_KIND, known, anew=False)
    path = home.resolve()
    return ReplyStore(path.parent / SHARED, f"{path}/{LEDGER}", SHARED_KIND, known, anew)


def _known(home: Path) -> Ledger:
    return ledger_in({"spent": read_json(home / LEDGER / SPENT)})


def write_spent(home: Path, spent: dict[str, Any]) -> None:
    """Writes down what the evals of a run directory have paid in all."""
    write_json(home / LEDGER / SPENT, {"all_runs": spent["all_runs"]})
