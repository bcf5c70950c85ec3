"""What follows from backbone, method, hardware and data: every value of a recipe, with its reason. Pure."""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from recipes.catalog.catalog import Backbone, Hardware, Method, backbones
from recipes.catalog.datasets import DataFacts
from recipes.choices.batch import fit
from recipes.choices.choice import Choice, Choices

LONGEST = {"cuda": 2048, "cpu": 1024}
"""Tokens of one sequence: more costs memory, and on a CPU attention without a fused kernel."""
ROWS_A_SEQUENCE = 5
"""So many average rows should fit in one packed sequence: with fewer, the last gap stays open (see docs)."""


def choose(
    backbone: Backbone,
    method: Method,
    hardware: Hardware,
    data: DataFacts,
    *,
    folder: str = "",
    overrides: Mapping[str, Any] = MappingProxyType({}),
) -> Choices:
    """Derive all training settings; later groups lean on earlier ones, and all on what the user has set."""
    given: Choices = {}
    for key, value in {**method.settings, **overrides}.items():
        where = " in SET" if key in overrides else ""
        given |= {k: Choice(v, f"follows from {key}{where}") for k, v in IMPLIED.get(key, lambda _: {})(value).items()}
    given |= {key: Choice(value, "from SET") for key, value in overrides.items()}
    choices: Choices = {}
    choices |= _method(backbone, method)
    choices |= _precision(backbone, method, hardware)
    choices |= _attention(backbone, hardware)
    choices |= _packing(backbone, method, hardware, overrides.get("cutoff_len") or LONGEST[hardware.kind])
    choices |= _length(data, backbone, hardware, packed="packing" in choices)
    choices |= _kernels(backbone, method, hardware)
    choices |= given
    staged = {**choices, "stage": Choice(method.stage)}  # pairs take twice the memory
    choices |= fit(backbone, staged, hardware, data, folder)
    choices |= _schedule(data)
    choices |= _workers(data, hardware, packed=bool(choices.get("packing", Choice(False)).value))
    return choices | given


UNFUSED = ("use_eaft_loss", "use_dft_loss", "use_asft_loss")
"""Losses that Liger, which never has all logits, replaces by the usual one without a word."""
BEST = {"metric_for_best_model": "eval_loss", "greater_is_better": False, "early_stopping_steps": 3}
IMPLIED: dict[str, Callable[[Any], dict[str, Any]]] = {
    "packing": lambda on: {} if on else {"neat_packing": False},  # which would switch packing on again
    "neat_packing": lambda on: {"packing": True} if on else {},
    "fp16": lambda on: {"bf16": False} if on else {},
    "bf16": lambda on: {"fp16": False} if on else {},
    "load_best_model_at_end": lambda on: BEST if on else {},
    **{loss: lambda on: {"enable_liger_kernel": False} if on else {} for loss in UNFUSED},
}
"""Keys that must change together: else LLaMA-Factory refuses them, or ignores one in silence."""


def _method(backbone: Backbone, method: Method) -> Choices:
    choices = {key: Choice(value, method.why.get(key, "")) for key, value in method.settings.items()}
    kind = method.settings["finetuning_type"]
    target = Choice(backbone.lora_target, "every linear layer" if backbone.lora_target == "all" else "")
    if kind in ("lora", "oft"):
        choices[f"{kind}_target"] = target
    for key, value in backbone.settings.items():
        if key == "learning_rate" and method.own_rate:
            continue
        choices[key] = Choice(value, f"what {backbone.name} wants")
    return choices


def _precision(backbone: Backbone, method: Method, hardware: Hardware) -> Choices:
    real = hardware.real_bf16
    if hardware.kind == "cpu":
        why = "this CPU computes in bfloat16 itself" if real else "this CPU has no bfloat16 arithmetic; float32"
        choices = {"use_cpu": Choice(True, "no GPU here"), "bf16": Choice(real, why)}
    elif real:
        choices = {"bf16": Choice(True, f"compute capability {hardware.compute_capability} has real bfloat16")}
    elif not backbone.float16:
        choices = {"bf16": Choice(True, "only emulated on this card, so slow; but in float16 this backbone overflows")}
    else:
        why = f"compute capability {hardware.compute_capability} only emulates bfloat16 and says it has it"
        choices = {"fp16": Choice(True, why)}
    if method.settings.get("pure_bf16") and not (real and hardware.kind == "cuda"):
        choices["pure_bf16"] = Choice(False, "needs a GPU with real bfloat16")
    return choices


def _attention(backbone: Backbone, hardware: Hardware) -> Choices:
    if not backbone.sdpa:
        kind = backbone.architecture or "this kind of model"
        known = any(kind == other.architecture for other in backbones().values())
        why = "has no fused attention in transformers" if known else "is not among our kinds: left to transformers"
        return {"flash_attn": Choice("auto", f"{kind} {why}")}
    if "flash_attn" in hardware.packages and hardware.compute_capability >= 8.0:
        return {"flash_attn": Choice("fa2", "FlashAttention-2 is installed, and this card can run it")}
    return {"flash_attn": Choice("sdpa", "torch's own fused attention")}


def _packing(backbone: Backbone, method: Method, hardware: Hardware, longest: int) -> Choices:
    """Decide whether rows share a sequence unseen by each other.

    That needs an attention mask in four dimensions, which a CPU computes in full: there, attention over packed
    sequences of 1,024 tokens took 40 % of a step, and rows of like length side by side nearly nothing. The mask
    also takes the place of a sliding window.
    """
    if method.stage != "sft":  # LLaMA-Factory packs no pairs, and cannot sort them by length
        return {}
    slides = 0 < backbone.window < longest
    if backbone.sdpa and backbone.packs and hardware.kind == "cuda" and not slides:
        return {
            "packing": Choice(True, "several rows fill one sequence, so nearly nothing is spent on padding"),
            "neat_packing": Choice(True, "and rows in one sequence do not see each other"),
        }
    why = "packing would cost more in attention here" if backbone.sdpa else "packed rows might see each other here"
    if not backbone.packs:
        why = "packed rows would run into each other in its layers without attention"
    elif slides:
        why = f"packing would lift its sliding window of {backbone.window} tokens"
    return {
        "train_sampling_strategy": Choice("group_by_length", f"rows of like length together: little padding; {why}")
    }


def _length(data: DataFacts, backbone: Backbone, hardware: Hardware, packed: bool) -> Choices:
    limit = min(LONGEST[hardware.kind], backbone.context or LONGEST[hardware.kind])
    if not data.rows:
        return {"cutoff_len": Choice(limit, "tokens; the rest of a row is cut off")}
    usual = data.tokens(data.longest_usual)
    filling = ROWS_A_SEQUENCE * data.tokens(data.mean_characters) if packed else 0
    value = min(2 ** math.ceil(math.log2(max(usual, filling, 256))), limit)
    if value < usual:
        why = f"the longest rows (95 % within about {usual} tokens) are cut off to fit"
    else:
        why = f"95 % of the rows are within about {usual} tokens" + ("; more pack better" if packed else "")
    return {"cutoff_len": Choice(value, why)}


def _kernels(backbone: Backbone, method: Method, hardware: Hardware) -> Choices:
    if not backbone.liger or hardware.kind == "cpu":
        return {}
    if "liger_kernel" in hardware.packages:
        fused = "never holds all logits at once" if method.stage == "sft" else "fused norms and activations"
        return {"enable_liger_kernel": Choice(True, f"installed, and takes effect on {backbone.architecture}: {fused}")}
    return {
        "enable_liger_kernel": Choice(
            False, "true saves memory on the logits; needs `pip install -c constraints.txt liger-kernel`"
        )
    }


def _schedule(data: DataFacts) -> Choices:
    epochs = 2.0 if data.rows < 20_000 else 1.0
    why = f"{data.rows:,} rows" if data.rows else "few rows need more passes, many need one"
    return {
        "num_train_epochs": Choice(epochs, why),
        "lr_scheduler_type": Choice("cosine"),
        "warmup_ratio": Choice(0.05),
        "seed": Choice(42),
    }


def _workers(data: DataFacts, hardware: Hardware, packed: bool) -> Choices:
    # LLaMA-Factory packs within a worker's share of the rows, so a worker needs enough of them to fill sequences
    workers = max(1, min(8, math.ceil(data.rows / 1000)))
    return {
        "preprocessing_num_workers": Choice(
            workers, "rows are packed within a worker's share: 1,000 rows for each" if packed else ""
        ),
        "dataloader_num_workers": Choice(0 if hardware.kind == "cpu" else 2),
    }
