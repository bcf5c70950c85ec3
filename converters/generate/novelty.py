"""Whether a text is new: its ROUGE-L similarity to every earlier kept text is below a threshold. Exact, and fast.

Decides as the plain way does (compare with all kept texts, keep when none is similar), but computes few of the longest
common subsequences. Two bounds from above sort out the others: the words that both texts have, estimated from bit
sets for all kept texts at once, then counted for those that remain.

A token is a word or number as in rouge_score (lower case, split at whatever is no letter or digit); for scripts written
without spaces, one character. No segmentation: its mistakes would be ours.
"""

import re
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy

Array = numpy.ndarray[Any, Any]
UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
TOKEN = re.compile(f"[{UNSPACED}]|[^\\W_{UNSPACED}]+")
WORD_BITS = 64
LONG_TEXT = 48
"""Mean tokens above which the bit sets are made larger: full ones tell nothing apart."""


def tokens(text: str) -> list[str]:
    """Return the tokens of a text."""
    return TOKEN.findall(text.lower())


def common_lengths(one: Array, others: list[Array]) -> Array:
    """Return the length of the longest common subsequence of `one` with each of `others`."""
    width = max(len(other) for other in others)
    padded = numpy.full((len(others), width), -1, numpy.int32)
    for row, other in zip(padded, others, strict=True):
        row[: len(other)] = other
    best = numpy.zeros((len(others), width + 1), numpy.int32)
    for token in one:
        # Row of the usual table: from above, or one more than from above left; then the best so far to the left.
        best[:, 1:] = numpy.maximum(best[:, 1:], best[:, :-1] + (padded == token))
        numpy.maximum.accumulate(best, axis=1, out=best)
    lengths: Array = best[:, -1]
    return lengths


class Novelty:
    """The texts kept so far. Numbers its texts in the order of being kept."""

    def __init__(self, threshold: float = 0.7, mean_tokens: float = 20) -> None:
        self.threshold = Fraction(str(threshold))
        self._words = 4 if mean_tokens <= LONG_TEXT else 16
        self._ids: dict[Any, int] = {}
        self._items: list[Array] = []
        self._bags: list[Array] = []
        self._bits = numpy.zeros((self._words, 1024), numpy.uint64)
        self._lengths = numpy.zeros(1024, numpy.int32)
        self._needed = numpy.zeros(1024, numpy.int32)  # a text's part in what a pair needs to be similar
        self._marks = numpy.zeros(1024, bool)
        self._buffers = _buffers(1024)

    def __len__(self) -> int:
        return len(self._items)

    def similar(self, text: str) -> tuple[int, float] | None:
        """Return (number, similarity) of the kept text most similar to this one, None when all are below threshold."""
        item, bag = self._encode(text)
        if not len(item) or not self._items:
            return None
        near = self._candidates(len(item), bag)
        if not near:
            return None
        lengths = common_lengths(item, [self._items[number] for number in near])
        sizes = len(item) + self._lengths[near]
        alike = 2 * lengths * self.threshold.denominator >= self.threshold.numerator * sizes
        if not alike.any():
            return None
        scores = numpy.where(alike, 2 * lengths / sizes, 0)
        best = int(scores.argmax())
        return near[best], float(scores[best])

    def add(self, text: str) -> int:
        """Keep a text that has tokens; return its number."""
        item, bag = self._encode(text)
        number = len(self._items)
        if number == len(self._lengths):
            self._bits = numpy.concatenate([self._bits, numpy.zeros_like(self._bits)], axis=1)
            self._lengths = numpy.concatenate([self._lengths, numpy.zeros_like(self._lengths)])
            self._needed = numpy.concatenate([self._needed, numpy.zeros_like(self._needed)])
            self._buffers = _buffers(len(self._needed))
        self._items.append(item)
        self._bags.append(bag)
        self._bits[:, number] = self._set(bag)
        self._lengths[number] = len(item)
        self._needed[number] = self.threshold.numerator * len(item)
        return number

    def _encode(self, text: str) -> tuple[Array, Array]:
        """Return the numbers of a text's tokens, and numbers that tell its first "the" from its second."""
        seen: Counter[str] = Counter()
        item, bag = [], []
        for token in tokens(text):
            item.append(self._ids.setdefault(token, len(self._ids)))
            bag.append(self._ids.setdefault((token, seen[token]), len(self._ids)) if seen[token] else item[-1])
            seen[token] += 1
        while len(self._ids) > len(self._marks):
            self._marks = numpy.zeros(2 * len(self._marks), bool)
        return numpy.array(item, numpy.int32), numpy.array(bag, numpy.int64)

    def _set(self, bag: Array) -> Array:
        # Numbers are given in the order of first appearance, so frequent tokens rarely share a bit.
        bits = numpy.zeros(self._words, numpy.uint64)
        place = bag % (self._words * WORD_BITS)
        numpy.bitwise_or.at(bits, place // WORD_BITS, numpy.uint64(1) << (place % WORD_BITS).astype(numpy.uint64))
        return bits

    def _candidates(self, length: int, bag: Array) -> list[int]:
        """Return the kept texts that share enough tokens with this one to be similar, in whatever order."""
        kept = len(self._items)
        bits = self._set(bag)
        both, ones, shared = (buffer[:kept] for buffer in self._buffers)
        # Tokens that fell on one bit are counted once: begin with what may be missing.
        shared.fill(len(bag) - int(numpy.bitwise_count(bits).sum()))
        for own, word in zip(self._bits, bits, strict=True):
            if word:
                numpy.bitwise_and(own[:kept], word, out=both)
                numpy.bitwise_count(both, out=ones)
                numpy.add(shared, ones, out=shared)
        doubled, mine = 2 * self.threshold.denominator, self.threshold.numerator * length
        numpy.multiply(shared, doubled, out=shared)
        numpy.subtract(shared, self._needed[:kept], out=shared)
        possible = numpy.flatnonzero(shared >= mine)
        if not len(possible):
            return []
        self._marks[bag] = True
        bags = [self._bags[number] for number in possible.tolist()]
        starts = numpy.cumsum([0, *(len(other) for other in bags[:-1])])
        exact = numpy.add.reduceat(self._marks[numpy.concatenate(bags)].astype(numpy.int32), starts)
        self._marks[bag] = False
        near: list[int] = possible[exact * doubled >= self._needed[possible] + mine].tolist()
        return near


def _buffers(size: int) -> tuple[Array, Array, Array]:
    """Return room for a search over so many texts: asking the system for it each time takes longer than the search."""
    return numpy.empty(size, numpy.uint64), numpy.empty(size, numpy.uint8), numpy.empty(size, numpy.int32)
