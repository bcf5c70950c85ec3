"""What would make a recipe fit that does not, or end sooner: other settings or method, fewer rows, more cards. Pure."""

import math
from collections.abc import Iterator
from dataclasses import replace
from itertools import product

from recipes.catalog.catalog import hardware_profiles, methods
from recipes.catalog.datasets import is_own
from recipes.estimate.duration import in_words
from recipes.preflight.surroundings import ram_held
from recipes.recipe import Recipe


def suggestions(recipe: Recipe) -> list[str]:
    """Return changes that would make it fit, the smallest first."""
    tries = [*_other_settings(recipe), *_other_methods(recipe), *_more_cards(recipe)]
    fitting = [(words, other, other.memory) for words, other in tries if _fits(other)]
    return [f"{words}{_spread(other)} would take {needed.total:.1f} GiB" for words, other, needed in fitting if needed][
        :3
    ]


EVENING = 4 * 3600
"""Seconds that a run of more than a day is brought down to."""


def shorter(recipe: Recipe) -> list[str]:
    """Return what would bring the time down to an evening: fewer rows or passes, another card, more of them."""
    share = EVENING / recipe.seconds
    rows = (recipe.data.rows or recipe.data.raw_rows) * share
    few = int(f"{rows:.1e}".partition("e")[0].replace(".", "")) * 10 ** max(0, int(math.log10(max(rows, 1))) - 1)
    limit = f'SET="max_samples={few}"' if is_own(recipe.task) else f"LIMIT={few} (or max_samples={few} in SET)"
    found = [f"{limit} would take about {in_words(EVENING)}"]
    if (epochs := recipe.settings["num_train_epochs"]) > 1:
        one = replace(recipe, overrides={**recipe.overrides, "num_train_epochs": 1.0})
        found.append(f'SET="num_train_epochs=1" in place of {epochs:g}: about {in_words(one.seconds)}')
    return found + _faster_cards(recipe)


def _faster_cards(recipe: Recipe) -> list[str]:
    """Return the hardware on which it is done in an evening, the slowest that does first; else the fastest."""
    profiles = [(name, card) for name, card in hardware_profiles().items() if card.kind == "cuda"]
    ready = [
        replace(recipe, hardware=card.model_copy(update={"devices": count}), hardware_name=name)
        for count, (name, card) in product((1, 4, 8), profiles)
    ]
    fitting = sorted(filter(_fits, ready), key=lambda other: -other.seconds)
    enough = [other for other in fitting if other.seconds <= EVENING][:1] or fitting[-1:]
    return [
        f"HARDWARE={other.hardware_name}" + (f" GPUS={count}" if (count := other.hardware.devices) > 1 else "")
        + f" would take about {in_words(other.seconds)}"
        for other in enough
        if other.seconds < recipe.seconds / 2
    ]  # fmt: skip


def _fits(recipe: Recipe) -> bool:
    return recipe.memory is not None and recipe.memory.verdict(recipe.hardware.memory_gb) == "fits"


def _spread(recipe: Recipe) -> str:
    """Say how a recipe is spread over its cards, " (deepspeed-zero3)"; "" when each holds all of it."""
    file = str(recipe.settings.get("deepspeed") or "")
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
    """Yield the methods that take less, for the same rows; of 4-bit weights the one that several cards can share."""
    if recipe.method.stage == "sft":
        names = ["qlora"] if recipe.method.adapter else ["lora", "qlora"]
        names = ["lora"] if recipe.method.quantized else names
        yield from ((f"METHOD={name}", replace(recipe, method=methods()[name])) for name in names)


def _more_cards(recipe: Recipe) -> Iterator[tuple[str, Recipe]]:
    """Yield the fewest cards that it fits on, for each way of spreading it, and for a method that takes less."""
    counts = [count for count in (2, 4, 8) if recipe.hardware.kind == "cuda" and count > recipe.hardware.devices]
    for words, other in [("", recipe), *_other_methods(recipe)]:
        ways = set()
        for count in counts:
            spread = replace(other, hardware=other.hardware.model_copy(update={"devices": count}))
            if _fits(spread) and (way := _spread(spread)) not in ways:
                ways.add(way)
                yield f"{words} GPUS={count}".strip(), spread
