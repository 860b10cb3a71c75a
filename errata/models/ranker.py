"""The ranker: a score between 0 and 1 for a rationale of a question (ASC, arXiv 2312.12832).

    question | rationale --backbone--> hidden states --mean over the rationale's tokens--> residual head --> score

On disk: the backbone (or its adapter) and the tokenizer as they are always saved, ranker_head.safetensors,
ranker_config.json.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from peft import LoraConfig, PeftModel, get_peft_model, set_peft_model_state_dict
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import elu
from transformers import AutoModel

from errata.config.base import Settings
from errata.errors import UsageError
from errata.models.files import find
from errata.models.load import load, tokenizer_in, unloadable
from errata.models.prompting import prompt_ids
from errata.records import Message

HEAD_FILE, CONFIG_FILE = "ranker_head.safetensors", "ranker_config.json"
ADAPTER_FILE = "adapter_model.safetensors"


class RankerSettings(Settings):
    """`exponent` of the pair loss; `max_length` of question and rationale together, in tokens: a longer one has no
    score."""

    exponent: float = Field(default=3.0, ge=1)
    max_length: int = Field(default=512, gt=1)


class Scored(NamedTuple):
    """Token ids of a question and a rationale of it, the first `prompt` of them the question's."""

    ids: list[int]
    prompt: int


class Head(nn.Module):
    """Two residual ELU layers, then one number."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(2))
        self.out = nn.Linear(width, 1)

    def forward(self, pooled_BD: Tensor) -> Tensor:
        for layer in self.layers:
            pooled_BD = pooled_BD + elu(layer(pooled_BD))
        logits_B: Tensor = self.out(pooled_BD).squeeze(-1)
        return logits_B


class Ranker(nn.Module):
    """A backbone without language-model head and a new head. `new_ranker` makes one of a student."""

    def __init__(self, backbone: Any, settings: RankerSettings | None = None) -> None:
        super().__init__()
        self.backbone, self.settings = backbone, settings or RankerSettings()
        self.head = Head(backbone.config.get_text_config().hidden_size)
        backbone.config.use_cache = False  # every text is read once

    def forward(self, input_ids: Tensor, attention_mask: Tensor, rationale: Tensor) -> Tensor:
        """Logits of the scores, B values; `rationale` BT is 1 on the tokens that are pooled."""
        hidden_BTD = self.backbone(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        weight_BT = rationale / rationale.sum(1, keepdim=True).clamp(min=1)
        logits_B: Tensor = self.head((hidden_BTD.float() * weight_BT[..., None]).sum(1))
        return logits_B

    def activation_checkpointing_enable(self, *args: Any, **kwargs: Any) -> None:
        self.backbone.activation_checkpointing_enable(*args, **kwargs)

    def save(self, directory: str | Path) -> None:
        """All but the tokenizer."""
        where = Path(directory)
        self.backbone.save_pretrained(where)
        save_file({name: value.contiguous() for name, value in self.head.state_dict().items()}, where / HEAD_FILE)
        (where / CONFIG_FILE).write_text(self.settings.model_dump_json(indent=2) + "\n")

    def restore(self, directory: str | Path) -> None:
        """The weights saved in `directory`, into a ranker of the same shape. Raises UsageError where they differ."""
        where = Path(directory)
        with _weights_of(where):
            if isinstance(self.backbone, PeftModel):
                set_peft_model_state_dict(self.backbone, load_file(where / ADAPTER_FILE))
            else:
                saved = type(self.backbone).from_pretrained(where, use_safetensors=True, trust_remote_code=False)
                self.backbone.load_state_dict(saved.state_dict())
            self.head.load_state_dict(load_file(where / HEAD_FILE))


@contextmanager
def _weights_of(where: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, SafetensorError) as error:
        raise UsageError(
            f"{where} does not hold this ranker's weights: {error}"[:500],
            "it is damaged, or was trained on another student",
            "name the student it was trained on, or train it again",
        ) from error


def new_ranker(student: Any, settings: RankerSettings | None = None, lora: LoraConfig | None = None) -> Ranker:
    """A ranker on a student's (or any encoder's) body; with `lora`, only adapters on it and the head are trained."""
    body = student.base_model
    if body.config.is_encoder_decoder:
        raise UsageError(
            f"a ranker on {type(student).__name__}",
            "an encoder and decoder read question and rationale apart",
            "take a decoder or an encoder alone",
        )
    body.name_or_path = student.name_or_path  # an adapter names its base by it
    return Ranker(get_peft_model(body, lora) if lora else body, settings)


# ---- scoring ---------------------------------------------------------------------------------------------------------


def encode(tokenizer: Any, question: str, rationale: str) -> Scored:
    """The question as the student's prompt, then the rationale. Its end token is left out: it would not be pooled."""
    prompt = prompt_ids(tokenizer, (Message(role="user", content=question),))
    answer = tokenizer(rationale, add_special_tokens=False, split_special_tokens=True, verbose=False)["input_ids"]
    return Scored([*prompt, *answer], len(prompt))


def pad(sequences: Sequence[Scored], pad_id: int) -> dict[str, Tensor]:
    """The ranker's inputs, padded on the right."""
    width = max(len(one.ids) for one in sequences)
    batch = {
        "input_ids": torch.full((len(sequences), width), pad_id),
        "attention_mask": torch.zeros(len(sequences), width, dtype=torch.int64),
        "rationale": torch.zeros(len(sequences), width),
    }
    for b, (ids, prompt) in enumerate(sequences):
        batch["input_ids"][b, : len(ids)] = torch.tensor(ids)
        batch["attention_mask"][b, : len(ids)] = 1
        batch["rationale"][b, prompt : len(ids)] = 1
    return batch


def pad_id(tokenizer: Any) -> int:
    """Any id will do where none is set: padding is masked."""
    return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else 0)


@dataclass(frozen=True)
class Scorer:
    """A ranker with its tokenizer, ready to score."""

    ranker: Ranker
    tokenizer: Any

    def score(self, questions: Sequence[str], rationales: Sequence[str], rows: int = 32) -> list[float | None]:
        """A score between 0 and 1 for each rationale of the question at its place, `rows` at a time.

        A question is what the student is asked, as in `prompt` of the rows that the ranker was trained on.
        None for one without a token, or one that with its question is longer than the ranker reads.
        """
        encoded = [encode(self.tokenizer, *pair) for pair in zip(questions, rationales, strict=True)]
        longest = self.ranker.settings.max_length
        result: list[float | None] = [None] * len(encoded)
        readable = [i for i, one in enumerate(encoded) if one.prompt < len(one.ids) <= longest]
        readable.sort(key=lambda i: len(encoded[i].ids))
        device = next(self.ranker.head.parameters()).device
        for start in range(0, len(readable), rows):
            places = readable[start : start + rows]
            batch = pad([encoded[i] for i in places], pad_id(self.tokenizer))
            with torch.inference_mode():
                scores = self.ranker(**{name: value.to(device) for name, value in batch.items()}).sigmoid()
            for place, score in zip(places, scores.tolist(), strict=True):
                result[place] = score
        return result


def load_ranker(directory: str | Path, device: str | None = None) -> Scorer:
    """The ranker saved in `directory`, on `device` (by default CUDA where there is one). Raises UsageError."""
    where = Path(directory)
    try:
        settings = RankerSettings.model_validate_json((where / CONFIG_FILE).read_text())
    except (OSError, ValidationError) as error:
        raise UsageError(
            f"{where / CONFIG_FILE} cannot be read: {str(error).splitlines()[0]}",
            "it makes a folder that of a ranker",
            "name the folder that `errata train ranker` wrote",
        ) from error
    files = find(str(where))
    with _weights_of(where):
        if files.base is not None:
            body = load(str(files.base.path), device="cpu").model.base_model
            backbone: Any = PeftModel.from_pretrained(body, where)
        else:
            backbone = _backbone_in(where)
        ranker = Ranker(backbone, settings)
        ranker.head.load_state_dict(load_file(where / HEAD_FILE))
    on = device or ("cuda" if torch.cuda.is_available() else "cpu")
    return Scorer(ranker.to(on).eval(), tokenizer_in(where))


def _backbone_in(where: Path) -> Any:
    try:
        return AutoModel.from_pretrained(where, use_safetensors=True, trust_remote_code=False)
    except ValueError as error:
        raise unloadable(f"the ranker {where}", [where], error) from error
