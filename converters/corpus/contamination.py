"""Whether a row holds a question that models are judged by, and which training rows give a held-out row away.

A row holds a judged question by the share of the question's n-grams found in it. A training row gives a held-out row
away when half of what is rare in one of the two prompts stands in the other row. Both ways: it may hold the held-out
question (with other options, under a longer text), or be asked within it (the bare case).

n-grams that many questions or rows share (a template, "What are the symptoms of") are no evidence and do not count. A
question shorter than one n-gram is found only when a row's whole text is the same.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy

from converters.corpus.duplicates import postings
from converters.text.sketch import Array, Grams, fold, grams

PHRASE = 10
"""An n-gram in more questions than this is a phrase, not a question."""
PREFILTER_BITS = 24
HALF = 0.5
COMMON, COMMON_SHARE = (3, 10), 0.01
"""An n-gram in more rows than this share of all, and than 3, is common; one in more than 10 always is."""
FEWEST = 3
"""Fewer shared n-grams show nothing, unless they are all that a question has."""
OPTIONS = re.compile(r"\n\s*[A(（]?[A1①][.．、:：)）\s].*", re.DOTALL)

Question = tuple[str, str]
"""(name, text)"""


class Index:
    """The n-grams of questions, `size` letters long, each with its owner, sorted by hash."""

    def __init__(self, questions: Sequence[Question], size: int) -> None:
        self.names = [name for name, _ in questions]
        found = grams(*fold([text for _, text in questions]), size)
        owners = numpy.repeat(numpy.arange(len(questions), dtype=numpy.int32), numpy.diff(found.starts))
        values, owners, shared_by = postings(found.values, owners)
        self.values, self.owners = values[shared_by <= PHRASE], owners[shared_by <= PHRASE]
        # How many n-grams of each question count.
        self.sizes = numpy.bincount(self.owners, minlength=len(questions))
        # One bit for each value of a hash's first bits: most n-grams of most rows are sorted out by it.
        seen = numpy.zeros(1 << PREFILTER_BITS, bool)
        seen[self.values >> numpy.uint64(64 - PREFILTER_BITS)] = True
        self.seen = numpy.packbits(seen, bitorder="little")

    def hits(self, rows: Grams) -> Array:
        """Return row * 2**32 + place for each n-gram of the index that a row holds, each once, in order."""
        first = (rows.values >> numpy.uint64(64 - PREFILTER_BITS)).astype(numpy.uint32)
        hits = numpy.flatnonzero(self.seen[first >> 3] & (numpy.uint8(1) << (first & 7).astype(numpy.uint8)))
        values = rows.values[hits]
        left = numpy.searchsorted(self.values, values, "left")
        counts = numpy.searchsorted(self.values, values, "right") - left
        row = numpy.searchsorted(rows.starts, hits, "right") - 1
        repeats = numpy.repeat(numpy.arange(len(hits)), counts)
        within = numpy.arange(len(repeats)) - numpy.repeat(numpy.cumsum(counts) - counts, counts)
        place = left[repeats] + within
        # The same n-gram twice in a row counts once: `place` stands for (n-gram, owner).
        return numpy.unique((row[repeats] << 32) + place)

    def shared(self, hits: Array) -> tuple[Array, Array, Array]:
        """Return row, question and number of shared n-grams, for each row and question that share some."""
        both, counts = numpy.unique((hits >> 32 << 32) + self.owners[hits & 0xFFFFFFFF], return_counts=True)
        return both >> 32, both & 0xFFFFFFFF, counts

    def found(self, hits: Array, overlap: float) -> list[tuple[int, str, float]]:
        """Return (row, name of the question it holds most of, share) for rows that hold at least `overlap` of one."""
        rows, owners, counts = self.shared(hits)
        held = most(rows, owners, counts / self.sizes[owners], overlap)
        return [(row, self.names[owner], share) for row, owner, share in held]


def most(rows: Array, owners: Array, shares: Array, least: float) -> list[tuple[int, int, float]]:
    """Return (row, owner, share) of each row's largest share, where that is at least `least`."""
    enough = numpy.flatnonzero(shares >= least)
    order = enough[numpy.lexsort((-shares[enough], rows[enough]))]
    first = numpy.unique(rows[order], return_index=True)[1]
    return [(int(rows[one]), int(owners[one]), float(shares[one])) for one in order[first]]


def forms(name: str, prompt: str, question: str) -> list[Question]:
    """Return a held-out prompt, its question where that is a part of it, and that without its options."""
    different = dict.fromkeys([prompt, question, OPTIONS.sub("", question)])
    return [(name, form) for form in different if form.strip()]


def by_row(hits: Array) -> Array:
    """Turn hits of prompts and answers, one after the other, into hits of rows."""
    codes: Array = (hits >> 33 << 32) + (hits & 0xFFFFFFFF)
    return codes


@dataclass
class Shared:
    """What a batch of rows shares with the held-out questions, by the index's hits."""

    anywhere: Array
    prompt: Array
    sizes: Array
    """n-grams of each row's prompt."""


class Leaks:
    """Gathers what all rows share with the held-out questions; n-grams are rare or common among all of them."""

    def __init__(self, questions: Sequence[Question], size: int, rows: int) -> None:
        """Begin with the held-out questions, n-grams of `size`, for so many rows to train on."""
        self.index, self.size = Index(questions, size), size
        # Rows up to which an n-gram is rare.
        self.common = min(COMMON[1], max(COMMON[0], int(COMMON_SHARE * rows)))
        self.batches: list[tuple[Array, Shared]] = []
        self.seen_in = numpy.zeros(len(self.index.values), numpy.int64)

    def look(self, parts: Grams) -> Shared:
        """Return what some rows share with the held-out questions; `parts` are each one's prompt, then its answers."""
        hits = self.index.hits(parts)
        codes = by_row(hits)
        return Shared(numpy.unique(codes), codes[hits >> 32 & 1 == 0], numpy.diff(parts.starts)[::2])

    def add(self, rows: Array, shared: Shared, trained: Array) -> None:
        """Take the result of some rows over; an n-gram common in those that are trained on is no longer kept."""
        counted = shared.anywhere[trained[shared.anywhere >> 32]]
        self.seen_in += numpy.bincount(counted & 0xFFFFFFFF, minlength=len(self.seen_in))
        self._without_common(shared)
        self.batches.append((rows, shared))

    def _without_common(self, shared: Shared) -> None:
        rare = self.seen_in <= self.common
        place, values = shared.prompt & 0xFFFFFFFF, self.index.values
        once = (place == 0) | (values[place] != values[place - 1])  # an n-gram stands there once for each question
        common = numpy.bincount(shared.prompt[once & ~rare[place]] >> 32, minlength=len(shared.sizes))
        shared.sizes = shared.sizes - common
        shared.prompt = shared.prompt[rare[place]]
        shared.anywhere = shared.anywhere[rare[shared.anywhere & 0xFFFFFFFF]]

    def found(self, counts: Callable[[Array, Array], Array]) -> list[tuple[int, int, str]]:
        """Return (row, held-out question, reason) of each row that gives one away.

        `counts` tells for (rows, questions) whether the one must not give away the other.
        """
        rare = self.seen_in <= self.common
        sizes = numpy.bincount(self.index.owners[rare], minlength=len(self.index.names))
        told: dict[int, tuple[int, str]] = {}
        for rows, shared in self.batches:
            self._without_common(shared)  # what has become so since
            for hits, all_of, words in (
                (shared.anywhere, lambda _, owner: sizes[owner], "holds {share:.0%} of {name}"),
                (shared.prompt, lambda row, _, own=shared.sizes: own[row], "{share:.0%} of its question is in {name}"),
            ):
                row, owner, count = self.index.shared(hits)
                whole = numpy.maximum(all_of(row, owner), 1)
                evidence = (count >= numpy.minimum(FEWEST, whole)) & counts(rows[row], owner)
                share = numpy.where(evidence, numpy.minimum(count / whole, 1), 0)
                for number, question, part in most(row, owner, share, HALF):
                    name = self.index.names[question]
                    told.setdefault(int(rows[number]), (question, words.format(share=part, name=name)))
        return [(row, owner, reason) for row, (owner, reason) in told.items()]
