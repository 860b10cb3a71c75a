"""A method: a way to train a student as one value, and all that the command, combinations and manifests know of it.

    Method = its knobs + the format it reads + its terms + TRL's defaults + its controls + how it is run

The shipped ones stand in errata/training/methods/, one file each. One's own is a value of the same kind in a file of
one's own, named as `my_method.py:METHOD`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Generic, Literal, TypeVar

from trl import ModelConfig

from errata.config.code import Code, Loader, code_of
from errata.errors import UsageError
from errata.exports.format import Format
from errata.exports.transcript_view import ALL, Options
from errata.training.align import AlignMode
from errata.training.arguments import Training
from errata.training.method_names import refuse_unknown
from errata.training.mistaken import Fault
from errata.training.terms import Term


@dataclass(frozen=True)
class Knobs:
    """The settings of a method's own, each with its default and help text (`arguments.option`).

    They are flags of `errata train METHOD` and keys of the method's entry in a combination.
    """

    def options(self) -> Options:
        """Which rationales are taken of a run."""
        return ALL

    def alignment(self) -> AlignMode | None:
        """How the key tokens of pairs are chosen; None where the method does not say."""
        return None

    def row_fault(self) -> Fault | None:
        """Tells why a row of the training data is not learned from; None where all of them are."""
        return None

    def epoch_tokens(self) -> int | None:
        """Completion tokens that an epoch shall come to; None leaves the rows as they are."""
        return None


K = TypeVar("K", bound=Knobs)


@dataclass(frozen=True)
class Control:
    """A training that differs from the method's in one thing, so that the difference shows what this thing does."""

    name: str
    help: str
    knobs: Mapping[str, Any] = field(default_factory=dict)
    """Knobs that it sets."""
    grader_only: bool = False
    """Of a run every right rationale, whatever the panel says."""
    answer_only: bool = False
    """Of every right rationale its final sentence alone."""
    repeats_sft: bool = False
    """Plain distillation on as many target tokens as the method's."""


REPEAT_SFT = Control("repeat_sft", "plain distillation on as many target tokens", repeats_sft=True)
GRADER_ONLY = Control("grader_only", "no panel, every right rationale of the run", grader_only=True)


@dataclass(frozen=True, eq=False)
class Method(Generic[K]):
    """A way to train a student. `terms(knobs)` are those of its objective."""

    name: str
    """As the command line, manifests and comparisons call it."""
    help: str
    """One sentence."""
    format: Format
    """The export that serves it."""
    terms: Callable[[K], tuple[Term, ...]]
    knobs: type[K]
    """What `terms` takes, and what its entry in a combination may set."""
    flags: type[K] | None = None
    """`knobs` with what only the command line may set; by default the same."""
    training: type[Training] = Training
    """TRL's flags with the paper's defaults."""
    model: type[ModelConfig] = ModelConfig
    controls: tuple[Control, ...] = ()
    reads: Callable[[K], tuple[Term, ...]] | None = None
    """The terms whose rows are taken, where `terms` are not all that is trained by."""
    needs_teacher: bool = False
    """Its terms compare the student with a frozen one."""
    paper: str | None = None
    """Its source, as model cards name it."""
    gives_way: bool = True
    """In a combination its plain distillation gives way to that of another entry."""
    run: Callable[[Any], int] | None = None
    """Takes its training_run.TrainingRun, trains, and returns the exit code; by default one trainer over all rows
    (plain.run_plain)."""

    def __post_init__(self) -> None:
        if not self.name.replace("-", "_").isidentifier():
            raise UsageError(
                f"a method named {self.name!r}",
                "commands and manifests call it by its name",
                "choose a name of letters, digits and hyphens",
            )

    @property
    def flags_class(self) -> type[K]:
        """The dataclass of its flags on the command line."""
        return self.flags or self.knobs

    def control_named(self, name: str) -> Control | None:
        """None for `none`."""
        return next((each for each in self.controls if each.name == name), None)


AnyMethod = Method[Any]


def with_control(knobs: K, control: Control | None) -> K:
    """The knobs as a control sets them."""
    return replace(knobs, **control.knobs) if control else knobs


def control_flag(method: AnyMethod) -> tuple[str, Any, Any]:
    """The flag `--control` of a method, as dataclasses.make_dataclass takes a field."""
    names = ("none", *(each.name for each in method.controls))
    text = " ".join(f"{each.name}: {each.help}." for each in method.controls) or "This method has none."
    return "control", Literal[names], field(default="none", metadata={"help": text})


def method_of(choice: str | AnyMethod, loader: Loader, methods: Sequence[AnyMethod], what: str = "method") -> AnyMethod:
    """The method that a person chose: a value, a name, or `my_method.py:METHOD`.

    Raises UsageError: no such method, with the nearest name; a reference to something else; a knob that is TRL's.
    """
    if isinstance(choice, Method):
        return choice
    name = choice.replace("_", "-")
    for each in methods:
        if each.name == name:
            return each
    refuse_unknown(choice, [each.name for each in methods], what)
    return loader.load_value(choice, Method, "METHOD = Method(name=..., format=..., terms=..., ...)")


def own_code(method: AnyMethod, methods: Sequence[AnyMethod]) -> dict[str, Code]:
    """The file of a method of one's own that was given as a value, with its hash; nothing for a shipped one."""
    return {} if any(method is each for each in methods) else {method.name: code_of(method.terms)}


def knob_names(knobs: type[Knobs]) -> list[str]:
    return [each.name for each in fields(knobs)]
