"""The first pass over a whole source: rows converted, checked and sketched, kept in a folder until they are decided on.

A stage holds rows.tsv (a line for each row, in the order of the source), rejected.jsonl, and an array for each sketch.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy
import orjson

from common.errors import UserError
from common.progress import Progress
from converters.corpus.decide import BY_HAND, KEPT, Decision, HeldOut, decide
from converters.corpus.judged_questions import judged_questions
from converters.corpus.splits import SPLITS
from converters.passes.worker_pool import ordered_map, workers
from converters.read.files import Chunk, read_chunks
from converters.read.sources import Source, SourceFile
from converters.registry import ORDER, task_file
from converters.rows.by_hand import DROP, ByHand
from converters.rows.formats import said_in
from converters.rows.stage_row import RowFacts, Staged, process
from converters.settings import Settings
from converters.task import File, Task
from converters.text.sketch import Array

SMALL = 4 << 20
"""Bytes below which starting processes costs more than they save."""
FEW_BROKEN = 3
"""So many unreadable rows are never too many, as long as others can be read."""
EARLY = 5_000
"""Rows after which too many unreadable ones end the conversion at once."""


@dataclass(frozen=True)
class Job:
    """One conversion, with every name of the command looked up: what decides what the rows become."""

    task: Task
    settings: Settings
    options: dict[str, Any]
    source: Source
    limit: int | None = None
    processes: int = 0
    """0 takes all processors."""
    by_hand: ByHand = field(default_factory=ByHand)

    @cached_property
    def questions(self) -> list[tuple[str, str]]:
        """(name, text) of the judged questions to stay clear of."""
        return judged_questions(self.task, self.settings) if self.settings.decontaminate else []

    @cached_property
    def files(self) -> tuple[File, ...]:
        """The files, as rejected.jsonl names them."""
        return tuple(file.spec for file in self.source.files)

    def fixed_splits(self, positions: Array) -> Array:
        """Return for each row the split that its file sets, -1 for none."""
        number = [SPLITS.index(file.split) if file.split else -1 for file in self.files]
        return numpy.array(number, numpy.int8)[(positions >> numpy.uint64(40)).astype(numpy.int64)]

    def place(self, position: int) -> tuple[str, int]:
        """Return a row's file and its number there."""
        return self.files[position >> 40].path, position & ((1 << 40) - 1)


@dataclass
class Stage(RowFacts):
    """The result of a first pass, with all rows in the order of the source."""

    folder: Path = Path()

    def decide(self, job: Job, held_out: HeldOut | None = None) -> Decision:
        """Return what becomes of each row, before it is read again; `held_out` are rows that have their split.

        The signatures, most of the memory, serve this alone and go.
        """
        fixed = job.fixed_splits(self.arrays["position"])
        fixed = held_out.fixed(self.arrays, fixed) if held_out else fixed
        made = decide(self.arrays, self.anchors, fixed, job.settings, self.texts)
        for name in ("bands", "whole"):
            self.arrays.pop(name, None)
        rows = numpy.flatnonzero(numpy.isin(self.arrays["id"], job.by_hand.ids(DROP)))
        made.drop(rows[made.fate[rows] == KEPT], BY_HAND)
        return made

    @property
    def lines(self) -> Path:
        """The file of the rows."""
        return self.folder / "rows.tsv"

    def texts(self, row: int) -> tuple[str, str]:
        """Return all that a row asks, and all that it answers."""
        return said_in(orjson.loads(next(lines_at(self.lines, self.arrays["offset"][[row]]))[0]))

    @property
    def rejected_lines(self) -> Path:
        """The file of the rows rejected so far."""
        return self.folder / "rejected.jsonl"


def lines_at(path: Path, offsets: Array) -> Iterator[list[bytes]]:
    """Yield the parts of some rows of a stage: the converted row, its question, the original."""
    with path.open("rb") as file:
        for offset in offsets.tolist():
            file.seek(offset)
            yield file.readline().split(b"\t", 2)


def _process(chunk: Chunk, job: Job) -> tuple[int, Staged]:
    file = job.files[chunk.file]
    return chunk.file, process(chunk, file, job.task, job.settings, job.options, by_hand=job.by_hand)


def stage(job: Job, folder: Path) -> Stage:
    """Run the first pass over a job's source into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    task, files = job.task, job.source.files
    size = sum(file.path.stat().st_size for file in files)
    small = size < SMALL or (job.limit is not None and job.limit < 2_000)
    processes = 1 if small else job.processes or workers()
    done = Stage(folder=folder)
    parts: dict[str, list[Array]] = {}
    anchors: list[Array] = []
    optional: dict[int, set[str]] = {}
    results = ordered_map(_process, _chunks(files, job.limit), processes, job)
    with (
        done.lines.open("wb") as lines,
        done.rejected_lines.open("wb") as rejected,
        Progress(f"{task.name}: reading and checking, MB", round(size / 1e6) or 1) as progress,
    ):
        for file, part in results:
            _check_columns(part, files[file], task)
            optional.setdefault(file, set()).update(part.optional)
            part.arrays["size"] = numpy.array([len(line) for line in part.lines], numpy.int64)
            lines.writelines(part.lines)
            rejected.writelines(part.rejected.lines)
            for name, array in part.arrays.items():
                parts.setdefault(name, []).append(array)
            anchors.append(part.anchors)
            done.count(part)
            progress.step(min(round(done.bytes / 1e6), progress.total) - progress.done, f"{done.rows:,} rows")
            if done.rows >= EARLY:
                check_broken(done, job.settings)
        progress.done = progress.total
    for file, seen in optional.items():
        if absent := [column for column in job.files[file].optional if column not in seen]:
            raise UserError(f"no row of {files[file].path} has {', '.join(absent)}", "correct the task's columns")
    if not parts:
        raise UserError(f"there are no rows in {job.source.label}", "get the file again, or name another SOURCE")
    done.arrays = {name: numpy.concatenate(parts.pop(name)) for name in tuple(parts)}
    done.anchors = numpy.concatenate(anchors)
    ends = numpy.cumsum(done.arrays["size"])
    done.arrays["offset"] = ends - done.arrays["size"]
    check_broken(done, job.settings)
    return done


def _chunks(files: tuple[SourceFile, ...], limit: int | None) -> Iterator[Chunk]:
    """Yield the chunks of all files; a limit is shared out evenly among them."""
    for index, file in enumerate(files):
        share = None if limit is None else limit // len(files) + (index < limit % len(files))
        if share != 0:
            yield from read_chunks(file.path, index, share)


def _check_columns(part: Staged, file: SourceFile, task: Task) -> None:
    """Stop when no row at all of a chunk has the columns: it is the wrong file."""
    if part.rows and part.rejected.counts["columns"] == part.rows and part.columns:
        other = f"correct the columns in {task_file(task.name)}"
        if task.name in ORDER:
            other = "add a task for it: python -m converters new NAME --source ..."
        raise UserError(
            f"wrong columns in {file.path}: found {', '.join(sorted(part.columns))}; "
            f"expected {', '.join(file.spec.columns)}",
            f"name the right file as SOURCE, or {other}",
        )


def check_broken(done: Stage, settings: Settings) -> None:
    """Stop when too many rows could not be read or converted, and show the first three."""
    rejected = done.rejected
    broken = {step: rejected.counts[step] for step in ("read", "columns", "convert") if rejected.counts[step]}
    count = sum(broken.values())
    if (count <= FEW_BROKEN and count < done.rows) or count <= settings.errors * done.rows:
        return
    shown = [reason for step in broken for reason in rejected.examples[step]][:3]
    more = f", or allow more: SET errors={min(1.0, round(count / done.rows + 0.01, 2))}" if count < done.rows else ""
    raise UserError(
        f"{count:,} of {done.rows:,} rows cannot be read, more than {settings.errors:.0%}:\n  " + "\n  ".join(shown),
        "correct these rows in the file" + more,
    )
