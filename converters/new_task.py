"""python -m converters new NAME --source ...: look at rows, propose a task, show what it makes of them, write it."""

import re
from collections import Counter
from itertools import islice
from pathlib import Path
from typing import Any

import click
import yaml

from common.errors import UserError
from common.files import write_text
from converters.custom_task import build, named_columns, problems_in
from converters.propose import Proposal, propose
from converters.read.files import Broken, parse_line, read_chunks
from converters.read.sources import find_source
from converters.registry import NAME, NAMES, OWN, task_names
from converters.settings import build_settings
from converters.task import Record, Skip, Task

LOOKED_AT = 200
SHOWN = 3
PARTS = ("instruction", "input", "output")
NO_COLUMN = "-"
HUB_ID = re.compile(r"^[\w.-]+/[\w.-]+$")


def new(name: str, source: str, chosen: dict[str, str], ask: bool) -> Path:
    """Write tasks/NAME.yaml after showing the proposal (and asking for each part, when `ask`); return its path."""
    if not NAME.fullmatch(name):
        raise UserError(f"not a good name: {name!r}", f"use {NAMES}")
    if name in task_names():
        raise UserError(f"there is a task {name} already", "choose another name, or edit its file")
    where = _where(source)
    rows, files = _look(name, where)
    print(f"{len(rows)} rows of {', '.join(files)} looked at; columns:")
    for column, value in _columns(rows).items():
        print(f"  {column:<20} {_short(str(value), 80)}")
    about = _describe(name, where, propose(rows), chosen, rows=rows, ask=ask)
    if problems := problems_in(about):
        raise UserError("; ".join(problems), "give other words for them")
    task = build(name, about, [])
    print(f"\nproposed for tasks/{name}.yaml:\n")
    text = yaml.safe_dump(about, sort_keys=False, allow_unicode=True, width=110)
    print("\n".join(f"  {line}" for line in text.splitlines()))
    _show(task, rows)
    if ask and not click.confirm("\nwrite it?", default=True):
        raise UserError("nothing was written", f"python -m converters new {name} --source {source}")
    path = OWN / f"{name}.yaml"
    write_text(path, f"# Edit at will; `python -m converters convert --task {name}` then converts anew.\n{text}")
    print(f"\nwrote {path}; next: make convert TASK={name}")
    return path


def _where(source: str) -> dict[str, str]:
    if Path(source).expanduser().exists():
        return {"source": source}
    if HUB_ID.match(source) and not source.startswith("."):
        return {"hub": source}
    raise UserError(
        f"SOURCE does not exist: {source}", "give a file, a folder, or a data set's id on the hub (org/name)"
    )


def _look(name: str, where: dict[str, str]) -> tuple[list[dict[str, Any]], list[str]]:
    """Return the first rows that can be read, and the names of the files."""
    nothing = Record("", "", "")
    probe = Task(name, name, "en", "", (), lambda row, file, options: nothing, **where)  # type: ignore[arg-type]
    found = find_source(probe, "")
    rows: list[dict[str, Any]] = []
    for file in found.files:
        for chunk in islice(read_chunks(file.path, limit=-(-LOOKED_AT // len(found.files))), 1):
            parsed = [parse_line(raw) if isinstance(raw, bytes) else raw for raw in chunk.rows]
            rows += [row for row in parsed if not isinstance(row, Broken)]
    if not rows:
        raise UserError(f"no row can be read from {found.label}", "is it JSON, JSON Lines, CSV or Parquet?")
    return rows, [file.path.name for file in found.files]


def _columns(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the columns, each with the first value that says something."""
    found: dict[str, Any] = {}
    for row in rows:
        for column, value in row.items():
            found[column] = found.get(column) or value
    return found


def _describe(
    name: str, where: dict[str, str], proposal: Proposal, chosen: dict[str, str], *,
    rows: list[dict[str, Any]], ask: bool,
) -> dict[str, Any]:  # fmt: skip
    """Return the YAML's content: the proposal, with what the user chose or answers put over it."""
    columns = {**proposal.columns, **{part: chosen[part] for part in PARTS if chosen[part]}}
    conversations = "" if any(chosen[part] for part in ("instruction", "output")) else proposal.conversations
    known = {"title": name.replace("_", " "), "language": proposal.language, "domain": "", "system": ""}
    known |= {key: chosen[key] for key in ("language", "domain", "system") if chosen[key]}
    there = list(_columns(rows))
    for part, column in columns.items():
        _check(part, column, there)
    if ask:
        if not conversations:
            columns |= {part: _ask_column(part, columns.get(part, ""), there) for part in PARTS}
        for key, question in (("language", "language (en, zh ...)"), ("domain", "domain (law, cooking ...)"),
                              ("system", "system prompt (may be empty)")):  # fmt: skip
            known[key] = click.prompt(question, default=known[key], err=True)
    columns = {part: columns[part] for part in (*PARTS, "system") if columns.get(part)}
    if not conversations and not {"instruction", "output"} <= set(columns):
        raise UserError(
            f"cannot tell which column asks and which answers; there are: {', '.join(there)}",
            "name them: --instruction COLUMN --output COLUMN",
        )
    mapping: dict[str, Any] = {"conversations": conversations} if conversations else {"columns": columns}
    return {**{key: value for key, value in known.items() if value}, **where, **mapping}


def _check(part: str, column: str, there: list[str]) -> None:
    """Raise UserError when a column (or a template, or a path) names what is not there."""
    if missing := [name for name in named_columns({part: column}) if name not in there]:
        raise UserError(
            f"no column {', '.join(missing)} for the {part}; there are: {', '.join(there)}",
            'name one of them, a path (answers.text.0) or a template ("{Question} {Hint}")',
        )


def _ask_column(part: str, proposed: str, there: list[str]) -> str:
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
    from converters.rows.checks import problem
    from converters.text.cleaning import cleaner

    settings, options = build_settings(task, {})
    clean = cleaner(settings.clean, settings.html)
    shown = 0
    refused: Counter[str] = Counter()
    for row in rows:
        if missing := [column for column in task.columns if column not in row]:
            refused[f"no column {', '.join(missing)}"] += 1
            continue
        try:
            record = task.convert(row, "", options)
        except Skip as skip:
            refused[skip.reason] += 1
            continue
        record.instruction, record.input, record.output = map(clean, (record.instruction, record.input, record.output))
        if why := problem(record, task, settings):
            refused[why[1]] += 1
            continue
        shown += 1
        print(f"\nrow {shown}")
        for asked, told in record.history:
            print(f"  Q  {_short(asked)}\n  A  {_short(told)}")
        print(f"  Q  {_short(record.prompt)}\n  A  {_short(record.output)}")
        if shown == SHOWN:
            return
    if not shown:
        told = "; ".join(f"{why} ({count} rows)" for why, count in refused.most_common(3))
        raise UserError(
            f"none of these rows can be used like that: {told}",
            "name other columns: --instruction COLUMN --output COLUMN, or another --language",
        )


def _short(text: str, most: int = 300) -> str:
    line = " / ".join(text.split("\n"))
    return line if len(line) <= most else f"{line[:most]} ... ({len(text):,} characters)"
