"""The tables of backbones in the documents: python -m tests.model_tables backbones|memory|short."""

import sys
from collections.abc import Mapping
from typing import Any

from recipes.catalog.catalog import Backbone, backbones
from recipes.catalog.datasets import DataFacts
from recipes.catalog.lookup import find_hardware, find_method
from recipes.listing import notes, switches, template_of
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


def backbone_table() -> str:
    """Return the backbones (docs/backbones.md)."""
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
    return markdown([head, ["---", "--:", "--:", *["---"] * 5], *rows])


def memory_table(names: tuple[str, ...] = ()) -> str:
    """Return backbones x cards with the memory that each default recipe is expected to take, in GiB.

    It is what `make plan` says before rows are converted, for rows like those of medical_zh.
    """
    known = backbones()
    titles = [f"{card} ({find_hardware(card).memory_gb:g} GiB)" for card in CARDS]
    head = ["MODEL", "at least", *titles]
    rows = [
        [f"`{name}`", _cell(known[name], "", LEAST), *(_cell(known[name], card, {}) for card in CARDS)]
        for name in names or known
    ]
    return markdown([head, ["---"] * len(head), *rows])


def markdown(lines: list[list[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(backbone: Backbone, card: str, settings: Mapping[str, Any]) -> str:
    return " / ".join(_expected(backbone, method, card, settings) for method in METHODS)


def _expected(backbone: Backbone, method: str, card: str, settings: Mapping[str, Any]) -> str:
    """Return the GiB of the default recipe: marked where it may be too much, a dash where it is; "": on any card."""
    hardware = find_hardware(card) if card else find_hardware("80gb").model_copy(update={"memory_gb": 10_000})
    path, by = model_path(backbone), find_method(method)
    needed = Recipe("medical_zh", backbone, by, hardware, ROWS, path, overrides=settings, hardware_name=card).memory
    verdict = needed.verdict(hardware.memory_gb) if needed else "misfit"
    if needed is None or verdict == "misfit":
        return "-"
    return f"{needed.total:.1f}" + ("?" if verdict == "unsure" else "")


if __name__ == "__main__":
    made = {"backbones": backbone_table, "memory": memory_table, "short": lambda: memory_table(SHORT)}
    print(made[sys.argv[1]]())
