"""The first pass over a whole source: rows converted, checked and sketched, kept in a folder until they are decided on.

A stage holds rows.tsv (a line for each row), rejected.jsonl, an array for each sketch, and stage.json. Stages of
several shards, made on several machines, are decided on together.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy

from common.errors import UserError
from common.files import read_json, write_json
from common.progress import Progress
from converters.passes.worker_pool import ordered_map, workers
from converters.read.files import TO_UTF8, Chunk, read_chunks
from converters.read.sources import Source, SourceFile
from converters.registry import ORDER, load_task, task_file
from converters.rows.stage_row import Staged, process
from converters.settings import Settings
from converters.task import File, Task
from converters.text.sketch import Array

ARRAYS = "arrays.npz"
SMALL = 4 << 20
"""Bytes below which starting processes costs more than they save."""
FEW_BROKEN = 3
"""So many unreadable rows are never too many, as long as others can be read."""
EARLY = 5_000
"""Rows after which too many unreadable ones end the conversion at once."""


@dataclass
class Stage:
    """The result of a first pass."""

    folder: Path
    arrays: dict[str, Array] = field(default_factory=dict)
    dropped: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)
    changed: Counter[str] = field(default_factory=Counter)
    languages: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    bytes: int = 0

    @property
    def lines(self) -> Path:
        """The file of the rows."""
        return self.folder / "rows.tsv"

    @property
    def rejected(self) -> Path:
        """The file of the rows rejected so far."""
        return self.folder / "rejected.jsonl"


@dataclass(frozen=True)
class Shard:
    """One of `count` parts of the rows, by whole chunks; number counts from 1."""

    number: int = 1
    count: int = 1

    @classmethod
    def parse(cls, text: str) -> "Shard":
        """Read "2/4"."""
        try:
            number, count = map(int, text.split("/"))
        except ValueError:
            raise UserError(f"not a shard: {text!r}", "write it like --shard 1/4") from None
        if not 1 <= number <= count:
            raise UserError(f"there is no shard {text}", f"the first is 1/{count}, the last {count}/{count}")
        return cls(number, count)


_job: tuple[tuple[File, ...], Task, Settings, dict[str, Any]]


def _start(files: tuple[File, ...], task: Task | str, settings: Settings, options: dict[str, Any]) -> None:
    global _job  # noqa: PLW0603 - one for each process, set before it works
    _job = (files, load_task(task) if isinstance(task, str) else task, settings, options)


def _process(chunk: Chunk) -> tuple[int, Staged]:
    files, task, settings, options = _job
    return chunk.file, process(chunk, files[chunk.file], task, settings, options)


def stage(
    task: Task, source: Source, settings: Settings, options: dict[str, Any],
    folder: Path, *, limit: int | None = None, shard: Shard = Shard(), processes: int = 0,
) -> Stage:  # fmt: skip
    """Run the first pass over a source (or a shard of it) into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    size = sum(file.path.stat().st_size for file in source.files)
    if size < SMALL or (limit is not None and limit < 2_000):
        processes = 1
    files = tuple(file.spec for file in source.files)
    done = Stage(folder)
    parts: dict[str, list[Array]] = {}
    offsets: list[Array] = []
    optional: dict[int, set[str]] = {}
    written = 0
    chunks = _chunks(source.files, limit, shard)
    processes = processes or workers()
    # A task's converter need not be picklable: other processes load it by name.
    arguments = (files, task if processes == 1 else task.name, settings, options)
    results = ordered_map(_process, chunks, processes, _start, arguments)
    with (
        done.lines.open("wb") as lines,
        done.rejected.open("wb") as rejected,
        Progress(f"{task.name}: reading and checking, MB", round(size / shard.count / 1e6) or 1) as progress,
    ):
        for file, part in results:
            _check_columns(part, files[file], source.files[file].path, task)
            optional.setdefault(file, set()).update(part.optional)
            lengths = numpy.array([len(line) for line in part.lines], numpy.int64)
            offsets.append(written + numpy.cumsum(lengths) - lengths)
            written += int(lengths.sum())
            lines.writelines(part.lines)
            rejected.writelines(part.rejected)
            for name, array in part.arrays.items():
                parts.setdefault(name, []).append(array)
            _add(done, part)
            progress.done = min(round(done.bytes / 1e6), progress.total)
            progress.note = f"{done.rows:,} rows"
            progress.show()
            if done.rows >= EARLY:
                check_broken(done, settings)
        progress.done = progress.total
    for file, seen in optional.items():
        if absent := [column for column in files[file].optional if column not in seen]:
            raise UserError(f"no row of {source.files[file].path} has {', '.join(absent)}", "mend the task's columns")
    if not parts:  # not a single row, or none for this shard: the arrays are there all the same
        nothing = process(Chunk(0, 1, []), files[0], task, settings, options)
        parts = {name: [array] for name, array in nothing.arrays.items()}
    done.arrays = {name: numpy.concatenate(arrays) for name, arrays in parts.items()}
    done.arrays["offset"] = numpy.concatenate(offsets) if offsets else numpy.zeros(0, numpy.int64)
    return done


def _chunks(files: tuple[SourceFile, ...], limit: int | None, shard: Shard) -> Iterator[Chunk]:
    """Yield the chunks of all files; a limit is shared out evenly among them."""
    number = 0
    for index, file in enumerate(files):
        share = None if limit is None else limit // len(files) + (index < limit % len(files))
        if share == 0:
            continue
        for chunk in read_chunks(file.path, index, share):
            number += 1
            if number % shard.count == shard.number % shard.count:
                yield chunk


def _add(done: Stage, part: Staged) -> None:
    done.dropped += part.dropped
    done.changed += part.changed
    done.languages += part.languages
    done.rows += part.rows
    done.bytes += part.bytes
    for step, reasons in part.examples.items():
        kept = done.examples.setdefault(step, [])
        kept += reasons[: 3 - len(kept)]


def _check_columns(part: Staged, spec: File, path: Path, task: Task) -> None:
    """Stop when no row at all of a chunk has the columns: it is the wrong file."""
    if part.rows and part.dropped["columns"] == part.rows and part.columns:
        other = f"mend the columns in {task_file(task.name)}"
        if task.name in ORDER:
            other = "add a task for it: python -m converters new NAME --source ..."
        raise UserError(
            f"wrong columns in {path}: found {', '.join(sorted(part.columns))}; expected {', '.join(spec.columns)}",
            f"name the right file as SOURCE, or {other}",
        )


def check_broken(done: Stage, settings: Settings) -> None:
    """Stop when too many rows could not be read or converted, and show the first three."""
    broken = {step: done.dropped[step] for step in ("read", "columns", "convert") if done.dropped[step]}
    count = sum(broken.values())
    if (count <= FEW_BROKEN and count < done.rows) or count <= settings.errors * done.rows:
        return
    shown = [reason for step in broken for reason in done.examples[step]][:3]
    raise UserError(
        f"{count:,} of {done.rows:,} rows cannot be read, more than {settings.errors:.0%}:\n  " + "\n  ".join(shown),
        _way_out(count, done.rows, shown),
    )


def _way_out(count: int, rows: int, shown: list[str]) -> str:
    mend = TO_UTF8 if any(": not UTF-8" in reason for reason in shown) else "mend the file"
    return mend if count == rows else f"{mend}, or allow more: SET errors={min(1.0, round(count / rows + 0.01, 2))}"


def save(done: Stage, about: dict[str, Any]) -> None:
    """Keep a stage for a later merge; stage.json, written last, says that it is whole."""
    numpy.savez(done.folder / ARRAYS, **done.arrays)  # type: ignore[arg-type]
    counters = {name: dict(getattr(done, name)) for name in ("dropped", "examples", "changed", "languages")}
    sizes = {path.name: path.stat().st_size for path in (done.folder / ARRAYS, done.lines, done.rejected)}
    whole = {**about, **counters, "rows": done.rows, "bytes": done.bytes, "sizes": sizes}
    write_json(done.folder / "stage.json", whole)


def broken_part(folder: Path, about: dict[str, Any]) -> Path | None:
    """Return the first file of a kept stage that is not as large as when it was written."""
    for name, size in about["sizes"].items():
        if not (folder / name).is_file() or (folder / name).stat().st_size != size:
            return folder / name
    return None


def load(folder: Path) -> tuple[Stage, dict[str, Any]]:
    """Return a kept stage, and what was said about it."""
    about = read_json(folder / "stage.json")
    if part := broken_part(folder, about):
        raise UserError(f"{part} is not whole: {about['sizes'][part.name]:,} bytes were written", "copy it here again")
    with numpy.load(folder / ARRAYS) as arrays:
        done = Stage(folder, dict(arrays))
    done.dropped, done.changed = Counter(about["dropped"]), Counter(about["changed"])
    done.languages, done.examples = Counter(about["languages"]), about["examples"]
    done.rows, done.bytes = about["rows"], about["bytes"]
    return done, about
