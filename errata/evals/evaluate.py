"""Drives an eval recipe: every model with every decoding over all tasks, one directory each.

    recipe -> tasks read -> for each model a gateway -> for each decoding a eval_run (eval_run.py) -> RUN/evals/NAME

The same command goes on after any stop. In a notebook:

    done = evaluate("recipes/eval/smollm2.yaml", ["limit=20"])
    pandas.DataFrame(compare(done.evals).records())
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from errata import __version__
from errata.agents.ask import PromptedModel
from errata.agents.prompts import Prompts, load_prompts
from errata.agents.student import Student
from errata.config.env import expand, local_path
from errata.errors import (
    AgentRefused,
    ErrataError,
    UsageError,
)
from errata.evals.checkpoint_info import training_of
from errata.evals.eval_run import EvalRun, refuse_another
from errata.evals.key_step_likelihood import score_pairs
from errata.evals.key_steps import DualPair, PairScore, pairs_hash, pairs_of, read_scores
from errata.evals.progress import Progress
from errata.evals.recipe import Decoding, EvalRecipe, Model, load_eval_recipe, with_parts
from errata.evals.reply_store import eval_store, write_spent
from errata.evals.results import ITEMS, Eval, Manifest, own_items
from errata.evals.tasks import Task, TaskProblems, overlap_with, read_task
from errata.evals.voting import Weigh
from errata.grading.grader import Grader, Grades, as_grader
from errata.llm.backends import kind_of
from errata.llm.batches.progress import WAVE
from errata.llm.endpoint import api_base_of
from errata.llm.gateway import Gateway
from errata.llm.preflight import check, check_access
from errata.llm.spec import Agents, check_spec
from errata.llm.stored_reply import without_user
from errata.runs.counters import ProblemCounts, StopSignal, Watch
from errata.runs.drive import Driver, run_anywhere, ticking
from errata.runs.manifest import versions
from errata.runs.run_dir import held


@dataclass(frozen=True)
class Evaluation:
    """What an eval came to. `evals` are in the recipe's order; `error` is what ended it early, if anything did."""

    evals: tuple[Eval, ...]
    exit_code: int
    error: ErrataError | None
    pending: int
    failed: int
    spent: dict[str, Any]
    notes: tuple[str, ...]

    def records(self) -> list[dict[str, Any]]:
        """One flat record per item and eval, as pandas.DataFrame takes them."""
        return [record for each in self.evals for record in each.records()]


def evaluate(
    recipe: EvalRecipe | str | Path,
    overrides: Sequence[str] = (),
    *,
    grader: Any = None,
    graders: Mapping[str, Any] | None = None,
    votes: Mapping[str, Weigh] | None = None,
    backends: Mapping[str, Any] | None = None,
    watch: Watch | None = None,
) -> Evaluation:
    """Runs an eval recipe, or a file that holds one with `key=value` overrides. Raises UsageError.

    Also to be called where an event loop runs already, as in a notebook: then it has a thread of its own.

    Args:
        grader: a function `(problem, text) -> Grade`, or an object or class with `grade`, in place of the recipe's.
        graders: such graders by task.
        votes: by decoding, a function from an item's samples to one weight each.
        backends: by provider, who is asked for its models, see errata.evals.recipe.with_parts.
        watch: is shown twice per second how far it is.
    """
    loaded = recipe if isinstance(recipe, EvalRecipe) else load_eval_recipe(recipe, overrides)
    loaded = with_parts(loaded, grader, graders, votes, backends)
    return run_anywhere(lambda: evaluate_async(loaded, watch=watch))


async def evaluate_async(
    recipe: EvalRecipe,
    *,
    stop: StopSignal | None = None,
    signals: bool = False,
    watch: Watch | None = None,
    untouched: bool = True,
) -> Evaluation:
    """As `evaluate`, from a running event loop; with `signals` Ctrl-C and SIGTERM request the stop.

    Args:
        untouched: the recipe's baseline is the untouched student, and shown as such.
    """
    stop = stop or StopSignal()
    for model in recipe.everyone:
        check_spec(model)
        check(Agents(student=model.agent), recipe.budget)
    prompts = load_prompts(recipe.prompts and expand(recipe.prompts))
    tasks = [read_task(name, _as_run(spec, recipe)) for name, spec in recipe.tasks.items()]
    notes = [note for task in tasks for note in task.notes]
    notes += [
        f"the code of {name} stands in no file: whether it has changed since cannot be known"
        for name, code in recipe.code.items()
        if code.sha256 is None
    ]
    overlap = overlap_with(tasks, recipe.training)
    notes += [
        f"{name}: {met['question']} questions stand in the training data, {met['ngram']} more share 13 words with it"
        for name, met in overlap.items()
        if any(met.values())
    ]
    total = sum(len(task.problems) for task in tasks) * len(recipe.everyone) * len(recipe.decodings)
    pairs = pairs_of(expand(recipe.pairs)) if recipe.pairs else []
    progress = Progress(ProblemCounts(total), stop)
    run = _Run(recipe, Path(expand(recipe.run)), prompts, tasks, overlap, pairs, progress, untouched)
    run.refuse_what_would_fail_later()
    run.home.mkdir(parents=True, exist_ok=True)  # what is refused leaves no directory
    with stop.on_signals() if signals else nullcontext():
        async with ticking(watch, run.progress.snapshot):
            await run.all_models()
    return run.evaluation(notes)


def _as_run(spec: Task, recipe: EvalRecipe) -> Task:
    """The task under the recipe's limit, with the grader that it has."""
    limits = [each for each in (spec.limit, recipe.limit) if each is not None]
    return spec.model_copy(update={"limit": min(limits, default=None), "grader": spec.grader or recipe.grader})


@dataclass
class _Run:
    recipe: EvalRecipe
    home: Path
    prompts: Prompts
    tasks: Sequence[TaskProblems]
    overlap: dict[str, dict[str, int]]
    pairs: Sequence[DualPair]
    progress: Progress
    untouched: bool
    """The baseline is the untouched student."""
    evals: list[Eval] = field(default_factory=list)
    failed: int = 0
    notes: list[str] = field(default_factory=list)
    scored: dict[str, list[PairScore]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.driver = Driver(self.progress.stop)

    @property
    def errors(self) -> list[ErrataError]:
        return self.driver.errors

    @property
    def over(self) -> bool:
        """Nothing more is to be asked; a refusal concerns one model alone."""
        return bool(self.progress.stop.requests) or any(not isinstance(each, AgentRefused) for each in self.errors)

    def refuse_what_would_fail_later(self) -> None:
        """Raises UsageError for a model, ranker or directory that is not as it should be, before the first call."""
        for name, decoding in self.recipe.decodings.items():
            if decoding.ranker and not (Path(expand(decoding.ranker)) / "ranker_config.json").is_file():
                raise UsageError(
                    f"decodings.{name}.ranker: {decoding.ranker} holds no ranker_config.json",
                    "it is not the folder of a ranker",
                    "name the folder that `errata train ranker` wrote",
                )
            for model in self.recipe.everyone:
                refuse_another(self._folder(model, name), self._manifest(model, name, decoding))
        elsewhere = [model for model in self.recipe.everyone if kind_of(model) in ("openai", "litellm")]
        check_access([model.agent for model in elsewhere if self._has_more_to_answer(model)])

    def _has_more_to_answer(self, model: Model) -> bool:
        """Whether an eval directory of the model lacks an item."""
        wanted = {(task.name, problem.id) for task in self.tasks for problem in task.problems}
        folders = [self._folder(model, decoding) for decoding in self.recipe.decodings]
        return any(not wanted <= own_items(folder / ITEMS).keys() for folder in folders)

    def _folder(self, model: Model, decoding: str) -> Path:
        return self.home / "evals" / f"{model.name}-{decoding}"

    async def all_models(self) -> None:
        async with Grader() as shipped:
            graders = self._graders(shipped)
            for model in self.recipe.everyone:
                if not self.over:
                    await self._model(model, graders, shipped)

    def _graders(self, shipped: Grader) -> dict[str, Grades]:
        """By task, who grades it; each grader of one's own is made once."""
        own = {str(part): part for task in self.tasks if (part := task.spec.grader) is not None}
        graders = {name: as_grader(part.loaded) for name, part in own.items()}
        return {task.name: graders.get(str(task.spec.grader), shipped) for task in self.tasks}

    async def _model(self, model: Model, graders: Mapping[str, Grades], shipped: Grader) -> None:
        """Every decoding of one model over one gateway, which loads a local model once."""
        store = eval_store(self.recipe, self.home)
        async with AsyncExitStack() as stack:
            gateway = Gateway.open(
                Agents(student=model.agent),
                seed=self.recipe.seed,
                budget=self.recipe.budget,
                concurrency=self.recipe.concurrency,
                store=store.folder,
                ledger=store.ledger,
                known=store.known,
                anew=store.anew,
            )
            await stack.enter_async_context(gateway)
            self.progress.ledgers.append(gateway.spent)
            for name, decoding in self.recipe.decodings.items():
                if self.over or any(
                    isinstance(each, AgentRefused) and each.agent == model.name for each in self.errors
                ):
                    break
                await self._decoding(model, name, decoding, gateway, graders, shipped)
                write_spent(self.home, self.progress.spent())
            self.notes += gateway.notes

    async def _decoding(
        self,
        model: Model,
        name: str,
        decoding: Decoding,
        gateway: Gateway,
        graders: Mapping[str, Grades],
        shipped: Grader,
    ) -> None:
        spec = model.agent
        spec = spec.model_copy(update={"extra": {**spec.extra, **_ends(decoding, kind_of(model))}})
        with held(self._folder(model, name)) as directory:
            eval_run = EvalRun(
                folder=directory.path,
                manifest=self._manifest(model, name, decoding),
                decoding=decoding,
                tasks=self.tasks,
                student=Student(PromptedModel(spec, gateway, self.prompts, tries=1)),
                prompts=self.prompts,
                graders=graders,
                shipped=shipped,
                on_settled=self.progress.settle,
                in_flight=self.progress.in_flight,
            )
            pending = eval_run.open()
            self.progress.tally.done += len(eval_run.items_to_do) - pending
            if pending:
                eval_run.save(eval_run.manifest)
                driver = Driver(self.progress.stop)  # a refusal ends the work on one model alone
                at_once = max(self.recipe.concurrency, WAVE) if model.batch else self.recipe.concurrency
                await eval_run.answer(driver, min(at_once, pending))
                self.errors.extend(driver.errors)
            self.failed += eval_run.failed
            scores = await self._pair_scores(model, directory.path)
            self.evals.append(await eval_run.finish(self.pairs, scores))

    async def _pair_scores(self, model: Model, folder: Path) -> list[PairScore]:
        """A local model's likelihoods of the pairs: those in its directory where they are of these pairs."""
        if not self.pairs or kind_of(model) != "local" or self.over:
            return []
        if model.name not in self.scored:
            known = read_scores(folder, pairs_hash(self.pairs))
            if known is None:
                path = local_path(model.model)
                known = await asyncio.to_thread(score_pairs, path, self.pairs, self.prompts, model.system)
            self.scored[model.name] = known
        return self.scored[model.name]

    def _manifest(self, model: Model, name: str, decoding: Decoding) -> Manifest:
        local = kind_of(model) == "local"
        return Manifest(
            name=f"{model.name}-{name}",
            label=model.label or model.name,
            model=model.model,
            decoding={"name": name, **decoding.model_dump(mode="json")},
            agent={"api_base": without_user(api_base_of(model.agent)), "system": model.system, "extra": model.extra},
            fingerprint=_fingerprint(model.model) if local else None,
            seed=self.recipe.seed,
            replicate=model.replicate,
            baseline=self.untouched and model is self.recipe.baseline,
            status="running",
            tasks={
                task.name: task.about() | ({"overlap": self.overlap[task.name]} if self.overlap else {})
                for task in self.tasks
            },
            claims=self.recipe.claims,
            code={name: dict(code._asdict()) for name, code in self.recipe.code.items()},
            prompts=self.prompts.hashes(),
            versions={"errata": __version__, "python": platform.python_version(), **versions()},
            training=training_of(model.model),
        )

    def evaluation(self, notes: Sequence[str]) -> Evaluation:
        driver = self.driver
        return Evaluation(
            evals=tuple(self.evals),
            exit_code=driver.exit_code(self.failed),
            error=driver.error(),
            pending=self.progress.tally.pending,
            failed=self.failed,
            spent=self.progress.spent(),
            notes=(*notes, *dict.fromkeys(self.notes)),
        )


def _ends(decoding: Decoding, backend: str) -> dict[str, Any]:
    """What ends a reply before its end token and the length limit."""
    stop = {"stop": list(decoding.stop)} if decoding.stop else {}
    settled = {"stop_at_answer": True} if decoding.stop_at_answer and backend == "local" else {}
    return {**stop, **settled}


def _fingerprint(model: str) -> str:
    from errata.models.files import find

    return find(local_path(model)).fingerprint()
