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
from converters.custom_task import ASSISTANT, USER, build_task, messages_in, named_columns, value_at
from converters.passes.first_pass import FEW_BROKEN
from converters.read.files import SUFFIXES, read_chunks
from converters.read.json_rows import parse_line
from converters.read.sources import ARCHIVES, find_source, no_such_source
from converters.read.text import Broken
from converters.registry import NAME, NAMES, OWN, task_names
from converters.settings import build_settings
from converters.task import Record, Skip, Task, given_text, has_column
from converters.text.language import label, shares

LOOKED_AT = 200
SHOWN = 3
PARTS = ("instruction", "input", "output")
NO_COLUMN = "-"
HUB_ID = re.compile(r"(?:https?://[^/]+/datasets/)?([\w.-]+/[\w.-]+)/?$")
LOCAL = ("data", "rows", "datasets", "tasks", "runs", ".", "..", "~", "")
"""Folders whose names begin a path, and never a data set's id."""

ASKS = (
    "instruction", "question", "prompt", "query", "problem", "ask", "问题", "提问", "q", "user", "human", "patient",
    "title",
)  # fmt: skip
ANSWERS = (
    "output", "answer", "response", "completion", "reply", "solution", "target", "chosen", "assistant", "gpt", "doctor",
    "summary", "highlights", "回答", "答案", "a",
)  # fmt: skip
GIVENS = ("input", "context", "passage", "document", "background", "article", "body", "selftext", "材料")
SYSTEMS = ("system", "system_prompt", "system_message")
MESSAGES = ("conversations", "messages", "conversation", "dialogue", "dialog", "turns")
ABOUT_WORDS = """
id uid uuid guid index idx no num number count label class category type kind source url link language split score
rating rank level difficulty topic domain subject tag tags date time timestamp year name author model version status
length len tokens role gender age email hash path file start end 编号 序号 备注 来源 类别
"""
ABOUT = frozenset(ABOUT_WORDS.split())
"""Last words of columns that say something about a row: neither question nor answer, unless the user says so."""
NOT_TO_LEARN = frozenset(("rejected", "reject", "bad", "wrong", "incorrect", "negative", "worse", "distractor"))
"""Words of columns whose texts are examples of what is not wanted."""
EXTRAS = ("tools", "images", "image", "videos", "video", "audios", "audio")
"""Columns of LLaMA-Factory's that a text alone does not make up for: rows that fill them are left out."""
CHOICE = re.compile(r"(|op|opt|option|choice|ans|选项)[ _-]?([a-e1-5])$", re.IGNORECASE)


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
    about = _describe(name, where, rows, chosen, ask=ask)
    path = OWN / f"{name}.yaml"
    task = build_task(name, about, str(path))
    print(f"\nproposed for {path}:\n")
    text = yaml.safe_dump(about, sort_keys=False, allow_unicode=True, width=110)
    print("\n".join(f"  {line}" for line in text.splitlines()))
    used = {column.partition(".")[0] for column in _used(about)} | set(_used(about))
    said = {column for column, value in _columns(rows).items() if given_text(str(value)).strip()}
    if unused := [column for column in _columns(rows) if column in said - used]:
        print(f"\nleft unused: {', '.join(unused)}")
    if {"chosen", "rejected"} <= set(_columns(rows)):
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


def _used(about: dict[str, Any]) -> tuple[str, ...]:
    """Return the columns that a description uses."""
    parts = [
        part for value in about.get("columns", {}).values() for part in ([value] if isinstance(value, str) else value)
    ]
    return named_columns([*parts, about.get("conversations"), *(rule["column"] for rule in about.get("filters", ()))])


class Looked:
    """What the columns hold, and which of them may be what. `unclear` tells where several may be the same part."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.unclear: dict[str, list[str]] = {}
        self.values = _values(rows)
        self.texts = {
            path: texts for path, values in self.values.items()
            if (texts := [value for value in values if isinstance(value, str) and value.strip()])
        }  # fmt: skip

    def propose(self) -> dict[str, Any]:
        """Return the keys of a task that the rows themselves tell."""
        about: dict[str, Any] = {}
        preferred = next((path for path in self.values if _words(path)[-1:] == ["chosen"]), "")
        if preferred and self._is_conversation(preferred, whole=True):
            about["conversations"] = preferred
        elif found := self._conversations(preferred):
            about["conversations"] = found
            if preferred:
                about["columns"] = {"output": preferred}
        if "conversations" in about:
            if system := self._best("system", SYSTEMS, ()):
                about.setdefault("columns", {})["system"] = system
        else:
            about |= self._parts()
        if extras := [name for name in EXTRAS if all(row.get(name) for row in self.rows)]:
            raise UserError(
                f"all rows have {', '.join(extras)}, and here only text is trained on",
                "LLaMA-Factory itself may: enter the file in dataset_info.json and train on it (docs/recipes.md)",
            )
        rules = [
            {"column": name, "max_length": 2} for name in EXTRAS if any(row.get(name) for row in self.rows)
        ]  # fmt: skip
        marks = [path for path, values in self.values.items() if {True, False} <= set(filter(_is_bool, values))]
        rules += [{"column": path, "one_of": [True]} for path in marks if _words(path)[-1:] in (["label"], ["tag"])]
        if rules:
            about["filters"] = rules
        shown = [str(value_at(row, name) or "")[:300] for row in self.rows[:50] for name in _used(about)]
        return {**about, "language": _language(" ".join(shown))}

    def _parts(self) -> dict[str, Any]:
        columns: dict[str, Any] = {}
        choices = self._choices()
        taken = [choices] if isinstance(choices, str) else list(choices)
        output = self._best("output", ANSWERS, taken) or (self._answer_key(taken) if choices else "")
        instruction = self._best("instruction", ASKS, [*taken, output])
        given = self._best("input", GIVENS, [*taken, output, instruction])
        if not instruction and given:  # what is given is all that is asked
            instruction, given = given, ""
        if not (instruction and output):
            instruction, output = self._by_content(instruction, output, [*taken, given])
        columns = {"instruction": instruction, "input": given, "output": output,
                   "system": self._best("system", SYSTEMS, [instruction, output])}  # fmt: skip
        if any(isinstance(value, list) and value for value in self.values.get("history", ())):
            columns["history"] = "history"
        about: dict[str, Any] = {}
        if choices and instruction and output:
            columns["choices"] = choices
            about |= self._first_choice(output, choices)
        return {"columns": {part: column for part, column in columns.items() if column}, **about}

    def _best(self, part: str, known: tuple[str, ...], taken: Any) -> str:
        """Return the column that is a part by its name and by what it holds; note when several may be."""
        ranked: list[tuple[tuple[bool, int, int], str]] = []
        for path in self.texts if part != "output" else self.values:
            words = _words(path)
            if path in taken or not words or words[-1] in ABOUT or NOT_TO_LEARN & set(words):
                continue
            if any(isinstance(value, dict) and not {"role", "from"} & set(value) for value in self.values[path]):
                continue  # what it holds is looked at by itself
            exact = next((i for i, word in enumerate(known) if path.lower().strip() == word), None)
            within = next((i for i, word in enumerate(known) if len(word) > 1 and word in words), None)
            place = exact if exact is not None else within
            if place is None or not self._may_be(path, part, strong=exact is not None and place < 7):
                continue
            ranked.append(((not self._is_prose(path), exact is None, place), path))
        if not ranked:
            return ""
        best = min(ranked)[0]
        equal = [path for rank, path in ranked if rank == best]
        if len(equal) > 1:
            self.unclear[part] = equal
            return ""
        return self._first_of_list(equal[0])

    def _first_of_list(self, path: str) -> str:
        """Return the path of a list's first text: several answers are not one."""
        lists = [value for value in self.values[path] if isinstance(value, list)]
        return f"{path}.0" if lists and all(isinstance(item, str) for one in lists for item in one) else path

    def _may_be(self, path: str, part: str, *, strong: bool) -> bool:
        """Tell whether what a column holds can be a part: no ids, roles or marks; not empty in most rows."""
        values = [value for value in self.values[path] if not (value is None or value in ("", []))]
        if part in ("instruction", "output") and len(values) < 0.5 * len(self.rows):
            return False
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) < len(values):
            items = [item for value in values if isinstance(value, list) for item in value]
            return (
                part == "output"
                and all(isinstance(item, str | dict) for item in items)
                and not any(map(_is_bool, values))
            )
        if part == "output":
            return strong or self._is_prose(path) or len(set(texts)) > 0.5 * len(texts)
        ids = sum(bool(re.fullmatch(r"[\w.:-]*\d[\w.:-]*|https?://\S+", text)) for text in texts)
        return ids <= 0.5 * len(texts) and (strong or part == "system" or self._is_prose(path))

    def _is_prose(self, path: str) -> bool:
        """Tell whether most of a column's texts read like language: several words, or Chinese."""
        texts = self.texts.get(path) or [
            item for value in self.values[path] if isinstance(value, list) for item in value
        ]
        spoken = sum(bool(re.search(r"\S\s+\S+\s+\S|[\u3040-\u9fff]{2}", str(text))) for text in texts)
        return spoken > 0.5 * len(texts)

    def _by_content(self, instruction: str, output: str, taken: list[str]) -> tuple[str, str]:
        """Name what no name told: the column that asks by its question marks, or the only one that is left."""
        free = [
            path
            for path in self.texts
            if path not in (instruction, output, *taken)
            and len(self.texts[path]) >= 0.8 * len(self.rows)
            and not {*_words(path)[-1:]} & ABOUT and not {*_words(path)} & NOT_TO_LEARN
            and self._is_prose(path)
        ]  # fmt: skip
        asking = [
            path for path in free if sum(text.rstrip()[-1] in "?？" for text in self.texts[path]) > 0.5 * len(self.rows)
        ]
        if not instruction and "instruction" not in self.unclear:
            instruction = asking[0] if len(asking) == 1 else free[0] if len(free) == 1 and output else ""
        free = [path for path in free if path != instruction]
        if not output and "output" not in self.unclear:
            output = free[0] if len(free) == 1 else ""
        for part, found in (("instruction", instruction), ("output", output)):
            if not found and len(free) > 1:
                self.unclear.setdefault(part, free)
        return instruction, output

    def _choices(self) -> str | list[str]:
        """Return the column with what a multiple-choice question lets choose from, or the columns with one each."""
        for path, values in self.values.items():
            inside = [value.get("text") if isinstance(value, dict) and "text" in value else value for value in values]
            if _words(path)[-1:] in (["choices"], ["options"], ["endings"]) and all(
                isinstance(value, list | dict) and len(value) > 1 for value in inside if value
            ):
                return path
        groups: dict[str, list[str]] = {}
        for path in self.texts:
            if found := CHOICE.match(path):
                groups.setdefault(found[1].lower(), []).append(path)
        for paths in groups.values():
            if len(paths) > 2 and sorted(CHOICE.match(path)[2].lower() for path in paths)[0] in "a1":  # type: ignore[index]
                return sorted(paths)
        return []

    def _answer_key(self, taken: list[str]) -> str:
        """Return the column with the right choice's letter or number."""
        known = ("answer", "answerkey", "answer_key", "correct", "label", "cop", "gold", "target", "ans", "答案")
        found = [path for path in self.values if path.lower() in known and path not in taken]
        return found[0] if len(found) == 1 else ""

    def _first_choice(self, output: str, choices: str | list[str]) -> dict[str, int]:
        """Return from what the numbers of answers count, when they are numbers."""
        values = [str(value) for value in self.values[output] if value is not None]
        if not all(re.fullmatch(r"\d", value) for value in values):
            return {}
        if "0" not in values and max(map(int, values)) < 2:
            self.unclear["output"] = [output]
        return {"first_choice": 0 if "0" in values else 1}

    def _conversations(self, preferred: str) -> str:
        """Return the one column with conversations; beside preferred answers it holds what was asked alone."""
        found = [
            path
            for path in self.values
            if path not in (preferred, "history")
            and not NOT_TO_LEARN & set(_words(path))
            and self._is_conversation(path, whole=not preferred)
        ]
        named = [path for path in found if path.split(".")[-1].lower() in MESSAGES]
        if len(named or found) > 1:
            self.unclear["conversations"] = named or found
        return (named or found)[0] if len(named or found) == 1 else ""

    def _is_conversation(self, path: str, *, whole: bool) -> bool:
        """Tell whether most rows hold turns in a column, with an answer in them when they are whole."""
        tried = Counter(_reads_as_turns(value, path, whole) for value in self.values[path][:50])
        return tried[True] > tried[False]


def _reads_as_turns(value: Any, path: str, whole: bool) -> bool:
    texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
    if texts and path.rsplit(".", maxsplit=1)[-1].lower() not in MESSAGES:
        return False
    try:
        roles = {role for role, _ in messages_in(value)}
    except Skip as skip:  # a conversation all the same, and refused by name
        return "tool call" in skip.reason or "a part of type" in skip.reason
    return {USER, ASSISTANT} <= roles or (isinstance(value, list) and USER in roles and not whole)


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _values(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    """Return the values of each column, and of each key of objects in them (answers.text)."""
    found: dict[str, list[Any]] = {}
    for row in rows:
        for name, value in row.items():
            found.setdefault(str(name), []).append(value)
            if isinstance(value, dict):
                for key, inner in value.items():
                    found.setdefault(f"{name}.{key}", []).append(inner)
    return found


def _words(path: str) -> list[str]:
    """Return the words of a column's name: ["long", "answer"] of LONG_ANSWER and of longAnswer2."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", path)
    words = [word.lower() for word in re.findall(r"[A-Za-z]+|[\u4e00-\u9fff]+", spaced)]
    return [
        word.removesuffix("s") if word.removesuffix("s") in (*ASKS, *ANSWERS, *NOT_TO_LEARN) else word for word in words
    ]


def _language(text: str) -> str:
    text = text[:5_000]
    found = label(text, shares(text))
    return {"cyrillic": "ru", "arabic": "ar", "devanagari": "hi", "greek": "el", "hebrew": "he", "thai": "th"}.get(
        found, found if len(found) == 2 else "en"
    )


def _describe(
    name: str, where: dict[str, str], rows: list[dict[str, Any]], chosen: dict[str, str], *, ask: bool
) -> dict[str, Any]:  # fmt: skip
    """Return the YAML's content: the proposal, with what the user chose or answers put over it."""
    looked = Looked(rows)
    about = looked.propose()
    named = {part: chosen[part] for part in PARTS if chosen[part]}
    if named.keys() & {"instruction", "output"}:
        about.pop("conversations", None)
        about.pop("filters", None)
    columns = {**about.pop("columns", {}), **named}
    conversations: str = chosen.get("conversations") or about.pop("conversations", "")
    known = {"title": name.replace("_", " "), "language": about.pop("language"), "domain": "", "system": ""}
    known |= {key: chosen[key] for key in ("language", "domain", "system") if chosen[key]}
    there = list(_columns(rows))
    for part, column in named.items():
        _check(part, column, rows)
    if ask:
        if not conversations:
            columns |= {part: _ask_column(part, columns.get(part, ""), rows) for part in PARTS}
        for key, question in (("language", "language (en, zh ...)"), ("domain", "domain (law, cooking ...)"),
                              ("system", "system prompt (may be empty)")):  # fmt: skip
            known[key] = click.prompt(question, default=known[key], err=True)
    columns = {part: column for part, column in columns.items() if column}
    if not conversations and not {"instruction", "output"} <= set(columns):
        unclear = [f"{part}: {' or '.join(paths)}" for part, paths in looked.unclear.items() if part not in columns]
        raise UserError(
            "cannot tell which column asks and which answers; "
            + ("; ".join(unclear) or f"there are: {', '.join(there)}"),
            "name them: --instruction COLUMN --output COLUMN, or --conversations COLUMN",
        )
    if not conversations and not columns.keys() & {"input", "choices", "history"} and "instruction" not in named:
        asked, answers = ({str(value_at(row, columns[part])) for row in rows} for part in ("instruction", "output"))
        if len(asked) == 1 < len(answers):
            raise UserError(
                f"{columns['instruction']} says the same in all rows, so another column holds what is asked about",
                f"name it: --input COLUMN; there are {', '.join(there)}",
            )
    told = {key: value for key, value in known.items() if value}
    turns = {"conversations": conversations} if conversations else {}
    return {**told, **where, **turns, **({"columns": columns} if columns else {}), **about}


def _check(part: str, column: str, rows: list[dict[str, Any]]) -> None:
    """Raise UserError when a column (or a template, or a path) names what is not there."""
    there = _columns(rows)
    if missing := [name for name in named_columns([column]) if not has_column(there, name)]:
        raise UserError(
            f"no column {', '.join(missing)} for the {part}; there are: {', '.join(there)}",
            'name one of them, a path (answers.text.0) or a template ("{Question} {Hint}")',
        )


def _ask_column(part: str, proposed: str, rows: list[dict[str, Any]]) -> str:
    """Ask for the column of a part until one is named that is there; "" for none."""

    def checked(typed: str) -> str:
        column = "" if typed.strip() == NO_COLUMN else typed.strip()
        try:
            _check(part, column, rows) if column else None
        except UserError as error:
            raise click.UsageError(error.message) from None
        return column

    none = f", {NO_COLUMN} for none" if part == "input" else ""
    return str(click.prompt(f"column of the {part}{none}", default=proposed, value_proc=checked, err=True))


def _show(task: Task, rows: list[dict[str, Any]]) -> None:
    """Show the first rows as the task converts them; UserError when it can use none."""
    from converters.rows.checks import problem
    from converters.text.cleaning import cleaner

    settings, options = build_settings(task, {})
    clean = cleaner(settings.clean, settings.html)
    shown = 0
    refused: Counter[str] = Counter()
    for row in rows:
        if missing := [column for column in task.columns if not has_column(row, column)]:
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
        if shown > SHOWN:
            continue
        print(f"\nrow {shown}")
        for asked, told in record.history:
            print(f"  Q  {_short(asked)}\n  A  {_short(told)}")
        print(f"  Q  {_short(record.prompt)}\n  A  {_short(record.output)}")
    reasons = "; ".join(f"{why} ({count} rows)" for why, count in refused.most_common(3))
    if not shown:
        raise UserError(
            f"none of these rows can be used like that: {reasons}",
            "name other columns: --instruction COLUMN --output COLUMN, or another --language",
        )
    if reasons:
        print(f"\nof {len(rows)} rows {len(rows) - shown} will be rejected: {reasons}")


def _short(text: str, most: int = 300) -> str:
    line = " / ".join(text.split("\n"))
    return line if len(line) <= most else f"{line[:most]} ... ({len(text):,} characters)"
