"""Graders and votes of one's own in evals: by path and by argument, resumed, refused where their code changed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from click.testing import CliRunner

from errata.cli import cli
from errata.errors import UsageError
from errata.evals.compare import compare
from errata.evals.evaluate import evaluate
from errata.evals.recipe import EvalRecipe, load_eval_recipe
from errata.evals.results import Sample, read_eval
from errata.grading.grader import Grade
from errata.records import Problem

GRADER = """
from errata.grading.grader import Grade

def ANY_NUMBER(problem, text):
    return Grade(any(letter.isdigit() for letter in text), "a number", None, "any_number")

class NOTHING:
    async def grade(self, problem, text):
        return Grade(False, text[-9:], None, "nothing")

    async def same(self, kind, one, other, choices=()):
        return True
"""
VOTE = """
def LAST(samples):
    return [float(place == len(samples) - 1) for place in range(len(samples))]

def TOO_FEW(samples):
    return [1.0]

def BREAKS(samples):
    return samples.weights
"""
RECIPE: dict[str, Any] = {
    "baseline": {"name": "pupil", "model": "simulated/pupil"},
    "decodings": {"last3": {"samples": 3, "temperature": 0.7, "vote": "my_votes.py:LAST"}},
    "tasks": {"classroom_id": {"limit": 6}, "classroom_ood4": {"limit": 4, "grader": "my_grader.py:NOTHING"}},
    "grader": "my_grader.py:ANY_NUMBER",
}


def written(folder: Path, **changes: Any) -> Path:
    """A recipe with its own code beside it."""
    (folder / "my_grader.py").write_text(GRADER)
    (folder / "my_votes.py").write_text(VOTE)
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump({**RECIPE, "run": str(folder / "run"), **changes}))
    return path


def longest(samples: Sequence[Sample]) -> list[float]:
    return [float(len(sample.text)) for sample in samples]


def all_wrong(problem: Problem, text: str) -> Grade:
    return Grade(False, "none", None, "all_wrong")


def test_graders_and_votes_are_named_by_path_and_shown_under_their_names(tmp_path: Path) -> None:
    path = written(tmp_path)

    ended = CliRunner().invoke(cli, ["eval", str(path), "--quiet"], env={"COLUMNS": "200"})

    assert ended.exit_code == 0, ended.output
    first = ended.stderr.splitlines()[0]
    assert "my_grader.py:ANY_NUMBER" in first
    assert str(tmp_path / "my_grader.py") in first
    assert "graded by my_grader.py:ANY_NUMBER" in " ".join(ended.stdout.split())
    assert "vote[my_votes.py:LAST]@3" in ended.stdout
    one = read_eval(tmp_path / "run" / "evals" / "pupil-last3")
    assert one.summary["tasks"]["classroom_id"]["grader"] == "my_grader.py:ANY_NUMBER"
    assert one.summary["tasks"]["classroom_ood4"]["grader"] == "my_grader.py:NOTHING"
    assert one.summary["tasks"]["classroom_id"]["accuracy"]["value"] == 1.0
    assert one.summary["tasks"]["classroom_ood4"]["accuracy"]["value"] == 0.0
    assert set(one.manifest.code) == {"my_grader.py:ANY_NUMBER", "my_grader.py:NOTHING", "my_votes.py:LAST"}
    assert all(each["sha256"] for each in one.manifest.code.values())
    # NOTHING finds all answers equal, ANY_NUMBER leaves that to the shipped rules
    assert all({sample.group for sample in item.samples} == {0} for item in one.by_task["classroom_ood4"])
    notes = compare([one]).notes
    assert any("classroom_ood4: graded by my_grader.py:NOTHING" in note for note in notes)
    assert any("voted on by my_votes.py:LAST" in note for note in notes)


def test_an_own_vote_decides_by_its_weights(tmp_path: Path) -> None:
    done = evaluate(written(tmp_path, grader=None, tasks={"classroom_id": {"limit": 12}}))

    items = done.evals[0].items
    assert all(item.correct == item.samples[-1].correct for item in items if item.samples[-1].answer is not None)
    assert any(item.samples[0].correct != item.samples[-1].correct for item in items)
    assert done.evals[0].summary["tasks"]["classroom_id"]["vote[my_votes.py:LAST]@3"]["value"] == pytest.approx(
        sum(item.correct for item in items) / len(items)
    )


def test_the_same_parts_are_taken_as_values(tmp_path: Path) -> None:
    plain = {**RECIPE, "grader": None, "tasks": {"classroom_id": {"limit": 5}, "classroom_ood4": {"limit": 4}}}
    recipe = EvalRecipe.model_validate(
        {**plain, "name": "own", "run": str(tmp_path / "run"), "decodings": {"hot": {"samples": 2, "temperature": 1}}}
    )

    done = evaluate(recipe, graders={"classroom_ood4": all_wrong}, votes={"hot": longest})

    one = done.evals[0]
    longer = [max(item.samples, key=lambda sample: len(sample.text)) for item in one.by_task["classroom_id"]]
    lengths = [{len(sample.text) for sample in item.samples} for item in one.by_task["classroom_id"]]
    assert [
        item.correct == long.correct
        for item, long, both in zip(one.by_task["classroom_id"], longer, lengths, strict=True)
        if len(both) == 2
    ] == [True] * sum(len(both) == 2 for both in lengths)
    assert not any(item.correct for item in one.by_task["classroom_ood4"])
    assert any(name.endswith(":longest") for name in one.manifest.code)
    with pytest.raises(UsageError, match=r"no decodings\.cold"):
        evaluate(recipe, votes={"cold": longest})


def test_no_eval_goes_on_with_other_code_and_the_same_code_goes_on(tmp_path: Path) -> None:
    path = written(tmp_path)
    first = evaluate(path, ["limit=2"])
    rest = evaluate(path)
    assert first.exit_code == rest.exit_code == 0
    assert rest.spent["this_run"]["paid"] < rest.spent["all_runs"]["paid"]

    with pytest.raises(UsageError, match="another grader of classroom_id"):
        evaluate(path, ["grader=my_grader.py:NOTHING"])
    (tmp_path / "my_votes.py").write_text(VOTE + "\n# changed\n")
    with pytest.raises(UsageError, match=r"another code of my_votes.py:LAST"):
        evaluate(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grader": "my_grader.py:ANY_NUMBR"}, "did you mean ANY_NUMBER"),
        ({"grader": "../elsewhere.py:X"}, "leads out of"),
        ({"tasks": {"classroom_id": {"grader": "nothing"}}}, "names no part"),
        ({"decodings": {"x": {"samples": 2, "temperature": 1, "vote": "median"}}}, "decodings.x.vote"),
        ({"decodings": {"x": {"vote": "my_votes.py:LAST"}}}, "needs several samples"),
    ],
)
def test_a_part_that_is_none_is_refused_before_the_first_call(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError) as raised:
        load_eval_recipe(written(tmp_path, **changes))

    assert message in str(raised.value)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("vote", "message"), [("TOO_FEW", "the weights [1.0] to 3 samples"), ("BREAKS", "AttributeError")]
)
def test_a_vote_that_gives_no_weights_ends_the_eval_and_is_named(tmp_path: Path, vote: str, message: str) -> None:
    decodings = {"x": {"samples": 3, "temperature": 1, "vote": f"my_votes.py:{vote}"}}

    done = evaluate(written(tmp_path, decodings=decodings))

    assert done.exit_code == 2
    assert message in str(done.error)
    assert f"my_votes.py:{vote}" in str(done.error)


def test_two_sides_graded_differently_are_noted(tmp_path: Path) -> None:
    decodings = {"greedy": {}}
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    own = evaluate(written(tmp_path / "a", decodings=decodings))
    shipped = evaluate(written(tmp_path / "b", decodings=decodings, grader=None, tasks=RECIPE["tasks"]))

    notes = compare([own.evals[0].path, shipped.evals[0].path]).notes

    assert any("classroom_id: graded differently" in note for note in notes)
    assert (
        orjson.loads((shipped.evals[0].path / "manifest.json").read_bytes())["tasks"]["classroom_id"].get("grader")
        is None
    )
