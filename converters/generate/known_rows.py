"""The converters' own checks for rows that come later: near duplicates of known rows, and judged questions in them."""

from collections.abc import Iterable
from itertools import islice

import numpy

from common.progress import Progress
from converters.corpus import duplicates
from converters.corpus.contamination import Index
from converters.corpus.judged_questions import judged_questions
from converters.corpus.splits import SPLITS
from converters.generate.base import card_of, record_of, rows_of
from converters.rows.stage_row import KEY_BYTES
from converters.settings import Settings
from converters.task import Record, Task
from converters.text.sketch import Array, band_hashes, fold, gram_sizes, grams, signatures

AT_ONCE = 2_000

Sketch = tuple[Array, Array, Array]
"""What near duplicates are told by: bands, and the signatures of the whole row and of its question."""


class Known:
    """The rows of a task, and those added since."""

    def __init__(self, task: Task, settings: Settings) -> None:
        self.task, self.settings = task, settings
        self._near_size, self._question_size = gram_sizes(task.language)
        self._names: list[str] = []
        self._parts: list[Sketch] = []
        if settings.near:
            self._read_rows()
        questions = judged_questions(task, settings) if settings.decontaminate else []
        if settings.decontaminate:
            questions += [(f"test row {row['id']}", record_of(row).asked) for row in rows_of(task.name, "test")]
        self._index = Index.build(questions, self._question_size) if questions else None

    def add(self, names: Iterable[str], records: list[Record]) -> None:
        """Know these rows from now on."""
        if self.settings.near and records:
            self._names += names
            self._parts.append(self._sketch(records))

    def repeated(self, records: list[Record]) -> list[str]:
        """Return for each record the name of the known row that it nearly repeats, or ""."""
        if not (self.settings.near and records and self._parts):
            return [""] * len(records)
        known, new = _joined(self._parts), self._sketch(records)
        self._parts = [known]
        # Only rows that share a band can be near duplicates: comparing the known ones with each other is done already.
        rows = numpy.flatnonzero(_share_a_band(known[0], new[0]))
        among = _joined([(known[0][rows], known[1][rows], known[2][rows]), new])
        origin = duplicates.near(*among, self.settings.near)[len(rows) :]
        # What repeats another new row is for the caller, who knows which of these are kept.
        return [self._names[rows[place]] if 0 <= place < len(rows) else "" for place in origin.tolist()]

    def contaminated(self, records: list[Record]) -> list[str]:
        """Return for each record what it holds of a judged question or a test row, or ""."""
        found = [""] * len(records)
        if self._index and records:
            texts = [f"{record.asked}\n{record.output}" for record in records]
            rows = grams(*fold(texts), self._question_size)
            for number, name, share in self._index.find(rows, self.settings.overlap):
                found[number] = f"holds {share:.0%} of {name}"
        return found

    def _read_rows(self) -> None:
        files = card_of(self.task.name)["files"]
        with Progress("reading the rows that are there", sum(files[split]["rows"] for split in SPLITS)) as progress:
            for split in SPLITS:
                rows = rows_of(self.task.name, split)
                while part := list(islice(rows, AT_ONCE)):
                    self.add((row["id"] for row in part), [record_of(row) for row in part])
                    progress.step(len(part))

    def _sketch(self, records: list[Record]) -> Sketch:
        questions = fold([record.asked for record in records])
        answers = fold(["\n".join([*(told for _, told in r.history), r.output]) for r in records])
        asked = signatures(grams(*questions, self._near_size))
        whole = numpy.minimum(asked, signatures(grams(*answers, self._near_size)))
        return band_hashes(whole), whole.astype(numpy.uint8), asked[:, :KEY_BYTES].astype(numpy.uint8)


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
