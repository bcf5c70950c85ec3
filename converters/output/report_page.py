"""data/TASK/report.html: what came in, what each step dropped and why, how long the rows are, and a few of them.

Everything in the page that comes from the data is escaped by Jinja; plots are drawn as inline SVG, so that the file
stands alone.
"""

from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy
import orjson

from common.errors import UserError
from common.files import read_jsonl, write_text
from common.paths import data_folder
from common.schema import typed
from common.templates import environment
from converters.corpus.splits import SPLITS
from converters.output.card import read_card
from converters.rows.formats import turns_of

PAGES = Path(__file__).parents[1] / "pages"
BINS = 30
SHOWN_ROWS = 5
SHOWN_REJECTED = 3
LONGEST_SHOWN = 1_200


def write_report(task: str) -> Path:
    """Draw a converted task's page and return its path."""
    card = read_card(task)
    if card is None:
        raise UserError(f"{task} has not been converted yet", f"make convert TASK={task}")
    folder = data_folder(task)
    for name in ("train", "rejected"):
        if not (folder / f"{name}.jsonl").is_file():
            raise UserError(f"{folder} has no {name}.jsonl any more", f"make convert TASK={task} writes it anew")
    pages = environment(PAGES, trim=False, escape=True)
    pages.filters |= {"typed": typed, "number": "{:,}".format, "cut": cut}
    prompts, answers = lengths(folder / "train.jsonl")
    page = pages.get_template("report.html.jinja").render(
        card=card,
        splits=[(split, card["files"][split]["rows"]) for split in (*SPLITS, "rejected")],
        histograms=[("prompts", histogram(prompts)), ("answers", histogram(answers))],
        rows=[(row.get("system"), turns_of(row)) for row in islice(read_jsonl(folder / "train.jsonl"), SHOWN_ROWS)],
        rejected=rejected_examples(folder / "rejected.jsonl"),
    )
    path = folder / "report.html"
    write_text(path, page)
    return path


def cut(text: str) -> str:
    """Return a text, or its beginning and how long it is."""
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]} ... ({len(text):,} characters in all)"


def lengths(path: Path) -> tuple[list[int], list[int]]:
    """Return the characters of each row's prompt (all of the conversation before the last answer) and answer."""
    prompts, answers = [], []
    for row in read_jsonl(path):
        turns = turns_of(row)
        answers.append(len(turns[-1][1]))
        prompts.append(sum(len(text) for turn in turns for text in turn) - answers[-1])
    return prompts, answers


def histogram(values: list[int]) -> dict[str, Any]:
    """Return bars (x and height in percent, a title) over a logarithmic axis, their width, and the axis' marks."""
    found = numpy.log10(numpy.maximum(values, 1))
    counts, edges = numpy.histogram(found, BINS, (found.min(), max(found.max() + 0.001, found.min() + 0.1)))
    ends, most, width = 10**edges, int(counts.max()), 100 / BINS
    bars = [
        {"x": round(number * width, 2), "height": round(100 * count / most, 2),
         "title": f"{ends[number]:,.0f} to {ends[number + 1]:,.0f} characters: {count:,} rows"}
        for number, count in enumerate(counts.tolist())
    ]  # fmt: skip
    marks = [f"{end:,.0f}" for end in ends[:: BINS // 5]]
    return {"bars": bars, "width": round(width * 0.9, 2), "marks": marks, "most": most}


def rejected_examples(path: Path) -> list[dict[str, Any]]:
    """Return the first rejected rows of each step."""
    first: dict[str, list[dict[str, Any]]] = {}
    for row in read_jsonl(path):
        of_step = first.setdefault(row["step"], [])
        if len(of_step) < SHOWN_REJECTED:
            original = row["row"] if isinstance(row["row"], str) else orjson.dumps(row["row"]).decode()
            of_step.append(row | {"row": original})
    return list(chain.from_iterable(first.values()))
