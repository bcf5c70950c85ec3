"""From the sketches of all rows, what becomes of each: repeated, held out, or trained on. Pure over the arrays."""

import numpy

from converters.corpus import duplicates
from converters.corpus.splits import TEST, TRAIN, VAL, assign, by_document, documents
from converters.settings import Settings
from converters.text.sketch import Array

KEPT, EXACT, NEAR, ANSWERS, CONTAMINATED, HELD_OUT, BY_HAND = range(7)
STEPS = ("", "duplicate", "near_duplicate", "answers", "contaminated", "held_out", "by_hand")
REASONS = {
    EXACT: "the same as",
    NEAR: "nearly the same as",
    ANSWERS: "enough other answers to this question",
    CONTAMINATED: "asks the same as test row",
    HELD_OUT: "validated or tested on by the base task",
    BY_HAND: "dropped in decisions.jsonl",
}


class Decision:
    """For each row: what became of it, because of which row (-1 for none), and its split. At first all train."""

    def __init__(self, count: int) -> None:
        self.fate: Array = numpy.full(count, KEPT, numpy.int8)
        self.cause: Array = numpy.full(count, -1, numpy.int64)
        self.split: Array = numpy.full(count, TRAIN, numpy.int8)
        self.reasons: dict[int, str] = {}
        """Reasons of rows that have one of their own."""

    def drop(self, rows: Array, fate: int, cause: Array | None = None) -> None:
        """Drop some rows, each because of its cause."""
        self.fate[rows] = fate
        self.cause[rows] = -1 if cause is None else cause

    def reject(self, row: int, fate: int, reason: str) -> None:
        """Drop one row for a reason of its own."""
        self.fate[row], self.reasons[row] = fate, reason

    def kept(self, *splits: int) -> Array:
        """Return the numbers of the rows kept in these splits."""
        return numpy.flatnonzero((self.fate == KEPT) & numpy.isin(self.split, splits))


class HeldOut:
    """The rows that a variant takes over from its base task, to validate and test on and not to train on.

    They are known by their place in the source, and by their question.
    """

    def __init__(self, arrays: dict[str, Array], decision: Decision) -> None:
        """Take them from what was decided on the base task's rows."""
        rows = decision.kept(VAL, TEST)
        self.positions, self.keys, self.splits = arrays["position"][rows], arrays["key"][rows], decision.split[rows]

    def fixed(self, arrays: dict[str, Array], fixed: Array) -> Array:
        """Return the split that each row of the variant has by this, else by its file."""
        fixed = fixed.copy()
        for split in (VAL, TEST):
            mine = self.splits == split
            same = numpy.isin(arrays["position"], self.positions[mine]) | numpy.isin(arrays["key"], self.keys[mine])
            fixed[same] = split
        return fixed

    @staticmethod
    def leave_out(decision: Decision) -> None:
        """Take every row out of val and test: their place is the base task's."""
        decision.drop(decision.kept(VAL, TEST), HELD_OUT)
        decision.split[:] = TRAIN


def decide(
    arrays: dict[str, Array], anchors: Array, fixed: Array, settings: Settings, texts: duplicates.Texts
) -> Decision:  # fmt: skip
    """Return what becomes of each row. Of rows that repeat each other a fixed test row is kept, else the first.

    Args:
        arrays: the sketches of all rows.
        anchors: those of all rows one after the other, arrays["anchors"] of each.
        fixed: the split that a row's file sets, or -1.
        settings: which repeats are dropped.
        texts: what a row says.
    """
    made = Decision(len(fixed))
    order = numpy.lexsort((arrays["position"], fixed != TEST))

    def drop_repeats(rows: Array, origin: Array, fate: int) -> Array:
        again = origin >= 0
        made.drop(rows[again], fate, rows[origin[again]])
        return rows[~again]

    rows = order
    if settings.exact:
        rows = drop_repeats(rows, duplicates.repeated(arrays["exact"][rows]), EXACT)
    if settings.near:
        origin = duplicates.near_repeats(arrays, rows, settings.near, texts)
        origin[arrays["wanted"][rows]] = -1
        rows = drop_repeats(rows, origin, NEAR)
    if settings.answers:
        beyond = duplicates.beyond(arrays["key"][rows], settings.answers) & ~arrays["wanted"][rows]
        made.drop(rows[beyond], ANSWERS)
        rows = rows[~beyond]
    document = documents(arrays["key"], anchors, arrays["anchors"])[rows]
    place, fit = by_document(arrays["place"][rows], arrays["key"][rows], document)
    made.split[rows] = assign(place, fixed[rows], settings, fit)
    if (fixed == TEST).any():
        # The hash keeps a question in one split; a split that the data set brings along does not.
        tested, others = rows[made.split[rows] == TEST], rows[made.split[rows] != TEST]
        shared = others[numpy.isin(arrays["key"][others], arrays["key"][tested])]
        by_key = tested[numpy.argsort(arrays["key"][tested], kind="stable")]
        cause = by_key[numpy.searchsorted(arrays["key"][by_key], arrays["key"][shared])]
        made.drop(shared, CONTAMINATED, cause)
    return made
