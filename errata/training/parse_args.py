"""Flags and the config file of `errata train METHOD`: TRL's own parser, with errors that a person can act on."""

from __future__ import annotations

import os
from argparse import Action, HelpFormatter
from collections.abc import Sequence
from dataclasses import make_dataclass
from pathlib import Path
from typing import Any, NoReturn

from transformers.integrations.deepspeed import unset_hf_deepspeed_config
from trl import SFTConfig, TrlParser

from errata.config.code import Loader
from errata.config.env import expand
from errata.config.yaml_file import read_mapping
from errata.errors import UsageError, did_you_mean
from errata.exports.formats import format_of, own_code
from errata.training.arguments import DataArguments
from errata.training.combine import parse_entries
from errata.training.method import AnyMethod, control_flag, method_of, with_control
from errata.training.method import own_code as own_method_code
from errata.training.method_arguments import Arguments
from errata.training.methods.shipped import KINDS_OF_TERMS, METHODS


class Parser(TrlParser):
    """TRL's parser, which knows its flags, and raises where argparse would print its usage and leave the process."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.flags: dict[str, Action] = {}
        """The first action of every destination: a switch has a second one that turns it off."""
        self.spellings: list[str] = []
        self.sections: dict[str, set[str]] = {}
        """By title, the destinations that stand before TRL's in the help."""
        super().__init__(*args, **kwargs)

    def add_argument(self, *names: Any, **settings: Any) -> Action:
        action: Action = super().add_argument(*names, **settings)
        self.flags.setdefault(action.dest, action)
        self.spellings.extend(action.option_strings)
        return action

    def format_help(self) -> str:
        """What the method is, then the flags: errata's own first, those of TRL and transformers behind."""
        formatter = self.formatter_class(prog=self.prog)
        formatter.add_text(f"usage: {self.prog} --config FILE [--flag value ...]")
        formatter.add_text(self.description)
        listed: set[str] = set()
        for title, names in self.sections.items():
            listed |= names
            _add_section(formatter, title, [each for each in self._actions if each.dest in names])
        rest = [each for each in self._actions if each.dest not in listed and each.dest != "help"]
        _add_section(formatter, "TRL's and transformers'", rest)
        formatter.add_text("A flag wins over the file, the file over the defaults. A key of the file is a flag's name.")
        return formatter.format_help()

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, "the flags cannot be read", f"see `{self.prog} --help`")


def parse(
    choice: str | AnyMethod,
    words: Sequence[str],
    methods: Sequence[AnyMethod] = METHODS,
    kinds: Sequence[AnyMethod] = KINDS_OF_TERMS,
) -> Arguments:
    """The flags of a training. A flag wins over the file, the file over the defaults.

    Strings of the file may hold `${VAR:-default}`; code that it names lies beside it, code that the command line names
    may lie anywhere. Raises UsageError: an unknown flag or key with the nearest known one, a value of the wrong kind,
    flags that exclude each other, a method, kind or format that is not there.
    """
    by_hand = Loader(Path.cwd(), anywhere=True)
    method = method_of(choice, by_hand, methods)
    code = {} if isinstance(choice, str) else own_method_code(method, methods)
    prog = f"errata train {choice if isinstance(choice, str) else method.name}"
    try:
        parser = _parser(method, prog)
        file, rest = _config_file(words)
        _check_flags(rest, parser)
        of_file = _from_file(file, parser.flags) if file is not None else {}
        parser.set_defaults_with_config(**of_file)
        data, knobs, chosen, training, model = parser.parse_args_into_dataclasses(rest, look_for_args_file=False)
    except UsageError:
        raise
    except ImportError as error:  # such as --deepspeed, whose package errata does not bring
        unset_hf_deepspeed_config()  # transformers keeps the half-made one, and asks it at every load and training
        missing = str(error).removeprefix("No package metadata was found for ").strip()
        raise UsageError(
            missing[:800], "a setting needs what is not installed", "install it, or leave it out"
        ) from error
    except (ValueError, TypeError) as error:  # what the dataclasses say of values that do not go together
        raise UsageError(f"{error}"[:800], "these settings cannot be trained with", f"see `{prog} --help`") from error
    if training.trust_remote_code:
        raise UsageError("--trust_remote_code", "no code that lies beside a model's weights is run", "leave it out")
    if not 0 <= training.seed < 2**32:
        raise UsageError(f"--seed {training.seed}", "seeds are whole numbers from 0 to 2^32 - 1", "choose another")
    beside = Loader(file.parent) if file is not None else by_hand
    loaders = {name: beside if name in of_file and f"--{name}" not in rest else by_hand for name in _CODE}
    entries = parse_entries(data.terms, kinds, loaders["terms"]) if data.terms else []
    form = format_of(data.dataset_format, loaders["dataset_format"]) if data.dataset_format else None
    control = method.control_named(chosen.control)
    code |= own_code(method.format) | by_hand.code | beside.code
    return Arguments(method, data, with_control(knobs, control), control, training, model, entries, form, code)


_CODE = ("terms", "dataset_format")
"""Flags that may name code."""


def _parser(method: AnyMethod, prog: str) -> Parser:
    control = make_dataclass("ControlFlag", [control_flag(method)], frozen=True)
    classes: list[Any] = [DataArguments, method.flags_class, control, method.training, method.model]
    names = [name for each in classes for name in each.__dataclass_fields__]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise UsageError(
            f"the method {method.name} has a knob {twice[0]}",
            "there is another flag of this name",
            "call it otherwise; defaults of TRL's flags stand in a subclass of Training",
        )
    parser = Parser(classes, prog=prog, allow_abbrev=False, description=method.help)
    parser.sections = {
        "what is learned from": set(DataArguments.__dataclass_fields__),
        f"of {method.name}": {*method.flags_class.__dataclass_fields__, "control"},
        "how it is trained, errata's own": method.training.__dataclass_fields__.keys() - SFTConfig.__dataclass_fields__,
    }
    return parser


def _add_section(formatter: HelpFormatter, title: str, actions: Sequence[Action]) -> None:
    formatter.start_section(title)
    formatter.add_arguments(actions)
    formatter.end_section()


def _config_file(words: Sequence[str]) -> tuple[Path | None, list[str]]:
    rest: list[str] = []
    file: Path | None = None
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word == "--config":
            if not queue:
                raise UsageError("--config without a file", "the settings are read from it", "name a YAML file")
            file = Path(queue.pop(0))
        elif word.startswith("--config="):
            file = Path(word.partition("=")[2])
        else:
            rest.append(word)
    return file, rest


def _check_flags(words: Sequence[str], parser: Parser) -> None:
    for word in words:
        name = word.partition("=")[0]
        if name.startswith("--") and name not in parser.spellings:
            raise _unknown(f"the flag {name}", name, parser.spellings)


def _unknown(what: str, name: str, known: Sequence[str]) -> UsageError:
    return UsageError(f"{what} is not known", "it would have no effect", did_you_mean(name, known, "leave it out"))


def _from_file(file: Path, flags: dict[str, Action]) -> dict[str, Any]:
    values = read_mapping(file)
    for name, value in (values.pop("env", None) or {}).items():  # as TRL's parser does
        os.environ[str(name)] = str(value)
    for key in values:
        if key not in flags or key == "help":
            raise _unknown(f"{file}: the key {key}", str(key), list(flags))
    return {key: _as_flag(f"{file}: {key}", _expanded(value), flags[key]) for key, value in values.items()}


def _expanded(value: Any) -> Any:
    if isinstance(value, str):
        return expand(value) if "${" in value else value
    if isinstance(value, list):
        return [_expanded(item) for item in value]
    if isinstance(value, dict):
        return {key: _expanded(item) for key, item in value.items()}
    return value


def _as_flag(place: str, value: Any, action: Action) -> Any:
    """A scalar as the flag would read it, so that 1e-4, which YAML takes for a text, is a number here too."""
    several = action.nargs in ("+", "*")
    if several and not isinstance(value, list):
        return None if value is None else [value]
    if value is None or isinstance(value, list | dict):
        if isinstance(value, list | dict) and not several and action.type in (int, float, str):
            raise UsageError(f"{place}: {str(value)[:80]}", "one value is expected", "write one")
        return value
    try:
        read = action.type(str(value)) if callable(action.type) else value
    except Exception as error:  # each flag has a reader of its own
        raise UsageError(f"{place}: {value!r} ({error})"[:300], "it cannot be read so", "see --help") from error
    if action.choices is not None and read not in action.choices:
        choices = ", ".join(str(choice) for choice in action.choices)
        raise UsageError(f"{place}: {value!r}", f"it is one of {choices}", "choose one")
    return read
