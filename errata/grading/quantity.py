"""Numbers with what they count: percent, units that convert into each other, thousands set off by full stops.

A gold that names a unit (`5 km`) is met by the same number without a unit, and by the same length in another one
(`5,000 m`); not by the same number of another kind (`5 kg`). A percentage is met by its number (`25` for `25%`) and by
its share (`0.25`); a gold without a sign by either where the text writes a percent sign.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from fractions import Fraction
from typing import NamedTuple

from errata.grading.numbers import find_number
from errata.records import Span


class Unit(NamedTuple):
    """What a unit measures, and how much of the base unit it is."""

    measure: str
    size: Fraction


_SIZES: Mapping[str, Mapping[str, str]] = {
    "length": {
        "mm millimeter millimetre": "1/1000",
        "cm centimeter centimetre": "1/100",
        "m meter metre": "1",
        "km kilometer kilometre": "1000",
        "inch inche": "0.0254",
        "ft foot feet": "0.3048",
        "yd yard": "0.9144",
        "mile mi": "1609.344",
    },
    "mass": {
        "mg milligram": "1/1000",
        "g gram": "1",
        "kg kilogram": "1000",
        "lb pound": "453.59237",
        "oz ounce": "28.349523125",
    },
    "volume": {"ml milliliter millilitre": "1/1000", "l liter litre": "1"},
    "time": {"second sec": "1", "minute min": "60", "hour hr h": "3600", "day": "86400", "week": "604800"},
    "money": {"cent": "1/100", "dollar": "1"},
    "share": {"% percent": "1/100"},
}
UNITS = {
    name: Unit(measure, Fraction(size))
    for measure, sizes in _SIZES.items()
    for names, size in sizes.items()
    for name in names.split()
}
"""Units by name, without the s of the plural."""
_AFTER = re.compile(r"[ ~]?(?:\\[ ,])?(?:\\?(%)|-?(?:\\text\{ ?)?(per ?cent|[a-z]+)(?![a-z^²³]))", re.IGNORECASE)
_DOTTED = re.compile(r"[-−]?\d{1,3}(?:\.\d{3})+(?!\.?\d)")


class Quantity(NamedTuple):
    """A number with its unit, where it names one that is known."""

    value: Fraction
    unit: Unit | None


def read_quantity(text: str) -> Quantity | None:
    """The number that a text states with the unit behind it; None without one, or where it hedges."""
    hit = find_number(text, 0, len(text))
    if hit is None or " or " in hit.answer:
        return None
    after = _AFTER.match(text, hit.span.end)
    name = (after[1] or after[2]).casefold().replace("per cent", "percent") if after else ""
    return Quantity(Fraction(hit.answer), UNITS.get(name) or UNITS.get(name.removesuffix("s")))


def with_unit(text: str, span: Span) -> str:
    """The number at a span with the word or percent sign behind it."""
    after = _AFTER.match(text, span.end)
    return text[slice(*span)] + (after[0] if after else "")


def same_quantity(gold: str, answer: str) -> bool:
    """Whether two texts that each state a number mean the same amount. Pure; never raises."""
    left, right = read_quantity(gold), read_quantity(answer)
    if left is None or right is None:
        return False
    if left.unit and right.unit:
        same_measure = left.unit.measure == right.unit.measure
        return same_measure and left.value * left.unit.size == right.value * right.unit.size
    if left.value == right.value:
        return True
    for one, other in ((left, right), (right, left)):
        if one.unit and one.unit.measure == "share" and one.value / 100 == other.value:
            return True
    dotted = _DOTTED.match(answer)
    if dotted is None or abs(left.value) < 1_000:
        return False
    return dotted[0].replace(".", "").replace("−", "-") == str(left.value)
