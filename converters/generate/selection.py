"""Which of the generated items are kept: parsing and every check in turn, each dropped item with its reason.

The order: broken - length - banned - the converters' own checks (length, language) - near duplicates of the task's
rows - judged questions and test rows - ROUGE-L to real rows and to everything kept before.
"""

import functools
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from common.errors import UserError
from common.files import sha256_of
from converters.generate.ask import EXCERPT, Call, Dropped, fault
from converters.generate.known_rows import HeldOut, Known
from converters.generate.novelty import Novelty, tokens
from converters.generate.parts import Part
from converters.generate.read_items import Item, parse
from converters.generate.settings import Generating
from converters.rows.checks import problem as converters_problem
from converters.settings import Settings
from converters.task import Record
from converters.text.cleaning import cleaner
from converters.text.language import UNSPACED

BANNED = Path(__file__).with_name("banned.yaml")
FEWEST = 4
"""Fewer words than this, or characters in Chinese, are no instruction (stanford_alpaca's bound)."""
MOST = {"spaced": 150, "unspaced": 300}
Patterns = dict[str, re.Pattern[str]]


@dataclass(frozen=True)
class Found:
    """A whole item of a reply."""

    call: Call
    place: int
    item: Item

    @property
    def record(self) -> Record:
        """The item as the converters' checks take it."""
        return Record(self.item.instruction, self.item.input, self.item.output)


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
        self._banned = load_banned(*([Path(part.settings.banned)] if part.settings.banned else []))
        self._clean = cleaner(rows.clean, rows.html)
        self._known, self._held_out = Known(part.task, rows), HeldOut(part.task, rows)
        texts = [self._compared(record) for _, record in real]
        mean = sum(len(tokens(text)) for text in texts) / max(1, len(texts))
        self._novelty = Novelty(part.settings.similarity, mean)
        self._names = [name for name, _ in real]
        for text in texts:
            self._novelty.add(text)

    @property
    def dropped(self) -> dict[str, int]:
        """How many items were dropped at each step, by name."""
        return dict(sorted(Counter(row["step"] for row in self.rejected).items()))

    def take(self, calls: Sequence[Call]) -> int:
        """Take the replies of one round; return how many rows they add."""
        found = [item for call in calls for item in self._whole_items(call) if self._passes(item)]
        records = [item.record for item in found]
        repeated = self._known.repeated(records)
        held = self._held_out.held([f"{record.asked}\n{record.output}" for record in records])
        before = len(self.kept)
        added: list[Record] = []
        for item, record, same, judged in zip(found, records, repeated, held, strict=True):
            if same:
                self._drop(item.call, ("near_duplicate", f"nearly the same as {same}"), item)
            elif judged:
                self._drop(item.call, ("contaminated", judged), item)
            elif alike := self._novelty.similar(self._compared(record)):
                number, score = alike
                self._drop(item.call, ("similar", f"ROUGE-L {score:.2f} to {self._names[number]}"), item)
            else:
                self._keep(item)
                added.append(record)
        self._known.add((row["id"] for row in self.kept[before:]), added)
        return len(added)

    def _compared(self, record: Record) -> str:
        return record.prompt if self.compare == "prompt" else record.instruction

    def _whole_items(self, call: Call) -> list[Found]:
        reply = call.reply
        self.last_reply = reply.said or reply.error or reply.finish_reason
        if why := fault(reply):
            self._drop(call, why)
            return []
        parsed = parse(reply.said, reply.finish_reason == "length")
        for reason in parsed.broken:
            self._drop(call, ("broken", reason))
        if not parsed.items and not parsed.broken:
            self._drop(call, ("no_items", f"no tasks in the reply: {reply.said[:EXCERPT]!r}"))
        self.items += len(parsed.items)
        cleaned = (Item(*map(self._clean, (item.instruction, item.input, item.output))) for item in parsed.items)
        return [Found(call, place, item) for place, item in enumerate(cleaned)]

    def _passes(self, found: Found) -> bool:
        task = self.part.task
        why = problem(found.item, task.language, self._banned)
        why = why or converters_problem(found.record, task, self.rows_settings)
        if why:
            self._drop(found.call, why, found)
        return not why

    def _keep(self, found: Found) -> None:
        content = asdict(found.item)
        name = f"{self.part.task.name}-{self.part.name}-{sha256_of(content)[:16]}"
        made_by = self.part.made_by(found.call.reply)
        made_by |= {"call": found.call.number, "item": found.place, "shown": found.call.shown}
        self.kept.append({"id": name, **content, "made_by": made_by})
        self._names.append(name)
        self._novelty.add(self._compared(found.record))

    def _drop(self, call: Call, why: Dropped, found: Found | None = None) -> None:
        item = {"item": found.place, **asdict(found.item)} if found else {}
        self.rejected.append({"step": why[0], "reason": why[1], "call": call.number, **item})


def compared_by(settings: Generating, real: Sequence[Record]) -> str:
    """Return what new items are compared by; `auto` takes the prompt where most real instructions are repeated."""
    if settings.compare != "auto":
        return settings.compare
    distinct = len({record.instruction for record in real})
    return "prompt" if 2 * distinct <= len(real) and len(real) > 1 else "instruction"


def problem(item: Item, language: str, banned: Patterns) -> Dropped | None:
    """Return (step, reason) of the first check that an item fails by itself, None when it passes all."""
    count = len(tokens(item.instruction))
    unit, most = ("characters", MOST["unspaced"]) if language in UNSPACED else ("words", MOST["spaced"])
    if count < FEWEST:
        return "length", f"instruction of {count} {unit}, fewer than {FEWEST}"
    if count > most:
        return "length", f"instruction of {count} {unit}, more than {most}"
    for part, text in (("asked", f"{item.instruction}\n{item.input}"), ("answered", item.output)):
        if found := banned[part].search(text):
            return "banned", f"{found[0]!r} in what is {part}"
    return None


def load_banned(path: Path = BANNED) -> Patterns:
    """Return the patterns of what must not be asked and answered; UserError for what is no such file."""
    try:
        return _compiled(path, path.stat().st_mtime_ns)
    except (OSError, yaml.YAMLError, re.error, KeyError, TypeError, ValueError) as error:
        raise UserError(
            f"the banned words in {path} cannot be used: {error}",
            f"lists of patterns under `asked` and `answered`, as in {BANNED.name}",
        ) from None


@functools.cache
def _compiled(path: Path, _changed: int) -> Patterns:
    lists = yaml.safe_load(path.read_text(encoding="utf-8"))
    any_of = {part: "|".join(f"(?:{pattern})" for pattern in lists[part]) for part in ("asked", "answered")}
    return {part: re.compile(patterns, re.IGNORECASE) for part, patterns in any_of.items()}
