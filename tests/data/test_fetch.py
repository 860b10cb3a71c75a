"""Public data sets over real HTTP: what is put in place, and what never is."""

from __future__ import annotations

import fnmatch
import hashlib
import os
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner

from errata.cli import cli
from errata.data import fetch as fetching
from errata.data.fetch import fetch, set_named
from errata.data.public_sets import SETS, PublicFile, PublicSet
from errata.errors import ErrataError, UsageError

CONTENT = {"/a.jsonl": b'{"a": 1}\n' * 40_000, "/b.json": b"[2]"}
ASKED: list[str] = []


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        ASKED.append(self.path)
        content = CONTENT.get(self.path, b"")
        if self.path == "/moved":
            self.send_response(302)
            self.send_header("Location", "/a.jsonl")
        else:
            self.send_response(200 if content or self.path == "/cut" else 404)
        if self.path == "/cut":
            self.send_header("Content-Length", "100")
            content = b"not all"
        else:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def two(host: str) -> PublicSet:
    ASKED.clear()
    files = (
        PublicFile(f"two{path}", f"{host}{path}", hashlib.sha256(content).hexdigest(), len(content))
        for path, content in CONTENT.items()
    )
    return PublicSet("two", "two files", "MIT", tuple(files))


def ignore(line: str) -> None:
    pass


def test_files_come_whole_and_once_and_their_licence_is_told(two: PublicSet, tmp_path: Path) -> None:
    told: list[str] = []

    places = fetch(two, tmp_path, told.append)
    again = fetch(two, tmp_path, told.append)

    assert again == places == [tmp_path / "two" / "a.jsonl", tmp_path / "two" / "b.json"]
    assert [each.read_bytes() for each in places] == list(CONTENT.values())
    assert list(CONTENT) == ASKED
    assert "licence: MIT" in told
    assert any(two.files[0].address in line and two.files[0].sha256 in line for line in told)


def test_the_same_command_goes_on_with_what_is_missing(two: PublicSet, tmp_path: Path) -> None:
    first, second = two.files
    with pytest.raises(ErrataError, match="404"):
        fetch(replace(two, files=(first, replace(second, address=f"{second.address}.gone"))), tmp_path, ignore)
    ASKED.clear()

    fetch(two, tmp_path, ignore)

    assert ASKED == ["/b.json"]


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"sha256": "0" * 64}, "sends 360,000 bytes of sha256"),
        ({"bytes": 1_000}, "sends more than the 1,000 bytes"),
        ({"address": "/moved"}, "answers 302, to /a.jsonl"),
        ({"address": "/absent"}, "answers 404"),
        ({"address": "/cut"}, "RemoteProtocolError"),
        ({"address": "http://127.0.0.1:9/a"}, "ConnectError"),
    ],
)
def test_anything_else_is_refused_and_leaves_nothing(
    change: dict[str, str | int], found: str, two: PublicSet, host: str, tmp_path: Path
) -> None:
    if str(change.get("address", "")).startswith("/"):
        change = {"address": f"{host}{change['address']}"}
    file = replace(two.files[0], **change)  # type: ignore[arg-type]

    with pytest.raises(ErrataError, match=found):
        fetch(replace(two, files=(file,)), tmp_path, ignore)
    assert not list(tmp_path.rglob("*"))
    assert ASKED in ([], [file.address.removeprefix(host)])


def test_nothing_is_written_over(two: PublicSet, tmp_path: Path) -> None:
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "a.jsonl").write_text("mine")

    with pytest.raises(UsageError, match="another file"):
        fetch(two, tmp_path, ignore)
    assert (tmp_path / "two" / "a.jsonl").read_text() == "mine"
    assert ASKED == []


def test_the_command_fetches_into_the_folder_that_recipes_read(
    two: PublicSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "SETS", (two,))
    monkeypatch.setattr(set_named, "__defaults__", ((two,),))
    monkeypatch.setenv("ERRATA_DATA", str(tmp_path / "data"))

    done = CliRunner().invoke(cli, ["data", "fetch", "two"])

    assert done.exit_code == 0, done.output
    assert (tmp_path / "data" / "two" / "b.json").read_bytes() == b"[2]"
    assert "licence: MIT" in done.stderr
    unknown = CliRunner().invoke(cli, ["data", "fetch", "tow"])
    assert unknown.exit_code == 2
    assert "did you mean two?" in unknown.stderr


@pytest.mark.parametrize("chosen", SETS, ids=lambda each: each.name)
def test_every_address_names_a_commit_and_every_hash_is_that_of_the_data_at_hand(chosen: PublicSet) -> None:
    for file in chosen.files:
        owner, _, commit = file.address.removeprefix("https://raw.githubusercontent.com/").split("/")[:3]
        assert owner
        assert len(commit) == 40
    data = os.environ.get("ERRATA_DATA")
    if not data or not Path(data).is_dir():
        pytest.skip("ERRATA_DATA names no folder")
    for file in chosen.files:
        if file.place == "strategyqa/train.json":
            continue  # the copy at hand has no evidence paragraphs
        content = (Path(data) / file.place).read_bytes()
        assert (hashlib.sha256(content).hexdigest(), len(content)) == (file.sha256, file.bytes)


def test_what_a_shipped_recipe_reads_is_fetched_or_the_docs_say_whence_it_comes() -> None:
    root = Path(__file__).parents[2]
    texts = [each.read_text() for folder in ("recipes", "errata/starter") for each in (root / folder).rglob("*.yaml")]
    read = {place for text in texts for place in re.findall(r"ERRATA_DATA:-data\}/([\w./*-]+)", text)}
    fetched = {file.place for each in SETS for file in each.files}
    table = (root / "docs" / "recipes.md").read_text()
    by_hand = set(re.findall(r"^\| `(\w+)/` \| by hand: ", table, re.MULTILINE))

    lacking = {place for place in read if place.split("/")[0] not in by_hand and not fnmatch.filter(fetched, place)}
    assert read
    assert not lacking
    assert set(re.findall(r"^\| `(\w+)/` \|", table, re.MULTILINE)) == by_hand | {each.name for each in SETS}
