"""What peer review buys in the classroom: precision and recall against soundness, beside the answer grader alone."""

from collections import Counter

import pytest

from errata.agents.parse_reply import read_score
from errata.classroom.soundness import sound
from tests.llm.backends.simulated.asking import COMMITTEE, ask, lesson


def precision_recall(judged: Counter[tuple[bool, bool]]) -> tuple[float, float]:
    """Of counts by (accepted, sound)."""
    accepted = judged[True, True] + judged[True, False]
    return judged[True, True] / accepted, judged[True, True] / (judged[True, True] + judged[False, True])


@pytest.mark.parametrize("blind", [False, True])
def test_two_reviewers_filter_better_than_the_answer_alone(blind: bool) -> None:
    by_panel: Counter[tuple[bool, bool]] = Counter()
    by_answer: Counter[tuple[bool, bool]] = Counter()
    for number, problem in enumerate(lesson(300)):
        for place, author in enumerate(COMMITTEE):
            text = ask(author, "teacher/solve", problem)
            truth = sound(problem.question, text) is True
            panel = [name for name in COMMITTEE if name != author]
            panel.pop((number + place) % 3)
            gold = None if blind else problem.answer
            scores = [read_score(ask(one, "reviewer/score", problem, rationale=text, answer=gold)) for one in panel]
            by_panel[sum(scores) / 2 > 3, truth] += 1
            by_answer[text.endswith(f"the answer is {problem.answer} ."), truth] += 1
    grader_precision, grader_recall = precision_recall(by_answer)
    precision, recall = precision_recall(by_panel)
    assert grader_recall == 1
    assert 0.9 < grader_precision < 0.96, "lucky rationales pass an answer grader"
    assert precision > grader_precision + (0.01 if blind else 0.04)
    assert 0.8 < recall < 0.93
    wrong_ones = by_panel[True, False] + by_panel[False, False]
    assert by_panel[True, False] / wrong_ones < 0.15, "most flawed rationales are stopped"


def test_a_shared_misconception_passes_the_panel() -> None:
    """Reviewers who misread alike are no panel: the reason to have teachers of different minds."""
    stopped: dict[str, list[bool]] = {"alike": [], "apart": []}
    author = "eve?misconceptions=dozens:10&strength=1&slips=0&lucky=0"
    for problem in (p for p in lesson(1500) if p.meta["units"] == ["dozens"]):
        text = ask(author, "teacher/solve", problem)
        if sound(problem.question, text):
            continue
        for kind, misconceptions in (("alike", "dozens:10"), ("apart", "trios:4")):
            panel = [f"{name}?misconceptions={misconceptions}" for name in ("ann", "bob")]
            scores = [read_score(ask(one, "reviewer/score", problem, rationale=text)) for one in panel]
            stopped[kind].append(sum(scores) / 2 <= 3)
    assert sum(stopped["alike"]) == 0
    assert sum(stopped["apart"]) / len(stopped["apart"]) > 0.85
