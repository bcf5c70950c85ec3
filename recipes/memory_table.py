"""Backbones x methods x cards with the memory that each default recipe is expected to take, as a Markdown table. Pure.

It is what `make plan` says of the same words before rows are converted, for rows like those of medical_zh.
"""

from recipes.catalog.catalog import Backbone, backbones, find_hardware, find_method
from recipes.choices.choice import DataFacts
from recipes.preflight.checks import expected_memory
from recipes.prepare.prepare import model_path
from recipes.render import Recipe

ROWS = DataFacts(rows=2_000, language="zh", mean_characters=376, longest_usual=789)
CARDS = ("t4", "24gb", "40gb", "80gb")
METHODS = ("qlora", "lora", "full")
SHORT = (
    "smollm2-135m", "qwen3-4b", "llama2-7b", "baichuan2-7b", "phoenix-7b", "qwen3-8b", "llama2-13b", "baichuan2-13b",
    "llama2-70b",
)  # fmt: skip
"""The backbones of the README's table."""


def memory_table(names: tuple[str, ...] = ()) -> str:
    """Return the table for these backbones, or for all."""
    known = backbones()
    titles = [f"{card} ({find_hardware(card).memory_gb:g} GiB)" for card in CARDS]
    head = ["MODEL", *titles]
    rows = [[f"`{name}`", *(_cell(known[name], card) for card in CARDS)] for name in names or known]
    lines = [head, ["---", *["---"] * len(CARDS)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(backbone: Backbone, card: str) -> str:
    return " / ".join(_expected(backbone, method, card) for method in METHODS)


def _expected(backbone: Backbone, method: str, card: str) -> str:
    """Return the GiB of the default recipe: marked where it may be too much, a dash where it is."""
    hardware = find_hardware(card)
    recipe = Recipe(
        task="medical_zh",
        backbone=backbone,
        method=find_method(method),
        hardware=hardware,
        data=ROWS,
        model_path=model_path(backbone),
        hardware_name=card,
    )
    needed = expected_memory(recipe)
    verdict = needed.verdict(hardware.memory_gb) if needed else "misfit"
    if needed is None or verdict == "misfit":
        return "-"
    return f"{needed.total:.1f}" + ("?" if verdict == "unsure" else "")
