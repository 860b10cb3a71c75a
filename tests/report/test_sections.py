"""Sections on evals: planted gains and planted nulls are told as such; what was cured is what was planted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import orjson
import pytest

from errata.evals.claims import Claim
from errata.evals.results import read_eval
from errata.report.embedded_data import Archive
from errata.report.embedded_items import embed
from errata.report.eval_results import Results, read_results
from errata.report.figures import Section
from errata.report.sections import accuracy, differences, samples
from errata.report.sections import training_curves as schooling
from errata.report.sections.overview import claim_keys
from tests.report.planted import log_of, plant_eval, questions, right_at, three_students, training

TASKS = {"id": questions("id", 60)}


def results_of(*paths: Path) -> Results:
    return read_results([read_eval(path) for path in paths])


def titles(section: Section) -> list[str]:
    return [figure.title for figure in section.figures]


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Results:
    return results_of(*three_students(tmp_path_factory.mktemp("evals"), number=80))


def test_a_planted_gain_is_told_with_its_size_and_its_chance(three: Results) -> None:
    texts = titles(accuracy.section(three))

    assert any(title.startswith("committee gains") and "exploratory, p < 0.001" in title for title in texts)
    assert any(title.startswith("committee cures") for title in texts)


def test_a_planted_null_is_told_with_what_could_have_been_shown(tmp_path: Path) -> None:
    half = {problem.id for problem in TASKS["id"][::2]}
    one = plant_eval(tmp_path, "one", lambda p: p.id in half, tasks=TASKS, baseline=True)
    other = plant_eval(tmp_path, "other", lambda p: p.id in half, tasks=TASKS, trained=training("sft", 0))

    texts = titles(accuracy.section(results_of(one, other)))

    assert any(title.startswith("No difference is shown") and "could have been shown" in title for title in texts)


def test_a_claim_shown_the_other_way_is_not_told_as_if_it_held(tmp_path: Path) -> None:
    evals = [read_eval(path) for path in three_students(tmp_path, number=300)]
    claims = (
        Claim(name="it helps", arm="committee", control="untouched", task="classroom_id"),
        Claim(name="it hurts", arm="untouched", control="committee", task="classroom_id"),
    )
    named = [replace(each, manifest=each.manifest.model_copy(update={"claims": claims})) for each in evals]
    title = differences.figures(read_results(named))[0].title  # type: ignore[union-attr]
    assert title.startswith("Of 2 claims 2 are shown, 1 as better and 1 as worse: ")


def test_claims_stand_first_with_their_correction(tmp_path: Path) -> None:
    claims = [
        Claim(name="training helps", arm="committee", control="untouched", task="classroom_id"),
        Claim(name="the panel helps", arm="committee", control="plain", task="classroom_id"),
    ]
    evals = [read_eval(path) for path in three_students(tmp_path, number=80)]
    named = [replace(each, manifest=each.manifest.model_copy(update={"claims": tuple(claims)})) for each in evals]

    section = accuracy.section(read_results(named))

    figure = next(each for each in section.figures if each.table.headings == differences.DIFFERENCE)
    assert figure.title.startswith("Of 2 claims")
    assert "after Holm" in figure.title
    rows = [dict(zip(differences.DIFFERENCE, row, strict=True)) for row in figure.table.rows]
    assert [row["claim"] for row in rows] == ["training helps", "the panel helps"]
    assert all(row["said"] in ("better", "worse", "not shown") and row["adjusted p"] for row in rows)
    head = [(key.name, key.note) for key in claim_keys(read_results(named))]
    assert [name for name, _ in head] == ["points: training helps", "points: the panel helps"]
    assert head[0][1].endswith(f"], {rows[0]['said']}: committee against untouched on classroom_id, 80 items")
    others = [each for each in section.figures if each.table.headings == differences.DIFFERENCE and each != figure]
    assert all("exploratory" in each.note.lower() for each in others)


def test_trainings_of_equal_size_have_a_table_of_their_own_where_others_differ(tmp_path: Path) -> None:
    ids = [problem.id for problem in TASKS["id"]]
    paths = [plant_eval(tmp_path, "base", lambda p: False, tasks=TASKS, baseline=True)]
    for name, right, tokens in (("one", 10, 1000), ("two", 40, 1010), ("three", 50, 5000)):
        texts = training("sft", 0, tokens)
        paths.append(plant_eval(tmp_path, name, lambda p, n=right: ids.index(p.id) < n, tasks=TASKS, trained=texts))

    figures = accuracy.section(results_of(*paths)).figures
    [equal] = [figure for figure in figures if figure.title.startswith("At equal target tokens: two gains 50.0 points")]

    assert [row[:2] for row in equal.table.rows] == [["two", "one"]]
    assert not [title for title in titles(accuracy.section(results_of(*paths[:3]))) if title.startswith("At equal")]


def test_cured_and_broken_are_the_planted_ones(tmp_path: Path) -> None:
    ids = [problem.id for problem in TASKS["id"]]
    before = plant_eval(tmp_path, "before", lambda p: ids.index(p.id) < 30, tasks=TASKS, baseline=True)
    after = plant_eval(tmp_path, "after", lambda p: 4 <= ids.index(p.id) < 45, tasks=TASKS)

    results = results_of(before, after)

    [changes] = results.changed["after"]
    assert [key for _, key in changes.cured] == ids[30:45]
    assert [key for _, key in changes.introduced] == ids[:4]
    figure = next(each for each in accuracy.section(results).figures if "cures" in each.title)
    assert figure.title == "after cures 15 problems and breaks 4, against the untouched student."
    assert list(figure.table.rows) == [["after", "id", 1, 15, 4, 11]]


def test_seeds_are_one_arm_and_changes_are_told_seed_by_seed(tmp_path: Path) -> None:
    results = results_of(*three_students(tmp_path, number=40, seeds=(0, 1, 2)))

    section = accuracy.section(results)

    assert [arm.name for arm in results.arms] == ["untouched", "plain", "committee"]
    assert len(results.changed["committee"]) == 3
    assert "by seed" in section.figures[0].table.headings
    assert all(figure.table.rows for figure in section.figures)


def test_every_table_has_as_many_columns_as_headings(three: Results) -> None:
    section = accuracy.section(three)
    training_section = schooling.section(three.evals)

    assert training_section is not None
    for figure in [*section.figures, *training_section.figures]:
        assert figure.title.endswith(".")
        assert {len(row) for row in figure.table.rows} == {len(figure.table.headings)}


def test_one_eval_alone_is_told_without_differences(tmp_path: Path) -> None:
    alone = plant_eval(tmp_path, "alone", right_at((0.5,), "alone"), tasks=TASKS)

    section = accuracy.section(results_of(alone))

    assert not any("gains" in title or "cures" in title for title in titles(section))
    assert section.figures[0].title.startswith("alone is right on")


def test_tasks_that_not_all_share_are_left_out_and_named(tmp_path: Path) -> None:
    both = plant_eval(tmp_path, "both", right_at((0.5,), "both"), tasks=TASKS | {"hard": questions("ood4", 20)})
    one = plant_eval(tmp_path, "one", right_at((0.5,), "one"), tasks=TASKS)

    results = results_of(both, one)

    assert results.tasks == ("id",)
    assert any("left out: hard" in note for note in results.notes)


def test_the_page_lists_every_item_with_every_answer(three: Results, tmp_path: Path) -> None:
    with (tmp_path / "blocks").open("w+b") as out:
        archive = Archive(out)
        index = embed(three, archive)

    assert index["students"] == ["untouched", "plain", "committee"]
    assert len(index["ids"]) == 120
    for name, texts in zip(index["students"], index["right"], strict=True):
        items = {item.id: item for each in three.evals if each.name == name for item in each.items}
        assert [letter == "1" for letter in texts] == [items[id_].correct for id_ in index["ids"]]


# ---- training --------------------------------------------------------------------------------------------------------


def test_training_curves_show_each_term_and_its_share(tmp_path: Path) -> None:
    trained = plant_eval(tmp_path, "mapd", right_at((0.5,), "m"), tasks=TASKS, trained=training("mapd", 0))

    section = schooling.section([read_eval(trained)])

    assert section is not None
    [figure] = section.figures
    assert [chart.caption for chart in figure.charts] == [
        "loss by term",
        "share of the gradient",
        "log-probability a token",
    ]
    assert [one.name for one in figure.charts[0].legend] == ["rationale", "mistake"]
    assert "in 400 steps" in figure.title


def test_training_curves_say_what_was_trained(tmp_path: Path) -> None:
    capacity = {"trained_weights": 672, "lora_rank": 3, "lora_modules": ["q_proj", "v_proj"]}
    trained = plant_eval(tmp_path, "m", right_at((0.5,), "m"), tasks=TASKS, trained=training("mapd", 0) | capacity)

    section = schooling.section([read_eval(trained)])

    assert section is not None
    told = "Trained by mapd, 672 weights (LoRA of rank 3 on q_proj, v_proj), 48,000 target tokens."
    assert section.figures[0].note == told


def test_a_long_log_is_thinned_and_keeps_its_end(tmp_path: Path) -> None:
    texts = training("sft", 0) | {"log": log_of("sft", steps=2_000)}
    trained = plant_eval(tmp_path, "long", right_at((0.5,), "l"), tasks=TASKS, trained=texts)

    section = schooling.section([read_eval(trained)])

    assert section is not None
    values = section.figures[0].charts[0].spec["data"]["values"]
    assert len(values) == schooling.MOST_POINTS
    assert values[-1]["x"] == 20_000


def test_no_training_no_section(three: Results) -> None:
    assert schooling.section([each for each in three.evals if each.manifest.baseline]) is None


def test_a_log_without_numbers_is_passed_over(tmp_path: Path) -> None:
    texts = training("sft", 0) | {"log": [{"step": 1, "loss": None}, {"eval_loss": 2.0}, "?"]}
    trained = plant_eval(tmp_path, "odd", right_at((0.5,), "o"), tasks=TASKS, trained=texts)

    assert schooling.section([read_eval(trained)]) is None


# ---- samples and key steps -------------------------------------------------------------------------------------------


def test_votes_are_told_beside_one_sample(tmp_path: Path) -> None:
    paths = [
        plant_eval(tmp_path, name, right_at((rate,), name), tasks=TASKS, samples=5, baseline=name == "one")
        for name, rate in (("one", 0.4), ("two", 0.6))
    ]

    [figure] = samples.figures(results_of(*paths))

    assert figure.title.startswith("A vote of 5 samples moves")
    assert [one.name for one in figure.charts[0].legend] == ["one sample", "vote of 5", "any of 5"]
    texts = {row[2] for row in figure.table.rows}
    assert {"pass@1", "maj@2", "maj@5", "pass@5"} <= texts


def test_key_steps_are_told_as_the_summaries_have_them(tmp_path: Path) -> None:
    paths = three_students(tmp_path, number=20)
    for path, share in zip(paths, (0.4, 0.5, 0.8), strict=True):
        summary = orjson.loads((path / "summary.json").read_bytes())
        interval = {"value": share, "low": share - 0.1, "high": share + 0.1}
        likelihood = dict.fromkeys(("key_right_nll", "key_wrong_nll", "prefers_right"), interval)
        summary["key_steps"] = {"pairs": 30, "done": {"problems": 9, **interval}, "likelihood": likelihood}
        (path / "summary.json").write_bytes(orjson.dumps(summary))

    [figure] = samples.figures(results_of(*paths))

    assert figure.title == "committee does 80 % of the key steps, untouched 40 %.".replace(" %", "\N{NO-BREAK SPACE}%")
    assert [chart.caption for chart in figure.charts] == ["key steps done", "right side likelier"]
    assert list(figure.table.rows[-1][:2]) == ["committee", 30]


def test_one_answer_an_item_has_no_votes_to_tell(three: Results) -> None:
    assert samples.figures(three) == []


def test_many_students_are_told_against_the_best_and_stand_in_every_table(tmp_path: Path) -> None:
    names = [f"student-{number}" for number in range(10)]
    paths = [plant_eval(tmp_path, name, right_at((0.5, 0.4), name), tasks=TASKS) for name in names]

    results = results_of(*paths)
    section = accuracy.section(results)

    best = max(names, key=lambda name: results.comparison.figure(name, "id").accuracy.value)
    against = next(each for each in section.figures if each.table.headings == differences.DIFFERENCE)
    assert {row[0] for row in against.table.rows} == {best}
    assert {row[1] for row in against.table.rows} == set(names) - {best}
    figure = next(each for each in section.figures if each.table.headings[0] == "steps")
    assert list(figure.table.headings[1:]) == names
    assert len(figure.charts[0].legend) == 8


def test_trainings_are_named_by_their_arm_and_seed(tmp_path: Path) -> None:
    results = results_of(*three_students(tmp_path, number=20, seeds=(0, 1)))

    section = schooling.section(results.evals)

    assert section is not None
    assert [figure.title.split(":")[0] for figure in section.figures] == [
        *("plain, seed 0", "plain, seed 1", "committee, seed 0", "committee, seed 1")
    ]
