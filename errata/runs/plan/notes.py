"""What an estimate takes for granted, and what its pilot has found, in words."""

from __future__ import annotations

from errata.errors import UsageError
from errata.graphs.call_counts import Rates
from errata.graphs.stages.peer_review import PEER_REVIEW
from errata.llm.preflight import check_access, model_notes
from errata.llm.prices import price_of
from errata.llm.reply_counts import too_short, total
from errata.runs.plan.pilot import Pilot
from errata.runs.recipe import SynthRecipe
from errata.runs.warmup import reviewed_first


def notes_of(recipe: SynthRecipe, rates: Rates, measured: Pilot | None) -> list[str]:
    """Notes on prices, rates, and replies that cannot be read."""
    unknown = sorted({spec.name for spec in recipe.agents.everyone if price_of(spec) is None})
    notes = [f"the price of {', '.join(unknown)} is unknown: give the agent a price: in the recipe"] if unknown else []
    notes += [*model_notes(recipe.callees), *_access(recipe)]
    if batched := [spec.name for spec in recipe.agents.batched]:
        waves = "stage after stage, a day each at most"
        notes.append(f"the calls of {', '.join(batched)} go out in batches, and are counted at their price: {waves}")
    if reviewed_first(recipe):
        notes.append(_by_policy(recipe))
    if measured:
        return [*notes, *_measured(measured)]
    notes.append("rates and reply lengths are assumptions: set them with --assume, or measure them with --pilot N")
    if not rates.unreadable:
        notes.append("0 unreadable replies are assumed; fresh tries come on top (fresh_tries_at_most)")
    return notes


def _by_policy(recipe: SynthRecipe) -> str:
    review = recipe.settings.of(PEER_REVIEW)
    return (
        f"votes are adaptive: the whole panel reviews the first {reviewed_first(recipe):,} problems, and "
        f"{review.reviews_per_rationale:g} reviews per rationale are expected on the others"
        + (", half of them spent on further samples" if review.more_samples else "")
        + ", at most all; a pilot does not measure it"
    )


def _access(recipe: SynthRecipe) -> list[str]:
    try:
        check_access(recipe.callees)
    except UsageError as error:
        return [f"`errata synth` would refuse this: {error.found}"]
    return []


def _measured(pilot: Pilot) -> list[str]:
    sum_ = total(pilot.replies.values())
    note = (
        f"of {sum_.replies:,} replies of the pilot {sum_.unreadable:,} could not be read, {sum_.cut_off:,} were cut off"
    )
    if sum_.unreadable:
        took = f"{sum_.fresh_tries:,} fresh tries took {sum_.fresh_tokens:,} tokens"
        note += f"; {took}, and the estimate counts as many per {pilot.problems:,} problems"
    else:
        note += "; fresh tries come on top (fresh_tries_at_most)"
    return [note, *too_short({(agent, stage, verb): n for (stage, verb, agent), n in pilot.replies.items()}).values()]
