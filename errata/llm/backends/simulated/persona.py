"""The personas of the faculty: a voice, a few persistent misconceptions and set rates, all from the model string.

`simulated/NAME?key=value&key=value`: the name fixes the persona by hash, the keys override it.

| key | value | default |
|---|---|---|
| seed | whole number: another faculty, in which every name is someone else | 1620 |
| voice | terse, narrated, words or running | by name |
| misconceptions | n: n wrong unit facts and n verbs read in reverse; or a list, `dozens:10,finds`; 0: none | 2 |
| strength | chance that a misconception shows where it could | 0.8 |
| slips | share of solutions with one random mistake (where no misconception showed) | 0.05 |
| skill | the same for answers to the student's prompt, as the share without one | 0.56 |
| lucky | share of solutions with a flawed step and the right answer | 0.05 |
| sensitivity | chance that a reviewer sees a flaw that it does not share as a misconception | by name, 0.85-0.95 |
| specificity | chance that a reviewer finds no fault with a sound solution | by name, 0.9-0.95 |
| bent | chance that a rewriter given the answer keeps its own misconception and bends the end to fit | 0.25 |
| shared | correlation of its errors with other personas' (`blind_spots.py`): reviews, slips, wrong unit facts | 0.29 |
| garble | share of replies that are malformed: empty, a refusal, a lone think block, `[4/5]`, two scores, prose | 0 |

Any name is a persona. ada, ben, cleo and dan are the usual committee (four voices), pupil the usual student.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from urllib.parse import parse_qsl

from errata.classroom.grammar import UNITS, VERBS, WITHHELD, Puzzle
from errata.classroom.hashed_random import HashedRandom
from errata.classroom.solve import VOICES, Mistake, misremembered
from errata.errors import UsageError
from errata.llm.backends.simulated.blind_spots import SHARED, common_error
from errata.llm.request import ProviderFailure

FACULTY_SEED = 1620
"""With this seed the committee has four voices, and two of its members share one misconception."""
KEYS = (
    "seed",
    "voice",
    "misconceptions",
    "strength",
    "slips",
    "skill",
    "lucky",
    "sensitivity",
    "specificity",
    "bent",
    "shared",
    "garble",
)
COMMITTEE = ("ada", "ben", "cleo", "dan")
STUDENT = "pupil"


@dataclass(frozen=True)
class Persona:
    """A simulated teacher; the rates are shares from 0 to 1, described in the module's table."""

    name: str
    seed: int
    voice: int
    facts: dict[str, int]
    """Unit -> the wrong number it is taken for."""
    verbs: frozenset[str]
    """Verbs read the wrong way round."""
    sensitivity: float
    specificity: float
    strength: float = 0.8
    slips: float = 0.05
    skill: float = 0.56
    lucky: float = 0.05
    bent: float = 0.25
    shared: float = SHARED
    garble: float = 0.0

    def misled(self, puzzle: Puzzle) -> dict[int, Mistake]:
        """The mistakes, by step, that this persona's misconceptions make of a puzzle."""
        mistakes: dict[int, Mistake] = {}
        for i, step in enumerate(puzzle.steps):
            if step.unit in self.facts:
                mistakes[i] = Mistake("knowledge", self.facts[step.unit])
            elif step.cause in self.verbs:
                mistakes[i] = Mistake("logical_op", "-" if step.op == "+" else "+")
        return mistakes


def check_persona(agent: str, model: str) -> None:
    """Raises UsageError for an unknown setting, and a bare name that looks like a slip of a usual one's.

    Any other name is a persona.

    Args:
        agent: who has it, for the message.
        model: the model string without its `simulated/`; with settings behind it the name is meant.
    """
    try:
        persona(model)
    except ProviderFailure as failure:
        fault, _, why = failure.message.partition("; ")
        raise UsageError(
            f"agent {agent}: model {fault}", why, "write simulated/NAME?KEY=VALUE&KEY=VALUE, or simulated/NAME alone"
        ) from None
    usual = (*COMMITTEE, STUDENT)
    near = (
        get_close_matches(model.casefold(), usual, n=1, cutoff=0.75) if model not in usual and model.isalpha() else []
    )
    if near:
        raise UsageError(
            f"agent {agent}: model simulated/{model}",
            f"the usual personas are {', '.join(usual)}, and this is nearly {near[0]}",
            f"did you mean simulated/{near[0]}? A persona of its own is written simulated/{model}?seed={FACULTY_SEED}",
        )


@lru_cache(maxsize=1024)
def persona(model: str) -> Persona:
    """The persona of a model string without its `simulated/`.

    Raises ProviderFailure, fatal as for an unknown model, on an unknown key or a bad value.
    """
    name, _, query = model.partition("?")
    if not name:
        raise _refusal(model, "no name", "a persona is fixed by its name")
    try:
        pairs = parse_qsl(query, keep_blank_values=True, strict_parsing=True) if query else []
    except ValueError:
        raise _refusal(model, f"settings {query!r}", "they are key=value, joined by &") from None
    settings: dict[str, str] = {}
    for key, value in pairs:
        if key not in KEYS:
            near = get_close_matches(key, KEYS, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise _refusal(model, f"unknown setting {key!r}", f"the faculty knows {', '.join(KEYS)}{hint}")
        if key in settings:
            raise _refusal(model, f"setting {key} twice", "one value is meant")
        settings[key] = value
    return _persona(model, name, settings)


def _persona(model: str, name: str, settings: dict[str, str]) -> Persona:
    seed = _whole(model, "seed", settings.pop("seed", str(FACULTY_SEED)))
    rng = HashedRandom("faculty", seed, name)
    voice = rng.between(0, len(VOICES) - 1)
    sensitivity, specificity = 0.85 + 0.1 * rng.random(), 0.9 + 0.05 * rng.random()
    if (chosen := settings.pop("voice", None)) is not None:
        if chosen not in VOICES:
            raise _refusal(model, f"voice={chosen}", f"the voices are {', '.join(VOICES)}")
        voice = VOICES.index(chosen)
    misconceptions = settings.pop("misconceptions", "2")
    rates = {"sensitivity": sensitivity, "specificity": specificity, "shared": SHARED}
    rates |= {key: _rate(model, key, value) for key, value in settings.items()}
    facts, verbs = _misconceptions(
        model, misconceptions, rng, lambda unit: common_error(seed, rates["shared"], name, unit)
    )
    return Persona(name, seed, voice, facts, verbs, **rates)


def _misconceptions(
    model: str, text: str, rng: HashedRandom, common: Callable[[str], HashedRandom | None]
) -> tuple[dict[str, int], frozenset[str]]:
    """Drawn half from the withheld words, half from the others, or as listed; `common` draws a unit's common error."""
    if text.isascii() and text.isdigit():
        units, verbs = _half_withheld(rng, tuple(UNITS), int(text)), _half_withheld(rng, VERBS, int(text))
        return {unit: misremembered(unit, common(unit) or rng) for unit in units}, frozenset(verbs)
    facts: dict[str, int] = {}
    reversed_verbs: set[str] = set()
    for item in text.split(","):
        word, colon, number = item.partition(":")
        if word in VERBS and not colon:
            reversed_verbs.add(word)
        elif word in UNITS and colon:
            facts[word] = _whole(model, word, number)
            if not 1 <= facts[word] <= 99 or facts[word] == UNITS[word]:
                raise _refusal(model, f"misconception {item!r}", f"{word} needs a wrong number from 1 to 99")
        else:
            known = f"units are {', '.join(UNITS)}; verbs are {', '.join(VERBS)}"
            raise _refusal(model, f"misconception {item!r}", f"it is a count, unit:number or a verb; {known}")
    return facts, frozenset(reversed_verbs)


def _half_withheld(rng: HashedRandom, words: tuple[str, ...], count: int) -> list[str]:
    rare = [word for word in words if word in WITHHELD]
    common = [word for word in words if word not in WITHHELD]
    return rng.sample(common, (count + 1) // 2) + rng.sample(rare, count // 2)


def _whole(model: str, key: str, text: str) -> int:
    try:
        value = int(text)
    except ValueError:
        raise _refusal(model, f"{key}={text}", f"{key} is a whole number") from None
    if abs(value) >= 2**63:
        raise _refusal(model, f"{key}={text}", "the number needs more than 64 bits")
    return value


def _rate(model: str, key: str, text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise _refusal(model, f"{key}={text}", f"{key} is a share from 0 to 1")
    return value


def _refusal(model: str, fault: str, why: str) -> ProviderFailure:
    return ProviderFailure(f"simulated/{model}: {fault}; {why}", fatal=True)
