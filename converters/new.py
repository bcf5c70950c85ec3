"""python -m converters new NAME --source ...: look at rows, propose a task, show what it makes of them, write it."""

import re
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import click
import yaml

from common.errors import UserError
from common.files import write_text
from converters.custom import build
from converters.propose import Proposal, propose
from converters.reading import Broken, parse_line, read_chunks
from converters.registry import OWN, task_names
from converters.settings import build_settings
from converters.sources import find_source
from converters.task import Record, Skip, Task

LOOKED_AT = 200
SHOWN = 3
HUB_ID = re.compile(r"^[\w.-]+/[\w.-]+$")


def new(name: str, source: str, chosen: dict[str, str], ask: bool) -> Path:
    """Write tasks/NAME.yaml after showing the proposal (and asking for each part, when `ask`); return its path."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or re.search(r"_(?:val|test)$", name):
        raise UserError(
            f"not a good name: {name!r}", "use lower-case letters, digits and _, not ending in _val or _test"
        )
    if name in task_names():
        raise UserError(f"there is a task {name} already", "choose another name, or edit its file")
    where = _where(source)
    rows, files = _look(name, where)
    proposal = propose(rows)
    about = _describe(name, where, proposal, chosen, rows=rows, ask=ask)
    task = build(name, about, [])
    columns = ", ".join(dict.fromkeys(str(column) for row in rows for column in row))
    print(f"\n{len(rows)} rows of {', '.join(files)} looked at; columns: {columns}")
    print(f"proposed for tasks/{name}.yaml:\n")
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
        for chunk in islice(read_chunks(file.path, limit=LOOKED_AT), 1):
            parsed = [parse_line(raw) if isinstance(raw, bytes) else raw for raw in chunk.rows]
            rows += [row for row in parsed if not isinstance(row, Broken)]
    if not rows:
        raise UserError(f"no row can be read from {found.label}", "is it JSON, JSON Lines, CSV or Parquet?")
    return rows[:LOOKED_AT], [file.path.name for file in found.files]


def _describe(
    name: str, where: dict[str, str], proposal: Proposal, chosen: dict[str, str], *,
    rows: list[dict[str, Any]], ask: bool,
) -> dict[str, Any]:  # fmt: skip
    """Return the YAML's content: the proposal, with what the user chose or answers put over it."""
    columns = {
        **proposal.columns,
        **{part: chosen[part] for part in ("instruction", "input", "output") if chosen[part]},
    }
    conversations = "" if any(chosen[part] for part in ("instruction", "output")) else proposal.conversations
    known = {"title": name.replace("_", " "), "language": proposal.language, "domain": "", "system": ""}
    known |= {key: chosen[key] for key in ("language", "domain", "system") if chosen[key]}
    if ask:
        if not conversations:
            for part in ("instruction", "input", "output"):
                columns[part] = click.prompt(f"column of the {part}", default=columns.get(part, ""), err=True)
            columns = {part: column for part, column in columns.items() if column}
        for key, question in (("language", "language (en, zh ...)"), ("domain", "domain (law, cooking ...)"),
                              ("system", "system prompt (may be empty)")):  # fmt: skip
            known[key] = click.prompt(question, default=known[key], err=True)
    if not conversations and not {"instruction", "output"} <= set(columns):
        there = ", ".join(dict.fromkeys(str(key) for row in rows for key in row))
        raise UserError(
            f"cannot tell which column asks and which answers; there are: {there}",
            "name them: --instruction COLUMN --output COLUMN",
        )
    mapping: dict[str, Any] = {"conversations": conversations} if conversations else {"columns": columns}
    return {**{key: value for key, value in known.items() if value}, **where, **mapping}


def _show(task: Task, rows: list[dict[str, Any]]) -> None:
    from converters.checks import problem
    from converters.cleaning import cleaner

    settings, options = build_settings(task, {})
    clean = cleaner(settings.clean, settings.html)
    shown = 0
    for row in rows:
        missing = [column for column in task.columns if column not in row]
        if missing:
            continue
        try:
            record = task.convert(row, "", options)
        except Skip:
            continue
        record.instruction, record.input, record.output = map(clean, (record.instruction, record.input, record.output))
        if problem(record, task, settings):
            continue
        shown += 1
        print(f"\nrow {shown}")
        for asked, told in record.history:
            print(f"  Q  {_short(asked)}\n  A  {_short(told)}")
        print(f"  Q  {_short(record.prompt)}\n  A  {_short(record.output)}")
        if shown == SHOWN:
            return
    if not shown:
        print("\nnone of these rows passes the checks with this mapping", file=sys.stderr)


def _short(text: str) -> str:
    line = " / ".join(text.split("\n"))
    return line if len(line) <= 300 else f"{line[:300]} ... ({len(text):,} characters)"
