"""A mix: the folder data/TASK+PART/, written from the finished rows of TASK and one part of it, or another task's rows.

To everything downstream it is a task like any other, with its own train.jsonl and card.json. val.jsonl and test.jsonl
are the base task's own, byte for byte, so that results can be compared.
"""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy

from common.errors import UserError
from common.files import read_jsonl, sha256, sha256_of, write_json, write_jsonl
from common.names import MIX, VARIANT, MixName, root_task
from common.paths import DATA, data_folder
from common.process import only_one
from common.progress import notice
from converters.corpus.judged_questions import judged_questions
from converters.generate.known_rows import conversion_settings, held_out
from converters.generate.parts import COMMANDS, Row, card_of, folder_of, part_card, record_of, rows_of, with_output
from converters.generate.read_replies import HIGHEST
from converters.output.card import lengths_of, read_card
from converters.output.dataset_info import register
from converters.registry import load_task, task_names
from converters.rows.formats import WRITERS
from converters.variants import convert_variant

THRESHOLD = 4.5
"""The lowest score that is kept, AlpaGasus's choice on the same scale."""
AMOUNT = {"self_instruct": "share", "replay": "share", "task": "share", "scored": "threshold"}
"""What the amount of each kind of part is called in SET."""


@dataclass
class Mixed:
    """The rows of a mix, those left out with their reasons, and a line that sums them up."""

    rows: list[Row]
    left_out: list[Row]
    summary: str


class Mix:
    """A mix by its name: the base task with its card, and the card and folder of what is mixed in."""

    def __init__(self, name: str, given: Mapping[str, Any]) -> None:
        self.name, self.named = name, MixName.parse(name)
        self.task = replace(load_task(root_task(name)), name=self.named.base)
        base, part = self.named.base, self.named.part
        if MIX in base:
            mix(base)
        elif VARIANT in base:
            convert_variant(base)
        self.base = card_of(base)
        if part in task_names():  # another task's rows
            other = card_of(part)
            self.part = {**other, "part": part, "kind": "task", "model": other["source"]}
            self.source = data_folder(part)
        else:
            self.part, self.source = part_card(base, part), folder_of(base, part)
        self.kind = self.part["kind"]
        if self.kind != "task" and self.part["made_from"]["rows"] != self.base["files"]["train"]["sha256"]:
            again = " FORCE=1 starts again" if self.kind == "self_instruct" else " asks for the new rows only"
            raise UserError(
                f"{self.source} was made from other rows of {base} than are there now", self._made_by() + again
            )
        self.settings = conversion_settings(self.task)
        self.amount = self._amount(given)

    def _made_by(self, more: str = "") -> str:
        """Return the command that makes the part."""
        name = "" if self.named.part == self.kind else f" NAME={self.named.part}"
        return f"make {COMMANDS[self.kind]} TASK={self.named.base}{more}{name}"

    def _amount(self, given: Mapping[str, Any]) -> float | None:
        """Return the amount that the name or SET gives, None for the default."""
        named, key = self.named, AMOUNT.get(self.kind, "")
        unknown = [word for word in given if word != key]
        if unknown or (named.amount is not None and (not key or given)) or (named.control and self.kind != "scored"):
            raise UserError(
                f"SET {', '.join(given)} cannot be used with {self.name}"
                if given
                else f"{named.part} has no such amount",
                f"SET={key}=number or TASK={named.base}+{named.part}@number"
                if key
                else "rewritten rows have no amount",
            )
        amount = given.get(key, named.amount)
        if amount is None:
            return None
        right = not isinstance(amount, bool) and isinstance(amount, int | float) and amount >= 0
        if key == "share" and not (right and (amount <= 1 or amount == int(amount))):
            raise UserError(
                f"share must be from 0 to 1, or a number of generated rows, got {amount!r}",
                f"TASK={named.base}+{named.part}@0.1 or @500",
            )
        if key == "threshold" and not (right and amount <= HIGHEST):
            raise UserError(
                f"threshold must be from 0 to {HIGHEST}, got {amount!r}", f"TASK={named.base}+{named.part}@4"
            )
        return float(amount)

    def made_from(self) -> dict[str, Any]:
        """Return all that decides the rows."""
        return {
            "base": {key: entry["sha256"] for key, entry in self.base["files"].items() if key != "rejected"},
            "part": self.part["identity"],
            "amount": self.amount,
            "settings": self.base["made_from"]["settings"],
            "questions": sha256_of(judged_questions(self.task, self.settings)),
        }

    def mixed(self) -> Mixed:
        """Return what becomes of the base's rows and those of the part."""
        rows = list(rows_of(self.named.base))
        made = list(rows_of(self.named.part) if self.kind == "task" else read_jsonl(self.source / "rows.jsonl"))
        if self.kind == "scored":
            return self._selected(rows, made)
        made, contaminated = self._clean(made, rows)
        mixed = self._rewritten(rows, made) if self.kind == "rewritten" else self._added(rows, made)
        mixed.left_out += contaminated
        mixed.summary += f"; {len(contaminated):,} left out as contaminated" if contaminated else ""
        return mixed

    def _clean(self, made: list[Row], rows: list[Row]) -> tuple[list[Row], list[Row]]:
        """Return the made rows that hold no judged question and no test row of today, and the others as left out."""
        asked = {row["id"]: record_of(row).asked for row in rows}  # of rewritten answers, which have no question
        texts = [f"{asked.get(row['id']) or record_of(row).asked}\n{row['output']}" for row in made]
        held = list(zip(made, held_out(self.task, self.settings).held(texts), strict=True))
        left_out = [_left_out("contaminated", why, row) for row, why in held if why]
        return [row for row, why in held if not why], left_out

    def _added(self, rows: list[Row], made: list[Row]) -> Mixed:
        """Add generated rows to all real ones: all, a number, or as many as give a share."""
        named, base, amount = self.named, self.base, self.amount
        columns = ("system", "history") if base["format"] == "alpaca" else ("system",)
        if any(self.part.get(key) and not base[key] for key in columns):
            raise UserError(
                f"rows of {named.part} have a system prompt or earlier turns; those of {named.base} have none",
                f"the other way round: TASK={named.part},{named.base}, or FORMAT=sharegpt for both",
            )
        # The system prompt is no matter of rows that are not of this domain.
        system = record_of(rows[0]).system if rows and self.kind not in ("replay", "task") else ""
        new = [
            WRITERS[base["format"]](
                replace(record, system=record.system or system), row["id"], base["system"], base["history"]
            )
            for row, record in zip(made, map(record_of, made), strict=True)
        ]
        old = [] if amount == 1 else rows
        count = len(new) if amount in (None, 1) else generated_count(len(rows), amount or 0)
        if count > len(new):
            share = int(100 * len(new) / (len(new) + len(rows))) / 100
            more = f" N={count}" if self.kind == "self_instruct" else f" LIMIT={count}"
            raise UserError(
                f"{named.base}+{named.part}@{amount:g} takes {count:,} generated rows beside all {len(rows):,} real "
                f"ones; {len(new):,} are there",
                f"{self._made_by(more) + ', or ' if self.kind in COMMANDS else ''}a share of at most {share:g}",
            )
        kept = chosen(new, count)
        return Mixed(
            old + [row for row in new if row["id"] in kept],
            [_left_out("share", f"not needed for {amount:g}", row) for row in new if row["id"] not in kept],
            f"{len(old):,} of {len(rows):,} rows of {named.base} and {count:,} of {len(new):,} "
            + (f"of {named.part}" if self.kind == "task" else "generated"),
        )

    def _rewritten(self, rows: list[Row], made: list[Row]) -> Mixed:
        outputs = {row["id"]: row["output"] for row in made}
        changed = [with_output(row, outputs[row["id"]]) if row["id"] in outputs else row for row in rows]
        return Mixed(changed, [], f"{len(outputs):,} of {len(rows):,} answers rewritten")

    def _selected(self, rows: list[Row], made: list[Row]) -> Mixed:
        """Select the rows that reach a threshold, or as many of the scored ones at random."""
        threshold = THRESHOLD if self.amount is None else self.amount
        scores = {row["id"]: row["score"] for row in made}
        keep = {name for name, score in scores.items() if score >= threshold}
        how = f"with a score of {threshold:g} or more"
        if self.named.control:
            keep = chosen([row for row in rows if row["id"] in scores], len(keep))
            how = f"at random, as many as have a score of {threshold:g} or more"

        def reason(name: str) -> str:
            if name not in scores:
                return "not scored"
            return "not drawn" if self.named.control else f"score {scores[name]:g}, below {threshold:g}"

        unscored = len(rows) - len(scores)
        return Mixed(
            [row for row in rows if row["id"] in keep],
            [_left_out("score", reason(row["id"]), row) for row in rows if row["id"] not in keep],
            f"{len(keep):,} of {len(rows):,} rows {how}" + (f"; {unscored:,} have no score" if unscored else ""),
        )

    def write(self, made_from: dict[str, Any]) -> dict[str, Any]:
        """Write data/NAME; return the card."""
        folder, base, part = data_folder(self.name), self.base, self.part
        mixed = self.mixed()
        if not mixed.rows:
            raise UserError(
                f"no row is left for {self.name}: {mixed.summary}",
                f"lower it: TASK={self.named.base}+{self.named.part}@3",
            )
        counts = {
            "train": write_jsonl(folder / "train.jsonl", mixed.rows),
            "rejected": write_jsonl(folder / "rejected.jsonl", mixed.left_out),
        }
        for split in ("val", "test"):
            shutil.copyfile(data_folder(self.named.base) / f"{split}.jsonl", folder / f"{split}.jsonl")
            counts[split] = base["files"][split]["rows"]
        card = {
            **base,
            "task": self.name,
            "title": f"{base['title']}; {mixed.summary}",
            "source": f"{base['source']} + {self.source} ({part['model']})",
            "files": {key: {"rows": counts[key], "sha256": sha256(folder / f"{key}.jsonl")} for key in base["files"]},
            "rows": counts["train"] + counts["rejected"],
            "lengths": _lengths(mixed.rows),
            "mix": mixed.summary,
            "part": {key: part[key] for key in ("task", "part", "kind", "model", "identity")},
            "made_from": made_from,
            "identity": sha256_of(made_from),
        }
        write_json(folder / "card.json", card)
        return card


def mix(name: str, given: Mapping[str, Any] | None = None, force: bool = False) -> dict[str, Any]:
    """Write data/NAME unless it is up to date, its base first where that is a mix too; return the card."""
    wanted, folder = Mix(name, given or {}), data_folder(name)
    with only_one(folder, wait=True):
        card = read_card(name)
        if wanted.amount is None and card and not force:
            wanted.amount = card["made_from"]["amount"]  # what SET said before still holds
        made_from = wanted.made_from()
        if card and card["made_from"] == made_from and not force:
            print(f"{folder} is up to date: {card['mix']}")
        else:
            (folder / "card.json").unlink(missing_ok=True)
            card = wanted.write(made_from)
            print(f"{folder}: {card['mix']}")
    register()
    return card


def refresh(task: str, part: str) -> None:
    """Write a part's plain mix, and those with an amount that were made before, after the part has changed."""
    for name in sorted({f"{task}+{part}", *(card.parent.name for card in DATA.glob(f"{task}+{part}@*/card.json"))}):
        try:
            mix(name)
        except UserError as error:  # the part is there all the same
            notice(f"{error.message}; {error.hint}")


def generated_count(real: int, amount: float) -> int:
    """Return how many generated rows to add: `amount` itself above 1, else as many as give that share of all rows."""
    return int(amount) if amount > 1 else round(real * amount / (1 - amount))


def chosen(rows: Sequence[Row], count: int) -> set[str]:
    """Return the ids of `count` rows, the same ones in any process; more of them include the fewer."""
    ranked = sorted(rows, key=lambda row: hashlib.sha256(row["id"].encode()).digest())
    return {row["id"] for row in ranked[:count]}


def _left_out(step: str, reason: str, row: Row) -> Row:
    return {"step": step, "reason": reason, "row": row}


def _lengths(rows: list[Row]) -> dict[str, Any]:
    """Return the lengths of the rows as a card has them."""
    records = [record_of(row) for row in rows]
    asked = [len(r.prompt) + sum(len(one) + len(other) for one, other in r.history) for r in records]
    return lengths_of(numpy.array(asked), numpy.array([len(record.output) for record in records]))
