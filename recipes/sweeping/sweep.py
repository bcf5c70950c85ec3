"""A sweep as it will be run: `runs/sweeps/<name>/sweep.json`, from which every other part works."""

import sys
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import orjson

from common.errors import UserError, nearest
from common.files import read_json, write_json
from common.names import VARIANT, root_task
from common.paths import RUNS, folder_name
from recipes.sweeping.planning.spec import KEEP, STEPS
from recipes.sweeping.planning.values import Settings

SWEEPS = RUNS / "sweeps"
SCHEMA = 1


@dataclass(frozen=True)
class Run:
    """One run of a sweep."""

    id: str
    """Its folder below runs/, with dots: the same in every sweep that holds this run."""
    name: str
    """What it is called in this sweep."""
    contestant: str
    """What its tuned model is called in the comparison: its name without the task."""
    base: str
    """What its untuned model is called there."""
    folder: str
    task: str
    """TASK, a data variant's name behind a ~."""
    model: str
    method: str
    variant: str
    hardware: str = "auto"
    gpus: int = 1
    set: str = ""
    data: Settings = field(default_factory=dict)
    """{"name", "set"} of its data variant; empty for the task's own rows."""
    point: dict[str, Any] = field(default_factory=dict)
    baseline: str | None = None
    """The run it is to be compared with."""
    key: str | None = None
    """Content key of recipe and rows; None before the rows are converted."""
    devices: int = 0
    """Cards that it takes; 0 on a CPU."""
    expected: dict[str, Any] = field(default_factory=dict)

    @property
    def base_task(self) -> str:
        """The task whose rows its data variant is made from."""
        return self.task.partition(VARIANT)[0]

    @property
    def asked_task(self) -> str:
        """The task whose questions it is judged on."""
        return root_task(self.task)

    def words(self) -> list[str]:
        """Return the options that name this run to every command."""
        pairs = {"task": self.task, "model": self.model, "method": self.method, "variant": self.variant}
        return [word for name, value in pairs.items() if value for word in (f"--{name}", value)]


@dataclass(frozen=True)
class Plan:
    """A sweep with all its runs."""

    name: str
    file: str
    runs: list[Run]
    title: str = ""
    question: str = ""
    axes: dict[str, list[Any]] = field(default_factory=dict)
    baseline: str | None = None
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
        raise UserError(
            f"{self.name} has no run {wanted!r}", " ".join(filter(None, [hint, f"its runs: {', '.join(names)}"]))
        )

    def log(self, run: Run) -> Path:
        """Return the file with all that the run's commands print."""
        return self.folder / "logs" / f"{run.id}.log"

    def compare(self, task: str) -> Path:
        """Return the folder in which the models of one task meet."""
        return self.folder / "compare" / task

    def command(self, run: Run) -> list[str]:
        """Return the one command that does a run; to be started in the checkout's root."""
        return [sys.executable, "-m", "recipes", "sweep", "--sweep", self.name, "--only", run.id]

    def save(self) -> None:
        """Write sweep.json."""
        write_json(self.folder / "sweep.json", asdict(self))


def load(name: str) -> Plan:
    """Read a sweep's plan by its name."""
    path = SWEEPS / name / "sweep.json"
    if not path.is_file():
        there = [found.parent.name for found in sorted(SWEEPS.glob("*/sweep.json"))]
        hint = nearest(name, there) or (f"there are {', '.join(there)}" if there else "none has been started here")
        raise UserError(
            f"there is no sweep {name!r} in {SWEEPS}", f"{hint}; make sweep SWEEP=recipes/sweeps/....yaml starts one"
        )
    try:
        content = read_json(path)
    except orjson.JSONDecodeError as error:
        raise UserError(f"{path} is not JSON ({error})", "start the sweep again, which writes it anew") from None
    known = {item.name for item in fields(Plan)}
    values = {key: value for key, value in content.items() if key in known}
    run_fields = {item.name for item in fields(Run)}
    runs = [Run(**{key: value for key, value in run.items() if key in run_fields}) for run in values.pop("runs")]
    for key in ("steps", "keep", "contestants"):
        values[key] = tuple(values.get(key, ()))
    return Plan(**values, runs=runs)


def name_of(sweep: str) -> str:
    """Return the name of a sweep that is given by its file, its folder or its name."""
    return folder_name(Path(sweep).stem) if sweep.endswith((".yaml", ".yml")) else Path(sweep.rstrip("/")).name
