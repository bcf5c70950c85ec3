"""A backbone's files from the Hugging Face hub (or ModelScope, when LLaMA-Factory's own switch says so)."""

import os
from pathlib import Path

from common.errors import UserError
from common.hub import Repository, snapshot
from recipes.catalog.catalog import Backbone
from recipes.prepare.weights import missing_shards

NOT_NEEDED = ("original/*", "*.pth", "*.gguf", "*.onnx*", "*.h5", "*.msgpack", "*.pdf")
WEIGHTS = ("*.safetensors", "*.bin")


def uses_modelscope() -> bool:
    """Tell whether models come from ModelScope: the variable that LLaMA-Factory itself goes by."""
    return os.environ.get("USE_MODELSCOPE_HUB", "0").lower() in ("1", "true")


def download(backbone: Backbone) -> Path:
    """Return the folder with all of the backbone's files; what was downloaded before is kept, also of a broken try."""
    if uses_modelscope():
        if not backbone.modelscope:
            raise UserError(
                f"{backbone.name} is not known to be on ModelScope",
                "take it from the Hugging Face hub: unset USE_MODELSCOPE_HUB",
            )
        from modelscope import snapshot_download

        folder = Path(snapshot_download(backbone.modelscope, ignore_file_pattern=list(NOT_NEEDED)))
    else:
        folder = repository(backbone).snapshot(NOT_NEEDED, (".safetensors", "*.bin"))  # the same weights again
    check_whole(folder, backbone.hub)
    return folder


def repository(backbone: Backbone) -> Repository:
    """Return where the backbone is on the hub."""
    return Repository(backbone.hub, revision=backbone.revision, way_out=f"make prepare MODEL={backbone.name}")


def ensure_config(backbone: Backbone) -> None:
    """Fetch the config.json of a hub id that no entry speaks for: a plan needs its shape, and a wrong id shows."""
    if not (backbone.shape or not backbone.hub or uses_modelscope() or snapshot(backbone.hub)):
        repository(backbone).download("config.json", backbone.revision)


def check_whole(folder: Path, source: str) -> None:
    """Stop when weights, config or tokenizer are missing from what was downloaded."""
    missing = missing_shards(folder)
    for what, patterns in (
        ("config.json", ("config.json",)),
        ("any weights", WEIGHTS),
        ("a tokenizer", ("tokenizer*",)),
    ):
        if not any(path for pattern in patterns for path in folder.glob(pattern)):
            missing.append(what)
    if missing:
        raise UserError(
            f"what was downloaded of {source} lacks {', '.join(missing)} ({folder})",
            f"delete {folder} and prepare again; if it stays so, the repository has changed",
        )
