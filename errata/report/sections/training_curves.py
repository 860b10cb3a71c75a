"""Training curves of the checkpoints that were evaluated, by loss term, from the logs in their evals' manifests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from errata.evals.capacity import capacity_of, in_words
from errata.evals.results import Eval
from errata.report.charts import THIRD, lines
from errata.report.figures import Cell, Chart, Figure, Rows, Section, Table, count

MOST_POINTS = 160
"""Points of a curve; a longer log is thinned evenly, its last point kept."""
MOST_TRAININGS = 12
KINDS = (
    ("loss/", "loss by term", ".3~r"),
    ("grad_share/", "share of the gradient", "%"),
    ("logp/", "log-probability a token", ".3~r"),
)


def section(evals: Sequence[Eval]) -> Section | None:
    """None where no training left a log."""
    trainings: dict[str, tuple[str, dict[str, Any]]] = {}
    for each in evals:
        training = each.manifest.training or {}
        if training.get("log"):
            trainings.setdefault(str(training.get("output") or each.name), (each.manifest.label or each.name, training))
    labels = Counter(label for label, _ in trainings.values())
    figures = [
        _figure(label if labels[label] == 1 else f"{label}, seed {training.get('seed')}", training)
        for label, training in list(trainings.values())[:MOST_TRAININGS]
    ]
    drawn = [figure for figure in figures if figure]
    if not drawn:
        return None
    lede = (
        "Each term's value before its factor, its share of the gradient's norm at the last hidden state, and the mean "
        "log-probability of the texts by kind, over optimiser steps."
    )
    left_out = len(trainings) - MOST_TRAININGS
    notes = [f"{left_out} more trainings are not drawn"] if left_out > 0 else []
    return Section("training", "Training", lede, drawn, notes=notes)


def _figure(name: str, training: dict[str, Any]) -> Figure | None:
    log = [entry for entry in training["log"] if isinstance(entry, dict) and isinstance(entry.get("step"), int | float)]
    log = [entry for entry in log if isinstance(entry.get("loss"), int | float)]
    if not log:
        return None
    charts, used = [], []
    for prefix, caption, form in KINDS:
        keys = list(dict.fromkeys(key for entry in log for key in entry if key.startswith(prefix)))
        if prefix == "loss/" and not keys:
            keys = ["loss"]
        if keys:
            charts.append(_curves(log, keys, prefix, form).named(caption))
            used += keys
    first, last = log[0]["loss"], log[-1]["loss"]
    method = f" by {training['method']}" if training.get("method") else ""
    moved = "falls" if last < first else "goes"
    tokens = f", {training['target_tokens']:,} target tokens" if training.get("target_tokens") else ""
    capacity = capacity_of(training)
    size = f", {in_words(capacity)}" if capacity else ""
    title = f"{name}: the loss {moved} from {first:.3g} to {last:.3g} in {count(int(log[-1]['step']), 'step')}."
    entries = _thinned(log, 30)
    columns = list(dict.fromkeys(["loss", *used]))
    table = [[_number(entry["step"]), *(_number(entry.get(key)) for key in columns)] for entry in entries]
    return Figure(title, Table(("step", *columns), table), charts, f"Trained{method}{size}{tokens}.", wide=True)


def _curves(log: Sequence[dict[str, Any]], keys: Sequence[str], prefix: str, form: str) -> Chart:
    rows: Rows = []
    for entry in _thinned(log, MOST_POINTS):
        for key in keys:
            value = entry.get(key)
            if isinstance(value, int | float):
                name = key.removeprefix(prefix)
                tooltip = f"step {entry['step']:g}, {name}: {value:.4g}"
                rows.append({"x": entry["step"], "series": name, "value": value, "tooltip": tooltip})
    series = [key.removeprefix(prefix) for key in keys]
    domain = (0, 1) if prefix == "grad_share/" else None
    return lines(rows, series, x_title="step", form=form, domain=domain, width=THIRD)


def _thinned(log: Sequence[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    if len(log) <= most:
        return list(log)
    return [log[round(place * (len(log) - 1) / (most - 1))] for place in range(most)]


def _number(value: Any) -> Cell:
    if isinstance(value, float):
        return f"{value:.4g}"
    return value if isinstance(value, int) else None
