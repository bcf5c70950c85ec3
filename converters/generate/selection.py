"""Which of the generated items are kept: parsing and every filter in turn, each dropped item with its reason.

The order: broken - length - banned - the converters' own checks (length, language) - near duplicates of the task's
rows - judged questions and test rows - ROUGE-L to real rows and to everything kept before.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.files import sha256_of
from converters.generate import filters
from converters.generate.journal import Call
from converters.generate.known_rows import Known
from converters.generate.novelty import Novelty, tokens
from converters.generate.parts import Part
from converters.generate.read_items import Item, parse
from converters.generate.settings import Generating
from converters.rows.checks import problem as converters_problem
from converters.settings import Settings
from converters.task import Record, Task
from converters.text.cleaning import cleaner

STEPS = (
    "failed", "refused", "no_items", "broken", "length", "banned", "empty", "language", "near_duplicate",
    "contaminated", "similar",
)  # fmt: skip
EXCERPT = 200


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


def compared_by(settings: Generating, real: Sequence[Record]) -> str:
    """Return what new items are compared by; `auto` takes the prompt where most real instructions are repeated."""
    if settings.compare != "auto":
        return settings.compare
    distinct = len({record.instruction for record in real})
    return "prompt" if 2 * distinct <= len(real) and len(real) > 1 else "instruction"


class Selection:
    """The rows kept so far, the items dropped, and why."""

    def __init__(
        self, part: Part, task: Task, settings: Generating, rows: Settings, real: Sequence[tuple[str, Record]]
    ) -> None:  # fmt: skip
        self.part, self.task, self.settings, self.rows_settings = part, task, settings, rows
        self.kept: list[dict[str, Any]] = []
        self.rejected: list[dict[str, Any]] = []
        self.dropped: Counter[str] = Counter()
        self.items = 0
        self.last_reply = ""
        self.compare = compared_by(settings, [record for _, record in real])
        self._banned = filters.load_banned(*([Path(settings.banned)] if settings.banned else []))
        self._clean = cleaner(rows.clean, rows.html)
        self._known = Known(task, rows)
        texts = [self._compared(record) for _, record in real]
        mean = sum(len(tokens(text)) for text in texts) / max(1, len(texts))
        self._novelty = Novelty(settings.similarity, mean)
        self._names = [name for name, _ in real]
        for text in texts:
            self._novelty.add(text)

    def take(self, calls: Sequence[Call]) -> int:
        """Take the replies of one round; return how many rows they add."""
        found = [item for call in calls for item in self._whole_items(call)]
        found = [item for item in found if self._passes(item)]
        records = [item.record for item in found]
        repeated, contaminated = self._known.repeated(records), self._known.contaminated(records)
        before = len(self.kept)
        for item, record, same, held in zip(found, records, repeated, contaminated, strict=True):
            if same:
                self._drop(item.call, "near_duplicate", f"nearly the same as {same}", item)
            elif held:
                self._drop(item.call, "contaminated", held, item)
            elif alike := self._novelty.similar(self._compared(record)):
                number, score = alike
                self._drop(item.call, "similar", f"ROUGE-L {score:.2f} to {self._names[number]}", item)
            else:
                self._keep(item, record)
        self._known.add((row["id"] for row in self.kept[before:]), [_record(row) for row in self.kept[before:]])
        return len(self.kept) - before

    def _compared(self, record: Record) -> str:
        return record.prompt if self.compare == "prompt" else record.instruction

    def _whole_items(self, call: Call) -> list[Found]:
        reply = call.reply
        self.last_reply = reply.said or reply.error or reply.finish_reason
        if reply.error:
            self._drop(call, "failed", reply.error)
            return []
        if reply.finish_reason in ("refusal", "content_filter"):
            self._drop(call, "refused", reply.said[:EXCERPT] or reply.finish_reason)
            return []
        parsed = parse(reply.said, reply.finish_reason == "length")
        for reason in parsed.broken:
            self._drop(call, "broken", reason)
        if not parsed.items and not parsed.broken:
            self._drop(call, "no_items", f"no tasks in the reply: {reply.said[:EXCERPT]!r}")
        self.items += len(parsed.items)
        cleaned = (Item(*map(self._clean, (item.instruction, item.input, item.output))) for item in parsed.items)
        return [Found(call, place, item) for place, item in enumerate(cleaned)]

    def _passes(self, found: Found) -> bool:
        why = filters.problem(found.item, self.task.language, self._banned)
        why = why or converters_problem(found.record, self.task, self.rows_settings)
        if why:
            self._drop(found.call, *why, found)
        return not why

    def _keep(self, found: Found, record: Record) -> None:
        item = found.item
        content = {"instruction": item.instruction, "input": item.input, "output": item.output}
        name = f"{self.part.task}-{self.part.name}-{sha256_of(content)[:16]}"
        made_by = self.part.made_by(found.call.reply)
        made_by |= {"call": found.call.number, "item": found.place, "shown": found.call.shown}
        self.kept.append({"id": name, **content, "made_by": made_by})
        self._names.append(name)
        self._novelty.add(self._compared(record))

    def _drop(self, call: Call, step: str, reason: str, found: Found | None = None) -> None:
        self.dropped[step] += 1
        row = {"step": step, "reason": reason, "call": call.number}
        if found:
            item = found.item
            row |= {"item": found.place, "instruction": item.instruction, "input": item.input, "output": item.output}
        self.rejected.append(row)


def _record(row: dict[str, Any]) -> Record:
    return Record(row["instruction"], row["input"], row["output"])
