"""Recipes as JSON Schemas, for editors: every key with its type, its default and what it sets."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

KINDS = ("synth", "eval", "study", "school")
"""The verbs that read a recipe."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Schema(GenerateJsonSchema):
    """What only code can check, such as a part of one's own, may be anything."""

    def handle_invalid_for_json_schema(self, schema: Any, error_info: str) -> JsonSchemaValue:
        return {}


def recipe_class(kind: str) -> type[BaseModel]:
    """The model of the recipe that a verb of KINDS reads."""
    if kind == "eval":
        from errata.evals.recipe import EvalRecipe

        return EvalRecipe
    if kind == "study":
        from errata.studies.recipe import StudyRecipe

        return StudyRecipe
    if kind == "school":
        from errata.school.recipe import SchoolRecipe

        return SchoolRecipe
    from errata.graphs.pipeline import STAGES
    from errata.runs.recipe import recipe_model

    return recipe_model(STAGES)


def models_in(model: type[BaseModel]) -> list[type[BaseModel]]:
    """A model and all that its fields are made of, each once, outermost first."""
    models: list[type[BaseModel]] = [model]
    for each in models:
        for field in each.model_fields.values():
            models += [inner for inner in _models(field.annotation) if inner not in models]
    return list(dict.fromkeys(models))


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for each in get_args(annotation):
        yield from _models(each)


def field_docs(model: type[BaseModel]) -> dict[str, str]:
    """What stands below each field in the source of a model and its bases, as one line; {} of a model made by code."""
    docs: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base is not BaseModel:
            docs |= _docs_in(base)
    return {name: docs[name] for name in model.model_fields if name in docs}


def _docs_in(model: type) -> dict[str, str]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(model)))
    except (OSError, TypeError):
        return {}
    body = tree.body[0].body if isinstance(tree.body[0], ast.ClassDef) else []
    docs: dict[str, str] = {}
    for field, after in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and isinstance(after, ast.Expr):
            text = after.value.value if isinstance(after.value, ast.Constant) else None
            if isinstance(text, str):
                docs[field.target.id] = " ".join(text.split())
    return docs


def json_schema(kind: str) -> dict[str, Any]:
    """The JSON Schema of a verb's recipe. Keys under `settings` are open: stages of one's own have theirs."""
    model = recipe_class(kind)
    schema = model.model_json_schema(schema_generator=_Schema)
    sections = {model.__name__: schema, **schema.get("$defs", {})}
    for each in models_in(model):
        properties = sections.get(each.__name__, {}).get("properties", {})
        for name, text in field_docs(each).items():
            properties[name]["description"] = text
        if "tasks" in properties:  # a ready one is named alone, or with what differs
            properties["tasks"] = {"type": ["object", "array"], "title": "Tasks"}
    if "PipelineSettings" in sections:
        sections["PipelineSettings"]["additionalProperties"] = True
    schema["required"] = [key for key in schema["required"] if key != "name"]  # by default the file's stem
    return {"$schema": DIALECT, **schema}
