"""Where a run's replies and payments are kept: shared by the runs of one folder, so that what is paid once is shared.

    runs/.calls/      replies of all runs under runs/, and each run's ledger
    runs/NAME/        its manifest says what it has paid, should the store be lost or the directory be moved

A ledger goes by the run directory's path. A directory that is new begins its own, whatever an earlier one of its name
has paid; one that was moved or copied brings its payments with it in the manifest, and its replies only with the store.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from errata.config.env import expand
from errata.llm.budget import Ledger
from errata.llm.ledgers import ledger_in
from errata.llm.store import PILOT
from errata.runs.recipe import SynthRecipe
from errata.runs.run_dir import OWN_LEDGER, RunDir

SHARED = ".calls"
OWN_KIND, SHARED_KIND, NAMED_KIND = "own", "shared", "named"


class ReplyStore(NamedTuple):
    """A run's store: its folder, the run's ledger in it, and what the run directory itself knows."""

    folder: Path
    ledger: str
    kind: str
    """`own` (`calls/` in the run directory, as all had it), `shared`, or `named` by the recipe."""
    known: Ledger
    anew: bool

    @property
    def for_pilot(self) -> str:
        """The ledger that a pilot books on: the run's, or one that the run takes over when it begins."""
        return self.ledger + PILOT * self.anew


def reply_store(recipe: SynthRecipe, directory: RunDir) -> ReplyStore:
    """The store of the recipe's run directory, whether it is there yet or not."""
    manifest = directory.manifest()
    known, anew = ledger_in(manifest), not manifest and not directory.log.exists()
    path = str(directory.path.resolve())
    if recipe.store:
        return ReplyStore(Path(expand(recipe.store)), path, NAMED_KIND, known, anew)
    kind = manifest.get("store")
    if kind not in (OWN_KIND, SHARED_KIND):
        kind = OWN_KIND if (directory.calls / "cache.db").exists() else SHARED_KIND
    if kind == OWN_KIND:
        return ReplyStore(directory.calls, OWN_LEDGER, kind, known, anew=False)
    return ReplyStore(directory.path.parent / SHARED, path, kind, known, anew)
