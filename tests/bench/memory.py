"""`python -m tests.bench.memory --model MODEL`: the expected and the measured peak of short trainings, side by side.

Each way trains two steps on sequences that are full (packed), so that nothing but the estimate's own error is left.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from common.errors import run_cli
from recipes.__main__ import options
from recipes.prepare.prepare import ensure_prepared
from recipes.recipe import Recipe, make_recipe
from tests.bench.training import train

SHORT: dict[str, Any] = {
    "max_steps": 2, "packing": True, "neat_packing": False, "train_sampling_strategy": "random", "eval_strategy": "no",
    "save_strategy": "no", "gradient_accumulation_steps": 1,
}  # fmt: skip
WAYS: dict[str, dict[str, Any]] = {
    "with checkpointing": {"cutoff_len": 512, "per_device_train_batch_size": 2},
    "without": {"cutoff_len": 512, "per_device_train_batch_size": 2, "disable_gradient_checkpointing": True},
    "without, half as many tokens": {
        "cutoff_len": 512, "per_device_train_batch_size": 1, "disable_gradient_checkpointing": True,
    },
}  # fmt: skip


def compare(recipe: Recipe) -> str:
    """Train each way and return a Markdown table."""
    ensure_prepared(recipe.backbone, dtype=recipe.dtype)
    lines = [f"{recipe.backbone.name}, {recipe.method.name}, {recipe.hardware.title}, GiB",
             "| | expected | measured | error |", "|---|--:|--:|--:|"]  # fmt: skip
    for name, settings in WAYS.items():
        wanted = {"disable_gradient_checkpointing": False, **SHORT, **settings, **recipe.overrides}
        one = replace(recipe, variant="bench-memory", overrides=wanted)
        peak = train(one, own_launch=True).peak_gib if one.hardware.kind == "cpu" else on_card(one)
        assert one.memory is not None
        lines.append(f"| {name} | {one.memory.total:.2f} | {peak:.2f} | {one.memory.total / peak - 1:+.0%} |")
        print(lines[-1], one.memory.sentence(), flush=True)
    return "\n".join(lines)


def on_card(recipe: Recipe) -> float:
    """Train and return the highest memory that LLaMA-Factory recorded on the card."""
    from recipes.llamafactory.results import peak_vram

    train(recipe, own_launch=True)
    return peak_vram(Path(recipe.folder) / "adapter") or 0.0


@click.command()
@options("run", "recipe")
def main(**names: Any) -> None:
    """Hold the memory estimate against short trainings."""
    names["task"] = names["task"] or "medical_en"
    click.echo(compare(make_recipe(**names)))


if __name__ == "__main__":
    run_cli(main)
