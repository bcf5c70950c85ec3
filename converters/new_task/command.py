"""python -m converters new NAME --source ...: look at rows, propose a task, show what it makes of them, write it."""

import re
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import click
import orjson
import yaml

from common.errors import UserError
from common.files import write_text
from converters.custom_task import build_task, named_columns, value_at
from converters.new_task.proposal import Proposal, used_in
from converters.passes.first_pass import FEW_BROKEN
from converters.read.files import SUFFIXES, Chunk, read_chunks
from converters.read.json_rows import parse_line
from converters.read.sources import ARCHIVES, find_source, no_such_source
from converters.read.text import Broken
from converters.registry import NAME, NAMES, OWN, task_names
from converters.rows.formats import turns_of
from converters.rows.stage_row import process
from converters.settings import build_settings
from converters.task import File, Record, Task, given_text, has_column

LOOKED_AT = 200
SHOWN = 3
LONGEST_SHOWN = 300
MOST_NAMES = 8
"""Columns named in a message."""
PARTS = ("instruction", "input", "output")
NO_COLUMN = "-"
HUB_ID = re.compile(r"(?:https?://[^/]+/datasets/)?([\w.-]+/[\w.-]+)/?$")
LOCAL = ("data", "rows", "datasets", "tasks", "runs", ".", "..", "~", "")
"""Folders whose names begin a path, and never a data set's id."""


def new(name: str, source: str, chosen: dict[str, str], ask: bool) -> Path:
    """Write tasks/NAME.yaml after showing the proposal (and asking for each part, when `ask`); return its path.

    Args:
        name: the task's name.
        source: a file, a folder, or a data set's id on the hub.
        chosen: what the user named: columns (instruction, input, output, conversations), language, domain, system.
        ask: whether somebody is there to answer.
    """
    if not NAME.fullmatch(name):
        raise UserError(f"not a good name: {name!r}", f"use {NAMES}")
    if name in task_names():
        raise UserError(f"there is a task {name} already", "choose another name, or edit its file")
    where = _where(source)
    rows, files = _look(name, where)
    there = _columns(rows)
    print(f"{len(rows)} rows of {', '.join(files)} looked at; columns:")
    for column, value in there.items():
        print(f"  {column:<20} {_short(str(value), 80)}")
    about = _describe(name, where, rows, chosen, ask=ask)
    path = OWN / f"{name}.yaml"
    task = build_task(name, about, str(path))
    text = yaml.safe_dump(about, sort_keys=False, allow_unicode=True, width=110)
    print(f"\nproposed for {path}:\n")
    print("\n".join(f"  {line}" for line in text.splitlines()))
    used = {part for column in used_in(about) for part in (column, column.partition(".")[0])}
    if unused := [name for name, value in there.items() if name not in used and given_text(str(value)).strip()]:
        print(f"\nleft unused: {', '.join(unused)}")
    if {"chosen", "rejected"} <= there.keys():
        print(
            "\nThese are preference pairs: the task trains on `chosen` alone. To learn from both, enter the file in "
            "dataset_info.json with `ranking: true` and train with METHOD=dpo (docs/recipes.md)."
        )
    _show(task, rows)
    if ask and not click.confirm("\nwrite it?", default=True):
        raise UserError("nothing was written", f"python -m converters new {name} --source {source}")
    write_text(path, f"# Edit at will; `python -m converters convert --task {name}` then converts anew.\n{text}")
    print(f"\nwrote {path}; next: make convert TASK={name}")
    return path


def _where(source: str) -> dict[str, str]:
    if Path(source).expanduser().exists():
        return {"source": source}
    first = re.split(r"[/\\]", source)[0]
    local = first in LOCAL or Path(first).is_dir() or source.lower().endswith((*SUFFIXES, *ARCHIVES, ".txt", ".gz"))
    if (found := HUB_ID.match(source)) and not local:
        return {"hub": found[1]}
    raise no_such_source(source)


def _look(name: str, where: dict[str, str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the first rows that can be read, and the names of the files; UserError when too many cannot."""
    nothing = Record("", "", "")
    probe = Task(name, name, "en", "", (), lambda row, file, options: nothing, **where)  # type: ignore[arg-type]
    found = find_source(probe, "")
    for note in found.notes:
        print(note)
    rows: list[dict[str, Any]] = []
    broken: list[str] = []
    for file in found.files:
        for chunk in islice(read_chunks(file.path, limit=-(-LOOKED_AT // len(found.files))), 1):
            for number, raw in enumerate(chunk.rows, 1):
                row = parse_line(raw) if isinstance(raw, bytes) else raw
                if isinstance(row, Broken):
                    broken.append(f"{file.path.name}:{number}: {row.reason}")
                else:
                    rows.append(row)
    told = "".join(f"\n  {reason}" for reason in broken[:3])
    if not rows or (len(broken) > FEW_BROKEN and len(broken) > 0.05 * (len(rows) + len(broken))):
        raise UserError(
            f"{len(broken)} of {len(rows) + len(broken)} rows of {found.label} cannot be read{told}", "fix the file"
        )
    if broken:
        print(f"{len(broken)} rows cannot be read and will be rejected:{told}")
    return rows, [file.path.name for file in found.files]


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the columns, each with the first value that says something."""
    found: dict[str, Any] = {}
    for row in rows:
        for column, value in row.items():
            found[column] = found.get(column) or value
    return found


def _describe(
    name: str, where: dict[str, str], rows: list[dict[str, Any]], chosen: dict[str, str], *, ask: bool
) -> dict[str, Any]:  # fmt: skip
    """Return the YAML's content: the proposal, with what the user chose or answers put over it."""
    there = _columns(rows)
    named = {part: chosen[part] for part in PARTS if chosen[part]}
    for part, column in named.items():
        _check(part, column, there)
    proposal = Proposal(rows)
    about = proposal.about
    if named.keys() & {"instruction", "output"}:
        about = {"language": about["language"], "columns": about.get("columns", {})}
    columns = about.pop("columns", {}) | named
    conversations = chosen.get("conversations") or about.pop("conversations", "")
    told = {"title": name.replace("_", " "), "language": about.pop("language"), "domain": "", "system": ""}
    told |= {key: chosen[key] for key in ("language", "domain", "system") if chosen[key]}
    if ask:
        if not conversations:
            columns |= {part: _ask_column(part, columns.get(part, ""), there) for part in PARTS}
        for key, question in (("language", "language (en, zh ...)"), ("domain", "domain (law, cooking ...)"),
                              ("system", "system prompt (may be empty)")):  # fmt: skip
            told[key] = click.prompt(question, default=told[key], err=True)
    columns = {part: column for part, column in columns.items() if column}
    if not conversations:
        _check_told(columns, proposal.unclear, rows, alone="instruction" not in named)
    parts = {"conversations": conversations, "columns": columns}
    return {key: value for key, value in (told | where | parts | about).items() if value not in ("", {})}


def _check_told(
    columns: dict[str, Any], unclear: dict[str, list[str]], rows: list[dict[str, Any]], *, alone: bool
) -> None:  # fmt: skip
    """Raise UserError when it is not known what asks and what answers; `alone`: nobody but us named what asks."""
    names = list(_columns(rows))
    there = ", ".join(names[:MOST_NAMES]) + (f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else "")
    if not {"instruction", "output"} <= columns.keys():
        open_parts = {part: paths[:MOST_NAMES] for part, paths in unclear.items() if part not in columns}
        choices = "; ".join(f"{part}: {' or '.join(paths)}" for part, paths in open_parts.items())
        raise UserError(
            f"cannot tell which column asks and which answers; {choices or f'there are: {there}'}",
            "name them: --instruction COLUMN --output COLUMN, or --conversations COLUMN",
        )
    if alone and not columns.keys() & {"input", "choices", "history"}:
        asked, answers = ({str(value_at(row, columns[part])) for row in rows} for part in ("instruction", "output"))
        if len(asked) == 1 < len(answers):
            raise UserError(
                f"{columns['instruction']} says the same in all rows, so another column holds what is asked about",
                f"name it: --input COLUMN; there are {there}",
            )


def _check(part: str, column: str, there: dict[str, Any]) -> None:
    """Raise UserError when a column (or a template, or a path) names what is not there."""
    if missing := [name for name in named_columns([column]) if not has_column(there, name)]:
        raise UserError(
            f"no column {', '.join(missing)} for the {part}; there are: {', '.join(there)}",
            'name one of them, a path (answers.text.0) or a template ("{Question} {Hint}")',
        )


def _ask_column(part: str, proposed: str, there: dict[str, Any]) -> str:
    """Ask for the column of a part until one is named that is there; "" for none."""

    def checked(typed: str) -> str:
        column = "" if typed.strip() == NO_COLUMN else typed.strip()
        try:
            _check(part, column, there) if column else None
        except UserError as error:
            raise click.UsageError(error.message) from None
        return column

    none = f", {NO_COLUMN} for none" if part == "input" else ""
    return str(click.prompt(f"column of the {part}{none}", default=proposed, value_proc=checked, err=True))


def _show(task: Task, rows: list[dict[str, Any]]) -> None:
    """Show the first rows as the task converts them; UserError when it can use none."""
    settings, options = build_settings(task, {"near": 0})
    staged = process(Chunk(0, 1, list(rows)), File("", task.columns), task, settings, options)
    refused = Counter(orjson.loads(line)["reason"] for line in staged.rejected.lines)
    for number, line in enumerate(staged.lines[:SHOWN], 1):
        print(f"\nrow {number}")
        for asked, told in turns_of(orjson.loads(line.split(b"\t", 1)[0])):
            print(f"  Q  {_short(asked)}\n  A  {_short(told)}")
    reasons = "; ".join(f"{why} ({count} rows)" for why, count in refused.most_common(3))
    if not staged.lines:
        raise UserError(
            f"none of these rows can be used like that: {reasons}",
            "name other columns: --instruction COLUMN --output COLUMN, or another --language",
        )
    if reasons:
        print(f"\nof {len(rows)} rows {refused.total()} will be rejected: {reasons}")


def _short(text: str, most: int = LONGEST_SHOWN) -> str:
    line = " / ".join(text.split("\n"))
    return line if len(line) <= most else f"{line[:most]} ... ({len(text):,} characters)"
