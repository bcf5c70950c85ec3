"""Batch, accumulation, checkpointing and sharding: the fastest that the memory estimate says will fit. Pure.

More than one card or machine: a model that fits each card is copied to all (DDP). Otherwise its state is spread by
DeepSpeed: ZeRO-2 (gradients and optimizer), ZeRO-3 (weights too), ZeRO-3 with the state in RAM. 4-bit weights are not
spread: FSDP, the only way that LLaMA-Factory has for them, does not flatten them with an adapter in float32, and each
card loads the whole model first.
"""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from common.yaml_files import read_yaml
from recipes.catalog.catalog import Backbone, Hardware
from recipes.catalog.datasets import DataFacts
from recipes.choices.choice import Choice, Choices, values
from recipes.estimate.duration import HALF_SPEED_TOKENS
from recipes.estimate.memory import Estimate, computed, estimate

STEPS_AN_EPOCH = 40
"""Target optimizer steps per epoch on small data, where a step is at least one sequence."""
MOST_SEQUENCES = 16
CHECKPOINTING_COST = 0.30
"""Time that recomputing activations adds."""
SHORTEST = 512
WHY = {
    "zero2": "gradients and optimizer state are spread: it does not fit one card whole",
    "zero3": "weights too are spread: it does not fit one card with them whole",
    "zero3-offload": "spread, and the state held in RAM: slow, but it fits no other way",
}


def fit(backbone: Backbone, choices: Choices, hardware: Hardware, data: DataFacts, folder: str) -> Choices:
    """Choose batch, accumulation, checkpointing, sharding, and a shorter cutoff where nothing else helps."""
    settings = values(choices)
    together = sequences_together(settings, data)
    on_cpu = hardware.kind == "cpu"
    if backbone.shape is None or not hardware.memory_gb:
        found: dict[str, Any] = {
            "per_device_train_batch_size": min(together, 8) if on_cpu else 1, "disable_gradient_checkpointing": on_cpu,
        }  # fmt: skip
        why = "the size of this model or card is not known, so memory is saved"
        why = "RAM is enough; recomputing would cost a third more time" if on_cpu else why
    else:
        found, why = _fastest(backbone, settings, hardware, data, together=together, folder=folder)
    micro = found["per_device_train_batch_size"]
    accumulation = max(1, round(together / (micro * hardware.world)))
    step = _step_sentence(settings, data, micro, accumulation, hardware.world)
    fitted = {
        "per_device_train_batch_size": Choice(micro, step),
        "gradient_accumulation_steps": Choice(accumulation),
        "disable_gradient_checkpointing": Choice(found["disable_gradient_checkpointing"], why),
    }
    if found.get("cutoff_len", settings["cutoff_len"]) != settings["cutoff_len"]:
        fitted["cutoff_len"] = Choice(found["cutoff_len"], f"{settings['cutoff_len']} would not fit the card")
    if "deepspeed" in found:
        fitted["deepspeed"] = Choice(found["deepspeed"], found["why"])
    return fitted


def loaded_in(stored: str, settings: Mapping[str, Any], hardware: Hardware) -> str:
    """Return the precision that a model stored in `stored` is to be loaded in; "" where as stored is right.

    LLaMA-Factory loads weights as they are stored. Hardware without bfloat16 arithmetic then emulates it (a training
    step on a CPU with AVX2 took 35 times as long as in float32) or keeps a cast copy of every weight.
    """
    wanted = computed(settings)
    return "" if hardware.real_bf16 or wanted == "bfloat16" or stored in ("", wanted) else wanted


def memory_of(backbone: Backbone, settings: Mapping[str, Any], hardware: Hardware) -> Estimate:
    """Estimate the peak on each device of a run of this backbone, whose shape must be known."""
    assert backbone.shape is not None
    dtype = loaded_in(backbone.dtype, settings, hardware) or backbone.dtype
    return estimate(backbone.shape, settings, hardware, dtype, backbone.architecture)


def sequences_together(settings: dict[str, Any], data: DataFacts) -> int:
    """Return how many sequences should make one optimizer step."""
    sequences = sequences_of(settings, data)
    if not sequences:
        return MOST_SEQUENCES
    return min(MOST_SEQUENCES, max(1, 2 ** round(math.log2(max(1, sequences / STEPS_AN_EPOCH)))))


def sequences_of(settings: dict[str, Any], data: DataFacts) -> int:
    """Estimate the sequences of one epoch: packed ones, or rows; 0 when the rows are not known."""
    if not data.rows or not settings.get("packing"):
        return data.rows
    cutoff = settings["cutoff_len"]
    return max(1, round(data.rows * min(data.tokens(data.mean_characters), cutoff) / (cutoff * 0.93)))


def _step_sentence(settings: dict[str, Any], data: DataFacts, micro: int, accumulation: int, world: int) -> str:
    devices = f" x {world} devices" if world > 1 else ""
    why = f"{micro} x {accumulation}{devices} sequences an optimizer step"
    sequences = sequences_of(settings, data)
    if not sequences:
        return why
    packed = f", packed into about {sequences} sequences" if settings.get("packing") else ""
    return f"{why}: about {math.ceil(sequences / (micro * accumulation * world))} an epoch ({data.rows} rows{packed})"


def _fastest(
    backbone: Backbone, settings: dict[str, Any], hardware: Hardware, data: DataFacts, *, together: int, folder: str
) -> tuple[dict[str, Any], str]:
    """Return the fastest settings that fit, else the most frugal ones, and why checkpointing is on or off.

    A sequence that still holds the usual row is shortened before the model is spread; rows are cut off last of all.
    """
    usual = data.tokens(data.longest_usual) if data.rows else settings["cutoff_len"]
    settings = {"eval_strategy": "epoch" if data.has_val else "no", **settings}
    if settings.get("neat_packing") and settings.get("flash_attn") == "fa2":
        settings["per_device_eval_batch_size"] = 1
    lengths = [settings["cutoff_len"]]
    while lengths[-1] // 2 >= SHORTEST:
        lengths.append(lengths[-1] // 2)
    whole = [length for length in lengths if length >= usual] or lengths[:1]
    ways = [
        (sharding, length)
        for some in (whole, [length for length in lengths if length not in whole])
        for sharding in _shardings(settings, hardware, folder)
        for length in some
    ]
    last: dict[str, Any] = {}
    for sharding, length in ways:
        for batch in _batches(settings, hardware, together, length):
            last = {**sharding, **batch, "cutoff_len": length}
            needed = memory_of(backbone, {**settings, **last}, hardware)
            if needed.verdict(hardware.memory_gb) == "fits":
                return last, _why(batch, needed, backbone, {**settings, **last}, hardware)
    needed = memory_of(backbone, {**settings, **last}, hardware)
    return last, f"even so it takes about {needed.total:.0f} of {hardware.memory_gb:.0f} GiB: see `make plan`"


def _batches(settings: dict[str, Any], hardware: Hardware, together: int, cutoff: int) -> list[dict[str, Any]]:
    """Return batch sizes with and without checkpointing, the fastest first."""
    most = max(1, together // hardware.world)
    if settings.get("neat_packing") and settings.get("flash_attn") == "fa2":
        most = 1  # LLaMA-Factory asks for it
    sizes = [size for size in (16, 8, 4, 2, 1) if size <= most]

    def speed(batch: dict[str, Any]) -> float:
        tokens = batch["per_device_train_batch_size"] * cutoff
        recomputing = 0 if batch["disable_gradient_checkpointing"] else CHECKPOINTING_COST
        return tokens / (tokens + HALF_SPEED_TOKENS) / (1 + recomputing)

    pairs = [
        {"per_device_train_batch_size": size, "disable_gradient_checkpointing": off}
        for size in sizes
        for off in (True, False)
    ]
    return sorted(pairs, key=speed, reverse=True)


def _why(batch: dict[str, Any], needed: Estimate, backbone: Backbone, settings: dict[str, Any], on: Hardware) -> str:
    room = f"about {needed.total:.1f} of {on.memory_gb:.1f} GiB"
    if batch["disable_gradient_checkpointing"]:
        return f"{room} are needed without it; recomputing would cost a third more time"
    without = memory_of(backbone, {**settings, "disable_gradient_checkpointing": True}, on)
    return f"{room} are needed with it, {without.total:.1f} without"


def _shardings(settings: Mapping[str, Any], hardware: Hardware, folder: str) -> Iterator[dict[str, Any]]:
    """Yield the ways to spread these settings over the hardware, the fastest first."""
    alone = hardware.kind != "cuda" or hardware.world == 1
    if alone or not settings.get("use_badam"):
        yield {}
    if alone or any(settings.get(key) for key in ("use_galore", "use_apollo", "quantization_bit")):
        return
    whole = settings.get("finetuning_type") in ("full", "freeze") and not settings.get("use_badam")
    without_zero3 = settings.get("pissa_init") or settings.get("pure_bf16")  # LLaMA-Factory: incompatible
    for name in [*(["zero2"] if whole else []), *([] if without_zero3 else ["zero3", "zero3-offload"])]:
        yield {"deepspeed": f"{folder}/deepspeed-{name}.json", "why": WHY[name]}


def deepspeed_file(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the configuration file that the settings name, by its name; the user's own is not ours to write.

    Its "auto" is filled in from the recipe by transformers.
    """
    file = str(settings.get("deepspeed") or "").rpartition("/")[2]
    name = file.removeprefix("deepspeed-").removesuffix(".json")
    return {file: read_yaml(Path(__file__).with_name("deepspeed.yaml"))[name]} if name in WHY else {}
