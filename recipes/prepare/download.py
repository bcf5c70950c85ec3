"""A backbone's files: fetched from the Hugging Face hub (or ModelScope, when LLaMA-Factory's switch says so), whole.

Whether they are whole shows in their first bytes and their sizes: a run should not find out in an hour.
"""

import os
import zipfile
from contextlib import suppress
from pathlib import Path

import orjson

from common.errors import UserError
from common.hub import Repository, snapshot
from recipes.catalog.catalog import Backbone
from recipes.catalog.unknown_model import WEIGHTS

NOT_NEEDED = ("original/*", "*.pth", "*.gguf", "*.onnx*", "*.h5", "*.msgpack", "*.pdf")
POINTER = b"version https://git-lfs"
LONGEST_HEADER = 100_000_000


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
    needed = {"config.json": ("config.json",), "any weights": WEIGHTS, "a tokenizer": ("tokenizer*",)}
    missing += [what for what, patterns in needed.items() if not any([*folder.glob(pattern)] for pattern in patterns)]
    if missing:
        raise UserError(
            f"what was downloaded of {source} lacks {', '.join(missing)} ({folder})",
            f"delete {folder} and prepare again; if it stays so, the repository has changed",
        )


def faults(folder: Path, *, complete: bool) -> list[str]:
    """Return what is wrong with the files of a model folder; `complete`: every shard of an index must be there."""
    absent = missing_shards(folder) if complete else []
    found = [f"{len(absent)} shards are missing: {absent[0]} ..."] if absent else []
    for pattern in ("*.safetensors", "*.bin", "*.model", "*.json"):
        found += [f"{path.name} {fault}" for path in sorted(folder.glob(pattern)) if (fault := _fault(path))]
    return found


def missing_shards(folder: Path) -> list[str]:
    """Return the files that an index of the folder's weights names and that are not there.

    Where there are safetensors, the same weights in another format need not be there.
    """
    named: set[str] = set()
    for index in [*folder.glob("*.safetensors.index.json")] or [*folder.glob("*.index.json")]:
        with suppress(ValueError, KeyError, AttributeError, TypeError):
            named |= set(orjson.loads(index.read_bytes())["weight_map"].values())
    return sorted(name for name in named if not (folder / name).exists())


def _fault(path: Path) -> str:
    """Return what is wrong with a file, "" for nothing that can be seen."""
    if not path.is_file():
        return "is a link to nowhere"
    with path.open("rb") as file:
        start = file.read(len(POINTER))
        if start == POINTER:
            return "is a pointer of git-lfs, not the file itself"
        if path.suffix == ".bin" and start.startswith(b"PK") and not zipfile.is_zipfile(path):
            return "is cut off"
        if path.suffix != ".safetensors":
            return "" if start else "is empty"
        size, length = path.stat().st_size, int.from_bytes(start[:8], "little")
        file.seek(8)
        try:
            header = orjson.loads(file.read(min(length, LONGEST_HEADER)))
            ends = [tensor["data_offsets"][1] for name, tensor in header.items() if name != "__metadata__"]
        except (ValueError, KeyError, AttributeError, TypeError):
            return "is cut off" if length < LONGEST_HEADER and size < 8 + length else "is no safetensors file"
    whole = 8 + length + max(ends, default=0)
    return f"has {size:,} bytes of {whole:,}" if size != whole else ""
