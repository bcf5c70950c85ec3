"""A mix: the folder data/TASK+PART/, written from the finished rows of TASK and one part of it.

To everything downstream it is a task like any other, with its own train.jsonl and card.json. val.jsonl and test.jsonl
are the base task's own, byte for byte, so that results can be compared.
"""

import hashlib
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy

from common.errors import UserError
from common.files import read_jsonl, sha256, sha256_of, write_json, write_jsonl
from common.names import VARIANT
from common.paths import DATA, data_folder
from common.process import only_one
from converters.generate.base import Row, card_of, record_of, rows_of, with_output
from converters.generate.names import MixName, is_mix, root_of
from converters.generate.parts import folder_of, part_card
from converters.generate.scoring import HIGHEST
from converters.output.card import percentiles, read_card
from converters.output.dataset_info import register
from converters.registry import load_task
from converters.rows.formats import WRITERS
from converters.task import Record
from converters.variants import convert_variant

THRESHOLD = 4.5
"""The lowest score that is kept, AlpaGasus's choice on the same scale."""
AMOUNT = {"self_instruct": ("share", 1), "scored": ("threshold", HIGHEST)}
"""What the amount of each kind of part is called in SET, and the most that it can be."""


@dataclass
class Mixed:
    """The rows of a mix, those left out with their reasons, and a line that tells both."""

    rows: list[Row]
    left_out: list[dict[str, Any]]
    told: str


def mix(name: str, given: Mapping[str, Any] | None = None, force: bool = False) -> dict[str, Any]:
    """Write data/NAME unless it is up to date, its base first where that is a mix too; return the card."""
    named = MixName.parse(name)
    load_task(root_of(name))
    if is_mix(named.base):
        mix(named.base, {}, force)
    elif VARIANT in named.base:
        convert_variant(named.base)
    base, part = card_of(named.base), part_card(named.base, named.part)
    amount = _amount(name, named, part["kind"], given or {})
    folder = data_folder(name)
    with only_one(folder, wait=True):
        before = read_card(name)
        if amount is None and before and not force:
            amount = before["made_from"]["amount"]  # what SET said before still holds
        made_from = {
            "base": {key: entry["sha256"] for key, entry in base["files"].items() if key != "rejected"},
            "part": part["identity"],
            "amount": amount,
            "settings": base["made_from"]["settings"],
        }
        if before and before["made_from"] == made_from and not force:
            print(f"{folder} is up to date: {before['mix']}")
        else:
            (folder / "card.json").unlink(missing_ok=True)
            before = _write(name, amount, made_from)
            print(f"{folder}: {before['mix']}")
    register()
    return before


def refresh(task: str, part: str) -> None:
    """Write a part's plain mix, and those with an amount that were made before, after the part has changed."""
    for name in sorted({f"{task}+{part}", *(card.parent.name for card in DATA.glob(f"{task}+{part}@*/card.json"))}):
        mix(name)


def _write(name: str, amount: float | None, made_from: dict[str, Any]) -> dict[str, Any]:
    named, folder = MixName.parse(name), data_folder(name)
    base, part = card_of(named.base), part_card(named.base, named.part)
    rows = list(rows_of(named.base))
    made = {row["id"]: row for row in read_jsonl(folder_of(named.base, named.part) / "rows.jsonl")}
    if part["kind"] == "self_instruct":
        mixed = _added(rows, made, base, name, amount)
    elif part["kind"] == "rewritten":
        mixed = _rewritten(rows, made)
    else:
        mixed = _selected(rows, made, THRESHOLD if amount is None else amount)
    if not mixed.rows:
        raise UserError(f"no row is left for {name}: {mixed.told}", f"less strict: TASK={named.base}+{named.part}@3")
    counts = {key: write_jsonl(folder / f"{key}.jsonl", lines) for key, lines in
              (("train", mixed.rows), ("rejected", mixed.left_out))}  # fmt: skip
    for split in ("val", "test"):
        shutil.copyfile(data_folder(named.base) / f"{split}.jsonl", folder / f"{split}.jsonl")
        counts[split] = base["files"][split]["rows"]
    files = {key: {"rows": counts[key], "sha256": sha256(folder / f"{key}.jsonl")} for key in base["files"]}
    card = {
        **base,
        "task": name,
        "title": f"{base['title']}; {mixed.told}",
        "source": f"{base['source']} + {folder_of(named.base, named.part)} ({part['model']})",
        "files": files,
        "rows": counts["train"] + counts["rejected"],
        "lengths": _lengths(mixed.rows),
        "mix": mixed.told,
        "part": {key: part[key] for key in ("task", "part", "kind", "model", "identity")},
        "made_from": made_from,
        "identity": sha256_of(made_from),
    }
    write_json(folder / "card.json", card)
    return card


def _added(
    rows: list[Row], made: dict[str, Row], base: dict[str, Any], name: str, share: float | None
) -> Mixed:  # fmt: skip
    """Add generated rows, all of both kinds or as many of each as give the share."""
    system = next((record.system for row in rows[:1] if (record := record_of(row)).system), "")
    write = WRITERS[base["format"]]
    new = [
        write(Record(row["instruction"], row["input"], row["output"], system), key, base["system"], base["history"])
        for key, row in made.items()
    ]
    old_count, new_count = counts_for(len(rows), len(new), share)
    kept_old, kept_new = _chosen(rows, old_count), _chosen(new, new_count)
    left_out = [
        {"step": "share", "reason": f"left out for a share of {share:g}", "row": row}
        for group, kept in ((rows, kept_old), (new, kept_new))
        for row in group
        if row["id"] not in kept
    ]
    chosen = [row for row in rows if row["id"] in kept_old] + [row for row in new if row["id"] in kept_new]
    told = (
        f"{old_count:,} of {len(rows):,} rows of {MixName.parse(name).base} and {new_count:,} of {len(new):,} generated"
    )
    return Mixed(chosen, left_out, told)


def counts_for(old: int, new: int, share: float | None) -> tuple[int, int]:
    """Return how many old and new rows to take so that new ones make up `share`: all of whichever is scarcer."""
    if share is None:
        return old, new
    if share in (0, 1):
        return (old, 0) if share == 0 else (0, new)
    wanted = round(old * share / (1 - share))
    return (old, wanted) if wanted <= new else (round(new * (1 - share) / share), new)


def _chosen(rows: list[Row], count: int) -> set[str]:
    """Return the ids of `count` rows, the same ones in any process; more of them include the fewer."""
    ranked = sorted(rows, key=lambda row: hashlib.sha256(row["id"].encode()).digest())
    return {row["id"] for row in ranked[:count]}


def _rewritten(rows: list[Row], made: dict[str, Row]) -> Mixed:
    changed = [with_output(row, made[row["id"]]["output"]) if row["id"] in made else row for row in rows]
    count = sum(row["id"] in made for row in rows)
    _check_any(count)
    return Mixed(changed, [], f"{count:,} of {len(rows):,} answers rewritten")


def _selected(rows: list[Row], made: dict[str, Row], threshold: float) -> Mixed:
    _check_any(sum(row["id"] in made for row in rows))
    kept, left_out = [], []
    for row in rows:
        score = made[row["id"]]["score"] if row["id"] in made else None
        if score is not None and score >= threshold:
            kept.append(row)
        else:
            reason = "not scored" if score is None else f"score {score:g}, below {threshold:g}"
            left_out.append({"step": "score", "reason": reason, "row": row})
    unscored = sum(row["id"] not in made for row in rows)
    told = f"{len(kept):,} of {len(rows):,} rows with a score of {threshold:g} or more"
    return Mixed(kept, left_out, told + (f"; {unscored:,} have no score" if unscored else ""))


def _check_any(count: int) -> None:
    if not count:
        raise UserError("the part belongs to other rows: none of its ids is there", "make it anew with FORCE=1")


def _amount(name: str, named: MixName, kind: str, given: Mapping[str, Any]) -> float | None:
    """Return the amount that the name or SET gives, None for the default."""
    key, most = AMOUNT.get(kind, ("", 0))
    unknown = [word for word in given if word != key]
    if unknown or (named.amount is not None and (not key or given)):
        raise UserError(
            f"SET {', '.join(given) or named.amount} cannot be used with {name}",
            f"SET={key}=number or TASK={named.base}+{named.part}@number" if key else "rewritten rows have no amount",
        )
    amount = given.get(key, named.amount)
    if amount is None:
        return None
    if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount <= most:
        raise UserError(f"{key} must lie between 0 and {most}, got {amount!r}", f"TASK={named.base}+{named.part}")
    return float(amount)


def _lengths(rows: list[Row]) -> dict[str, Any]:
    """Return the lengths of the training rows, told as a conversion tells them."""
    records = [record_of(row) for row in rows]
    asked = [len(r.prompt) + sum(len(one) + len(other) for one, other in r.history) for r in records]
    prompt = numpy.array(asked, numpy.int64)
    output = numpy.array([len(record.output) for record in records], numpy.int64)
    parts = {"prompt": prompt, "output": output, "total": prompt + output}
    return {"unit": "characters of training rows", **{name: percentiles(part) for name, part in parts.items()}}
