"""What a result's figures say, in sentences that claim no more than they show, and what a reader must know first."""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from common.yaml_files import read_yaml
from eval.judging.reference_judge import AGREEMENT
from eval.result.wording import Wording, wording
from eval.statistics.intervals import wilson

MOST_FORGOTTEN = 0.02  # of the general prompts; a greater loss is warned about


def sentences(result: dict[str, Any], language: str = "en") -> list[str]:
    """Return a result's findings: who is ahead, agreement, held-out loss, other scores, what was run, the files."""
    tell = wording(language)
    said = list(dict.fromkeys(verdict(row, tell, result["folder"]) for row in result["comparisons"]))
    said += [tell.first("seeds", row) for row in result["seeds"]]
    said += [tell("agreement", **row) for row in result["agreement"] if any(pair["items"] for pair in row["pairs"])]
    said += [heldout(result["heldout"], tell), *tell.told("scores", result), *general(result["general"], tell)]
    for who, entry in result["contestants"].items():
        shown = ", ".join(f"{name} {value}" for name, value in entry["settings"].items() if name != "system")
        said.append(tell("contestant", **entry, who=who, shown=shown))
    return [*said, tell("files", **result)]


def verdict(row: dict[str, Any], tell: Wording, folder: str) -> str:
    """Say who is ahead, that it cannot be told, or why there is no win rate and which command gives one."""
    least, most = sorted((row["wins"], row["losses"]))
    better, worse = (row["a"], row["b"]) if row["wins"] > row["losses"] else (row["b"], row["a"])
    facts = {**row, "n": least + most + row["ties"], "better": better, "worse": worse, "most": most, "least": least}
    sides: dict[str, Any] = row["withheld"].get("sides", {})
    unusable = {
        "folder": folder,
        "tokens": 2 * row["withheld"].get("max_tokens", 0),
        "cut_off": any("cut_off" in side["kinds"] for side in sides.values()),
        "met": "/compare/" in f"/{folder}/",  # where answers of several runs meet, none can be answered again
    }
    said = [tell("side", **side, who=who) for who, side in sides.items()]
    return tell.first(
        "verdict", facts | {"power": power(row, tell), "sides": said, "way_out": tell.first("way out", unusable)}
    )


def power(row: dict[str, Any], tell: Wording) -> str:
    """Say how large a difference the questions with a verdict, with so many ties, can show."""
    return tell("power", **row, n=row["wins"] + row["ties"] + row["losses"])


def heldout(found: Mapping[str, Any], tell: Wording) -> str:
    """Say the held-out loss of base and tuned model, and whether the tuned one is really lower."""
    return tell("heldout", **{"base": None, "difference": None, **found})


def general(found: Mapping[str, Any], tell: Wording) -> Iterator[str]:
    """Say how many plain instructions base and tuned model follow, and their scores on lm-eval's tasks."""
    for name, of in found.get("scores", {}).items():
        if name == "all" or of["prompts"]:
            yield tell("general", **of, part=tell("part", name=name))
    measured = found.get("lm_eval", {})
    for task in measured.get("tuned", {}):
        both = {who: measured[who][task] for who in ("base", "tuned") if task in measured[who]}
        scores = [f"{who} {of['score']:.1%} (SE {of['stderr'] or 0:.1%})" for who, of in both.items()]
        yield f"lm-eval {task}: {', '.join(scores)}"


def forgotten(found: Mapping[str, Any], tell: Wording) -> Iterator[str]:
    """Warn where the tuned model follows fewer plain instructions than the base."""
    for name, of in found.get("scores", {}).items():
        if of["prompts"] and of["difference"]["mean"] <= -MOST_FORGOTTEN:
            yield tell("forgotten", **of, part=tell("part", name=name))


def caveats(result: dict[str, Any], language: str = "en") -> list[str]:
    """Return what a reader must know before believing a result, each a sentence about something measured."""
    tell = wording(language)
    found = [tell("stale", n=result["stale_judgments"])] if result["stale_judgments"] else []
    found += [tell("lost votes", judge=who, n=n, folder=result["folder"]) for who, n in result["lost_votes"].items()]
    right, of = AGREEMENT
    low, high = wilson(right, of)
    for name, judge in result["judges"].items():
        found += tell.told("judge", {**judge, "judge": name, "right": right / of, "of": of, "low": low, "high": high})
    for row in result["comparisons"]:
        found += [tell.join([tell("label", **row), warning]) for warning in _of_comparison(row, result, tell)]
    for who, entry in result["contestants"].items():
        found += tell.told("contestant", {**entry, "who": who})
    return [*found, *forgotten(result["general"], tell), *tell.told("whole", result)]


def _of_comparison(row: dict[str, Any], result: dict[str, Any], tell: Wording) -> Iterator[str]:
    yield from (*tell.told("votes", row), *tell.told("comparison", row))
    if row["kind"] != "model" or row["withheld"]:
        return
    yield from (*tell.told("model", row), *tell.told("equal", row))
    own = family(row["judge"], result["judges"][row["judge"]]["model"])
    for who in (row["a"], row["b"]):
        if own and own == family(who, result["contestants"][who]["model"]):
            yield tell("family", who=who, family=own)


@cache
def families() -> dict[str, str]:
    """Return family of models -> a pattern of their names."""
    found: dict[str, str] = read_yaml(Path(__file__).with_name("families.yaml"))
    return found


def family(*names: str) -> str:
    """Return the family of models that one of `names` belongs to, or ""."""
    bare = [name.rpartition("/")[2] for name in names]
    found = (title for title, pattern in families().items() if any(re.search(pattern, name, re.I) for name in bare))
    return next(found, "")
