"""What a run is of and how far it is: `manifest.json` in its folder, rewritten after each step.

A step that has ended is never done again, one that was interrupted is resumed, and what was trained is not lost: a
recipe that would train other weights is refused while a run has begun.
"""

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import sha256_of, write_text
from common.paths import data_folder
from common.process import is_held, only_one
from common.run_files import Data, Expected, Identity, Manifest, Step, read_manifest, write
from common.versions import versions
from converters.registry import system_prompt
from recipes.catalog.datasets import card_of
from recipes.catalog.prices import price_per_hour
from recipes.llamafactory.keys import groups
from recipes.llamafactory.results import checkpoints
from recipes.recipe import Recipe
from recipes.render import render_all

PACKAGES = ("llamafactory", "transformers", "torch", "peft", "trl", "accelerate", "datasets", "bitsandbytes")
NOT_IDENTITY = groups()["without effect"]


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
    return {"source": card["source"], "files": card["files"], "system": system_prompt(task)}


def identity(recipe: Recipe) -> Identity:
    """Return what decides the trained weights: settings and data. Equal identities are the same run."""
    settings = {key: value for key, value in recipe.settings.items() if key not in NOT_IDENTITY}
    settings["model_name_or_path"] = recipe.model_path  # in whatever precision it is loaded
    files = data_identity(recipe.task)["files"]
    return {
        "settings": settings,
        "data": {name: entry["sha256"] for name, entry in files.items() if name != "rejected"},
        "prepared": sha256_of(recipe.backbone.prepare),
        "devices": recipe.hardware.world,
    }


def weights_of(one: Identity) -> dict[str, Any]:
    """Return what of an identity decides the trained weights."""
    settings = one["settings"]
    together = settings["per_device_train_batch_size"] * settings.get("gradient_accumulation_steps", 1)
    kept = {
        key: value
        for key, value in settings.items()
        if key not in groups()["how"] and (value or key != "enable_thinking")
    }
    step = {"sequences an optimizer step": together * one["devices"]}
    return kept | step | {"the rows": one["data"], "the prepared model": one["prepared"]}


def has_begun(folder: Path) -> bool:
    """Tell whether something was trained in a run's folder that could be lost."""
    return bool(read_manifest(folder).get("steps") or checkpoints(folder / "adapter"))


def write_run(recipe: Recipe, force: bool = False) -> Path:
    """Write the run's YAML files and its manifest; what was trained there stays unless `force` or nothing was.

    A run that has begun goes on with other batches, precision or attention; where the recipe would train other
    weights it is refused. `force` replaces a run of another recipe, and trains a finished one anew.
    """
    folder, wanted = Path(recipe.folder), identity(recipe)
    if known := read_manifest(folder):
        changed = _differences(weights_of(known["identity"]), weights_of(wanted))
        if changed and has_begun(folder) and not force:
            raise UserError(
                f"{folder} holds a run of another recipe; changed: {_told(changed)}",
                f"keep both with VARIANT=name, or replace it with FORCE=1 (then {folder} is emptied)"
                + _as_it_began(recipe, changed),
            )
        if changed or (force and is_done(folder, "train")):
            print(f"replacing the run in {folder} ({'changed: ' + _told(changed) if changed else 'FORCE=1'})")
            for path in set(folder.iterdir()) - {folder / ".lock"}:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            known = Manifest()
    trained = is_done(folder, "train")
    for name, text in render_all(recipe).items():
        if not (trained and name == "recipe.yaml"):  # that one says how it was trained
            write_text(folder / name, text)
    if trained:
        return folder
    if known and (other := _differences(known["identity"]["settings"], wanted["settings"])):
        print(f"going on in {folder} with other settings that do not change what is learned: {_told(other)}")
    began = Manifest(steps={}, versions=versions(*PACKAGES), status="rendered")
    manifest: Manifest = {
        **(known or began),
        "task": recipe.task,
        "model": recipe.backbone.name,
        "method": recipe.method.name,
        "variant": recipe.variant,
        "command": recipe.command("run"),
        "hardware": recipe.hardware.title,
        "identity": wanted,
        "data": data_identity(recipe.task),
        "expected": _expected(recipe),
    }
    write(folder / "manifest.json", manifest)
    return folder


def _expected(recipe: Recipe) -> Expected:
    """Return what the plan expects of the run, to be held against what it then took."""
    parts, price = recipe.memory.parts if recipe.memory else {}, price_per_hour(recipe.hardware)
    return {
        "memory_gib": round(recipe.memory.total, 2) if recipe.memory else None,
        "memory_parts_gib": {name: round(gib, 2) for name, gib in parts.items()},
        "seconds": round(recipe.seconds),
        "dollars_an_hour": price.dollars if price else None,
    }


Changes = dict[str, tuple[Any, Any]]
"""Key -> what it was and what it is; None where it was not set."""


def _differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> Changes:
    keys = [key for key in sorted({**before, **after}) if before.get(key) != after.get(key)]
    return {key: (before.get(key), after.get(key)) for key in keys}


def _told(changed: Changes) -> str:
    told = []
    for key, values in changed.items():
        old, new = ("unset" if value is None else value for value in values)
        whole = isinstance(values[0] or values[1], dict) or key == "the prepared model"
        told.append(key if whole else f"{key} ({old} -> {new})")
    return ", ".join(told)


def _as_it_began(recipe: Recipe, changed: Changes) -> str:
    """Return the command that goes on as the run began, where SET can say that."""
    plain = replace(recipe, overrides={key: value for key, value in recipe.overrides.items() if key not in changed})
    given = {key: False if old is None else old for key, (old, _) in changed.items() if plain.settings.get(key) != old}
    if not given.keys() <= recipe.settings.keys() or any(changed[key][0] is None and given[key] for key in given):
        return ""
    return f"; as it began: {replace(plain, overrides={**plain.overrides, **given}).command('train')}"


def render_only(recipe: Recipe) -> str:
    """Return the training recipe; write the run's files where nothing was or is being trained."""
    folder = Path(recipe.folder)
    files = render_all(recipe)
    if has_begun(folder) or is_held(folder):
        return files["recipe.yaml"]
    with only_one(folder):
        if card_of(recipe.task):
            write_run(recipe)
        else:  # what depends on the rows is not decided yet
            for name, text in files.items():
                write_text(folder / name, text)
    return files["recipe.yaml"]
