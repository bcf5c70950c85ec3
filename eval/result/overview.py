"""All runs at a glance: what each is of, how far it is, what came out, what it takes on disk."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas

from common.errors import UserError
from common.paths import RUNS
from common.process import is_held
from common.progress import notice
from common.run_files import Manifest, read_general, read_heldout, read_manifest, read_metrics

COLUMNS = {
    "task": "task", "model": "model", "method": "method", "variant": "variant", "state": "state",
    "held_out": "held-out loss", "change": "against base", "win_rate": "win rate", "interval": "95 %", "judge": "judge",
    "general": "general, points",
    "hours": "hours", "peak": "peak GiB", "disk": "disk GB", "dollars": "judge $", "page": "page",
}  # fmt: skip
"""Keys of the table, and what they are called in it."""
PARTS = {"checkpoints": ("adapter/checkpoint-*",), "exports": ("export", "gguf")}
"""What of a run can be deleted alone: its paths."""


def table(root: Path = RUNS) -> "pandas.DataFrame":
    """Return a row for each run below `root`, the newest first; its index is the runs' folders.

    Of a run with a broken file it holds what the folder's name says, and that it is broken.
    """
    rows: dict[str, dict[str, Any]] = {}
    for manifest in sorted(root.glob("*/*/*/manifest.json"), key=lambda path: path.stat().st_mtime, reverse=True):
        folder = manifest.parent
        try:
            row = _row(folder)
        except UserError as error:
            notice(str(error))
            row = dict(zip(("task", "model", "method"), folder.parts[-3:], strict=True), state="broken")
        rows[folder.as_posix()] = row | {"disk": size([folder]) / 1e9}
    return pandas.DataFrame.from_dict(rows, orient="index", columns=list(COLUMNS))


def _row(folder: Path) -> dict[str, Any]:
    manifest, heldout, metrics = read_manifest(folder), read_heldout(folder), read_metrics(folder)
    general, steps, page = read_general(folder), manifest.get("steps", {}), folder / "result.html"
    trained, judged = steps.get("train", {}), _judged(metrics.get("comparisons", []))
    spent = [judge["dollars"] for judge in metrics.get("judges", {}).values() if judge.get("dollars") is not None]
    return {
        **{key: manifest.get(key, "") for key in ("task", "model", "method", "variant")},
        "state": _state(folder, manifest),
        "held_out": heldout["tuned"]["loss"] if heldout else None,
        "change": heldout["difference"]["mean"] if heldout else None,
        "win_rate": judged.get("win_rate"),
        "interval": "{:.0%} to {:.0%}".format(*judged["interval"]) if judged else "",
        "judge": judged.get("judge", ""),
        "general": 100 * general["scores"]["all"]["difference"]["mean"] if general else None,
        "hours": sum(step.get("seconds", 0) for step in steps.values()) / 3600 or None,
        "peak": trained.get("peak_vram_gb") or trained.get("peak_ram_gb"),
        "dollars": sum(spent) if spent else None,
        "page": str(page) if page.is_file() else "",
    }


def _judged(comparisons: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the comparison of tuned and base that counts most: by people, a panel, a model, then the proxy."""
    rank = {"human": 0, "panel": 1, "model": 2}
    ours = [row for row in comparisons if (row["a"], row["b"]) == ("tuned", "base") and row["win_rate"] is not None]
    return min(ours, key=lambda row: rank.get(row["kind"], 3), default={})


def _state(folder: Path, manifest: Manifest) -> str:
    if is_held(folder):
        return "running"
    if (folder / "metrics.json").is_file():
        return "judged"
    if not manifest.get("steps") and any(folder.glob("adapter/checkpoint-*")):
        return "interrupted"
    return manifest.get("status", "")


def size(paths: Iterable[Path]) -> int:
    """Return the bytes of files and folders."""
    files = (file for path in paths for file in ([path] if path.is_file() else path.rglob("*")))
    return sum(file.lstat().st_size for file in files if not file.is_dir())
