"""The evidence card: a Markdown page of what a study found, to stand beside a pushed data set or student."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from errata.config.files import write_whole
from errata.errors import plain
from errata.report.figures import count
from errata.runs.progress import worked
from errata.runs.times import times_in
from errata.studies.remarks import otherwise, remarks, size
from errata.studies.results import counts, interval, points

FILE = "card.md"


def write_card(home: Path, results: Mapping[str, Any]) -> Path:
    """Writes the card of a study's results beside them."""
    path = home / FILE
    write_whole(path, ("\n".join(_lines(results)) + "\n").encode())
    return path


def _lines(results: Mapping[str, Any]) -> Iterator[str]:
    claims = results["claims"]
    seeds = results["seeds"]
    yield f"# {plain(results['name'])}: what was found"
    yield ""
    yield _begin(results) + (
        f"{count(len(seeds), 'seed')}. Of {count(len(claims), 'claim')}: {counts(claims)}. Differences in "
        "points; p corrected by Holm over the claims; could show: the smallest true difference that such data show "
        "with a power of 80 %."
        if claims
        else "no claims, so that all differences are exploratory."
    )
    if claims:
        yield ""
        yield "| claim | arm - control | task | difference [interval] | p | could show | verdict |"
        yield "|---|---|---|---|---|---|---|"
        for row in claims:
            yield _claim(row)
        yield ""
        yield from _remarks(claims)
    yield ""
    yield "| arm | task | accuracy in % [95 %] | seeds x items | target tokens | trained weights |"
    yield "|---|---|---|---|---|---|"
    for arm in results["arms"]:
        yield _arm(arm)
    if results["schools"]:
        yield ""
        yield from _schools(results["schools"])
    yield ""
    yield from (f"- {plain(line)}" for line in (*results["methods"], *results["notes"]))


def _begin(results: Mapping[str, Any]) -> str:
    """When, where and by which version."""
    times = times_in(results)
    when = f"{worked(times)}, " if times else ""
    return f"{when}{results['machine']}, errata {results['versions']['errata']}: "


def _claim(row: Mapping[str, Any]) -> str:
    could = "-" if row["detectable"] is None else f"{100 * row['detectable']:.1f}"
    cells = (
        row["name"],
        f"{row['arm']} - {row['control']}",
        row["task"],
        interval(row),
        f"{row['p_adjusted']:.3g}",
        could,
        f"**{row['verdict']}**{otherwise(row)}",
    )
    return f"| {' | '.join(_cell(each) for each in cells)} |"


def _remarks(claims: list[dict[str, Any]]) -> Iterator[str]:
    for row in claims:
        if row["source"]:
            yield f"- {_cell(row['name'])}: claimed by {_cell(row['source'])}, sign {row['sign']}"
        yield from (f"- {_cell(row['name'])}: {remark}" for remark in remarks(row))


def _arm(row: Mapping[str, Any]) -> str:
    accuracy = f"{100 * row['accuracy']:.1f} [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
    cells = (
        row["arm"],
        row["task"],
        accuracy,
        f"{len(row['seeds'])} x {row['n']}",
        size(row["target_tokens"]),
        size(row["trained_weights"]),
    )
    return f"| {' | '.join(_cell(each) for each in cells)} |"


def _schools(schools: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Means over the schools of an arm; of what was forgotten, in points over their rounds, also the most."""
    yield "| school | schools | rounds | problems a round | teacher tokens | own tokens | hours | forgotten | at most |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for row in schools:
        cells = (
            _cell(row["arm"]),
            str(row["schools"]),
            f"{row['rounds']:.1f}",
            size(row["chosen"]),
            size(row["teacher_tokens"]),
            size(row["own_tokens"]),
            f"{row['hours']:.2f}",
            points(row["forgotten"]),
            points(row["forgotten_most"]),
        )
        yield f"| {' | '.join(cells)} |"
    if any(row.get("ended") for row in schools):
        yield ""
        yield from (_endings(row) for row in schools if row.get("ended"))


def _endings(row: Mapping[str, Any]) -> str:
    """Why each school of an arm ended; schools that ended for the same reason after as many rounds in one breath."""
    several = len({each["student"] for each in row["ended"]}) > 1
    alike: dict[tuple[int, str], list[str]] = {}
    for each in row["ended"]:
        name = f"{each['student']} seed {each['seed']}" if several else f"seed {each['seed']}"
        alike.setdefault((each["rounds"], each["stopped"] or "not ended"), []).append(name)
    endings = [f"{', '.join(names)} after round {rounds}: {why}" for (rounds, why), names in alike.items()]
    return f"- {_cell(row['arm'])}: {_cell('; '.join(endings))}"


def _cell(text: str) -> str:
    return plain(text).replace("|", "\\|")
