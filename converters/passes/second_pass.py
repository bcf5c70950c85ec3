"""The second pass, second half: decontamination, and the rows written to their splits or to rejected.jsonl."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy
import orjson

from common.files import atomic
from common.progress import Progress
from converters.corpus.contamination import Index
from converters.corpus.decide import HELD_OUT, KEPT, STEPS, Decision
from converters.corpus.judged_questions import judged_questions
from converters.corpus.splits import SPLITS, TEST
from converters.passes.first_pass import SMALL, Stage
from converters.passes.worker_pool import ordered_map, workers
from converters.settings import Settings
from converters.task import Task
from converters.text.sketch import Array, fold, gram_sizes, grams

BATCH = 1_000


@dataclass
class Line:
    """A staged row on its way out: where it goes, or why it does not."""

    number: int
    content: bytes
    split: int
    step: str = ""
    reason: str = ""
    file: str = ""
    position: int = 0


@dataclass
class Batch:
    """What comes out of some lines: bytes for each split, and rejected rows."""

    out: dict[int, bytes] = field(default_factory=dict)
    kept: list[int] = field(default_factory=list)
    rejected: bytes = b""
    dropped: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)


def test_questions(stage: Stage, decision: Decision) -> list[tuple[str, str]]:
    """Return (name, question) of the test rows."""
    tested = numpy.flatnonzero((decision.fate == KEPT) & (decision.split == TEST))
    found = []
    with stage.lines.open("rb") as file:
        for row in tested[numpy.argsort(stage.arrays["offset"][tested])].tolist():
            file.seek(int(stage.arrays["offset"][row]))
            converted, asked, _ = file.readline().split(b"\t", 2)
            found.append((f"test row {orjson.loads(converted)['id']}", orjson.loads(asked)))
    return found


_job: tuple[Index | None, float, int]


def _start(index: Index | None, overlap: float, size: int) -> None:
    global _job  # noqa: PLW0603 - one for each process, set before it works
    _job = (index, overlap, size)


def _finish(lines: list[Line]) -> Batch:
    """Decide on the lines that are still to be checked, and sort all of them."""
    index, overlap, size = _job
    parts = [line.content.rstrip(b"\n").split(b"\t", 2) for line in lines]
    checked = [i for i, line in enumerate(lines) if not line.step and line.split != TEST]
    if index and checked:
        texts = [_whole(parts[i][0], parts[i][1]) for i in checked]
        for place, name, share in index.find(grams(*fold(texts), size), overlap):
            line = lines[checked[place]]
            line.step, line.reason = "contaminated", f"holds {share:.0%} of {name}"
    batch = Batch()
    out: dict[int, list[bytes]] = {split: [] for split in range(len(SPLITS))}
    rejected: list[bytes] = []
    for line, (converted, _, original) in zip(lines, parts, strict=True):
        if not line.step:
            out[line.split].append(converted)
            batch.kept.append(line.number)
            continue
        batch.dropped[line.step] += 1
        batch.examples.append(f"{line.step}\t{line.file}:{line.position}: {line.reason}")
        head = {"step": line.step, "reason": line.reason, "file": line.file, "number": line.position}
        rejected.append(orjson.dumps(head)[:-1] + b',"row":' + original + b"}\n")
    batch.out = {split: b"".join(row + b"\n" for row in rows) for split, rows in out.items() if rows}
    batch.rejected = b"".join(rejected)
    return batch


def _whole(converted: bytes, asked: bytes) -> str:
    row: dict[str, Any] = orjson.loads(converted)
    turns = row.get("conversations")
    told = [turn["value"] for turn in turns if turn["from"] == "gpt"] if turns else [row["output"]]
    return "\n".join([orjson.loads(asked), *told])


def finish(
    stages: list[Stage], arrays: dict[str, Array], decision: Decision, *, files: list[str],
    task: Task, settings: Settings, folder: Path, processes: int = 0, tested: list[tuple[str, str]] | None = None,
) -> tuple[dict[str, dict[str, Any]], Counter[str], dict[str, list[str]], Array]:  # fmt: skip
    """Write the splits and rejected.jsonl into `folder`. `tested` are questions to test on that are not among the rows.

    Returns rows and sha256 of each file, rows dropped by step, first reasons by step, and a mask of the kept rows.
    """
    size = gram_sizes(task.language)[1]
    questions = judged_questions(task, settings) if settings.decontaminate else []
    if settings.decontaminate:
        questions += tested or []
        for stage, mine in _by_stage(stages, decision):
            questions += test_questions(stage, mine)
    index = Index.build(questions, size) if questions else None
    total = sum(stage.lines.stat().st_size for stage in stages)
    processes = 1 if total < SMALL else processes or workers()
    lines = _lines(stages, arrays, decision, files)
    results = ordered_map(_finish, lines, processes, _start, (index, settings.overlap, size))
    kept = numpy.zeros(len(decision.fate), bool)
    dropped: Counter[str] = Counter()
    examples: dict[str, list[str]] = {}
    written: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        outputs = {
            name: _Output(stack.enter_context(atomic(folder / f"{name}.jsonl"))) for name in (*SPLITS, "rejected")
        }
        progress = stack.enter_context(Progress(f"{task.name}: deciding and writing, rows", len(kept)))
        for stage in stages:
            outputs["rejected"].copy(stage.rejected)
        for batch in results:
            for split, content in batch.out.items():
                outputs[SPLITS[split]].write(content)
            outputs["rejected"].write(batch.rejected)
            kept[batch.kept] = True
            dropped += batch.dropped
            for step, reason in (example.split("\t", 1) for example in batch.examples):
                reasons = examples.setdefault(step, [])
                reasons += [reason] if len(reasons) < 3 else []
            progress.step(len(batch.kept) + batch.dropped.total())
        written = {name: output.about() for name, output in outputs.items()}
    return written, dropped, examples, kept


class _Output:
    """A file that is hashed and whose rows are counted while it is written."""

    def __init__(self, file: Any) -> None:
        self.file, self.rows, self.hash = file, 0, hashlib.sha256()

    def write(self, content: bytes) -> None:
        self.file.write(content)
        self.hash.update(content)
        self.rows += content.count(b"\n")

    def copy(self, path: Path) -> None:
        with path.open("rb") as file:
            while content := file.read(1 << 20):
                self.write(content)

    def about(self) -> dict[str, Any]:
        return {"rows": self.rows, "sha256": self.hash.hexdigest()}


def _by_stage(stages: list[Stage], decision: Decision) -> Iterator[tuple[Stage, Decision]]:
    start = 0
    for stage in stages:
        part = slice(start, start + len(stage.arrays["key"]))
        yield stage, Decision(decision.fate[part], decision.cause[part], decision.split[part])
        start = part.stop


def _lines(
    stages: list[Stage], arrays: dict[str, Array], decision: Decision, files: list[str]
) -> Iterator[list[Line]]:  # fmt: skip
    """Yield all staged rows in the order of their positions, in batches, each with what was decided on it."""
    owner = numpy.repeat(numpy.arange(len(stages)), [len(stage.arrays["key"]) for stage in stages])
    positions = arrays["position"]
    with ExitStack() as stack:
        opened = [stack.enter_context(stage.lines.open("rb")) for stage in stages]
        batch: list[Line] = []
        # The rows of one stage lie in the order of their positions, so each file is read from front to back.
        for row in numpy.argsort(positions).tolist():
            position, fate, cause = int(positions[row]), int(decision.fate[row]), int(decision.cause[row])
            line = Line(row, opened[owner[row]].readline(), int(decision.split[row]))
            line.file, line.position = files[position >> 40], position & ((1 << 40) - 1)
            if fate != KEPT:
                line.step, line.reason = STEPS[fate], _reason(fate, cause, positions, files)
            batch.append(line)
            if len(batch) == BATCH:
                yield batch
                batch = []
        if batch:
            yield batch


def _reason(fate: int, cause: int, positions: Array, files: list[str]) -> str:
    if fate == HELD_OUT:
        return "validated or tested on by the base task"
    if cause < 0:
        return "enough other answers to this question"
    position = int(positions[cause])
    where = f"{files[position >> 40]}:{position & ((1 << 40) - 1)}"
    told = {
        "duplicate": "the same as",
        "near_duplicate": "nearly the same as",
        "contaminated": "asks the same as test row",
    }
    return f"{told[STEPS[fate]]} {where}"
