"""Held-out rows over several processes: rows that fill up count nothing, and every other row counts once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import orjson
import pytest

from errata.training.fillers import filled_up
from errata.training.objective import Objective
from errata.training.terms import Term
from errata.training.trainer import build_trainer
from tests.training.lab import byte_tokenizer, dataset, edit, mapd, mcc_kd, one_step, sample_rows, sft, tiny_llama

ROWS = sample_rows()
METHODS: dict[str, tuple[Term, ...]] = {"sft": sft(), "mapd": mapd(), "edit": edit(0.5, 0.5), "mcc-kd": mcc_kd(0.5)}
SPREAD = ("edit", "mcc-kd")
WORKER = """
import sys, orjson
from pathlib import Path
from tests.training.test_fillers import SPREAD, evaluated
found = {name: evaluated(name, Path(sys.argv[1]) / "out", ddp_backend="gloo") for name in SPREAD}
Path(sys.argv[1], f"{sys.argv[2]}.json").write_bytes(orjson.dumps(found))
"""


def trainer_of(name: str, folder: Path, rows: Any = None, **settings: Any) -> Any:
    rows = dataset(ROWS[:3]) if rows is None else rows
    args = one_step(folder, per_device_eval_batch_size=1, **settings)
    return build_trainer(tiny_llama(), args, dataset(ROWS), byte_tokenizer(), Objective(METHODS[name]), eval_rows=rows)


def evaluated(name: str, folder: Path, rows: Any = None, **settings: Any) -> dict[str, float]:
    metrics = trainer_of(name, folder, rows, **settings).evaluate()
    return {key: value for key, value in metrics.items() if "/" in key or key in ("eval_loss", "eval_entropy")}


@pytest.mark.parametrize("name", METHODS)
def test_a_filler_counts_nothing(name: str, tmp_path: Path) -> None:
    plain = evaluated(name, tmp_path)
    assert evaluated(name, tmp_path, filled_up(dataset(ROWS[:3]), 8)) == pytest.approx(plain, rel=1e-5)
    assert evaluated(name, tmp_path, dataset([*ROWS[:3], ROWS[0]])) != pytest.approx(plain, rel=1e-3)


def test_a_set_that_divides_evenly_is_left_alone() -> None:
    rows = dataset(ROWS)
    assert filled_up(rows, 2) is rows
    assert len(filled_up(rows.add_column("length", [1, 2, 3, 4]), 3)) == 6


@pytest.mark.slow
def test_two_processes_count_every_held_out_row_once(tmp_path: Path) -> None:
    """Three rows over two processes: the second one's last row would be the first row again."""
    alone = {name: evaluated(name, tmp_path / "alone") for name in SPREAD}
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29541", "OMP_NUM_THREADS": "1"}
    shared |= {"ACCELERATE_USE_CPU": "true", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(Path(__file__).parents[2])}
    both = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(tmp_path), str(rank)],
            env=os.environ | shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    said = [each.communicate(timeout=300)[1] for each in both]
    assert [each.returncode for each in both] == [0, 0], said
    for rank in range(2):
        found = orjson.loads((tmp_path / f"{rank}.json").read_bytes())
        for name, metrics in alone.items():
            assert found[name] == pytest.approx(metrics, rel=1e-4), name
