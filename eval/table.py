"""Show a result on the terminal."""

from typing import Any

from eval.findings import p_value, rate, sentences

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
