# mypy: ignore-errors
"""Stands for the config class that Baichuan2-13B's repository ships, its slip with gradient_checkpointing included."""

from typing import Any

from transformers.configuration_utils import PretrainedConfig


class BaichuanConfig(PretrainedConfig):
    """Sizes of a Baichuan2-13B."""

    model_type = "baichuan"

    def __init__(  # noqa: PLR0917
        self,
        vocab_size: int = 125696,
        hidden_size: int = 5120,
        intermediate_size: int = 13696,
        num_hidden_layers: int = 40,
        num_attention_heads: int = 40,
        model_max_length: int = 4096,
        rms_norm_eps: float = 1e-6,
        initializer_range: float = 0.02,
        gradient_checkpointing: bool = False,
        **others: Any,
    ) -> None:
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        self.intermediate_size = intermediate_size
        self.num_hidden_layers = num_hidden_layers
        self.num_attention_heads = num_attention_heads
        self.model_max_length = model_max_length
        self.rms_norm_eps = rms_norm_eps
        self.initializer_range = initializer_range
        self.gradient_checkpointing = (gradient_checkpointing,)
        super().__init__(**others)
