"""Records as alpaca and sharegpt rows, as LLaMA-Factory, stanford_alpaca, FastChat and LLMZoo read them. Pure."""

from pathlib import Path
from typing import Any

from common.yaml_files import read_yaml
from converters.task import Record

ENTRIES: dict[str, dict[str, Any]] = read_yaml(Path(__file__).with_name("entries.yaml"))


def alpaca(record: Record, name: str, system: bool, history: bool) -> dict[str, Any]:
    """Return instruction, input and output, with `system` and `history` where the data set has them."""
    row: dict[str, Any] = {"id": name} | {part: getattr(record, part) for part in ("instruction", "input", "output")}
    if system:
        row["system"] = record.system
    if history:
        row["history"] = [list(turn) for turn in record.history]
    return row


def sharegpt(record: Record, name: str, system: bool, history: bool) -> dict[str, Any]:
    """Return the turns of human and gpt; the system prompt stands beside them, not among them."""
    turns = [*record.history, (record.prompt, record.output)]
    sides = [({"from": "human", "value": asked}, {"from": "gpt", "value": told}) for asked, told in turns]
    row: dict[str, Any] = {"id": name, "conversations": [side for turn in sides for side in turn]}
    if system:
        row["system"] = record.system
    return row


def turns_of(row: dict[str, Any]) -> list[tuple[str, str]]:
    """Return (question, answer) of each turn of a written row, in either format."""
    if "conversations" in row:
        said = [turn["value"] for turn in row["conversations"]]
        return list(zip(said[::2], said[1::2], strict=True))
    last = (f"{row['instruction']}\n{row['input']}".strip(), row["output"])
    return [*((asked, told) for asked, told in row.get("history", ())), last]


def said_in(row: dict[str, Any]) -> tuple[str, str]:
    """Return all that a written row asks, and all that it answers."""
    asked, told = zip(*turns_of(row), strict=True)
    return "\n".join(asked), "\n".join(told)


WRITERS = {"alpaca": alpaca, "sharegpt": sharegpt}


def entry(formatting: str, file_name: str, system: bool, history: bool) -> dict[str, Any]:
    """Return a dataset_info.json entry."""
    base = ENTRIES[formatting]
    columns = dict(base["columns"])
    if system:
        columns["system"] = "system"
    if history and formatting == "alpaca":
        columns["history"] = "history"
    return {"file_name": file_name, **base, "columns": columns}
