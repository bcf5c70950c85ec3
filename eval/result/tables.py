"""Tables of a result, for the terminal and the page."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import stdev
from typing import Any

from eval.result.sentences import power, sentences
from eval.result.wording import Wording, p_value, rate, share, wording


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


def columns(rows: list[list[str]]) -> str:
    """Return rows as aligned text, the first one underlined; nothing is ever cut short."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def alone(result: dict[str, Any], language: str) -> list[Block]:
    """Return the tables that stand before the comparisons of one folder: rankings, and recipes over several seeds."""
    tell, blocks = wording(language), blocks_of([], result.get("ranking", {}), language, result["contestants"])
    for judge in dict.fromkeys(row["judge"] for row in result["seeds"]):
        lines = [
            [tell("versus", **row), str(row["seeds"]), rate(row["win_rate"], row["interval"]), share(row["sd"]),
             ", ".join(map(share, row["rates"]))]
            for row in result["seeds"] if row["judge"] == judge
        ]  # fmt: skip
        blocks.append(_block(tell, "seeds", lines, judge=judge))
    return blocks


def comparisons(result: dict[str, Any], language: str) -> list[list[str]]:
    """Return the table of a result's comparisons, a row of cells for each, the header first."""
    tell = wording(language)
    rows = [
        [tell("versus", **row), row["judge"], *_figures(row), share(row["consistency"]), share(row["first_share"]),
         str(row["unparsed"])]
        for row in result["comparisons"]
    ]  # fmt: skip
    return [tell("header").split("|"), *rows]


def _figures(row: dict[str, Any]) -> list[str]:
    counts = f"{row['wins']}/{row['ties']}/{row['losses']}"
    return [counts, rate(row["win_rate"], row["interval"]), p_value(row["holm_p"])]


def _block(tell: Wording, name: str, lines: list[list[str]], notes: Iterable[str] = (), **facts: str) -> Block:
    return Block(tell(name, **facts), [tell(f"{name} header").split("|"), *lines], list(notes))


def blocks_of(
    pooled: list[dict[str, Any]], ranked: dict[str, list[dict[str, Any]]], language: str, everyone: Iterable[str] = ()
) -> list[Block]:
    """Return the tables of the rankings, with who of `everyone` is in none, and of pooled comparisons."""
    tell = wording(language)
    blocks = []
    for judge, rows in ranked.items():
        lines = [[r["name"], f"{r['rating']:+.0f}", "[{:+.0f}, {:+.0f}]".format(*r["interval"])] for r in rows]
        missing = ", ".join(name for name in everyone if name not in [row["name"] for row in rows])
        blocks.append(_block(tell, "ranking", lines, [tell("left out", names=missing)] if missing else [], judge=judge))
    for row in pooled:
        lines = [[part["folder"], *_figures(part)] for part in row["tasks"]]
        lines.append([tell("all questions", n=row["questions"]), *_figures(row)])
        notes = [power(row, tell)] if row["kind"] != "stand-in" else []
        notes += [*tell.told("votes", row), *tell.told("equal", row)]
        rates = [part["win_rate"] for part in row["tasks"] if part["win_rate"] is not None]
        notes += [tell("between runs", sd=stdev(rates))] if len(rates) > 1 else []
        notes += [tell("one seed")] if row is pooled[-1] else []
        blocks.append(_block(tell, "pooled", lines, notes, a=row["a"], b=row["b"], judge=row["judge"]))
    return blocks
