"""Colours of the page: contrast by WCAG 2.2, in light and in dark, and told apart by colour-blind eyes."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import combinations

import numpy as np
import pytest

STYLE = files("errata.report").joinpath("page", "report.css").read_text(encoding="utf-8")
LIGHT, DARK = (
    dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block)) for block in re.findall(r":root \{(.*?)\}", STYLE, re.S)[:2]
)
SCHEMES = pytest.mark.parametrize("colours", [LIGHT, DARK], ids=["light", "dark"])
# Dichromats as linear maps of linear RGB: Machado, Oliveira and Fernandes 2009, severity 1.
BLIND = {
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
}


def linear(colour: str) -> np.ndarray:
    channels = np.array([int(colour[place : place + 2], 16) for place in (1, 3, 5)]) / 255
    return np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)


def contrast(one: str, other: str) -> float:
    bright, dim = sorted((float(linear(each) @ [0.2126, 0.7152, 0.0722]) for each in (one, other)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


@SCHEMES
@pytest.mark.parametrize("text", ["ink", "muted", "accent", "link", "right", "wrong"])
@pytest.mark.parametrize("ground", ["paper", "surface", "sunk"])
def test_text_can_be_read(colours: dict[str, str], text: str, ground: str) -> None:
    assert contrast(colours[text], colours[ground]) >= 4.5


@SCHEMES
@pytest.mark.parametrize("wash", ["right-wash", "wrong-wash"])
def test_marked_words_can_be_read(colours: dict[str, str], wash: str) -> None:
    assert contrast(colours["ink"], colours[wash]) >= 4.5


@SCHEMES
@pytest.mark.parametrize("mark", [*(f"s{n}" for n in range(1, 9)), "right", "wrong", "quiet"])
def test_marks_of_charts_stand_out(colours: dict[str, str], mark: str) -> None:
    assert contrast(colours[mark], colours["paper"]) >= 3


@SCHEMES
@pytest.mark.parametrize("kind", BLIND)
@pytest.mark.parametrize("names", [("right", "wrong"), ("s1", "s2", "s3", "s4")])
def test_series_differ_to_colour_blind_eyes(colours: dict[str, str], kind: str, names: tuple[str, ...]) -> None:
    perceived = {name: np.clip(np.array(BLIND[kind]) @ linear(colours[name]), 0, 1) ** (1 / 2.4) for name in names}

    nearest = min(float(np.linalg.norm(perceived[one] - perceived[other])) for one, other in combinations(names, 2))

    assert nearest > 0.2


def test_both_schemes_name_the_same_colours() -> None:
    assert set(LIGHT) == set(DARK)
    assert len(LIGHT) > 20
