"""The lesson over the real gateway, store and faculty, whose replies may be malformed."""

from itertools import islice
from pathlib import Path

from errata.agents.team import build_team
from errata.classroom import problems as classroom
from errata.grading.grader import Grader
from errata.graphs.pipeline import STAGES, ShippedSettings, build_pipeline
from errata.graphs.state import transcript_of
from errata.llm.budget import Budget
from errata.llm.gateway import Gateway
from errata.llm.spec import Agents, AgentSpec
from errata.records import Transcript

SETTINGS = ShippedSettings.model_validate(
    {
        "exam": {"samples": 2},
        "rationales": {"samples": 2, "diversity": {}},
        "peer_review": {"revise_rounds": 1},
        "dual_cot": {"band": [0, 0.5], "tries": 2, "review": True},
    }
)


async def lessons(store: Path, query: str = "") -> tuple[list[Transcript], int]:
    """Transcripts of some classroom problems, and how many calls were paid for them."""
    agents = Agents(
        teachers=tuple(AgentSpec(name=name, model=f"simulated/{name}{query}") for name in ("ada", "ben", "cleo")),
        student=AgentSpec(name="pupil", model=f"simulated/pupil{query}"),
    )
    opened = Gateway.open(agents, seed=17, budget=Budget(), concurrency=8, store=store, ledger="test")
    async with Grader() as grader, opened as gateway:
        graph = build_pipeline(STAGES, build_team(agents, gateway, grader, seed=17), SETTINGS)
        told = [
            transcript_of("lesson", await graph.ainvoke({"problem": problem}))
            for problem in islice(classroom.problems({}), 4)
        ]
    return told, sum(len(each.calls) for each in told)


async def test_a_second_run_over_the_same_store_writes_the_same_lines(tmp_path: Path) -> None:
    first, _ = await lessons(tmp_path / "calls")
    again, _ = await lessons(tmp_path / "calls")
    elsewhere, calls = await lessons(tmp_path / "other")

    assert [each.to_line() for each in first] == [each.to_line() for each in again]
    assert [each.to_line() for each in first] == [each.to_line() for each in elsewhere]
    assert len({call.id for each in first for call in each.calls}) == calls


async def test_malformed_replies_are_tried_again_and_all_recorded(tmp_path: Path) -> None:
    told, _ = await lessons(tmp_path / "calls", "?garble=0.8")

    assert {each.outcome.status for each in told} <= {"done", "rejected"}
    rationales = [each for one in told for each in one.rationales]
    assert len([each for each in rationales if each.role == "teacher"]) == 4 * 3 * 2
    assert len([each for each in rationales if each.role == "student"]) == 4 * 2
    unreadable = [each for each in rationales if (each.grade_rule or "").startswith("unreadable")]
    assert unreadable
    assert all(each.correct is False and each.answer is None for each in unreadable)
    reviews = [review for each in rationales for review in each.reviews]
    assert any(not review.valid for review in reviews)
    assert not any(review.lost for review in reviews)
    assert any(call.attempt == 2 for one in told for call in one.calls)
