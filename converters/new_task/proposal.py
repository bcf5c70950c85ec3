"""Which column is what, by the columns' names (columns.yaml) and by what they hold. What cannot be told is not guessed.

A path is a column, or a column and a key of the objects in it (answers.text).
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from common.errors import UserError
from common.yaml_files import read_yaml
from converters.custom_task import named_columns, value_at
from converters.read.messages import ASSISTANT, USER, messages_in
from converters.task import Skip
from converters.text.language import label, shares

NAMES: dict[str, list[str]] = read_yaml(Path(__file__).with_name("columns.yaml"))
LOOKED_THROUGH = 50
"""Rows whose conversations are read, and by which the language is told."""
ENOUGH_NUMBERS = 20
"""Among so many right choices the first one is."""
OPTION = re.compile(r"(|op|opt|option|choice|ans|选项)[ _-]?([a-e1-5])$", re.IGNORECASE)
"""A column with one of a multiple-choice question's options: A, option_b, choice3."""
SCORES = re.compile("scor|rating|rank|reward|label|vote", re.IGNORECASE)
"""A list that tells how good each of several answers is."""
ID = re.compile(r"[\w.:-]*\d[\w.:-]*|https?://\S+")
LANGUAGES = {"cyrillic": "ru", "arabic": "ar", "devanagari": "hi", "greek": "el", "hebrew": "he", "thai": "th"}


class Proposal:
    """What a task's YAML would say (`about`), and where several columns may be the same part (`unclear`)."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.unclear: dict[str, list[str]] = {}
        self.values = _values(rows)
        self.texts = {
            path: texts
            for path, values in self.values.items()
            if (texts := [value for value in values if isinstance(value, str) and value.strip()])
        }
        self.about = self._conversation() or self._columns()
        self.about |= self._filters()
        shown = [str(value_at(row, name) or "")[:300] for row in rows[:LOOKED_THROUGH] for name in used_in(self.about)]
        self.about["language"] = _language(" ".join(shown)[:5_000])

    def _conversation(self) -> dict[str, Any]:
        """Return `conversations` and what stands beside them; nothing when there are none."""
        chosen = next((path for path in self.values if words_of(path)[-1:] == ["chosen"]), "")
        if chosen and self._is_conversation(chosen, whole=True):
            about: dict[str, Any] = {"conversations": chosen}
        else:  # beside preferred answers a conversation holds what was asked alone
            others = [path for path in self.values if path not in (chosen, "history") and not _is_bad(path)]
            found = [path for path in others if self._is_conversation(path, whole=not chosen)]
            found = [path for path in found if path.split(".")[-1].lower() in NAMES["messages"]] or found
            if len(found) > 1:
                self.unclear["conversations"] = found
            if len(found) != 1:
                return {}
            about = {"conversations": found[0], **({"columns": {"output": chosen}} if chosen else {})}
        if system := self._best("system", []):
            about.setdefault("columns", {})["system"] = system
        return about

    def _is_conversation(self, path: str, *, whole: bool) -> bool:
        """Tell whether most rows hold turns in a column, with an answer in them when they are whole."""
        tried = Counter(_reads_as_turns(value, path, whole) for value in self.values[path][:LOOKED_THROUGH])
        return tried[True] > tried[False]

    def _columns(self) -> dict[str, Any]:
        choices = self._choices()
        taken = [choices] if isinstance(choices, str) else list(choices)
        output = self._best("output", taken) or (self._answer_key(taken) if choices else "")
        instruction = self._best("instruction", [*taken, output])
        given = self._best("input", [*taken, output, instruction])
        if not instruction and given:  # what is given is all that is asked
            instruction, given = given, ""
        if not (instruction and output):
            instruction, output = self._by_content(instruction, output, [*taken, given])
        system = self._best("system", [instruction, output])
        columns: dict[str, Any] = {"instruction": instruction, "input": given, "output": output, "system": system}
        if any(isinstance(value, list) and value for value in self.values.get("history", ())):
            columns["history"] = "history"
        numbered = {}
        if choices and instruction and output:
            columns["choices"] = choices
            numbered = self._first_choice(output, choices)
        return {"columns": {part: column for part, column in columns.items() if column}, **numbered}

    def _best(self, part: str, taken: list[str]) -> str:
        """Return the column that is a part by its name and by what it holds; note when several may be."""
        ranked: list[tuple[tuple[bool, bool, int], str]] = []
        for path in self.values if part == "output" else self.texts:
            words = words_of(path)
            if path in taken or not words or words[-1] in NAMES["about"] or _is_bad(path):
                continue
            if any(isinstance(value, dict) and not {"role", "from"} & set(value) for value in self.values[path]):
                continue  # what it holds is looked at by itself
            exact = path.lower().strip() in NAMES[part]
            known = [path.lower().strip()] if exact else [word for word in words if len(word) > 1]
            place = min((NAMES[part].index(word) for word in known if word in NAMES[part]), default=None)
            if place is not None and self._may_be(path, part, sure=exact and place < 7):
                ranked.append(((not self._is_prose(path), not exact, place), path))
        if not ranked:
            return ""
        best, path = min(ranked)
        equal = [path for rank, path in ranked if rank == best]
        if len(equal) > 1:
            self.unclear[part] = equal
            return ""
        return self._first_of_list(path, part)

    def _first_of_list(self, path: str, part: str) -> str:
        """Return the path of a list's first text: several answers are not one. Where they are scored it is unclear."""
        lists = [value for value in self.values[path] if isinstance(value, list)]
        if not lists or not all(isinstance(item, str) for one in lists for item in one):
            return path
        sizes = _sizes(self.values[path])
        scored = any(SCORES.search(other) and _sizes(values) == sizes for other, values in self.values.items())
        if scored and max(sizes) > 1:
            self.unclear[part] = [f"{path}.{number}" for number in range(max(sizes))]
            return ""
        return f"{path}.0"

    def _may_be(self, path: str, part: str, *, sure: bool) -> bool:
        """Tell whether what a column holds can be a part: no ids, roles or marks; not empty in most rows."""
        values = [value for value in self.values[path] if value not in (None, "", [])]
        if part in ("instruction", "output") and len(values) < 0.5 * len(self.rows):
            return False
        texts = [value for value in values if isinstance(value, str)]
        if len(texts) < len(values):
            items = [item for value in values if isinstance(value, list) for item in value]
            readable = all(isinstance(item, str | dict) for item in items)
            return part == "output" and readable and not any(isinstance(value, bool) for value in values)
        if part == "output":
            return sure or self._is_prose(path) or len(set(texts)) > 0.5 * len(texts)
        ids = sum(bool(ID.fullmatch(text)) for text in texts)
        return ids <= 0.5 * len(texts) and (sure or part == "system" or self._is_prose(path))

    def _is_prose(self, path: str) -> bool:
        """Tell whether most of a column's texts read like language: several words, or Chinese."""
        texts = self.texts.get(path) or [item for one in self.values[path] if isinstance(one, list) for item in one]
        spoken = sum(bool(re.search(r"\S\s+\S+\s+\S|[\u3040-\u9fff]{2}", str(text))) for text in texts)
        return spoken > 0.5 * len(texts)

    def _by_content(self, instruction: str, output: str, taken: list[str]) -> tuple[str, str]:
        """Name what no name told: the column that asks by its question marks, or the only one that is left."""
        free = [
            path
            for path, texts in self.texts.items()
            if path not in (instruction, output, *taken)
            and len(texts) >= 0.8 * len(self.rows)
            and not {*words_of(path)[-1:]} & {*NAMES["about"]}
            and not _is_bad(path)
            and self._is_prose(path)
        ]
        if not instruction and "instruction" not in self.unclear:
            marks = {path: sum(text.rstrip()[-1] in "?？" for text in self.texts[path]) for path in free}
            asking = [path for path in free if marks[path] > 0.5 * len(self.rows)]
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
            several = all(isinstance(one, list | dict) and len(one) > 1 for one in map(_listed, values) if one)
            if several and {*words_of(path)[-1:]} & {*NAMES["choices"]}:
                return path
        groups: dict[str, dict[str, str]] = {}
        for path in self.texts:
            if found := OPTION.match(path):
                groups.setdefault(found[1].lower(), {})[found[2].lower()] = path
        lists = (sorted(group.values()) for group in groups.values() if len(group) > 2 and group.keys() & {"a", "1"})
        return next(lists, [])

    def _answer_key(self, taken: list[str]) -> str:
        """Return the column with the right choice's letter or number."""
        found = [path for path in self.values if path.lower() in NAMES["answer_key"] and path not in taken]
        return found[0] if len(found) == 1 else ""

    def _first_choice(self, output: str, choices: str | list[str]) -> dict[str, int]:
        """Return from what the numbers of answers count, when they are numbers; UserError when that cannot be told."""
        values = [str(value) for value in self.values[output] if value is not None]
        if not all(re.fullmatch(r"\d", value) for value in values):
            return {}
        lists = [] if isinstance(choices, list) else [value for value in self.values[choices] if value]
        most = max((len(_listed(value)) for value in lists), default=len(choices))
        if "0" not in values and max(map(int, values)) < most and len(values) < ENOUGH_NUMBERS:
            raise UserError(
                f"{output} has numbers of choices; these {len(values)} rows do not tell whether 0 or 1 is the first",
                "put the right choice's letter or text there, or name more rows as --source",
            )
        return {"first_choice": 0 if "0" in values else 1}

    def _filters(self) -> dict[str, Any]:
        """Return the filters that leave out rows marked as bad, and rows with more than a text."""
        filled = {name: [bool(row.get(name)) for row in self.rows] for name in NAMES["extras"]}
        if extras := [name for name, there in filled.items() if all(there)]:
            raise UserError(
                f"all rows have {', '.join(extras)}, and here only text is trained on",
                "LLaMA-Factory itself may: enter the file in dataset_info.json and train on it (docs/recipes.md)",
            )
        rules = [{"column": name, "max_length": 2} for name, there in filled.items() if any(there)]
        judged = self.about.get("columns", {}).get("output") == "completion"  # KTO's: a label of 0 is no class
        for path, values in self.values.items():
            said = {str(value).lower() for value in values if isinstance(value, bool | str | int)}
            if words_of(path)[-1:] in (["label"], ["tag"]) and (
                said == {"true", "false"} or (judged and said == {"0", "1"})
            ):
                good = [value for value in dict.fromkeys(values) if str(value).lower() in ("true", "1")]
                rules.append({"column": path, "one_of": good})
        return {"filters": rules} if rules else {}


def used_in(about: dict[str, Any]) -> tuple[str, ...]:
    """Return the columns that a task's description uses."""
    parts = [
        part for value in about.get("columns", {}).values() for part in ([value] if isinstance(value, str) else value)
    ]
    return named_columns([*parts, about.get("conversations"), *(rule["column"] for rule in about.get("filters", ()))])


def words_of(path: str) -> list[str]:
    """Return the words of a column's name: ["long", "answer"] of LONG_ANSWER and of longAnswer2."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", path)
    words = [word.lower() for word in re.findall(r"[A-Za-z]+|[\u4e00-\u9fff]+", spaced)]
    singular = {*NAMES["instruction"], *NAMES["output"], *NAMES["not_to_learn"]}
    return [word.removesuffix("s") if word.removesuffix("s") in singular else word for word in words]


def _sizes(values: list[Any]) -> list[int]:
    """Return how long each list of a column is."""
    return [len(value) if isinstance(value, list) else 0 for value in values]


def _listed(value: Any) -> Any:
    """Return what there is to choose from, which may stand in an object under `text`."""
    return value.get("text", value) if isinstance(value, dict) else value


def _is_bad(path: str) -> bool:
    """Tell whether a column holds examples of what is not wanted."""
    return not {*NAMES["not_to_learn"]}.isdisjoint(words_of(path))


def _reads_as_turns(value: Any, path: str, whole: bool) -> bool:
    texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
    if texts and path.rsplit(".", maxsplit=1)[-1].lower() not in NAMES["messages"]:
        return False
    try:
        roles = {role for role, _ in messages_in(value)}
    except Skip as skip:  # a conversation all the same, and refused by name
        return any(name in skip.reason for name in ("tool call", "a part of type", "of weight 0"))
    return {USER, ASSISTANT} <= roles or (isinstance(value, list) and USER in roles and not whole)


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


def _language(text: str) -> str:
    found = label(text, shares(text))
    return LANGUAGES.get(found, found if len(found) == 2 else "en")
