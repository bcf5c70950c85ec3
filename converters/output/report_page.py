"""data/TASK/report.html: what came in, what each step dropped and why, how long the rows are, and a few of them.

Everything in the page that comes from the data is escaped by Jinja; plots are drawn as inline SVG, so that the file
stands alone.
"""

import itertools
from pathlib import Path
from typing import Any

import numpy
import orjson

from common.errors import UserError
from common.files import read_jsonl, write_text
from common.paths import data_folder
from common.schema import typed
from converters.corpus.splits import SPLITS
from converters.output.card import read_card

PAGES = Path(__file__).parents[1] / "pages"
BINS = 30
SHOWN_ROWS = 5
SHOWN_REJECTED = 3
LONGEST_SHOWN = 1_200


def write_report(task: str) -> Path:
    """Draw a converted task's page and return its path."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    card = read_card(task)
    if card is None:
        raise UserError(f"{task} has not been converted yet", f"make convert TASK={task}")
    folder = data_folder(task)
    for name in ("train", "rejected"):
        if not (folder / f"{name}.jsonl").is_file():
            raise UserError(f"{folder} has no {name}.jsonl any more", f"make convert TASK={task} writes it anew")
    environment = Environment(loader=FileSystemLoader(PAGES), autoescape=True, undefined=StrictUndefined)
    environment.filters["typed"] = typed
    environment.filters["number"] = lambda value: f"{value:,}"
    prompts, outputs = lengths(folder / "train.jsonl")
    page = environment.get_template("report.html.jinja").render(
        card=card,
        splits=[(split, card["files"][split]["rows"]) for split in (*SPLITS, "rejected")],
        steps=waterfall(card["steps"], card["rows"]),
        histograms=[("prompts", histogram(prompts)), ("answers", histogram(outputs))],
        languages=shares(card["languages"]),
        rows=[turns(row) for row in itertools.islice(read_jsonl(folder / "train.jsonl"), SHOWN_ROWS)],
        rejected=rejected_examples(folder / "rejected.jsonl"),
    )
    path = folder / "report.html"
    write_text(path, page)
    return path


def turns(row: dict[str, Any]) -> list[tuple[str, str]]:
    """Return who says what in a converted row, long texts cut."""
    said = [("system", row["system"])] if row.get("system") else []
    if "conversations" in row:
        said += [("Q" if turn["from"] == "human" else "A", turn["value"]) for turn in row["conversations"]]
    else:
        said += [part for asked, told in row.get("history", []) for part in (("Q", asked), ("A", told))]
        asked = "\n".join(filter(None, [row["instruction"], row["input"]]))
        said += [("Q", asked), ("A", row["output"])]
    return [(who, cut(text)) for who, text in said]


def cut(text: str) -> str:
    """Return a text, or its beginning and how long it is."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} ... ({len(text):,} characters in all)"


def lengths(path: Path) -> tuple[list[int], list[int]]:
    """Return the characters of each row's prompt (all of the conversation before the last answer) and answer."""
    prompts, outputs = [], []
    for row in read_jsonl(path):
        if "conversations" in row:
            *before, last = [len(turn["value"]) for turn in row["conversations"]]
            prompts.append(sum(before))
            outputs.append(last)
        else:
            earlier = sum(len(part) for turn in row.get("history", []) for part in turn)
            prompts.append(earlier + len(row["instruction"]) + len(row["input"]))
            outputs.append(len(row["output"]))
    return prompts, outputs


def histogram(values: list[int]) -> dict[str, Any]:
    """Return bars (x, y, width, height in percent, a title) over a logarithmic axis, and its marks."""
    found = numpy.maximum(numpy.array(values), 1)
    low, high = numpy.log10(found.min()), numpy.log10(found.max() + 1)
    counts, edges = numpy.histogram(numpy.log10(found), BINS, (low, max(high, low + 0.1)))
    most = max(1, int(counts.max()))
    width = 100 / BINS
    bars = [
        {
            "x": round(number * width, 2),
            "y": round(100 - 100 * count / most, 2),
            "width": round(width * 0.9, 2),
            "height": round(100 * count / most, 2),
            "title": f"{10 ** edges[number]:,.0f} to {10 ** edges[number + 1]:,.0f} characters: {count:,} rows",
        }
        for number, count in enumerate(counts.tolist())
    ]
    places = [0, BINS // 4, BINS // 2, 3 * BINS // 4, BINS]
    return {"bars": bars, "marks": [f"{10 ** edges[place]:,.0f}" for place in places], "most": most}


def waterfall(steps: list[dict[str, Any]], rows: int) -> list[dict[str, Any]]:
    """Return the steps that dropped rows, each with its shares of all rows in percent."""
    return [
        {
            **step,
            "left": round(100 * (step["in"] - step["dropped"]) / max(rows, 1), 2),
            "lost": round(100 * step["dropped"] / max(rows, 1), 2),
        }
        for step in steps
        if step["dropped"]
    ]


def shares(counts: dict[str, int]) -> list[tuple[str, int, float]]:
    """Return (name, count, percent) of each."""
    total = max(1, sum(counts.values()))
    return [(name, count, round(100 * count / total, 1)) for name, count in counts.items()]


def rejected_examples(path: Path) -> list[dict[str, Any]]:
    """Return the first rejected rows of each step."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in read_jsonl(path):
        kept = found.setdefault(row["step"], [])
        if len(kept) < SHOWN_REJECTED:
            original = row["row"] if isinstance(row["row"], str) else orjson.dumps(row["row"]).decode()
            kept.append({**row, "row": cut(original)})
    return [row for rows in found.values() for row in rows]
