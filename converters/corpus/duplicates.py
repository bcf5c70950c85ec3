"""Which rows say again what an earlier row said: exactly, nearly, or to the same question once too often.

Pure functions over the sketches of all rows, in the order in which rows are preferred. Vectorised, so that memory is
the sketches and little more.
"""

import numpy

from converters.text.sketch import BANDS, Array

GROUP = 12
"""In a bucket of many rows each is compared with this many of the first ones, and with the one before it."""
SAME_QUESTION = 0.7
"""Near duplicates must be so alike in their questions alone: the same answer to another question is another fact."""
PAIRS_AT_ONCE = 200_000


def repeated(keys: Array) -> Array:
    """Return for each row the first row with the same key, or -1 for that first row itself."""
    _, first, inverse = numpy.unique(keys, return_index=True, return_inverse=True)
    origin = first[inverse.reshape(-1)]
    return numpy.where(origin == numpy.arange(len(keys)), -1, origin)


def beyond(keys: Array, most: int) -> Array:
    """Return a mask of the rows that have `most` earlier ones with the same key."""
    order = numpy.argsort(keys, kind="stable")
    sorted_keys = keys[order]
    begins = numpy.flatnonzero(numpy.concatenate([[True], sorted_keys[1:] != sorted_keys[:-1]]))
    rank = numpy.arange(len(keys)) - numpy.repeat(begins, numpy.diff([*begins, len(keys)]))
    mask = numpy.zeros(len(keys), bool)
    mask[order] = rank >= most
    return mask


def near(bands: Array, whole: Array, asked: Array, threshold: float) -> Array:
    """Return for each row an earlier kept row that it nearly repeats, or -1.

    bands: rows x BANDS uint64; whole and asked: rows x permutations uint8, signatures of all and of the question.
    Two signatures' share of equal bytes, less the chance of 1 in 256, estimates the Jaccard similarity of n-grams.
    """
    pairs = _similar(candidates(bands), whole, asked, threshold)
    origin = numpy.full(len(bands), -1, numpy.int64)
    for earlier, later in pairs.tolist():  # ordered by the later row, so the earlier one is decided on
        if origin[later] < 0 and origin[earlier] < 0:
            origin[later] = earlier
    return origin


def candidates(bands: Array) -> Array:
    """Return the pairs (earlier, later) of rows that share a band, each once."""
    found = []
    for band in range(BANDS):
        order = numpy.argsort(bands[:, band], kind="stable")
        values = bands[order, band]
        begins = numpy.flatnonzero(numpy.concatenate([[True], values[1:] != values[:-1]]))
        sizes = numpy.diff([*begins, len(values)])
        for step in range(1, GROUP + 1):  # the member at this distance, while the bucket lasts
            starts = begins[sizes > step]
            if not len(starts):
                break
            found.append(_pairs(order, begins, sizes, step))
    if not found:
        return numpy.zeros((0, 2), numpy.int64)
    codes = numpy.unique(numpy.concatenate(found))
    return numpy.stack([codes >> 32, codes & 0xFFFFFFFF], axis=1)


def _pairs(order: Array, begins: Array, sizes: Array, step: int) -> Array:
    """Pair every member of a bucket with its (step-1)-th member; for step 1 also with the one right before it.

    A pair is one number, the earlier row in the upper half: sorting these is much faster than sorting pairs.
    """
    large = sizes > step
    counts = sizes[large] - step
    ends = numpy.cumsum(counts)
    within = numpy.arange(ends[-1]) - numpy.repeat(ends - counts, counts)
    start = numpy.repeat(begins[large], counts)
    later = start + step + within
    pairs = [(order[start + step - 1] << 32) + order[later]]
    if step == 1:
        pairs.append((order[later - 1] << 32) + order[later])
    return numpy.concatenate(pairs)


def _similar(pairs: Array, whole: Array, asked: Array, threshold: float) -> Array:
    """Return the pairs that are similar enough, ordered by the later row."""
    kept = []
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        part = pairs[start : start + PAIRS_AT_ONCE]
        alike = _similarity(whole, part) >= threshold
        part = part[alike]
        kept.append(part[_similarity(asked, part) >= min(SAME_QUESTION, threshold)])
    found = numpy.concatenate(kept) if kept else pairs
    return found[numpy.lexsort((found[:, 0], found[:, 1]))]


def _similarity(signature: Array, pairs: Array) -> Array:
    equal = (signature[pairs[:, 0]] == signature[pairs[:, 1]]).mean(axis=1)
    similarity: Array = (equal - 1 / 256) / (1 - 1 / 256)
    return similarity
