"""How long a training run takes: arithmetic over speed, good to about a factor of two. Pure."""

import sys
from collections.abc import Mapping
from typing import Any

from recipes.catalog.catalog import Hardware, Shape
from recipes.catalog.datasets import DataFacts
from recipes.estimate.weights import matrices

TFLOPS = {7.0: 112, 7.5: 65, 8.0: 312, 8.6: 71, 8.9: 165, 9.0: 990, 10.0: 2250, 12.0: 210}
"""Half-precision arithmetic of the usual card of each compute capability, as its maker states it."""
UTILISATION = 0.45
"""The share of it that training reaches with long sequences (Qwen's table on an A100: 0.35 to 0.47)."""
HALF_SPEED_TOKENS = 256
"""Tokens in a forward pass at which a card reaches half of that."""
QUANTIZED_SPEED = 0.6
"""4-bit weights are unpacked for each product: 1.1 to 2.5 times the time."""
EMULATED_SPEED = 1 / 8
"""bfloat16 on a card without it (below compute capability 8) is float32 arithmetic: a T4's ratio of the two."""
CPU_TFLOPS = {True: 0.10, False: 0.04}
"""Of one core in training, with and without bfloat16 arithmetic (measured on AVX-512 cores)."""
FILLED = 0.93
"""Share of the computed tokens that are not padding."""
START_SECONDS = 40
"""Imports, encoding the rows, loading the model; downloads come on top."""


def seconds(shape: Shape, settings: Mapping[str, Any], hardware: Hardware, data: DataFacts) -> float:
    """Estimate the seconds of a run; 0 when the rows or the hardware's speed are not known."""
    speed, most = tokens_a_second(shape, settings, hardware), settings.get("max_steps") or 0
    rows = min(data.rows or data.raw_rows, settings.get("max_samples") or sys.maxsize)
    if not speed or not (rows or most > 0):
        return 0.0
    if most > 0:  # wins over the epochs
        return START_SECONDS + most * seconds_a_step(shape, settings, hardware, data)
    length = min(data.mean_tokens, settings["cutoff_len"])
    return START_SECONDS + rows * length * settings["num_train_epochs"] / FILLED / speed


def seconds_a_step(shape: Shape, settings: Mapping[str, Any], hardware: Hardware, data: DataFacts) -> float:
    """Estimate the seconds of one optimizer step; 0 when the hardware's speed is not known."""
    speed = tokens_a_second(shape, settings, hardware)
    rows = settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"] * hardware.world
    cutoff = settings["cutoff_len"]
    length = cutoff if settings.get("packing") or not data.rows else min(data.mean_tokens, cutoff)
    return rows * length / speed if speed else 0.0


def steps(settings: Mapping[str, Any], hardware: Hardware, data: DataFacts) -> float:
    """Estimate the optimizer steps of a run; 0 when the rows are not known."""
    cutoff = settings["cutoff_len"]
    share = min(data.tokens(data.mean_characters), cutoff) / cutoff if settings.get("packing") else 1.0
    together = settings["per_device_train_batch_size"] * settings["gradient_accumulation_steps"] * hardware.world
    return data.rows * share * settings["num_train_epochs"] / together


def tokens_a_second(shape: Shape, settings: Mapping[str, Any], hardware: Hardware) -> float:
    """Estimate the tokens that all devices together train on in a second."""
    weights = shape.layers * sum(rows * columns for rows, columns in matrices(shape).values())
    weights += shape.vocabulary * shape.hidden
    whole = settings.get("finetuning_type") == "full"
    passes = (3 if whole else 2) + (0 if settings.get("disable_gradient_checkpointing") else 1)
    pair = 2 if settings.get("stage") in ("dpo", "kto") else 1  # a second pass for the reference
    return hardware.world * _flops(settings, hardware) / (2 * weights * passes * pair)


def _flops(settings: Mapping[str, Any], hardware: Hardware) -> float:
    """Return what one device reaches."""
    if hardware.kind == "cpu":
        return hardware.cores * CPU_TFLOPS[bool(settings.get("bf16"))] * 1e12 / hardware.devices
    known = [capability for capability in TFLOPS if capability <= hardware.compute_capability]
    if not known:
        return 0.0
    tokens = settings["per_device_train_batch_size"] * settings["cutoff_len"]
    share = UTILISATION * tokens / (tokens + HALF_SPEED_TOKENS)
    share *= QUANTIZED_SPEED if settings.get("quantization_bit") else 1
    share *= EMULATED_SPEED if settings.get("bf16") and max(known) < 8 else 1
    return TFLOPS[max(known)] * 1e12 * share


def in_words(value: float) -> str:
    """Write seconds as a person would."""
    if value < 90:
        return f"{value:.0f} s"
    if value < 5400:
        return f"{value / 60:.0f} min"
    return f"{value / 3600:.1f} h"
