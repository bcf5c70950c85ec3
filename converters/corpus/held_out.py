"""What a variant takes over from its base task: the rows to validate and test on, which it must not train on."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy

from common.paths import data_folder
from converters.corpus.decide import HELD_OUT, KEPT, Decision
from converters.corpus.splits import TEST, TRAIN, VAL
from converters.settings import typed
from converters.text.sketch import Array


@dataclass(frozen=True)
class HeldOut:
    """The rows that the base task validates and tests on: by their place in the source, and by their question."""

    positions: Array
    keys: Array
    splits: Array
    questions: list[tuple[str, str]]
    """(name, question) of the test rows."""

    @classmethod
    def of(cls, arrays: dict[str, Array], decision: Decision, questions: list[tuple[str, str]]) -> "HeldOut":
        """Take them from what was decided on the base task's rows."""
        rows = (decision.fate == KEPT) & (decision.split != TRAIN)
        return cls(arrays["position"][rows], arrays["key"][rows], decision.split[rows], questions)

    def fixed(self, arrays: dict[str, Array], fixed: Array) -> Array:
        """Return the split that each row of the variant has by this, else by its file."""
        fixed = fixed.copy()
        for split in (VAL, TEST):
            mine = self.splits == split
            same = numpy.isin(arrays["position"], self.positions[mine]) | numpy.isin(arrays["key"], self.keys[mine])
            fixed[same] = split
        return fixed


def hold_out(decision: Decision) -> None:
    """Take every row out of val and test: their place is the base task's."""
    decision.fate[(decision.fate == KEPT) & (decision.split != TRAIN)] = HELD_OUT
    decision.split[:] = TRAIN


@dataclass(frozen=True)
class Variant:
    """A variant's name, the card of its base task, what that holds out, and what its own card says of both."""

    name: str
    base: dict[str, Any]
    held_out: HeldOut
    about: dict[str, Any]

    @property
    def told(self) -> str:
        """What is different, in words."""
        return told(self.about["settings"])

    def copy_splits(self, folder: Path) -> dict[str, dict[str, Any]]:
        """Copy the base task's val and test rows, and return what its card says of them."""
        for split in ("val", "test"):
            shutil.copyfile(data_folder(self.base["task"]) / f"{split}.jsonl", folder / f"{split}.jsonl")
        return {split: self.base["files"][split] for split in ("val", "test")}


def told(settings: dict[str, Any]) -> str:
    """Return settings as a user types them."""
    return "with " + " ".join(f"{key}={typed(value)}" for key, value in settings.items())
