"""Which training rows give a held-out row away: half of what is rare in one of the two prompts stands in the other row.

The n-grams that many rows share (a template, "the symptoms of") are no evidence and do not count. Both ways: a training
row may hold the held-out question (with other options, under a longer text), or be asked within it (the bare case).
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy

from converters.corpus.contamination import Index, most
from converters.text.sketch import Array, Grams

HALF = 0.5
COMMON, COMMON_SHARE = (3, 10), 0.01
"""An n-gram in more rows than this share of all, and than 3, is common; one in more than 10 always is."""
FEWEST = 3
"""Fewer shared n-grams show nothing, unless they are all that a question has."""
OPTIONS = re.compile(r"\n\s*[A(（]?[A1①][.．、:：)）\s].*", re.DOTALL)

Question = tuple[str, str]
"""(name, text)"""


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


@dataclass
class Leaks:
    """Gathers what all rows share with the held-out questions; n-grams are rare or common among all of them."""

    index: Index
    size: int
    common: int
    """Rows up to which an n-gram is rare."""
    rows: list[Array] = field(default_factory=list)
    parts: list[Shared] = field(default_factory=list)
    seen_in: Array = field(init=False)

    @classmethod
    def of(cls, questions: Sequence[Question], size: int, rows: int) -> "Leaks":
        """Begin with the held-out questions, n-grams of `size`, for so many rows to train on."""
        return cls(Index.build(questions, size), size, min(COMMON[1], max(COMMON[0], int(COMMON_SHARE * rows))))

    def __post_init__(self) -> None:
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
        self.rows.append(rows)
        self.parts.append(shared)

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
        for rows, shared in zip(self.rows, self.parts, strict=True):
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
