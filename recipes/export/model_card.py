"""The exported model's README: what it is, how it was trained, what was measured; all read from the run's files."""

from pathlib import Path

from common.errors import UserError
from common.files import write_text
from common.run_files import read_heldout, read_manifest, read_metrics
from common.templates import fill
from recipes.catalog.datasets import card_of, find_task
from recipes.llamafactory.keys import groups
from recipes.recipe import Recipe
from recipes.render import TEMPLATES


def write_model_card(recipe: Recipe) -> Path:
    """Write export/README.md (the adapter's, where that is served) out of what was measured; return its path."""
    folder = Path(recipe.folder)
    merged = (folder / "export" / "config.json").is_file()
    if not merged and not recipe.why_four_bits:
        raise UserError(f"{folder} has not been exported yet", recipe.command("export"))
    path = folder / ("export" if merged else recipe.method.adapter_path) / "README.md"
    manifest, metrics = read_manifest(folder), read_metrics(folder)
    settings = manifest["identity"]["settings"]
    text = fill(
        TEMPLATES / "model_card.md.jinja",
        backbone=recipe.backbone,
        method=recipe.method,
        task=find_task(recipe.task),
        merged=merged,
        manifest=manifest,
        rows_licence=(card_of(recipe.task) or {}).get("licence"),
        heldout=read_heldout(folder),
        questions=metrics.get("questions"),
        comparisons=metrics.get("comparisons", []),
        settings=[(key, settings[key]) for key in groups()["on the card"] if key in settings],
    )
    write_text(path, text)
    return path
