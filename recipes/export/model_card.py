"""The exported model's README: what it is, how it was trained, what was measured; all read from the run's files."""

from pathlib import Path

from common.errors import UserError
from common.files import write_text
from common.run_files import HeldOut, Manifest, Metrics, read_heldout, read_manifest, read_metrics
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
    write_text(path, render(recipe, read_manifest(folder), read_heldout(folder), read_metrics(folder), merged))
    return path


def render(recipe: Recipe, manifest: Manifest, heldout: HeldOut, metrics: Metrics, merged: bool = True) -> str:
    """Render the card; what was not measured is left out."""
    task, settings = find_task(recipe.task), manifest["identity"]["settings"]
    return fill(
        TEMPLATES / "model_card.md.jinja",
        hub=recipe.backbone.hub,
        merged=merged,
        language=task.language,
        domain=task.domain,
        title=task.title,
        model=recipe.backbone.name,
        method=recipe.method.name,
        method_title=recipe.method.title,
        model_licence=recipe.backbone.licence,
        data_licence=(card_of(recipe.task) or {}).get("licence", ""),
        rows=manifest["data"]["files"]["train"]["rows"],
        rows_hash=manifest["data"]["files"]["train"]["sha256"],
        source=manifest["data"]["source"],
        system=manifest["data"].get("system", ""),
        heldout=heldout,
        questions=metrics.get("questions"),
        comparisons=metrics.get("comparisons", []),
        settings=[(key, settings[key]) for key in groups()["on the card"] if key in settings],
        seconds=round(manifest["steps"]["train"]["seconds"]),
        hardware=manifest["hardware"],
        versions=", ".join(f"{name} {version}" for name, version in manifest["versions"].items()),
    )  # fmt: skip
