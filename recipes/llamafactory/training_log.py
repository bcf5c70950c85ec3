"""What a person sees while LLaMA-Factory trains: the phase it is in, steps and loss, from its own logs."""

import re
from pathlib import Path

from common.progress import Progress
from common.run_files import read_log

LOADING, TRAINING, EVALUATING, SAVING = "loading rows and model", "training", "evaluating", "saving"
MARKS = {
    "***** Running training *****": TRAINING,
    "***** Running Evaluation *****": EVALUATING,
    "Saving model checkpoint to": SAVING,
}
"""What the trainer logs when a phase begins."""
RESUMED = re.compile(r"Resuming training from checkpoint .* global step (\d+)")
COUNTED = re.compile(r"^\s*([A-Za-z][^:|]*)?:?\s*\d+%\|[^|]*\|\s*(\d+)/(\d+)")
"""A progress bar of another program: what it counts (maybe nothing), how many, of how many."""


class TrainingProgress(Progress):
    """Shows loading, then optimizer steps with the latest loss, then evaluating and saving, each with its name."""

    def __init__(self, run: Path) -> None:
        super().__init__(LOADING, 0)
        self._adapter, self._words = run / "adapter", run / "logs" / "train.log"
        self._facts_from, self._words_from = (
            path.stat().st_size if path.is_file() else 0 for path in (self._adapter / "trainer_log.jsonl", self._words)
        )
        self._phase = LOADING
        self._resumed_at = 0
        self._bar: tuple[str, int, int] | None = None

    def update(self, _: str = "") -> None:
        """Show where the training is."""
        self._read_words()
        rows = [row for row in read_log(self._adapter, self._facts_from) if row.get("total_steps")]
        if self._phase == EVALUATING:
            self.begin(EVALUATING, self._bar[2] if self._bar else 0)
            self.done = self._bar[1] if self._bar else 0
            self.note = f"after step {rows[-1]['current_steps']} of {rows[-1]['total_steps']}" if rows else ""
        elif rows and self._phase in (TRAINING, LOADING):
            before = None  # the clock runs since training began, or went on after an evaluation
            if self.label in (EVALUATING, SAVING):
                before = rows[-1]["current_steps"]
            elif not self.total:
                before = self._resumed_at
            self.begin(TRAINING, rows[-1]["total_steps"], before)
            self.done = rows[-1]["current_steps"]
            losses = [row["loss"] for row in rows if "loss" in row]
            self.note = f"loss {losses[-1]:.3f}" if losses else ""
        else:
            self.begin(self._phase)
            named = self._bar if self._bar and self._bar[0] and self._phase == LOADING else None
            self.note = f"{named[0].lower()} {named[1]}/{named[2]}" if named else ""
        self.show()

    def _read_words(self) -> None:
        """Go through what was logged since; only whole lines, a bar's carriage returns counting as line ends."""
        if not self._words.is_file():
            return
        with self._words.open("rb") as file:
            file.seek(self._words_from)
            new = file.read()
        whole = max(new.rfind(b"\n"), new.rfind(b"\r")) + 1
        self._words_from += whole
        for line in new[:whole].decode(errors="replace").replace("\r", "\n").splitlines():
            if resumed := RESUMED.search(line):
                self._resumed_at = int(resumed[1])
            phase = next((phase for mark, phase in MARKS.items() if mark in line), "")
            if phase:
                self._phase, self._bar = phase, None
            elif found := COUNTED.match(line):
                self._bar = (found[1] or "").strip(), int(found[2]), int(found[3])
                if self._phase in (EVALUATING, SAVING) and self._bar[0] == "" and self._is_step(self._bar):
                    self._phase, self._bar = TRAINING, None

    def _is_step(self, bar: tuple[str, int, int]) -> bool:
        """Tell whether a bar is that of the optimizer's steps again, and so an evaluation or a saving is over."""
        rows = read_log(self._adapter, self._facts_from)
        return bool(rows) and bar[2] == rows[-1].get("total_steps") and bar[1] > rows[-1].get("current_steps", 0)
