"""What stands in the files of a run's folder: manifest.json, heldout.json, general.json, metrics.json, trainer_log.

The only place that names their keys; recipes writes them, eval and the sweeps read them. A key that a file lacks was
not known when it was written. A file that is broken, or of a newer version, is a UserError that names it.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import orjson
from typing_extensions import TypedDict

from common.errors import UserError
from common.files import BrokenJSONError, read_json, write_json

SCHEMA = 1  # version of these files. A reader refuses a newer one; a file without one is of version 1.
Kind = TypeVar("Kind")


class Rows(TypedDict, total=False):
    """One file of a task's rows."""

    rows: int
    sha256: str


class Data(TypedDict, total=False):
    """The rows that a run was trained on: where they came from, and its files by split."""

    source: str
    files: dict[str, Rows]
    system: str  # the system prompt in front of every row, with which both models are asked too; "" for none


class Identity(TypedDict, total=False):
    """What decides the trained weights."""

    settings: dict[str, Any]
    data: dict[str, str]
    prepared: str
    devices: int  # cards, or processes on a CPU, that trained together


class Expected(TypedDict, total=False):
    """What the plan expected of a run."""

    memory_gib: float | None
    memory_parts_gib: dict[str, float]
    seconds: float
    dollars_an_hour: float | None  # of all cards together; None where no price is known


class Step(TypedDict, total=False):
    """A step that ended."""

    seconds: float
    results: dict[str, Any]  # LLaMA-Factory's all_results.json, of the training.
    peak_vram_gb: float | None
    peak_ram_gb: float | None
    tried: str  # what the exported model said


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
    prompts: dict[str, str]  # file of prompts -> its SHA-256
    left_out: int
    cut_off: dict[str, int]
    scores: dict[str, Any]
    """Language, or all -> prompts, the share that base and tuned pass, and the difference with its interval."""
    checks: dict[str, dict[str, int]]
    lost: list[str]
    gained: list[str]
    lm_eval: dict[str, dict[str, dict[str, float | None]]]  # base, tuned -> task of lm-eval -> score and standard error


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
    ranking: dict[str, list[dict[str, Any]]]  # judge -> its ranking, of three contestants or more
    seeds: list[dict[str, Any]]  # judge and two recipes -> their win rate over several seeds
    trained: list[str]  # contestants that are the tuned models of runs which meet here
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
    epoch: float
    percentage: float
    throughput: float
    elapsed_time: str
    remaining_time: str
    vram_reserved: float


def _reader(name: str, kind: type[Kind]) -> Callable[[Path], Kind]:
    return lambda folder: read_as(folder / name, kind) or kind()


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


def read_as(path: Path, kind: type[Kind], way_out: str = "") -> Kind | None:
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
