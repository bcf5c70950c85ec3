"""python -m tests.bench.converting: the converters at full size, beside the floor and beside datasets.map, in one run.

The floor reads and writes the same rows with the fastest JSON library and does nothing else, in one process. The
datasets.map version maps the same columns, with as many processes as we use, and has none of the quality steps.
"""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import click
import orjson

from common.errors import UserError, run_cli
from common.paths import CACHE
from converters.passes.worker_pool import workers
from converters.registry import ORDER
from tests.bench.lookalikes import write_task
from tests.bench.measure import Measured, measure


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    task: str
    rows: int
    megabytes: float
    ours: Measured
    floor: Measured | None
    mapped: Measured | None


def bench(tasks: list[str], scale: float, compare: bool) -> str:
    """Measure the tasks (all six by default) on look-alikes at `scale` of their size; return a table."""
    unknown = [name for name in tasks if name not in ORDER]
    if unknown:
        raise UserError(f"no look-alikes for {', '.join(unknown)}", f"there are: {', '.join(ORDER)}")
    data = (CACHE / f"lookalikes-{scale:g}").resolve()
    work = (CACHE / "bench").resolve()
    lines = []
    for task in tasks or ORDER:
        size = write_task(task, data, scale)
        lines.append(_measure(task, size, data / task, work, compare))
        print(_row(lines[-1]), file=sys.stderr, flush=True)
    shutil.rmtree(work, ignore_errors=True)
    return table(lines, scale)


def _measure(task: str, size: int, source: Path, work: Path, compare: bool) -> Line:
    commands = {
        "ours": ["-m", "converters", "convert", "--task", task, "--source", str(source)],
        "floor": ["-c", f"from tests.bench.converting import floor; floor({str(source)!r})"],
        "mapped": ["-c", f"from tests.bench.converting import mapped; mapped({task!r}, {str(source)!r})"],
    }
    found: dict[str, Measured] = {}
    for name, command in commands.items():
        if name != "ours" and not compare:
            continue
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        found[name] = measure([sys.executable, *command], work)
        if found[name].status:
            raise UserError(f"{name} failed on {task}:\n{found[name].output[-2000:]}")
        if name == "ours":
            card = orjson.loads((work / f"data/{task}/card.json").read_bytes())
            assert card["judged_questions"], "the rows were not searched for the judged questions"
    return Line(task, card["rows"], size / 1e6, found["ours"], found.get("floor"), found.get("mapped"))


def floor(source: str) -> None:
    """Read every row of a folder and write it again, with nothing in between."""
    import csv

    from pyarrow import parquet

    files = sorted(path for path in Path(source).rglob("*.*") if path.is_file() and not path.name.startswith("."))
    with Path("floor.jsonl").open("wb") as out:
        for path in files:
            if path.suffix == ".jsonl":
                with path.open("rb") as lines:
                    for line in lines:
                        out.write(orjson.dumps(orjson.loads(line), option=orjson.OPT_APPEND_NEWLINE))
                continue
            if path.suffix == ".json":
                rows = orjson.loads(path.read_bytes())
            elif path.suffix == ".csv":
                csv.field_size_limit(sys.maxsize)
                with path.open(newline="", encoding="utf-8") as table_file:
                    rows = list(csv.DictReader(table_file))
            else:
                rows = parquet.read_table(path).to_pylist()
            for row in rows:
                out.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))


COLUMNS = {
    "medical_en": ("Question", "", "Answer"),
    "medical_zh": ("question", "", "answer"),
    "law_zh": ("input", "", "output"),
}


def mapped(task: str, source: str) -> None:
    """Do the plain mapping of columns with datasets.map, file by file, and write JSON Lines."""
    os.environ["HF_DATASETS_CACHE"] = str(Path("hf").resolve())
    from datasets import load_dataset

    asked, given, told = COLUMNS.get(task, ("instruction", "input", "output"))

    def alpaca(row: dict[str, str]) -> dict[str, str]:
        return {"instruction": row[asked], "input": row[given] if given else "", "output": row[told]}

    for path in sorted(Path(source).rglob("*.*")):
        if not path.is_file() or path.name.startswith("."):
            continue
        kind = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet"}[path.suffix]
        rows = load_dataset(kind, data_files=str(path), split="train")
        done = rows.map(alpaca, remove_columns=rows.column_names, num_proc=min(workers(), len(rows)))
        done.to_json(f"{path.stem}.jsonl", force_ascii=False, num_proc=workers())


HEAD = (
    f"{'task':<12} {'rows':>10} {'MB':>8} {'seconds':>9} {'rows/s':>9} {'MB/s':>6} {'CPU s':>6} {'peak MB':>8}"
    f" {'floor s':>9} {'x floor':>8} {'map s':>7} {'map peak MB':>12}"
)


def _row(line: Line) -> str:
    ours = line.ours
    told = (
        f"{line.task:<12} {line.rows:>10,} {line.megabytes:>8.1f} {ours.seconds:>9.1f}"
        f" {line.rows / ours.seconds:>9,.0f} {line.megabytes / ours.seconds:>6.1f}"
        f" {ours.processor_seconds:>6.0f} {ours.peak_mb:>8,.0f}"
    )
    if line.floor and line.mapped:
        told += (
            f" {line.floor.seconds:>9.1f} {ours.seconds / line.floor.seconds:>8.1f}"
            f" {line.mapped.seconds:>7.1f} {line.mapped.peak_mb:>12,.0f}"
        )
    return told


def table(lines: list[Line], scale: float) -> str:
    """Return all lines and their sum as a table."""
    rows, size = sum(line.rows for line in lines), sum(line.megabytes for line in lines)

    def total(name: str) -> Measured | None:
        parts = [part for line in lines if (part := getattr(line, name))]
        if not parts:
            return None
        peak = max(part.peak_mb for part in parts)
        return Measured(
            sum(part.seconds for part in parts), sum(part.processor_seconds for part in parts), peak, 0, ""
        )  # fmt: skip

    ours = total("ours")
    assert ours is not None
    whole = Line("all", rows, size, ours, total("floor"), total("mapped"))
    shared = f"{workers()} processors, load {os.getloadavg()[0]:.1f}, scale {scale:g}"
    return "\n".join([f"look-alikes of the six data sets; {shared}", HEAD, *map(_row, lines), _row(whole)])


@click.command()
@click.option("--tasks", default="", help="Only these, separated by commas.")
@click.option("--scale", type=float, default=1.0, show_default=True, help="Share of the real number of rows.")
@click.option("--floor/--no-floor", default=True, help="Also measure plain JSON reading and writing, and datasets.map.")
def main(tasks: str, scale: float, *, floor: bool) -> None:
    """Convert look-alikes of the data sets at their real sizes; rows/s, MB/s, peak memory, against a floor."""
    print(bench([name for name in tasks.split(",") if name], scale, floor))


if __name__ == "__main__":
    run_cli(main)
