"""What of a study is done: kept over kills, refused where it was made from other settings."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from errata.errors import UsageError
from errata.runs.times import Times
from errata.steps.record import RECORD, Finish, append, hours, read_record, times_of
from errata.studies.recipe import load_study
from errata.studies.record import Begun, begun_in, done, note_begin, seconds_left
from errata.studies.steps import Step, steps_of
from tests.studies.study_data import study_data, written


def finish(step: Step, code: int = 0, seconds: float = 60.0, begun: float = 1.0, elapsed: float = 60.0) -> Finish:
    return Finish(step.name, step.inputs, code, seconds, begun, elapsed)


def test_what_is_finished_and_still_there_is_done(tmp_path: Path) -> None:
    steps = steps_of(load_study(written(tmp_path)))
    first, second, third = list(steps.values())[:3]
    for step in (first, third):
        step.out.mkdir(parents=True)
    append(tmp_path, finish(first))
    append(tmp_path, finish(second))  # somebody removed its folder
    append(tmp_path, finish(third, code=1))
    with (tmp_path / RECORD).open("a") as file:
        file.write('{"step": "torn')  # of a process that was killed

    assert done(steps, read_record(tmp_path)) == {first.name}

    append(tmp_path, finish(third, seconds=7))
    assert read_record(tmp_path)[-1] == finish(third, seconds=7), "a torn line takes none with it"


def test_what_was_made_from_other_settings_is_refused_but_evals_are_made_again(tmp_path: Path) -> None:
    steps = steps_of(load_study(written(tmp_path)))
    record = all_there(steps)
    changed = steps_of(load_study(written(tmp_path), ["evals.tasks.classroom_id.options.count=9"]))
    assert steps.keys() - done(changed, record) == {"eval base seed-0", "eval base seed-1"}
    other = steps_of(load_study(written(tmp_path), ["training.max_steps=3"]))
    with pytest.raises(UsageError, match=r"students/sft was made from other settings(.|\n)*another name"):
        done(other, record)


def all_there(steps: dict[str, Step]) -> list[Finish]:
    """Every step with all that it leaves, and the lines of their ends."""
    for step in steps.values():
        for place in (step.out, *(step.out / name for name in step.leaves)):
            place.mkdir(parents=True, exist_ok=True)
    return [finish(step) for step in steps.values()]


def test_what_was_made_from_what_is_made_again_is_refused_and_evals_are_made_again(tmp_path: Path) -> None:
    steps = steps_of(load_study(written(tmp_path)))
    record = all_there(steps)
    sft, more = steps["train base seed-0 sft"], steps["train base seed-0 more"]
    sft.out.rename(tmp_path / "away")
    with pytest.raises(UsageError, match=r"students/more \(from train base seed-0 sft\)(.|\n)*remove them"):
        done(steps, record)

    more.out.rmdir()
    expected = {sft.name, more.name, "eval base seed-0"}
    assert steps.keys() - done(steps, record) == expected
    sft.out.mkdir()
    more.out.mkdir()
    again = [*record, finish(sft), finish(more)]
    assert steps.keys() - done(steps, again) == {"eval base seed-0"}, "its student is another than it judged"
    assert done(steps, [*again, finish(steps["eval base seed-0"])]) == steps.keys()
    with pytest.raises(UsageError, match="students/more"):
        done(steps, [*record, finish(sft)])


@pytest.mark.parametrize("missing", ["untouched-greedy", "more-greedy"])
def test_an_eval_that_is_not_whole_is_not_done(tmp_path: Path, missing: str) -> None:
    steps = steps_of(load_study(written(tmp_path)))
    record = all_there(steps)
    (steps["eval base seed-1"].out / missing).rmdir()
    assert steps.keys() - done(steps, record) == {"eval base seed-1"}


def test_an_arm_added_later_trains_itself_alone_and_is_judged(tmp_path: Path) -> None:
    record = all_there(steps_of(load_study(written(tmp_path))))
    arms = {**study_data()["arms"], "late": {"method": "sft", "start": "sft"}}
    grown = steps_of(load_study(written(tmp_path, arms=arms)))
    assert grown.keys() - done(grown, record) == {
        f"{kind} base seed-{seed}{arm}" for seed in (0, 1) for kind, arm in (("train", " late"), ("eval", ""))
    }


def test_a_training_that_was_cut_off_does_not_go_on_by_other_settings(tmp_path: Path) -> None:
    steps, home = steps_of(load_study(written(tmp_path))), tmp_path / "runs/small"
    step = steps["train base seed-0 sft"]
    note_begin(home, step.name, Begun(step.inputs, "files"))
    (step.out / "checkpoint-2").mkdir(parents=True)
    other = steps_of(load_study(written(tmp_path), ["training.max_steps=3"]))

    assert done(steps, [], lambda _: "files", begun_in(home, steps)) == set()
    for changed, files in ((other, "files"), (steps, "other files")):
        with pytest.raises(UsageError, match="students/sft was made from other settings"):
            done(changed, [], lambda _, files=files: files, begun_in(home, changed))  # type: ignore[misc]
    (step.out / "checkpoint-2").rmdir()
    for status, refused in (("running", False), ("finished", True)):
        (step.out / "manifest.json").write_text(f'{{"status": "{status}"}}')
        if not refused:
            assert done(other, [], lambda _: "files", begun_in(home, other)) == set(), "there is nothing to go on from"
            continue
        with pytest.raises(UsageError, match="students/sft was made from other settings"):
            done(other, [], lambda _: "files", begun_in(home, other))


def test_files_are_asked_for_only_where_their_hash_is_kept(tmp_path: Path) -> None:
    steps = steps_of(load_study(written(tmp_path)))
    old = all_there(steps)
    assert done(steps, old, lambda _: "now") == steps.keys(), "of a study that an older version ran"
    kept = [each._replace(contents="then") for each in old]
    assert done(steps, kept, lambda _: "then") == steps.keys()
    with pytest.raises(UsageError, match=r"a file, variable or step has"):
        done(steps, kept, lambda _: "now")


def test_a_school_of_other_settings_begins_again_and_says_itself_whether_it_goes_on(tmp_path: Path) -> None:
    plain = {"arms": {"taught": {"school": {}}}, "claims": [], "data": {}, "school": {"recipe": "school.yaml"}}
    steps = steps_of(load_study(written(tmp_path, **plain)))
    record = all_there(steps)
    assert done(steps, record) == steps.keys()
    patient = steps_of(load_study(written(tmp_path, **plain | {"arms": {"taught": {"school": {"rounds": 9}}}})))
    assert done(patient, record) == set()


def test_hours_add_up_over_commands_and_the_rest_goes_by_what_is_like_it(tmp_path: Path) -> None:
    steps = steps_of(load_study(written(tmp_path)))
    sft, more = steps["train base seed-0 sft"], steps["train base seed-0 more"]
    record = [
        finish(sft, seconds=600, begun=1, elapsed=600),
        finish(more, seconds=1200, begun=1, elapsed=1800),
        finish(more, seconds=60, begun=9000, elapsed=3600, code=1),
    ]
    assert hours(record) == pytest.approx(1.5)
    twice = [*record, finish(sft, seconds=800, begun=9000, elapsed=3600)]
    assert seconds_left(steps, {"train base seed-1 sft"}, twice, 1) == pytest.approx(700)
    pending = {"train base seed-1 sft", "train base seed-1 more"}
    assert seconds_left(steps, pending, record, 2) == pytest.approx(900)
    assert seconds_left(steps, {"eval base seed-0"}, record, 2) is None, "no eval was done yet"


def test_when_it_worked_is_told_by_the_lines_alone(tmp_path: Path) -> None:
    step = next(iter(steps_of(load_study(written(tmp_path))).values()))
    begun = datetime(2026, 11, 28, 22, 10, 5, tzinfo=UTC).timestamp()
    record = [
        finish(step, begun=begun, elapsed=600),
        finish(step, begun=begun, elapsed=1800),
        finish(step, begun=begun + 86_400, elapsed=60),  # goes on a day later
    ]
    assert times_of(record) == Times("2026-11-28T22:10:05+00:00", "2026-11-29T22:11:05+00:00", 1860.0)
    assert times_of([]) is None
