"""A NAT student: two adapters on one base, one of wrong and one of right rationales, mixed by a gate at every layer.

    x -- W ----> h0 --+-- + B_p A_p x --> h_pos -- V --> times alpha_p --+
                      |                                                  +-- + h0 --> out
                      +-- + B_n A_n x --> h_neg -- V --> times alpha_n --+

alpha_n lies within -beta and beta, alpha_p = 1 - alpha_n: what wrong rationales taught may be added or subtracted, at
every token and layer anew, but never rules (arXiv 2312.12832, eq. 4 and 5).

On disk: negative/ and positive/ as PEFT writes adapters, nat_gate.safetensors, nat_config.json.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import torch
from peft import LoraConfig, PeftModelForCausalLM, set_peft_model_state_dict
from peft.tuners.lora.layer import LoraLayer, LoraVariant
from pydantic import Field, ValidationError
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.functional import gelu

from errata.config.base import Settings
from errata.errors import UsageError
from errata.models.files import NAT_ADAPTERS, NAT_CONFIG

View = Literal["mixed", "positive", "negative"]
NEGATIVE, POSITIVE = NAT_ADAPTERS
GATE_FILE = "nat_gate.safetensors"
ADAPTER_FILES = ("adapter_config.json", "adapter_model.safetensors")
GATE = "nat_gate"
"""The gate's name within its layer; PEFT tells adapters' weights by `lora_` in theirs, so it leaves this one alone."""


class GateSettings(Settings):
    """attention: the paper's gate. arithmetic: h0 + 2 (h_pos - h0) - (h_neg - h0), nothing to train in it; it can be
    merged, and unlike attention it changes the student before the first step.

    `width` of queries, keys and of the values' middle layer; `beta` bounds alpha_n; `temperature` divides the scores,
    and `scaled` divides them by the square root of the width as well, without which they saturate early.
    """

    gate: Literal["attention", "arithmetic"] = "attention"
    width: int = Field(default=128, gt=0)
    beta: float = Field(default=0.5, gt=0, le=1)
    temperature: float = Field(default=1.0, gt=0)
    scaled: bool = False


class Gate(nn.Module):
    """One layer's gate. Keys and values are read from the layer's output, which may be narrower than its input."""

    def __init__(self, in_features: int, out_features: int, settings: GateSettings) -> None:
        super().__init__()
        width = settings.width
        self.beta = settings.beta
        self.divisor = settings.temperature * (width**0.5 if settings.scaled else 1.0)
        self.query = nn.Linear(in_features, width, bias=False)
        self.key = nn.Linear(out_features, width, bias=False)
        self.value_in = nn.Linear(out_features, width, bias=False)
        self.value_out = nn.Linear(width, out_features, bias=False)
        nn.init.zeros_(self.value_out.weight)  # so that training starts from the base student

    def alpha_n(self, x_BTD: Tensor, positive_BTO: Tensor, negative_BTO: Tensor) -> Tensor:
        """Weight of the negative adapter, within -beta and beta; BT1."""
        query_BTW = self.query(x_BTD)
        scores_BT2 = torch.stack([(query_BTW * self.key(h)).sum(-1) for h in (positive_BTO, negative_BTO)], -1)
        share_BT2 = (scores_BT2.float() / self.divisor).softmax(-1)
        return 2 * self.beta * share_BT2[..., 1:] - self.beta

    def forward(self, x_BTD: Tensor, positive_BTO: Tensor, negative_BTO: Tensor) -> Tensor:
        """What is added to the base layer's output; BTO, with O features."""
        alpha_n = self.alpha_n(x_BTD, positive_BTO, negative_BTO)
        positive, negative = (self.value_out(gelu(self.value_in(h))) for h in (positive_BTO, negative_BTO))
        mixed: Tensor = (1 - alpha_n) * positive + alpha_n * negative
        return mixed


class _Mixing(LoraVariant):
    """PEFT calls this in place of the positive adapter's own addition; one for all layers, so it holds the view."""

    def __init__(self, settings: GateSettings) -> None:
        self.settings, self.view = settings, "mixed"

    def supports_lora_conversion(self) -> bool:
        return False

    def forward(  # type: ignore[override]  # PEFT declares it static and calls it on the value
        self, module: Any, active_adapter: str, x: Tensor, result: Tensor, **_: Any
    ) -> Tensor:
        if self.view != "mixed":
            return result + _delta(module, self.view, x)
        positive, negative = _delta(module, POSITIVE, x), _delta(module, NEGATIVE, x)
        if self.settings.gate == "arithmetic":
            return result + 2 * positive - negative
        gated: Tensor = getattr(module, GATE)(x, result + positive, result + negative)
        return result + gated

    def merge_safe(self, module: Any, active_adapter: str, orig_weight: Tensor) -> Tensor:  # type: ignore[override]
        return orig_weight + self._constant(module).to(orig_weight.dtype)

    def merge_unsafe(self, module: Any, active_adapter: str, orig_weight: Tensor) -> None:  # type: ignore[override]
        orig_weight.data += self._constant(module).to(orig_weight.dtype)

    def unmerge(self, module: Any, active_adapter: str, orig_weight: Tensor) -> Tensor:  # type: ignore[override]
        return orig_weight - self._constant(module).to(orig_weight.dtype)

    def _constant(self, module: Any) -> Tensor:
        if self.settings.gate == "attention":
            raise UsageError(
                "a NAT student to be merged into its base",
                "its gate depends on the input, so no single weight matrix stands for it",
                "distil it into a plain adapter with `errata train nce`",
            )
        constant: Tensor = 2 * module.get_delta_weight(POSITIVE) - module.get_delta_weight(NEGATIVE)
        return constant


def _delta(module: Any, name: str, x: Tensor) -> Tensor:
    out: Tensor = module.lora_B[name](module.lora_A[name](module.lora_dropout[name](x))) * module.scaling[name]
    return out


class NatModel(PeftModelForCausalLM):
    """Base, negative adapter (frozen), positive adapter and gates (trained); sees through both unless told otherwise.

    For PEFT the positive adapter is the active one and the negative one merely present, so whoever sets the active
    adapter anew (a resumed trainer does) leaves the negative one frozen.
    """

    def __init__(self, base: Any, negative: LoraConfig, positive: LoraConfig, settings: GateSettings) -> None:
        if isinstance(base, PeftModelForCausalLM):
            raise UsageError(
                "a student that has adapters already", "NAT puts two of its own on a plain student", "merge them first"
            )
        for config in (negative, positive):
            _refuse_unfit(config)
            config.base_model_name_or_path = base.name_or_path
        super().__init__(base, negative, adapter_name=NEGATIVE)
        self.add_adapter(POSITIVE, positive)
        self.set_adapter(POSITIVE)
        self.settings, self._mixing = settings, _Mixing(settings)
        for name, layer in self._layers():
            _refuse_unfit_layer(name, layer)
            layer.lora_variant[POSITIVE] = self._mixing
            if settings.gate == "attention":
                like = layer.lora_A[POSITIVE].weight
                setattr(layer, GATE, Gate(layer.in_features, layer.out_features, settings).to(like.device, like.dtype))

    def _layers(self) -> Iterator[tuple[str, Any]]:
        for name, module in self.named_modules():
            if isinstance(module, LoraLayer):
                yield name, module

    @property
    def gates(self) -> dict[str, Gate]:
        """The gates by their layers' names; none with `arithmetic`."""
        return {name: getattr(layer, GATE) for name, layer in self._layers() if hasattr(layer, GATE)}

    @contextmanager
    def view(self, view: View) -> Iterator[None]:
        """The student with one of its adapters alone, or `mixed`; not to be changed between forward and backward."""
        before, self._mixing.view = self._mixing.view, view
        try:
            yield
        finally:
            self._mixing.view = before

    # ---- disk ----

    def save_pretrained(self, save_directory: str, *args: Any, is_main_process: bool = True, **kwargs: Any) -> None:
        super().save_pretrained(save_directory, *args, is_main_process=is_main_process, **kwargs)  # type: ignore[misc]
        if is_main_process:
            weights = kwargs.get("state_dict") or self.state_dict()
            gates = {name: value.contiguous() for name, value in weights.items() if f".{GATE}." in name}
            save_file(gates, Path(save_directory) / GATE_FILE, metadata={"format": "pt"})
            (Path(save_directory) / NAT_CONFIG).write_text(self.settings.model_dump_json(indent=2) + "\n")

    def load_adapter(self, model_id: Any, adapter_name: str, *args: Any, **kwargs: Any) -> Any:
        """As in PEFT, and the gates with the positive adapter, where they lie beside it: so trainers resume."""
        loaded = super().load_adapter(model_id, adapter_name, *args, **kwargs)
        if adapter_name == POSITIVE and (Path(model_id).parent / GATE_FILE).is_file():
            self.load_gates(Path(model_id).parent)
        return loaded

    def load_weights(self, directory: Path) -> None:
        """Adapters and gates as saved in `directory`. Raises UsageError where they do not fit this student."""
        for name in (NEGATIVE, POSITIVE):
            self.load_lora(name, _tensors(directory / name / ADAPTER_FILES[1]), directory / name)
        self.load_gates(directory)

    def load_lora(self, name: str, weights: dict[str, Tensor], where: Path) -> None:
        """One adapter's weights, by the names under which PEFT saves them."""
        try:
            loaded: Any = set_peft_model_state_dict(self, weights, adapter_name=name)
        except RuntimeError as error:
            raise _unfit(where, str(error)) from error
        missing = [key for key in loaded.missing_keys if "lora_" in key and f".{name}." in key]
        if missing or loaded.unexpected_keys:
            raise _unfit(where, f"missing {missing[:3]}, unknown {loaded.unexpected_keys[:3]}")

    def load_gates(self, directory: Path) -> None:
        weights = _tensors(directory / GATE_FILE)
        own = {name: value for name, value in self.state_dict().items() if f".{GATE}." in name}
        if {name: value.shape for name, value in weights.items()} != {n: value.shape for n, value in own.items()}:
            raise _unfit(directory / GATE_FILE, f"{len(weights)} tensors, where the student's gates have {len(own)}")
        self.load_state_dict(weights, strict=False)


def new_nat(
    base: Any, negative: str | Path, settings: GateSettings | None = None, shuffle: int | None = None
) -> NatModel:
    """A NAT student to be trained in stage 2: the adapter at `negative` frozen, a fresh positive one of its shape.

    `shuffle`, a seed, puts the negative adapter's numbers in random order within each matrix: the control with equal
    trainable parameters, equal norms, and nothing known of wrong rationales.

    Raises UsageError: no LoRA adapter at `negative`, or one that NAT cannot mix or that does not fit the base.
    """
    where = Path(negative)
    config = _lora_config(where)
    positive = _lora_config(where)
    positive.init_lora_weights = True
    model = NatModel(base, config, positive, settings or GateSettings())
    weights = _tensors(where / ADAPTER_FILES[1])
    if shuffle is not None:
        dice = torch.Generator().manual_seed(shuffle)
        for name, value in sorted(weights.items()):
            weights[name] = value.flatten()[torch.randperm(value.numel(), generator=dice)].reshape(value.shape)
    model.load_lora(NEGATIVE, weights, where)
    return model


def load_nat(base: Any, directory: str | Path) -> NatModel:
    """The NAT student saved in `directory`, on its base model. Raises UsageError where it is none or does not fit."""
    where = Path(directory)
    try:
        settings = GateSettings(**json.loads((where / NAT_CONFIG).read_text()))
    except (OSError, ValueError, TypeError, ValidationError) as error:
        raise UsageError(
            f"{where / NAT_CONFIG} cannot be read: {str(error).splitlines()[0]}",
            "it tells how a NAT student mixes its two adapters",
            "name the folder that `errata train nat` wrote",
        ) from error
    model = NatModel(base, _lora_config(where / NEGATIVE), _lora_config(where / POSITIVE), settings)
    model.load_weights(where)
    return model


def _lora_config(where: Path) -> LoraConfig:
    if any(not (where / name).is_file() for name in ADAPTER_FILES):
        raise UsageError(
            f"{where} is not the folder of an adapter",
            f"NAT needs {' and '.join(ADAPTER_FILES)} in it",
            "train the negative adapter first (stage 1 of `errata train nat`) and name its folder",
        )
    try:
        config = LoraConfig.from_pretrained(str(where), inference_mode=False)
    except (OSError, ValueError, TypeError) as error:
        raise UsageError(f"{where} holds no LoRA adapter: {error}", "NAT mixes two of them", "train one") from error
    if not isinstance(config, LoraConfig):
        raise UsageError(
            f"{where} holds an adapter of type {config.peft_type}", "NAT mixes two LoRA adapters", "train one"
        )
    return config


def _refuse_unfit(config: LoraConfig) -> None:
    fields = ("modules_to_save", "trainable_token_indices", "target_parameters", "use_dora", "lora_bias")
    unfit = [name for name in fields if getattr(config, name, None)] + (["bias"] if config.bias != "none" else [])
    if unfit:
        raise UsageError(
            f"an adapter with {', '.join(unfit)}",
            "NAT's gate mixes plain low-rank updates of linear layers, and nothing else can be negative",
            "train the negative adapter without it",
        )


def _refuse_unfit_layer(name: str, layer: Any) -> None:
    linear = all(isinstance(layer.lora_A[side], nn.Linear) for side in (NEGATIVE, POSITIVE) if side in layer.lora_A)
    if not linear or NEGATIVE not in layer.lora_A or POSITIVE not in layer.lora_A or layer.lora_variant:
        raise UsageError(
            f"an adapter on {name}", "NAT mixes plain LoRA on linear layers", "set --lora_target_modules to linear ones"
        )


def _tensors(file: Path) -> dict[str, Tensor]:
    try:
        tensors: dict[str, Tensor] = load_file(file)
    except (OSError, SafetensorError) as error:
        raise UsageError(f"{file} cannot be read: {error}", "it holds the weights", "train or copy it again") from error
    return tensors


def _unfit(where: Path, fault: str) -> UsageError:
    return UsageError(
        f"{where} does not fit the student: {fault[:300]}",
        "it was trained on another base, or its files are damaged",
        "name the base it was trained on",
    )
