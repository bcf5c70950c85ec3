"""More than one card or machine: how the model is spread, and the files that say so. Pure.

A model that fits each card is copied to all (DDP). Otherwise its state is spread by DeepSpeed: ZeRO-2 (gradients and
optimizer), ZeRO-3 (weights too), ZeRO-3 with the state in RAM. 4-bit weights are not spread: FSDP, the only way that
LLaMA-Factory has for them, does not flatten them with an adapter in float32, and each card loads the whole model first.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from common.yaml_files import read_yaml
from recipes.catalog.catalog import Hardware

WHY = {
    "zero2": "gradients and optimizer state are spread: it does not fit one card whole",
    "zero3": "weights too are spread: it does not fit one card with them whole",
    "zero3-offload": "spread, and the state held in RAM: slow, but it fits no other way",
}


def shardings(settings: Mapping[str, Any], hardware: Hardware, folder: str) -> Iterator[dict[str, Any]]:
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


def files(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the configuration file that the settings name, by its name; the user's own is not ours to write."""
    file = str(settings.get("deepspeed") or "").rpartition("/")[2]
    name = file.removeprefix("deepspeed-").removesuffix(".json")
    return {file: deepspeed_config(name)} if name in WHY else {}


def deepspeed_config(name: str) -> dict[str, Any]:
    """Return DeepSpeed's configuration; "auto" is filled in from the recipe by transformers."""
    found: dict[str, Any] = read_yaml(Path(__file__).with_name("deepspeed.yaml"))[name]
    return found
