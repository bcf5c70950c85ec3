"""Put together what a folder's judgments say: the content of metrics.json, of the terminal and of the page."""

from collections import Counter, defaultdict
from collections.abc import Callable
from statistics import fmean
from typing import Any
from urllib.parse import urlsplit

from common.files import sha256
from common.llm.prices import price_of
from common.llm.reply import CUT_OFF
from common.run_files import read_general, read_heldout
from common.versions import versions
from eval.judging.reference_judge import MARGIN, NAME
from eval.records.answers import Answer
from eval.records.folder import Folder
from eval.records.judgments import Judgment, pairs_judged
from eval.result.sentences import caveats
from eval.statistics import outcomes as stats
from eval.statistics import people
from eval.statistics.agreement import Ratings, agreement_of
from eval.statistics.outcomes import Outcome
from eval.statistics.reference_scores import choice_scores, looping, text_scores
from eval.statistics.seeds import over_seeds

PANEL = "panel"  # the majority of the model judges
FAULTS: dict[str, Callable[[Answer], bool]] = {
    "cut_off": lambda answer: answer.cut_off, "empty": lambda answer: answer.empty,
    "looping": lambda answer: looping(answer.answer),
}  # fmt: skip
"""What makes an answer unusable; of several the first is named."""
MOST_UNUSABLE = 0.05  # share of a side's answers that may be cut off, empty or loops; above it there is no win rate


def build(folder: Folder) -> dict[str, Any]:
    """Return all that is known about a folder's comparisons, as a JSON-like dict."""
    answers, judged = folder.answers, folder.judgments
    pairs = list(dict.fromkeys(pair for rows in judged.values() for pair in pairs_judged(rows, list(answers))))
    compared = {question.id for question in folder.judged_questions}
    contestants = {who: _contestant(rows, compared) for who, rows in answers.items()}
    comparisons: list[dict[str, Any]] = []
    agreement: list[dict[str, Any]] = []
    rated: dict[tuple[str, str, str], dict[str, float]] = {}
    for a, b in pairs:
        by_judge = {judge: found for judge, rows in judged.items() if (found := stats.outcomes(rows, a, b))}
        voted, members = _votes(by_judge), _members(by_judge)
        panel = {PANEL: stats.panel([by_judge[judge] for judge in members], a, b)} if members else {}
        for judge, found in (by_judge | panel).items():
            kind, scores = kind_of(judge), stats.scored(found)
            steady = stats.steadiness(found) if kind in ("model", "stand-in") else stats.NO_STEADINESS
            row = {"judge": judge, "kind": kind, "a": a, "b": b, "questions": len(found)}
            row |= {"unparsed": len(found) - len(scores)} | stats.counts(list(scores.values())) | steady
            row |= stats.length_effect(scores, answers[a], answers[b])
            row |= {
                "withheld": {},
                "corrected": people.corrected(scores, voted) if kind in ("model", "panel") else None,
            }
            if kind == "panel":
                worth = people.worth_of({name: stats.scored(by_judge[name]) for name in members}, voted)
                row |= {"members": members, "worth": worth}
            if why := _withheld(a, b, contestants) or (kind == "model" and stats.bound_to_position(steady)):
                row |= stats.NO_RATE | {"withheld": why}
            else:
                rated[judge, a, b] = scores
            comparisons.append(row)
        if len(by_judge) > 1:
            agreement.append({"a": a, "b": b} | agreement_of(_ratings(by_judge)))
    stats.correct(comparisons)
    trained = [who for who, rows in answers.items() if next(iter(rows.values())).of.endswith("tuned.jsonl")]
    result: dict[str, Any] = {
        "folder": str(folder.path),
        "task": folder.task,
        "questions": sum(sum(q.id in given for given in answers.values()) > 1 for q in folder.judged_questions),
        "contestants": contestants,
        "judges": {judge: _judge(judgments) for judge, judgments in judged.items()},
        "stale_judgments": folder.stale_judgments,
        "lost_votes": folder.lost_votes,
        "comparisons": comparisons,
        "seeds": [row | {"kind": kind_of(row["judge"])} for row in over_seeds(rated, answers, trained)],
        "trained": trained,
        "agreement": agreement,
        "choice": choice_scores(folder.questions, answers),
        "texts": text_scores(folder.questions, answers),
        "heldout": {k: v for k, v in read_heldout(folder.path).items() if k != "row_losses"},
        "general": read_general(folder.path),
        "versions": versions("openai", "sacrebleu", "llamafactory"),
        "files": {
            str(path.relative_to(folder.path)): sha256(path)
            for pattern in ("questions.jsonl", "answers/*.jsonl", "judgments/*.jsonl")
            for path in sorted(folder.path.glob(pattern))
        },
    }
    result["warnings"] = caveats(result)
    return result


def kind_of(judge: str) -> str:
    """Return what kind of judge a name stands for: "stand-in", "human", "panel" or "model"."""
    return {NAME: "stand-in", PANEL: "panel"}.get(judge, "human" if judge.startswith("human") else "model")


def _members(by_judge: dict[str, list[Outcome]]) -> list[str]:
    """Return who sits on the panel: each model once, however many ways (guided, structured) it was asked in."""
    members: dict[str, str] = {}
    for judge, found in by_judge.items():
        if kind_of(judge) == "model" and not stats.bound_to_position(stats.steadiness(found)):
            members.setdefault(judge.partition("+")[0], judge)
    return list(members.values()) if len(members) > 1 else []


def _ratings(by_judge: dict[str, list[Outcome]]) -> Ratings:
    """Return judge -> ratings over all questions that any judged, without the stand-in where two others have judged."""
    real = {judge: found for judge, found in by_judge.items() if kind_of(judge) != "stand-in"}
    by_judge = real if len(real) > 1 else by_judge
    ids = list(dict.fromkeys(outcome.id for found in by_judge.values() for outcome in found))
    rated = {judge: {outcome.id: outcome.rating for outcome in found} for judge, found in by_judge.items()}
    return {judge: [ratings.get(id_) for id_ in ids] for judge, ratings in rated.items()}


def _withheld(a: str, b: str, contestants: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Return why a win rate would say nothing: too many answers of one side are cut off, empty or loops; or {}."""
    faults = {who: contestants[who]["unusable"] for who in (a, b)}
    sides = {who: found for who, found in faults.items() if found["answers"] > MOST_UNUSABLE * found["of"]}
    room = [contestants[who]["settings"].get("max_tokens") or 512 for who in sides]
    return {"sides": sides, "max_tokens": max(room)} if sides else {}


def _votes(by_judge: dict[str, list[Outcome]]) -> dict[str, float]:
    """Return question -> what people say on it together."""
    cast: dict[str, list[float]] = defaultdict(list)
    for judge, found in by_judge.items():
        for id_, score in stats.scored(found).items() if kind_of(judge) == "human" else ():
            cast[id_].append(score)
    return {id_: fmean(scores) for id_, scores in cast.items()}


def _contestant(rows: dict[str, Answer], compared: set[str]) -> dict[str, Any]:
    first, given = next(iter(rows.values())), [row for row in rows.values() if not row.error]
    judged = [row for row in given if row.id in compared]
    faults = Counter(next((kind for kind, has in FAULTS.items() if has(row)), "") for row in judged)
    kinds = {kind: faults[kind] for kind in FAULTS if faults[kind]}
    return {
        "model": first.model,
        "answers": len(given),
        "failed": len(rows) - len(given),
        **{kind: sum(map(has, rows.values())) for kind, has in FAULTS.items()},
        "unusable": {"answers": sum(kinds.values()), "of": len(judged), "kinds": kinds},
        "settings": first.settings,
    }


def _judge(judgments: list[Judgment]) -> dict[str, Any]:
    replies = [reply for judgment in judgments for reply in judgment.replies]
    model = next((reply["model"] for reply in replies if reply["model"]), "")
    tokens_in, tokens_out = (sum(reply[name] for reply in replies) for name in ("tokens_in", "tokens_out"))
    place = str(judgments[0].settings.get("endpoint", ""))
    asked = judgments[0].judge.removesuffix(f"@{urlsplit(place).netloc}")
    asked = asked.removesuffix("+structured").removesuffix("+guided")
    price = price_of(asked, place) if place else None
    return {
        "kind": kind_of(judgments[0].judge),
        "judgments": len(judgments),
        "model": model,
        "settings": judgments[0].settings,
        "fingerprints": sorted({reply["fingerprint"] for reply in replies if reply["fingerprint"]}),
        "cut_off": sum(reply["finish_reason"].lower() in CUT_OFF for reply in replies),
        "asked_again": sum(len(judgment.replies) > 1 for judgment in judgments),
        "statuses": dict(sorted(Counter(judgment.status for judgment in judgments).items())),
        "first_error": next((reply["error"] for reply in replies if reply["error"]), ""),
        "defused": sum(judgment.defused > 0 for judgment in judgments),
        "tokens_in": tokens_in,
        "tokens_out": tokens_out,
        "dollars": price.of(tokens_in, tokens_out) if price else None,
        "canaries": canary_score(judgments),
        **({"margin": MARGIN} if judgments[0].judge == NAME else {}),
    }


def canary_score(judgments: list[Judgment]) -> dict[str, dict[str, int]]:
    """Return, for each kind of canary pair that the judge answered, how many it was shown and how many it got wrong."""
    score: dict[str, dict[str, int]] = defaultdict(lambda: {"shown": 0, "wrong": 0})
    for judgment in judgments:
        if judgment.canary and judgment.status not in ("failed", "refused"):
            kind, _, right = judgment.canary.partition(":")
            score[kind]["shown"] += 1
            score[kind]["wrong"] += judgment.winner != right
    return dict(score)
