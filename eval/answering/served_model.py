"""Which model a run's `serve/<who>.yaml` names: what it is called in the cache of answers, and its folder here."""

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError
from common.files import read_object, sha256_of, write_text
from common.paths import MODELS
from common.subprocesses import call

CONTEXT = ("max_position_embeddings", "n_positions", "seq_length", "model_max_length")
"""What configurations call the length of a model's context."""
SAMPLE = 2**16
"""Bytes that are read at each of three places of a file: weights of another training differ in all of them."""


def settings_of(config: Path) -> dict[str, Any]:
    """Return what the file says; UserError when there is none."""
    if not config.is_file():
        raise UserError(f"there is no {config} to serve a model from", "make export TASK=... MODEL=... writes it")
    return yaml.safe_load(config.read_text(encoding="utf-8")) or {}


def serving(run: Path, who: str) -> Path:
    """Return the file that a run's base or tuned model is served by."""
    return run / "serve" / f"{who}.yaml"


def _here(run: Path, who: Iterable[str]) -> list[dict[str, Any]]:
    """Return what the files of a run's models say, of those that are here."""
    return [settings_of(config) for name in who if (config := serving(run, name)).is_file()]


def thinking(run: Path, who: Iterable[str]) -> bool:
    """Tell whether one of a run's models is served so that it thinks first; LLaMA-Factory's default says nothing."""
    return any(settings.get("enable_thinking") is True for settings in _here(run, who))


def context_of(run: Path, who: Iterable[str]) -> int:
    """Return how many tokens question and answer can have together in the smallest of a run's models; 0: not known."""
    found = []
    for settings in _here(run, who):
        facts = read_object(Path(str(settings.get("model_name_or_path", ""))) / "config.json")
        found += [int(facts[name]) for name in CONTEXT if isinstance(facts.get(name), int)][:1]
    return min(found, default=0)


def identity(config: Path) -> str:
    """Return what names a served model in the cache: its settings, and what its files hold, on any machine.

    Where the model's folder is not on this machine (a run's folder that was moved, a Colab that was lost), it is the
    model that was here last: its answers need not be asked for again.
    """
    settings = settings_of(config)
    folders, record = _folders(settings), config.with_name(f".{config.stem}.files")
    known = record.read_text(encoding="utf-8") if record.is_file() else ""
    files = known
    if not known or all(folder.is_dir() for folder in folders):
        files = sha256_of([content(folder) for folder in folders])
    if files != known:
        write_text(record, files)
    return f"served {sha256_of([settings, files])}"


def _folders(settings: dict[str, Any]) -> list[Path]:
    return [Path(str(settings[key])) for key in ("model_name_or_path", "adapter_name_or_path") if settings.get(key)]


def content(folder: Path) -> list[tuple[str, int, str]]:
    """Return name, size and a digest of samples of each file in a model's folder; empty for a hub id."""
    files = [file for file in (sorted(folder.iterdir()) if folder.is_dir() else []) if file.is_file()]
    # A model card is written anew after each measurement.
    return [(file.name, file.stat().st_size, _sampled(file)) for file in files if file.suffix != ".md"]


def _sampled(path: Path) -> str:
    size, digest = path.stat().st_size, hashlib.sha256()
    with path.open("rb") as file:
        for place in sorted({0, max(0, size // 2 - SAMPLE // 2), max(0, size - SAMPLE)}):
            file.seek(place)
            digest.update(file.read(SAMPLE))
    return digest.hexdigest()


def ensure_here(run: Path, config: Path) -> None:
    """Make the prepared folder of a run's backbone where it is not on this machine; end as that command ends.

    Raises UserError where what the run itself was to make is not there.
    """
    manifest = read_object(run / "manifest.json")
    missing = [path for path in _folders(settings_of(config)) if not path.is_dir()]
    own = [path for path in missing if path.resolve().is_relative_to(run.resolve())]
    prepared = [path for path in missing if path.parts[:1] == MODELS.parts]
    if own or (prepared and not manifest.get("model")):
        made = "exported" if "train" in manifest.get("steps", {}) else "trained"
        raise UserError(
            f"{run} has not been {made} yet: there is no {(own or prepared)[0]}",
            manifest.get("command") or f"{run}/recipe.yaml has the command in its first lines",
        )
    for path in prepared:
        dtype = path.name.rpartition("-")[2]
        call("recipes", "prepare", model=manifest["model"], dtype=dtype if dtype in ("float16", "float32") else "")
