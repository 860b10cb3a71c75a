"""Data sets and students on a hub over real HTTP: what is sent, what is said first, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import huggingface_hub
import pytest
import yaml
from click.testing import CliRunner, Result

from errata.cli import cli
from errata.errors import UsageError
from errata.publish.hub import HUB, destination
from tests.models import tiny
from tests.publish.hub import KEY, Hub, serving

PRIVATE = {
    ".env": "OPENAI_API_KEY=sk-secret",
    "spent.json": "{}",
    "manifest.json": "",
    "trainer_state.json": "{}",
    "training_args.bin": "x",
    "optimizer.pt": "x",
    "notes.json": "{}",
    "secrets.txt": "x",
    "README.md": "PEFT's own card",
}
MANIFEST: dict[str, Any] = {
    "kind": "training",
    "method": "edit",
    "paper": "EDIT, arXiv 2405.19737",
    "control": "alpha_zero",
    "objective": [{"term": "likelihood"}],
    "config": {"model": {"model_name_or_path": "org/student"}},
    "data": [{"name": "/home/me/runs/demo", "rows": 1200, "sha256": "ab12"}],
    "trained_weights": 672,
    "seed": 42,
    "versions": {"trl": "1.0"},
}


@pytest.fixture(scope="module")
def running() -> Iterator[Hub]:
    with serving() as hub:
        yield hub


@pytest.fixture
def hub(running: Hub, monkeypatch: pytest.MonkeyPatch) -> Hub:
    running.private.clear()
    for each in (running.files, running.large, running.asked, running.keys):
        each.clear()
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)  # other tests are
    monkeypatch.setenv("HF_ENDPOINT", running.url)
    monkeypatch.setenv("STUB_KEY", KEY)
    monkeypatch.setenv("HF_TOKEN", "hf_of_another_hub")
    return running


def push(path: Path, *words: str, to: str = "me/thing") -> Result:
    return CliRunner().invoke(cli, ["push", str(path), "--to", to, "--token-env", "STUB_KEY", *words])


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    file = tmp_path / "data" / "rows.jsonl"
    file.write_text('{"prompt": "1 + 1", "completion": "2"}\n')
    file.with_suffix(".md").write_text("---\nlicense: mit\n---\n# rows\n")
    (tmp_path / "data" / ".env").write_text("OPENAI_API_KEY=sk-secret")
    return file


@pytest.fixture
def student(tmp_path: Path) -> Path:
    folder = tiny.save_plain(tmp_path / "student")
    for name, text in PRIVATE.items():
        (folder / name).write_text(text)
    (folder / "manifest.json").write_text(json.dumps(MANIFEST))
    return folder


def test_a_data_set_goes_with_its_card_into_a_private_repository(rows: Path, hub: Hub) -> None:
    done = push(rows)

    assert done.exit_code == 0, done.output
    assert hub.private == {"datasets/me/thing": True}
    card = rows.with_suffix(".md").read_bytes()
    assert hub.files["datasets/me/thing"] == {"rows.jsonl": rows.read_bytes(), "README.md": card}
    assert hub.keys == {f"Bearer {KEY}"}
    assert done.stdout.strip() == f"{hub.url}/datasets/me/thing/commit/0"
    for told in (f"to {hub.url} as dataset me/thing (private), with the key in STUB_KEY", "rows.jsonl", "README.md"):
        assert told in done.stderr
    assert KEY not in done.output


def test_a_dry_run_says_the_same_and_asks_nobody(rows: Path, hub: Hub) -> None:
    planned = push(rows.parent, "--dry-run")

    assert hub.asked == []
    assert push(rows).stderr.startswith(planned.stdout)


def test_a_student_goes_with_weights_tokenizer_and_card_and_nothing_else(student: Path, hub: Hub) -> None:
    done = push(student, "--public")

    assert done.exit_code == 0, done.output
    sent = hub.files["models/me/thing"]
    assert sent.keys() == {
        *("model.safetensors", "config.json", "generation_config.json", "README.md"),
        *("tokenizer.json", "tokenizer_config.json", "chat_template.jinja"),
    }
    assert sent["model.safetensors"] == (student / "model.safetensors").read_bytes()
    assert hub.private == {"models/me/thing": False}
    assert "public, anybody can read it" in done.stderr


def test_its_card_says_how_it_was_made_how_good_it_is_and_how_it_is_loaded(
    student: Path, hub: Hub, tmp_path: Path
) -> None:
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / "items.jsonl").write_text('{"id": "1", "task": "svamp", "correct": true}\n')
    accuracy = {"value": 0.5, "low": 0.25, "high": 0.75}
    summary = {"tasks": {"svamp": {"n": 300, "accuracy": accuracy}}}
    (tmp_path / "eval" / "summary.json").write_text(json.dumps(summary))

    assert push(student, "--eval", str(tmp_path / "eval")).exit_code == 0

    card = hub.files["models/me/thing"]["README.md"].decode()
    head = yaml.safe_load(card.split("---")[1])
    assert head == {"base_model": "org/student", "library_name": "transformers", "tags": ["errata", "edit"]}
    for told in (
        *("`errata train edit`: EDIT, arXiv 2405.19737", "Control: `alpha_zero`", "`demo`, 1,200 rows, sha256 ab12"),
        *("| eval | svamp | 300 | 50.0 [25.0, 75.0] |", 'AutoModelForCausalLM.from_pretrained("me/thing")'),
    ):
        assert told in card
    for never in ("/home/me", "None", "PEFT's own card", "manifest.json"):
        assert never not in card


def test_an_adapter_names_a_base_that_others_have(tmp_path: Path, hub: Hub) -> None:
    base = tiny.save_plain(tmp_path / "base")
    adapter = tiny.save_lora(tmp_path / "adapter", base)
    (adapter / "manifest.json").write_text(json.dumps({**MANIFEST, "lora_rank": 2}))

    refused = push(adapter)
    assert refused.exit_code == 2
    assert "nobody else has that folder" in refused.stderr
    assert hub.asked == []

    assert push(adapter, "--base", "org/base").exit_code == 0
    sent = hub.files["models/me/thing"]
    assert json.loads(sent["adapter_config.json"])["base_model_name_or_path"] == "org/base"
    assert yaml.safe_load(sent["README.md"].decode().split("---")[1])["base_model"] == "org/base"
    assert not any(str(tmp_path).encode() in content for content in sent.values())


def test_what_a_study_found_goes_beside_its_student(student: Path, hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "study.json").write_text("{}")
    (tmp_path / "card.md").write_text("# what was found")

    assert push(student).exit_code == 0

    assert hub.files["models/me/thing"]["EVIDENCE.md"] == b"# what was found"


def test_a_public_repository_is_not_filled_unasked(rows: Path, hub: Hub) -> None:
    hub.private["datasets/me/thing"] = False

    refused = push(rows)

    assert refused.exit_code == 2
    assert "is there already and public" in refused.stderr
    assert hub.files == {}
    assert push(rows, "--public").exit_code == 0


def test_a_refusal_is_told_without_the_key(rows: Path, hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STUB_KEY", "hf_wrong_key")

    refused = push(rows)

    assert refused.exit_code == 1
    assert "403" in refused.stderr
    assert "hf_wrong_key" not in refused.output


def test_a_host_that_does_not_answer_is_told(rows: Path, hub: Hub) -> None:
    refused = push(rows, "--endpoint", "http://127.0.0.1:9")

    assert refused.exit_code == 1
    assert "ConnectError" in refused.stderr


def test_a_link_is_not_followed(rows: Path, hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("key")
    rows.unlink()
    rows.symlink_to(tmp_path / "secret")

    refused = push(rows)

    assert refused.exit_code == 2
    assert "is a link" in refused.stderr
    assert hub.asked == []


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ({"repo": "thing"}, "--to thing"),
        ({"endpoint": "http://hub.example", "token_env": "KEY"}, "in the clear"),
        ({"endpoint": "https://hub.example"}, "HF_TOKEN is the key of https://huggingface.co"),
    ],
)
def test_a_destination_that_would_give_a_key_away_is_refused(words: dict[str, str], found: str) -> None:
    with pytest.raises(UsageError, match=found):
        destination(**{"repo": "me/thing", "kind": "dataset", "endpoint": HUB, **words})


def test_what_is_neither_and_what_has_no_card_is_refused(
    rows: Path, hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loads: list[str] = []
    monkeypatch.setattr("errata.models.load.need_torch", lambda: loads.append("torch"))
    (tmp_path / "empty").mkdir()
    rows.with_suffix(".md").unlink()

    for path, found in ((rows, "rows.md is missing"), (tmp_path / "empty", "neither config.json")):
        refused = push(path)
        assert refused.exit_code == 2
        assert found in refused.stderr
    assert loads == [], "it takes seconds to load"
    student = tiny.save_plain(tmp_path / "untrained")
    assert "manifest.json of a training" in push(student).stderr
    assert hub.asked == []
