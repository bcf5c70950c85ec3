"""More than one card or machine: how the model is spread, and the files that say so. Pure.

A model that fits each card is copied to all (DDP). Otherwise its state is spread: DeepSpeed ZeRO-2 (gradients and
optimizer), ZeRO-3 (weights too), ZeRO-3 with the state in RAM; 4-bit weights by FSDP, which shards them as they are.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from recipes.catalog.catalog import Hardware

WHY = {
    "zero2": "gradients and optimizer state are spread: it does not fit one card whole",
    "zero3": "weights too are spread: it does not fit one card with them whole",
    "zero3-offload": "spread, and the state held in RAM: slow, but it fits no other way",
    "fsdp": "4-bit weights are spread over the cards: they do not fit one",
}


def shardings(settings: Mapping[str, Any], hardware: Hardware, folder: str) -> Iterator[dict[str, Any]]:
    """Yield the ways to spread these settings over the hardware, the fastest first."""
    if not settings.get("use_badam") or hardware.world == 1:
        yield {}
    if hardware.kind != "cuda" or hardware.world == 1:
        return
    if settings.get("use_galore") or settings.get("use_apollo"):
        return  # LLaMA-Factory: incompatible with DeepSpeed
    if settings.get("quantization_bit"):
        yield {"fsdp": "full_shard auto_wrap", "fsdp_config": f"{folder}/fsdp.json", "why": WHY["fsdp"]}
        return
    whole = settings.get("finetuning_type") in ("full", "freeze")
    names = ["zero2", "zero3", "zero3-offload"] if whole else ["zero3", "zero3-offload"]
    for name in names:
        if name != "zero2" and (settings.get("pissa_init") or settings.get("pure_bf16")):
            continue  # LLaMA-Factory: incompatible with ZeRO-3
        if settings.get("use_badam") and name == "zero2":
            continue
        yield {"deepspeed": f"{folder}/deepspeed-{name}.json", "why": WHY[name]}


def files(settings: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the configuration files that the settings name, by file name."""
    found = {}
    for key in ("deepspeed", "fsdp_config"):
        name = str(settings.get(key) or "").rpartition("/")[2]
        if name.startswith("deepspeed-zero"):
            found[name] = deepspeed_config(name.removeprefix("deepspeed-").removesuffix(".json"))
        elif name == "fsdp.json":
            found[name] = FSDP_CONFIG
    return found


def deepspeed_config(name: str) -> dict[str, Any]:
    """Return DeepSpeed's configuration; "auto" is filled in from the recipe by transformers."""
    zero: dict[str, Any] = {
        "stage": 2 if name == "zero2" else 3,
        "overlap_comm": name != "zero3-offload",
        "contiguous_gradients": True,
        "reduce_bucket_size": "auto",
    }
    if name == "zero2":
        zero |= {"allgather_partitions": True, "allgather_bucket_size": 5e8, "reduce_scatter": True}
    else:
        zero |= {
            "stage3_prefetch_bucket_size": "auto",
            "stage3_param_persistence_threshold": "auto",
            "stage3_gather_16bit_weights_on_model_save": True,
        }
    if name == "zero3-offload":
        in_ram = {"device": "cpu", "pin_memory": True}
        zero |= {"offload_optimizer": in_ram, "offload_param": in_ram}
    return {
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "zero_allow_untested_optimizer": True,
        "fp16": {"enabled": "auto"},
        "bf16": {"enabled": "auto"},
        "zero_optimization": zero,
    }


FSDP_CONFIG = {
    "backward_prefetch": "backward_pre",
    "cpu_ram_efficient_loading": True,
    "sync_module_states": True,
    "use_orig_params": True,
    "state_dict_type": "SHARDED_STATE_DICT",
}
