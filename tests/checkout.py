"""A working directory of its own in which the commands that a user types run as typed, make and all."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UNMEASURED = str(ROOT / "tests" / "unmeasured")
LINKED = ("Makefile", "pyproject.toml", "constraints.txt", "constraints-torch.txt", ".venv")
PACKAGES = ("common", "converters", "recipes", "eval")


class Checkout:
    """A fresh clone as far as the commands can see: the code is the real one, data, models and runs are its own."""

    def __init__(self, folder: Path, environment: dict[str, str] | None = None) -> None:
        self.folder = folder
        for name in (*LINKED, *PACKAGES):
            (folder / name).symlink_to(ROOT / name)
        self.environment = {**os.environ, **(environment or {})}
        for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "MAKEFLAGS", "MAKELEVEL"):
            self.environment.pop(name, None)

    def __call__(self, command: str, timeout: int = 1800) -> str:
        """Run a command that must succeed; return what it printed."""
        done = self.run(command, timeout)
        assert done.returncode == 0, f"$ {command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout

    def fails(self, command: str) -> str:
        """Run a command that must end as a user's mistake does; return its message."""
        done = self.run(command)
        assert done.returncode == 2, f"$ {command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        assert "Traceback" not in done.stderr + done.stdout
        return done.stderr

    def run(self, command: str, timeout: int = 1800) -> subprocess.CompletedProcess[str]:
        """Run a command: `make ...` as it is, `python ...` with the environment's own Python."""
        return subprocess.run(
            self._arguments(command), **self._where(), check=False, capture_output=True, text=True, timeout=timeout
        )

    def start(self, command: str) -> subprocess.Popen[bytes]:
        """Start a command and return at once."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return subprocess.Popen(self._arguments(command), **self._where(), **quiet)

    def _arguments(self, command: str) -> list[str]:
        return ["bash", "-c", command.replace("python -m", f"{sys.executable} -m", 1)]

    def _where(self) -> dict[str, object]:
        return {"cwd": self.folder, "env": self.environment, "stdin": subprocess.DEVNULL}
