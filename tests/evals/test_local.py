"""Evals of local checkpoints: a plain one, an adapter, one that errata trained, and votes weighted by a ranker."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from errata.errors import UsageError
from errata.evals.aggregate import vote_of
from errata.evals.checkpoint_info import training_of
from errata.evals.evaluate import evaluate_async
from errata.evals.recipe import EvalRecipe
from errata.evals.results import Eval
from errata.models.ranker import RankerSettings, load_ranker, new_ranker
from tests.models import tiny

TASKS = {"classroom_id": {"limit": 6}}


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.save_plain(tmp_path_factory.mktemp("plain") / "tiny")
    config = folder / "config.json"
    config.write_text(config.read_text().replace('"max_position_embeddings": 256', '"max_position_embeddings": 512'))
    return folder


def recipe(folder: Path, baseline: Path, *models: Path, **changes: Any) -> EvalRecipe:
    settings = {
        "name": "local",
        "run": str(folder / "run"),
        "baseline": {"name": "untouched", "model": f"local/{baseline}"},
        "models": [{"name": model.name, "model": f"local/{model}"} for model in models],
        "decodings": {"greedy": {"max_tokens": 6}},
        "tasks": TASKS,
    }
    return EvalRecipe.model_validate({**settings, **changes})


def texts(one: Eval) -> list[str]:
    return [sample.text for item in one.items for sample in item.samples]


async def test_a_cut_off_answer_is_counted_as_truncated(tmp_path: Path, plain: Path) -> None:
    done = (await evaluate_async(recipe(tmp_path, plain))).evals[0]

    cut = [item for item in done.items if item.truncated]
    assert cut
    assert all(item.tokens == 6 and item.samples[0].truncated for item in cut)
    assert done.summary["truncated"] == len(cut)
    assert done.manifest.fingerprint
    assert done.manifest.training is None


async def test_an_answer_ends_before_the_model_asks_itself_the_next_question(
    tmp_path: Path, plain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replies = "3 + 4 = 7.\nThe answer is 7.\nQuestion: What is 2 + 2?\nThe answer is 4."
    ids = tiny.tokenizer(chat=True)(replies, add_special_tokens=False).input_ids
    monkeypatch.setattr("errata.models.batch.pick", lambda logits_BV, draws: [ids[draw.step] for draw in draws])
    length = {"max_tokens": len(ids)}

    settings = recipe(tmp_path, plain, decodings={"stops": length, "runs_on": {**length, "stop_at_answer": False}})
    stops, runs_on = (await evaluate_async(settings)).evals

    assert texts(stops) == ["3 + 4 = 7.\nThe answer is 7.\n"] * 6
    assert texts(runs_on) == [replies] * 6
    assert [item.truncated for item in (*stops.items, *runs_on.items)] == [0] * 6 + [1] * 6
    assert all(item.tokens < len(ids) for item in stops.items)
    assert [(item.answer, item.correct) for item in stops.items] == [(i.answer, i.correct) for i in runs_on.items]


async def test_adapter_and_base_are_evaluated_side_by_side(tmp_path: Path, plain: Path) -> None:
    lora = tiny.save_lora(tmp_path / "lora", plain)

    done = await evaluate_async(recipe(tmp_path, plain, lora))

    untouched, adapted = done.evals
    assert texts(untouched) != texts(adapted)
    assert untouched.manifest.fingerprint != adapted.manifest.fingerprint


async def test_a_checkpoint_that_changed_is_another_eval(tmp_path: Path) -> None:
    student = tiny.save_plain(tmp_path / "student")
    decodings = {"greedy": {"max_tokens": 2}}
    question = tmp_path / "q.jsonl"
    question.write_text('{"q": "1 + 1?", "a": 2}\n')
    task = {"mine": {"source": str(question), "mapping": {"question": "q", "answer": "a", "kind": "number"}}}
    await evaluate_async(recipe(tmp_path, student, decodings=decodings, tasks=task))
    tiny.model(seed=7).save_pretrained(student)

    with pytest.raises(UsageError, match="another fingerprint"):
        await evaluate_async(recipe(tmp_path, student, decodings=decodings, tasks=task))


async def test_a_ranker_weighs_the_votes_after_all_is_answered(tmp_path: Path, plain: Path) -> None:
    from errata.models.load import load

    checkpoint = load(str(plain), "cpu")
    torch.manual_seed(3)
    where = tmp_path / "ranker"
    where.mkdir()
    new_ranker(checkpoint.model, RankerSettings(max_length=500)).save(where)
    checkpoint.tokenizer.save_pretrained(where)
    file = tmp_path / "q.jsonl"
    file.write_text("".join(json.dumps({"q": f"{n} + 1?", "a": n + 1}) + "\n" for n in range(4)))
    task = {"mine": {"source": str(file), "mapping": {"question": "q", "answer": "a", "kind": "number"}}}
    hot = {
        "samples": 5,
        "temperature": 1.5,
        "max_tokens": 5,
        "vote": "s",
        "ranker": str(where),
        "ranker_label": "judge",
    }

    done = (await evaluate_async(recipe(tmp_path, plain, decodings={"asc": hot}, tasks=task))).evals[0]

    scorer = load_ranker(where, "cpu")
    for item in done.items:
        form = 'a line that begins with "The answer is" and gives the answer.'
        prompt = f"{item.meta['question']}\nReason step by step and end with: {form}"
        written = [sample.text for sample in item.samples]
        expected = scorer.score([prompt] * 5, written)
        for sample, score in zip(item.samples, expected, strict=True):
            assert (sample.score is None) == (score is None)
            assert score is None or math.isclose(sample.score or 0, score, rel_tol=1e-4)
        assert float(item.correct) == vote_of(item.samples, "s").credit
    assert done.manifest.decoding["ranker_label"] == "judge"
    figures = done.summary["tasks"]["mine"]
    assert {"asc[s]@5", "asc[1+s]@5", "asc[1+2s]@5", "maj@5", "pass@5"} <= set(figures)


async def test_samples_are_shared_by_decodings_that_draw_alike(tmp_path: Path, plain: Path) -> None:
    hot = {"samples": 3, "temperature": 1.0, "max_tokens": 4}

    done = await evaluate_async(recipe(tmp_path, plain, decodings={"mean": hot, "maj": {**hot, "vote": "majority"}}))

    assert texts(done.evals[0]) == texts(done.evals[1])
    assert done.spent["this_run"]["paid"] == done.spent["this_run"]["cached"] == 18


def test_how_a_checkpoint_was_trained_is_copied_from_its_folder(tmp_path: Path) -> None:
    student, run = tmp_path / "student", tmp_path / "run"
    student.mkdir()
    run.mkdir()
    (run / "manifest.json").write_text('{"spent": {"all_runs": {"usd": 1.25}}}')
    settings = {
        "kind": "training", "method": "mapd", "seed": 4, "target_tokens_an_epoch": 1000, "status": "finished",
        "data": [{"name": str(run), "rows": 9, "sha256": "ab"}],
    }  # fmt: skip
    (student / "manifest.json").write_text(json.dumps(settings))
    history = [{"step": 5, "loss": 0.5, "loss/mistake": 1.5}, {"step": 10, "loss": 0.25}]
    state = json.dumps({"epoch": 2.5, "global_step": 10, "log_history": history})
    (student / "trainer_state.json").write_text(state.replace("1.5", "NaN"))

    training = training_of(f"local/{student}")

    assert training is not None
    assert (training["method"], training["seed"], training["target_tokens"], training["cost_usd"]) == (
        "mapd",
        4,
        2500,
        1.25,
    )
    assert training["log"][0] == {"step": 5, "loss": 0.5, "loss/mistake": None}
    assert training_of("openai/gpt-4.1") is None
    assert training_of(f"local/{run}") is None
