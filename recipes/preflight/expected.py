"""What a run is expected to take of this machine's disk and RAM. Pure."""

from recipes.estimate.memory import GIB, held_in_ram
from recipes.estimate.weights import saved_bytes
from recipes.recipe import Recipe

LOGS_GB = 0.2
EXPORT_GIB = 2.0
"""What merging takes beside the weights: Python with torch in it, and one file of the result."""


def ram_held(recipe: Recipe) -> float:
    """Return the GiB that a run holds in RAM in place of its cards."""
    return held_in_ram(recipe.backbone.shape, recipe.settings, recipe.backbone.dtype) if recipe.backbone.shape else 0.0


def disk_gb(recipe: Recipe, downloaded: bool) -> float:
    """Estimate the disk a run takes, GB: the download, two checkpoints, what was trained, the exported model."""
    shape = recipe.backbone.shape
    if not shape:
        return LOGS_GB
    saved, checkpoint = saved_bytes(shape, recipe.settings)
    return (2 * shape.parameters * (1 if downloaded else 2) + saved + 2 * checkpoint) / 1e9 + LOGS_GB


def cannot_merge(recipe: Recipe, weights: int, ram_gib: float) -> str:
    """Return why the adapter cannot be merged in this much RAM, "" when it can; `weights`: bytes of the backbone."""
    needed = weights / GIB + EXPORT_GIB
    if not recipe.method.adapter or not weights or needed <= ram_gib:
        return ""
    return f"merging takes about {needed:.0f} GiB of RAM, and this machine has {ram_gib:.1f}"
