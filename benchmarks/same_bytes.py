"""Does the code still do what it did: the same transcripts, the same exports, the same losses?

    python -m benchmarks.same_bytes             compares with same_bytes.json; exit 1 where anything differs
    python -m benchmarks.same_bytes --record    writes same_bytes.json anew

For changes that move code and must not change behaviour. The demo's lesson on 60 problems is run by the command that a
person would type, exported in all ten formats, and a tiny student is trained on it for ten steps by every method, each
on one thread. Transcripts and exports are compared by hash, losses to 1e-5, since they differ in the last bits between
processors.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

KNOWN = Path(__file__).with_name("same_bytes.json")
ROOT = Path(__file__).parents[1]
FORMATS = ("dpo", "edit", "kto", "mapd", "mcc-kd", "messages", "nat", "privileged", "ranker", "sft")
TERMS = ("{kind: mapd, alpha: 0.2}", "{kind: edit, beta: 0.025}", "{kind: mcc_kd, alpha: 0.1, pairs: 1}")
LORA = ("--use_peft", "true", "--lora_r", "4")
TRAININGS: dict[str, tuple[str, ...]] = {
    "sft": ("sft",),
    "mapd": ("mapd",),
    "mapd, repeat_sft": ("mapd", "--control", "repeat_sft"),
    "edit": ("edit", "--from_base", "true", "--use_peft", "false"),
    "edit, random keys": ("edit", "--from_base", "true", "--use_peft", "false", "--align", "random"),
    "mcc-kd": ("mcc-kd", "--use_peft", "false"),
    "nat": ("nat", *LORA),
    "nat, ul": ("nat", "--variant", "ul", "--use_peft", "false"),
    "nce": ("nce", *LORA),
    "ranker": ("ranker",),
    "combination": ("mapd", "--terms", *TERMS),
}
SETTINGS = {
    "max_steps": 10, "logging_steps": 1, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 2,
    "learning_rate": 1e-3, "lr_scheduler_type": "constant", "warmup_steps": 0, "report_to": "none", "seed": 3,
    "save_strategy": "no", "disable_tqdm": "true", "activation_checkpointing": "false",
}  # fmt: skip
TOLERANCE = 1e-5


def errata(*words: str) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([sys.executable, "-m", "errata", *words], capture_output=True, text=True, env=environment)
    if ended.returncode:
        raise SystemExit(f"errata {' '.join(words)}\n{ended.stdout}{ended.stderr}")


def digest(text: bytes) -> str:
    return hashlib.sha256(text).hexdigest()[:16]


def lesson(folder: Path) -> dict[str, str]:
    """Hashes of the transcripts, in input order, and of every export with its card."""
    errata("synth", str(ROOT / "recipes" / "lesson.yaml"), f"runs={folder}", "name=demo", "limit=60", "--quiet")
    run = folder / "demo"
    lines = (run / "transcripts.jsonl").read_bytes().splitlines()
    ordered = sorted(lines, key=lambda line: json.loads(line)["problem"]["position"])
    hashes = {"transcripts": digest(b"\n".join(ordered))}
    for form in FORMATS:
        out = folder / f"{form}.jsonl"
        errata("export", str(run), "--format", form, "--out", str(out))
        hashes[form] = digest(out.read_bytes())
    return hashes


def losses(output: Path) -> list[dict[str, float]]:
    """Everything with a loss that each of the ten steps has logged."""
    history = json.loads((output / "trainer_state.json").read_text())["log_history"]
    return [
        {name: value for name, value in entry.items() if name.startswith("loss")}
        for entry in history
        if "loss" in entry
    ]


def trainings(folder: Path) -> Iterator[tuple[str, list[dict[str, float]]]]:
    settings = [word for name, value in SETTINGS.items() for word in (f"--{name}", str(value))]
    for name, (method, *own) in TRAININGS.items():
        output = folder / name
        student = ["--model_name_or_path", "tiny"]
        if method == "nce":
            student = ["--nat_checkpoint", str(folder / "nat")]
        data = ["--dataset_name", str(folder / "demo"), "--output_dir", str(output)]
        errata("train", method, *data, *student, *settings, *own)
        print(f"trained   {name}", file=sys.stderr)
        yield name, losses(output)
        if (output / "stage1").is_dir():
            yield f"{name}, stage 1", losses(output / "stage1")


def measure() -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return {"hashes": lesson(Path(folder)), "losses": dict(trainings(Path(folder)))}


def differences(known: dict[str, Any], found: dict[str, Any]) -> Iterator[str]:
    for name in sorted(known["hashes"].keys() | found["hashes"].keys()):
        if known["hashes"].get(name) != found["hashes"].get(name):
            yield f"{name}: other bytes"
    for name in sorted(known["losses"].keys() | found["losses"].keys()):
        before, after = known["losses"].get(name, []), found["losses"].get(name, [])
        if not _alike(before, after):
            yield f"{name}: other losses\n  before {before}\n  now    {after}"


def _alike(before: list[dict[str, float]], after: list[dict[str, float]]) -> bool:
    return len(before) == len(after) and all(
        one.keys() == other.keys() and all(math.isclose(one[key], other[key], rel_tol=TOLERANCE) for key in one)
        for one, other in zip(before, after, strict=True)
    )


def main() -> int:
    found = measure()
    if "--record" in sys.argv[1:]:
        KNOWN.write_text(json.dumps(found, indent=1) + "\n")
        return 0
    told = list(differences(json.loads(KNOWN.read_text()), found))
    print("\n".join(told) or f"the same: {len(found['hashes'])} files, {len(found['losses'])} trainings")
    return bool(told)


if __name__ == "__main__":
    raise SystemExit(main())
