"""Every model of an eval recipe with every decoding: over one gateway per model, one directory per pair.

What would fail later is refused before the first call; a model that its provider refuses leaves the others.
"""

from __future__ import annotations

import asyncio
import platform
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from errata import __version__
from errata.agents.ask import PromptedModel
from errata.agents.prompts import Prompts
from errata.agents.student import Student
from errata.config.env import expand, local_path
from errata.errors import AgentRefused, ErrataError, UsageError
from errata.evals.checkpoint_info import training_of
from errata.evals.eval_run import EvalRun, refuse_another
from errata.evals.key_step_likelihood import score_pairs
from errata.evals.key_steps import DualPair, PairScore, pairs_hash, read_scores
from errata.evals.progress import Progress
from errata.evals.recipe import Decoding, EvalRecipe, Model
from errata.evals.reply_store import eval_store, write_spent
from errata.evals.results import ITEMS, Eval, Manifest, own_items
from errata.evals.tasks import TaskProblems
from errata.grading.grader import Grader, Grades, as_grader
from errata.llm.backends import kind_of
from errata.llm.batches.progress import WAVE
from errata.llm.endpoint import api_base_of
from errata.llm.gateway import Gateway
from errata.llm.preflight import check_access
from errata.llm.spec import Agents
from errata.llm.stored_reply import without_user
from errata.runs.drive import Driver
from errata.runs.manifest import versions
from errata.runs.run_dir import held


@dataclass
class AllModels:
    """The work of one command on an eval recipe, and what it has come to so far."""

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

    async def answer(self) -> None:
        """Has every model answer, one after the other; what a model is refused for is kept in `errors`."""
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
            decoding={"name": name, **_of_decoding(decoding)},
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


def _of_decoding(decoding: Decoding) -> dict[str, Any]:
    """A decoding as it stands in the manifest: `ranker_label` only where there is one, as older directories lack it."""
    return decoding.model_dump(mode="json", exclude=None if decoding.ranker_label else {"ranker_label"})


def _ends(decoding: Decoding, backend: str) -> dict[str, Any]:
    """What ends a reply before its end token and the length limit."""
    stop = {"stop": list(decoding.stop)} if decoding.stop else {}
    settled = {"stop_at_answer": True} if decoding.stop_at_answer and backend == "local" else {}
    return {**stop, **settled}


def _fingerprint(model: str) -> str:
    from errata.models.files import find

    return find(local_path(model)).fingerprint()
