"""What does not go together: method, hardware and rows, said before anything is downloaded or started. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from common.tracking import PACKAGES, TRACKERS
from recipes.catalog.catalog import Hardware, Method
from recipes.choices.settings import UNFUSED

ROWS = {
    "answers": "a question with its answer",
    "pairs": "a question with a better and a worse answer (`chosen` and `rejected`, and `ranking: true`)",
    "labels": "a question with an answer marked good or bad (`kto_tag`: true or false)",
}
"""The forms that rows can have, as dataset_info.json tells them apart."""


def conflicts(method: Method, hardware: Hardware, settings: Mapping[str, Any]) -> list[str]:
    """Return what LLaMA-Factory would refuse, or what would fail later, about this method on this hardware."""
    present = {
        "several devices": hardware.world > 1,
        "fp16": bool(settings.get("fp16")),
        "quantized": bool(settings.get("quantization_bit")),
        "sharded": bool(settings.get("deepspeed")),
        "zero3": "zero3" in str(settings.get("deepspeed", "")),
    }
    words = {
        "several devices": "trains on one device only: GPUS=1",
        "fp16": "does not work in float16, and this hardware has no bfloat16: METHOD=qlora or lora",
        "quantized": "does not work on 4-bit weights: take METHOD=lora or qlora for that",
        "sharded": "cannot be spread over devices by DeepSpeed",
        "zero3": "cannot begin under DeepSpeed ZeRO-3: METHOD=lora",
    }
    found = [f"METHOD={method.name} {words[name]}" for name in method.excludes if present[name]]
    if settings.get("fsdp"):
        found.append("fsdp needs accelerate's own launcher: give several cards a deepspeed file, or none")
    if settings.get("quantization_bit") and present["zero3"]:
        found.append("4-bit weights cannot be spread: each card loads the whole model first; METHOD=lora")
    if settings.get("enable_liger_kernel"):
        silent = 'Liger would put the usual loss in its place without a word: SET="enable_liger_kernel=false"'
        found += [f"{loss}: {silent}" for loss in UNFUSED if settings.get(loss)]
    if settings.get("load_best_model_at_end"):
        if settings.get("eval_strategy") == "no":
            found.append("BEST=1 needs rows to evaluate on: name them TASK_val in dataset_info.json")
        if settings.get("save_strategy") == "no":
            found.append(f"BEST=1 chooses among checkpoints, and METHOD={method.name} keeps none")
    return found


def form_of(entry: Any) -> str:
    """Return the form of a data set's rows from its entry in dataset_info.json."""
    entry = entry if isinstance(entry, dict) else {}
    columns, tags = entry.get("columns") or {}, entry.get("tags") or {}
    if entry.get("ranking"):
        return "pairs"
    return "labels" if columns.get("kto_tag") or tags.get("kto_tag") else "answers"


def wrong_form(method: Method, form: str) -> str:
    """Return what is wrong with rows of this form for the method, "" when they are right."""
    wrong = f"METHOD={method.name} needs rows that are {ROWS[method.rows]}; these are {ROWS[form]}"
    return "" if form == method.rows else wrong


def packages_of(needs: Iterable[str], settings: Mapping[str, Any]) -> set[str]:
    """Return the packages that a recipe asks for beyond the installed ones."""
    optional = {
        "deepspeed": settings.get("deepspeed"),
        "liger-kernel": settings.get("enable_liger_kernel"),
        "unsloth": settings.get("use_unsloth"),
        "bitsandbytes": settings.get("quantization_bit") or "8bit" in str(settings.get("optim", "")),
    }
    tracker = settings.get("report_to")
    tracking = PACKAGES.get(tracker, (tracker,)) if tracker in TRACKERS else ()
    return {*needs, *tracking, *(name for name, wanted in optional.items() if wanted)}
