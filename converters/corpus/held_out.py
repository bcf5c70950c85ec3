"""What a variant takes over from its base task: the rows to validate and test on, which it must not train on."""

from dataclasses import dataclass

import numpy

from converters.corpus.decide import HELD_OUT, Decision
from converters.corpus.splits import TEST, TRAIN, VAL
from converters.text.sketch import Array


@dataclass(frozen=True)
class HeldOut:
    """The rows that the base task validates and tests on: by their place in the source, and by their question."""

    positions: Array
    keys: Array
    splits: Array

    @classmethod
    def of(cls, arrays: dict[str, Array], decision: Decision) -> "HeldOut":
        """Take them from what was decided on the base task's rows."""
        rows = decision.kept(VAL, TEST)
        return cls(arrays["position"][rows], arrays["key"][rows], decision.split[rows])

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
