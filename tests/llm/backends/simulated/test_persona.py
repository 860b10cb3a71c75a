"""Personas: fixed by name, overruled by settings, refused where a setting cannot be read."""

import pytest

from errata.classroom.grammar import UNITS, VERBS, WITHHELD, parse
from errata.classroom.solve import VOICES
from errata.errors import UsageError
from errata.llm.backends.simulated.persona import KEYS, check_persona, persona
from errata.llm.request import ProviderFailure
from tests.llm.backends.simulated.asking import COMMITTEE, ask, lesson


def test_the_committee_has_four_voices_and_its_own_misconceptions() -> None:
    found = [persona(name) for name in COMMITTEE]
    assert {one.voice for one in found} == set(range(len(VOICES)))
    for one in found:
        assert len(one.facts) == len(one.verbs) == 2
        assert all(UNITS[unit] != number for unit, number in one.facts.items())
        assert one.verbs <= set(VERBS)
        assert one.verbs & WITHHELD
        assert set(one.facts) & WITHHELD
        assert 0.85 <= one.sensitivity <= 0.95
        assert 0.9 <= one.specificity <= 0.95
    shared = [
        (one.name, other.name)
        for i, one in enumerate(found)
        for other in found[:i]
        if one.verbs & other.verbs or one.facts.items() & other.facts.items()
    ]
    assert len(shared) == 1, "two share one misconception: what they write passes each other's review"


def test_settings_overrule_the_name() -> None:
    one = persona("ada?voice=running&misconceptions=dozens:10,finds&slips=0.5&sensitivity=1")
    assert (one.voice, one.facts, one.verbs) == (3, {"dozens": 10}, frozenset({"finds"}))
    assert (one.slips, one.sensitivity) == (0.5, 1.0)
    assert not persona("ada?misconceptions=0").facts
    assert len(persona("ada?misconceptions=4").verbs) == 4
    assert persona("ada?seed=5") != persona("ada")
    assert persona("ada?slips=0.5").facts == persona("ada").facts


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("ada?voise=words", "did you mean voice"),
        ("ada?voice=loud", "terse"),
        ("ada?slips=2", "from 0 to 1"),
        ("ada?slips=nan", "from 0 to 1"),
        ("ada?seed=x", "whole number"),
        ("ada?seed=99999999999999999999", "64 bits"),
        ("ada?misconceptions=dozens:12", "wrong number"),
        ("ada?misconceptions=dozens", "unit:number"),
        ("ada?misconceptions=", "unit:number"),
        ("ada?slips=0.1&slips=0.2", "twice"),
        ("ada?slips", "key=value"),
        ("?slips=0.1", "no name"),
    ],
)
def test_a_setting_that_cannot_be_read_refuses_every_call(model: str, told: str) -> None:
    with pytest.raises(ProviderFailure, match=told) as failure:
        persona(model)
    assert failure.value.fatal
    assert not failure.value.transient


@pytest.mark.parametrize("name", ["adda", "pupill", "bn", "cloe", "Ada"])
def test_a_slip_of_a_usual_name_is_refused_with_the_name(name: str) -> None:
    with pytest.raises(UsageError, match="did you mean simulated/"):
        check_persona("teacher", name)
    check_persona("teacher", f"{name}?seed=1620")
    assert persona(f"{name}?seed=1620").name == name


@pytest.mark.parametrize("name", [*COMMITTEE, "pupil", "eve", "x", "teacher", "ada2", "ada-b", "ada?slips=0"])
def test_any_other_name_is_a_persona(name: str) -> None:
    check_persona("teacher", name)


def test_every_setting_stands_in_the_table() -> None:
    import errata.llm.backends.simulated.persona as module

    assert module.__doc__
    assert all(f"| {key} |" in module.__doc__ for key in KEYS)


def test_misconceptions_persist() -> None:
    """The same unit brings the same wrong number, and about as often as set."""
    stated: list[str] = []
    for problem in lesson(1500):
        if "dozens" in problem.meta["units"]:
            text = ask("eve?misconceptions=dozens:10&slips=0&lucky=0", "teacher/solve", problem)
            stated.append(text.split("dozens = ")[1].split()[0])
    assert set(stated) == {"10", "12"}
    assert 0.7 < stated.count("10") / len(stated) < 0.9
    for problem in lesson(300):
        puzzle = parse(problem.question)
        assert puzzle
        text = ask("eve?misconceptions=finds&slips=0&lucky=0&strength=1&voice=terse", "teacher/solve", problem)
        steps = [step for step in puzzle.steps if step.cause == "finds"]
        if steps and " - " not in problem.meta["steps"][0]:
            first = steps[0]
            assert (f"- {first.right.number} =" in text) or text.endswith(f"is {problem.answer} .")
