"""Show a result on the terminal."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any

from eval.result.sentences import p_value, rate, sentences
from eval.result.wording import say

COLUMNS = ("comparison", "judge", "W/T/L", "win rate [95 %]", "sign test", "agree", "first", "unread")


def show(result: dict[str, Any]) -> None:
    """Print the comparisons, the held-out loss, the warnings and where the files are."""
    title = " ".join(filter(None, [result["task"], f"({result['folder']})"]))
    print(f"\nResult: {title}, {result['questions']} questions\n")
    if result["comparisons"]:
        print(columns([list(COLUMNS), *comparison_rows(result)]), end="\n\n")
    else:
        print(f"nothing has been judged here yet: make judge RUN={result['folder']}\n")
    for line in [*sentences(result), *(f"Note: {warning}" for warning in result["warnings"])]:
        print(line)


def columns(rows: list[list[str]]) -> str:
    """Return rows as aligned text, the first one underlined; nothing is ever cut short."""
    widths = [max(len(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def comparison_rows(result: dict[str, Any]) -> list[list[str]]:
    """Return a row of cells for each comparison."""
    return [comparison_cells(row) for row in result["comparisons"]]


def comparison_cells(row: dict[str, Any]) -> list[str]:
    """Return the cells of one comparison."""
    return [
        f"{row['a']} vs {row['b']}",
        row["judge"],
        f"{row['wins']}/{row['ties']}/{row['losses']}",
        rate(row["win_rate"], row["interval"]),
        p_value(row["sign_test_p"]) if row["win_rate"] is not None else "-",
        share(row["consistency"]),
        share(row["first_share"]),
        str(row["unparsed"]),
    ]


def share(value: float | None) -> str:
    """Return a share as a percentage, "-" when it cannot be said."""
    return "-" if value is None else f"{value:.0%}"


@dataclass(frozen=True)
class Block:
    """One table of what several runs say together; the first row is its header."""

    title: str
    rows: list[list[str]]
    notes: list[str] = field(default_factory=list)


def blocks_of(pooled: list[dict[str, Any]], ranked: dict[str, list[dict[str, Any]]], language: str) -> list[Block]:
    """Return the tables of pooled comparisons and of the rankings."""
    tell = partial(say, language)
    found = [
        Block(
            tell("pooled", a=row["a"], b=row["b"], judge=row["judge"]),
            [tell("pooled header").split("|"), *_pooled_rows(row, tell("all questions", n=row["questions"]))],
            _pooled_notes(row, language),
        )
        for row in pooled
    ]
    for judge, rows in ranked.items():
        lines = [
            [r["name"], f"{r['rating']:+.0f}", f"[{r['interval'][0]:+.0f}, {r['interval'][1]:+.0f}]"] for r in rows
        ]
        found.append(Block(tell("ranking", judge=judge), [tell("ranking header").split("|"), *lines]))
    return found


def _pooled_rows(row: dict[str, Any], whole: str) -> list[list[str]]:
    lines = [
        [
            part["folder"],
            f"{part['wins']}/{part['ties']}/{part['losses']}",
            rate(part["win_rate"], part["interval"]),
            p_value(part["sign_test_p"]),
            p_value(part["holm_p"]),
        ]
        for part in row["tasks"]
    ]
    mean = row["win_rate"]
    interval = rate(mean["mean"], [mean["low"], mean["high"]]) if mean else "-"
    return [*lines, [whole, f"{row['wins']}/{row['ties']}/{row['losses']}", interval, p_value(row["sign_test_p"]), ""]]


def _pooled_notes(row: dict[str, Any], language: str) -> list[str]:
    controlled, detectable = row["length_controlled"], row["detectable_rate"]
    notes = []
    if controlled:
        notes.append(say(language, "equal length", rate=rate(controlled["win_rate"], controlled["interval"])))
    if detectable:
        notes.append(say(language, "pooled power", n=row["questions"], rate=detectable))
    return notes
