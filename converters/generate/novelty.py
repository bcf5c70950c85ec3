"""Whether a text is new: its ROUGE-L similarity to every text kept before is below a threshold. Exact, and fast.

The longest common subsequences are rapidfuzz's. A bound from above spares most of them: the tokens that two texts can
share, counted in bit sets for all kept texts at once.

A token is a word or number as in rouge_score (lower case, split at whatever is no letter or digit); in scripts written
without spaces it is one character, so that no segmenter's mistakes decide.
"""

import re
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy
from rapidfuzz.distance import LCSseq
from rapidfuzz.process import cdist

Array = numpy.ndarray[Any, Any]
UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
TOKEN = re.compile(f"[{UNSPACED}]|[^\\W_{UNSPACED}]+")
WORD_BITS = 64
LONG_TEXT = 48
"""Mean tokens above which the bit sets are made larger: full ones tell nothing apart."""


def tokens(text: str) -> list[str]:
    """Return the tokens of a text."""
    return TOKEN.findall(text.lower())


class Novelty:
    """The texts kept so far, numbered in the order of being kept."""

    def __init__(self, threshold: float = 0.7, mean_tokens: float = 20) -> None:
        self.threshold = Fraction(str(threshold))
        self._words = 4 if mean_tokens <= LONG_TEXT else 16
        self._numbers: dict[tuple[str, int], int] = {}
        self._texts: list[list[int]] = []
        self._bits = numpy.zeros((self._words, 0), numpy.uint64)
        self._lengths = numpy.zeros(0, numpy.int32)
        self._needed = numpy.zeros(0, numpy.int32)  # a text's share of what a pair needs to be similar

    def __len__(self) -> int:
        return len(self._texts)

    def similar(self, text: str) -> tuple[int, float] | None:
        """Return (number, similarity) of the kept text most similar to this one, None when all are below threshold."""
        item, bits, lost = self._encode(text)
        if not item or not self._texts:
            return None
        near = self._candidates(len(item), bits, lost)
        if not len(near):
            return None
        texts = [self._texts[number] for number in near.tolist()]
        common = cdist([item], texts, scorer=LCSseq.similarity, dtype=numpy.int64)[0]
        sizes = len(item) + self._lengths[near]
        alike = 2 * common * self.threshold.denominator >= self.threshold.numerator * sizes
        if not alike.any():
            return None
        scores = numpy.where(alike, 2 * common / sizes, 0)
        best = int(scores.argmax())
        return int(near[best]), float(scores[best])

    def add(self, text: str) -> int:
        """Keep a text; return its number."""
        item, bits, _ = self._encode(text)
        number = len(self._texts)
        if number == len(self._lengths):
            self._make_room()
        self._texts.append(item)
        self._bits[:, number] = bits
        self._lengths[number] = len(item)
        self._needed[number] = self.threshold.numerator * len(item)
        return number

    def _make_room(self) -> None:
        more = max(1024, len(self._lengths))
        self._bits = numpy.pad(self._bits, ((0, 0), (0, more)))
        self._lengths, self._needed = numpy.pad(self._lengths, (0, more)), numpy.pad(self._needed, (0, more))
        # Room for a search: asking the system for it each time takes longer than the search.
        size = len(self._lengths)
        self._both, self._ones = numpy.empty(size, numpy.uint64), numpy.empty(size, numpy.uint8)
        self._shared = numpy.empty(size, numpy.int32)

    def _encode(self, text: str) -> tuple[list[int], Array, int]:
        """Return the numbers of a text's tokens, its bit set, and how many tokens fell on a bit that was set."""
        seen: Counter[str] = Counter()
        item, bag = [], []
        for token in tokens(text):
            item.append(self._numbers.setdefault((token, 0), len(self._numbers)))
            # The first "the" and the second are two, as a common subsequence counts them.
            bag.append(self._numbers.setdefault((token, seen[token]), len(self._numbers)))
            seen[token] += 1
        # Numbers are given in the order of first appearance, so frequent tokens rarely share a bit.
        places = numpy.unique(numpy.array(bag, numpy.int64) % (self._words * WORD_BITS))
        bits = numpy.zeros(self._words, numpy.uint64)
        numpy.bitwise_or.at(bits, places // WORD_BITS, numpy.uint64(1) << (places % WORD_BITS).astype(numpy.uint64))
        return item, bits, len(bag) - len(places)

    def _candidates(self, length: int, bits: Array, lost: int) -> Array:
        """Return the kept texts that may share enough tokens with this one to be similar."""
        kept = len(self._texts)
        both, ones, shared = self._both[:kept], self._ones[:kept], self._shared[:kept]
        shared.fill(lost)
        for own, word in zip(self._bits, bits, strict=True):
            if word:
                numpy.bitwise_and(own[:kept], word, out=both)
                numpy.bitwise_count(both, out=ones)
                numpy.add(shared, ones, out=shared)
        numpy.multiply(shared, 2 * self.threshold.denominator, out=shared)
        numpy.subtract(shared, self._needed[:kept], out=shared)
        return numpy.flatnonzero(shared >= self.threshold.numerator * length)
