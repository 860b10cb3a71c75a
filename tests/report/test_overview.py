"""The head of a report: what was compared with what, on how many items, and whether the run is finished."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from errata.evals.results import read_eval
from errata.report.build import write_report
from errata.report.embedded_data import Archive
from errata.report.embedded_items import embed
from errata.report.eval_results import Results, mistake_of, read_results
from errata.report.sections import changes, synthesis
from errata.report.sections.mistakes import KINDS
from errata.report.sections.overview import accuracy_keys, students, tasks
from tests.report.planted import plant_eval, questions, right_at, three_students, training
from tests.report.run_copies import change_log, copy_of

pytestmark = pytest.mark.usefixtures("undrawn")


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Results:
    paths = three_students(tmp_path_factory.mktemp("evals"), number=80)
    return read_results([read_eval(path) for path in paths])


def test_without_claims_each_student_is_told_against_the_untouched_one_with_interval_verdict_and_items(
    three: Results,
) -> None:
    keys = accuracy_keys(three)

    assert [key.name for key in keys] == [
        f"points: {arm} on {task}" for task in three.tasks for arm in ("plain", "committee")
    ]
    for key in keys:
        arm, _, task = key.name.removeprefix("points: ").partition(" on ")
        difference = three.difference(arm, "untouched", task)
        assert difference is not None
        sign = 1 if difference.arm == arm else -1
        assert key.value == f"{100 * sign * difference.difference.value:+.1f}"
        assert key.note.endswith(f"not planned: {arm} against untouched on {task}, {difference.n} items")


def test_comparisons_that_are_no_large_figures_are_named_below_them(
    lesson: Path, lesson_page: str, tmp_path: Path, undrawn: None
) -> None:
    asked = {"classroom_id": questions("id", 20)}
    names = ["untouched", *(f"student-{number}" for number in range(6))]
    evals = [
        plant_eval(tmp_path, name, right_at((0.5,), name), tasks=asked, baseline=name == "untouched") for name in names
    ]
    page = write_report(lesson, evals, tmp_path / "page.html").out.read_text(encoding="utf-8")
    more = "2 more figures under Accuracy: student-4 on classroom_id; student-5 on classroom_id."
    head = page.partition('<main id="main">')[0]
    assert f'<p class="note">{more}</p>' in head
    assert head.count('<span class="value">') == 6
    assert "under Accuracy:" not in lesson_page.partition('<main id="main">')[0]


def test_every_student_and_task_is_explained_in_a_sentence(three: Results) -> None:
    assert [name for name, _ in students(three, {})] == [arm.name for arm in three.arms]
    assert dict(students(three, {}))["untouched"] == "The student before any training."
    assert dict(students(three, {}))["committee"].startswith("Trained by ")
    assert "target tokens" in dict(students(three, {}))["committee"]
    assert [name for name, _ in tasks(three)] == list(three.tasks)
    sizes = {each.task: each.n for each in three.comparison.figures}
    assert all(sentence.startswith(f"{sizes[task]} items of the split ") for task, sentence in tasks(three))


def test_seeds_with_items_of_their_own_are_told_as_such(tmp_path: Path) -> None:
    folders = []
    for seed in (0, 1):
        items = questions("id", 80)[40 * seed : 40 * seed + 40]
        for name, rate in (("untouched", 0.4), ("sft", 0.6)):
            trained = None if name == "untouched" else training("sft", seed)
            folders.append(
                plant_eval(
                    tmp_path / str(seed),
                    f"{name}-{seed}",
                    right_at((rate,), f"{name}{seed}"),
                    tasks={"classroom_id": items},
                    label=name,
                    baseline=trained is None,
                    trained=trained,
                )
            )
            manifest = orjson.loads((folders[-1] / "manifest.json").read_bytes())
            (folders[-1] / "manifest.json").write_bytes(orjson.dumps(manifest | {"replicate": seed}))
    results = read_results([read_eval(path) for path in folders])

    assert accuracy_keys(results)[0].note.endswith(
        "sft against untouched on classroom_id, 2 seeds, each on 40 items of its own"
    )
    assert dict(tasks(results))["classroom_id"] == "40 items of the split id for each seed, the same for every student."


def test_an_unfinished_run_says_so_and_claims_no_more_than_it_has(
    lesson: Path, lesson_page: str, tmp_path: Path
) -> None:
    run = copy_of(lesson, tmp_path)
    log = (run / "transcripts.jsonl").read_bytes().splitlines(keepends=True)
    (run / "transcripts.jsonl").write_bytes(b"".join(log[:-5]))

    page = write_report(run).out.read_text(encoding="utf-8")

    assert "worked solutions of 19 of 24 problems so far" in page
    assert "The run is not finished: 5 problems are pending" in page
    assert "not finished" not in lesson_page


def test_mistakes_have_one_vocabulary_and_wrong_answers_are_found_by_it(three: Results) -> None:
    index = embed(three, Archive(io.BytesIO()))
    wrong = {kind: set(numbers) for kind, numbers in index["facets"]["mistake"].items()}
    assert wrong
    assert wrong.keys() <= set(KINDS)
    counted: dict[str, set[str]] = {}
    for each in three.evals:
        for item in each.items:
            if kind := mistake_of(item):
                counted.setdefault(kind, set()).add(item.id)
    assert {kind: len(ids) for kind, ids in counted.items()} == {kind: len(numbers) for kind, numbers in wrong.items()}
    figure = next(
        each for each in changes.figures(three) if each.table.headings[0] == "student" and "all" in each.table.headings
    )
    assert set(figure.table.headings[1:-1]) <= set(KINDS)
    assert {source.address for source in figure.sources} == {f"#items?mistake={kind}" for kind in wrong}


def test_prompts_stand_as_they_were_sent(lesson_page: str, log: list[dict[str, Any]]) -> None:
    page = html.unescape(lesson_page)
    named = {call["prompt"] for line in log for call in line["calls"]}
    assert named
    for prompt in named:
        sent = {call["messages"][-1]["content"] for line in log for call in line["calls"] if call["prompt"] == prompt}
        assert any(text in page for text in sent), prompt


def test_the_head_says_when_the_run_worked_how_long_and_by_which_version(lesson: Path, tmp_path: Path) -> None:
    run = copy_of(lesson, tmp_path)
    held = orjson.loads((run / "manifest.json").read_bytes())
    times = {"begun": "2026-11-28T22:10:05+00:00", "last": "2026-11-28T23:41:00+00:00", "seconds": 3725.2}
    told = "Run 2026-11-28 22:10 to 23:41 UTC, 1 h 02 min of work, by errata 9.8.7."

    (run / "manifest.json").write_bytes(orjson.dumps(held | {"times": times, "versions": {"errata": "9.8.7"}}))
    assert told in write_report(run).out.read_text(encoding="utf-8")

    (run / "manifest.json").write_bytes(orjson.dumps(held | {"times": None, "versions": {"errata": "9.8.7"}}))
    assert '<p class="note">Run by errata 9.8.7.</p>' in write_report(run).out.read_text(encoding="utf-8")


def test_replayed_teachers_have_no_price(lesson: Path, lesson_page: str, tmp_path: Path) -> None:
    def replay(every: bool) -> Callable[[Any], None]:
        def change(line: Any) -> None:
            for call in line["calls"]:
                if every or call["agent"] == "ada":
                    call["model"] = "recorded/somebody"

        return change

    run = copy_of(lesson, tmp_path)
    change_log(run, replay(every=False))
    some = write_report(run).out.read_text(encoding="utf-8")
    change_log(run, replay(every=True))
    all_of_them = write_report(run).out.read_text(encoding="utf-8")

    assert re.search(r"<td>\$[\d.]+ and \d+ replayed</td>", some)
    assert "<td>replayed</td>" in all_of_them
    assert "of them replayed from recordings, at no price" in some
    assert "Some replies are replayed, at a price that is not known" in some
    assert "replies of recordings, their price not known" in all_of_them
    assert "$0.00" not in all_of_them
    assert "replayed" not in lesson_page.partition("<script")[0]


def test_bars_that_are_no_funnel_say_so() -> None:
    assert synthesis.apart([("written", 9), ("right", 7), ("accepted", 7)]) == ""
    assert synthesis.apart([("problems", 9), ("the student got wrong", 3), ("with a right rationale", 8)]) == (
        "Each bar counts for itself, out of the first: it is no part of the bar above it."
    )
