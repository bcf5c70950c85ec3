"""Which rows a call shows as examples. The same seed and call number show the same rows, in any process. Pure."""

import hashlib
import heapq
import random
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from converters.generate.base import Row, record_of
from converters.task import Record

LONGEST = 1_200
"""Characters of an example; longer rows are shown only where there are not enough others."""


def pool(rows: Iterable[Row], size: int, seed: int) -> list[tuple[str, Record]]:
    """Return `size` rows to draw examples from: by a hash of their ids, those of readable length first."""
    ranked = heapq.nsmallest(size, (_rank(row, seed) for row in rows), key=lambda found: found[:2])
    return [(name, record) for _, _, name, record in ranked]


def _rank(row: Row, seed: int) -> tuple[int, str, str, Record]:
    record = record_of(row)
    length = len(record.prompt) + len(record.output)
    place = hashlib.sha256(f"{seed} {row['id']}".encode()).hexdigest()
    return max(0, length - LONGEST), place, str(row["id"]), record


def shown_in(
    call: int, real: Sequence[tuple[str, Record]], kept: Sequence[dict[str, Any]], counts: tuple[int, int], seed: int
) -> tuple[list[str], list[str]]:  # fmt: skip
    """Return the ids and the texts of the examples of a call: real rows, then generated ones."""
    draw = random.Random(f"{seed} {call}")
    chosen = draw.sample(list(real), min(counts[0], len(real)))
    examples = [(name, record.instruction, record.input, record.output) for name, record in chosen]
    made = draw.sample(range(len(kept)), min(counts[1], len(kept)))
    examples += [
        (row["id"], row["instruction"], row["input"], row["output"]) for row in (kept[place] for place in made)
    ]
    texts = [
        orjson.dumps({"instruction": asked, "input": given or "noinput", "output": told}).decode()
        for _, asked, given, told in examples
    ]
    return [name for name, *_ in examples], texts
