"""Exports: which files appear, with which lineage, in which order, and what the card says."""

from __future__ import annotations

import asyncio
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from click.testing import CliRunner
from datasets import load_dataset

from errata import api
from errata.cli import cli
from errata.data.contamination import parse_against
from errata.data.source import ProblemSource
from errata.errors import ErrataError, NothingToLearn, UsageError
from errata.exports.compile import ExportCounts, Selection
from errata.exports.correct_rows import SFT
from errata.exports.dataset_card import card_text, cell
from errata.exports.formats import FORMATS, check_options, format_of
from errata.exports.transcript_view import Options
from errata.exports.write import export
from errata.runs.runner import synthesize
from tests.small_runs import lines, rows_of, small


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small lesson, shared by the tests that only read it."""
    return asyncio.run(synthesize(small(tmp_path_factory.mktemp("runs")))).run


def test_rows_are_traced_and_in_input_order(run: Path, tmp_path: Path) -> None:
    done = export([run], "sft", tmp_path / "out" / "sft.jsonl")

    log = {line["problem"]["id"]: line for line in lines(run)}
    rows = rows_of(done.out)
    assert len(rows) == done.tally.rows > 20
    positions = [log[row["meta"]["problem_id"]]["problem"]["position"] for row in rows]
    assert positions == sorted(positions)
    for row in rows:
        line = log[row["meta"]["problem_id"]]
        (source,) = row["meta"]["rationales"]
        written = next(each for each in line["rationales"] if each["id"] == source["id"])
        assert row["completion"] == written["text"]
        assert row["prompt"] == next(c for c in line["calls"] if c["agent"] == "pupil")["messages"][-1]["content"]
        assert set(written["call_ids"]) <= set(row["meta"]["calls"]) <= {call["id"] for call in line["calls"]}
        scores = ", ".join(f"{review['reviewer']} {review['score']}" for review in written["reviews"])
        assert source["scores"] == scores
        assert row["meta"]["price_usd"] == 0
        assert any(prompt.startswith("teacher/") for prompt in row["meta"]["prompts"])
    assert sorted(path.name for path in done.out.parent.iterdir()) == ["sft.jsonl", "sft.md"]


@pytest.mark.parametrize("name", sorted(each.name for each in FORMATS))
def test_the_same_log_gives_the_same_bytes_and_loads(run: Path, tmp_path: Path, name: str) -> None:
    done = export([run], name, tmp_path / "a.jsonl")
    again = export([run], name, tmp_path / "b" / "a.jsonl")
    assert again.out.read_bytes() == done.out.read_bytes()
    assert again.card.read_bytes() == done.card.read_bytes()

    loaded = load_dataset("json", data_files=str(done.out), split="train", cache_dir=str(tmp_path / "cache"))
    assert len(loaded) == done.tally.rows > 0
    assert set(loaded.column_names) == {*format_of(name).columns, "meta"}


@pytest.mark.parametrize("name", sorted(each.name for each in FORMATS))
def test_no_value_leaves_its_type_open(run: Path, tmp_path: Path, name: str) -> None:
    """A reader infers types from a file's first megabytes: there must be no null and no empty list to mislead it."""

    def open_ended(value: Any) -> bool:
        if isinstance(value, dict):
            return any(map(open_ended, value.values()))
        return value is None or (isinstance(value, list) and (not value or any(map(open_ended, value))))

    assert not any(open_ended(row["meta"]) for row in rows_of(export([run], name, tmp_path / "x.jsonl").out))


async def test_messages_are_the_same_rows_as_a_conversation(tmp_path: Path) -> None:
    run = (await synthesize(small(tmp_path, "agents.student.system=Be brief.", problems=4))).run
    sft = rows_of(export([run], "sft", tmp_path / "sft.jsonl").out)
    messages = rows_of(export([run], "messages", tmp_path / "messages.jsonl").out)

    assert len(sft) == len(messages)
    for flat, talk in zip(sft, messages, strict=True):
        assert talk["messages"] == [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": flat["prompt"]},
            {"role": "assistant", "content": flat["completion"]},
        ]
        assert talk["meta"] == flat["meta"]


# ---- several runs ----------------------------------------------------------------------------------------------------


async def test_of_two_runs_come_the_rows_of_both(run: Path, tmp_path: Path) -> None:
    """The same problems answered by the same teachers under another seed: other words, other rows."""
    other = (await synthesize(small(tmp_path, "name=other", "seed=99", problems=6))).run
    apart = [export([each], "nat", tmp_path / f"{each.name}.jsonl") for each in (run, other)]
    both = export([run, other], "nat", tmp_path / "both.jsonl")

    rows = rows_of(both.out)
    assert [row["meta"]["run"] for row in rows] == sorted(
        (row["meta"]["run"] for row in rows), key=["demo", "other"].index
    )
    first = [row for row in rows if row["meta"]["run"] == "demo"]
    assert first == rows_of(apart[0].out)
    assert {row["meta"]["problem_id"] for row in rows if row["meta"]["run"] == "other"} <= {
        row["meta"]["problem_id"] for row in first
    }
    texts = {(row["prompt"], " ".join(row["completion"].casefold().split()), row["label"]) for row in rows}
    assert len(texts) == len(rows)
    repeated = both.tally.duplicates - sum(each.tally.duplicates for each in apart)
    assert len(rows) == sum(each.tally.rows for each in apart) - repeated


def test_a_run_given_twice_adds_only_duplicates(run: Path, tmp_path: Path) -> None:
    once = export([run], "sft", tmp_path / "once.jsonl")
    twice = export([run, run], "sft", tmp_path / "twice.jsonl")
    assert twice.out.read_bytes() == once.out.read_bytes()
    assert twice.tally.duplicates == 2 * once.tally.duplicates + once.tally.rows

    kept = export([run, run], "sft", tmp_path / "kept.jsonl", keep_duplicates=True)
    assert kept.tally.rows == twice.tally.rows + twice.tally.duplicates
    assert "rows repeat an earlier one and are kept" in kept.card.read_text()


def test_a_call_from_python_says_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("errata.waiting.AFTER_S", 0.0)
    assert api.export(run, "sft", tmp_path / "sft.jsonl").tally.rows > 20
    assert capfd.readouterr() == ("", "")


async def test_runs_complete_each_other(tmp_path: Path) -> None:
    """MAPD's rationales from one run, its explanations from another."""
    taught = (await synthesize(small(tmp_path, "name=taught", "stages=[rationales]", problems=4))).run
    told = (await synthesize(small(tmp_path, "name=told", "stages=[mistake_explanation]", problems=4))).run
    with pytest.raises(UsageError, match="it needs mistake_explanation"):
        export([taught], "mapd", tmp_path / "x.jsonl")
    rows = rows_of(export([taught, told], "mapd", tmp_path / "mapd.jsonl").out)
    assert {(row["meta"]["run"], row["task"]) for row in rows} == {("taught", "rationale"), ("told", "mistake")}


# ---- what cannot be served -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "graphs"),
    [
        ("sft", "rationales, peer_review, dual_cot, lesson"),
        ("messages", "rationales, peer_review, dual_cot, lesson"),
        ("mcc-kd", "rationales, peer_review, dual_cot, lesson"),
        ("mapd", "rationales, peer_review, dual_cot, lesson"),
        ("edit", "dual_cot, lesson"),
        ("privileged", "mistake_explanation, dual_cot, lesson"),
    ],
)
async def test_a_log_that_cannot_serve_names_the_graph(tmp_path: Path, name: str, graphs: str) -> None:
    run = (await synthesize(small(tmp_path, "graph=exam", "settings={}", problems=2))).run
    with pytest.raises(UsageError, match=f"run one of the graphs {graphs}:") as raised:
        export([run], name, tmp_path / "x.jsonl")
    assert "graph exam" in raised.value.found
    assert not (tmp_path / "x.jsonl").exists()


async def test_an_exam_alone_serves_what_needs_no_teacher(tmp_path: Path) -> None:
    run = (await synthesize(small(tmp_path, "graph=exam", "settings.exam.samples=6", problems=12))).run
    for name in ("nat", "kto", "ranker", "dpo"):
        rows = rows_of(export([run], name, tmp_path / f"{name}.jsonl").out)
        assert {each["role"] for row in rows for each in row["meta"]["rationales"]} == {"student"}


async def test_no_row_is_an_error_and_leaves_what_was_there(tmp_path: Path) -> None:
    recipe = small(tmp_path, "settings.peer_review.accept.threshold=5", "settings.dual_cot.rectify=false", problems=2)
    run = (await synthesize(recipe)).run
    (tmp_path / "x.jsonl").write_text("before", encoding="utf-8")
    with pytest.raises(NothingToLearn, match=r"no row: of \d+ rationales \d+ are right, 0 accepted") as raised:
        export([run], "sft", tmp_path / "x.jsonl")
    assert "rejected_by_panel" in raised.value.why
    assert (tmp_path / "x.jsonl").read_text(encoding="utf-8") == "before"


def test_a_killed_export_leaves_nothing_once_it_is_made_again(run: Path, tmp_path: Path) -> None:
    killed = subprocess.Popen([sys.executable, "-c", ""])
    killed.wait()
    for name in ("x.jsonl", "x.md"):
        (tmp_path / f".{name}.{killed.pid}.tmp").write_text("half")

    export([run], "sft", tmp_path / "x.jsonl")

    assert {path.name for path in tmp_path.iterdir()} == {"x.jsonl", "x.md"}


@pytest.mark.parametrize(("synced", "left"), [(1, set()), (2, {"x.jsonl"})], ids=["in the rows", "in the card"])
def test_an_export_that_is_broken_off_leaves_no_draft(
    synced: int, left: set[str], run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = iter(range(1, 9))

    def ctrl_c(_: int) -> None:
        if next(calls) == synced:
            raise KeyboardInterrupt

    monkeypatch.setattr("os.fsync", ctrl_c)

    with pytest.raises(KeyboardInterrupt):
        export([run], "sft", tmp_path / "x.jsonl")

    assert {path.name for path in tmp_path.iterdir()} == left


def test_bad_targets(run: Path, tmp_path: Path) -> None:
    for name in ("x.md", "x.csv", "x.parquet", "x"):
        with pytest.raises(UsageError, match=rf"name a \.jsonl file: --out {tmp_path}/x\.jsonl"):
            export([run], "sft", tmp_path / name)
        assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").touch()
    with pytest.raises(ErrataError, match="cannot be written"):
        export([run], "sft", tmp_path / "file" / "x.jsonl")


def test_a_spoilt_line_is_told(run: Path, tmp_path: Path) -> None:
    spoilt = tmp_path / "spoilt"
    spoilt.mkdir()
    (spoilt / "recipe.yaml").write_bytes((run / "recipe.yaml").read_bytes())
    log = (run / "transcripts.jsonl").read_bytes()
    (spoilt / "transcripts.jsonl").write_bytes(log.replace(b'"graph":', b'"grph":'))
    with pytest.raises(UsageError, match="no row"):
        export([spoilt], "sft", tmp_path / "x.jsonl")
    assert list(tmp_path.glob("*x.jsonl*")) == []


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("nat", {"grader_only": True}),
        ("sft", {"max_edit_ratio": 0.0}),
        ("sft", {"sound_only": True}),
        ("nat", {"by_scores": True}),
        ("edit", {"cut_off": True}),
        ("nat", {"unjudged": True}),
    ],
)
def test_an_option_that_would_change_nothing_is_refused(name: str, option: dict[str, Any]) -> None:
    (flag,) = (f"--{each.replace('_', '-')}" for each in option)
    with pytest.raises(UsageError, match=f"{flag} with --format {name}"):
        check_options(format_of(name), Options(**option))


def doubted(run: Path, copy: Path) -> Path:
    """A copy of the run: of half the problems the right sides of pairs are judged by nobody, nor known to be sound."""
    shutil.copytree(run, copy)
    log = lines(run)
    for line in log[::2]:
        right = {pair["right"] for pair in line["pairs"]}
        for each in line["rationales"]:
            if each["id"] in right:
                each |= {"accepted": None, "reviews": [], "sound": None}
    (copy / "transcripts.jsonl").write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in log))
    return copy


def test_the_command_line_offers_what_the_library_does(run: Path, tmp_path: Path) -> None:
    def told(*words: str, of: Path = run) -> dict[str, Any]:
        out = str(tmp_path / "x.jsonl")
        done = CliRunner().invoke(cli, ["export", str(of), "--out", out, "--json", *words])
        assert done.exit_code == 0, done.output
        value: dict[str, Any] = orjson.loads(done.stdout)
        return value

    plain = told("--format", "nat")
    assert told("--format", "nat", "--keep-duplicates")["rows"] == plain["rows"] + plain["near_duplicates"]["same"]
    assert told("--format", "nat", "--roles", "student", "--roles", "teacher")["rows"] < plain["rows"]
    assert told("--format", "nat", "--authors", "pupil") == told("--format", "nat", "--roles", "student")
    stranger = CliRunner().invoke(cli, ["export", str(run), "--out", "x.jsonl", "--format", "sft", "--authors", "adda"])
    assert (stranger.exit_code, "did you mean ada?" in stranger.output) == (2, True)
    assert told("--format", "edit", "--max-edit-ratio", "0.1")["left_out"]["beyond_max_edit_ratio"] > 0
    with_doubts = doubted(run, tmp_path / "doubted")
    told_of = {flag: told("--format", "edit", *flag, of=with_doubts)["rows"] for flag in ((), ("--sound-only",))}
    assert told_of["--sound-only",] < told_of[()]
    assert told("--format", "ranker", "--by-scores")["rows"] > 0
    against = told("--format", "sft", "--against", "classroom", "--exclude-overlap")
    assert against["overlap"]["classroom"]["size"] > 100
    idle = CliRunner().invoke(cli, ["export", str(run), "--out", "x.jsonl", "--format", "sft", "--by-scores"])
    assert idle.exit_code == 2


# ---- overlap with evaluation sets ------------------------------------------------------------------------------------


def planted(folder: Path, *questions: str) -> ProblemSource:
    """An evaluation set of these questions."""
    path = folder / "eval.jsonl"
    path.write_bytes(b"".join(orjson.dumps({"question": each, "answer": "#### 1"}) + b"\n" for each in questions))
    return ProblemSource(source=str(path), mapping="gsm8k")


def test_planted_questions_are_found_and_left_out(run: Path, tmp_path: Path) -> None:
    questions = [line["problem"]["question"] for line in sorted(lines(run), key=lambda x: x["problem"]["position"])]
    same = questions[0].upper().replace(" .", ".")
    within = "Once more : " + " ".join(questions[1].split()[:20]) + " and so on , who knows ?"
    source = planted(
        tmp_path, same, within, "What is the colour of the sky over a lake in the north of Norway in May ?"
    )

    seen = export([run], "sft", tmp_path / "seen.jsonl", against=[source])
    clean = export([run], "sft", tmp_path / "clean.jsonl", against=[source], exclude_overlap=True)

    (met,) = seen.tally.overlap.values()
    assert (met["size"], met["question"], met["ngram"]) == (3, 1, 1)
    rows = rows_of(seen.out)
    theirs = [row for row in rows if row["prompt"].startswith((questions[0], questions[1]))]
    assert met["rows"] == len(theirs) > 0
    assert [row for row in rows if row not in theirs] == rows_of(clean.out)
    assert clean.tally.excluded == 2
    assert "1 ask a question of it, 1 more share 13 words" in seen.card.read_text()
    assert "problems left out for overlap: 2" in clean.card.read_text()


async def test_the_recipe_names_evaluation_sets(tmp_path: Path) -> None:
    first = (await synthesize(small(tmp_path, problems=2))).run
    source = planted(tmp_path, lines(first)[0]["problem"]["question"])
    named = f"eval_sets=[{{source: '{source.source}', mapping: gsm8k}}]"
    again = (await synthesize(small(tmp_path, named, problems=2))).run  # the key may change: the run is the same
    done = export([again], "sft", tmp_path / "x.jsonl", against=[source])
    (met,) = done.tally.overlap.values()
    assert met["question"] == 1


def test_excluding_needs_a_set(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no evaluation set"):
        export([run], "sft", tmp_path / "x.jsonl", exclude_overlap=True)


def test_against_is_a_source_and_a_mapping() -> None:
    assert parse_against("a:b/test.jsonl:gsm8k") == ProblemSource(source="a:b/test.jsonl", mapping="gsm8k")
    assert parse_against("classroom").source == "classroom"
    with pytest.raises(UsageError, match="no mapping is named"):
        parse_against("a:b/test.jsonl")
    with pytest.raises(UsageError, match="no mapping is named"):
        parse_against("gsm8k")
    with pytest.raises(UsageError, match=r"no mapping is called gsm9k(.|\n)*did you mean gsm8k"):
        parse_against("a:b/test.jsonl:gsm9k")


# ---- the card --------------------------------------------------------------------------------------------------------


async def test_the_card_tells_what_is_in_the_file(tmp_path: Path) -> None:
    run = (await synthesize(small(tmp_path, "licence=CC-BY-4.0"))).run
    done = export([run], "mapd", tmp_path / "mapd.jsonl", Options(roles=("teacher",)))

    card = done.card.read_text(encoding="utf-8")
    front = yaml.safe_load(card.split("---\n")[1])
    assert front["license"] == "cc-by-4.0"
    assert front["configs"] == [{"config_name": "default", "data_files": "mapd.jsonl"}]
    assert f"{done.tally.rows} rows of format `mapd`" in card
    assert "Only the roles teacher." in card
    assert f"near-duplicates: {done.tally.duplicates} rows" in card
    kinds = done.tally.kinds
    assert f"{kinds['mistake']} mistake, {kinds['rationale']} rationale" in card
    for said in ("| `task` |", "| `meta` |", "teacher/solve@2", "simulated/ada", "student/explain@1", "overlap"):
        assert said in card


def test_the_card_shows_a_row_how_to_load_it_and_the_command_that_wrote_it(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = Options(roles=("teacher",), cut_off=True, reasoning="keep")
    done = export([run], "sft", tmp_path / "rows.jsonl", options, keep_duplicates=True)
    card = done.card.read_text(encoding="utf-8")
    shown = {kind: card.partition(f"```{kind}\n")[2].partition("\n```")[0] for kind in ("json", "python", "bash")}

    first, example = rows_of(done.out)[0], orjson.loads(shown["json"])
    assert example.keys() == first.keys()
    assert first["completion"].startswith(example["completion"].removesuffix("…"))
    assert example["meta"] == "…"

    monkeypatch.chdir(tmp_path)
    loaded: dict[str, Any] = {}
    exec(shown["python"], loaded)  # noqa: S102
    assert len(loaded["rows"]) == done.tally.rows

    words = shlex.split(shown["bash"])
    assert words[:3] == ["errata", "export", f"runs/{run.name}"]
    words[2], words[words.index("--out") + 1] = str(run), "again.jsonl"
    assert CliRunner().invoke(cli, words[1:]).exit_code == 0
    assert Path("again.jsonl").read_bytes() == done.out.read_bytes()


def test_a_licence_of_its_own_is_no_hub_identifier(run: Path) -> None:
    from errata.exports.logs import open_logs

    def front(*licences: str | None) -> dict[str, Any]:
        logs = []
        for licence in licences:
            (log,) = open_logs([run], "sft")
            object.__setattr__(log.source, "recipe", log.source.recipe.model_copy(update={"licence": licence}))
            logs.append(log)
        text = card_text("x.jsonl", logs, SFT, Selection(), ExportCounts())
        value: dict[str, Any] = yaml.safe_load(text.split("---\n")[1])
        return value

    assert front("MIT")["license"] == "mit"
    assert front(None)["license"] == "unknown"
    own = front("MATH is MIT: but\n- not the rest")
    assert (own["license"], own["license_name"]) == ("other", "MATH is MIT: but - not the rest")
    assert front("MIT", "Apache-2.0")["license_name"] == "Apache-2.0; MIT"


async def test_the_card_counts_what_is_set_aside_and_says_what_was_asked_for(tmp_path: Path) -> None:
    cut = "settings.rationales.sampling.max_tokens=30"
    run = (await synthesize(small(tmp_path, cut, "settings.dual_cot.review=false", problems=8))).run
    plain = export([run], "sft", tmp_path / "plain.jsonl")
    taking = export([run], "sft", tmp_path / "taking.jsonl", Options(cut_off=True, unjudged=True))

    everything = [each for line in lines(run) for each in line["rationales"]]
    unjudged = sum(each["role"] == "rectified" and each["correct"] for each in everything)
    truncated = sum(each["truncated"] for each in everything)
    assert min(unjudged, truncated) > 0
    card = plain.card.read_text(encoding="utf-8")
    assert f"set aside unless asked for: {truncated} rationales cut off" in card
    assert f"{unjudged} right ones whose author saw the gold answer" in card
    assert plain.tally.left_out["saw_answer_unjudged"] == unjudged
    assert f"{plain.tally.left_out['cut_off']} cut_off" in card
    assert taking.tally.left_out["cut_off"] == taking.tally.left_out["saw_answer_unjudged"] == 0
    assert taking.tally.rows > plain.tally.rows
    told = taking.card.read_text(encoding="utf-8")
    assert "Texts that end at their length limit are taken too." in told
    assert "Texts whose author saw the gold answer are taken unjudged." in told


async def test_where_everything_is_set_aside_the_option_is_named(tmp_path: Path) -> None:
    recipe = small(tmp_path, "stages=[exam, rationales]", "settings.rationales.sampling.max_tokens=6", problems=3)
    run = (await synthesize(recipe)).run
    with pytest.raises(UsageError, match=r"or take them: --cut-off"):
        export([run], "nat", tmp_path / "x.jsonl", Options(roles=("teacher",)))


def test_text_from_elsewhere_is_harmless_in_a_card() -> None:
    assert cell("a|b\n# `c`<script>") == "a\\|b # 'c'&lt;script>"
