"""The converters' own checks for rows that come later: near duplicates of known rows, and judged questions in them."""

from collections.abc import Sequence
from itertools import islice

import numpy

from common.progress import Progress
from converters.corpus.contamination import Index, Question
from converters.corpus.duplicates import near_repeats
from converters.corpus.judged_questions import judged_questions
from converters.corpus.splits import SPLITS
from converters.generate.parts import card_of, record_of, rows_of
from converters.generate.read_replies import FIELDS
from converters.rows.stage_row import near_sketches
from converters.settings import Settings, build_settings
from converters.task import Record, Task
from converters.text.sketch import Array, digests, fold, gram_sizes, grams

AT_ONCE = 2_000
COPIED_LETTERS = 20
"""A shorter question or answer may come up again by itself."""
COPIED_SHARE = 0.8


def conversion_settings(task: Task) -> Settings:
    """Return the settings by which a task's rows were converted."""
    return build_settings(task, card_of(task.name)["made_from"]["settings"])[0]


class Passages:
    """Named texts, of which others may hold a part."""

    def __init__(self, task: Task, named: Sequence[Question], share: float) -> None:
        self._share, self._size = share, gram_sizes(task.language)[1]
        self._index = Index(named, self._size)

    def held(self, texts: list[str]) -> list[str]:
        """Return for each text what it holds of them, or ""."""
        held = [""] * len(texts)
        if not (texts and self._index.names):
            return held
        hits = self._index.hits(grams(*fold(texts), self._size))
        for number, name, share in self._index.found(hits, self._share):
            held[number] = f"holds {share:.0%} of {name}"
        return held


def held_out(task: Task, settings: Settings) -> Passages:
    """Return the judged questions and the test rows, none of which may be in a training row."""
    if not settings.decontaminate:
        return Passages(task, [], settings.overlap)
    tested = [(f"test row {row['id']}", record_of(row).asked) for row in rows_of(task.name, "test")]
    return Passages(task, judged_questions(task, settings) + tested, settings.overlap)


def fields_of(rows: Sequence[tuple[str, Record]]) -> list[Question]:
    """Return the questions, and then the answers, of named rows."""
    questions = [(f"the question of {name}", record.prompt) for name, record in rows]
    return questions + [(f"the answer of {name}", record.output) for name, record in rows]


def shown(task: Task, real: Sequence[tuple[str, Record]]) -> Passages:
    """Return the questions and answers of the rows that calls show, long enough to be copied."""
    return Passages(task, [field for field in fields_of(real) if len(field[1]) >= 2 * COPIED_LETTERS], COPIED_SHARE)


class Known:
    """The rows of a task, and those added since, to find near duplicates of them."""

    def __init__(self, task: Task, settings: Settings) -> None:
        self._near, self._size = settings.near, gram_sizes(task.language)[0]
        self._names: list[str] = []
        self._texts: list[tuple[str, str]] = []
        self._sketches: list[dict[str, Array]] = []
        self._fields: dict[int, str] = {}
        files = card_of(task.name)["files"]
        with Progress("reading the task's rows", sum(files[split]["rows"] for split in SPLITS)) as progress:
            for split in SPLITS:
                rows = rows_of(task.name, split)
                while part := list(islice(rows, AT_ONCE)):
                    self.add([(row["id"], record_of(row)) for row in part])
                    progress.step(len(part))

    def add(self, rows: list[tuple[str, Record]]) -> None:
        """Know these rows, each with its name, from now on."""
        fields = fields_of(rows)
        for (name, _), digest in zip(fields, _digests([text for _, text in fields]), strict=True):
            if digest:
                self._fields.setdefault(digest, name)
        if self._near and rows:
            self._names += [name for name, _ in rows]
            self._texts += [(record.shown, record.told) for _, record in rows]
            self._sketches.append(self._sketch([record for _, record in rows]))

    def copied(self, records: list[Record]) -> list[str]:
        """Return for each record whose question or answer one of its fields is, or ""."""
        found = [""] * len(records)
        for name in FIELDS:
            for number, digest in enumerate(_digests([getattr(record, name) for record in records])):
                found[number] = found[number] or self._fields.get(digest, "")
        return found

    def repeated(self, records: list[Record]) -> list[str]:
        """Return for each record the name of the known row that it nearly repeats, or ""."""
        if not (records and self._sketches):
            return [""] * len(records)
        known, new = _joined(self._sketches), self._sketch(records)
        self._sketches = [known]
        # Known rows that share nothing with the new ones are left out: comparing them with each other is done already.
        shares = numpy.isin(known["asks"], new["asks"][new["asks"] != 0])
        for old, band in zip(known["bands"].T, new["bands"].T, strict=True):
            shares |= numpy.isin(old, band)
        rows = numpy.flatnonzero(shares)
        among = _joined([{name: array[rows] for name, array in known.items()}, new])
        texts = [self._texts[row] for row in rows.tolist()] + [(record.shown, record.told) for record in records]
        origin = near_repeats(among, numpy.arange(len(texts)), self._near, texts.__getitem__)[len(rows) :]
        # What repeats another new row is for the caller, who knows which of these are kept.
        return [self._names[rows[place]] if 0 <= place < len(rows) else "" for place in origin.tolist()]

    def _sketch(self, records: list[Record]) -> dict[str, Array]:
        prompts, answers = fold([record.shown for record in records]), fold([record.told for record in records])
        return near_sketches(records, prompts, answers, self._size)


def _digests(texts: list[str]) -> list[int]:
    """Return a hash of each text's letters, 0 for a short text."""
    folded, starts = fold(texts)
    long = numpy.diff(starts) >= COPIED_LETTERS
    hashes: list[int] = numpy.where(long, digests(folded, starts), 0).tolist()
    return hashes


def _joined(parts: list[dict[str, Array]]) -> dict[str, Array]:
    return {name: numpy.concatenate([part[name] for part in parts]) for name in parts[0]}
