"""Whether a row holds a question that models are judged by: the share of the question's n-grams found in the row.

n-grams that many questions share ("What are the symptoms of") are no evidence and do not count. A question shorter
than one n-gram is found only when a row's whole text is the same.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy

from converters.text.sketch import Array, Grams, first_of_runs, fold, grams

COMMON = 10
"""An n-gram in more questions than this is a phrase, not a question."""
PREFILTER_BITS = 24


@dataclass
class Index:
    """The n-grams of questions, each with its owner, sorted by hash."""

    names: list[str]
    values: Array
    owners: Array
    sizes: Array
    """Counting n-grams of each question."""
    seen: Array
    """One bit for each value of a hash's first bits: most n-grams of most rows are sorted out by it."""

    @classmethod
    def build(cls, questions: Sequence[tuple[str, str]], size: int) -> "Index":
        """Build from (name, text) pairs with n-grams of `size` letters."""
        found = grams(*fold([text for _, text in questions]), size)
        owners = numpy.repeat(numpy.arange(len(questions), dtype=numpy.int32), numpy.diff(found.starts))
        order = numpy.argsort(found.values, kind="stable")  # keeps the questions of one n-gram in order
        values, owners = found.values[order], owners[order]
        new = first_of_runs(values)
        once = new | first_of_runs(owners)
        values, owners, gram = values[once], owners[once], numpy.cumsum(new)[once]
        rare = numpy.bincount(gram)[gram] <= COMMON
        values, owners = values[rare], owners[rare]
        seen = numpy.zeros(1 << PREFILTER_BITS, bool)
        seen[values >> numpy.uint64(64 - PREFILTER_BITS)] = True
        sizes = numpy.bincount(owners, minlength=len(questions))
        return cls([name for name, _ in questions], values, owners, sizes, numpy.packbits(seen, bitorder="little"))

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

    def find(self, rows: Grams, overlap: float) -> list[tuple[int, str, float]]:
        """Return (row, name of the question it holds most of, share) for rows that hold at least `overlap` of one."""
        return self.found(self.hits(rows), overlap)

    def found(self, hits: Array, overlap: float) -> list[tuple[int, str, float]]:
        """Return the same for hits."""
        numbers, owners, found = self.shared(hits)
        return [
            (row, self.names[owner], share)
            for row, owner, share in most(numbers, owners, found / self.sizes[owners], overlap)
        ]


def most(rows: Array, owners: Array, shares: Array, least: float) -> list[tuple[int, int, float]]:
    """Return (row, owner, share) of each row's largest share, where that is at least `least`."""
    enough = numpy.flatnonzero(shares >= least)
    order = enough[numpy.lexsort((-shares[enough], rows[enough]))]
    first = numpy.unique(rows[order], return_index=True)[1]
    return [(int(rows[one]), int(owners[one]), float(shares[one])) for one in order[first]]
