"""Whether a model's files are whole, by their first bytes and their sizes: a run should not find out in an hour."""

import zipfile
from contextlib import suppress
from pathlib import Path

import orjson

POINTER = b"version https://git-lfs"
LONGEST_HEADER = 100_000_000


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
