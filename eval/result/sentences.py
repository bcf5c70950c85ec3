"""What a result's figures say, in sentences that claim no more than they show, and what a reader must know first."""

import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from common.paired_loss import change_told
from common.yaml_files import read_yaml
from eval.judging.reference_judge import AGREEMENT
from eval.result.wording import say
from eval.statistics.intervals import wilson

Say = Callable[..., str]
MOST_FORGOTTEN = 0.02  # of the general prompts; a greater loss is warned about
LONGER_WINS = 0.7  # above this alpaca_eval's authors advise against a judge


def sentences(result: dict[str, Any], language: str = "en") -> list[str]:
    """Return a result's findings: who is ahead, agreement, held-out loss, other scores, what was run, the files."""
    tell = partial(say, language)
    said = list(dict.fromkeys(verdict(row, tell, result["folder"]) for row in result["comparisons"]))
    said += [over_seeds(row, tell) for row in result["seeds"]]
    said += [agreement(row, tell) for row in result["agreement"] if any(pair["items"] for pair in row["pairs"])]
    said.append(heldout(result["heldout"], tell))
    said += [*_scores(result, tell), *general(result["general"], tell)]
    said += [contestant(who, entry, tell) for who, entry in result["contestants"].items()]
    return [*said, tell("files", folder=result["folder"])]


def verdict(row: dict[str, Any], tell: Say, folder: str) -> str:
    """Say who is ahead, that it cannot be told, or why there is no win rate and which command gives one."""
    a, b, judge = row["a"], row["b"], row["judge"]
    n = row["wins"] + row["ties"] + row["losses"]
    if not n:
        return tell("no verdict", judge=judge)
    if why := row["withheld"]:
        if "place" in why:
            return tell("unusable judge", judge=judge, place=tell(f"place {why['place']}"), share=why["share"])
        faults = [
            tell(
                "side",
                who=who,
                n=side["answers"],
                of=side["of"],
                kinds=tell("comma").join(f"{number} {tell(kind)}" for kind, number in side["kinds"].items()),
            )
            for who, side in why["sides"].items()
        ]
        cut_off = any("cut_off" in side["kinds"] for side in why["sides"].values())
        met = "/compare/" in f"/{folder}/"  # where answers of several runs meet, none can be answered again
        way_out = tell(
            "in its run" if met else "more room" if cut_off else "sample", folder=folder, tokens=2 * why["max_tokens"]
        )
        return tell("withheld", a=a, b=b, sides=tell("comma").join(faults), way_out=way_out)
    least, most = sorted((row["wins"], row["losses"]))
    better, worse = (a, b) if row["wins"] > row["losses"] else (b, a)
    if row["kind"] == "stand-in":
        key = "nearer" if row["wins"] != row["losses"] else "as near"
        return tell(key, judge=judge, better=better, worse=worse, wins=most, losses=least, n=n)
    if row["holm_p"] <= 0.05:
        corrected = tell("holm", n=row["holm_of"]) if row["holm_of"] > 1 else ""
        return tell("beats", judge=judge, better=better, worse=worse, p=p_value(row["holm_p"]), corrected=corrected)
    return tell("untold", judge=judge, a=a, b=b, n=n, power=power(row, n, tell))


def power(row: dict[str, Any], n: int, tell: Say) -> str:
    """Say how large a difference so many questions, with so many ties, can show."""
    rate, ties = row["detectable_rate"], row["ties"]
    return tell("too few" if rate is None else "tied power" if ties else "power", n=n, rate=rate, ties=ties)


def over_seeds(row: dict[str, Any], tell: Say) -> str:
    """Say the win rate of one recipe against another over several seeds, and how much it varies with the seed."""
    each = ", ".join(f"{one:.0%}" for one in row["rates"])
    words = {**row, "rate": rate(row["win_rate"], row["interval"]), "n": row["seeds"], "each": each}
    if row["a"] == row["b"]:
        return tell("other seed", **words)
    told = "likeness" if row["kind"] == "stand-in" else "seeds sure" if row["sure"] else "seeds unsure"
    return tell("over seeds", **words, told=tell(told))


def agreement(row: dict[str, Any], tell: Say) -> str:
    """Say how far the judges agree beyond chance."""

    def number(value: float | None) -> str:
        return tell("undefined") if value is None else f"{value:.2f}"

    pairs = [
        tell("kappa", one=one, other=other, kappa=number(pair["kappa"]), same=pair["agreement"])
        for pair in row["pairs"]
        if pair["items"]
        for one, other in [pair["judges"]]
    ]
    alpha, fleiss = number(row["krippendorff_alpha"]), number(row["fleiss_kappa"])
    return tell("agreement", a=row["a"], b=row["b"], pairs=", ".join(pairs), alpha=alpha, fleiss=fleiss)


def heldout(found: Mapping[str, Any], tell: Say) -> str:
    """Say the held-out loss of base and tuned model, and whether the tuned one is really lower."""
    if not found:
        return tell("no heldout")
    base, tuned = found["base"], found["tuned"]
    said = tell(
        "heldout", rows=found["rows"], split=found["split"], base=base["loss"], base_p=base["perplexity"],
        tuned=tuned["loss"], tuned_p=tuned["perplexity"],
    )  # fmt: skip
    difference = found.get("difference")
    if not difference:
        return said
    told = {"lower": "heldout better", "higher": "heldout worse", "open": "heldout untold"}[change_told(difference)]
    return said + tell("heldout difference", **difference, told=tell(told))


def _scores(result: dict[str, Any], tell: Say) -> Iterator[str]:
    """Say the scores that need no judge: accuracy on multiple choice, chrF and ROUGE-L on the test split."""
    choice, texts = result["choice"], result["texts"]
    if choice:
        scores = ", ".join(f"{who} {rate(of['accuracy'], of['interval'])}" for who, of in choice["scores"].items())
        change = choice.get("change")
        more = change and tell("choice change", **change | {"p": p_value(change["mcnemar_p"])})
        yield tell("choice", n=choice["questions"], scores=scores) + (more or "")
    for name, title in (("chrf", "chrF"), ("rouge_l", "ROUGE-L")) if texts else ():
        means = {who: of[name] for who, of in texts["scores"].items()}
        change = means.pop("difference", None)
        scores = ", ".join(f"{who} {of['mean']:.1f}" for who, of in means.items())
        more = change and tell("texts change", **change)
        yield tell("texts", title=title, n=texts["rows"], scores=scores) + (more or "")


def general(found: Mapping[str, Any], tell: Say) -> Iterator[str]:
    """Say how many plain instructions base and tuned model follow, and their scores on lm-eval's tasks."""
    for name, of in found.get("scores", {}).items():
        if name == "all" or of["prompts"]:
            yield tell("general", part=tell(f"part {name}"), n=of["prompts"], base=of["base"], tuned=of["tuned"],
                       change=points(of["difference"]))  # fmt: skip
    measured = found.get("lm_eval", {})
    for task in measured.get("tuned", {}):
        scores = [f"{who} {measured[who][task]['score']:.1%} (SE {measured[who][task]['stderr'] or 0:.1%})"
                  for who in ("base", "tuned") if task in measured[who]]  # fmt: skip
        yield f"lm-eval {task}: {', '.join(scores)}"


def forgotten(found: Mapping[str, Any], tell: Say) -> Iterator[str]:
    """Warn where the tuned model follows fewer plain instructions than the base."""
    for name, of in found.get("scores", {}).items():
        change = of["difference"]
        if of["prompts"] and change["mean"] <= -MOST_FORGOTTEN:
            sure = tell("surely" if change["high"] < 0 else "perhaps")
            yield tell("forgotten", part=tell(f"part {name}"), sure=sure, change=points(change))


def contestant(who: str, entry: dict[str, Any], tell: Say) -> str:
    """Say which model answered, and how."""
    settings = ", ".join(f"{name} {value}" for name, value in entry["settings"].items() if name != "system")
    model = entry["model"] or tell("from a file")
    return tell("contestant", who=who, model=model, n=entry["answers"], settings=f" ({settings})" if settings else "")


def caveats(result: dict[str, Any], language: str = "en") -> list[str]:
    """Return what a reader must know before believing a result, each a sentence about something measured."""
    tell = partial(say, language)
    found = [tell("stale", n=result["stale_judgments"])] if result["stale_judgments"] else []
    found += [tell("lost votes", judge=who, n=n, folder=result["folder"]) for who, n in result["lost_votes"].items()]
    for name, judge in result["judges"].items():
        found += _of_judge(name, judge, tell)
    for row in result["comparisons"]:
        label = tell("label", a=row["a"], b=row["b"], judge=row["judge"])
        found += [label + warning for warning in _of_comparison(row, result, tell)]
    for who, entry in result["contestants"].items():
        keys = {"cut off": "cut_off", "empty answers": "empty", "looping answers": "looping", "unanswered": "failed"}
        found += [tell(key, n=entry[name], who=who) for key, name in keys.items() if entry[name]]
    found += forgotten(result["general"], tell)
    if len({str(entry["settings"]) for entry in result["contestants"].values()}) > 1:
        found.append(tell("settings"))
    several = {name for row in result["seeds"] for name in row["of"]}
    if len(result["trained"]) > 1 and not several.issuperset(result["trained"]):
        found.append(tell("one seed"))
    return found


def _of_judge(name: str, judge: dict[str, Any], tell: Say) -> Iterator[str]:
    statuses = judge["statuses"]
    if judge["kind"] == "stand-in":
        right, of = AGREEMENT
        low, high = wilson(right, of)
        yield tell("stand-in", judge=name, of=of, share=right / of, interval=f"[{low:.0%}, {high:.0%}]")
    if wrong := [kind for kind, score in judge["canaries"].items() if score["wrong"]]:
        yield tell("canaries", judge=name, kinds=", ".join(wrong))
    if statuses.get("failed"):
        yield tell("failed calls", n=statuses["failed"], judge=name, why=judge["first_error"])
    if judge["cut_off"] and statuses.get("unparsed"):
        yield tell("judge cut off", n=judge["cut_off"], judge=name)
    if statuses.get("refused"):
        yield tell("refused calls", n=statuses["refused"], judge=name)


def _of_comparison(row: dict[str, Any], result: dict[str, Any], tell: Say) -> Iterator[str]:
    if by_people := row["corrected"]:
        yield corrected(by_people, tell)
    if row.get("worth"):
        yield tell("worth", n=len(row["members"]), worth=row["worth"])
    if row["unparsed"]:
        yield tell("unparsed", n=row["unparsed"], all=row["questions"])
    if row["kind"] != "model" or row["withheld"]:
        return
    low, high = row["first_share_interval"]
    if not low <= 0.5 <= high:
        yield tell("first", share=row["first_share"])
    if row["longer_won_interval"][0] > 0.5:
        yield tell("longer", share=row["longer_won"], above=tell("above") if row["longer_won"] > LONGER_WINS else "")
    yield from equal(row, tell)
    own = family(row["judge"], result["judges"][row["judge"]]["model"])
    for who in (row["a"], row["b"]):
        if own and own == family(who, result["contestants"][who]["model"]):
            yield tell("family", who=who, family=own)


def equal(row: dict[str, Any], tell: Say) -> Iterator[str]:
    """Say the win rate at equal length, and at equal style."""
    for name in ("length", "style"):
        if found := row[f"{name}_controlled"]:
            yield tell(f"equal {name}", rate=rate(found["win_rate"], found["interval"]))


def corrected(found: dict[str, Any], tell: Say) -> str:
    """Say the win rate as people's votes correct it, or how many votes it takes."""
    if found["needed"]:
        return tell("few votes", votes=found["votes"], needed=found["needed"])
    return tell("corrected", votes=found["votes"], rate=rate(found["win_rate"], found["interval"]))


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


def rate(value: float | None, interval: list[float]) -> str:
    """Return a rate with its interval, as percentages."""
    return "-" if value is None else f"{value:.1%} [{interval[0]:.0%}, {interval[1]:.0%}]"


def points(change: Mapping[str, float]) -> str:
    """Return a difference of shares with its interval, in percentage points."""
    return "{:+.1f} [{:+.1f}, {:+.1f}]".format(*(100 * change[name] for name in ("mean", "low", "high")))


def share(value: float | None) -> str:
    """Return a share as a percentage, "-" when it cannot be said."""
    return "-" if value is None else f"{value:.0%}"


def p_value(p: float | None) -> str:
    """Return a p-value as it is usually written, "-" where nothing was tested."""
    return "-" if p is None else "p<0.001" if p < 0.001 else f"p={p:.3f}"
