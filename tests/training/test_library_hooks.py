"""Private methods of transformers and TRL that errata relies on: a clear message where they are gone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from transformers import Trainer
from trl import SFTTrainer

from errata.config.hooks import check_attributes, check_hooks
from errata.errors import ErrataError
from errata.training.methods.ranker import HOOKS as OF_RANKER
from errata.training.methods.ranker import RankerTrainer
from errata.training.trainer import ATTRIBUTES, GroupTrainer
from errata.training.trainer import HOOKS as OF_GROUPS
from tests.training.gradient_checks import trained
from tests.training.lab import sft

PARENTS = [(SFTTrainer, GroupTrainer, OF_GROUPS), (Trainer, RankerTrainer, OF_RANKER)]
HOOKS = [(parent, child, hooks, name) for parent, child, hooks in PARENTS for name in hooks]


@pytest.mark.parametrize(("parent", "child", "hooks"), PARENTS)
def test_the_installed_versions_have_them(parent: type, child: type, hooks: Any) -> None:
    check_hooks(parent, hooks, exact=True)
    overridden = {name for name in vars(child) if hasattr(parent, name) and callable(vars(child)[name])}
    assert overridden - {"__init__"} <= set(hooks)


@pytest.mark.parametrize(("parent", "child", "hooks", "name"), HOOKS)
def test_a_parent_without_one_is_refused_by_name(parent: type, child: type, hooks: Any, name: str) -> None:
    kept = {each: getattr(parent, each) for each in hooks if each != name}
    gone = type(parent.__name__, (), kept | {"__module__": parent.__module__})
    with pytest.raises(ErrataError, match=rf"{parent.__name__} has no {name}"):
        check_hooks(gone, hooks, exact=True)

    other = type(parent.__name__, (parent,), {name: lambda self, something: None, "__module__": parent.__module__})
    with pytest.raises(ErrataError, match=rf"has {name}\(something\)"):
        check_hooks(other, hooks, exact=True)


def test_a_trainer_says_so_before_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Trainer, "_get_num_items_in_batch")

    with pytest.raises(ErrataError, match="SFTTrainer has no _get_num_items_in_batch") as error:
        trained(sft(), tmp_path)

    assert "trl" in error.value.do


@pytest.mark.parametrize("name", ATTRIBUTES)
def test_a_lost_attribute_is_told_by_name(name: str) -> None:
    trainer = type("Bare", (), {each: None for each in ATTRIBUTES if each != name})()

    with pytest.raises(ErrataError, match=f"gives no {name}"):
        check_attributes(trainer, SFTTrainer, ATTRIBUTES)


def test_a_ranker_says_so_before_it_trains(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Trainer, "_load_best_model")

    with pytest.raises(ErrataError, match="Trainer has no _load_best_model"):
        RankerTrainer(None, None, None, None)  # type: ignore[arg-type]
