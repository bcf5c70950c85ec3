"""Which of the generated items are kept: parsing and every check in turn, each dropped item with its reason.

The order: broken - worth by itself (worth.py) - the user's banned patterns - the converters' own checks - near
duplicates of the task's rows - copies of one of their fields - judged questions and test rows - ROUGE-L to real rows
and to everything kept before.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError
from common.files import sha256_of
from converters.generate.answers import UNIT, Dropped, folded, script, unframed
from converters.generate.ask import EXCERPT, Call, fault
from converters.generate.known_rows import COPIED_LETTERS, Known, held_out, shown
from converters.generate.novelty import Novelty
from converters.generate.parts import Part
from converters.generate.read_replies import FIELDS, parse
from converters.generate.settings import Generating
from converters.generate.worth import unworthy
from converters.rows.checks import problem as converters_problem
from converters.settings import Settings
from converters.task import Record
from converters.text.cleaning import cleaner
from converters.text.language import UNSPACED

Patterns = dict[str, re.Pattern[str]]
LEAST_SENTENCE = {"spaced": 30, "unspaced": 9}
"""Letters from which a sentence of the prompt is no chance in a task."""


@dataclass(frozen=True)
class Found:
    """A whole item of a reply."""

    call: Call
    place: int
    record: Record

    @property
    def content(self) -> dict[str, str]:
        """Its fields by name."""
        return {name: getattr(self.record, name) for name in FIELDS}


class Selection:
    """The rows kept so far, the items dropped, and why."""

    def __init__(self, part: Part, rows: Settings, real: Sequence[tuple[str, Record]]) -> None:
        assert isinstance(part.settings, Generating)
        self.part, self.rows_settings = part, rows
        self.kept: list[dict[str, Any]] = []
        self.rejected: list[dict[str, Any]] = []
        self.items = 0
        self.last_reply = ""
        self.compare = compared_by(part.settings, [record for _, record in real])
        self._banned = load_banned(part.settings.banned)
        self._script = script("".join(record.prompt + record.output for _, record in real))
        self._shown = shown(part.task, real)
        self._prompt = sentences_of(part)
        self._clean = cleaner(rows.clean, rows.html)
        self._known, self._held_out = Known(part.task, rows), held_out(part.task, rows)
        texts = [self._compared(record) for _, record in real]
        self._novelty = Novelty(part.settings.similarity)
        self._names = [name for name, _ in real]
        self._said: dict[str, str] = {}
        for text in texts:
            self._novelty.add(text)

    @property
    def dropped(self) -> dict[str, int]:
        """How many items were dropped at each step, by name."""
        return dict(sorted(Counter(row["step"] for row in self.rejected).items()))

    def take(self, calls: Sequence[Call]) -> int:
        """Take the replies of one round; return how many rows they add."""
        found = [item for call in calls for item in self._whole_items(call) if self._passes(item)]
        added: list[tuple[str, Record]] = []
        for item, known in zip(found, self._of_known_rows([item.record for item in found]), strict=True):
            if why := known or self._of_kept_rows(item.record):
                self._drop(item.call, why, item)
            else:
                added.append((self._keep(item), item.record))
        self._known.add(added)
        return len(added)

    def _of_known_rows(self, records: list[Record]) -> list[Dropped | None]:
        """Return for each record what it has of the task's rows, or of what must not be trained on."""
        copied = self._known.copied(records)
        for name in FIELDS:
            held = self._shown.held([getattr(record, name) for record in records])
            copied = [one or (what and f"its {name} {what}") for one, what in zip(copied, held, strict=True)]
        steps = {
            "near_duplicate": [same and f"nearly the same as {same}" for same in self._known.repeated(records)],
            "copy": copied,
            "contaminated": self._held_out.held([f"{record.asked}\n{record.output}" for record in records]),
        }
        by_record = (zip(steps, reasons, strict=True) for reasons in zip(*steps.values(), strict=True))
        return [next(((step, reason) for step, reason in found if reason), None) for found in by_record]

    def _of_kept_rows(self, record: Record) -> Dropped | None:
        """Return what a record has of the real rows shown and of those kept before it."""
        if alike := self._novelty.similar(self._compared(record)):
            number, score = alike
            return "similar", f"ROUGE-L {score:.2f} to {self._names[number]}"
        said = self._said.get(folded(record.output))
        return ("copy", said) if said else None

    def _compared(self, record: Record) -> str:
        return record.prompt if self.compare == "prompt" else record.instruction

    def _whole_items(self, call: Call) -> list[Found]:
        reply = call.reply
        self.last_reply = reply.said or reply.error or reply.finish_reason
        if why := fault(reply):
            self._drop(call, why)
            return []
        items, broken = parse(reply.said, reply.finish_reason == "length")
        for reason in broken:
            self._drop(call, ("broken", reason))
        if not items and not broken:
            self._drop(call, ("no_items", f"no tasks in the reply: {reply.said[:EXCERPT]!r}"))
        self.items += len(items)
        clean = self._clean
        cleaned = (Record(clean(item.instruction), clean(item.input), clean(unframed(item.output))) for item in items)
        return [Found(call, place, record) for place, record in enumerate(cleaned)]

    def _passes(self, found: Found) -> bool:
        task, record = self.part.task, found.record
        why = unworthy(record, task.language, self._script) or self._of_the_prompt(record) or self._banned_in(record)
        why = why or converters_problem(record, task, self.rows_settings)
        if why:
            self._drop(found.call, why, found)
        return not why

    def _of_the_prompt(self, item: Record) -> Dropped | None:
        text = folded(f"{item.instruction} {item.output}")
        found = next((sentence for sentence in self._prompt if sentence in text), "")
        return ("copy", f"the prompt's own words: {found!r}") if found else None

    def _banned_in(self, item: Record) -> Dropped | None:
        for part, text in (("asked", f"{item.instruction}\n{item.input}"), ("answered", item.output)):
            if (pattern := self._banned.get(part)) and (match := pattern.search(text)):
                return "banned", f"{match[0]!r} in what is {part}"
        return None

    def _keep(self, found: Found) -> str:
        """Keep an item; return its row's name."""
        name = f"{self.part.task.name}-{self.part.name}-{sha256_of(found.content)[:16]}"
        made_by = self.part.made_by(found.call.reply)
        made_by |= {"call": found.call.number, "item": found.place, "shown": found.call.shown}
        self.kept.append({"id": name, **found.content, "made_by": made_by})
        self._names.append(name)
        self._novelty.add(self._compared(found.record))
        if len(answer := folded(found.record.output)) >= COPIED_LETTERS:
            self._said[answer] = f"the answer of {name}"
        return name

    def _drop(self, call: Call, why: Dropped, found: Found | None = None) -> None:
        item = {"item": found.place, **found.content} if found else {}
        self.rejected.append({"step": why[0], "reason": why[1], "call": call.number, **item})


def compared_by(settings: Generating, real: Sequence[Record]) -> str:
    """Return what new items are compared by; `auto` takes the prompt where most real instructions are repeated."""
    if settings.compare != "auto":
        return settings.compare
    distinct = len({record.instruction for record in real})
    return "prompt" if 2 * distinct <= len(real) and len(real) > 1 else "instruction"


def sentences_of(part: Part) -> list[str]:
    """Return the letters of the prompt's own sentences (clauses in Chinese): small models hand them in as a task."""
    chosen = part.settings
    assert isinstance(chosen, Generating)
    text = part.prompt.render(**chosen.told(), examples=[], traditional=False)
    least = LEAST_SENTENCE["unspaced" if part.task.language in UNSPACED else "spaced"]
    return [letters for found in UNIT.finditer(text) if len(letters := folded(found[0])) >= least]


def load_banned(file: str) -> Patterns:
    """Return the patterns of what must not be asked and answered, none without a file; UserError for another file."""
    if not file:
        return {}
    try:
        lists = yaml.safe_load(Path(file).read_text(encoding="utf-8"))
        any_of = {part: "|".join(f"(?:{pattern})" for pattern in patterns) for part, patterns in lists.items()}
        if not set(any_of) <= {"asked", "answered"}:
            raise ValueError(f"it has {', '.join(any_of)}")
        return {part: re.compile(patterns, re.IGNORECASE) for part, patterns in any_of.items()}
    except (OSError, yaml.YAMLError, re.error, AttributeError, TypeError, ValueError) as error:
        raise UserError(
            f"the patterns in {file} cannot be used: {error}", "write lists of patterns under `asked` and `answered`"
        ) from None
