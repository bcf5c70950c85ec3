"""The finished rows of a task, in either format, as what everything here starts from."""

from collections.abc import Iterator
from typing import Any

from common.errors import UserError
from common.files import read_jsonl
from common.paths import data_folder
from converters.output.card import read_card
from converters.task import Record

Row = dict[str, Any]


def card_of(task: str) -> dict[str, Any]:
    """Return the card of a task's rows, which must be there."""
    card = read_card(task)
    if card is None:
        raise UserError(f"there are no converted rows of {task} to start from", f"make convert TASK={task}")
    return card


def rows_of(task: str, split: str = "train") -> Iterator[Row]:
    """Yield the rows of a split, as they stand in the file."""
    path = data_folder(task) / f"{split}.jsonl"
    if not path.is_file():
        raise UserError(f"{path} is missing", f"make convert TASK={task}")
    return read_jsonl(path)


def record_of(row: Row) -> Record:
    """Return an alpaca or sharegpt row as a record."""
    if "conversations" in row:
        told = [turn["value"] for turn in row["conversations"]]
        turns = list(zip(told[0::2], told[1::2], strict=True))
        return Record(turns[-1][0], "", turns[-1][1], row.get("system", ""), turns[:-1])
    turns = [(asked, told) for asked, told in row.get("history") or []]
    return Record(row["instruction"], row["input"], row["output"], row.get("system", ""), turns)


def with_output(row: Row, output: str) -> Row:
    """Return a row with another last answer."""
    if "conversations" in row:
        *before, last = row["conversations"]
        return {**row, "conversations": [*before, {**last, "value": output}]}
    return {**row, "output": output}
