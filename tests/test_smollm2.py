"""The recipes of the real small model, run on a tiny random checkpoint and on the faculty behind real HTTP."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from errata.classroom.problems import problems
from errata.llm.backends.simulated.server import serving
from errata.runs.recipe import load_recipe
from errata.runs.runner import synthesize
from tests.models import tiny
from tests.small_runs import lines

RECIPES = Path(__file__).parent.parent / "recipes"


@pytest.fixture
def at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A GGUF file, and classroom problems as GSM8K writes its own, where the recipes look for theirs."""
    monkeypatch.setenv("SMOLLM2_GGUF", str(tiny.save_gguf(tmp_path / "tiny.gguf", context=2048)))
    monkeypatch.setenv("ERRATA_DATA", str(tmp_path))
    rows = [{"question": each.question, "answer": f"#### {each.answer}"} for each in problems({"count": 4, "seed": 3})]
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "train.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


async def test_a_local_gguf_sits_the_exam_and_its_stored_replies_write_the_same_lines(at_hand: Path) -> None:
    recipe = load_recipe(
        RECIPES / "smollm2_exam.yaml", [f"runs={at_hand / 'runs'}", "settings.exam.sampling.max_tokens=24"]
    )

    first = await synthesize(recipe)
    told = (first.run / "transcripts.jsonl").read_bytes()
    (first.run / "transcripts.jsonl").unlink()
    again = await synthesize(recipe)

    assert first.exit_code == again.exit_code == 0
    assert (first.spent["this_run"]["paid"], again.spent["this_run"]["cached"]) == (4, 4)
    assert sorted(told.splitlines()) == sorted((again.run / "transcripts.jsonl").read_bytes().splitlines())
    for line in lines(first.run):
        assert line["outcome"]["status"] == "done"
        (call,), (answer,) = line["calls"], line["rationales"]
        assert (call["served"], call["price_usd"], call["reply"]) == ("tiny.gguf", 0, answer["text"])
        assert 0 < call["completion_tokens"] <= 24
        assert answer["correct"] is not None


async def test_a_local_student_learns_from_openai_and_litellm_teachers(at_hand: Path) -> None:
    async with serving() as url:
        teachers = [f"agents.teachers.{place}.{key}" for place in range(2) for key in ("api_base", "model")]
        values = [url, "openai/ada", url, "litellm/openai/ben"]
        overrides = [f"{key}={value}" for key, value in zip(teachers, values, strict=True)]
        summary = await synthesize(
            load_recipe(
                RECIPES / "smollm2_lesson.yaml",
                [*overrides, f"runs={at_hand / 'runs'}", "settings.exam.sampling.max_tokens=24"],
            )
        )

    assert summary.exit_code == 0
    told = lines(summary.run)
    assert len(told) == 4
    assert {each["role"] for line in told for each in line["rationales"]} & {"rectified", "corrupted"}
    for line in told:
        assert line["outcome"]["status"] == "done"
        by_model = {call["model"].partition("/")[0]: call["served"] for call in line["calls"]}
        assert by_model == {"local": "tiny.gguf", "openai": "ada", "litellm": "ben"}
        assert {each["role"] for each in line["rationales"]} >= {"student", "teacher"}
        assert all(call["reply"] is not None for call in line["calls"])
        teachers_texts = [each for each in line["rationales"] if each["role"] == "teacher"]
        assert {each["author"] for each in teachers_texts} == {"chat", "lite"}
        assert all(len(each["reviews"]) == 1 for each in teachers_texts)
        assert line["explanations"]
