"""What can be trained, as a table for the terminal and one for the documentation."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from converters.registry import load_task, task_names
from recipes.catalog.catalog import Backbone, backbones, hardware_profiles, methods
from recipes.catalog.datasets import DataFacts, own_names
from recipes.catalog.lookup import find_hardware, find_method
from recipes.prepare.prepare import model_path
from recipes.recipe import Recipe

ROWS = DataFacts(rows=2_000, language="zh", mean_characters=376, longest_usual=789)
CARDS = ("t4", "24gb", "40gb", "80gb")
METHODS = ("qlora", "lora", "full")
LEAST = {
    "cutoff_len": 512, "per_device_train_batch_size": 1, "per_device_eval_batch_size": 1,
    "disable_gradient_checkpointing": False,
}  # fmt: skip
"""What takes the least memory: one sequence of 512 tokens at a time, with checkpointing."""
SHORT = (
    "smollm2-135m", "qwen3-4b", "llama2-7b", "baichuan2-7b", "phoenix-7b", "qwen3-8b", "llama2-13b", "baichuan2-13b",
    "llama2-70b",
)  # fmt: skip
"""The backbones of the README's table."""


def listing() -> str:
    """Return every MODEL, METHOD, HARDWARE and TASK with what must be known of each."""
    lines = [f"{'MODEL':<19} {'size':>6} {'context':>7}  {'hub':<42} {'template':<14} notes"]
    for backbone in backbones().values():
        lines.append(
            f"  {backbone.name:<17} {backbone.size:>6} {backbone.context:>7}  {backbone.hub:<42} "
            f"{template_of(backbone):<14} {'; '.join(notes(backbone))}".rstrip()
        )
    lines += ["  or any hub id (org/name) or local folder, its template taken from its tokenizer", "", "METHOD"]
    lines += [f"  {method.name:<16} {method.title}: {method.summary}" for method in methods().values()]
    lines += ["", "HARDWARE", "  auto             what this machine has"]
    lines += [f"  {hardware.name:<16} {hardware.title}" for hardware in hardware_profiles().values()]
    lines += ["", "TASK"]
    lines += [f"  {name:<16} {load_task(name).title}" for name in task_names()]
    lines += [f"  {name:<16} your own, in dataset_info.json" for name in own_names() if not name.endswith("_val")]
    return "\n".join(lines)


def details(backbone: Backbone) -> str:
    """Return all that is known of one backbone."""
    facts = {
        "weights": backbone.size,
        "hub": f"{backbone.hub}, revision {backbone.revision}" if backbone.hub else "",
        "ModelScope": backbone.modelscope,
        "template": backbone.template or "the chat template in its folder",
        "architecture": backbone.architecture,
        "context": f"{backbone.context:,} tokens" if backbone.context else "",
        "weights stored in": backbone.dtype + ("" if backbone.float16 else "; overflows in float16"),
        "LoRA targets": backbone.lora_target,
        "speed switches": ", ".join(switches(backbone)),
        "own settings": ", ".join(f"{key}={value}" for key, value in backbone.settings.items()),
        "loaded from": model_path(backbone),
        "licence, notes": "; ".join(filter(None, notes(backbone))),
    }
    return "\n".join([backbone.name, *(f"  {name:<18} {fact or '-'}" for name, fact in facts.items())])


def template_of(backbone: Backbone) -> str:
    """Return LLaMA-Factory's template, or where else the chat format comes from."""
    return backbone.template or "(in its folder)"


def notes(backbone: Backbone) -> list[str]:
    """Return what a user must know before choosing it."""
    found = [backbone.licence]
    found += ["gated"] if backbone.gated else []
    found += ["prepared first"] if backbone.prepare else []
    found += ["runs code from the hub"] if backbone.trust_remote_code else []
    return found + ([backbone.note] if backbone.note else [])


def backbone_table() -> str:
    """Return the backbones as a Markdown table (docs/backbones.md)."""
    head = ["MODEL", "weights", "context", "hub", "ModelScope", "template", "speed switches", "notes"]
    rows = [
        [
            f"`{backbone.name}`",
            backbone.size,
            f"{backbone.context:,}",
            backbone.hub,
            backbone.modelscope or "-",
            template_of(backbone),
            ", ".join(switches(backbone)) or "-",
            "; ".join(notes(backbone)),
        ]
        for backbone in backbones().values()
    ]
    lines = [head, ["---", "--:", "--:", *["---"] * 5], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def switches(backbone: Backbone) -> list[str]:
    """Return LLaMA-Factory's speed switches that take effect on it; the others are passed over without a word."""
    found = {"sdpa": backbone.sdpa, "liger": backbone.liger, "unsloth": backbone.unsloth}
    return [name for name, works in found.items() if works]


def memory_table(names: tuple[str, ...] = ()) -> str:
    """Return backbones x cards with the memory that each default recipe is expected to take, in GiB.

    It is what `make plan` says before rows are converted, for rows like those of medical_zh.
    """
    known = backbones()
    titles = [f"{card} ({find_hardware(card).memory_gb:g} GiB)" for card in CARDS]
    head = ["MODEL", "at least", *titles]
    rows = [
        [f"`{name}`", _cell(known[name], "", LEAST), *(_cell(known[name], card) for card in CARDS)]
        for name in names or known
    ]
    lines = [head, ["---", "---", *["---"] * len(CARDS)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(backbone: Backbone, card: str, settings: Mapping[str, Any] = MappingProxyType({})) -> str:
    return " / ".join(_expected(backbone, method, card, settings) for method in METHODS)


def _expected(backbone: Backbone, method: str, card: str, settings: Mapping[str, Any]) -> str:
    """Return the GiB of the default recipe: marked where it may be too much, a dash where it is; "": on any card."""
    hardware = find_hardware(card) if card else find_hardware("80gb").model_copy(update={"memory_gb": 10_000})
    recipe = Recipe(
        task="medical_zh",
        backbone=backbone,
        method=find_method(method),
        hardware=hardware,
        data=ROWS,
        model_path=model_path(backbone),
        hardware_name=card,
        overrides=settings,
    )
    needed = recipe.memory
    verdict = needed.verdict(hardware.memory_gb) if needed else "misfit"
    if needed is None or verdict == "misfit":
        return "-"
    return f"{needed.total:.1f}" + ("?" if verdict == "unsure" else "")
