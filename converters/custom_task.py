"""A task as one YAML file: where the rows are, which column is what, language, domain, system prompt, filters.

docs/custom_tasks.md describes the keys. Everything that is wrong in a file is reported at once.
"""

import re
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError, nearest
from converters.conversations import turns
from converters.filters import Filter, read_filters
from converters.task import File, Options, Record, Row, Skip, Task, is_nan

KEYS: dict[str, Any] = {
    "title": str, "language": str, "domain": str, "hub": str, "revision": str, "source": str, "url": str,
    "licence": str,
    "rows": int, "files": (list, dict), "columns": dict, "conversations": str, "system": str, "filters": list,
    "splits": dict, "settings": dict,
}  # fmt: skip
COLUMNS = ("instruction", "input", "output", "system")
PLACE = re.compile(r"\{([^{}]+)\}")
LANGUAGE = re.compile(r"[a-z]{2,3}")
KINDS: dict[Any, str] = {
    str: "a text",
    int: "a whole number",
    list: "a list",
    dict: "a mapping",
    (list, dict): "a list or a mapping",
}


def load_yaml(path: Path) -> Task:
    """Return the task that a YAML file describes; UserError with everything that is wrong in it."""
    try:
        about = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not YAML: {error}", "mend that file") from None
    if not isinstance(about, dict):
        raise UserError(f"{path} must hold keys and values", f"it may have {', '.join(KEYS)}")
    problems = problems_in(about)
    filters: list[Filter] = []
    try:
        filters = read_filters(about.get("filters") or [])
    except ValueError as error:
        problems.append(str(error))
    if problems:
        raise UserError(f"{path}: " + "; ".join(problems), f"keys: {', '.join(KEYS)}")
    return build(path.stem, about, filters)


def build(name: str, about: dict[str, Any], filters: list[Filter]) -> Task:
    """Return the task for a checked description."""
    columns: dict[str, str] = about.get("columns") or {}
    conversations = about.get("conversations", "")
    # Many a row of JSON Lines has no `input` or `system` when there is nothing to say in it.
    asked = {part: column for part, column in columns.items() if part in ("instruction", "output")}
    needed = (conversations,) if conversations else named_columns(asked)
    needed = tuple(dict.fromkeys([*needed, *(rule.column.split(".")[0] for rule in filters)]))
    optional = tuple(column for column in named_columns(columns) if column not in needed)

    def convert(row: Row, file: str, options: Options) -> Record:
        for rule in filters:
            if why := rule.refuses(value_at(row, rule.column)):
                raise Skip("filter", why)
        if conversations:
            return turns(value_at(row, conversations))
        parts = {part: filled(row, columns[part]) if part in columns else "" for part in COLUMNS}
        return Record(parts["instruction"], parts["input"], parts["output"], parts["system"])

    listed = about.get("files") or []
    pairs = [(file, "") for file in listed] if isinstance(listed, list) else _by_split(listed)
    return Task(
        name=name,
        title=about.get("title", name),
        language=about.get("language", "en"),
        domain=about.get("domain", ""),
        files=tuple(File(file, needed, split, optional) for file, split in pairs),
        columns=needed,
        optional=optional,
        convert=convert,
        hub=about.get("hub", ""),
        revision=about.get("revision", "main"),
        source=about.get("source", ""),
        url=about.get("url") or (f"https://huggingface.co/datasets/{about['hub']}" if about.get("hub") else ""),
        licence=about.get("licence", ""),
        rows=about.get("rows", 0),
        system=about.get("system", ""),
        defaults={**(about.get("settings") or {}), **(about.get("splits") or {})},
        has_history=bool(conversations),
        has_system=bool(conversations) or "system" in columns,
    )


def _by_split(listed: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (file, split) for split, files in listed.items() for file in (files if isinstance(files, list) else [files])
    ]


def problems_in(about: dict[str, Any]) -> list[str]:
    """Return everything that is wrong in a description, its filters aside."""
    problems = [
        " ".join(filter(None, [f"unknown key {key!r}", nearest(str(key), KEYS)])) for key in about if key not in KEYS
    ]
    for key, kind in KEYS.items():
        if about.get(key) is not None and not isinstance(about[key], kind):
            problems.append(f"{key} must be {KINDS[kind]}, got {about[key]!r}")
    if problems:
        return problems
    columns = about.get("columns") or {}
    if bool(columns) == bool(about.get("conversations")):
        problems.append("give either columns (instruction, output ...) or conversations (a column)")
    problems += [
        f"columns has an unknown part {part!r}: {', '.join(COLUMNS)}" for part in columns if part not in COLUMNS
    ]
    problems += [f"columns lacks {part}" for part in ("instruction", "output") if columns and part not in columns]
    problems += [
        f"columns.{part} must be a text, got {value!r}" for part, value in columns.items() if not isinstance(value, str)
    ]
    if not LANGUAGE.fullmatch(about.get("language") or "en"):
        problems.append(f"language must be a code of two or three letters (en, zh ...), got {about['language']!r}")
    if not about.get("hub") and not about.get("source"):
        problems.append("give hub (a data set's id) or source (a path)")
    for split in about.get("splits") or {}:
        if split not in ("test", "val"):
            problems.append(f"splits has an unknown key {split!r}: test, val")
    if isinstance(about.get("files"), dict):
        problems += [
            f"files has an unknown split {split!r}: train, val, test"
            for split in about["files"]
            if split not in ("train", "val", "test")
        ]
    from converters.settings import Settings

    problems += [
        " ".join(filter(None, [f"settings has an unknown key {key!r}", nearest(str(key), Settings.model_fields)]))
        for key in about.get("settings") or {}
        if key not in Settings.model_fields
    ]
    return problems


def named_columns(columns: dict[str, str]) -> tuple[str, ...]:
    """Return the columns that a mapping names, in templates too."""
    found = [place for value in columns.values() for place in (PLACE.findall(value) or [value])]
    return tuple(dict.fromkeys(place.split(".")[0] for place in found))


def filled(row: Row, template: str) -> str:
    """Return a column's text, or a template with its {columns} filled in."""
    if not PLACE.search(template):
        return as_text(value_at(row, template), template)
    return PLACE.sub(lambda match: as_text(value_at(row, match[1]), match[1]), template)


def value_at(row: Any, path: str) -> Any:
    """Return the value under a dotted path (answers.text.0); None when there is none."""
    if isinstance(row, dict) and path in row:
        return row[path]
    for step in path.split("."):
        if isinstance(row, dict):
            row = row.get(step)
        elif isinstance(row, list) and step.isdigit() and int(step) < len(row):
            row = row[int(step)]
        else:
            return None
    return row


def as_text(value: Any, path: str) -> str:
    """Return a value as text: "" for nothing, a list of texts as lines; Skip for what is no text."""
    if value is None or is_nan(value):
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool | int | float):
        return str(value)
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return "\n".join(value)
    raise Skip("columns", f"{path} holds {type(value).__name__}, not text")
