"""Which rows train, validate and test: by a hash of the question, so that a row stays where it is when others come.

Rows of one document go to one split: those that share a passage, a case, or the question itself. Of each prompt a fixed
sample of long n-grams is kept, its anchors: the same ones in every row that has the same run of text. Rows that share
at least half the anchors of one of them belong together, and so do those that belong to them.

Small sets need a larger share for testing. The share depends on the number of rows by steps of ten; a row can only
leave test or val for train when a set grows past a step, never the other way round. SET test= and val= fix it.
"""

import numpy

from converters.corpus.duplicates import candidate_codes, postings
from converters.settings import Settings
from converters.text.sketch import Array, first_of_runs

SPLITS = ("train", "val", "test")
TRAIN, VAL, TEST = range(3)
LADDER = ((1_000, 0.07, 0.12), (10_000, 0.03, 0.05), (100_000, 0.01, 0.02))
LARGEST = (0.0025, 0.005)
FEW, LARGEST_DOCUMENT = 20, 0.02
"""A document of more rows than FEW and than this share of all is not held out."""
COMMON = 50
"""An anchor in more rows than this is a form of words, not a document."""
HALF, FEWEST = 0.5, 2
"""Of the anchors of a row; one shared anchor may be a form of words."""


def shares(rows: int, settings: Settings) -> tuple[float, float]:
    """Return the shares of (val, test) for a set of so many rows."""
    val, test = next(((val, test) for below, val, test in LADDER if rows < below), LARGEST)
    return settings.val if settings.val >= 0 else val, settings.test if settings.test >= 0 else test


def documents(keys: Array, anchors: Array, counts: Array) -> Array:
    """Return for each row the number of its document.

    Args:
        keys: the hash of each row's question; rows with the same question belong together.
        anchors: the anchors of all rows, one after the other.
        counts: how many each row has.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    anchors, rows, shared_by = postings(anchors, numpy.repeat(numpy.arange(len(keys), dtype=numpy.int32), counts))
    size = numpy.bincount(rows[shared_by <= COMMON], minlength=len(keys))
    telling = (shared_by <= COMMON) & (shared_by > 1)
    rows = rows[telling].astype(numpy.int64)
    places = candidate_codes(anchors[telling])
    pairs, common = numpy.unique((rows[places >> 32] << 32) + rows[places & 0xFFFFFFFF], return_counts=True)
    first, second = pairs >> 32, pairs & 0xFFFFFFFF
    together = common >= numpy.maximum(FEWEST, HALF * numpy.minimum(size[first], size[second]))
    _, question = numpy.unique(keys, return_inverse=True)
    question = question.reshape(-1)
    nodes, ones = int(question.max(initial=-1)) + 1, numpy.ones(together.sum(), bool)
    shared = coo_array((ones, (question[first[together]], question[second[together]])), (nodes, nodes))
    document: Array = connected_components(shared, directed=False)[1][question].astype(numpy.int64)
    return document


def by_document(place: Array, keys: Array, document: Array) -> tuple[Array, Array]:
    """Return the place of each row's document, and which rows may be held out.

    A document stands where the row of its smallest key does. It is for training alone when a question in it has several
    answers, none of which a model could be held to, or when it is too large a part of the set.
    """
    order = numpy.lexsort((keys, document))
    begins = numpy.flatnonzero(first_of_runs(document[order]))
    first = numpy.zeros(len(place) and document.max() + 1, numpy.int64)
    first[document[order[begins]]] = order[begins]
    size = numpy.bincount(document)
    unfit = size > max(FEW, LARGEST_DOCUMENT * len(place))
    _, question, answers = numpy.unique(keys, return_inverse=True, return_counts=True)
    unfit[document[answers[question.reshape(-1)] > 1]] = True
    return place[first[document]], ~unfit[document]


def assign(place: Array, fixed: Array, settings: Settings, fit: Array | None = None) -> Array:
    """Return the split of each row.

    With a split of its own for testing, a set's other rows are never tested on. A set of more than two questions has
    at least one to validate and one to test on, unless the share is set to 0.

    Args:
        place: where each row's document stands between 0 and 2**64.
        fixed: a split that the data set itself sets, or -1.
        settings: the shares.
        fit: which rows may be held out, as far as there are enough.
    """
    val, test = shares(len(place), settings)
    own_test, own_val = bool((fixed == TEST).any()), bool((fixed == VAL).any())
    where = place / 2.0**64
    split = numpy.full(len(place), TRAIN, numpy.int8)
    free = (fixed != TEST) & (fixed != VAL)
    if fit is not None and len(numpy.unique(place[free & fit])) > 2:
        free &= fit
    if not own_val:
        split[free & (where >= 1 - val)] = VAL
    if not own_test:
        split[free & (where < test)] = TEST
    split[fixed == VAL], split[fixed == TEST] = VAL, TEST
    if len(numpy.unique(place[free])) > 2:
        for number, share, own, choose in ((TEST, test, own_test, numpy.min), (VAL, val, own_val, numpy.max)):
            if share and not own and not (split == number).any():
                split[free & (place == choose(place[free]))] = number
    return split
