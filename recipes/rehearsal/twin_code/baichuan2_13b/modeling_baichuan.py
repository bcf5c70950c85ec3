# mypy: ignore-errors
"""Stands for the model code that Baichuan2-13B's repository ships: the same modules, weights and arithmetic.

ALiBi instead of rotary positions, one matrix for query, key and value, an output layer that is normalised. As
there, the class is no GenerationMixin, and its cache is a tuple where transformers now hands in an object.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.generation.utils import GenerationConfig  # noqa: F401  (what is put right in it)
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.llama.modeling_llama import LlamaMLP, LlamaRMSNorm

from .configuration_baichuan import BaichuanConfig


def slopes(heads: int) -> list[float]:
    """Return each head's ALiBi slope (Press et al. 2022), any number of heads."""
    power = 2 ** math.floor(math.log2(heads))
    found = [2 ** (-8 * (i + 1) / power) for i in range(power)]
    between = [2 ** (-4 * (i + 1) / power) for i in range(0, 2 * power, 2)]
    return found + between[: heads - power]


class Attention(nn.Module):
    """Self-attention with a packed projection."""

    def __init__(self, config: BaichuanConfig) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.W_pack = nn.Linear(config.hidden_size, 3 * config.hidden_size, bias=False)
        self.o_proj = nn.Linear(config.hidden_size, config.hidden_size, bias=False)

    def forward(self, hidden: Tensor, mask: Tensor, past: Any) -> tuple[Tensor, Any]:
        """Return the attended states and the cache of this layer."""
        rows, length, size = hidden.shape
        query, key, value = (
            part.view(rows, length, self.heads, -1).transpose(1, 2) for part in self.W_pack(hidden).split(size, dim=-1)
        )
        if past is not None:
            key, value = torch.cat([past[0], key], dim=2), torch.cat([past[1], value], dim=2)
        scores = query @ key.transpose(2, 3) / math.sqrt(size // self.heads) + mask[:, :, -length:]
        attended = torch.softmax(scores.clamp(min=torch.finfo(scores.dtype).min), dim=-1) @ value
        return self.o_proj(attended.transpose(1, 2).reshape(rows, length, size)), (key, value)


class BaichuanLayer(nn.Module):
    """Attention and feed-forward, each on the normalised sum so far."""

    def __init__(self, config: BaichuanConfig) -> None:
        super().__init__()
        self.self_attn = Attention(config)
        self.mlp = LlamaMLP(config)
        self.input_layernorm = LlamaRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.post_attention_layernorm = LlamaRMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, hidden: Tensor, mask: Tensor, past: Any) -> tuple[Tensor, Any]:
        """Return the new states and the cache of this layer."""
        attended, present = self.self_attn(self.input_layernorm(hidden), mask, past)
        hidden = hidden + attended
        return hidden + self.mlp(self.post_attention_layernorm(hidden)), present


class BaichuanPreTrainedModel(PreTrainedModel):
    """What transformers must know of both models."""

    config_class = BaichuanConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["BaichuanLayer"]  # noqa: RUF012

    def _set_gradient_checkpointing(self, module: nn.Module, value: bool = False) -> None:
        if isinstance(module, BaichuanModel):
            module.gradient_checkpointing = value


class BaichuanModel(BaichuanPreTrainedModel):
    """The layers."""

    def __init__(self, config: BaichuanConfig) -> None:
        super().__init__(config)
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size, config.pad_token_id)
        self.layers = nn.ModuleList([BaichuanLayer(config) for _ in range(config.num_hidden_layers)])
        self.norm = LlamaRMSNorm(config.hidden_size, config.rms_norm_eps)
        self.gradient_checkpointing = config.gradient_checkpointing
        self.post_init()

    def mask(self, like: Tensor, length: int, padding: Tensor | None) -> Tensor:
        """Return what is added to the scores: ALiBi, and the lowest value where nothing may be seen."""
        lowest = torch.finfo(like.dtype).min
        distance = torch.arange(length, device=like.device) - torch.arange(length, device=like.device)[:, None]
        bias = torch.tensor(slopes(self.config.num_attention_heads), device=like.device)[:, None, None] * distance
        bias = bias.masked_fill(distance > 0, lowest).to(like.dtype)[None]
        return bias if padding is None else bias.masked_fill(padding[:, None, None, :] == 0, lowest)

    def forward(self, hidden: Tensor, padding: Tensor | None, past: Any) -> tuple[Tensor, Any]:
        """Return the last states and the cache, of embedded tokens."""
        past = past or [None] * len(self.layers)
        length = hidden.shape[1] + (past[0][0].shape[2] if past[0] else 0)
        mask = self.mask(hidden, length, padding)
        present = []
        for layer, earlier in zip(self.layers, past, strict=True):
            if self.gradient_checkpointing and self.training:
                hidden, cached = torch.utils.checkpoint.checkpoint(layer, hidden, mask, earlier, use_reentrant=True)
            else:
                hidden, cached = layer(hidden, mask, earlier)
            present.append(cached)
        return self.norm(hidden), tuple(present)


class NormHead(nn.Module):
    """The output layer: its rows have length one. Not an nn.Linear, so LoRA leaves it alone."""

    def __init__(self, size: int, vocabulary: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(vocabulary, size))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, hidden: Tensor) -> Tensor:
        """Return the logits."""
        return nn.functional.linear(hidden, nn.functional.normalize(self.weight))


class BaichuanForCausalLM(BaichuanPreTrainedModel):
    """The layers and the output layer."""

    def __init__(self, config: BaichuanConfig) -> None:
        super().__init__(config)
        self.model = BaichuanModel(config)
        self.lm_head = NormHead(config.hidden_size, config.vocab_size)
        self.post_init()

    def forward(  # noqa: PLR0917
        self, input_ids=None, attention_mask=None, past_key_values=None, inputs_embeds=None, labels=None,
        use_cache=None, **others: Any,
    ) -> CausalLMOutputWithPast:  # fmt: skip
        """Return logits, the loss where labels are given, and the cache."""
        embedded = self.model.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        hidden, present = self.model(embedded, attention_mask, past_key_values)
        logits = self.lm_head(hidden)
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten())
        return CausalLMOutputWithPast(loss=loss, logits=logits, past_key_values=present if use_cache else None)

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, past_key_values: Any = None, attention_mask: Tensor | None = None, **others: Any
    ) -> dict[str, Any]:
        """Return what one step of generate() puts in."""
        if past_key_values:
            input_ids = input_ids[:, -1:]
        put_in = {"input_ids": input_ids, "past_key_values": past_key_values, "attention_mask": attention_mask}
        return put_in | {"use_cache": others.get("use_cache")}
