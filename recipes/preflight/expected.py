"""How a run's models are served: the exported one, or the adapter on 4-bit weights where that one would not fit. Pure.

A 7B model in half precision takes all of a T4 by itself. There the backbone is loaded in 4 bits, as QLoRA trained on
it, with the adapter beside it; base and tuned are served alike, so that the comparison stays fair, and neither needs
`make export`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recipes.catalog.catalog import Shape, find_method
from recipes.choices.choice import Choice, Choices
from recipes.estimate.memory import CONTEXT_GIB, FRAGMENTATION, GIB, Estimate

if TYPE_CHECKING:
    from recipes.render import Recipe

ANSWERED_AT_ONCE = 2
"""Answers in flight (eval asks transformers for so many), of TOKENS each with their question."""
TOKENS = 2048
QUANTIZATION = ("quantization_method", "quantization_bit", "quantization_type", "double_quantization")
EXPORT_GIB = 2.0
"""What merging takes beside the weights: Python with torch in it, and one file of the result."""


def whole_model(shape: Shape) -> Estimate:
    """Estimate what serving a model in half precision takes."""
    head = shape.head_size or shape.hidden // shape.heads
    remembered = 2 * 2 * shape.layers * shape.kv_heads * head * TOKENS * ANSWERED_AT_ONCE  # keys and values, 2 bytes
    return Estimate(
        {
            "weights": 2 * shape.parameters / GIB,
            "answers": remembered / GIB,
            "overhead": CONTEXT_GIB * FRAGMENTATION,
        }
    )


def in_four_bits(recipe: Recipe) -> str:
    """Return why the models are served on 4-bit weights; "" when the exported model is served."""
    shape, hardware = recipe.backbone.shape, recipe.hardware
    if shape is None or hardware.kind != "cuda" or not hardware.memory_gb or not recipe.method.adapter:
        return ""
    needed, room = whole_model(shape), hardware.memory_gb * hardware.devices
    if needed.verdict(room) == "fits":
        return ""
    return f"in half precision it would take {needed.low:.0f} to {needed.high:.0f} of {room:.1f} GiB"


def adapter_choices(recipe: Recipe) -> Choices:
    """The keys that load what was trained, on top of the backbone or in its place."""
    trained = f"{recipe.folder}/{recipe.method.adapter_path}"
    if recipe.method.adapter:
        kind = recipe.method.settings["finetuning_type"]
        why = "" if kind == "lora" else f"how LLaMA-Factory loads any adapter, {kind.upper()} too"
        return {"adapter_name_or_path": Choice(trained), "finetuning_type": Choice("lora", why)}
    return {"model_name_or_path": Choice(trained)}


def serve_choices(recipe: Recipe, who: str) -> Choices:
    """Return the keys of serve/base.yaml or serve/tuned.yaml."""
    choices, why = recipe.model_choices(), in_four_bits(recipe)
    if who == "tuned":
        choices |= adapter_choices(recipe) if why else {"model_name_or_path": Choice(f"{recipe.folder}/export")}
    if why:
        choices |= _quantization(recipe, why)
    choices["infer_backend"] = Choice("huggingface")
    if recipe.settings.get("bf16"):
        choices["infer_dtype"] = Choice("bfloat16", "as in training")
    elif recipe.settings.get("fp16"):
        choices["infer_dtype"] = Choice("float16", "as in training")
    else:
        choices["infer_dtype"] = Choice("float32")
    return choices


def _quantization(recipe: Recipe, why: str) -> Choices:
    """Return the quantization that the run was trained with, or QLoRA's where it was trained without."""
    source = recipe.settings if recipe.settings.get("quantization_bit") else find_method("qlora").settings
    choices = {key: Choice(source[key]) for key in QUANTIZATION if key in source}
    choices["quantization_bit"] = Choice(source["quantization_bit"], why)
    if recipe.hardware.devices > 1 and source["quantization_bit"] == 4:
        choices["quantization_device_map"] = Choice("auto", "over all cards of this machine")
    return choices


def cannot_merge(recipe: Recipe, weights: int, ram_gib: float) -> str:
    """Return why the adapter cannot be merged in this much RAM, "" when it can; `weights`: bytes of the backbone."""
    needed = weights / GIB + EXPORT_GIB
    if not recipe.method.adapter or not weights or needed <= ram_gib:
        return ""
    return f"merging takes about {needed:.0f} GiB of RAM, and this machine has {ram_gib:.1f}"
