"""Weights: how many a model has and trains, and the bytes that they take in memory and on disk. Pure."""

from collections.abc import Mapping
from typing import Any

from recipes.catalog.catalog import Shape

WIDTH = {"float32": 4}
"""Bytes of a weight; 2 in every other precision."""
STATE_BYTES = {"adamw_8bit": 2, "paged_adamw_8bit": 2, "adamw_bnb_8bit": 2, "adafactor": 0.1, "sgd": 0, "lion_32bit": 4}
"""Optimizer state per trained weight; AdamW's two float32 moments, 8 bytes, for all others."""

Settings = Mapping[str, Any]


def block(shape: Shape) -> float:
    """Weights of one transformer block."""
    return shape.attention + (shape.dense_mlp + shape.expert_weights) / shape.layers


def matrices(shape: Shape) -> dict[str, tuple[int, int]]:
    """Return (inputs, outputs) of every matrix of a block that a token passes through, by its usual name."""
    hidden, mlp = shape.hidden, shape.mlp * (shape.active or 1)
    query, key = shape.head * shape.heads, shape.head * shape.kv_heads
    up = {"gate_proj": (hidden, mlp)} if shape.mlp_matrices == 3 else {}
    attention = {"q_proj": (hidden, query), "k_proj": (hidden, key), "v_proj": (hidden, key), "o_proj": (query, hidden)}
    return {**attention, **up, "up_proj": (hidden, mlp), "down_proj": (mlp, hidden)}


FUSED_NAMES = {
    "W_pack": ("q_proj", "k_proj", "v_proj"),
    "qkv_proj": ("q_proj", "k_proj", "v_proj"),
    "query_key_value": ("q_proj", "k_proj", "v_proj"),
    "dense": ("o_proj",),
    "gate_up_proj": ("gate_proj", "up_proj"),
    "dense_h_to_4h": ("up_proj",),
    "dense_4h_to_h": ("down_proj",),
}
"""Layers that some families store as one matrix, or under another name."""


def usual_names(target: str) -> list[str]:
    """Return layers, as a recipe names them with commas between, by their usual names."""
    return [usual for name in target.split(",") for usual in FUSED_NAMES.get(name.strip(), (name.strip(),))]


def loaded_bytes(shape: Shape, settings: Settings, dtype: str) -> float:
    """Bytes of the weights as they are loaded."""
    rest = shape.embeddings + shape.expert_weights
    linear = shape.parameters - rest
    bits = settings.get("quantization_bit")
    if not bits:
        return WIDTH.get(dtype, 2) * shape.parameters
    scales = 0.127 if settings.get("double_quantization", True) else 0.5
    largest = max(rows * columns for rows, columns in matrices(shape).values())
    return 2 * rest + linear * (bits + scales) / 8 + 2 * largest  # one matrix is unpacked at a time


def trained_parameters(shape: Shape, settings: Settings) -> float:
    """Return how many weights are trained."""
    kind = settings.get("finetuning_type", "lora")
    if kind == "full":
        return shape.parameters
    if kind == "freeze":
        return abs(settings.get("freeze_trainable_layers", 2)) * block(shape)
    named = settings.get("oft_target" if kind == "oft" else "lora_target") or "all"
    known = matrices(shape)
    if shape.experts:
        known = {name: size for name, size in known.items() if name[0] in "qkvo"}
    names = list(known) if named == "all" else usual_names(named)
    sizes = [known.get(name, (shape.hidden, shape.mlp)) for name in names]
    if kind == "oft":
        width = settings.get("oft_block_size", 32)
        return shape.layers * sum(rows * (width - 1) / 2 for rows, _ in sizes)
    rank = settings.get("lora_rank", 8)
    magnitudes = sum(columns for _, columns in sizes) if settings.get("use_dora") else 0
    return shape.layers * (rank * sum(rows + columns for rows, columns in sizes) + magnitudes)


def saved_bytes(shape: Shape, settings: Settings) -> tuple[float, float]:
    """Return the bytes on disk of what was trained, and of a checkpoint of it with the optimizer's state."""
    trained = trained_parameters(shape, settings)
    whole = settings.get("finetuning_type") in ("full", "freeze")
    saved = (2 if settings.get("pure_bf16") else 4) * trained + (2 * (shape.parameters - trained) if whole else 0)
    return saved, saved + STATE_BYTES.get(str(settings.get("optim", "adamw_torch")), 8) * trained
