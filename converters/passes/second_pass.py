"""The second pass: rows that hold a held-out question are found, and all rows are written to their splits."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any

import numpy
import orjson

from common.files import atomic
from common.progress import Progress
from converters.corpus.contamination import Index
from converters.corpus.decide import CONTAMINATED, KEPT, REASONS, STEPS, Decision
from converters.corpus.splits import SPLITS, TEST, TRAIN, VAL
from converters.passes.first_pass import SMALL, Job, Stage
from converters.passes.worker_pool import ordered_map, workers
from converters.rows.stage_row import Rejected
from converters.text.sketch import Array, fold, gram_sizes, grams

BATCH = 1_000

Question = tuple[str, str]
"""(name, text)"""


def test_questions(stage: Stage, decision: Decision) -> list[Question]:
    """Return the questions of the test rows."""
    found = []
    with stage.lines.open("rb") as file:
        for row in decision.kept(TEST).tolist():
            file.seek(int(stage.arrays["offset"][row]))
            converted, asked, _ = file.readline().split(b"\t", 2)
            found.append((f"test row {orjson.loads(converted)['id']}", orjson.loads(asked)))
    return found


def drop_contaminated(job: Job, stage: Stage, decision: Decision, tested: list[Question]) -> None:
    """Drop the rows that hold a judged question, or one of a test row; `tested` are those of other test rows."""
    questions = job.questions + tested + test_questions(stage, decision)
    rows = decision.kept(TRAIN, VAL)
    if not questions or not len(rows):
        return
    size = gram_sizes(job.task.language)[1]
    processes = 1 if stage.lines.stat().st_size < SMALL else job.processes or workers()
    arguments = (stage.lines, Index.build(questions, size), job.settings.overlap, size)
    batches = numpy.array_split(rows, -(-len(rows) // BATCH))
    jobs = ((batch, stage.arrays["offset"][batch]) for batch in batches)
    with Progress(f"{job.task.name}: looking for held-out questions, rows", len(rows)) as progress:
        for batch, found in zip(batches, ordered_map(_find, jobs, processes, _start, arguments), strict=True):
            for row, reason in found:
                decision.fate[row], decision.reasons[row] = CONTAMINATED, reason
            progress.step(len(batch))


_lines: tuple[Path, Index, float, int]


def _start(*arguments: Any) -> None:
    global _lines  # noqa: PLW0603 - one for each process, set before it works
    _lines = arguments


def _find(batch: tuple[Array, Array]) -> list[tuple[int, str]]:
    """Return (row, reason) of each row of a batch that holds one of the questions."""
    path, index, overlap, size = _lines
    rows, offsets = batch
    with path.open("rb") as file:
        texts = [_everything(line) for line in _lines_at(file, offsets)]
    found = index.find(grams(*fold(texts), size), overlap)
    return [(int(rows[number]), f"holds {share:.0%} of {name}") for number, name, share in found]


def _lines_at(file: IO[bytes], offsets: Array) -> Iterator[bytes]:
    for offset in offsets.tolist():
        file.seek(offset)
        yield file.readline()


def _everything(line: bytes) -> str:
    """Return the question and the answers of a staged row."""
    converted, asked, _ = line.split(b"\t", 2)
    row: dict[str, Any] = orjson.loads(converted)
    turns = row.get("conversations")
    told = [turn["value"] for turn in turns if turn["from"] == "gpt"] if turns else [row["output"]]
    return "\n".join([orjson.loads(asked), *told])


def write(job: Job, stage: Stage, decision: Decision, folder: Path) -> tuple[dict[str, dict[str, Any]], Rejected]:
    """Write the splits and rejected.jsonl; return rows and sha256 of each file, and what was rejected in all."""
    rejected = Rejected()
    with ExitStack() as stack:
        outputs = {
            name: _Output(stack.enter_context(atomic(folder / f"{name}.jsonl"))) for name in (*SPLITS, "rejected")
        }
        staged = stack.enter_context(stage.lines.open("rb"))
        progress = stack.enter_context(Progress(f"{job.task.name}: writing, rows", len(decision.fate)))
        with stage.rejected_lines.open("rb") as early:
            while content := early.read(1 << 20):
                outputs["rejected"].write(content)
        fates, splits, positions = decision.fate.tolist(), decision.split.tolist(), stage.arrays["position"].tolist()
        for row, (line, fate, split) in enumerate(zip(staged, fates, splits, strict=True)):
            converted, _, original = line.rstrip(b"\n").split(b"\t", 2)
            if fate == KEPT:
                outputs[SPLITS[split]].write(converted + b"\n")
            else:
                rejected.add(STEPS[fate], _reason(job, decision, row, positions), *job.place(positions[row]), original)
                outputs["rejected"].write(rejected.lines.pop())
            if row % BATCH == 0:
                progress.step(BATCH)
        progress.done = progress.total
        written = {name: output.about() for name, output in outputs.items()}
    rejected.count(stage.rejected)
    return written, rejected


def _reason(job: Job, decision: Decision, row: int, positions: list[int]) -> str:
    if row in decision.reasons:
        return decision.reasons[row]
    told, cause = REASONS[int(decision.fate[row])], int(decision.cause[row])
    return told if cause < 0 else "{} {}:{}".format(told, *job.place(positions[cause]))


class _Output:
    """A file that is hashed and whose rows are counted while it is written."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.rows, self.hash = file, 0, hashlib.sha256()

    def write(self, content: bytes) -> None:
        self.file.write(content)
        self.hash.update(content)
        self.rows += content.count(b"\n")

    def about(self) -> dict[str, Any]:
        return {"rows": self.rows, "sha256": self.hash.hexdigest()}
