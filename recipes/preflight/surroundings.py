"""What a plan must know of this machine (rows, model files, disk, packages, token), and what a run takes of it.

Loads nothing heavy.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from common.files import read_json, read_object
from common.hub import hub_cache, hub_home, snapshot
from common.paths import RUNS
from recipes.catalog.datasets import INFO, card_of
from recipes.catalog.machine import nvidia_driver, ram_gb
from recipes.estimate.memory import GIB, held_in_ram
from recipes.estimate.weights import saved_bytes
from recipes.llamafactory.keys import groups
from recipes.llamafactory.launch import uses_ray
from recipes.llamafactory.trial import PLAIN, ask, blind
from recipes.preflight.conflicts import form_of, packages_of
from recipes.prepare.download import faults
from recipes.prepare.prepare import is_prepared
from recipes.recipe import Recipe

LOGS_GB = 0.2
EXPORT_GIB = 2.0
"""What merging takes beside the weights: Python with torch in it, and one file of the result."""


@dataclass(frozen=True)
class Surroundings:
    """What was found out about the rows, the model and the machine."""

    form: str = ""
    """The form of the rows (conflicts.ROWS); "" when they are not converted yet."""
    source: str = ""
    lengths: Mapping[str, Any] = field(default_factory=dict)
    """Characters of the training rows, as their card has them."""
    own_template: bool | None = None
    """Whether the model folder has a chat template of its own; None when it is not here yet."""
    faults: tuple[str, ...] = ()
    """What is wrong with the model's files that are here."""
    downloaded: bool = False
    disk_free_gb: float = 0.0
    hub_free_gb: float | None = None
    """Free where the hub's downloads go; None when that is the same disk."""
    ram_gb: float = 0.0
    """RAM of the machine that is rendered for; 0 when unknown."""
    missing_packages: tuple[str, ...] = ()
    has_token: bool = False
    mirror: str = ""
    """Another hub (HF_ENDPOINT or ModelScope), whose rules are its own."""
    ray: bool = False
    """Whether LLaMA-Factory's Ray mode was asked for (USE_RAY)."""
    cpu_cores: int = 0
    absent: tuple[str, ...] = ()
    """Files that SET names and that are not there."""
    refused: str = ""
    """What LLaMA-Factory's own parser says against the recipe."""
    blind: str = ""
    """Why torch cannot compute on this machine's cards."""
    driver: str = ""


def look_around(recipe: Recipe, thorough: bool = False) -> Surroundings:
    """Collect what the checks of a plan need; `thorough`: ask LLaMA-Factory and torch too, which takes seconds."""
    card, there, folder = card_of(recipe.task), recipe.overrides, _model_folder(recipe)
    own_hardware = recipe.hardware_name == "auto"
    by_card, by_set = own_hardware and recipe.hardware.kind == "cuda", bool(set(there) - PLAIN)
    found = ask(recipe.settings) if thorough and (by_card or by_set) else None
    packages = packages_of(recipe.method.needs, recipe.settings) | ({"ray"} if uses_ray() else set())
    files = [key for key in groups()["files"] if key in there]
    config = folder / "tokenizer_config.json" if folder else None
    prepared = Path(recipe.loaded_path).is_dir() and is_prepared(recipe.backbone, recipe.dtype)
    return Surroundings(
        form=form_of(read_object(INFO).get(recipe.task)) if card else "",
        source=card["source"] if card else "",
        lengths=card["lengths"] if card else {},
        own_template=(folder / "chat_template.jinja").is_file() or "chat_template" in read_json(config)
        if folder and config and config.is_file()
        else None,
        # What the hub's client has of a model grows as it is asked for; a folder of one's own must hold all.
        faults=tuple(faults(folder, complete=Path(recipe.model_path).is_dir())) if folder else (),
        downloaded=prepared or any(weight_files(recipe)),
        disk_free_gb=shutil.disk_usage(_nearest(RUNS)).free / 1e9,
        hub_free_gb=_free_elsewhere(hub_cache()),
        ram_gb=ram_gb() if own_hardware else 0.0,
        missing_packages=missing(packages),
        has_token=has_token(),
        mirror=os.environ.get("HF_ENDPOINT", "") or ("ModelScope" if os.environ.get("USE_MODELSCOPE_HUB") else ""),
        ray=uses_ray(),
        cpu_cores=os.cpu_count() or 1,
        absent=tuple(f"{key}={there[key]}" for key in files if not Path(str(there[key])).exists()),
        refused=found.refused if found and by_set else "",
        blind=blind(found.torch, recipe.hardware.devices, recipe.hardware.compute_capability)
        if found and by_card
        else "",
        driver=nvidia_driver() if by_card else "",
    )


def _model_folder(recipe: Recipe) -> Path | None:
    """Return the prepared, local or downloaded folder of the backbone; None when it is not here."""
    here = [folder for folder in (Path(recipe.loaded_path), Path(recipe.model_path)) if folder.is_dir()]
    return here[0] if here else snapshot(recipe.model_path)


def _nearest(folder: Path) -> Path:
    """Return the folder, or where it would be made: the nearest above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _free_elsewhere(folder: Path) -> float | None:
    """Return the GB free on a folder's disk; None when that is the disk of runs/."""
    there = _nearest(folder)
    return None if there.stat().st_dev == _nearest(RUNS).stat().st_dev else shutil.disk_usage(there).free / 1e9


def weights_on_disk(recipe: Recipe) -> int:
    """Return the bytes of the backbone's weights as they lie here; 0 when they are not here."""
    return sum(path.stat().st_size for path in weight_files(recipe))


def weight_files(recipe: Recipe) -> list[Path]:
    """Return the backbone's weights as they lie here."""
    here = _model_folder(recipe)
    kinds = ([*here.glob(kind)] for kind in ("*.safetensors", "pytorch_model*.bin")) if here else ()
    return next(filter(None, kinds), [])


def has_token() -> bool:
    """Tell whether a token of the hub is set or was saved by `hf auth login`; it is not read any further."""
    return bool(os.environ.get("HF_TOKEN")) or (hub_home() / "token").is_file()


def missing(packages: set[str]) -> tuple[str, ...]:
    """Return those of the packages that are not installed."""
    return tuple(sorted(name for name in packages if not list(metadata.distributions(name=name))))


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
