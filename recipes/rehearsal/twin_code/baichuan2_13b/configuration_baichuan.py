# mypy: ignore-errors
"""Stands for the config class that Baichuan2-13B's repository ships, its slip with gradient_checkpointing included."""

from typing import Any

from transformers.configuration_utils import PretrainedConfig


class BaichuanConfig(PretrainedConfig):
    """Sizes of a Baichuan2-13B."""

    model_type = "baichuan"
    hidden_act, mlp_bias = "silu", False

    def __init__(self, vocab_size: int = 125696, gradient_checkpointing: bool = False, **others: Any) -> None:
        sizes = {"hidden_size": 5120, "intermediate_size": 13696, "num_hidden_layers": 40, "num_attention_heads": 40}
        usual = {**sizes, "model_max_length": 4096, "rms_norm_eps": 1e-6, "initializer_range": 0.02}
        self.vocab_size = vocab_size
        self.gradient_checkpointing = (gradient_checkpointing,)
        super().__init__(**{**usual, **others})
