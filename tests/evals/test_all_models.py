"""All models of an eval: one that is refused leaves the others, and what would fail later is refused at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from errata.errors import UsageError
from errata.evals.eval_run import refuse_another
from errata.evals.evaluate import evaluate_async
from errata.llm.backends.simulated.server import Faults, serving
from tests.evals.small_evals import over_http, recipe


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "none")


async def test_a_model_that_is_refused_leaves_the_others(tmp_path: Path) -> None:
    async with serving(Faults(refuse_after=0)) as url:
        models = [over_http(url, name="nobody"), {"name": "ada", "model": "simulated/ada"}]
        done = await evaluate_async(recipe(tmp_path, models=models, decodings={"greedy": {}}))

    assert done.exit_code == 1
    assert "nobody" in str(done.error)
    assert [len(each.items) for each in done.evals] == [18, 0, 18]


async def test_another_eval_in_the_directory_is_refused(tmp_path: Path) -> None:
    await evaluate_async(recipe(tmp_path, decodings={"greedy": {}}))

    for changes in ({"seed": 18}, {"decodings": {"greedy": {"max_tokens": 9}}}):
        with pytest.raises(UsageError, match="holds an eval with another"):
            await evaluate_async(recipe(tmp_path, **{"decodings": {"greedy": {}}, **changes}))
    other = {"name": "pupil", "model": "simulated/pupil?skill=0.1"}
    with pytest.raises(UsageError, match="another model"):
        await evaluate_async(recipe(tmp_path, decodings={"greedy": {}}, baseline=other))


async def test_a_local_model_that_decodes_greedily_may_have_another_seed(tmp_path: Path) -> None:
    (done,) = (await evaluate_async(recipe(tmp_path, decodings={"greedy": {}}))).evals[:1]
    local = done.manifest.model_copy(update={"fingerprint": "weights"})
    (done.path / "manifest.json").write_text(local.model_dump_json(), encoding="utf-8")

    refuse_another(done.path, local.model_copy(update={"seed": 18}))
    drawn = local.model_copy(update={"seed": 18, "decoding": local.decoding | {"temperature": 0.7}})
    with pytest.raises(UsageError, match="holds an eval with another"):
        refuse_another(done.path, drawn)


async def test_only_the_prompt_of_the_exam_must_be_the_same(tmp_path: Path) -> None:
    (done,) = (await evaluate_async(recipe(tmp_path, decodings={"greedy": {}}))).evals[:1]
    path = done.path / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    hashes = manifest["prompts"]
    exam = next(name for name in hashes if name.startswith("student/solve@"))

    path.write_text(json.dumps(manifest | {"prompts": {exam: hashes[exam]}}), encoding="utf-8")
    assert (await evaluate_async(recipe(tmp_path, decodings={"greedy": {}}))).exit_code == 0
    path.write_text(json.dumps(manifest | {"prompts": hashes | {exam: "0" * 16}}), encoding="utf-8")
    with pytest.raises(UsageError, match="another prompt"):
        await evaluate_async(recipe(tmp_path, decodings={"greedy": {}}))


async def test_what_would_fail_later_is_refused_before_the_first_call(tmp_path: Path) -> None:
    await evaluate_async(recipe(tmp_path / "other", decodings={"greedy": {}}))
    hot = {"samples": 2, "temperature": 1.0, "vote": "s", "ranker": str(tmp_path)}
    for changes, message in (
        ({"models": [{"name": "gone", "model": f"local/{tmp_path}/gone"}]}, "gone"),
        ({"decodings": {"asc": hot}}, "holds no ranker_config.json"),
        (
            {"models": [{"name": "ada", "model": "simulated/ben"}], "run": str(tmp_path / "other" / "run")},
            "another model",
        ),
    ):
        with pytest.raises(UsageError, match=message):
            await evaluate_async(recipe(tmp_path, **changes))

    assert not (tmp_path / "run" / "evals").exists()
