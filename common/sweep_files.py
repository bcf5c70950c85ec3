"""What stands in the files of runs/sweeps/: sweep.json, which is the plan, and state/<id>.json, how far each run is."""

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from common.errors import UserError, nearest
from common.files import write_json
from common.names import VARIANT, root_task
from common.paths import RUNS, folder_name
from common.run_files import SCHEMA, read_as
from common.subprocesses import command

SWEEPS = RUNS / "sweeps"
WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
STEPS = ("train", "heldout", "export", "answer", "judge", "card")
"""The steps of a run, in their order; a sweep can also have `general`, before `card`."""
KEEP = ("adapter", "export")  # what a sweep can keep of each run


@dataclass
class State:
    """state/<id>.json: how far one run of a sweep is."""

    state: str = WAITING
    step: str = ""
    attempts: int = 0
    began: str | None = None
    ended: str | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    error: str | None = None
    where: str = ""
    key: str | None = None  # content key of what was done, or is being done


@dataclass(frozen=True)
class Run:
    """One run of a sweep."""

    id: str  # its folder below runs/, with dots: the same in every sweep that holds this run
    name: str  # what it is called in this sweep
    contestant: str  # what its tuned model is called in the comparison: its name without the task
    base: str  # what its untuned model is called there
    folder: str
    task: str  # TASK, a data variant's name behind a ~
    model: str
    method: str
    variant: str
    hardware: str = "auto"
    gpus: int = 1
    set: str = ""
    data: dict[str, Any] = field(default_factory=dict)
    """{"name", "set"} of its data variant; empty for the task's own rows."""
    point: dict[str, Any] = field(default_factory=dict)  # axis -> this run's value
    baseline: str | None = None  # the id of the run it is to be compared with
    key: str | None = None  # content key of recipe and rows; None before the rows are converted
    devices: int = 0  # cards that it takes; 0 on a CPU
    expected: dict[str, Any] = field(default_factory=dict)

    @property
    def base_task(self) -> str:
        """The task whose rows its data variant is made from."""
        return self.task.partition(VARIANT)[0]

    @property
    def asked_task(self) -> str:
        """The task whose questions it is judged on."""
        return root_task(self.task)


@dataclass(frozen=True)
class Plan:
    """sweep.json: a sweep with all its runs."""

    name: str
    file: str  # the sweep file's path, as it was typed
    runs: list[Run]
    content: str = ""  # the sweep file with the command line's words in their place, as YAML: what the sweep goes on as
    typed: str = ""  # the command that started it
    title: str = ""
    question: str = ""
    axes: dict[str, list[Any]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()  # why runs of the file are not among its runs
    source: str = ""
    limit: int | None = None
    judge: str = "auto"
    questions: str = ""
    max_tokens: int | None = None
    steps: tuple[str, ...] = STEPS
    keep: tuple[str, ...] = KEEP
    contestants: tuple[str, ...] = ()
    force: bool = False
    schema: int = SCHEMA

    @property
    def folder(self) -> Path:
        """Where the sweep keeps what is its own."""
        return SWEEPS / self.name

    @property
    def tasks(self) -> list[str]:
        """The tasks whose questions are asked."""
        return list(dict.fromkeys(run.asked_task for run in self.runs))

    def of_task(self, task: str) -> list[Run]:
        """Return the runs of one task, its data variants and mixes among them."""
        return [run for run in self.runs if run.asked_task == task]

    def run(self, wanted: str) -> Run:
        """Return a run by its id or its name."""
        for run in self.runs:
            if wanted in (run.id, run.name):
                return run
        names = [run.name for run in self.runs]
        hint = nearest(wanted, [*names, *(run.id for run in self.runs)])
        raise UserError(f"{self.name} has no run {wanted!r}", f"{hint} its runs: {', '.join(names)}".strip())

    def log(self, run: Run) -> Path:
        """Return the file with all that the run's commands print."""
        return self.folder / "logs" / f"{run.id}.log"

    def state_file(self, run: Run) -> Path:
        """Return the file of a run's state."""
        return self.folder / "state" / f"{run.id}.json"

    def compare(self, task: str) -> Path:
        """Return the folder in which the models of one task meet."""
        return self.folder / "compare" / task

    def command(self, run: Run) -> list[str]:
        """Return the one command that does a run; to be started in the checkout's root."""
        return command("recipes", "sweep", sweep=self.name, only=run.id)

    def save(self) -> None:
        """Write sweep.json."""
        write_json(self.folder / "sweep.json", asdict(self))


def read_state(plan: Plan, run: Run) -> State:
    """Return a run's state; a new one when there is no file, or none that can be read."""
    try:
        return read_as(plan.state_file(run), State) or State()
    except UserError:
        return State()


def write_state(plan: Plan, run: Run, state: State) -> None:
    """Write a run's state."""
    write_json(plan.state_file(run), asdict(state))


def read_sweep(sweep: str) -> Plan:
    """Read a sweep that was started, by its YAML file, its folder or its name."""
    name = sweep_name(sweep)
    found = read_as(SWEEPS / name / "sweep.json", Plan, "start the sweep again, which writes it anew")
    if found is None:
        there = sorted(path.parent.name for path in SWEEPS.glob("*/sweep.json"))
        hint = nearest(name, there) or (f"there are {', '.join(there)};" if there else "none has been started here;")
        raise UserError(
            f"there is no sweep {name!r} in {SWEEPS}", f"{hint} make sweep SWEEP=recipes/sweeps/....yaml starts one"
        )
    return found


def sweep_name(sweep: str) -> str:
    """Return the name of a sweep that is given by its YAML file, its folder or its name."""
    return folder_name(Path(sweep).stem) if sweep.endswith((".yaml", ".yml")) else Path(sweep.rstrip("/")).name
