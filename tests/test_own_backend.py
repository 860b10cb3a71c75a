"""A backend of one's own: by recipe and the plain commands, and as an object from Python."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import yaml
from click.testing import CliRunner

from errata import Backend, Reply, UsageError, evaluate, load_recipe, synthesize
from errata.cli import cli
from errata.runs.recipe import SynthRecipe
from tests.small_runs import lines

PARTS = Path(__file__).parent / "own_parts"


class House(BaseHTTPRequestHandler):
    asked: list[dict[str, object]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.asked.append(body)
        text = f"It is short. The answer is {len(self.asked)}."
        reply = json.dumps({"text": text, "read": 30, "written": 7}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, *_: object) -> None:
        """Nothing on stderr."""


@pytest.fixture
def house() -> Iterator[tuple[str, list[dict[str, object]]]]:
    asked: list[dict[str, object]] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (House,), {"asked": asked}))
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/", asked
    server.shutdown()
    server.server_close()


def recipe(folder: Path, **teacher: object) -> Path:
    shutil.copy(PARTS / "my_backend.py", folder)
    data = {
        "stages": ["rationales"],
        "problems": {"source": "classroom", "options": {"count": 5}},
        "agents": {"teachers": [{"name": "ada", "model": "house/small", **teacher}]},
        "runs": str(folder / "runs"),
    }
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(data))
    return path


def test_a_backend_named_by_a_recipe_is_asked_by_the_plain_commands(
    tmp_path: Path, house: tuple[str, list[dict[str, object]]]
) -> None:
    address, asked = house
    file = str(recipe(tmp_path, backend="my_backend.py:House", api_base=address))
    plan = CliRunner().invoke(cli, ["plan", file])
    first = CliRunner().invoke(cli, ["synth", file, "--quiet"])
    paid = len(asked)
    second = CliRunner().invoke(cli, ["synth", file, "--quiet"])

    for result in (plan, first, second):
        assert result.exit_code == 0, result.output
        assert "own code: my_backend.py:House" in result.output
        assert address.split("/")[2] in result.output
    assert paid == len(asked) == 5, "each reply is paid for once"
    for line in lines(tmp_path / "runs/recipe"):
        (call,) = line["calls"]
        assert call["price_usd"] is None, "nobody said what it costs"
        assert line["rationales"][0]["text"].startswith("It is short.")
    manifest = json.loads((tmp_path / "runs/recipe/manifest.json").read_bytes())
    assert manifest["code"]["my_backend.py:House"]["sha256"]


def test_what_its_replies_say_of_tokens_is_priced(tmp_path: Path, house: tuple[str, list[dict[str, object]]]) -> None:
    price = {"prompt": 1.0, "completion": 10.0}  # per million tokens
    summary = synthesize(recipe(tmp_path, backend="my_backend.py:House", api_base=house[0], price=price))

    spent = summary.spent["this_run"]
    assert (spent["prompt_tokens"], spent["completion_tokens"]) == (5 * 30, 5 * 7)
    assert spent["usd"] == pytest.approx(5 * (30 * 1.0 + 7 * 10.0) / 1e6)


def test_a_run_is_not_continued_by_another_backend_without_a_word(
    tmp_path: Path, house: tuple[str, list[dict[str, object]]]
) -> None:
    file = recipe(tmp_path, backend="my_backend.py:House", api_base=house[0])
    synthesize(file)
    (tmp_path / "my_backend.py").write_text((PARTS / "my_backend.py").read_text() + "\n# changed\n")
    with pytest.raises(UsageError, match=r"was run with another my_backend\.py:House"):
        synthesize(file)


class Same(Backend):
    remote = False

    def __init__(self) -> None:
        self.asked, self.closed = 0, 0

    async def complete(self, request: object, seed: int) -> Reply:
        self.asked += 1
        return Reply("The answer is 4.", prompt_tokens=3, completion_tokens=4)

    async def close(self) -> None:
        self.closed += 1


def test_an_object_is_asked_for_its_provider_costs_nothing_here_and_stays_open(tmp_path: Path) -> None:
    same = Same()
    summary = synthesize(recipe(tmp_path), backends={"house": same})
    assert summary.exit_code == 0
    assert summary.spent["this_run"]["usd"] == 0.0
    assert (same.asked, same.closed) == (5, 0)

    loaded = load_recipe(recipe(tmp_path), ["name=other", "seed=18"])
    assert isinstance(loaded, SynthRecipe)
    synthesize(loaded, backends={"house": same})
    assert (same.asked, same.closed) == (10, 0)


def test_a_class_is_made_and_closed_by_each_run(tmp_path: Path) -> None:
    made: list[Same] = []

    class Kept(Same):
        def __init__(self) -> None:
            super().__init__()
            made.append(self)

    synthesize(recipe(tmp_path), backends={"house": Kept})
    assert [(each.asked, each.closed) for each in made] == [(5, 1)]


def test_evals_ask_a_backend_of_ones_own(tmp_path: Path) -> None:
    data = {
        "run": str(tmp_path / "run"),
        "baseline": {"name": "pupil", "model": "house/small"},
        "tasks": {"classroom_id": {"limit": 4}},
    }
    (tmp_path / "eval.yaml").write_text(yaml.safe_dump(data))
    same = Same()
    done = evaluate(tmp_path / "eval.yaml", backends={"house": same})
    assert done.exit_code == 0
    assert (same.asked, same.closed) == (4, 0)


def test_what_is_no_backend_and_a_provider_that_nobody_names_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="has no complete, fingerprint, close, paid, remote, takes_schema"):
        synthesize(recipe(tmp_path), backends={"house": object()})
    with pytest.raises(UsageError, match="no agent has a model hous/NAME"):
        synthesize(recipe(tmp_path), backends={"hous": Same()})
    data = {"run": str(tmp_path / "runs"), "baseline": {"name": "p", "model": "a/b"}, "tasks": {"classroom_id": {}}}
    (tmp_path / "eval.yaml").write_text(yaml.safe_dump(data))
    with pytest.raises(UsageError, match="has no complete, fingerprint, close, paid, remote, takes_schema"):
        evaluate(tmp_path / "eval.yaml", backends={"a": object()})
    assert not (tmp_path / "runs").exists()
