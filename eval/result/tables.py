"""Tables of a result, for the terminal and the page."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from statistics import stdev
from typing import Any

from eval.result.sentences import corrected, equal, p_value, power, rate, sentences, share
from eval.result.wording import say


@dataclass(frozen=True)
class Block:
    """A table with its title and the notes below it; the first row is its header."""

    title: str
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        return "\n".join(filter(None, [self.title, "", columns(self.rows), *self.notes]))


def show(result: dict[str, Any]) -> None:
    """Print the comparisons, the held-out loss, the warnings and where the files are."""
    title = " ".join(filter(None, [result["task"], f"({result['folder']})"]))
    print(f"\nResult: {title}, {result['questions']} questions\n")
    for block in alone(result, "en"):
        print(block, end="\n\n")
    if result["comparisons"]:
        print(columns(comparisons(result, "en")), end="\n\n")
    else:
        print(f"nothing has been judged here yet: make judge RUN={result['folder']}\n")
    for line in [*sentences(result), *(f"Note: {warning}" for warning in result["warnings"])]:
        print(line)


def alone(result: dict[str, Any], language: str) -> list[Block]:
    """Return the tables that stand before the comparisons of one folder: rankings, and recipes over several seeds."""
    tell, blocks = partial(say, language), blocks_of([], result.get("ranking", {}), language, result["contestants"])
    for judge in dict.fromkeys(row["judge"] for row in result["seeds"]):
        lines = [
            [tell("versus", **row), str(row["seeds"]), rate(row["win_rate"], row["interval"]), f"{row['sd']:.0%}",
             ", ".join(f"{one:.0%}" for one in row["rates"])]
            for row in result["seeds"] if row["judge"] == judge
        ]  # fmt: skip
        blocks.append(Block(tell("seeds title", judge=judge), [tell("seeds header").split("|"), *lines]))
    return blocks


def columns(rows: list[list[str]]) -> str:
    """Return rows as aligned text, the first one underlined; nothing is ever cut short."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def comparisons(result: dict[str, Any], language: str) -> list[list[str]]:
    """Return the table of a result's comparisons, a row of cells for each, the header first."""
    rows = [
        [
            say(language, "versus", a=row["a"], b=row["b"]),
            row["judge"],
            *_figures(row),
            p_value(row["holm_p"]),
            share(row["consistency"]),
            share(row["first_share"]),
            str(row["unparsed"]),
        ]
        for row in result["comparisons"]
    ]
    return [say(language, "header").split("|"), *rows]


def _figures(row: dict[str, Any]) -> list[str]:
    return [f"{row['wins']}/{row['ties']}/{row['losses']}", rate(row["win_rate"], row["interval"])]


def blocks_of(
    pooled: list[dict[str, Any]], ranked: dict[str, list[dict[str, Any]]], language: str, everyone: Iterable[str] = ()
) -> list[Block]:
    """Return the tables of the rankings, with who of `everyone` is in none, and of pooled comparisons."""
    tell = partial(say, language)
    blocks = []
    for judge, rows in ranked.items():
        lines = [[r["name"], f"{r['rating']:+.0f}", "[{:+.0f}, {:+.0f}]".format(*r["interval"])] for r in rows]
        missing = ", ".join(name for name in everyone if name not in [row["name"] for row in rows])
        notes = [tell("left out", names=missing)] if missing else []
        blocks.append(Block(tell("ranking", judge=judge), [tell("ranking header").split("|"), *lines], notes))
    for row in pooled:
        lines = [[part["folder"], *_figures(part), p_value(part["holm_p"])] for part in row["tasks"]]
        lines.append([tell("all questions", n=row["questions"]), *_figures(row), p_value(row["holm_p"])])
        notes = [power(row, row["questions"], tell)] if row["kind"] != "stand-in" else []
        if row["corrected"]:
            notes.append(corrected(row["corrected"], tell))
        notes += equal(row, tell)
        rates = [part["win_rate"] for part in row["tasks"] if part["win_rate"] is not None]
        if len(rates) > 1:
            notes.append(tell("between runs", sd=stdev(rates)))
        title = tell("pooled", a=row["a"], b=row["b"], judge=row["judge"])
        blocks.append(Block(title, [tell("pooled header").split("|"), *lines], notes))
    if pooled:
        blocks[-1].notes.append(tell("one seed"))
    return blocks
