"""A mix: the folder data/TASK+PART/, written from the finished rows of TASK and one part of it, or another task's rows.

To everything downstream it is a task like any other, with its own train.jsonl and card.json. val.jsonl and test.jsonl
are the base task's own, byte for byte, so that results can be compared.
"""

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy

from common.errors import UserError
from common.files import read_jsonl, sha256, sha256_of, write_json, write_jsonl
from common.names import MIX, VARIANT, MixName, root_task
from common.paths import DATA, data_folder
from common.process import only_one
from common.progress import notice
from converters.corpus.judged_questions import judged_questions
from converters.generate.known_rows import Passages, conversion_settings, held_out
from converters.generate.parts import COMMANDS, Row, card_of, folder_of, part_card, record_of, rows_of, with_output
from converters.generate.read_replies import HIGHEST
from converters.output.card import lengths_of, read_card
from converters.output.dataset_info import register
from converters.registry import load_task, task_names
from converters.rows.formats import WRITERS
from converters.task import Task
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


def mix(name: str, given: Mapping[str, Any] | None = None, force: bool = False) -> dict[str, Any]:
    """Write data/NAME unless it is up to date, its base first where that is a mix too; return the card."""
    named = MixName.parse(name)
    load_task(root_task(name))
    if MIX in named.base:
        mix(named.base, {}, force)
    elif VARIANT in named.base:
        convert_variant(named.base)
    base, part = card_of(named.base), _part(named)
    if part["kind"] != "task" and part["made_from"]["rows"] != base["files"]["train"]["sha256"]:
        again = f"make {COMMANDS[part['kind']]} TASK={named.base}"
        again += "" if named.part == part["kind"] else f" NAME={named.part}"
        raise UserError(
            f"{folder_of(named.base, named.part)} was made from other rows of {named.base} than are there now",
            again + (" FORCE=1 starts again" if part["kind"] == "self_instruct" else " asks for the new rows only"),
        )
    amount = _amount(name, named, part["kind"], given or {})
    folder, task = data_folder(name), replace(load_task(root_task(name)), name=named.base)
    with only_one(folder, wait=True):
        before = read_card(name)
        if amount is None and before and not force:
            amount = before["made_from"]["amount"]  # what SET said before still holds
        made_from = {
            "base": {key: entry["sha256"] for key, entry in base["files"].items() if key != "rejected"},
            "part": part["identity"],
            "amount": amount,
            "settings": base["made_from"]["settings"],
            "questions": sha256_of(judged_questions(task, conversion_settings(task))),
        }
        if before and before["made_from"] == made_from and not force:
            print(f"{folder} is up to date: {before['mix']}")
        else:
            (folder / "card.json").unlink(missing_ok=True)
            before = _write(name, task, amount, made_from)
            print(f"{folder}: {before['mix']}")
    register()
    return before


def refresh(task: str, part: str) -> None:
    """Write a part's plain mix, and those with an amount that were made before, after the part has changed."""
    for name in sorted({f"{task}+{part}", *(card.parent.name for card in DATA.glob(f"{task}+{part}@*/card.json"))}):
        try:
            mix(name)
        except UserError as error:  # the part is there all the same
            notice(f"{error.message}; {error.hint}")


def _write(name: str, task: Task, amount: float | None, made_from: dict[str, Any]) -> dict[str, Any]:
    named, folder = MixName.parse(name), data_folder(name)
    base, part = card_of(named.base), _part(named)
    rows = list(rows_of(named.base))
    made = list(rows_of(named.part) if part["kind"] == "task" else read_jsonl(_folder(named) / "rows.jsonl"))
    if part["kind"] == "scored":
        mixed = _selected(rows, made, THRESHOLD if amount is None else amount, named.control)
    else:
        made, contaminated = _clean(made, rows, held_out(task, conversion_settings(task)))
        mixed = _rewritten(rows, made) if part["kind"] == "rewritten" else _added(rows, made, base, named, amount)
        mixed.left_out += contaminated
        mixed.summary += f"; {len(contaminated):,} left out as contaminated" if contaminated else ""
    if not mixed.rows:
        raise UserError(f"no row is left for {name}: {mixed.summary}", f"lower it: TASK={named.base}+{named.part}@3")
    counts = {
        "train": write_jsonl(folder / "train.jsonl", mixed.rows),
        "rejected": write_jsonl(folder / "rejected.jsonl", mixed.left_out),
    }
    for split in ("val", "test"):
        shutil.copyfile(data_folder(named.base) / f"{split}.jsonl", folder / f"{split}.jsonl")
        counts[split] = base["files"][split]["rows"]
    card = {
        **base,
        "task": name,
        "title": f"{base['title']}; {mixed.summary}",
        "source": f"{base['source']} + {_folder(named)} ({part['model']})",
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


def _part(named: MixName) -> dict[str, Any]:
    """Return the card of what is mixed in: a part of the task, or another task's rows."""
    if named.part not in task_names():
        return part_card(named.base, named.part)
    other = card_of(named.part)
    return {**other, "part": named.part, "kind": "task", "model": other["source"]}


def _folder(named: MixName) -> Path:
    """Return where those rows lie."""
    return data_folder(named.part) if named.part in task_names() else folder_of(named.base, named.part)


def _clean(made: list[Row], rows: list[Row], judged: Passages) -> tuple[list[Row], list[Row]]:
    """Return the made rows that hold no judged question and no test row of today, and the others as left out."""
    asked = {row["id"]: record_of(row).asked for row in rows}  # of rewritten answers, which have no question
    texts = [f"{asked.get(row['id']) or record_of(row).asked}\n{row['output']}" for row in made]
    held = judged.held(texts)
    left_out = [{"step": "contaminated", "reason": why, "row": row} for row, why in zip(made, held, strict=True) if why]
    return [row for row, why in zip(made, held, strict=True) if not why], left_out


def _added(rows: list[Row], made: list[Row], base: dict[str, Any], named: MixName, amount: float | None) -> Mixed:
    """Add generated rows to all real ones: all, a number, or as many as give a share."""
    part = _part(named)
    kind, write = part["kind"], WRITERS[base["format"]]
    own = next((record.system for row in rows[:1] if (record := record_of(row)).system), "")
    system = "" if kind in ("replay", "task") else own  # those are no matter of this domain's
    _fit(part, base, named)
    new = [
        write(replace(record, system=record.system or system), row["id"], base["system"], base["history"])
        for row, record in zip(made, map(record_of, made), strict=True)
    ]
    old = [] if amount == 1 else rows
    count = len(new) if amount in (None, 1) else generated_count(len(rows), amount or 0)
    if count > len(new):
        most = len(new) / (len(new) + len(rows))
        more = (f"N={count}" if kind == "self_instruct" else f"LIMIT={count}") + (
            "" if named.part == kind else f" NAME={named.part}"
        )
        again = f"make {COMMANDS[kind]} TASK={named.base} {more}, or " if kind in COMMANDS else ""
        raise UserError(
            f"{named.base}+{named.part}@{amount:g} takes {count:,} generated rows beside all {len(rows):,} real ones; "
            f"{len(new):,} are there",
            f"{again}a share of at most {int(most * 100) / 100:g}",
        )
    kept = chosen(new, count)
    left_out = [
        {"step": "share", "reason": f"not needed for {amount:g}", "row": row} for row in new if row["id"] not in kept
    ]
    return Mixed(
        old + [row for row in new if row["id"] in kept],
        left_out,
        f"{len(old):,} of {len(rows):,} rows of {named.base} and {count:,} of {len(new):,} "
        + (f"of {named.part}" if kind == "task" else "generated"),
    )


def _fit(part: dict[str, Any], base: dict[str, Any], named: MixName) -> None:
    """Stop rows whose system prompt or earlier turns have no column beside the task's own rows."""
    columns = ("system", "history") if base["format"] == "alpaca" else ("system",)
    if any(part.get(key) and not base[key] for key in columns):
        raise UserError(
            f"rows of {named.part} have a system prompt or earlier turns; those of {named.base} have none",
            f"the other way round: TASK={named.part},{named.base}, or FORMAT=sharegpt for both",
        )


def generated_count(real: int, amount: float) -> int:
    """Return how many generated rows to add: `amount` itself above 1, else as many as give that share of all rows."""
    return int(amount) if amount > 1 else round(real * amount / (1 - amount))


def chosen(rows: Sequence[Row], count: int) -> set[str]:
    """Return the ids of `count` rows, the same ones in any process; more of them include the fewer."""
    ranked = sorted(rows, key=lambda row: hashlib.sha256(row["id"].encode()).digest())
    return {row["id"] for row in ranked[:count]}


def _rewritten(rows: list[Row], made: list[Row]) -> Mixed:
    outputs = {row["id"]: row["output"] for row in made}
    changed = [with_output(row, outputs[row["id"]]) if row["id"] in outputs else row for row in rows]
    return Mixed(changed, [], f"{len(outputs):,} of {len(rows):,} answers rewritten")


def _selected(rows: list[Row], made: list[Row], threshold: float, control: bool) -> Mixed:
    """Select the rows that reach a threshold, or as many of the scored ones at random."""
    scores = {row["id"]: row["score"] for row in made}
    high = {name for name, score in scores.items() if score >= threshold}
    keep = chosen([row for row in rows if row["id"] in scores], len(high)) if control else high

    def reason(name: str) -> str:
        if name not in scores:
            return "not scored"
        return "not drawn" if control else f"score {scores[name]:g}, below {threshold:g}"

    left_out = [{"step": "score", "reason": reason(row["id"]), "row": row} for row in rows if row["id"] not in keep]
    how = (
        f"at random, as many as have a score of {threshold:g} or more"
        if control
        else (f"with a score of {threshold:g} or more")
    )
    unscored = len(rows) - len(scores)
    return Mixed(
        [row for row in rows if row["id"] in keep],
        left_out,
        f"{len(keep):,} of {len(rows):,} rows {how}" + (f"; {unscored:,} have no score" if unscored else ""),
    )


def _amount(name: str, named: MixName, kind: str, given: Mapping[str, Any]) -> float | None:
    """Return the amount that the name or SET gives, None for the default."""
    key = AMOUNT.get(kind, "")
    unknown = [word for word in given if word != key]
    if unknown or (named.amount is not None and (not key or given)) or (named.control and kind != "scored"):
        raise UserError(
            f"SET {', '.join(given)} cannot be used with {name}" if given else f"{named.part} has no such amount",
            f"SET={key}=number or TASK={named.base}+{named.part}@number" if key else "rewritten rows have no amount",
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
        raise UserError(f"threshold must be from 0 to {HIGHEST}, got {amount!r}", f"TASK={named.base}+{named.part}@4")
    return float(amount)


def _lengths(rows: list[Row]) -> dict[str, Any]:
    """Return the lengths of the rows as a card has them."""
    records = [record_of(row) for row in rows]
    asked = [len(r.prompt) + sum(len(one) + len(other) for one, other in r.history) for r in records]
    return lengths_of(numpy.array(asked), numpy.array([len(record.output) for record in records]))
