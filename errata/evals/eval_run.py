"""One model with one decoding: its eval directory, what is still to be answered, and the writing of what is.

    items not in items.jsonl -> workers -> k answers -> grade, group -> a line each
    all there -> the ranker's scores -> votes -> items.jsonl in the tasks' order, summary.json, manifest.json

Killed and started again it goes on where the file ends; the finished file does not depend on how often.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from errata.agents.prompts import Prompts
from errata.agents.student import Student, exam_prompt, student_messages
from errata.config.code import Reference
from errata.config.env import expand
from errata.errors import ErrataError, UsageError
from errata.evals.aggregate import verdict
from errata.evals.key_steps import (
    DualPair,
    PairScore,
    key_steps_of,
    write_scores,
)
from errata.evals.reasoning import check
from errata.evals.recipe import Decoding
from errata.evals.results import (
    ITEMS,
    MANIFEST,
    QUESTION_META,
    SUMMARY,
    Eval,
    Item,
    Key,
    Manifest,
    Sample,
    own_items,
    read_manifest,
    write_items,
    write_json,
)
from errata.evals.summary import summarise
from errata.evals.tasks import TaskProblems, meta_of, question_meta
from errata.evals.voting import Weighting
from errata.grading.equivalence import Same, grouped
from errata.grading.grader import Grade, Grader, Grades
from errata.llm.tracing import problem_span
from errata.records import Call, Problem, Rationale, canonical
from errata.runs.drive import Driver
from errata.runs.mend_log import repair
from errata.runs.run_dir import Log
from errata.runs.times import times_in, times_now

IDENTITY = ("model", "decoding", "fingerprint", "seed", "agent")
"""What may not change between the parts of one eval."""


def refuse_another(folder: Path, manifest: Manifest) -> None:
    """Raises UsageError where the folder holds an eval of something else."""
    before = _before(folder)
    for key, old, new in _identity(before, manifest) if before.model else ():
        if canonical(old) != canonical(new):
            raise UsageError(
                f"{folder} holds an eval with another {key}: {str(old)[:200]}; now {str(new)[:200]}",
                "one directory holds one model with one decoding, graded and voted on by one code",
                f"remove {folder}, or give the model or the decoding another name",
            )


def _before(folder: Path) -> Manifest:
    """The manifest there; an empty one where none can be read, for then each item is looked at itself."""
    try:
        return read_manifest(folder)
    except UsageError:
        return Manifest()


def _identity(before: Manifest, now: Manifest) -> Iterator[tuple[str, Any, Any]]:
    """What may not change, before and now: IDENTITY, the exam's prompt, the graders of tasks in both, their code.

    A local model draws nothing where it decodes greedily, whatever the seed.
    """
    greedy = now.fingerprint is not None and now.decoding.get("temperature") == 0
    for key in IDENTITY:
        if key != "seed" or not greedy:
            yield key, getattr(before, key), getattr(now, key)
    yield "prompt", exam_prompt(before.prompts), exam_prompt(now.prompts)
    for task in before.tasks.keys() & now.tasks.keys():
        old, new = (each.tasks[task].get("grader") or "the shipped one" for each in (before, now))
        yield f"grader of {task}", old, new
    for name in before.code.keys() & now.code.keys():
        yield f"code of {name}", before.code[name].get("sha256"), now.code[name].get("sha256")


@dataclass(frozen=True)
class WorkItem:
    """One item to be answered."""

    task: TaskProblems
    problem: Problem

    @property
    def key(self) -> Key:
        return Key(self.task.name, self.problem.id)


class ProviderError(Exception):
    """A call the provider failed for good; the item stays pending."""


@dataclass
class EvalRun:
    """The work on one eval directory. `failed` counts the items lost to the provider."""

    folder: Path
    manifest: Manifest
    decoding: Decoding
    tasks: Sequence[TaskProblems]
    student: Student
    prompts: Prompts
    graders: Mapping[str, Grades]
    """By task, who grades its answers."""
    shipped: Grader
    """Compares answers where a task's own grader has no `same`."""
    on_settled: Callable[[str | None], None]
    """Is called for every item that is over, with None or why it failed."""
    in_flight: Callable[[], AbstractContextManager[None]] = nullcontext
    """Holds as long as an item is in flight."""
    failed: int = 0
    settled: int = 0
    """Items that this process has answered."""
    begun: datetime = field(default_factory=lambda: datetime.now(UTC))
    started: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.items_to_do = [WorkItem(task, problem) for task in self.tasks for problem in task.problems]
        self.done: dict[Key, Item] = {}

    # ---- before ----

    def open(self) -> int:
        """Looks at what is there; the number of items still to be answered. UsageError where it is another eval."""
        refuse_another(self.folder, self.manifest)
        before = _before(self.folder)
        self.manifest = self.manifest.model_copy(update={"times": before.times})
        repair(self.folder / ITEMS)
        there = own_items(self.folder / ITEMS)
        self.done = {
            work.key: there[work.key]
            for work in self.items_to_do
            if work.key in there and self._answers(there[work.key], work, before)
        }
        return len(self.items_to_do) - len(self.done)

    def _answers(self, item: Item, work: WorkItem, before: Manifest) -> bool:
        """Whether the line is of this question with these options and gold answers, and has all samples."""
        now, then = question_meta(work.problem), {key: item.meta[key] for key in QUESTION_META if key in item.meta}
        if then.keys() == {"question", "gold"} < now.keys():  # of an older version: the whole task has to be the same,
            # and no change of it was begun with: the manifest says what an eval that goes on is of, not what lies there
            hashes = {str(each.tasks.get(work.task.name, {}).get("hash")) for each in (before, self.manifest)}
            then = {**now, **then} if len(hashes) == 1 and before.status == "finished" else then
        return now == then and len(item.samples) == self.decoding.samples

    # ---- answering ----

    async def answer(self, driver: Driver, workers: int) -> None:
        """Answers what is pending, until all is done, a stop is requested or an error concerns all of it."""
        log = Log(self.folder / ITEMS)
        try:
            await driver.drive(self._pending(), partial(self._settle, log), workers)
        finally:
            log.sync()
            log.close()

    def _pending(self) -> list[WorkItem]:
        """Long questions first, so that those decoded together are of like length and too long ones show at once."""
        pending = [work for work in self.items_to_do if work.key not in self.done]
        return sorted(pending, key=lambda work: -len(work.problem.question))

    async def _settle(self, log: Log, work: WorkItem) -> None:
        try:
            with self.in_flight(), problem_span(work.problem.id, task=work.task.name):
                item = await self._item(work)
        except ProviderError as lost:
            self.failed += 1
            self.on_settled(str(lost))
            return
        log.append(item.to_line())
        self.done[item.key] = item
        self.settled += 1
        self.on_settled(None)

    async def _item(self, work: WorkItem) -> Item:
        problem = work.problem
        answers = [self._sample(work, number) for number in range(self.decoding.samples)]
        results = await asyncio.gather(*answers, return_exceptions=True)  # the others' replies are paid: let them end
        broken = next((each for each in results if isinstance(each, BaseException)), None)
        if broken is not None:
            raise broken
        given = [each for each in results if not isinstance(each, BaseException)]
        samples = await self._numbered(work, [sample for sample, _ in given])
        calls = [call for _, call in given]
        correct, answer = verdict(samples, self._provisional())
        checked = check(problem, samples[0].text)
        prices = [call.price_usd for call in calls]
        return Item(
            id=problem.id,
            task=work.task.name,
            correct=correct,
            answer=answer,
            samples=tuple(samples),
            tokens=sum(sample.tokens for sample in samples),
            truncated=sum(sample.truncated for sample in samples),
            meta={
                **meta_of(work.task, problem),
                "mistake": checked.mistake,
                "sound": checked.sound,
                "prompt_tokens": sum(call.prompt_tokens for call in calls),
                "cost_usd": None if None in prices else sum(price for price in prices if price is not None),
            },
        )

    async def _sample(self, work: WorkItem, number: int) -> tuple[Sample, Call]:
        parsed = await self.student.solve(work.problem, self.decoding.sampling, number)
        if parsed.value is None:
            raise ProviderError(f"provider: {parsed.failure}"[:300])
        rationale: Rationale = parsed.value
        answer, correct = None, False
        if rationale.correct is None:
            grade = await self._grade(work, rationale.text)
            answer, correct = grade.answer, bool(grade.correct)
        call = parsed.calls[-1]
        sample = Sample(
            text=rationale.text,
            answer=answer,
            correct=correct,
            tokens=call.completion_tokens,
            truncated=rationale.truncated,
        )
        return sample, call

    async def _grade(self, work: WorkItem, text: str) -> Grade:
        """The grade of a text. UsageError where a grader of one's own fails on it."""
        try:
            return await self.graders[work.task.name].grade(work.problem, text)
        except ErrataError:
            raise
        except Exception as error:
            raise UsageError(
                f"the grader of {work.task.name} fails on {work.problem.id}: {type(error).__name__}: {error}",
                "an item without a grade has no result",
                "correct the grader; the same command goes on",
            ) from error

    def _same(self, work: WorkItem) -> Same:
        """Whether two answers to an item are equal: by the task's grader, else by the shipped one's rules."""
        compare = getattr(self.graders[work.task.name], "same", self.shipped.same)

        async def same(one: str, other: str) -> bool:
            return bool(await compare(work.problem.kind, one, other, work.problem.choices))

        return same

    async def _numbered(self, work: WorkItem, samples: list[Sample]) -> list[Sample]:
        same = self._same(work)
        groups = await grouped([sample.answer for sample in samples], same)
        return [sample.model_copy(update={"group": group}) for sample, group in zip(samples, groups, strict=True)]

    def _provisional(self) -> Weighting | Reference | None:
        """The vote while no ranker has scored."""
        if self.decoding.ranker and self.decoding.vote:
            return "majority"
        return self.decoding.vote

    # ---- after ----

    async def finish(self, pairs: Sequence[DualPair] = (), scores: Sequence[PairScore] = ()) -> Eval:
        """Scores and votes where a ranker sits, and writes the directory anew, in the tasks' order.

        With `pairs`, tells also how their key steps were done and, by the model's `scores`, how likely it finds them.
        """
        items = [self.done[work.key] for work in self.items_to_do if work.key in self.done]
        if self.decoding.ranker:
            items = await asyncio.to_thread(self._scored, items)
        complete = len(items) == len(self.items_to_do)
        prices: list[Any] = [item.meta.get("cost_usd") for item in items]
        manifest = self.manifest.model_copy(
            update={
                "status": "finished" if complete else "running",
                "tokens": {
                    "prompt": sum(item.meta.get("prompt_tokens", 0) for item in items),
                    "completion": sum(item.tokens for item in items),
                },
                "cost_usd": None if None in prices else round(sum(prices), 8),
                "times": self._times(),
            }
        )
        write_items(self.folder / ITEMS, items)
        self.save(manifest)
        summary = summarise(manifest, items)
        if pairs and complete:
            summary["key_steps"] = key_steps_of(pairs, items, scores)
            if scores:
                write_scores(self.folder, scores)
        write_json(self.folder / SUMMARY, summary)
        return Eval(self.folder, tuple(items), manifest, summary)

    def _times(self) -> dict[str, Any] | None:
        """Those of the earlier processes and of this one; an eval whose items were all there is left as it is."""
        earlier = times_in({"times": self.manifest.times})
        if earlier is None and not self.settled:
            return None
        seconds = time.monotonic() - self.started
        return times_now(earlier, self.begun, seconds, worked=self.settled > 0)._asdict()

    def save(self, manifest: Manifest) -> None:
        write_json(self.folder / MANIFEST, manifest.model_dump(by_alias=True))

    def _scored(self, items: Sequence[Item]) -> list[Item]:
        from errata.models.ranker import load_ranker

        scorer = load_ranker(expand(self.decoding.ranker or ""))
        questions_by_key = {
            work.key: student_messages(self.prompts, work.problem, self.student.model.spec.system)[-1].content
            for work in self.items_to_do
        }
        questions = [questions_by_key[item.key] for item in items for _ in item.samples]
        scores = iter(scorer.score(questions, [each.text for item in items for each in item.samples]))
        rescored = []
        for item in items:
            samples = tuple(each.model_copy(update={"score": next(scores)}) for each in item.samples)
            correct, answer = verdict(samples, self.decoding.vote)
            rescored.append(item.model_copy(update={"samples": samples, "correct": correct, "answer": answer}))
        return rescored
