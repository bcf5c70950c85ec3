# mypy: ignore-errors
"""Stands for the model code that Baichuan2-13B's repository ships: the same modules, weights and arithmetic.

ALiBi instead of rotary positions, one matrix for query, key and value, an output layer that is normalised. As
there, the class is no GenerationMixin, and its cache is a tuple where transformers now hands in an object.
"""

import math
from typing import Any

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.generation.utils import GenerationConfig  # noqa: F401  (what is put right in it)
from transformers.modeling_outputs import CausalLMOutputWithPast
from transformers.models.llama.modeling_llama import LlamaMLP, LlamaRMSNorm

from .configuration_baichuan import BaichuanConfig

Cache = tuple[tuple[torch.Tensor, torch.Tensor], ...]


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

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor, past: Any) -> tuple[torch.Tensor, Any]:
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

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor, past: Any) -> tuple[torch.Tensor, Any]:
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

    def _init_weights(self, module: nn.Module) -> None:
        if isinstance(module, nn.Linear | nn.Embedding):
            module.weight.data.normal_(std=self.config.initializer_range)

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

    def mask(self, like: torch.Tensor, length: int, padding: torch.Tensor | None) -> torch.Tensor:
        """Return what is added to the scores: ALiBi, and the lowest value where nothing may be seen."""
        lowest = torch.finfo(like.dtype).min
        distance = torch.arange(length, device=like.device) - torch.arange(length, device=like.device)[:, None]
        bias = torch.tensor(slopes(self.config.num_attention_heads), device=like.device)[:, None, None] * distance
        bias = bias.masked_fill(distance > 0, lowest).to(like.dtype)[None]
        return bias if padding is None else bias.masked_fill(padding[:, None, None, :] == 0, lowest)

    def forward(
        self,
        input_ids: torch.Tensor | None,
        attention_mask: torch.Tensor | None,
        past_key_values: Cache | None,
        inputs_embeds: torch.Tensor | None,
    ) -> tuple[torch.Tensor, Cache]:
        """Return the last states and the cache."""
        hidden = self.embed_tokens(input_ids) if inputs_embeds is None else inputs_embeds
        length = hidden.shape[1]
        if past_key_values is not None:
            length += past_key_values[0][0].shape[2]
        mask = self.mask(hidden, length, attention_mask)
        present = []
        for number, layer in enumerate(self.layers):
            past = None if past_key_values is None else past_key_values[number]
            if self.gradient_checkpointing and self.training:
                hidden, cached = torch.utils.checkpoint.checkpoint(layer, hidden, mask, past, use_reentrant=True)
            else:
                hidden, cached = layer(hidden, mask, past)
            present.append(cached)
        return self.norm(hidden), tuple(present)


class NormHead(nn.Module):
    """The output layer: its rows have length one. Not an nn.Linear, so LoRA leaves it alone."""

    def __init__(self, size: int, vocabulary: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(vocabulary, size))
        nn.init.kaiming_uniform_(self.weight, a=math.sqrt(5))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Return the logits."""
        return nn.functional.linear(hidden, nn.functional.normalize(self.weight))


class BaichuanForCausalLM(BaichuanPreTrainedModel):
    """The layers and the output layer."""

    def __init__(self, config: BaichuanConfig) -> None:
        super().__init__(config)
        self.model = BaichuanModel(config)
        self.lm_head = NormHead(config.hidden_size, config.vocab_size)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the embedding of tokens."""
        return self.model.embed_tokens

    def get_output_embeddings(self) -> nn.Module:
        """Return the output layer."""
        return self.lm_head

    def forward(  # noqa: PLR0917
        self,
        input_ids: torch.Tensor | None = None,
        attention_mask: torch.Tensor | None = None,
        past_key_values: Cache | None = None,
        inputs_embeds: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        use_cache: bool | None = None,
        **others: Any,
    ) -> CausalLMOutputWithPast:
        """Return logits, the loss where labels are given, and the cache."""
        hidden, present = self.model(input_ids, attention_mask, past_key_values, inputs_embeds)
        logits = self.lm_head(hidden)
        loss = None
        if labels is not None:
            loss = nn.functional.cross_entropy(logits[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten())
        return CausalLMOutputWithPast(loss=loss, logits=logits, past_key_values=present if use_cache else None)

    def prepare_inputs_for_generation(
        self,
        input_ids: torch.LongTensor,
        past_key_values: Any = None,
        attention_mask: torch.Tensor | None = None,
        **others: Any,
    ) -> dict[str, Any]:
        """Return what one step of generate() puts in."""
        if past_key_values:
            input_ids = input_ids[:, -1:]
        return {
            "input_ids": input_ids,
            "past_key_values": past_key_values,
            "use_cache": others.get("use_cache"),
            "attention_mask": attention_mask,
        }
