"""What a person sees while LLaMA-Factory trains: its own trainer_log.jsonl as steps, loss and time left."""

import re
from pathlib import Path
from typing import Any

import orjson

from common.progress import Progress


class TrainingProgress:
    """Optimizer steps done, with the latest loss; before the first step, what LLaMA-Factory says."""

    def __init__(self, folder: Path) -> None:
        self._log = folder / "trainer_log.jsonl"
        self._read_from = self._log.stat().st_size if self._log.is_file() else 0
        self._shown = Progress("LLaMA-Factory loads rows and model", 0)

    def update(self, last_line: str) -> None:
        """Show where the training is; `last_line` is the newest of its log."""
        rows = self._new_rows()
        if not rows:
            # A closing bracket or an empty bar says nothing; a download's file and share do.
            self._shown.note = last_line[:100] if re.match(r"\W*[A-Za-z]{3}", last_line) else ""
            self._shown.show()
            return
        if not self._shown.total:
            self._shown = Progress("training, step", rows[-1]["total_steps"])
            self._shown.before = rows[0]["current_steps"] - 1
        losses = [row["loss"] for row in rows if "loss" in row]
        self._shown.done = rows[-1]["current_steps"]
        self._shown.note = f"loss {losses[-1]:.3f}" if losses else ""
        self._shown.show()

    def finish(self) -> None:
        """Show the last state and end the line."""
        self._shown.show(last=True)

    def _new_rows(self) -> list[dict[str, Any]]:
        """Return this try's rows; the last line may still be half written."""
        if not self._log.is_file():
            return []
        with self._log.open("rb") as file:
            file.seek(self._read_from)
            lines = file.read().split(b"\n")
        rows = [orjson.loads(line) for line in lines[:-1] if line]
        return [row for row in rows if row.get("total_steps")]
