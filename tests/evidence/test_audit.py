"""`errata audit`: what is asked, what a file of marks does to a run, and how much twenty marks tell."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from errata.cli import cli
from errata.errors import UsageError
from errata.evidence.audit import add_marks, informative, write_audit
from errata.evidence.ballots import Ballot, Voter, gather
from errata.evidence.figures import estimated, figures_of
from errata.evidence.read_log import Evidence, read_evidence
from errata.evidence.rules import rule_of
from errata.runs.acceptance import Acceptance
from errata.runs.run_dir import RunDir
from errata.runs.runner import synthesize
from errata.runs.status import status
from tests.small_runs import rows_of, small

PANEL = [Voter(f"review:{name}", panel=True) for name in "abc"]


def simulated(problems: int, seed: int) -> Evidence:
    """Three teachers, right in 75, 65 and 55 %, two reviews a text that are right in 75 %; the truth is in `gold`."""
    rng, every = np.random.default_rng(seed), []
    for number in range(problems):
        answers = [0 if rng.random() < share else 1 + int(rng.integers(4)) for share in (0.75, 0.65, 0.55)]
        groups = [list(dict.fromkeys(answers)).index(each) for each in answers]
        every.append(
            [
                Ballot(
                    f"{number}.{place}",
                    "abc"[place],
                    groups[place],
                    {PANEL[other]: (rng.random() < 0.75) == (answer == 0) for other in range(3) if other != place},
                    answer == 0,
                    2,
                )
                for place, answer in enumerate(answers)
            ]
        )
    gold = gather(every)
    return Evidence(gold, gold.without_gold(), ())


def marked(evidence: Evidence, number: int = 20) -> Evidence:
    """As a person who is always right marks what tells most."""
    truth = dict(zip(evidence.gold.ids, evidence.gold.gold_N == 1, strict=True))
    return evidence.with_marks({name: bool(truth[name]) for name in informative(evidence, number)})


def stated(evidence: Evidence) -> tuple[float, float, float]:
    """Low and high of the precision of `reliability`, and the true one."""
    accepted = rule_of("reliability").accepts(evidence, Acceptance(rule="reliability", precision=0.9))
    figure = estimated(evidence, {"r": accepted})["r"]["precision"]
    assert figure["low"] is not None
    assert figure["high"] is not None
    return figure["low"], figure["high"], figures_of(evidence.gold.gold_N, accepted)[0]


def test_twenty_marks_tighten_the_interval() -> None:
    log = simulated(60, 0)
    (low, high, _), (closer, near, true) = stated(log), stated(marked(log))
    assert near - closer < 0.75 * (high - low)
    assert closer <= true <= near


def test_marks_that_find_the_model_too_sure_lower_what_it_states() -> None:
    log = simulated(60, 1)
    chosen = informative(log, 20)
    accepted = {"all": log.right_N > 0.5}
    value = {
        verdict: estimated(log.with_marks(dict.fromkeys(chosen, verdict)), accepted, resamples=30)["all"]["precision"]
        for verdict in (True, False)
    }
    assert (value[True]["value"] or 0) > (value[False]["value"] or 1)


def test_what_is_asked_is_undecided_one_of_a_problem_and_never_known() -> None:
    log = simulated(40, 2)
    chosen = informative(log, 10)
    assert len({name.split(".")[0] for name in chosen}) == len(chosen) == 10
    chance = dict(zip(log.ballots.ids, log.right_N, strict=True))
    doubt = [min(chance[name], 1 - chance[name]) for name in chosen]
    assert np.mean(doubt) > 2 * np.mean(np.minimum(log.right_N, 1 - log.right_N))
    again = informative(log.with_marks(dict.fromkeys(chosen, True)), 10)
    assert not {name.split(".")[0] for name in chosen} & {name.split(".")[0] for name in again}


# ---- of a real run ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Path:
    recipe = small(tmp_path_factory.mktemp("runs"), "problems.gold=none", "stages=[rationales,peer_review]", problems=8)
    return asyncio.run(synthesize(recipe)).run


@pytest.fixture
def run(lesson: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(lesson, tmp_path / "run"))


def errata(*words: object) -> str:
    done = CliRunner().invoke(cli, [str(word) for word in words])
    assert done.exit_code == 0, done.output
    return done.stdout


def items_of(page: Path) -> list[dict[str, object]]:
    found = re.search(r'id="data">(.*?)</script>', page.read_text(encoding="utf-8"), re.DOTALL)
    assert found
    return json.loads(found[1])["items"]  # type: ignore[no-any-return]


def test_the_page_offers_whole_texts_and_says_nothing_of_authors_and_estimates(run: Path) -> None:
    page = Path(errata("audit", run, "--number", 3).strip())
    items = items_of(page)
    assert page == run / "audit.html"
    assert [set(each) for each in items] == [{"id", "question", "choices", "steps", "answer"}] * 3
    assert [each["id"] for each in items] == informative(read_evidence(RunDir(run)), 3)
    again = page.read_bytes()
    write_audit(run, 3)
    assert page.read_bytes() == again


def test_marks_become_a_part_of_the_run_and_of_all_that_reads_it(run: Path, tmp_path: Path) -> None:
    write_audit(run, 2)
    first, second = (str(each["id"]) for each in items_of(run / "audit.html"))
    marks = tmp_path / "marks.jsonl"
    marks.write_text(
        f'{{"rationale": "{first}", "verdict": "right"}}\n'
        f'{{"rationale": "{second}", "verdict": "wrong", "first_wrong_step": 0}}\n'
    )
    log = (run / "transcripts.jsonl").read_bytes()

    assert "2 added, 0 changed, 0 as before" in errata("audit", run, marks)
    assert "0 added, 0 changed, 2 as before" in errata("audit", run, marks)

    assert json.loads(errata("accept", run, "--json"))["marked"] == 2
    assert status(run)["estimated"]["marked"] == {"right": 1, "wrong": 1}
    assert "1 marked right and 1 wrong by a person" in " ".join(errata("status", run).split())
    errata("export", run, "--format", "nat", "--keep-duplicates", "--out", tmp_path / "nat.jsonl")
    labels = {row["meta"]["rationales"][0]["id"]: row for row in rows_of(tmp_path / "nat.jsonl")}
    assert (labels[first]["label"], labels[second]["label"]) == (True, False)
    assert labels[first]["meta"]["rationales"][0]["right_by"] == "person"
    errata("export", run, "--format", "stepwise", "--out", tmp_path / "steps.jsonl")
    wrong = [row for row in rows_of(tmp_path / "steps.jsonl") if row["meta"]["rationales"][0]["id"] == second]
    assert not any(wrong[0]["labels"])
    assert (run / "transcripts.jsonl").read_bytes() == log
    write_audit(run, 3)
    assert not {first, second} & {str(each["id"]) for each in items_of(run / "audit.html")}

    marks.write_text(f'{{"rationale": "{first}", "verdict": "wrong"}}\n')
    assert f"changed   {first}" in errata("audit", run, marks)
    assert status(run)["estimated"]["marked"] == {"right": 0, "wrong": 2}


def test_a_torn_last_line_is_closed_before_more_is_added(run: Path, tmp_path: Path) -> None:
    write_audit(run, 2)
    one, two = (f'{{"rationale": "{each["id"]}", "verdict": "right"}}' for each in items_of(run / "audit.html"))
    (run / "marks.jsonl").write_text(one)
    (tmp_path / "m.jsonl").write_text(two)
    assert add_marks(run, tmp_path / "m.jsonl").added == 1
    assert (run / "marks.jsonl").read_text().count("\n") == 2


@pytest.mark.parametrize(
    ("mark", "found"),
    [
        ('{"rationale": "stranger", "verdict": "right"}', "of no rationale of this run: stranger"),
        ('{"rationale": "ID", "verdict": "wrong", "first_wrong_step": 99}', "step 99 of"),
        ('{"rationale": "ID", "verdict": "wrong", "first_wrong_step": -1}', "step -1 of"),
        ("", "no mark in"),
    ],
)
def test_marks_that_do_not_fit_add_nothing(run: Path, tmp_path: Path, mark: str, found: str) -> None:
    write_audit(run, 1)
    known = str(items_of(run / "audit.html")[0]["id"])
    (tmp_path / "m.jsonl").write_text(mark.replace("ID", known))
    with pytest.raises(UsageError, match=found):
        add_marks(run, tmp_path / "m.jsonl")
    assert not (run / "marks.jsonl").exists()


def test_where_all_is_known_there_is_nothing_to_ask_unless_gold_is_hidden(tmp_path: Path) -> None:
    graded = asyncio.run(synthesize(small(tmp_path, "stages=[rationales]", problems=6))).run
    with pytest.raises(UsageError, match="no rationale to mark"):
        write_audit(graded)
    assert write_audit(graded, 2, hide_gold=True).items > 0
    (chosen,) = items_of(graded / "audit.html")[:1]
    gold = next(
        each["correct"]
        for line in rows_of(graded / "transcripts.jsonl")
        for each in line["rationales"]
        if each["id"] == chosen["id"]
    )
    against = {"rationale": chosen["id"], "verdict": "wrong" if gold else "right"}
    (tmp_path / "m.jsonl").write_text(json.dumps(against))
    assert "1 contradict the gold answer, which stands" in errata("audit", graded, tmp_path / "m.jsonl")
