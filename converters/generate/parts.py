"""A part: rows that an LLM made from a task's rows, in data/TASK/NAME/.

made_from.json says what decides the rows and is written first; rows.jsonl, rejected.jsonl and card.json come last.
"""

import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.files import read_json, sha256, sha256_of, write_json, write_jsonl
from common.llm.client import Endpoint
from common.llm.reply import Reply
from common.paths import data_folder
from common.versions import versions
from converters.generate.base import card_of
from converters.generate.prompts import Prompt
from converters.generate.settings import Asking, as_dict

NAME = re.compile(r"[a-z][a-z0-9_-]*")
TAKEN = ("shards", "train", "val", "test", "rejected")
KINDS = {"self_instruct": "adds rows", "rewritten": "replaces answers", "scored": "selects rows"}


@dataclass(frozen=True)
class Part:
    """One part, and all that decides its rows."""

    task: str
    name: str
    kind: str
    endpoint: Endpoint
    prompt: Prompt
    settings: Asking

    @property
    def folder(self) -> Path:
        """Where the part lies."""
        return folder_of(self.task, self.name)

    def begin(self, force: bool, **more: Any) -> None:
        """Take the folder for these settings; refuse one that holds rows made otherwise, unless `force`."""
        path = self.folder / "made_from.json"
        wanted = {
            "kind": self.kind,
            "endpoint": self.endpoint.cache_name,
            "prompt": self.prompt.version,
            "settings": as_dict(self.settings),
            "rows": card_of(self.task)["files"]["train"]["sha256"],
            **more,
        }
        before = read_json(path) if path.is_file() else wanted
        if before != wanted:
            changed = ", ".join(_changes(before, wanted))
            if not force:
                raise UserError(
                    f"{self.folder} holds rows that were made otherwise; changed: {changed}",
                    "keep both with NAME=another_name, or begin anew with FORCE=1 (paid replies stay in the cache)",
                )
            print(f"{self.folder} is begun anew (changed: {changed})")
            for old in self.folder.iterdir():
                if old.name != ".lock":
                    shutil.rmtree(old) if old.is_dir() else old.unlink()
        write_json(path, wanted)

    def made_by(self, reply: Reply) -> dict[str, Any]:
        """Return what a row says about the reply that it comes from."""
        refused = set(reply.left_out)
        sent = {key: value for key, value in self.settings.sampling().items() if key not in refused}
        structured = self.settings.structured and self.kind != "rewritten" and "response_format" not in refused
        return {
            "model": reply.model or self.endpoint.model,
            "asked": self.endpoint.cache_name,
            "prompt": self.prompt.version,
            "settings": {**sent, "structured": structured},
        }

    def finish(self, rows: Iterable[dict[str, Any]], rejected: Iterable[dict[str, Any]], **facts: Any) -> None:
        """Write the rows, what was dropped, and the card last of all."""
        (self.folder / "card.json").unlink(missing_ok=True)
        counts = {name: write_jsonl(self.folder / f"{name}.jsonl", lines) for name, lines in
                  (("rows", rows), ("rejected", rejected))}  # fmt: skip
        files = {
            name: {"rows": count, "sha256": sha256(self.folder / f"{name}.jsonl")} for name, count in counts.items()
        }
        made_from = read_json(self.folder / "made_from.json")
        card = {"task": self.task, "part": self.name, "kind": self.kind, "files": files, **facts,
                "versions": versions("openai", "jinja2"), "made_from": made_from}  # fmt: skip
        write_json(self.folder / "card.json", {**card, "identity": sha256_of([made_from, files])})


def folder_of(task: str, name: str) -> Path:
    """Return the folder of a part; UserError for a name that cannot be one."""
    if not NAME.fullmatch(name) or name in TAKEN:
        raise UserError(f"NAME cannot be {name!r}", "small letters, digits, _ and -, beginning with a letter")
    return data_folder(task) / name


def part_card(task: str, name: str) -> dict[str, Any]:
    """Return the card of a finished part, which must be there."""
    path = folder_of(task, name) / "card.json"
    if not path.is_file():
        made = sorted(found.parent.name for found in data_folder(task).glob("*/card.json"))
        command = {"rewritten": "rewrite", "scored": "score"}.get(name, "self-instruct")
        named = "" if name in KINDS else f" NAME={name}"
        raise UserError(
            f"{task} has no finished part {name!r}; there are: {', '.join(made) or 'none'}",
            f"make {command} TASK={task}{named}",
        )
    card: dict[str, Any] = read_json(path)
    return card


def _changes(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    flat = [{**told, **told["settings"]} for told in (before, after)]
    names = [name for name in sorted(flat[0].keys() | flat[1].keys()) if name != "settings"]
    return [
        f"{name} ({flat[0].get(name)} -> {flat[1].get(name)})" if name != "rows" else "the task's rows"
        for name in names
        if flat[0].get(name) != flat[1].get(name)
    ]
