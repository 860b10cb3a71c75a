"""`errata accept RUN`: acceptance rules over a finished run's log, side by side; no call is made."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from errata.errors import UsageError, did_you_mean, plain
from errata.evidence.figures import NAMES, compared
from errata.evidence.read_log import Evidence, read_evidence
from errata.evidence.rules import RULES, Rule, effective_votes, review_figures
from errata.evidence.votes import votes_of
from errata.runs.acceptance import Acceptance
from errata.runs.marks import read_marks
from errata.runs.review_counts import in_words
from errata.runs.run_dir import find_run


def compare_rules(
    run: str | Path,
    *,
    rules: Sequence[str] = (),
    precision: float = 0.95,
    hide_gold: bool = False,
    votes: Sequence[str] = (),
    marks: Path | None = None,
) -> dict[str, Any]:
    """The rules (by default all) side by side, with what the voters were found to be worth.

    Args:
        precision: what `reliability` shall keep.
        hide_gold: the model sees no gold verdict, so that the realised figures judge it.
        votes: votes of one's own, `my_votes.py:VOTE`.
        marks: a person's marks, JSON lines, beside those that the run holds.

    Raises:
        UsageError: no run, a rule that is none, bad marks or votes.
    """
    chosen = [_rule(name) for name in rules] or list(RULES)
    own = votes_of(votes)
    evidence = read_evidence(find_run(run), own, hide_gold=hide_gold, marks=read_marks(marks) if marks else None)
    settings = Acceptance(rule="reliability", precision=precision)
    accepted = {rule.name: rule.accepts(evidence, settings) for rule in chosen}
    return {
        "run": str(run),
        "rationales": len(evidence.ballots),
        "gold_known": int((evidence.anchored.gold_N >= 0).sum()),
        "marked": int((evidence.ballots.gold_N >= 0).sum() - (evidence.anchored.gold_N >= 0).sum()),
        "precision": precision,
        "rules": compared(evidence, accepted, {rule.name: rule.asks for rule in chosen}),
        "voters": _voters(evidence),
        "effective_votes": effective_votes(evidence),
        "reviews": review_figures(evidence),
    }


def _rule(name: str) -> Rule:
    for rule in RULES:
        if rule.name == name:
            return rule
    names = [rule.name for rule in RULES]
    raise UsageError(
        f"no acceptance rule is called {name}",
        f"the rules are {', '.join(names)}",
        did_you_mean(name, names, "name one of them"),
    )


def _voters(evidence: Evidence) -> dict[str, dict[str, float]]:
    right_ZJ = evidence.model.parameters.right_ZJ
    return {
        voter.name: {"sensitivity": float(right_ZJ[1, column]), "specificity": float(right_ZJ[0, column])}
        for column, voter in enumerate(evidence.kinds.ballots.voters)
    }


def show_rules(result: dict[str, Any]) -> list[str]:
    """The comparison as lines of text for 80 columns. Figures in percent, with 95 % intervals."""
    lines = [
        f"{result['rationales']:,} rationales of {plain(result['run'])}; the model knows the gold verdict of "
        f"{result['gold_known']:,}" + (f", and {result['marked']:,} marked by a person" if result["marked"] else ""),
        "",
        (f"{'rule':<12}" + "".join(f"{name:<22}" for name in NAMES)).rstrip(),
    ]
    for name, each in result["rules"].items():
        lines.append(f"{name}: {each['accepted']:,} accepted, {each['review_calls_per_rationale']:.2f} reviews of each")
        lines.append(f"  {'estimated':<10}{_cells(each['estimated'])}".rstrip())
        if each["realised"] is not None:
            lines.append(f"  {'realised':<10}{_cells(each['realised'])}".rstrip())
    lines += ["", "voter: says of a right one that it is right, of a wrong one that it is wrong"]
    for name, each in result["voters"].items():
        lines.append(f"  {plain(name):<24}{100 * each['sensitivity']:5.1f} %{100 * each['specificity']:8.1f} %")
    worth = result["effective_votes"]
    if worth:
        lines.append(f"the panel: {worth['votes']:.2f} reviews of a rationale, whose errors correlate by")
        lines.append(f"  {worth['correlation']:.2f}, are worth {worth['effective']:.2f} independent votes")
    if saved := in_words(result["reviews"]):
        lines += textwrap.wrap(saved, 80)
    return lines


def _cells(figures: dict[str, dict[str, float | None]]) -> str:
    return "".join(f"{_cell(figures[name]):<22}" for name in NAMES)


def _cell(figure: dict[str, float | None]) -> str:
    value, low, high = figure["value"], figure["low"], figure["high"]
    if value is None or low is None or high is None:
        return "-"
    return f"{100 * value:.1f}" + (
        f" [{100 * low:.1f}, {100 * high:.1f}]" if low is not None and high is not None else ""
    )
