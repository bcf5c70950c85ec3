"""`make rows`: a local page to look at every row, kept or rejected, and to decide on single ones by hand.

The files are read where they lie: of each row only its place, its length and some hashes are in memory.
"""

import mmap
from collections.abc import Iterator
from dataclasses import asdict
from functools import lru_cache
from http.server import ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy
import orjson

from common import local_page
from common.errors import UserError
from common.files import write_jsonl
from common.names import root_task
from common.paths import data_folder
from common.progress import Progress
from common.schema import Count, Schema, check
from converters.corpus.splits import SPLITS
from converters.output.card import read_card
from converters.registry import load_task
from converters.rows.by_hand import ByHand, decisions_file, key_of, problem
from converters.rows.formats import said_in, turns_of
from converters.task import Record, Skip
from converters.text.cleaning import cleaner
from converters.text.sketch import Array

PAGE = Path(__file__).parents[1] / "pages" / "rows.html"
REJECTED = len(SPLITS)
FILES = (*SPLITS, "rejected")
SHOWN = 20
LONGEST_EDIT = 4 << 20
STAYS_OUT = ("read", "columns", "convert", "empty", "duplicate", "contaminated", "held_out", "by_hand")
"""Steps that nobody overrules with a key: there is no row, it is there already, or it gives away what is tested."""
ROW = numpy.dtype(
    [("file", "i1"), ("start", "i8"), ("bytes", "i4"), ("length", "i4"), ("step", "i1"), ("turns", "i4"),
     ("asked", "i8"), ("key", "u8")]
)  # fmt: skip
"""Of each row: its file, where it stands there, characters of question and answer, the number of the step that dropped
it, turns, hashes of its question (0: rejected) and of the row itself (by_hand)."""


class Query(Schema):
    """Which rows a reader asks for."""

    files: str = ",".join(FILES)
    step: str = ""
    kind: Literal["", "same question", "several turns", "decided"] = ""
    search: str = ""
    order: Literal["file", "random", "longest", "shortest"] = "file"
    seed: Count = 0


class Index:
    """Where each row of a task stands, and what it is filtered and ordered by."""

    def __init__(self, task: str) -> None:
        self._contents = [_mapped(data_folder(task) / f"{name}.jsonl") for name in FILES]
        self.steps = [""]
        parts = []
        total = sum(map(len, self._contents))
        with Progress(f"{task}: reading rows, MB", round(total / 1e6) or 1) as progress:
            for number, content in enumerate(self._contents):
                rows = (self._about(number, start, line, progress) for start, line in _lines(content))
                parts.append(numpy.fromiter(rows, ROW))
        self.rows = numpy.concatenate(parts)
        self.found = lru_cache(1)(self._found)
        """The numbers of the rows that a Query asks for, in the order asked for; the last answer is kept."""

    def _about(self, file: int, start: int, line: bytes, progress: Progress) -> tuple[Any, ...]:
        if start >> 23 != (start + len(line)) >> 23:  # every 8 MB
            progress.step(min(8, progress.total - progress.done))
        row = orjson.loads(line)
        if file != REJECTED:
            asked, told = said_in(row)
            key = int(row["id"][-16:], 16)
            return file, start, len(line), len(asked) + len(told), 0, len(turns_of(row)), hash(asked) or 1, key
        if row["step"] not in self.steps:
            self.steps.append(row["step"])
        known_by: str = row["id"] if row["step"] == "by_hand" else key_of(line[line.index(b',"row":') + 7 : -1])
        length = sum(map(len, _texts(row["row"])))
        return file, start, len(line), length, self.steps.index(row["step"]), 1, 0, int(known_by[-16:], 16)

    def line(self, row: int) -> bytes:
        """Return the bytes of a row."""
        about = self.rows[row]
        found: bytes = self._contents[about["file"]][about["start"] : about["start"] + about["bytes"]]
        return found

    def _found(self, asked: Query) -> Array:
        about, kind = self.rows, asked.kind
        chosen = numpy.isin(about["file"], [FILES.index(name) for name in asked.files.split(",") if name in FILES])
        if asked.step:
            chosen &= about["step"] == (self.steps.index(asked.step) if asked.step in self.steps else -1)
        if kind == "same question":
            _, group, count = numpy.unique(about["asked"], return_inverse=True, return_counts=True)
            chosen &= (about["asked"] != 0) & (count[group.reshape(-1)] > 1)
        elif kind == "several turns":
            chosen &= about["turns"] > 1
        rows = numpy.flatnonzero(chosen)
        if asked.search:
            rows = rows[self._holding(rows, asked.search.lower())]
        if asked.order == "random":
            return numpy.random.default_rng(asked.seed).permutation(rows)
        if asked.order != "file":
            rows = rows[numpy.argsort(about["length"][rows], kind="stable")]
            return rows if asked.order == "shortest" else rows[::-1]
        return rows[numpy.argsort(about["asked"][rows], kind="stable")] if kind == "same question" else rows

    def _holding(self, rows: Array, needle: str) -> list[bool]:
        """Tell for each row whether its texts (not its keys) hold what is searched for, in small letters."""
        # Bytes are looked through first: nearly all rows end there. They know no case but that of ASCII.
        raw = orjson.dumps(needle)[1:-1] if all(c.isascii() or c.upper() == c.lower() for c in needle) else b""
        return [
            raw in (line := self.line(row)).lower() and any(needle in one.lower() for one in _texts(orjson.loads(line)))
            for row in rows.tolist()
        ]


def _mapped(path: Path) -> Any:
    if not path.is_file():
        raise UserError(f"there is no {path}", f"make convert TASK={path.parent.name}")
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) if path.stat().st_size else b""


def _lines(content: Any) -> Iterator[tuple[int, bytes]]:
    start = 0
    while start < len(content):
        end = content.find(b"\n", start)
        yield start, content[start:end]
        start = end + 1


def _texts(value: Any) -> Iterator[str]:
    """Yield the texts in a row, in whichever depth."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _texts(item)


def text_of(row: dict[str, Any]) -> dict[str, Any]:
    """Return what a written row says, in the same words for either format."""
    system = {"system": row["system"]} if "system" in row else {}
    if "conversations" not in row:
        return {name: row[name] for name in ("instruction", "input", "output", "history") if name in row} | system
    *history, (asked, told) = turns_of(row)
    return {"instruction": asked, "input": "", "output": told, **({"history": history} if history else {}), **system}


class Rows:
    """What the page asks for: rows, and decisions on them, each on disk before it is answered."""

    def __init__(self, task: str) -> None:
        self.task, self._lock = task, Lock()
        self._of_task = load_task(task)
        self._card: dict[str, Any] = {}
        self._look_again()

    def _look_again(self) -> None:
        """Read the rows, anew when they have been converted since."""
        card = read_card(self.task)
        if card is None and not self._card:
            raise UserError(f"{self.task} has not been converted yet", f"make convert TASK={self.task}")
        with self._lock:
            if card and card["files"] != self._card.get("files"):
                self.index, self._card = Index(self.task), card

    def state(self) -> dict[str, Any]:
        """Return what the head of the page says."""
        self._look_again()
        counts = numpy.bincount(self.index.rows["step"], minlength=len(self.index.steps)).tolist()
        by_hand = ByHand.of(self.task)
        return {
            "task": self.task,
            "title": self._card["title"],
            "files": {name: self._card["files"].get(name, {}).get("rows", 0) for name in FILES},
            "steps": dict(zip(self.index.steps[1:], counts[1:], strict=True)),
            "decisions": len(by_hand.decisions),
            "pending": self._card.get("made_from", {}).get("by_hand") != by_hand.sha256,
            "may_decide": root_task(self.task) == self.task,
        }

    def rows(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Return a page of the rows asked for."""
        first = asked.get("first", 0)
        query, _ = check(Query, {name: value for name, value in asked.items() if name != "first"})
        if query is None or not isinstance(first, int) or first < 0:
            raise ValueError("no such rows")
        decisions = ByHand.of(self.task).decisions
        found = self.index.found(query)
        if query.kind == "decided":
            keys = numpy.array([int(key[-16:], 16) for key in decisions], numpy.uint64)
            found = found[numpy.isin(self.index.rows["key"][found], keys)]
        shown = found[first : first + SHOWN].tolist()
        return {"total": len(found), "rows": [self._shown(row, decisions) for row in shown]}

    def _shown(self, row: int, decisions: dict[str, Any]) -> dict[str, Any]:
        about, written = self.index.rows[row], orjson.loads(self.index.line(row))
        shown = {"key": f"{about['key']:016x}", "file": FILES[about["file"]], "length": int(about["length"])}
        if about["file"] != REJECTED:
            shown |= {"id": written["id"], "text": text_of(written)}
        else:
            if written["step"] != "by_hand":
                shown["key"] = f"rejected-{shown['key']}"
            shown["rejected"] = written
            if text := self._converted(written):
                shown |= {"text": text, "may_keep": written["step"] not in STAYS_OUT}
            if "as" in written:
                rows = self.index.rows
                same = numpy.flatnonzero((rows["key"] == int(written["as"][-16:], 16)) & (rows["file"] != REJECTED))
                if len(same):
                    shown["as"] = text_of(orjson.loads(self.index.line(int(same[0]))))
        return shown | {"decision": decisions.get(str(shown["key"]))}

    def _converted(self, rejected: dict[str, Any]) -> dict[str, Any] | None:
        """Return what a rejected row would say, None when its converter makes no row of it."""
        record: Record | None
        try:
            record = self._of_task.convert(rejected["row"], rejected["file"], self._card["made_from"]["options"])
        except Skip as skip:
            record = skip.record
        except Exception:  # a row that a user's own converter stumbles over
            return None
        if not record:
            return None
        made = self._card["made_from"]["settings"]
        clean = cleaner(made["clean"], made["html"])
        said = {name: value for name, value in asdict(record).items() if value and name != "question"}
        return {"instruction": "", "input": "", "output": ""} | {
            name: clean(value) if isinstance(value, str) else value for name, value in said.items()
        }

    def decide(self, asked: dict[str, Any]) -> dict[str, Any]:
        """Write a decision down, or take it back when there is none."""
        if root_task(self.task) != self.task:
            raise UserError(f"{self.task} has no decisions of its own", f"make rows TASK={root_task(self.task)}")
        decision = {name: asked[name] for name in ("key", "decision", "row", "about") if asked.get(name)}
        if "decision" in decision and (wrong := problem(decision)):
            raise ValueError(wrong)
        with self._lock:
            decisions = dict(ByHand.of(self.task).decisions)
            decisions.pop(str(asked.get("key")), None)
            if "decision" in decision:
                decisions[decision["key"]] = decision
            write_jsonl(decisions_file(self.task), decisions.values())
        return self.state()


def server(rows: Rows, port: int = 0) -> ThreadingHTTPServer:
    """Return a server of the page, bound and not yet running."""
    posts = {"/rows": rows.rows, "/decide": rows.decide}
    return local_page.server(PAGE, {"/state": rows.state}, posts, port, LONGEST_EDIT)
