"""Which rows come from one document: they share a passage, a case, or the question itself. Pure over the sketches.

Of each prompt a fixed sample of long n-grams is kept, its anchors: the same ones in every row that has the same run of
text. Rows that share at least half the anchors of one of them belong together, and so do those that belong to them.
"""

import numpy

from converters.corpus.duplicates import candidate_codes
from converters.text.sketch import Array, first_of_runs

COMMON = 50
"""An anchor in more rows than this is a form of words, not a document."""
HALF = 0.5
FEWEST = 2
"""One shared anchor may be a form of words."""


def documents(keys: Array, anchors: Array, counts: Array) -> Array:
    """Return for each row the number of its document.

    Args:
        keys: the hash of each row's question; rows with the same question belong together.
        anchors: the anchors of all rows, one after the other.
        counts: how many each row has.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    rows = numpy.repeat(numpy.arange(len(keys), dtype=numpy.int32), counts)
    order = numpy.argsort(anchors, kind="stable")  # keeps the rows of one anchor in order
    anchors, rows = anchors[order], rows[order]
    new = first_of_runs(anchors)
    once = new | first_of_runs(rows)
    anchor, rows = numpy.cumsum(new)[once], rows[once]
    shared_by = numpy.bincount(anchor)[anchor]
    size = numpy.bincount(rows[shared_by <= COMMON], minlength=len(keys))
    telling = (shared_by <= COMMON) & (shared_by > 1)
    anchor, rows = anchor[telling], rows[telling].astype(numpy.int64)
    places = candidate_codes(anchor)
    pairs, common = numpy.unique((rows[places >> 32] << 32) + rows[places & 0xFFFFFFFF], return_counts=True)
    first, second = pairs >> 32, pairs & 0xFFFFFFFF
    together = common >= numpy.maximum(FEWEST, HALF * numpy.minimum(size[first], size[second]))
    _, question = numpy.unique(keys, return_inverse=True)
    question = question.reshape(-1)
    nodes, ones = int(question.max(initial=-1)) + 1, numpy.ones(together.sum(), bool)
    shared = coo_array((ones, (question[first[together]], question[second[together]])), (nodes, nodes))
    document: Array = connected_components(shared, directed=False)[1][question].astype(numpy.int64)
    return document
