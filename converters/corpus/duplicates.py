"""Which rows say again what an earlier row said: exactly, nearly, or to the same question once too often.

Pure functions over the sketches of all rows, in the order in which rows are preferred. Vectorised, so that memory is
the sketches and little more.
"""

from collections.abc import Callable, Iterable
from itertools import chain

import numpy

from converters.text.content import answer_the_same, ask_the_same
from converters.text.sketch import Array, first_of_runs

GROUP = 12
"""In a bucket of many rows each is compared with this many of the first ones, and with the one before it."""
SLACK = 0.15
"""Pairs are looked at from so far below the similarity asked for: the estimate errs, and n-grams are not words."""
PAIRS_AT_ONCE = 200_000

Texts = Callable[[int], tuple[str, str]]
"""A row's number -> (all that it asks, all that it answers)."""


def repeated(keys: Array) -> Array:
    """Return for each row the first row with the same key, or -1 for that first row itself."""
    _, first, inverse = numpy.unique(keys, return_index=True, return_inverse=True)
    origin = first[inverse.reshape(-1)]
    return numpy.where(origin == numpy.arange(len(keys)), -1, origin)


def beyond(keys: Array, most: int) -> Array:
    """Return a mask of the rows that have `most` earlier ones with the same key."""
    order = numpy.argsort(keys, kind="stable")
    sorted_keys = keys[order]
    begins = numpy.flatnonzero(first_of_runs(sorted_keys))
    rank = numpy.arange(len(keys)) - numpy.repeat(begins, numpy.diff([*begins, len(keys)]))
    mask = numpy.zeros(len(keys), bool)
    mask[order] = rank >= most
    return mask


def postings(values: Array, owners: Array) -> tuple[Array, Array, Array]:
    """Return each value of each owner once, in the order of the values: values, owners, and how many owners share it.

    The owners must be given in their order.
    """
    order = numpy.argsort(values, kind="stable")  # keeps the owners of one value in order
    values, owners = values[order], owners[order]
    new = first_of_runs(values)
    once = new | first_of_runs(owners)
    number = numpy.cumsum(new)[once]
    return values[once], owners[once], numpy.bincount(number)[number]


def near_repeats(sketches: dict[str, Array], rows: Array, threshold: float, texts: Texts) -> Array:
    """Return for each row an earlier kept row that asks the same and answers nearly the same, or -1: places in `rows`.

    Args:
        sketches: of all rows, "bands" (rows x BANDS) and "whole" (rows x PERMUTATIONS) of n-grams; "asks" and "tells",
            the hashes of the content of its prompt and its answer where these are short, 0 where they are long.
        rows: the numbers of those looked at, in the order in which they are preferred.
        threshold: the share of its words in which a long answer must be the same.
        texts: what a row says, read only where the sketches do not decide.
    """
    asks, tells, bands = sketches["asks"][rows], sketches["tells"][rows], sketches["bands"]
    # Rows that ask the same in other words may share no band: the question's content is one more.
    own = numpy.where(asks == 0, numpy.arange(1, len(asks) + 1, dtype=numpy.uint64), asks)
    pairs = candidates(chain((bands[rows, band] for band in range(bands.shape[1])), [own]))
    pairs = pairs[_equal(asks, pairs) & _equal(tells, pairs)]
    decided = (asks[pairs[:, 0]] != 0) & (tells[pairs[:, 0]] != 0)
    pairs, decided = pairs[by_later := numpy.lexsort((pairs[:, 0], pairs[:, 1]))], decided[by_later]
    alike = decided | (_similarity(sketches["whole"], rows[pairs]) >= threshold - SLACK)
    origin = numpy.full(len(rows), -1, numpy.int64)

    def same(earlier: int, later: int) -> bool:
        (asked, told), (other_asked, other_told) = texts(int(rows[earlier])), texts(int(rows[later]))
        return ask_the_same(asked, other_asked, threshold) and answer_the_same(told, other_told, threshold)

    for (earlier, later), certain in zip(pairs[alike].tolist(), decided[alike].tolist(), strict=True):
        # Ordered by the later row, so the earlier one is decided on.
        if origin[later] < 0 and origin[earlier] < 0 and (certain or same(earlier, later)):
            origin[later] = earlier
    return origin


def _equal(hashes: Array, pairs: Array) -> Array:
    equal: Array = hashes[pairs[:, 0]] == hashes[pairs[:, 1]]
    return equal


def candidates(bands: Iterable[Array]) -> Array:
    """Return the pairs (earlier, later) of rows that share a band, each once. `bands` has one array for each."""
    codes = numpy.unique(numpy.concatenate([candidate_codes(band) for band in bands]))
    return numpy.stack([codes >> 32, codes & 0xFFFFFFFF], axis=1)


def candidate_codes(values: Array) -> Array:
    """Return the pairs of places that hold the same value, each as earlier * 2**32 + later; some more than once."""
    order = numpy.argsort(values, kind="stable")
    values = values[order]
    begins = numpy.flatnonzero(first_of_runs(values))
    sizes = numpy.diff([*begins, len(values)])
    found = [numpy.zeros(0, numpy.int64)]
    for step in range(1, GROUP + 1):  # the member at this distance, while the bucket lasts
        if not (sizes > step).any():
            break
        found.append(_pairs(order, begins, sizes, step))
    return numpy.concatenate(found)


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
        beyond = within >= GROUP  # nearer ones are among those paired with the first members
        pairs.append((order[later[beyond] - 1] << 32) + order[later[beyond]])
    return numpy.concatenate(pairs)


def _similarity(signature: Array, pairs: Array) -> Array:
    equal = numpy.zeros(len(pairs))
    for start in range(0, len(pairs), PAIRS_AT_ONCE):
        part = pairs[start : start + PAIRS_AT_ONCE]
        equal[start : start + PAIRS_AT_ONCE] = (signature[part[:, 0]] == signature[part[:, 1]]).mean(axis=1)
    similarity: Array = (equal - 1 / 256) / (1 - 1 / 256)
    return similarity
