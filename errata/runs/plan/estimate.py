"""What a run will take before it is paid for: least, expected and most calls, tokens and dollars, by stage and agent.

    recipe -> calls for one problem (errata.runs.plan.call_counts) x problems x tokens of a call x price

Nothing is asked of a model unless a pilot is: the first N problems then run in a directory of their own, with the
replies kept in the run's own store, so that the run does not pay for them again; calls and tokens of a problem, fresh
tries for unreadable replies among them, and the time of a call are taken from what the pilot shows. Without one, rates
and tokens are assumptions, all of them shown, and every reply is taken to be readable.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from errata.agents.prompt_inputs import answer_form, options_of, shown_answer
from errata.agents.prompts import Prompts
from errata.config.env import expand
from errata.data.problems import Problems
from errata.errors import UsageError
from errata.graphs.call_counts import RATES, CallEstimate, Range, Rates, tries_of
from errata.llm.budget import Amounts
from errata.llm.payments import UNSTATED
from errata.llm.preflight import check
from errata.llm.prices import cost, price_of
from errata.llm.spec import Sampling
from errata.records import Problem
from errata.runs.plan.notes import notes_of
from errata.runs.plan.pilot import Tokens, run_pilot
from errata.runs.recipe import SynthRecipe
from errata.runs.run_dir import LogIndex, RunDir
from errata.runs.saved_recipe import refuse_other_recipe
from errata.runs.warmup import reviewed_first

CHARS_PER_TOKEN = 4
LOOKED_AT = 50
"""Problems whose prompts are rendered to estimate their length."""

SPENT = ("paid", "prompt_tokens", "completion_tokens", "usd")


def estimate(recipe: SynthRecipe, *, assume: Sequence[str] = (), pilot: int | None = None) -> dict[str, Any]:
    """The estimate as JSON-able values. `assume` holds `rate=share` texts. Raises UsageError."""
    check(recipe.agents, recipe.budget)
    rates = rates_of(assume)
    prompts = recipe.load_prompts()
    run = RunDir(Path(expand(recipe.runs)) / recipe.name)
    problems = Problems(recipe.problems, recipe.limit)
    first, number, left = _look(problems, run.index())
    if reviewed_first(recipe):
        rates = replace(rates, in_warmup=min(1.0, reviewed_first(recipe) / number))
    measured = run_pilot(recipe, pilot) if pilot else None
    if measured:
        rates = replace(rates, unreadable=measured.unreadable)
    spent = run.manifest().get("spent", {}).get("all_runs", {})
    rows = []
    for estimate in recipe.calls(rates):
        key = (estimate.stage, estimate.verb, estimate.agent.name)
        calls = estimate.calls.times(number)
        tokens = _tokens(recipe, estimate, prompts, first)
        if measured and not estimate.by_policy:
            expected = measured.calls.get(key, 0.0) * number
            calls = Range(min(calls.least, expected), expected, max(calls.most, expected))
        if measured:
            tokens = measured.tokens.get(key, tokens)
        rows.append(_row(estimate, calls, tokens) | {"seconds": measured.seconds.get(key) if measured else None})
    remaining = {what: _scaled(amounts, left / number) for what, amounts in _totals(rows).items()}
    return {
        "recipe": recipe.name,
        "graph": recipe.graph,
        "pipeline": recipe.graph if recipe.stages is None else ", ".join(recipe.stages),
        "problems": number,
        **_totals(rows),
        "run": {"settled": number - left, "spent": {key: spent[key] for key in SPENT if key in spent}},
        "left": {"problems": left, **remaining, "duration_s": _duration(recipe, rows, left / number)},
        "fresh_tries_at_most": _fresh(recipe, rates, number),
        "stages": {stage: _totals(row for row in rows if row["stage"] == stage) for stage in _stages(rows)},
        "agents": {name: _totals(row for row in rows if row["agent"] == name) for name in _agents(rows)},
        "rows": [{key: value for key, value in row.items() if key not in ("drawn", "seconds")} for row in rows],
        "assumptions": {} if measured else asdict(rates) | {"completion_tokens": _reply_lengths(recipe)},
        "pilot": measured.figures() if measured else None,
        "notes": [
            *notes_of(recipe, rates, measured),
            *_unbounded(recipe, prompts),
            *_of_the_run(run, recipe, number - left),
            *problems.notes(),
            *_over_budget(recipe, rows, left / number, spent),
        ],
    }


def rates_of(assume: Iterable[str]) -> Rates:
    """The default rates with those given as `name=share`. Raises UsageError."""
    given = {}
    for text in assume:
        name, _, value = text.partition("=")
        if name not in RATES:
            near = get_close_matches(name, RATES, n=1, cutoff=0)
            raise UsageError(f"--assume {text}", f"the nearest known rate is {near[0]}", f"known: {', '.join(RATES)}")
        try:
            given[name] = float(value)
        except ValueError:
            given[name] = -1.0
        if not 0 <= given[name] <= 1:
            raise UsageError(f"--assume {text}", "a rate is a share from 0 to 1", f"e.g. {name}=0.7")
    return replace(Rates(), **given)


def _look(problems: Problems, index: LogIndex) -> tuple[list[Problem], int, int]:
    """The first problems, the number of all, and of those that the run's log has not settled."""
    first: list[Problem] = []
    number = left = 0
    for problem in problems:
        if number < LOOKED_AT:
            first.append(problem)
        number += 1
        left += not index.is_settled(problem.id)
    return first, number, left


# ---- the run so far and its budget -----------------------------------------------------------------------------------


def _of_the_run(run: RunDir, recipe: SynthRecipe, settled: int) -> list[str]:
    notes = []
    try:
        refuse_other_recipe(run.recipe, recipe)
    except UsageError as error:
        notes.append(f"`errata synth` would refuse this: {error.found}")
    if settled:
        notes.append(f"{settled} problems are settled; of the others, replies that are stored already cost nothing")
    return notes


def _over_budget(
    recipe: SynthRecipe, rows: Sequence[dict[str, Any]], left: float, spent: Mapping[str, Any]
) -> list[str]:
    """Which budgets will not do, by what is expected of the problems left and what is spent."""
    budget = recipe.budget
    parts: list[tuple[str, Amounts, Sequence[dict[str, Any]], Mapping[str, Any]]] = [("budget", budget, rows, spent)]
    for stage, amounts in budget.stages.items():
        of_stage = [row for row in rows if row["stage"] == stage]
        parts.append((f"budget.stages.{stage}", amounts, of_stage, spent.get("stages", {}).get(stage, {})))
    notes = []
    for name, amounts, mine, paid in parts:
        before = {
            "calls": paid.get("paid", 0),
            "tokens": paid.get("prompt_tokens", 0) + paid.get("completion_tokens", 0),
            "usd": paid.get("usd", 0.0) or 0.0,
        }
        for unit, what in (("usd", "cost_usd"), ("tokens", "tokens"), ("calls", "calls")):
            limit, ahead = getattr(amounts, unit), _total(list(mine), what)["expected"]
            if limit is not None and ahead is not None and before[unit] + ahead * left > limit:
                in_all = before[unit] + ahead * left
                notes.append(f"{name}.{unit} is {limit:g}, and {in_all:.6g} is expected: the run would stop on the way")
    return notes


# ---- tokens ----------------------------------------------------------------------------------------------------------


def _tokens(recipe: SynthRecipe, estimate: CallEstimate, prompts: Prompts, problems: Sequence[Problem]) -> Tokens:
    limit = _limit(recipe, estimate, prompts) or UNSTATED
    usual = min(estimate.tokens, limit)
    completion = Range(usual / 2, usual, limit)
    length = prompt_length(estimate, prompts, problems)
    return Tokens(length / CHARS_PER_TOKEN, completion)


def _limit(recipe: SynthRecipe, estimate: CallEstimate, prompts: Prompts) -> int | None:
    """The longest reply in tokens, None where nothing bounds it."""
    usual = prompts[estimate.prompt].max_tokens
    parameters = estimate.agent.parameters(sampling_of(recipe, estimate.stage), usual)
    limit: int | None = parameters.get("max_tokens") or parameters.get("max_completion_tokens")
    return UNSTATED if limit is None and estimate.agent.model.startswith("local/") else limit


def prompt_length(estimate: CallEstimate, prompts: Prompts, problems: Sequence[Problem]) -> float:
    """Characters of a prompt, on average over the problems, with texts of the usual length where replies go in."""
    prompt = prompts[estimate.prompt]
    total = 0
    for problem in problems:
        inputs: dict[str, Any] = dict.fromkeys(prompt.inputs, _text(200))
        inputs |= {
            "question": problem.question,
            "options": options_of(problem),
            "answer_form": answer_form(problem),
            "answer": shown_answer(problem),
            "explanation": _text(150),
            "critiques": (_text(150),),
            "demonstrations": (),
        }
        inputs |= estimate.inputs(problem) if estimate.inputs else {}
        total += sum(len(message.content) for message in prompt.messages(estimate.agent.system, inputs))
    return total / len(problems)


def _text(tokens: int) -> str:
    return "x" * (tokens * CHARS_PER_TOKEN)


def sampling_of(recipe: SynthRecipe, stage: str) -> Sampling:
    """The sampling of a stage's settings; a stage without one leaves it to the agents."""
    known = {each.name: each for each in recipe.pipeline}
    sampling = getattr(recipe.settings.of(known[stage]), "sampling", None)
    return sampling if isinstance(sampling, Sampling) else Sampling()


# ---- sums ------------------------------------------------------------------------------------------------------------


def _row(estimate: CallEstimate, calls: Range, tokens: Tokens) -> dict[str, Any]:
    prompt = calls.times(tokens.prompt)
    completion = calls.times(*tokens.completion)
    price = price_of(estimate.agent)
    dollars = None
    if price is not None:
        dollars = Range(*(cost(price, p, c) for p, c in zip(prompt, completion, strict=True)))  # type: ignore[arg-type]
    return {
        "stage": estimate.stage,
        "verb": estimate.verb,
        "agent": estimate.agent.name,
        "model": estimate.agent.model,
        "drawn": estimate.drawn,
        "calls": _whole(calls),
        "tokens": _whole(prompt + completion),
        "cost_usd": _whole(dollars, digits=6),
    }


def _scaled(amounts: Mapping[str, float | None], share: float) -> dict[str, float | int | None]:
    if amounts["expected"] is None:
        return _whole(None)
    return _whole(Range(*(amount * share for amount in amounts.values() if amount is not None)), digits=6)


def _whole(range_: Range | None, digits: int = 1) -> dict[str, float | int | None]:
    """Whole numbers as such; null where a price is unknown."""
    if range_ is None:
        return {"least": None, "expected": None, "most": None}
    rounded = {name: round(value, digits) for name, value in range_._asdict().items()}
    return {name: int(value) if value == int(value) else value for name, value in rounded.items()}


def _totals(rows: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """Sums over rows. Of rows that share drawn work, the largest `most` counts once: any one of them may do it all."""
    every = list(rows)
    return {what: _total(every, what) for what in ("calls", "tokens", "cost_usd")}


def _total(rows: list[dict[str, Any]], what: str) -> dict[str, Any]:
    if any(row[what]["expected"] is None for row in rows):
        return _whole(None)
    drawn: dict[tuple[str, str], float] = defaultdict(float)
    total = Range(0, 0, 0)
    for row in rows:
        least, expected, most = row[what].values()
        if row["drawn"]:
            group = (row["stage"], row["verb"])
            drawn[group] = max(drawn[group], most)
            most = 0
        total += (least, expected, most)
    total += (0, 0, sum(drawn.values()))
    return _whole(total, digits=6 if what == "cost_usd" else 1)


def _stages(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["stage"] for row in rows))


def _agents(rows: Sequence[dict[str, Any]]) -> list[str]:
    return list(dict.fromkeys(row["agent"] for row in rows))


def _fresh(recipe: SynthRecipe, rates: Rates, number: int) -> int:
    """Calls that fresh tries would add at most, should no reply be readable; 0 where they are counted already."""
    if rates.unreadable:
        return 0
    return round(
        sum(estimate.calls.most * (tries_of(estimate) - 1) for estimate in recipe.calls(rates) if not estimate.drawn)
        * number
    )


def _reply_lengths(recipe: SynthRecipe) -> dict[str, int]:
    """Completion tokens of a reply as they are taken to be, by verb."""
    return {each.verb: each.tokens for each in recipe.calls()}


def _unbounded(recipe: SynthRecipe, prompts: Prompts) -> list[str]:
    """Which calls have no limit, so that the most of their tokens is none."""
    free = {
        estimate.agent.name: None
        for estimate in recipe.calls()
        if not estimate.agent.recorded and _limit(recipe, estimate, prompts) is None
    }
    if not free:
        return []
    return [
        f"no max_tokens bounds the solutions of {', '.join(free)}: their most is taken to be {UNSTATED:,} tokens each, "
        "and is no bound"
    ]


# ---- time ------------------------------------------------------------------------------------------------------------


def _duration(recipe: SynthRecipe, rows: Sequence[Mapping[str, Any]], left: float) -> float | None:
    """Seconds that what is left of the run takes, by the measured time of its calls; None where that is unknown, as it
    is of batches.

    All calls share the recipe's concurrency, those of an agent its own, and its requests per minute.
    """
    needed = [row for row in rows if row["calls"]["expected"]]
    if not needed or recipe.agents.batched or any(row["seconds"] is None for row in needed):
        return None
    specs = {spec.name: spec for spec in recipe.agents.everyone}
    busy: dict[str, float] = defaultdict(float)
    paced: dict[str, float] = defaultdict(float)
    for row in needed:
        spec, calls = specs[row["agent"]], row["calls"]["expected"] * left
        busy[spec.name] += calls * row["seconds"]
        paced[spec.name] += calls * 60 / spec.rpm if spec.rpm else 0.0
    own = (busy[name] / (specs[name].concurrency or recipe.concurrency) for name in busy)
    return round(max(sum(busy.values()) / recipe.concurrency, *own, *paced.values()), 3)
