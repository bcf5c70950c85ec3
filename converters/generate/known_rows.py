"""The converters' own checks for rows that come later: near duplicates of known rows, and judged questions in them."""

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy

from common.progress import Progress
from converters.corpus import duplicates
from converters.corpus.contamination import Index
from converters.corpus.judged_questions import judged_questions
from converters.corpus.splits import SPLITS
from converters.generate.parts import card_of, record_of, rows_of
from converters.generate.read_items import FIELDS
from converters.rows.stage_row import KEY_BYTES
from converters.settings import Settings, build_settings
from converters.task import Record, Task
from converters.text.sketch import Array, band_hashes, digests, fold, gram_sizes, grams, signatures

AT_ONCE = 2_000
COPIED_LETTERS = 20
"""A shorter question or answer may come up again by itself."""
COPIED_SHARE = 0.8

Sketch = tuple[Array, Array, Array]
"""What near duplicates are told by: bands, and the signatures of the whole row and of its question."""


def conversion_settings(task: Task) -> Settings:
    """Return the settings by which a task's rows were converted."""
    defaults, _ = build_settings(task, {})
    given = card_of(task.name)["made_from"]["settings"]
    return build_settings(task, {key: value for key, value in given.items() if hasattr(defaults, key)})[0]


class Passages:
    """Named texts, of which others may hold a part."""

    def __init__(self, task: Task, named: Sequence[tuple[str, str]], share: float) -> None:
        self._share, self._size = share, gram_sizes(task.language)[1]
        self._index = Index.build(named, self._size) if named else None

    def held(self, texts: list[str]) -> list[str]:
        """Return for each text what it holds of them, or ""."""
        found = [""] * len(texts)
        if self._index and texts:
            for number, name, share in self._index.find(grams(*fold(texts), self._size), self._share):
                found[number] = f"holds {share:.0%} of {name}"
        return found


def held_out(task: Task, settings: Settings) -> Passages:
    """Return the judged questions and the test rows, none of which may be in a training row."""
    if not settings.decontaminate:
        return Passages(task, [], settings.overlap)
    tested = [(f"test row {row['id']}", record_of(row).asked) for row in rows_of(task.name, "test")]
    return Passages(task, judged_questions(task, settings) + tested, settings.overlap)


def shown(task: Task, real: Sequence[tuple[str, Record]]) -> Passages:
    """Return the questions and answers of the rows that calls show, long enough to be copied."""
    fields = [(f"the question of {name}", record.prompt) for name, record in real]
    fields += [(f"the answer of {name}", record.output) for name, record in real]
    return Passages(task, [field for field in fields if len(field[1]) >= 2 * COPIED_LETTERS], COPIED_SHARE)


class Known:
    """The rows of a task, and those added since, to find near duplicates of them."""

    def __init__(self, task: Task, settings: Settings) -> None:
        self._near, self._size = settings.near, gram_sizes(task.language)[0]
        self._names: list[str] = []
        self._parts: list[Sketch] = []
        self._fields: dict[int, str] = {}
        files = card_of(task.name)["files"]
        with Progress("reading the task's rows", sum(files[split]["rows"] for split in SPLITS)) as progress:
            for split in SPLITS:
                rows = rows_of(task.name, split)
                while part := list(islice(rows, AT_ONCE)):
                    self.add((row["id"] for row in part), [record_of(row) for row in part])
                    progress.step(len(part))

    def add(self, names: Iterable[str], records: list[Record]) -> None:
        """Know these rows from now on."""
        names = list(names)
        for what, texts in (("question", [r.prompt for r in records]), ("answer", [r.output for r in records])):
            for name, digest in zip(names, _digests(texts), strict=True):
                if digest:
                    self._fields.setdefault(digest, f"the {what} of {name}")
        if self._near and records:
            self._names += names
            self._parts.append(self._sketch(records))

    def copied(self, records: list[Record]) -> list[str]:
        """Return for each record whose question or answer one of its fields is, or ""."""
        found = [""] * len(records)
        for texts in fields_of(records).values():
            for number, digest in enumerate(_digests(texts)):
                found[number] = found[number] or self._fields.get(digest, "")
        return found

    def repeated(self, records: list[Record]) -> list[str]:
        """Return for each record the name of the known row that it nearly repeats, or ""."""
        if not (records and self._parts):
            return [""] * len(records)
        known, new = _joined(self._parts), self._sketch(records)
        self._parts = [known]
        # Only rows that share a band can be near duplicates: comparing the known ones with each other is done already.
        rows = numpy.flatnonzero(_share_a_band(known[0], new[0]))
        among = _joined([(known[0][rows], known[1][rows], known[2][rows]), new])
        origin = duplicates.near(*among, self._near)[len(rows) :]
        # What repeats another new row is for the caller, who knows which of these are kept.
        return [self._names[rows[place]] if 0 <= place < len(rows) else "" for place in origin.tolist()]

    def _sketch(self, records: list[Record]) -> Sketch:
        questions = fold([record.asked for record in records])
        answers = fold(["\n".join([*(answer for _, answer in r.history), r.output]) for r in records])
        asked = signatures(grams(*questions, self._size))
        whole = numpy.minimum(asked, signatures(grams(*answers, self._size)))
        return band_hashes(whole), whole.astype(numpy.uint8), asked[:, :KEY_BYTES].astype(numpy.uint8)


def fields_of(records: list[Record]) -> dict[str, list[str]]:
    """Return each field of the records by its name."""
    return {name: [getattr(record, name) for record in records] for name in FIELDS}


def _digests(texts: list[str]) -> list[int]:
    """Return a hash of each text's letters, 0 for a short text."""
    folded, starts = fold(texts)
    long = numpy.diff(starts) >= COPIED_LETTERS
    hashes: list[int] = numpy.where(long, digests(folded, starts), 0).tolist()
    return hashes


def _joined(parts: list[Sketch]) -> Sketch:
    bands, whole, asked = zip(*parts, strict=True)
    return numpy.concatenate(bands), numpy.concatenate(whole), numpy.concatenate(asked)


def _share_a_band(known: Array, new: Array) -> Array:
    """Return a mask of the known rows that share a band with one of the new rows."""
    mask = numpy.zeros(len(known), bool)
    for band in range(known.shape[1]):
        values = numpy.unique(new[:, band])
        place = numpy.minimum(numpy.searchsorted(values, known[:, band]), len(values) - 1)
        mask |= values[place] == known[:, band]
    return mask
