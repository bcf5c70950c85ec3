"""What a plan must know of this machine: rows, model files, disk, packages, the hub's token. Loads nothing heavy."""

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from common.files import read_json, read_object
from common.hub import hub_cache, hub_home, snapshot
from common.paths import RUNS
from recipes.catalog.datasets import INFO, card_of
from recipes.catalog.machine import nvidia_driver, ram_gb
from recipes.llamafactory.keys import groups
from recipes.llamafactory.launch import uses_ray
from recipes.llamafactory.trial import PLAIN, ask, blind
from recipes.preflight.conflicts import form_of, packages_of
from recipes.prepare.download import faults
from recipes.prepare.prepare import is_prepared
from recipes.recipe import Recipe


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
    card, there = card_of(recipe.task), recipe.overrides
    by_card = recipe.hardware_name == "auto" and recipe.hardware.kind == "cuda"
    found = ask(recipe.settings) if thorough and (by_card or set(there) - PLAIN) else None
    return Surroundings(
        form=_form(recipe.task) if card else "",
        source=card["source"] if card else "",
        lengths=card["lengths"] if card else {},
        own_template=_own_template(_model_folder(recipe)),
        faults=_faults(recipe),
        downloaded=_is_downloaded(recipe),
        disk_free_gb=shutil.disk_usage(_nearest(RUNS)).free / 1e9,
        hub_free_gb=_free_elsewhere(hub_cache()),
        ram_gb=ram_gb() if recipe.hardware_name == "auto" else 0.0,
        missing_packages=missing(
            packages_of(recipe.method.needs, recipe.settings) | ({"ray"} if uses_ray() else set())
        ),
        has_token=has_token(),
        mirror=os.environ.get("HF_ENDPOINT", "") or ("ModelScope" if os.environ.get("USE_MODELSCOPE_HUB") else ""),
        ray=uses_ray(),
        cpu_cores=os.cpu_count() or 1,
        absent=tuple(
            f"{key}={there[key]}" for key in groups()["files"] if key in there and not Path(str(there[key])).exists()
        ),
        refused=found.refused if found and set(there) - PLAIN else "",
        blind=blind(found.torch, recipe.hardware.devices, recipe.hardware.compute_capability)
        if found and by_card
        else "",
        driver=nvidia_driver() if by_card else "",
    )


def _form(task: str) -> str:
    entry = read_object(INFO).get(task)
    return form_of(entry if isinstance(entry, dict) else {})


def _model_folder(recipe: Recipe) -> Path | None:
    """Return the prepared, local or downloaded folder of the backbone; None when it is not here."""
    for folder in (Path(recipe.loaded_path), Path(recipe.model_path)):
        if folder.is_dir():
            return folder
    return snapshot(recipe.model_path)


def _faults(recipe: Recipe) -> tuple[str, ...]:
    folder = _model_folder(recipe)
    # What the hub's client has of a model grows as it is asked for; a folder of one's own must hold all.
    return tuple(faults(folder, complete=Path(recipe.model_path).is_dir())) if folder else ()


def _own_template(folder: Path | None) -> bool | None:
    if folder is None or not (config := folder / "tokenizer_config.json").is_file():
        return None
    return (folder / "chat_template.jinja").is_file() or "chat_template" in read_json(config)


def _nearest(folder: Path) -> Path:
    """Return the folder, or where it would be made: the nearest above it that is there."""
    return next(path for path in (folder, *folder.absolute().parents) if path.exists())


def _free_elsewhere(folder: Path) -> float | None:
    """Return the GB free on a folder's disk; None when that is the disk of runs/."""
    there = _nearest(folder)
    return None if there.stat().st_dev == _nearest(RUNS).stat().st_dev else shutil.disk_usage(there).free / 1e9


def _is_downloaded(recipe: Recipe) -> bool:
    if Path(recipe.loaded_path).is_dir() and is_prepared(recipe.backbone, recipe.dtype):
        return True
    return any(weight_files(recipe))


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
    installed = set()
    for name in packages:
        with suppress(metadata.PackageNotFoundError):
            metadata.version(name)
            installed.add(name)
    return tuple(sorted(packages - installed))
