"""The second pass: rows that hold a held-out question are found, and all rows are written to their splits."""

import shutil
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import orjson

from common.files import atomic, sha256
from common.progress import Progress
from converters.corpus.contamination import Index, Leaks, Shared, by_row, forms
from converters.corpus.decide import CONTAMINATED, KEPT, REASONS, STEPS, Decision
from converters.corpus.splits import SPLITS, TEST, TRAIN, VAL
from converters.passes.first_pass import SMALL, Job, Stage, lines_at
from converters.passes.worker_pool import ordered_map, workers
from converters.rows.formats import said_in
from converters.rows.stage_row import Rejected
from converters.text.sketch import Array, fold, gram_sizes, grams

BATCH = 500


@dataclass(frozen=True)
class HeldOutRow:
    """A row to validate or test on: its split, its name in messages, its prompt, and what is asked in it."""

    split: int
    name: str
    prompt: str
    question: str


def held_out_rows(stage: Stage, decision: Decision) -> list[HeldOutRow]:
    """Return the rows that are kept to validate and test on."""
    found = []
    rows = decision.kept(VAL, TEST)
    lines = lines_at(stage.lines, stage.arrays["offset"][rows])
    for split, (converted, asked, _) in zip(decision.split[rows].tolist(), lines, strict=True):
        written = orjson.loads(converted)
        prompt = said_in(written)[0]
        name = f"{SPLITS[split]} row {written['id']}"
        found.append(HeldOutRow(split, name, prompt, orjson.loads(asked) if asked else prompt))
    return found


def drop_contaminated(job: Job, stage: Stage, decision: Decision, elsewhere: list[HeldOutRow]) -> dict[str, int]:
    """Drop the rows that hold a judged question, and those that give a held-out row away.

    `elsewhere` are held-out rows that are none of this conversion. Returns how many were dropped for what.
    """
    held = [*held_out_rows(stage, decision), *elsewhere]
    rows = decision.kept(TRAIN, VAL)
    cost = dict.fromkeys(("judged questions", "val", "test"), 0)
    if not len(rows) or not (held or job.questions):
        return cost
    size = gram_sizes(job.task.language)[1]
    judged = Index(job.questions, size)
    texts = [(number, form) for number, one in enumerate(held) for form in forms(one.name, one.prompt, one.question)]
    leaks = Leaks([form for _, form in texts], size, len(decision.kept(TRAIN)))
    processes = 1 if stage.lines.stat().st_size < SMALL else job.processes or workers()
    batches = numpy.array_split(rows, -(-len(rows) // BATCH))
    offsets = (stage.arrays["offset"][batch] for batch in batches)
    results = ordered_map(_look, offsets, processes, stage.lines, judged, job.settings.overlap, leaks)
    with Progress(f"{job.task.name}: looking for held-out questions, rows", len(rows)) as progress:
        for batch, (found, shared) in zip(batches, results, strict=True):
            for number, name, share in found:
                decision.reject(int(batch[number]), CONTAMINATED, f"holds {share:.0%} of {name}")
            leaks.add(batch, shared, decision.split[batch] == TRAIN)
            progress.step(len(batch))
    cost["judged questions"] = len(decision.reasons)
    split_of = numpy.array([held[number].split for number, _ in texts], numpy.int8)

    def counts(rows: Array, questions: Array) -> Array:
        """Of a row to validate on, only what it shows of test rows matters."""
        return (decision.split[rows] == TRAIN) | (split_of[questions] == TEST)

    for row, owner, reason in leaks.found(counts):
        if decision.fate[row] == KEPT:
            decision.reject(row, CONTAMINATED, reason)
            cost[SPLITS[split_of[owner]]] += 1
    return cost


def _look(
    offsets: Array, path: Path, judged: Index, overlap: float, leaks: Leaks
) -> tuple[list[tuple[int, str, float]], Shared]:
    """Return which of some rows hold a judged question, and what they share with held-out rows."""
    texts = [said_in(orjson.loads(converted)) for converted, *_ in lines_at(path, offsets)]
    parts = grams(*fold([part for text in texts for part in text]), leaks.size)
    hits = judged.hits(parts)
    # An answer shorter than one n-gram ("B", 是) is no reference answer of anything.
    hits = hits[(hits >> 32 & 1 == 0) | (numpy.diff(parts.starts)[hits >> 32] > 1)]
    return judged.found(numpy.unique(by_row(hits)), overlap), leaks.look(parts)


def write(job: Job, stage: Stage, decision: Decision, folder: Path) -> tuple[dict[str, dict[str, Any]], Rejected]:
    """Write the splits and rejected.jsonl; return rows and sha256 of each file, and what was rejected in all."""
    rejected, paths = Rejected(), {name: folder / f"{name}.jsonl" for name in (*SPLITS, "rejected")}
    rows = Counter(rejected=stage.rejected.counts.total())
    with ExitStack() as stack:
        files = {name: stack.enter_context(atomic(path)) for name, path in paths.items()}
        staged = stack.enter_context(stage.lines.open("rb"))
        progress = stack.enter_context(Progress(f"{job.task.name}: writing, rows", len(decision.fate)))
        with stage.rejected_lines.open("rb") as early:
            shutil.copyfileobj(early, files["rejected"])
        fates, splits, positions = decision.fate.tolist(), decision.split.tolist(), stage.arrays["position"].tolist()
        for row, (line, fate, split) in enumerate(zip(staged, fates, splits, strict=True)):
            converted, _, original = line.rstrip(b"\n").split(b"\t", 2)
            name = SPLITS[split] if fate == KEPT else "rejected"
            rows[name] += 1
            if fate == KEPT:
                files[name].write(converted + b"\n")
            else:
                ids = {"id": orjson.loads(converted)["id"]}
                if (cause := int(decision.cause[row])) >= 0:
                    ids["as"] = f"{job.task.name}-{stage.arrays['id'][cause]:016x}"
                place = job.place(positions[row])
                rejected.add(STEPS[fate], _reason(job, decision, row, positions), *place, original, **ids)
                files[name].write(rejected.lines.pop())
            if row % BATCH == 0:
                progress.step(BATCH)
        progress.done = progress.total
    rejected.count(stage.rejected)
    return {name: {"rows": rows[name], "sha256": sha256(path)} for name, path in paths.items()}, rejected


def _reason(job: Job, decision: Decision, row: int, positions: list[int]) -> str:
    if row in decision.reasons:
        return decision.reasons[row]
    told, cause = REASONS[int(decision.fate[row])], int(decision.cause[row])
    return told if cause < 0 else "{} {}:{}".format(told, *job.place(positions[cause]))
