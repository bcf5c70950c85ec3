"""A part: rows that an LLM made from a task's rows, in data/TASK/NAME/; and the finished rows that it starts from.

made_from.json says what decides the rows and is written first; rows.jsonl, rejected.jsonl and card.json come last.
"""

import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import read_json, read_jsonl, sha256, sha256_of, write_json, write_jsonl
from common.llm.endpoint import Endpoint
from common.llm.reply import Reply
from common.paths import data_folder
from common.versions import versions
from common.yaml_files import read_yaml
from converters.generate.prompts import Prompt
from converters.generate.settings import Asking
from converters.output.card import read_card
from converters.rows.formats import turns_of
from converters.task import Record, Task

Row = dict[str, Any]
NAME = re.compile(r"[a-z][a-z0-9_-]*")
TAKEN = ("shards", "train", "val", "test", "rejected")
COMMANDS = {"self_instruct": "self-instruct", "rewritten": "rewrite", "scored": "score", "replay": "replay"}
"""The kinds of parts, which are their default names too, and the command that makes each."""


@dataclass(frozen=True)
class Part:
    """One part, and all that decides its rows."""

    task: Task
    name: str
    kind: str
    endpoint: Endpoint
    prompt: Prompt
    settings: Asking

    @property
    def folder(self) -> Path:
        """Where the part lies."""
        return folder_of(self.task.name, self.name)

    @property
    def mix(self) -> str:
        """What the task's rows together with this part are called."""
        return f"{self.task.name}+{self.name}"

    def sent(self) -> dict[str, Any]:
        """Return the settings of each call."""
        form = response_formats().get(self.kind) if self.settings.structured else None
        return self.settings.sampling() | ({"response_format": form} if form else {})

    def begin(self, force: bool, **more: Any) -> None:
        """Take the folder for these settings; refuse one that holds rows made otherwise, unless `force`."""
        path = self.folder / "made_from.json"
        wanted = {
            "kind": self.kind,
            "endpoint": self.endpoint.cache_name,
            "prompt": self.prompt.version,
            "settings": self.settings.model_dump(),
            "rows": card_of(self.task.name)["files"]["train"]["sha256"],
            **more,
        }
        before = read_json(path) if path.is_file() else wanted
        if self.kind != "self_instruct":  # only the rows that are new are asked for again
            before |= {"rows": wanted["rows"]}
        if before != wanted:
            changed = ", ".join(_changes(before, wanted))
            if not force:
                raise UserError(
                    f"{self.folder} holds rows made with other settings; changed: {changed}",
                    "keep both with NAME=another_name, or start again with FORCE=1 (paid replies stay in the cache)",
                )
            print(f"{self.folder} is started again (changed: {changed})")
            for old in self.folder.iterdir():
                if old.name != ".lock":
                    shutil.rmtree(old) if old.is_dir() else old.unlink()
        write_json(path, wanted)

    def made_by(self, reply: Reply) -> dict[str, Any]:
        """Return what a row says about the reply that it comes from."""
        sent = {key: value for key, value in self.sent().items() if key not in reply.left_out}
        structured = sent.pop("response_format", None) is not None
        return {
            "model": reply.model or self.endpoint.model,
            "asked": self.endpoint.cache_name,
            "prompt": self.prompt.version,
            "settings": {**sent, "structured": structured},
        }

    def finish(self, rows: Iterable[Row], rejected: Iterable[Row], **facts: Any) -> None:
        """Write the rows, what was dropped, and the card last of all."""
        (self.folder / "card.json").unlink(missing_ok=True)
        files = {}
        for name, lines in (("rows", rows), ("rejected", rejected)):
            path = self.folder / f"{name}.jsonl"
            files[name] = {"rows": write_jsonl(path, lines), "sha256": sha256(path)}
        made_from = read_json(self.folder / "made_from.json")
        card = {"task": self.task.name, "part": self.name, "kind": self.kind, "files": files,
                "model": self.endpoint.model, **facts, "versions": versions("openai", "jinja2"),
                "made_from": made_from}  # fmt: skip
        write_json(self.folder / "card.json", {**card, "identity": sha256_of([made_from, files])})


@cache
def response_formats() -> dict[str, Any]:
    """Return what is asked for by a JSON schema, by kind of part."""
    formats: dict[str, Any] = read_yaml(Path(__file__).with_name("response_formats.yaml"))
    return formats


def folder_of(task: str, name: str) -> Path:
    """Return the folder of a part; UserError for a name that cannot be one."""
    if not NAME.fullmatch(name) or name in TAKEN:
        raise UserError(f"NAME cannot be {name!r}", "use small letters, digits, _ and -, starting with a letter")
    return data_folder(task) / name


def part_card(task: str, name: str) -> dict[str, Any]:
    """Return the card of a finished part, which must be there."""
    path = folder_of(task, name) / "card.json"
    if not path.is_file():
        made = sorted(found.parent.name for found in data_folder(task).glob("*/card.json"))
        named = "" if name in COMMANDS else f" NAME={name}"
        raise UserError(
            f"{task} has no finished part {name!r}; there are: {', '.join(made) or 'none'}",
            f"make {COMMANDS.get(name, 'self-instruct')} TASK={task}{named}",
        )
    card: dict[str, Any] = read_json(path)
    return card


def card_of(task: str) -> dict[str, Any]:
    """Return the card of a task's rows, which must be there."""
    card = read_card(task)
    if card is None:
        raise UserError(f"{task} has no converted rows to start from", f"make convert TASK={task}")
    return card


def rows_of(task: str, split: str = "train") -> Iterator[Row]:
    """Yield the rows of a split, as they stand in the file."""
    path = data_folder(task) / f"{split}.jsonl"
    if not path.is_file():
        raise UserError(f"{path} is missing", f"make convert TASK={task}")
    return read_jsonl(path)


def record_of(row: Row) -> Record:
    """Return an alpaca or sharegpt row as a record."""
    *history, (asked, told) = turns_of(row)
    if "conversations" in row:
        return Record(asked, "", told, row.get("system", ""), history)
    return Record(row["instruction"], row["input"], told, row.get("system", ""), history)


def with_output(row: Row, output: str) -> Row:
    """Return a row with another last answer."""
    if "conversations" in row:
        *before, last = row["conversations"]
        return {**row, "conversations": [*before, {**last, "value": output}]}
    return {**row, "output": output}


def _changes(before: Row, after: Row) -> list[str]:
    old, new = ({**made_from, **made_from["settings"], "settings": None} for made_from in (before, after))
    changed = [name for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name)]
    return ["the task's rows" if name == "rows" else f"{name} ({old.get(name)} -> {new.get(name)})" for name in changed]
