"""The acceptance rule that a run's recipe names, as its status and report show it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from errata.errors import ErrataError
from errata.evidence.figures import estimated, realised
from errata.evidence.read_log import read_evidence
from errata.evidence.rules import rule_of
from errata.runs.run_dir import RunDir, find_run
from errata.runs.saved_recipe import load_saved_recipe
from errata.runs.status import status


def accepted_by(run: RunDir) -> dict[str, Any] | None:
    """What the recipe's rule accepts, and with which precision; None where the recipe names no rule, or is not there.

    Contract: `{"rule", "rationales", "accepted", "estimated": {"value", "low", "high"}, "realised": {...} or null}`,
    `estimated` by the model of the voters, `realised` over the rationales with a gold verdict. No call is made.
    """
    try:
        acceptance = load_saved_recipe(run.recipe).accept
    except ErrataError:
        return None
    if acceptance is None:
        return None
    evidence = read_evidence(run)
    accepted = {"rule": rule_of(acceptance.rule).accepts(evidence, acceptance)}
    truth = realised(evidence, accepted)["rule"]
    return {
        "rule": acceptance.rule,
        "rationales": len(evidence.ballots),
        "accepted": int(accepted["rule"].sum()),
        "estimated": estimated(evidence, accepted)["rule"]["precision"],
        "realised": None if truth is None else truth["precision"],
    }


def status_with_rule(run: str | Path) -> dict[str, Any]:
    """The figures of `errata status`, with those of the acceptance rule that the run's recipe names."""
    return {**status(run), "accepted_by": accepted_by(find_run(run))}


def sentence(figures: dict[str, Any]) -> str:
    """The same in words; shares in percent with 95 % intervals, an estimate called one."""
    of = f"Accepted by {figures['rule']}: {figures['accepted']:,} of {figures['rationales']:,} judged rationales"
    parts = [of, _share("estimated precision", figures["estimated"])]
    if figures["realised"] is not None:
        parts.append(_share("precision where a gold answer is known", figures["realised"]))
    return "; ".join(part for part in parts if part) + "."


def _share(name: str, figure: dict[str, float | None]) -> str:
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None or low is None or high is None:
        return ""
    return f"{name} {100 * value:.1f} % [{100 * low:.1f}, {100 * high:.1f}]"
