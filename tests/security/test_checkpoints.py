"""A checkpoint that somebody else hands on: no code that lies beside its weights runs, and nobody is asked whether."""

from __future__ import annotations

import ast
import builtins
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from trl import ModelConfig

import errata
from errata.errors import UsageError
from errata.models.files import find
from errata.models.load import load
from errata.models.ranker import HEAD_FILE, load_ranker
from errata.training.load_student import open_student
from tests.models import tiny

MARKER = "code_ran"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The questions that were asked on stdin; each is answered with yes, as `yes |` would."""
    questions: list[str] = []

    def yes(question: str = "") -> str:
        questions.append(question)
        return "y"

    monkeypatch.setattr(builtins, "input", yes)
    return questions


def with_code(folder: Path, config: str, names: dict[str, object]) -> Path:
    """The checkpoint, whose `config` says that code beside it is to be run."""
    (folder / "evil.py").write_text(f"open({str(folder / MARKER)!r}, 'w').close()\nclass Evil: pass\n")
    saved = json.loads((folder / config).read_text())
    saved |= {"model_type": "evil", "auto_map": names}
    (folder / config).write_text(json.dumps(saved))
    return folder


def evil_model(folder: Path) -> Path:
    tiny.save_plain(folder)
    return with_code(folder, "config.json", {"AutoConfig": "evil.Evil", "AutoModelForCausalLM": "evil.Evil"})


def evil_tokenizer(folder: Path) -> Path:
    tiny.save_plain(folder)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "Evil"}')
    return with_code(folder, "tokenizer_config.json", {"AutoTokenizer": ["evil.Evil", "evil.Evil"]})


def evil_base(folder: Path) -> Path:
    base = tiny.save_plain(folder / "base")
    adapter = tiny.save_lora(folder / "adapter", base)
    evil_model(base)
    return adapter


def evil_ranker(folder: Path) -> Path:
    evil_model(folder)
    (folder / "ranker_config.json").write_text("{}")
    (folder / HEAD_FILE).write_bytes(b"")
    return folder


def trained(path: str) -> object:
    return open_student(ModelConfig(model_name_or_path=path), lambda: ([], []), 0)


@pytest.mark.parametrize(
    ("make", "use"),
    [
        (evil_model, load),
        (evil_tokenizer, load),
        (evil_base, load),
        (evil_model, trained),
        (evil_tokenizer, trained),
        (evil_ranker, load_ranker),
    ],
    ids=["model", "tokenizer", "base", "student", "student's tokenizer", "ranker"],
)
def test_code_beside_the_weights_is_refused_without_a_question(
    make: Callable[[Path], Path], use: Callable[[str], object], tmp_path: Path, asked: list[str]
) -> None:
    folder = make(tmp_path / "given")

    with pytest.raises(UsageError, match=r"(?s)auto_map.*no code beside the weights of a checkpoint is run.*do:"):
        use(str(folder))

    assert asked == []
    assert not list(tmp_path.rglob(MARKER))


def test_a_known_model_needs_no_code_that_lies_beside_it(tmp_path: Path, asked: list[str]) -> None:
    folder = tiny.save_plain(tmp_path / "given")
    with_code(folder, "config.json", {"AutoModelForCausalLM": "evil.Evil"})
    saved = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(saved | {"model_type": "llama"}))

    load(str(folder), device="cpu")

    assert asked == []
    assert not list(tmp_path.rglob(MARKER))


def test_a_hub_model_comes_without_its_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patterns: list[str] = []

    def snapshot(name: str, allow_patterns: list[str]) -> str:
        patterns.extend(allow_patterns)
        return str(tiny.save_plain(tmp_path / "hub"))

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot)
    find("somebody/model")

    assert not [each for each in patterns if each.endswith(("py", "bin", "pt", "*"))]


def test_every_place_that_loads_says_that_no_code_is_trusted() -> None:
    """Also those that are written tomorrow. An adapter's and its settings' own loaders know no code."""
    root = Path(errata.__file__).parent
    seen, silent = 0, []
    for file in root.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if node.func.attr != "from_pretrained" or ast.unparse(node.func.value) in ("PeftModel", "LoraConfig"):
                continue
            seen += 1
            trust = [ast.unparse(each.value) for each in node.keywords if each.arg == "trust_remote_code"]
            if trust != ["False"]:
                silent.append(f"{file.relative_to(root)}:{node.lineno}")
    assert seen >= 4
    assert silent == []


def test_copies_of_the_checkpoint_keep_no_code(tmp_path: Path) -> None:
    """What decides is in the configuration: a folder without the code itself is refused in the same words."""
    folder = evil_model(tmp_path / "given")
    bare = shutil.copytree(folder, tmp_path / "bare", ignore=shutil.ignore_patterns("*.py"))
    with pytest.raises(UsageError, match="no code beside the weights"):
        load(str(bare))
