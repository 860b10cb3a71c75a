"""Names of training methods. Importing this loads no library, so that help and recipes may know them."""

from __future__ import annotations

from collections.abc import Collection

from errata.errors import UsageError, did_you_mean

METHODS = {
    "sft": "Plain distillation of right rationales.",
    "mapd": "Answering and explaining mistakes, two tasks mixed (MAPD).",
    "edit": "Key steps of right and wrong pairs, from an sft checkpoint (EDIT).",
    "mcc-kd": "Right rationales whose answers shall agree (MCC-KD).",
    "nat": "A negative and a positive adapter with a gate (NAT), and its baselines.",
    "nce": "A NAT student distilled into a plain adapter (NCE).",
    "ranker": "A ranker of rationales, for weighted votes (ASC).",
    "redi": "Second stage of REDI: right rationales up, wrong ones down by less.",
    "dpo": "Direct preference optimization over pairs, by TRL's trainer.",
    "kto": "KTO over right and wrong rationales, by TRL's trainer.",
    "grpo": "GRPO on a run's problems with the grader as reward, by TRL's trainer.",
    "gkd": "A teacher's distributions over right and the student's own texts, by TRL's trainer.",
    "sdft": "The student taught by itself with its mistakes explained, by TRL's trainer.",
}
"""What each does, in short; a test holds them against the methods there are."""


def refuse_unknown(name: str, names: Collection[str], what: str = "method") -> None:
    """Raises UsageError, with the nearest name, for what is neither one of the names nor `my_method.py:METHOD`."""
    from errata.config.code import is_reference

    if name.replace("_", "-") in names or is_reference(name):
        return
    raise UsageError(
        f"no {what} is called {name}",
        f"known are {', '.join(names)}; one's own is written my_method.py:METHOD",
        did_you_mean(name, names, "name one of them"),
    )
