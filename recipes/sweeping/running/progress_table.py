"""The table of a sweep's runs while they run: state, step, loss, speed, time left, read from files on disk."""

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import mean, stdev
from typing import Self

from rich.live import Live
from rich.text import Text

from common.overrides import as_set
from common.process import is_held
from common.run_files import LogRow, read_general, read_heldout, training
from common.sweep_files import DONE, FAILED, RUNNING, Plan, Run, State, read_state
from recipes.estimate.duration import in_words
from recipes.sweeping.planning.preview import aligned
from recipes.sweeping.running.one_run import lock_folder

VARIES = (
    "training varies by itself: a small difference may be no more than that (an axis `seed: [42, 43, 44]` shows it)"
)
HEAD = ("run", "state", "step", "loss", "held-out", "general", "tokens/s", "left", "where")


def lines(plan: Plan) -> list[str]:
    """Return the table as it stands now."""
    found = [(run, read_state(plan, run)) for run in plan.runs]
    done = sum(state.state == DONE for _, state in found)
    failed = [f"  {run.name} failed at {state.step}: {state.error}" for run, state in found if state.state == FAILED]
    spread = [f"  over seeds: {line}" for line in _over_seeds(plan, found)] or [f"  {VARIES}"] * (done > 1)
    head = f"{plan.name}: {done} of {len(found)} done"
    return [head, *aligned([HEAD, *(_row(*one) for one in found)]), *spread, *failed]


def _over_seeds(plan: Plan, found: list[tuple[Run, State]]) -> Iterator[str]:
    """Yield the held-out loss of the done runs that differ in their seed alone: mean and standard deviation."""
    groups: dict[str, list[tuple[str, float]]] = {}
    for run, state in found:
        if "seed" in plan.axes and state.state == DONE and (loss := read_heldout(Path(run.folder)).get("tuned")):
            rest = as_set({"": run.task} | {key: value for key, value in run.point.items() if key != "seed"})
            groups.setdefault(rest, []).append((run.name, loss["loss"]))
    for runs in groups.values():
        if len(runs) > 1:
            names, losses = zip(*runs, strict=True)
            yield f"{', '.join(names)}: held-out {mean(losses):.3f}, SD {stdev(losses):.3f}"


def _row(run: Run, state: State) -> tuple[str, ...]:
    broken = state.state == RUNNING and not is_held(lock_folder(run))
    last = training(Path(run.folder)) if state.state == RUNNING and state.step == "train" else LogRow()
    loss, speed = last.get("loss"), last.get("throughput")
    tuned = read_heldout(Path(run.folder)).get("tuned") if state.state == DONE else None
    scores = read_general(Path(run.folder)).get("scores") if state.state == DONE else None
    spent = in_words(sum(state.seconds.values())) if state.state == DONE else ""
    return (
        run.name, "broken off" if broken else state.state,
        state.step + (f" {last['current_steps']}/{last['total_steps']}" if last.get("total_steps") else ""),
        f"{loss:.3f}" if loss is not None else "", f"{tuned['loss']:.3f}" if tuned else "",
        f"{100 * scores['all']['difference']['mean']:+.1f}" if scores else "",
        f"{speed:.0f}" if speed else "", str(last.get("remaining_time") or spent), state.where,
    )  # fmt: skip


class View:
    """Shows the table: redrawn in place on a terminal, a line for each change elsewhere."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._seen: dict[str, tuple[str, str]] = {}
        self._live = Live(auto_refresh=False, transient=True)

    def __enter__(self) -> Self:
        if sys.stdout.isatty():
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self) -> None:
        """Show what is new."""
        if sys.stdout.isatty():
            table = Text("\n".join(lines(self._plan)), no_wrap=True, overflow="ellipsis")
            self._live.update(table, refresh=True)
            return
        for run in self._plan.runs:
            state = read_state(self._plan, run)
            now = (state.state, state.step)
            if self._seen.get(run.id, ("waiting", "")) != now:
                self._seen[run.id] = now
                why = f": {state.error}" if state.error else ""
                print(f"  {run.name}: {' '.join(filter(None, now))}{why}", flush=True)
