"""Where the hub's client keeps what it downloaded, looked at without importing it."""

import os
from pathlib import Path


def hub_home() -> Path:
    """Return the folder of the hub's client: downloads and the token of `hf auth login`."""
    return Path(os.environ.get("HF_HOME") or "~/.cache/huggingface").expanduser()


def hub_cache() -> Path:
    """Return the folder that downloads go to."""
    return Path(os.environ.get("HF_HUB_CACHE") or hub_home() / "hub")


def snapshot(repository: str) -> Path | None:
    """Return the newest downloaded snapshot of a model, whole or not; None when there is none."""
    found = (hub_cache() / f"models--{repository.replace('/', '--')}" / "snapshots").glob("*/")
    return max(found, key=lambda path: path.stat().st_mtime, default=None)
