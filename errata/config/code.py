"""Code of one's own that a recipe names: `my_stages.py:SHORTEN`, `my_package.stages:SHORTEN`.

A file is code only where it lies beside the recipe, or below it; a module only where it is on the import path. What was
loaded, with the hash of its file, is known to whoever loaded it: it is said before anything runs and stands in the
manifest, so that no run goes on with other code without a word. Reading a run directory loads nothing.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.machinery
import importlib.util
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any, NamedTuple, TypeVar

from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

from errata.errors import UsageError, did_you_mean

V = TypeVar("V")

_FILE = re.compile(r"(?P<file>[^:\0]+\.py):(?P<name>[A-Za-z_]\w*)")
_MODULE = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*)")


class Code(NamedTuple):
    """A file that a recipe's own part stands in. `sha256` is None where there is no file, as in a notebook."""

    file: str
    sha256: str | None


def code_lines(code: Mapping[str, Code]) -> list[str]:
    """A line per part of one's own: which file is run, to be said before anything else."""
    return [
        f"own code: {reference} from {each.file}" + (f" (sha256 {each.sha256})" if each.sha256 else "")
        for reference, each in code.items()
    ]


def is_reference(text: str) -> bool:
    """Whether a text names an object in a file or module, as in `my_stages.py:SHORTEN`."""
    return bool(_FILE.fullmatch(text) or _MODULE.fullmatch(text))


class Loader:
    """Loads the objects that references name, each file once, and knows what it has loaded.

    Args:
        folder: where files are looked for; they may not lie outside of it.
        anywhere: files may lie outside, as those that a person names on the command line.
    """

    def __init__(self, folder: Path, *, anywhere: bool = False) -> None:
        self.folder, self._anywhere = folder, anywhere
        self.code: dict[str, Code] = {}
        """What was loaded, by reference."""
        self._modules: dict[Path, ModuleType] = {}

    def load(self, reference: str) -> Any:
        """The object that a reference names. Raises UsageError where there is none."""
        module, name = self._module(reference)
        try:
            part = getattr(module, name)
        except AttributeError:
            raise UsageError(
                f"{reference}: there is no {name} in it",
                "the part is taken from there by its name",
                did_you_mean(name, vars(module), f"define {name}"),
            ) from None
        self.code[reference] = code_of(part, module)
        return part

    def load_value(self, reference: str, kind: type[V], example: str) -> V:
        """The value of a public class that a reference names, e.g. a Stage. Raises UsageError for anything else."""
        part = self.load(reference)
        if not isinstance(part, kind):
            raise UsageError(
                f"{reference} is a {type(part).__name__}",
                f"a {kind.__name__.lower()} is a value of errata.{kind.__name__}",
                f"name one, e.g. {example}",
            )
        return part

    def _module(self, reference: str) -> tuple[ModuleType, str]:
        if match := _FILE.fullmatch(reference):
            return self._from_file(reference, match["file"]), match["name"]
        if match := _MODULE.fullmatch(reference):
            try:
                return importlib.import_module(match["module"]), match["name"]
            except ImportError as error:
                raise UsageError(
                    f"{reference}: {error}",
                    "a module is looked for on the import path",
                    "install it, or name a file beside the recipe: my_parts.py:NAME",
                ) from error
        raise UsageError(
            f"{reference!r} names no part",
            "a part of one's own is written FILE.py:NAME or MODULE:NAME",
            "e.g. my_stages.py:SHORTEN, a file beside the recipe",
        )

    def _from_file(self, reference: str, name: str) -> ModuleType:
        path = (self.folder / name).resolve()
        if not self._anywhere and not path.is_relative_to(self.folder.resolve()):
            raise UsageError(
                f"{reference} leads out of {self.folder}",
                "a recipe may run only code that lies beside it",
                "move the file beside the recipe, or install it as a module: my_package.parts:NAME",
            )
        if path not in self._modules:
            self._modules[path] = _import(path, reference)
        return self._modules[path]


class _SourceAlone(importlib.machinery.SourceFileLoader):
    """A loader that compiles a file as it stands: bytecode beside it, which may be of another text, is not read."""

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self.get_data(self.path), self.path)


def _import(path: Path, reference: str) -> ModuleType:
    if not path.is_file():
        raise UsageError(f"{reference}: there is no file {path}", "a part of one's own is read from it", "check it")
    name = f"errata_own_{hashlib.sha256(str(path).encode()).hexdigest()[:12]}_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path, loader=_SourceAlone(name, str(path)))
    if spec is None or spec.loader is None:
        raise UsageError(f"{reference}: {path} cannot be imported", "it is no Python file", "check it")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses and pickles look their module up
    try:
        spec.loader.exec_module(module)
    except UsageError:
        raise
    except Exception as error:
        del sys.modules[name]
        raise UsageError(
            f"{reference}: {type(error).__name__}: {error}", f"{path} fails when it is imported", "see --debug"
        ) from error
    return module


def code_of(part: Any, module: ModuleType | None = None) -> Code:
    """The file that an object stands in, with its hash: that of its module, else of its function or class."""
    candidates = [module, part, type(part), getattr(part, "build", None), getattr(part, "rows", None)]
    for each in candidates:
        try:
            file = inspect.getsourcefile(each) if each is not None else None
        except TypeError:
            continue
        if file and Path(file).is_file():
            return Code(file, hashlib.sha256(Path(file).read_bytes()).hexdigest()[:16])
    return Code(getattr(part, "__qualname__", type(part).__qualname__), None)


class Reference(str):
    """The name of an object in code of one's own, in a recipe; `part` is the object once it is loaded.

    Validation loads it where the context has a `loader`; without one, as for the recipe of a finished run, `part` is
    None. An object in place of a text is its own part.
    """

    part: Any = None

    @property
    def loaded(self) -> Any:
        """The object itself. Raises UsageError where it was only named."""
        if self.part is None:
            raise UsageError(
                f"{self} is only named, and its code is not loaded",
                "a recipe made of plain data loads no code",
                "load the recipe from its file, or give the object itself in place of its name",
            )
        return self.part

    @classmethod
    def of(cls, part: Any) -> Reference:
        """A reference to an object that is at hand."""
        reference = cls(f"{getattr(part, '__module__', 'object')}:{getattr(part, '__qualname__', type(part).__name__)}")
        reference.part = part
        return reference

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(lambda text: str(text))
        )

    @classmethod
    def _validate(cls, value: Any, info: ValidationInfo) -> Reference:
        if isinstance(value, Reference):
            return value
        if not isinstance(value, str | int | float | list | dict | type(None)):
            return cls.of(value)
        if not isinstance(value, str) or not is_reference(value):
            raise ValueError("it names no part: write FILE.py:NAME or MODULE:NAME")
        reference = cls(value)
        load: Callable[[str], Any] | None = info.context and info.context.get("load")
        if load:
            reference.part = load(value)
        return reference
