"""Key steps are where the sides of a pair part; likelihoods equal a plain forward pass over one sequence."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from errata.agents.prompts import load_prompts
from errata.agents.student import student_messages
from errata.errors import UsageError
from errata.evals.evaluate import evaluate_async
from errata.evals.key_step_likelihood import key_tokens, nll_of, score_pairs
from errata.evals.key_steps import (
    DualPair,
    PairScore,
    done,
    key_steps,
    key_steps_done,
    pairs_hash,
    pairs_of,
    read_scores,
    summary_of,
)
from errata.evals.recipe import EvalRecipe
from errata.evals.results import Item, Sample
from errata.graphs.stages.word_diff import align
from errata.models.load import load
from errata.models.prompting import example_ids
from errata.records import Problem, Span
from errata.runs.runner import synthesize
from tests.models import tiny
from tests.small_runs import small

CONTEXT = 1024
"""A byte is a token, and a classroom prompt with its rationale has some four hundred."""
QUESTION = "Mia has 3 dozens of pens . Mia loses 4 of them . how many pens does Mia have ?"
RIGHT = "dozens = 12 . 3 * 12 = 36 . 36 - 4 = 32 . the answer is 32 ."
WRONG = "dozens = 10 . 3 * 10 = 30 . 30 - 4 = 26 . the answer is 26 ."


def dual(right: str = RIGHT, wrong: str = WRONG, name: str = "p") -> DualPair:
    pair = align(right, wrong)
    problem = Problem(id="q", task="classroom", question=QUESTION, answer="32", kind="number")
    return DualPair(name, problem, right, wrong, pair.left_spans, pair.right_spans)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tiny.save_plain(tmp_path_factory.mktemp("plain") / "tiny")
    config = folder / "config.json"
    config.write_text(
        config.read_text().replace(
            f'"max_position_embeddings": {tiny.CONTEXT}', f'"max_position_embeddings": {CONTEXT}'
        )
    )
    return folder


def test_key_steps_are_the_equations_where_the_sides_part() -> None:
    assert key_steps(dual()) == {(3, "*", 12, 36), (36, "-", 4, 32)}


def test_a_step_that_both_sides_write_is_no_key_step() -> None:
    pair = dual("2 + 3 = 5 . 5 * 2 = 10 . the answer is 10 .", "2 + 3 = 5 . 5 + 2 = 7 . the answer is 7 .")

    assert key_steps(pair) == {(2, "*", 5, 10)}


def test_a_text_does_the_steps_it_writes_in_any_wording_and_order() -> None:
    pair = dual()

    assert done(pair, "multiply 12 by 3 to get 36 . then 36 - 4 that is 32 . the answer is 32 .") == 1.0
    assert done(pair, "3 * 12 = 36 . 36 + 4 = 40 . the answer is 40 .") == 0.5
    assert done(pair, WRONG) == 0.0
    assert done(pair, "the answer is 32 .") == 0.0


def test_a_pair_without_equations_is_not_measured() -> None:
    pair = dual("He is tall . the answer is yes .", "He is small . the answer is no .")

    assert done(pair, "3 * 12 = 36") is None
    assert key_steps_done([pair], [Item(id="a", correct=True, meta={"question": QUESTION})]) is None


def test_problems_count_once_however_many_pairs_and_samples_they_have() -> None:
    samples = (Sample(text=RIGHT, correct=True), Sample(text=WRONG, correct=False))
    item = Item(id="a", task="t", correct=0.5, samples=samples, meta={"question": QUESTION.upper()})
    other = Item(id="b", task="t", correct=True, samples=samples, meta={"question": "another"})

    pair = key_steps_done([dual(), dual(name="again")], [item, other])

    assert pair is not None
    assert pair["problems"] == 1
    assert pair["value"] == 0.5


def test_key_tokens_share_a_character_with_a_span() -> None:
    assert key_tokens([(0, 3), (3, 5), (5, 9), (9, 9)], [Span(4, 6)]) == [1, 2]


def test_likelihoods_equal_those_of_one_sequence_at_a_time(checkpoint: Path) -> None:
    pairs = [dual(), dual("36 - 4 = 32 . the answer is 32 .", "36 + 4 = 40 . the answer is 40 .", "short")]
    prompts, loaded = load_prompts(), load(str(checkpoint), "cpu")

    scores = score_pairs(str(checkpoint), pairs, prompts, device="cpu")

    for pair, score in zip(pairs, scores, strict=True):
        prompt, completion = example_ids(loaded.tokenizer, student_messages(prompts, pair.problem), pair.right)
        with torch.inference_mode():
            logp = loaded.model(torch.tensor([prompt + completion])).logits[0].log_softmax(-1)
        nll = [-float(logp[len(prompt) + at - 1, token]) for at, token in enumerate(completion)]
        covered = {at for span in pair.right_spans for at in range(span.start, span.end)}
        keys = [at for at, (start, end) in enumerate(offsets(loaded, pair.right)) if covered & set(range(start, end))]
        assert score.all_right == pytest.approx(sum(nll) / len(nll), rel=1e-4)
        assert score.key_right == pytest.approx(sum(nll[at] for at in keys) / len(keys), rel=1e-4)
        assert score.right_tokens == len(keys)


def offsets(loaded: object, text: str) -> list[tuple[int, int]]:
    spans = loaded.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)  # type: ignore[attr-defined]
    return list(spans["offset_mapping"])


def test_batches_do_not_change_likelihoods(checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded, prompts = load(str(checkpoint), "cpu"), load_prompts()
    from errata.evals import key_step_likelihood as likelihood

    sides = [
        side
        for pair in (dual(), dual("4 .", "5 ."))
        for side in likelihood._sides(loaded.tokenizer, pair, prompts, None)
    ]
    together = nll_of(loaded, sides)
    monkeypatch.setattr(likelihood, "LOGITS", 1)

    for one, many in zip(nll_of(loaded, sides), together, strict=True):
        assert one == pytest.approx(many, rel=1e-4, abs=1e-5)


def test_a_pair_that_does_not_fit_the_context_is_left_out(checkpoint: Path) -> None:
    long = dual("3 * 12 = 36 . " * 99, "3 * 10 = 30 . " * 99, "long")

    scores = score_pairs(str(checkpoint), [long, dual("4 .", "5 .", "short")], load_prompts(), device="cpu")

    assert [score.id for score in scores] == ["short"]


async def test_an_eval_scores_the_pairs_of_a_run_once(tmp_path: Path, checkpoint: Path) -> None:
    run = (await synthesize(small(tmp_path, problems=6))).run
    recipe = EvalRecipe.model_validate(
        {
            "name": "trial",
            "run": str(run),
            "baseline": {"name": "tiny", "model": f"local/{checkpoint}"},
            "models": [{"name": "ada", "model": "simulated/ada"}],
            "decodings": {"greedy": {"max_tokens": 8}},
            "tasks": {
                "lesson": {
                    "source": str(run / "transcripts.jsonl"),
                    "mapping": {"question": "problem.question", "answer": "problem.answer", "kind": "number"},
                }
            },
            "pairs": str(run),
            "training": [str(run)],
        }
    )

    done_ = await evaluate_async(recipe)
    local, simulated = done_.evals

    pairs = pairs_of(run)
    assert [score.id for score in read_scores(local.path, pairs_hash(pairs)) or []] == [pair.id for pair in pairs]
    assert local.summary["key_steps"]["likelihood"]["scored"] == local.summary["key_steps"]["pairs"] == len(pairs)
    assert simulated.summary["key_steps"]["likelihood"] is None
    assert simulated.summary["key_steps"]["done"]["problems"] > 0
    assert local.manifest.tasks["lesson"]["overlap"] == {"question": 6, "ngram": 0}
    assert "6 questions stand in the training data" in done_.notes[0]
    before = local.path.joinpath("summary.json").read_bytes()
    assert (await evaluate_async(recipe)).evals[0].path.joinpath("summary.json").read_bytes() == before


async def test_a_run_without_pairs_is_refused(tmp_path: Path) -> None:
    run = (await synthesize(small(tmp_path, "graph=exam", problems=3))).run

    with pytest.raises(UsageError, match="holds no pair"):
        pairs_of(run)


def test_pairs_of_one_problem_do_not_narrow_the_intervals_of_likelihoods() -> None:
    def score(problem: int, copy: int) -> PairScore:
        right = 1.0 + 0.1 * problem
        return PairScore(f"{problem}-{copy}", f"p{problem}", right, 1.45, right, 2.0, 3, 3)

    once = summary_of([score(problem, 0) for problem in range(10)])
    thrice = summary_of([score(problem, copy) for problem in range(10) for copy in range(3)])

    assert (thrice["scored"], thrice["problems"]) == (30, 10)
    for name in ("key_right_nll", "right_nll", "prefers_right"):
        assert thrice[name] == pytest.approx(once[name])
    assert summary_of([score(0, copy) for copy in range(3)])["key_right_nll"]["low"] is None
