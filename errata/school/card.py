"""The evidence card of a school: a Markdown page of its rounds, what stands, what it cost, and why it ended."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from errata.config.files import write_whole
from errata.errors import plain
from errata.report.figures import count
from errata.runs.progress import money, worked
from errata.school.figures import next_point
from errata.school.history import History
from errata.school.record import Round, School
from errata.school.words import cost, forgotten, interval, mastered, mistakes, points, sums, verdict

FILE = "card.md"


def write_card(history: History) -> Path:
    """Writes the card of a school into its folder."""
    path = history.home / FILE
    write_whole(path, ("\n".join(_lines(history)) + "\n").encode())
    return path


def _lines(history: History) -> Iterator[str]:
    school = history.school
    yield f"# {plain(school.name)}: what the school came to"
    yield ""
    yield standing(school)
    yield ""
    if history.times:
        yield f"Its nodes ran {worked(history.times)}."
        yield ""
    if school.start.accuracy is None:
        yield "Nothing is judged yet."
        return
    task = f" on {plain(history.task)}" if history.task else ""
    yield (
        f"Accuracy{task}, which is never taught, in % with its 95 % interval; gains in points over the student that "
        "the round started from, paired on the same items, not corrected for the number of rounds."
    )
    yield ""
    yield "| | accuracy | gain | p | verdict | mastered | forgot | teacher tokens | own tokens | dollars | hours |"
    yield "|---|---|---|---|---|---|---|---|---|---|---|"
    start = school.start
    paid = f"0 | {start.own_tokens:,} | {money(start.dollars)} | {start.hours:.2f}"
    yield f"| start | {interval(school.start.accuracy)} | | | | | | {paid} |"
    for each in school.rounds:
        yield _row(each)
    yield ""
    yield from (f"- {line}" for line in _remarks(history))


def standing(school: School) -> str:
    """Whether it goes on, why it ended, and which student stands."""
    ended = (
        f"Ended: {plain(school.stopped)}."
        if school.stopped
        else "Not ended: it goes on, or was stopped within a round."
    )
    stands = f" The student that stands is `{plain(school.student)}`." if school.student else ""
    return ended + stands


def _row(done: Round) -> str:
    gain = done.gain
    cells = (
        f"round {done.round}",
        done.accuracy and interval(done.accuracy),
        gain and points(gain),
        gain and f"{gain.p:.2g}",
        gain and f"**{verdict(done)}**",
        mastered(done),
        forgotten(done),
        f"{done.teacher_tokens:,}",
        f"{done.own_tokens:,}",
        money(done.dollars),
        f"{done.hours:.2f}",
    )
    return f"| {' | '.join(each or '' for each in cells)} |"


def _remarks(history: History) -> Iterator[str]:
    school = history.school
    yield sums(school)
    yield cost(next_point(school))
    for each in history.changed:
        lost = history.forgotten.get(each.round)
        of_mastered = "" if lost is None else f"; {count(len(lost), 'mastered problem')} forgotten"
        yield (
            f"round {each.round}: {count(len(each.cured), 'item')} cured, {len(each.broken)} broken, "
            f"{len(each.never_learned)} never right so far{of_mastered}"
        )
    for number, explained in history.explained.items():
        if explained:
            yield f"round {number}: {mistakes(explained)}"
    if any(history.explained.values()):
        preceded = count(len(history.cures), "explanation")
        yield f"{preceded} preceded a cure in the next exam; that this was its reason is not shown"
    yield from (
        f"round {each.round}: {count(each.lost, 'problem')} of the lesson lost to a provider"
        for each in school.rounds
        if each.lost
    )
