"""The result as one HTML file: the figures, and every pair side by side with the judge's words.

Models and judges wrote most of what it shows, so nothing of theirs ever becomes markup: Jinja escapes the figures, and
the pairs travel as JSON that the page's script puts in place as text.
"""

from pathlib import Path
from typing import Any, cast

import orjson
from markupsafe import Markup

from common import tracking
from common.files import write_text
from common.paths import STYLE
from common.run_files import Metrics, write
from common.templates import environment
from eval.records.folder import Folder
from eval.records.judgments import Judgment, pairs_judged
from eval.records.questions import language_of
from eval.result.metrics import build, kind_of
from eval.result.sentences import caveats, sentences
from eval.result.tables import alone, blocks_of, comparisons
from eval.statistics.outcomes import outcomes

PAGES = Path(__file__).parents[1] / "pages"


def publish(folder: Folder) -> dict[str, Any]:
    """Write metrics.json and result.html of a folder; return the result."""
    result = build(folder)
    if len(result["contestants"]) > 2:
        from eval.statistics.pooling import rankings, table

        result["ranking"] = rankings(table([(folder, result)]))
    write(folder.path / "metrics.json", cast(Metrics, result))
    write_text(folder.path / "result.html", render([(folder, result)], [], {}))
    ours = [row for row in result["comparisons"] if (row["a"], row["b"]) == ("tuned", "base")]
    tracking.add(folder.path, {f"win_rate/{row['judge']}": row["win_rate"] for row in ours})
    return result


def render(
    parts: list[tuple[Folder, dict[str, Any]]], pooled: list[dict[str, Any]], ranked: dict[str, list[dict[str, Any]]]
) -> str:
    """Return the page for one or more folders with their results, and with what several say together."""
    items = [item for folder, _ in parts for item in pairs(folder)]
    language = language_of([item["question"] for item in items])
    return template("result.html.jinja").render(
        language=language,
        blocks=blocks_of(pooled, ranked, language) if pooled else alone(parts[0][1], language),
        parts=[
            (result, comparisons(result, language), sentences(result, language), caveats(result, language))
            for _, result in parts
        ],
        pairs=embedded(items),
    )


def template(name: str) -> Any:
    """Return a page's template, in which all that is put is text."""
    return environment(PAGES, STYLE.parent, trim=False, escape=True).get_template(name)


def pairs(folder: Folder) -> list[dict[str, Any]]:
    """Return every judged pair of a folder, one entry for each judge, with all that is to be shown of it."""
    questions = {question.id: question for question in folder.questions}
    items: list[dict[str, Any]] = []
    verdicts: dict[tuple[str, ...], set[str]] = {}  # of each pair by all its judges; the stand-in is none
    for judge, judgments in folder.judgments.items():
        said = {(row.id, row.first, row.second): row for row in judgments if not row.canary}
        for a, b in pairs_judged(judgments, list(folder.answers)):
            for outcome in outcomes(judgments, a, b):
                question, verdict = questions[outcome.id], outcome.rating or "none"
                orders = [said.get((outcome.id, a, b)), said.get((outcome.id, b, a))]
                if kind_of(judge) != "stand-in":
                    verdicts.setdefault((outcome.id, a, b), set()).add(verdict)
                items.append(
                    {
                        "task": folder.task or folder.path.name, "judge": judge, "a": a, "b": b, "id": outcome.id,
                        "category": question.category, "question": question.text, "reference": question.reference,
                        "answers": [folder.answers[who][outcome.id].answer for who in (a, b)],
                        "verdict": verdict,
                        "orders": [_order(row) for row in orders if row],
                        "disagree": outcome.counted and not outcome.consistent,
                    }
                )  # fmt: skip
    for item in items:
        item["judges_differ"] = len(verdicts.get((item["id"], item["a"], item["b"]), ())) > 1
    return items


def _order(row: Judgment) -> dict[str, Any]:
    texts = [reply["text"] or reply["error"] for reply in row.replies] or [row.note]
    return {"first": row.first, "winner": row.winner, "status": row.status, "texts": texts}


def embedded(value: Any) -> Markup:
    """Return JSON that is safe inside a script element: no "<" is left in it."""
    text = orjson.dumps(value).decode()
    return Markup(text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029"))
