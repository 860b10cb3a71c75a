"""A random Llama of a few thousand weights with a byte-level tokenizer, saved in every form a checkpoint can have."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import gguf
import torch
from peft import LoraConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from errata.models.gate import GateSettings, NatModel
from errata.models.load import Checkpoint
from errata.models.sampling import Decoding, Job

torch.set_num_threads(1)  # a second one only waits on models this small

CHAT = (
    "{% for message in messages %}<|{{ message['role'] }}|>{{ message['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
CONTEXT = 256
SPECIAL = ["<s>", "</s>", "<|system|>", "<|user|>", "<|assistant|>"]
VOCABULARY = len(SPECIAL) + 256 + 1
HEADS, KV_HEADS = 4, 2
TEXTS = ["a", "the quick brown fox", "7 * 8 =", "x" * 90, "How many apples are left?", "zz top", "ha " * 20]


def tokenizer(chat: bool, *, closes: bool = False) -> PreTrainedTokenizerFast:
    """One token a byte, and one for "th"; puts <s> in front and, if it `closes`, </s> behind every text."""
    vocabulary = [*SPECIAL, *sorted(pre_tokenizers.ByteLevel.alphabet()), "th"]
    made = Tokenizer(models.BPE(vocab={token: place for place, token in enumerate(vocabulary)}, merges=[("t", "h")]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    single = "<s> $A </s>" if closes else "<s> $A"
    made.post_processor = processors.TemplateProcessing(single=single, special_tokens=[("<s>", 0), ("</s>", 1)])
    made.add_special_tokens(SPECIAL)
    fast = PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>")
    if chat:
        fast.chat_template = CHAT
    return fast


def model(seed: int = 0) -> LlamaForCausalLM:
    torch.manual_seed(seed)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        max_position_embeddings=CONTEXT,
        initializer_range=0.5,  # decided logits: an untrained model's are nearly equal
        bos_token_id=0,
        eos_token_id=1,
        tie_word_embeddings=False,
    )
    return LlamaForCausalLM(config)


def save_plain(folder: Path, *, chat: bool = True, seed: int = 0) -> Path:
    model(seed).save_pretrained(folder)
    tokenizer(chat).save_pretrained(folder)
    return folder


def save_lora(folder: Path, base: Path) -> Path:
    torch.manual_seed(5)
    plain = LlamaForCausalLM.from_pretrained(base)
    adapted = get_peft_model(plain, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    adapted.save_pretrained(folder)
    return folder


def save_nat(folder: Path, base: Path, *, seed: int = 5) -> Path:
    """A NAT student whose adapters and gates are random where they would start at zero."""
    plain = LlamaForCausalLM.from_pretrained(base)
    config = LoraConfig(r=2, target_modules=["q_proj", "v_proj"])
    mixed = NatModel(plain, config, copy.deepcopy(config), GateSettings(width=8))
    torch.manual_seed(seed)
    for name, weight in mixed.named_parameters():
        if "lora_B" in name or "value_out" in name:
            torch.nn.init.normal_(weight, std=0.3)
    mixed.save_pretrained(str(folder))
    return folder


def save_gguf(file: Path, *, seed: int = 0, context: int = CONTEXT) -> Path:
    """The same model as `save_plain` writes, in llama.cpp's format."""
    llama, fast = model(seed), tokenizer(chat=True)
    config: Any = llama.config
    writer = gguf.GGUFWriter(file, "llama")
    writer.add_context_length(context)
    writer.add_embedding_length(config.hidden_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_rope_dimension_count(config.head_dim)
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    writer.add_rope_freq_base(10_000.0)
    writer.add_vocab_size(config.vocab_size)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([token for token, _ in sorted(fast.get_vocab().items(), key=lambda item: item[1])])
    writer.add_token_types(
        [gguf.TokenType.CONTROL] * len(SPECIAL) + [gguf.TokenType.NORMAL] * (VOCABULARY - len(SPECIAL))
    )
    writer.add_token_merges(["t h"])
    writer.add_bos_token_id(0)
    writer.add_eos_token_id(1)
    writer.add_chat_template(CHAT)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, config.num_hidden_layers)
    for name, weight in llama.state_dict().items():
        if "q_proj" in name or "k_proj" in name:
            weight = _interleaved(weight, HEADS if "q_proj" in name else KV_HEADS)
        writer.add_tensor(names.get_name(name, try_suffixes=(".weight",)), weight.contiguous().numpy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return file


def _interleaved(weight: torch.Tensor, heads: int) -> torch.Tensor:
    """Query and key rows in llama.cpp's order: the two halves of a rotated head alternate."""
    rows, columns = weight.shape
    return weight.reshape(heads, 2, rows // heads // 2, columns).swapaxes(1, 2).reshape(rows, columns)


def jobs(checkpoint: Checkpoint, decoding: Decoding) -> list[Job]:
    """One of each text, by seeds of their own."""
    return [Job(checkpoint.tokenizer(text).input_ids, decoding, seed) for seed, text in enumerate(TEXTS)]
