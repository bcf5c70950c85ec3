"""What would make a recipe fit that does not: other settings, another method, more cards. Pure."""

from collections.abc import Iterator
from dataclasses import replace

from recipes.catalog.catalog import methods
from recipes.estimate.memory import Estimate
from recipes.preflight.expected import ram_held
from recipes.recipe import Recipe


def suggestions(recipe: Recipe) -> list[str]:
    """Return changes that would make it fit, the smallest first."""
    tries = [*_other_settings(recipe), *_other_methods(recipe), *_more_cards(recipe)]
    found = [(words, other, other.memory) for words, other in tries]
    fitting = [(words, other, needed) for words, other, needed in found if needed and _fits(other, needed)]
    return [f"{words}{_spread(other)} would take {needed.total:.1f} GiB" for words, other, needed in fitting][:3]


def _fits(recipe: Recipe, needed: Estimate) -> bool:
    return needed.verdict(recipe.hardware.memory_gb) == "fits"


def _spread(recipe: Recipe) -> str:
    """Say how a recipe is spread over its cards, " (fsdp)"; "" when each holds all of it."""
    file = str(recipe.settings.get("deepspeed") or recipe.settings.get("fsdp_config") or "")
    ram = ram_held(recipe)
    how = file.rpartition("/")[2].removesuffix(".json") + (f", {ram:.0f} GiB of RAM" if ram else "")
    return f" ({how})" if how else ""


def _other_settings(recipe: Recipe) -> Iterator[tuple[str, Recipe]]:
    cutoff = recipe.settings["cutoff_len"]
    for key, value in [
        ("per_device_train_batch_size", 1),
        ("disable_gradient_checkpointing", False),
        ("enable_liger_kernel", True),
        ("cutoff_len", cutoff // 2),
        ("cutoff_len", cutoff // 4),
    ]:
        if recipe.settings.get(key, value) != value and (key != "enable_liger_kernel" or recipe.backbone.liger):
            yield f'SET="{key}={str(value).lower()}"', replace(recipe, overrides={**recipe.overrides, key: value})


def _other_methods(recipe: Recipe) -> Iterator[tuple[str, Recipe]]:
    """Yield the methods that take less, for the same rows."""
    if recipe.method.stage == "sft" and not recipe.method.quantized:
        names = ["qlora"] if recipe.method.adapter else ["lora", "qlora"]
        yield from ((f"METHOD={name}", replace(recipe, method=methods()[name])) for name in names)


def _more_cards(recipe: Recipe) -> Iterator[tuple[str, Recipe]]:
    """Yield the fewest cards that it fits on, for each way of spreading it, and for a method that takes less."""
    counts = [count for count in (2, 4, 8) if recipe.hardware.kind == "cuda" and count > recipe.hardware.devices]
    for words, other in [("", recipe), *_other_methods(recipe)]:
        ways = set()
        for count in counts:
            spread = replace(other, hardware=other.hardware.model_copy(update={"devices": count}))
            needed = spread.memory
            if needed and _fits(spread, needed) and (way := _spread(spread)) not in ways:
                ways.add(way)
                yield f"{words} GPUS={count}".strip(), spread
