"""The second pass, first half: from the sketches of all rows, what becomes of each. Pure over the arrays."""

from dataclasses import dataclass

import numpy

from converters.corpus import duplicates
from converters.corpus.splits import TEST, TRAIN, assign
from converters.settings import Settings
from converters.text.sketch import Array

KEPT, EXACT, NEAR, ANSWERS, IN_TEST, HELD_OUT = range(6)
STEPS = {
    EXACT: "duplicate",
    NEAR: "near_duplicate",
    ANSWERS: "answers",
    IN_TEST: "contaminated",
    HELD_OUT: "held_out",
}


@dataclass
class Decision:
    """For each row, in the order of the stage: what became of it, because of which row, and its split."""

    fate: Array
    cause: Array
    split: Array


def decide(arrays: dict[str, Array], fixed: Array, settings: Settings) -> Decision:
    """Return what becomes of each row; `fixed` is the split that its file sets, or -1.

    Where rows repeat each other the one in the fixed test split is kept, otherwise the first.
    """
    count = len(arrays["key"])
    fate, cause = numpy.full(count, KEPT, numpy.int8), numpy.full(count, -1, numpy.int64)
    order = numpy.lexsort((arrays["position"], fixed != TEST))

    def drop(rows: Array, because: Array | None, step: int) -> None:
        fate[rows] = step
        cause[rows] = -1 if because is None else because

    if settings.exact:
        origin = duplicates.repeated(arrays["exact"][order])
        again = origin >= 0
        drop(order[again], order[origin[again]], EXACT)
    if settings.near:
        rows = order[fate[order] == KEPT]
        origin = duplicates.near(
            arrays["bands"][rows], arrays["whole"][rows], arrays["asked"][rows], settings.near
        )  # fmt: skip
        again = origin >= 0
        drop(rows[again], rows[origin[again]], NEAR)
    if settings.answers:
        rows = order[fate[order] == KEPT]
        drop(rows[duplicates.beyond(arrays["key"][rows], settings.answers)], None, ANSWERS)
    split = numpy.full(count, TRAIN, numpy.int8)
    rows = order[fate[order] == KEPT]
    split[rows] = assign(arrays["place"][rows], fixed[rows], settings)
    if (fixed == TEST).any():
        # The hash keeps a question in one split; a split that the data set brings along does not.
        tested = rows[split[rows] == TEST]
        others = rows[split[rows] != TEST]
        shared = others[numpy.isin(arrays["key"][others], arrays["key"][tested])]
        first = {key: row for row, key in zip(tested.tolist(), arrays["key"][tested].tolist(), strict=True)}
        because = numpy.array([first[key] for key in arrays["key"][shared].tolist()], numpy.int64)
        drop(shared, because, IN_TEST)
    return Decision(fate, cause, split)
