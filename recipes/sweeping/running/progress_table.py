"""The table of a sweep's runs while they run: state, step, loss, speed, time left, read from files on disk."""

import sys
from pathlib import Path

from common.run_files import DONE, FAILED, RUNNING, LogRow, State, training
from recipes.estimate.duration import in_words
from recipes.sweeping.planning.preview import aligned
from recipes.sweeping.running import state as states
from recipes.sweeping.sweep import Plan, Run

HEAD = ("run", "state", "step", "loss", "tokens/s", "left", "where")


def lines(plan: Plan) -> list[str]:
    """Return the table as it stands now."""
    found = [(run, states.read(plan, run)) for run in plan.runs]
    rows = [HEAD, *(_row(run, state) for run, state in found)]
    failed = [f"  {run.name} failed at {state.step}: {state.error}" for run, state in found if state.state == FAILED]
    done = sum(state.state == DONE for _, state in found)
    return [f"{plan.name}: {done} of {len(found)} done", *aligned(rows), *failed]


def _row(run: Run, state: State) -> tuple[str, ...]:
    now = state.state
    if now == RUNNING and not states.is_alive(run):
        now = "broken off"
    last = training(Path(run.folder)) if now == RUNNING and state.step == "train" else LogRow()
    step = state.step + (f" {last['current_steps']}/{last['total_steps']}" if last.get("total_steps") else "")
    loss, speed = last.get("loss"), last.get("throughput")
    spent = in_words(sum(state.seconds.values())) if state.state == DONE else ""
    return (
        run.name, now, step, f"{loss:.3f}" if loss is not None else "", f"{speed:.0f}" if speed else "",
        str(last.get("remaining_time") or spent), state.where,
    )  # fmt: skip


class View:
    """Shows the table: redrawn in place on a terminal, a line for each change elsewhere."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._drawn = 0
        self._seen: dict[str, tuple[str, str]] = {}

    def show(self) -> None:
        """Show what is new."""
        if sys.stdout.isatty():
            text = lines(self._plan)
            up = f"\x1b[{self._drawn}A" if self._drawn else ""
            print(up + "".join(f"\x1b[2K{line}\n" for line in text), end="", flush=True)
            self._drawn = len(text)
            return
        for run in self._plan.runs:
            state = states.read(self._plan, run)
            now = (state.state, state.step)
            if self._seen.get(run.id, ("waiting", "")) != now:
                self._seen[run.id] = now
                why = f": {state.error}" if state.error else ""
                print(f"  {run.name}: {' '.join(filter(None, now))}{why}", flush=True)
