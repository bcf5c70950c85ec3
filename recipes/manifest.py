"""What a run is of and how far it is: `manifest.json` in its folder, rewritten after each step.

A step that has ended is never done again, one that was interrupted is resumed, and what was trained is not lost: a
recipe that would train other weights is refused while a run has begun.
"""

import shutil
from pathlib import Path

from common.errors import UserError
from common.files import sha256_of, write_text
from common.paths import data_folder
from common.run_files import Data, Expected, Identity, Manifest, Step, read_manifest, write
from common.versions import versions
from recipes.catalog.datasets import card_of
from recipes.recipe import Recipe
from recipes.render import render_all

PACKAGES = ("llamafactory", "transformers", "torch", "peft", "trl", "accelerate", "datasets", "bitsandbytes")
NOT_IDENTITY = (
    "preprocessing_num_workers",
    "dataloader_num_workers",
    "overwrite_output_dir",
    "save_total_limit",
    "disable_gradient_checkpointing",
    "use_unsloth_gc",
    "logging_steps",
    "report_to",
    "run_name",
)
"""Keys that change how a run is done but not what comes out."""


def is_done(folder: Path, step: str) -> bool:
    """Tell whether a step of the run has ended."""
    return step in read_manifest(folder).get("steps", {})


def finish(folder: Path, step: str, seconds: float, facts: Step) -> None:
    """Record that a step has ended."""
    manifest = read_manifest(folder)
    manifest["steps"][step] = {"seconds": round(seconds, 1), **facts}
    manifest["status"] = {"train": "trained", "export": "exported"}[step]
    write(folder / "manifest.json", manifest)


def data_identity(task: str) -> Data:
    """Return where a task's rows came from, and the hashes of its files."""
    card = card_of(task)
    if not card:
        raise UserError(f"there are no converted rows of {task} in {data_folder(task)}", f"make convert TASK={task}")
    return {"source": card["source"], "files": card["files"]}


def identity(recipe: Recipe) -> Identity:
    """Return what decides the trained weights: settings and data. Equal identities are the same run."""
    settings = {key: value for key, value in recipe.settings.items() if key not in NOT_IDENTITY}
    hashes = {
        name: entry["sha256"] for name, entry in data_identity(recipe.task)["files"].items() if name != "rejected"
    }
    return {"settings": settings, "data": hashes, "prepared": sha256_of(recipe.backbone.prepare)}


def write_run(recipe: Recipe, force: bool = False) -> Path:
    """Write the run's YAML files and its manifest; refuse a folder that holds another run, unless `force`."""
    folder = Path(recipe.folder)
    known, wanted = read_manifest(folder), identity(recipe)
    if known and known["identity"] != wanted:
        changed = ", ".join(_differences(known["identity"], wanted))
        if not force and known["steps"]:
            raise UserError(
                f"{folder} holds a run of another recipe; changed: {changed}",
                f"keep both with VARIANT=name, or replace it with FORCE=1 (then {folder} is emptied)",
            )
        print(f"replacing the run in {folder} (changed: {changed})")
        _empty(folder)
        known = {}
    for name, text in render_all(recipe).items():
        write_text(folder / name, text)
    manifest: Manifest = known or {
        "task": recipe.task,
        "model": recipe.backbone.name,
        "method": recipe.method.name,
        "variant": recipe.variant,
        "command": recipe.command("run"),
        "hardware": recipe.hardware.title,
        "status": "rendered",
        "identity": wanted,
        "data": data_identity(recipe.task),
        "expected": _expected(recipe),
        "steps": {},
        "versions": versions(*PACKAGES),
    }
    write(folder / "manifest.json", manifest)
    return folder


def _expected(recipe: Recipe) -> Expected:
    """Return what the plan expects of the run, to be held against what it then took."""
    memory = recipe.memory
    return {
        "memory_gib": round(memory.total, 2) if memory else None,
        "memory_parts_gib": {name: round(gib, 2) for name, gib in memory.parts.items()} if memory else {},
        "seconds": round(recipe.seconds),
    }


def _differences(before: Identity, after: Identity) -> list[str]:
    found = []
    for key in sorted(before["settings"].keys() | after["settings"].keys()):
        old, new = before["settings"].get(key, "unset"), after["settings"].get(key, "unset")
        if old != new:
            found.append(f"{key} ({old} -> {new})")
    found += ["the rows"] if before["data"] != after["data"] else []
    found += ["the prepared model"] if before["prepared"] != after["prepared"] else []
    return found


def _empty(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name == ".lock":
            continue
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def render_only(recipe: Recipe) -> str:
    """Write the run's YAML files (none where another run lies) and return the training recipe."""
    folder = Path(recipe.folder)
    if card_of(recipe.task):
        write_run(recipe)
    else:  # what depends on the rows is not decided yet
        for name, text in render_all(recipe).items():
            write_text(folder / name, text)
    return (folder / "recipe.yaml").read_text(encoding="utf-8")
