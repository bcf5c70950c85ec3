"""Provenance: which versions of what made a file."""

import platform
import subprocess
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def versions(*packages: str) -> dict[str, str]:
    """Return the versions of Python, of Whetstone's own commit and of `packages` (absent ones left out)."""
    found = {"python": platform.python_version(), "whetstone": commit()}
    for name in packages:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """Return the checkout's commit, "-dirty" behind it when tracked files differ, or "unknown"."""
    try:
        done = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=ROOT, capture_output=True, text=True, timeout=10, check=True,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()
