"""Several runs together: all their outcomes in one table, pooled over the questions, and one ranking of all models."""

from typing import Any

import pandas as pd

from common.names import root_task
from eval.records.folder import Folder
from eval.statistics.outcomes import correct, counts, outcomes, scored
from eval.statistics.people import corrected
from eval.statistics.ranking import rank
from eval.statistics.style_control import controls, differing

Part = tuple[Folder, dict[str, Any]]
"""A folder and its result."""
STYLE = ("characters", "lists", "markup")


def contestant_name(folder: Folder, who: str) -> str:
    """Return what a contestant is called beside those of other runs: its model, and how it was tuned.

    Where several models meet in a folder that is no run, each has a name of its own already.
    """
    if who not in ("base", "tuned") or len(folder.path.parts) < 2 or not folder.manifest:
        return who
    model, method = folder.path.parts[-2:]
    rows = folder.task.removeprefix(root_task(folder.task))  # +rewritten, ~raw: trained on other rows of the same task
    return model if who == "base" else " ".join(filter(None, [model, method, rows]))


def table(parts: list[Part]) -> pd.DataFrame:
    """Return a row for each outcome with a verdict: judge, contestants, task, question, score of a, style.

    Comparisons whose win rate is withheld are left out, and panels, which are of the other judges.
    """
    rows, alone = [], len(parts) == 1
    for folder, result in parts:
        # A task's variants and mixes have its own questions; ids of other tasks may be the same.
        task = root_task(folder.task) or str(folder.path)
        for row in result["comparisons"]:
            judge, a, b = row["judge"], row["a"], row["b"]
            if row["kind"] == "panel" or row["withheld"]:
                continue
            names = (a, b) if alone else (contestant_name(folder, a), contestant_name(folder, b))
            for id_, score in scored(outcomes(folder.judgments[judge], a, b)).items():
                style = differing(*(folder.answers[who][id_].answer for who in (a, b)))
                rows.append((judge, a, b, f"{task}/{id_}", score, *style, *names))
    return pd.DataFrame(rows, columns=["judge", "a", "b", "question", "score", *STYLE, "name_a", "name_b"])


def pool(parts: list[Part], found: pd.DataFrame) -> list[dict[str, Any]]:
    """Return, for each judge and pair of contestants, each run's comparison and the figures of all questions together.

    Runs of one task share its questions: a question counts once, with the mean of what the runs have on it.
    """
    pooled = []
    for (judge, a, b), group in found.groupby(["judge", "a", "b"], sort=False):
        means = group.groupby("question", sort=False)[["score", *STYLE]].mean()
        scores = means["score"].tolist()
        rows = [
            {"folder": str(folder.path), **row}
            for folder, result in parts
            for row in result["comparisons"]
            if (row["judge"], row["a"], row["b"]) == (judge, a, b)
        ]
        votes = found[(found["a"] == a) & (found["b"] == b) & found["judge"].str.startswith("human")]
        voted = {str(question): float(vote) for question, vote in votes.groupby("question")["score"].mean().items()}
        row = {"judge": judge, "kind": rows[0]["kind"], "a": a, "b": b, "tasks": rows, "questions": len(scores)}
        row |= counts(scores) | controls(scores, means[list(STYLE)].to_numpy().tolist()) | {"corrected": None}
        if row["kind"] == "model":
            row["corrected"] = corrected(dict(zip(means.index, scores, strict=True)), voted)
        pooled.append(row)
    correct(pooled)
    return pooled


def rankings(found: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Return judge -> the ranking of all models by it; a judge that does not link them all has none."""
    ranked = {}
    for judge, group in found.groupby("judge", sort=False):
        games = group.loc[group["name_a"] != group["name_b"], ["question", "name_a", "name_b", "score"]]
        ranked[str(judge)] = rank(list(games.itertuples(index=False, name=None)))
    return {judge: rows for judge, rows in ranked.items() if rows}
