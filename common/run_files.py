"""What stands in the files of runs/: manifest.json, heldout.json, metrics.json, trainer_log.jsonl, sweep.json, states.

The only place that names their keys; recipes writes them, eval and the sweeps read them. A key that a file lacks was
not known when it was written. A file that is broken, or of a newer version, is a UserError that names it.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import orjson
from typing_extensions import TypedDict

from common.errors import UserError, nearest
from common.files import BrokenJSONError, read_json, write_json
from common.names import VARIANT, root_task
from common.paths import RUNS, folder_name
from common.subprocesses import command

SCHEMA = 1
"""Version of these files. A reader refuses a newer one; a file without one is of version 1."""
SWEEPS = RUNS / "sweeps"
WAITING, RUNNING, DONE, FAILED = "waiting", "running", "done", "failed"
STEPS = ("train", "heldout", "export", "answer", "judge", "card")
"""The steps of a run, in their order; a sweep can also have `general`, before `card`."""
KEEP = ("adapter", "export")
"""What a sweep can keep of each run."""
Kind = TypeVar("Kind")


class Rows(TypedDict, total=False):
    """One file of a task's rows."""

    rows: int
    sha256: str


class Data(TypedDict, total=False):
    """The rows that a run was trained on: where they came from, and its files by split."""

    source: str
    files: dict[str, Rows]
    system: str
    """The system prompt in front of every row, with which both models are asked too; "" for none."""


class Identity(TypedDict, total=False):
    """What decides the trained weights."""

    settings: dict[str, Any]
    data: dict[str, str]
    prepared: str
    devices: int
    """Cards, or processes on a CPU, that trained together."""


class Expected(TypedDict, total=False):
    """What the plan expected of a run."""

    memory_gib: float | None
    memory_parts_gib: dict[str, float]
    seconds: float
    dollars_an_hour: float | None
    """Of all cards together; None where no price is known."""


class Step(TypedDict, total=False):
    """A step that ended."""

    seconds: float
    results: dict[str, Any]
    """LLaMA-Factory's all_results.json, of the training."""
    peak_vram_gb: float | None
    peak_ram_gb: float | None
    tried: str
    """What the exported model said."""


class Manifest(TypedDict, total=False):
    """manifest.json: what a run is of, and how far it is."""

    schema: int
    task: str
    model: str
    method: str
    variant: str
    command: str
    hardware: str
    status: str
    identity: Identity
    data: Data
    expected: Expected
    steps: dict[str, Step]
    versions: dict[str, str]


class Loss(TypedDict):
    """A model's loss on the held-out rows, nats a token, and exp of it."""

    loss: float
    perplexity: float


class Interval(TypedDict):
    """A difference with its 95 % interval."""

    mean: float
    low: float
    high: float


class RowLosses(TypedDict):
    """Each held-out row's answer tokens, and the summed loss of both models over them."""

    tokens: list[int]
    base: list[float]
    tuned: list[float]


class HeldOut(TypedDict, total=False):
    """heldout.json: how surprised both models are by rows that none was trained on."""

    schema: int
    split: str
    unit: str
    rows: int
    tokens: int
    base: Loss
    tuned: Loss
    difference: Interval
    rows_better: int
    row_losses: RowLosses
    seconds: float
    identity: str


class General(TypedDict, total=False):
    """general.json: which plain instructions base and tuned model follow, checked by program."""

    schema: int
    prompts: dict[str, str]
    """File of prompts -> its SHA-256."""
    left_out: int
    cut_off: dict[str, int]
    scores: dict[str, Any]
    """Language, or all -> prompts, the share that base and tuned pass, and the difference with its interval."""
    checks: dict[str, dict[str, int]]
    lost: list[str]
    gained: list[str]
    lm_eval: dict[str, dict[str, dict[str, float | None]]]
    """base, tuned -> task of lm-eval -> score and standard error."""


class Metrics(TypedDict, total=False):
    """metrics.json: all that is known about a folder's comparisons."""

    schema: int
    folder: str
    task: str
    questions: int
    contestants: dict[str, dict[str, Any]]
    judges: dict[str, dict[str, Any]]
    stale_judgments: int
    comparisons: list[dict[str, Any]]
    ranking: dict[str, list[dict[str, Any]]]
    """Judge -> its ranking, of three contestants or more."""
    seeds: list[dict[str, Any]]
    """Judge and two recipes -> their win rate over several seeds."""
    trained: list[str]
    """Contestants that are tuned models of a sweep's runs."""
    agreement: list[dict[str, Any]]
    choice: Any
    texts: Any
    heldout: HeldOut
    general: General
    versions: dict[str, str]
    files: dict[str, str]
    warnings: list[Any]


class LogRow(TypedDict, total=False):
    """One line of trainer_log.jsonl, as LLaMA-Factory writes it."""

    current_steps: int
    total_steps: int
    loss: float
    eval_loss: float
    lr: float
    epoch: float
    percentage: float
    throughput: float
    elapsed_time: str
    remaining_time: str
    vram_allocated: float
    vram_reserved: float


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
    key: str | None = None
    """Content key of what was done, or is being done."""


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
    data: dict[str, Any] = field(default_factory=dict)
    """{"name", "set"} of its data variant; empty for the task's own rows."""
    point: dict[str, Any] = field(default_factory=dict)
    """Axis -> this run's value."""
    baseline: str | None = None
    """The id of the run it is to be compared with."""
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


@dataclass(frozen=True)
class Plan:
    """sweep.json: a sweep with all its runs."""

    name: str
    file: str
    """The sweep file's path, as it was typed."""
    runs: list[Run]
    content: str = ""
    """The sweep file with the command line's words in their place, as YAML: what the sweep goes on as."""
    typed: str = ""
    """The command that started it."""
    title: str = ""
    question: str = ""
    axes: dict[str, list[Any]] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()
    """Why runs of the file are not among its runs."""
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


def _reader(name: str, kind: type[Kind]) -> Callable[[Path], Kind]:
    return lambda folder: _read(folder / name, kind) or kind()


read_manifest = _reader("manifest.json", Manifest)
read_heldout = _reader("heldout.json", HeldOut)
read_general = _reader("general.json", General)
read_metrics = _reader("metrics.json", Metrics)
"""Return what a run's folder holds of a kind, empty where it was not measured."""


def write(path: Path, content: Manifest | HeldOut | General | Metrics) -> None:
    """Write a manifest, a held-out loss or a result, with the version of its keys."""
    write_json(path, {"schema": SCHEMA, **content})


def read_log(adapter: Path, start: int = 0) -> list[LogRow]:
    """Return the rows that LLaMA-Factory logged in an adapter's folder, from byte `start` on.

    What cannot be read is passed over: a line that is still being written, or was when the run was killed.
    """
    rows: list[LogRow] = []
    with suppress(FileNotFoundError), (adapter / "trainer_log.jsonl").open("rb") as file:
        file.seek(start)
        for line in file:
            with suppress(orjson.JSONDecodeError):
                row = orjson.loads(line)
                if isinstance(row, dict):
                    rows.append(LogRow(**row))
    return rows


def training(folder: Path) -> LogRow:
    """Return the newest facts of a run's training log, the last loss among them; empty before the first step."""
    found = LogRow()
    for row in read_log(folder / "adapter"):
        found.update(row)
    return found


def read_state(plan: Plan, run: Run) -> State:
    """Return a run's state; a new one when there is no file, or none that can be read."""
    try:
        return _read(plan.state_file(run), State) or State()
    except UserError:
        return State()


def write_state(plan: Plan, run: Run, state: State) -> None:
    """Write a run's state."""
    write_json(plan.state_file(run), asdict(state))


def read_sweep(sweep: str) -> Plan:
    """Read a sweep that was started, by its YAML file, its folder or its name."""
    name = sweep_name(sweep)
    found = _read(SWEEPS / name / "sweep.json", Plan, "start the sweep again, which writes it anew")
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


def _read(path: Path, kind: type[Kind], way_out: str = "") -> Kind | None:
    """Return a file's content as `kind`, None when there is no such file; UserError when it is broken."""
    from pydantic import ValidationError

    way_out = way_out or "restore it from a copy, or move its folder away and run the step again"
    try:
        content = read_json(path)
        version = content.get("schema", 1) if isinstance(content, dict) else 1
        if isinstance(version, int) and version > SCHEMA:
            raise UserError(
                f"{path} was written by a newer Whetstone (version {version} of its keys, {SCHEMA} is known here)",
                "update this checkout: git pull; make setup",
            )
        read = _validator(kind).validate_python(content)  # type: ignore[arg-type]
    except FileNotFoundError:
        return None
    except BrokenJSONError as error:
        raise UserError(error.message, way_out) from None
    except ValidationError as error:
        wrong = [f"{'.'.join(map(str, one['loc'])) or 'all of it'}: {one['msg']}" for one in error.errors()]
        raise UserError(f"{path} does not hold what it should: {'; '.join(wrong)}", way_out) from None
    found: Kind = content if isinstance(read, dict) else read  # pydantic leaves keys out that it does not know
    return found


@cache
def _validator(kind: Any) -> Any:
    from pydantic import TypeAdapter

    return TypeAdapter(kind)
