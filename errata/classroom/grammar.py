"""The classroom's language: what its word problems may say, and how a question is read back into its parts.

    Mia has 3 dozens of pens . Ben has 5 toys . Mia loses 4 of them . Eva has 2 times as many as Mia .
    how many pens does Eva have ?

A puzzle is a start, events and distractors. Words and punctuation are apart, so that splitting at white space
tokenizes; reading also takes ordinary spacing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Literal, NamedTuple

NAMES = ("Mia", "Eva", "Ben", "Tom", "Ana", "Leo", "Zoe", "Max", "Ida", "Sam", "Lea", "Jon")
OBJECTS = ("pens", "toys", "coins", "books", "cards", "shells", "stamps", "apples", "balls", "cups")
CONTAINERS = ("bags", "jars", "boxes", "trays")
UNITS = {
    "pairs": 2,
    "braces": 2,
    "trios": 3,
    "quartets": 4,
    "quintets": 5,
    "sextets": 6,
    "septets": 7,
    "octets": 8,
    "nonets": 9,
    "tens": 10,
    "dozens": 12,
    "scores": 20,
}
GAINS = ("finds", "buys", "gets", "wins", "picks")
LOSSES = ("loses", "sells", "gives", "eats", "drops")
VERBS = GAINS + LOSSES
WITHHELD = frozenset(
    ("quintets", "sextets", "septets", "octets", "nonets", "scores", "wins", "picks", "eats", "drops", "fewer", "times")
)
"""Words that the school split never uses: what a lesson has to teach a schooled student."""

Op = Literal["+", "-", "*"]
Kind = Literal["gain", "loss", "more", "fewer", "times"]
OPERATION: dict[Kind, Op] = {"gain": "+", "loss": "-", "more": "+", "fewer": "-", "times": "*"}


class Amount(NamedTuple):
    """`14 pens` (group ""), `4 bags with 3 pens each` or `3 dozens of pens` (group is the container or the unit)."""

    number: int
    group: str = ""
    each: int = 1

    @property
    def form(self) -> str:
        return "unit" if self.group in UNITS else "group" if self.group else "plain"

    def words(self, thing: str) -> str:
        if self.group in UNITS:
            return f"{self.number} {self.group} of {thing}"
        return f"{self.number} {self.group} with {self.each} {thing} each" if self.group else f"{self.number} {thing}"


class Event(NamedTuple):
    """`person` does it; for a comparison (more, fewer, times) the fresh person the question moves to."""

    kind: Kind
    person: str
    amount: Amount
    verb: str = ""


class Distractor(NamedTuple):
    """A sentence that does not matter; `at` is its place among all sentences but the question."""

    at: int
    person: str
    number: int
    thing: str


class Operand(NamedTuple):
    """A number of the question or a unit's number (`step` -1), or the result of an earlier step."""

    number: int
    step: int = -1


class Step(NamedTuple):
    """One arithmetic step of the true solution.

    `unit`: the right operand is this unit's number. `cause`: the word that decides the operation, "" for a product
    that only counts out a group. `person` and `verb` are who does what in the sentence the step comes from.
    """

    left: Operand
    op: Op
    right: Operand
    result: int
    person: str
    verb: str
    unit: str = ""
    cause: str = ""


def apply(op: str, left: int, right: int) -> int:
    return left + right if op == "+" else left - right if op == "-" else left * right


@dataclass(frozen=True)
class Puzzle:
    person: str
    thing: str
    start: Amount
    events: tuple[Event, ...]
    distractors: tuple[Distractor, ...] = ()

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        steps: list[Step] = []

        def counted(amount: Amount, person: str, verb: str) -> Operand:
            if amount.form == "plain":
                return Operand(amount.number)
            unit = amount.group if amount.form == "unit" else ""
            each = UNITS[unit] if unit else amount.each
            result = amount.number * each
            steps.append(Step(Operand(amount.number), "*", Operand(each), result, person, verb, unit))
            return Operand(result, len(steps) - 1)

        value = counted(self.start, self.person, "has")
        for event in self.events:
            side = counted(event.amount, event.person, event.verb or "has")
            op = OPERATION[event.kind]
            result = apply(op, value.number, side.number)
            cause = event.verb or event.kind
            steps.append(Step(value, op, side, result, event.person, event.verb or "has", "", cause))
            value = Operand(result, len(steps) - 1)
        return tuple(steps)

    @property
    def answer(self) -> int:
        return self.steps[-1].result

    @cached_property
    def numbers(self) -> tuple[int, ...]:
        """The numbers the question shows, distractors' first."""
        amounts = [self.start, *(event.amount for event in self.events)]
        numbers = [n for a in amounts for n in ((a.number, a.each) if a.form == "group" else (a.number,))]
        return tuple(dict.fromkeys([d.number for d in self.distractors] + numbers))

    @cached_property
    def words(self) -> frozenset[str]:
        """Units, verbs and comparisons that the question uses."""
        used = {self.start.group} | {e.amount.group for e in self.events} | {e.verb or e.kind for e in self.events}
        return frozenset(used - {"", *CONTAINERS})

    @property
    def template(self) -> str:
        """The structure without numbers and words: `unit loss times`."""
        parts = [e.kind if e.amount.form == "plain" else f"{e.kind}-{e.amount.form}" for e in self.events]
        return " ".join([self.start.form, *parts])

    @property
    def signature(self) -> str:
        """The ordered operations with their numbers: `3*12 36-4 32*2`."""
        return " ".join(f"{s.left.number}{s.op}{s.right.number}" for s in self.steps)

    @cached_property
    def question(self) -> str:
        sentences = [f"{self.person} has {self.start.words(self.thing)} ."]
        person = self.person
        for event in self.events:
            sentences.append(self._sentence(event, person))
            person = event.person
        for one in self.distractors:
            sentences.insert(one.at, f"{one.person} has {one.number} {one.thing} .")
        return " ".join([*sentences, f"how many {self.thing} does {person} have ?"])

    def _sentence(self, event: Event, before: str) -> str:
        count = event.amount.number
        if event.kind == "times":
            return f"{event.person} has {count} times as many as {before} ."
        if not event.verb:
            return f"{event.person} has {count} {event.kind} than {before} ."
        if event.amount.form != "plain":
            return f"{event.person} {event.verb} {event.amount.words(self.thing)} ."
        return f"{event.person} {event.verb} {count} {'more' if event.kind == 'gain' else 'of them'} ."


# ---- reading a question back -----------------------------------------------------------------------------------------

_TOKEN = re.compile(r"[^\W\d_]+|\d{1,4}|[^\w\s]")
_NAME, _THING = f"({'|'.join(NAMES)})", f"({'|'.join(OBJECTS)})"
_QUESTION = re.compile(rf"how many {_THING} does {_NAME} have")
_AMOUNT = rf"(\d+) (?:({'|'.join(CONTAINERS)}) with (\d+) {_THING} each|({'|'.join(UNITS)}) of {_THING}|{_THING})"
_HAS = re.compile(rf"{_NAME} (has|{'|'.join(VERBS)}) {_AMOUNT}")
_CHANGE = re.compile(rf"{_NAME} (?:({'|'.join(GAINS)}) (\d+) more|({'|'.join(LOSSES)}) (\d+) of them)")
_COMPARE = re.compile(rf"{_NAME} has (\d+) (?:(more|fewer) than|(times) as many as) {_NAME}")


@lru_cache(maxsize=8192)
def parse(question: str) -> Puzzle | None:
    """The puzzle a classroom question states, from its text alone; None for any other text."""
    if len(question) > 1000:
        return None
    sentences = " ".join(_TOKEN.findall(question)).replace("?", ".").split(" .")
    sentences = [sentence.strip() for sentence in sentences if sentence.strip()]
    closing = _QUESTION.fullmatch(sentences[-1]) if sentences else None
    if not closing:
        return None
    puzzle = _assemble(sentences[:-1], closing[1], closing[2])
    # A text that merely resembles the grammar (a second start, a verb of someone else) does not survive the way back.
    if puzzle is None or _TOKEN.findall(puzzle.question) != _TOKEN.findall(question):
        return None
    return puzzle


def _assemble(sentences: list[str], thing: str, subject: str) -> Puzzle | None:
    start: tuple[str, Amount] | None = None
    events: list[Event] = []
    distractors: list[Distractor] = []
    for at, sentence in enumerate(sentences):
        if has := _HAS.fullmatch(sentence):
            person, verb, count, container, each, a, unit, b, c = has.groups()
            amount = Amount(int(count), container or unit or "", int(each or UNITS.get(unit or "", 1)))
            if verb != "has":
                events.append(Event("gain" if verb in GAINS else "loss", person, amount, verb))
            elif (a or b or c) != thing:
                distractors.append(Distractor(at, person, int(count), c or ""))
            else:
                start = start or (person, amount)
        elif change := _CHANGE.fullmatch(sentence):
            person, gain, more, loss, fewer = change.groups()
            events.append(Event("gain" if gain else "loss", person, Amount(int(more or fewer)), gain or loss))
        elif compare := _COMPARE.fullmatch(sentence):
            person, count, sign, times, _ = compare.groups()
            kind: Kind = "times" if times else "more" if sign == "more" else "fewer"
            events.append(Event(kind, person, Amount(int(count))))
        else:
            return None
    if start is None or not events or events[-1].person != subject:
        return None
    actors = [start[0], *(event.person for event in events)]
    if any(event.verb and event.person != before for event, before in zip(events, actors, strict=False)):
        return None
    return Puzzle(start[0], thing, start[1], tuple(events), tuple(distractors))
