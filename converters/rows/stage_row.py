"""The first pass over one chunk of rows: parse, convert, clean, check, sketch. Pure, and run in several processes.

Every row of a chunk comes out exactly once: as a staged row or as a rejected one.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy
import orjson

from converters.read.files import Chunk
from converters.read.json_rows import parse_line
from converters.read.text import Broken, Raw
from converters.rows.by_hand import EDIT, ByHand, put
from converters.rows.checks import problem
from converters.rows.formats import WRITERS
from converters.settings import Settings
from converters.task import File, Record, Skip, Task, has_column
from converters.text import sketch
from converters.text.cleaning import cleaner
from converters.text.content import SHORT_ANSWER, SHORT_PROMPT
from converters.text.language import label, sample, shares
from converters.text.sketch import Array, fold

COLUMNS_SHOWN = 20
EXAMPLES = 3
"""Reasons kept for each step, to be shown."""


@dataclass
class Rejected:
    """Rejected rows: lines of rejected.jsonl, how many by step, and the first reasons of each step."""

    lines: list[bytes] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    examples: dict[str, list[str]] = field(default_factory=dict)

    def add(self, step: str, reason: str, file: str, number: int, original: bytes, **ids: str) -> None:
        """Reject a row: the original's JSON, the step, the reason, where it stood, and ids that tell of it."""
        reason = _plain(reason)
        self._note(step, [f"{file}:{number}: {reason}"])
        self.counts[step] += 1
        head = orjson.dumps({"step": step, "reason": reason, "file": file, "number": number, **ids})
        self.lines.append(head[:-1] + b',"row":' + original + b"}\n")

    def count(self, other: "Rejected") -> None:
        """Count what others rejected; their lines are theirs."""
        self.counts += other.counts
        for step, reasons in other.examples.items():
            self._note(step, reasons)

    def _note(self, step: str, reasons: list[str]) -> None:
        kept = self.examples.setdefault(step, [])
        kept += reasons[: EXAMPLES - len(kept)]


@dataclass
class RowFacts:
    """What is known of rows: of a chunk, or of a whole source."""

    rejected: Rejected = field(default_factory=Rejected)
    cleaned: int = 0
    """Rows that the clean-up changed."""
    languages: Counter[str] = field(default_factory=Counter)
    rows: int = 0
    bytes: int = 0
    decided: set[str] = field(default_factory=set)
    """Keys of rejected rows on which a person decided."""
    arrays: dict[str, Array] = field(default_factory=dict)
    """The sketches: an entry for each row that is staged."""
    anchors: Array = field(default_factory=lambda: numpy.zeros(0, numpy.uint64))
    """The anchors of all rows, one after the other; arrays["anchors"] says how many each has."""

    def count(self, other: "RowFacts") -> None:
        """Add another's numbers; its sketches are joined when all are there."""
        self.rejected.count(other.rejected)
        self.cleaned += other.cleaned
        self.languages += other.languages
        self.rows += other.rows
        self.bytes += other.bytes
        self.decided |= other.decided


@dataclass
class Staged(RowFacts):
    """What the first pass makes of a chunk."""

    lines: list[bytes] = field(default_factory=list)
    """Converted row, question where it is not the whole prompt, and original row, each JSON, separated by tabs."""
    columns: set[str] = field(default_factory=set)
    """Columns seen in rows that lacked a column."""
    optional: set[str] = field(default_factory=set)
    """Those of the columns that a row may lack which some row has."""


def process(
    chunk: Chunk, file: File, task: Task, settings: Settings, options: dict[str, Any], *, by_hand: ByHand | None = None,
) -> Staged:  # fmt: skip
    """Return what becomes of a chunk of the given file."""
    staged = Staged(rows=len(chunk.rows), bytes=chunk.read)
    by_hand = by_hand or ByHand()
    clean = cleaner(settings.clean, settings.html)
    records: list[Record] = []
    originals: list[bytes] = []
    positions: list[int] = []
    wanted: list[bool] = []
    for number, raw in enumerate(chunk.rows, chunk.first):
        row, original, why = _parsed(raw, file, staged)
        record = None
        if decision := by_hand.about(original):
            staged.decided.add(decision["key"])
        if row is not None:
            try:
                record = task.convert(row, file.path, options)
            except Skip as skip:
                record, why = skip.record, (skip.step, skip.reason)
            except Exception as error:  # a user's own converter may stumble: the row is kept with the reason
                why = ("convert", f"{type(error).__name__}: {error}")
        if decision and decision["decision"] == EDIT:
            record, why = record or Record("", "", ""), None
            put(record, decision)
        elif record and (decision or not why):
            staged.cleaned += _clean(record, clean)
            why = problem(record, task, settings)
            why = None if decision and why and why[0] != "empty" else why
        if why or record is None:
            staged.rejected.add(*(why or ("empty", "no row")), file.path, number, original)
            continue
        if settings.system and not record.system:
            record.system = task.system if settings.system is True else str(settings.system)
        records.append(record)
        originals.append(original)
        positions.append((chunk.file << 40) + number)
        wanted.append(decision is not None)
    _sketch(staged, records, task, settings)
    ids = staged.arrays["exact"]
    if edited := by_hand.edited(ids):
        for place, decision in edited:
            put(records[place], decision)
        _sketch(staged, records, task, settings)
    staged.arrays |= {
        "position": numpy.array(positions, numpy.uint64), "id": ids, "wanted": numpy.array(wanted, bool)
    }  # fmt: skip
    looked_at = (sample(record.prompt, record.output) for record in records)
    staged.languages.update(label(text, shares(text)) for text in looked_at)
    write = WRITERS[settings.format]
    with_system, with_history = has_system(task, settings), task.has_history
    for record, original, name in zip(records, originals, ids.tolist(), strict=True):
        row = write(record, f"{task.name}-{name:016x}", with_system, with_history)
        asked = orjson.dumps(record.question) if record.question else b""
        staged.lines.append(b"\t".join((orjson.dumps(row), asked, original)) + b"\n")
    return staged


def has_system(task: Task, settings: Settings) -> bool:
    """Tell whether the converted rows have a `system` column."""
    return bool(settings.system) or task.has_system


def _parsed(raw: Raw, file: File, staged: Staged) -> tuple[dict[str, Any] | None, bytes, tuple[str, str] | None]:
    """Return (row, its JSON, None), or (None, its JSON, (step, reason)) when it is none."""
    row = parse_line(raw) if isinstance(raw, bytes) else raw
    if isinstance(row, Broken):
        return None, orjson.dumps(_plain(row.raw)), ("read", row.reason)
    original = _json(row)
    staged.optional.update(column for column in file.optional if has_column(row, column))
    missing = [column for column in file.columns if not has_column(row, column)]
    if missing:
        staged.columns |= {str(column) for column in row}
        return None, original, ("columns", f"no column {', '.join(missing)}; there are {_names(row)}")
    return row, original, None


def _names(row: dict[str, Any]) -> str:
    """Return a row's columns for a message, the first few of very many."""
    names = [str(name) for name in row]
    more = f" and {len(names) - COLUMNS_SHOWN} more" if len(names) > COLUMNS_SHOWN else ""
    return ", ".join(names[:COLUMNS_SHOWN]) + more if names else "none"


def _json(value: Any) -> bytes:
    """Return JSON that any reader takes: NaN as null, lone surrogates replaced, other objects as text."""
    try:
        return orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS | orjson.OPT_SERIALIZE_NUMPY)
    except TypeError:
        return orjson.dumps(_plain(value), default=str, option=orjson.OPT_NON_STR_KEYS)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_plain(str(key)): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    small = isinstance(value, int) and abs(value) < 1 << 63  # beyond that no reader agrees on a number
    return value if value is None or small or isinstance(value, float) else str(value)


def _clean(record: Record, clean: Callable[[str], str]) -> bool:
    """Clean a record, and tell whether that changed what is trained on."""
    before = (record.instruction, record.input, record.output)
    record.instruction, record.input, record.output = map(clean, before)
    record.system, record.question = clean(record.system), clean(record.question)
    record.history = [(clean(asked), clean(told)) for asked, told in record.history]
    return before != (record.instruction, record.input, record.output)


def _sketch(staged: Staged, records: list[Record], task: Task, settings: Settings) -> None:
    """Add what the second pass decides by: hashes, signatures, lengths, and the place in the split."""
    asked = [record.asked for record in records]
    questions, answers = fold(asked), fold([record.told for record in records])
    near_size, long_size = sketch.gram_sizes(task.language)
    # The same question under other statutes is another prompt, though not another question.
    prompts = questions if not any(r.question for r in records) else fold([record.shown for record in records])
    with numpy.errstate(over="ignore"):
        exact = sketch.digests(*answers, salt=b"answer") * numpy.uint64(3) + sketch.digests(*prompts)
    before_answer = [len(r.prompt) + sum(len(asked) + len(told) for asked, told in r.history) for r in records]
    staged.arrays |= {
        "key": sketch.digests(*questions),
        "exact": exact,
        "place": sketch.digests(*questions, salt=f"split {settings.seed}".encode()),
        "prompt": numpy.array(before_answer, numpy.int32),
        "output": numpy.array([len(record.output) for record in records], numpy.int32),
    }
    staged.anchors, staged.arrays["anchors"] = sketch.anchors(*prompts, long_size)
    if settings.near:
        staged.arrays |= near_sketches(records, prompts, answers, near_size)


def near_sketches(
    records: list[Record], prompts: tuple[Array, Array], answers: tuple[Array, Array], size: int
) -> dict[str, Array]:
    """Return what near duplicates are told by, of the folded prompts and answers of some rows."""
    of_prompts, of_answers = (sketch.signatures(sketch.grams(*texts, size)) for texts in (prompts, answers))
    whole = numpy.minimum(of_prompts, of_answers)
    return {
        "bands": sketch.band_hashes(whole),
        "whole": whole.astype(numpy.uint8).reshape(-1, sketch.PERMUTATIONS),
        "asks": sketch.content_hashes([record.shown for record in records], SHORT_PROMPT),
        "tells": sketch.content_hashes([record.told for record in records], SHORT_ANSWER),
    }
